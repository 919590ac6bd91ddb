//! What can be wrong with RDATA, as text and as octets.

use std::fmt;

use thiserror::Error;

use crate::{Position, RecordType, name::NameError};

/// Why text or octets are no RDATA of their type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RdataError {
    /// Where the offending word begins; `None` for octets, and for text that ends too early.
    pub position: Option<Position>,
    /// What is wrong.
    pub fault: RdataFault,
}

/// What is wrong with RDATA.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum RdataFault {
    /// The text ends before this field.
    #[error("missing field: {0}")]
    Missing(&'static str),
    /// There are more words than fields.
    #[error("unexpected word '{0}' after the last field")]
    Unexpected(String),
    /// A word is not what its field wants.
    #[error("'{word}' is not {expected}")]
    Not {
        /// The word, shortened if it is long.
        word: String,
        /// What the field wants, with its article.
        expected: &'static str,
    },
    /// A word is no domain name.
    #[error("'{word}' is not a domain name: {error}")]
    Name {
        /// The word, shortened if it is long.
        word: String,
        /// Why not.
        error: NameError,
    },
    /// A backslash with nothing or no valid number behind it.
    #[error("bad escape in '{0}': a backslash needs one character or three digits up to 255 behind it")]
    Escape(String),
    /// A character-string has more octets than its length octet can say.
    #[error("text of {0} octets is longer than 255")]
    TextTooLong(usize),
    /// RDATA has more octets than RDLENGTH can say.
    #[error("RDATA of {0} octets is longer than 65535")]
    TooLong(usize),
    /// The type has no text format.
    #[error(r"{0} has no text format of its own; write it as \# with length and hexadecimal digits")]
    NoFormat(RecordType),
    /// The length after `\#` is not that of the octets.
    #[error(r"\# announces {announced} octets, but {found} follow")]
    GenericLength {
        /// The number after `\#`.
        announced: usize,
        /// The octets that follow.
        found: usize,
    },
    /// A service parameter stands twice.
    #[error("service parameter {0} stands twice")]
    SvcParamRepeated(String),
    /// A service parameter that needs a value has none.
    #[error("service parameter {0} needs a value")]
    SvcParamEmpty(String),
    /// A service parameter that takes no value has one.
    #[error("service parameter {0} takes no value")]
    SvcParamValue(String),
    /// The list of mandatory parameters names one that is not there.
    #[error("service parameter {0} is mandatory, but missing")]
    SvcParamMissing(String),
    /// A value in double quotes is not closed.
    #[error("quote is not closed")]
    OpenQuote,
    /// Syntax of zone files in a single value.
    #[error("'{0}' outside quotes: a single value has no parentheses and no comments")]
    Syntax(char),
    /// A line break in a single value.
    #[error("line break outside quotes: a value is one line")]
    LineBreak,
    /// The octets end within a field.
    #[error("octets end within the field {0}")]
    Truncated(&'static str),
    /// The octets of a field are not what they should be.
    #[error("malformed octets in the field {0}")]
    Malformed(&'static str),
    /// The octets of a field are no domain name.
    #[error("bad name in the field {field}: {error}")]
    WireName {
        /// The field.
        field: &'static str,
        /// Why not.
        error: NameError,
    },
    /// A compression pointer that does not go backwards, or leads out of the message.
    #[error("bad compression pointer in the field {0}")]
    Pointer(&'static str),
    /// There are more octets than fields.
    #[error("{0} octets follow the last field")]
    Trailing(usize),
}

impl RdataError {
    pub(super) fn at(position: Position, fault: RdataFault) -> Self {
        Self { position: Some(position), fault }
    }
}

impl From<RdataFault> for RdataError {
    fn from(fault: RdataFault) -> Self {
        Self { position: None, fault }
    }
}

impl fmt::Display for RdataError {
    /// Writes the fault alone: whoever knows the file writes the place in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for RdataError {}

/// A word for an error message: printable, and short whatever came in.
pub(super) fn word(raw: &[u8]) -> String {
    const OCTETS_MAX: usize = 60;
    let mut text = raw[..raw.len().min(OCTETS_MAX)].escape_ascii().to_string();
    // Escapes of the text itself are shown as they were written.
    text = text.replace(r"\\", r"\").replace(r"\'", "'").replace("\\\"", "\"");
    if raw.len() > OCTETS_MAX {
        text.push_str("...");
    }
    text
}
