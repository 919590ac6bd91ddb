//! The load generator as a program: `load --target 127.0.0.1:5300 --names 10000 --mixture hits --seconds 3`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use benches::load::{self, Check, Plan};
use benches::questions::{Edns, Mixture, Questions};
use benches::zone::ZonePlan;
use clap::{Parser, ValueEnum};

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
    /// Whether questions have an OPT record.
    #[arg(long, value_enum, default_value = "none")]
    edns: EdnsKind,
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
    /// Questions per second of another client, which asks over UDP from another network and does not wait for answers.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    flood: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum EdnsKind {
    None,
    /// Room for 1,232 octets.
    Plain,
    /// And signatures.
    Dnssec,
    /// A cookie that the server has given before.
    Cookie,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let edns = match args.edns {
        EdnsKind::None => Edns::None,
        EdnsKind::Plain => Edns::Plain,
        EdnsKind::Dnssec => Edns::Dnssec,
        EdnsKind::Cookie => {
            let cookie = load::learn_cookie(args.target);
            Edns::Cookie(Some(cookie.with_context(|| format!("asking {} for a cookie", args.target))?))
        }
    };
    let questions = Questions::with_edns(ZonePlan { names: args.names }, args.mixture, edns);
    let plan = Plan {
        target: args.target,
        sockets: args.sockets,
        outstanding: args.outstanding,
        time: Duration::from_secs_f64(args.seconds),
        queries_max: args.queries,
        check: args.check,
        flood: args.flood,
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
