//! Zones: made, deleted, exported, imported and checked.

mod check;
mod export;
mod import;
mod shell;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use dns_core::{Name, RecordType, View};
use dns_store::{Source, Store, Write, ZoneInfo};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cursor;
use super::write::{self, Made, forbidden, reading};
use crate::api::Api;
use crate::auth::Caller;
use crate::convert;
use crate::doubts;
use crate::extract::{Json, Path, Query};
use crate::faults::Faults;
use crate::model::{
    ChangeSetAnswer, OneOrMany, Problem, ProblemKind, RecordSpec, Zone, ZoneSpec, ZoneWritten, Zones,
};
use crate::problem::{ReadProblems, WriteProblems};
use crate::uri;

/// Records that are shown where a whole zone has changed.
const RECORDS_SHOWN: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, delete))
        .merge(import::routes())
        .merge(export::routes())
        .merge(check::routes())
}

/// Whether to do it.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DryRunQuery {
    /// Tell what would be changed, and change nothing.
    #[serde(default)]
    #[param(default = false)]
    pub dry_run: bool,
}

/// Which zones to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// How many zones to list at most.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 10000, default = 100)]
    limit: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists zones
///
/// Those in which the token lets something be read, whoever has declared them, and those that were made up for records
/// without a zone; in canonical order, page by page.
#[utoipa::path(
    get, path = "/zones", tag = "zones", operation_id = "listZones", params(ListQuery),
    responses((status = 200, description = "A page of zones", body = Zones), ReadProblems),
)]
async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let (limit, from) = cursor::parameters(query.limit.as_deref(), query.cursor.as_deref(), &mut faults);
    if !faults.is_empty() {
        return Err(faults.into_malformed());
    }
    let from = from.map(|(apex, _)| apex);
    let store = api.store().clone();
    // Read before the zones, so that it is never newer than they are.
    let version = store.version();
    reading(&api, move || {
        let (zones, next) = page(&store, &caller, from.as_ref(), limit);
        // A zone begins with its SOA.
        let next = next.map(|apex| cursor::write(&(apex, RecordType::SOA)));
        axum::Json(Zones { zones, next, version, durable: store.is_durable() }).into_response()
    })
    .await
}

/// The first zones at and after an apex that the caller may see, at most `limit`, and the apex of the one that follows.
fn page(store: &Store, caller: &Caller, from: Option<&Name>, limit: usize) -> (Vec<Zone>, Option<Name>) {
    let catalog = store.snapshot();
    let zones = catalog.view(store.view_name()).into_iter().flat_map(View::zones);
    let mut apexes: Vec<&Name> = zones
        .map(|zone| &zone.apex)
        .filter(|apex| from.is_none_or(|from| *apex >= from) && caller.may_read_zone(apex))
        .collect();
    // They come in no order. Sorting what is shown is enough, though there may be far more behind it.
    let next = (limit < apexes.len()).then(|| apexes.select_nth_unstable(limit).1.clone());
    apexes.truncate(limit);
    apexes.sort_unstable();
    (apexes.into_iter().filter_map(|apex| store.zone(apex)).map(model).collect(), next)
}

/// Reads what a zone is
#[utoipa::path(
    get, path = "/zones/{zone}", tag = "zones", operation_id = "readZone",
    params(("zone" = String, Path, description = "Its apex; the dot at its end may be missing")),
    responses((status = 200, description = "The zone", body = Zone), ReadProblems),
)]
async fn read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(zone): Path<String>,
) -> Result<axum::Json<Zone>, Problem> {
    let apex = convert::name_parameter(&zone, "zone")?;
    Ok(axum::Json(model(visible(&api, &caller, &apex)?)))
}

/// Makes a zone
///
/// Its name is enough: SOA and NS records are made up for what is not given. Records in it are made like any others, now or
/// before.
#[utoipa::path(
    post, path = "/zones", tag = "zones", operation_id = "createZone", request_body = ZoneSpec,
    responses(
        (status = 201, description = "The zone is there", body = ZoneWritten,
            headers(("Location" = String, description = "Where the zone is"))),
        WriteProblems,
    ),
)]
async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(spec, _room): Json<ZoneSpec>,
) -> Result<Response, Problem> {
    let options = api.store().options();
    let mut warnings = doubts::of_text(&servers(&spec));
    let (apex, zone) = shell::read(spec, &options)?;
    check_write(&caller, &apex)?;
    let write = Write::PutZone { apex: apex.clone(), zone, records: None, is_new: true };
    let made = write::make(&api, caller.author(), write, Vec::new()).await?;
    let store = api.store();
    warnings.extend(write::warnings(store, [(&apex, RecordType::SOA)], &caller));
    warnings.extend(write::hidden_by_zone(&api, &apex).await);
    let body = ZoneWritten {
        zone: model(store.zone(&apex).unwrap_or_else(|| as_made(&apex, &made))),
        durable: store.is_durable(),
        warnings,
    };
    let location = format!("{}/zones/{}", uri::BASE, uri::segment(&body.zone.name));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], made.told(&body)).into_response())
}

/// The name servers that are asked for, as records.
fn servers(spec: &ZoneSpec) -> RecordSpec {
    let mname = spec.soa.iter().filter_map(|soa| soa.mname.clone());
    let value = spec.ns.iter().cloned().chain(mname).collect();
    RecordSpec { name: spec.name.clone(), rtype: "NS".to_owned(), ttl: None, value: OneOrMany::Many(value) }
}

/// Deletes a zone, and all that the API has in it
///
/// What others have in it stays, in the zone above or in one that is made up.
#[utoipa::path(
    delete, path = "/zones/{zone}", tag = "zones", operation_id = "deleteZone",
    params(("zone" = String, Path, description = "Its apex; the dot at its end may be missing"), DryRunQuery),
    responses((status = 200, description = "The zone is gone, or would be", body = ChangeSetAnswer), WriteProblems),
)]
async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(zone): Path<String>,
    Query(query): Query<DryRunQuery>,
) -> Result<Response, Problem> {
    let apex = convert::name_parameter(&zone, "zone")?;
    check_write(&caller, &apex)?;
    let write = Write::DeleteZone { apex };
    if query.dry_run {
        let plan = write::plan(&api, write, Vec::new()).await?;
        return write::planned(plan, &api, &caller, RECORDS_SHOWN, |answer| answer).await;
    }
    let made = write::make(&api, caller.author(), write, Vec::new()).await?;
    made.answer(&api, &caller, RECORDS_SHOWN, |answer| (StatusCode::OK, answer)).await
}

/// A zone that was made, and that somebody has deleted before it could be shown.
fn as_made(apex: &Name, made: &Made) -> ZoneInfo {
    let zones = made.entry.iter().flat_map(|entry| &entry.zones);
    let records = zones.filter_map(|zone| zone.after.as_ref()).flat_map(|kept| &kept.rrsets);
    ZoneInfo {
        apex: apex.clone(),
        source: Some(Source::Api),
        // Nobody can ask for it any more.
        serial: None,
        names: 1,
        records: records.map(|rrset| rrset.rdatas().count()).sum(),
        signed: false,
        fallthrough: false,
        failed: None,
        version: made.version,
    }
}

/// Refuses a caller who may not write everything in a zone.
fn check_write(caller: &Caller, apex: &Name) -> Result<(), Problem> {
    if caller.may_write_zone(apex) {
        return Ok(());
    }
    Err(forbidden(format!("the token does not allow changes to all of the zone {apex}")))
}

/// A zone in which the caller may read something.
fn visible(api: &Api, caller: &Caller, apex: &Name) -> Result<ZoneInfo, Problem> {
    // Whether there is such a zone makes no difference to who may not know it.
    if !caller.may_read_zone(apex) {
        return Err(forbidden(format!("the token does not allow to read anything in {apex}")));
    }
    api.store()
        .zone(apex)
        .ok_or_else(|| Problem::new(ProblemKind::NotFound, format!("there is no zone {apex}")))
}

fn model(zone: ZoneInfo) -> Zone {
    let ZoneInfo { apex, source, serial, names, records, signed, fallthrough, failed, version } = zone;
    Zone {
        name: apex.to_string(),
        source: source.map(|source| source.to_string()),
        serial,
        names,
        records,
        signed,
        fallthrough,
        failed,
        version,
    }
}
