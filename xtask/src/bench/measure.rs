//! Rounds: every server is asked in turn, and its CPU time taken before and after.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

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
    /// Seconds in which changes were counted and CPU time accrued: the whole life of the load, which also prepares its
    /// questions and waits for the last answers.
    pub wall: f64,
}

impl Sample {
    /// What these CPU seconds come to per query, in microseconds; `None` if there was none. Wrong answers do not make a
    /// server cheaper.
    pub fn micros(&self, seconds: f64) -> Option<f64> {
        let queries = self.load.answered + self.load.flooded;
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

    /// Changes that were published per second.
    pub fn change_rate(&self) -> Option<f64> {
        (self.wall > 0.0).then(|| f64::from(self.changes) / self.wall)
    }
}

/// A server that loses a greater share of the questions than this is not compared: what it drops costs it nothing.
const LOST_MAX: f64 = 0.001;

/// An entrant with its samples.
pub struct Row {
    pub entrant: Entrant,
    /// One per round, so that rows can be paired; `None` where the server could not be asked.
    pub samples: Vec<Option<Sample>>,
    /// Why it was not asked in all rounds.
    pub stopped: Option<String>,
}

impl Row {
    /// The rounds in which it was asked.
    pub fn asked(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().flatten()
    }

    /// Median over the rounds.
    pub fn median(&self, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.asked().filter_map(value))
    }

    /// This one over another, paired within the rounds.
    pub fn over(&self, base: &Self, metric: Metric) -> Option<Ratio> {
        let value = |sample: &Option<Sample>| sample.as_ref()?.value(metric);
        let pairs = self.samples.iter().zip(&base.samples);
        Ratio::of(pairs.filter_map(|(sample, base)| Some(value(sample)? / value(base)?)))
    }

    /// Sum over the rounds.
    pub fn sum(&self, count: impl Fn(&Sample) -> u64) -> u64 {
        self.asked().map(count).sum()
    }

    /// Adds what a round brought, unless an earlier one has failed.
    fn take(&mut self, round: u32, ask: impl FnOnce() -> Result<Sample>) {
        let sample = self.stopped.is_none().then(ask).transpose();
        let sample = sample.unwrap_or_else(|error| {
            self.stopped = Some(format!("not asked any more after round {}: {error:#}", round + 1));
            None
        });
        self.samples.push(sample);
    }

    /// Share of a core that the server used, median over the rounds: while it was asked, or, where it changes records
    /// without being asked, all the time.
    pub fn server_busy(&self) -> Option<f64> {
        let changing = self.entrant.setup.changes_per_second > 0;
        self.median(|sample| {
            let seconds = if changing { sample.wall } else { sample.load.seconds };
            (seconds > 0.0).then(|| sample.cpu.total() / seconds)
        })
    }

    /// Why these numbers say nothing, if they do not: no answers or wrong ones, too many lost, rounds missing.
    pub fn spoiled(&self) -> Option<String> {
        if let Some(reason) = &self.stopped {
            return Some(reason.clone());
        }
        let (answered, lost, wrong) = (
            self.sum(|sample| sample.load.answered),
            self.sum(|sample| sample.load.lost),
            self.sum(|sample| sample.load.wrong),
        );
        if wrong > 0 {
            let first = self.asked().find_map(|sample| sample.load.first_wrong.as_deref());
            return Some(format!("wrong answers: {wrong}, the first: {}", first.unwrap_or("unknown")));
        }
        if self.asked().any(|sample| sample.load.answered == 0) {
            return Some("a round without an answer".to_owned());
        }
        let share = lost as f64 / (answered + lost).max(1) as f64;
        (share > LOST_MAX).then(|| {
            format!("lost {:.2} % of the questions, more than {} %", share * 100.0, LOST_MAX * 100.0)
        })
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

    /// The first row of this kind, unless its numbers say nothing.
    pub fn sound(&self, kind: Kind) -> Option<&Row> {
        self.row(kind).filter(|row| row.spoiled().is_none())
    }

    /// The row that others are compared with, if there are others to compare. One whose numbers say nothing is none.
    pub fn base_row(&self) -> Option<&Row> {
        match self.base {
            Base::First => self.rows.first().filter(|row| row.spoiled().is_none()),
            Base::BestPeer => {
                let sound = |row: &&Row| row.entrant.kind.is_peer() && row.spoiled().is_none();
                let cost = |row: &Row| row.median(Sample::cpu_micros).unwrap_or(f64::INFINITY);
                self.rows.iter().filter(sound).min_by(|a, b| cost(a).total_cmp(&cost(b)))
            }
        }
    }

    /// What makes numbers worthless, server by server.
    pub fn failures(&self) -> Vec<String> {
        let failure = |row: &Row| Some(format!("{}: {}", row.entrant.label, row.spoiled()?));
        self.rows.iter().filter_map(failure).collect()
    }
}

/// Every server is warm after so many seconds, or when it was asked as many questions as there are names, and no fewer
/// than this.
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

/// Asks every server in every round. Another one begins each round, so that nobody always has the same place in it.
/// A server that cannot be asked is left out from then on, and what was measured before is kept.
pub fn measure(
    servers: &[Server],
    programs: &Path,
    (names, rounds, seconds): (u32, u32, u32),
    (base, metric): (Base, Metric),
) -> Result<Rounds> {
    ensure!(!servers.is_empty(), "no server to measure");
    let mut rows: Vec<_> = servers
        .iter()
        .map(|server| Row { entrant: server.entrant, samples: Vec::new(), stopped: None })
        .collect();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for turn in 0..servers.len() {
            let index = (turn + round as usize) % servers.len();
            let row = &mut rows[index];
            row.take(round, || ask(&servers[index], programs, names, (seconds, u64::MAX)));
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
    let sample = watch(server, command.stderr(Stdio::inherit()));
    // Whatever happened, it must not disturb those that are asked next.
    server.pause();
    sample.with_context(|| format!("load on {label}"))
}

/// Runs the load, and looks at the server and the clock before and after.
fn watch(server: &Server, load: &mut Command) -> Result<Sample> {
    let (serial, before) = (server.serial()?, server.times()?);
    let begin = Instant::now();
    let output = load.output().context("cannot start it")?;
    let cpu = server.times()?.since(before);
    let changes = server.serial()?.wrapping_sub(serial);
    let wall = begin.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{}", output.status);
    let load = serde_json::from_slice(&output.stdout).context("its report")?;
    Ok(Sample { load, cpu, changes, wall })
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
        let total = micros * answered as f64 / 1e6;
        Sample { load, cpu: Times { user: total / 3.0, system: total * 2.0 / 3.0 }, changes: 0, wall: 2.0 }
    }

    /// A row of samples.
    pub fn row(kind: Kind, samples: Vec<Sample>) -> Row {
        let samples = samples.into_iter().map(Some).collect();
        Row { entrant: Entrant::plain(kind, Asking::udp("hits")), samples, stopped: None }
    }

    /// The machine was twice as slow in the second round.
    pub fn rounds() -> Rounds {
        let rows = vec![
            row(Kind::Echo, vec![sample(1000, 0, 1.0), sample(500, 0, 2.0), sample(1000, 0, 1.0)]),
            row(Kind::Ours, vec![sample(1000, 0, 1.5), sample(500, 0, 3.0), sample(1000, 0, 1.5)]),
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
        assert!((sample.change_rate().unwrap()).abs() < 1e-9);
        let flooded = Sample { load: Load { flooded: 2000, ..sample.load.clone() }, ..sample };
        assert!((flooded.cpu_micros().unwrap() - 2.5 / 3.0).abs() < 1e-9);
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
    fn wrong_answers_losses_and_silence_fail_the_run_and_are_no_base() {
        let mut rounds = rounds();
        assert_eq!(rounds.failures(), [""; 0]);
        rounds.rows[1].samples[2] = Some(sample(1000, 2, 1.5));
        rounds.rows[2].samples[1] = Some(sample(0, 0, 1.0));
        let losing = rounds.rows[3].samples[0].as_mut().unwrap();
        losing.load.lost = 2; // of 1302
        let failures = rounds.failures();
        assert_eq!(failures.len(), 3, "{failures:?}");
        assert_eq!(failures[0], "jw238dns: wrong answers: 2, the first: not what was asked for");
        assert_eq!(failures[1], "Knot: a round without an answer");
        assert_eq!(failures[2], "NSD: lost 0.15 % of the questions, more than 0.1 %");
        assert!(rounds.base_row().is_none());
        rounds.rows[3].samples[0].as_mut().unwrap().load.lost = 1;
        assert_eq!(rounds.base_row().unwrap().entrant.kind, Kind::Nsd);
        rounds.base = Base::First;
        rounds.rows[0].samples[0].as_mut().unwrap().load.wrong = 1;
        assert!(rounds.base_row().is_none());
    }

    #[test]
    fn rounds_stay_paired_when_a_server_ends() {
        let mut echo = row(Kind::Echo, Vec::new());
        let mut ours = row(Kind::Ours, Vec::new());
        for round in 0..3 {
            let micros = f64::from(round + 1);
            ours.take(round, || Ok(sample(1000, 0, 2.0 * micros)));
            echo.take(round, || {
                ensure!(round == 0, "it has ended");
                Ok(sample(1000, 0, micros))
            });
        }
        assert_eq!((echo.samples.len(), echo.asked().count()), (3, 1));
        let ratio = ours.over(&echo, Metric::Cpu).unwrap();
        assert_eq!(ratio.interval, None);
        assert!((ratio.median - 2.0).abs() < 1e-9);
        assert_eq!(echo.spoiled().unwrap(), "not asked any more after round 2: it has ended");
        assert_eq!(ours.spoiled(), None);
    }

    #[test]
    fn what_goes_on_without_questions_is_divided_by_all_of_its_time() {
        let busy = |row: &Row| row.server_busy().unwrap();
        let mut row = row(Kind::Changes, vec![sample(100_000, 0, 2.0)]);
        assert!((busy(&row) - 0.2).abs() < 1e-9);
        row.entrant.setup.changes_per_second = 1000;
        assert!((busy(&row) - 0.1).abs() < 1e-9);
        let changed = Sample { changes: 1500, ..sample(1, 0, 1.0) };
        assert!((changed.change_rate().unwrap() - 750.0).abs() < 1e-9);
    }
}
