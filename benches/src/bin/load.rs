//! The load generator as a program: `load --target 127.0.0.1:5300 --names 10000 --mixture hits --seconds 3`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use benches::load::{self, Check, Plan};
use benches::questions::{Mixture, Questions};
use benches::zone::ZonePlan;
use clap::Parser;

/// Asks a server on this machine for the names of the zone bench.test., checks the answers and prints a report as JSON.
#[derive(Parser)]
struct Args {
    /// The server; a loopback address.
    #[arg(long)]
    target: SocketAddr,
    /// Generated names of the zone, as given to `zone`.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    names: u32,
    /// What to ask.
    #[arg(long, value_enum, default_value = "hits")]
    mixture: Mixture,
    /// What to check.
    #[arg(long, value_enum, default_value = "full")]
    check: Check,
    /// Over TCP instead of UDP.
    #[arg(long)]
    tcp: bool,
    /// Client sockets, or TCP connections.
    #[arg(long, default_value_t = 4)]
    sockets: u16,
    /// Questions on their way at any time, in all.
    #[arg(long, default_value_t = 128)]
    outstanding: u16,
    /// How long to ask.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// How many questions to ask at most.
    #[arg(long, default_value_t = u64::MAX)]
    queries: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let questions = Questions::new(ZonePlan { names: args.names }, args.mixture);
    let plan = Plan {
        target: args.target,
        sockets: args.sockets,
        outstanding: args.outstanding,
        time: Duration::from_secs_f64(args.seconds),
        queries_max: args.queries,
        check: args.check,
    };
    let report = if args.tcp { load::tcp(&plan, &questions) } else { load::udp(&plan, &questions) };
    let report = report.with_context(|| format!("asking {}", args.target))?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// Reads a bounded time.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.01 to 3600".into()),
    }
}
