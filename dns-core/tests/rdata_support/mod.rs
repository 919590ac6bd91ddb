//! Shared by the tests of RDATA: the examples, and short ways to call the table.

#![allow(dead_code, reason = "each test file uses its part")]

use data_encoding::HEXLOWER;
use dns_core::{RecordType, rdata};

/// One line of `examples.tsv`.
pub struct Example {
    pub rtype: RecordType,
    pub text: &'static str,
    pub wire: Vec<u8>,
    /// The text as it is written.
    pub written: &'static str,
}

pub fn examples() -> Vec<Example> {
    let lines = include_str!("examples.tsv").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut columns = line.split('\t');
            let mut next = || columns.next().unwrap_or_else(|| panic!("too few columns: {line}"));
            let rtype = next().parse().unwrap();
            let text = next();
            let wire = HEXLOWER.decode(next().as_bytes()).unwrap();
            let written = match next() {
                "=" => text,
                written => written,
            };
            Example { rtype, text, wire, written }
        })
        .collect()
}

pub fn rtype(mnemonic: &str) -> RecordType {
    mnemonic.parse().unwrap()
}

pub fn write(rtype: RecordType, wire: &[u8]) -> String {
    let mut text = String::new();
    rdata::write_text(rtype, wire, &mut text).unwrap();
    text
}

#[track_caller]
pub fn read(rtype: RecordType, text: &str) -> Vec<u8> {
    rdata::from_text(rtype, text, None).unwrap_or_else(|error| panic!("{rtype} {text}: {error}"))
}

pub fn hex(digits: &str) -> Vec<u8> {
    HEXLOWER.decode(digits.replace(' ', "").as_bytes()).unwrap()
}
