//! Entries that go out with one system call.

use std::io::{self, ErrorKind, Write};

/// Octets at which a batch is written without waiting for more entries.
const FULL_OCTETS: usize = 64 * 1024;

/// Entries in the form in which they go out.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    octets: Vec<u8>,
    /// Where each entry ends.
    ends: Vec<usize>,
}

/// How far a batch got.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Entries that went out whole.
    pub(crate) whole: u64,
    /// Entries that did not.
    pub(crate) lost: u64,
    /// One of the lost ones went out in part.
    pub(crate) torn: bool,
    pub(crate) result: io::Result<()>,
}

impl Batch {
    /// Appends an entry, which may consist of nothing.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.octets);
        self.ends.push(self.octets.len());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.octets.len() >= FULL_OCTETS
    }

    /// Writes all entries, as far as that is possible, and forgets them.
    pub(crate) fn send(&mut self, out: &mut impl Write) -> Sent {
        let mut sent = 0;
        let result = loop {
            let rest = &self.octets[sent..];
            if rest.is_empty() {
                break Ok(());
            }
            match out.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(octets) => sent += octets,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        let whole = self.ends.partition_point(|&end| end <= sent);
        let torn = whole < self.ends.len() && sent > whole.checked_sub(1).map_or(0, |last| self.ends[last]);
        let lost = self.forget() - whole as u64;
        Sent { whole: whole as u64, lost, torn, result }
    }

    /// Forgets all entries; tells how many there were.
    pub(crate) fn forget(&mut self) -> u64 {
        let entries = self.ends.len() as u64;
        self.octets.clear();
        self.ends.clear();
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many octets, then fails.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            // Never more than three at once
            let octets = &octets[..octets.len().min(self.room).min(3)];
            self.room -= octets.len();
            self.taken.extend_from_slice(octets);
            if octets.is_empty() { Err(ErrorKind::StorageFull.into()) } else { Ok(octets.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_went_out_is_counted_by_whole_entries() {
        for (room, whole, torn) in
            [(0, 0, false), (3, 0, true), (5, 1, false), (7, 1, true), (9, 2, true), (12, 3, false)]
        {
            let mut batch = Batch::default();
            for entry in ["four\n", "six", "ends"] {
                batch.add(|out| out.extend_from_slice(entry.as_bytes()));
            }
            let mut out = Narrow { room, taken: Vec::new() };
            let sent = batch.send(&mut out);
            assert_eq!((sent.whole, sent.lost, sent.torn), (whole, 3 - whole, torn), "{room}");
            assert_eq!(sent.result.is_ok(), room == 12);
            assert_eq!(out.taken, b"four\nsixends"[..room]);
            assert!(batch.is_empty());
        }
    }
}
