//! A large zone over HTTP, and what the server is like with it.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::site::{self, Managed, Manager};
use super::{Place, Sheet, report};
use crate::bench::process::Memory;
use crate::bench::table::{Table, decimals, grouped, megabytes, words};

/// How long a server may tidy up, before its memory is looked at.
const SETTLE: Duration = Duration::from_secs(5);

/// How the records come, as `manage fill --how` takes it, and in words.
const HOW: [(&str, &str); 2] = [("import", "as one zone file"), ("sets", "in sets of 1,000 changes")];

/// What `manage fill` prints.
#[derive(Deserialize)]
struct Filled {
    names: u32,
    seconds: f64,
}

#[derive(Serialize)]
struct Row {
    how: &'static str,
    names: u32,
    seconds: f64,
    /// Right after the last answer.
    full: Memory,
    /// When it has had time to tidy up.
    settled: Memory,
    /// From the start of the process to the first answer, after the server was killed while it tidied up.
    start_after_kill: f64,
    /// The same after it has ended by itself, and how long that took.
    start_after_end: f64,
    end: f64,
    /// What the server that was started last has in memory.
    restarted: Memory,
    data_octets: u64,
}

/// Fills a new server once in each way; these are no rounds.
pub fn measure(place: &Place<'_>) -> Result<Sheet> {
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for (how, label) in HOW {
        place.tell(&format!("making a large zone {label}"));
        match fill(place, how, label) {
            Ok(row) => rows.push(row),
            Err(error) => failures.push((label.to_owned(), format!("{error:#}"))),
        }
    }
    let json = serde_json::to_value(&rows)?;
    Ok(Sheet { table: table(&rows), verdict: None, json, failures })
}

fn fill(place: &Place<'_>, how: &str, label: &'static str) -> Result<Row> {
    let mut server = Managed::start(place, Manager::Ours, site::ALL_CORES, None)?;
    let mut command = server.client(place.programs, "fill", place.zones.names);
    let Filled { names, seconds } = report(command.args(["--how", how]))?;
    let full = server.memory()?;
    let (_, after_kill) = server.restart(false, place.zones)?;
    thread::sleep(SETTLE);
    let settled = server.memory()?;
    let (end, after_end) = server.restart(true, place.zones)?;
    let data_octets = server.data_octets()?;
    thread::sleep(SETTLE);
    Ok(Row {
        how: label,
        names,
        seconds,
        full,
        settled,
        start_after_kill: after_kill.as_secs_f64(),
        start_after_end: after_end.as_secs_f64(),
        end: end.as_secs_f64(),
        restarted: server.memory()?,
        data_octets,
    })
}

fn table(rows: &[Row]) -> Table {
    let header = words(&[
        "records come",
        "s",
        "records/s",
        "RSS, MB",
        "peak, MB",
        "start after kill -9, s",
        "RSS, MB",
        "end, s",
        "start after that, s",
        "RSS, MB",
        "on disk, MB",
    ]);
    let row = |row: &Row| {
        let resident = |memory: &Memory| megabytes(memory.resident as f64);
        vec![
            row.how.to_owned(),
            decimals(Some(row.seconds), 2),
            grouped(f64::from(row.names) / row.seconds),
            resident(&row.full),
            megabytes(row.full.peak as f64),
            decimals(Some(row.start_after_kill), 2),
            resident(&row.settled),
            decimals(Some(row.end), 2),
            decimals(Some(row.start_after_end), 2),
            resident(&row.restarted),
            megabytes(row.data_octets as f64),
        ]
    };
    let notes = vec![
        "Once each. Starts are from the start of the process to the first answer from the zone. Memory is that right after \
         the last answer, and that five seconds after each start."
            .to_owned(),
    ];
    Table { header, rows: rows.iter().map(row).collect(), notes }
}
