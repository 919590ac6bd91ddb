//! The answers against the oracle.

use conformance::cases::{self, Case};
use conformance::client::Transport as Way;
use conformance::message::{Response, query};
use conformance::oracle::{Options, answer};
use conformance::scenario::Scenario;
use conformance::zone::ZoneData;
use dns_backend::Transport;
use dns_core::zone::{Place, SourceTag, Zone, ZoneBuilder};
use dns_core::{AnswerPolicy, RecordType};

use crate::server::Server;

/// Questions per scenario, unless `JW238DNS_HEAVY` asks for every one.
const SAMPLE: usize = 4000;

/// The zone as the server has it.
pub fn build(zone: &ZoneData) -> Zone {
    let mut builder = ZoneBuilder::new(zone.apex.clone());
    for record in &zone.records {
        let owner = record.owner.as_wire();
        builder.add(owner, record.rtype, record.ttl, &record.rdata, SourceTag::default(), Place::default());
    }
    builder.finish().unwrap_or_else(|faults| panic!("{}: {faults:?}", zone.apex)).zone
}

/// Asks the server what the oracle is asked; what is wrong with the answer, if anything is.
pub fn judge(server: &Server, zones: &[ZoneData], case: &Case, options: &Options) -> Option<String> {
    let transport = if case.transport == Way::Tcp { Transport::Tcp } else { Transport::Udp };
    let request = query(7, &case.qname, case.qtype, case.transport.edns(case.dnssec_ok));
    let reply = server.exchange(transport, &request).expect("a reply");
    let response = Response::parse(&reply).unwrap();
    let expected = answer(zones, &case.question(), options);
    let is_bare = response.answer.is_empty() && response.authority.is_empty();
    if response.truncated && is_bare && !expected.truncated {
        // Nothing is said yet, so nothing can be wrong but that it would have fitted.
        let whole = server.exchange(Transport::Tcp, &request).expect("a reply");
        let limit = if case.transport == Way::UdpPlain { 512 } else { 1232 };
        // ANY may have been met at the end of a chain that is longer than the oracle follows it.
        let would_fit = whole.len() <= limit && case.qtype != RecordType::ANY;
        return would_fit.then(|| format!("{case}: {} octets would fit", whole.len()));
    }
    let wrong = expected.check(&response);
    (!wrong.is_empty()).then(|| {
        let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        format!("{case}: {}", wrong.join(", "))
    })
}

#[track_caller]
fn check(scenario: &Scenario) {
    let server = Server::of(scenario.zones.iter().map(build).collect(), AnswerPolicy::default());
    let options = Options::default();
    let mut cases = cases::all(&scenario.zones);
    if std::env::var_os("JW238DNS_HEAVY").is_none() {
        cases = cases::sample(cases, SAMPLE);
    }
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| judge(&server, &scenario.zones, case, &options)).collect();
    let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} answers are wrong:\n{shown}", wrong.len(), cases.len());
}

#[test]
fn sample_zones() {
    check(&Scenario::plain().unwrap());
}

#[test]
fn root_zone() {
    check(&Scenario::root().unwrap());
}

#[test]
fn signed_zones() {
    let folder = tempfile::tempdir().unwrap();
    match Scenario::signed(folder.path()) {
        Ok(scenario) => check(&scenario),
        Err(error) => eprintln!("skipping signed zones: {error:#}"),
    }
}
