//! The one thing that is asked of a certificate besides using it: until when it is valid.
//!
//! Reads as much of the encoding as stands in front of that ([RFC 5280, section 4.1]), and knows nothing of the rest.
//!
//! [RFC 5280, section 4.1]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1

use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of a certificate's validity; `None` where it cannot be found.
pub(super) fn not_after(certificate: &[u8]) -> Option<SystemTime> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (fields, _) = expect(certificate, SEQUENCE)?;
    let rest = match element(fields)? {
        (VERSION, _, rest) => rest,
        _ => fields,
    };
    let (_, _serial, rest) = element(rest)?;
    let (_, _signature, rest) = element(rest)?;
    let (_, _issuer, rest) = element(rest)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    time(tag, not_after)
}

/// The first element of some: its tag, its contents, and what follows.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = octets.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // As many octets of length follow; no certificate needs more than four.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

fn expect(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(octets).filter(|(found, ..)| *found == tag).map(|(_, contents, rest)| (contents, rest))
}

/// Reads both ways to write a time, which certificates have to the second and in UTC ([RFC 5280, section 4.1.2.5]).
///
/// [RFC 5280, section 4.1.2.5]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
fn time(tag: u8, text: &[u8]) -> Option<SystemTime> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = match (tag, digits.len()) {
        (GENERALIZED_TIME, 14) => (digits[..4].parse::<i16>().ok()?, &digits[4..]),
        (UTC_TIME, 12) => {
            let year: i16 = digits[..2].parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        _ => return None,
    };
    let pair = |at: usize| rest[at..at + 2].parse::<i8>().ok();
    let (month, day) = (pair(0)?, pair(2)?);
    let day = Date::new(year, month, day).ok()?;
    let second = day.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    let (hours, minutes, seconds) = (i64::from(pair(4)?), i64::from(pair(6)?), i64::from(pair(8)?));
    let second = second + hours * 3600 + minutes * 60 + seconds;
    jiff::Timestamp::from_second(second).ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(tag: u8, text: &str) -> Option<i64> {
        time(tag, text.as_bytes()).map(|time| jiff::Timestamp::try_from(time).unwrap().as_second())
    }

    #[test]
    fn both_ways_to_write_a_time_are_read() {
        for (tag, text, expected) in [
            (UTC_TIME, "261121120000Z", Some(1_795_262_400)),
            (GENERALIZED_TIME, "20261121120000Z", Some(1_795_262_400)),
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            // "No end" as RFC 5280 says it, beyond what `jiff` knows.
            (GENERALIZED_TIME, "99991231235959Z", None),
            (UTC_TIME, "260230000000Z", None),
            (UTC_TIME, "261121120000", None),
            (UTC_TIME, "2611211200Z", None),
            (UTC_TIME, "26112112000+Z", None),
            (GENERALIZED_TIME, "261121120000Z", None),
            (0x04, "261121120000Z", None),
        ] {
            assert_eq!(seconds(tag, text), expected, "{text}");
        }
    }

    #[test]
    fn certificates_that_are_cut_off_have_no_end() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let certificate = params.self_signed(&key).unwrap();
        let octets: &[u8] = certificate.der();
        let expected =
            jiff::civil::date(2031, 2, 3).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        assert_eq!(not_after(octets), Some(expected.into()));
        for end in 0..octets.len() {
            assert_eq!(not_after(&octets[..end]), None);
        }
    }
}
