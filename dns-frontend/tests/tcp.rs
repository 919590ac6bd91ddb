//! Queries over TCP, and clients that behave badly.

mod common;

use std::{
    io::{Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use common::*;
use dns_frontend::Config;
use socket2::{Domain, SockRef, Socket, Type};

/// Short enough for a test, long enough for a busy machine to keep.
const SHORT: Duration = Duration::from_millis(300);

#[test]
fn queries_are_answered_over_both_address_families() {
    for address in ["127.0.0.1", "::1"] {
        let server = Server::start(config(address));
        let mut client = tcp_client(server.address());
        for id in 0..10 {
            converse(&mut client, id);
        }
        let from = client.local_addr().unwrap();
        assert_eq!(*server.echo.clients_seen.lock().unwrap(), [from; 10]);
        drop(client);
        server.wait_for("closing", |totals| totals.tcp.closed_client == 1);
        let totals = server.stop();
        assert_eq!((totals.tcp.accepted, totals.tcp.received, totals.tcp.sent), (1, 10, 10));
        assert_eq!((totals.tcp.open, totals.tcp.buffered_octets), (0, 0));
    }
}

#[test]
fn pipelined_queries_are_answered_in_batches_and_in_order() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    let queries: Vec<u8> = (0..200).flat_map(|id| framed(&message(id, 40, b""))).collect();
    client.write_all(&queries).unwrap();
    for id in 0..200 {
        assert_eq!(read_message(&mut client), echoed(&message(id, 40, b"")));
    }
    assert!(server.echo.largest_batch.load(Ordering::Relaxed) > 1);
    let totals = server.stop();
    assert_eq!((totals.tcp.received, totals.tcp.sent), (200, 200));
    assert!(totals.tcp.batches < 100, "{totals:?}");
}

#[test]
fn silence_is_kept_between_answers() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    let queries: Vec<u8> =
        (0..90).flat_map(|id| framed(&message(id, 20, if id % 3 == 0 { b"S" } else { b"A" }))).collect();
    client.write_all(&queries).unwrap();
    for id in (0..90).filter(|id| id % 3 != 0) {
        assert_eq!(read_message(&mut client), echoed(&message(id, 20, b"A")));
    }
    let totals = server.stop();
    assert_eq!((totals.tcp.received, totals.tcp.sent), (90, 60));
}

#[test]
fn queries_may_arrive_octet_by_octet() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    client.set_nodelay(true).unwrap();
    for octet in framed(&message(1, 20, b"")).into_iter().chain(framed(&message(2, 30, b""))) {
        client.write_all(&[octet]).unwrap();
    }
    assert_eq!(read_message(&mut client), echoed(&message(1, 20, b"")));
    assert_eq!(read_message(&mut client), echoed(&message(2, 30, b"")));
    converse(&mut client, 3);
    server.wait_for("giving the buffers back", |totals| totals.tcp.buffered_octets == 0);
    server.stop();
}

/// Numbers without much of a pattern, the same in each run.
fn scattered(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    let server = Server::start(config("127.0.0.1"));
    for seed in 0..10 {
        let mut random = scattered(seed);
        let longest = [20, 300, 5000][seed as usize % 3];
        let messages: Vec<_> = (0..300).map(|id| message(id, 12 + random(longest), b"")).collect();
        let stream: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
        let mut reader = tcp_client(server.address());
        let mut writer = reader.try_clone().unwrap();
        writer.set_nodelay(true).unwrap();
        let writing = thread::spawn(move || {
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let (piece, later) = rest.split_at((1 + random(longest * 2)).min(rest.len()));
                writer.write_all(piece).unwrap();
                rest = later;
            }
        });
        for message in &messages {
            assert!(read_message(&mut reader) == echoed(message), "seed {seed}");
        }
        writing.join().unwrap();
    }
    // Counted once they have left, so that the last reply may be here before its count.
    server.wait_for("counting every query and giving the buffers back", |totals| {
        (totals.tcp.received, totals.tcp.sent, totals.tcp.buffered_octets) == (3000, 3000, 0)
    });
    server.stop();
}

#[test]
fn octets_without_meaning_do_no_harm() {
    let server = Server::start(config("127.0.0.1"));
    for seed in 0..200 {
        let mut random = scattered(seed);
        let mut client = tcp_client(server.address());
        let octets: Vec<u8> = (0..random(3000)).map(|_| random(256) as u8).collect();
        // The server may have closed already.
        let _ = client.write_all(&octets);
        let _ = client.shutdown(Shutdown::Write);
        read_to_close(&mut client);
    }
    let totals = server.wait_for("closing", |totals| totals.tcp.accepted == 200 && totals.tcp.open == 0);
    assert_eq!(totals.tcp.buffered_octets, 0);
    converse(&mut tcp_client(server.address()), 1);
    server.stop();
}

#[test]
fn the_longest_messages_pass_both_ways() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    for octets in [65_535, 65_534, 40_000] {
        let request = message(9, octets, b"");
        client.write_all(&framed(&request)).unwrap();
        assert!(read_message(&mut client) == echoed(&request), "{octets}");
    }
    server.wait_for("giving the buffers back", |totals| totals.tcp.buffered_octets == 0);
    server.stop();
}

#[test]
fn many_long_answers_wait_for_a_slow_client() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    let queries: Vec<u8> = (0..300).flat_map(|id| framed(&ask_for(id, 60_000))).collect();
    client.write_all(&queries).unwrap();
    // 18 MB, far more than the sockets hold: the rest waits, and what waits here is bounded.
    server.wait_for("filling the socket", |totals| totals.tcp.buffered_octets > 0);
    for id in 0..300u16 {
        let reply = read_message(&mut client);
        assert_eq!((reply.len(), &reply[..2]), (60_000, &id.to_be_bytes()[..]));
        assert_eq!(reply[59_999], id as u8);
        let held = server.counters.totals().tcp.buffered_octets;
        assert!(held <= 192 * 1024, "{held} octets are held for one connection");
    }
    server.wait_for("counting every query and giving the buffers back", |totals| {
        (totals.tcp.received, totals.tcp.sent, totals.tcp.buffered_octets) == (300, 300, 0)
    });
    converse(&mut client, 1);
    server.stop();
}

#[test]
fn a_client_that_never_reads_is_cut_off() {
    let mut config = config("127.0.0.1");
    config.tcp.write_timeout = SHORT;
    let server = Server::start(config);
    let mut client = tcp_client(server.address());
    let queries: Vec<u8> = (0..300).flat_map(|id| framed(&ask_for(id, 60_000))).collect();
    client.write_all(&queries).unwrap();
    let totals = server.wait_for("the cut", |totals| totals.tcp.closed_write_timeout == 1);
    assert_eq!((totals.tcp.open, totals.tcp.buffered_octets), (0, 0));
    assert!(read_to_close(&mut client).len() < 300 * 60_000);
    server.stop();
}

#[test]
fn a_client_that_takes_too_long_for_a_message_is_cut_off() {
    let mut config = config("127.0.0.1");
    config.tcp.read_timeout = SHORT;
    let server = Server::start(config);
    let mut client = tcp_client(server.address());
    converse(&mut client, 1);
    // Each octet comes well within the time for a message; the message does not.
    let slow = framed(&message(2, 60_000, b""));
    client.set_read_timeout(Some(SHORT / 10)).unwrap();
    let began = Instant::now();
    let mut sent = slow.iter();
    let closed = loop {
        let written = client.write_all(&[*sent.next().expect("the cut comes before the message's end")]);
        match client.read(&mut [0]) {
            Ok(octets) => {
                assert_eq!(octets, 0);
                break true;
            }
            Err(_) if written.is_err() => break true,
            Err(_) if began.elapsed() > PATIENCE => break false,
            Err(_) => {}
        }
    };
    assert!(closed);
    assert!(began.elapsed() >= SHORT);
    let totals = server.wait_for("the cut", |totals| totals.tcp.closed_read_timeout == 1);
    assert_eq!((totals.tcp.received, totals.tcp.buffered_octets), (1, 0));
    server.stop();
}

#[test]
fn a_long_message_that_is_only_announced_gets_no_memory() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    client.write_all(&framed(&message(2, 60_000, b""))[..100]).unwrap();
    let totals = server.wait_for("keeping the beginning", |totals| totals.tcp.buffered_octets > 0);
    assert!(totals.tcp.buffered_octets <= 1024, "{totals:?}");
    drop(client);
    server.wait_for("closing", |totals| totals.tcp.open == 0 && totals.tcp.buffered_octets == 0);
    server.stop();
}

#[test]
fn idle_connections_are_closed() {
    let mut config = config("127.0.0.1");
    config.tcp.idle_timeout = SHORT;
    let server = Server::start(config);
    let mut silent = tcp_client(server.address());
    let mut used = tcp_client(server.address());
    let began = Instant::now();
    converse(&mut used, 1);
    assert!(read_to_close(&mut silent).is_empty());
    assert!(read_to_close(&mut used).is_empty());
    assert!(began.elapsed() >= SHORT);
    server.wait_for("closing", |totals| totals.tcp.closed_idle == 2);
    server.stop();
}

#[test]
fn a_connection_in_use_outlives_the_idle_timeout() {
    let mut config = config("127.0.0.1");
    config.tcp.idle_timeout = SHORT * 3;
    let server = Server::start(config);
    let mut client = tcp_client(server.address());
    let began = Instant::now();
    while began.elapsed() < SHORT * 8 {
        converse(&mut client, 1);
    }
    assert_eq!(server.stop().tcp.closed_idle, 0);
}

#[test]
fn a_half_closed_connection_gets_all_its_answers() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    let mut queries: Vec<u8> = (0..500).flat_map(|id| framed(&ask_for(id, 5000))).collect();
    // The beginning of one more, which never ends.
    queries.extend([0, 20, 1, 2, 3]);
    client.write_all(&queries).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    for id in 0..500u16 {
        let reply = read_message(&mut client);
        assert_eq!((reply.len(), &reply[..2]), (5000, &id.to_be_bytes()[..]));
    }
    assert!(read_to_close(&mut client).is_empty());
    server.wait_for("closing", |totals| totals.tcp.closed_client == 1);
    server.stop();
}

#[test]
fn what_is_no_message_ends_the_connection_after_the_answers_before_it() {
    for garbage in [&[0, 0][..], &[0, 11, 1, 2, 3], b"\0\0GET / HTTP/1.1\r\n\r\n"] {
        let server = Server::start(config("127.0.0.1"));
        let mut client = tcp_client(server.address());
        client.write_all(&[&framed(&message(1, 20, b""))[..], garbage].concat()).unwrap();
        // Where octets are left unread the kernel may reset the connection before the answer is taken.
        let answers = read_to_close(&mut client);
        assert!(answers == framed(&echoed(&message(1, 20, b""))) || answers.is_empty(), "{answers:?}");
        let totals = server.wait_for("closing", |totals| totals.tcp.closed_malformed == 1);
        assert_eq!((totals.tcp.received, totals.tcp.sent), (1, 1));
        converse(&mut tcp_client(server.address()), 2);
        server.stop();
    }
}

#[test]
fn a_short_length_in_two_pieces_ends_the_connection() {
    let server = Server::start(config("127.0.0.1"));
    let mut client = tcp_client(server.address());
    client.write_all(&[0]).unwrap();
    server.wait_for("keeping the first octet", |totals| totals.tcp.buffered_octets > 0);
    client.write_all(&[5]).unwrap();
    assert!(read_to_close(&mut client).is_empty());
    server.wait_for("closing", |totals| totals.tcp.closed_malformed == 1);
    server.stop();
}

#[test]
fn beyond_the_limit_who_was_not_answered_for_longest_makes_room() {
    let mut config = config("127.0.0.1");
    config.tcp.workers = 1;
    config.tcp.connections_max = 5;
    let server = Server::start(config);
    let mut clients: Vec<_> = (0..5).map(|_| tcp_client(server.address())).collect();
    converse_all(&mut clients[2..3], 1);
    converse_all(&mut clients[4..], 1);
    server.wait_for("accepting", |totals| totals.tcp.open == 5);
    let mut further: Vec<_> = (0..3).map(|_| tcp_client(server.address())).collect();
    converse_all(&mut further, 2);
    for silent in [0, 1, 3] {
        assert!(read_to_close(&mut clients[silent]).is_empty());
    }
    server.wait_for("closing", |totals| totals.tcp.open == 5);
    for busy in [2, 4] {
        converse_all(&mut clients[busy..=busy], 3);
    }
    converse_all(&mut further, 3);
    let totals = server.stop().tcp;
    assert_eq!((totals.closed_evicted, totals.refused_full), (3, 0));
}

/// Connects from one of the loopback addresses.
fn tcp_client_from(address: &str, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::new(address.parse::<IpAddr>().unwrap(), 0);
    socket.bind(&from.into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let client: TcpStream = socket.into();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client
}

#[test]
fn connections_beyond_a_clients_share_are_refused() {
    let mut config = config("127.0.0.1");
    config.tcp.workers = 2;
    config.tcp.connections_per_client_max = 3;
    let server = Server::start(config);
    let mut clients: Vec<_> = (0..3).map(|_| tcp_client_from("127.0.0.2", server.address())).collect();
    converse_all(&mut clients, 1);
    assert!(read_to_close(&mut tcp_client_from("127.0.0.2", server.address())).is_empty());
    server.wait_for("the refusal", |totals| totals.tcp.refused_client == 1);
    converse(&mut tcp_client_from("127.0.0.3", server.address()), 2);
    converse_all(&mut clients, 3);
    server.stop();
}

#[test]
fn a_client_beyond_its_share_makes_nobody_leave() {
    let mut config = config("127.0.0.1");
    config.tcp.workers = 1;
    config.tcp.connections_max = 3;
    config.tcp.connections_per_client_max = 2;
    let server = Server::start(config);
    let mut other = tcp_client_from("127.0.0.2", server.address());
    server.wait_for("accepting", |totals| totals.tcp.open == 1);
    let mut clients: Vec<_> = (0..2).map(|_| tcp_client_from("127.0.0.3", server.address())).collect();
    converse_all(&mut clients, 1);
    // All places are taken, and the one who would have to go has never been answered.
    let mut refused = tcp_client_from("127.0.0.3", server.address());
    assert!(read_to_close(&mut refused).is_empty());
    converse(&mut other, 2);
    converse_all(&mut clients, 3);
    let totals = server.stop().tcp;
    assert_eq!((totals.refused_client, totals.closed_evicted, totals.refused_full), (1, 0, 0));
}

#[test]
fn a_panic_costs_a_connection_and_no_worker() {
    let server = Server::start(config("127.0.0.1"));
    let mut other = tcp_client(server.address());
    converse(&mut other, 1);
    let mut client = tcp_client(server.address());
    client.write_all(&framed(&message(1, 20, b"P"))).unwrap();
    assert!(read_to_close(&mut client).is_empty());
    server.wait_for("the panic", |totals| totals.tcp.panics == 1);
    converse(&mut other, 2);
    server.stop();
}

#[test]
fn two_thousand_idle_connections_hold_no_buffers() {
    let mut config = config("127.0.0.1");
    config.tcp.connections_max = 3000;
    config.tcp.connections_per_client_max = 3000;
    config.tcp.idle_timeout = Config::default().tcp.idle_timeout * 6;
    let server = Server::start(config);
    // The worker's own buffers have been used once when counting begins.
    converse(&mut tcp_client(server.address()), 1);
    let before = resident_octets();
    let mut clients: Vec<_> = (0..2000).map(|_| tcp_client(server.address())).collect();
    converse_all(&mut clients, 1);
    let totals = server.wait_for("accepting", |totals| totals.tcp.open >= 2000);
    assert_eq!(totals.tcp.buffered_octets, 0);
    // 4 KiB each would be 8 MB; a buffer each would be 130 MB.
    let grown = resident_octets().saturating_sub(before);
    assert!(grown < 24 << 20, "grew by {grown} octets");
    converse_all(&mut clients, 2);
    drop(clients);
    server.wait_for("closing", |totals| totals.tcp.open == 0);
    server.stop();
}

/// Memory of this process; 0 where the system has no such file.
fn resident_octets() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).map_or(0, |pages| pages.parse::<usize>().unwrap() * 4096)
}

#[test]
fn a_reset_connection_is_no_trouble() {
    let server = Server::start(config("127.0.0.1"));
    for id in 0..20 {
        let mut client = tcp_client(server.address());
        client.write_all(&framed(&ask_for(id, 60_000)).repeat(20)).unwrap();
        SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    }
    server.wait_for("closing", |totals| totals.tcp.accepted == 20 && totals.tcp.open == 0);
    converse(&mut tcp_client(server.address()), 1);
    assert_eq!(server.stop().tcp.buffered_octets, 0);
}
