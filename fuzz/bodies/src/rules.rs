//! Rules: any that an operator could write, any question, any answer to change.
//!
//! The input is a length in two octets, a script of that length that the rules, the question and the answer are read off, and a
//! database of places.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dns_backend::guard::rules::{Answers, RuleSet, Terminal, Turn};
use dns_backend::guard::{Action, AddressOrder, Condition, NamePattern, Replacement, Rule};
use dns_core::name::HashedName;
use dns_core::wire::op::Message;
use dns_core::{Name, Network, RecordType};

/// Where the question begins.
const QNAME_AT: usize = 12;

/// Compiles rules, asks them, and has them change a reply and the input itself as if it were one. What was a message
/// stays one, keeps what no rule takes, and keeps nothing that a rule takes.
pub fn run(data: &[u8]) {
    let (length, rest) = data
        .split_first_chunk::<2>()
        .map_or((0, data), |(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest));
    let (script, database) = rest.split_at(length.min(rest.len()));
    let mut script = Script(script);
    let rules: Vec<Rule> = (0..script.below(8)).map(|number| script.rule(number)).collect();
    let set = match RuleSet::compile(&rules, &mut |_| Ok(database.to_vec())) {
        Ok(set) => set,
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in errors {
                assert_eq!(error.rule, rules[error.number].name);
                assert!(!error.to_string().is_empty());
            }
            return;
        }
    };
    assert!(set.names().eq(rules.iter().map(|rule| rule.name.as_str())));
    let (qname, qtype, client) = (script.name(), script.rtype(), script.address());
    let mut hashed = HashedName::default();
    hashed.read(qname.as_wire()).expect("a name");
    let mut turn = Turn::new(u64::from(script.octet()));
    let matched = set.find(&hashed, qtype, client, "inside", &mut turn);
    for number in matched.rules() {
        let when = &rules[number].when;
        assert!(when.types.is_empty() || when.types.contains(&qtype));
        assert!(when.clients.is_empty() || when.clients.iter().any(|network| network.contains(client)));
        assert!(when.views.is_empty() || when.views.iter().any(|view| view == "inside"));
    }
    match matched.terminal {
        Some((_, Terminal::Rewrite(rewrite))) => {
            let mut out = HashedName::default();
            if rewrite.apply(&hashed, &mut out) {
                let name = Name::from_wire(out.wire()).expect("a rewritten name");
                assert!(name.is_at_or_below(rewrite.to()));
            }
        }
        Some((_, Terminal::Replace(replaced))) => {
            for rrset in replaced.rrsets() {
                let mut reply = Reply::new(&qname);
                reply.message.extend_from_slice(&rrset.records);
                reply.count = rrset.count;
                reply.read();
            }
        }
        _ => {}
    }
    let transforms: Vec<&Action> = matched.transforms.iter().map(|number| &rules[number].action).collect();

    let mut reply = Reply::new(&qname);
    for _ in 0..script.below(16) {
        reply.put(&mut script);
    }
    // Proofs and the like, behind the answers
    let answer_count = reply.count;
    for _ in 0..script.below(4) {
        reply.put(&mut script);
    }
    reply.following = reply.count - answer_count;
    reply.count = answer_count;
    let before = reply.read();
    let answers_at = reply.answers_at;
    let answers = Answers { message: &mut reply.message, answers_at, count: &mut reply.count };
    let transformed = set.transform(&matched, answers, client, &mut turn);
    reply.message.truncate(transformed.end);
    compare(&before, &reply.read(), &transforms, transformed.emptied);

    let mut message = script.0.to_vec();
    let (answers_at, mut count) = (message.len().min(12), u16::from(script.octet()));
    let (octets, records) = (message.len(), count);
    let answers = Answers { message: &mut message, answers_at, count: &mut count };
    let transformed = set.transform(&matched, answers, client, &mut turn);
    assert!(transformed.end <= octets && count <= records);
}

/// The addresses of an answer, and the TTLs of all its records.
struct Read {
    addresses: Vec<IpAddr>,
    ttls: Vec<u32>,
}

fn compare(before: &Read, after: &Read, transforms: &[&Action], emptied: bool) {
    let mut filtered = false;
    for transform in transforms {
        if let Action::FilterAddresses { keep, remove } = transform {
            filtered = true;
            let lies_in =
                |networks: &[Network], address| networks.iter().any(|network| network.contains(address));
            // Blanked where the name in front of it is needed
            for &address in after.addresses.iter().filter(|address| !address.is_unspecified()) {
                assert!(keep.is_empty() || lies_in(keep, address), "{address} should be gone");
                assert!(!lies_in(remove, address), "{address} should be gone");
            }
        }
    }
    assert!(!emptied || filtered && after.addresses.is_empty() && !before.addresses.is_empty());
    let known: HashSet<_> = before.addresses.iter().collect();
    assert!(after.addresses.iter().all(|address| known.contains(address) || address.is_unspecified()));
    if !filtered {
        assert_eq!(before.ttls.len(), after.ttls.len());
        let sorted = |read: &Read| {
            let mut addresses = read.addresses.clone();
            addresses.sort_unstable();
            addresses
        };
        assert_eq!(sorted(before), sorted(after));
    }
    if let Some(Action::ClampTtl { min, max }) =
        transforms.iter().rfind(|transform| matches!(transform, Action::ClampTtl { .. }))
    {
        assert!(after.ttls.iter().all(|ttl| (min..=max).contains(&ttl)));
    }
}

/// A reply as the server writes them: owners and names in RDATA may be pointers to what stands before them.
struct Reply {
    message: Vec<u8>,
    answers_at: usize,
    count: u16,
    /// Records in the authority section.
    following: u16,
    /// Where names begin.
    names: Vec<usize>,
}

impl Reply {
    fn new(qname: &Name) -> Self {
        let mut message = vec![0, 0, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(qname.as_wire());
        message.extend_from_slice(&[0, 1, 0, 1]);
        Self { answers_at: message.len(), message, count: 0, following: 0, names: vec![QNAME_AT] }
    }

    fn put(&mut self, script: &mut Script<'_>) {
        self.put_name(script);
        let rtype = [
            RecordType::A,
            RecordType::A,
            RecordType::AAAA,
            RecordType::CNAME,
            RecordType::MX,
            RecordType::RRSIG,
            RecordType::TXT,
        ][script.below(7)];
        self.message.extend_from_slice(&rtype.0.to_be_bytes());
        self.message.extend_from_slice(&[0, 1, 0, 0, 0, script.octet(), 0, 0]);
        let rdata_at = self.message.len();
        match rtype {
            RecordType::A => self.message.extend_from_slice(&script.octets::<4>()),
            RecordType::AAAA => self.message.extend_from_slice(&script.octets::<16>()),
            RecordType::CNAME => self.put_name(script),
            RecordType::MX => {
                self.message.extend_from_slice(&[0, 10]);
                self.put_name(script);
            }
            RecordType::RRSIG => {
                let covered = [RecordType::A, RecordType::AAAA][script.below(2)];
                self.message.extend_from_slice(&covered.0.to_be_bytes());
                self.message
                    .extend_from_slice(&[13, 1, 0, 0, 1, 44, 0x70, 0, 0, 0, 0x60, 0, 0, 0, 0, 1, 0, 1]);
            }
            _ => self.message.extend_from_slice(&[1, script.octet()]),
        }
        let rdlength = (self.message.len() - rdata_at) as u16;
        self.message[rdata_at - 2..rdata_at].copy_from_slice(&rdlength.to_be_bytes());
        self.count += 1;
    }

    fn put_name(&mut self, script: &mut Script<'_>) {
        let at = self.message.len();
        let choice = script.octet();
        // Long chains would make names that are too long.
        if choice & 1 == 1 && self.names.len() < 32 {
            self.message.extend_from_slice(&[1, b'a' + choice % 3]);
            self.names.push(at);
        }
        let known = self.names.iter().filter(|known| **known < at).count();
        let target = self.names[usize::from(choice >> 1) % known];
        self.message.extend_from_slice(&(0xc000 | target as u16).to_be_bytes());
    }

    fn read(&self) -> Read {
        let mut message = self.message.clone();
        message[6..8].copy_from_slice(&self.count.to_be_bytes());
        message[8..10].copy_from_slice(&self.following.to_be_bytes());
        let parsed = Message::from_vec(&message).unwrap_or_else(|error| panic!("{error}: {message:02x?}"));
        assert_eq!(parsed.answers.len(), usize::from(self.count));
        assert_eq!(parsed.authorities.len(), usize::from(self.following));
        let addresses = parsed.answers.iter().filter_map(|record| record.data.ip_addr()).collect();
        Read { addresses, ttls: parsed.answers.iter().map(|record| record.ttl).collect() }
    }
}

/// Octets that decide; zeros once they are used up.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn octet(&mut self) -> u8 {
        self.octets::<1>()[0]
    }

    fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        let (taken, rest) = self.0.split_at(N.min(self.0.len()));
        octets[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        octets
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.octet()) % bound
    }

    fn rule(&mut self, number: usize) -> Rule {
        let parts = self.octet();
        let when = Condition {
            names: (0..parts & 3).map(|_| self.pattern()).collect(),
            types: (0..parts >> 2 & 1).map(|_| self.rtype()).collect(),
            clients: (0..parts >> 3 & 1).map(|_| self.network()).collect(),
            views: (0..parts >> 4 & 1).map(|_| ["inside", "outside"][self.below(2)].into()).collect(),
        };
        Rule { name: format!("rule {number}"), when, action: self.action() }
    }

    fn pattern(&mut self) -> NamePattern {
        match self.below(4) {
            0 => NamePattern::Exact(self.name()),
            1 => NamePattern::Suffix(self.name()),
            2 => NamePattern::Below(self.name()),
            _ => NamePattern::Regex(String::from_utf8_lossy(self.text()).into_owned()),
        }
    }

    fn action(&mut self) -> Action {
        match self.below(13) {
            0 => Action::Refuse,
            1 => Action::NxDomain,
            2 => Action::NoData,
            3 => Action::Drop,
            4 => Action::Replace(vec![Replacement {
                rtype: self.rtype(),
                ttl: u32::from_be_bytes(self.octets()),
                rdatas: vec![self.text().to_vec()],
            }]),
            5 => Action::Rewrite { from: self.name(), to: self.name() },
            6 => Action::ClampTtl { min: self.below(256) as u32, max: u32::from_be_bytes(self.octets()) },
            7 => Action::FilterAddresses { keep: vec![self.network()], remove: Vec::new() },
            8 => Action::FilterAddresses { keep: Vec::new(), remove: vec![self.network(), self.network()] },
            9 => Action::OrderAddresses(AddressOrder::Fixed(vec![self.network(), self.network()])),
            10 => Action::OrderAddresses(if self.octet() & 1 == 0 {
                AddressOrder::Rotate
            } else {
                AddressOrder::Random
            }),
            11 => Action::OrderAddresses(AddressOrder::NearestPrefix),
            _ => Action::OrderAddresses(AddressOrder::NearestPlace("places.mmdb".into())),
        }
    }

    /// Few labels of few letters, so that names meet; now and then a label of any octets.
    fn name(&mut self) -> Name {
        let mut name = Name::root();
        for _ in 0..self.below(4) {
            let label = match self.octet() {
                0xff => self.text().to_vec(),
                octet => vec![b'a' + octet % 3],
            };
            name = name.child(&label).unwrap_or(name);
        }
        name
    }

    /// Up to 63 octets, behind their number.
    fn text(&mut self) -> &[u8] {
        let octets = self.below(64).min(self.0.len());
        let (text, rest) = self.0.split_at(octets);
        self.0 = rest;
        text
    }

    fn rtype(&mut self) -> RecordType {
        [RecordType::A, RecordType::AAAA, RecordType::TXT, RecordType::CNAME, RecordType::ANY][self.below(5)]
    }

    fn address(&mut self) -> IpAddr {
        if self.octet() & 1 == 0 {
            Ipv4Addr::from(self.octets::<4>()).into()
        } else {
            Ipv6Addr::from(self.octets::<16>()).into()
        }
    }

    fn network(&mut self) -> Network {
        let address = self.address();
        Network::new(address, self.octet())
    }
}
