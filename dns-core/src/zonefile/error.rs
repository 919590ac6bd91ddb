//! What can be wrong with a zone file, and what became of reading one.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use thiserror::Error;

use crate::rdata::{RdataError, RdataFault};
use crate::{NameError, Position, RecordType, TTL_MAX};

use super::generate::GENERATED_MAX;
use super::read::{INCLUDE_DEPTH_MAX, INCLUDES_MAX};
use super::scan::ENTRY_OCTETS_MAX;

/// What became of a zone file: the files that were read, and everything that is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Names of the files, as [`ZoneRecord::file`](super::ZoneRecord::file) counts them; the zone file itself is the first.
    pub files: Vec<Arc<str>>,
    /// Mistakes in the order in which they were met, at most [`Options::errors_max`](super::Options::errors_max) of them.
    pub errors: Vec<ZoneFileError>,
    /// How many errors more there are.
    pub errors_omitted: usize,
    /// What is legal and yet hardly meant.
    pub warnings: Vec<ZoneFileWarning>,
}

impl Report {
    /// Nothing is wrong; there may be warnings.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty() && self.errors_omitted == 0
    }
}

impl fmt::Display for Report {
    /// Writes the errors and then the warnings, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "{error}")?;
        }
        if self.errors_omitted > 0 {
            writeln!(f, "and {} more errors", self.errors_omitted)?;
        }
        for warning in &self.warnings {
            writeln!(f, "{warning}")?;
        }
        Ok(())
    }
}

/// A mistake in a zone file and its place; displayed as `zones/example.zone:12:5: message`.
#[derive(Clone, Debug, Error)]
#[error("{file}:{position}: {cause}")]
pub struct ZoneFileError {
    /// Name of the file as the caller gave it.
    pub file: Arc<str>,
    /// Where in the file.
    pub position: Position,
    /// What is wrong.
    pub cause: Cause,
}

/// Something doubtful in a zone file and its place; displayed as `zones/example.zone:12:5: warning: message`.
#[derive(Clone, Debug)]
pub struct ZoneFileWarning {
    /// Name of the file as the caller gave it.
    pub file: Arc<str>,
    /// Where in the file.
    pub position: Position,
    /// What is doubtful.
    pub doubt: Doubt,
}

impl fmt::Display for ZoneFileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: warning: {}", self.file, self.position, self.doubt)
    }
}

/// What is doubtful.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Doubt {
    /// The SOA record has no TTL and nothing says which it should be, so its last field became the default TTL.
    SoaMinimumAsTtl(u32),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SoaMinimumAsTtl(ttl) => {
                write!(f, "no TTL is stated; taking {ttl}, the minimum field of the SOA")
            }
        }
    }
}

/// What is wrong with an entry.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Cause {
    /// A `"` without a second one.
    #[error("quoted string is not closed on its line")]
    UnclosedQuote,
    /// A `(` without a `)` up to the end of the file.
    #[error("'(' is never closed")]
    UnclosedParenthesis,
    /// A `(` within parentheses; as a rule the first was forgotten.
    #[error("'(' is not closed before the next '(' at {second}")]
    NestedParenthesis {
        /// Where the next one stands.
        second: Position,
    },
    /// A `)` without a `(`.
    #[error("')' without a '(' before it")]
    UnopenedParenthesis,
    /// The entry is too long.
    #[error("entry is longer than {ENTRY_OCTETS_MAX} octets")]
    EntryTooLong,

    /// The first entry begins with white space.
    #[error("no owner: the line begins with white space, but no record stands before it in this file")]
    NoOwner,
    /// The owner is no name.
    #[error("owner '{owner}': {source}")]
    Owner {
        /// As written.
        owner: Word,
        /// What is wrong with it.
        source: NameError,
    },
    /// The owner is a quoted string.
    #[error("owner \"{0}\" stands in quotes")]
    QuotedOwner(Word),
    /// The line ends before the record's type.
    #[error("record ends before its type")]
    NoType,
    /// Neither type nor TTL nor class.
    #[error("'{0}' is neither a record type nor a TTL nor a class")]
    UnknownType(Word),
    /// A type that exists in messages only.
    #[error("{0} records exist in messages only, not in zones")]
    MetaType(RecordType),
    /// A class that is not served.
    #[error("class '{0}' is not served, only IN")]
    Class(Word),
    /// Two classes.
    #[error("second class '{0}' in one record")]
    SecondClass(Word),
    /// Two TTLs.
    #[error("second TTL '{0}' in one record")]
    SecondTtl(Word),
    /// Begins as a TTL does and goes on otherwise.
    #[error("'{0}' is not a TTL: digits, or digits with the units w, d, h, m, s, such as 1h30m")]
    Ttl(Word),
    /// More than 31 bits.
    #[error("TTL '{0}' is larger than {TTL_MAX}")]
    TtlTooLarge(Word),
    /// Nothing tells the TTL.
    #[error("no TTL: the record has none, no record before it has one, and there is no $TTL")]
    NoTtl,
    /// A quote within a word, where no service parameter is expected.
    #[error("quote within '{0}'; put the whole string in quotes")]
    QuoteInWord(Word),
    /// The RDATA are wrong.
    #[error("{}", rdata_message(*.rtype, .source))]
    Rdata {
        /// The record's type.
        rtype: RecordType,
        /// What is wrong with its data.
        source: RdataError,
    },

    /// A `$` word that is no directive.
    #[error(
        "'{0}' is not a directive: $ORIGIN, $TTL, $INCLUDE, $GENERATE (an owner that begins with $ is written \\$)"
    )]
    UnknownDirective(Word),
    /// A directive behind white space.
    #[error("directive '{0}' must stand at the beginning of its line")]
    IndentedDirective(Word),
    /// The line ends too early.
    #[error("{directive} needs {what}")]
    MissingArgument {
        /// Such as `$TTL`.
        directive: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The line goes on too long.
    #[error("{directive} ends before '{word}'")]
    ExtraArgument {
        /// Such as `$TTL`.
        directive: &'static str,
        /// The first word that is too many.
        word: Word,
    },
    /// The argument of `$ORIGIN`, or the second of `$INCLUDE`, is no name.
    #[error("origin '{origin}': {source}")]
    Origin {
        /// As written.
        origin: Word,
        /// What is wrong with it.
        source: NameError,
    },
    /// The path has a bad escape or is not UTF-8.
    #[error("'{0}' is not a path: a bad escape, or not UTF-8")]
    IncludePath(Word),
    /// The file cannot be had.
    #[error("cannot include '{path}': {reason}")]
    Include {
        /// As written.
        path: Word,
        /// What the caller's function said.
        reason: String,
    },
    /// The file is being read already.
    #[error("'{0}' includes itself")]
    IncludeLoop(Word),
    /// Files include files include files.
    #[error("$INCLUDE goes more than {INCLUDE_DEPTH_MAX} files deep")]
    IncludeDepth,
    /// Too many files.
    #[error("more than {INCLUDES_MAX} files are included")]
    IncludeCount,
    /// The range of `$GENERATE` does not read.
    #[error(
        "'{0}' is not a range: start-stop or start-stop/step, numbers up to 2147483647, start not above stop"
    )]
    GenerateRange(Word),
    /// The range is too long.
    #[error("$GENERATE would make {0} records; at most {GENERATED_MAX} are allowed")]
    GenerateCount(u64),
    /// The braces behind `$` do not read.
    #[error("'{0}' is not ${{offset,width,base}} with base d, o, x, X, n or N and width up to 255")]
    GenerateModifier(Word),
    /// An offset leads below zero or above 31 bits.
    #[error("offset {0} leads outside 0 to 2147483647")]
    GenerateOffset(i32),
    /// A record that `$GENERATE` made is wrong.
    #[error("with {value} for $: {source}")]
    Generated {
        /// What `$` stood for.
        value: u32,
        /// What is wrong.
        source: Box<Cause>,
    },
}

/// A piece of a zone file as messages show it: printable ASCII, the rest as `\DDD`, cut off after 64 octets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Word(String);

impl Word {
    pub(super) fn of(raw: &[u8]) -> Self {
        let mut text = String::new();
        for &octet in raw.iter().take(WORD_OCTETS_MAX) {
            if matches!(octet, b' '..=b'~') {
                text.push(char::from(octet));
            } else {
                // A String takes everything.
                let _ = write!(text, "\\{octet:03}");
            }
        }
        if raw.len() > WORD_OCTETS_MAX {
            text.push_str("...");
        }
        Self(text)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn rdata_message(rtype: RecordType, source: &RdataError) -> String {
    match source.fault {
        RdataFault::NoFormat(_) => source.to_string(), // names the type itself
        _ => format!("{rtype}: {source}"),
    }
}

const WORD_OCTETS_MAX: usize = 64;
