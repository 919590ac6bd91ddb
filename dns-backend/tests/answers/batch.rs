//! Batches, and what is counted.

use dns_backend::Transport;
use dns_core::{AnswerPolicy, RecordType};

use crate::server::{Server, request, zone};

fn server() -> Server {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.1\n$GENERATE 1-40 big A 192.0.2.$\n\
                one CNAME two\ntwo CNAME ns\n*.w MX 1 ns\nd DNAME w\n";
    Server::new(&[("example.org.", zone)]).with_failed("failed.test.")
}

/// Good and bad requests, so that one leaves nothing behind for the next.
fn requests() -> Vec<Vec<u8>> {
    let questions =
        ["ns A edns=1232", "one A", "x.w MX", "y.d MX", "big A", "nothing A do", "ns ANY", "ns AXFR"];
    let mut requests: Vec<Vec<u8>> = questions
        .iter()
        .map(|question| request(&question.replacen(' ', ".example.org. ", 1)).1)
        .chain([request("www.failed.test. A").1, request("example.net. A").1, vec![0; 11], vec![0xFF; 40]])
        .collect();
    let mut notify = request("ns.example.org. A").1;
    notify[2] |= 4 << 3;
    requests.push(notify);
    requests
}

/// Among very many zones, those of a batch are looked for together: with the same answers as where there are few.
#[test]
fn very_many_zones_change_no_answer() {
    let text = |host: &str| format!("@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A {host}\n");
    let zones = |numbers: &mut dyn Iterator<Item = u32>| -> Vec<_> {
        // At three depths, so that the deepest level tried is not always that of the zone.
        let name = |number: u32| match number % 3 {
            0 => format!("z{number}.test."),
            1 => format!("z{number}.a.test."),
            _ => format!("z{number}.a.b.test."),
        };
        numbers.map(|number| zone(&name(number), &text("192.0.2.1"))).collect()
    };
    let wanted = [3, 4, 5, 900, 901, 902];
    let few = Server::of(zones(&mut wanted.into_iter()), AnswerPolicy::default());
    let many = Server::of(zones(&mut (3..2000)), AnswerPolicy::default());
    assert!(
        few.catalog.zone_reads() == 0 && many.catalog.zone_reads() > 0,
        "only one of them looks them up together"
    );
    let names = [
        "ns.z3.test",
        "z4.a.test",
        "ns.z5.a.b.test",
        "x.z900.test",
        "ns.z901.a.test",
        "z902.a.b.test",
        "test",
        "a.test",
    ];
    let asked = names.iter().map(|name| request(&format!("{name}. A")).1);
    let requests: Vec<Vec<u8>> = asked.chain(requests()).collect();
    let replies = many.exchange_all(Transport::Udp, &requests);
    assert_eq!(replies, few.exchange_all(Transport::Udp, &requests));
    let answered = replies.iter().flatten().filter(|reply| reply[2] & 4 != 0).count();
    assert_eq!(answered, wanted.len());
}

#[test]
fn a_batch_is_answered_as_its_requests_are_alone() {
    let server = server();
    let requests: Vec<Vec<u8>> = requests().into_iter().cycle().take(64).collect();
    for transport in [Transport::Udp, Transport::Tcp] {
        let alone: Vec<_> = requests.iter().map(|request| server.exchange(transport, request)).collect();
        assert_eq!(server.exchange_all(transport, &requests), alone);
        assert_eq!(server.exchange_all(transport, &requests[..3]), alone[..3]);
        assert!(server.exchange_all(transport, &[]).is_empty());
    }
}

#[test]
fn every_request_is_counted_once() {
    let server = server();
    server.exchange_all(Transport::Udp, &requests());
    let mut seen = 0;
    server.authoritative.for_each_counters(|transport, counters| {
        let counts: Vec<_> = counters
            .replies()
            .map(|found| (found.qtype.map(|rtype| rtype.to_string()), found.rcode, found.count))
            .collect();
        if transport == Transport::Tcp {
            assert_eq!((counts, counters.dropped(), counters.truncated()), (Vec::new(), 0, 0));
            return;
        }
        seen += 1;
        let some = |rtype: RecordType| Some(rtype.to_string());
        let expected = [
            (some(RecordType::A), "noerror", 3),
            (some(RecordType::A), "servfail", 1),
            (some(RecordType::A), "nxdomain", 1),
            (some(RecordType::A), "refused", 1),
            (some(RecordType::MX), "noerror", 2),
            (some(RecordType::ANY), "noerror", 1),
            (some(RecordType::AXFR), "refused", 1),
            (None, "notimp", 1),
        ];
        assert_eq!(counts, expected);
        assert_eq!((counters.dropped(), counters.truncated()), (2, 2));
    });
    assert_eq!(seen, 1);
}
