//! Changes of records that are kept on disk, and changes over HTTP.

mod durable;
mod fill;
mod load;
mod seen;
mod site;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::scenario::{Budget, Scenario};
use super::table::Table;
use super::verdict::Verdict;
use super::zones::Zones;

/// What is done.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Changes in process by so many threads, beside a bare database and a bare log.
    Durable { writers: u16 },
    /// Changes by so many clients over HTTP, beside PowerDNS.
    Load { clients: u16 },
    /// Names are read and changed in turn by so many clients; ours alone.
    Mixed { clients: u16 },
    /// From a change over HTTP until DNS answers it.
    Seen,
    /// A large zone over HTTP, and what the server is like with it; ours alone.
    Fill,
}

/// What came of it.
pub struct Sheet {
    /// Without what the scenario says about it.
    pub table: Table,
    pub json: Value,
    /// `None` if there is no budget, or nothing to judge it by.
    pub verdict: Option<Verdict>,
    /// Who failed, and why.
    pub failures: Vec<(String, String)>,
}

/// What all of them need.
pub struct Place<'p> {
    pub programs: &'p Path,
    pub folder: &'p Path,
    pub zones: &'p Zones,
    pub rounds: u32,
    pub seconds: u32,
    pub budget: Option<Budget>,
    /// The scenario's, for what is told while it runs.
    pub id: &'static str,
}

impl Place<'_> {
    fn tell(&self, what: &str) {
        eprintln!("{}: {what}", self.id);
    }
}

/// Measures the deed of a scenario.
pub fn measure(
    deed: Deed,
    scenario: &Scenario,
    (programs, folder): (&Path, &Path),
    zones: &Zones,
    (rounds, seconds): (u32, u32),
) -> Result<Sheet> {
    let place = Place { programs, folder, zones, rounds, seconds, budget: scenario.budget, id: scenario.id };
    match deed {
        Deed::Durable { writers } => durable::measure(&place, writers),
        Deed::Load { clients } => Ok(load::measure(&place, clients, load::Work::Changes)),
        Deed::Mixed { clients } => Ok(load::measure(&place, clients, load::Work::Mixed)),
        Deed::Seen => Ok(seen::measure(&place)),
        Deed::Fill => fill::measure(&place),
    }
}

/// Runs a program of ours, and reads what it prints.
fn report<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let program = command.get_program().to_string_lossy().into_owned();
    // What it says goes below a table.
    let output = command.stdin(Stdio::null()).env("RUST_BACKTRACE", "0").output();
    let output = output.with_context(|| format!("cannot start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, said.trim());
    serde_json::from_slice(&output.stdout).context("what the program reports")
}
