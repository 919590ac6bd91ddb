//! Between what travels and what is kept.

use std::ops::RangeInclusive;

use dns_core::record::RecordError;
use dns_core::{Name, RecordType, Rrset, TTL_MAX, View, rdata, zonecheck};
use dns_store::{Changed, Entry, Found, KeptZone, SourceKind};

use crate::auth::Caller;
use crate::faults::Faults;
use crate::model::{
    Finding, HistoryEntry, OneOrMany, Problem, Record, RecordChange, RecordSpec, Served, Severity, Updated,
    Values, ZoneChange,
};

/// A field of what stands at `place`.
fn field(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// A name that stands in a body.
pub(crate) fn name(text: &str, place: &str, faults: &mut Faults) -> Option<Name> {
    text.parse().map_err(|error| faults.add(place, format_args!("invalid name '{text}': {error}"))).ok()
}

/// A type of records that stands in a body.
pub(crate) fn rtype(text: &str, place: &str, faults: &mut Faults) -> Option<RecordType> {
    match text.parse::<RecordType>() {
        Ok(rtype) if rtype.is_meta() => faults.add(place, format_args!("{rtype} is no type of records")),
        Ok(rtype) => return Some(rtype),
        Err(_) => faults.add(place, format_args!("invalid record type '{text}'")),
    }
    None
}

/// Records that stand in a body.
pub(crate) fn rrset(spec: RecordSpec, default_ttl: u32, place: &str, faults: &mut Faults) -> Option<Rrset> {
    let RecordSpec { name, rtype, ttl, value } = spec;
    let owner = self::name(&name, &field(place, "name"), faults);
    let rtype = self::rtype(&rtype, &field(place, "type"), faults);
    let ttl = ttl.unwrap_or(default_ttl);
    let is_ttl = ttl <= TTL_MAX;
    if !is_ttl {
        faults.add(&field(place, "ttl"), RecordError::InvalidTtl(ttl));
    }
    let texts = value.into_vec();
    if texts.is_empty() {
        faults.add(&field(place, "value"), RecordError::NoValue);
    }
    let rtype = rtype?;
    let mut rdatas = Vec::with_capacity(texts.len());
    let root = Name::root();
    for (at, text) in texts.iter().enumerate() {
        match rdata::from_text(rtype, text, Some(root.as_wire())) {
            Ok(rdata) => rdatas.push(rdata),
            Err(error) => faults.add(&field(place, &format!("value[{at}]")), error),
        }
    }
    if rdatas.is_empty() || rdatas.len() < texts.len() || !is_ttl {
        return None;
    }
    Rrset::new(owner?, rtype, ttl, rdatas).map_err(|error| faults.add(&field(place, "value"), error)).ok()
}

/// Notes a TTL that the store will refuse if it gets to see the records.
pub(crate) fn check_ttl(ttl: Option<u32>, bounds: &RangeInclusive<u32>, place: &str, faults: &mut Faults) {
    if let Some(ttl) = ttl.filter(|ttl| *ttl <= TTL_MAX && !bounds.contains(ttl)) {
        faults.add_besides(&field(place, "ttl"), out_of_bounds(ttl, bounds));
    }
}

/// What is wrong with a TTL that is none of these.
pub(crate) fn out_of_bounds(ttl: u32, bounds: &RangeInclusive<u32>) -> String {
    format!("{ttl} must be between {} and {} (records_ttl)", bounds.start(), bounds.end())
}

/// A name in the path or behind `?`.
pub(crate) fn name_parameter(text: &str, parameter: &str) -> Result<Name, Problem> {
    let mut faults = Faults::default();
    name(text, parameter, &mut faults).ok_or_else(|| faults.into_malformed())
}

/// A type behind `?`.
pub(crate) fn type_parameter(text: Option<&str>) -> Result<Option<RecordType>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let mut faults = Faults::default();
    rtype(text, "type", &mut faults).map(Some).ok_or_else(|| faults.into_malformed())
}

/// A kind of source behind `?`.
pub(crate) fn source_kind(label: &str, faults: &mut Faults) -> Option<SourceKind> {
    let kind = SourceKind::from_label(label);
    if kind.is_none() {
        let kinds = SourceKind::ALL.map(SourceKind::label).join(", ");
        faults.add("source", format_args!("'{label}' is none of {kinds}"));
    }
    kind
}

/// Records for the answer; `view` tells their zone.
pub(crate) fn record(found: &Found, view: Option<&View>) -> Record {
    let dns_core::Record { name, rtype, value, .. } = dns_core::Record::from_rrset(&found.rrset);
    let zone = view.and_then(|view| view.zone_of(found.rrset.owner()));
    Record {
        name,
        rtype,
        ttl: found.rrset.ttl(),
        value,
        zone: zone.map(|zone| zone.apex.to_string()),
        source: found.source.to_string(),
        shadowed: found.shadowed,
    }
}

/// Records as they would be given.
pub(crate) fn spec(rrset: &Rrset) -> RecordSpec {
    let dns_core::Record { name, rtype, ttl, value } = dns_core::Record::from_rrset(rrset);
    RecordSpec { name, rtype, ttl, value: OneOrMany::Many(value) }
}

fn values(rrset: &Rrset) -> Values {
    Values { ttl: rrset.ttl(), value: dns_core::Record::from_rrset(rrset).value }
}

/// Of what became of records, that which the caller may see; at most `max`, and how many there are in all.
pub(crate) fn record_changes(
    changes: &[dns_store::RecordChange],
    caller: &Caller,
    max: usize,
) -> (Vec<RecordChange>, usize) {
    let visible = || changes.iter().filter(|change| caller.may_read(&change.owner, change.rtype));
    let shown = visible().take(max).map(|change| RecordChange {
        name: change.owner.to_string(),
        rtype: change.rtype.to_string(),
        before: change.before.as_ref().map(values),
        after: change.after.as_ref().map(values),
    });
    (shown.collect(), visible().count())
}

/// Of what became of zones, that which the caller may see.
pub(crate) fn zone_changes(changes: &[dns_store::ZoneRecord], caller: &Caller) -> Vec<ZoneChange> {
    let records = |kept: &KeptZone| -> Vec<RecordSpec> {
        let visible = kept.rrsets.iter().filter(|rrset| caller.may_read(rrset.owner(), rrset.rtype()));
        visible.map(spec).collect()
    };
    let visible = changes.iter().filter(|change| caller.may_read_zone(&change.apex));
    let shown = visible.map(|change| ZoneChange {
        name: change.apex.to_string(),
        before: change.before.as_ref().map(records),
        after: change.after.as_ref().map(records),
    });
    shown.collect()
}

/// Of what clients of DNS get otherwise, that which the caller may see; at most `max` of each kind.
pub(crate) fn served(changed: &Changed, caller: &Caller, max: usize) -> Served {
    let may = |rrset: &&Rrset| caller.may_read(rrset.owner(), rrset.rtype());
    let specs = |rrsets: &[Rrset]| rrsets.iter().filter(may).take(max).map(spec).collect();
    let updated = changed.updated.iter().filter(|(_, after)| may(&after)).take(max);
    Served {
        added: specs(&changed.added),
        updated: updated
            .map(|(before, after)| Updated { before: spec(before), after: spec(after) })
            .collect(),
        deleted: specs(&changed.deleted),
        zones: {
            let visible = changed.zones.iter().filter(|apex| caller.may_read_zone(apex)).take(max);
            visible.map(ToString::to_string).collect()
        },
        reloaded: Vec::new(),
    }
}

/// Who has made a change, as far as the caller may know: where they were and why they did it only if all of it may be read.
pub(crate) fn author<'e>(entry: &'e Entry, caller: &Caller) -> &'e str {
    let may_zone = |zone: &dns_store::ZoneRecord| {
        [RecordType::SOA, RecordType::NS].into_iter().all(|rtype| caller.may_read(&zone.apex, rtype))
    };
    let may_all = || {
        entry.records.iter().all(|change| caller.may_read(&change.owner, change.rtype))
            && entry.zones.iter().all(may_zone)
    };
    if caller.may_read_all() || may_all() { &entry.author } else { name_of(&entry.author) }
}

/// What stands before the public part of a token, the address and the comment: `token ci`; nothing if there is no address.
fn name_of(author: &str) -> &str {
    // The first end of a name that might be one: a name may look like all of it, and then loses its end.
    let address = author.find(") from ").unwrap_or_default();
    author[..address].rsplit_once(" (").map_or("", |(name, _)| name)
}

/// A change of the history, as far as the caller may see it; `None` if that is nothing.
pub(crate) fn history_entry(entry: &Entry, caller: &Caller, records_max: usize) -> Option<HistoryEntry> {
    let (records, total) = record_changes(&entry.records, caller, records_max);
    let zones = zone_changes(&entry.zones, caller);
    (total > 0 || !zones.is_empty()).then(|| HistoryEntry {
        version: entry.version,
        time: entry.time.into(),
        source: entry.source.to_string(),
        author: author(entry, caller).to_owned(),
        records_total: (records.len() < total).then_some(total),
        records,
        zones,
    })
}

/// Findings of a check, as far as the caller may see them. Of a derived zone nothing is told about what was made up for it,
/// which is nobody's mistake; it is named by its apex.
pub(crate) fn findings(
    findings: &[zonecheck::Finding],
    derived: Option<&Name>,
    caller: &Caller,
) -> Vec<Finding> {
    let is_made_up = |finding: &zonecheck::Finding| {
        derived == Some(finding.owner()) && matches!(finding.rtype(), Some(RecordType::SOA | RecordType::NS))
    };
    // Where any record of a name shows it, all of them must be visible.
    let may = |finding: &zonecheck::Finding| {
        caller.may_read(finding.owner(), finding.rtype().unwrap_or(RecordType::ANY))
    };
    let shown =
        findings.iter().filter(|finding| !is_made_up(finding) && may(finding)).map(|finding| Finding {
            severity: match finding.severity() {
                zonecheck::Severity::Warning => Severity::Warning,
                zonecheck::Severity::Note => Severity::Note,
            },
            name: finding.owner().to_string(),
            rtype: finding.rtype().map(|rtype| rtype.to_string()),
            message: finding.to_string(),
        });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tokens_end_before_what_strangers_must_not_know() {
        for (author, name) in [
            ("token ci (4f2a0q1e) from 192.0.2.1", "token ci"),
            ("token ci (4f2a0q1e) from 192.0.2.1: moved (twice) from there (a) from b", "token ci"),
            ("token a (b (4f2a0q1e) from 2001:db8::1: why", "token a (b"),
            ("token a (x) from b (4f2a0q1e) from 192.0.2.1", "token a"),
            ("somebody at 192.0.2.1", ""),
            ("", ""),
        ] {
            assert_eq!(name_of(author), name, "{author}");
        }
    }

    #[test]
    fn every_fault_of_a_record_has_its_place() {
        let spec = |name: &str, rtype: &str, ttl, value: &[&str]| RecordSpec {
            name: name.into(),
            rtype: rtype.into(),
            ttl,
            value: OneOrMany::Many(value.iter().map(ToString::to_string).collect()),
        };
        let mut faults = Faults::default();
        for (at, wrong) in [
            spec("a..b", "A", None, &["192.0.2.1"]),
            spec("a.example", "AA", None, &["192.0.2.1"]),
            spec("a.example", "ANY", None, &["192.0.2.1"]),
            spec("a.example", "A", Some(u32::MAX), &["192.0.2.1"]),
            spec("a.example", "A", None, &["192.0.2.256", "192.0.2.1", "x"]),
            spec("a.example", "A", None, &[]),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(rrset(wrong, 300, &format!("changes[{at}].record"), &mut faults), None);
        }
        let problem = faults.into_problem();
        let places: Vec<&str> =
            problem.reasons.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
        assert_eq!(
            places,
            [
                "changes[0].record.name",
                "changes[1].record.type",
                "changes[2].record.type",
                "changes[3].record.ttl",
                "changes[4].record.value[0]",
                "changes[4].record.value[2]",
                "changes[5].record.value"
            ]
        );
        let mut faults = Faults::default();
        let sound = rrset(spec("a.example", "A", None, &["192.0.2.1"]), 300, "", &mut faults).unwrap();
        assert_eq!((sound.ttl(), faults.is_empty()), (300, true));
    }
}
