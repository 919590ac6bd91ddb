//! Names as parts of paths.

use std::fmt::Write;

/// Where the API is.
pub(crate) const BASE: &str = "/api/v1";

/// A text as one segment of a path: everything that has a meaning there, or in a shell, is written with percent signs
/// ([RFC 3986, section 2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)).
pub(crate) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    // Segments that are dots alone would mean this folder and the one above.
    let is_dots = text.bytes().all(|octet| octet == b'.');
    for octet in text.bytes() {
        match octet {
            b'.' if is_dots => segment.push_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                segment.push(char::from(octet));
            }
            _ => {
                // Writing to a String does not fail.
                let _ = write!(segment, "%{octet:02X}");
            }
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_hold_any_name() {
        for (name, expected) in [
            ("www.example.org.", "www.example.org."),
            ("*.example.org.", "%2A.example.org."),
            ("1/25.2.0.192.in-addr.arpa.", "1%2F25.2.0.192.in-addr.arpa."),
            (r"a\.b\032.example.", "a%5C.b%5C032.example."),
            (".", "%2E"),
        ] {
            assert_eq!(segment(name), expected);
        }
    }
}
