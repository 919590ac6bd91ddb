//! Problems as answers.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dns_store::StoreError;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::faults::unique;
use crate::model::{Problem, ProblemKind};

/// Seconds after which a client may try again when the disk has failed it, or others take all the room.
pub(crate) const RETRY_AFTER: u32 = 5;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Strings and numbers can always be written.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::NotFound(_) => ProblemKind::NotFound,
            StoreError::Exists(_) => ProblemKind::Exists,
            StoreError::Foreign(_) => ProblemKind::Foreign,
            StoreError::VersionMismatch { .. } | StoreError::Precondition(_) => {
                ProblemKind::PreconditionFailed
            }
            StoreError::Invalid(_) | StoreError::ReloadFailed { .. } => ProblemKind::Invalid,
            StoreError::NotDurable(_) => ProblemKind::NotDurable,
            // The variants that the store may get some day are no fault of the client.
            _ => ProblemKind::Internal,
        };
        let mut reasons = unique(error.reasons().iter().map(ToString::to_string).collect());
        let detail = match (&reasons[..], kind) {
            ([], _) => error.to_string(),
            ([reason], _) => reason.clone(),
            (_, ProblemKind::PreconditionFailed) => format!("{} preconditions do not hold", reasons.len()),
            (_, ProblemKind::Foreign) => format!("{} of the records cannot be deleted here", reasons.len()),
            _ => "the records cannot be served as they are".to_owned(),
        };
        if reasons.is_empty() && kind == ProblemKind::PreconditionFailed {
            reasons.push(detail.clone());
        }
        let problem = Self::new(kind, detail).because(reasons);
        if kind == ProblemKind::NotDurable { problem.retry_after(RETRY_AFTER) } else { problem }
    }
}

/// For the descriptions of handlers: how reading may fail.
pub(crate) struct ReadProblems;

/// For the descriptions of handlers: how writing may fail.
pub(crate) struct WriteProblems;

const READ: &[(&str, &str)] = &[
    ("400", "The request cannot be read"),
    ("401", "There is no valid token"),
    ("403", "The token does not allow this"),
    ("404", "There is no such thing"),
    ("429", "Too much is asked at once"),
];

const WRITE: &[(&str, &str)] = &[
    ("409", "It exists already, belongs to another source, or has changed since"),
    ("412", "A precondition does not hold"),
    ("413", "The body is too large"),
    ("415", "The body is of another type than wanted"),
    ("422", "The request can be read, and makes no sense; all reasons are listed"),
    ("503", "The change could not be kept safe, so it was not made"),
];

fn described(statuses: &[(&str, &str)]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let response = |description: &str| {
        let schema = Ref::from_schema_name(Problem::name());
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new().description(description).content("application/problem+json", content).build()
    };
    statuses.iter().map(|(status, text)| ((*status).to_owned(), response(text).into())).collect()
}

impl IntoResponses for ReadProblems {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        described(READ)
    }
}

impl IntoResponses for WriteProblems {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut responses = described(READ);
        responses.extend(described(WRITE));
        responses
    }
}
