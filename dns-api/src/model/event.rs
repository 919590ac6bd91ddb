//! Events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RecordSpec, Timestamp, Updated};

/// What has happened: the data of a server-sent event.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Event {
    /// Version of the catalog that has it.
    pub version: u64,
    /// When it was noticed.
    pub time: Timestamp,
    /// The view in which this is served; null if it is about none in particular.
    pub view: Option<String>,
    /// Who did it; null if nobody in particular.
    pub source: Option<String>,
    /// Names and types that had no records before.
    pub added: Vec<RecordSpec>,
    /// Records that have become others.
    pub updated: Vec<Updated>,
    /// Records that are no longer there.
    pub deleted: Vec<RecordSpec>,
    /// Zones that have another serial than before, or were loaded or dropped as a whole.
    pub zones: Vec<String>,
}

/// What kind of event it is: the name of a server-sent event.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EventKind {
    /// Records came, went, or became others.
    Changed,
    /// A zone was loaded, replaced or dropped as a whole.
    Reloaded,
    /// Views came or went, or others get to see them.
    Views,
    /// Something was missed: everything has to be read anew.
    Reset,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Changed, Self::Reloaded, Self::Views, Self::Reset];

    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Reloaded => "reloaded",
            Self::Views => "views",
            Self::Reset => "reset",
        }
    }

    /// The kind that a word stands for.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }
}
