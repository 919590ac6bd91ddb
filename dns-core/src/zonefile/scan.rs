//! From octets to entries: white space, quotes, parentheses, comments and line ends.

use crate::{Position, Token};

use super::Cause;

/// Most octets an entry may take, from its first line to its last.
///
/// The longest RDATA written as `\DDD` throughout is a quarter of this.
pub const ENTRY_OCTETS_MAX: usize = 1 << 20;

/// Cuts a zone file into entries.
///
/// Works in one pass without allocating; only the lines behind a parenthesis that is never closed are looked at twice.
pub(super) struct Scanner<'a> {
    octets: &'a [u8],
    cursor: Cursor,
}

/// What an entry's words do not tell.
#[derive(Debug)]
pub(super) struct Entry {
    /// The line begins with white space: the owner is that of the record before.
    pub owner_blank: bool,
    /// A word such as `key="value"` is among the words: it carries its quotes with it.
    pub quote_in_word: bool,
}

/// An entry that cannot be cut into words; the scanner goes on behind it.
#[derive(Debug)]
pub(super) struct ScanError {
    pub position: Position,
    pub cause: Cause,
}

#[derive(Clone, Copy)]
struct Cursor {
    at: usize,
    line: u32,
    line_at: usize,
}

/// An error that is kept until the end of its entry is known, and where it stands.
type Pending = (Cursor, Cause);

impl<'a> Scanner<'a> {
    /// Begins at the first line of a file; a byte order mark before it is passed over.
    pub fn new(octets: &'a [u8]) -> Self {
        let at = if octets.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { octets, cursor: Cursor { at, line: 1, line_at: at } }
    }

    /// Begins at a line in the midst of a file, whose number is given.
    pub fn at_line(octets: &'a [u8], line: u32) -> Self {
        Self { octets, cursor: Cursor { at: 0, line, line_at: 0 } }
    }

    /// Where the next entry will be looked for, which is where a line begins or the end, and the number of that line.
    pub fn next_line(&self) -> (usize, u32) {
        (self.cursor.at, self.cursor.line)
    }

    /// Fills `tokens` with the words of the next entry that has any; `None` at the end of the file.
    pub fn next(&mut self, tokens: &mut Vec<Token<'a>>) -> Option<Result<Entry, ScanError>> {
        tokens.clear();
        let mut entry_at = self.cursor;
        let mut entry = Entry { owner_blank: self.class() == Some(BLANK), quote_in_word: false };
        let mut open: Option<Cursor> = None;
        let mut pending: Option<Pending> = None;
        while let Some(class) = self.class() {
            let here = self.cursor;
            if here.at - entry_at.at > ENTRY_OCTETS_MAX {
                return Some(Err(self.too_long(entry_at, open, pending)));
            }
            match class {
                BLANK => self.cursor.at += 1,
                COMMENT => self.skip_line(),
                NEWLINE => {
                    self.newline();
                    if open.is_some() {
                        continue;
                    }
                    if let Some(error) = pending {
                        return Some(Err(error.into()));
                    }
                    if !tokens.is_empty() {
                        return Some(Ok(entry));
                    }
                    entry_at = self.cursor;
                    entry.owner_blank = self.class() == Some(BLANK);
                }
                OPEN => {
                    if let Some(first) = open {
                        let cause = Cause::NestedParenthesis { second: here.position() };
                        return Some(Err(self.unclosed(first, pending, cause)));
                    }
                    open = Some(here);
                    self.cursor.at += 1;
                }
                CLOSE => {
                    if open.take().is_none() {
                        pending.get_or_insert((here, Cause::UnopenedParenthesis));
                    }
                    self.cursor.at += 1;
                }
                QUOTE => {
                    let closed = self.quoted();
                    if closed {
                        tokens.push(Token {
                            raw: &self.octets[here.at + 1..self.cursor.at - 1],
                            quoted: true,
                            position: here.position(),
                        });
                    } else {
                        pending.get_or_insert((here, Cause::UnclosedQuote));
                    }
                }
                _ => {
                    if let Err(error) = self.word(&mut entry) {
                        pending.get_or_insert(error);
                    }
                    tokens.push(Token {
                        raw: &self.octets[here.at..self.cursor.at],
                        quoted: false,
                        position: here.position(),
                    });
                }
            }
        }
        match (open, pending) {
            (Some(first), pending) => Some(Err(self.unclosed(first, pending, Cause::UnclosedParenthesis))),
            (None, Some(error)) => Some(Err(error.into())),
            (None, None) if tokens.is_empty() => None,
            (None, None) => Some(Ok(entry)),
        }
    }

    fn class(&self) -> Option<u8> {
        self.octets.get(self.cursor.at).map(|&octet| CLASSES[usize::from(octet)])
    }

    /// Moves to the end of the line, before its newline.
    fn skip_line(&mut self) {
        let rest = &self.octets[self.cursor.at..];
        self.cursor.at += rest.iter().position(|&octet| octet == b'\n').unwrap_or(rest.len());
    }

    /// Passes a newline, or stays at the end of the file.
    fn newline(&mut self) {
        if self.cursor.at < self.octets.len() {
            self.cursor.at += 1;
            self.cursor.line = self.cursor.line.saturating_add(1);
            self.cursor.line_at = self.cursor.at;
        }
    }

    /// Passes a word.
    fn word(&mut self, entry: &mut Entry) -> Result<(), Pending> {
        let begin = self.cursor.at;
        loop {
            let rest = &self.octets[self.cursor.at..];
            self.cursor.at +=
                rest.iter().position(|&octet| CLASSES[usize::from(octet)] != WORD).unwrap_or(rest.len());
            match self.class() {
                Some(ESCAPE) => self.escape(),
                // `key="a value"`, as service parameters are written (RFC 9460, section 2.1).
                Some(QUOTE) if self.cursor.at > begin && self.octets[self.cursor.at - 1] == b'=' => {
                    entry.quote_in_word = true;
                    let here = self.cursor;
                    if !self.quoted() {
                        return Err((here, Cause::UnclosedQuote));
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    /// Passes a backslash and the octet it protects; the end of a line cannot be protected.
    fn escape(&mut self) {
        self.cursor.at += 1;
        match self.octets[self.cursor.at..] {
            [] | [b'\n', ..] | [b'\r', b'\n', ..] => {}
            _ => self.cursor.at += 1,
        }
    }

    /// Passes a quoted string; `false` and at the end of the line when the closing quote is missing.
    fn quoted(&mut self) -> bool {
        self.cursor.at += 1;
        loop {
            let rest = &self.octets[self.cursor.at..];
            self.cursor.at +=
                rest.iter().position(|octet| matches!(octet, b'"' | b'\\' | b'\n')).unwrap_or(rest.len());
            match self.octets.get(self.cursor.at) {
                Some(b'"') => {
                    self.cursor.at += 1;
                    return true;
                }
                Some(b'\\') => self.escape(),
                _ => return false,
            }
        }
    }

    /// Goes on at the line behind `place`.
    fn resume_behind(&mut self, place: Cursor) {
        self.cursor = place;
        self.skip_line();
        self.newline();
    }

    /// A parenthesis stays open. Nothing between it and here opens another, so no line is read a third time.
    fn unclosed(&mut self, open: Cursor, pending: Option<Pending>, cause: Cause) -> ScanError {
        // An error within the parentheses comes first: an open quote may have swallowed the closing one.
        let error = pending.unwrap_or((open, cause));
        self.resume_behind(error.0);
        error.into()
    }

    fn too_long(&mut self, entry: Cursor, open: Option<Cursor>, pending: Option<Pending>) -> ScanError {
        let long_line = self.cursor.at - self.cursor.line_at > ENTRY_OCTETS_MAX / 2;
        match open {
            Some(open) if !long_line => self.unclosed(open, pending, Cause::UnclosedParenthesis),
            _ => {
                self.resume_behind(self.cursor);
                (entry, Cause::EntryTooLong).into()
            }
        }
    }
}

impl Cursor {
    fn position(&self) -> Position {
        Position { line: self.line, column: u32::try_from(self.at - self.line_at + 1).unwrap_or(u32::MAX) }
    }
}

impl From<Pending> for ScanError {
    fn from((cursor, cause): Pending) -> Self {
        Self { position: cursor.position(), cause }
    }
}

/// A line that begins with this octet begins with a word.
pub(super) fn begins_word(octet: u8) -> bool {
    matches!(CLASSES[usize::from(octet)], WORD | ESCAPE)
}

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const WORD: u8 = 0;
const BLANK: u8 = 1;
const NEWLINE: u8 = 2;
const COMMENT: u8 = 3;
const QUOTE: u8 = 4;
const OPEN: u8 = 5;
const CLOSE: u8 = 6;
const ESCAPE: u8 = 7;

/// What each octet begins. A carriage return is white space, so lines may end either way.
static CLASSES: [u8; 256] = {
    let mut classes = [WORD; 256];
    classes[b' ' as usize] = BLANK;
    classes[b'\t' as usize] = BLANK;
    classes[b'\r' as usize] = BLANK;
    classes[b'\n' as usize] = NEWLINE;
    classes[b';' as usize] = COMMENT;
    classes[b'"' as usize] = QUOTE;
    classes[b'(' as usize] = OPEN;
    classes[b')' as usize] = CLOSE;
    classes[b'\\' as usize] = ESCAPE;
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans everything; an entry becomes its words, quoted ones in quotes, behind a `_` for a blank owner.
    fn scan(text: &[u8]) -> Vec<String> {
        let mut scanner = Scanner::new(text);
        let mut tokens = Vec::new();
        let mut out = Vec::new();
        while let Some(entry) = scanner.next(&mut tokens) {
            out.push(match entry {
                Ok(entry) => {
                    let mut words = Vec::new();
                    if entry.owner_blank {
                        words.push("_".to_owned());
                    }
                    words.extend(tokens.iter().map(|token| {
                        let raw = String::from_utf8_lossy(token.raw);
                        if token.quoted { format!("\"{raw}\"") } else { raw.into_owned() }
                    }));
                    words.join(" ")
                }
                Err(error) => format!("{}: {}", error.position, error.cause),
            });
        }
        out
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(scan(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn words_and_lines() {
        check("", &[]);
        check("\n\n  \n\t; only a comment\n;", &[]);
        check("a b\tc  d\nx", &["a b c d", "x"]);
        check("a b\r\n\r\n  c d\r\n", &["a b", "_ c d"]);
        check("\u{feff}a b", &["a b"]);
        check("a b;c\n\td ; e", &["a b", "_ d"]);
        check("a\\;b c\\ d \\(e\\) f\\\"g", &["a\\;b c\\ d \\(e\\) f\\\"g"]);
        check("a\\\nb", &["a\\", "b"]);
        check("a\\\r\nb", &["a\\", "b"]);
        check("a\\", &["a\\"]);
    }

    #[test]
    fn quotes() {
        check(r#"a "b c" "" "d;e(" "#, &[r#"a "b c" "" "d;e(""#]);
        check(r#"a "b\"c" "d\\" "#, &[r#"a "b\"c" "d\\""#]);
        check(r#"a "b""c" d"e"f"#, &[r#"a "b" "c" d "e" f"#]);
        check(r#"a alpn="h2, h3" x"#, &[r#"a alpn="h2, h3" x"#]);
        check("a \"b c\nd e", &["1:3: quoted string is not closed on its line", "d e"]);
        check("a \"b\\\nd e", &["1:3: quoted string is not closed on its line", "d e"]);
        check("a b=\"c\nd e", &["1:5: quoted string is not closed on its line", "d e"]);
    }

    #[test]
    fn parentheses() {
        check("a ( b\n c ; x )\n\n d ) e\nf", &["a b c d e", "f"]);
        check("a(b)c", &["a b c"]);
        check(" ( \n a )\n()\nb", &["_ a", "b"]);
        check("a ) b\nc", &["1:3: ')' without a '(' before it", "c"]);
        check("a ( b\nc d\n e", &["1:3: '(' is never closed", "c d", "_ e"]);
        check(
            "a ( b\nc d\ne ( f )\ng",
            &["1:3: '(' is not closed before the next '(' at 3:3", "c d", "e f", "g"],
        );
        // The quote swallowed the closing parenthesis: one error, not two.
        check("a ( b\n \"c )\nd e", &["2:2: quoted string is not closed on its line", "d e"]);
        check("a ( \"b\n \"c\" )\nd e", &["1:5: quoted string is not closed on its line", "d e"]);
    }

    #[test]
    fn long_entries_are_one_error() {
        let long = "x ".repeat(5 << 20);
        let error = "2:1: entry is longer than 1048576 octets";
        check(&format!("a b\n{long}\nc d"), &["a b", error, "c d"]);
        check(&format!("a b\ne ( {long}\nc d"), &["a b", error, "c d"]);
        check(&format!("a b\ne ( f\n {long} )\nc d"), &["a b", error, "c d"]);
        let word = "x".repeat(10 << 20);
        check(&format!("a b\n{word} c\nc d"), &["a b", error, "c d"]);
        let lines = "a b\n".repeat(1 << 19);
        let entries = scan(format!("c (\n{lines}").as_bytes());
        assert_eq!(entries[0], "1:3: '(' is never closed");
        assert_eq!(entries.len(), 1 + (1 << 19));
    }

    #[test]
    fn open_parentheses_on_every_line_cost_linear_time() {
        let entries = scan("(\n".repeat(1 << 20).as_bytes());
        assert_eq!(entries.len(), 1 << 20);
    }
}
