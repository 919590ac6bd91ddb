//! Domain names: canonical, hashed by suffix.

mod hashed;
mod presentation;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use smallvec::SmallVec;
use thiserror::Error;

pub use self::hashed::{HashedName, suffix_hash};
pub(crate) use self::presentation::unescape;
pub use self::presentation::{escape_label, wire_from_text, write_wire};

/// Most octets a name may have on the wire, its root label included ([RFC 1035, section 3.1]).
///
/// [RFC 1035, section 3.1]: https://www.rfc-editor.org/rfc/rfc1035#section-3.1
pub const NAME_OCTETS_MAX: usize = 255;
/// Most octets a label may have, its length octet not counted.
pub const LABEL_OCTETS_MAX: usize = 63;
/// Most labels a name of 255 octets can have, the root label not counted.
pub const LABELS_MAX: usize = 127;

/// Octets kept in place; longer names live on the heap.
const INLINE_OCTETS: usize = 40;

/// An absolute domain name in canonical form: lower case, uncompressed, as it goes on the wire.
///
/// Ordered as [RFC 4034, section 6.1] asks. Its [hash](Name::hash64) is computed once.
///
/// [RFC 4034, section 6.1]: https://www.rfc-editor.org/rfc/rfc4034#section-6.1
pub struct Name {
    wire: SmallVec<[u8; INLINE_OCTETS]>,
    labels: u8,
    hash: u64,
}

/// Why something is no domain name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NameError {
    /// Longer than 255 octets on the wire.
    #[error("name is longer than 255 octets")]
    TooLong,
    /// A label is longer than 63 octets.
    #[error("label is longer than 63 octets")]
    LabelTooLong,
    /// Two dots in a row, or a dot at the beginning.
    #[error("empty label")]
    EmptyLabel,
    /// The text is empty.
    #[error("empty name")]
    Empty,
    /// A relative name where no origin is known.
    #[error("relative name, but there is no origin")]
    NoOrigin,
    /// A backslash with nothing or no valid number behind it.
    #[error("bad escape: a backslash needs one character or three digits up to 255 behind it")]
    BadEscape,
    /// The octets end within the name.
    #[error("name ends before its root label")]
    Truncated,
    /// A length octet of 64 or more: compressed, or of a label type nobody uses.
    #[error("name has a compression pointer or a reserved label type")]
    BadLabelType,
    /// Octets follow the root label.
    #[error("octets follow the name")]
    TrailingOctets,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self::from_checked(&[0])
    }

    /// Takes an uncompressed name that fills the slice.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        let (name, rest) = Self::split_from_wire(wire)?;
        if rest.is_empty() { Ok(name) } else { Err(NameError::TrailingOctets) }
    }

    /// Takes an uncompressed name from the front of the slice; returns the rest as well.
    pub fn split_from_wire(wire: &[u8]) -> Result<(Self, &[u8]), NameError> {
        let octets = wire_octets(wire)?;
        let (name, rest) = wire.split_at(octets);
        Ok((Self::from_checked(name), rest))
    }

    /// Reads presentation format; a name without a dot at its end is completed with `origin`, or refused without one.
    pub fn from_text(text: &[u8], origin: Option<&Name>) -> Result<Self, NameError> {
        let mut wire = SmallVec::<[u8; NAME_OCTETS_MAX]>::new();
        wire_from_text(text, origin.map(Name::as_wire), &mut wire)?;
        Ok(Self::from_checked(&wire))
    }

    /// `wire` is one valid uncompressed name.
    fn from_checked(wire: &[u8]) -> Self {
        let mut wire = SmallVec::from_slice(wire);
        wire.make_ascii_lowercase(); // length octets are below 64 and so never letters
        let mut hashed = HashedName::default();
        let labels = hashed.read(&wire).map_or(0, |_| hashed.labels());
        Self { hash: hashed.hash(labels), labels: labels as u8, wire }
    }

    /// The name as it goes on the wire, lower case and uncompressed.
    #[inline]
    pub fn as_wire(&self) -> &[u8] {
        &self.wire
    }

    /// The hash under which zones and catalogs keep the name; differs from process to process.
    #[inline]
    pub fn hash64(&self) -> u64 {
        self.hash
    }

    /// How many labels the name has, the root not counted: 0 for `.`, 2 for `example.org.`.
    #[inline]
    pub fn label_count(&self) -> usize {
        usize::from(self.labels)
    }

    /// The labels from left to right, without the root.
    pub fn labels(&self) -> Labels<'_> {
        Labels { rest: &self.wire }
    }

    /// It is `.`.
    pub fn is_root(&self) -> bool {
        self.labels == 0
    }

    /// The first label is a lone `*` ([RFC 4592, section 2.1.1](https://www.rfc-editor.org/rfc/rfc4592#section-2.1.1)).
    pub fn is_wildcard(&self) -> bool {
        self.wire.starts_with(b"\x01*")
    }

    /// The name without its first label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        (!self.is_root()).then(|| Self::from_checked(&self.wire[1 + usize::from(self.wire[0])..]))
    }

    /// The last `labels` labels of the name; the name itself if it has no more.
    #[must_use]
    pub fn suffix(&self, labels: usize) -> Self {
        let mut rest = &self.wire[..];
        for _ in labels..self.label_count() {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        Self::from_checked(rest)
    }

    /// The name is `ancestor`, or stands below it.
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        is_at_or_below(&self.wire, &ancestor.wire)
    }

    /// A name one label longer.
    pub fn child(&self, label: &[u8]) -> Result<Self, NameError> {
        match label.len() {
            0 => return Err(NameError::EmptyLabel),
            1..=LABEL_OCTETS_MAX => {}
            _ => return Err(NameError::LabelTooLong),
        }
        if 1 + label.len() + self.wire.len() > NAME_OCTETS_MAX {
            return Err(NameError::TooLong);
        }
        let mut wire = SmallVec::<[u8; NAME_OCTETS_MAX]>::new();
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
        wire.extend_from_slice(&self.wire);
        Ok(Self::from_checked(&wire))
    }
}

/// Length of the uncompressed name at the front of `wire`, root label included.
pub fn wire_octets(wire: &[u8]) -> Result<usize, NameError> {
    let mut at = 0;
    loop {
        match wire.get(at) {
            None => return Err(NameError::Truncated),
            Some(0) if at < NAME_OCTETS_MAX => return Ok(at + 1),
            Some(&octets @ 1..=63) => at += 1 + usize::from(octets),
            Some(0) => return Err(NameError::TooLong),
            Some(_) => return Err(NameError::BadLabelType),
        }
        if at >= NAME_OCTETS_MAX {
            return Err(NameError::TooLong);
        }
    }
}

/// The uncompressed name `wire` is `ancestor` or stands below it, whatever the letter case.
pub fn is_at_or_below(wire: &[u8], ancestor: &[u8]) -> bool {
    let Some(extra) = wire.len().checked_sub(ancestor.len()) else {
        return false;
    };
    let mut at = 0;
    while at < extra {
        at += 1 + usize::from(wire[at]);
    }
    at == extra && wire[extra..].eq_ignore_ascii_case(ancestor)
}

/// Compares two uncompressed names in canonical order, whatever their letter case ([RFC 4034, section 6.1]).
///
/// [RFC 4034, section 6.1]: https://www.rfc-editor.org/rfc/rfc4034#section-6.1
pub fn canonical_cmp(left: &[u8], right: &[u8]) -> Ordering {
    let common = common_end(left, right);
    // Labels from here on, and whatever stands right before them.
    let (mut left_at, mut right_at) = (0, 0);
    let (mut left_before, mut right_before) = (None, None);
    loop {
        let (left_rest, right_rest) = (left.len() - left_at, right.len() - right_at);
        match left_rest.cmp(&right_rest) {
            // Both go on with the same labels, and no longer row of labels is the end of both.
            Ordering::Equal if left_rest <= common => break,
            Ordering::Equal => {
                (left_before, right_before) = (Some(left_at), Some(right_at));
                left_at += 1 + usize::from(left[left_at]);
                right_at += 1 + usize::from(right[right_at]);
            }
            Ordering::Greater => {
                left_before = Some(left_at);
                left_at += 1 + usize::from(left[left_at]);
            }
            Ordering::Less => {
                right_before = Some(right_at);
                right_at += 1 + usize::from(right[right_at]);
            }
        }
    }
    match (left_before, right_before) {
        (Some(left_label), Some(right_label)) => {
            lower_label(left, left_label).cmp(lower_label(right, right_label))
        }
        // One of them is the end of the other.
        (left_label, right_label) => left_label.is_some().cmp(&right_label.is_some()),
    }
}

/// How many octets at the end both have in common, whatever the letter case.
fn common_end(left: &[u8], right: &[u8]) -> usize {
    let (mut left_rest, mut right_rest) = (left, right);
    while let (Some((left_before, left_last)), Some((right_before, right_last))) =
        (left_rest.split_last_chunk::<8>(), right_rest.split_last_chunk::<8>())
        && left_last == right_last
    {
        (left_rest, right_rest) = (left_before, right_before);
    }
    while let ([left_before @ .., left_last], [right_before @ .., right_last]) = (left_rest, right_rest)
        && left_last.eq_ignore_ascii_case(right_last)
    {
        (left_rest, right_rest) = (left_before, right_before);
    }
    left.len() - left_rest.len()
}

fn lower_label(wire: &[u8], at: usize) -> impl Iterator<Item = u8> + '_ {
    let octets = usize::from(wire[at]);
    wire[at + 1..=at + octets].iter().map(u8::to_ascii_lowercase)
}

/// The labels of a name, from left to right; see [`Name::labels`].
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Labels<'a> {
    /// The labels of an uncompressed name that is known to be valid.
    pub fn of_wire(wire: &'a [u8]) -> Self {
        Self { rest: wire }
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self.rest.first() {
            None | Some(0) => None,
            Some(&octets) => {
                let (label, rest) = self.rest[1..].split_at(usize::from(octets));
                self.rest = rest;
                Some(label)
            }
        }
    }
}

impl Clone for Name {
    fn clone(&self) -> Self {
        // In one go; what the vector itself offers goes octet by octet.
        Self { wire: SmallVec::from_slice(&self.wire), labels: self.labels, hash: self.hash }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.wire == other.wire
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        canonical_cmp(&self.wire, &other.wire)
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Keyed anew in each process, as hashers that are safe from chosen keys are.
        state.write_u64(self.hash);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wire(&self.wire, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads presentation format; the dot at the end may be missing.
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::from_text(text.as_bytes(), Some(&Self::root()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn text_and_wire_agree() {
        assert_eq!(name("Example.ORG").as_wire(), b"\x07example\x03org\0");
        assert_eq!(name("Example.ORG").to_string(), "example.org.");
        assert_eq!(name(".").as_wire(), b"\0");
        assert_eq!(name(".").to_string(), ".");
        assert_eq!(name(r"a\.b.\000\255.\@\\").to_string(), r"a\.b.\000\255.\@\\.");
        assert_eq!(name(r"a\.b.c").label_count(), 2);
        for wrong in ["", "..", ".a", "a..b", "a\\", "a\\1", "a\\12", "a\\256", "a\\25x"] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
        assert!(Name::from_text(b"www", None).is_err());
    }

    #[test]
    fn lengths_are_bounded() {
        let label = "a".repeat(63);
        assert!(format!("{label}a").parse::<Name>().is_err());
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(name(&longest).as_wire().len(), 255);
        assert!(format!("{longest}b").parse::<Name>().is_err());
        assert_eq!(wire_octets(name(&longest).as_wire()), Ok(255));
        let mut too_long = name(&longest).as_wire().to_vec();
        too_long.splice(0..0, *b"\x01x");
        assert_eq!(wire_octets(&too_long), Err(NameError::TooLong));
        assert_eq!(name(&"a.".repeat(127)).label_count(), 127);
        assert!("a.".repeat(128).parse::<Name>().is_err());
    }

    #[test]
    fn ancestry_follows_labels_not_octets() {
        assert!(name("a.example.org").is_at_or_below(&name("example.org")));
        assert!(name("example.org").is_at_or_below(&name("example.org")));
        assert!(name("example.org").is_at_or_below(&Name::root()));
        assert!(!name("anexample.org").is_at_or_below(&name("example.org")));
        assert!(!name("org").is_at_or_below(&name("example.org")));
        // The octet before `example` is `\007`, which as content must not pass for a length octet.
        assert!(!name(r"a\007example.org").is_at_or_below(&name("example.org")));
        assert_eq!(name("a.b.example.org").suffix(2), name("example.org"));
        assert_eq!(name("a.example.org").parent(), Some(name("example.org")));
        assert_eq!(Name::root().parent(), None);
    }

    #[test]
    fn order_is_that_of_rfc_4034() {
        let mut names: Vec<Name> = [
            "example",
            "a.example",
            "yljkjljk.a.example",
            "Z.a.example",
            "zABC.a.EXAMPLE",
            "z.example",
            "\\001.z.example",
            "*.z.example",
            "\\200.z.example",
        ]
        .map(name)
        .to_vec();
        let sorted = names.clone();
        names.reverse();
        names.sort();
        assert_eq!(names, sorted);
    }

    /// Labels whose octets pass for lengths, and which differ in their case alone.
    fn any_wire() -> impl Strategy<Value = Vec<u8>> {
        let octet = prop::sample::select(vec![0u8, 1, 2, b'A', b'a', b'b', 200]);
        let label = prop::collection::vec(octet, 1..4);
        let long = prop::sample::select(vec![
            b"example-of-some-length".to_vec(),
            b"EXAMPLE-of-some-length".to_vec(),
        ]);
        let labels = prop::collection::vec(prop_oneof![3 => label, 1 => long], 0..6);
        labels.prop_map(|labels| {
            let labels = labels.iter().flat_map(|label| [&[label.len() as u8][..], label].concat());
            labels.chain([0]).collect()
        })
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_labels_from_the_right(left in any_wire(), right in any_wire()) {
            let labels = |wire: &[u8]| -> Vec<Vec<u8>> {
                let mut labels: Vec<_> = Labels::of_wire(wire).map(<[u8]>::to_ascii_lowercase).collect();
                labels.reverse();
                labels
            };
            prop_assert_eq!(canonical_cmp(&left, &right), labels(&left).cmp(&labels(&right)));
            prop_assert_eq!(canonical_cmp(&left, &left.to_ascii_uppercase()), Ordering::Equal);
        }
    }
}
