//! Publication and folding under every turn that threads may take: `cargo xtask shuttle`.
//!
//! Without `--cfg shuttle` there is nothing here; `concurrency.rs` does the same with real threads.
#![cfg(shuttle)]

use std::sync::Arc;

use dns_backend::CatalogReader;
use dns_core::{Catalog, Change, ChangeSet, Name, Network, RecordType, Rrset, ViewSpec};
use dns_store::{Batch, Entry, Journal, JournalError, Kept, Marks, Source, Store, StoreError, StoreOptions};
use shuttle::sync::Mutex;
use shuttle::thread;

const TURNS: usize = 2_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn address(owner: &str, last: u8) -> Rrset {
    Rrset::new(name(owner), RecordType::A, 300, [[192, 0, 2, last]]).unwrap()
}

/// The last octet of the address of a name; 0 if it has none.
fn last_octet(catalog: &Catalog, owner: &str) -> u8 {
    let owner = name(owner);
    let zone = catalog.default_view().and_then(|view| view.zone_of(&owner)).and_then(|entry| entry.zone());
    let rrset = zone.and_then(|zone| zone.node_of(&owner)?.rrset(RecordType::A));
    rrset.and_then(|rrset| rrset.records.last().copied()).unwrap_or_default()
}

/// A store whose only zone is packed anew after each change.
fn store() -> Store {
    let store = Store::new(StoreOptions { fold_after: 1, ..StoreOptions::default() });
    store.create(&Source::Api, address("example.org", 1), None).unwrap();
    store
}

fn put_pair(store: &Store, last: u8) {
    let changes = ["a.example.org", "b.example.org"].map(|owner| Change::Put(address(owner, last)));
    store.partial_reload(&Source::Api, &changes.into_iter().collect::<ChangeSet>()).unwrap();
}

#[test]
fn readers_see_whole_transactions_and_no_version_twice_removed() {
    let test = || {
        let store = store();
        let mut reader = store.reader();
        let reading = thread::spawn(move || {
            let (mut version, mut pair) = (0, 0);
            for _ in 0..4 {
                let catalog = reader.current();
                let (a, b) = (last_octet(catalog, "a.example.org"), last_octet(catalog, "b.example.org"));
                assert_eq!(a, b, "half a transaction");
                assert!(catalog.version() >= version && a >= pair, "back in time");
                (version, pair) = (catalog.version(), a);
                thread::yield_now();
            }
        });
        for last in 1..4 {
            put_pair(&store, last);
        }
        reading.join().unwrap();
        assert_eq!(last_octet(&store.snapshot(), "b.example.org"), 3);
    };
    shuttle::check_random(test, TURNS);
    shuttle::check_pct(test, TURNS, 3);
}

#[test]
fn changes_of_two_writers_survive_each_other_and_folding() {
    let test = || {
        let store = store();
        let writers: Vec<_> = [(Source::Api, "a.example.org"), (Source::Kubernetes, "b.example.org")]
            .into_iter()
            .map(|(source, owner)| {
                let store = store.clone();
                thread::spawn(move || {
                    let mut versions = Vec::new();
                    for last in 1..4 {
                        let change = Change::Put(address(owner, last));
                        versions.push(store.partial_reload(&source, &ChangeSet::new().and(change)).unwrap());
                        assert_eq!(last_octet(&store.snapshot(), owner), last, "not visible at once");
                    }
                    versions
                })
            })
            .collect();
        let mut versions: Vec<u64> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        versions.sort_unstable();
        assert_eq!(versions, [2, 3, 4, 5, 6, 7], "each change is a version of its own");
        let catalog = store.snapshot();
        assert_eq!(catalog.version(), 7);
        for owner in ["a.example.org", "b.example.org"] {
            assert_eq!(last_octet(&catalog, owner), 3);
        }
        assert_eq!(last_octet(&catalog, "example.org"), 1);
    };
    shuttle::check_random(test, TURNS);
    shuttle::check_pct(test, TURNS, 3);
}

#[test]
fn only_one_of_two_changes_for_the_same_version_is_made() {
    let test = || {
        let store = store();
        let version = store.version();
        let create = |store: Store, owner: &'static str| {
            thread::spawn(move || store.create(&Source::Api, address(owner, 1), Some(version)).is_ok())
        };
        let (a, b) = (create(store.clone(), "a.example.org"), create(store.clone(), "b.example.org"));
        assert!(a.join().unwrap() != b.join().unwrap());
        assert_eq!(store.version(), version + 1);
    };
    shuttle::check_random(test, TURNS);
}

#[test]
fn views_are_written_beside_each_other_while_others_come_and_go() {
    let spec = |name: &str| ViewSpec {
        name: name.into(),
        clients: vec![Network::host([192, 0, 2, 1].into())],
        listeners: Vec::new(),
        shared: false,
    };
    let test = move || {
        let store = store();
        store.set_views(&[spec("a")]);
        let in_view = store.view("a").unwrap();
        let writing = thread::spawn(move || {
            for last in 2..4 {
                in_view.partial_reload(&Source::Api, &put("example.org", last)).unwrap();
            }
        });
        let outside = store.clone();
        let writing_outside = thread::spawn(move || {
            for last in 5..7 {
                outside.partial_reload(&Source::Api, &put("example.org", last)).unwrap();
            }
        });
        store.set_views(&[spec("b"), spec("a")]);
        writing.join().unwrap();
        writing_outside.join().unwrap();
        let catalog = store.snapshot();
        assert_eq!(catalog.version(), 7, "each change is a version of its own");
        assert_eq!(last_octet(&catalog, "example.org"), 6);
        let view = catalog.view("a").unwrap();
        let zone = view.zone_of(&name("example.org")).and_then(|entry| entry.zone()).unwrap();
        let rrset = zone.node_of(&name("example.org")).unwrap().rrset(RecordType::A).unwrap();
        assert_eq!(rrset.records.last(), Some(&3));
    };
    shuttle::check_random(test, TURNS);
    shuttle::check_pct(test, TURNS, 3);
}

fn put(owner: &str, last: u8) -> ChangeSet {
    ChangeSet::new().and(Change::Put(address(owner, last)))
}

/// A journal whose every third batch is lost.
#[derive(Default)]
struct Flaky(Mutex<(usize, Vec<Arc<Entry>>)>);

impl Journal for Flaky {
    fn is_durable(&self) -> bool {
        true
    }

    fn append(&self, batch: &Batch) -> Result<(), JournalError> {
        let (appends, entries) = &mut *self.0.lock().unwrap();
        *appends += 1;
        if appends.is_multiple_of(3) {
            return Err(JournalError::Unavailable("full".to_owned()));
        }
        entries.extend(batch.entries.iter().cloned());
        Ok(())
    }

    fn restore(&self, _: Option<&str>, _: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError> {
        Ok(Marks::default())
    }

    fn history(&self, _: Option<u64>, _: usize) -> Result<Vec<Arc<Entry>>, JournalError> {
        Ok(Vec::new())
    }

    fn entry(&self, _: u64) -> Result<Option<Arc<Entry>>, JournalError> {
        Ok(None)
    }
}

#[test]
fn what_is_seen_is_in_the_journal_and_what_is_lost_was_never_there() {
    let test = || {
        let journal = Arc::new(Flaky::default());
        let options = StoreOptions { fold_after: 1, ..StoreOptions::default() };
        let store = Store::open(options, journal.clone()).unwrap();
        let writers: Vec<_> = ["a.example.org", "b.example.org"]
            .into_iter()
            .map(|owner| {
                let (store, journal) = (store.clone(), journal.clone());
                thread::spawn(move || {
                    let mut kept = 0;
                    for last in 1..3 {
                        match store.partial_reload(&Source::Api, &put(owner, last)) {
                            Ok(version) => {
                                kept = last;
                                let entries = &journal.0.lock().unwrap().1;
                                assert!(entries.iter().any(|entry| entry.version == version));
                            }
                            Err(StoreError::NotDurable(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                        assert_eq!(last_octet(&store.snapshot(), owner), kept);
                    }
                    (owner, kept)
                })
            })
            .collect();
        // What no journal keeps is never taken back.
        for last in 1..3 {
            store.partial_reload(&Source::Kubernetes, &put("c.example.org", last)).unwrap();
            assert_eq!(last_octet(&store.snapshot(), "c.example.org"), last);
        }
        let kept: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        let catalog = store.snapshot();
        assert_eq!(last_octet(&catalog, "c.example.org"), 2);
        let entries = &journal.0.lock().unwrap().1;
        assert!(
            entries.is_sorted_by(|left, right| left.version < right.version),
            "no version is given twice"
        );
        for (owner, kept) in kept {
            assert_eq!(last_octet(&catalog, owner), kept);
            let of_owner =
                entries.iter().flat_map(|entry| &entry.records).filter(|change| change.owner == name(owner));
            let last =
                of_owner.last().and_then(|change| change.after.as_ref()?.rdatas().next()?.last().copied());
            assert_eq!(last.unwrap_or_default(), kept, "the journal says otherwise");
        }
    };
    shuttle::check_random(test, TURNS);
    shuttle::check_pct(test, TURNS, 3);
}
