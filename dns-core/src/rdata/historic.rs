//! Fields of types that history has left behind: A6, WKS, NXT, NSAP and ATMA.

use std::fmt::{self, Write};
use std::net::Ipv6Addr;

use data_encoding::HEXUPPER;

use super::{
    RdataError, RdataFault, bitmap,
    encoding::hex_digit,
    print::WordWriter,
    scan::{Words, decimal, ipv6, not, number, record_type},
    walk::Shape,
};
use crate::Token;

/// A6: prefix length and the bits behind the prefix ([RFC 2874, section 3.1]).
///
/// [RFC 2874, section 3.1]: https://www.rfc-editor.org/rfc/rfc2874#section-3.1
pub(super) fn scan_suffix(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let token = words.next("prefix length")?;
    let prefix = number(token, 0xff)? as u8;
    if prefix > 128 {
        return Err(not(token, "a prefix length from 0 to 128"));
    }
    out.push(prefix);
    if prefix < 128 {
        let token = words.next("address suffix")?;
        let address = u128::from(ipv6(token)?);
        if prefix > 0 && address >> (128 - prefix) != 0 {
            return Err(not(token, "an address suffix: bits of the prefix are set"));
        }
        out.extend_from_slice(&address.to_be_bytes()[usize::from(prefix) / 8..]);
    }
    Ok(())
}

pub(super) fn suffix_octets(field: &'static str, rest: &[u8]) -> Result<usize, RdataFault> {
    let (&prefix, suffix) = rest.split_first().ok_or(RdataFault::Truncated(field))?;
    if prefix > 128 {
        return Err(RdataFault::Malformed(field));
    }
    let octets = 16 - usize::from(prefix) / 8;
    // The first octet of the suffix may hold bits of the prefix, which are zero.
    let mask = !(0xff_u8 >> (prefix % 8));
    if suffix.len() >= octets && octets > 0 && suffix[0] & mask != 0 {
        return Err(RdataFault::Malformed(field));
    }
    Ok(1 + octets)
}

pub(super) fn print_suffix<W: Write>(octets: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    let (prefix, suffix) = octets.split_first().ok_or(fmt::Error)?;
    write!(words.word()?, "{prefix}")?;
    if suffix.is_empty() {
        return Ok(());
    }
    let mut address = [0u8; 16];
    let begin = 16usize.checked_sub(suffix.len()).ok_or(fmt::Error)?;
    address[begin..].copy_from_slice(suffix);
    write!(words.word()?, "{}", Ipv6Addr::from(address))
}

/// Ports of the names that services had when WKS was in use.
const SERVICES: &[(u16, &str)] = &[
    (7, "echo"),
    (9, "discard"),
    (13, "daytime"),
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (37, "time"),
    (43, "nicname"),
    (53, "domain"),
    (69, "tftp"),
    (70, "gopher"),
    (79, "finger"),
    (80, "http"),
    (110, "pop3"),
    (111, "sunrpc"),
    (119, "nntp"),
    (123, "ntp"),
    (143, "imap"),
];

/// WKS: the ports, a bit each ([RFC 1035, section 3.4.2]).
///
/// [RFC 1035, section 3.4.2]: https://www.rfc-editor.org/rfc/rfc1035#section-3.4.2
pub(super) fn scan_services(tokens: &[Token<'_>], out: &mut Vec<u8>) -> Result<(), RdataError> {
    let begin = out.len();
    for token in tokens {
        let named = SERVICES
            .iter()
            .find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(token.raw))
            .map(|(port, _)| u64::from(*port));
        let port = named
            .or_else(|| decimal(token.raw))
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| not(token, "a port or a well-known service"))?;
        let at = begin + usize::from(port / 8);
        if out.len() <= at {
            out.resize(at + 1, 0);
        }
        out[at] |= 0x80 >> (port % 8);
    }
    Ok(())
}

pub(super) fn services_shape(field: &'static str, rest: &[u8], at: usize) -> Result<Shape, RdataFault> {
    if rest.len() > 8192 {
        return Err(RdataFault::Malformed(field));
    }
    Ok(bits_shape(rest, at))
}

/// Zeros at the end are harmless, but text cannot say them.
fn bits_shape(bits: &[u8], at: usize) -> Shape {
    let end = at + bits.len();
    match bits.last() {
        Some(0) => Shape::Opaque(end),
        _ => Shape::Octets(end),
    }
}

pub(super) fn print_services<W: Write>(bits: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    for (index, octet) in bits.iter().enumerate() {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            write!(words.word()?, "{}", 8 * index + bit)?;
        }
    }
    Ok(())
}

/// NXT: types below 128, a bit each ([RFC 2535, section 5.2]).
///
/// [RFC 2535, section 5.2]: https://www.rfc-editor.org/rfc/rfc2535#section-5.2
pub(super) fn scan_nxt_types(tokens: &[Token<'_>], out: &mut Vec<u8>) -> Result<(), RdataError> {
    let begin = out.len();
    for token in tokens {
        let rtype = record_type(token)?.0;
        if !(1..128).contains(&rtype) {
            return Err(not(token, "a record type from 1 to 127"));
        }
        let at = begin + usize::from(rtype / 8);
        if out.len() <= at {
            out.resize(at + 1, 0);
        }
        out[at] |= 0x80 >> (rtype % 8);
    }
    Ok(())
}

pub(super) fn nxt_shape(field: &'static str, rest: &[u8], at: usize) -> Result<Shape, RdataFault> {
    match rest.first() {
        // Bit 0 announces another format that was never defined.
        Some(0x80..) => Ok(Shape::Opaque(at + rest.len())),
        _ if rest.len() > 16 => Err(RdataFault::Malformed(field)),
        _ => Ok(bits_shape(rest, at)),
    }
}

pub(super) fn print_nxt_types<W: Write>(bits: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    bitmap::print_window(0, bits, words)
}

/// NSAP: `0x` and pairs of hexadecimal digits, with dots for the eye ([RFC 1706, section 5]).
///
/// [RFC 1706, section 5]: https://www.rfc-editor.org/rfc/rfc1706#section-5
pub(super) fn scan_nsap(
    field: &'static str,
    words: &mut Words<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let token = words.next(field)?;
    match token.raw {
        [b'0', b'x' | b'X', digits @ ..] => dotted_hex(digits, out),
        _ => None,
    }
    .ok_or_else(|| not(token, "0x and pairs of hexadecimal digits, maybe with dots"))
}

fn dotted_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut digits = text.iter().filter(|&&octet| octet != b'.');
    let begin = out.len();
    while let Some(&high) = digits.next() {
        let low = *digits.next()?;
        out.push(hex_digit(high)? << 4 | hex_digit(low)?);
    }
    (out.len() > begin).then_some(())
}

pub(super) fn print_nsap(octets: &[u8], out: &mut impl Write) -> fmt::Result {
    out.write_str("0x")?;
    HEXUPPER.encode_write(octets, out)
}

/// Format octets of ATMA: an AESA in hexadecimal digits, or an E.164 number.
const AESA: u8 = 0;
const E164: u8 = 1;

/// ATMA: `+` and decimal digits, or pairs of hexadecimal digits with dots for the eye.
pub(super) fn scan_atma(
    field: &'static str,
    words: &mut Words<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let token = words.next(field)?;
    match token.raw {
        [b'+', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            out.push(E164);
            out.extend_from_slice(digits);
            Ok(())
        }
        digits => {
            out.push(AESA);
            dotted_hex(digits, out).ok_or_else(|| not(token, "+ and digits, or pairs of hexadecimal digits"))
        }
    }
}

pub(super) fn atma_shape(field: &'static str, rest: &[u8], at: usize) -> Result<Shape, RdataFault> {
    let end = at + rest.len();
    match rest {
        [] | [_] => Err(RdataFault::Truncated(field)),
        [AESA, ..] => Ok(Shape::Octets(end)),
        [E164, digits @ ..] if digits.iter().all(u8::is_ascii_digit) => Ok(Shape::Octets(end)),
        [E164, ..] => Err(RdataFault::Malformed(field)),
        _ => Ok(Shape::Opaque(end)),
    }
}

pub(super) fn print_atma(octets: &[u8], out: &mut impl Write) -> fmt::Result {
    match octets {
        [E164, digits @ ..] => {
            out.write_char('+')?;
            digits.iter().try_for_each(|&digit| out.write_char(char::from(digit)))
        }
        [_, octets @ ..] => HEXUPPER.encode_write(octets, out),
        [] => Err(fmt::Error),
    }
}
