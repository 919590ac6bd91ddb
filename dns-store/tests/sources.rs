//! Several sources at one name.

mod support;

use dns_core::{Change, ChangeSet, Precondition, RecordType};
use dns_store::{Source, SourceKind, StoreError, StoreOptions};
use support::{at, config_map, file, name, put_zone, rrset, rrsets, store, zone};

#[test]
fn the_source_that_comes_first_is_served_and_the_other_once_it_withdraws() {
    for (first, second) in [
        (Source::Acme, Source::Api),
        (Source::Api, Source::Update("key".into())),
        (Source::Update("key".into()), Source::Config),
        (Source::Config, config_map("a")),
        (config_map("a"), config_map("b")),
        (config_map("b"), Source::Kubernetes),
    ] {
        for order in [[&first, &second], [&second, &first]] {
            let store = store();
            for source in order {
                let value = if *source == first { "192.0.2.1" } else { "192.0.2.2" };
                store.hot_reload(source, &[rrset(&format!("example.org 300 A {value}"))]).unwrap();
            }
            let both = [format!("{first}: 300 A 192.0.2.1"), format!("[{second}: 300 A 192.0.2.2]")];
            assert_eq!(at(&store, "example.org"), both);
            store.delete(&first, &name("example.org"), None, None).unwrap();
            assert_eq!(at(&store, "example.org"), [format!("{second}: 300 A 192.0.2.2")]);
        }
    }
}

#[test]
fn what_a_zone_file_has_is_hidden_by_the_api_and_comes_back() {
    let store = store();
    put_zone(
        &store,
        zone("example.org", 1, &["www.example.org 300 A 192.0.2.1", "www.example.org 300 TXT file"]),
    );
    store.update(&Source::Api, rrset("www.example.org 60 A 192.0.2.9"), None).unwrap();
    assert_eq!(
        at(&store, "www.example.org"),
        ["api: 60 A 192.0.2.9", "file:zone: 300 TXT file", "[file:zone: 300 A 192.0.2.1]"]
    );
    // A new version of the file changes what is hidden, not what is served.
    put_zone(&store, zone("example.org", 2, &["www.example.org 300 A 192.0.2.2"]));
    assert_eq!(at(&store, "www.example.org"), ["api: 60 A 192.0.2.9", "[file:zone: 300 A 192.0.2.2]"]);
    store.delete(&Source::Api, &name("www.example.org"), Some(RecordType::A), None).unwrap();
    assert_eq!(at(&store, "www.example.org"), ["file:zone: 300 A 192.0.2.2"]);
}

#[test]
fn an_alias_and_other_data_of_two_sources_hide_each_other_by_precedence() {
    let store = store();
    store.create(&Source::Config, rrset("www.example.org 300 CNAME a.example.org"), None).unwrap();
    let others = rrsets(&["www.example.org 300 A 192.0.2.1", "www.example.org 300 TXT x"]);
    store.hot_reload(&Source::Kubernetes, &others).unwrap();
    assert_eq!(
        at(&store, "www.example.org"),
        ["config: 300 CNAME a.example.org.", "[kubernetes: 300 A 192.0.2.1]", "[kubernetes: 300 TXT x]"]
    );
    store.create(&Source::Api, rrset("www.example.org 300 AAAA 2001:db8::1"), None).unwrap();
    assert_eq!(
        at(&store, "www.example.org"),
        [
            "kubernetes: 300 A 192.0.2.1",
            "kubernetes: 300 TXT x",
            "api: 300 AAAA 2001:db8::1",
            "[config: 300 CNAME a.example.org.]"
        ]
    );
}

#[test]
fn values_of_acme_challenges_stand_beside_those_of_others() {
    let store = store();
    let challenge = |value: &str| rrset(&format!("_acme-challenge.example.org 60 TXT {value}"));
    store.create(&Source::Api, rrset("_acme-challenge.example.org 300 TXT verified"), None).unwrap();
    for value in ["one", "two"] {
        let add = ChangeSet::new().and(Change::Add(challenge(value)));
        store.partial_reload(&Source::Acme, &add).unwrap();
    }
    let txt = || store.get(&name("_acme-challenge.example.org"), RecordType::TXT).unwrap();
    assert_eq!(support::text(&txt().rrset), "60 TXT verified | one | two");
    assert_eq!(txt().source, Source::Api);
    let remove = ChangeSet::new().and(Change::Remove(challenge("one")));
    store.partial_reload(&Source::Acme, &remove).unwrap();
    assert_eq!(support::text(&txt().rrset), "60 TXT verified | two");
    store.delete(&Source::Api, &name("_acme-challenge.example.org"), None, None).unwrap();
    assert_eq!(support::text(&txt().rrset), "60 TXT two");
    assert_eq!(txt().source, Source::Acme);
}

#[test]
fn no_source_deletes_what_another_has() {
    let store = store();
    let www = name("www.example.org");
    store.create(&config_map("a"), rrset("www.example.org 300 A 192.0.2.1"), None).unwrap();
    store.hot_reload(&config_map("b"), &rrsets(&["b.example.org 300 A 192.0.2.2"])).unwrap();
    store.hot_reload(&config_map("b"), &[]).unwrap();
    assert_eq!(at(&store, "www.example.org"), ["configmap:dns/a: 300 A 192.0.2.1"]);
    let foreign = store.delete(&Source::Api, &www, None, None);
    assert!(matches!(foreign, Err(StoreError::Foreign(_))), "{foreign:?}");
    let missing = store.delete(&Source::Api, &www, Some(RecordType::TXT), None);
    assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
}

#[test]
fn what_came_with_a_zone_is_not_deleted_on_its_own() {
    let store = store();
    let built = zone("example.org", 1, &["www.example.org 300 A 192.0.2.1"]);
    store.put_zone(&Source::Api, built, dns_store::ZoneOptions::default()).unwrap();
    let error = store.delete(&Source::Api, &name("www.example.org"), Some(RecordType::A), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "www.example.org. A came with the zone example.org. and can only be deleted by changing the zone"
    );
    // Written again on its own it can be, and then the zone's is back.
    store.update(&Source::Api, rrset("www.example.org 300 A 192.0.2.2"), None).unwrap();
    assert_eq!(at(&store, "www.example.org"), ["api: 300 A 192.0.2.2", "[api: 300 A 192.0.2.1]"]);
    store.delete(&Source::Api, &name("www.example.org"), Some(RecordType::A), None).unwrap();
    assert_eq!(at(&store, "www.example.org"), ["api: 300 A 192.0.2.1"]);
}

#[test]
fn other_precedence_serves_other_records_at_once() {
    let store = store();
    put_zone(&store, zone("example.org", 1, &["www.example.org 300 A 192.0.2.1"]));
    store.update(&Source::Api, rrset("www.example.org 300 A 192.0.2.2"), None).unwrap();
    let serial = support::serial(&store, "example.org");
    let precedence = vec![vec![SourceKind::File], vec![SourceKind::Api]];
    store.set_options(&StoreOptions { precedence, ..store.options() }).unwrap();
    assert_eq!(at(&store, "www.example.org"), ["file:zone: 300 A 192.0.2.1", "[api: 300 A 192.0.2.2]"]);
    assert_eq!(support::serial(&store, "example.org"), serial + 1);
    assert_eq!(
        store.set_options(&store.options()).unwrap(),
        store.version(),
        "the same options change nothing"
    );
}

#[test]
fn ttl_bounds_are_for_records_that_people_and_controllers_write() {
    for (source, ttl, fits) in [
        (Source::Config, 59, false),
        (Source::Config, 60, true),
        (Source::Api, 86_400, true),
        (Source::Api, 86_401, false),
        (config_map("a"), 0, false),
        (Source::Kubernetes, 1, false),
        (Source::Acme, 1, false),
        (file(), 0, true),
        (Source::Transfer("primary".into()), 2_147_483_647, true),
        (Source::Update("key".into()), 0, true),
    ] {
        let result = store().create(&source, rrset(&format!("example.org {ttl} A 192.0.2.1")), None);
        assert_eq!(result.is_ok(), fits, "{source} {ttl}: {result:?}");
    }
    let options = StoreOptions { ttl_bounds: 1..=10, ..StoreOptions::default() };
    let store = store();
    store.set_options(&options).unwrap();
    store.create(&Source::Api, rrset("example.org 5 A 192.0.2.1"), None).unwrap();
}

#[test]
fn preconditions_look_at_what_the_source_has_itself() {
    let store = store();
    store.create(&config_map("a"), rrset("www.example.org 300 A 192.0.2.1"), None).unwrap();
    let www = name("www.example.org");
    let put = || ChangeSet::new().and(Change::Put(rrset("www.example.org 300 A 192.0.2.2")));
    let version = store.version();
    for (precondition, error) in [
        (Precondition::Exists(www.clone(), None), "www.example.org. does not exist"),
        (
            Precondition::Equals(rrset("www.example.org 300 A 192.0.2.1")),
            "www.example.org. A has other values than expected",
        ),
        (Precondition::Version(version + 1), "the records are at version 1, not 2"),
    ] {
        let result = store.partial_reload(&Source::Api, &put().when(precondition));
        assert_eq!(result.unwrap_err().to_string(), error);
        assert_eq!(store.version(), version);
    }
    let absent =
        put().when(Precondition::Absent(www, Some(RecordType::A))).when(Precondition::Version(version));
    assert_eq!(store.partial_reload(&Source::Api, &absent).unwrap(), version + 1);
    let again = store.partial_reload(&Source::Api, &absent).unwrap_err();
    assert!(matches!(again, StoreError::Precondition(_)), "{again}");
}

#[test]
fn what_is_not_served_is_counted_by_kind_and_listed_in_order() {
    let store = store();
    let records = ["c", "a", "b", "x"].map(|label| rrset(&format!("{label}.example.org 300 A 192.0.2.1")));
    store.hot_reload(&Source::Config, &records).unwrap();
    assert!(store.shadowed(SourceKind::Config, 9).counts.is_empty());
    let records = ["a", "b", "c"].map(|label| format!("{label}.example.org 300 A 192.0.2.2"));
    put_zone(&store, zone("example.org", 1, &records.each_ref().map(String::as_str)));
    store.create(&Source::Api, rrset("x.example.org 300 TXT api"), None).unwrap();
    store.update(&Source::Api, rrset("a.example.org 300 A 192.0.2.3"), None).unwrap();

    let shadowed = store.shadowed(SourceKind::Config, 2);
    let owners: Vec<String> = shadowed.found.iter().map(|found| found.rrset.owner().to_string()).collect();
    assert_eq!(owners, ["a.example.org.", "b.example.org."]);
    assert!(shadowed.found.iter().all(|found| found.shadowed && found.source == Source::Config));
    assert_eq!(shadowed.counts, [(SourceKind::File, 1), (SourceKind::Config, 3)].into());
}
