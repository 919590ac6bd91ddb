//! How long changes are remembered.

use std::time::Duration;

/// How much of the past a journal keeps: an entry is forgotten once it is beyond either limit. The records themselves
/// are no history, and never forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HistoryLimits {
    /// Entries older than this are forgotten. 90 days unless told otherwise.
    pub max_age: Duration,
    /// While all entries together have more octets than this on disk, the oldest are forgotten; one that is larger by
    /// itself goes as well. 1 GiB unless told otherwise.
    pub max_octets: u64,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { max_age: Duration::from_hours(90 * 24), max_octets: 1 << 30 }
    }
}
