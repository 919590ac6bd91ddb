//! `cargo xtask bench`: ours, the echo floor and other servers under the same load, in one run.
//!
//! Times on a shared machine wander, so servers take turns within each round and only ratios within a round are
//! compared. What counts is the CPU time a server needs per query; queries per second depend on the load as well.
//!
//! A whole run with five rounds takes an hour. `bench/scenarios.rs` is the table of what is measured;
//! `bench/entrant.rs` says who, `bench/config.rs` how each is set up.

mod config;
mod entrant;
mod latency;
mod machine;
mod manage;
mod measure;
mod page;
mod process;
mod scenario;
mod scenarios;
mod server;
mod start;
mod stats;
mod table;
mod verdict;
mod zones;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use self::entrant::{Entrant, Kind};
use self::latency::Changed;
use self::machine::Machine;
use self::page::Page;
use self::scenario::{Scenario, Work};
use self::server::Server;
use self::start::Starts;
use self::table::{Outcome, Table};
use self::zones::{Maker, Zones};
use crate::{peers, shell};

/// Core of the servers; only one of them works at a time.
const SERVER_CORE: &str = "0";
/// Core of the load generator.
const LOAD_CORE: &str = "1";
/// For what may use both.
const BOTH_CORES: &str = "0,1";

/// What whoever has never run it should know.
const AFTER_HELP: &str = "A whole run takes an hour; --quick is for a first look. Servers run on core 0 and the load on \
                          core 1, so both should have nothing else to do. As root on Debian, peers that are missing \
                          are installed first; those that cannot be had are named below the tables. \
                          docs/benchmarks.md says more.";

/// What `cargo xtask bench` takes.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// One scenario with the echo floor, ours and one peer, within a minute.
    #[arg(long, conflicts_with_all = ["scenarios", "servers"])]
    quick: bool,
    /// Only scenarios whose id has one of these words in it; all but the slow ones without.
    #[arg(long = "scenario", value_name = "WORD", num_args = 1..)]
    scenarios: Vec<String>,
    /// Lists the scenarios (all, or those meant by --scenario), and measures nothing.
    #[arg(long)]
    list: bool,
    /// Rounds; each asks every server once. Starts are repeated as often, and updates are sent for as long as all rounds
    /// together.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long a server is asked in a round.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Measures only these servers; all without it.
    #[arg(long = "server", value_enum, num_args = 1..)]
    servers: Vec<Kind>,
    /// Writes every round's numbers as JSON as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Replaces the tables between `<!-- begin ID -->` and `<!-- end ID -->` in this file by those of the run.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// A scenario and what came of it.
struct Measured {
    scenario: &'static Scenario,
    outcome: Outcome,
    /// Who does not take part, and why.
    absent: Vec<(String, String)>,
}

/// What stays the same for all scenarios of a run.
struct Run<'a> {
    args: &'a Args,
    kinds: Vec<Kind>,
    programs: PathBuf,
    folder: &'a Path,
    failures: Vec<String>,
}

/// Builds, installs and measures; fails if a server could not be measured or answered wrongly.
pub fn run(args: &Args) -> Result<()> {
    let (words, kinds) = choice(args);
    let chosen = chosen(&words, args.list);
    ensure!(!chosen.is_empty(), "no scenario has {} in its id; --list names them", words.join(" or "));
    if args.list {
        for scenario in chosen {
            println!("{:<18} {}{}", scenario.id, scenario.title, if scenario.slow { " (slow)" } else { "" });
        }
        return Ok(());
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    ensure!(cores >= 2, "a server and the load need a core each, and there is one");
    // A page that lacks a place for a table is a mistake to know before an hour of measuring, not after.
    let page = args.markdown.as_deref().map(|file| Page::read(file, &chosen)).transpose()?;
    provide(&kinds);
    let programs = build()?;
    let machine = Machine::look();
    println!("{}", machine.text());

    let folder = tempfile::tempdir().context("cannot make a folder for zones and configurations")?;
    let mut run =
        Run { args, kinds, programs: programs.clone(), folder: folder.path(), failures: Vec::new() };
    let mut maker = Maker::new(&programs, folder.path());
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for scenario in chosen {
        match run.measure(scenario, &mut maker) {
            Ok(measured) => {
                // Shown as soon as it is known: the whole run takes a while.
                println!("{}", Table::of(&measured).text(&format!("{} ({})", scenario.title, scenario.id)));
                all.push(measured);
            }
            Err(error) => {
                run.fail(scenario, &format!("{error:#}"));
                failed.push(scenario);
            }
        }
    }
    if let Some(file) = &args.json {
        let scenarios: Vec<_> = all.iter().map(table::json).collect();
        let not_measured: Vec<_> = failed.iter().map(|scenario| scenario.id).collect();
        let json = json!({ "machine": machine.json(), "scenarios": scenarios, "not_measured": not_measured });
        fs::write(file, serde_json::to_string_pretty(&json)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let summary = table::summary(&all, &failed);
    if !summary.rows.is_empty() {
        println!("{}", summary.text("Budgets"));
    }
    if let Some(page) = page {
        page.write(&machine, &all, &failed, words.is_empty() && args.servers.is_empty())?;
    }
    if !run.failures.is_empty() {
        bail!("{}", run.failures.join("\n"));
    }
    Ok(())
}

/// The words for scenarios, and the servers.
fn choice(args: &Args) -> (Vec<String>, Vec<Kind>) {
    if args.quick {
        let (scenario, peer) = scenarios::QUICK;
        return (vec![scenario.to_owned()], vec![Kind::Echo, Kind::Ours, peer]);
    }
    let kinds = if args.servers.is_empty() { Kind::ALL.to_vec() } else { args.servers.clone() };
    (args.scenarios.clone(), kinds)
}

/// The scenarios that are meant by the words; without words, a list has the slow ones as well.
fn chosen(words: &[String], list: bool) -> Vec<&'static Scenario> {
    let all = list && words.is_empty();
    scenarios::ALL.iter().filter(|scenario| all || scenario.is_meant(words)).collect()
}

impl Run<'_> {
    fn measure(&mut self, scenario: &'static Scenario, maker: &mut Maker<'_>) -> Result<Measured> {
        let reasons = scenario.absentees(&self.kinds).into_iter();
        let mut absent: Vec<_> =
            reasons.map(|(kind, why)| (kind.name().to_owned(), why.to_owned())).collect();
        let outcome = match scenario.work {
            Work::Load { base, metric, .. } => {
                let zones = maker.make(scenario.shape)?;
                let servers = self.start_all(scenario, &zones, &mut absent);
                let Args { rounds, seconds, .. } = *self.args;
                let amounts = (scenario.shape.names(), rounds, seconds);
                let rounds = measure::measure(&servers, &self.programs, amounts, (base, metric))?;
                for failure in rounds.failures() {
                    self.fail(scenario, &failure);
                }
                let stopped =
                    rounds.rows.iter().filter_map(|row| Some((row.entrant.label, row.stopped.clone()?)));
                absent.extend(stopped.map(|(who, why)| (who.to_owned(), why)));
                Outcome::Load(rounds)
            }
            Work::Start { .. } => {
                let zones = maker.make(scenario.shape)?;
                Outcome::Start(self.starts(scenario, Some(&zones), &mut absent))
            }
            Work::Rest => Outcome::Rest(self.starts(scenario, None, &mut absent)),
            Work::Latency { .. } => {
                let zones = maker.make(scenario.shape)?;
                Outcome::Latency(self.changes(scenario, &zones, &mut absent))
            }
            Work::Manage(deed) => {
                let zones = maker.make(scenario.shape)?;
                let Args { rounds, seconds, .. } = *self.args;
                let place = (&*self.programs, self.folder);
                let sheet = manage::measure(deed, scenario, place, &zones, (rounds, seconds))?;
                for (who, why) in &sheet.failures {
                    self.fail(scenario, &format!("{who}: {why}"));
                }
                absent.extend(sheet.failures.iter().cloned());
                Outcome::Manage(sheet)
            }
        };
        Ok(Measured { scenario, outcome, absent })
    }

    /// Starts everybody who takes part, and warms them up; who cannot is absent, and fails the run in the end.
    fn start_all(
        &mut self,
        scenario: &Scenario,
        zones: &Zones,
        absent: &mut Vec<(String, String)>,
    ) -> Vec<Server> {
        let mut servers = Vec::new();
        for entrant in scenario.entrants(&self.kinds) {
            eprintln!("{}: starting {}", scenario.id, entrant.label);
            let server = Server::start(entrant, &self.programs, self.folder, Some(zones));
            let warm = |server: Server| {
                measure::warm(&server, &self.programs, zones.names)?;
                Ok(server)
            };
            match server.and_then(warm) {
                Ok(server) => servers.push(server),
                Err(error) => self.miss(scenario, entrant, &error, absent),
            }
        }
        servers
    }

    /// Starts each server a number of times, in turn; another one begins each round. Who fails once is not started again.
    fn starts(
        &mut self,
        scenario: &Scenario,
        zones: Option<&Zones>,
        absent: &mut Vec<(String, String)>,
    ) -> Vec<Starts> {
        let rest = matches!(scenario.work, Work::Rest);
        let entrants = scenario.entrants(&self.kinds).into_iter();
        let mut all: Vec<_> = entrants.map(|entrant| Starts { entrant, starts: Vec::new() }).collect();
        let mut failed = vec![false; all.len()];
        for round in 0..self.args.rounds {
            for turn in 0..all.len() {
                let index = (turn + round as usize) % all.len();
                if failed[index] {
                    continue;
                }
                let entrant = all[index].entrant;
                eprintln!("{}: start {} of {}", scenario.id, round + 1, entrant.label);
                match start::start(entrant, &self.programs, self.folder, zones, rest) {
                    Ok(start) => all[index].starts.push(start),
                    Err(error) => {
                        failed[index] = true;
                        self.miss(scenario, entrant, &error, absent);
                    }
                }
            }
        }
        // What one that failed took before it did says nothing about it.
        let mut sound = failed.into_iter().map(|failed| !failed);
        all.retain(|_| sound.next().unwrap_or(false));
        all
    }

    /// Has records changed by one after another.
    fn changes(
        &mut self,
        scenario: &Scenario,
        zones: &Zones,
        absent: &mut Vec<(String, String)>,
    ) -> Vec<Changed> {
        let seconds = self.args.rounds * self.args.seconds;
        let mut all = Vec::new();
        for entrant in scenario.entrants(&self.kinds) {
            eprintln!("{}: changing records of {}", scenario.id, entrant.label);
            match latency::measure(entrant, &self.programs, self.folder, zones, seconds) {
                Ok(latency) => all.push(Changed { entrant, latency }),
                Err(error) => self.miss(scenario, entrant, &error, absent),
            }
        }
        all
    }

    fn miss(
        &mut self,
        scenario: &Scenario,
        entrant: Entrant,
        error: &anyhow::Error,
        absent: &mut Vec<(String, String)>,
    ) {
        self.fail(scenario, &format!("{}: {error:#}", entrant.label));
        absent.push((entrant.label.to_owned(), format!("{error:#}")));
    }

    fn fail(&mut self, scenario: &Scenario, reason: &str) {
        let failure = format!("{}: {reason}", scenario.id);
        eprintln!("{failure}");
        self.failures.push(failure);
    }
}

/// The folder with the programs, built as users get them.
fn build() -> Result<PathBuf> {
    let mut command = shell::cargo();
    command.args(["build", "--release", "--package", "jw238dns-benches", "--bins", "--package", "jw238dns"]);
    shell::run(&mut command)?;
    Ok(shell::target_folder().join("release"))
}

/// Installs what is missing. Who cannot be had is named, and will be absent.
fn provide(kinds: &[Kind]) {
    let wanted: Vec<_> = kinds.iter().filter_map(|kind| peers::bench_peer(kind.word())).collect();
    for peer in wanted.iter().copied().chain([&peers::SIGNING_TOOLS]).chain(peers::API_PEERS) {
        if peer.missing().is_empty() {
            continue;
        }
        if !peers::can_install() {
            eprintln!("{} is not installed, and apt needs root", peer.package);
        } else if let Err(error) = peers::install(&[*peer]) {
            eprintln!("{}: {error:#}", peer.package);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_the_slow_scenarios_and_runs_only_where_they_are_asked_for() {
        let slow = |words: &[String], list| chosen(words, list).iter().any(|scenario| scenario.slow);
        assert!(slow(&[], true) && !slow(&[], false));
        let words = ["zones-100k".to_owned()];
        assert!(slow(&words, false) && slow(&words, true));
        assert!(chosen(&["latency".to_owned()], true).iter().all(|scenario| scenario.id.contains("latency")));
        assert!(chosen(&["nothing-like-it".to_owned()], true).is_empty());
    }
}
