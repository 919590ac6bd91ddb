//! Requests that are no plain questions of class IN, and what of a question comes back.

use dns_backend::Transport;
use proptest::prelude::*;

use crate::server::{Server, request};

fn server() -> Server {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.1\n*.w CNAME ns\nd DNAME w\ncut NS ns.cut\n\
                ns.cut A 192.0.2.2\n";
    Server::new(&[("example.org.", zone)])
}

/// The code of the reply to `ns.example.org. A` after a change to the request, and whether the question is repeated.
#[track_caller]
fn reply_to(change: impl FnOnce(&mut Vec<u8>)) -> Option<(u8, bool)> {
    let (transport, mut message) = request("ns.example.org. A");
    change(&mut message);
    server().exchange(transport, &message).map(|reply| (reply[3] & 0x0F, reply[5] == 1))
}

#[test]
fn only_queries_are_answered() {
    for opcode in 1..16u8 {
        assert_eq!(reply_to(|message| message[2] |= opcode << 3), Some((4, false)), "opcode {opcode}");
    }
    assert_eq!(reply_to(|message| message[2] |= 0x80), None, "a response");
    assert_eq!(reply_to(|message| message.truncate(11)), None, "less than a header");
}

/// RFC 9619.
#[test]
fn there_is_one_question() {
    assert_eq!(reply_to(|message| message[5] = 0), Some((1, false)));
    assert_eq!(reply_to(|message| message[5] = 2), Some((1, false)));
    assert_eq!(reply_to(|message| message[4] = 1), Some((1, false)));
    assert_eq!(reply_to(|message| message[7] = 1), Some((1, true)), "an answer in a query");
    assert_eq!(reply_to(|message| message.push(0)), Some((1, true)), "octets behind it");
    assert_eq!(reply_to(|message| message.truncate(20)), Some((1, false)), "a name that runs out");
}

#[test]
fn other_classes_are_refused() {
    let with_class = |class: u16| {
        let (transport, mut message) = request("ns.example.org. A");
        let end = message.len();
        message[end - 2..].copy_from_slice(&class.to_be_bytes());
        server().exchange(transport, &message).map(|reply| (reply[3] & 0x0F, reply[2] & 4 != 0, reply[7]))
    };
    assert_eq!(with_class(1), Some((0, true, 1)));
    assert_eq!(with_class(3), Some((5, false, 0)), "CH");
    assert_eq!(with_class(254), Some((5, false, 0)), "NONE");
    // RFC 1035, section 6.2: never authoritative.
    assert_eq!(with_class(255), Some((0, false, 1)), "ANY");
}

#[test]
fn types_that_no_zone_has() {
    let server = server();
    server.check("example.org. AXFR", "REFUSED");
    server.check("example.org. AXFR tcp", "REFUSED");
    server.check("example.org. IXFR", "REFUSED");
    server.check("ns.example.org. MAILB", "NOTIMP");
    server.check("ns.example.org. OPT", "FORMERR");
    server.check("ns.example.org. TYPE0", "FORMERR");
    server.check("ns.example.org. TYPE65280", "NOERROR aa; authority: @ SOA");
    server.check("ns.example.org. NSEC3 do", "NOERROR aa; authority: @ SOA");
}

/// The harness compares the question octet by octet; here names made from it keep its letters, too.
#[test]
fn letter_case_comes_back() {
    let (transport, message) = request("Www.D.eXample.org. A");
    let reply = server().exchange(transport, &message).unwrap();
    let target = b"\x03Www\x01w\x07example\x03org\0";
    assert!(reply.windows(target.len()).any(|octets| octets == target), "{reply:02x?}");
}

/// Requests that begin like requests, so that what follows is looked at.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let label = prop_oneof![
        Just(b"\x01w".to_vec()),
        Just(b"\x01d".to_vec()),
        Just(b"\x03Cut".to_vec()),
        prop::collection::vec(any::<u8>(), 0..70)
    ];
    let question = (
        prop::collection::vec(label, 0..6),
        prop::sample::select(vec![&b"\x07example\x03org\0"[..], b"\0", b"\xC0\x0C"]),
    )
        .prop_map(|(labels, end)| [labels.concat(), end.to_vec()].concat());
    let numbers = prop_oneof![Just([0, 1, 0, 1]), Just([0, 255, 0, 1]), any::<[u8; 4]>()];
    let counts = prop_oneof![3 => Just([0, 1, 0, 0, 0, 0, 0, 1]), 1 => any::<[u8; 8]>()];
    let rest = prop_oneof![
        any::<u16>().prop_map(|size| crate::server::opt(size, 0x8000, &[])),
        prop::collection::vec(any::<u8>(), 0..60),
    ];
    (any::<[u8; 4]>(), counts, question, numbers, rest).prop_map(|(head, counts, question, numbers, rest)| {
        [&head[..], &counts, &question, &numbers, &rest].concat()
    })
}

proptest! {
    /// [`Server::exchange`] checks each reply.
    #[test]
    fn no_octets_do_harm(message in prop_oneof![requests(), prop::collection::vec(any::<u8>(), 0..600)]) {
        let server = server();
        for transport in [Transport::Udp, Transport::Tcp] {
            let reply = server.exchange(transport, &message);
            prop_assert_eq!(reply.is_none(), message.len() < 12 || message[2] & 0x80 != 0);
        }
    }
}
