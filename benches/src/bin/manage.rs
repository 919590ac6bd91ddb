//! Managing records over HTTP, as a program: `manage load --http 127.0.0.1:8080 --dns 127.0.0.1:5300 --secret-file token`.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use benches::manage::{self, Dialect, How, Load, Server, Work};
use benches::zone::ZonePlan;
use clap::{Parser, Subcommand};
use serde::Serialize;

/// Manages the zone bench.test. of a server of this machine over HTTP, and prints what came of it as JSON.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Where its API is; a loopback address.
    #[arg(long, global = true, default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Where it answers; a loopback address.
    #[arg(long, global = true, default_value = "127.0.0.1:5300")]
    dns: SocketAddr,
    /// Whose API it is.
    #[arg(long, global = true, value_enum, default_value = "ours")]
    dialect: Dialect,
    /// A file with the token or the key of the API.
    #[arg(long, global = true, default_value = "admin-token")]
    secret_file: PathBuf,
    /// Generated names of the zone.
    #[arg(long, global = true, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    names: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Clients make one request after another; in the end, all that was acknowledged is asked for.
    Load {
        /// Connections.
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
        clients: u16,
        /// How many of them may wait for an answer at a time.
        #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u16).range(1..=4096))]
        at_once: u16,
        /// What they do.
        #[arg(long, value_enum, default_value = "changes")]
        work: Work,
        /// For how long.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// Where each client begins to count its requests; those with the same number are the same.
        #[arg(long, default_value_t = 0)]
        first: u64,
    },
    /// One change after another, each until DNS answers it.
    Seen {
        /// For how long.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
    /// Makes the zone, with one address for each name unless there is a file; ours only.
    Fill {
        /// As what.
        #[arg(long, value_enum, default_value = "import")]
        how: How,
        /// A zone file to import, which `zone` has written.
        #[arg(long)]
        zone: Option<PathBuf>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let secret = fs::read_to_string(&args.secret_file);
    let secret = secret.with_context(|| format!("cannot read {}", args.secret_file.display()))?;
    let server = Server { http: args.http, dialect: args.dialect, secret: secret.trim().to_owned() };
    let zone = ZonePlan { names: args.names };
    match args.command {
        Command::Load { clients, at_once, work, seconds, first } => {
            let time = Duration::from_secs(seconds);
            print(
                &manage::load(Load { server, dns: args.dns, clients, at_once, time, work, zone, first })
                    .await?,
            )
        }
        Command::Seen { seconds } => {
            print(&manage::seen(&server, args.dns, zone, Duration::from_secs(seconds)).await?)
        }
        Command::Fill { how, zone: file } => {
            print(&manage::fill(&server, args.dns, zone, how, file.as_deref()).await?)
        }
    }
}

fn print(report: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(report)?);
    Ok(())
}
