//! Lists of address prefixes ([RFC 3123, section 4]).
//!
//! [RFC 3123, section 4]: https://www.rfc-editor.org/rfc/rfc3123#section-4

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{
    RdataError, RdataFault,
    print::WordWriter,
    scan::{decimal, ipv4, not},
    walk::Shape,
};
use crate::Token;

const IPV4: u16 = 1;
const IPV6: u16 = 2;
/// The bit of the length octet that excludes the prefix from the list.
const NEGATION: u8 = 0x80;

pub(super) fn scan(tokens: &[Token<'_>], out: &mut Vec<u8>) -> Result<(), RdataError> {
    for token in tokens {
        scan_item(token.raw, out)
            .ok_or_else(|| not(token, "an address prefix, such as 1:192.0.2.0/24 or !2:2001:db8::/32"))?;
    }
    Ok(())
}

fn scan_item(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (negation, text) = match text {
        [b'!', text @ ..] => (NEGATION, text),
        _ => (0, text),
    };
    let colon = text.iter().position(|&octet| octet == b':')?;
    let slash = text.iter().rposition(|&octet| octet == b'/')?;
    let address = text.get(colon + 1..slash)?;
    let family = u16::try_from(decimal(&text[..colon])?).ok()?;
    let mut octets = [0u8; 16];
    let octets_max = match family {
        IPV4 => {
            octets[..4].copy_from_slice(&ipv4(address)?);
            4
        }
        IPV6 => {
            octets = std::str::from_utf8(address).ok()?.parse::<Ipv6Addr>().ok()?.octets();
            16
        }
        _ => return None,
    };
    let prefix = u8::try_from(decimal(&text[slash + 1..])?).ok()?;
    if usize::from(prefix) > 8 * octets_max {
        return None;
    }
    // Zeros at the end are left out.
    let used = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(&family.to_be_bytes());
    out.extend_from_slice(&[prefix, negation | used as u8]);
    out.extend_from_slice(&octets[..used]);
    Some(())
}

/// Items of families that have no text form pass, for the sake of those to come.
pub(super) fn shape(field: &'static str, rest: &[u8], at: usize) -> Result<Shape, RdataFault> {
    let end = at + rest.len();
    let mut shape = Shape::Octets(end);
    let mut rest = rest;
    while !rest.is_empty() {
        let (family, prefix, address, tail) = split_item(rest).ok_or(RdataFault::Truncated(field))?;
        let octets_max = match family {
            IPV4 => 4,
            IPV6 => 16,
            _ => {
                shape = Shape::Opaque(end);
                127
            }
        };
        let known = octets_max != 127;
        if address.len() > octets_max
            || (known && usize::from(prefix) > 8 * octets_max)
            || address.last() == Some(&0)
        {
            return Err(RdataFault::Malformed(field));
        }
        rest = tail;
    }
    Ok(shape)
}

/// Family, prefix length, address without the zeros at its end, and what follows.
fn split_item(octets: &[u8]) -> Option<(u16, u8, &[u8], &[u8])> {
    let (&[high, low, prefix, length], rest) = octets.split_first_chunk::<4>()?;
    let (address, rest) = rest.split_at_checked(usize::from(length & !NEGATION))?;
    Some((u16::from_be_bytes([high, low]), prefix, address, rest))
}

/// Writes checked octets.
pub(super) fn print<W: Write>(octets: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    let mut rest = octets;
    while !rest.is_empty() {
        let negation = if rest[3] & NEGATION == 0 { "" } else { "!" };
        let (family, prefix, address, tail) = split_item(rest).ok_or(fmt::Error)?;
        let mut full = [0u8; 16];
        full.get_mut(..address.len()).ok_or(fmt::Error)?.copy_from_slice(address);
        let out = words.word()?;
        match family {
            IPV4 => {
                let address = Ipv4Addr::new(full[0], full[1], full[2], full[3]);
                write!(out, "{negation}1:{address}/{prefix}")?;
            }
            _ => write!(out, "{negation}2:{}/{prefix}", Ipv6Addr::from(full))?,
        }
        rest = tail;
    }
    Ok(())
}
