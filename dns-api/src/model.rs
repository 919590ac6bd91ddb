//! What travels as JSON, for the server and for clients alike.
//!
//! Names are absolute and end in a dot when they are answered; TTLs and other times are in seconds; versions are those of the
//! catalog. Requests with fields that are not described here are refused.

mod change;
mod dns_test;
mod event;
pub(crate) mod object;
mod problem;
mod record;
mod resolve;
mod status;
mod time;
mod token;
mod zone;

pub use self::{
    change::{
        Change, ChangeRequest, ChangeSetAnswer, History, HistoryEntry, NameAndType, NameVersion,
        Precondition, RecordChange, Served, Updated, Values, ZoneChange,
    },
    dns_test::DnsTest,
    event::{Event, EventKind},
    problem::{Problem, ProblemKind},
    record::{Deleted, OneOrMany, Record, RecordPut, RecordSpec, Records, Written},
    resolve::{Ask, Resolution},
    status::{Contents, Reloaded, ServerStatus, Status},
    time::Timestamp,
    token::{TokenInfo, TokenMade, TokenSpec, Tokens},
    zone::{Checked, Finding, Imported, Severity, SoaSpec, Zone, ZoneSpec, ZoneWritten, Zones},
};
