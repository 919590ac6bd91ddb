//! Exchanges to log, and waiting for what other threads and processes do.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::thread;
use std::time::{Duration, Instant};

use dns_backend::Transport;
use dns_backend::log::{Exchange, Replied};
use dns_core::ResponseCode;

/// A header with these flags and counts of questions and answers.
pub fn header(id: u16, flags: u16, questions: u8, answers: u8) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend_from_slice(&id.to_be_bytes());
    octets.extend_from_slice(&flags.to_be_bytes());
    octets.extend_from_slice(&[0, questions, 0, answers, 0, 0, 0, 0]);
    octets
}

/// A query with RD for the addresses of a name, given as on the wire.
pub fn query(id: u16, qname: &[u8]) -> Vec<u8> {
    let mut message = header(id, 0x0100, 1, 0);
    message.extend_from_slice(qname);
    message.extend_from_slice(&[0, 1, 0, 1]);
    message
}

/// An authoritative answer to a query, with one address.
pub fn reply(query: &[u8]) -> Vec<u8> {
    let mut message = query.to_vec();
    (message[2], message[7]) = (0x85, 1);
    message.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02\x07");
    message
}

pub const WWW: &[u8] = b"\x03www\x07example\x03org\0";

pub fn exchange<'a>(request: &'a [u8], reply: Option<&'a [u8]>) -> Exchange<'a> {
    Exchange {
        now: Duration::new(1_700_000_000, 123_456_789),
        transport: Transport::Udp,
        client: "192.0.2.1:5353".parse().unwrap(),
        listener: 0,
        view: Some("default"),
        rule: None,
        request,
        reply: reply.map(|message| Replied { rcode: ResponseCode::NOERROR, message }),
    }
}

/// Returns once the condition holds; gives up after far longer than it should take.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}
