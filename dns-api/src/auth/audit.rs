//! Who has tried to change what, as log entries of the target `audit`.

use std::sync::Arc;

use axum::extract::MatchedPath;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;

use super::caller::Caller;
use crate::v1::write::ChangedIn;

/// A request that may change something, from when it is let in until its answer is known.
///
/// One entry is written for each, also where the client goes away before the answer: the change may have been made by then.
/// Secrets stand in headers only, and of these nothing is written.
pub(crate) struct Attempt {
    author: Arc<str>,
    method: Method,
    /// With parameters as `{name}`.
    route: Option<MatchedPath>,
    path: String,
    is_done: bool,
}

impl Attempt {
    /// Begins to watch a request.
    pub(crate) fn new<B>(caller: &Caller, request: &Request<B>) -> Self {
        Self {
            author: caller.author(),
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            path: request.uri().path().to_owned(),
            is_done: false,
        }
    }

    /// Writes the entry. Attempts to read are written only if they were denied.
    pub(crate) fn done(mut self, response: &Response) {
        self.is_done = true;
        let status = response.status();
        if status == StatusCode::FORBIDDEN {
            tracing::warn!(
                target: "audit", author = %self.author, method = %self.method, route = self.route(), path = self.path,
                status = status.as_u16(), "denied"
            );
        } else if !self.is_safe() {
            let outcome = if status.is_success() { "change" } else { "change failed" };
            tracing::info!(
                target: "audit", author = %self.author, method = %self.method, route = self.route(), path = self.path,
                status = status.as_u16(), version = version(response), "{outcome}"
            );
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("", MatchedPath::as_str)
    }

    fn is_safe(&self) -> bool {
        self.method.is_safe()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_done && !self.is_safe() {
            tracing::info!(
                target: "audit", author = %self.author, method = %self.method, route = self.route(), path = self.path,
                "client left before the answer to a change"
            );
        }
    }
}

/// The version that a change has led to.
fn version(response: &Response) -> Option<u64> {
    response.extensions().get::<ChangedIn>().map(|changed| changed.0)
}
