//! Ours as a library, in a program that changes records: while it answers, or one after another to time them.

use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use benches::changes::Changer;
use benches::zone::ZonePlan;
use clap::{Parser, Subcommand};
use dns_server::Server;

/// Changes records of the zone bench.test. in process.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// A zone file that `zone` has written.
    #[arg(long, global = true, default_value = "bench.zone")]
    zone: PathBuf,
    /// Its generated names.
    #[arg(long, global = true, default_value_t = 10_000)]
    names: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Answers with one worker, and changes records meanwhile.
    Serve {
        /// Loopback address and port.
        #[arg(long)]
        listen: SocketAddr,
        /// Changes of one record each.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
        changes_per_second: u32,
        /// Ends after this time.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
    /// Changes one record after another, and prints how long that took as JSON.
    Latency {
        /// How many.
        #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        changes: u32,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let plan = ZonePlan { names: args.names };
    let address = match args.command {
        Command::Serve { listen, .. } => listen,
        Command::Latency { .. } => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    ensure!(address.ip().is_loopback(), "{address} is no loopback address");
    let server = Server::builder()
        .listen(address)
        .workers(NonZeroUsize::MIN)
        .zone_file("bench.test".parse()?, args.zone)
        .strict()
        .build()
        .await?;
    match args.command {
        Command::Latency { changes } => {
            let latency = Changer::new(server.store(), plan).time(changes)?;
            println!("{}", serde_json::to_string_pretty(&latency)?);
        }
        Command::Serve { changes_per_second, seconds, .. } => {
            let running = server.start()?;
            let store = running.store().clone();
            let time = Duration::from_secs(seconds);
            let run = move || Changer::new(&store, plan).run(changes_per_second, time);
            let changer = thread::Builder::new().name("changer".into()).spawn(run)?;
            if changes_per_second == 0 {
                tokio::time::sleep(time).await;
            }
            let ended = tokio::task::spawn_blocking(move || changer.join()).await?;
            ended.map_err(|_| anyhow!("the changer panicked"))?.context("changing records")?;
            running.shutdown().await;
        }
    }
    std::io::stdout().flush()?;
    Ok(())
}
