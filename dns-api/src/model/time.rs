//! Points in time.

use std::borrow::Cow;
use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// A point in time as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339#section-5.6) writes it, in UTC: `2026-11-21T12:00:00.25Z`.
/// Other offsets are read, too.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The same time for the system; that of the epoch if it has no room for it.
    pub fn to_system_time(self) -> SystemTime {
        SystemTime::from(self.0)
    }
}

impl From<SystemTime> for Timestamp {
    /// Times beyond the years -9999 to 9999 become the nearest of these.
    fn from(time: SystemTime) -> Self {
        let beyond = || {
            if time < SystemTime::UNIX_EPOCH { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX }
        };
        Self(jiff::Timestamp::try_from(time).unwrap_or_else(|_| beyond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let wrong = |error| serde::de::Error::custom(format_args!("'{text}' is no time: {error}"));
        text.parse().map(Self).map_err(wrong)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_in_utc_and_read_back() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(951_782_400_250);
        let text = serde_json::to_string(&Timestamp::from(time)).unwrap();
        assert_eq!(text, "\"2000-02-29T00:00:00.25Z\"");
        let back: Timestamp = serde_json::from_str("\"2000-02-29T02:00:00.250+02:00\"").unwrap();
        assert_eq!(back.to_system_time(), time);
        let error = serde_json::from_str::<Timestamp>("\"yesterday\"").unwrap_err().to_string();
        assert!(error.starts_with("'yesterday' is no time: "), "{error}");
    }
}
