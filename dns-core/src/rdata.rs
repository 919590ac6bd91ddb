//! RDATA of every type: text to wire, wire to text, canonical form, and the names inside.
//!
//! One description per type, a list of fields, drives all of it; a type with a text format is a line in that table and
//! nothing else. Types without one, and octets that do not follow theirs, are written in the generic form `\# n hex`
//! ([RFC 3597, section 5]), which is read for every type and checked where the type is known.
//!
//! RDATA is kept uncompressed, with the letter case its names came in.
//!
//! [RFC 3597, section 5]: https://www.rfc-editor.org/rfc/rfc3597#section-5

mod apl;
mod bitmap;
mod encoding;
mod error;
mod field;
mod historic;
mod host;
mod loc;
mod names;
mod print;
mod scan;
mod svcb;
mod table;
mod text;
mod time;
mod walk;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

pub use self::{
    error::{RdataError, RdataFault},
    names::{EmbeddedName, EmbeddedNames},
    text::from_text,
};
use crate::{RecordType, Token};

/// Most octets that RDLENGTH can announce.
pub const RDATA_OCTETS_MAX: usize = 65_535;

/// The type has a text format of its own; all others are written as `\# n hex`.
pub fn has_format(rtype: RecordType) -> bool {
    table::layout(rtype).is_some()
}

/// Appends the wire form of RDATA given as the words that follow the type in a zone file.
///
/// Relative names are completed with `origin`, an uncompressed name; without one they are refused. Names keep their
/// letter case. The generic form `\# n hex` is read for every type, and checked for those with a format.
///
/// # Errors
/// The first fault, with the place of its word; `out` is then as it was before.
pub fn from_tokens(
    rtype: RecordType,
    tokens: &[Token<'_>],
    origin: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    scan::scan(rtype, tokens, scan::Context::zone_file(origin), out)
}

/// Writes RDATA in presentation format, names absolute; as `\# n hex` where the type has none or the octets are malformed.
///
/// What it writes for well-formed RDATA reads back to the same octets.
pub fn write_text(rtype: RecordType, rdata: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    print::print(rtype, rdata, out)
}

/// Checks that uncompressed octets follow the format of their type; any octets do for a type that has none.
pub fn validate(rtype: RecordType, rdata: &[u8]) -> Result<(), RdataError> {
    if rdata.len() > RDATA_OCTETS_MAX {
        return Err(RdataFault::TooLong(rdata.len()).into());
    }
    match table::layout(rtype) {
        None => Ok(()),
        Some(layout) => walk::check(layout, rdata).map(|_| ()).map_err(Into::into),
    }
}

/// The names inside uncompressed RDATA, from left to right; ends early where the octets are malformed.
#[inline]
pub fn embedded_names(rtype: RecordType, rdata: &[u8]) -> EmbeddedNames<'_> {
    EmbeddedNames::new(rtype, rdata)
}

/// Brings uncompressed RDATA into canonical form, by lowering the names that [RFC 4034, section 6.2] lists
/// as [RFC 6840, section 5.1] corrects it (the next name of an NSEC stays as it is).
///
/// [RFC 4034, section 6.2]: https://www.rfc-editor.org/rfc/rfc4034#section-6.2
/// [RFC 6840, section 5.1]: https://www.rfc-editor.org/rfc/rfc6840#section-5.1
pub fn canonicalize(rtype: RecordType, rdata: &mut [u8]) {
    names::canonicalize(rtype, rdata);
}

/// Uncompressed RDATA with all its names in lower case: what tells two records of a type apart, as names compare without
/// regard to case ([RFC 4343, section 3](https://www.rfc-editor.org/rfc/rfc4343#section-3)).
///
/// Wider than [`canonicalize`], whose list of types signatures depend on. Copies only what has a letter to change.
pub fn with_lower_names(rtype: RecordType, rdata: &[u8]) -> Cow<'_, [u8]> {
    names::with_lower_names(rtype, rdata)
}

/// Whether two uncompressed RDATA are the same record, however their names are spelled; see [`with_lower_names`].
pub fn is_same(rtype: RecordType, left: &[u8], right: &[u8]) -> bool {
    // Most records differ in more than letter case, and need no look at their names.
    left == right
        || left.eq_ignore_ascii_case(right) && with_lower_names(rtype, left) == with_lower_names(rtype, right)
}

/// Appends the uncompressed form of the RDATA that lies at `range` of a received message, and checks it.
///
/// Compressed names are followed in every type, those that must not be compressed included
/// ([RFC 3597, section 4]): pointers go backwards only, so there is no loop to fall into.
///
/// # Errors
/// The first fault; `out` is then as it was before.
///
/// [RFC 3597, section 4]: https://www.rfc-editor.org/rfc/rfc3597#section-4
pub fn decompress(
    rtype: RecordType,
    message: &[u8],
    range: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    names::decompress(rtype, message, range, out)
}
