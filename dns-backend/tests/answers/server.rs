//! Zone text in, packets through the whole responder, sections out in short text form.
//!
//! Whatever is asked, the reply is held against what every reply must be: hickory and `domain` can read it, it answers
//! the request it belongs to, and it keeps to its size.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use conformance::message::Response;
use conformance::record::Record;
use dns_backend::guard::{Guard, GuardSpec};
use dns_backend::{Authoritative, Packets, Respond, Responder, Transport, Worker};
use dns_core::zone::{Place, SourceTag, Zone, ZoneBuilder};
use dns_core::zonefile::{self, Options};
use dns_core::{AnswerPolicy, Catalog, Name, RecordType, View, ViewSpec, ZoneEntry, ZoneState, rdata, wire};

type Workers = [RefCell<Worker<Arc<Catalog>>>; 2];

/// Zones behind a responder for each transport.
pub struct Server {
    pub catalog: Arc<Catalog>,
    /// What the workers have counted.
    pub authoritative: Authoritative<Arc<Catalog>>,
    /// For UDP, and for TCP.
    workers: Workers,
    /// Names are told relative to the first zone.
    origin: Name,
    /// Who asks, at which listener, and when.
    pub client: Cell<SocketAddr>,
    pub listener: Cell<usize>,
    pub now: Cell<Duration>,
}

impl Server {
    /// Serves zones given as apex and zone text.
    #[track_caller]
    pub fn new(zones: &[(&str, &str)]) -> Self {
        let zones = zones.iter().map(|(apex, text)| zone(apex, text));
        Self::of(zones.collect(), AnswerPolicy::default())
    }

    /// Serves zones that are built already.
    pub fn of(zones: Vec<Zone>, policy: AnswerPolicy) -> Self {
        let origin = zones[0].apex().clone();
        let mut view = View::new("default");
        for zone in zones {
            view.put(entry(zone.apex().clone(), ZoneState::Serving(zone)));
        }
        Self::serve(Catalog::new().with_policy(policy).with_view(view), origin)
    }

    fn serve(catalog: Catalog, origin: Name) -> Self {
        let catalog = Arc::new(catalog);
        let authoritative = Authoritative::new(catalog.clone());
        let workers = [Transport::Udp, Transport::Tcp]
            .map(|transport| RefCell::new(authoritative.responder(transport)));
        let client = Cell::new(([192, 0, 2, 1], 5300).into());
        Self {
            catalog,
            authoritative,
            workers,
            origin,
            client,
            listener: Cell::default(),
            now: Cell::default(),
        }
    }

    /// The same behind a guard.
    pub fn guarded(self, spec: &GuardSpec) -> Self {
        let guard =
            Guard::new(spec, &mut |path| std::fs::read(path)).unwrap_or_else(|errors| panic!("{errors:?}"));
        self.authoritative.set_guard(guard);
        self
    }

    /// The same with views besides the default one, each with its zones.
    pub fn with_views(self, views: Vec<(ViewSpec, Vec<ZoneEntry>)>) -> Self {
        let specs: Vec<ViewSpec> = views.iter().map(|(spec, _)| spec.clone()).collect();
        let mut catalog = Catalog::clone(&self.catalog).with_views(&specs);
        for (spec, entries) in views {
            let mut view = View::new(&spec.name);
            for entry in entries {
                view.put(entry);
            }
            catalog = catalog.with_view(view);
        }
        Self::serve(catalog, self.origin)
    }

    /// The next questions come from this address.
    pub fn from(&self, client: &str) -> &Self {
        self.client.set((client.parse::<IpAddr>().unwrap(), 5300).into());
        self
    }

    /// The same with another policy.
    pub fn with(self, change: impl FnOnce(&mut AnswerPolicy)) -> Self {
        let mut policy = self.catalog.policy().clone();
        change(&mut policy);
        Self::serve(Catalog::clone(&self.catalog).with_policy(policy), self.origin)
    }

    /// The same with one more zone, which could not be loaded.
    pub fn with_failed(self, apex: &str) -> Self {
        let mut view = self.catalog.default_view().unwrap().clone();
        view.put(entry(apex.parse().unwrap(), ZoneState::Failed("lost".into())));
        Self::serve(Catalog::clone(&self.catalog).with_view(view), self.origin)
    }

    /// Sends one request and checks the reply for what holds for every reply.
    #[track_caller]
    pub fn exchange(&self, transport: Transport, request: &[u8]) -> Option<Vec<u8>> {
        self.exchange_all(transport, &[request.to_vec()]).remove(0)
    }

    /// The same with a batch of requests.
    #[track_caller]
    pub fn exchange_all(&self, transport: Transport, requests: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let mut batch = Batch {
            requests,
            replies: vec![vec![0xAA; 65_535]; requests.len()],
            sent: vec![None; requests.len()],
            client: self.client.get(),
            listener: self.listener.get(),
            now: self.now.get(),
        };
        self.workers[usize::from(transport == Transport::Tcp)].borrow_mut().respond(&mut batch);
        let replies = batch.replies.into_iter().zip(batch.sent).zip(requests);
        let checked = replies.map(|((mut reply, sent), request)| {
            reply.truncate(sent?);
            check_form(transport, request, &reply);
            Some(reply)
        });
        checked.collect()
    }

    /// Asks `"www.example.org. A"`, followed by any of `tcp`, `do` and `edns=SIZE`; UDP and no EDNS otherwise.
    #[track_caller]
    pub fn response(&self, question: &str) -> Response {
        let (transport, request) = request(question);
        let reply = self.exchange(transport, &request).expect("a reply");
        Response::parse(&reply).unwrap()
    }

    /// The answer as text: code and flags, then the sections with their records in the order of the message.
    #[track_caller]
    pub fn ask(&self, question: &str) -> String {
        self.describe(&self.response(question))
    }

    #[track_caller]
    pub fn check(&self, question: &str, expected: &str) {
        assert_eq!(self.ask(question), expected, "{question}");
    }

    fn describe(&self, response: &Response) -> String {
        let mut text = response.rcode.label().to_ascii_uppercase();
        for (flag, on) in [(" aa", response.authoritative), (" tc", response.truncated)] {
            text.push_str(if on { flag } else { "" });
        }
        for (section, records) in [
            ("answer", &response.answer),
            ("authority", &response.authority),
            ("additional", &response.additional),
        ] {
            let lines: Vec<String> = records.iter().map(|record| self.line(record)).collect();
            if !lines.is_empty() {
                write!(text, "; {section}: {}", lines.join(", ")).unwrap();
            }
        }
        text
    }

    fn line(&self, record: &Record) -> String {
        let owner = self.relative(&record.owner);
        if let Some(covered) = record.covered() {
            return format!("{owner} RRSIG({covered})");
        }
        let mut value = String::new();
        match record.rtype {
            RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => {
                value = self.relative(&record.target().unwrap());
            }
            RecordType::MX => {
                let preference = u16::from_be_bytes([record.rdata[0], record.rdata[1]]);
                value = format!("{preference} {}", self.relative(&record.target().unwrap()));
            }
            RecordType::A | RecordType::AAAA | RecordType::TXT => {
                rdata::write_text(record.rtype, &record.rdata, &mut value).unwrap();
            }
            _ => return format!("{owner} {}", record.rtype),
        }
        format!("{owner} {} {value}", record.rtype)
    }

    fn relative(&self, name: &Name) -> String {
        let text = name.to_string();
        if *name == self.origin {
            return "@".to_owned();
        }
        match text.strip_suffix(&format!(".{}", self.origin)) {
            Some(relative) if !self.origin.is_root() => relative.to_owned(),
            _ => text,
        }
    }
}

pub fn entry(apex: Name, state: ZoneState) -> ZoneEntry {
    ZoneEntry { apex, state, fallthrough: false, derived: false, access: None }
}

/// A zone from its text.
#[track_caller]
pub fn zone(apex: &str, text: &str) -> Zone {
    let apex: Name = apex.parse().unwrap();
    let mut builder = ZoneBuilder::new(apex.clone());
    let options = Options { origin: Some(apex), default_ttl: Some(3600), ..Options::default() };
    let report = zonefile::read("zone", text.as_bytes(), &options, &mut zonefile::no_includes, |record| {
        let place = Place { file: 0, line: record.position.line };
        builder.add(record.owner, record.rtype, record.ttl, record.rdata, SourceTag::default(), place);
    });
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    builder.finish().unwrap_or_else(|faults| panic!("{faults:?}")).zone
}

/// Way and octets of a question in the form of [`Server::response`].
#[track_caller]
pub fn request(question: &str) -> (Transport, Vec<u8>) {
    let mut words = question.split(' ');
    let (qname, qtype) = (words.next().unwrap(), words.next().unwrap());
    let (mut transport, mut payload, mut dnssec_ok) = (Transport::Udp, None, false);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("tcp", _) => transport = Transport::Tcp,
            ("do", _) => dnssec_ok = true,
            ("edns", octets) => payload = Some(octets.parse().unwrap()),
            _ => panic!("{word} is not understood"),
        }
    }
    let mut wire = Vec::new();
    dns_core::name::wire_from_text(qname.as_bytes(), None, &mut wire).unwrap();
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&wire);
    message.extend_from_slice(&qtype.parse::<RecordType>().unwrap().0.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if dnssec_ok || payload.is_some() {
        message[11] = 1;
        message.extend_from_slice(&opt(payload.unwrap_or(1232), if dnssec_ok { 0x8000 } else { 0 }, &[]));
    }
    (transport, message)
}

/// An OPT record; `flags` are the lower half of its TTL field.
pub fn opt(payload: u16, flags: u16, options: &[u8]) -> Vec<u8> {
    let mut opt = vec![0, 0, 41];
    opt.extend_from_slice(&payload.to_be_bytes());
    opt.extend_from_slice(&[0, 0]);
    opt.extend_from_slice(&flags.to_be_bytes());
    opt.extend_from_slice(&(options.len() as u16).to_be_bytes());
    opt.extend_from_slice(options);
    opt
}

/// What holds for every reply, whatever the request.
#[track_caller]
fn check_form(transport: Transport, request: &[u8], reply: &[u8]) {
    let response = Response::parse(reply).unwrap_or_else(|error| panic!("{error:#}: {reply:02x?}"));
    assert_eq!(reply[..2], request[..2], "id");
    assert_eq!(reply[2] & 0x79, request[2] & 0x79, "opcode and RD are repeated");
    assert!(!response.recursion_available && !response.authentic);
    if let Some((qname, _)) = &response.question {
        let end = 12 + qname.as_wire().len() + 4;
        assert_eq!(reply[12..end], request[12..end], "the question is repeated letter by letter");
    }
    if transport == Transport::Udp {
        let advertised = wire::op::Message::from_vec(request)
            .ok()
            .and_then(|message| message.edns.map(|edns| edns.max_payload()))
            .unwrap_or(512);
        assert!(reply.len() <= usize::from(advertised.clamp(512, 4096)), "{} octets", reply.len());
    }
    // hickory refuses records without RDATA, which APL and NULL may be.
    if response.records().all(|(_, record)| !record.rdata.is_empty()) {
        let hickory = wire::op::Message::from_vec(reply).unwrap_or_else(|error| panic!("hickory: {error}"));
        assert_eq!(hickory.answers.len(), response.answer.len());
        assert_eq!(hickory.authorities.len(), response.authority.len());
        assert_eq!(hickory.additionals.len(), response.additional.len());
    }
    let message = domain::base::Message::from_octets(reply).unwrap();
    for section in [message.answer(), message.authority(), message.additional()] {
        for record in section.unwrap() {
            record
                .unwrap()
                .to_any_record::<domain::rdata::AllRecordData<_, _>>()
                .unwrap_or_else(|error| panic!("domain: {error}"));
        }
    }
}

/// Requests with large buffers for their replies.
struct Batch<'r> {
    requests: &'r [Vec<u8>],
    replies: Vec<Vec<u8>>,
    sent: Vec<Option<usize>>,
    client: SocketAddr,
    listener: usize,
    now: Duration,
}

impl Packets for Batch<'_> {
    fn len(&self) -> usize {
        self.requests.len()
    }

    fn request(&self, index: usize) -> &[u8] {
        &self.requests[index]
    }

    fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        (&self.requests[index], &mut self.replies[index])
    }

    fn client(&self, _index: usize) -> SocketAddr {
        self.client
    }

    fn listener(&self) -> usize {
        self.listener
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn send(&mut self, index: usize, octets: usize) {
        self.sent[index] = Some(octets);
    }
}
