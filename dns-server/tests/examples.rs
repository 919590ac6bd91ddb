//! The examples do what they say.

#[allow(dead_code, reason = "its main runs for ever")]
#[path = "../examples/serve_zone.rs"]
mod serve_zone;
#[path = "../examples/update_while_serving.rs"]
mod update_while_serving;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use dns_server::Server;
use dns_server::dns_core::wire::op::{Message, Query};
use dns_server::dns_core::wire::rr::RecordType;

/// Asks for addresses over UDP.
fn addresses(server: SocketAddr, qname: &str) -> Vec<String> {
    let mut query = Message::query();
    query.add_query(Query::query(qname.parse().unwrap(), RecordType::A));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client.send_to(&query.to_vec().unwrap(), server).unwrap();
    let mut reply = [0; 4096];
    let octets = client.recv(&mut reply).unwrap();
    let reply = Message::from_vec(&reply[..octets]).unwrap();
    reply.answers.iter().map(|record| record.data.to_string()).collect()
}

#[tokio::test]
async fn a_zone_is_served_from_memory() {
    let running = serve_zone::serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = running.dns_addresses()[0];
    assert_eq!(addresses(server, "www.example.org."), ["192.0.2.1"]);
    assert_eq!(addresses(server, "any.apps.example.org."), ["192.0.2.80"]);
    assert_eq!(running.ready(), Ok(()));
    assert!(running.metrics().contains("dns_store_zones{state=\"serving\"} 1"), "{}", running.metrics());
    running.shutdown().await;
}

#[test]
fn updating_while_serving_runs_from_begin_to_end() {
    update_while_serving::main().unwrap();
}

#[tokio::test]
async fn records_are_changed_while_they_are_served() {
    let server = Server::builder().listen("127.0.0.1:0".parse().unwrap()).build().await.unwrap();
    let running = server.start().unwrap();
    let mut lines = Vec::new();
    update_while_serving::change(running.store(), |line| lines.push(line)).await.unwrap();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], "added www.example.org.");
    assert_eq!(lines[1], "updated www.example.org.");
    assert!(lines[2].starts_with("refused: "), "{lines:?}");
    assert_eq!(lines[3], "added a.example.org., added b.example.org., deleted www.example.org.");
    let dns = running.dns_addresses()[0];
    assert_eq!(addresses(dns, "a.example.org."), ["192.0.2.10"]);
    assert_eq!(addresses(dns, "www.example.org."), Vec::<String>::new());
    running.shutdown().await;
}
