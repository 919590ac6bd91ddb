//! What changes, as it happens.

mod feed;
mod stream;
mod view;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::feed::Feed;
pub use self::feed::FeedLimits;
use self::feed::Since;
use self::stream::{Follower, KEEP_ALIVE};
use crate::api::Api;
use crate::auth::Caller;
use crate::extract::Query;
use crate::model::{Problem, ProblemKind};

/// Seconds after which a client that was one too many may try again.
const RETRY_SECONDS: u32 = 15;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// A version, or the id of an event: only what came later is told.
    #[param(example = "42")]
    since: Option<String>,
}

/// Follows changes
///
/// Server-sent events, each with an `id`, one of the names `changed`, `reloaded`, `views` and `reset`, and as `data` an `Event` in
/// JSON. They are about the default view, as all else here; `views` says that others came or went, or have other clients. Without
/// `since` or `Last-Event-ID` the stream begins with what comes next; the first thing sent is the id of where that is. Ids hold for one run of the server. `reset` says that something was missed: read everything anew. Only what the token may
/// read is told.
#[utoipa::path(
    get,
    path = "/events",
    tag = "events",
    operation_id = "followEvents",
    params(
        EventsQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event that was read; goes before `since`."),
    ),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = String),
        (status = 400, description = "`since` or `Last-Event-ID` is neither a version nor an id", content_type = "application/problem+json", body = Problem),
    ),
)]
async fn events(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Query(EventsQuery { since }): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let since = match headers.get("last-event-id").filter(|id| !id.is_empty()) {
        Some(id) => Some(read(id.to_str().unwrap_or_default(), "Last-Event-ID")?),
        None => since.map(|since| read(&since, "since")).transpose()?,
    };
    let seat = api.feed().seat(caller.token_id()).map_err(|full| {
        Problem::new(ProblemKind::TooManyRequests, full.to_string()).retry_after(RETRY_SECONDS)
    })?;
    let follower = Follower::new(api.feed().clone(), seat, caller, since, api.store().version());
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("nothing new");
    let mut response = Sse::new(follower.into_stream()).keep_alive(keep_alive).into_response();
    // Proxies that collect answers before they pass them on would hold events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn read(id: &str, place: &str) -> Result<Since, Problem> {
    id.parse().map_err(|error| Problem::new(ProblemKind::Malformed, format!("{place}: {error}")))
}
