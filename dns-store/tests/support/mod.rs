//! Records as text, so that tests read as tables.
#![allow(dead_code, reason = "each test file uses what it needs")]

use dns_core::zone::{Built, Place, SourceTag, ZoneBuilder};
use dns_core::{Name, Record, RecordType, Rrset, rdata};
use dns_store::{Filter, Found, Source, Store, StoreOptions, ZoneOptions};

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn store() -> Store {
    Store::new(StoreOptions::default())
}

pub fn config_map(name: &str) -> Source {
    Source::ConfigMap(format!("dns/{name}"))
}

pub fn file() -> Source {
    Source::File("zone".into())
}

/// `www.example.org 300 A 192.0.2.1 | 192.0.2.2`
pub fn rrset(text: &str) -> Rrset {
    let mut words = text.splitn(4, ' ');
    let mut word = || words.next().unwrap();
    let (owner, ttl) = (name(word()), word().parse().unwrap());
    let rtype: RecordType = word().parse().unwrap();
    let values = word().split(" | ").map(|value| rdata::from_text(rtype, value, Some(&[0])).unwrap());
    Rrset::new(owner, rtype, ttl, values).unwrap()
}

pub fn rrsets(texts: &[&str]) -> Vec<Rrset> {
    texts.iter().map(|text| rrset(text)).collect()
}

/// `300 A 192.0.2.1 | 192.0.2.2`
pub fn text(rrset: &Rrset) -> String {
    format!("{} {} {}", rrset.ttl(), rrset.rtype(), Record::from_rrset(rrset).value.join(" | "))
}

/// What a source has in one zone: SOA and NS records with these others.
pub fn zone(apex: &str, serial: u32, records: &[&str]) -> Built {
    zone_with_signature(apex, serial, records, false)
}

pub fn zone_with_signature(apex: &str, serial: u32, records: &[&str], signed: bool) -> Built {
    let below = if apex == "." { "" } else { apex };
    let soa = format!("{apex} 3600 SOA ns.{below} hostmaster.{below} {serial} 3600 600 86400 300");
    let ns = format!("{apex} 3600 NS ns.{below}");
    let mut builder = ZoneBuilder::new(name(apex));
    let mut add = |owner: &Name, rtype, ttl, rdata: &[u8]| {
        builder.add(owner.as_wire(), rtype, ttl, rdata, SourceTag::default(), Place::default());
    };
    for rrset in [soa, ns].iter().map(String::as_str).chain(records.iter().copied()).map(rrset) {
        for rdata in rrset.rdatas() {
            add(rrset.owner(), rrset.rtype(), rrset.ttl(), rdata);
        }
    }
    if signed {
        // Covers the SOA record; the store does not look at signatures any closer.
        let mut rrsig = [0u8; 24];
        rrsig[1] = RecordType::SOA.0 as u8;
        add(&name(apex), RecordType::RRSIG, 3600, &rrsig);
    }
    builder.finish().map_err(|faults| format!("{faults:?}")).unwrap()
}

pub fn put_zone(store: &Store, built: Built) {
    store.put_zone(&file(), built, ZoneOptions::default()).unwrap();
}

/// Everything that sources have at a name: those that are served first, the others in brackets.
pub fn at(store: &Store, owner: &str) -> Vec<String> {
    let filter = Filter { below: Some(name(owner)), ..Filter::default() };
    let found = store.list(&filter, None, 100).found;
    let mut found: Vec<Found> =
        found.into_iter().filter(|found| *found.rrset.owner() == name(owner)).collect();
    found.sort_by_key(|found| found.shadowed);
    let line = |Found { rrset, source, shadowed }: &Found| {
        let line = format!("{source}: {}", text(rrset));
        if *shadowed { format!("[{line}]") } else { line }
    };
    found.iter().map(line).collect()
}

/// The zone that a name is served from, and whether it is derived.
pub fn home(store: &Store, owner: &str) -> Option<(String, bool)> {
    let catalog = store.snapshot();
    let entry = catalog.default_view()?.zone_of(&name(owner))?;
    Some((entry.apex.to_string(), entry.derived))
}

pub fn serial(store: &Store, apex: &str) -> u32 {
    let catalog = store.snapshot();
    catalog.default_view().unwrap().zone(&name(apex)).unwrap().zone().unwrap().serial()
}
