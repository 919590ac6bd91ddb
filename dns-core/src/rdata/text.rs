//! One value as people give it: in a config file, to the API, in an annotation.

use smallvec::SmallVec;

use super::{RdataError, RdataFault, scan};
use crate::{Position, RecordType, Token};

/// Reads one value in presentation format, as one gives it outside zone files; positions count from 1:1.
///
/// The value is one line: parentheses, comments and line breaks are refused outside quotes. A TXT or SPF value is read
/// with some courtesy:
/// - one that does not begin with a double quote is a single text, spaces and all (`v=spf1 -all`), escapes resolved;
/// - one that begins with a double quote is presentation format, one text per word (`"first" "second"`);
/// - either way, a text over 255 octets becomes several.
///
/// White space around the value does not count, and `\#` with a space behind it begins the generic form in every type.
pub fn from_text(rtype: RecordType, text: &str, origin: Option<&[u8]>) -> Result<Vec<u8>, RdataError> {
    let context = scan::Context { origin, split_texts: true };
    let text = text.as_bytes();
    let begin = text.len() - text.trim_ascii_start().len();
    let value = text.trim_ascii();
    let takes_bare_text = matches!(rtype, RecordType::TXT | RecordType::SPF);
    let mut tokens = SmallVec::<[Token<'_>; 16]>::new();
    if takes_bare_text && !value.is_empty() && !value.starts_with(b"\"") && !is_generic(value) {
        tokens.push(Token { raw: value, quoted: true, position: position(begin) });
    } else {
        split(value, begin, &mut tokens)?;
    }
    let mut rdata = Vec::new();
    scan::scan(rtype, &tokens, context, &mut rdata)?;
    Ok(rdata)
}

fn is_generic(value: &[u8]) -> bool {
    matches!(value, [b'\\', b'#', space, ..] if space.is_ascii_whitespace())
}

fn position(offset: usize) -> Position {
    Position { line: 1, column: offset as u32 + 1 }
}

/// Finds the words; `begin` is where the value begins in what the caller gave.
fn split<'a>(
    value: &'a [u8],
    begin: usize,
    tokens: &mut SmallVec<[Token<'a>; 16]>,
) -> Result<(), RdataError> {
    let mut at = 0;
    while let Some(&octet) = value.get(at) {
        let fault = |fault| RdataError::at(position(begin + at), fault);
        match octet {
            b' ' | b'\t' => at += 1,
            b'"' => {
                let raw_octets = word_octets(&value[at + 1..], |octet| octet == b'"');
                let end = at + 1 + raw_octets;
                if end >= value.len() {
                    return Err(fault(RdataFault::OpenQuote));
                }
                tokens.push(Token { raw: &value[at + 1..end], quoted: true, position: position(begin + at) });
                at = end + 1;
            }
            b'(' | b')' | b';' => return Err(fault(RdataFault::Syntax(char::from(octet)))),
            b'\n' | b'\r' => return Err(fault(RdataFault::LineBreak)),
            _ => {
                let raw_octets = word_octets(&value[at..], |octet| b" \t\r\n\"();".contains(&octet));
                tokens.push(Token {
                    raw: &value[at..at + raw_octets],
                    quoted: false,
                    position: position(begin + at),
                });
                at += raw_octets;
            }
        }
    }
    Ok(())
}

/// Octets up to the first that ends the word and has no backslash before it.
fn word_octets(text: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        if ends(octet) {
            break;
        }
        at += if octet == b'\\' { 2 } else { 1 };
    }
    at.min(text.len())
}
