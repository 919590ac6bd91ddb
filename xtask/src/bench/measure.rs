//! Rounds: every server is asked in turn, and its CPU time taken before and after.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::entrant::{Entrant, Kind};
use super::process::{self, Times};
use super::scenario::{Base, Metric};
use super::server::Server;
use super::stats::{Ratio, median};

/// What the load generator reports (`benches::load::Report`).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Load {
    pub seconds: f64,
    pub answered: u64,
    pub lost: u64,
    pub wrong: u64,
    pub unexpected: u64,
    /// Sent by the client that does not wait.
    pub flooded: u64,
    pub queries_per_second: f64,
    /// Share of the time in which the load had something to do.
    pub busy: f64,
    pub first_wrong: Option<String>,
}

/// One server in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    #[serde(flatten)]
    pub load: Load,
    /// CPU time of the server's processes.
    pub cpu: Times,
    /// Changes of the zone that were published meanwhile.
    pub changes: u32,
}

impl Sample {
    /// What these CPU seconds come to per query, in microseconds; `None` if there was none.
    pub fn micros(&self, seconds: f64) -> Option<f64> {
        let queries = self.load.answered + self.load.wrong + self.load.flooded;
        (queries > 0).then(|| seconds * 1e6 / queries as f64)
    }

    /// CPU microseconds per query.
    pub fn cpu_micros(&self) -> Option<f64> {
        self.micros(self.cpu.total())
    }

    /// What a ratio compares; `None` where it makes no sense.
    fn value(&self, metric: Metric) -> Option<f64> {
        let value = match metric {
            Metric::Cpu => self.cpu_micros(),
            Metric::Rate => Some(self.load.queries_per_second),
        };
        value.filter(|value| *value > 0.0)
    }

    /// Share of a core that the server used.
    pub fn server_busy(&self) -> Option<f64> {
        (self.load.seconds > 0.0).then(|| self.cpu.total() / self.load.seconds)
    }
}

/// An entrant with its samples, one per round.
pub struct Row {
    pub entrant: Entrant,
    pub samples: Vec<Sample>,
}

impl Row {
    /// Median over the rounds.
    pub fn median(&self, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.samples.iter().filter_map(value))
    }

    /// This one over another, paired within the rounds.
    pub fn over(&self, base: &Self, metric: Metric) -> Option<Ratio> {
        let pairs = self.samples.iter().zip(&base.samples);
        Ratio::of(pairs.filter_map(|(sample, base)| Some(sample.value(metric)? / base.value(metric)?)))
    }

    /// Sum over the rounds.
    pub fn sum(&self, count: impl Fn(&Sample) -> u64) -> u64 {
        self.samples.iter().map(count).sum()
    }
}

/// All rounds of a scenario.
pub struct Rounds {
    pub rows: Vec<Row>,
    pub base: Base,
    pub metric: Metric,
    pub seconds: u32,
}

impl Rounds {
    /// The first row of this kind.
    pub fn row(&self, kind: Kind) -> Option<&Row> {
        self.rows.iter().find(|row| row.entrant.kind == kind)
    }

    /// The row that others are compared with, if there are others to compare.
    pub fn base_row(&self) -> Option<&Row> {
        match self.base {
            Base::First => self.rows.first(),
            Base::BestPeer => {
                let peers = self.rows.iter().filter(|row| row.entrant.kind.is_peer());
                let cost = |row: &Row| row.median(Sample::cpu_micros).unwrap_or(f64::INFINITY);
                peers.min_by(|a, b| cost(a).total_cmp(&cost(b)))
            }
        }
    }

    /// What makes numbers worthless: wrong answers, or none.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for Row { entrant, samples } in &self.rows {
            if let Some(reason) = samples.iter().find_map(|sample| sample.load.first_wrong.as_ref()) {
                failures.push(format!("{}: wrong answer: {reason}", entrant.label));
            } else if samples.iter().any(|sample| sample.load.answered == 0) {
                failures.push(format!("{}: a round without an answer", entrant.label));
            }
        }
        failures
    }
}

/// Every server is warm after so many seconds, or when it was asked for every name, and no fewer than this many times.
const WARM_SECONDS: u32 = 10;
const WARM_QUESTIONS: u32 = 100_000;

/// Asks a server for a while, so that its caches of answers are filled.
///
/// # Errors
///
/// It cannot be asked: it closes connections, gives no cookies, has ended.
pub fn warm(server: &Server, programs: &Path, names: u32) -> Result<()> {
    ask(server, programs, names, (WARM_SECONDS, u64::from(names.max(WARM_QUESTIONS)))).map(drop)
}

/// Asks every server in every round. Another one begins each round, so that nobody always
/// has the same place in it.
pub fn measure(
    servers: &[Server],
    programs: &Path,
    (names, rounds, seconds): (u32, u32, u32),
    (base, metric): (Base, Metric),
) -> Result<Rounds> {
    ensure!(!servers.is_empty(), "no server to measure");
    let mut rows: Vec<_> =
        servers.iter().map(|server| Row { entrant: server.entrant, samples: Vec::new() }).collect();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for turn in 0..servers.len() {
            let index = (turn + round as usize) % servers.len();
            rows[index].samples.push(ask(&servers[index], programs, names, (seconds, u64::MAX))?);
        }
    }
    Ok(Rounds { rows, base, metric, seconds })
}

/// Runs the load generator once, for so many seconds and questions at most.
fn ask(server: &Server, programs: &Path, names: u32, (seconds, questions): (u32, u64)) -> Result<Sample> {
    let Entrant { kind, label, asking, .. } = server.entrant;
    let mut command = process::pinned(asking.cores, &programs.join("load"));
    command.args(["--target", &server.address.to_string(), "--check", kind.check()]);
    command.args(["--names", &names.to_string(), "--mixture", asking.mixture, "--edns", asking.edns]);
    command.args(["--sockets", &asking.sockets.to_string()]);
    command.args(["--outstanding", &asking.outstanding.to_string()]);
    command.args(["--flood", &asking.flood.to_string(), "--seconds", &seconds.to_string()]);
    command.args(["--queries", &questions.to_string()]);
    if asking.tcp {
        command.arg("--tcp");
    }
    server.resume();
    let (serial, before) = (server.serial()?, server.times()?);
    let output = command.stderr(Stdio::inherit()).output().context("cannot start load")?;
    let cpu = server.times()?.since(before);
    let changes = server.serial()?.wrapping_sub(serial);
    server.pause();
    ensure!(output.status.success(), "load on {label}: {}", output.status);
    let load = serde_json::from_slice(&output.stdout).context("the report of load")?;
    Ok(Sample { load, cpu, changes })
}

#[cfg(test)]
pub mod tests {
    use super::super::entrant::Asking;
    use super::*;

    /// A sample of so many queries, each of so many CPU microseconds, two thirds of them in the kernel.
    pub fn sample(answered: u64, wrong: u64, micros: f64) -> Sample {
        let first_wrong = (wrong > 0).then(|| "not what was asked for".to_owned());
        let queries_per_second = answered as f64;
        let load = Load {
            seconds: 1.0,
            answered,
            wrong,
            queries_per_second,
            first_wrong,
            busy: 0.5,
            ..Load::default()
        };
        let total = micros * (answered + wrong) as f64 / 1e6;
        Sample { load, cpu: Times { user: total / 3.0, system: total * 2.0 / 3.0 }, changes: 0 }
    }

    /// A row of samples.
    pub fn row(kind: Kind, samples: Vec<Sample>) -> Row {
        Row { entrant: Entrant::plain(kind, Asking::udp("hits")), samples }
    }

    /// The machine was twice as slow in the second round.
    pub fn rounds() -> Rounds {
        let rows = vec![
            row(Kind::Echo, vec![sample(1000, 0, 1.0), sample(500, 0, 2.0), sample(1000, 0, 1.0)]),
            row(Kind::Ours, vec![sample(1000, 0, 1.5), sample(500, 0, 3.0), sample(1000, 2, 1.5)]),
            row(Kind::Knot, vec![sample(400, 0, 4.0), sample(200, 0, 8.0), sample(400, 0, 4.0)]),
            row(Kind::Nsd, vec![sample(500, 0, 3.0), sample(300, 0, 6.0), sample(500, 0, 3.0)]),
        ];
        Rounds { rows, base: Base::BestPeer, metric: Metric::Cpu, seconds: 1 }
    }

    #[test]
    fn cost_is_per_query() {
        let sample = sample(1000, 1000, 2.5);
        assert!((sample.cpu_micros().unwrap() - 2.5).abs() < 1e-9);
        assert!((sample.micros(sample.cpu.user).unwrap() - 2.5 / 3.0).abs() < 1e-9);
        assert_eq!(super::tests::sample(0, 0, 2.5).cpu_micros(), None);
        let flooded = Sample { load: Load { flooded: 2000, ..sample.load.clone() }, ..sample };
        assert!((flooded.cpu_micros().unwrap() - 1.25).abs() < 1e-9);
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        let rounds = rounds();
        let (echo, ours) = (rounds.row(Kind::Echo).unwrap(), rounds.row(Kind::Ours).unwrap());
        let ratio = ours.over(echo, Metric::Cpu).unwrap();
        assert!((ratio.median - 1.5).abs() < 1e-9);
        let (low, high) = ratio.interval.unwrap();
        assert!(low > 1.49 && high < 1.51, "{low} {high}");
        let rate = ours.over(echo, Metric::Rate).unwrap();
        assert!((rate.median - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_best_peer_is_the_cheapest_that_others_wrote() {
        let mut rounds = rounds();
        assert_eq!(rounds.base_row().unwrap().entrant.kind, Kind::Nsd);
        rounds.base = Base::First;
        assert_eq!(rounds.base_row().unwrap().entrant.kind, Kind::Echo);
        rounds.base = Base::BestPeer;
        rounds.rows.truncate(2);
        assert!(rounds.base_row().is_none());
    }

    #[test]
    fn wrong_answers_and_silence_fail_the_run() {
        let mut rounds = rounds();
        rounds.rows[2].samples[1] = sample(0, 0, 1.0);
        let failures = rounds.failures();
        assert_eq!(failures.len(), 2, "{failures:?}");
        assert!(failures[0].contains("jw238dns") && failures[0].contains("not what was asked for"));
        assert!(failures[1].contains("Knot") && failures[1].contains("without an answer"));
    }
}
