//! Reading configuration and files anew.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::Caller;
use crate::model::{Problem, ProblemKind, Reloaded};

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(reload))
}

/// Reads configuration and files anew
///
/// What is wrong stays as it was; the rest is taken over.
#[utoipa::path(
    post,
    path = "/reload",
    tag = "server",
    operation_id = "reload",
    responses(
        (status = 200, description = "Everything was read; what has changed is served", body = Reloaded),
        (status = 422, description = "Something was not taken over, and stays as it was: all reasons and warnings are listed", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn reload(State(api): State<Arc<Api>>, caller: Caller) -> Result<Json<Reloaded>, Problem> {
    if !caller.is_admin() {
        return Err(Problem::new(ProblemKind::Forbidden, "only admin tokens may reload the server"));
    }
    tracing::info!(author = %caller.author(), "reload asked for through the API");
    let reloaded = api.host().reload().await;
    if reloaded.problems.is_empty() {
        return Ok(Json(reloaded));
    }
    let taken = reloaded.loaded.len() + reloaded.dropped.len();
    let detail = format!("{taken} changes were taken over; what has problems stays as it was");
    let problem = Problem::new(ProblemKind::Invalid, detail).because(reloaded.problems);
    Err(Problem { warnings: reloaded.warnings, ..problem })
}
