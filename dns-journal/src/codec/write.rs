//! Values to octets.

use std::time::{SystemTime, UNIX_EPOCH};

use dns_core::{Name, RecordType, Rrset};
use dns_store::{Entry, KeptZone, RecordChange, Source, ZoneRecord};
use thiserror::Error;

use super::{AFTER, BEFORE, FORMAT};

/// A change holds an RRset of another name or type than its own.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("the change of {owner} {rtype} holds records of {found_owner} {found_rtype}")]
pub struct Malformed {
    /// Name that the change is of.
    pub owner: Name,
    /// Type that the change is of.
    pub rtype: RecordType,
    /// Name of the records in it.
    pub found_owner: Name,
    /// Type of the records in it.
    pub found_rtype: RecordType,
}

/// Writes an entry, cut between items into parts that are not much larger than `part_octets`; `emit` also hears whether
/// a part is the last one.
pub(crate) fn encode_parts<E: From<Malformed>>(
    entry: &Entry,
    part_octets: usize,
    emit: &mut impl FnMut(&[u8], bool) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = Vec::new();
    out.push(FORMAT);
    out.extend_from_slice(&entry.version.to_be_bytes());
    out.extend_from_slice(&milliseconds(entry.time).to_be_bytes());
    put_text(&mut out, &entry.view);
    put_source(&mut out, &entry.source);
    put_text(&mut out, &entry.author);
    put_number(&mut out, entry.zones.len() as u64);
    put_number(&mut out, entry.records.len() as u64);
    for zone in &entry.zones {
        if out.len() >= part_octets {
            emit(&out, false)?;
            out.clear();
        }
        put_zone(&mut out, zone);
    }
    for change in &entry.records {
        if out.len() >= part_octets {
            emit(&out, false)?;
            out.clear();
        }
        put_change(&mut out, change)?;
    }
    emit(&out, true)
}

fn put_zone(out: &mut Vec<u8>, zone: &ZoneRecord) {
    out.extend_from_slice(zone.apex.as_wire());
    out.push(flags(zone.before.is_some(), zone.after.is_some()));
    for body in [&zone.before, &zone.after].into_iter().flatten() {
        put_zone_body(out, body);
    }
}

fn put_change(out: &mut Vec<u8>, change: &RecordChange) -> Result<(), Malformed> {
    out.extend_from_slice(change.owner.as_wire());
    out.extend_from_slice(&change.rtype.0.to_be_bytes());
    out.push(flags(change.before.is_some(), change.after.is_some()));
    for rrset in [&change.before, &change.after].into_iter().flatten() {
        if *rrset.owner() != change.owner || rrset.rtype() != change.rtype {
            return Err(Malformed {
                owner: change.owner.clone(),
                rtype: change.rtype,
                found_owner: rrset.owner().clone(),
                found_rtype: rrset.rtype(),
            });
        }
        put_set(out, rrset);
    }
    Ok(())
}

pub(crate) fn put_zone_body(out: &mut Vec<u8>, zone: &KeptZone) {
    put_number(out, zone.rrsets.len() as u64);
    for rrset in &zone.rrsets {
        out.extend_from_slice(rrset.owner().as_wire());
        out.extend_from_slice(&rrset.rtype().0.to_be_bytes());
        put_set(out, rrset);
    }
}

pub(crate) fn put_set(out: &mut Vec<u8>, rrset: &Rrset) {
    out.extend_from_slice(&rrset.ttl().to_be_bytes());
    put_number(out, rrset.len() as u64);
    for rdata in rrset.rdatas() {
        // No RDATA is longer than two octets can say: an RRset takes none that is.
        out.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        out.extend_from_slice(rdata);
    }
}

pub(crate) fn put_source(out: &mut Vec<u8>, source: &Source) {
    let (tag, name) = match source {
        Source::Acme => (1, None),
        Source::Api => (2, None),
        Source::Update(key) => (3, Some(key)),
        Source::File(path) => (4, Some(path)),
        Source::Transfer(primary) => (5, Some(primary)),
        Source::Config => (6, None),
        Source::ConfigMap(name) => (7, Some(name)),
        Source::Kubernetes => (8, None),
    };
    out.push(tag);
    if let Some(name) = name {
        put_text(out, name);
    }
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn flags(before: bool, after: bool) -> u8 {
    (if before { BEFORE } else { 0 }) | (if after { AFTER } else { 0 })
}

/// Milliseconds since 1970, rounded towards the past; as near as 64 bits come where a clock is that wrong.
pub(crate) fn milliseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(error) => {
            let before = error.duration();
            let whole = before.as_nanos().div_ceil(1_000_000);
            i64::try_from(whole).map_or(i64::MIN, |whole| -whole)
        }
    }
}
