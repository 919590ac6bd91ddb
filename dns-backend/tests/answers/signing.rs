//! Zones with signatures that sign nothing: what stands where is all that answering looks at.

use std::collections::BTreeSet;

use conformance::oracle::nsec3::{Nsec3Params, hash_label};
use conformance::record::Record;
use conformance::zone::ZoneData;
use dns_core::{Name, RecordType};

/// How a zone denies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chain {
    Nsec,
    /// With a salt and two further iterations.
    Nsec3,
    /// NSEC3 that passes over unsigned delegations.
    OptOut,
}

const TTL: u32 = 300;
/// One window with the bit of A; nobody here reads it.
const TYPES: [u8; 3] = [0, 1, 0x40];

/// Adds a DNSKEY record, the chain, and a signature to every RRset that the zone is the authority for.
pub fn sign(zone: &mut ZoneData, chain: Chain) {
    let apex = zone.apex.clone();
    let add = |zone: &mut ZoneData, owner: &Name, rtype, rdata: Vec<u8>| {
        zone.records.push(Record { owner: owner.clone(), rtype, ttl: TTL, rdata });
    };
    add(zone, &apex, RecordType::DNSKEY, vec![1, 1, 3, 13, 1, 2, 3, 4]);
    let params = Nsec3Params { iterations: 2, salt: vec![0xAB, 0xCD] };
    if chain != Chain::Nsec {
        add(zone, &apex, RecordType::NSEC3PARAM, vec![1, 0, 0, 2, 2, 0xAB, 0xCD]);
    }
    let names = authoritative(zone);
    if chain == Chain::Nsec {
        let names: Vec<&Name> = names.iter().collect();
        for (place, owner) in names.iter().enumerate() {
            let next = names[(place + 1) % names.len()];
            add(zone, owner, RecordType::NSEC, [next.as_wire(), &TYPES].concat());
        }
    } else {
        // A wildcard with NS records is no delegation that anybody defined (RFC 4592, section 4.2), so it is not passed over.
        let is_opted_out = |name: &Name| {
            chain == Chain::OptOut
                && is_cut(zone, name)
                && !zone.has(name, RecordType::DS)
                && !name.is_wildcard()
        };
        let hashed = names.iter().filter(|name| !is_opted_out(name));
        let with_ancestors = hashed
            .flat_map(|name| (apex.label_count()..=name.label_count()).map(|labels| name.suffix(labels)));
        let hashes: BTreeSet<Vec<u8>> = with_ancestors.map(|name| params.hash(&name)).collect();
        let hashes: Vec<Vec<u8>> = hashes.into_iter().collect();
        for (place, hash) in hashes.iter().enumerate() {
            let owner = apex.child(&hash_label(hash)).unwrap();
            let next = &hashes[(place + 1) % hashes.len()];
            let flags = u8::from(chain == Chain::OptOut);
            let rdata = [&[1, flags, 0, 2, 2, 0xAB, 0xCD, 20][..], next, &TYPES].concat();
            add(zone, &owner, RecordType::NSEC3, rdata);
        }
    }
    let signed: BTreeSet<(Name, RecordType)> = zone
        .records
        .iter()
        .filter(|record| record.rtype == RecordType::NSEC3 || names.contains(&record.owner))
        .filter(|record| {
            !is_cut(zone, &record.owner)
                || matches!(record.rtype, RecordType::DS | RecordType::NSEC | RecordType::NSEC3)
        })
        .map(|record| (record.owner.clone(), record.rtype))
        .collect();
    for (owner, rtype) in signed {
        let [high, low] = rtype.0.to_be_bytes();
        let labels = owner.label_count() as u8 - u8::from(owner.is_wildcard());
        let fixed = [high, low, 13, labels, 0, 0, 1, 44, 0x70, 0, 0, 0, 0x60, 0, 0, 0, 0x12, 0x34];
        let rdata = [&fixed[..], apex.as_wire(), &[0x5A; 8]].concat();
        add(zone, &owner, RecordType::RRSIG, rdata);
    }
    zone.records.sort();
}

/// Owners that are neither below a cut nor below a DNAME.
fn authoritative(zone: &ZoneData) -> BTreeSet<Name> {
    let is_hidden = |owner: &Name| {
        (zone.apex.label_count()..owner.label_count()).any(|labels| {
            let above = owner.suffix(labels);
            is_cut(zone, &above) || zone.has(&above, RecordType::DNAME)
        })
    };
    let owners = zone.records.iter().map(|record| &record.owner);
    owners.filter(|owner| !is_hidden(owner)).cloned().collect()
}

fn is_cut(zone: &ZoneData, name: &Name) -> bool {
    *name != zone.apex && zone.has(name, RecordType::NS)
}
