//! How soon a change over HTTP is answered by DNS.

use anyhow::Result;
use serde_json::json;

use super::site::{self, Managed, Manager};
use super::{Place, Sheet, report};
use crate::bench::latency::Latency;
use crate::bench::scenario::Budget;
use crate::bench::stats::median;
use crate::bench::table::{Table, dash, decimals, grouped, words};
use crate::bench::verdict::Verdict;

const MANAGERS: [Manager; 3] = [Manager::Ours, Manager::Memory, Manager::PdnsUncached];

/// Changes records of one server after another, in rounds.
pub fn measure(place: &Place<'_>) -> Sheet {
    let mut rows: Vec<(Manager, Vec<Latency>)> = Vec::new();
    let mut failures = Vec::new();
    for manager in MANAGERS {
        place.tell(&format!("changing records of {}", manager.label()));
        match rounds(place, manager) {
            Ok(latencies) => rows.push((manager, latencies)),
            Err(error) => failures.push((manager.label().to_owned(), format!("{error:#}"))),
        }
    }
    let json = rows.iter().map(|(manager, rounds)| json!({ "server": manager.label(), "rounds": rounds }));
    Sheet {
        table: table(&rows, place),
        verdict: verdict(&rows, place.budget),
        json: json.collect(),
        failures,
    }
}

/// A new server each round, as the same changes are made.
fn rounds(place: &Place<'_>, manager: Manager) -> Result<Vec<Latency>> {
    let round = |_| {
        let server = Managed::start(place, manager, site::ALL_CORES, Some(place.zones))?;
        let mut command = server.client(place.programs, "seen", place.zones.names);
        report(command.args(["--seconds", &place.seconds.to_string()]))
    };
    (0..place.rounds).map(round).collect()
}

fn middle(rounds: &[Latency], value: fn(&Latency) -> f64) -> Option<f64> {
    median(rounds.iter().map(value))
}

fn table(rows: &[(Manager, Vec<Latency>)], place: &Place<'_>) -> Table {
    let header = words(&["server", "changes timed", "median, ms", "99 %, ms", "most, ms"]);
    let row = |(manager, rounds): &(Manager, Vec<Latency>)| {
        let millis =
            |value: fn(&Latency) -> f64| decimals(middle(rounds, value).map(|micros| micros / 1e3), 3);
        let changes: u64 = rounds.iter().map(|latency| latency.changes).sum();
        vec![
            manager.label().to_owned(),
            if changes == 0 { dash() } else { grouped(changes as f64) },
            millis(|latency| latency.median_micros),
            millis(|latency| latency.p99_micros),
            millis(|latency| latency.max_micros),
        ]
    };
    let notes = vec![format!("{} rounds of {} s, one client.", place.rounds, place.seconds)];
    Table { header, rows: rows.iter().map(row).collect(), notes }
}

fn verdict(rows: &[(Manager, Vec<Latency>)], budget: Option<Budget>) -> Option<Verdict> {
    let Some(Budget::Seen { durable_micros, memory_micros }) = budget else { return None };
    let micros = |manager| {
        let (_, rounds) = rows.iter().find(|(other, _)| *other == manager)?;
        middle(rounds, |latency| latency.median_micros)
    };
    let (durable, memory) = (micros(Manager::Ours)?, micros(Manager::Memory)?);
    let text = |durable: f64, memory: f64| {
        format!("{:.2} ms durable and {:.2} ms in memory", durable / 1e3, memory / 1e3)
    };
    Some(Verdict::certain(
        durable <= durable_micros && memory <= memory_micros,
        format!("at most {}", text(durable_micros, memory_micros)),
        text(durable, memory),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_medians_have_to_be_within_their_bounds() {
        let latency = |median_micros| Latency {
            changes: 10,
            median_micros,
            p99_micros: 9000.0,
            max_micros: 9000.0,
            changes_per_second: 1.0,
            put_off: 0,
        };
        let judged = |durable, memory| {
            let rows = [(Manager::Ours, vec![latency(durable)]), (Manager::Memory, vec![latency(memory); 3])];
            let budget = Budget::Seen { durable_micros: 5000.0, memory_micros: 1000.0 };
            verdict(&rows, Some(budget)).unwrap()
        };
        assert_eq!(judged(400.0, 200.0).judgement.met(), Some(true));
        assert_eq!(judged(5001.0, 200.0).judgement.met(), Some(false));
        assert_eq!(judged(400.0, 1001.0).judgement.met(), Some(false));
        assert_eq!(judged(400.0, 200.0).measured, "0.40 ms durable and 0.20 ms in memory");
    }
}
