//! `records`: checked one by one, then against each other.

use std::collections::HashMap;

use dns_core::rdata::{self, RdataFault};
use dns_core::{Name, NameError, RecordType, Rrset};

use super::super::keys::RecordSpec;
use super::super::reader::{Located, Reader};
use super::super::value::{OneOrMany, RecordValue, shown, undotted_name};
use crate::config::{Backend, TtlBounds};

/// Turns records into RRsets; those with mistakes are reported and left out.
pub(super) fn rrsets(
    records: &[Located<RecordSpec>],
    backend: &Backend,
    bounds: TtlBounds,
    reader: &mut Reader,
) -> Vec<Rrset> {
    conflicts(records, reader);
    records.iter().filter_map(|record| rrset(record, backend, bounds, reader)).collect()
}

/// How a TTL that is refused is described.
pub(super) fn out_of_bounds(ttl: u32, bounds: TtlBounds) -> String {
    format!("TTL {ttl} is not between {} and {} (see records_ttl)", bounds.min, bounds.max)
}

fn rrset(
    record: &Located<RecordSpec>,
    backend: &Backend,
    bounds: TtlBounds,
    reader: &mut Reader,
) -> Option<Rrset> {
    let RecordSpec { name, rtype, ttl, value } = &record.value;
    if let Some(ttl) = ttl
        && !bounds.contain(ttl.value.0)
    {
        reader.object(ttl, out_of_bounds(ttl.value.0, bounds));
    }
    let ttl = ttl.as_ref().map_or(backend.default_ttl, |ttl| ttl.value.0);
    let (name, rtype) = (name.as_ref()?, rtype.as_ref()?.value);
    let rdatas = rdatas(rtype, value.as_ref()?, reader)?;
    match Rrset::new(name.value.0.clone(), rtype, ttl, rdatas) {
        Ok(rrset) => Some(rrset),
        Err(error) => {
            reader.object(record, error.to_string());
            None
        }
    }
}

/// The values of one type in wire form.
pub(super) fn rdatas(
    rtype: RecordType,
    list: &Located<OneOrMany<RecordValue>>,
    reader: &mut Reader,
) -> Option<Vec<Vec<u8>>> {
    if list.value.0.is_empty() {
        if !reader.has_faults_below(&list.key) {
            reader.object(list, "the list is empty, a record has one value at least");
        }
        return None;
    }
    let rdatas: Vec<_> = list.value.0.iter().map(|value| rdata(rtype, value, reader)).collect();
    let rdatas = rdatas.into_iter().collect::<Option<Vec<_>>>()?;
    if rdatas.len() > 1 && matches!(rtype, RecordType::CNAME | RecordType::DNAME | RecordType::SOA) {
        reader.object(list, format!("{rtype} has one value, {} are given", rdatas.len()));
        return None;
    }
    Some(rdatas)
}

/// One value in wire form; relative names are refused, since nothing says what they would be relative to.
fn rdata(rtype: RecordType, value: &Located<RecordValue>, reader: &mut Reader) -> Option<Vec<u8>> {
    let error = match rdata::from_text(rtype, &value.value.0, None) {
        Ok(rdata) => return Some(rdata),
        Err(error) => error,
    };
    let problem = match &error.fault {
        RdataFault::Name { word, error: NameError::NoOrigin } => undotted_name(word),
        _ => error.to_string(),
    };
    reader.object(value, format!("{} is no {rtype} value: {problem}", shown(&value.value.0)));
    None
}

/// Reports names that have one type twice, and CNAMEs that are not alone at their name ([RFC 2181, section 10.1]).
///
/// [RFC 2181, section 10.1]: https://www.rfc-editor.org/rfc/rfc2181#section-10.1
fn conflicts(records: &[Located<RecordSpec>], reader: &mut Reader) {
    let mut names: HashMap<&Name, Vec<(RecordType, &Located<RecordSpec>)>> = HashMap::new();
    for record in records {
        let (Some(name), Some(rtype)) = (&record.value.name, &record.value.rtype) else {
            continue;
        };
        let others = names.entry(&name.value.0).or_default();
        let (name, rtype) = (&name.value.0, rtype.value);
        if let Some((_, other)) = others.iter().find(|(other, _)| *other == rtype) {
            let problem = format!("{name} {rtype} is already given at {}, put all values there", other.place);
            reader.object(record, problem);
        } else if let Some((other_type, other)) = others.iter().find(|(other, _)| clash(*other, rtype)) {
            let problem = format!(
                "{name} has {rtype} here and {other_type} at {}, but a CNAME stands alone at its name",
                other.place
            );
            reader.object(record, problem);
        }
        others.push((rtype, record));
    }
}

/// One of the two types is CNAME and the other may not stand beside it ([RFC 4035, section 2.5] allows RRSIG and NSEC).
///
/// [RFC 4035, section 2.5]: https://www.rfc-editor.org/rfc/rfc4035#section-2.5
fn clash(left: RecordType, right: RecordType) -> bool {
    let alongside = |rtype| matches!(rtype, RecordType::RRSIG | RecordType::NSEC);
    (left == RecordType::CNAME && !alongside(right)) || (right == RecordType::CNAME && !alongside(left))
}
