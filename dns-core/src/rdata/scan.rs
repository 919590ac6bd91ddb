//! Text to wire.

use std::net::Ipv6Addr;

use super::{
    RDATA_OCTETS_MAX, RdataError, RdataFault, apl, bitmap, encoding,
    error::word,
    field::{Field, Kind, Mnemonics},
    historic, host, loc, svcb,
    table::layout,
    time, walk,
};
use crate::{
    Position, RecordType, Token,
    name::{unescape, wire_from_text},
};

/// What reading a value depends on besides its words.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// Completes relative names.
    pub origin: Option<&'a [u8]>,
    /// Texts over 255 octets become several, instead of an error.
    pub split_texts: bool,
}

impl<'a> Context<'a> {
    pub(super) fn zone_file(origin: Option<&'a [u8]>) -> Self {
        Self { origin, split_texts: false }
    }
}

/// The words of a value, of which the first are used up.
#[derive(Clone, Copy)]
pub(super) struct Words<'t, 'a> {
    rest: &'t [Token<'a>],
}

impl<'t, 'a> Words<'t, 'a> {
    pub(super) fn next(&mut self, field: &'static str) -> Result<&'t Token<'a>, RdataError> {
        let [token, rest @ ..] = self.rest else {
            return Err(RdataFault::Missing(field).into());
        };
        self.rest = rest;
        Ok(token)
    }

    pub(super) fn next_if_any(&mut self) -> Option<&'t Token<'a>> {
        let [token, rest @ ..] = self.rest else {
            return None;
        };
        self.rest = rest;
        Some(token)
    }

    pub(super) fn peek(&self) -> Option<&'t Token<'a>> {
        self.rest.first()
    }

    /// Uses up all that is left.
    pub(super) fn take_rest(&mut self) -> &'t [Token<'a>] {
        std::mem::take(&mut self.rest)
    }
}

pub(super) fn scan(
    rtype: RecordType,
    tokens: &[Token<'_>],
    context: Context<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let before = out.len();
    let result = scan_any(rtype, tokens, context, out);
    let octets = out.len() - before;
    if result.is_err() || octets > RDATA_OCTETS_MAX {
        out.truncate(before);
    }
    result?;
    if octets > RDATA_OCTETS_MAX {
        return Err(RdataFault::TooLong(octets).into());
    }
    Ok(())
}

fn scan_any(
    rtype: RecordType,
    tokens: &[Token<'_>],
    context: Context<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    if let [generic, rest @ ..] = tokens
        && is_generic_mark(generic)
    {
        return scan_generic(rtype, generic.position, Words { rest }, out);
    }
    let Some(layout) = layout(rtype) else {
        let fault = RdataFault::NoFormat(rtype);
        return Err(match tokens.first() {
            Some(token) => RdataError::at(token.position, fault),
            None => fault.into(),
        });
    };
    let mut words = Words { rest: tokens };
    let begin = out.len();
    for field in layout.fields {
        scan_field(field, &mut words, context, begin, out)?;
    }
    match words.next_if_any() {
        None => Ok(()),
        Some(token) => Err(RdataError::at(token.position, RdataFault::Unexpected(word(token.raw)))),
    }
}

/// The word that begins RDATA in the generic form of [RFC 3597, section 5].
///
/// [RFC 3597, section 5]: https://www.rfc-editor.org/rfc/rfc3597#section-5
fn is_generic_mark(token: &Token<'_>) -> bool {
    token.raw == br"\#" && !token.quoted
}

fn scan_generic(
    rtype: RecordType,
    position: Position,
    mut words: Words<'_, '_>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let begin = out.len();
    let announced = words.next("length")?;
    let announced = number(announced, u64::from(u16::MAX))? as usize;
    encoding::scan_hex(words.take_rest(), out)?;
    let found = out.len() - begin;
    if found != announced {
        return Err(RdataError::at(position, RdataFault::GenericLength { announced, found }));
    }
    match layout(rtype) {
        None => Ok(()),
        Some(layout) => {
            walk::check(layout, &out[begin..]).map(|_| ()).map_err(|fault| RdataError::at(position, fault))
        }
    }
}

/// Appends one field; the RDATA begins at `begin` of `out`.
#[inline]
fn scan_field(
    field: &Field,
    words: &mut Words<'_, '_>,
    context: Context<'_>,
    begin: usize,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    match field.kind {
        Kind::U8 => out.push(number(words.next(field.name)?, 0xff)? as u8),
        Kind::U16 => {
            let value = number(words.next(field.name)?, 0xffff)?;
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        Kind::U32 => {
            let value = number(words.next(field.name)?, 0xffff_ffff)?;
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        Kind::U64 => {
            let value = number(words.next(field.name)?, u64::MAX)?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        Kind::Seconds => {
            let token = words.next(field.name)?;
            let value = seconds(token.raw)
                .ok_or_else(|| not(token, "a number of seconds, such as 3600 or 1h, below 2^32"))?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        Kind::Time => {
            let token = words.next(field.name)?;
            let value = time::from_text(token.raw)
                .ok_or_else(|| not(token, "a time as YYYYMMDDHHmmSS or in seconds since 1970"))?;
            out.extend_from_slice(&value.to_be_bytes());
        }
        Kind::Mnemonic(mnemonics) => {
            let value = mnemonic(mnemonics, words.next(field.name)?)?;
            out.extend_from_slice(&value.to_be_bytes()[2 - mnemonics.octets..]);
        }
        Kind::RecordType => {
            let rtype = record_type(words.next(field.name)?)?;
            out.extend_from_slice(&rtype.0.to_be_bytes());
        }
        Kind::Ipv4 => {
            let token = words.next(field.name)?;
            let octets = ipv4(token.raw).ok_or_else(|| not(token, "an IPv4 address"))?;
            out.extend_from_slice(&octets);
        }
        Kind::Ipv6 => out.extend_from_slice(&ipv6(words.next(field.name)?)?.octets()),
        Kind::PrefixName(_) if out[begin] == 0 => {}
        Kind::Name(_) | Kind::PrefixName(_) => name(words.next(field.name)?, context, out)?,
        Kind::Names(_) => {
            for token in words.take_rest() {
                name(token, context, out)?;
            }
        }
        Kind::Text => text(words.next(field.name)?, out)?,
        Kind::OptionalText => {
            if let Some(token) = words.next_if_any() {
                text(token, out)?;
            }
        }
        Kind::Texts => {
            let mut token = words.next(field.name)?;
            loop {
                if context.split_texts {
                    split_text(token, out)?;
                } else {
                    text(token, out)?;
                }
                match words.next_if_any() {
                    Some(next) => token = next,
                    None => break,
                }
            }
        }
        Kind::Tag => {
            let token = words.next(field.name)?;
            if token.raw.is_empty()
                || token.raw.len() > 255
                || !token.raw.iter().all(u8::is_ascii_alphanumeric)
            {
                return Err(not(token, "a tag of letters and digits"));
            }
            out.push(token.raw.len() as u8);
            out.extend_from_slice(token.raw);
        }
        Kind::LongText => unescape_into(words.next(field.name)?, out)?,
        Kind::Base64(octets_min) => {
            let first = out.len();
            encoding::scan_base64(words.take_rest(), out)?;
            if out.len() - first < octets_min {
                return Err(RdataFault::Missing(field.name).into());
            }
        }
        Kind::Base64OrDash => {
            if words.peek().is_some_and(|token| token.raw == b"-" && !token.quoted) {
                words.next(field.name)?;
            } else {
                words.peek().ok_or(RdataFault::Missing(field.name))?;
                encoding::scan_base64(words.take_rest(), out)?;
            }
        }
        Kind::Hex(octets_min) => {
            let first = out.len();
            encoding::scan_hex(words.take_rest(), out)?;
            if out.len() - first < octets_min {
                let fault = if first == out.len() {
                    RdataFault::Missing(field.name)
                } else {
                    RdataFault::Truncated(field.name)
                };
                return Err(fault.into());
            }
        }
        Kind::Salt => {
            let token = words.next(field.name)?;
            if token.raw == b"-" {
                out.push(0);
            } else {
                counted(out, |out| encoding::scan_hex(std::slice::from_ref(token), out))?;
            }
        }
        Kind::Hash => {
            let token = words.next(field.name)?;
            counted(out, |out| encoding::scan_base32(token, out))?;
        }
        Kind::Types => bitmap::scan(words.take_rest(), out)?,
        Kind::Eui(octets) => {
            let token = words.next(field.name)?;
            encoding::scan_eui(token, octets, out)?;
        }
        Kind::Groups => encoding::scan_groups(words.next(field.name)?, out)?,
        Kind::Loc => loc::scan(words, out)?,
        Kind::Prefixes => apl::scan(words.take_rest(), out)?,
        Kind::SvcParams => svcb::scan(field.name, words, out)?,
        Kind::Gateway(mask, _) => host::scan_gateway(field.name, mask, words, context, begin, out)?,
        Kind::RelayType => host::scan_relay_type(words, out)?,
        Kind::Hip => host::scan_hip(words, out)?,
        Kind::Suffix => historic::scan_suffix(words, out)?,
        Kind::Services => historic::scan_services(words.take_rest(), out)?,
        Kind::NxtTypes => historic::scan_nxt_types(words.take_rest(), out)?,
        Kind::Nsap => historic::scan_nsap(field.name, words, out)?,
        Kind::Atma => historic::scan_atma(field.name, words, out)?,
    }
    Ok(())
}

pub(super) fn not(token: &Token<'_>, expected: &'static str) -> RdataError {
    RdataError::at(token.position, RdataFault::Not { word: word(token.raw), expected })
}

/// A decimal number up to `max`, which is one of the largest numbers of a field.
#[inline]
pub(super) fn number(token: &Token<'_>, max: u64) -> Result<u64, RdataError> {
    decimal(token.raw).filter(|&value| value <= max).ok_or_else(|| {
        not(
            token,
            match max {
                0xff => "a number from 0 to 255",
                0xffff => "a number from 0 to 65535",
                0xffff_ffff => "a number from 0 to 4294967295",
                _ => "a number from 0 to 18446744073709551615",
            },
        )
    })
}

#[inline]
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Seconds as a number, or as numbers with units behind them: `w`, `d`, `h`, `m`, `s`.
#[inline]
fn seconds(text: &[u8]) -> Option<u32> {
    if let Some(value) = decimal(text) {
        return u32::try_from(value).ok();
    }
    let mut sum = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let value = decimal(&rest[..digits])?;
        let unit = match rest.get(digits)?.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        sum = sum.checked_add(value.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    u32::try_from(sum).ok().filter(|_| !text.is_empty())
}

fn mnemonic(mnemonics: &Mnemonics, token: &Token<'_>) -> Result<u16, RdataError> {
    let named = mnemonics.names.iter().find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(token.raw));
    if let Some(&(value, _)) = named {
        return Ok(value);
    }
    decimal(token.raw)
        .filter(|&value| value < 1 << (8 * mnemonics.octets))
        .map(|value| value as u16)
        .ok_or_else(|| not(token, mnemonics.expected))
}

pub(super) fn record_type(token: &Token<'_>) -> Result<RecordType, RdataError> {
    std::str::from_utf8(token.raw)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| not(token, "a record type"))
}

/// Dotted decimal, four numbers without leading zeros.
#[inline]
pub(super) fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let begin = at;
        let mut value = 0u16;
        while let Some(digit) = text.get(at).map(|octet| octet.wrapping_sub(b'0'))
            && digit <= 9
            && at - begin < 3
        {
            value = value * 10 + u16::from(digit);
            at += 1;
        }
        if at == begin || (at - begin > 1 && text[begin] == b'0') {
            return None;
        }
        *octet = u8::try_from(value).ok()?;
    }
    (at == text.len()).then_some(octets)
}

pub(super) fn ipv6(token: &Token<'_>) -> Result<Ipv6Addr, RdataError> {
    std::str::from_utf8(token.raw)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| not(token, "an IPv6 address"))
}

#[inline]
pub(super) fn name(token: &Token<'_>, context: Context<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    // In quotes an `@` is a label like any other.
    let text = match token.raw {
        b"@" if token.quoted => br"\@",
        raw => raw,
    };
    wire_from_text(text, context.origin, out)
        .map_err(|error| RdataError::at(token.position, RdataFault::Name { word: word(token.raw), error }))
}

/// Appends a character-string: a length octet and so many octets.
#[inline]
pub(super) fn text(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    counted(out, |out| unescape_into(token, out))
        .map_err(|error| RdataError { position: Some(token.position), ..error })
}

/// Appends character-strings of 255 octets until the whole text is in them.
fn split_text(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let begin = out.len();
    unescape_into(token, out)?;
    if out.len() - begin <= 255 {
        let octets = (out.len() - begin) as u8;
        out.insert(begin, octets);
        return Ok(());
    }
    let whole = out.split_off(begin);
    for part in whole.chunks(255) {
        out.push(part.len() as u8);
        out.extend_from_slice(part);
    }
    Ok(())
}

/// Appends what `write` appends behind an octet that counts it.
pub(super) fn counted(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), RdataError>,
) -> Result<(), RdataError> {
    let begin = out.len();
    out.push(0);
    write(out)?;
    let octets = out.len() - begin - 1;
    out[begin] = u8::try_from(octets).map_err(|_| RdataFault::TextTooLong(octets))?;
    Ok(())
}

/// Appends the octets of a word, its escapes resolved.
#[inline]
pub(super) fn unescape_into(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut rest = token.raw;
    while let Some(at) = rest.iter().position(|&octet| octet == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (octet, tail) = unescape(&rest[at + 1..])
            .ok_or_else(|| RdataError::at(token.position, RdataFault::Escape(word(token.raw))))?;
        out.push(octet);
        rest = tail;
    }
    out.extend_from_slice(rest);
    Ok(())
}
