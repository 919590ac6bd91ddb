//! Binding, starting, stopping.

mod common;

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use common::*;
use dns_backend::{Packets, Respond, Responder, Transport};
use dns_frontend::{BindError, Config, Frontend, UdpEngine};

#[test]
fn port_zero_takes_one_port_for_both_transports() {
    let mut config = config("127.0.0.1");
    config.listen = vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
    config.udp.workers = 4;
    config.tcp.workers = 4;
    let server = Server::start(config);
    assert_eq!(server.addresses.len(), 2);
    for (address, from) in server.addresses.clone().into_iter().zip(["127.0.0.1", "::1"]) {
        assert_ne!(address.port(), 0);
        let client = udp_client(from);
        client.send_to(&message(1, 12, b""), address).unwrap();
        assert_eq!(receive(&client).0, echoed(&message(1, 12, b"")));
        converse(&mut tcp_client(address), 2);
    }
    server.stop();
}

#[test]
fn ports_in_use_are_refused_with_a_hint() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    for (address, transport) in [(udp.local_addr(), "UDP"), (tcp.local_addr(), "TCP")] {
        let address = address.unwrap();
        let error = Frontend::bind(Config { listen: vec![address], ..config("127.0.0.1") }).unwrap_err();
        let text = error.to_string();
        assert_eq!(
            text,
            format!("cannot listen on {address} over {transport}: another program listens there")
        );
        let BindError::Socket { source, .. } = error else { panic!("{error:?}") };
        assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
    }
}

#[test]
fn a_second_server_does_not_share_the_port_of_the_first() {
    for engine in [UdpEngine::Batched, UdpEngine::Single] {
        let mut first = with_engine(engine, "127.0.0.1");
        first.udp.workers = 2;
        let server = Server::start(first.clone());
        let second = Config { listen: vec![server.address()], ..first };
        let error = Frontend::bind(second.clone()).unwrap_err();
        assert!(matches!(error, BindError::Socket { transport: "UDP", .. }), "{error}");
        // With an open connection, whose port lingers after the end.
        let mut client = tcp_client(server.address());
        converse(&mut client, 1);
        server.stop();
        Server::start(second).stop();
    }
}

#[test]
fn an_address_of_nobody_is_refused_with_a_hint() {
    let error = Frontend::bind(config("192.0.2.1")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot listen on 192.0.2.1:0 over UDP: no interface of this host has that address"
    );
}

#[test]
fn a_failing_address_leaves_none_bound() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = vec![free, "192.0.2.1:5300".parse::<SocketAddr>().unwrap()];
    Frontend::bind(Config { listen, ..config("127.0.0.1") }).unwrap_err();
    UdpSocket::bind(free).expect("the first address was given back");
}

#[test]
fn shutdown_answers_what_tcp_clients_sent() {
    let server = Server::start(config("127.0.0.1"));
    let mut clients: Vec<_> = (0..10).map(|_| tcp_client(server.address())).collect();
    for client in &mut clients {
        let queries: Vec<u8> = (0..100).flat_map(|id| framed(&ask_for(id, 500))).collect();
        client.write_all(&queries).unwrap();
    }
    let address = server.address();
    let began = Instant::now();
    let totals = server.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "idle connections do not hold up the end");
    assert_eq!((totals.tcp.received, totals.tcp.sent, totals.tcp.open), (1000, 1000, 0));
    assert_eq!(totals.tcp.closed_shutdown, 10);
    for client in &mut clients {
        for id in 0..100u16 {
            assert_eq!(read_message(client)[..2], id.to_be_bytes());
        }
        assert!(read_to_close(client).is_empty());
    }
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn shutdown_does_not_wait_for_ever_for_a_client_that_does_not_read() {
    let mut config = config("127.0.0.1");
    config.drain_timeout = Duration::from_millis(300);
    let server = Server::start(config);
    let mut client = tcp_client(server.address());
    client.write_all(&framed(&ask_for(1, 60_000)).repeat(300)).unwrap();
    server.wait_for("filling the socket", |totals| totals.tcp.buffered_octets > 0);
    let totals = server.stop();
    assert_eq!((totals.tcp.open, totals.tcp.closed_shutdown, totals.tcp.buffered_octets), (0, 1, 0));
}

#[test]
fn dropping_the_handle_stops_the_threads() {
    let server = Server::start(config("127.0.0.1"));
    let address = server.address();
    let mut client = tcp_client(address);
    converse(&mut client, 1);
    drop(server.running);
    assert!(read_to_close(&mut client).is_empty());
    let deadline = Instant::now() + PATIENCE;
    while UdpSocket::bind(address).is_err() {
        assert!(Instant::now() < deadline, "the port is still bound");
        std::thread::yield_now();
    }
}

#[test]
fn several_addresses_stop_as_one() {
    for engine in [UdpEngine::Batched, UdpEngine::Single] {
        let mut config = with_engine(engine, "127.0.0.1");
        config.listen = ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"].map(|a| a.parse().unwrap()).into();
        config.udp.workers = 3;
        config.tcp.workers = 2;
        let began = Instant::now();
        Server::start(config).stop();
        assert!(began.elapsed() < Duration::from_secs(4), "{engine:?}");
    }
}

/// Never gets done.
struct Stuck;

impl Respond for Stuck {
    type Responder = Self;

    fn responder(&self, _: Transport) -> Self {
        Self
    }
}

impl Responder for Stuck {
    fn respond(&mut self, _: &mut impl Packets) {
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_stuck_responder_is_reported() {
    let mut config = config("127.0.0.1");
    config.drain_timeout = Duration::from_millis(100);
    let bound = Frontend::bind(config).unwrap();
    let address = bound.local_addrs()[0];
    let running = bound.serve(Arc::new(Stuck)).unwrap();
    let counters = running.counters();
    udp_client("127.0.0.1").send_to(&message(1, 12, b""), address).unwrap();
    wait_for(&counters, "receiving", |totals| totals.udp.received == 1);
    let unfinished = running.shutdown().unwrap_err();
    assert_eq!(unfinished.threads, 1);
    assert_eq!(unfinished.to_string(), "1 of the frontend's threads did not end within 1.1s");
}
