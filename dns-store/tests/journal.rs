//! What a journal has been told survives; what it could not keep has never happened.

mod support;
#[path = "support/journal.rs"]
mod test_journal;

use std::sync::Arc;
use std::thread;

use dns_core::{Change, ChangeSet, Precondition, RecordType, ViewSpec};
use dns_store::{
    Event, ExpectedZone, Journal, JournalError, KeptZone, Pending, Reason, Source, Store, StoreError,
    StoreOptions, Write, ZoneOptions,
};

use self::support::{config_map, file, name, rrset, rrsets, text, zone};
use self::test_journal::TestJournal;

fn open(journal: &Arc<TestJournal>) -> Store {
    Store::open(StoreOptions::default(), journal.clone() as Arc<dyn Journal>).unwrap()
}

fn served(store: &Store, owner: &str, rtype: RecordType) -> Option<String> {
    store.get(&name(owner), rtype).map(|found| text(&found.rrset))
}

fn serial(store: &Store, apex: &str) -> u32 {
    store.zone(&name(apex)).unwrap().serial.unwrap()
}

fn shell(apex: &str, serial: u32) -> KeptZone {
    let soa = format!("{apex} 3600 SOA ns.{apex} hostmaster.{apex} {serial} 3600 600 86400 300");
    KeptZone { rrsets: rrsets(&[&soa, &format!("{apex} 3600 NS ns.{apex}")]) }
}

fn put_zone(store: &Store, apex: &str, serial: u32, records: &[&str]) -> Result<u64, StoreError> {
    let records = Some(rrsets(records));
    let write = Write::PutZone { apex: name(apex), zone: shell(apex, serial), records, is_new: false };
    store.stage(&Source::Api, &write, &[])?.wait()
}

#[test]
fn a_store_goes_on_where_the_last_one_has_ended() {
    let journal = TestJournal::new();
    let store = open(&journal);
    assert!(store.is_durable());
    put_zone(&store, "example.org.", 7, &["www.example.org. 300 A 192.0.2.1"]).unwrap();
    store.create(&Source::Api, rrset("mail.example.org. 300 A 192.0.2.2"), None).unwrap();
    store.create(&Source::Api, rrset("host.example.net. 300 A 192.0.2.3"), None).unwrap();
    let version = store.update(&Source::Api, rrset("mail.example.org. 300 A 192.0.2.4"), None).unwrap();
    store.hot_reload(&Source::Config, &rrsets(&["conf.example.org. 300 A 192.0.2.9"])).unwrap();
    let (last, serials) = (store.version(), ["example.org.", "example.net."]);
    let before =
        serials.map(|apex| serial(&store, if apex == "example.net." { "host.example.net." } else { apex }));
    drop(store);

    let store = open(&journal);
    assert_eq!(served(&store, "www.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.1"));
    assert_eq!(served(&store, "mail.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.4"));
    assert_eq!(served(&store, "host.example.net.", RecordType::A).as_deref(), Some("300 A 192.0.2.3"));
    assert_eq!(served(&store, "conf.example.org.", RecordType::A), None, "the configuration writes it anew");
    assert!(store.version() > last, "no version is given twice");
    assert!(
        store.name_version(&name("mail.example.org.")) > version,
        "what was deleted since is not told of"
    );
    let after = [serial(&store, "example.org."), serial(&store, "host.example.net.")];
    assert!(after[0] >= before[0] && after[1] >= before[1], "{before:?} {after:?}");
    let zone = store.zone(&name("example.org.")).unwrap();
    assert_eq!((zone.source, zone.names), (Some(Source::Api), 3));
}

#[test]
fn what_is_written_by_the_journals_sources_alone_comes_back_with_the_same_serial() {
    let journal = TestJournal::new();
    let store = open(&journal);
    put_zone(&store, "example.org.", 2_026_010_100, &["www.example.org. 300 A 192.0.2.1"]).unwrap();
    assert_eq!(serial(&store, "example.org."), 2_026_010_100, "a zone that comes whole keeps its serial");
    for last in 2..5 {
        let rrset = rrset(&format!("www.example.org. 300 A 192.0.2.{last}"));
        store.update(&Source::Api, rrset, None).unwrap();
    }
    assert_eq!(serial(&store, "example.org."), 2_026_010_103);
    drop(store);
    let store = open(&journal);
    assert_eq!(serial(&store, "example.org."), 2_026_010_103);
    // Gone and back again, it goes on from where it was.
    store
        .stage(&Source::Api, &Write::DeleteZone { apex: name("example.org.") }, &[])
        .unwrap()
        .wait()
        .unwrap();
    drop(store);
    let store = open(&journal);
    put_zone(&store, "example.org.", 5, &[]).unwrap();
    assert_eq!(serial(&store, "example.org."), 2_026_010_104);
}

#[test]
fn serials_skip_little_from_start_to_start() {
    let journal = TestJournal::new();
    let reload = |store: &Store, last: u32| {
        let record = format!("conf.example.org. 300 A 192.0.2.{last}");
        store.hot_reload(&Source::Config, &rrsets(&[&record])).unwrap();
        serial(store, "example.org.")
    };
    put_zone(&open(&journal), "example.org.", 2_026_010_100, &[]).unwrap();
    // The configuration brings its records with each start.
    assert_eq!(reload(&open(&journal), 1), 2_026_010_101);
    assert_eq!(reload(&open(&journal), 1), 2_026_010_102);
    let store = open(&journal);
    let mut last = 0;
    for octet in 1..200 {
        last = reload(&store, octet);
    }
    let batches = journal.disk().batches.len();
    assert!(batches < 30, "{batches} batches for changes that are not journalled");
    drop(store);
    let next = reload(&open(&journal), 1);
    assert!((last + 1..last + 300).contains(&next), "{last} {next}");
}

#[test]
fn the_journal_is_given_back_with_the_last_handle() {
    // The thread that feeds the journal may be at any point when the last write is acknowledged.
    for _ in 0..200 {
        let journal = TestJournal::new();
        let store = open(&journal);
        store.create(&Source::Api, rrset("www.example.org. 300 A 192.0.2.1"), None).unwrap();
        drop(store);
        assert_eq!(Arc::strong_count(&journal), 1);
    }
}

/// Marks of what is not journalled are written just after it, by a thread of the store. There is a new one after a hundred
/// serials or so.
#[test]
fn nothing_is_left_on_its_way_when_the_last_handle_goes() {
    let journal = TestJournal::new();
    put_zone(&open(&journal), "example.org.", 7, &[]).unwrap();
    let mut last = 0;
    for changes in 90..190 {
        let store = open(&journal);
        for change in 0..changes {
            let record = format!("conf.example.org. 300 A 192.0.2.{change}");
            store.hot_reload(&Source::Config, &rrsets(&[&record])).unwrap();
            let now = serial(&store, "example.org.");
            assert!(now > last, "change {change} of {changes}: {last}, then {now}");
            last = now;
        }
    }
}

#[test]
fn nobody_sees_what_is_not_safe() {
    let journal = TestJournal::new();
    let store = open(&journal);
    let mut events = store.watch();
    journal.shut();
    let write = Write::Create(rrset("www.example.org. 300 A 192.0.2.1"));
    let pending = store.stage(&Source::Api, &write, &[]).unwrap();
    journal.wait_for_batch();
    assert_eq!(served(&store, "www.example.org.", RecordType::A), None);
    assert!(events.try_next().is_none());
    // Who comes next builds on it all the same, and is refused once it is certain what for.
    let refused = store.stage(&Source::Api, &write, &[]).unwrap();
    let again = Write::Update(rrset("www.example.org. 300 A 192.0.2.1"));
    let nothing = store.stage(&Source::Api, &again, &[]).unwrap();
    let more = Write::Create(rrset("ftp.example.org. 300 A 192.0.2.2"));
    let more = store.stage(&Source::Api, &more, &[]).unwrap();
    journal.open();
    let version = pending.wait().unwrap();
    assert!(matches!(refused.wait(), Err(StoreError::Exists(_))));
    assert_eq!(nothing.wait().unwrap(), version);
    assert_eq!(more.wait().unwrap(), version + 1);
    assert_eq!(served(&store, "ftp.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.2"));
    let Some(Event::Changed(changed)) = events.try_next() else { panic!("an event") };
    assert_eq!((changed.version, changed.added.len()), (version, 1));
    // The mark of the start, the first one alone, then what came meanwhile.
    assert_eq!(journal.disk().batches, [0, 1, 1]);
}

#[test]
fn a_write_is_tried_where_that_is_quick_and_waits_for_nobody() {
    let journal = TestJournal::new();
    let store = open(&journal);
    put_zone(&store, "example.org.", 1, &[]).unwrap();
    journal.shut();
    let create = Write::Create(rrset("www.example.org. 300 A 192.0.2.1"));
    let pending = store.try_stage(&Source::Api, &create, &[]).unwrap().unwrap();
    let refused = store.try_stage(&Source::Api, &create, &[]).unwrap().unwrap();
    // What no journal keeps waits until all this is safe.
    let other = Write::Create(rrset("ftp.example.org. 300 A 192.0.2.2"));
    assert!(store.try_stage(&config_map("a"), &other, &[]).is_none());
    journal.open();
    pending.wait().unwrap();
    assert!(matches!(refused.wait(), Err(StoreError::Exists(_))));
    store.try_stage(&config_map("a"), &other, &[]).unwrap().unwrap().wait().unwrap();
    assert_eq!(served(&store, "ftp.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.2"));
    // Nobody writes any more; what is there already is refused at once.
    let error = store.try_stage(&Source::Api, &create, &[]).unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Exists(_)), "{error:?}");
    // These may take longer.
    let derived = Write::Create(rrset("www.example.net. 300 A 192.0.2.1"));
    for write in [derived, Write::DeleteZone { apex: name("example.org.") }, Write::Revert { version: 1 }] {
        assert!(store.try_stage(&Source::Api, &write, &[]).is_none(), "{write:?}");
    }
}

#[test]
fn what_the_journal_cannot_keep_is_taken_back_with_all_that_was_built_on_it() {
    let journal = TestJournal::new();
    let store = open(&journal);
    store.create(&Source::Api, rrset("old.example.org. 300 A 192.0.2.1"), None).unwrap();
    let (before, disk) = (store.version(), journal.disk());
    let mut events = store.watch();
    journal.fail(Some("the disk is full"));
    journal.shut();
    let mut pending = Vec::new();
    for write in [
        Write::Update(rrset("old.example.org. 300 A 192.0.2.2")),
        Write::Create(rrset("new.example.org. 300 A 192.0.2.3")),
        Write::Delete { owner: name("old.example.org."), rtype: None },
    ] {
        pending.push(store.stage(&Source::Api, &write, &[]).unwrap());
    }
    // Refused for something that will not have happened.
    let gone = Write::Delete { owner: name("old.example.org."), rtype: None };
    pending.push(store.stage(&Source::Api, &gone, &[]).unwrap());
    // What no journal keeps waits for it, and is not taken back.
    let reload = {
        let store = store.clone();
        thread::spawn(move || {
            store.hot_reload(&config_map("a"), &rrsets(&["c.example.org. 300 A 192.0.2.9"]))
        })
    };
    journal.wait_for_batch();
    journal.open();
    for pending in pending {
        let error = pending.wait().unwrap_err();
        assert!(matches!(&error, StoreError::NotDurable(JournalError::Unavailable(_))), "{error:?}");
        assert_eq!(error.to_string(), "the disk is full");
    }
    reload.join().unwrap().unwrap();
    assert_eq!(served(&store, "old.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.1"));
    assert_eq!(served(&store, "new.example.org.", RecordType::A), None);
    assert_eq!(served(&store, "c.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.9"));
    assert_eq!(store.version(), before + 1);
    let Some(Event::Changed(changed)) = events.try_next() else { panic!("an event") };
    assert_eq!(changed.source, config_map("a"));
    assert_eq!(journal.disk(), disk);
    // It heals by itself.
    journal.fail(None);
    store.create(&Source::Api, rrset("new.example.org. 300 A 192.0.2.3"), None).unwrap();
    store.delete(&Source::Api, &name("old.example.org."), None, None).unwrap();
    drop(store);
    let store = open(&journal);
    assert_eq!(served(&store, "old.example.org.", RecordType::A), None);
    assert_eq!(served(&store, "new.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.3"));
}

#[test]
fn marks_that_cannot_be_kept_take_no_change_with_them() {
    let journal = TestJournal::new();
    let store = open(&journal);
    journal.fail_once("full");
    let create = Write::Create(rrset("www.example.org. 300 A 192.0.2.1"));
    assert!(store.stage(&Source::Api, &create, &[]).unwrap().wait().is_err());
    // Whatever was marked has to be marked again, with the next change: that it is not journalled is why it has to be.
    journal.shut();
    store.hot_reload(&config_map("a"), &rrsets(&["c.example.org. 300 A 192.0.2.9"])).unwrap();
    journal.wait_for_batch();
    let pending = store.stage(&Source::Api, &create, &[]).unwrap();
    journal.fail_once("full");
    journal.open();
    assert_eq!(pending.wait().unwrap(), store.version());
    assert_eq!(store.journal_failures(), 2);
    assert!(store.can_keep());
    store.create(&Source::Api, rrset("ftp.example.org. 300 A 192.0.2.2"), None).unwrap();
    assert!(journal.disk().version > Some(store.version()), "versions are marked again");
}

#[test]
fn what_was_kept_is_served_from_a_disk_that_is_full() {
    let journal = TestJournal::new();
    open(&journal).create(&Source::Api, rrset("www.example.org. 300 A 192.0.2.1"), None).unwrap();
    let version = open(&journal).version();
    journal.fail(Some("full"));
    let store = open(&journal);
    assert_eq!(served(&store, "www.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.1"));
    let create = || store.create(&Source::Api, rrset("ftp.example.org. 300 A 192.0.2.1"), None);
    assert!(!store.can_keep());
    assert!(matches!(create(), Err(StoreError::NotDurable(_))));
    assert!(!store.can_keep());
    journal.fail(None);
    assert!(create().unwrap() > version);
    assert!(store.can_keep());
    assert!(journal.disk().version > Some(store.version()), "versions are marked again");
}

#[test]
fn a_journal_that_breaks_down_keeps_nobody_waiting() {
    let journal = TestJournal::new();
    let store = open(&journal);
    journal.fail(Some("panic"));
    let www = || rrset("www.example.org. 300 A 192.0.2.1");
    let error = store.create(&Source::Api, www(), None).unwrap_err();
    assert!(matches!(&error, StoreError::NotDurable(JournalError::Damaged(_))), "{error:?}");
    assert_eq!(store.journal_failures(), 1);
    store.hot_reload(&Source::Config, &[www()]).unwrap();
    assert_eq!(served(&store, "www.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.1"));
}

#[test]
fn the_history_says_who_has_changed_what_and_can_be_undone() {
    let journal = TestJournal::new();
    let store = open(&journal);
    let alice = store.on_behalf_of("alice");
    alice.create(&Source::Api, rrset("www.example.org. 300 A 192.0.2.1"), None).unwrap();
    let second = alice.update(&Source::Api, rrset("www.example.org. 60 A 192.0.2.2"), None).unwrap();
    let entry = store.entry(second).unwrap().unwrap();
    assert_eq!((&*entry.author, &*entry.view, &entry.source), ("alice", "default", &Source::Api));
    let [change] = &entry.records[..] else { panic!("{entry:?}") };
    assert_eq!(change.before.as_ref().map(text).as_deref(), Some("300 A 192.0.2.1"));
    assert_eq!(change.after.as_ref().map(text).as_deref(), Some("60 A 192.0.2.2"));
    let newest: Vec<u64> = store.history(None, 10).unwrap().iter().map(|entry| entry.version).collect();
    assert_eq!(newest, [second, second - 1]);
    let undo = Write::Revert { version: second };
    let planned = store.plan(&Source::Api, &undo, &[]).unwrap();
    assert_eq!(planned.records[0].after.as_ref().map(text).as_deref(), Some("300 A 192.0.2.1"));
    assert_eq!(planned.served.updated.len(), 1);
    assert_eq!(store.version(), second, "a plan changes nothing");
    store.stage(&Source::Api, &undo, &[]).unwrap().wait().unwrap();
    assert_eq!(served(&store, "www.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.1"));
    let error = store.stage(&Source::Api, &undo, &[]).unwrap_err();
    assert!(matches!(error.reasons(), [Reason::Differs { .. }]), "{error:?}");
    let error = store.stage(&Source::Api, &Write::Revert { version: 999 }, &[]).unwrap_err();
    assert!(matches!(error, StoreError::NotFound(Reason::NoVersion(999))), "{error:?}");
}

#[test]
fn zones_come_and_go_with_their_records_and_come_back_when_that_is_undone() {
    let journal = TestJournal::new();
    let store = open(&journal);
    let records = ["www.example.org. 300 A 192.0.2.1", "example.org. 300 MX 10 www.example.org."];
    let made = put_zone(&store, "example.org.", 1, &records).unwrap();
    let is_new = Write::PutZone {
        apex: name("example.org."),
        zone: shell("example.org.", 1),
        records: None,
        is_new: true,
    };
    assert!(matches!(store.stage(&Source::Api, &is_new, &[]), Err(StoreError::Exists(_))));
    // Its SOA and NS records cannot be deleted, but replaced, and deleted then.
    let error = store.delete(&Source::Api, &name("example.org."), Some(RecordType::NS), None).unwrap_err();
    assert!(matches!(error.reasons(), [Reason::OfZone { .. }]), "{error:?}");
    store.update(&Source::Api, rrset("example.org. 60 NS other.example.org."), None).unwrap();
    store.delete(&Source::Api, &name("example.org."), Some(RecordType::NS), None).unwrap();
    assert_eq!(served(&store, "example.org.", RecordType::NS).as_deref(), Some("3600 NS ns.example.org."));
    // Single values come and go beside those that it came with.
    let (ns, other) =
        (rrset("example.org. 60 NS ns.example.org."), rrset("example.org. 60 NS other.example.org."));
    let apply = |change: Change| {
        let set = [change].into_iter().collect();
        store.stage(&Source::Api, &Write::Changes(set), &[]).and_then(Pending::wait)
    };
    let version = apply(Change::Add(other.clone())).unwrap();
    let both = "60 NS ns.example.org. | other.example.org.";
    assert_eq!(served(&store, "example.org.", RecordType::NS).as_deref(), Some(both));
    apply(Change::Remove(ns.clone())).unwrap();
    assert_eq!(served(&store, "example.org.", RecordType::NS).as_deref(), Some("60 NS other.example.org."));
    apply(Change::Add(ns.clone())).unwrap();
    store.stage(&Source::Api, &Write::Revert { version }, &[]).unwrap().wait().unwrap();
    assert_eq!(served(&store, "example.org.", RecordType::NS).as_deref(), Some("3600 NS ns.example.org."));
    let error = apply(Change::Remove(ns.clone())).unwrap_err();
    assert!(matches!(error.reasons(), [Reason::OfZone { .. }]), "{error:?}");
    assert_eq!(apply(Change::Remove(other.clone())).unwrap(), store.version(), "there is nothing to do");
    // They are the source's own, as is told of them.
    let holds =
        |precondition| store.stage(&Source::Api, &Write::Changes(ChangeSet::new()), &[precondition]).is_ok();
    let apex = name("example.org.");
    assert!(holds(Precondition::Exists(apex.clone(), Some(RecordType::SOA))));
    assert!(!holds(Precondition::Absent(apex.clone(), Some(RecordType::NS))));
    let came = rrset("example.org. 3600 NS ns.example.org.");
    assert!(holds(Precondition::Equals(came)) && !holds(Precondition::Equals(other)));
    let error = put_zone(&store, "example.org.", 2, &["www.example.com. 300 A 192.0.2.1"]).unwrap_err();
    assert_eq!(error.to_string(), "www.example.com. is not in the zone example.org.");
    let gone = store
        .stage(&Source::Api, &Write::DeleteZone { apex: name("example.org.") }, &[])
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(store.zones(), []);
    assert!(store.found_at(&name("www.example.org.")).is_empty());
    store.stage(&Source::Api, &Write::Revert { version: gone }, &[]).unwrap().wait().unwrap();
    for store in [store, open(&journal)] {
        assert_eq!(served(&store, "www.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.1"));
        assert_eq!(
            served(&store, "example.org.", RecordType::MX).as_deref(),
            Some("300 MX 10 www.example.org.")
        );
        assert_eq!(store.zone(&name("example.org.")).unwrap().source, Some(Source::Api));
    }
    let store = open(&journal);
    let error = store.stage(&Source::Api, &Write::Revert { version: made }, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Precondition(_)), "its serial and records are others: {error:?}");
}

#[test]
fn names_have_versions_that_guard_against_lost_updates() {
    let store = support::store();
    let www = || name("www.example.org.");
    store.create(&Source::Api, rrset("www.example.org. 300 A 192.0.2.1"), None).unwrap();
    let version = store.name_version(&www());
    store.create(&Source::Api, rrset("ftp.example.org. 300 A 192.0.2.1"), None).unwrap();
    assert_eq!(store.name_version(&www()), version, "other names do not matter");
    let update = Write::Update(rrset("www.example.org. 300 A 192.0.2.2"));
    let unchanged = [Precondition::Unchanged(www(), version)];
    store.stage(&Source::Api, &update, &unchanged).unwrap().wait().unwrap();
    let error = store.stage(&Source::Api, &update, &unchanged).unwrap_err();
    assert!(matches!(error.reasons(), [Reason::NameChanged { .. }]), "{error:?}");
    // A zone that brings records changes what all its names have.
    let version = store.name_version(&www());
    store.put_zone(&file(), zone("example.org.", 1, &[]), ZoneOptions::default()).unwrap();
    assert!(store.name_version(&www()) > version);
}

#[test]
fn many_writers_share_batches_and_lose_nothing_when_the_journal_fails_now_and_then() {
    const WRITERS: u8 = 8;
    const WRITES: u8 = 60;
    let journal = TestJournal::new();
    let store = open(&journal);
    let acknowledged: Vec<Vec<u8>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, journal) = (store.clone(), journal.clone());
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for last in 0..WRITES {
                        if writer == 0 {
                            journal.fail((last % 5 == 4).then_some("full"));
                        }
                        let owner = format!("w{writer}.example.org.");
                        let pair = [
                            Change::Put(rrset(&format!("a.{owner} 300 A 192.0.2.{last}"))),
                            Change::Put(rrset(&format!("b.{owner} 300 A 192.0.2.{last}"))),
                        ];
                        let changes: ChangeSet = pair.into_iter().collect();
                        match store.partial_reload(&Source::Api, &changes) {
                            Ok(_) => kept.push(last),
                            Err(StoreError::NotDurable(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                        let record = format!("k{writer}.example.org. 300 A 192.0.2.{last}");
                        store.hot_reload(&config_map(&writer.to_string()), &rrsets(&[&record])).unwrap();
                    }
                    kept
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    journal.fail(None);
    for (writer, kept) in acknowledged.iter().enumerate() {
        let last = kept.last().expect("most writes were kept");
        for owner in ["a", "b"] {
            let found = served(&store, &format!("{owner}.w{writer}.example.org."), RecordType::A);
            assert_eq!(found, Some(format!("300 A 192.0.2.{last}")));
        }
        let found = served(&store, &format!("k{writer}.example.org."), RecordType::A);
        assert_eq!(found, Some(format!("300 A 192.0.2.{}", WRITES - 1)));
    }
    let kept: usize = acknowledged.iter().map(Vec::len).sum();
    assert_eq!(journal.disk().entries.len(), kept);
    let list = |store: &Store| {
        let filter = dns_store::Filter { source: Some(dns_store::SourceKind::Api), ..Default::default() };
        store.list(&filter, None, 1000).found
    };
    let before = list(&store);
    drop(store);
    assert_eq!(list(&open(&journal)), before);
}

#[test]
fn views_that_come_have_what_was_kept_of_them() {
    let journal = TestJournal::new();
    let inside = ViewSpec {
        name: "inside".into(),
        clients: vec!["10.0.0.0/8".parse().unwrap()],
        listeners: Vec::new(),
        shared: false,
    };
    let store = open(&journal);
    store.set_views(std::slice::from_ref(&inside));
    let view = store.view("inside").unwrap();
    view.create(&Source::Api, rrset("www.example.org. 300 A 192.0.2.1"), None).unwrap();
    store.create(&Source::Api, rrset("www.example.org. 300 A 192.0.2.2"), None).unwrap();
    drop((store, view));
    let store = open(&journal);
    store.set_views(std::slice::from_ref(&inside));
    let view = store.view("inside").unwrap();
    assert_eq!(served(&view, "www.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.1"));
    assert_eq!(served(&store, "www.example.org.", RecordType::A).as_deref(), Some("300 A 192.0.2.2"));
    let catalog = store.snapshot();
    let zone = catalog.view("inside").and_then(|view| view.zone_of(&name("www.example.org.")));
    assert!(zone.is_some(), "it is served");
    let version = view.update(&Source::Api, rrset("www.example.org. 300 A 192.0.2.3"), None).unwrap();
    assert_eq!(store.version(), version);
}

/// Nothing is put together that the next step takes apart again.
#[test]
fn zones_that_are_to_be_read_next_wait_for_that_with_their_records() {
    let journal = TestJournal::new();
    let views = [ViewSpec {
        name: "inside".into(),
        clients: vec!["10.0.0.0/8".parse().unwrap()],
        listeners: Vec::new(),
        shared: false,
    }];
    let store = open(&journal);
    store.set_views(&views);
    let inside = store.view("inside").unwrap();
    let www = || rrset("www.example.org. 300 A 192.0.2.1");
    let put = |store: &Store| {
        store.put_zone(&file(), zone("example.org.", 7, &[]), ZoneOptions::default()).unwrap()
    };
    put(&store);
    for store in [&store, &inside] {
        store.create(&Source::Api, www(), None).unwrap();
        store.create(&Source::Api, rrset("www.example.net. 300 A 192.0.2.2"), None).unwrap();
    }
    put_zone(&store, "example.com.", 7, &[]).unwrap();
    let before = serial(&store, "example.org.");
    drop((store, inside));

    let expect = |view: &str, apex: &str| ExpectedZone { view: view.into(), apex: name(apex) };
    let expected = vec![
        expect("default", "example.org."),
        expect("inside", "example.org."),
        expect("default", "example.com."),
        expect("gone", "example.org."),
    ];
    let journal = journal as Arc<dyn Journal>;
    let store = Store::open_expecting(StoreOptions::default(), journal, expected).unwrap();
    store.set_views(&views);
    let inside = store.view("inside").unwrap();
    for store in [&store, &inside] {
        let apexes: Vec<String> = store.zones().iter().map(|zone| zone.apex.to_string()).collect();
        let journalled: &[&str] = if store.view_name() == "inside" { &[] } else { &["example.com."] };
        assert_eq!(apexes, [journalled, &["www.example.net.", "example.org."]].concat());
        let waiting = store.zone(&name("example.org.")).unwrap();
        assert!(
            waiting.failed.is_some_and(|why| why.contains("not been read yet")) && waiting.serial.is_none()
        );
        assert_eq!(served(store, "www.example.org.", RecordType::A), None);
        put(store);
        assert_eq!(store.get(&www().owner().clone(), RecordType::A).unwrap().rrset, www());
    }
    assert_eq!(store.zone(&name("example.com.")).unwrap().source, Some(Source::Api), "the journal has it");
    assert!(serial(&store, "example.org.") >= before);
    // Whatever view comes later, its zones are not those of the start.
    let gone = ViewSpec { name: "gone".into(), ..views[0].clone() };
    store.set_views(&[views[0].clone(), gone]);
    assert!(store.view("gone").unwrap().zones().is_empty());
}

/// A zone that nobody had declared gets a file from one start to the next.
#[test]
fn a_file_does_not_take_a_derived_zone_back_in_time() {
    let journal = TestJournal::new();
    let store = open(&journal);
    store.create(&Source::Api, rrset("_acme-challenge.example.org. 300 TXT one"), None).unwrap();
    store.create(&Source::Api, rrset("www.example.net. 300 A 192.0.2.1"), None).unwrap();
    let before = serial(&store, "example.org.");
    drop(store);
    let journal = journal as Arc<dyn Journal>;
    let expected = ["example.org.", "example.net."]
        .map(|apex| ExpectedZone { view: "default".into(), apex: name(apex) });
    let store = Store::open_expecting(StoreOptions::default(), journal, expected.into()).unwrap();
    for apex in ["example.org.", "example.net."] {
        store.put_zone(&file(), zone(apex, 7, &[]), ZoneOptions::default()).unwrap();
    }
    assert!(serial(&store, "example.org.") > before, "{before}");
    assert!(serial(&store, "example.net.") < 100, "there was none of this name");
}
