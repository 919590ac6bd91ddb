//! What each path answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::api::Api;
use crate::auth;
use crate::known::{Known, refuse_unknown};
use crate::listener::Ends;
use crate::metrics::Requests;
use crate::model::{Problem, ProblemKind};
use crate::openapi;
use crate::uri::BASE;
use crate::v1;

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

impl Status for Arc<Api> {
    fn ready(&self) -> Result<(), Vec<String>> {
        self.host().ready()
    }
}

/// Answers `/metrics`, `/health` and `/ready`.
///
/// `/health` is right as long as anything answers at all. `/ready` is 503 with the reasons, one per line, while something is
/// missing; clients elsewhere get the number of them. `/metrics` is the registry, with the requests of this router counted in it.
pub fn router(status: impl Status, mut registry: Registry) -> Router {
    let requests = Requests::register(&mut registry);
    probes(status, registry)
        .fallback(async || (StatusCode::NOT_FOUND, "there are /metrics, /health and /ready\n"))
        .layer(middleware::from_fn_with_state(requests, count))
}

/// Answers the same, and everything under `/api/v1`. What goes wrong there is told as `application/problem+json`.
///
/// All paths but the three and the description of the API need a token; what is refused, and why, is up to the
/// [`Guard`](auth::Guard) of the API. Serve it with a [`Listener`](crate::Listener), which tells where clients are.
pub fn api_router(api: Arc<Api>, mut registry: Registry) -> Router {
    let requests = Requests::register(&mut registry);
    let (routes, description) = v1::routes().split_for_parts();
    let known = Arc::new(Known::of(&description));
    let routes: Router = routes.with_state(api.clone());
    let guard = api.guard().clone();
    probes(api, registry)
        .nest(BASE, routes.merge(openapi::router()))
        .fallback(nowhere)
        .layer(middleware::from_fn(explain_method))
        .layer(middleware::from_fn_with_state(known, refuse_unknown))
        .layer(middleware::from_fn_with_state(guard, auth::guard))
        .layer(middleware::from_fn_with_state(requests, count))
}

fn probes<S: Status>(status: S, registry: Registry) -> Router {
    let state = Arc::new(Shared { status, registry });
    Router::new()
        .route("/health", get(async || "ok\n"))
        .route("/ready", get(ready::<S>))
        .route("/metrics", get(metrics::<S>))
        .with_state(state)
}

struct Shared<S> {
    status: S,
    registry: Registry,
}

async fn ready<S: Status>(State(shared): State<Arc<Shared<S>>>, request: Request) -> Response {
    match shared.status.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reasons) => {
            let mut text = if is_here(&request) {
                reasons.join("\n")
            } else {
                format!("{} missing: /api/v1/status tells what, to admins", reasons.len())
            };
            text.push('\n');
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// The client is on this machine. Others are strangers here, and names of zones and files are not for them.
fn is_here(request: &Request) -> bool {
    let ends = request.extensions().get::<Ends>();
    ends.is_some_and(|ends| ends.address.ip().to_canonical().is_loopback())
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

async fn nowhere(uri: Uri) -> Problem {
    let detail = format!(
        "there is no {}; there are {BASE}/records, {BASE}/zones, {BASE}/changes and more",
        uri.path()
    );
    Problem::new(ProblemKind::NotFound, detail)
}

/// Gives the refusal of a method, which axum makes without a body, its words.
async fn explain_method(method: Method, uri: Uri, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = response.headers().get(header::ALLOW).cloned();
    let mut headers = HeaderMap::new();
    let mut detail = format!("{} cannot be asked with {method}", uri.path());
    if let Some(allowed) = allowed {
        if let Ok(methods) = allowed.to_str() {
            detail.push_str(", only with ");
            detail.push_str(methods);
        }
        headers.insert(header::ALLOW, allowed);
    }
    (headers, Problem::new(ProblemKind::MethodNotAllowed, detail)).into_response()
}

async fn count(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    // Paths that clients make up share one label, so that nobody can grow the registry; names of records and zones stand in
    // it as `{name}` and `{zone}`.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    requests.count(path.as_ref().map_or("other", MatchedPath::as_str), response.status());
    response
}
