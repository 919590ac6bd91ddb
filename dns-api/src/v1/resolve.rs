//! What would be answered, and what is.

mod ask;
mod message;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use dns_core::{Name, RecordType, Rrset};
use dns_store::Store;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::Caller;
use crate::convert::spec;
use crate::extract::Query;
use crate::model::{Ask, DnsTest, Problem, ProblemKind, RecordSpec, Resolution};
use crate::v1::write::blocking;

/// What an answer comes to that names the servers of another zone.
const REFERRAL: &str = "referral";

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(resolve)).routes(routes!(test_dns))
}

/// A question that nobody asks over DNS.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResolveQuery {
    /// The name in question.
    #[param(example = "www.example.org.")]
    name: String,
    /// The type in question; A if it is missing.
    #[serde(rename = "type")]
    #[param(rename = "type", example = "A")]
    rtype: Option<String>,
    /// Address of the client that would ask; one on this machine if it is missing.
    #[param(example = "192.0.2.1")]
    client: Option<String>,
    /// The listener that it would ask, as address and port; the first one if it is missing.
    #[param(example = "127.0.0.1:53")]
    listener: Option<String>,
}

/// Says what would be answered
///
/// View, zone, rules, outcome, source and records of an answer to a question that is not asked over DNS. Records that the token
/// may not read are left out.
#[utoipa::path(
    get,
    path = "/resolve",
    tag = "answers",
    operation_id = "resolve",
    params(ResolveQuery),
    responses(
        (status = 200, description = "What would be answered, and why", body = Resolution),
        (status = 422, description = "Name, type, client or listener is none", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn resolve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<ResolveQuery>,
) -> Result<Json<Resolution>, Problem> {
    let mut reasons = Vec::new();
    let qname = parsed::<Name>("name", &query.name, &mut reasons);
    let qtype = parsed::<RecordType>("type", query.rtype.as_deref().unwrap_or("A"), &mut reasons);
    let client = query.client.map(|client| parsed::<IpAddr>("client", &client, &mut reasons));
    let listener = query.listener.map(|listener| parsed::<SocketAddr>("listener", &listener, &mut reasons));
    if let Some(Some(listener)) = listener
        && !api.host().dns_addresses().contains(&listener)
    {
        reasons.push(format!("listener: DNS is not answered at {listener}"));
    }
    let (Some(qname), Some(qtype), true) = (qname, qtype, reasons.is_empty()) else {
        return Err(invalid(reasons));
    };
    permit(&caller, &qname, qtype)?;
    let ask = Ask { qname, qtype, client: client.flatten(), listener: listener.flatten() };
    // The server may have to wait for whoever changes the records just now.
    let mut resolution = blocking(move || {
        let mut resolution = api.host().explain(&ask);
        if resolution.outcome == REFERRAL {
            resolution.records.extend(delegation(api.store(), &resolution, &ask.qname));
        }
        resolution
    })
    .await?;
    // Aliases lead to names beyond the one that was asked for.
    resolution.records.retain(|record| match (record.name.parse(), record.rtype.parse()) {
        (Ok(owner), Ok(rtype)) => caller.may_read(&owner, rtype),
        _ => false,
    });
    Ok(Json(resolution))
}

/// The NS records of the zone cut at or above a name, whose owner is the zone that is referred to.
fn delegation(store: &Store, resolution: &Resolution, qname: &Name) -> Option<RecordSpec> {
    let view = store.view(&resolution.view)?;
    let apex: Name = resolution.zone.as_ref()?.parse().ok()?;
    let cuts = apex.label_count() + 1..=qname.label_count();
    let found = cuts.map(|labels| qname.suffix(labels)).find_map(|cut| view.get(&cut, RecordType::NS))?;
    Some(spec(&found.rrset))
}

/// A question that is asked over DNS.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TestDnsQuery {
    /// The name in question.
    #[param(example = "www.example.org.")]
    hostname: String,
    /// The type in question; A if it is missing.
    #[serde(rename = "type")]
    #[param(rename = "type", example = "A")]
    rtype: Option<String>,
}

/// Asks the running listener
///
/// Sends a real question to the first listener over UDP, and over TCP if the answer does not fit. Records that the token may not
/// read are left out.
#[utoipa::path(
    get,
    path = "/test-dns",
    tag = "answers",
    operation_id = "testDns",
    params(TestDnsQuery),
    responses(
        (status = 200, description = "What was answered", body = DnsTest),
        (status = 422, description = "Name or type is none", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "There is no listener, or it does not answer", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn test_dns(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<TestDnsQuery>,
) -> Result<Json<DnsTest>, Problem> {
    let mut reasons = Vec::new();
    let qname = parsed::<Name>("hostname", &query.hostname, &mut reasons);
    let qtype = parsed::<RecordType>("type", query.rtype.as_deref().unwrap_or("A"), &mut reasons);
    let (Some(qname), Some(qtype)) = (qname, qtype) else {
        return Err(invalid(reasons));
    };
    permit(&caller, &qname, qtype)?;
    let unavailable = |detail| Problem::new(ProblemKind::Unavailable, detail);
    let listener = api.host().dns_addresses().into_iter().next();
    let listener = listener.ok_or_else(|| unavailable("DNS is not answered anywhere".to_owned()))?;
    let asked = ask::ask(listener, &qname, qtype).await.map_err(|error| unavailable(error.to_string()))?;
    let [answer, authority, additional] =
        asked.answer.sections.each_ref().map(|section| visible(section, &caller));
    Ok(Json(DnsTest {
        server: asked.server.to_string(),
        transport: asked.transport.to_owned(),
        rcode: message::rcode_text(asked.answer.rcode),
        flags: asked.answer.flags(),
        answer,
        authority,
        additional,
        octets: asked.octets,
        microseconds: u64::try_from(asked.took.as_micros()).unwrap_or(u64::MAX),
    }))
}

/// Reads a parameter, or notes what is wrong with it.
fn parsed<T>(parameter: &str, text: &str, reasons: &mut Vec<String>) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error| reasons.push(format!("{parameter}: '{text}': {error}"))).ok()
}

fn invalid(reasons: Vec<String>) -> Problem {
    Problem::new(ProblemKind::Invalid, "the question makes no sense").because(reasons)
}

/// Nothing is told of names that the caller may not read, not even that they do not exist.
fn permit(caller: &Caller, qname: &Name, qtype: RecordType) -> Result<(), Problem> {
    if caller.may_read(qname, qtype) {
        return Ok(());
    }
    let detail = format!("the token does not allow reading {qtype} records of {qname}");
    Err(Problem::new(ProblemKind::Forbidden, detail))
}

fn visible(section: &[Rrset], caller: &Caller) -> Vec<RecordSpec> {
    let may_read = |rrset: &&Rrset| caller.may_read(rrset.owner(), rrset.rtype());
    section.iter().filter(may_read).map(spec).collect()
}
