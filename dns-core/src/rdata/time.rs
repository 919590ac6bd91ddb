//! Times of signatures: seconds since 1970 in 32 bits, as `YYYYMMDDHHmmSS` ([RFC 4034, section 3.2]).
//!
//! [RFC 4034, section 3.2]: https://www.rfc-editor.org/rfc/rfc4034#section-3.2

use std::fmt::{self, Write};

use super::scan::decimal;

/// Reads 14 digits as a date and fewer as seconds; dates past 2106 wrap around, as the field does.
pub(super) fn from_text(text: &[u8]) -> Option<u32> {
    let value = decimal(text)?;
    if text.len() != 14 {
        return u32::try_from(value).ok();
    }
    let part = |divisor: u64, modulus: u64| value / divisor % modulus;
    let (year, month, day) = (value / 10_000_000_000, part(100_000_000, 100), part(1_000_000, 100));
    let (hour, minute, second) = (part(10_000, 100), part(100, 100), part(1, 100));
    let valid = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    valid.then(|| {
        let days = days_before(year, month) + day - 1;
        (days * 86_400 + hour * 3_600 + minute * 60 + second) as u32
    })
}

pub(super) fn print(seconds: u32, out: &mut impl Write) -> fmt::Result {
    let (days, second_of_day) = (u64::from(seconds / 86_400), seconds % 86_400);
    // Never too late, and never more than two years too early.
    let mut year = 1970 + days / 366;
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_before(year, month + 1) <= days {
        month += 1;
    }
    let day = days - days_before(year, month) + 1;
    let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
    write!(out, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// Days from the beginning of 1970 to that of the month.
fn days_before(year: u64, month: u64) -> u64 {
    let past = year.saturating_sub(1);
    let leap_days = past / 4 - past / 100 + past / 400 - LEAP_DAYS_BEFORE_1970;
    (year - 1970) * 365 + leap_days + (1..month).map(|month| days_of_month(year, month)).sum::<u64>()
}

const LEAP_DAYS_BEFORE_1970: u64 = 1969 / 4 - 1969 / 100 + 1969 / 400;

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
