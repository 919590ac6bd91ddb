//! What looks wrong with a zone.

use std::sync::Arc;

use axum::extract::State;
use dns_core::zonecheck;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::Caller;
use crate::convert;
use crate::extract::Path;
use crate::model::{Checked, Finding, Problem, Severity};
use crate::problem::ReadProblems;
use crate::v1::write::reading;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(check))
}

/// Looks for what somebody should look at
///
/// Forgotten dots, targets that do not exist, records that nobody will ever get: what can be served, and is not meant.
#[utoipa::path(
    get, path = "/zones/{zone}/check", tag = "zones", operation_id = "checkZone",
    params(("zone" = String, Path, description = "Its apex; the dot at its end may be missing")),
    responses((status = 200, description = "What was found", body = Checked), ReadProblems),
)]
async fn check(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(zone): Path<String>,
) -> Result<axum::Json<Checked>, Problem> {
    let apex = convert::name_parameter(&zone, "zone")?;
    let info = super::visible(&api, &caller, &apex)?;
    if let Some(why) = info.failed {
        let message = format!("{apex} is not served: {why}");
        let finding = Finding { severity: Severity::Warning, name: apex.to_string(), rtype: None, message };
        return Ok(axum::Json(Checked {
            findings: vec![finding],
            omitted: 0,
            version: api.store().version(),
        }));
    }
    let catalog = api.store().snapshot();
    let view = api.store().view_name().to_owned();
    let checked = reading(&api, move || {
        let entry = catalog.view(&view).and_then(|view| view.zone(&apex));
        let report = entry.and_then(|entry| entry.zone()).map(zonecheck::check).unwrap_or_default();
        let derived = entry.filter(|entry| entry.derived).map(|entry| &entry.apex);
        let findings = convert::findings(&report.findings, derived, &caller);
        // How much more there is concerns only those who may see all of it.
        let omitted = if caller.may_read_all() { report.omitted } else { 0 };
        Checked { findings, omitted, version: catalog.version() }
    });
    Ok(axum::Json(checked.await?))
}
