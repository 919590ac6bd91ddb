//! Durable changes in process, beside a bare database and a bare log.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Place, Sheet, report};
use crate::bench::latency::Latency;
use crate::bench::scenario::Budget;
use crate::bench::stats::{Ratio, median};
use crate::bench::table::{Table, dash, decimals, grouped, percent, ratio, words};
use crate::bench::verdict::{Judgement, Verdict};
use crate::bench::{BOTH_CORES, process};

/// What `durable` prints.
#[derive(Deserialize, Serialize)]
struct Report {
    writers: u16,
    value_octets: usize,
    rounds: Vec<Round>,
}

#[derive(Deserialize, Serialize)]
struct Round {
    sync_micros: f64,
    samples: Vec<Sample>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Sample {
    keeper: String,
    latency: Latency,
    syncs: u64,
    syncing: f64,
    closing_seconds: f64,
}

/// The words of the program, and the names in the table. What ours is compared with is the second last.
const ROWS: [(&str, &str); 4] = [
    ("put", "jw238dns, names that there are"),
    ("create", "jw238dns, new names"),
    (DATABASE, "redb, bare"),
    ("log", "a log, bare"),
];
const DATABASE: &str = "database";

/// Has the program measure all rounds, since it makes everything anew for each.
pub fn measure(place: &Place<'_>, writers: u16) -> Result<Sheet> {
    place.tell("changing records durably in process");
    let mut command = process::pinned(BOTH_CORES, &place.programs.join("durable"));
    command.arg("--folder").arg(place.folder);
    command.args(["--writers", &writers.to_string(), "--names", &place.zones.names.to_string()]);
    command.args(["--rounds", &place.rounds.to_string(), "--seconds", &place.seconds.to_string()]);
    let report: Report = report(&mut command)?;
    Ok(Sheet {
        table: report.table(place.seconds),
        verdict: report.verdict(place.budget),
        json: serde_json::to_value(&report)?,
        failures: Vec::new(),
    })
}

impl Report {
    fn of<'r>(&'r self, keeper: &'r str) -> impl Iterator<Item = &'r Sample> {
        self.rounds
            .iter()
            .filter_map(move |round| round.samples.iter().find(|sample| sample.keeper == keeper))
    }

    fn over_database(&self, keeper: &str) -> Option<Ratio> {
        let rate = |sample: &Sample| sample.latency.changes_per_second;
        let pairs = self.of(keeper).zip(self.of(DATABASE));
        Ratio::of(pairs.map(|(sample, base)| rate(sample) / rate(base)))
    }

    fn table(&self, seconds: u32) -> Table {
        let header = words(&[
            "changes",
            "changes/s",
            "to redb",
            "per sync",
            "syncs/s",
            "in syncs",
            "median, us",
            "99 %, us",
            "closing, s",
        ]);
        let row = |(keeper, label): &(&str, &str)| {
            let of = |value: fn(&Sample) -> f64| median(self.of(keeper).map(value));
            vec![
                (*label).to_owned(),
                of(|sample| sample.latency.changes_per_second).map_or_else(dash, grouped),
                self.over_database(keeper).map_or_else(dash, ratio),
                decimals(of(|sample| sample.latency.changes as f64 / sample.syncs as f64), 1),
                of(Sample::syncs_per_second).map_or_else(dash, grouped),
                percent(of(|sample| sample.syncing)),
                decimals(of(|sample| sample.latency.median_micros), 0),
                decimals(of(|sample| sample.latency.p99_micros), 0),
                decimals(of(|sample| sample.closing_seconds), 2),
            ]
        };
        let sync = median(self.rounds.iter().map(|round| round.sync_micros));
        let notes = vec![
            format!("{} rounds of {seconds} s, {} writers.", self.rounds.len(), self.writers),
            format!(
                "fdatasync after a page was overwritten takes {} us (median of the rounds' medians). Values have {} \
                 octets, as many as the journal writes for a change.",
                decimals(sync, 0),
                self.value_octets
            ),
        ];
        Table { header, rows: ROWS.iter().map(row).collect(), notes }
    }

    fn verdict(&self, budget: Option<Budget>) -> Option<Verdict> {
        let Some(Budget::ToDatabase(least)) = budget else { return None };
        let over = self.over_database("put")?;
        Some(Verdict {
            judgement: Judgement::of(over, |value| value >= least),
            budget: format!("at least {least} x bare redb"),
            measured: ratio(over),
        })
    }
}

impl Sample {
    fn syncs_per_second(&self) -> f64 {
        self.syncs as f64 * self.latency.changes_per_second / self.latency.changes as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(keeper: &str, per_second: f64) -> Sample {
        let latency = Latency {
            changes: 1000,
            median_micros: 500.0,
            p99_micros: 900.0,
            max_micros: 5000.0,
            changes_per_second: per_second,
            put_off: 0,
        };
        Sample { keeper: keeper.into(), latency, syncs: 100, syncing: 0.5, closing_seconds: 0.25 }
    }

    #[test]
    fn ours_is_judged_by_the_database_of_its_round() {
        let round = |times: f64| Round {
            sync_micros: 180.0,
            // In another order each time.
            samples: vec![
                sample("database", 100.0 * times),
                sample("log", 300.0 * times),
                sample("put", 90.0 * times),
                sample("create", 70.0 * times),
            ],
        };
        let report = Report { writers: 16, value_octets: 100, rounds: vec![round(1.0), round(10.0)] };
        let table = report.table(3);
        let row =
            ["jw238dns, new names", "385", "0.700 (0.700-0.700)", "10.0", "38", "50 %", "500", "900", "0.25"];
        assert_eq!(table.rows[1], row);
        assert!(table.notes[1].contains("takes 180 us"), "{table:?}");
        let met = |least| report.verdict(Some(Budget::ToDatabase(least))).unwrap().judgement;
        assert_eq!((met(0.8), met(0.95)), (Judgement::Met, Judgement::Missed));
        assert!(report.verdict(None).is_none());
    }
}
