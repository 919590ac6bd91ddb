//! Clients that are slow, or many.

use std::time::Duration;

use dns_api::{ApiLimits, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::{ADMIN, Ask, READ, Server, Setup, WRITE, exchange, parse, within};

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

/// The head of an import of so many octets.
fn import(token: &str, octets: usize) -> String {
    format!(
        "PUT /api/v1/zones/example.org/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: text/dns\r\nContent-Length: {octets}\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn large_bodies_share_room_and_small_ones_need_none() {
    const OCTETS: usize = 1 << 20;
    let api_limits = ApiLimits { body_octets: OCTETS, ..ApiLimits::default() };
    let server = Server::start(Setup { api_limits, ..Setup::default() });
    let writer = server.token(WRITE);
    let file = format!("@ NS ns\nns A 192.0.2.1\n{}", "; nothing to be read here\n".repeat(30_000));
    assert!((OCTETS / 2..OCTETS).contains(&file.len()));

    // There is room for either of them, and not for both.
    let (most, rest) = file.split_at(file.len() - 1);
    let begun = import(&writer, file.len()) + most;
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    // One of them is refused, perhaps while it sends.
    let sent = async { tokio::join!(first.write_all(begun.as_bytes()), second.write_all(begun.as_bytes())) };
    let ((Ok(()), _) | (_, Ok(()))) = within(sent).await else { panic!("both are cut off") };
    let (mut early, mut late) = (Vec::new(), Vec::new());
    let (refused, mut other) = within(async {
        tokio::select! {
            _ = first.read_to_end(&mut early) => (early, second),
            _ = second.read_to_end(&mut late) => (late, first),
        }
    })
    .await;
    let refused = parse(&refused);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")), "{refused:?}");
    let record = r#"{"name":"www.example.com","type":"A","value":"192.0.2.1"}"#;
    let small = server.ask(&Ask::new("POST", "/api/v1/records").by(&writer).json(record)).await;
    assert_eq!(small.status, 201, "{small:?}");

    other.write_all(rest.as_bytes()).await.unwrap();
    let mut octets = Vec::new();
    within(other.read_to_end(&mut octets)).await.unwrap();
    assert_eq!(parse(&octets).status, 201);
    let third = exchange(&mut server.connect().await, &(import(&writer, file.len()) + &file)).await;
    assert_eq!(third.status, 200, "{third:?}");
}

#[tokio::test]
async fn nothing_is_read_from_those_who_may_not_write() {
    let server = Server::start(Setup::default());
    let reader = server.token(READ);
    let changes = format!(
        "POST /api/v1/changes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {reader}\r\n\
         Content-Type: application/json\r\nContent-Length: 16000000\r\nConnection: close\r\n\r\n"
    );
    for head in [changes, import(&reader, 256_000_000)] {
        let answer = exchange(&mut server.connect().await, &head).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
}
