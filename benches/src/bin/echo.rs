//! The echo floor as a program: `echo --listen 127.0.0.1:5301 --seconds 600`.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use benches::echo;
use clap::Parser;

/// Answers every datagram with itself, marked as a response: the least a DNS server on sockets can cost.
#[derive(Parser)]
struct Args {
    /// Loopback address and port.
    #[arg(long)]
    listen: SocketAddr,
    /// Threads, each with a socket of its own.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// Ends after this time.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    // An open reflector on the network would serve the wrong people.
    ensure!(args.listen.ip().is_loopback(), "{} is no loopback address", args.listen);
    let time = Duration::from_secs(args.seconds);
    let listen = || echo::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen));
    let sockets = (0..args.workers).map(|_| listen()).collect::<Result<Vec<UdpSocket>>>()?;
    let workers: Vec<_> =
        sockets.into_iter().map(|socket| thread::spawn(move || echo::serve(&socket, time))).collect();
    let mut answered = 0;
    for worker in workers {
        answered += worker.join().map_err(|_| anyhow!("a worker panicked"))??;
    }
    eprintln!("answered {answered}");
    Ok(())
}
