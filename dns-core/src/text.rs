//! Words of presentation format, as zone files and record values are made of.

use std::fmt;

/// Where something stands in a text.
///
/// Both count from 1; a column is counted in octets, as most editors do for ASCII.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in octets, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One word of presentation format ([RFC 1035, section 5.1]), its escapes not yet resolved.
///
/// [RFC 1035, section 5.1]: https://www.rfc-editor.org/rfc/rfc1035#section-5.1
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Token<'a> {
    /// The octets between the white space, or between the quotes; `\` still escapes the next octet or three digits.
    pub raw: &'a [u8],
    /// The word stood in double quotes, so it is a character-string even when empty, and `@` in it is no origin.
    pub quoted: bool,
    /// Where the word begins.
    pub position: Position,
}
