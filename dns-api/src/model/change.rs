//! Sets of changes, and the history of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::object::{self, Object};
use super::{Finding, Record, RecordSpec, Timestamp};

/// Changes that are made all together or not at all.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// In this order; at most 10,000.
    pub changes: Vec<Change>,
    /// What must hold for them to be made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preconditions: Vec<Precondition>,
    /// Tell what would be changed, and change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Why, for those who read the history; at most 200 letters, on one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// One change at one name and type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase", tag = "op", try_from = "Object<FlatChange>")]
pub enum Change {
    /// The API has exactly these records of the name and type, whatever it had before.
    Put {
        /// The records.
        record: RecordSpec,
    },
    /// The API has these values besides those that it had; the TTL becomes the one given, or stays if none is.
    Add {
        /// The values to add.
        record: RecordSpec,
    },
    /// The API no longer has these values; those that it does not have are no error.
    Remove {
        /// The values to remove; their TTL does not matter.
        record: RecordSpec,
    },
    /// The API has nothing of this type here; of no type if none is given.
    Delete {
        /// Owner name.
        name: String,
        /// The type.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        rtype: Option<String>,
    },
}

/// A change as it is read: serde gives the place of a mistake only in what it need not keep back until it has seen the tag.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatChange {
    op: Op,
    #[serde(default, deserialize_with = "object::optional")]
    record: Option<RecordSpec>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    rtype: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Put,
    Add,
    Remove,
    Delete,
}

impl TryFrom<Object<FlatChange>> for Change {
    type Error = &'static str;

    fn try_from(Object(flat): Object<FlatChange>) -> Result<Self, Self::Error> {
        Ok(match (flat.op, flat) {
            (Op::Delete, FlatChange { name: Some(name), rtype, record: None, .. }) => {
                Self::Delete { name, rtype }
            }
            (Op::Delete, _) => return Err("delete takes name, and type or no type, but no record"),
            (op, FlatChange { record: Some(record), name: None, rtype: None, .. }) => match op {
                Op::Add => Self::Add { record },
                Op::Remove => Self::Remove { record },
                _ => Self::Put { record },
            },
            _ => return Err("put, add and remove take a record, and name and type are in it"),
        })
    }
}

/// What must hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precondition {
    /// The API has records of this type here; of any type if none is given.
    Exists(#[serde(deserialize_with = "object::one")] NameAndType),
    /// The API has no records of this type here; of no type if none is given.
    Absent(#[serde(deserialize_with = "object::one")] NameAndType),
    /// The API has exactly these records here; with whatever TTL if none is given.
    Equals(#[serde(deserialize_with = "object::one")] RecordSpec),
    /// Nothing at this name has changed since this version, whoever has it.
    Unchanged(#[serde(deserialize_with = "object::one")] NameVersion),
    /// Nothing at all has changed since this version of the catalog.
    Version(u64),
}

/// A name, and a type of records or all of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameAndType {
    /// Owner name.
    pub name: String,
    /// The type.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub rtype: Option<String>,
}

/// A name at a version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameVersion {
    /// Owner name.
    pub name: String,
    /// What its `ETag` says.
    pub version: u64,
}

/// What was changed, or would be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct ChangeSetAnswer {
    /// Version of the catalog that has the changes; of a plan, the version that it was made for.
    pub version: u64,
    /// They survive a restart.
    pub durable: bool,
    /// Nothing was changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What the API has otherwise than before.
    pub records: Vec<RecordChange>,
    /// How many of these there are in all, if not all are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_total: Option<usize>,
    /// Zones that the API has declared, dropped or declared anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<ZoneChange>,
    /// What is served otherwise than before; of each kind as many as of `records` at most.
    pub served: Served,
    /// What somebody should look at; nothing of it keeps the records from being served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
}

/// What a source has of one name and type, before and after.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct RecordChange {
    /// Owner name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// What there was; null if nothing.
    pub before: Option<Values>,
    /// What there is; null if nothing.
    pub after: Option<Values>,
}

/// Records without their name and type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Values {
    /// Seconds for which the records may be cached.
    pub ttl: u32,
    /// The values in presentation format.
    pub value: Vec<String>,
}

/// What became of a declared zone: of its SOA and the NS records of its apex.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct ZoneChange {
    /// The apex.
    pub name: String,
    /// What there was; null if the zone is new.
    pub before: Option<Vec<RecordSpec>>,
    /// What there is; null if the zone is gone.
    pub after: Option<Vec<RecordSpec>>,
}

/// What clients of DNS get otherwise than before.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Served {
    /// Names and types that had no records before.
    pub added: Vec<RecordSpec>,
    /// Records that have become others.
    pub updated: Vec<Updated>,
    /// Records that are no longer there.
    pub deleted: Vec<RecordSpec>,
    /// Zones that have another serial than before.
    pub zones: Vec<String>,
    /// Zones that were made, deleted or replaced as a whole: all names at and below them may be answered otherwise, and are not
    /// listed above.
    #[serde(default)]
    pub reloaded: Vec<String>,
}

/// Records that have become others.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Updated {
    /// As they were.
    pub before: RecordSpec,
    /// As they are.
    pub after: RecordSpec,
}

/// A page of the history, the newest entries first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct History {
    /// The entries.
    pub changes: Vec<HistoryEntry>,
    /// `before` of the next page; null on the last one. There may be one although this page has fewer entries than asked for.
    pub next: Option<u64>,
}

/// One change of the history.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// Version of the catalog that has it.
    pub version: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Whose records were changed.
    pub source: String,
    /// Who asked for it, from where and why; the name alone for tokens that may not read all of the change. Empty if nobody in
    /// particular.
    pub author: String,
    /// What the source has otherwise than before.
    pub records: Vec<RecordChange>,
    /// How many of these there are in all, if not all are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_total: Option<usize>,
    /// Zones that the source has declared, dropped or declared anew.
    pub zones: Vec<ZoneChange>,
}

impl From<Record> for RecordSpec {
    fn from(record: Record) -> Self {
        let Record { name, rtype, ttl, value, .. } = record;
        Self { name, rtype, ttl: Some(ttl), value: value.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Result<&Change, &str>) {
        let deserializer = &mut serde_json::Deserializer::from_str(json);
        let read = serde_path_to_error::deserialize::<_, Change>(deserializer);
        match (read, expected) {
            (Ok(read), Ok(expected)) => {
                assert_eq!(read, *expected);
                let back = serde_json::to_value(&read).unwrap();
                assert_eq!(back, serde_json::from_str::<serde_json::Value>(json).unwrap());
            }
            (Err(error), Err(expected)) => {
                let text = error.to_string();
                assert!(text.starts_with(expected), "{text}");
            }
            (read, _) => panic!("{json}: {read:?}"),
        }
    }

    #[test]
    fn changes_are_read_with_the_place_of_every_mistake() {
        let record = RecordSpec {
            name: "a.example.org".into(),
            rtype: "A".into(),
            ttl: None,
            value: OneOrMany::One("192.0.2.1".into()),
        };
        let json = r#"{"op":"add","record":{"name":"a.example.org","type":"A","value":"192.0.2.1"}}"#;
        check(json, Ok(&Change::Add { record }));
        let delete = Change::Delete { name: "a.".into(), rtype: Some("A".into()) };
        check(r#"{"op":"delete","name":"a.","type":"A"}"#, Ok(&delete));
        for (json, error) in [
            (
                r#"{"op":"put","record":{"name":"a","type":"A","value":"1","tll":1}}"#,
                "record.tll: unknown field",
            ),
            (r#"{"op":"put","record":{"name":"a","type":"A","value":5}}"#, "record.value: a value or a list"),
            (r#"{"op":"swap","name":"a"}"#, "op: unknown variant `swap`"),
            (r#"{"op":"put","name":"a"}"#, "put, add and remove take a record"),
            (r#"{"op":"delete"}"#, "delete takes name"),
            (r#"{"name":"a"}"#, "missing field `op`"),
        ] {
            check(json, Err(error));
        }
    }

    use super::super::OneOrMany;
}
