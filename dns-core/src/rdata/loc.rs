//! Places on the globe ([RFC 1876]).
//!
//! [RFC 1876]: https://www.rfc-editor.org/rfc/rfc1876

use std::fmt::{self, Write};

use super::{
    RdataError, RdataFault,
    print::{WordWriter, unsigned},
    scan::{Words, decimal, not},
    walk::Shape,
};
use crate::Token;

/// The equator and the prime meridian: angles are thousandths of a second of arc from here.
const ZERO_ANGLE: i64 = 1 << 31;
/// Thousandths of a second of arc in a degree.
const DEGREE: i64 = 3_600_000;
/// Centimetres below the reference spheroid at which altitudes begin.
const ALTITUDE_BASE: i64 = 10_000_000;

pub(super) const OCTETS: usize = 16;

pub(super) fn scan(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let latitude = scan_angle(words, &LATITUDE)?;
    let longitude = scan_angle(words, &LONGITUDE)?;
    let token = words.next("altitude")?;
    let altitude = centimetres(token.raw)
        .and_then(|altitude| u32::try_from(altitude + ALTITUDE_BASE).ok())
        .ok_or_else(|| not(token, "an altitude in metres from -100000.00 to 42849672.95"))?;
    // Size, horizontal and vertical precision: 1 m, 10 km and 10 m unless given.
    let mut sizes = [0x12, 0x16, 0x13];
    for size in &mut sizes {
        let Some(token) = words.next_if_any() else { break };
        *size = centimetres(token.raw)
            .filter(|size| (0..=9_000_000_000).contains(size))
            .map(size_to_octet)
            .ok_or_else(|| not(token, "a size in metres from 0 to 90000000.00"))?;
    }
    out.push(0);
    out.extend_from_slice(&sizes);
    out.extend_from_slice(&latitude.to_be_bytes());
    out.extend_from_slice(&longitude.to_be_bytes());
    out.extend_from_slice(&altitude.to_be_bytes());
    Ok(())
}

/// One of the two coordinates.
struct Axis {
    field: &'static str,
    degrees_max: i64,
    positive: u8,
    negative: u8,
    expected_degrees: &'static str,
    expected_hemisphere: &'static str,
}

const LATITUDE: Axis = Axis {
    field: "latitude",
    degrees_max: 90,
    positive: b'N',
    negative: b'S',
    expected_degrees: "a number of degrees from 0 to 90",
    expected_hemisphere: "N or S, or minutes and seconds below 60 before it",
};
const LONGITUDE: Axis = Axis {
    field: "longitude",
    degrees_max: 180,
    positive: b'E',
    negative: b'W',
    expected_degrees: "a number of degrees from 0 to 180",
    expected_hemisphere: "E or W, or minutes and seconds below 60 before it",
};

/// Degrees, maybe minutes, maybe seconds, and the hemisphere.
fn scan_angle(words: &mut Words<'_, '_>, axis: &Axis) -> Result<u32, RdataError> {
    let first = words.next(axis.field)?;
    let degrees = decimal(first.raw)
        .map(|degrees| degrees as i64)
        .filter(|degrees| (0..=axis.degrees_max).contains(degrees))
        .ok_or_else(|| not(first, axis.expected_degrees))?;
    let mut angle = degrees * DEGREE;
    let mut token = words.next(axis.field)?;
    if hemisphere(token, axis).is_none() {
        let minutes = decimal(token.raw).filter(|&minutes| minutes < 60);
        angle += minutes.ok_or_else(|| not(token, axis.expected_hemisphere))? as i64 * 60_000;
        token = words.next(axis.field)?;
    }
    if hemisphere(token, axis).is_none() {
        let seconds = fixed_point(token.raw, 3).filter(|&thousandths| thousandths < 60_000);
        angle += seconds.ok_or_else(|| not(token, axis.expected_hemisphere))?;
        token = words.next(axis.field)?;
    }
    let sign = hemisphere(token, axis).ok_or_else(|| not(token, axis.expected_hemisphere))?;
    if angle > axis.degrees_max * DEGREE {
        return Err(not(first, axis.expected_degrees));
    }
    Ok((ZERO_ANGLE + sign * angle) as u32)
}

fn hemisphere(token: &Token<'_>, axis: &Axis) -> Option<i64> {
    match token.raw {
        [letter] if letter.eq_ignore_ascii_case(&axis.positive) => Some(1),
        [letter] if letter.eq_ignore_ascii_case(&axis.negative) => Some(-1),
        _ => None,
    }
}

/// Metres with up to two decimals, `m` behind them or not.
fn centimetres(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"m").or(text.strip_suffix(b"M")).unwrap_or(text);
    match text.strip_prefix(b"-") {
        Some(text) => fixed_point(text, 2).map(|value| -value),
        None => fixed_point(text, 2),
    }
}

/// A number with up to so many decimals, in units of the last.
fn fixed_point(text: &[u8], decimals: usize) -> Option<i64> {
    let dot = text.iter().position(|&octet| octet == b'.');
    let (whole, fraction) = match dot {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b"0"[..]),
    };
    if whole.len() > 10 || fraction.len() > decimals {
        return None;
    }
    let scale = 10i64.pow(decimals as u32);
    let fraction_scale = 10i64.pow((decimals - fraction.len()) as u32);
    Some(decimal(whole)? as i64 * scale + decimal(fraction)? as i64 * fraction_scale)
}

/// One decimal digit and a power of ten, the rest cut off.
fn size_to_octet(mut centimetres: i64) -> u8 {
    let mut exponent = 0;
    while centimetres > 9 {
        centimetres /= 10;
        exponent += 1;
    }
    (centimetres as u8) << 4 | exponent
}

/// Octets of another version than 0 are nobody's business.
pub(super) fn shape(field: &'static str, rest: &[u8], at: usize) -> Result<Shape, RdataFault> {
    match rest.first() {
        None => return Err(RdataFault::Truncated(field)),
        Some(0) => {}
        Some(_) => return Ok(Shape::Opaque(at + rest.len())),
    }
    let octets = rest.get(..OCTETS).ok_or(RdataFault::Truncated(field))?;
    let within =
        |octets: &[u8], degrees: i64| (unsigned(octets) as i64 - ZERO_ANGLE).abs() <= degrees * DEGREE;
    let sizes = &octets[1..4];
    if sizes.iter().any(|size| size >> 4 > 9 || size & 15 > 9)
        || !within(&octets[4..8], LATITUDE.degrees_max)
        || !within(&octets[8..12], LONGITUDE.degrees_max)
    {
        return Err(RdataFault::Malformed(field));
    }
    // Zero times a power of ten is text that reads back as plain zero.
    if sizes.iter().any(|size| size >> 4 == 0 && size & 15 != 0) {
        return Ok(Shape::Opaque(at + OCTETS));
    }
    Ok(Shape::Octets(at + OCTETS))
}

/// Writes checked octets.
pub(super) fn print<W: Write>(octets: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    let octets: &[u8; OCTETS] = octets.try_into().map_err(|_| fmt::Error)?;
    for (at, axis) in [(4, &LATITUDE), (8, &LONGITUDE)] {
        let angle = unsigned(&octets[at..at + 4]) as i64 - ZERO_ANGLE;
        let letter = char::from(if angle < 0 { axis.negative } else { axis.positive });
        let angle = angle.abs();
        let (degrees, minutes) = (angle / DEGREE, angle / 60_000 % 60);
        let (seconds, thousandths) = (angle / 1000 % 60, angle % 1000);
        write!(words.word()?, "{degrees} {minutes} {seconds}.{thousandths:03} {letter}")?;
    }
    print_metres(unsigned(&octets[12..]) as i64 - ALTITUDE_BASE, words.word()?)?;
    for size in &octets[1..4] {
        let centimetres = i64::from(size >> 4) * 10i64.pow(u32::from(size & 15));
        print_metres(centimetres, words.word()?)?;
    }
    Ok(())
}

fn print_metres(centimetres: i64, out: &mut impl Write) -> fmt::Result {
    let sign = if centimetres < 0 { "-" } else { "" };
    let (metres, rest) = (centimetres.abs() / 100, centimetres.abs() % 100);
    match rest {
        0 => write!(out, "{sign}{metres}m"),
        _ => write!(out, "{sign}{metres}.{rest:02}m"),
    }
}
