//! What is wrong with the records of a zone, and where.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

use crate::{Name, RecordType};

/// Where a record stood, for messages: a file by number, and a line from 1.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// Number of the file, as its reader counts.
    pub file: u16,
    /// Line, from 1; 0 if the record came from no file.
    pub line: u32,
}

/// What is wrong with a zone, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneFault {
    /// The record that shows it.
    pub place: Place,
    /// What it is.
    pub kind: ZoneFaultKind,
}

impl fmt::Display for ZoneFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for ZoneFault {}

/// Why records make no zone, or make one that somebody should look at.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ZoneFaultKind {
    /// An owner is neither the apex nor below it.
    #[error("{owner} is not in the zone {apex}")]
    OutOfZone {
        /// Owner of the record.
        owner: Name,
        /// Apex of the zone.
        apex: Name,
    },
    /// The apex has no SOA record.
    #[error("{0} has no SOA record")]
    NoSoa(Name),
    /// The apex has more than one SOA record.
    #[error("{0} has more than one SOA record")]
    ManySoas(Name),
    /// A SOA record stands below the apex.
    #[error("{0} has a SOA record, but only the apex may have one")]
    SoaBelowApex(Name),
    /// The SOA record cannot be read.
    #[error("the SOA record of {0} is malformed")]
    MalformedSoa(Name),
    /// The apex has no NS record.
    #[error("{0} has no NS record")]
    NoApexNs(Name),
    /// A CNAME record stands beside other data ([RFC 2181, section 10.1](https://www.rfc-editor.org/rfc/rfc2181#section-10.1)).
    #[error("{owner} has a CNAME record beside {other}")]
    CnameAndOther {
        /// Owner of both.
        owner: Name,
        /// What stands beside it.
        other: RecordType,
    },
    /// A name has two CNAME or DNAME records.
    #[error("{owner} has more than one {rtype} record")]
    ManyAliases {
        /// Owner of the records.
        owner: Name,
        /// CNAME or DNAME.
        rtype: RecordType,
    },
    /// An RRset fits into no message.
    #[error("{owner} {rtype} takes {octets} octets, more than fit into a message")]
    TooLarge {
        /// Owner of the RRset.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// Octets of its records with their signatures.
        octets: usize,
    },
    /// The type exists in messages only.
    #[error("{owner} has a {rtype} record, which cannot be stored")]
    MetaType {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
    },
    /// More records than 32-bit offsets can tell apart; those from here on were left out.
    #[error("the zone {0} is too large: its records take more than 4 GiB")]
    ZoneTooLarge(Name),
    /// Stands for the errors beyond the first 1,000.
    #[error("{0} more errors are not listed")]
    MoreErrors(usize),
    /// A warning: the records of an RRset have different TTLs; the first one counts.
    #[error("{owner} {rtype} has records with TTL {other} and {ttl}: all get {ttl}")]
    TtlDiffers {
        /// Owner of the RRset.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// TTL of the first record.
        ttl: u32,
        /// The other TTL.
        other: u32,
    },
    /// A warning: the same record stands there twice.
    #[error("{owner} has the same {rtype} record twice")]
    Duplicate {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
    },
    /// A warning: a signature over records that are not there.
    #[error("{owner} has a signature over {covered}, but no such records")]
    OrphanSignature {
        /// Owner of the signature.
        owner: Name,
        /// The type it covers.
        covered: RecordType,
    },
    /// Stands for the warnings beyond the first 1,000.
    #[error("{0} more warnings are not listed")]
    MoreWarnings(usize),
}

impl ZoneFaultKind {
    /// The zone can be served all the same.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::TtlDiffers { .. }
                | Self::Duplicate { .. }
                | Self::OrphanSignature { .. }
                | Self::MoreWarnings(_)
        )
    }

    /// The name that it is about, where there is one.
    fn owner(&self) -> Option<&Name> {
        match self {
            Self::NoSoa(owner)
            | Self::ManySoas(owner)
            | Self::SoaBelowApex(owner)
            | Self::MalformedSoa(owner)
            | Self::NoApexNs(owner)
            | Self::OutOfZone { owner, .. }
            | Self::CnameAndOther { owner, .. }
            | Self::ManyAliases { owner, .. }
            | Self::TooLarge { owner, .. }
            | Self::MetaType { owner, .. }
            | Self::TtlDiffers { owner, .. }
            | Self::Duplicate { owner, .. }
            | Self::OrphanSignature { owner, .. } => Some(owner),
            Self::ZoneTooLarge(_) | Self::MoreErrors(_) | Self::MoreWarnings(_) => None,
        }
    }
}

/// Faults as they are noticed: warnings and errors are counted apart, so that no number of warnings hides an error.
///
/// What is listed depends only on the faults, in whichever order the parts of a zone are looked at: the first ones by
/// place, and by owner where there are several at one place or none has one.
#[derive(Default)]
pub(super) struct Faults {
    errors: Listed,
    warnings: Listed,
}

/// The first faults, and how many others there are.
#[derive(Default)]
struct Listed {
    /// Twice as many as are listed at most, so that sorting out the first ones is rare.
    faults: Vec<ZoneFault>,
    omitted: usize,
}

impl Faults {
    pub(super) fn push(&mut self, place: Place, kind: ZoneFaultKind) {
        let listed = if kind.is_warning() { &mut self.warnings } else { &mut self.errors };
        listed.push(ZoneFault { place, kind });
    }

    /// Adds those of another part.
    pub(super) fn merge(&mut self, other: Self) {
        for (listed, other) in [(&mut self.errors, other.errors), (&mut self.warnings, other.warnings)] {
            listed.omitted += other.omitted;
            for fault in other.faults {
                listed.push(fault);
            }
        }
    }

    /// Some fault keeps the zone from being served.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.faults.is_empty()
    }

    /// All that are listed, in the order of their places; what is not listed is told at the end.
    pub(super) fn into_sorted(mut self) -> Vec<ZoneFault> {
        self.errors.keep_first();
        self.warnings.keep_first();
        let mut faults = self.errors.faults;
        faults.extend(self.warnings.faults);
        faults.sort_by(in_order);
        let more = [
            (self.errors.omitted, ZoneFaultKind::MoreErrors(self.errors.omitted)),
            (self.warnings.omitted, ZoneFaultKind::MoreWarnings(self.warnings.omitted)),
        ];
        let more = more.into_iter().filter(|(omitted, _)| *omitted > 0);
        faults.extend(more.map(|(_, kind)| ZoneFault { place: Place::default(), kind }));
        faults
    }
}

impl Listed {
    fn push(&mut self, fault: ZoneFault) {
        self.faults.push(fault);
        if self.faults.len() == 2 * LISTED_MAX {
            self.keep_first();
        }
    }

    fn keep_first(&mut self) {
        self.faults.sort_by(in_order);
        self.omitted += self.faults.len().saturating_sub(LISTED_MAX);
        self.faults.truncate(LISTED_MAX);
    }
}

/// By place, then by owner; those of one owner stay in the order in which they were noticed.
fn in_order(left: &ZoneFault, right: &ZoneFault) -> Ordering {
    left.place.cmp(&right.place).then_with(|| left.kind.owner().cmp(&right.kind.owner()))
}

/// Errors that are listed, and warnings as many; a zone with more has made its point.
const LISTED_MAX: usize = 1_000;
