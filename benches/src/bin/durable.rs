//! Durable changes per second, as a program: `durable --folder /var/tmp --writers 16 --rounds 5 --seconds 3`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use benches::durable::{self, Keeper, Plan, Round};
use benches::zone::ZonePlan;
use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Has threads make durable changes of one record each, by a store over its journal, a bare database and a bare log in turn,
/// and prints what came of it as JSON.
///
/// What was acknowledged by a store is looked for in its journal afterwards. Everything is made anew for each measurement,
/// and deleted after it.
#[derive(Parser)]
struct Args {
    /// On the disk that is meant; not one in memory.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Threads, each of which waits for one change at a time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=64))]
    writers: u16,
    /// Generated names of the zone.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1_300..=10_000_000))]
    names: u32,
    /// How often everybody is measured, beginning with another one each time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// For how long each time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Only these; ratios need those that they are to.
    #[arg(long = "keeper")]
    keepers: Vec<Keeper>,
}

#[derive(Serialize)]
struct Report {
    writers: u16,
    /// Octets of each value.
    value_octets: usize,
    rounds: Vec<Round>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let plan = Plan {
        folder: &args.folder,
        writers: args.writers,
        time: Duration::from_secs(args.seconds),
        zone: ZonePlan { names: args.names },
    };
    let value_octets = durable::value_octets(&plan)?;
    let keepers = if args.keepers.is_empty() { Keeper::value_variants() } else { &args.keepers };
    let rounds = (0..args.rounds).map(|round| durable::round(&plan, keepers, value_octets, round as usize));
    let rounds = rounds.collect::<Result<_>>()?;
    println!("{}", serde_json::to_string_pretty(&Report { writers: args.writers, value_octets, rounds })?);
    Ok(())
}
