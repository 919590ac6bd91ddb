//! Zones as zone files.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use dns_core::zone::Zone;
use dns_core::zonefile::{self, Record};
use dns_core::{Name, RecordType};
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::Caller;
use crate::convert;
use crate::extract::Path;
use crate::holding::Holding;
use crate::model::{Problem, ProblemKind};
use crate::problem::{RETRY_AFTER, ReadProblems};
use crate::v1::write::reading;

/// What zone files are ([RFC 4027](https://www.rfc-editor.org/rfc/rfc4027)).
pub(super) const TEXT_DNS: &str = "text/dns";

/// How long a client waits for others who export.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(export))
}

/// Writes a zone as a zone file
///
/// All that is served in it, whoever has it, as far as the token lets it be read. Importing the file makes the same zone.
#[utoipa::path(
    get, path = "/zones/{zone}/export", tag = "zones", operation_id = "exportZone",
    params(("zone" = String, Path, description = "Its apex; the dot at its end may be missing")),
    responses(
        (status = 200, description = "The zone file", body = String, content_type = "text/dns"),
        ReadProblems,
        (status = 503, description = "The zone cannot be served", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn export(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(zone): Path<String>,
) -> Result<Response, Problem> {
    let apex = convert::name_parameter(&zone, "zone")?;
    super::visible(&api, &caller, &apex)?;
    // Who waits here for those that are slow to read theirs is told so before it takes too long.
    let sending = timeout(PATIENCE, api.exports().clone().acquire_owned()).await.map_err(|_| busy())?;
    let store = api.store().clone();
    let text = reading(&api, move || {
        let catalog = store.snapshot();
        let entry = catalog.view(store.view_name()).and_then(|view| view.zone(&apex));
        entry.and_then(|entry| entry.zone()).map(|zone| write(zone, &caller))
    });
    let failed =
        || Problem::new(ProblemKind::Unavailable, "the zone cannot be served, so there is nothing to export");
    let text = text.await?.ok_or_else(failed)?;
    // The semaphore is never closed. The text is in memory until its last octet is sent.
    let body = Body::new(Holding::new(Body::from(text), sending.ok()));
    Ok(([(header::CONTENT_TYPE, TEXT_DNS)], body).into_response())
}

fn busy() -> Problem {
    let detail = "as many zones are being exported already as may be at a time";
    Problem::new(ProblemKind::TooManyRequests, detail).retry_after(RETRY_AFTER)
}

struct Row {
    owner: Name,
    ttl: u32,
    rtype: RecordType,
    rdata: Vec<u8>,
}

fn write(zone: &Zone, caller: &Caller) -> String {
    let mut rows = Vec::with_capacity(zone.record_count());
    for node in zone.nodes() {
        // Names in zones are valid.
        let Ok(owner) = Name::from_wire(node.name()) else { continue };
        for rrset in node.rrsets() {
            let ttl = rrset.ttl();
            if caller.may_read(&owner, rrset.rtype) {
                rrset.for_each_rdata(zone.apex().as_wire(), |rdata| {
                    rows.push(Row { owner: owner.clone(), ttl, rtype: rrset.rtype, rdata: rdata.to_vec() });
                });
            }
            if caller.may_read(&owner, RecordType::RRSIG) {
                let rtype = RecordType::RRSIG;
                let signatures = rrset.signature_rdatas();
                rows.extend(signatures.map(|rdata| Row {
                    owner: owner.clone(),
                    ttl,
                    rtype,
                    rdata: rdata.to_vec(),
                }));
            }
        }
    }
    // Nodes come in the order of their hashes, which differs from process to process, and those of one RRset in the order in
    // which they were given; the file is to be the same for the same zone.
    rows.sort_by(|left, right| left.rdata.cmp(&right.rdata));
    let records = rows.iter().map(|row| Record {
        owner: row.owner.as_wire(),
        ttl: row.ttl,
        rtype: row.rtype,
        rdata: &row.rdata,
    });
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = zonefile::write(zone.apex(), records, &mut text);
    text
}
