//! Requests: any octets to a catalog with a few zones, over UDP and over TCP.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use dns_backend::{Authoritative, Packets, Respond, Responder, Transport, Worker};
use dns_core::zone::{Place, SourceTag, ZoneBuilder};
use dns_core::zonefile::{self, Options};
use dns_core::{Catalog, Name, View, ZoneEntry, ZoneState, wire};

/// Delegations, wildcards, aliases that loop and leave the zone, DNAMEs, large RRsets.
const PARENT: &str = "\
@ 300 SOA ns1 hostmaster 1 2h 1h 2w 5m\n@ NS ns1\n@ NS ns2.child\n@ MX 10 mail\n\
ns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\nmail A 192.0.2.2\n\
* TXT wildcard\n*.w CNAME loop\nloop CNAME x.w\n*.*.odd A 192.0.2.3\n\
child NS ns.child\nchild NS ns.sibling\nns.child A 192.0.2.4\nsibling NS ns.sibling\nns.sibling A 192.0.2.5\n\
d DNAME e\ne DNAME d.d\nout CNAME www.child\nleaf.of.the.tree SRV 0 0 53 ns1\n\
$GENERATE 1-60 big A 198.51.100.$\n$GENERATE 1-40 many MX $ mail$.elsewhere.example\n";
/// A signed zone below it, with signatures that sign nothing.
const CHILD: &str = "\
@ 300 SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.6\nwww A 192.0.2.7\n*.wild CNAME www\n\
@ DNSKEY 257 3 13 AQIDBA==\n@ RRSIG SOA 13 2 300 20380101000000 20200101000000 4660 child.test. AQIDBA==\n\
@ NSEC ns NS SOA RRSIG NSEC DNSKEY\nns NSEC *.wild A NSEC\n*.wild NSEC www CNAME NSEC\nwww NSEC @ A NSEC\n\
cut NS ns.cut\n";
const ROOTLIKE: &str = "@ 300 SOA . . 1 2h 1h 2w 5m\n@ NS ns.\nns A 192.0.2.8\nx DNAME .\n";

thread_local! {
    static WORKERS: RefCell<[Worker<Arc<Catalog>>; 2]> = RefCell::new(workers());
}

/// Answers the octets as a request. A reply belongs to its request, keeps to its size, and can be read.
pub fn run(data: &[u8]) {
    WORKERS.with_borrow_mut(|[udp, tcp]| {
        exchange(Transport::Udp, udp, data);
        exchange(Transport::Tcp, tcp, data);
    });
}

fn exchange(transport: Transport, worker: &mut Worker<Arc<Catalog>>, request: &[u8]) {
    let octets = if transport == Transport::Udp { 4096 } else { usize::from(u16::MAX) };
    let mut packet = Packet { request, reply: vec![0xAA; octets], sent: None };
    worker.respond(&mut packet);
    let Some(octets) = packet.sent else {
        assert!(request.len() < 12 || request[2] & 0x80 != 0, "a request got no reply");
        return;
    };
    let reply = &packet.reply[..octets];
    assert!(request[2] & 0x80 == 0 && reply[2] & 0x80 != 0, "QR");
    assert_eq!(reply[..2], request[..2], "id");
    assert_eq!(reply[2] & 0x79, request[2] & 0x79, "opcode and RD");
    let message = wire::op::Message::from_vec(reply).unwrap_or_else(|error| panic!("{error}: {reply:02x?}"));
    if let [question] = &message.queries[..] {
        let end = 12 + question.name().len() + 4;
        assert_eq!(reply[12..end], request[12..end], "question");
    }
    if transport == Transport::Udp {
        let wanted = wire::op::Message::from_vec(request)
            .ok()
            .and_then(|request| request.edns.map(|edns| edns.max_payload()));
        let octets_max = wanted.unwrap_or(if message.edns.is_some() { 1232 } else { 512 }).clamp(512, 1232);
        assert!(octets <= usize::from(octets_max), "{octets} octets, {octets_max} at most");
    }
}

fn workers() -> [Worker<Arc<Catalog>>; 2] {
    let mut view = View::new("default");
    for (apex, text) in [("test.", PARENT), ("child.test.", CHILD), ("invalid.", ROOTLIKE)] {
        let apex: Name = apex.parse().expect("a name");
        let mut builder = ZoneBuilder::new(apex.clone());
        let options = Options { origin: Some(apex.clone()), ..Options::default() };
        let report =
            zonefile::read("zone", text.as_bytes(), &options, &mut zonefile::no_includes, |record| {
                let (source, place) = (SourceTag::default(), Place::default());
                builder.add(record.owner, record.rtype, record.ttl, record.rdata, source, place);
            });
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        let zone = builder.finish().map_err(|faults| format!("{faults:?}")).expect("a zone").zone;
        view.put(ZoneEntry {
            apex,
            state: ZoneState::Serving(zone),
            fallthrough: false,
            derived: false,
            access: None,
        });
    }
    let apex: Name = "failed.test.".parse().expect("a name");
    let state = ZoneState::Failed("not there".into());
    view.put(ZoneEntry { apex, state, fallthrough: false, derived: false, access: None });
    let authoritative = Authoritative::new(Arc::new(Catalog::new().with_view(view)));
    [Transport::Udp, Transport::Tcp].map(|transport| authoritative.responder(transport))
}

/// A batch of one.
struct Packet<'r> {
    request: &'r [u8],
    reply: Vec<u8>,
    sent: Option<usize>,
}

impl Packets for Packet<'_> {
    fn len(&self) -> usize {
        1
    }

    fn request(&self, _index: usize) -> &[u8] {
        self.request
    }

    fn exchange(&mut self, _index: usize) -> (&[u8], &mut [u8]) {
        (self.request, &mut self.reply)
    }

    fn client(&self, _index: usize) -> SocketAddr {
        ([192, 0, 2, 1], 5300).into()
    }

    fn now(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    fn send(&mut self, _index: usize, octets: usize) {
        self.sent = Some(octets);
    }
}
