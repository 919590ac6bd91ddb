//! Zones.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChangeSetAnswer, object};

/// A zone to be made. Its name is enough; for the rest there are defaults.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneSpec {
    /// The apex; the dot at its end may be missing.
    #[schema(example = "example.org.")]
    pub name: String,
    /// Fields of the SOA record.
    #[serde(default, deserialize_with = "object::optional", skip_serializing_if = "Option::is_none")]
    pub soa: Option<SoaSpec>,
    /// Names of the name servers; the MNAME if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ns: Vec<String>,
    /// TTL of SOA and NS records, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
}

/// Fields of a SOA record; those of zones that nobody has declared take the place of what is missing. The serial is the
/// server's business.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SoaSpec {
    /// Name of the primary server; the first of `ns` if neither this nor `backend.soa.mname` of the configuration names another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mname: Option<String>,
    /// Mailbox of whoever is responsible, as a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rname: Option<String>,
    /// REFRESH, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<u32>,
    /// RETRY, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<u32>,
    /// EXPIRE, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire: Option<u32>,
    /// MINIMUM: how long negative answers are kept, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
}

/// A zone that is served, or should be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Zone {
    /// The apex.
    pub name: String,
    /// Who has declared it; null if nobody has, and it was made up for the records in it.
    pub source: Option<String>,
    /// Serial of its SOA; null if it is not served.
    pub serial: Option<u32>,
    /// How many names exist in it, empty non-terminals included.
    pub names: usize,
    /// How many records there are, signatures not counted.
    pub records: usize,
    /// It is signed.
    pub signed: bool,
    /// Names that it does not have are asked upstream.
    pub fallthrough: bool,
    /// Why it is not served; null if it is.
    pub failed: Option<String>,
    /// Version of the catalog that it was declared with; 0 if nobody has declared it. Changes of its records leave it as it is; a
    /// restart, an import and a file that is read again declare it anew.
    pub version: u64,
}

/// A page of the zones that may be seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Zones {
    /// In canonical order. Zones that go while the page is put together leave it shorter.
    pub zones: Vec<Zone>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
    /// Version of the catalog; what has changed later may or may not show.
    pub version: u64,
    /// What is written through the API survives a restart.
    pub durable: bool,
}

/// A zone that was made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct ZoneWritten {
    /// As it is now.
    #[serde(flatten)]
    pub zone: Zone,
    /// It survives a restart.
    pub durable: bool,
    /// What somebody should look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
}

/// A zone file that was taken over.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Imported {
    /// The zone was made by this, or would be.
    pub created: bool,
    /// How many names and types the file has.
    pub rrsets: usize,
    /// What came of it.
    #[serde(flatten)]
    pub changes: ChangeSetAnswer,
}

/// What a check has found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Checked {
    /// The findings in canonical order of their names.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub omitted: usize,
    /// Version of the catalog that was looked at.
    pub version: u64,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Name of the records that show it.
    pub name: String,
    /// Their type; null where any record of the name shows it.
    #[serde(rename = "type")]
    pub rtype: Option<String>,
    /// What it is.
    pub message: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody will not get what the author had in mind.
    Warning,
    /// It works, and could be better.
    Note,
}
