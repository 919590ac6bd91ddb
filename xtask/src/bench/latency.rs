//! How soon a change of one record is seen: in process for ours, by dynamic updates for peers.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::entrant::{Entrant, Kind};
use super::server::Server;
use super::zones::Zones;
use super::{LOAD_CORE, process};

/// How many changes are timed in process.
const CHANGES: u32 = 20_000;
/// What `update --seconds` takes at most.
const UPDATE_SECONDS_MAX: u32 = 3600;

/// What `changes latency` and `update` report.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Latency {
    pub changes: u64,
    pub median_micros: f64,
    pub p99_micros: f64,
    pub max_micros: f64,
    pub changes_per_second: f64,
    /// Updates that were refused for the time being, and repeated.
    #[serde(default)]
    pub put_off: u64,
}

/// Whose records were changed, and how long that took.
pub struct Changed {
    pub entrant: Entrant,
    pub latency: Latency,
}

/// Has records of the zone changed one after another: in process with [`Kind::Changes`], otherwise by updates that are
/// timed for so many seconds, and then counted for as many.
pub fn measure(
    entrant: Entrant,
    programs: &Path,
    folder: &Path,
    zones: &Zones,
    seconds: u32,
) -> Result<Latency> {
    let names = zones.names.to_string();
    if entrant.kind == Kind::Changes {
        let mut command = process::pinned(entrant.setup.cores, &programs.join("changes"));
        command.args(["latency", "--changes", &CHANGES.to_string(), "--names", &names]);
        return report(command.arg("--zone").arg(&zones.file));
    }
    let server = Server::start(entrant, programs, folder, Some(zones))?;
    let mut command = process::pinned(LOAD_CORE, &programs.join("update"));
    command.args(["--target", &server.address.to_string(), "--names", &names]);
    report(command.args(["--seconds", &seconds.min(UPDATE_SECONDS_MAX).to_string()]))
}

fn report(command: &mut Command) -> Result<Latency> {
    let output =
        command.stdin(Stdio::null()).output().context("cannot start the program that changes records")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "changing records: {}: {}", output.status, said.trim());
    serde_json::from_slice(&output.stdout).context("the report of changes")
}
