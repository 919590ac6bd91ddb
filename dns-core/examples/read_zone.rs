//! Reads a zone file and tells what is in it, what is wrong with it, and how long that took.
//!
//! `cargo run --release -p jw238dns-core --example read_zone -- zones/example.org.zone example.org`

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use dns_core::zonefile::{self, Options};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(file) = arguments.next() else {
        eprintln!("usage: read_zone FILE [ORIGIN]");
        return ExitCode::FAILURE;
    };
    let options =
        Options { origin: arguments.next().and_then(|origin| origin.parse().ok()), ..Options::default() };
    let octets = match std::fs::read(&file) {
        Ok(octets) => octets,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut include = |path: &str, from: &str| {
        let path = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
        let octets = std::fs::read(&path).map_err(|error| error.to_string())?;
        Ok((path.display().to_string(), octets))
    };
    let (mut records, mut rdata_octets) = (0u64, 0u64);
    let begin = Instant::now();
    let report = zonefile::read(&file, &octets, &options, &mut include, |record| {
        records += 1;
        rdata_octets += record.rdata.len() as u64;
    });
    let elapsed = begin.elapsed();
    eprint!("{report}");
    println!(
        "{records} records, {rdata_octets} octets of RDATA; {} octets read in {elapsed:?}",
        octets.len()
    );
    ExitCode::from(u8::from(!report.is_ok()))
}
