//! Where a limiter keeps its clients: a table of fixed size, in which one look-up touches one cache line.

/// Entries by hash, four to a bucket.
///
/// All are numbers, and 0 is an entry that nobody has used: the system hands out such memory without anybody touching it, so
/// only what is used of the table ever becomes resident.
#[derive(Debug)]
pub(super) struct Table {
    /// [`WORDS`] for each bucket; empty until the first look-up.
    words: Vec<u64>,
    /// Where in `words` the first cache line begins.
    start: usize,
    /// A power of two.
    buckets: usize,
}

/// The two words of one entry.
pub(super) struct Entry<'t> {
    /// High bits of the hash, and in the lowest octet the responses above the limit since the last that slipped.
    tag: &'t mut u64,
    /// See [`Entry::paid_until`].
    paid_until: &'t mut u64,
}

/// Entries in a bucket.
const WAYS: usize = 4;
/// Words in a bucket: a cache line.
const WORDS: usize = 2 * WAYS;
/// Bits of an entry's first word that count.
const COUNT: u64 = 0xFF;
/// Most entries: 4 GiB of them.
const ENTRIES_MAX: u32 = 1 << 28;

impl Table {
    /// A table of so many entries, rounded up to a power of two; nothing is allocated yet.
    pub(super) fn new(entries: u32) -> Self {
        let entries = entries.clamp(WAYS as u32, ENTRIES_MAX).next_power_of_two();
        Self { words: Vec::new(), start: 0, buckets: entries as usize / WAYS }
    }

    /// The entry of a key; if it has none, that in its bucket which is paid the soonest, as it is but for the key.
    pub(super) fn entry(&mut self, key: u64) -> Entry<'_> {
        if self.words.is_empty() {
            self.allocate();
        }
        // The low bits choose the bucket, so the tag is made of the high ones. Networks share an entry by chance only where
        // both agree: in all 64 bits, or a few less where there are not 256 buckets.
        let (buckets, _) = self.words[self.start..].as_chunks_mut::<WORDS>();
        let (entries, _) = buckets[key as usize & (self.buckets - 1)].as_chunks_mut::<2>();
        let tag = key & !COUNT;
        let mut found = 0;
        for (at, [first, paid_until]) in entries.iter().enumerate() {
            if first & !COUNT == tag {
                found = at;
                break;
            }
            if *paid_until < entries[found][1] {
                found = at;
            }
        }
        let [first, paid_until] = &mut entries[found];
        *first = tag | (*first & COUNT);
        Entry { tag: first, paid_until }
    }

    /// Octets of memory that the table has.
    pub(super) fn octets(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }

    #[cold]
    fn allocate(&mut self) {
        // Safe Rust has no way to ask for zeroed memory of an alignment; a line more leaves room to begin at a boundary.
        self.words = vec![0; (self.buckets + 1) * WORDS];
        self.start = self.words.as_ptr().align_offset(WORDS * size_of::<u64>()).min(WORDS);
    }
}

impl Entry<'_> {
    /// The time, in nanoseconds of the limiter's clock, from which on the client has its full burst again.
    pub(super) fn paid_until(&self) -> u64 {
        *self.paid_until
    }

    /// Counts what was sent.
    pub(super) fn set_paid_until(&mut self, time: u64) {
        *self.paid_until = time;
    }

    /// Counts a response above the limit; true for one in so `many`.
    pub(super) fn count_excess(&mut self, many: u8) -> bool {
        let count = (*self.tag & COUNT) + 1;
        let is_last = count >= u64::from(many);
        *self.tag = (*self.tag & !COUNT) | if is_last { 0 } else { count };
        is_last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_one_cache_line() {
        let mut table = Table::new(1 << 10);
        let first = std::ptr::from_ref(table.entry(0).tag).addr();
        assert_eq!(first % 64, 0);
        for bucket in 0..1 << 8 {
            for other in 0..8 {
                let mut entry = table.entry(bucket | (other << 60));
                entry.set_paid_until(1 + other);
                assert_eq!(std::ptr::from_ref(entry.tag).addr() / 64, first / 64 + bucket as usize);
            }
        }
    }

    #[test]
    fn the_entry_that_is_paid_the_soonest_goes_with_its_debt() {
        let mut table = Table::new(4);
        for (key, time) in [(1, 40), (2, 10), (3, 30), (4, 20)] {
            table.entry(key << 8).set_paid_until(time);
        }
        assert_eq!(table.entry(3 << 8).paid_until(), 30);
        assert_eq!(table.entry(5 << 8).paid_until(), 10, "the debt of the second");
        table.entry(5 << 8).set_paid_until(50);
        assert_eq!(table.entry(2 << 8).paid_until(), 20, "it took the place of the fourth");
        for (key, time) in [(1, 40), (3, 30), (5, 50)] {
            assert_eq!(table.entry(key << 8).paid_until(), time);
        }
    }
}
