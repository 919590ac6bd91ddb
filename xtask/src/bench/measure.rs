//! Rounds: every server is asked in turn, and its CPU time taken before and after.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::process;
use super::server::{Kind, Server};

/// Core of the load generator; the servers have another one.
pub const LOAD_CORE: u32 = 1;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Names in the zone.
    pub names: u32,
    /// Mixture of questions, as `load --mixture` takes it.
    pub mixture: &'static str,
    pub tcp: bool,
}

impl Scenario {
    /// Over UDP.
    pub const fn udp(name: &'static str, names: u32, mixture: &'static str) -> Self {
        Self { name, names, mixture, tcp: false }
    }

    /// Over TCP.
    pub const fn tcp(name: &'static str, names: u32, mixture: &'static str) -> Self {
        Self { name, names, mixture, tcp: true }
    }

    /// Whether the server can take part: the echo speaks UDP only.
    pub fn suits(&self, kind: Kind) -> bool {
        !self.tcp || kind != Kind::Echo
    }
}

/// What the load generator reports (`benches::load::Report`).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Load {
    pub answered: u64,
    pub lost: u64,
    pub wrong: u64,
    pub unexpected: u64,
    pub queries_per_second: f64,
    pub first_wrong: Option<String>,
}

/// One server in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    #[serde(flatten)]
    pub load: Load,
    /// CPU time of the server process, user and system.
    pub cpu_seconds: f64,
}

impl Sample {
    /// CPU microseconds per query, answered or not; `None` if there was none.
    pub fn cpu_micros(&self) -> Option<f64> {
        let queries = self.load.answered + self.load.wrong;
        (queries > 0).then(|| self.cpu_seconds * 1e6 / queries as f64)
    }
}

/// All rounds of a scenario.
pub struct Measurement {
    pub scenario: Scenario,
    /// A server with its samples, one per round, in the same order for all.
    pub servers: Vec<(Kind, Vec<Sample>)>,
}

impl Measurement {
    /// The samples of a server.
    pub fn samples(&self, kind: Kind) -> Option<&[Sample]> {
        self.servers.iter().find(|(other, _)| *other == kind).map(|(_, samples)| &samples[..])
    }

    /// What makes numbers worthless: wrong answers, or none.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (kind, samples) in &self.servers {
            let place = format!("{}: {}", self.scenario.name, kind.name());
            if let Some(reason) = samples.iter().find_map(|sample| sample.load.first_wrong.as_ref()) {
                failures.push(format!("{place}: wrong answer: {reason}"));
            } else if samples.iter().any(|sample| sample.load.answered == 0) {
                failures.push(format!("{place}: a round without an answer"));
            }
        }
        failures
    }
}

/// Asks every server in every round, after a second each to warm up.
pub fn measure(
    scenario: Scenario,
    servers: &[Server],
    programs: &Path,
    rounds: u32,
    seconds: u32,
) -> Result<Measurement> {
    for server in servers {
        ask(scenario, server, programs, 1)?;
    }
    let mut samples: Vec<_> = servers.iter().map(|server| (server.kind, Vec::new())).collect();
    for round in 1..=rounds {
        eprintln!("{}: round {round} of {rounds}", scenario.name);
        for (server, (_, samples)) in servers.iter().zip(&mut samples) {
            samples.push(ask(scenario, server, programs, seconds)?);
        }
    }
    Ok(Measurement { scenario, servers: samples })
}

/// Runs the load generator once.
fn ask(scenario: Scenario, server: &Server, programs: &Path, seconds: u32) -> Result<Sample> {
    let mut command = process::pinned(LOAD_CORE, &programs.join("load"));
    command.args(["--target", &server.address.to_string(), "--check", server.kind.check()]);
    command.args(["--names", &scenario.names.to_string(), "--mixture", scenario.mixture]);
    command.args(["--seconds", &seconds.to_string()]);
    if scenario.tcp {
        command.args(["--tcp", "--sockets", "10"]);
    }
    let before = server.cpu_seconds()?;
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start load")?;
    let after = server.cpu_seconds()?;
    ensure!(output.status.success(), "load on {}: {}", server.kind.name(), output.status);
    let load = serde_json::from_slice(&output.stdout).context("the report of load")?;
    Ok(Sample { load, cpu_seconds: after - before })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A sample of so many queries, each of so many CPU microseconds.
    pub fn sample(answered: u64, wrong: u64, micros: f64) -> Sample {
        let first_wrong = (wrong > 0).then(|| "not what was asked for".to_owned());
        let queries_per_second = answered as f64;
        let load = Load { answered, wrong, queries_per_second, first_wrong, ..Load::default() };
        Sample { load, cpu_seconds: micros * (answered + wrong) as f64 / 1e6 }
    }

    #[test]
    fn cost_is_per_query() {
        let micros = sample(1000, 1000, 2.5).cpu_micros().unwrap();
        assert!((micros - 2.5).abs() < 1e-9);
        assert_eq!(sample(0, 0, 2.5).cpu_micros(), None);
    }

    #[test]
    fn wrong_answers_and_silence_fail_the_run() {
        let measurement = Measurement {
            scenario: Scenario::udp("hits", 10, "hits"),
            servers: vec![
                (Kind::Echo, vec![sample(5, 0, 1.0)]),
                (Kind::Ours, vec![sample(5, 0, 1.0), sample(5, 1, 1.0)]),
                (Kind::Knot, vec![sample(0, 0, 1.0)]),
            ],
        };
        let failures = measurement.failures();
        assert_eq!(failures.len(), 2, "{failures:?}");
        assert!(failures[0].contains("jw238dns") && failures[0].contains("not what was asked for"));
        assert!(failures[1].contains("Knot") && failures[1].contains("without an answer"));
    }

    #[test]
    fn the_echo_has_no_tcp() {
        assert!(Scenario::udp("u", 1, "hits").suits(Kind::Echo));
        assert!(!Scenario::tcp("t", 1, "hits").suits(Kind::Echo));
        assert!(Scenario::tcp("t", 1, "hits").suits(Kind::Ours));
    }
}
