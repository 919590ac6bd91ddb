//! Records as people write them: in config files, in the API, in a ConfigMap.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::{
    Name, NameError, RecordType, Rrset, RrsetError, TTL_MAX,
    rdata::{self, RdataError},
};

/// All values of one name and type, as people write them.
///
/// ```yaml
/// name: www.example.org.
/// type: A
/// ttl: 300
/// value: [192.0.2.1, 192.0.2.2]
/// ```
///
/// Names are absolute, `name` and those in values alike; the dot at their end may be missing. Each value is one line of
/// presentation format without owner, TTL and type, such as `10 mail.example.org.` for an MX record; see
/// [`rdata::from_text`] for what is special about TXT. A single value may stand without the list.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Owner name.
    pub name: String,
    /// Mnemonic of the type, or `TYPE` and its number.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Seconds for which the record may be cached; a default takes its place when it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// The values; at least one.
    #[serde(deserialize_with = "one_or_many")]
    pub value: Vec<String>,
}

/// Why a [`Record`] makes no RRset.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum RecordError {
    /// The type is unknown.
    #[error("invalid record type '{0}'")]
    InvalidType(String),
    /// The type exists in questions and messages only.
    #[error("{0} records cannot be stored")]
    MetaType(RecordType),
    /// The owner is no domain name.
    #[error("invalid name '{name}': {error}")]
    InvalidName {
        /// The name as it was given.
        name: String,
        /// Why not.
        error: NameError,
    },
    /// The TTL has more than 31 bits.
    #[error("invalid TTL {0}: larger than {TTL_MAX}")]
    InvalidTtl(u32),
    /// There is no value.
    #[error("no value")]
    NoValue,
    /// Values that are none of this type: all that are wrong, by their place in the list.
    #[error("{}", ValueList(.0))]
    InvalidValues(Vec<InvalidValue>),
    /// The values are fine one by one, but together they are not.
    #[error(transparent)]
    Rrset(RrsetError),
}

/// A value that is none of its type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidValue {
    /// Its place in the list, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: RdataError,
}

impl Record {
    /// Turns text into octets; `default_ttl` is for a record without a TTL.
    ///
    /// # Errors
    /// The first of wrong type, name, TTL and values; where values are wrong, all of them.
    pub fn into_rrset(self, default_ttl: u32) -> Result<Rrset, RecordError> {
        let Ok(rtype) = self.rtype.parse::<RecordType>() else {
            return Err(RecordError::InvalidType(self.rtype));
        };
        if rtype.is_meta() {
            return Err(RecordError::MetaType(rtype));
        }
        let owner = match self.name.parse::<Name>() {
            Ok(owner) => owner,
            Err(error) => {
                return Err(RecordError::InvalidName { name: self.name, error });
            }
        };
        let ttl = self.ttl.unwrap_or(default_ttl);
        if ttl > TTL_MAX {
            return Err(RecordError::InvalidTtl(ttl));
        }
        if self.value.is_empty() {
            return Err(RecordError::NoValue);
        }
        let root = Name::root();
        let mut values = Vec::with_capacity(self.value.len());
        let mut invalid = Vec::new();
        for (index, value) in self.value.iter().enumerate() {
            match rdata::from_text(rtype, value, Some(root.as_wire())) {
                Ok(value) => values.push(value),
                Err(error) => invalid.push(InvalidValue { index, error }),
            }
        }
        if !invalid.is_empty() {
            return Err(RecordError::InvalidValues(invalid));
        }
        Rrset::new(owner, rtype, ttl, values).map_err(RecordError::Rrset)
    }

    /// Turns octets into text.
    ///
    /// A TXT or SPF value of a single text that needs no quotes is written without them, as people give it.
    pub fn from_rrset(rrset: &Rrset) -> Self {
        let rtype = rrset.rtype();
        Self {
            name: rrset.owner().to_string(),
            rtype: rtype.to_string(),
            ttl: Some(rrset.ttl()),
            value: rrset.rdatas().map(|value| value_text(rtype, value)).collect(),
        }
    }
}

fn value_text(rtype: RecordType, value: &[u8]) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = rdata::write_text(rtype, value, &mut text);
    if !matches!(rtype, RecordType::TXT | RecordType::SPF) {
        return text;
    }
    let bare = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        // In bare text a quote is one like any other letter, so it needs no backslash and cannot part two texts.
        .filter(|text| !text.contains('"') && !text.starts_with(r"\#"));
    match bare {
        Some(bare) if rdata::from_text(rtype, bare, None).is_ok_and(|back| back == value) => bare.to_owned(),
        _ => text,
    }
}

/// Wrong values in a row, counted from 1 as people do.
struct ValueList<'a>(&'a [InvalidValue]);

impl fmt::Display for ValueList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, InvalidValue { index, error }) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}invalid value {}: {error}", index + 1)?;
        }
        Ok(())
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;

    impl<'de> serde::de::Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value or a list of values, as text")
        }

        fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
            Ok(vec![value.to_owned()])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(value) = values.next_element()? {
                list.push(value);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(OneOrMany)
}
