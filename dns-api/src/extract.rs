//! Parts of requests, whose faults become problems.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::api::Api;
use crate::auth::Caller;
use crate::body::{FREE_OCTETS, Room};
use crate::model::object::Object;
use crate::model::{Problem, ProblemKind};

/// Most octets of a body, unless the route says otherwise.
pub(crate) const BODY_OCTETS_MAX: usize = 1 << 20;
/// Mistakes in the shape of a body that are told.
const MISTAKES_MAX: usize = 20;

/// A body of JSON, at most as long as the route allows.
///
/// What is no JSON is 400; JSON of another shape than wanted is 422, with the place of the mistake. Whoever works on it keeps its
/// room meanwhile.
pub(crate) struct Json<T>(pub T, pub Room);

/// Parameters behind `?`; unknown, wrong and repeated ones are 400.
pub(crate) struct Query<T>(pub T);

/// Parameters in the path, with their percent signs resolved; what is no UTF-8 then is 400.
pub(crate) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<Api>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        // Before anything of it is read: all bodies of JSON ask for changes.
        if let Some(caller) = request.extensions().get::<Caller>()
            && !caller.may_write_something()
        {
            return Err(Problem::new(ProblemKind::Forbidden, "the token does not allow changes"));
        }
        if !is_of_type(request.headers(), "application/json") {
            let detail = "the body must be JSON, and Content-Type: application/json must say so";
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
        }
        let received = api.bodies().receive(request).await?;
        let (value, room) = api.bodies().read_out(received, json).await?;
        Ok(Self(value?, room))
    }
}

/// Reads JSON.
///
/// # Errors
/// As [`Json`].
pub(crate) fn json<T: DeserializeOwned>(octets: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(octets);
    let read = serde_path_to_error::deserialize(&mut deserializer);
    match read {
        Ok(Object(value)) => {
            deserializer.end().map_err(|error| malformed(error.to_string()))?;
            Ok(value)
        }
        // Some shapes fail with the words of bad syntax, so only another reading tells one from the other.
        Err(error) => Err(match syntax(octets) {
            Ok(()) => misshapen::<T>(octets, error.to_string()),
            Err(reason) => malformed(reason),
        }),
    }
}

fn malformed(reason: String) -> Problem {
    Problem::new(ProblemKind::Malformed, format!("the body is no JSON: {reason}")).because([reason])
}

/// Whether octets are JSON of whatever shape.
///
/// # Errors
/// Says where they are not.
fn syntax(octets: &[u8]) -> Result<(), String> {
    // What is ignored is not looked at for UTF-8.
    let text = str::from_utf8(octets).map_err(|error| error.to_string())?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    Ok(())
}

/// What is wrong with JSON of another shape than wanted, whose first mistake is known.
fn misshapen<T: DeserializeOwned>(octets: &[u8], first: String) -> Problem {
    let mut reasons = mistakes::<T>(octets);
    if reasons.is_empty() {
        reasons.push(first);
    }
    let detail = match &reasons[..] {
        [reason] => format!("the body is JSON of another shape than wanted: {reason}"),
        _ => format!("the body is JSON of another shape than wanted: {} things are wrong", reasons.len()),
    };
    Problem::new(ProblemKind::Invalid, detail).because(reasons)
}

/// The mistakes in the shape of a small body. Reading ends at the first one, so the field that shows it is taken away, and what
/// is left is read again.
fn mistakes<T: DeserializeOwned>(octets: &[u8]) -> Vec<String> {
    let mut reasons = Vec::new();
    // Each mistake takes as long as the whole body.
    let small = Some(octets).filter(|octets| octets.len() <= FREE_OCTETS);
    let Some(mut value) = small.and_then(|octets| serde_json::from_slice::<Value>(octets).ok()) else {
        return reasons;
    };
    let mut taken: Vec<String> = Vec::new();
    while reasons.len() < MISTAKES_MAX {
        let Err(error) = serde_path_to_error::deserialize::<_, Object<T>>(&value) else { break };
        let place = error.path().to_string();
        let inside = if place == "." { String::new() } else { format!("{place}.") };
        if taken.iter().any(|taken| taken.starts_with(&inside)) {
            // What is wrong with all of an object may be that something was taken away.
            break;
        }
        reasons.push(error.to_string());
        if !take_away(&mut value, error.path()) {
            break;
        }
        taken.push(place);
    }
    reasons
}

/// Takes a field out of its object. What is no field stays, and this is `false`.
fn take_away(value: &mut Value, path: &serde_path_to_error::Path) -> bool {
    let mut segments = path.iter().peekable();
    let mut at = value;
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let next = match segment {
            Segment::Map { key } if is_last => {
                return at.as_object_mut().is_some_and(|object| object.remove(key).is_some());
            }
            Segment::Map { key } | Segment::Enum { variant: key } => at.get_mut(key),
            Segment::Seq { index } => at.get_mut(*index),
            Segment::Unknown => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    false
}

/// The body is said to be of this media type, whatever its parameters.
pub(crate) fn is_of_type(headers: &HeaderMap, essence: &str) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(essence)
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                let reason = rejection.body_text();
                Err(Problem::new(ProblemKind::Malformed, reason.clone()).because([reason]))
            }
        }
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Problem::new(ProblemKind::Malformed, rejection.body_text())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        numbers: Vec<u8>,
    }

    #[test]
    fn json_that_is_none_differs_from_json_of_another_shape() {
        assert_eq!(json::<Shape>(br#"{"numbers":[1,2]}"#), Ok(Shape { numbers: vec![1, 2] }));
        for (text, status, reason) in [
            ("", 400, "EOF while parsing a value"),
            (r#"{"numbers":[1,2}"#, 400, "expected `,` or `]`"),
            (r#"{"numbers":[1]} x"#, 400, "trailing characters"),
            (r#"{"numbers":[1,"2"]}"#, 422, "numbers[1]: invalid type: string \"2\""),
            (r#"{"numbers":[1],"number":1}"#, 422, "number: unknown field `number`"),
            ("[[1]]", 422, "invalid type: sequence, expected an object with named fields"),
            (r#"{"numbers":["2""#, 400, "EOF while parsing a list"),
            (r#"{"numbers":[1e999]}"#, 422, "numbers[0]: number out of range"),
        ] {
            let problem = json::<Shape>(text.as_bytes()).unwrap_err();
            assert_eq!(problem.status, status, "{text}");
            assert!(problem.reasons[0].contains(reason), "{text}: {problem}");
        }
        assert_eq!(json::<Shape>(b"{\"\xff\":1}").unwrap_err().status, 400);
    }
}
