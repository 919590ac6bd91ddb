//! Many clients that make requests, beside PowerDNS.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::site::{Managed, Manager};
use super::{Place, Sheet, report};
use crate::bench::SERVER_CORE;
use crate::bench::latency::Latency;
use crate::bench::scenario::Budget;
use crate::bench::stats::{Ratio, median};
use crate::bench::table::{Table, dash, decimals, grouped, ratio, words};
use crate::bench::verdict::{Judgement, Verdict};

/// No client makes as many requests in a round, so that no two rounds make the same ones.
const REQUESTS_MAX: u32 = 100_000;

/// What clients do; [`Mixed`](Self::Mixed) is for ours alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Work {
    Changes,
    Mixed,
}

impl Work {
    /// As `manage load --work` takes it.
    fn word(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Mixed => "mixed",
        }
    }

    fn managers(self) -> &'static [Manager] {
        match self {
            Self::Changes => &[Manager::Ours, Manager::Memory, Manager::Pdns, Manager::PdnsUnsynced],
            Self::Mixed => &[Manager::Ours, Manager::Memory],
        }
    }
}

/// What `manage load` prints.
#[derive(Clone, Deserialize, Serialize)]
struct Report {
    latency: Latency,
    errors: u64,
    error: Option<String>,
    checked: u64,
}

/// One server in one round.
#[derive(Clone, Serialize)]
struct Sample {
    #[serde(flatten)]
    report: Report,
    /// CPU seconds of the server for all of it, and for the questions afterwards.
    cpu_seconds: f64,
}

/// A server with its rounds.
struct Row {
    manager: Manager,
    server: Option<Managed>,
    samples: Vec<Option<Sample>>,
    failure: Option<String>,
}

/// Lets the clients work on one server after another, in rounds.
pub fn measure(place: &Place<'_>, clients: u16, work: Work) -> Sheet {
    let mut rows: Vec<Row> = Vec::new();
    for &manager in work.managers() {
        place.tell(&format!("starting {}", manager.label()));
        let row = match Managed::start(place, manager, SERVER_CORE, Some(place.zones)) {
            Ok(server) => {
                server.pause();
                Row { manager, server: Some(server), samples: Vec::new(), failure: None }
            }
            Err(error) => {
                Row { manager, server: None, samples: Vec::new(), failure: Some(format!("{error:#}")) }
            }
        };
        rows.push(row);
    }
    for round in 0..place.rounds {
        // Another one begins each time.
        for turn in 0..rows.len() {
            let place_in_round = (turn + round as usize) % rows.len();
            let row = &mut rows[place_in_round];
            let Some(server) = &row.server else { continue };
            place.tell(&format!("round {} of {}", round + 1, row.manager.label()));
            server.resume();
            let sample = sample(place, server, clients, work, round);
            server.pause();
            match sample {
                Ok(sample) => row.samples.push(Some(sample)),
                Err(error) => {
                    row.samples.push(None);
                    row.failure = Some(format!("not asked any more after round {}: {error:#}", round + 1));
                    row.server = None;
                }
            }
        }
    }
    let failures = rows.iter().filter_map(|row| Some((row.manager.label().to_owned(), row.failure.clone()?)));
    Sheet {
        table: table(&rows, place, clients),
        verdict: verdict(&rows, place.budget),
        json: rows
            .iter()
            .map(
                |row| json!({ "server": row.manager.label(), "rounds": row.samples, "failure": row.failure }),
            )
            .collect(),
        failures: failures.collect(),
    }
}

fn sample(place: &Place<'_>, server: &Managed, clients: u16, work: Work, round: u32) -> Result<Sample> {
    let mut command = server.client(place.programs, "load", place.zones.names);
    command.args(["--clients", &clients.to_string(), "--seconds", &place.seconds.to_string()]);
    command.args(["--work", work.word(), "--first", &(round * REQUESTS_MAX).to_string()]);
    // Its backend fails changes that meet.
    if !server.manager.is_ours() {
        command.args(["--at-once", "1"]);
    }
    let before = server.times()?;
    let report = report(&mut command)?;
    Ok(Sample { report, cpu_seconds: server.times()?.since(before).total() })
}

impl Row {
    fn of(&self, value: impl Fn(&Sample) -> f64) -> Option<f64> {
        median(self.samples.iter().flatten().map(value))
    }

    fn sum(&self, value: impl Fn(&Report) -> u64) -> u64 {
        self.samples.iter().flatten().map(|sample| value(&sample.report)).sum()
    }

    fn rate(&self) -> Option<f64> {
        self.of(|sample| sample.report.latency.changes_per_second)
    }

    /// The rate of this one over that of another, paired within rounds.
    fn over(&self, other: &Self) -> Option<Ratio> {
        let rate = |sample: &Option<Sample>| Some(sample.as_ref()?.report.latency.changes_per_second);
        let pairs = self.samples.iter().zip(&other.samples);
        Ratio::of(pairs.filter_map(|(one, other)| Some(rate(one)? / rate(other)?)))
    }
}

fn table(rows: &[Row], place: &Place<'_>, clients: u16) -> Table {
    let header = words(&[
        "server",
        "requests/s",
        "jw238dns to it",
        "errors",
        "CPU us/request",
        "median, ms",
        "99 %, ms",
        "most, ms",
    ]);
    let ours = rows.first();
    let row = |row: &Row| {
        let millis =
            |value: fn(&Latency) -> f64| decimals(row.of(|sample| value(&sample.report.latency) / 1e3), 2);
        let micros = |sample: &Sample| sample.cpu_seconds * 1e6 / sample.report.latency.changes as f64;
        vec![
            row.manager.label().to_owned(),
            row.rate().map_or_else(dash, grouped),
            ours.and_then(|ours| ours.over(row)).map_or_else(dash, ratio),
            grouped(row.sum(|report| report.errors) as f64),
            decimals(row.of(micros), 0),
            millis(|latency| latency.median_micros),
            millis(|latency| latency.p99_micros),
            millis(|latency| latency.max_micros),
        ]
    };
    let mut notes = vec![format!("{} rounds of {} s, {clients} clients.", place.rounds, place.seconds)];
    for row in rows {
        let checked = row.sum(|report| report.checked) as f64;
        notes.push(format!("{}: {} changed names checked by DNS.", row.manager.label(), grouped(checked)));
        if let Some(error) = row.samples.iter().flatten().find_map(|sample| sample.report.error.as_ref()) {
            notes.push(format!("Its first error: {error}."));
        }
    }
    Table { header, rows: rows.iter().map(row).collect(), notes }
}

fn verdict(rows: &[Row], budget: Option<Budget>) -> Option<Verdict> {
    let ours = rows.iter().find(|row| row.manager == Manager::Ours)?;
    match budget? {
        Budget::ToBestManager(least) => {
            let others =
                rows.iter().filter(|row| matches!(row.manager, Manager::Pdns | Manager::PdnsUnsynced));
            let best = others.max_by(|one, other| {
                one.rate().unwrap_or_default().total_cmp(&other.rate().unwrap_or_default())
            })?;
            let over = ours.over(best)?;
            Some(Verdict {
                judgement: Judgement::of(over, |value| value >= least),
                budget: format!("at least {least} x the rate of {}", best.manager.label()),
                measured: ratio(over),
            })
        }
        Budget::NoErrors => {
            ours.rate()?;
            let errors = ours.sum(|report| report.errors);
            let (budget, measured) = ("no errors".to_owned(), format!("{errors} errors"));
            Some(Verdict::certain(errors == 0 && ours.failure.is_none(), budget, measured))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(manager: Manager, rates: &[f64], errors: u64) -> Row {
        let sample = |per_second| {
            let latency = Latency {
                changes: 1000,
                median_micros: 1500.0,
                p99_micros: 2500.0,
                max_micros: 9000.0,
                changes_per_second: per_second,
                put_off: 0,
            };
            let report = Report { latency, errors, error: None, checked: 10 };
            Some(Sample { report, cpu_seconds: 0.05 })
        };
        let samples = rates.iter().map(|rate| sample(*rate)).collect();
        Row { manager, server: None, samples, failure: None }
    }

    #[test]
    fn ours_is_judged_by_the_faster_one() {
        let rows = [
            row(Manager::Ours, &[1000.0, 3000.0], 0),
            row(Manager::Pdns, &[10.0, 30.0], 0),
            row(Manager::PdnsUnsynced, &[100.0, 300.0], 0),
        ];
        let verdict = verdict(&rows, Some(Budget::ToBestManager(11.0))).unwrap();
        assert_eq!(verdict.judgement, Judgement::Missed);
        assert_eq!(verdict.budget, "at least 11 x the rate of PowerDNS, not synced");
        assert_eq!(verdict.measured, "10.000 (10.000-10.000)");
    }

    #[test]
    fn one_error_is_too_many() {
        let judged = |errors| verdict(&[row(Manager::Ours, &[1.0], errors)], Some(Budget::NoErrors));
        assert_eq!(judged(0).unwrap().judgement, Judgement::Met);
        assert_eq!(judged(1).unwrap().judgement, Judgement::Missed);
    }
}
