//! Errors, events and lists.

mod support;

use dns_core::{Change, ChangeSet, Name, RecordType};
use dns_store::{Event, Filter, Source, SourceKind, Store, StoreError, StoreOptions, Watch, Write};
use support::{at, config_map, file, name, put_zone, rrset, rrsets, store, text, zone};

#[test]
fn errors_say_what_is_wrong_and_with_which_record() {
    let store = store();
    put_zone(&store, zone("example.org", 1, &["www.example.org 300 A 192.0.2.1"]));
    for (record, message) in [
        (
            "a.example.org 30 A 192.0.2.1",
            "a.example.org. A: TTL 30 must be between 60 and 86400 (records_ttl)",
        ),
        ("www.example.org 300 A 192.0.2.1", "www.example.org. A exists already, from file:zone"),
        (
            "a.example.org 300 SOA ns.a. root.a. 1 1 1 1 1",
            "a.example.org. has a SOA record, but only the apex may have one",
        ),
        ("example.org 300 CNAME www.example.com", "example.org. has a CNAME record beside SOA"),
        ("a.example.org 300 CNAME b. | c.", "a.example.org. has more than one CNAME record"),
        ("a.example.org 300 DNAME b. | c.", "a.example.org. has more than one DNAME record"),
        ("a.example.org 300 NSEC b.example.org. A", "a.example.org.: records of type NSEC cannot be stored"),
        (
            "*.lan 300 A 192.0.2.1",
            "*.lan. is in no declared zone, and none can be made up for it: declare one that contains it",
        ),
    ] {
        let error = store.create(&Source::Api, rrset(record), None).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(store.version(), 1);
    }
    let missing = store.update(&Source::Api, rrset("a.example.org 300 A 192.0.2.1"), None).unwrap_err();
    assert_eq!(missing.to_string(), "a.example.org. A does not exist");
    let stale = store.create(&Source::Api, rrset("a.example.org 300 A 192.0.2.1"), Some(0)).unwrap_err();
    assert_eq!(stale.to_string(), "the records are at version 1, not 0");
}

#[test]
fn a_reload_that_fails_tells_every_reason_and_changes_nothing() {
    let store = store();
    let good = rrsets(&["www.example.org 300 A 192.0.2.1"]);
    let version = store.hot_reload(&config_map("a"), &good).unwrap();
    let bad = rrsets(&[
        "www.example.org 300 A 192.0.2.2",
        "a.example.org 5 A 192.0.2.1",
        "b.example.org 300 CNAME a.example.org",
        "b.example.org 300 TXT x",
        "*.lan 300 A 192.0.2.1",
    ]);
    let error = store.hot_reload(&config_map("a"), &bad).unwrap_err();
    let StoreError::ReloadFailed { source_name, reasons } = &error else { panic!("{error}") };
    assert_eq!(*source_name, config_map("a"));
    assert_eq!(
        reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "a.example.org. A: TTL 5 must be between 60 and 86400 (records_ttl)",
            "b.example.org. has a CNAME record beside TXT",
            "*.lan. is in no declared zone, and none can be made up for it: declare one that contains it",
        ]
    );
    assert!(
        error.to_string().starts_with("the records of configmap:dns/a were not reloaded: a.example.org. A: ")
    );
    assert_eq!(store.version(), version);
    assert_eq!(at(&store, "www.example.org"), ["configmap:dns/a: 300 A 192.0.2.1"]);
    assert_eq!(store.hot_reload(&config_map("a"), &good).unwrap(), version, "nothing new");
}

#[test]
fn values_that_fit_no_message_together_are_refused() {
    let store = store();
    let values = |octet: u8| {
        let values = (0..110u8).map(|number| [&[254u8, number, octet][..], &[b'x'; 252]].concat());
        dns_core::Rrset::new(name("example.org"), RecordType::TXT, 300, values).unwrap()
    };
    let add = |octet| ChangeSet::new().and(Change::Add(values(octet)));
    store.partial_reload(&Source::Api, &add(1)).unwrap();
    store.partial_reload(&Source::Api, &add(2)).unwrap();
    let error = store.partial_reload(&Source::Api, &add(3)).unwrap_err();
    assert!(error.to_string().contains("more than fit into a message"), "{error}");
    // Challenges that do not fit beside what others have show up as not served.
    store.partial_reload(&Source::Acme, &add(3)).unwrap();
    let found = store.list(&Filter::default(), None, 10).found;
    assert_eq!(found.iter().map(|found| found.shadowed).collect::<Vec<_>>(), [false, true]);
}

fn lines(event: &Event) -> Vec<String> {
    match event {
        Event::Changed(changed) => {
            let line =
                |sign: &str, rrset: &dns_core::Rrset| format!("{sign} {} {}", rrset.owner(), text(rrset));
            let added = changed.added.iter().map(|rrset| line("+", rrset));
            let updated =
                changed.updated.iter().map(|(old, new)| format!("{} -> {}", line("~", old), text(new)));
            let deleted = changed.deleted.iter().map(|rrset| line("-", rrset));
            let zones = changed.zones.iter().map(|apex| format!("zone {apex}"));
            let head = format!("{} by {}", changed.version, changed.source);
            [head].into_iter().chain(added).chain(updated).chain(deleted).chain(zones).collect()
        }
        Event::Reloaded { version, source, zone, .. } => {
            vec![format!("{version} by {source}"), format!("all of {zone}")]
        }
        Event::Views { version } => vec![format!("{version} views")],
        Event::Lagged(missed) => vec![format!("missed {missed}")],
    }
}

#[track_caller]
fn check_event(watch: &mut Watch, expected: &[&str]) {
    let event = watch.try_next();
    assert_eq!(event.iter().flat_map(lines).collect::<Vec<_>>(), expected);
}

#[test]
fn events_tell_what_clients_see_otherwise() {
    let store = store();
    let mut watch = store.watch();
    put_zone(&store, zone("example.org", 1, &["www.example.org 300 A 192.0.2.1"]));
    check_event(&mut watch, &["1 by file:zone", "all of example.org."]);
    store.create(&Source::Api, rrset("www.example.org 300 TXT x"), None).unwrap();
    check_event(&mut watch, &["2 by api", "+ www.example.org. 300 TXT x", "zone example.org."]);
    store.update(&Source::Api, rrset("www.example.org 60 A 192.0.2.2"), None).unwrap();
    let updated = "~ www.example.org. 300 A 192.0.2.1 -> 60 A 192.0.2.2";
    check_event(&mut watch, &["3 by api", updated, "zone example.org."]);
    store.hot_reload(&Source::Kubernetes, &rrsets(&["www.example.org 300 A 192.0.2.3"])).unwrap();
    check_event(&mut watch, &["4 by kubernetes"]);
    store.delete(&Source::Api, &name("www.example.org"), None, None).unwrap();
    let updated = "~ www.example.org. 60 A 192.0.2.2 -> 300 A 192.0.2.1";
    check_event(&mut watch, &["5 by api", updated, "- www.example.org. 300 TXT x", "zone example.org."]);
    store.hot_reload(&Source::Kubernetes, &rrsets(&["www.example.net 300 A 192.0.2.3"])).unwrap();
    check_event(
        &mut watch,
        &["6 by kubernetes", "+ www.example.net. 300 A 192.0.2.3", "zone www.example.net."],
    );
    store.drop_zone(&file(), &name("example.org")).unwrap();
    check_event(&mut watch, &["7 by file:zone", "all of example.org."]);
    check_event(&mut watch, &[]);
}

#[tokio::test]
async fn a_subscriber_that_falls_behind_is_told_so() {
    let store = Store::new(StoreOptions { events_kept: 2, ..StoreOptions::default() });
    let mut watch = store.watch();
    for last in 1..=5 {
        let records = rrsets(&[&format!("example.org 300 A 192.0.2.{last}")]);
        store.hot_reload(&Source::Config, &records).unwrap();
    }
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(lines(&watch.next().await.unwrap())[0].clone());
    }
    assert_eq!(events, ["missed 3", "4 by config", "5 by config"]);
    drop(store);
    assert!(watch.next().await.is_none());
}

#[test]
fn lists_come_in_pages_and_by_filter() {
    let store = store();
    put_zone(
        &store,
        zone("example.org", 1, &["www.example.org 300 A 192.0.2.1", "b.www.example.org 300 A 192.0.2.1"]),
    );
    store
        .hot_reload(
            &Source::Kubernetes,
            &rrsets(&["www.example.org 300 A 192.0.2.9", "example.net 300 TXT x"]),
        )
        .unwrap();
    store.create(&Source::Api, rrset("a.example.org 300 TXT x"), None).unwrap();
    let list = |filter: &Filter| -> Vec<String> {
        let found = store.list(filter, None, 100).found;
        found
            .iter()
            .map(|found| format!("{} {} {}", found.rrset.owner(), found.rrset.rtype(), found.source))
            .collect()
    };
    let all = [
        "example.net. TXT kubernetes",
        "example.org. NS file:zone",
        "example.org. SOA file:zone",
        "a.example.org. TXT api",
        "www.example.org. A file:zone",
        "www.example.org. A kubernetes",
        "b.www.example.org. A file:zone",
    ];
    let pick = |picks: &[usize]| picks.iter().map(|&at| all[at]).collect::<Vec<_>>();
    let none = Filter::default;
    for (filter, picks) in [
        (none(), &[0, 1, 2, 3, 4, 5, 6][..]),
        (Filter { zone: Some(name("example.net")), ..none() }, &[0]),
        (Filter { zone: Some(name("example.org")), shadowed: Some(true), ..none() }, &[5]),
        (Filter { below: Some(name("www.example.org")), ..none() }, &[4, 5, 6]),
        (Filter { rtype: Some(RecordType::TXT), ..none() }, &[0, 3]),
        (Filter { source: Some(SourceKind::Api), ..none() }, &[3]),
        (Filter { below: Some(name("example.com")), ..none() }, &[]),
    ] {
        assert_eq!(list(&filter), pick(picks), "{filter:?}");
    }
    let mut from: Option<(Name, RecordType)> = None;
    let mut sizes = Vec::new();
    loop {
        let page = store.list(&none(), from.as_ref(), 2);
        sizes.push(page.found.len());
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    // What is hidden stays with what hides it.
    assert_eq!(sizes, [2, 2, 3]);
    // What is not admitted takes no room, and begins no page.
    let admits = |_: &Name, rtype: RecordType| rtype == RecordType::TXT;
    let page = store.list_where(&none(), None, 1, admits);
    assert_eq!((page.found.len(), page.next), (1, Some((name("a.example.org"), RecordType::TXT))));
    assert_eq!(store.list_where(&none(), None, 2, admits).next, None);
}

#[test]
fn a_write_says_what_clients_will_see() {
    let store = store();
    let write = Write::Create(rrset("www.example.org 300 A 192.0.2.1"));
    let pending = store.stage(&Source::Api, &write, &[]).unwrap();
    let served = pending.served().unwrap().clone();
    assert_eq!(pending.wait().unwrap(), served.version);
    assert_eq!(served.added, [rrset("www.example.org 300 A 192.0.2.1")]);
    let Write::Create(rrset) = write else { unreachable!() };
    let pending = store.stage(&Source::Api, &Write::Update(rrset), &[]).unwrap();
    assert!(pending.served().is_none() && pending.entry().is_none(), "nothing is to be done");
    assert_eq!(pending.wait().unwrap(), served.version);
}
