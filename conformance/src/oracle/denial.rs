//! Proofs that something is not there: NSEC ([RFC 4035, section 3.1.3]) and NSEC3 ([RFC 5155, section 7.2]).
//!
//! [RFC 4035, section 3.1.3]: https://www.rfc-editor.org/rfc/rfc4035#section-3.1.3
//! [RFC 5155, section 7.2]: https://www.rfc-editor.org/rfc/rfc5155#section-7.2

use dns_core::{Name, RecordType};

use super::nsec3::{Nsec3Params, hash_label};
use super::signatures;
use crate::record::Record;
use crate::zone::ZoneData;

/// Records that prove an absence: those that must be there, and those that may.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Without them a validator cannot follow.
    pub required: Vec<Record>,
    /// They prove what is known already.
    pub optional: Vec<Record>,
}

impl Proof {
    fn require(&mut self, zone: &ZoneData, records: Vec<Record>) {
        for record in with_signatures(zone, records) {
            if !self.required.contains(&record) {
                self.required.push(record);
            }
        }
    }

    fn allow(&mut self, zone: &ZoneData, records: Vec<Record>) {
        self.optional.extend(with_signatures(zone, records));
    }
}

/// What is denied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denied {
    /// The name, and a wildcard that could stand for it.
    Name,
    /// The type, at a name that exists.
    Type,
    /// The type, at the wildcard that stands for a name which does not exist.
    WildcardType,
    /// The name, while a wildcard answered for it.
    NameUnderWildcard,
    /// DS at a zone cut.
    Ds,
}

/// The proof for `qname`; empty in a zone that is not signed.
pub fn proof(zone: &ZoneData, qname: &Name, denied: Denied) -> Proof {
    let mut proof = Proof::default();
    if !zone.is_signed() {
        return proof;
    }
    match zone
        .rrset(&zone.apex, RecordType::NSEC3PARAM)
        .first()
        .and_then(|param| Nsec3Params::from_rdata(&param.rdata))
    {
        Some(params) if zone.records.iter().any(|record| record.rtype == RecordType::NSEC3) => {
            Hashed { zone, params }.prove(qname, denied, &mut proof);
        }
        _ => prove_by_nsec(zone, qname, denied, &mut proof),
    }
    proof
}

/// The existing name from which `qname` would be expanded or denied ([RFC 4592, section 3.3.1]).
///
/// [RFC 4592, section 3.3.1]: https://www.rfc-editor.org/rfc/rfc4592#section-3.3.1
pub fn closest_encloser(zone: &ZoneData, qname: &Name) -> Name {
    (zone.apex.label_count()..=qname.label_count())
        .rev()
        .map(|labels| qname.suffix(labels))
        .find(|ancestor| zone.exists(ancestor))
        .unwrap_or_else(|| zone.apex.clone())
}

fn with_signatures(zone: &ZoneData, records: Vec<Record>) -> Vec<Record> {
    let signatures = signatures(zone, &records);
    records.into_iter().chain(signatures).collect()
}

fn prove_by_nsec(zone: &ZoneData, qname: &Name, denied: Denied, proof: &mut Proof) {
    let wildcard = closest_encloser(zone, qname).child(b"*").ok();
    // Section 3.1.3.1 (the name's own NSEC; of an empty non-terminal the one that covers it), .2, .3 and .4.
    proof.require(zone, nsec_for(zone, qname));
    if matches!(denied, Denied::Name | Denied::WildcardType)
        && let Some(wildcard) = wildcard
    {
        proof.require(zone, nsec_for(zone, &wildcard));
    }
}

/// The NSEC record at the name, or else the one that covers it: the last before it in canonical order.
fn nsec_for(zone: &ZoneData, name: &Name) -> Vec<Record> {
    zone.records
        .iter()
        .filter(|record| record.rtype == RecordType::NSEC && record.owner <= *name)
        .max_by(|left, right| left.owner.cmp(&right.owner))
        .cloned()
        .into_iter()
        .collect()
}

struct Hashed<'z> {
    zone: &'z ZoneData,
    params: Nsec3Params,
}

impl Hashed<'_> {
    fn prove(&self, qname: &Name, denied: Denied, proof: &mut Proof) {
        let own = self.matching(qname);
        match denied {
            // Section 7.2.3, and 7.2.4 where the DS of a name that has an NSEC3 record is asked for; 7.2.7.
            Denied::Type | Denied::Ds if !own.is_empty() => proof.require(self.zone, own),
            // Section 7.2.4: opt-out; likewise an empty non-terminal that only leads to unsigned delegations.
            Denied::Type | Denied::Ds => {
                self.prove_encloser(qname, proof);
            }
            // Section 7.2.2.
            Denied::Name => {
                let encloser = self.prove_encloser(qname, proof);
                if let Ok(wildcard) = encloser.child(b"*") {
                    proof.require(self.zone, self.covering(&wildcard));
                }
            }
            // Section 7.2.5.
            Denied::WildcardType => {
                let encloser = self.prove_encloser(qname, proof);
                if let Ok(wildcard) = encloser.child(b"*") {
                    let matching = self.matching(&wildcard);
                    let found = if matching.is_empty() { self.covering(&wildcard) } else { matching };
                    proof.require(self.zone, found);
                }
            }
            // Section 7.2.6: the closest encloser follows from the number of labels in the signature.
            Denied::NameUnderWildcard => {
                let encloser = self.closest_provable_encloser(qname);
                let next_closer = qname.suffix(encloser.label_count() + 1);
                proof.require(self.zone, self.covering(&next_closer));
                proof.allow(self.zone, self.matching(&encloser));
            }
        }
    }

    /// Section 7.2.1: matches the closest provable encloser, covers the name one label longer.
    fn prove_encloser(&self, qname: &Name, proof: &mut Proof) -> Name {
        let encloser = self.closest_provable_encloser(qname);
        proof.require(self.zone, self.matching(&encloser));
        if encloser != *qname {
            let next_closer = qname.suffix(encloser.label_count() + 1);
            proof.require(self.zone, self.covering(&next_closer));
        }
        encloser
    }

    fn closest_provable_encloser(&self, qname: &Name) -> Name {
        (self.zone.apex.label_count()..=qname.label_count())
            .rev()
            .map(|labels| qname.suffix(labels))
            .find(|ancestor| !self.matching(ancestor).is_empty())
            .unwrap_or_else(|| self.zone.apex.clone())
    }

    fn matching(&self, name: &Name) -> Vec<Record> {
        let Ok(owner) = self.zone.apex.child(&hash_label(&self.params.hash(name))) else {
            return Vec::new();
        };
        self.zone.rrset(&owner, RecordType::NSEC3)
    }

    /// The NSEC3 record with the last hash before that of `name`; the chain is a ring.
    fn covering(&self, name: &Name) -> Vec<Record> {
        let label = hash_label(&self.params.hash(name));
        let first_label = |record: &Record| record.owner.labels().next().map(<[u8]>::to_vec);
        let chain = || self.zone.records.iter().filter(|record| record.rtype == RecordType::NSEC3);
        chain()
            .filter(|record| first_label(record).is_some_and(|other| other <= label))
            .max_by_key(|record| first_label(record))
            .or_else(|| chain().max_by_key(|record| first_label(record)))
            .cloned()
            .into_iter()
            .collect()
    }
}
