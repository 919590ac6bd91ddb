//! Why a change was not made.

use dns_core::rdata::RdataError;
use dns_core::zone::ZoneFaultKind;
use dns_core::{Name, RecordType, RrsetError};
use thiserror::Error;

use crate::{JournalError, Source};

/// Why nothing was changed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There are no such records.
    #[error("{0}")]
    NotFound(Reason),
    /// There are such records already, or a zone of that name.
    #[error("{0}")]
    Exists(Reason),
    /// The records belong to another source; all reasons are listed.
    #[error("{}", list(.0))]
    Foreign(Vec<Reason>),
    /// Something has changed in between.
    #[error("the records are at version {current}, not {expected}")]
    VersionMismatch {
        /// The version that the change was meant for.
        expected: u64,
        /// The version there is.
        current: u64,
    },
    /// Preconditions do not hold; all that do not are listed.
    #[error("{}", list(.0))]
    Precondition(Vec<Reason>),
    /// The records cannot be served; all reasons are listed.
    #[error("{}", list(.0))]
    Invalid(Vec<Reason>),
    /// The journal cannot keep the change, so nothing has changed; or it cannot tell what it has kept.
    #[error("{0}")]
    NotDurable(JournalError),
    /// A reload as a whole; the records from before stay. All reasons are listed.
    #[error("the records of {source_name} were not reloaded: {}", list(.reasons))]
    ReloadFailed {
        /// Whose records they are.
        source_name: Source,
        /// Each thing that is wrong.
        reasons: Vec<Reason>,
    },
}

impl StoreError {
    /// Each single reason.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Self::NotFound(reason) | Self::Exists(reason) => std::slice::from_ref(reason),
            Self::Foreign(reasons)
            | Self::Precondition(reasons)
            | Self::Invalid(reasons)
            | Self::ReloadFailed { reasons, .. } => reasons,
            Self::VersionMismatch { .. } | Self::NotDurable(_) => &[],
        }
    }
}

fn list(reasons: &[Reason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// One thing that is wrong with a change.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Reason {
    /// No records of this name, or of this type.
    #[error("{} does not exist", what(.owner, .rtype.as_ref()))]
    NoRecords {
        /// Name of the records.
        owner: Name,
        /// Their type, if one was named.
        rtype: Option<RecordType>,
    },
    /// Records of this name and type are there.
    #[error("{} exists already, from {holder}", what(.owner, .rtype.as_ref()))]
    Present {
        /// Name of the records.
        owner: Name,
        /// Their type, if one was named.
        rtype: Option<RecordType>,
        /// Who has them.
        holder: Source,
    },
    /// The records belong to another source.
    #[error("{} comes from {holder} and can only be deleted there", what(.owner, .rtype.as_ref()))]
    Foreign {
        /// Name of the records.
        owner: Name,
        /// Their type, if one was named.
        rtype: Option<RecordType>,
        /// Who has them.
        holder: Source,
    },
    /// The records came with a zone as a whole.
    #[error("{} came with the zone {apex} and can only be deleted by changing the zone", what(.owner, .rtype.as_ref()))]
    OfZone {
        /// Name of the records.
        owner: Name,
        /// Their type, if one was named.
        rtype: Option<RecordType>,
        /// The zone.
        apex: Name,
    },
    /// The records are not those that were expected.
    #[error("{owner} {rtype} has other values than expected")]
    Differs {
        /// Name of the records.
        owner: Name,
        /// Their type.
        rtype: RecordType,
    },
    /// Records of this type are made by other means.
    #[error("{owner}: records of type {rtype} cannot be stored")]
    InvalidType {
        /// Name of the records.
        owner: Name,
        /// Their type.
        rtype: RecordType,
    },
    /// The TTL is out of bounds.
    #[error("{owner} {rtype}: TTL {ttl} must be between {min} and {max} (records_ttl)")]
    InvalidTtl {
        /// Name of the records.
        owner: Name,
        /// Their type.
        rtype: RecordType,
        /// TTL that was given.
        ttl: u32,
        /// Least TTL allowed.
        min: u32,
        /// Largest TTL allowed.
        max: u32,
    },
    /// No zone has the name, and none can be derived for it: it is the root, or a wildcard directly below a name of one
    /// label.
    #[error("{owner} is in no declared zone, and none can be made up for it: declare one that contains it")]
    OutOfZone {
        /// Name of the records.
        owner: Name,
    },
    /// A value is no valid RDATA of the type.
    #[error("{owner} {rtype}: {error}")]
    InvalidValue {
        /// Name of the records.
        owner: Name,
        /// Their type.
        rtype: RecordType,
        /// What is wrong with it.
        error: RdataError,
    },
    /// The zone came signed, so nobody but its signer can change it.
    #[error("{owner}: the zone {apex} is signed and takes no records from elsewhere")]
    Signed {
        /// Name of the records.
        owner: Name,
        /// The zone.
        apex: Name,
    },
    /// One source has a CNAME and other records at one name.
    #[error("{owner} has a CNAME record beside {other}")]
    CnameConflict {
        /// The name.
        owner: Name,
        /// Type of the other records.
        other: RecordType,
    },
    /// The records would make no zone, or no RRset of one.
    #[error(transparent)]
    Zone(#[from] ZoneFaultKind),
    /// The values make no RRset together.
    #[error(transparent)]
    Rrset(#[from] RrsetError),
    /// The records of a name are other ones than when they had this version.
    #[error("{owner} is at version {current}, not {expected}")]
    NameChanged {
        /// The name.
        owner: Name,
        /// The version that the change was meant for.
        expected: u64,
        /// The version there is.
        current: u64,
    },
    /// The catalog is another one than at this version, and other preconditions do not hold either.
    #[error("the records are at version {current}, not {expected}")]
    CatalogChanged {
        /// The version that the change was meant for.
        expected: u64,
        /// The version there is.
        current: u64,
    },
    /// The records stand outside the zone that they were given for.
    #[error("{owner} is not in the zone {apex}")]
    OutsideZone {
        /// Name of the records.
        owner: Name,
        /// The zone.
        apex: Name,
    },
    /// A zone of this name is there.
    #[error("the zone {apex} exists already, from {holder}")]
    ZonePresent {
        /// The zone.
        apex: Name,
        /// Who has declared it.
        holder: Source,
    },
    /// The zone is not the one that was expected.
    #[error("the zone {0} has become another one")]
    ZoneDiffers(Name),
    /// The journal has no transaction of this version.
    #[error("no change with version {0} is known")]
    NoVersion(u64),
    /// There is no such zone.
    #[error("there is no zone {0}")]
    NoZone(Name),
    /// The zone belongs to another source.
    #[error("the zone {apex} comes from {holder} and can only be changed there")]
    ForeignZone {
        /// The zone.
        apex: Name,
        /// Who has declared it.
        holder: Source,
    },
}

fn what(owner: &Name, rtype: Option<&RecordType>) -> String {
    rtype.map_or_else(|| owner.to_string(), |rtype| format!("{owner} {rtype}"))
}
