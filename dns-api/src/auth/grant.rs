//! What a token allows.

use dns_core::{Name, RecordType};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::pattern::{NamePattern, PatternError};

/// What may be done; each level includes those before it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// See records, zones, their history and events.
    Read,
    /// Change them as well.
    Write,
    /// Everything: tokens, backups, reloads, the status of the server.
    Admin,
}

impl Access {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// One thing that a token allows: this access, within these limits. What no grant of a token allows is refused.
///
/// All limits must fit at once; a limit that is not given does not limit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "GrantSpec", into = "GrantSpec")]
pub struct Grant {
    access: Access,
    zones: Vec<Name>,
    names: Vec<NamePattern>,
    types: Vec<RecordType>,
}

/// A grant as text.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Grant)]
#[serde(deny_unknown_fields)]
pub struct GrantSpec {
    /// What may be done; each level includes those before it.
    pub access: Access,
    /// Names at or below one of these; all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["example.org."]), max_items = 100)]
    pub zones: Vec<String>,
    /// Names that fit one of these patterns; all if there are none. A label `*` at either end of a pattern stands for one label
    /// or more, one between others for exactly one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["_acme-challenge.*"]), max_items = 100)]
    pub names: Vec<String>,
    /// Records of these types; all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["TXT"]), max_items = 100)]
    pub types: Vec<String>,
}

/// Why a grant is none.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum GrantError {
    /// A zone that is no name.
    #[error("zones: '{text}' is not a name: {source}")]
    Zone {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        source: dns_core::NameError,
    },
    /// A pattern that is none.
    #[error("names: {pattern}: {}", pattern.source)]
    Name {
        /// What is wrong with it.
        pattern: PatternError,
    },
    /// A type that nobody knows, or that no record has: ANY stands for all types where it is asked for, and so in the scope of
    /// a grant it would allow more than it says.
    #[error("types: '{0}' is not a type of records such as TXT or TYPE65280")]
    Type(String),
    /// Longer than anybody needs, and asked for every record.
    #[error("{field}: at most {} are allowed", Grant::LIMITS_MAX)]
    TooMany {
        /// `zones`, `names` or `types`.
        field: &'static str,
    },
    /// Who may make tokens can give themselves everything, so limits would promise what they cannot hold.
    #[error("access 'admin' cannot be limited to zones, names or types")]
    LimitedAdmin,
}

impl Grant {
    /// Most entries in each of the lists of a grant.
    pub const LIMITS_MAX: usize = 100;

    /// Reads a grant.
    ///
    /// # Errors
    /// What is wrong with it first, and what else is.
    pub(crate) fn read(spec: GrantSpec) -> Result<Self, (GrantError, Vec<GrantError>)> {
        let GrantSpec { access, zones, names, types } = spec;
        let mut faults = Vec::new();
        if access == Access::Admin && !(zones.is_empty() && names.is_empty() && types.is_empty()) {
            faults.push(GrantError::LimitedAdmin);
        }
        let zone = |text: String| text.parse().map_err(|source| GrantError::Zone { text, source });
        let name = |text: String| text.parse().map_err(|pattern| GrantError::Name { pattern });
        let rtype = |text: String| match text.parse::<RecordType>() {
            Ok(rtype) if !rtype.is_meta() => Ok(rtype),
            _ => Err(GrantError::Type(text)),
        };
        let grant = Self {
            access,
            zones: read_each("zones", zones, zone, &mut faults),
            names: read_each("names", names, name, &mut faults),
            types: read_each("types", types, rtype, &mut faults),
        };
        let mut faults = faults.into_iter();
        faults.next().map_or(Ok(grant), |first| Err((first, faults.collect())))
    }

    /// A grant without limits.
    pub fn unlimited(access: Access) -> Self {
        Self { access, zones: Vec::new(), names: Vec::new(), types: Vec::new() }
    }

    /// What may be done.
    pub fn access(&self) -> Access {
        self.access
    }

    /// It is for all names and types.
    pub fn is_unlimited(&self) -> bool {
        self.zones.is_empty() && self.names.is_empty() && self.types.is_empty()
    }

    /// It allows this access to records of this name and type.
    pub fn allows(&self, access: Access, owner: &Name, rtype: RecordType) -> bool {
        self.access >= access
            && (self.types.is_empty() || self.types.contains(&rtype))
            && (self.zones.is_empty() || self.zones.iter().any(|zone| owner.is_at_or_below(zone)))
            && (self.names.is_empty() || self.names.iter().any(|pattern| pattern.fits(owner)))
    }

    /// It allows this access to records of this name, if only of some types.
    pub fn allows_some_at(&self, access: Access, owner: &Name) -> bool {
        let any = self.types.first().copied().unwrap_or(RecordType::ANY);
        self.allows(access, owner, any)
    }

    /// It allows this access to everything at `apex` and below it. Limits to names or types always leave something out, even
    /// where together they would not.
    pub fn allows_all_below(&self, access: Access, apex: &Name) -> bool {
        self.access >= access
            && self.types.is_empty()
            && self.names.is_empty()
            && (self.zones.is_empty() || self.zones.iter().any(|zone| apex.is_at_or_below(zone)))
    }

    /// It allows this access to something that may stand at `apex` or below it.
    pub fn allows_some_below(&self, access: Access, apex: &Name) -> bool {
        // Where a zone of the grant and the apex overlap, the deeper of both is all that they share.
        let named =
            |top: &Name| self.names.is_empty() || self.names.iter().any(|name| name.reaches_below(top));
        self.access >= access
            && if self.zones.is_empty() {
                named(apex)
            } else {
                self.zones.iter().any(|zone| {
                    (zone.is_at_or_below(apex) && named(zone)) || (apex.is_at_or_below(zone) && named(apex))
                })
            }
    }
}

/// Reads the entries of a list, or notes what is wrong with them.
fn read_each<T>(
    field: &'static str,
    texts: Vec<String>,
    read: impl Fn(String) -> Result<T, GrantError>,
    faults: &mut Vec<GrantError>,
) -> Vec<T> {
    if texts.len() > Grant::LIMITS_MAX {
        faults.push(GrantError::TooMany { field });
        return Vec::new();
    }
    texts.into_iter().filter_map(|text| read(text).map_err(|fault| faults.push(fault)).ok()).collect()
}

impl TryFrom<GrantSpec> for Grant {
    type Error = GrantError;

    fn try_from(spec: GrantSpec) -> Result<Self, GrantError> {
        Self::read(spec).map_err(|(first, _)| first)
    }
}

impl From<Grant> for GrantSpec {
    fn from(grant: Grant) -> Self {
        Self {
            access: grant.access,
            zones: grant.zones.iter().map(ToString::to_string).collect(),
            names: grant.names.iter().map(ToString::to_string).collect(),
            types: grant.types.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(json: &str) -> Grant {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn text_and_grant_agree() {
        let text = r#"{"access":"write","zones":["Example.ORG"],"names":["_acme-challenge.*"],"types":["txt","TYPE65280"]}"#;
        let canonical = r#"{"access":"write","zones":["example.org."],"names":["_acme-challenge.*."],"types":["TXT","TYPE65280"]}"#;
        assert_eq!(serde_json::to_string(&grant(text)).unwrap(), canonical);
        assert_eq!(grant(canonical), grant(text));
        assert_eq!(serde_json::to_string(&Grant::unlimited(Access::Admin)).unwrap(), r#"{"access":"admin"}"#);
    }

    #[test]
    fn mistakes_are_named() {
        for (json, reason) in [
            (r#"{"access":"write","zones":["a..b"]}"#, "zones: 'a..b' is not a name: empty label"),
            (r#"{"access":"read","names":["a..*"]}"#, "names: 'a..*' is not a pattern of names: empty label"),
            (
                r#"{"access":"read","types":["TEXT"]}"#,
                "types: 'TEXT' is not a type of records such as TXT or TYPE65280",
            ),
            (
                r#"{"access":"admin","types":["A"]}"#,
                "access 'admin' cannot be limited to zones, names or types",
            ),
            (r#"{"access":"root"}"#, "unknown variant `root`"),
            (r#"{"access":"read","zone":[]}"#, "unknown field `zone`"),
            (r"{}", "missing field `access`"),
        ] {
            let error = serde_json::from_str::<Grant>(json).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}: {reason}");
        }
        let many = GrantSpec {
            access: Access::Read,
            zones: Vec::new(),
            names: vec!["a".to_owned(); Grant::LIMITS_MAX + 1],
            types: Vec::new(),
        };
        assert_eq!(Grant::try_from(many), Err(GrantError::TooMany { field: "names" }));
    }

    #[test]
    fn zones_are_seen_in_part_or_as_a_whole() {
        for (json, apex, some, all) in [
            (r#"{"access":"read"}"#, "example.org", true, true),
            (r#"{"access":"read","zones":["example.org"]}"#, "example.org", true, true),
            (r#"{"access":"read","zones":["example.org"]}"#, "a.example.org", true, true),
            (r#"{"access":"read","zones":["example.org"]}"#, "org", true, false),
            (r#"{"access":"read","zones":["example.org"]}"#, "example.com", false, false),
            (r#"{"access":"read","types":["TXT"]}"#, "example.org", true, false),
            (r#"{"access":"read","names":["*"]}"#, "example.org", true, false),
            (r#"{"access":"read","zones":["a.example.org"],"names":["www.*"]}"#, "example.org", true, false),
            (
                r#"{"access":"read","zones":["a.example.org"],"names":["www.b.example.org"]}"#,
                "example.org",
                false,
                false,
            ),
            (
                r#"{"access":"read","zones":["example.org"],"names":["www.b.example.org"]}"#,
                "b.example.org",
                true,
                false,
            ),
        ] {
            let (grant, apex) = (grant(json), apex.parse().unwrap());
            assert_eq!(grant.allows_some_below(Access::Read, &apex), some, "some of {apex} by {json}");
            assert_eq!(grant.allows_all_below(Access::Read, &apex), all, "all of {apex} by {json}");
            assert!(
                !grant.allows_some_below(Access::Write, &apex)
                    && !grant.allows_all_below(Access::Write, &apex)
            );
        }
    }
}
