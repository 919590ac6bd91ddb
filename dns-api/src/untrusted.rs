//! What reads the words of strangers, for fuzz targets. No part of what this crate promises.

use dns_core::{ChangeSet, Name, RecordType, Rrset, TTL_MAX};

use crate::convert;
use crate::etag;
use crate::extract::json;
use crate::faults::Faults;
use crate::model::{ChangeRequest, Problem, RecordPut, RecordSpec, ZoneSpec};
use crate::v1::{changes, cursor};

/// The body of `POST /changes`.
pub fn read_changes(octets: &[u8], default_ttl: u32) -> Result<ChangeSet, Problem> {
    let request: ChangeRequest = json(octets)?;
    changes::read(request.changes, request.preconditions, default_ttl, &(0..=TTL_MAX), |_| Vec::new())
}

/// The body of `POST /records`.
pub fn read_record(octets: &[u8], default_ttl: u32) -> Result<Rrset, Problem> {
    let mut faults = Faults::default();
    let rrset = convert::rrset(json(octets)?, default_ttl, "", &mut faults);
    rrset.ok_or_else(|| faults.into_problem())
}

/// The body of `PUT /records/{name}`.
pub fn read_put(octets: &[u8]) -> Result<RecordPut, Problem> {
    json(octets)
}

/// The body of `POST /zones`.
pub fn read_zone(octets: &[u8]) -> Result<ZoneSpec, Problem> {
    json(octets)
}

/// Records as they are answered.
pub fn write_record(rrset: &Rrset) -> RecordSpec {
    convert::spec(rrset)
}

/// `?cursor=`.
pub fn read_cursor(text: &str) -> Result<(Name, RecordType), Problem> {
    cursor::read(text)
}

/// `next` of a page.
pub fn write_cursor(first: &(Name, RecordType)) -> String {
    cursor::write(first)
}

/// The value of `If-Match`: whether it fits a version strongly, and whether it does weakly.
pub fn match_tags(value: &[u8], version: u64) -> Option<(bool, bool)> {
    etag::parse(value).map(|tags| (tags.match_strongly(version), tags.match_weakly(version)))
}
