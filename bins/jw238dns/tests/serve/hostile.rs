//! Octets that no decent client sends, from sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::support::{Process, ask, ask_tcp, connect, folder, query, receive, send, shown};

/// Octets that only look random, the same every time.
struct Octets(u64);

impl Octets {
    fn next(&mut self) -> u64 {
        // The steps of xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, octets: usize) -> Vec<u8> {
        (0..octets).map(|_| self.next() as u8).collect()
    }
}

/// Requests with something wrong about them.
fn requests() -> Vec<Vec<u8>> {
    let good = query("www.example.test. A");
    let header = &good[..12];
    let question = |name: &[u8]| [header, name, &[0, 1, 0, 1]].concat();
    let mut requests: Vec<Vec<u8>> = (0..good.len()).map(|octets| good[..octets].to_vec()).collect();
    requests.extend([
        // A name that points to itself, two that point to each other, one that points behind the end, and one into
        // the header.
        question(&[0xC0, 12]),
        question(&[0xC0, 14, 0xC0, 12]),
        question(&[3, b'w', b'w', b'w', 0xC0, 12]),
        question(&[0xFF, 0xFF]),
        question(&[0xC0, 0]),
        // A label of 64 octets, and a name of 256.
        question(&[&[64][..], &[b'x'; 64], &[0]].concat()),
        question(&[[&[63][..], &[b'x'; 63]].concat().repeat(4), vec![0]].concat()),
    ]);
    let mut octets = Octets(0x9E37_79B9_7F4A_7C15);
    for round in 0..500_usize {
        // Noise, and good requests with an octet or two changed.
        requests.push(octets.fill(round));
        let mut changed = good.clone();
        for _ in 0..=round % 2 {
            let at = octets.next() as usize % changed.len();
            changed[at] = octets.next() as u8;
        }
        requests.push(changed);
    }
    requests
}

#[track_caller]
fn still_answers(dns: SocketAddr) {
    assert_eq!(ask(dns, "www.example.test. A"), "NOERROR 192.0.2.1");
    assert_eq!(ask_tcp(dns, "www.example.test. A"), "NOERROR 192.0.2.1");
}

#[test]
fn bad_datagrams_do_no_harm() {
    let folder = folder(&[]);
    let server = Process::start(folder.path(), &[]);
    let dns = server.dns();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let good = query("www.example.test. A");
    for request in requests() {
        socket.send_to(&request, dns).unwrap();
        // The good one behind it is answered; whatever the bad one got comes before it.
        let mut marked = good.clone();
        marked[..2].copy_from_slice(&[!request.first().unwrap_or(&0), 0x77]);
        socket.send_to(&marked, dns).unwrap();
        let mut reply = [0; 4096];
        loop {
            let octets =
                socket.recv(&mut reply).unwrap_or_else(|error| panic!("{error} after {request:02x?}"));
            assert!(octets >= 12 && reply[2] & 0x80 != 0, "{:02x?} for {request:02x?}", &reply[..octets]);
            if reply[..2] == marked[..2] {
                assert_eq!(shown(&reply[..octets]), "NOERROR 192.0.2.1");
                break;
            }
            assert_eq!(reply[..2], request[..2], "only what was asked is answered");
        }
    }
    still_answers(dns);
    assert!(!server.log_behind(0).contains("panic"), "{}", server.log_behind(0));
    server.stop();
}

#[test]
fn bad_streams_do_no_harm() {
    let folder = folder(&[]);
    let server = Process::start(folder.path(), &[]);
    let dns = server.dns();
    let good = query("www.example.test. A");
    for request in requests() {
        let mut stream = connect(dns);
        send(&mut stream, &request);
        stream.shutdown(Shutdown::Write).unwrap();
        // It is answered or closed, and never left to wait.
        let mut replies = Vec::new();
        if let Err(error) = stream.read_to_end(&mut replies) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error} after {request:02x?}");
        }
    }
    // The longest message that there can be: a good request with 65,000 octets behind it, and nothing but noise.
    let mut longest = good.clone();
    longest.resize(65_535, 0);
    for message in [longest, Octets(1).fill(65_535), vec![0; 65_535], vec![0xC0; 65_535]] {
        let mut stream = connect(dns);
        send(&mut stream, &message);
        stream.shutdown(Shutdown::Write).unwrap();
        let mut replies = Vec::new();
        if let Err(error) = stream.read_to_end(&mut replies) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        still_answers(dns);
    }
    server.stop();
}

#[test]
fn half_open_connections_are_closed_and_nobody_waits_for_them() {
    let folder = folder(&[]);
    let mut command = crate::support::command(folder.path(), &["--listen", "127.0.0.1:0"]);
    command.env("JW238DNS_TCP", "{idle_timeout: 300ms, read_timeout: 300ms, max_connections: 20}");
    let server = Process::spawn(command);
    let dns = server.dns();
    let good = query("www.example.test. A");
    // Nothing sent; half of the length; a length with no message; half of a message.
    let beginnings = [&[][..], &[0], &[0, 33], &[0, 33, 1, 2, 3]];
    let mut streams: Vec<_> = beginnings
        .iter()
        .map(|beginning| {
            let mut stream = connect(dns);
            stream.write_all(beginning).unwrap();
            stream
        })
        .collect();
    // Another client is served meanwhile.
    let mut stream = connect(dns);
    send(&mut stream, &good);
    assert_eq!(shown(&receive(&mut stream)), "NOERROR 192.0.2.1");
    for stream in &mut streams {
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(octets) => assert_eq!(octets, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }
    still_answers(dns);
    server.stop();
}
