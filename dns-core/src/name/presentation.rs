//! Names as text ([RFC 1035, section 5.1](https://www.rfc-editor.org/rfc/rfc1035#section-5.1)).

use std::fmt::{self, Write};

use super::{LABEL_OCTETS_MAX, Labels, NAME_OCTETS_MAX, NameError};

/// Appends the wire form of a name in presentation format to `out`, its letter case kept.
///
/// A name without a dot at its end is completed with `origin`; `@` alone is the origin. On an error `out` may hold
/// the beginning of the name.
pub fn wire_from_text(
    text: &[u8],
    origin: Option<&[u8]>,
    out: &mut impl Extend<u8>,
) -> Result<(), NameError> {
    let mut wire = [0u8; NAME_OCTETS_MAX];
    let octets = match text {
        b"" => return Err(NameError::Empty),
        b"." => 1,
        b"@" => append(&mut wire, 0, origin.ok_or(NameError::NoOrigin)?)?,
        _ => {
            let (octets, absolute) = labels_from_text(text, &mut wire)?;
            if absolute {
                append(&mut wire, octets, &[0])?
            } else {
                append(&mut wire, octets, origin.ok_or(NameError::NoOrigin)?)?
            }
        }
    };
    out.extend(wire[..octets].iter().copied());
    Ok(())
}

fn append(wire: &mut [u8; NAME_OCTETS_MAX], at: usize, suffix: &[u8]) -> Result<usize, NameError> {
    wire.get_mut(at..at + suffix.len()).ok_or(NameError::TooLong)?.copy_from_slice(suffix);
    Ok(at + suffix.len())
}

/// Writes the labels without a root label; tells their octets, and whether a dot ended the text.
fn labels_from_text(text: &[u8], wire: &mut [u8; NAME_OCTETS_MAX]) -> Result<(usize, bool), NameError> {
    let (mut length_at, mut at) = (0, 1);
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let octet = match first {
            b'.' => {
                match at - length_at - 1 {
                    0 => return Err(NameError::EmptyLabel),
                    octets @ 1..=LABEL_OCTETS_MAX => wire[length_at] = octets as u8,
                    _ => return Err(NameError::LabelTooLong),
                }
                if tail.is_empty() {
                    return Ok((at, true));
                }
                length_at = at;
                at += 1;
                rest = tail;
                continue;
            }
            b'\\' => {
                let (octet, tail) = unescape(tail).ok_or(NameError::BadEscape)?;
                rest = tail;
                octet
            }
            &octet => {
                rest = tail;
                octet
            }
        };
        *wire.get_mut(at).ok_or(NameError::TooLong)? = octet;
        at += 1;
    }
    match at - length_at - 1 {
        0 => Err(NameError::EmptyLabel),
        octets @ 1..=LABEL_OCTETS_MAX => {
            *wire.get_mut(length_at).ok_or(NameError::TooLong)? = octets as u8;
            Ok((at, false))
        }
        _ => Err(NameError::LabelTooLong),
    }
}

/// Resolves what follows a backslash: three digits, or any one octet that is no digit.
pub(crate) fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', tail @ ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            u8::try_from(value).ok().map(|octet| (octet, tail))
        }
        [b'0'..=b'9', ..] | [] => None,
        [octet, tail @ ..] => Some((*octet, tail)),
    }
}

/// Writes an uncompressed, valid name in presentation format, with the dot at its end.
pub fn write_wire(wire: &[u8], f: &mut impl Write) -> fmt::Result {
    if wire.first().is_none_or(|&octets| octets == 0) {
        return f.write_char('.');
    }
    for label in Labels::of_wire(wire) {
        escape_label(label, f)?;
        f.write_char('.')?;
    }
    Ok(())
}

/// Writes one label, escaping what a zone file would take for syntax and what does not print.
pub fn escape_label(label: &[u8], f: &mut impl Write) -> fmt::Result {
    for &octet in label {
        match octet {
            b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                f.write_char('\\')?;
                f.write_char(char::from(octet))?;
            }
            0x21..=0x7e => f.write_char(char::from(octet))?,
            _ => write!(f, "\\{octet:03}")?,
        }
    }
    Ok(())
}
