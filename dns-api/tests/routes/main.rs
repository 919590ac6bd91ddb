//! Records, changes and zones over real sockets.

mod changes;
mod durable;
mod errors;
#[path = "../support/host.rs"]
#[allow(dead_code, reason = "shared with tests that need more of it")]
mod host;
#[path = "../../../dns-store/tests/support/journal.rs"]
#[allow(dead_code, reason = "shared with the tests of the store, which use all of it")]
mod journal;
mod paging;
mod records;
mod server;
mod strict;
mod warnings;
mod zones;
