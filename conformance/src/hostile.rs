//! Hostile traffic: each case attacks a server in one way while legitimate clients go on asking, and counts what they get.
//!
//! All of it stays on loopback, ends after a stated time, and is bounded in packets and connections. Attackers live in
//! `127.16.0.0/12` and `127.32.0.0/11`, each legitimate client in a /24 of its own below `127.200.0.0`: servers that count
//! by network can tell them apart. Every [`Case`] runs against a fresh process of our binary, Knot or NSD with the same zone.
//!
//! Small sizes, as a test: `cargo nextest run -p jw238dns-conformance --test hostile`. Full sizes, beside Knot and NSD, with
//! the figures written to `conformance/HOSTILE.md` and `hostile.json`: `cargo xtask hostile`.

mod ask;
mod case;
mod flood;
mod legitimate;
mod packets;
mod report;
mod server;
mod siege;
mod storm;
mod usage;
mod zone;

pub use self::case::{Case, Holders, Options, Outcome, Size, run};
pub use self::flood::FloodReport;
pub use self::legitimate::Tally;
pub use self::report::{json, markdown, text};
pub use self::siege::{Manner, Siege, SiegeReport, besiege, raise_descriptor_limit};
pub use self::storm::StormReport;
pub use self::usage::Usage;
