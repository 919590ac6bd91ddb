//! Everything that a check can say.

use std::cmp::Ordering;

use thiserror::Error;

use crate::{Name, RecordType};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Severity {
    /// Somebody will not get what the author had in mind.
    Warning,
    /// It works, and could be better.
    Note,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// An owner ends in the name of the zone twice, as happens when the dot at the end of an absolute name is forgotten
    /// ([RFC 1912, section 3.2](https://www.rfc-editor.org/rfc/rfc1912#section-3.2)).
    #[error("{owner} has the name of the zone twice: a dot may be missing at its end")]
    OwnerRepeatsApex {
        /// Owner of the records.
        owner: Name,
    },
    /// The same in RDATA.
    #[error(
        "{owner} {rtype} names {target}, which has the name of the zone twice: a dot may be missing at its end"
    )]
    TargetRepeatsApex {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// The name in its RDATA.
        target: Name,
    },
    /// A pointer in a reverse zone leads into that zone, for want of a dot at the end
    /// ([RFC 1912, section 2.4](https://www.rfc-editor.org/rfc/rfc1912#section-2.4)).
    #[error(
        "{owner} PTR names {target}, which is in the reverse zone itself: a dot may be missing at its end"
    )]
    PointerIntoReverseZone {
        /// Owner of the record.
        owner: Name,
        /// The name in its RDATA.
        target: Name,
    },
    /// A name stands where an address was written
    /// ([RFC 1035, section 3.3.9](https://www.rfc-editor.org/rfc/rfc1035#section-3.3.9) and its like ask for names).
    #[error("{owner} {rtype} names {target}, which looks like an address: a name is needed here")]
    TargetIsAddress {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// The name in its RDATA.
        target: Name,
    },
    /// The target is an alias, which NS, MX and SRV records must not name
    /// ([RFC 2181, section 10.3](https://www.rfc-editor.org/rfc/rfc2181#section-10.3),
    /// [RFC 2782](https://www.rfc-editor.org/rfc/rfc2782)).
    #[error("{owner} {rtype} names {target}, which is an alias")]
    TargetIsAlias {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// The name in its RDATA.
        target: Name,
    },
    /// The target would be in the zone, and is not there ([RFC 1912, section 2.8](https://www.rfc-editor.org/rfc/rfc1912#section-2.8)).
    #[error("{owner} {rtype} names {target}, which does not exist")]
    TargetMissing {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// The name in its RDATA.
        target: Name,
    },
    /// The target is there and has neither A nor AAAA records.
    #[error("{owner} {rtype} names {target}, which has no address")]
    TargetWithoutAddress {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// The name in its RDATA.
        target: Name,
    },
    /// A name server's name is delegated, and the addresses that a referral must carry along are missing
    /// ([RFC 1034, section 4.2.1](https://www.rfc-editor.org/rfc/rfc1034#section-4.2.1),
    /// [RFC 9471, section 2.1](https://www.rfc-editor.org/rfc/rfc9471#section-2.1)).
    #[error("{owner} NS names {target}, for which there is no glue")]
    MissingGlue {
        /// Owner of the record.
        owner: Name,
        /// The name server.
        target: Name,
    },
    /// An address below a zone cut that is the glue of no name server.
    #[error("{owner} has an address below the zone cut {cut}, and is no name server")]
    UnusedGlue {
        /// Owner of the addresses.
        owner: Name,
        /// The zone cut.
        cut: Name,
    },
    /// Records that nobody gets, for they belong to a delegated zone
    /// ([RFC 1034, section 4.2.1](https://www.rfc-editor.org/rfc/rfc1034#section-4.2.1)).
    #[error("{owner} {rtype} is never answered: {cut} is delegated")]
    BelowZoneCut {
        /// Owner of the records.
        owner: Name,
        /// Their type.
        rtype: RecordType,
        /// The zone cut at or above the owner.
        cut: Name,
    },
    /// Records that nobody gets, for a DNAME leads away from them
    /// ([RFC 6672, section 2.4](https://www.rfc-editor.org/rfc/rfc6672#section-2.4)).
    #[error("{owner} {rtype} is never answered: {dname} has a DNAME record")]
    BelowDname {
        /// Owner of the records.
        owner: Name,
        /// Their type.
        rtype: RecordType,
        /// The name above that has the DNAME record.
        dname: Name,
    },
    /// An alias of a name that would be in the zone, and has nothing there.
    #[error("{owner} is an alias of {target}, which has no records")]
    AliasOfNothing {
        /// Owner of the CNAME record.
        owner: Name,
        /// The name in its RDATA.
        target: Name,
    },
    /// An alias of itself, be it by way of others ([RFC 1034, section 3.6.2](https://www.rfc-editor.org/rfc/rfc1034#section-3.6.2)).
    #[error("{owner} is an alias of itself")]
    AliasLoop {
        /// Owner of the CNAME record.
        owner: Name,
    },
    /// An alias of an alias and so on; resolvers give up at some point.
    #[error("{owner} is an alias that leads to no end within {steps} steps")]
    AliasTooLong {
        /// Owner of the CNAME record.
        owner: Name,
        /// How far it was followed.
        steps: usize,
    },
    /// A delegation or a DNAME at a wildcard, which each server understands in its own way
    /// ([RFC 4592, sections 4.2, 4.4 and 4.6](https://www.rfc-editor.org/rfc/rfc4592#section-4.2)).
    #[error("{owner} has {rtype} records, which have no agreed meaning at a wildcard")]
    WildcardRedirect {
        /// The wildcard.
        owner: Name,
        /// NS, DS or DNAME.
        rtype: RecordType,
    },
    /// DS records belong to a delegation ([RFC 4035, section 2.4](https://www.rfc-editor.org/rfc/rfc4035#section-2.4)).
    #[error("{owner} has DS records, and is not delegated")]
    DsWithoutDelegation {
        /// Owner of the records.
        owner: Name,
    },
    /// One name has several SPF policies, which counts as none
    /// ([RFC 7208, section 4.5](https://www.rfc-editor.org/rfc/rfc7208#section-4.5)).
    #[error("{owner} has {count} SPF policies: receivers take that for an error")]
    ManySpfPolicies {
        /// Owner of the TXT records.
        owner: Name,
        /// How many of them are policies.
        count: usize,
    },
    /// Owners of A, AAAA and MX records are hosts and mail domains: letters, digits and hyphens
    /// ([RFC 1123, section 2.1](https://www.rfc-editor.org/rfc/rfc1123#section-2.1)).
    #[error("{owner} has {rtype} records, and is no valid host name")]
    OwnerNoHostName {
        /// Owner of the records.
        owner: Name,
        /// Their type.
        rtype: RecordType,
    },
    /// So are the targets of NS, MX and SRV records.
    #[error("{owner} {rtype} names {target}, which is no valid host name")]
    TargetNoHostName {
        /// Owner of the record.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// The name in its RDATA.
        target: Name,
    },
    /// One name server is one too few ([RFC 1034, section 4.1](https://www.rfc-editor.org/rfc/rfc1034#section-4.1),
    /// [RFC 2182, section 5](https://www.rfc-editor.org/rfc/rfc2182#section-5)).
    #[error("{owner} has one name server, at least two are recommended")]
    OneNameServer {
        /// Apex of the zone.
        owner: Name,
    },
    /// The serial is 0, which some software takes for none.
    #[error("{owner} SOA: serial 0 is taken for none by some software")]
    SerialZero {
        /// Apex of the zone.
        owner: Name,
    },
    /// A time of 0, with which secondaries ask incessantly, or serve nothing.
    #[error("{owner} SOA: {field} is 0")]
    SoaTimeZero {
        /// Apex of the zone.
        owner: Name,
        /// `refresh`, `retry` or `expire`.
        field: &'static str,
    },
    /// Asking again after a failure takes as long as asking at all
    /// ([RFC 1912, section 2.2](https://www.rfc-editor.org/rfc/rfc1912#section-2.2)).
    #[error("{owner} SOA: retry {retry} should be less than refresh {refresh}")]
    RetryNotBelowRefresh {
        /// Apex of the zone.
        owner: Name,
        /// Seconds.
        retry: u32,
        /// Seconds.
        refresh: u32,
    },
    /// A secondary would give the zone up before it had asked a second time
    /// ([RFC 1912, section 2.2](https://www.rfc-editor.org/rfc/rfc1912#section-2.2)).
    #[error("{owner} SOA: expire {expire} should be more than refresh {refresh} and retry {retry} together")]
    ExpireTooShort {
        /// Apex of the zone.
        owner: Name,
        /// Seconds.
        expire: u32,
        /// Seconds.
        refresh: u32,
        /// Seconds.
        retry: u32,
    },
    /// Resolvers remember for too long that a name does not exist
    /// ([RFC 2308, section 5](https://www.rfc-editor.org/rfc/rfc2308#section-5)).
    #[error("{owner} SOA: minimum {minimum}, the TTL of negative answers, is more than a day")]
    MinimumTooLong {
        /// Apex of the zone.
        owner: Name,
        /// Seconds.
        minimum: u32,
    },
    /// The mailbox is written with `@` in place of its first dot
    /// ([RFC 1035, section 8](https://www.rfc-editor.org/rfc/rfc1035#section-8)).
    #[error("{owner} SOA: the mailbox {mailbox} should have a dot in place of '@'")]
    MailboxWithAt {
        /// Apex of the zone.
        owner: Name,
        /// The RNAME field.
        mailbox: Name,
    },
    /// Hashing names more than once helps nobody but attackers
    /// ([RFC 9276, section 3.1](https://www.rfc-editor.org/rfc/rfc9276#section-3.1)).
    #[error("{owner} NSEC3PARAM: {iterations} iterations, 0 are recommended")]
    Nsec3Iterations {
        /// Apex of the zone.
        owner: Name,
        /// Further hashes after the first.
        iterations: u16,
    },
    /// A salt is of no use ([RFC 9276, section 3.1](https://www.rfc-editor.org/rfc/rfc9276#section-3.1)).
    #[error("{owner} NSEC3PARAM: a salt is of no use")]
    Nsec3Salt {
        /// Apex of the zone.
        owner: Name,
    },
}

impl Finding {
    /// Owner of the records that show it.
    pub fn owner(&self) -> &Name {
        match self {
            Self::OwnerRepeatsApex { owner }
            | Self::TargetRepeatsApex { owner, .. }
            | Self::PointerIntoReverseZone { owner, .. }
            | Self::TargetIsAddress { owner, .. }
            | Self::TargetIsAlias { owner, .. }
            | Self::TargetMissing { owner, .. }
            | Self::TargetWithoutAddress { owner, .. }
            | Self::MissingGlue { owner, .. }
            | Self::UnusedGlue { owner, .. }
            | Self::BelowZoneCut { owner, .. }
            | Self::BelowDname { owner, .. }
            | Self::AliasOfNothing { owner, .. }
            | Self::AliasLoop { owner }
            | Self::AliasTooLong { owner, .. }
            | Self::WildcardRedirect { owner, .. }
            | Self::DsWithoutDelegation { owner }
            | Self::ManySpfPolicies { owner, .. }
            | Self::OwnerNoHostName { owner, .. }
            | Self::TargetNoHostName { owner, .. }
            | Self::OneNameServer { owner }
            | Self::SerialZero { owner }
            | Self::SoaTimeZero { owner, .. }
            | Self::RetryNotBelowRefresh { owner, .. }
            | Self::ExpireTooShort { owner, .. }
            | Self::MinimumTooLong { owner, .. }
            | Self::MailboxWithAt { owner, .. }
            | Self::Nsec3Iterations { owner, .. }
            | Self::Nsec3Salt { owner } => owner,
        }
    }

    /// Type of the records that show it; `None` where any record of the owner does.
    pub fn rtype(&self) -> Option<RecordType> {
        Some(match self {
            Self::OwnerRepeatsApex { .. } | Self::UnusedGlue { .. } => return None,
            Self::TargetRepeatsApex { rtype, .. }
            | Self::TargetIsAddress { rtype, .. }
            | Self::TargetIsAlias { rtype, .. }
            | Self::TargetMissing { rtype, .. }
            | Self::TargetWithoutAddress { rtype, .. }
            | Self::BelowZoneCut { rtype, .. }
            | Self::BelowDname { rtype, .. }
            | Self::WildcardRedirect { rtype, .. }
            | Self::OwnerNoHostName { rtype, .. }
            | Self::TargetNoHostName { rtype, .. } => *rtype,
            Self::MissingGlue { .. } | Self::OneNameServer { .. } => RecordType::NS,
            Self::PointerIntoReverseZone { .. } => RecordType::PTR,
            Self::AliasOfNothing { .. } | Self::AliasLoop { .. } | Self::AliasTooLong { .. } => {
                RecordType::CNAME
            }
            Self::DsWithoutDelegation { .. } => RecordType::DS,
            Self::ManySpfPolicies { .. } => RecordType::TXT,
            Self::SerialZero { .. }
            | Self::SoaTimeZero { .. }
            | Self::RetryNotBelowRefresh { .. }
            | Self::ExpireTooShort { .. }
            | Self::MinimumTooLong { .. }
            | Self::MailboxWithAt { .. } => RecordType::SOA,
            Self::Nsec3Iterations { .. } | Self::Nsec3Salt { .. } => RecordType::NSEC3PARAM,
        })
    }

    /// The name in the RDATA that shows it, where one of several records does.
    pub fn target(&self) -> Option<&Name> {
        match self {
            Self::TargetRepeatsApex { target, .. }
            | Self::PointerIntoReverseZone { target, .. }
            | Self::TargetIsAddress { target, .. }
            | Self::TargetIsAlias { target, .. }
            | Self::TargetMissing { target, .. }
            | Self::TargetWithoutAddress { target, .. }
            | Self::TargetNoHostName { target, .. }
            | Self::MissingGlue { target, .. }
            | Self::AliasOfNothing { target, .. } => Some(target),
            _ => None,
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::OneNameServer { .. } | Self::UnusedGlue { .. } | Self::Nsec3Salt { .. } => Severity::Note,
            _ => Severity::Warning,
        }
    }

    /// By owner in canonical order, then by type and by target.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.owner()
            .cmp(other.owner())
            .then_with(|| self.rtype().cmp(&other.rtype()))
            .then_with(|| self.target().cmp(&other.target()))
    }
}
