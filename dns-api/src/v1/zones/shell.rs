//! SOA and NS records, of which every zone has some.

use dns_core::{Name, RecordType, Rrset, TTL_MAX};
use dns_store::{DerivedAuthority, KeptZone, StoreOptions};

use crate::convert;
use crate::faults::Faults;
use crate::model::{Problem, SoaSpec, ZoneSpec};

/// Reads what a zone is to be; what is not given is as for zones that nobody has declared.
pub(super) fn read(spec: ZoneSpec, options: &StoreOptions) -> Result<(Name, KeptZone), Problem> {
    let ZoneSpec { name, soa, ns, ttl } = spec;
    let mut faults = Faults::default();
    let apex = convert::name(&name, "name", &mut faults);
    let mut derived = options.derived.clone();
    let SoaSpec { mname, rname, refresh, retry, expire, minimum } = soa.unwrap_or_default();
    for (text, place, field) in
        [(mname, "soa.mname", &mut derived.mname), (rname, "soa.rname", &mut derived.rname)]
    {
        if let Some(text) = text {
            *field = convert::name(&text, place, &mut faults);
        }
    }
    for (seconds, field) in [
        (refresh, &mut derived.refresh),
        (retry, &mut derived.retry),
        (expire, &mut derived.expire),
        (minimum, &mut derived.minimum),
        (ttl, &mut derived.ttl),
    ] {
        *field = seconds.unwrap_or(*field);
    }
    if derived.ttl > TTL_MAX {
        faults.add("ttl", format_args!("{} is larger than {TTL_MAX}", derived.ttl));
    } else if let Some(ttl) = ttl.filter(|ttl| !options.ttl_bounds.contains(ttl)) {
        // The store looks at no TTLs of declared zones, which files may give others.
        faults.add("ttl", convert::out_of_bounds(ttl, &options.ttl_bounds));
    }
    if !ns.is_empty() {
        let names = ns.iter().enumerate();
        let names = names.filter_map(|(at, text)| convert::name(text, &format!("ns[{at}]"), &mut faults));
        derived.ns = names.collect();
        // The primary server of a zone is one of its own, unless somebody says otherwise.
        derived.mname = derived.mname.or_else(|| derived.ns.first().cloned());
    }
    let Some(apex) = apex.filter(|_| faults.is_empty()) else { return Err(faults.into_problem()) };
    match of(&apex, &derived, options.first_serial) {
        Ok([soa, ns]) => Ok((apex, KeptZone { rrsets: vec![soa, ns] })),
        Err(error) => {
            faults.add("ns", error);
            Err(faults.into_problem())
        }
    }
}

/// SOA and NS records for an apex.
///
/// # Errors
/// So many name servers fit into no message.
pub(super) fn of(
    apex: &Name,
    derived: &DerivedAuthority,
    serial: u32,
) -> Result<[Rrset; 2], dns_core::RrsetError> {
    // A name of almost 255 octets has no room for a label more; then the apex stands for its own server.
    let below = |label: &[u8]| apex.child(label).unwrap_or_else(|_| apex.clone());
    let mname = derived.mname.clone().unwrap_or_else(|| below(b"ns"));
    let rname = derived.rname.clone().unwrap_or_else(|| below(b"hostmaster"));
    let mut soa = [mname.as_wire(), rname.as_wire()].concat();
    for field in [serial, derived.refresh, derived.retry, derived.expire, derived.minimum] {
        soa.extend_from_slice(&field.to_be_bytes());
    }
    let ns = if derived.ns.is_empty() { std::slice::from_ref(&mname) } else { &derived.ns };
    Ok([
        Rrset::new(apex.clone(), RecordType::SOA, derived.ttl, [soa])?,
        Rrset::new(apex.clone(), RecordType::NS, derived.ttl, ns.iter().map(Name::as_wire))?,
    ])
}
