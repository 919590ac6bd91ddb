//! How soon a change is seen, in process.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::zones::Zones;
use super::{BOTH_CORES, process};

/// How many changes are timed.
const CHANGES: u32 = 20_000;

/// What `changes latency` reports.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Latency {
    pub changes: u64,
    pub median_micros: f64,
    pub p99_micros: f64,
    pub max_micros: f64,
    pub changes_per_second: f64,
}

/// Loads the zone into a store and changes one record after another.
pub fn measure(programs: &Path, zones: &Zones) -> Result<Latency> {
    let mut command = process::pinned(BOTH_CORES, &programs.join("changes"));
    command.args(["latency", "--changes", &CHANGES.to_string()]);
    command.args(["--names", &zones.names.to_string(), "--zone"]).arg(&zones.file);
    let output = command.output().context("cannot start changes")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "changes: {}: {}", output.status, said.trim());
    serde_json::from_slice(&output.stdout).context("the report of changes")
}
