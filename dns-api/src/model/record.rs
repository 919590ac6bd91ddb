//! Records.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Records of one name and type, as they are given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordSpec {
    /// Owner name; the dot at its end may be missing.
    #[schema(example = "www.example.org.")]
    pub name: String,
    /// Mnemonic of the type, or `TYPE` and its number.
    #[serde(rename = "type")]
    #[schema(example = "A")]
    pub rtype: String,
    /// Seconds for which the records may be cached; the server's default if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// At least one value in presentation format.
    pub value: OneOrMany,
}

/// The same where name and type may stand elsewhere in the request; if they stand here, too, they must be the same.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPut {
    /// Owner name; that of the path if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Mnemonic of the type, or `TYPE` and its number; that of `?type=` if it is missing.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub rtype: Option<String>,
    /// Seconds for which the records may be cached; the server's default if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// At least one value in presentation format.
    pub value: OneOrMany,
}

/// A single value may stand without the list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(untagged, expecting = "a value or a list of values is needed, as text")]
pub enum OneOrMany {
    /// Just one.
    #[schema(example = "192.0.2.1")]
    One(String),
    /// As many as there are.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// As a list.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

impl From<Vec<String>> for OneOrMany {
    fn from(values: Vec<String>) -> Self {
        Self::Many(values)
    }
}

/// Records of one name and type, as a source has them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Record {
    /// Owner name.
    #[schema(example = "www.example.org.")]
    pub name: String,
    /// Mnemonic of the type, or `TYPE` and its number.
    #[serde(rename = "type")]
    #[schema(example = "A")]
    pub rtype: String,
    /// Seconds for which the records may be cached.
    pub ttl: u32,
    /// The values in presentation format.
    pub value: Vec<String>,
    /// Apex of the zone that they are in; null if none has them.
    pub zone: Option<String>,
    /// Whose they are: the kind of source, and its name behind a colon if there may be several.
    #[schema(example = "api")]
    pub source: String,
    /// They are not served, since those of a source with higher precedence are, or the zone cannot take them.
    pub shadowed: bool,
}

/// A page of a listing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Records {
    /// In canonical order of their names, then by type, those first that are served.
    pub records: Vec<Record>,
    /// `cursor` of the next page; null on the last one.
    pub next: Option<String>,
    /// Version of the catalog; what has changed later may or may not show.
    pub version: u64,
    /// What is written through the API survives a restart.
    pub durable: bool,
}

/// Records that were written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Written {
    /// As they are now.
    #[serde(flatten)]
    pub record: Record,
    /// Version of the catalog that has them.
    pub version: u64,
    /// They survive a restart.
    pub durable: bool,
    /// What somebody should look at; nothing of it keeps the records from being served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<super::Finding>,
}

/// Records that were deleted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Deleted {
    /// Version of the catalog that no longer has them.
    pub version: u64,
    /// They stay away after a restart.
    pub durable: bool,
    /// As they were.
    pub deleted: Vec<Record>,
}
