//! A name laid out for look-ups: lower case, with the hash of every suffix.

use std::sync::LazyLock;

use super::{LABELS_MAX, NAME_OCTETS_MAX, NameError};

/// Room for the longest name and for reading its last label in whole words.
const BUFFER_OCTETS: usize = NAME_OCTETS_MAX + 9;

/// A name in lower case with the hash of each of its suffixes.
///
/// Hashes run from the root to the left, so that one pass over the name yields the keys of the zone, of every ancestor
/// and of the name itself; the key of a child (`*.` above all) costs one step more ([`suffix_hash`]). Reused from query
/// to query: [`read`](Self::read) overwrites what was there.
pub struct HashedName {
    lower: [u8; BUFFER_OCTETS],
    octets: usize,
    labels: usize,
    /// Where the suffix with so many labels begins.
    offsets: [u8; LABELS_MAX + 1],
    hashes: [u64; LABELS_MAX + 1],
}

impl Default for HashedName {
    /// The root.
    fn default() -> Self {
        let mut hashes = [0; LABELS_MAX + 1];
        hashes[0] = KEYS.0;
        Self { lower: [0; BUFFER_OCTETS], octets: 1, labels: 0, offsets: [0; LABELS_MAX + 1], hashes }
    }
}

impl HashedName {
    /// Takes the uncompressed name at the front of `wire`; tells how many octets it has.
    ///
    /// After an error the contents are of no use until the next successful read.
    #[inline]
    pub fn read(&mut self, wire: &[u8]) -> Result<usize, NameError> {
        let mut starts = [0u8; LABELS_MAX + 1];
        let (mut at, mut labels) = (0usize, 0usize);
        loop {
            let Some(&octets) = wire.get(at) else {
                return Err(NameError::Truncated);
            };
            if octets == 0 {
                break;
            }
            if octets > 63 {
                return Err(NameError::BadLabelType);
            }
            starts[labels] = at as u8;
            labels += 1;
            at += 1 + usize::from(octets);
            // The root label must still fit; this bounds `labels` too, as each label takes two octets or more.
            if at >= NAME_OCTETS_MAX {
                return Err(NameError::TooLong);
            }
        }
        let octets = at + 1;
        lower_into(&wire[..octets], &mut self.lower);
        self.octets = octets;
        self.labels = labels;
        self.offsets[0] = at as u8;
        // Read once: each access asks whether the keys have been drawn yet.
        let (mut hash, key) = *KEYS;
        self.hashes[0] = hash;
        for depth in 1..=labels {
            let start = starts[labels - depth];
            self.offsets[depth] = start;
            hash = extend_hash(hash, key, &self.lower, usize::from(start));
            self.hashes[depth] = hash;
        }
        Ok(octets)
    }

    /// How many labels the name has, the root not counted.
    #[inline]
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The whole name, lower case.
    #[inline]
    pub fn wire(&self) -> &[u8] {
        &self.lower[..self.octets]
    }

    /// The last `labels` labels; `labels` is at most [`labels()`](Self::labels).
    #[inline]
    pub fn suffix(&self, labels: usize) -> &[u8] {
        &self.lower[usize::from(self.offsets[labels])..self.octets]
    }

    /// Where in the name the suffix with so many labels begins.
    #[inline]
    pub fn offset(&self, labels: usize) -> usize {
        usize::from(self.offsets[labels])
    }

    /// Hash of the suffix with so many labels.
    #[inline]
    pub fn hash(&self, labels: usize) -> u64 {
        self.hashes[labels]
    }
}

/// Hash of the name that is `label` in front of the name with the hash `parent`; `label` is lower case, at most 63 octets.
pub fn suffix_hash(parent: u64, label: &[u8]) -> u64 {
    let mut buffer = [0u8; 64 + 8];
    buffer[0] = label.len() as u8;
    buffer[1..=label.len()].copy_from_slice(label);
    extend_hash(parent, KEYS.1, &buffer, 0)
}

/// One step to the left: mixes the label that begins at `start`, its length octet included, eight octets at a time.
#[inline]
fn extend_hash(parent: u64, key: u64, octets: &[u8], start: usize) -> u64 {
    let mut remaining = 1 + usize::from(octets[start]);
    let mut at = start;
    let mut hash = parent;
    while remaining > 8 {
        hash = fold(hash ^ word(octets, at), key);
        at += 8;
        remaining -= 8;
    }
    // What follows the label in the buffer is masked off: the same label hashes alike whatever stands behind it.
    fold(hash ^ (word(octets, at) & (u64::MAX >> (64 - 8 * remaining))), key)
}

#[inline]
fn word(octets: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&octets[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Multiplies by the secret odd key and folds the halves of the product: what the upper bits learn reaches the lower ones.
#[inline]
fn fold(value: u64, key: u64) -> u64 {
    let product = u128::from(value) * u128::from(key);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Copies a name in lower case; length octets are below 64 and so never letters.
#[inline]
fn lower_into(wire: &[u8], out: &mut [u8; BUFFER_OCTETS]) {
    let (words, rest) = wire.as_chunks::<8>();
    let (out_words, _) = out.as_chunks_mut::<8>();
    for (from, to) in words.iter().zip(out_words) {
        *to = lower_word(u64::from_le_bytes(*from)).to_le_bytes();
    }
    let done = words.len() * 8;
    for (from, to) in rest.iter().zip(&mut out[done..]) {
        *to = from.to_ascii_lowercase();
    }
}

/// Lower-cases eight octets at once: finds those from `A` to `Z` by carries into their top bits, and sets bit 5 there.
#[inline]
fn lower_word(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x80 * ONES;
    let low = word & !TOPS;
    let from_a = low + (0x80 - u64::from(b'A')) * ONES;
    let past_z = low + (0x80 - u64::from(b'Z') - 1) * ONES;
    let upper = from_a & !past_z & !word & TOPS;
    word | (upper >> 2)
}

/// Start value and multiplier, drawn once per process so that nobody outside can aim names at one bucket.
static KEYS: LazyLock<(u64, u64)> = LazyLock::new(|| {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new();
    (random.hash_one(0u64), random.hash_one(1u64) | 1)
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    #[test]
    fn suffixes_have_the_hash_of_the_names_they_are() {
        let mut hashed = HashedName::default();
        let wire = b"\x03WWW\x0aSubdomain1\x07Example\x03Org\0trailing";
        assert_eq!(hashed.read(wire), Ok(28));
        assert_eq!(hashed.labels(), 4);
        for (labels, text) in
            [".", "org.", "example.org.", "subdomain1.example.org.", "www.subdomain1.example.org."]
                .into_iter()
                .enumerate()
        {
            let name: Name = text.parse().unwrap();
            assert_eq!(hashed.suffix(labels), name.as_wire());
            assert_eq!(hashed.hash(labels), name.hash64());
        }
        assert_eq!(suffix_hash(hashed.hash(3), b"www"), hashed.hash(4));
    }

    #[test]
    fn every_octet_is_lower_cased_as_ascii_is() {
        for octet in 0..=255u8 {
            for place in 0..8 {
                let mut octets = [b'.'; 8];
                octets[place] = octet;
                let expected = octets.map(|octet| octet.to_ascii_lowercase());
                assert_eq!(lower_word(u64::from_le_bytes(octets)).to_le_bytes(), expected);
            }
        }
    }

    #[test]
    fn damaged_names_are_refused() {
        let mut hashed = HashedName::default();
        assert_eq!(hashed.read(b""), Err(NameError::Truncated));
        assert_eq!(hashed.read(b"\x03ww"), Err(NameError::Truncated));
        assert_eq!(hashed.read(b"\xc0\x0c"), Err(NameError::BadLabelType));
        assert_eq!(hashed.read(&[1; 300]), Err(NameError::TooLong));
    }
}
