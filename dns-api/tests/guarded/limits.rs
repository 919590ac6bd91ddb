//! Clients that are slow, or many.

use std::time::Duration;

use dns_api::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{ADMIN, Ask, READ, Server, Setup, within};

#[tokio::test]
async fn bodies_that_never_arrive_end_the_request() {
    let limits = Limits { body_stall_timeout: Duration::from_millis(50), ..Limits::for_api() };
    let server = Server::start(Setup { limits, ..Setup::default() });
    let admin = server.token(ADMIN);
    let mut stream = server.connect().await;
    let head = format!(
        "POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {admin}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut octets = Vec::new();
    within(stream.read_to_end(&mut octets)).await.unwrap();
    let text = String::from_utf8(octets).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert_eq!(server.authenticator.list().len(), 1);
}

#[tokio::test]
async fn hundreds_of_clients_are_served_at_a_time() {
    let server = Server::start(Setup::default());
    let token = server.token(READ);
    let mut streams = Vec::new();
    // Both ends are ours here, and a process may often have no more than 1,024 files.
    for _ in 0..400 {
        streams.push(server.connect().await);
    }
    // All have a connection before the first one asks, and keep it.
    let request = Ask::get("/api/v1/tokens/self").by(&token).text().replace("Connection: close\r\n", "");
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).await.unwrap();
    }
    for stream in &mut streams {
        let mut octets = [0; 32];
        let read = within(stream.read(&mut octets)).await.unwrap();
        assert!(
            octets[..read].starts_with(b"HTTP/1.1 200 OK"),
            "{:?}",
            String::from_utf8_lossy(&octets[..read])
        );
    }
    drop(streams);
    server.stop().await;
}
