//! TTLs as text.

use crate::TTL_MAX;

use super::{Cause, error::Word};

/// Reads seconds, or numbers with units as BIND has them: `3600`, `1h30m`, `1W`.
pub(super) fn parse(raw: &[u8]) -> Result<u32, Cause> {
    let not_a_ttl = || Cause::Ttl(Word::of(raw));
    let mut total = 0u64;
    let mut rest = raw;
    let mut with_units = false;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
        if digits == 0 {
            return Err(not_a_ttl());
        }
        let number = rest[..digits]
            .iter()
            .fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        let unit = match rest.get(digits).map(u8::to_ascii_lowercase) {
            // `1h30`: BIND, too, wants a unit behind each number once there is one.
            None if with_units => return Err(not_a_ttl()),
            None | Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            Some(b'w') => 604_800,
            Some(_) => return Err(not_a_ttl()),
        };
        with_units = true;
        total = total.saturating_add(number.saturating_mul(unit));
        rest = rest.get(digits + 1..).unwrap_or_default();
    }
    match u32::try_from(total) {
        _ if raw.is_empty() => Err(not_a_ttl()),
        Ok(ttl) if ttl <= TTL_MAX => Ok(ttl),
        _ => Err(Cause::TtlTooLarge(Word::of(raw))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttls() {
        for (text, seconds) in [
            ("0", 0),
            ("3600", 3_600),
            ("1h30m", 5_400),
            ("1W2D3H4M5S", 788_645),
            ("90s", 90),
            ("007", 7),
            ("2147483647", TTL_MAX),
        ] {
            assert_eq!(parse(text.as_bytes()).ok(), Some(seconds), "{text}");
        }
        for text in ["", "h", "1x", "1h30", "1 h", "-1", "1.5h", "1hh"] {
            assert!(matches!(parse(text.as_bytes()), Err(Cause::Ttl(_))), "{text}");
        }
        for text in ["2147483648", "99999999999999999999999999", "3551w", "99999999999999999999w"] {
            assert!(matches!(parse(text.as_bytes()), Err(Cause::TtlTooLarge(_))), "{text}");
        }
    }
}
