//! Records: listed, and read and written one name and type at a time.

use std::mem::take;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use dns_core::{Name, Precondition, RecordType, Rrset};
use dns_store::{Filter, Found, Source, StoreError, Write};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cursor;
use super::write::{self, ChangedIn, Made, WriteError, blocking, reading};
use crate::api::Api;
use crate::auth::Caller;
use crate::convert;
use crate::doubts;
use crate::etag::{self, Conditions, Tags};
use crate::extract::{Json, Path, Query};
use crate::faults::{self, Faults};
use crate::model::{Deleted, Finding, Problem, ProblemKind, Record, RecordPut, RecordSpec, Records, Written};
use crate::problem::{ReadProblems, WriteProblems};
use crate::uri;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, put, delete))
}

/// Which records to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only those in the zone with this apex.
    zone: Option<String>,
    /// Only those of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    rtype: Option<String>,
    /// Only those of this kind of source: `acme`, `api`, `update`, `file`, `transfer`, `config`, `configmap` or `kubernetes`.
    source: Option<String>,
    /// Only those whose names begin with this text, in whatever letter case.
    prefix: Option<String>,
    /// Only those at or below this name.
    name: Option<String>,
    /// Only those that are not served, or only those that are.
    #[param(value_type = Option<bool>)]
    shadowed: Option<String>,
    /// How many names and types to list at most.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 10000, default = 100)]
    limit: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists records
///
/// In canonical order of their names, page by page; only what the token lets be read.
#[utoipa::path(
    get, path = "/records", tag = "records", operation_id = "listRecords",
    params(ListQuery, ("If-None-Match" = Option<String>, Header, description = "304 if the catalog still has this version")),
    responses(
        (status = 200, description = "A page of records", body = Records,
            headers(("ETag" = String, description = "Version of the catalog"))),
        (status = 304, description = "Nothing has changed since the version that was named"),
        ReadProblems,
    ),
)]
async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    conditions: Conditions,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let listing = Listing::of(query)?;
    let store = api.store().clone();
    // Read before the records, so that it is never newer than they are.
    let version = store.version();
    if let Some(response) = conditions.not_modified(version) {
        return Ok(response);
    }
    reading(&api, move || {
        let admits = |owner: &Name, rtype: RecordType| {
            caller.may_read(owner, rtype)
                && listing.prefix.as_ref().is_none_or(|prefix| owner.to_string().starts_with(prefix))
        };
        let page = store.list_where(&listing.filter, listing.from.as_ref(), listing.limit, admits);
        let catalog = store.snapshot();
        let view = catalog.view(store.view_name());
        let records = page.found.iter().map(|found| convert::record(found, view)).collect();
        let next = page.next.as_ref().map(cursor::write);
        let body = Records { records, next, version, durable: store.is_durable() };
        ([(header::ETAG, etag::of_version(version))], axum::Json(body)).into_response()
    })
    .await
}

/// A listing, as it was asked for.
struct Listing {
    filter: Filter,
    /// In lower case.
    prefix: Option<String>,
    from: Option<(Name, RecordType)>,
    limit: usize,
}

impl Listing {
    fn of(query: ListQuery) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let filter = Filter {
            zone: query.zone.and_then(|zone| convert::name(&zone, "zone", &mut faults)),
            below: query.name.and_then(|name| convert::name(&name, "name", &mut faults)),
            rtype: query.rtype.and_then(|rtype| convert::rtype(&rtype, "type", &mut faults)),
            source: query.source.and_then(|source| convert::source_kind(&source, &mut faults)),
            shadowed: faults::parameter(query.shadowed.as_deref(), "shadowed", "true or false", &mut faults),
        };
        let (limit, from) = cursor::parameters(query.limit.as_deref(), query.cursor.as_deref(), &mut faults);
        if !faults.is_empty() {
            return Err(faults.into_malformed());
        }
        Ok(Self { filter, prefix: query.prefix.map(|prefix| prefix.to_ascii_lowercase()), from, limit })
    }
}

/// Which of the records of a name.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TypeQuery {
    /// Only those of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    rtype: Option<String>,
}

/// Reads the records of a name
///
/// All that sources have there, served or not, as far as the token lets it be read.
#[utoipa::path(
    get, path = "/records/{name}", tag = "records", operation_id = "readRecords",
    params(
        ("name" = String, Path, description = "Owner name; the dot at its end may be missing"), TypeQuery,
        ("If-None-Match" = Option<String>, Header, description = "304 if the name still has this version"),
    ),
    responses(
        (status = 200, description = "The records, those first that are served", body = [Record],
            headers(("ETag" = String, description = "Version at which anything at the name last changed"))),
        (status = 304, description = "Nothing at the name has changed since the version that was named"),
        ReadProblems,
    ),
)]
async fn read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    conditions: Conditions,
    Path(name): Path<String>,
    Query(query): Query<TypeQuery>,
) -> Result<Response, Problem> {
    let owner = convert::name_parameter(&name, "name")?;
    let rtype = convert::type_parameter(query.rtype.as_deref())?;
    let what = || rtype.map_or_else(|| owner.to_string(), |rtype| format!("{owner} {rtype}"));
    // Whether there is anything makes no difference to who may not know it.
    if !rtype.map_or_else(|| caller.may_read_at(&owner), |rtype| caller.may_read(&owner, rtype)) {
        return Err(write::forbidden(format!("the token does not allow to read {}", what())));
    }
    let store = api.store();
    // Read before the records, so that it is never newer than they are.
    let version = store.name_version(&owner);
    let catalog = store.snapshot();
    let view = catalog.view(store.view_name());
    let wanted = |found: &Found| {
        let of = found.rrset.rtype();
        rtype.is_none_or(|rtype| rtype == of) && caller.may_read(&owner, of)
    };
    let found: Vec<Found> = store.found_at(&owner).into_iter().filter(wanted).collect();
    if found.is_empty() {
        return Err(Problem::new(ProblemKind::NotFound, format!("there are no records of {}", what())));
    }
    if let Some(response) = conditions.not_modified(version) {
        return Ok(response);
    }
    let records: Vec<Record> = found.iter().map(|found| convert::record(found, view)).collect();
    Ok(([(header::ETAG, etag::of_version(version))], axum::Json(records)).into_response())
}

/// Creates records of a new name and type
#[utoipa::path(
    post, path = "/records", tag = "records", operation_id = "createRecords", request_body = RecordSpec,
    responses(
        (status = 201, description = "The records are there", body = Written, headers(
            ("ETag" = String, description = "Version of the name"),
            ("Location" = String, description = "Where the records are"),
        )),
        WriteProblems,
    ),
)]
async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(spec, _room): Json<RecordSpec>,
) -> Result<Response, Problem> {
    let doubts = doubts::of_text(&spec);
    let rrset = writable(&api, &caller, spec, Faults::default())?;
    let made = write::make(&api, caller.author(), Write::Create(rrset.clone()), Vec::new()).await?;
    written(&api, &caller, StatusCode::CREATED, &rrset, &made, doubts).await
}

/// Replaces the records of a name and type
///
/// Where they are another source's, these are hidden and kept. With `If-None-Match: *` the records are created, and must not
/// be there yet.
#[utoipa::path(
    put, path = "/records/{name}", tag = "records", operation_id = "putRecords", request_body = RecordPut,
    params(
        ("name" = String, Path, description = "Owner name; the dot at its end may be missing"), TypeQuery,
        ("If-Match" = Option<String>, Header, description = "Only if the name still has this version"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there are no such records"),
    ),
    responses(
        (status = 200, description = "The records are there", body = Written,
            headers(("ETag" = String, description = "Version of the name"))),
        (status = 201, description = "The records are there, and are new", body = Written, headers(
            ("ETag" = String, description = "Version of the name"),
            ("Location" = String, description = "Where the records are"),
        )),
        WriteProblems,
    ),
)]
async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    conditions: Conditions,
    Path(name): Path<String>,
    Query(query): Query<TypeQuery>,
    Json(body, _room): Json<RecordPut>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let spec = whole(&name, query.rtype.as_deref(), body, &mut faults)?;
    let doubts = doubts::of_text(&spec);
    let rrset = writable(&api, &caller, spec, faults)?;
    let preconditions = preconditions(&api, &conditions, rrset.owner())?;
    let (status, write) = match conditions.if_none_match {
        Some(Tags::Any) => (StatusCode::CREATED, Write::Create(rrset.clone())),
        _ => (StatusCode::OK, Write::Update(rrset.clone())),
    };
    let made = write::make(&api, caller.author(), write, preconditions).await;
    let made = made.map_err(|error| failed(error, &conditions))?;
    written(&api, &caller, status, &rrset, &made, doubts).await
}

/// Deletes the records of a name, or those of one type
///
/// Only what the API has; what it has hidden of others is served at once.
#[utoipa::path(
    delete, path = "/records/{name}", tag = "records", operation_id = "deleteRecords",
    params(
        ("name" = String, Path, description = "Owner name; the dot at its end may be missing"), TypeQuery,
        ("If-Match" = Option<String>, Header, description = "Only if the name still has this version"),
    ),
    responses((status = 200, description = "The records are gone", body = Deleted), WriteProblems),
)]
async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    conditions: Conditions,
    Path(name): Path<String>,
    Query(query): Query<TypeQuery>,
) -> Result<Response, Problem> {
    let owner = convert::name_parameter(&name, "name")?;
    let rtype = convert::type_parameter(query.rtype.as_deref())?;
    // Who may not delete all types does not get to know which there are.
    write::check_write(&caller, [(owner.clone(), rtype.unwrap_or(RecordType::ANY))].into_iter())?;
    let preconditions = preconditions(&api, &conditions, &owner)?;
    let write = Write::Delete { owner, rtype };
    let made = write::make(&api, caller.author(), write, preconditions).await;
    let made = made.map_err(|error| failed(error, &conditions))?;
    let catalog = api.store().snapshot();
    let view = catalog.view(api.store().view_name());
    let gone = made.entry.iter().flat_map(|entry| &entry.records).filter_map(|change| change.before.clone());
    let deleted =
        gone.map(|rrset| convert::record(&Found { rrset, source: Source::Api, shadowed: false }, view));
    let body =
        Deleted { version: made.version, durable: api.store().is_durable(), deleted: deleted.collect() };
    Ok((Extension(ChangedIn(made.version)), axum::Json(body)).into_response())
}

/// Puts a record together of the path, the parameters and the body, which may say the same twice, but not two things.
fn whole(
    name: &str,
    rtype: Option<&str>,
    body: RecordPut,
    faults: &mut Faults,
) -> Result<RecordSpec, Problem> {
    let owner = convert::name_parameter(name, "name")?;
    let of_query = convert::type_parameter(rtype)?;
    if let Some(other) = body.name.as_deref().and_then(|name| convert::name(name, "name", faults))
        && other != owner
    {
        faults.add("name", format_args!("{other} is not the name in the path, {owner}"));
    }
    let of_body = body.rtype.as_deref().and_then(|rtype| convert::rtype(rtype, "type", faults));
    match (of_query, of_body) {
        (Some(rtype), Some(other)) if rtype != other => {
            faults.add("type", format_args!("{other} is not the type behind '?', {rtype}"));
        }
        (None, None) if body.rtype.is_none() => {
            faults.add("type", "it is given neither here nor behind '?'");
        }
        _ => {}
    }
    // Without a type, there is nothing to be said of the values.
    let rtype = of_query.or(of_body).ok_or_else(|| take(faults).into_problem())?;
    Ok(RecordSpec { name: owner.to_string(), rtype: rtype.to_string(), ttl: body.ttl, value: body.value })
}

/// Records that the caller may write. Whether they may is asked before their values are looked at.
/// `faults` is what is wrong with them already.
fn writable(api: &Api, caller: &Caller, spec: RecordSpec, mut faults: Faults) -> Result<Rrset, Problem> {
    if let (Ok(owner), Ok(rtype)) = (spec.name.parse::<Name>(), spec.rtype.parse::<RecordType>()) {
        write::check_write(caller, [(owner, rtype)].into_iter())?;
    }
    let ttl = spec.ttl;
    let rrset = convert::rrset(spec, api.host().default_ttl(), "", &mut faults);
    if let Some(rrset) = rrset.filter(|_| faults.is_empty()) {
        return Ok(rrset);
    }
    convert::check_ttl(ttl, &api.store().options().ttl_bounds, "", &mut faults);
    Err(faults.into_problem())
}

/// What `If-Match` and `If-None-Match` come to for a write at a name.
fn preconditions(api: &Api, conditions: &Conditions, owner: &Name) -> Result<Vec<Precondition>, Problem> {
    let version = api.store().name_version(owner);
    let mut preconditions = Vec::new();
    match &conditions.if_match {
        None | Some(Tags::Any) => {}
        Some(tags) if tags.match_strongly(version) => {
            // Asked once more when it is this write's turn.
            preconditions.push(Precondition::Unchanged(owner.clone(), version));
        }
        Some(_) => {
            let detail = format!("{owner} is at version {version}, which If-Match does not name");
            return Err(Problem::new(ProblemKind::PreconditionFailed, detail));
        }
    }
    match &conditions.if_none_match {
        None | Some(Tags::Any) => {}
        Some(tags) if tags.match_weakly(version) => {
            let detail = format!("{owner} is at version {version}, which If-None-Match names");
            return Err(Problem::new(ProblemKind::PreconditionFailed, detail));
        }
        Some(_) => {}
    }
    Ok(preconditions)
}

/// A `*` among the conditions makes it a failed precondition that there are records, or none.
fn failed(error: WriteError, conditions: &Conditions) -> Problem {
    let is_condition = match &error {
        WriteError::Store(StoreError::Exists(_)) => conditions.if_none_match == Some(Tags::Any),
        WriteError::Store(StoreError::NotFound(_)) => conditions.if_match.is_some(),
        _ => false,
    };
    let problem = Problem::from(error);
    if !is_condition {
        return problem;
    }
    Problem::new(ProblemKind::PreconditionFailed, problem.detail).because(problem.reasons)
}

/// Records that were written, as they are now.
async fn written(
    api: &Api,
    caller: &Caller,
    status: StatusCode,
    rrset: &Rrset,
    made: &Made,
    doubts: Vec<Finding>,
) -> Result<Response, Problem> {
    let is_far_reaching = write::is_far_reaching(rrset.rtype());
    let warnings = {
        let (store, caller, rrset) = (api.store().clone(), caller.clone(), rrset.clone());
        let find = move || {
            let mut warnings = doubts;
            warnings.extend(write::warnings(&store, [(rrset.owner(), rrset.rtype())], &caller));
            warnings.extend(doubts::of_serial(&store, &rrset));
            warnings
        };
        // The change is made, whatever becomes of looking at it.
        if is_far_reaching { blocking(find).await.unwrap_or_default() } else { find() }
    };
    let store = api.store();
    let owner = rrset.owner();
    // Somebody else may have been here since; then the tag is of a version that there is no more, and matches nothing.
    let tag = store.name_version(owner).min(made.version);
    // A SOA record is served with a serial that the store gives it.
    let is_it = |found: &Found| {
        found.rrset == *rrset || (rrset.rtype() == RecordType::SOA && found.rrset.rtype() == RecordType::SOA)
    };
    let is_ours = |found: &Found| found.source == Source::Api && is_it(found);
    let found = store.found_at(owner).into_iter().find(is_ours);
    let found = found.unwrap_or_else(|| Found { rrset: rrset.clone(), source: Source::Api, shadowed: false });
    let catalog = store.snapshot();
    let body = Written {
        record: convert::record(&found, catalog.view(store.view_name())),
        version: made.version,
        durable: store.is_durable(),
        warnings,
    };
    let headers = ([(header::ETAG, etag::of_version(tag))], Extension(ChangedIn(made.version)));
    if status != StatusCode::CREATED {
        return Ok((status, headers, axum::Json(body)).into_response());
    }
    let location =
        format!("{}/records/{}?type={}", uri::BASE, uri::segment(&body.record.name), body.record.rtype);
    Ok((status, headers, [(header::LOCATION, location)], axum::Json(body)).into_response())
}
