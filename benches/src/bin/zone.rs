//! Writes a made-up zone: `zone --names 10000 --out bench.zone`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use benches::extremes;
use benches::zone::ZonePlan;
use clap::{Parser, ValueEnum};

/// Writes the zone bench.test. as a zone file, the same one on every machine.
#[derive(Parser)]
struct Args {
    /// What is in it.
    #[arg(long, value_enum, default_value = "plain")]
    shape: Shape,
    /// Generated names, delegations or zones.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    names: u32,
    /// Where to write it.
    #[arg(long)]
    out: PathBuf,
    /// Where to write the names of the zones that share the file, without the dot at their end.
    #[arg(long, required_if_eq("shape", "small"))]
    apexes: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Shape {
    /// The generated names.
    Plain,
    /// The generated names, and what costs most.
    Extremes,
    /// Delegations.
    Delegations,
    /// Five records with relative names, for as many zones as there are `--names`.
    Small,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let plan = ZonePlan { names: args.names };
    create(&args.out, |out| match args.shape {
        Shape::Plain => plan.write(out),
        Shape::Extremes => extremes::write(plan, out),
        Shape::Delegations => extremes::write_delegations(args.names, out),
        Shape::Small => extremes::write_small(out),
    })?;
    if let (Some(apexes), Shape::Small) = (&args.apexes, args.shape) {
        create(apexes, |out| {
            (0..args.names)
                .try_for_each(|index| writeln!(out, "{}", extremes::small_apex(index).trim_end_matches('.')))
        })?;
    }
    Ok(())
}

fn create(file: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    let write = || {
        let mut out = BufWriter::new(File::create(file)?);
        write(&mut out)?;
        out.flush()
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}
