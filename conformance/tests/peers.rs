//! Our server, BIND, NSD and Knot answer the same questions about the same zones.
//!
//! `TEST_PEERS=required` makes a missing peer a failure, `TEST_HEAVY=1` asks every question instead of a sample.

use conformance::cases::{all, sample};
use conformance::compare::compare;
use conformance::peer::{Kind, Server};
use conformance::scenario::Scenario;

/// Questions per scenario when not every one is asked.
const SAMPLE: usize = 4000;

/// Starts what this machine has, the subject first; tells what it leaves out.
fn start(scenario: &Scenario) -> Vec<Server> {
    let required = std::env::var_os("TEST_PEERS").is_some_and(|value| value == "required");
    let mut servers = Vec::new();
    for kind in [Kind::Subject].into_iter().chain(Kind::PEERS) {
        if kind.program().is_none() {
            assert!(!required, "{} is required, but not installed", kind.label());
            eprintln!("skipping {}: its program is not installed", kind.label());
            continue;
        }
        let server = Server::start(kind, &scenario.files);
        servers.push(server.unwrap_or_else(|error| panic!("{}: {error:#}", kind.label())));
    }
    servers
}

#[track_caller]
fn check(scenario: &Scenario) {
    let servers = start(scenario);
    let mut cases = all(&scenario.zones);
    if std::env::var_os("TEST_HEAVY").is_none() {
        cases = sample(cases, SAMPLE);
    }
    let report = compare(&servers, &scenario.zones, &cases).unwrap();
    eprintln!("{}", report.text());
    assert!(report.problems.is_empty(), "{} problems, listed above", report.problems.len());
}

#[test]
fn plain_zones() {
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
        Err(error) if std::env::var_os("TEST_PEERS").is_some_and(|value| value == "required") => {
            panic!("{error:#}")
        }
        Err(error) => eprintln!("skipping signed zones: {error:#}"),
    }
}
