//! History without a disk.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use dns_core::Rrset;
use dns_store::{Batch, Entry, Journal, JournalError, Kept, Marks};

use crate::HistoryLimits;

/// A journal for servers that keep nothing: it has the history for as long as the process runs, so that changes can be
/// looked at and taken back, and nothing to restore.
#[derive(Debug, Default)]
pub struct Memory {
    limits: HistoryLimits,
    log: RwLock<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// The oldest first, each with what it weighs.
    entries: VecDeque<(Arc<Entry>, u64)>,
    octets: u64,
}

impl Memory {
    /// An empty one with these limits; octets are counted as they are in memory, roughly.
    pub fn new(limits: HistoryLimits) -> Self {
        Self { limits, log: RwLock::default() }
    }
}

impl Log {
    fn prune(&mut self, limits: &HistoryLimits, now: SystemTime) {
        while let Some((entry, octets)) = self.entries.front() {
            // One that seems to come from the future has no age.
            let age = now.duration_since(entry.time).unwrap_or_default();
            if self.octets <= limits.max_octets && age <= limits.max_age {
                break;
            }
            self.octets -= octets;
            self.entries.pop_front();
        }
    }

    /// How many entries there are with versions below this one.
    fn below(&self, version: u64) -> usize {
        self.entries.partition_point(|(entry, _)| entry.version < version)
    }
}

impl Journal for Memory {
    fn is_durable(&self) -> bool {
        false
    }

    fn append(&self, batch: &Batch) -> Result<(), JournalError> {
        let now = SystemTime::now();
        let mut log = self.log.write().unwrap_or_else(PoisonError::into_inner);
        for entry in &batch.entries {
            let octets = octets_of(entry);
            log.octets += octets;
            log.entries.push_back((Arc::clone(entry), octets));
        }
        log.prune(&self.limits, now);
        Ok(())
    }

    fn restore(&self, _: Option<&str>, _: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError> {
        Ok(Marks::default())
    }

    fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, JournalError> {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let end = before.map_or(log.entries.len(), |before| log.below(before));
        Ok(log.entries.range(..end).rev().take(limit).map(|(entry, _)| Arc::clone(entry)).collect())
    }

    fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, JournalError> {
        let log = self.log.read().unwrap_or_else(PoisonError::into_inner);
        let found = log.entries.get(log.below(version)).map(|(entry, _)| entry);
        Ok(found.filter(|entry| entry.version == version).cloned())
    }
}

/// About how much memory an entry takes.
fn octets_of(entry: &Entry) -> u64 {
    let set = |rrset: &Rrset| size_of::<Rrset>() + rrset.rdatas().map(|rdata| rdata.len() + 2).sum::<usize>();
    let records = entry.records.iter().map(|change| {
        let sets = change.before.iter().chain(&change.after).map(set).sum::<usize>();
        size_of_val(change) + sets
    });
    let zones = entry.zones.iter().map(|zone| {
        let bodies = zone.before.iter().chain(&zone.after);
        size_of_val(zone) + bodies.flat_map(|body| body.rrsets.iter().map(set)).sum::<usize>()
    });
    (size_of::<Entry>() + records.sum::<usize>() + zones.sum::<usize>()) as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::{entry, rrset};

    fn batch(versions: impl IntoIterator<Item = u64>) -> Batch {
        let of = |version: u64| {
            let mut entry = (*entry(version, &[rrset("a.example.org", 1)])).clone();
            entry.time = SystemTime::now();
            Arc::new(entry)
        };
        Batch { entries: versions.into_iter().map(of).collect(), marks: Marks::default() }
    }

    #[track_caller]
    fn check(journal: &Memory, before: Option<u64>, limit: usize, expected: &[u64]) {
        let found = journal.history(before, limit).unwrap();
        assert_eq!(found.iter().map(|entry| entry.version).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn history_comes_newest_first() {
        let journal = Memory::default();
        journal.append(&batch([2, 5])).unwrap();
        journal.append(&batch([6])).unwrap();
        check(&journal, None, 9, &[6, 5, 2]);
        check(&journal, None, 2, &[6, 5]);
        check(&journal, Some(6), 9, &[5, 2]);
        check(&journal, Some(4), 9, &[2]);
        check(&journal, Some(2), 9, &[]);
        assert_eq!(journal.entry(5).unwrap().map(|entry| entry.version), Some(5));
        assert_eq!(journal.entry(4).unwrap(), None);
        assert_eq!(journal.entry(7).unwrap(), None);
        assert!(!journal.is_durable());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let octets = octets_of(&batch([1]).entries[0]);
        let journal = Memory::new(HistoryLimits { max_octets: 3 * octets, ..HistoryLimits::default() });
        journal.append(&batch(1..=5)).unwrap();
        check(&journal, None, 9, &[5, 4, 3]);

        let journal =
            Memory::new(HistoryLimits { max_age: Duration::from_hours(1), ..HistoryLimits::default() });
        let mut old = batch([1, 2]);
        Arc::make_mut(&mut old.entries[0]).time -= Duration::from_hours(2);
        journal.append(&old).unwrap();
        check(&journal, None, 9, &[2]);
    }
}
