//! How the server is doing.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::Caller;
use crate::model::{Contents, Problem, Status};
use crate::v1::write::reading;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(status))
}

/// Says how the server is doing
///
/// Every token may ask. What tells of all zones, and of the machine, is shown to admin tokens only and null for others.
#[utoipa::path(
    get,
    path = "/status",
    tag = "server",
    operation_id = "readStatus",
    responses((status = 200, description = "How it is doing", body = Status)),
)]
async fn status(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Status>, Problem> {
    let status = api.host().status();
    let store = api.store();
    let uptime = SystemTime::now().duration_since(status.started.to_system_time()).unwrap_or_default();
    let mut answer = Status {
        software: status.software.clone(),
        started: status.started,
        uptime_seconds: uptime.as_secs(),
        version: store.version(),
        durable: store.is_durable(),
        writable: store.can_keep(),
        ready: status.missing.is_empty(),
        contents: None,
    };
    if caller.is_admin() {
        let store = store.clone();
        let count = move || {
            let zones = store.zones();
            (zones.len(), zones.iter().map(|zone| zone.records).sum())
        };
        let (zones, records) = reading(&api, count).await?;
        answer.contents = Some(Contents {
            zones,
            records,
            listeners: status.listeners,
            journal: status.journal,
            journal_failures: api.store().journal_failures(),
            missing: status.missing,
        });
    }
    Ok(Json(answer))
}
