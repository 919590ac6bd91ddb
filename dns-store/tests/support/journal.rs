//! A journal in memory that behaves like one on disk: it outlives stores, takes its time, and fails when told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

use dns_core::{Name, RecordType, Rrset};
use dns_store::{Batch, Entry, Journal, JournalError, Kept, KeptZone, Marks, Source};

type RecordKey = (Arc<str>, Name, RecordType, Source);

/// What is on the disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disk {
    pub entries: Vec<Arc<Entry>>,
    pub records: BTreeMap<RecordKey, (Rrset, u64)>,
    pub zones: BTreeMap<(Arc<str>, Name), (Source, KeptZone, u64)>,
    pub version: Option<u64>,
    pub derived_serial: Option<u32>,
    pub serials: BTreeMap<(Arc<str>, Name), u32>,
    /// Entries of each batch.
    pub batches: Vec<usize>,
}

#[derive(Debug, Default)]
pub struct TestJournal {
    pub disk: Mutex<Disk>,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    is_shut: bool,
    /// Batches that wait before it.
    waiting: usize,
    fails: Option<String>,
    /// It heals by itself after that.
    fails_once: bool,
}

impl TestJournal {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on batches wait before they are kept.
    pub fn shut(&self) {
        self.gate.lock().unwrap().is_shut = true;
    }

    pub fn open(&self) {
        self.gate.lock().unwrap().is_shut = false;
        self.moved.notify_all();
    }

    /// From now on nothing can be kept; `None` heals it.
    pub fn fail(&self, why: Option<&str>) {
        self.gate.lock().unwrap().fails = why.map(str::to_owned);
    }

    /// The next batch cannot be kept, be it one that waits already.
    pub fn fail_once(&self, why: &str) {
        self.fail(Some(why));
        self.gate.lock().unwrap().fails_once = true;
    }

    /// Returns once a batch waits.
    pub fn wait_for_batch(&self) {
        let mut gate = self.gate.lock().unwrap();
        while gate.waiting == 0 {
            gate = self.moved.wait(gate).unwrap();
        }
    }

    pub fn disk(&self) -> Disk {
        self.disk.lock().unwrap().clone()
    }
}

impl Disk {
    fn apply(&mut self, batch: &Batch) {
        self.batches.push(batch.entries.len());
        for entry in &batch.entries {
            for change in &entry.records {
                let key = (entry.view.clone(), change.owner.clone(), change.rtype, entry.source.clone());
                let before = match &change.after {
                    Some(rrset) => self.records.insert(key, (rrset.clone(), entry.version)),
                    None => self.records.remove(&key),
                };
                assert_eq!(before.map(|(rrset, _)| rrset), change.before, "the history is consistent");
            }
            for change in &entry.zones {
                let key = (entry.view.clone(), change.apex.clone());
                let before = match &change.after {
                    Some(zone) => self.zones.insert(key, (entry.source.clone(), zone.clone(), entry.version)),
                    None => self.zones.remove(&key),
                };
                assert_eq!(before.map(|(_, zone, _)| zone), change.before, "the history is consistent");
            }
            let last = self.entries.last().map_or(0, |entry| entry.version);
            assert!(entry.version > last, "version {} after {last}", entry.version);
            self.entries.push(entry.clone());
        }
        self.version = batch.marks.version.or(self.version);
        self.derived_serial = batch.marks.derived_serial.or(self.derived_serial);
        let serials = batch.marks.serials.iter();
        self.serials.extend(serials.map(|(view, apex, serial)| ((view.clone(), apex.clone()), *serial)));
    }
}

impl Journal for TestJournal {
    fn is_durable(&self) -> bool {
        true
    }

    fn append(&self, batch: &Batch) -> Result<(), JournalError> {
        let mut gate = self.gate.lock().unwrap();
        gate.waiting += 1;
        self.moved.notify_all();
        while gate.is_shut {
            gate = self.moved.wait(gate).unwrap();
        }
        gate.waiting -= 1;
        let fails = if gate.fails_once { gate.fails.take() } else { gate.fails.clone() };
        if let Some(why) = fails {
            gate.fails_once = false;
            drop(gate);
            assert!(why != "panic", "as it was told to");
            return Err(JournalError::Unavailable(why));
        }
        drop(gate);
        self.disk.lock().unwrap().apply(batch);
        Ok(())
    }

    fn restore(&self, view: Option<&str>, take: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError> {
        let disk = self.disk();
        let is_it = |of: &Arc<str>| view.is_none_or(|view| *view == **of);
        for ((view, apex), (source, zone, version)) in disk.zones {
            if is_it(&view) {
                take(Kept::Zone { view, source, apex, zone, version });
            }
        }
        for ((view, _, _, source), (rrset, version)) in disk.records {
            if is_it(&view) {
                take(Kept::Rrset { view, source, rrset, version });
            }
        }
        let serials = disk.serials.into_iter().map(|((view, apex), serial)| (view, apex, serial));
        Ok(Marks { version: disk.version, derived_serial: disk.derived_serial, serials: serials.collect() })
    }

    fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, JournalError> {
        let disk = self.disk();
        let earlier =
            disk.entries.iter().rev().filter(|entry| before.is_none_or(|before| entry.version < before));
        Ok(earlier.take(limit).cloned().collect())
    }

    fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, JournalError> {
        Ok(self.disk().entries.iter().find(|entry| entry.version == version).cloned())
    }
}
