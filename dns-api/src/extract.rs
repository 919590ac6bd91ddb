//! Parts of requests, whose faults become problems.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::api::Api;
use crate::auth::Caller;
use crate::body::Room;
use crate::model::{Problem, ProblemKind};

/// Most octets of a body, unless the route says otherwise.
pub(crate) const BODY_OCTETS_MAX: usize = 1 << 20;

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
    let problem = |error: &serde_json::Error, reason: String| {
        let (kind, detail) = match error.classify() {
            Category::Data => (ProblemKind::Invalid, "the body is JSON of another shape than wanted"),
            _ => (ProblemKind::Malformed, "the body is no JSON"),
        };
        Problem::new(kind, format!("{detail}: {reason}")).because([reason])
    };
    let value = read.map_err(|error| problem(error.inner(), error.to_string()))?;
    deserializer.end().map_err(|error| problem(&error, error.to_string()))?;
    Ok(value)
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
            Err(rejection) => Err(Problem::new(ProblemKind::Malformed, rejection.body_text())),
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
            ("[]", 422, "invalid length 0"),
        ] {
            let problem = json::<Shape>(text.as_bytes()).unwrap_err();
            assert_eq!(problem.status, status, "{text}");
            assert!(problem.reasons[0].contains(reason), "{text}: {problem}");
        }
    }
}
