//! Times as people read them.

use std::fmt;
use std::time::Duration;

/// A time since 1970 as [RFC 3339] writes it: in UTC, with microseconds.
///
/// [RFC 3339]: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rfc3339(pub(crate) Duration);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let micros = self.0.subsec_micros();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Year, month and day, so many days after the beginning of 1970.
fn date(days: u64) -> (u64, u64, u64) {
    // Years are counted from March here, so that the leap day is a year's last, and in eras of 400 years, which are equal.
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let leap_days = day / 1460 - day / 36_524 + day / (DAYS_OF_ERA - 1);
    let year_of_era = (day - leap_days) / 365;
    let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // From March on, five months have 153 days, time and again.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let year = 400 * era + year_of_era + u64::from(is_next_year);
    (year, if is_next_year { month - 9 } else { month + 3 }, day)
}

const DAYS_OF_ERA: u64 = 400 * 365 + 97;
/// From 1 March of the year 0.
const DAYS_TO_1970: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (seconds, nanos, expected) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, 999_999_999, "2000-02-28T23:59:59.999999Z"),
            (951_782_400, 1_000, "2000-02-29T00:00:00.000001Z"),
            (1_709_164_800, 999, "2024-02-29T00:00:00.000000Z"),
            (1_735_689_599, 5_000_000, "2024-12-31T23:59:59.005000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Rfc3339(Duration::new(seconds, nanos)).to_string(), expected);
        }
        // Nonsense stays printable.
        assert!(Rfc3339(Duration::MAX).to_string().ends_with('Z'));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let days_of = |year: u64, month| match month {
            2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expected = (1970, 1, 1);
        for days in 0..=300_000 {
            assert_eq!(date(days), expected);
            let (year, month, day) = expected;
            expected = match (month, day == days_of(year, month)) {
                (_, false) => (year, month, day + 1),
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
            };
        }
    }
}
