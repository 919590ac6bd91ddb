//! What can be wrong with rules.

use std::io;
use std::path::PathBuf;

use dns_core::rdata::RdataError;
use dns_core::{Network, RecordType, RrsetError, TTL_MAX};
use thiserror::Error;

/// Why a rule cannot be used.
#[derive(Debug, Error)]
#[error("rule '{rule}': {fault}")]
pub struct RuleError {
    /// What the operator calls the rule.
    pub rule: String,
    /// Its place among the rules, from 0.
    pub number: usize,
    /// What is wrong with it.
    pub fault: RuleFault,
}

/// What is wrong with a rule.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RuleFault {
    /// Counters could not tell it from others.
    #[error("the name is empty")]
    NameEmpty,
    /// Counters could not tell them apart.
    #[error("rule number {} has the same name", .0 + 1)]
    NameTaken(usize),
    /// The expression cannot be read.
    #[error("'{expression}' is not a regular expression: {message}")]
    Expression {
        /// As it was written.
        expression: String,
        /// What is wrong and where.
        message: String,
    },
    /// The expression needs too much memory: counted repetitions within others, as a rule.
    #[error("'{expression}' takes more than {octets_max} octets once it is compiled")]
    ExpressionTooLarge {
        /// As it was written.
        expression: String,
        /// What it may take.
        octets_max: usize,
    },
    /// All expressions up to and with those of this rule need too much memory.
    #[error("with this rule the regular expressions of all rules take more than {0} octets")]
    ExpressionsTooLarge(usize),
    /// It would replace answers by nothing.
    #[error("there are no records to replace the answer with; to answer without records use nodata")]
    ReplacementsEmpty,
    /// A type is named, but no record of it.
    #[error("the replacement of type {0} has no records")]
    ReplacementEmpty(RecordType),
    /// The TTLs of the two may differ.
    #[error("there are two replacements of type {0}")]
    ReplacementRepeated(RecordType),
    /// Records of one type take more room than a message has.
    #[error("the records of type {rtype} take {octets} octets, more than fit into a message")]
    ReplacementTooLarge {
        /// Their type.
        rtype: RecordType,
        /// What they take.
        octets: usize,
    },
    /// A name has one alias and nothing else ([RFC 1034, section 3.6.2](https://www.rfc-editor.org/rfc/rfc1034#section-3.6.2)).
    #[error("a CNAME record replaces the answer alone, without further records")]
    CnameNotAlone,
    /// The records make no RRset.
    #[error(transparent)]
    Records(RrsetError),
    /// A record does not follow the format of its type.
    #[error("record number {} of type {rtype}: {error}", .number + 1)]
    Rdata {
        /// Its type.
        rtype: RecordType,
        /// Its place among the records of the type, from 0.
        number: usize,
        /// What is wrong with it.
        error: RdataError,
    },
    /// Both suffixes are the same.
    #[error("the suffix is rewritten to itself")]
    RewriteToItself,
    /// No TTL lies between the bounds.
    #[error("the smallest TTL, {min}, is larger than the largest, {max}")]
    TtlBounds {
        /// The lower bound.
        min: u32,
        /// The upper bound.
        max: u32,
    },
    /// TTLs have 31 bits.
    #[error("TTL {0} is larger than {TTL_MAX}")]
    TtlTooLarge(u32),
    /// Every address would stay.
    #[error("no network is kept or removed")]
    FilterEmpty,
    /// No address can be kept and removed.
    #[error("the network {0} is both kept and removed")]
    FilterContradicts(Network),
    /// Every address would stay where it is.
    #[error("the order names no network")]
    OrderEmpty,
    /// The database could not be read.
    #[error("cannot read {}: {error}", .path.display())]
    DatabaseUnreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The file is something else.
    #[error("{} is not a database in MaxMind's format: {message}", .path.display())]
    DatabaseFormat {
        /// Where it was read from.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The database knows other things of addresses.
    #[error("{} is a database of the kind '{kind}', which has no coordinates", .path.display())]
    DatabaseWithoutPlaces {
        /// Where it was read from.
        path: PathBuf,
        /// What it calls itself.
        kind: String,
    },
}
