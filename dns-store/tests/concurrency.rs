//! Readers and writers as real threads.
#![cfg(not(shuttle))]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use dns_backend::CatalogReader;
use dns_core::{AnswerPolicy, Catalog, Change, ChangeSet, Name, RecordType, Rrset};
use dns_store::{Source, Store, StoreOptions};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn number(owner: &Name, number: u32) -> Rrset {
    Rrset::new(owner.clone(), RecordType::A, 300, [number.to_be_bytes()]).unwrap()
}

fn number_of(catalog: &Catalog, owner: &Name) -> Option<u32> {
    let zone = catalog.default_view()?.zone_of(owner)?.zone()?;
    let rrset = zone.node_of(owner)?.rrset(RecordType::A)?;
    Some(u32::from_be_bytes(*rrset.records.last_chunk()?))
}

#[test]
fn readers_always_see_both_records_of_a_transaction() {
    const CHANGES: u32 = 2_000;
    let store = Store::new(StoreOptions { fold_after: 3, ..StoreOptions::default() });
    store.create(&Source::Config, number(&name("example.org"), 0), None).unwrap();
    let pairs = [(Source::Api, "a", "b"), (Source::Kubernetes, "c", "d")].map(|(source, left, right)| {
        let owner = |label: &str| name(&format!("{label}.example.org"));
        (source, owner(left), owner(right))
    });
    let put = |(source, left, right): &(Source, Name, Name), value| {
        let changes = [left, right].map(|owner| Change::Put(number(owner, value)));
        store.partial_reload(source, &changes.into_iter().collect::<ChangeSet>()).unwrap();
    };
    for pair in &pairs {
        put(pair, 0);
    }
    let done = AtomicBool::new(false);
    let looks = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut reader = store.reader();
                let (mut version, mut seen) = (0, [0; 2]);
                // One look more after the end, so that the last state is seen, too.
                let mut last_look = false;
                while !last_look {
                    last_look = done.load(Ordering::Acquire);
                    let catalog = reader.current();
                    assert!(catalog.version() >= version);
                    version = catalog.version();
                    for (seen, (_, left, right)) in seen.iter_mut().zip(&pairs) {
                        let now = number_of(catalog, left).unwrap();
                        assert_eq!(number_of(catalog, right), Some(now));
                        assert!(now >= *seen);
                        *seen = now;
                    }
                    looks.fetch_add(1, Ordering::Relaxed);
                }
                assert_eq!(seen, [CHANGES; 2]);
            });
        }
        let writers = pairs.each_ref().map(|pair| {
            let put = &put;
            scope.spawn(move || (1..=CHANGES).for_each(|value| put(pair, value)))
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    assert!(looks.load(Ordering::Relaxed) > 2);
    assert_eq!(store.version(), u64::from(3 + 2 * CHANGES));
}

#[test]
fn a_change_of_the_policy_leaves_other_options_as_others_have_just_set_them() {
    const CHANGES: u32 = 5_000;
    let store = Store::new(StoreOptions::default());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut policy = AnswerPolicy::default();
            while !done.load(Ordering::Acquire) {
                policy.minimal_responses = !policy.minimal_responses;
                store.set_policy(&policy).unwrap();
            }
        });
        let lost = (1..=CHANGES).find(|longest| {
            let options = StoreOptions { ttl_bounds: 1..=*longest, ..StoreOptions::default() };
            store.set_options(&options).unwrap();
            *store.options().ttl_bounds.end() != *longest
        });
        done.store(true, Ordering::Release);
        assert_eq!(lost, None);
    });
}
