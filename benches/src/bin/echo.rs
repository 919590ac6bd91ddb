//! The echo floor as a program: `echo --listen 127.0.0.1:5301 --seconds 600`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use benches::echo;
use clap::Parser;

/// Answers every datagram with itself, marked as a response: the least a DNS server on sockets can cost.
#[derive(Parser)]
struct Args {
    /// Loopback address and port.
    #[arg(long)]
    listen: SocketAddr,
    /// Ends after this time.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    // An open reflector on the network would serve the wrong people.
    ensure!(args.listen.ip().is_loopback(), "{} is no loopback address", args.listen);
    let socket = echo::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    let answered = echo::serve(&socket, Duration::from_secs(args.seconds))?;
    eprintln!("answered {answered}");
    Ok(())
}
