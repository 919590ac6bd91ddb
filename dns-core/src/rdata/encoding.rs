//! Octets as base64, base32hex and hexadecimal digits, in one word or several.

use data_encoding::{BASE32_DNSSEC, BASE64, Encoding, HEXUPPER_PERMISSIVE};
use smallvec::SmallVec;

use super::{RdataError, scan::not};
use crate::Token;

/// Words are joined here before they are decoded; RSA keys of 4096 bits fit.
type Joined = SmallVec<[u8; 768]>;

pub(super) fn scan_base64(tokens: &[Token<'_>], out: &mut Vec<u8>) -> Result<(), RdataError> {
    decode(&BASE64, "base64", tokens, out)
}

pub(super) fn scan_hex(tokens: &[Token<'_>], out: &mut Vec<u8>) -> Result<(), RdataError> {
    decode(&HEXUPPER_PERMISSIVE, "an even number of hexadecimal digits", tokens, out)
}

/// One word of base32hex without padding ([RFC 5155, section 3.3]).
///
/// [RFC 5155, section 3.3]: https://www.rfc-editor.org/rfc/rfc5155#section-3.3
pub(super) fn scan_base32(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    if token.raw.is_empty() {
        return Err(not(token, BASE32_EXPECTED));
    }
    decode(&BASE32_DNSSEC, BASE32_EXPECTED, std::slice::from_ref(token), out)
}

const BASE32_EXPECTED: &str = "base32hex without padding";

fn decode(
    encoding: &Encoding,
    expected: &'static str,
    tokens: &[Token<'_>],
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let mut joined = Joined::new();
    let text = match tokens {
        [] => return Ok(()),
        [token] => token.raw,
        _ => {
            for token in tokens {
                joined.extend_from_slice(token.raw);
            }
            &joined[..]
        }
    };
    let begin = out.len();
    let fault_at = match encoding.decode_len(text.len()) {
        Err(error) => error.position,
        Ok(octets) => {
            out.resize(begin + octets, 0);
            match encoding.decode_mut(text, &mut out[begin..]) {
                Ok(octets) => {
                    out.truncate(begin + octets);
                    return Ok(());
                }
                Err(partial) => partial.error.position,
            }
        }
    };
    // The word in which the fault lies; the last one where the whole is too short.
    let mut octets = 0;
    let culprit = tokens.iter().find(|token| {
        octets += token.raw.len();
        fault_at < octets
    });
    let culprit = culprit.or(tokens.last());
    Err(culprit.map_or_else(|| super::RdataFault::Missing(expected).into(), |token| not(token, expected)))
}

/// Pairs of hexadecimal digits with hyphens between them ([RFC 7043, section 3.2]).
///
/// [RFC 7043, section 3.2]: https://www.rfc-editor.org/rfc/rfc7043#section-3.2
pub(super) fn scan_eui(token: &Token<'_>, octets: usize, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let expected = match octets {
        6 => "six pairs of hexadecimal digits with hyphens between them",
        _ => "eight pairs of hexadecimal digits with hyphens between them",
    };
    let pairs = token.raw.split(|&octet| octet == b'-');
    if token.raw.len() != 3 * octets - 1 || pairs.clone().count() != octets {
        return Err(not(token, expected));
    }
    for pair in pairs {
        match pair {
            &[high, low] => out.push(
                hex_digit(high)
                    .zip(hex_digit(low))
                    .map(|(high, low)| high << 4 | low)
                    .ok_or_else(|| not(token, expected))?,
            ),
            _ => return Err(not(token, expected)),
        }
    }
    Ok(())
}

/// Four groups of up to four hexadecimal digits ([RFC 6742, section 2.1.2]).
///
/// [RFC 6742, section 2.1.2]: https://www.rfc-editor.org/rfc/rfc6742#section-2.1.2
pub(super) fn scan_groups(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    const EXPECTED: &str = "four groups of hexadecimal digits with colons between them";
    let groups = token.raw.split(|&octet| octet == b':');
    if groups.clone().count() != 4 {
        return Err(not(token, EXPECTED));
    }
    for group in groups {
        let value = match group.len() {
            1..=4 => {
                group.iter().try_fold(0u16, |value, &digit| Some(value << 4 | u16::from(hex_digit(digit)?)))
            }
            _ => None,
        };
        out.extend_from_slice(&value.ok_or_else(|| not(token, EXPECTED))?.to_be_bytes());
    }
    Ok(())
}

pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
