//! How long a zone file takes to become a zone, and how much memory that takes.
//!
//! ```sh
//! cargo run --release -p jw238dns-benches --bin zone -- --names 1000000 --out /tmp/1m.zone
//! cargo run --release -p jw238dns-files --example load_zone -- /tmp/1m.zone bench.test
//! ```

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use dns_core::Name;
use dns_files::load_zone;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: load_zone FILE APEX";
    let path = PathBuf::from(arguments.next().ok_or(usage)?);
    let apex: Name = arguments.next().ok_or(usage)?.parse()?;

    let begun = Instant::now();
    let loaded = load_zone(&path, &apex)?;
    let elapsed = begun.elapsed();
    let zone = &loaded.built.zone;
    println!(
        "{} records at {} names in {elapsed:?}; the zone takes {} KiB",
        zone.record_count(),
        zone.name_count(),
        zone.base_octets() >> 10
    );
    println!("memory of the process: {} KiB, at most {} KiB", status("VmRSS:")?, status("VmHWM:")?);
    Ok(())
}

/// A figure that the kernel has of this process, in KiB.
fn status(key: &str) -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such figure")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
