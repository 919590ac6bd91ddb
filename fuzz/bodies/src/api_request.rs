//! Requests to the management API: bodies, cursors and conditions, as clients make them up.

use dns_api::model::Problem;
use dns_api::untrusted;
use dns_core::{Change, Precondition, Rrset, rdata};

const DEFAULT_TTL: u32 = 300;

/// Reads the octets as each part of a request that is not HTTP's own. What is accepted is sound and survives the way out and
/// back in; what is not is told with its reasons.
pub fn run(data: &[u8]) {
    match untrusted::read_changes(data, DEFAULT_TTL) {
        Ok(set) => {
            for change in &set.changes {
                match change {
                    Change::Put(rrset) | Change::Add(rrset) | Change::Remove(rrset) => check(rrset),
                    Change::Delete { rtype, .. } => assert!(rtype.is_none_or(|rtype| !rtype.is_meta())),
                }
            }
            for precondition in &set.preconditions {
                if let Precondition::Equals(rrset) = precondition {
                    check(rrset);
                }
            }
        }
        Err(problem) => check_problem(&problem),
    }
    match untrusted::read_record(data, DEFAULT_TTL) {
        Ok(rrset) => check(&rrset),
        Err(problem) => check_problem(&problem),
    }
    let others = [untrusted::read_put(data).err(), untrusted::read_zone(data).err()];
    others.iter().flatten().for_each(check_problem);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(first) = untrusted::read_cursor(text)
    {
        assert_eq!(untrusted::read_cursor(&untrusted::write_cursor(&first)), Ok(first));
    }
    if let Some((strongly, weakly)) = untrusted::match_tags(data, 7) {
        assert!(weakly || !strongly, "a tag that fits strongly fits weakly");
    }
}

fn check(rrset: &Rrset) {
    for value in rrset.rdatas() {
        assert_eq!(rdata::validate(rrset.rtype(), value), Ok(()), "{rrset:?}");
    }
    let text = serde_json::to_string(&untrusted::write_record(rrset)).expect("a record is JSON");
    let back = untrusted::read_record(text.as_bytes(), DEFAULT_TTL);
    assert_eq!(back.as_ref(), Ok(rrset), "{text}");
}

fn check_problem(problem: &Problem) {
    assert!(matches!(problem.status, 400 | 422), "{problem:?}");
    assert!(
        !problem.reasons.is_empty() && problem.reasons.iter().all(|reason| !reason.is_empty()),
        "{problem:?}"
    );
}
