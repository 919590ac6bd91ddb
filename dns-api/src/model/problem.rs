//! Errors, as RFC 9457 writes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was not done: `application/problem+json`
/// ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is, for programs: `urn:problem-type:jw238dns:` and a word such as `exists`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for people.
    pub title: String,
    /// The status code of the answer.
    pub status: u16,
    /// What it is this time.
    pub detail: String,
    /// Each single thing that is wrong, with its place where there is one: `changes[3].record.value[0]: …`.
    pub reasons: Vec<String>,
    /// What somebody should look at besides; missing if there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Seconds after which trying again may help; sent as the header `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u32>,
}

/// Kinds of problems.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ProblemKind {
    /// The request cannot be read: malformed JSON, a parameter that makes no sense. 400.
    Malformed,
    /// There is no token, or it is not valid. 401.
    Unauthorized,
    /// The token does not allow this. 403.
    Forbidden,
    /// A page of another site may have made a browser send it. 403.
    CrossSite,
    /// There is no such thing; what may not be seen is [`Forbidden`](Self::Forbidden). 404.
    NotFound,
    /// The path has no such method. 405.
    MethodNotAllowed,
    /// There is such a thing already. 409.
    Exists,
    /// It belongs to another source. 409.
    Foreign,
    /// Nothing would work without it. 409.
    Needed,
    /// It has changed since, and can no longer be undone. 409.
    ChangedSince,
    /// A precondition does not hold. 412.
    PreconditionFailed,
    /// The body has too many octets. 413.
    TooLarge,
    /// The body is not of the type that is wanted. 415.
    UnsupportedMediaType,
    /// The request can be read, and what it asks for cannot be. 422.
    Invalid,
    /// The client, or all of them together, ask too much. 429.
    TooManyRequests,
    /// Something broke in the server. 500.
    Internal,
    /// The change could not be kept safe, so it was not made. 503.
    NotDurable,
    /// Not possible right now. 503.
    Unavailable,
}

/// What the words of all kinds begin with.
const PREFIX: &str = "urn:problem-type:jw238dns:";

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Malformed,
        Self::Unauthorized,
        Self::Forbidden,
        Self::CrossSite,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Exists,
        Self::Foreign,
        Self::Needed,
        Self::ChangedSince,
        Self::PreconditionFailed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::TooManyRequests,
        Self::Internal,
        Self::NotDurable,
        Self::Unavailable,
    ];

    /// The word for it, its title, and its status code.
    const fn parts(self) -> (&'static str, &'static str, u16) {
        match self {
            Self::Malformed => ("malformed", "The request cannot be read", 400),
            Self::Unauthorized => ("unauthorized", "A valid token is needed", 401),
            Self::Forbidden => ("forbidden", "The token does not allow this", 403),
            Self::CrossSite => ("cross-site", "A page of another site may have sent the request", 403),
            Self::NotFound => ("not-found", "There is no such thing", 404),
            Self::MethodNotAllowed => ("method-not-allowed", "The path has no such method", 405),
            Self::Exists => ("exists", "It exists already", 409),
            Self::Foreign => ("foreign", "It belongs to another source", 409),
            Self::Needed => ("needed", "Nothing would work without it", 409),
            Self::ChangedSince => ("changed-since", "It has changed since", 409),
            Self::PreconditionFailed => ("precondition-failed", "A precondition does not hold", 412),
            Self::TooLarge => ("too-large", "The body is too large", 413),
            Self::UnsupportedMediaType => ("unsupported-media-type", "The body is of another type", 415),
            Self::Invalid => ("invalid", "The request makes no sense", 422),
            Self::TooManyRequests => ("too-many-requests", "Too much is asked at once", 429),
            Self::Internal => ("internal", "Something broke in the server", 500),
            Self::NotDurable => ("not-durable", "The change could not be kept safe", 503),
            Self::Unavailable => ("unavailable", "Not possible right now", 503),
        }
    }

    /// The status code that goes with it.
    pub fn status(self) -> u16 {
        self.parts().2
    }
}

impl Problem {
    /// A problem of one reason, or of none that needs listing.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (word, title, status) = kind.parts();
        Self {
            kind: format!("{PREFIX}{word}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            retry_after: None,
        }
    }

    /// With everything that is wrong.
    #[must_use]
    pub fn because(mut self, reasons: impl IntoIterator<Item = String>) -> Self {
        self.reasons.extend(reasons);
        self
    }

    /// With the time after which trying again may help, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Which of the known kinds it is.
    pub fn known_kind(&self) -> Option<ProblemKind> {
        let word = self.kind.strip_prefix(PREFIX)?;
        ProblemKind::ALL.into_iter().find(|kind| kind.parts().0 == word)
    }
}

/// What is wrong; what there is to be warned of besides is not in it.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        // What is told of a single reason is often in the detail, too.
        for reason in self.reasons.iter().filter(|reason| !self.detail.contains(reason.as_str())) {
            write!(f, "; {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_their_words() {
        for kind in ProblemKind::ALL {
            let problem = Problem::new(kind, "so it is");
            assert_eq!(problem.known_kind(), Some(kind));
            let text = serde_json::to_string(&problem).unwrap();
            assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
        }
    }

    #[test]
    fn every_reason_is_told_once() {
        let told = |detail: &str, reasons: &[&str]| {
            Problem::new(ProblemKind::Invalid, detail)
                .because(reasons.iter().map(ToString::to_string))
                .to_string()
        };
        assert_eq!(told("the disk is full", &["the disk is full"]), "the disk is full");
        assert_eq!(told("no JSON: it ends too early", &["it ends too early"]), "no JSON: it ends too early");
        assert_eq!(told("2 things are wrong", &["this", "that"]), "2 things are wrong; this; that");
    }
}
