//! A zone file per fault, named for it, and beside it what the reader says about it.
//!
//! `UPDATE_EXPECTED=1` rewrites the expected side.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dns_core::zonefile::{self, Options};

#[test]
fn every_fault_is_reported_where_it_stands() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut zones: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "zone"))
        .collect();
    zones.sort();
    assert!(zones.len() > 20, "{} zones", zones.len());
    let mut differing = Vec::new();
    for zone in zones {
        let actual = outcome(&zone);
        let expected = zone.with_extension("expected");
        if update {
            std::fs::write(&expected, &actual).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != actual {
            differing.push(format!("{}:\n{actual}", zone.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The report, and how many records were read all the same.
fn outcome(zone: &Path) -> String {
    let name = zone.file_name().unwrap().to_str().unwrap();
    let octets = std::fs::read(zone).unwrap();
    let mut include = |path: &str, _from: &str| {
        // The system's own words differ from place to place.
        let octets = std::fs::read(folder().join(path)).map_err(|error| error.kind().to_string())?;
        Ok((path.to_owned(), octets))
    };
    let mut records = 0;
    let report = zonefile::read(name, &octets, &Options::default(), &mut include, |_record| records += 1);
    assert!(!report.is_ok() || !report.warnings.is_empty(), "{name} has no fault");
    let mut text = report.to_string();
    writeln!(text, "records read: {records}").unwrap();
    text
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/faults")
}
