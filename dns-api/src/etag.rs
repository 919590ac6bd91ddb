//! Conditions on versions ([RFC 9110, section 13](https://www.rfc-editor.org/rfc/rfc9110#section-13)).

use axum::extract::FromRequestParts;
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::model::{Problem, ProblemKind};

/// A version as an entity tag.
pub(crate) fn of_version(version: u64) -> HeaderValue {
    // Digits between quotes are always a value.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// What `If-Match` and `If-None-Match` ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Conditions {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
}

/// The value of one of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Tags {
    /// `*`: whatever there is.
    Any,
    /// One of these.
    OneOf(Vec<Tag>),
}

/// An entity tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tag {
    is_weak: bool,
    /// What stands between the quotes.
    opaque: Vec<u8>,
}

impl Tags {
    /// The version is one of these, and the tag is not a weak one: writes need to know exactly what they replace.
    pub fn match_strongly(&self, version: u64) -> bool {
        self.find(version, |tag| !tag.is_weak)
    }

    /// The version is one of these.
    pub fn match_weakly(&self, version: u64) -> bool {
        self.find(version, |_| true)
    }

    fn find(&self, version: u64, admits: impl Fn(&Tag) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => {
                let version = version.to_string();
                tags.iter().any(|tag| admits(tag) && tag.opaque == version.as_bytes())
            }
        }
    }
}

impl Conditions {
    /// The answer to one who has this version already.
    pub fn not_modified(&self, version: u64) -> Option<Response> {
        let tags = self.if_none_match.as_ref()?;
        let headers = [(header::ETAG, of_version(version))];
        tags.match_weakly(version).then(|| (StatusCode::NOT_MODIFIED, headers).into_response())
    }

    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let tags = |name: HeaderName| -> Result<Option<Tags>, Problem> {
            let mut lines = headers.get_all(&name).iter().map(HeaderValue::as_bytes).peekable();
            if lines.peek().is_none() {
                return Ok(None);
            }
            let all = lines.collect::<Vec<_>>().join(&b',');
            let wrong = || {
                let detail = format!("{name} is neither * nor a list of entity tags in quotes");
                Problem::new(ProblemKind::Malformed, detail)
            };
            parse(&all).map(Some).ok_or_else(wrong)
        };
        Ok(Self { if_match: tags(header::IF_MATCH)?, if_none_match: tags(header::IF_NONE_MATCH)? })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

/// Reads the value of a header.
pub(crate) fn parse(value: &[u8]) -> Option<Tags> {
    if value.trim_ascii() == b"*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    let mut rest = value;
    loop {
        // Lists may have empty places (RFC 9110, section 5.6.1.2).
        rest = rest.trim_ascii_start();
        while let Some(behind) = rest.strip_prefix(b",") {
            rest = behind.trim_ascii_start();
        }
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(Tags::OneOf(tags));
        }
        let is_weak = rest.starts_with(b"W/");
        rest = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = rest.iter().position(|&octet| octet == b'"')?;
        let (opaque, behind) = rest.split_at(end);
        if opaque.iter().any(|&octet| octet <= b' ' || octet == 0x7f) {
            return None;
        }
        tags.push(Tag { is_weak, opaque: opaque.to_vec() });
        rest = behind[1..].trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_are_read() {
        for (value, strong, weak) in [
            (&b"*"[..], true, true),
            (b"\"7\"", true, true),
            (b"W/\"7\"", false, true),
            (b" \"6\" ,, W/\"x,y\",\"7\"", true, true),
            (b"\"07\"", false, false),
            (b"\"\"", false, false),
        ] {
            let tags = parse(value).unwrap();
            assert_eq!((tags.match_strongly(7), tags.match_weakly(7)), (strong, weak), "{tags:?}");
        }
        for wrong in [&b""[..], b",", b"7", b"\"7", b"\"7\" \"8\"", b"w/\"7\"", b"*, \"7\"", b"\"a b\""] {
            assert_eq!(parse(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_MATCH, "\"1\"".parse().unwrap());
        headers.append(header::IF_MATCH, "\"2\"".parse().unwrap());
        let conditions = Conditions::read(&headers).unwrap();
        let tags = conditions.if_match.unwrap();
        assert!(tags.match_strongly(1) && tags.match_strongly(2) && !tags.match_strongly(3));
        assert_eq!(conditions.if_none_match, None);
    }
}
