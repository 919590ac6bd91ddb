//! From a worker that answers to the lines of the log.

mod support;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dns_backend::guard::{Action, Condition, Guard, GuardSpec, NamePattern, Rule};
use dns_backend::{Authoritative, Packets, Respond, Responder, Transport};
use dns_core::zone::{Place, SourceTag, ZoneBuilder};
use dns_core::{Catalog, Name, RecordType, View, ZoneEntry, ZoneState, rdata};
use dns_querylog::{Format, QueryLog, QueryLogConfig, Target};

use support::{WWW, query};

/// A batch, with room for the replies.
struct Batch {
    requests: Vec<Vec<u8>>,
    reply: Vec<u8>,
}

impl Packets for Batch {
    fn len(&self) -> usize {
        self.requests.len()
    }

    fn request(&self, index: usize) -> &[u8] {
        &self.requests[index]
    }

    fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        (&self.requests[index], &mut self.reply)
    }

    fn client(&self, index: usize) -> SocketAddr {
        ([192, 0, 2, 1], 5300 + index as u16).into()
    }

    fn now(&self) -> Duration {
        Duration::from_micros(1_700_000_000_000_001)
    }

    fn send(&mut self, _: usize, _: usize) {}
}

/// The zone example.org with one host.
fn catalog() -> Catalog {
    let apex: Name = "example.org.".parse().unwrap();
    let mut builder = ZoneBuilder::new(apex.clone());
    for (owner, rtype, text) in [
        ("example.org.", RecordType::SOA, "ns hostmaster 1 2 3 4 5"),
        ("example.org.", RecordType::NS, "ns.example.net."),
        ("www.example.org.", RecordType::A, "192.0.2.7"),
    ] {
        let owner: Name = owner.parse().unwrap();
        let rdata = rdata::from_text(rtype, text, Some(apex.as_wire())).unwrap();
        builder.add(owner.as_wire(), rtype, 300, &rdata, SourceTag::default(), Place::default());
    }
    let state = ZoneState::Serving(builder.finish().unwrap().zone);
    let mut view = View::new("default");
    view.put(ZoneEntry { apex, state, fallthrough: false, derived: false, access: None });
    Catalog::new().with_view(view)
}

fn guard() -> Guard {
    let rule = |name: &str, qname: &str, action| {
        let names = vec![NamePattern::Exact(qname.parse().unwrap())];
        Rule { name: name.into(), when: Condition { names, ..Condition::default() }, action }
    };
    let rules = vec![
        rule("silence", "silent.example.org.", Action::Drop),
        rule("block", "ads.example.org.", Action::Refuse),
    ];
    let spec = GuardSpec { rules, rate_limit: None, ..GuardSpec::default() };
    Guard::new(&spec, &mut |path| fs::read(path)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn every_request_of_a_batch_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let target = Target::File(path.clone());
    let config = QueryLogConfig { format: Format::Text, target, ..QueryLogConfig::default() };
    let hub = config.hub();
    let authoritative = Authoritative::new(Arc::new(catalog()));
    authoritative.set_guard(guard());
    assert!(authoritative.set_log(hub.clone()));
    let log = QueryLog::start(config, hub).unwrap();

    let mut truncated_question = query(5, WWW);
    truncated_question.truncate(20);
    let requests = vec![
        query(1, WWW),
        query(2, b"\x04none\x07example\x03org\0"),
        query(3, b"\x06silent\x07example\x03org\0"),
        query(4, b"\x03ads\x07example\x03org\0"),
        truncated_question,
        b"short".to_vec(),
        query(6, b"\x03www\x07example\x03net\0"),
    ];
    let mut worker = authoritative.responder(Transport::Udp);
    worker.respond(&mut Batch { requests, reply: vec![0; 4096] });
    drop(worker);
    log.stop().unwrap();

    let text = fs::read_to_string(path).unwrap();
    let begin = "2023-11-14T22:13:20.000001Z udp 192.0.2.1#";
    let lines: Vec<_> = text.lines().map(|line| line.strip_prefix(begin).expect(line)).collect();
    let expected = [
        "5300 view \"default\": www.example.org. IN A rd -> noerror aa, answers 1, octets 49",
        "5301 view \"default\": none.example.org. IN A rd -> nxdomain aa, answers 0, octets 84",
        "5302 view \"default\": silent.example.org. IN A rd -> no reply, rule \"silence\"",
        "5303 view \"default\": ads.example.org. IN A rd -> refused, answers 0, octets 33, rule \"block\"",
        "5304 view \"default\": no question rd -> formerr, answers 0, octets 12",
        "5305 view \"default\": opcode 13 no question rd ad cd -> no reply",
        "5306 view \"default\": www.example.net. IN A rd -> refused, answers 0, octets 33",
    ];
    assert_eq!(lines, expected);
}
