//! Questions made from zones: every owner, what stands above and below it, what a wildcard might catch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dns_core::{Name, RecordType};

use crate::client::Transport;
use crate::oracle::Question;
use crate::zone::{ZoneData, is_of_nsec3};

/// One question on one way.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Case {
    /// The name.
    pub qname: Name,
    /// The type.
    pub qtype: RecordType,
    /// How it travels.
    pub transport: Transport,
    /// The DO bit.
    pub dnssec_ok: bool,
}

impl Case {
    /// The question as the oracle takes it.
    pub fn question(&self) -> Question {
        Question {
            qname: self.qname.clone(),
            qtype: self.qtype,
            dnssec_ok: self.dnssec_ok,
            tcp: self.transport == Transport::Tcp,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dnssec_ok = if self.dnssec_ok { " DO" } else { "" };
        write!(f, "{} {}{dnssec_ok} {:?}", self.qname, self.qtype, self.transport)
    }
}

/// Asked of every name, whatever it has.
const TYPES: [RecordType; 12] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::NS,
    RecordType::SOA,
    RecordType::MX,
    RecordType::TXT,
    RecordType::DS,
    RecordType::CNAME,
    RecordType::ANY,
    RecordType::DNAME,
    RecordType::NSEC,
    RecordType::RRSIG,
];

/// Every question worth asking about these zones, in a fixed order.
pub fn all(zones: &[ZoneData]) -> Vec<Case> {
    let mut types: BTreeMap<Name, BTreeSet<RecordType>> = BTreeMap::new();
    for zone in zones {
        for record in zone.records.iter().filter(|record| !is_of_nsec3(record)) {
            types.entry(record.owner.clone()).or_default().insert(record.rtype);
            for name in around(&record.owner, &zone.apex) {
                types.entry(name).or_default();
            }
        }
    }
    let mut cases = Vec::new();
    for (qname, present) in types {
        let asked: BTreeSet<RecordType> = present.into_iter().chain(TYPES).collect();
        for qtype in asked {
            for transport in Transport::ALL {
                let case = |dnssec_ok| Case { qname: qname.clone(), qtype, transport, dnssec_ok };
                cases.push(case(false));
                if transport != Transport::UdpPlain {
                    cases.push(case(true));
                }
            }
        }
    }
    cases
}

/// About `wanted` of the cases, spread evenly; the same each time.
pub fn sample(cases: Vec<Case>, wanted: usize) -> Vec<Case> {
    // A step that shares no factor with the number of types and ways meets all of their combinations.
    let mut step = (cases.len() / wanted.max(1)).max(1);
    while step > 1 && [2, 3, 5].iter().any(|&factor| step.is_multiple_of(factor)) {
        step += 1;
    }
    cases.into_iter().step_by(step).collect()
}

/// The ancestors of an owner down from the one above the apex, names below it and beside it.
fn around(owner: &Name, apex: &Name) -> Vec<Name> {
    let mut names: Vec<Name> = (apex.label_count().saturating_sub(1)..owner.label_count())
        .map(|labels| owner.suffix(labels))
        .collect();
    // Near the limits of length some of these cannot be.
    names.extend(owner.child(b"x").ok());
    names.extend(owner.child(b"y").and_then(|name| name.child(b"x")).ok());
    names.extend(owner.child(b"*").ok());
    if let Some(parent) = owner.parent().filter(|parent| parent.is_at_or_below(apex)) {
        names.extend(parent.child(b"sibling").ok());
        names.extend(parent.child(b"*").ok());
        if let Some(label) = owner.labels().next() {
            // Just behind the owner in canonical order.
            names.extend(parent.child(&[label, b"0"].concat()).ok());
            names.extend(parent.child(b"deep").and_then(|name| name.child(label)).ok());
        }
    }
    names
}
