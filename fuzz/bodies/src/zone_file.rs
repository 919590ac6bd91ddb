//! Zone files, as operators and other servers write them.

use std::num::NonZeroUsize;

use dns_core::zonefile::{self, Options, Record, Report, ZoneRecord};
use dns_core::{Name, RecordType, rdata};

/// Owner, TTL, type and RDATA.
type Row = (Vec<u8>, u32, RecordType, Vec<u8>);

/// Reads the octets as a zone file that may include itself once; what is accepted is valid, and writing it makes a file
/// that reads back equal.
pub fn run(data: &[u8]) {
    if is_slow(data) {
        return;
    }
    let options = Options { origin: "example.org".parse().ok(), ..Options::default() };
    let (rows, report) = read(data, &options);
    check_places(data, &report);
    check_parts(data, &options, &rows, &report);
    for (owner, _, rtype, octets) in &rows {
        let name = Name::from_wire(owner);
        assert_eq!(name.as_ref().map(Name::as_wire), Ok(&owner[..]));
        assert!(!rtype.is_meta(), "{rtype}");
        assert_eq!(rdata::validate(*rtype, octets), Ok(()), "{rtype}");
    }
    let mut text = String::new();
    let records =
        rows.iter().map(|(owner, ttl, rtype, rdata)| Record { owner, ttl: *ttl, rtype: *rtype, rdata });
    zonefile::write(&Name::root(), records, &mut text).expect("a String takes everything");
    let (back, report) = read(text.as_bytes(), &Options::default());
    assert!(report.is_ok(), "{report}{text}");
    assert_eq!(sorted(back), sorted(rows), "{text}");
}

fn read(text: &[u8], options: &Options) -> (Vec<Row>, Report) {
    let mut rows = Vec::new();
    let mut include = include_once(text);
    let report = zonefile::read("zone", text, options, &mut include, |record| rows.push(row(record)));
    (rows, report)
}

/// Reading in parts, of as few octets as can be, tells what reading in order does.
fn check_parts(text: &[u8], options: &Options, rows: &[Row], report: &Report) {
    let options = Options { part_octets_min: 1, ..options.clone() };
    let mut include = include_once(text);
    let (in_parts, parts) = zonefile::read_in_parts(
        "zone",
        text,
        &options,
        &mut include,
        NonZeroUsize::MIN.saturating_add(2),
        |_octets| Vec::new(),
        |rows: &mut Vec<Row>, record| rows.push(row(record)),
    );
    assert_eq!(parts.concat(), rows);
    assert_eq!(in_parts.to_string(), report.to_string());
}

fn row(record: ZoneRecord<'_>) -> Row {
    (record.owner.to_vec(), record.ttl, record.rtype, record.rdata.to_vec())
}

fn include_once(text: &[u8]) -> impl FnMut(&str, &str) -> Result<(String, Vec<u8>), String> {
    let mut included = false;
    move |path, _from| {
        if std::mem::replace(&mut included, true) {
            Err("included already".to_owned())
        } else {
            Ok((format!("{path} included"), text.to_vec()))
        }
    }
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

/// Every error stands at an octet of the text.
fn check_places(text: &[u8], report: &Report) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines: Vec<_> = text.split(|&octet| octet == b'\n').collect();
    for error in &report.errors {
        let line = lines.get(error.position.line as usize - 1);
        let column = error.position.column as usize;
        assert!(line.is_some_and(|line| (1..=line.len()).contains(&column)), "{error}");
    }
}

/// `$GENERATE` makes up to 65,536 records of a line: correct, but no way to spend a fuzzer's time.
fn is_slow(text: &[u8]) -> bool {
    let generates = text.windows(9).any(|octets| octets.eq_ignore_ascii_case(b"$GENERATE"));
    generates && text.windows(4).any(|octets| octets.iter().all(u8::is_ascii_digit))
}
