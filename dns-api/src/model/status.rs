//! How the server is doing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// What runs, since when, and how it is doing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct ServerStatus {
    /// Version of the software.
    pub software: String,
    /// When the server was started.
    pub started: Timestamp,
    /// Where DNS is answered.
    pub listeners: Vec<String>,
    /// Where changes are kept; null if nowhere.
    pub journal: Option<String>,
    /// What is missing; empty if the server is ready.
    pub missing: Vec<String>,
}

/// How the server is doing, as a client is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// Version of the software.
    pub software: String,
    /// When the server was started.
    pub started: Timestamp,
    /// How long ago that was.
    pub uptime_seconds: u64,
    /// Version of the catalog.
    pub version: u64,
    /// What is written through the API survives a restart.
    pub durable: bool,
    /// Changes can be kept, as far as the last one tells. If not, they are refused with 503 until the disk can be written again.
    pub writable: bool,
    /// Everything that should be served is served.
    pub ready: bool,
    /// What tells of everything; null if the token does not allow that.
    pub contents: Option<Contents>,
}

/// What the server has and where it listens.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Contents {
    /// Zones, declared and derived ones.
    pub zones: usize,
    /// Records in them, signatures not counted.
    pub records: usize,
    /// Where DNS is answered.
    pub listeners: Vec<String>,
    /// Where changes are kept; null if nowhere.
    pub journal: Option<String>,
    /// How often changes, or notes about those of others, could not be kept since the start. No change was made that was not kept.
    pub journal_failures: u64,
    /// What is missing; empty if the server is ready.
    pub missing: Vec<String>,
}

/// What came of reading configuration and files anew.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Reloaded {
    /// Version of the catalog afterwards.
    pub version: u64,
    /// What was read and has changed.
    pub loaded: Vec<String>,
    /// What is no longer there.
    pub dropped: Vec<String>,
    /// How many files are as they were.
    pub unchanged: usize,
    /// What kept something from being taken over; what was served before stays.
    pub problems: Vec<String>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}
