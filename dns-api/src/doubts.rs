//! What looks wrong with records that were written, beyond what a check of their zone can see.

use dns_core::wire::rr::Name as Unicode;
use dns_core::zone::Zone;
use dns_core::{Name, RecordType, Rrset};
use dns_store::{Filter, Found, Source, Store, ZoneInfo};

use crate::auth::Caller;
use crate::model::{Finding, RecordSpec, Severity};

/// Names below a new zone cut or DNAME that are looked at.
const BELOW_MAX: usize = 10;

/// Names and types that are counted of those that a new zone hides.
const HIDDEN_MAX: usize = 1_000;

/// Names that were given in a way that may have meant others. What is stored shows it no more.
pub(crate) fn of_text(spec: &RecordSpec) -> Vec<Finding> {
    let (Ok(owner), Ok(rtype)) = (spec.name.parse::<Name>(), spec.rtype.parse::<RecordType>()) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let mut doubt = |message: String| findings.push(warning(&owner, rtype, &message));
    if spec.name == "@" {
        doubt(format!("the name '@' is stored as {owner}: names are absolute here, the apex is written out"));
    } else if let Some(ascii) = a_label_form(&owner) {
        doubt(format!(
            "the name has octets that are no ASCII, and clients that ask for it send {ascii}: give that name"
        ));
    }
    for value in spec.value.as_slice() {
        // What is written as octets (RFC 3597, section 5) names nothing.
        let places = if value.starts_with("\\#") { &[] } else { targets(rtype) };
        let words = places.iter().filter_map(|at| value.split_ascii_whitespace().nth(*at));
        for text in words {
            if text == "@" {
                doubt(format!(
                    "'@' in '{value}' is stored as the root, '.': names in values are absolute here"
                ));
            } else if !text.contains('.') {
                doubt(format!(
                    "'{text}' in '{value}' is stored as '{text}.': names in values are absolute here"
                ));
            } else if let Some(ascii) = text.parse().ok().as_ref().and_then(a_label_form) {
                doubt(format!("'{text}' has letters that are no ASCII: in the DNS, the name is {ascii}"));
            }
        }
    }
    findings
}

/// Where names that can be reached stand among the words of a value.
fn targets(rtype: RecordType) -> &'static [usize] {
    match rtype {
        RecordType::CNAME | RecordType::DNAME | RecordType::NS | RecordType::PTR => &[0],
        RecordType::SOA => &[0, 1],
        RecordType::MX | RecordType::SVCB | RecordType::HTTPS => &[1],
        RecordType::SRV => &[3],
        _ => &[],
    }
}

/// The name as clients send it who were given it in letters beyond ASCII
/// ([RFC 5890, section 2.3.2.1](https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1)); `None` if it has none.
fn a_label_form(name: &Name) -> Option<String> {
    if name.as_wire().is_ascii() {
        return None;
    }
    let labels = name.labels().map(|label| std::str::from_utf8(label).ok()).collect::<Option<Vec<_>>>();
    let ascii = labels.and_then(|labels| Unicode::from_utf8(format!("{}.", labels.join("."))).ok());
    Some(ascii.map_or_else(|| "its xn-- form".to_owned(), |ascii| ascii.to_ascii()))
}

/// A serial that was given and is not served, though it is a later one than that which is.
pub(crate) fn of_serial(store: &Store, rrset: &Rrset) -> Option<Finding> {
    let given = rrset.rdatas().next().filter(|_| rrset.rtype() == RecordType::SOA).and_then(serial)?;
    let served = store.zone(rrset.owner())?.serial?;
    // RFC 1982, section 3.2.
    let is_later = (1..1 << 31).contains(&given.wrapping_sub(served));
    is_later.then(|| {
        let message = format!(
            "the serial {given} is not taken over, {served} is served: serials are counted by the server, and only an import of \
                a zone file makes them larger ones"
        );
        warning(rrset.owner(), RecordType::SOA, &message)
    })
}

fn serial(soa: &[u8]) -> Option<u32> {
    let (_, rest) = Name::split_from_wire(soa).ok()?;
    let (_, rest) = Name::split_from_wire(rest).ok()?;
    rest.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

/// What is not served at a name because the API has records of this type there, or that those are not served themselves. Nothing
/// is told of what the caller may not read.
pub(crate) fn of_hidden(store: &Store, owner: &Name, rtype: RecordType, caller: &Caller) -> Vec<Finding> {
    let found = store.found_at(owner);
    let of_type = || found.iter().filter(|found| found.rrset.rtype() == rtype);
    let is_ours = |found: &Found| found.source == Source::Api;
    let served = of_type().find(|found| !found.shadowed);
    let hidden = of_type().filter(|found| found.shadowed);
    let mut messages: Vec<String> = hidden
        .filter_map(|hidden| match served {
            Some(served) if is_ours(served) && !is_ours(hidden) => {
                Some(format!("records from {} with this name and type are hidden by these", hidden.source))
            }
            Some(served) if is_ours(hidden) && !is_ours(served) => {
                Some(format!("these records are not served: those from {} go first", served.source))
            }
            None if is_ours(hidden) => Some(why_not_served(store, owner)),
            _ => None,
        })
        .collect();
    if served.is_some_and(is_ours) {
        let is_alias = |rtype| rtype == RecordType::CNAME;
        let others = found.iter().filter(|found| {
            let other = found.rrset.rtype();
            found.shadowed && is_alias(other) != is_alias(rtype) && caller.may_read(owner, other)
        });
        messages.extend(others.map(|Found { rrset, source, .. }| {
            let other = rrset.rtype();
            format!("{other} records from {source} with this name are hidden: they cannot stand beside these")
        }));
    }
    messages.iter().map(|message| warning(owner, rtype, message)).collect()
}

/// Why records of the API are not served, though nobody else's of their type are.
fn why_not_served(store: &Store, owner: &Name) -> String {
    let catalog = store.snapshot();
    let entry = catalog.view(store.view_name()).and_then(|view| view.zone_of(owner));
    match entry.and_then(|entry| store.zone(&entry.apex)) {
        Some(ZoneInfo { apex, failed: Some(why), .. }) => {
            format!("these records are not served, as their zone {apex} is not: {why}")
        }
        _ => "these records are not served: what others have at the name cannot stand beside them".to_owned(),
    }
}

/// What a zone that was made or imported hides: records at and below its apex that came with the zone above. What was given for
/// names alone has moved into it.
pub(crate) fn of_zone(store: &Store, apex: &Name) -> Option<Finding> {
    let catalog = store.snapshot();
    let parent = apex.suffix(apex.label_count().checked_sub(1)?);
    let above = catalog.view(store.view_name())?.zone_of(&parent)?;
    // A zone has each name above one with records. Without this one, its names need not be put into their order.
    above.zone()?.node_of(apex)?;
    let filter = Filter { zone: Some(above.apex.clone()), below: Some(apex.clone()), ..Filter::default() };
    let page = store.list(&filter, None, HIDDEN_MAX);
    let mut names: Vec<&Name> = page.found.iter().map(|found| found.rrset.owner()).collect();
    names.dedup();
    let Found { rrset, source, .. } = page.found.first()?;
    let (above, first, count) = (&above.apex, rrset.owner(), names.len());
    let how_many = if page.next.is_some() { "at least " } else { "" };
    let noun = if count == 1 { "name" } else { "names" };
    let message = format!(
        "what {source} has in the zone {above} at and below this name is hidden by this zone, and answered no longer: \
         {how_many}{count} {noun}, {first} first"
    );
    Some(warning(apex, RecordType::SOA, &message))
}

/// An address at or below a zone cut, which is of use for the name servers of the child zone only.
pub(crate) fn of_glue(zone: &Zone, owner: &Name) -> Option<Finding> {
    let node = zone.node_of(owner)?;
    let rtype = [RecordType::A, RecordType::AAAA].into_iter().find(|rtype| node.rrset(*rtype).is_some())?;
    let depths = zone.apex().label_count() + 1..=owner.label_count();
    let cut = depths
        .map(|labels| owner.suffix(labels))
        .find(|name| zone.node_of(name).is_some_and(|node| node.is_zone_cut()))?;
    let mut is_server = false;
    zone.node_of(&cut)?.rrset(RecordType::NS)?.for_each_rdata(zone.apex().as_wire(), |server| {
        is_server |= Name::from_wire(server).is_ok_and(|server| server == *owner);
    });
    (!is_server).then(|| {
        let message = format!(
            "{cut} is delegated, and this is none of its name servers: it is answered as glue at most"
        );
        warning(owner, rtype, &message)
    })
}

/// The first names below one that was delegated, or leads elsewhere by a DNAME, as far as the caller may see them. So many are
/// looked at, and not more for those who may see few.
pub(crate) fn names_below(store: &Store, owner: &Name, caller: &Caller) -> Vec<Name> {
    let filter = Filter { below: Some(owner.clone()), ..Filter::default() };
    let page = store.list(&filter, None, BELOW_MAX);
    let rrsets = page.found.iter().map(|found| &found.rrset);
    let seen = rrsets.filter(|rrset| rrset.owner() != owner && caller.may_read(rrset.owner(), rrset.rtype()));
    let mut names: Vec<Name> = seen.map(|rrset| rrset.owner().clone()).collect();
    names.dedup();
    names
}

fn warning(owner: &Name, rtype: RecordType, message: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        name: owner.to_string(),
        rtype: Some(rtype.to_string()),
        message: format!("{owner} {rtype}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OneOrMany;

    #[track_caller]
    fn check(name: &str, rtype: &str, value: &str, expected: &[&str]) {
        let value = OneOrMany::One(value.to_owned());
        let spec = RecordSpec { name: name.to_owned(), rtype: rtype.to_owned(), ttl: None, value };
        let messages: Vec<String> = of_text(&spec).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages.len(), expected.len(), "{messages:?}");
        for (message, part) in messages.iter().zip(expected) {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn names_that_may_have_meant_others_are_told_with_what_is_stored() {
        for (rtype, value, expected) in [
            ("CNAME", "@", &["'@' in '@' is stored as the root, '.'"][..]),
            ("CNAME", "www", &["'www' in 'www' is stored as 'www.'"]),
            ("MX", "10 mail", &["'mail' in '10 mail' is stored as 'mail.'"]),
            ("SRV", "1 2 443 host", &["stored as 'host.'"]),
            ("CNAME", "bücher.example.org.", &["xn--bcher-kva.example.org."]),
            // Who writes the dot means it, and so does who writes an absolute name.
            ("CNAME", "www.", &[]),
            ("CNAME", "www.example.org", &[]),
            ("MX", "0 .", &[]),
            ("TXT", "www", &[]),
            ("MX", "\\# 3 000100", &[]),
        ] {
            check("a.example.org", rtype, value, expected);
        }
        check("bücher.example.org", "A", "192.0.2.1", &["xn--bcher-kva.example.org."]);
        check("@", "TXT", "x", &["the name '@' is stored as .:"]);
    }
}
