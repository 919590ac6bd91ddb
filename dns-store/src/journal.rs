//! What a store must not forget, and who keeps it.

use std::sync::Arc;
use std::time::SystemTime;

use dns_core::{Name, RecordType, Rrset};
use thiserror::Error;

use crate::Source;
use crate::state::is_same_soa_but_serial;

/// Keeps the transactions of durable sources, so that a store can begin where the last one has ended.
///
/// One store writes to it, one batch at a time; [`history`](Self::history) and [`entry`](Self::entry) may be asked by many
/// at any time, and never wait for a batch to reach the disk.
pub trait Journal: Send + Sync + 'static {
    /// What was appended survives the end of the process. If not, it is history for as long as the process runs, and
    /// [`append`](Self::append) must not wait for anything, since writers wait for it.
    fn is_durable(&self) -> bool;

    /// Keeps a batch, all of it or nothing, and returns once it is safe. Entries come in the order of their versions.
    ///
    /// # Errors
    /// Nothing of the batch is kept, nor will be after a crash; the next one may succeed.
    fn append(&self, batch: &Batch) -> Result<(), JournalError>;

    /// Hands over what all appended batches together have come to, in one view if one is named: zones before records.
    /// Returns the marks.
    ///
    /// # Errors
    /// The journal cannot be read as a whole, and what was handed over must not be used.
    fn restore(&self, view: Option<&str>, take: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError>;

    /// Entries with versions below `before`, or all if it is absent; the newest first, at most `limit`.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, JournalError>;

    /// The version of the newest entry; `None` if there is no entry, or all are forgotten.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn newest(&self) -> Result<Option<u64>, JournalError> {
        Ok(self.history(None, 1)?.first().map(|entry| entry.version))
    }

    /// The entry of a version; `None` if it was not journalled, or is forgotten by now.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, JournalError>;
}

/// What is appended at once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    /// Transactions; none if only marks move.
    pub entries: Vec<Arc<Entry>>,
    /// They take the place of the former ones where they are given.
    pub marks: Marks,
}

/// Numbers that must never be given a second time: a store that begins anew goes on from here.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Marks {
    /// No version up to this one is free.
    pub version: Option<u64>,
    /// No serial of derived zones up to this one is free.
    pub derived_serial: Option<u32>,
    /// The same for declared zones that have left the serials of their files behind, by view and apex.
    pub serials: Vec<(Arc<str>, Name, u32)>,
}

/// One transaction of a durable source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Version of the catalog that has the change.
    pub version: u64,
    /// When it was made, in whole milliseconds.
    pub time: SystemTime,
    /// The view in which it was made.
    pub view: Arc<str>,
    /// Whose records these are.
    pub source: Source,
    /// Who asked for it, in whatever words that source has for its clients; empty if nobody in particular.
    pub author: Arc<str>,
    /// What the source has otherwise than before, whether it is served or not: each name and type once.
    pub records: Vec<RecordChange>,
    /// Zones that the source has declared, dropped or declared anew.
    pub zones: Vec<ZoneRecord>,
}

/// What a source has of one name and type, before and after.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordChange {
    /// Name of the records.
    pub owner: Name,
    /// Their type.
    pub rtype: RecordType,
    /// What the source had; `None` if nothing.
    pub before: Option<Rrset>,
    /// What it has; `None` if nothing.
    pub after: Option<Rrset>,
}

/// What a source has declared at one apex, before and after.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneRecord {
    /// The apex.
    pub apex: Name,
    /// The zone that there was; `None` if none.
    pub before: Option<KeptZone>,
    /// The zone that there is; `None` if none.
    pub after: Option<KeptZone>,
}

/// A declared zone, without what was given for names alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeptZone {
    /// All its RRsets, with one SOA and the NS of the apex among them.
    pub rrsets: Vec<Rrset>,
}

impl KeptZone {
    /// Of its SOA record; 0 if it has none.
    pub(crate) fn serial(&self) -> u32 {
        let soa = self.rrsets.iter().find(|rrset| rrset.rtype() == RecordType::SOA);
        let rdata = soa.and_then(|soa| soa.rdatas().next()).unwrap_or_default();
        let field = rdata.len().checked_sub(20).and_then(|at| rdata[at..].first_chunk());
        field.map_or(0, |field| u32::from_be_bytes(*field))
    }

    /// Both have the same records, whatever their order and whatever serial the SOA record has.
    pub(crate) fn is_same_but_serial(&self, other: &Self) -> bool {
        let has = |rrset: &Rrset| {
            other.rrsets.iter().any(|theirs| theirs == rrset || is_same_soa_but_serial(theirs, rrset))
        };
        self.rrsets.len() == other.rrsets.len() && self.rrsets.iter().all(has)
    }
}

/// A piece of what a journal has kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kept {
    /// A declared zone.
    Zone {
        /// The view that it is in.
        view: Arc<str>,
        /// Who has declared it.
        source: Source,
        /// Its apex.
        apex: Name,
        /// Its records.
        zone: KeptZone,
        /// The version that it came with.
        version: u64,
    },
    /// An RRset that was given for its name alone.
    Rrset {
        /// The view that it is in.
        view: Arc<str>,
        /// Whose it is.
        source: Source,
        /// The records.
        rrset: Rrset,
        /// The version that it came with.
        version: u64,
    },
}

/// Why a journal cannot do what it should.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum JournalError {
    /// It cannot be written, or read, right now: the disk is full, say. Trying again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// What it has is not what was written.
    #[error("{0}")]
    Damaged(String),
}
