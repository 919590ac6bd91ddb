//! The binary as it keeps what it is told: real processes that are killed, and real disks that fail.
//!
//! A few rounds of each by default, hundreds with `TEST_HEAVY=1`. Every failure names its seed; `TEST_SEED` plays one again, as
//! far as threads and disks let it.

mod commands;
mod crash;
mod disk;
mod early;
mod large;
mod ledger;
mod memory;
mod places;
mod random;
mod refusals;
mod site;
#[allow(dead_code, reason = "shared with tests that use other parts of it")]
#[path = "../serve/support.rs"]
mod support;
mod volume;
mod writer;
