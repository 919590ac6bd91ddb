//! Problems as answers.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dns_store::StoreError;

use crate::model::{Problem, ProblemKind};

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
            // The variants that the store may get some day are no fault of the client.
            _ => ProblemKind::Internal,
        };
        let detail = match error.reasons() {
            [_, _, ..] => "the records cannot be served as they are".to_owned(),
            _ => error.to_string(),
        };
        Self::new(kind, detail).because(error.reasons().iter().map(ToString::to_string))
    }
}
