//! Writes a made-up zone: `zone --names 10000 --out bench.zone`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use benches::zone::ZonePlan;
use clap::Parser;

/// Writes the zone bench.test. as a zone file, the same one on every machine.
#[derive(Parser)]
struct Args {
    /// Generated names.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    names: u32,
    /// Where to write it.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let write = || {
        let mut out = BufWriter::new(File::create(&args.out)?);
        ZonePlan { names: args.names }.write(&mut out)?;
        out.flush()
    };
    write().with_context(|| format!("cannot write {}", args.out.display()))
}
