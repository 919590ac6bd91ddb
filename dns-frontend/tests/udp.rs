//! Datagrams, with both engines.

mod common;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::atomic::Ordering,
};

use common::*;
use dns_frontend::{UdpConfig, UdpEngine};
use socket2::{Domain, Protocol, Socket, Type};

const ENGINES: [UdpEngine; 2] = [UdpEngine::Batched, UdpEngine::Single];

#[test]
fn queries_are_answered_over_both_address_families() {
    for engine in ENGINES {
        for address in ["127.0.0.1", "::1"] {
            let server = Server::start(with_engine(engine, address));
            let client = udp_client(address);
            for octets in [12, 17, 512, UdpConfig::REQUEST_OCTETS_MAX] {
                let request = message(octets as u16, octets, b"");
                client.send_to(&request, server.address()).unwrap();
                assert_eq!(receive(&client), (echoed(&request), server.address()), "{engine:?}");
            }
            let seen = server.echo.clients_seen.lock().unwrap().clone();
            assert_eq!(seen, [client.local_addr().unwrap(); 4], "{engine:?}");
            let totals = server.stop();
            assert_eq!((totals.udp.received, totals.udp.sent), (4, 4), "{engine:?}");
        }
    }
}

#[test]
fn every_one_of_many_queries_is_answered() {
    for engine in ENGINES {
        let server = Server::start(with_engine(engine, "127.0.0.1"));
        let client = udp_client("127.0.0.1");
        // Few enough at a time for any receive buffer, more than a batch.
        for round in 0..5u16 {
            for id in 0..150 {
                client.send_to(&message(round * 150 + id, 40, b""), server.address()).unwrap();
            }
            let mut ids: Vec<u16> = (0..150)
                .map(|_| {
                    let (reply, _) = receive(&client);
                    assert_eq!((reply.len(), reply[2]), (40, 0x80));
                    u16::from_be_bytes([reply[0], reply[1]])
                })
                .collect();
            ids.sort_unstable();
            assert!(ids.into_iter().eq(round * 150..(round + 1) * 150), "{engine:?}");
        }
        let largest = server.echo.largest_batch.load(Ordering::Relaxed);
        assert!(largest <= if engine == UdpEngine::Single { 1 } else { 64 }, "{engine:?}: {largest}");
        server.stop();
    }
}

#[test]
fn what_waited_before_the_start_comes_as_full_batches() {
    let bound = dns_frontend::Frontend::bind(with_engine(UdpEngine::Batched, "127.0.0.1")).unwrap();
    let server = bound.local_addrs()[0];
    let client = udp_client("127.0.0.1");
    for id in 0..130 {
        client.send_to(&message(id, 12, b""), server).unwrap();
    }
    let echo = std::sync::Arc::new(Echo::default());
    let running = bound.serve(std::sync::Arc::new(Shared(echo.clone()))).unwrap();
    for id in 0..130 {
        assert_eq!(receive(&client).0, echoed(&message(id, 12, b"")));
    }
    let totals = wait_for(&running.counters(), "counting", |totals| totals.udp.sent == 130);
    assert_eq!((totals.udp.received, totals.udp.batches), (130, 3));
    assert_eq!(echo.largest_batch.load(Ordering::Relaxed), 64);
    running.shutdown().unwrap();
}

#[test]
fn silence_is_kept_between_answers() {
    for engine in ENGINES {
        let server = Server::start(with_engine(engine, "127.0.0.1"));
        let client = udp_client("127.0.0.1");
        for id in 0..60 {
            let rest: &[u8] = if id % 3 == 0 { b"S" } else { b"A" };
            client.send_to(&message(id, 13, rest), server.address()).unwrap();
        }
        for id in (0..60).filter(|id| id % 3 != 0) {
            assert_eq!(receive(&client).0, echoed(&message(id, 13, b"A")), "{engine:?}");
        }
        let totals = server.stop();
        assert_eq!((totals.udp.received, totals.udp.sent), (60, 40), "{engine:?}");
    }
}

#[test]
fn replies_may_be_as_long_as_configured() {
    for engine in ENGINES {
        let mut config = with_engine(engine, "127.0.0.1");
        config.udp.reply_octets_max = 1232;
        let server = Server::start(config);
        let client = udp_client("127.0.0.1");
        for (asked, got) in [(600, 600), (1232, 1232), (65_535, 1232)] {
            client.send_to(&ask_for(7, asked), server.address()).unwrap();
            assert_eq!(receive(&client).0.len(), got, "{engine:?}");
        }
        server.stop();
    }
}

#[test]
fn oversize_requests_are_dropped_and_counted() {
    for engine in ENGINES {
        let server = Server::start(with_engine(engine, "127.0.0.1"));
        let client = udp_client("127.0.0.1");
        for octets in [UdpConfig::REQUEST_OCTETS_MAX + 1, 9000, 60_000] {
            client.send_to(&message(1, octets, b""), server.address()).unwrap();
        }
        client.send_to(&message(2, 12, b""), server.address()).unwrap();
        assert_eq!(receive(&client).0, echoed(&message(2, 12, b"")), "{engine:?}");
        let totals = server.stop();
        assert_eq!(
            (totals.udp.received, totals.udp.dropped_oversize, totals.udp.sent),
            (4, 3, 1),
            "{engine:?}"
        );
    }
}

#[test]
fn empty_and_short_datagrams_reach_the_responder() {
    for engine in ENGINES {
        let server = Server::start(with_engine(engine, "127.0.0.1"));
        let client = udp_client("127.0.0.1");
        client.send_to(&[], server.address()).unwrap();
        client.send_to(&[1, 2, 3], server.address()).unwrap();
        assert_eq!(receive(&client).0, [1, 2, 0x83], "{engine:?}");
        let totals = server.stop();
        assert_eq!((totals.udp.received, totals.udp.sent), (2, 1), "{engine:?}");
    }
}

/// Sends UDP from port 0, for which a raw socket is needed; tells whether this user may.
fn send_from_port_zero(server: SocketAddr) -> bool {
    let Ok(raw) = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)) else {
        return false;
    };
    let request = message(1, 12, b"");
    let mut datagram = vec![0, 0];
    datagram.extend(server.port().to_be_bytes());
    datagram.extend((8 + request.len() as u16).to_be_bytes());
    // A checksum of 0 stands for none.
    datagram.extend([0, 0]);
    datagram.extend(request);
    raw.send_to(&datagram, &server.into()).unwrap();
    true
}

#[test]
fn requests_from_port_zero_are_dropped_and_counted() {
    for engine in ENGINES {
        let server = Server::start(with_engine(engine, "127.0.0.1"));
        if !send_from_port_zero(server.address()) {
            eprintln!("skipped: raw sockets need CAP_NET_RAW");
            return;
        }
        let client = udp_client("127.0.0.1");
        client.send_to(&message(2, 12, b""), server.address()).unwrap();
        assert_eq!(receive(&client).0, echoed(&message(2, 12, b"")), "{engine:?}");
        assert_eq!(server.echo.clients_seen.lock().unwrap().len(), 1, "{engine:?}");
        let totals = server.stop();
        assert_eq!((totals.udp.received, totals.udp.dropped_port_zero), (2, 1), "{engine:?}");
    }
}

#[test]
fn a_wildcard_bind_answers_from_the_address_that_was_asked() {
    let server = Server::start(config("0.0.0.0"));
    let port = server.address().port();
    let client = udp_client("127.0.0.1");
    for asked in ["127.0.0.2", "127.0.0.3", "127.0.0.1", "127.1.2.3"] {
        let asked: SocketAddr = format!("{asked}:{port}").parse().unwrap();
        client.send_to(&message(3, 12, b""), asked).unwrap();
        assert_eq!(receive(&client), (echoed(&message(3, 12, b"")), asked));
    }
    server.stop();
    let server = Server::start(config("::"));
    let asked: SocketAddr = format!("[::1]:{}", server.address().port()).parse().unwrap();
    let client = udp_client("::1");
    client.send_to(&message(4, 12, b""), asked).unwrap();
    assert_eq!(receive(&client), (echoed(&message(4, 12, b"")), asked));
    server.stop();
}

#[test]
fn an_ipv6_wildcard_leaves_ipv4_alone() {
    let server = Server::start(config("::"));
    let port = server.address().port();
    UdpSocket::bind(("0.0.0.0", port)).expect("IPv4 on that port is free");
    server.stop();
}

#[test]
fn one_worker_serves_several_addresses() {
    for engine in ENGINES {
        let mut config = with_engine(engine, "127.0.0.1");
        config.listen =
            ["0.0.0.0:0", "127.0.0.2:0", "[::1]:0"].map(|address| address.parse().unwrap()).into();
        let server = Server::start(config);
        for (address, from) in server.addresses.clone().iter().zip(["127.0.0.1", "127.0.0.1", "::1"]) {
            let client = udp_client(from);
            let mut asked = *address;
            if asked.ip().is_unspecified() {
                asked.set_ip([127, 0, 0, 1].into());
            }
            for id in 0..100 {
                client.send_to(&message(id, 30, b""), asked).unwrap();
            }
            for id in 0..100 {
                assert_eq!(receive(&client), (echoed(&message(id, 30, b"")), asked), "{engine:?}");
            }
        }
        assert_eq!(server.stop().udp.sent, 300, "{engine:?}");
    }
}

#[test]
fn several_workers_share_a_port() {
    for engine in ENGINES {
        let mut config = with_engine(engine, "127.0.0.1");
        config.udp.workers = 3;
        config.udp.pin_workers = true;
        let server = Server::start(config);
        // The kernel chooses the worker by the client's port: with so many every worker gets some.
        for id in 0..64 {
            let client = udp_client("127.0.0.1");
            client.send_to(&message(id, 12, b""), server.address()).unwrap();
            assert_eq!(receive(&client).0, echoed(&message(id, 12, b"")), "{engine:?}");
        }
        assert_eq!(server.stop().udp.sent, 64, "{engine:?}");
    }
}

#[test]
fn a_client_that_cannot_be_reached_costs_the_others_nothing() {
    for engine in ENGINES {
        let server = Server::start(with_engine(engine, "127.0.0.1"));
        for id in 0..20 {
            // Gone before its answer comes: the kernel hears that the port is unreachable.
            let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
            gone.send_to(&message(id, 12, b""), server.address()).unwrap();
            drop(gone);
            let client = udp_client("127.0.0.1");
            client.send_to(&message(id, 20, b""), server.address()).unwrap();
            assert_eq!(receive(&client).0, echoed(&message(id, 20, b"")), "{engine:?}");
        }
        let totals = server.stop();
        assert_eq!((totals.udp.received, totals.udp.receive_failed), (40, 0), "{engine:?}");
    }
}

#[test]
fn a_panic_costs_a_batch_and_no_worker() {
    for engine in ENGINES {
        let server = Server::start(with_engine(engine, "127.0.0.1"));
        let client = udp_client("127.0.0.1");
        client.send_to(&message(1, 13, b"P"), server.address()).unwrap();
        server.wait_for("the panic", |totals| totals.udp.panics == 1);
        client.send_to(&message(2, 12, b""), server.address()).unwrap();
        assert_eq!(receive(&client).0, echoed(&message(2, 12, b"")), "{engine:?}");
        server.stop();
    }
}

#[test]
fn shutdown_answers_what_was_received() {
    for engine in ENGINES {
        for addresses in [&["127.0.0.1:0"][..], &["127.0.0.1:0", "127.0.0.2:0"]] {
            let mut config = with_engine(engine, "127.0.0.1");
            config.listen = addresses.iter().map(|address| address.parse().unwrap()).collect();
            let server = Server::start(config);
            let client = udp_client("127.0.0.1");
            for id in 0..200 {
                client.send_to(&message(id, 12, b""), server.address()).unwrap();
            }
            let address = server.address();
            let totals = server.stop();
            assert_eq!((totals.udp.received, totals.udp.sent), (200, 200), "{engine:?}");
            for id in 0..200 {
                assert_eq!(receive(&client).0, echoed(&message(id, 12, b"")), "{engine:?}");
            }
            UdpSocket::bind(address).expect("the port is free again");
        }
    }
}
