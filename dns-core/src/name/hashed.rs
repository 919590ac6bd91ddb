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
    /// Where each label begins, from left to right; behind them, where the root does.
    starts: [u8; LABELS_MAX + 1],
    hashes: [u64; LABELS_MAX + 1],
}

impl Default for HashedName {
    /// The root.
    fn default() -> Self {
        let mut hashes = [0; LABELS_MAX + 1];
        hashes[0] = KEYS.0;
        Self { lower: [0; BUFFER_OCTETS], octets: 1, labels: 0, starts: [0; LABELS_MAX + 1], hashes }
    }
}

impl HashedName {
    /// Takes the uncompressed name at the front of `wire`; tells how many octets it has.
    ///
    /// After an error the contents are of no use until the next successful read.
    #[inline]
    pub fn read(&mut self, wire: &[u8]) -> Result<usize, NameError> {
        let (mut at, mut labels) = (0usize, 0usize);
        loop {
            let Some(&octets) = wire.get(at) else {
                return Err(NameError::Truncated);
            };
            // Each label takes two octets or more, so there are never as many as there is room for: the remainder, which is a
            // mask, spares a comparison.
            self.starts[labels % (LABELS_MAX + 1)] = at as u8;
            if octets == 0 {
                break;
            }
            if octets > 63 {
                return Err(NameError::BadLabelType);
            }
            labels += 1;
            at += 1 + usize::from(octets);
            // The root label must still fit.
            if at >= NAME_OCTETS_MAX {
                return Err(NameError::TooLong);
            }
        }
        let octets = at + 1;
        lower_into(&wire[..octets], &mut self.lower);
        self.octets = octets;
        self.labels = labels;
        // Read once: each access asks whether the keys have been drawn yet.
        let (mut hash, key) = *KEYS;
        let (hashes, starts) = (&mut self.hashes[..=labels], &self.starts[..labels]);
        hashes[0] = hash;
        for (&start, slot) in starts.iter().rev().zip(&mut hashes[1..]) {
            hash = extend_hash(hash, key, &self.lower, start);
            *slot = hash;
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
        &self.lower[self.offset(labels)..self.octets]
    }

    /// Where in the name the suffix with so many labels begins.
    #[inline]
    pub fn offset(&self, labels: usize) -> usize {
        usize::from(self.starts[self.labels - labels])
    }

    /// Hash of the suffix with so many labels.
    #[inline]
    pub fn hash(&self, labels: usize) -> u64 {
        self.hashes[labels]
    }
}

/// Hash of the name that is `label` in front of the name with the hash `parent`; `label` is lower case, at most 63 octets.
pub fn suffix_hash(parent: u64, label: &[u8]) -> u64 {
    let mut buffer = [0u8; BUFFER_OCTETS];
    buffer[0] = label.len() as u8;
    buffer[1..=label.len()].copy_from_slice(label);
    extend_hash(parent, KEYS.1, &buffer, 0)
}

/// One step to the left: mixes the label that begins at `start`, its length octet included, eight octets at a time.
#[inline]
fn extend_hash(parent: u64, key: u64, octets: &[u8; BUFFER_OCTETS], start: u8) -> u64 {
    // An octet cannot lead out of the buffer, so the compiler leaves the checks out for all but long labels.
    let mut at = usize::from(start);
    let mut remaining = 1 + u32::from(octets[at]);
    let mut hash = parent;
    while remaining > 8 {
        hash = fold(hash ^ word(octets, at), key);
        at += 8;
        remaining -= 8;
    }
    // What follows the label in the buffer is masked off: the same label hashes alike whatever stands behind it.
    let last = word(octets, at) & (u64::MAX >> (64 - 8 * remaining));
    // Folded twice. Once is a multiplication, which leaves equal distances between labels that count (`a`, `b`, `c`): under one
    // key of a hundred those then stand in a row in a table. The first fold does not wait for the parent.
    fold(hash ^ fold(last, key), key)
}

#[inline]
fn word(octets: &[u8; BUFFER_OCTETS], at: usize) -> u64 {
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
fn lower_into(name: &[u8], out: &mut [u8; BUFFER_OCTETS]) {
    // Whole blocks, each a few instructions; the last one ends with the name, and overlaps the one before.
    let (blocks, rest) = name.as_chunks();
    let (out_blocks, _) = out.as_chunks_mut();
    for (from, to) in blocks.iter().zip(out_blocks) {
        *to = lower_block(from);
    }
    let out = &mut out[..name.len()];
    match (name.last_chunk(), out.last_chunk_mut()) {
        (Some(from), Some(to)) => *to = lower_block(from),
        _ => {
            for (from, to) in rest.iter().zip(out) {
                *to = from.to_ascii_lowercase();
            }
        }
    }
}

/// Octets that are lower-cased at once.
const BLOCK_OCTETS: usize = 16;

#[inline]
fn lower_block(block: &[u8; BLOCK_OCTETS]) -> [u8; BLOCK_OCTETS] {
    block.map(|octet| octet.to_ascii_lowercase())
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
    fn names_of_every_length_are_lower_cased_as_ascii_is() {
        for octets in 1..=NAME_OCTETS_MAX {
            let name: Vec<u8> = (0..octets).map(|index| (index * 7 + octets) as u8).collect();
            let mut out = [b'.'; BUFFER_OCTETS];
            lower_into(&name, &mut out);
            assert_eq!(out[..octets], name.to_ascii_lowercase());
            assert_eq!(out[octets..], [b'.'; BUFFER_OCTETS][octets..]);
        }
    }

    /// Names that count up are what most zones have. Under no key may they crowd a table, which like that of a zone has five slots
    /// for every three names, where names find theirs in two probes on average.
    #[test]
    fn labels_that_count_scatter_under_every_key() {
        let letters = |number: u32| [b'a' + (number / 26) as u8, b'a' + (number % 26) as u8].to_vec();
        let labels: [Vec<Vec<u8>>; 3] = [
            (0..26 * 26).map(letters).collect(),
            (0..128).map(|number| format!("wild{number}").into_bytes()).collect(),
            (0..2000).map(|number| number.to_string().into_bytes()).collect(),
        ];
        let random = |number: u64| fold(number ^ 0x2545_f491_4f6c_dd1d, 0x9e37_79b9_7f4a_7c15);
        for labels in labels {
            for draw in 0..200 {
                let (parent, key) = (random(2 * draw), random(2 * draw + 1) | 1);
                let mut taken = vec![false; labels.len() * 5 / 3];
                let mut probes = 0;
                for label in &labels {
                    let mut buffer = [0; BUFFER_OCTETS];
                    buffer[0] = label.len() as u8;
                    buffer[1..=label.len()].copy_from_slice(label);
                    let hash = extend_hash(parent, key, &buffer, 0);
                    let mut slot = ((u64::from(hash as u32) * taken.len() as u64) >> 32) as usize;
                    while std::mem::replace(&mut taken[slot], true) {
                        slot = (slot + 1) % taken.len();
                        probes += 1;
                    }
                    probes += 1;
                }
                assert!(
                    probes < 3 * labels.len(),
                    "draw {draw}: {probes} probes for {} labels",
                    labels.len()
                );
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
