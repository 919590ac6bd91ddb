//! Gateways of IPSECKEY and AMTRELAY, whose form an earlier octet tells, and the keys of HIP.

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE64, HEXUPPER};

use super::{
    RdataError, RdataFault, encoding,
    field::NameUse,
    print::{WordWriter, unsigned},
    scan::{Context, Words, ipv4, ipv6, name, not, number},
    walk::Shape,
};

/// Where both types say what their gateway is, as an octet of their RDATA.
const TYPE_AT: usize = 1;

/// Appends the gateway of the type that the RDATA so far tells ([RFC 4025, section 2.5], [RFC 8777, section 4.2.4]).
///
/// [RFC 4025, section 2.5]: https://www.rfc-editor.org/rfc/rfc4025#section-2.5
/// [RFC 8777, section 4.2.4]: https://www.rfc-editor.org/rfc/rfc8777#section-4.2.4
pub(super) fn scan_gateway(
    field: &'static str,
    mask: u8,
    words: &mut Words<'_, '_>,
    context: Context<'_>,
    begin: usize,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let token = words.next(field)?;
    match out[begin + TYPE_AT] & mask {
        0 if token.raw == b"." => Ok(()),
        0 => Err(not(token, "a dot, as there is no gateway with type 0")),
        1 => {
            let octets = ipv4(token.raw).ok_or_else(|| not(token, "an IPv4 address"))?;
            out.extend_from_slice(&octets);
            Ok(())
        }
        2 => {
            out.extend_from_slice(&ipv6(token)?.octets());
            Ok(())
        }
        3 => name(token, context, out),
        _ => Err(not(token, "readable, as its type is none from 0 to 3")),
    }
}

pub(super) fn gateway_shape(
    field: &'static str,
    mask: u8,
    name: NameUse,
    rdata: &[u8],
    at: usize,
) -> Result<Shape, RdataFault> {
    let octets = match rdata.get(TYPE_AT).map(|octet| octet & mask) {
        Some(0) => 0,
        Some(1) => 4,
        Some(2) => 16,
        Some(3) => return Ok(Shape::Name(name)),
        _ => return Err(RdataFault::Malformed(field)),
    };
    if rdata.len() - at < octets {
        return Err(RdataFault::Truncated(field));
    }
    Ok(Shape::Octets(at + octets))
}

/// Writes a gateway that is no name.
pub(super) fn print_gateway(octets: &[u8], out: &mut impl Write) -> fmt::Result {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        write!(out, "{}", Ipv4Addr::from(octets))
    } else if let Ok(octets) = <[u8; 16]>::try_from(octets) {
        write!(out, "{}", Ipv6Addr::from(octets))
    } else {
        out.write_char('.')
    }
}

/// The discovery bit and the type of a relay, two words for one octet ([RFC 8777, section 4.3.1]).
///
/// [RFC 8777, section 4.3.1]: https://www.rfc-editor.org/rfc/rfc8777#section-4.3.1
pub(super) fn scan_relay_type(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let token = words.next("discovery optional")?;
    let discovery = match token.raw {
        b"0" => 0,
        b"1" => 0x80,
        _ => return Err(not(token, "0 or 1")),
    };
    let token = words.next("relay type")?;
    let relay_type = number(token, 0xff)? as u8;
    if relay_type > 3 {
        return Err(not(token, "a relay type from 0 to 3"));
    }
    out.push(discovery | relay_type);
    Ok(())
}

pub(super) fn print_relay_type<W: Write>(octet: u8, words: &mut WordWriter<'_, W>) -> fmt::Result {
    write!(words.word()?, "{} {}", octet >> 7, octet & 0x7f)
}

/// Algorithm, host identity tag and public key ([RFC 8005, section 6]); on the wire their lengths come first.
///
/// [RFC 8005, section 6]: https://www.rfc-editor.org/rfc/rfc8005#section-6
pub(super) fn scan_hip(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let begin = out.len();
    let algorithm = number(words.next("public key algorithm")?, 0xff)? as u8;
    out.extend_from_slice(&[0, algorithm, 0, 0]);
    let tag = words.next("host identity tag")?;
    encoding::scan_hex(std::slice::from_ref(tag), out)?;
    let tag_octets = out.len() - begin - 4;
    out[begin] = u8::try_from(tag_octets)
        .ok()
        .filter(|&octets| octets > 0)
        .ok_or_else(|| not(tag, "a host identity tag of 1 to 255 octets"))?;
    let key = words.next("public key")?;
    let key_begin = out.len();
    encoding::scan_base64(std::slice::from_ref(key), out)?;
    let key_octets = u16::try_from(out.len() - key_begin)
        .ok()
        .filter(|&octets| octets > 0)
        .ok_or_else(|| not(key, "a public key of 1 to 65535 octets"))?;
    out[begin + 2..begin + 4].copy_from_slice(&key_octets.to_be_bytes());
    Ok(())
}

/// Octets up to the rendezvous servers.
pub(super) fn hip_octets(field: &'static str, rest: &[u8]) -> Result<usize, RdataFault> {
    match rest {
        [0, ..] | [_, _, 0, 0, ..] => Err(RdataFault::Malformed(field)),
        &[tag, _, high, low, ..] => Ok(4 + usize::from(tag) + usize::from(u16::from_be_bytes([high, low]))),
        _ => Err(RdataFault::Truncated(field)),
    }
}

pub(super) fn print_hip<W: Write>(octets: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    let (head, rest) = octets.split_first_chunk::<4>().ok_or(fmt::Error)?;
    let (tag, key) = rest.split_at_checked(usize::from(head[0])).ok_or(fmt::Error)?;
    write!(words.word()?, "{}", unsigned(&head[1..2]))?;
    HEXUPPER.encode_write(tag, words.word()?)?;
    BASE64.encode_write(key, words.word()?)
}
