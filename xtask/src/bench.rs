//! `cargo xtask bench`: ours, the echo floor and other servers under the same load, in one run.
//!
//! Times on a shared machine wander, so servers take turns within each round and only ratios within a round are
//! compared. What counts is the CPU time a server needs per query; queries per second depend on the load as well.

mod measure;
mod process;
mod server;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::measure::{Measurement, Scenario};
use self::server::{Kind, Server};
use crate::{peers, shell};

/// With `--quick`, or without.
const QUICK: &[Scenario] = &[Scenario::udp("10k names, hits", 10_000, "hits")];
const FULL: &[Scenario] = &[
    Scenario::udp("10k names, hits", 10_000, "hits"),
    Scenario::udp("10k names, NXDOMAIN", 10_000, "nxdomain"),
    Scenario::udp("10k names, mixed", 10_000, "mixed"),
    Scenario::udp("1M names, hits", 1_000_000, "hits"),
    Scenario::tcp("10k names, hits, TCP", 10_000, "hits"),
];

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
pub struct Args {
    /// One scenario only, in about a minute.
    #[arg(long)]
    quick: bool,
    /// Rounds; each asks every server once.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long a server is asked in a round.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Measures only these servers; all without it.
    #[arg(long = "server", value_enum)]
    servers: Vec<Kind>,
    /// Writes every round's numbers as JSON as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Builds, installs and measures; fails if a server could not be measured or answered wrongly.
pub fn run(args: &Args) -> Result<()> {
    let kinds = if args.servers.is_empty() { Kind::ALL.to_vec() } else { args.servers.clone() };
    if kinds.contains(&Kind::Knot) {
        provide_knot()?;
    }
    let programs = build(kinds.contains(&Kind::Ours))?;
    let scenarios = if args.quick { QUICK } else { FULL };
    let mut measurements = Vec::new();
    let mut failures = Vec::new();
    for scenario in scenarios {
        let result = run_scenario(args, *scenario, &kinds, &programs, &mut failures);
        measurements.push(result.with_context(|| scenario.name)?);
        // Shown as soon as it is known: the whole run takes a while.
        if let Some(last) = measurements.last() {
            println!("{}", table::text(last));
        }
    }
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(&table::json(&measurements))?;
        fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

/// Starts the servers, asks them in turn, and ends them.
fn run_scenario(
    args: &Args,
    scenario: Scenario,
    kinds: &[Kind],
    programs: &Path,
    failures: &mut Vec<String>,
) -> Result<Measurement> {
    let folder = tempfile::tempdir().context("cannot make a folder for zones and configurations")?;
    let zone = folder.path().join("bench.zone");
    let mut command = Command::new(programs.join("zone"));
    command.args(["--names", &scenario.names.to_string(), "--out"]).arg(&zone);
    shell::run(&mut command)?;

    let mut servers = Vec::new();
    for kind in kinds.iter().filter(|kind| scenario.suits(**kind)) {
        match Server::start(*kind, programs, folder.path(), &zone) {
            Ok(server) => servers.push(server),
            Err(error) => {
                let failure = format!("{}: {}: {error:#}", scenario.name, kind.name());
                eprintln!("{failure}");
                failures.push(failure);
            }
        }
    }
    ensure!(!servers.is_empty(), "no server to measure");
    let measurement = measure::measure(scenario, &servers, programs, args.rounds, args.seconds)?;
    failures.extend(measurement.failures());
    Ok(measurement)
}

/// The folder with the programs, built as users get them.
fn build(ours: bool) -> Result<PathBuf> {
    let mut command = shell::cargo();
    command.args(["build", "--release", "--package", "jw238dns-benches", "--bins"]);
    if ours {
        command.args(["--package", "jw238dns"]);
    }
    shell::run(&mut command)?;
    Ok(shell::target_folder().join("release"))
}

fn provide_knot() -> Result<()> {
    if !peers::KNOT.missing().is_empty() {
        ensure!(peers::can_install(), "knotd is not installed (Debian package knot), and apt needs root");
        peers::install(&[peers::KNOT])?;
    }
    Ok(())
}
