//! Records, changes and zones over real sockets.

mod changes;
mod durable;
mod errors;
#[path = "../../../dns-store/tests/support/journal.rs"]
#[allow(dead_code, reason = "shared with the tests of the store, which use all of it")]
mod journal;
mod paging;
mod records;
mod server;
mod zones;
