//! What each path answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::metrics::Requests;

/// What `/metrics` is: OpenMetrics, which Prometheus asks for and every older scraper reads.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the probes ask the server.
pub trait Status: Send + Sync + 'static {
    /// Everything that should be served is served.
    ///
    /// # Errors
    /// Says what is missing, one sentence each: every zone that failed to load, by name.
    fn ready(&self) -> Result<(), Vec<String>>;
}

/// Answers `/metrics`, `/health` and `/ready`.
///
/// `/health` is right as long as anything answers at all. `/ready` is 503 with the reasons, one per line, while something is
/// missing. `/metrics` is the registry, with the requests of this router counted in it.
pub fn router(status: impl Status, mut registry: Registry) -> Router {
    let requests = Requests::register(&mut registry);
    let state = Arc::new(Shared { status, registry });
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(state)
        .fallback(async || (StatusCode::NOT_FOUND, "there are /metrics, /health and /ready\n"))
        .layer(middleware::from_fn_with_state(requests, count))
}

struct Shared<S> {
    status: S,
    registry: Registry,
}

async fn ready<S: Status>(State(shared): State<Arc<Shared<S>>>) -> Response {
    match shared.status.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reasons) => {
            let mut text = reasons.join("\n");
            text.push('\n');
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn metrics<S: Status>(State(shared): State<Arc<Shared<S>>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &shared.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        // Only a collector can fail here: writing to a string does not.
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "a collector failed\n").into_response()
        }
    }
}

async fn count(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    // Paths that clients make up share one label, so that nobody can grow the registry.
    let path = match request.uri().path() {
        "/health" => "/health",
        "/ready" => "/ready",
        "/metrics" => "/metrics",
        _ => "other",
    };
    let response = next.run(request).await;
    requests.count(path, response.status());
    response
}
