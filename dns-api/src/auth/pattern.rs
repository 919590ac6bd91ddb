//! Patterns of names, as grants have them.

use std::fmt;
use std::str::FromStr;

use dns_core::name::escape_label;
use dns_core::{Name, NameError};
use thiserror::Error;

/// Names that a grant is for, written as a name whose labels may be `*`.
///
/// A `*` at either end stands for one label or more, as wildcards in zones do
/// ([RFC 4592, section 3.3.1](https://www.rfc-editor.org/rfc/rfc4592#section-3.3.1)); one between other labels stands for
/// exactly one. All else must be equal, whatever the letter case:
///
/// | pattern | fits | does not fit |
/// |---|---|---|
/// | `www.example.org` | `www.example.org` | `a.www.example.org` |
/// | `*.example.org` | `a.example.org`, `a.b.example.org`, the wildcard `*.example.org` | `example.org` |
/// | `_acme-challenge.*` | `_acme-challenge.example.org` | `_acme-challenge` |
/// | `_acme-challenge.*.example.org` | `_acme-challenge.a.example.org` | `_acme-challenge.a.b.example.org` |
/// | `\*.example.org` | the wildcard `*.example.org` alone | `a.example.org` |
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamePattern {
    /// From left to right.
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    /// This label, in lower case.
    Label(Box<[u8]>),
    /// Exactly one label.
    One,
    /// One label or more.
    Many,
}

/// Why a text is not a pattern of names.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("'{text}' is not a pattern of names")]
pub struct PatternError {
    /// The text.
    pub text: String,
    /// What is wrong with it as a name.
    pub source: NameError,
}

impl NamePattern {
    /// The name fits.
    pub fn fits(&self, name: &Name) -> bool {
        let labels: Vec<&[u8]> = name.labels().collect();
        fits(&self.pieces, &labels)
    }

    /// Some name at `apex` or below it fits.
    pub fn reaches_below(&self, apex: &Name) -> bool {
        let labels: Vec<&[u8]> = apex.labels().collect();
        let (mut pieces, mut labels) = (self.pieces.as_slice(), labels.as_slice());
        loop {
            // What is left of the pattern stands to the left of the apex, where any label may be.
            let Some((label, nearer)) = labels.split_last() else { return true };
            match pieces.split_last() {
                None => return false,
                Some((Piece::Many, _)) => return true,
                Some((Piece::Label(own), _)) if **own != **label => return false,
                Some((_, rest)) => pieces = rest,
            }
            labels = nearer;
        }
    }
}

/// The pieces take all labels. At most two pieces are [`Piece::Many`], and a name has 127 labels at most, so trying all ways
/// to share them out is cheap.
fn fits(pieces: &[Piece], labels: &[&[u8]]) -> bool {
    match pieces.split_first() {
        None => labels.is_empty(),
        Some((Piece::Many, [])) => !labels.is_empty(),
        Some((Piece::Many, rest)) => (1..=labels.len()).any(|taken| fits(rest, &labels[taken..])),
        Some((piece, rest)) => match (piece, labels.split_first()) {
            (_, None) => false,
            (Piece::Label(own), Some((label, _))) if **own != **label => false,
            (_, Some((_, behind))) => fits(rest, behind),
        },
    }
}

impl FromStr for NamePattern {
    type Err = PatternError;

    /// Reads the text of a pattern; the dot at its end may be missing.
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = |source| PatternError { text: text.to_owned(), source };
        // With an ordinary label in place of each `*`, it must be a name: this finds bad escapes, empty and long labels.
        let name: Name = text.parse().map_err(error)?;
        if name.is_root() {
            return Ok(Self { pieces: Vec::new() });
        }
        let labels = split_labels(text);
        let last = labels.len() - 1;
        let pieces =
            labels.iter().zip(name.labels()).enumerate().map(|(at, (written, label))| match *written {
                "*" if at == 0 || at == last => Piece::Many,
                "*" => Piece::One,
                _ => Piece::Label(label.into()),
            });
        Ok(Self { pieces: pieces.collect() })
    }
}

/// The labels of a valid name as they are written, escapes and all.
fn split_labels(text: &str) -> Vec<&str> {
    let mut labels = Vec::new();
    let (mut begin, mut escaped) = (0, false);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'.' => {
                labels.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if begin < text.len() {
        labels.push(&text[begin..]);
    }
    labels
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pieces.is_empty() {
            return f.write_str(".");
        }
        for piece in &self.pieces {
            match piece {
                Piece::Label(label) if **label == *b"*" => f.write_str("\\*")?,
                Piece::Label(label) => escape_label(label, f)?,
                Piece::One | Piece::Many => f.write_str("*")?,
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> NamePattern {
        text.parse().unwrap()
    }

    #[test]
    fn labels_are_equal_or_stars() {
        for (text, fitting, others) in [
            (
                "www.example.org",
                "www.example.org WWW.Example.ORG.",
                "example.org a.www.example.org www.example.com",
            ),
            (
                "*.example.org",
                r"a.example.org a.b.example.org *.example.org a\.b.example.org",
                "example.org example.com org . a.example.org.test",
            ),
            (
                "_acme-challenge.*",
                "_acme-challenge.org _acme-challenge.example.org _acme-challenge.a.b.example.org",
                "_acme-challenge a._acme-challenge.example.org acme-challenge.example.org .",
            ),
            (
                "_acme-challenge.*.example.org.",
                "_acme-challenge.a.example.org _acme-challenge.*.example.org",
                "_acme-challenge.example.org _acme-challenge.a.b.example.org",
            ),
            ("*._tcp.*", "_sip._tcp.example.org a._tcp._tcp.b a.b._tcp.c", "_tcp.example.org a._tcp ."),
            (r"\*.example.org", "*.example.org", "a.example.org example.org"),
            (r"a\.b.org", r"a\.b.org", "a.b.org"),
            (r"\042.org", "*.org", "a.org"),
            ("*", "org example.org", "."),
            (".", ".", "org"),
        ] {
            let pattern = pattern(text);
            for name in fitting.split(' ') {
                assert!(pattern.fits(&name.parse().unwrap()), "{text} fits {name}");
            }
            for name in others.split(' ') {
                assert!(!pattern.fits(&name.parse().unwrap()), "{text} does not fit {name}");
            }
            assert_eq!(pattern.to_string().parse(), Ok(pattern), "{text}");
        }
    }

    #[test]
    fn zones_with_a_fitting_name_are_known() {
        for (text, apex, expected) in [
            ("www.example.org", "example.org", true),
            ("www.example.org", "www.example.org", true),
            ("www.example.org", ".", true),
            ("www.example.org", "a.www.example.org", false),
            ("www.example.org", "example.com", false),
            ("*.example.org", "example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.com", false),
            ("_acme-challenge.*", "example.org", true),
            ("a.*.example.org", "b.example.org", true),
            ("a.*.example.org", "c.b.example.org", false),
        ] {
            assert_eq!(pattern(text).reaches_below(&apex.parse().unwrap()), expected, "{text} below {apex}");
        }
    }

    #[test]
    fn what_is_no_name_is_no_pattern() {
        for text in ["", "a..b", ".a", r"a\", &format!("{}.org", "x".repeat(64))] {
            let error = text.parse::<NamePattern>().unwrap_err();
            assert_eq!(error.text, text);
        }
    }

    #[test]
    fn stars_between_letters_are_letters() {
        assert!(pattern("a*.org").fits(&"a*.org".parse().unwrap()));
        assert!(!pattern("a*.org").fits(&"ab.org".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn patterns_and_their_text_agree(text in r"[a-c*.\\]{0,12}", name in "[a-c*.]{1,12}", apex in "[a-c*.]{1,6}") {
            let (Ok(pattern), Ok(name), Ok(apex)) =
                (text.parse::<NamePattern>(), name.parse::<Name>(), apex.parse::<Name>())
            else {
                return Ok(());
            };
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern.clone()));
            prop_assert_eq!(pattern.fits(&name), fits_slowly(&pattern.to_string(), &name));
            // A zone with a name that fits is one that the pattern reaches.
            prop_assert!(!pattern.fits(&name) || !name.is_at_or_below(&apex) || pattern.reaches_below(&apex));
        }
    }

    /// What the table at [`NamePattern`] says, label by label: stars at the ends are made as long as they have to be.
    fn fits_slowly(pattern: &str, name: &Name) -> bool {
        let pieces = split_labels(pattern);
        let labels: Vec<String> =
            name.labels().map(|label| String::from_utf8(label.to_vec()).unwrap()).collect();
        let is_star = |at: usize| pieces.get(at) == Some(&"*");
        let equal = |pieces: &[&str]| {
            pieces.len() == labels.len()
                && pieces
                    .iter()
                    .zip(&labels)
                    .all(|(piece, label)| *piece == "*" || piece.trim_start_matches('\\') == label)
        };
        let last = pieces.len().saturating_sub(1);
        (0..12).any(|front| {
            (0..12).any(|back| {
                let front = if is_star(0) { front } else { 0 };
                let back = if is_star(last) { back } else { 0 };
                let longer = [vec!["*"; front], pieces.clone(), vec!["*"; back]].concat();
                equal(if pattern == "." { &[] } else { &longer })
            })
        })
    }
}
