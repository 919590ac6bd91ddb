//! EDNS (RFC 6891): versions, sizes, options, and what becomes of the OPT record.

use dns_backend::Transport;

use crate::server::{Server, opt, request};

fn server() -> Server {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nwww A 192.0.2.1\n\
                $GENERATE 1-200 big A 192.0.2.$\n";
    Server::new(&[("example.org.", zone)])
}

/// The question `www.example.org. A` with the given additional records, and the reply's last octets from its OPT on.
#[track_caller]
fn ask(transport: Transport, records: &[Vec<u8>]) -> (u8, Vec<u8>) {
    let (_, mut message) = request("www.example.org. A");
    message[11] = records.len() as u8;
    message.extend(records.concat());
    let reply = server().exchange(transport, &message).unwrap();
    let at = reply.windows(3).rposition(|octets| octets == [0, 0, 41]);
    (reply[3] & 0x0F, at.map_or(Vec::new(), |at| reply[at..].to_vec()))
}

#[test]
fn an_opt_record_is_answered_with_one() {
    assert_eq!(ask(Transport::Udp, &[]), (0, Vec::new()));
    assert_eq!(ask(Transport::Udp, &[opt(4096, 0, &[])]), (0, opt(1232, 0, &[])));
    // DO is repeated (RFC 3225, section 3), other flags are not.
    assert_eq!(ask(Transport::Udp, &[opt(4096, 0xFFFF, &[])]), (0, opt(1232, 0x8000, &[])));
}

#[test]
fn unknown_options_are_passed_over() {
    let options = [&[0xFD, 0xE9, 0, 3][..], b"abc", &[0, 8, 0, 0], &[0, 10, 0, 8], b"clientck"].concat();
    assert_eq!(ask(Transport::Udp, &[opt(1232, 0, &options)]), (0, opt(1232, 0, &[])));
}

#[test]
fn other_versions_get_badvers() {
    let mut newer = opt(1232, 0, &[]);
    newer[6] = 1;
    let (rcode, reply) = ask(Transport::Udp, &[newer]);
    let mut expected = opt(1232, 0, &[]);
    expected[5] = 1;
    assert_eq!((rcode, reply), (0, expected), "BADVERS is 16, its upper bits are in the OPT record");
}

#[test]
fn two_opt_records_are_an_error() {
    let (rcode, _) = ask(Transport::Udp, &[opt(1232, 0, &[]), opt(1232, 0, &[])]);
    assert_eq!(rcode, 1);
    // As is one whose options run over its end.
    assert_eq!(ask(Transport::Udp, &[opt(1232, 0, &[0, 10, 0, 8, 1])]).0, 1);
}

#[test]
fn keepalive_is_told_over_tcp_and_when_asked() {
    let asks = opt(1232, 0, &[0, 11, 0, 0]);
    assert_eq!(ask(Transport::Tcp, std::slice::from_ref(&asks)), (0, opt(1232, 0, &[0, 11, 0, 2, 0, 100])));
    assert_eq!(ask(Transport::Udp, &[asks]), (0, opt(1232, 0, &[])));
    assert_eq!(ask(Transport::Tcp, &[opt(1232, 0, &[])]), (0, opt(1232, 0, &[])));
}

#[test]
fn sizes_are_kept_and_bounded() {
    // 200 addresses take 33 + 200 * 16 octets and the OPT record.
    for (advertised, limit, fits) in [
        (0u16, 512, false),
        (512, 512, false),
        (1232, 512, false),
        (4096, 1232, false),
        (3000, 4096, false),
        (3300, 4096, true),
        (4096, 4096, true),
        (65_535, 4096, true),
    ] {
        let server = server().with(|policy| policy.udp_octets_max = limit);
        let (transport, message) = request(&format!("big.example.org. A edns={advertised}"));
        let reply = server.exchange(transport, &message).unwrap();
        assert_eq!(reply[2] & 2 == 0, fits, "TC with {advertised} against {limit}");
        if !fits {
            // Header, question, OPT, and nothing else.
            assert_eq!(reply[12..reply.len() - 11], message[12..message.len() - 11]);
            assert_eq!(reply[reply.len() - 11..][..3], [0, 0, 41]);
            assert_eq!(reply[4..12], [0, 1, 0, 0, 0, 0, 0, 1]);
        }
    }
    assert_eq!(server().response("big.example.org. A tcp edns=512").answer.len(), 200);
}
