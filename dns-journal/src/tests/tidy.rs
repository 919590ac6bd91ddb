//! How the tables are brought up to date, and how the log is cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dns_store::{Batch, Entry, Journal, Marks};
use redb::Database;

use super::faults::{Bare, Faulty, new_image};
use super::{Model, entry, rrset, state_of};
use crate::log::Lag;
use crate::{HistoryLimits, codec};

fn journal() -> (Bare, Faulty) {
    let file = Faulty::of(new_image());
    (Bare::open(Arc::new(file.clone())).unwrap(), file)
}

/// An entry with so many records, of names that begin with `prefix`.
fn many(version: u64, prefix: &str, count: u32) -> Arc<Entry> {
    let rrsets: Vec<_> = (0..count).map(|at| rrset(&format!("{prefix}{at}.example.org"), at as u8)).collect();
    entry(version, &rrsets)
}

fn batch(entries: impl IntoIterator<Item = Arc<Entry>>) -> Batch {
    Batch { entries: entries.into_iter().collect(), marks: Marks::default() }
}

fn versions(journal: &Bare) -> Vec<u64> {
    journal.history(None, usize::MAX).unwrap().iter().map(|entry| entry.version).collect()
}

#[test]
fn a_large_entry_is_cut_into_parts_and_put_together() {
    let (journal, file) = journal();
    let mut model = Model::default();
    for batch in [
        batch([many(1, "a", 2)]),
        batch([many(2, "a", 60_000), many(3, "b", 30_000), many(4, "a", 1)]),
        batch([many(5, "b", 3)]),
    ] {
        journal.append(&batch).unwrap();
        model.apply(&batch);
    }
    model.check(&journal);
    // A crash in the middle of it: the tables hold a part of what the log says again.
    journal.0.checkpoint_step(1_000_000).unwrap();
    model.check(&journal);
    journal.0.checkpoint_step(1_000_000).unwrap();
    model.check(&Bare::open(Arc::new(file.copy())).unwrap());
    journal.0.checkpoint().unwrap();
    assert_eq!(journal.0.lag(), Lag::default());
    model.check(&journal);
    drop(journal);
    model.check(&Bare::open(Arc::new(file)).unwrap());
}

#[test]
fn pieces_of_any_size_come_to_the_same() {
    for octets in [1, 100, 3_000, usize::MAX] {
        let (journal, _) = journal();
        let mut model = Model::default();
        for version in 1..=20 {
            let batch = batch([many(version, if version % 2 == 0 { "a" } else { "b" }, version as u32 % 7)]);
            journal.append(&batch).unwrap();
            model.apply(&batch);
        }
        while journal.0.lag() != Lag::default() {
            journal.0.checkpoint_step(octets).unwrap();
            assert_eq!(state_of(&journal), model.state);
        }
        model.check(&journal);
    }
}

#[test]
fn the_oldest_entries_are_forgotten_and_their_records_are_not() {
    let (journal, file) = journal();
    let mut model = Model::default();
    for version in 1..=10 {
        let batch = batch([many(version, "a", version as u32)]);
        journal.append(&batch).unwrap();
        model.apply(&batch);
    }
    let octets = |entry: &Arc<Entry>| codec::encode(entry).unwrap().len() as u64;
    let newest: u64 = model.entries[7..].iter().map(octets).sum();
    // Each row has a few octets beside its entry.
    let limits = HistoryLimits { max_octets: newest + 100, ..HistoryLimits::default() };
    journal.0.prune(&limits, 0).unwrap();
    assert_eq!(versions(&journal).len(), 10, "what stands in the log alone is needed");
    journal.0.checkpoint().unwrap();
    journal.0.prune(&limits, 0).unwrap();
    assert_eq!(versions(&journal), [10, 9, 8]);
    assert_eq!(journal.entry(7).unwrap(), None);
    assert_eq!(state_of(&journal), model.state);
    // The sum is kept across a start.
    drop(journal);
    let journal = Bare::open(Arc::new(file)).unwrap();
    let batch = batch([many(11, "a", 20)]);
    journal.append(&batch).unwrap();
    model.apply(&batch);
    journal.0.checkpoint().unwrap();
    journal.0.prune(&limits, 0).unwrap();
    assert_eq!(versions(&journal), [11, 10]);
    assert_eq!(state_of(&journal), model.state);
}

#[test]
fn a_large_entry_is_forgotten_with_all_its_parts() {
    let (journal, _) = journal();
    let mut model = Model::default();
    let batch = batch([many(1, "a", 60_000), many(2, "b", 1)]);
    journal.append(&batch).unwrap();
    model.apply(&batch);
    journal.0.checkpoint().unwrap();
    assert!(journal.0.count_parts() > 1);
    journal.0.prune(&HistoryLimits { max_octets: 1 << 20, ..HistoryLimits::default() }, 0).unwrap();
    assert_eq!(versions(&journal), [2]);
    assert_eq!(journal.0.count_parts(), 0);
    assert_eq!(state_of(&journal), model.state);
}

#[test]
fn old_entries_are_forgotten() {
    let (journal, _) = journal();
    journal.append(&batch((1..=9).map(|version| many(version, "a", 1)))).unwrap();
    journal.0.checkpoint().unwrap();
    let limits = HistoryLimits { max_age: Duration::from_mins(1), ..HistoryLimits::default() };
    // The entry of version 5 is just as old as it may be.
    let now = codec::milliseconds(many(5, "a", 1).time) + 60_000;
    journal.0.prune(&limits, now).unwrap();
    assert_eq!(versions(&journal), [9, 8, 7, 6, 5]);
    journal.0.prune(&limits, i64::MAX).unwrap();
    assert_eq!(versions(&journal), [0; 0]);
    journal.append(&batch([many(10, "a", 1)])).unwrap();
    assert_eq!(versions(&journal), [10]);
}

/// After a process has died, whoever opens its database must read all of it, unless it was sealed.
#[test]
fn a_sealed_database_is_opened_at_once() {
    let (journal, file) = journal();
    let is_read = |file: Faulty| {
        let is_read = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_read);
        let mut builder = Database::builder();
        builder.set_repair_callback(move |_| told.store(true, Ordering::Relaxed));
        drop(builder.create_with_backend(file).unwrap());
        is_read.load(Ordering::Relaxed)
    };
    journal.append(&batch([many(1, "a", 100)])).unwrap();
    assert!(is_read(file.copy()));
    journal.0.seal().unwrap();
    assert!(!is_read(file.copy()));
    journal.append(&batch([many(2, "a", 100)])).unwrap();
    assert!(is_read(file.copy()));
}
