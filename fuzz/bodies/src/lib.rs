//! What the fuzz targets do: a function per target, which panics where something is wrong.
//!
//! The fuzzer calls them from `fuzz/fuzz_targets`; `tests/replay.rs` feeds them the committed corpora on the stable
//! compiler, so that what a fuzzer once found stays found.
//!
//! A new target `x` is a module here with `pub fn run(data: &[u8])`, its line in [`TARGETS`], a `[[bin]]` in
//! `fuzz/Cargo.toml` with `fuzz_targets/x.rs` (copy `name.rs`), and a folder `fuzz/corpus/x` with at least one small
//! seed. The replay test tells which of these is missing.

pub mod api_request;
pub mod config;
pub mod cookie;
pub mod journal_entry;
pub mod message;
pub mod name;
pub mod query_log;
pub mod rdata;
pub mod rules;
pub mod zone_file;

/// A fuzz target: takes any octets, and panics where the code under test breaks a promise.
pub type Run = fn(&[u8]);

/// Every target, by the name of its folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Run)] = &[
    ("api_request", api_request::run),
    ("config", config::run),
    ("cookie", cookie::run),
    ("journal_entry", journal_entry::run),
    ("message", message::run),
    ("name", name::run),
    ("query_log", query_log::run),
    ("rdata", rdata::run),
    ("rules", rules::run),
    ("zone_file", zone_file::run),
];
