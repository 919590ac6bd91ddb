//! Our server under every attack of the hostile-traffic suite, at sizes that leave the machine room to breathe.
//!
//! `cargo xtask hostile` runs them at full size and beside other servers; here only our own has to stand.

use std::fs::File;

use conformance::hostile::{Case, Holders, Options, Outcome, Size, run, text};
use conformance::peer::Kind;
use dns_backend::guard::RateLimitSpec;

/// What clients get in the end, in percent, at least.
const ANSWERED_PERCENT_MIN: f64 = 99.0;
/// The server at rest takes a few MiB, and a flood may not make it grow without bounds.
const MEMORY_KIB_MAX: u64 = 128 * 1024;
/// An attack may move counters, not the disk.
const LOG_OCTETS_MAX: u64 = 4096;

/// One attack at a time, whether tests are threads or processes: each is measured against what the machine has left.
fn turn() -> File {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/hostile.lock");
    let file = File::create(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    file.lock().unwrap_or_else(|error| panic!("{path}: {error}"));
    file
}

#[track_caller]
fn attack(case: Case) -> Outcome {
    let _turn = turn();
    assert!(Kind::Subject.program().is_some(), "the server is not built: cargo build -p jw238dns");
    let options = Options { size: Size::SMALL, rate_limit: true, cookies: true, holders: Holders::Thread };
    let outcome = run(case, Kind::Subject, &options).unwrap_or_else(|error| panic!("{error:#}"));
    eprintln!("{}", text(std::slice::from_ref(&outcome)));
    let udp = &outcome.udp;
    assert!(udp.asked >= 100, "{udp:?}");
    assert_eq!(udp.with_cookie, Some(8), "every client gets a cookie");
    assert!(udp.answered_percent() >= ANSWERED_PERCENT_MIN && udp.wrong == 0, "{udp:?}");
    assert!(outcome.after.peak_kib <= MEMORY_KIB_MAX, "{:?}", outcome.after);
    outcome
}

#[track_caller]
fn check_quiet(outcome: &Outcome) {
    assert!(outcome.log_octets <= LOG_OCTETS_MAX, "{} octets logged", outcome.log_octets);
}

#[track_caller]
fn check_tcp(outcome: &Outcome) {
    let tcp = outcome.tcp.as_ref().unwrap();
    assert!(tcp.asked >= 4 && tcp.answered_percent() >= ANSWERED_PERCENT_MIN && tcp.wrong == 0, "{tcp:?}");
}

#[test]
fn flood_from_one_source() {
    let outcome = attack(Case::FloodOneSource);
    assert!(outcome.flood.unwrap().packets > 1000, "{outcome:?}");
    check_quiet(&outcome);
}

#[test]
fn flood_from_many_sources() {
    let outcome = attack(Case::FloodManySources);
    assert!(outcome.flood.unwrap().packets > 1000, "{outcome:?}");
    check_quiet(&outcome);
}

#[test]
fn random_subdomains() {
    let outcome = attack(Case::RandomSubdomains);
    assert!(outcome.flood.unwrap().packets > 1000, "{outcome:?}");
    check_quiet(&outcome);
}

#[test]
fn any_is_no_amplifier() {
    let outcome = attack(Case::AmplifyAny);
    let flood = outcome.flood.unwrap();
    // All records over TCP only: what UDP gets is its own question with TC.
    assert!(flood.replies > 0 && flood.truncated == flood.replies, "{flood:?}");
    assert!(flood.amplification() <= 1.0, "{flood:?}");
    check_quiet(&outcome);
}

#[test]
fn large_answers_are_limited() {
    let outcome = attack(Case::AmplifyTxt);
    let flood = outcome.flood.unwrap();
    assert!(flood.replies > 0 && flood.reply_octets <= flood.replies * 1232, "{flood:?}");
    let whole = flood.replies - flood.truncated;
    // So many answers per second, and those of some seconds at once.
    let limit = RateLimitSpec::default();
    let allowed = u64::from(limit.answers) * (u64::from(limit.burst) + flood.seconds.ceil() as u64 + 1);
    assert!(whole <= allowed && flood.packets > allowed, "{allowed} allowed, {flood:?}");
    // Of those beyond the limit every other one gets a reply, which is no larger than the question.
    assert!(flood.truncated <= flood.packets - whole, "{flood:?}");
    assert!(flood.truncated > 0 && flood.replies < flood.packets, "{flood:?}");
    check_quiet(&outcome);
}

#[test]
fn malformed_packets() {
    let outcome = attack(Case::Malformed);
    let flood = outcome.flood.unwrap();
    // Responses, short packets and noise are not worth a reply, and those that get one do not gain by it.
    assert!(flood.replies < flood.packets && flood.amplification() <= 1.0, "{flood:?}");
    check_quiet(&outcome);
}

#[test]
fn idle_connections() {
    check_quiet(&attack(Case::TcpIdle));
}

#[test]
fn idle_connections_give_way() {
    check_tcp(&attack(Case::TcpIdle));
}

#[test]
fn octets_that_drip() {
    let outcome = attack(Case::TcpDrip);
    check_tcp(&outcome);
    check_quiet(&outcome);
}

#[test]
fn clients_that_never_read() {
    let outcome = attack(Case::TcpDeaf);
    check_tcp(&outcome);
    check_quiet(&outcome);
}

#[test]
fn reload_storm() {
    let outcome = attack(Case::ReloadStorm);
    let storm = outcome.storm.unwrap();
    assert!(storm.reloads > 5, "{storm:?}");
    // Each reload may say what came of it.
    assert!(outcome.log_octets <= u64::from(storm.reloads) * 2 * 1024, "{outcome:?}");
}
