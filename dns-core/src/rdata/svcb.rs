//! Parameters of service bindings ([RFC 9460, section 2]).
//!
//! [RFC 9460, section 2]: https://www.rfc-editor.org/rfc/rfc9460#section-2

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64;
use smallvec::SmallVec;

use super::{
    RdataError, RdataFault,
    print::{WordWriter, unsigned},
    scan::{Words, decimal, ipv4, not, unescape_into},
};
use crate::Token;

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
/// [RFC 9461, section 5](https://www.rfc-editor.org/rfc/rfc9461#section-5).
const DOHPATH: u16 = 7;
/// [RFC 9540, section 4](https://www.rfc-editor.org/rfc/rfc9540#section-4).
const OHTTP: u16 = 8;
/// Two octets for each group of TLS.
const TLS_SUPPORTED_GROUPS: u16 = 9;
/// Reserved; never a parameter.
const INVALID: u16 = 65535;

const NAMES: [&str; 10] = [
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
    "tls-supported-groups",
];

/// A parameter and where its value lies.
struct Param<'t, 'a> {
    key: u16,
    token: &'t Token<'a>,
    value: std::ops::Range<usize>,
}

/// Appends the parameters in the order of their keys, whatever order they were given in.
pub(super) fn scan(
    field: &'static str,
    words: &mut Words<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let mut values = Vec::new();
    let mut params = SmallVec::<[Param<'_, '_>; 8]>::new();
    while let Some(token) = words.next_if_any() {
        let (key, value) = match token.raw.iter().position(|&octet| octet == b'=') {
            Some(at) => (&token.raw[..at], Some(&token.raw[at + 1..])),
            None => (token.raw, None),
        };
        let (number, named) = key_from_text(key)
            .ok_or_else(|| not(token, "a service parameter, such as alpn=h2 or key65280=value"))?;
        let value = match value {
            // A value in quotes is a word of its own to some tokenisers.
            Some(b"") if words.peek().is_some_and(|next| adjoins(token, next)) => {
                words.next_if_any().map(|next| next.raw)
            }
            Some([b'"', value @ .., b'"']) => Some(value),
            value => value,
        };
        let begin = values.len();
        let value = Token { raw: value.unwrap_or_default(), ..*token };
        if named {
            scan_value(number, &value, &mut values)?;
        } else {
            unescape_into(&value, &mut values)?;
        }
        params.push(Param { key: number, token, value: begin..values.len() });
    }
    params.sort_by_key(|param| param.key);
    for pair in params.windows(2) {
        if pair[0].key == pair[1].key {
            let fault = RdataFault::SvcParamRepeated(name_of(pair[1].key));
            return Err(RdataError::at(pair[1].token.position, fault));
        }
    }
    let begin = out.len();
    for param in &params {
        let octets = param.value.len();
        let octets_u16 = u16::try_from(octets)
            .map_err(|_| RdataError::at(param.token.position, RdataFault::TooLong(octets)))?;
        out.extend_from_slice(&param.key.to_be_bytes());
        out.extend_from_slice(&octets_u16.to_be_bytes());
        out.extend_from_slice(&values[param.value.clone()]);
    }
    check(field, &out[begin..])
        .map_err(|fault| RdataError { position: params.first().map(|param| param.token.position), fault })
}

/// The second word begins where the first ends, and stands in quotes.
fn adjoins(first: &Token<'_>, second: &Token<'_>) -> bool {
    second.quoted
        && second.position.line == first.position.line
        && second.position.column as usize == first.position.column as usize + first.raw.len()
}

/// The number of a key, and whether it was given by its name.
fn key_from_text(text: &[u8]) -> Option<(u16, bool)> {
    if let Some(number) = NAMES.iter().position(|name| name.as_bytes() == text) {
        return Some((number as u16, true));
    }
    let digits = text.strip_prefix(b"key")?;
    let number = u16::try_from(decimal(digits)?).ok()?;
    (number != INVALID && (digits.len() == 1 || digits[0] != b'0')).then_some((number, false))
}

fn name_of(key: u16) -> String {
    NAMES.get(usize::from(key)).map_or_else(|| format!("key{key}"), |name| (*name).to_owned())
}

/// Appends the value of a parameter that was given by its name.
fn scan_value(key: u16, token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let takes_none = matches!(key, NO_DEFAULT_ALPN | OHTTP);
    if takes_none != token.raw.is_empty() {
        let fault = if takes_none {
            RdataFault::SvcParamValue(name_of(key))
        } else {
            RdataFault::SvcParamEmpty(name_of(key))
        };
        return Err(RdataError::at(token.position, fault));
    }
    let mut value = Vec::new();
    unescape_into(token, &mut value)?;
    let shown = Token { raw: &value, ..*token };
    match key {
        MANDATORY => {
            let mut keys = SmallVec::<[u16; 8]>::new();
            for item in value.split(|&octet| octet == b',') {
                let (key, _) = key_from_text(item)
                    .filter(|&(key, _)| key != MANDATORY)
                    .ok_or_else(|| not(&shown, "a list of service parameters other than mandatory"))?;
                keys.push(key);
            }
            keys.sort_unstable();
            if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
                let fault = RdataFault::SvcParamRepeated(name_of(pair[0]));
                return Err(RdataError::at(token.position, fault));
            }
            out.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        }
        ALPN => scan_alpn(&value, out)
            .ok_or_else(|| not(&shown, "a list of protocol names with 1 to 255 octets each"))?,
        PORT => out.extend_from_slice(
            &decimal(&value)
                .and_then(|port| u16::try_from(port).ok())
                .ok_or_else(|| not(&shown, "a number from 0 to 65535"))?
                .to_be_bytes(),
        ),
        IPV4HINT => {
            for item in value.split(|&octet| octet == b',') {
                let address = ipv4(item).ok_or_else(|| not(&shown, "a list of IPv4 addresses"))?;
                out.extend_from_slice(&address);
            }
        }
        IPV6HINT => {
            for item in value.split(|&octet| octet == b',') {
                let address = std::str::from_utf8(item)
                    .ok()
                    .and_then(|item| item.parse::<Ipv6Addr>().ok())
                    .ok_or_else(|| not(&shown, "a list of IPv6 addresses"))?;
                out.extend_from_slice(&address.octets());
            }
        }
        ECH => out.extend(BASE64.decode(&value).map_err(|_| not(&shown, "base64"))?),
        TLS_SUPPORTED_GROUPS => {
            for item in value.split(|&octet| octet == b',') {
                let group = decimal(item)
                    .and_then(|group| u16::try_from(group).ok())
                    .ok_or_else(|| not(&shown, "a list of numbers from 0 to 65535"))?;
                out.extend_from_slice(&group.to_be_bytes());
            }
        }
        _ => out.append(&mut value),
    }
    Ok(())
}

/// Appends a list in which commas and backslashes inside an item are escaped ([RFC 9460, appendix A.1]).
///
/// [RFC 9460, appendix A.1]: https://www.rfc-editor.org/rfc/rfc9460#appendix-A.1
fn scan_alpn(value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut count_at = out.len();
    out.push(0);
    let mut rest = value;
    loop {
        match rest {
            [b'\\', octet @ (b',' | b'\\'), tail @ ..] => {
                out.push(*octet);
                rest = tail;
            }
            [b'\\', ..] => return None,
            [octet, tail @ ..] if *octet != b',' => {
                out.push(*octet);
                rest = tail;
            }
            [] | [_, ..] => {
                let octets = u8::try_from(out.len() - count_at - 1).ok()?;
                if octets == 0 {
                    return None;
                }
                out[count_at] = octets;
                let [_, tail @ ..] = rest else { return Some(()) };
                rest = tail;
                count_at = out.len();
                out.push(0);
            }
        }
    }
}

/// The parameters of checked or unchecked octets; ends with `None` inside where they are cut off.
fn params(octets: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let param = split_param(rest);
        rest = param.map_or(&[], |(_, _, tail)| tail);
        Some(param.map(|(key, value, _)| (key, value)))
    })
}

fn split_param(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (key, rest) = octets.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((u16::from_be_bytes(*key), value, rest))
}

/// Keys rise, known values have their form, and what is mandatory is there ([RFC 9460, section 8]).
///
/// [RFC 9460, section 8]: https://www.rfc-editor.org/rfc/rfc9460#section-8
pub(super) fn check(field: &'static str, octets: &[u8]) -> Result<(), RdataFault> {
    let mut last = None;
    for param in params(octets) {
        let (key, value) = param.ok_or(RdataFault::Truncated(field))?;
        if last.is_some_and(|last| last >= key) || key == INVALID || !value_is_valid(key, value) {
            return Err(RdataFault::Malformed(field));
        }
        last = Some(key);
    }
    let has = |wanted: u16| params(octets).flatten().any(|(key, _)| key == wanted);
    if has(NO_DEFAULT_ALPN) && !has(ALPN) {
        return Err(RdataFault::SvcParamMissing(name_of(ALPN)));
    }
    let mandatory = params(octets).flatten().find(|(key, _)| *key == MANDATORY);
    for key in mandatory.iter().flat_map(|(_, keys)| keys.chunks_exact(2)) {
        let key = unsigned(key) as u16;
        if !has(key) {
            return Err(RdataFault::SvcParamMissing(name_of(key)));
        }
    }
    Ok(())
}

fn value_is_valid(key: u16, value: &[u8]) -> bool {
    let items_of = |octets: usize| !value.is_empty() && value.len().is_multiple_of(octets);
    match key {
        MANDATORY => {
            items_of(2)
                && value[..2] != [0, 0]
                && value.chunks_exact(2).is_sorted_by(|left, right| unsigned(left) < unsigned(right))
        }
        ALPN => {
            let mut rest = value;
            while let [octets, tail @ ..] = rest
                && *octets > 0
                && let Some(tail) = tail.get(usize::from(*octets)..)
            {
                rest = tail;
            }
            !value.is_empty() && rest.is_empty()
        }
        NO_DEFAULT_ALPN | OHTTP => value.is_empty(),
        PORT => value.len() == 2,
        IPV4HINT => items_of(4),
        IPV6HINT => items_of(16),
        TLS_SUPPORTED_GROUPS => items_of(2),
        ECH | DOHPATH => !value.is_empty(),
        _ => true,
    }
}

/// Writes checked parameters.
pub(super) fn print<W: Write>(octets: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    for param in params(octets) {
        let (key, value) = param.ok_or(fmt::Error)?;
        let out = words.word()?;
        print_key(key, out)?;
        if !value.is_empty() {
            out.write_char('=')?;
            print_value(key, value, out)?;
        }
    }
    Ok(())
}

fn print_key(key: u16, out: &mut impl Write) -> fmt::Result {
    match NAMES.get(usize::from(key)) {
        Some(name) => out.write_str(name),
        None => write!(out, "key{key}"),
    }
}

fn print_value(key: u16, value: &[u8], out: &mut impl Write) -> fmt::Result {
    match key {
        MANDATORY => print_list(value.chunks(2), out, |key, out| print_key(unsigned(key) as u16, out)),
        PORT | TLS_SUPPORTED_GROUPS => {
            print_list(value.chunks(2), out, |number, out| write!(out, "{}", unsigned(number)))
        }
        IPV4HINT => print_list(value.chunks(4), out, |address, out| {
            write!(out, "{}", Ipv4Addr::from(unsigned(address) as u32))
        }),
        IPV6HINT => print_list(value.chunks(16), out, |address, out| {
            let address: [u8; 16] = address.try_into().map_err(|_| fmt::Error)?;
            write!(out, "{}", Ipv6Addr::from(address))
        }),
        ECH => BASE64.encode_write(value, out),
        ALPN => {
            let mut rest = value;
            let mut separator = "";
            while let [octets, tail @ ..] = rest {
                let (item, tail) = tail.split_at_checked(usize::from(*octets)).ok_or(fmt::Error)?;
                out.write_str(separator)?;
                for &octet in item {
                    match octet {
                        // Escaped for the list, then the backslashes for the character-string.
                        b',' => out.write_str(r"\\,")?,
                        b'\\' => out.write_str(r"\\\\")?,
                        octet => print_bare(octet, out)?,
                    }
                }
                separator = ",";
                rest = tail;
            }
            Ok(())
        }
        _ => value.iter().try_for_each(|&octet| print_bare(octet, out)),
    }
}

fn print_list<'a, W: Write>(
    items: impl Iterator<Item = &'a [u8]>,
    out: &mut W,
    mut print: impl FnMut(&[u8], &mut W) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        print(item, out)?;
    }
    Ok(())
}

/// Writes an octet of a character-string without quotes.
fn print_bare(octet: u8, out: &mut impl Write) -> fmt::Result {
    match octet {
        b'"' | b'(' | b')' | b';' | b'\\' => write!(out, "\\{}", char::from(octet)),
        0x21..=0x7e => out.write_char(char::from(octet)),
        _ => write!(out, "\\{octet:03}"),
    }
}
