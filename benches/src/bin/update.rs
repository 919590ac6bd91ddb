//! Changes of records by dynamic updates, as a program: `update --target 127.0.0.1:5300 --names 10000 --seconds 3`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use benches::update::{self, Plan};
use benches::zone::ZonePlan;
use clap::Parser;

/// A server that takes longer for one change is not measured.
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes records of the zone bench.test. on a server of this machine, one after another, and prints as JSON how long
/// it took until they were answered, and how many were acknowledged per second.
///
/// The server has to take unsigned updates from loopback. A second run needs a server that was started anew, since it
/// makes the same changes.
#[derive(Parser)]
struct Args {
    /// The server; a loopback address.
    #[arg(long)]
    target: SocketAddr,
    /// Generated names of the zone, as given to `zone`.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    names: u32,
    /// How long to time changes, and then how long to count them.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let plan = Plan {
        target: args.target,
        zone: ZonePlan { names: args.names },
        time: Duration::from_secs(args.seconds),
        patience: PATIENCE,
    };
    let report = update::run(&plan).with_context(|| format!("changing records of {}", args.target))?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
