//! Changes undone.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use dns_core::{Name, RecordType};
use dns_store::{Entry, SourceKind, StoreError, Write};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{RECORDS_SHOWN, hidden, history};
use crate::api::Api;
use crate::auth::Caller;
use crate::convert;
use crate::extract::{Path, Query};
use crate::model::{ChangeSetAnswer, Problem, ProblemKind};
use crate::problem::WriteProblems;
use crate::v1::write::{self, WriteError, forbidden};
use crate::v1::zones::DryRunQuery;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(revert))
}

/// Undoes a change
///
/// By another change, so that this can be undone as well. What the first one has changed must still be as it has left it.
#[utoipa::path(
    post, path = "/changes/{version}/revert", tag = "changes", operation_id = "revertChange",
    params(("version" = u64, Path, description = "Version of the catalog that has it"), DryRunQuery),
    responses((status = 200, description = "What was changed, or would be", body = ChangeSetAnswer), WriteProblems),
)]
async fn revert(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(version): Path<u64>,
    Query(query): Query<DryRunQuery>,
) -> Result<Response, Problem> {
    let by = caller.clone();
    history::look_at(&api, version, move |entry| check_scope(&by, entry)).await??;
    let write = Write::Revert { version };
    if query.dry_run {
        let plan = write::plan(&api, write, Vec::new()).await.map_err(failed)?;
        return write::planned(plan, &api, &caller, RECORDS_SHOWN, |answer| answer).await;
    }
    let author = format!("{}: revert of {version}", caller.author()).into();
    let made = write::make(&api, author, write, Vec::new()).await.map_err(failed)?;
    made.answer(&api, &caller, RECORDS_SHOWN, |answer| (StatusCode::OK, answer)).await
}

/// All of it must be the caller's to write.
fn check_scope(caller: &Caller, entry: &Entry) -> Result<(), Problem> {
    if convert::history_entry(entry, caller, 0).is_none() {
        return Err(hidden(entry.version));
    }
    if entry.source.kind() != SourceKind::Api {
        let detail = format!("the change comes from {} and can only be undone there", entry.source);
        return Err(Problem::new(ProblemKind::Foreign, detail));
    }
    let may_zones = entry.zones.iter().all(|change| caller.may_write_zone(&change.apex));
    let may_records = |(owner, rtype): (&Name, RecordType)| caller.may_write(owner, rtype);
    if may_zones && entry.records.iter().map(|change| (&change.owner, change.rtype)).all(may_records) {
        return Ok(());
    }
    Err(forbidden(format!(
        "the token does not allow all that change {} has changed to be changed",
        entry.version
    )))
}

/// What has changed since is no condition that the client has named.
fn failed(error: WriteError) -> Problem {
    let is_changed = matches!(error, WriteError::Store(StoreError::Precondition(_)));
    let problem = Problem::from(error);
    if !is_changed {
        return problem;
    }
    let detail = match problem.reasons.len() {
        0 | 1 => problem.detail,
        count => format!("{count} things have changed since"),
    };
    Problem::new(ProblemKind::ChangedSince, detail).because(problem.reasons)
}
