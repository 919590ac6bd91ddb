//! Numbers as people read them.

/// The digits of a whole number with a separator before every three of them.
pub fn grouped(digits: &str, separator: char) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(
            ["0", "999", "1000", "12346"].map(|digits| grouped(digits, ',')),
            ["0", "999", "1,000", "12,346"]
        );
        assert_eq!(grouped("1234567", '_'), "1_234_567");
    }
}
