//! Zones that come and go, and the records that were given without one.

mod support;

use std::sync::Arc;

use dns_core::Access;
use dns_store::{Event, Source, StoreError, StoreOptions, ZoneOptions};
use support::{
    at, config_map, file, home, name, put_zone, rrset, rrsets, serial, store, zone, zone_with_signature,
};

#[test]
fn derived_zones_merge_and_fall_apart() {
    let store = store();
    let derived = |owner: &str| {
        home(&store, owner).map(|(apex, derived)| {
            assert!(derived);
            apex
        })
    };
    store.create(&Source::Api, rrset("www.example.net 300 A 192.0.2.1"), None).unwrap();
    store.create(&Source::Api, rrset("mail.example.net 300 A 192.0.2.1"), None).unwrap();
    assert_eq!(derived("www.example.net").as_deref(), Some("www.example.net."));
    assert_eq!(derived("example.net"), None);
    store.create(&Source::Api, rrset("alias.example.net 300 CNAME www.example.net"), None).unwrap();
    assert_eq!(derived("www.example.net").as_deref(), Some("example.net."));
    assert_eq!(store.snapshot().default_view().unwrap().len(), 1);
    store.delete(&Source::Api, &name("alias.example.net"), None, None).unwrap();
    assert_eq!(derived("mail.example.net").as_deref(), Some("mail.example.net."));
    assert_eq!(store.snapshot().default_view().unwrap().len(), 2);
    store.hot_reload(&Source::Api, &[]).unwrap();
    assert!(store.snapshot().default_view().unwrap().is_empty());
}

#[test]
fn one_reload_may_bring_a_zone_and_the_larger_one_that_takes_it_in() {
    let store = store();
    let records = rrsets(&[
        "example.net 300 A 192.0.2.1",
        "a.example.net 300 A 192.0.2.2",
        "b.a.example.net 300 A 192.0.2.3",
    ]);
    store.hot_reload(&Source::Config, &records).unwrap();
    for owner in ["example.net", "a.example.net", "b.a.example.net"] {
        assert_eq!(home(&store, owner), Some(("example.net.".into(), true)));
        assert_eq!(at(&store, owner).len(), 1, "{owner}");
    }
}

#[test]
fn records_move_into_a_zone_and_out_of_it() {
    let store = store();
    let records = rrsets(&["www.example.org 300 A 192.0.2.1", "x.b.example.org 300 A 192.0.2.2"]);
    store.hot_reload(&Source::Config, &records).unwrap();
    let homes = || ["www.example.org", "x.b.example.org"].map(|owner| home(&store, owner).unwrap());
    let pair = |apex: &str, derived| (apex.to_owned(), derived);
    assert_eq!(homes(), [pair("www.example.org.", true), pair("x.b.example.org.", true)]);
    put_zone(&store, zone("example.org", 1, &["x.b.example.org 300 TXT parent"]));
    assert_eq!(homes(), [pair("example.org.", false), pair("example.org.", false)]);
    assert_eq!(at(&store, "x.b.example.org"), ["config: 300 A 192.0.2.2", "file:zone: 300 TXT parent"]);
    put_zone(&store, zone("b.example.org", 1, &[]));
    assert_eq!(homes(), [pair("example.org.", false), pair("b.example.org.", false)]);
    store.drop_zone(&file(), &name("b.example.org")).unwrap();
    assert_eq!(at(&store, "x.b.example.org"), ["config: 300 A 192.0.2.2", "file:zone: 300 TXT parent"]);
    store.drop_zone(&file(), &name("example.org")).unwrap();
    assert_eq!(homes(), [pair("www.example.org.", true), pair("x.b.example.org.", true)]);
    assert_eq!(at(&store, "x.b.example.org"), ["config: 300 A 192.0.2.2"]);
}

#[test]
fn a_name_that_moves_to_a_deeper_zone_leaves_the_derived_one() {
    let store = store();
    let records = rrsets(&["b.example.org 300 A 192.0.2.1", "a.b.example.org 300 A 192.0.2.2"]);
    store.hot_reload(&Source::Config, &records).unwrap();
    put_zone(&store, zone("a.b.example.org", 1, &[]));
    let catalog = store.snapshot();
    let derived = catalog.default_view().unwrap().zone(&name("b.example.org")).unwrap().zone().unwrap();
    assert!(derived.node_of(&name("a.b.example.org")).is_none());
    assert!(at(&store, "a.b.example.org").contains(&"config: 300 A 192.0.2.2".to_owned()));
}

#[test]
fn an_alias_never_keeps_a_zone_from_loading_at_its_name() {
    let store = store();
    store.create(&Source::Api, rrset("example.org 300 CNAME www.example.com"), None).unwrap();
    // In a derived zone it stands beside the records that were made up.
    assert_eq!(at(&store, "example.org"), ["api: 300 CNAME www.example.com."]);
    let derived = serial(&store, "example.org");
    put_zone(&store, zone("example.org", 1, &[]));
    assert_eq!(serial(&store, "example.org"), derived + 1, "it comes after the derived zone");
    assert_eq!(at(&store, "example.org").last().unwrap(), "[api: 300 CNAME www.example.com.]");
    let fresh = store.create(&Source::Config, rrset("example.org 300 CNAME www.example.com"), None);
    assert!(fresh.is_err());
    let other = store.partial_reload(
        &Source::Config,
        &[dns_core::Change::Put(rrset("example.org 300 CNAME www.example.com"))].into_iter().collect(),
    );
    assert_eq!(other.unwrap_err().to_string(), "example.org. has a CNAME record beside SOA");
}

#[test]
fn a_zone_keeps_the_serial_of_its_file_until_somebody_adds_to_it() {
    let store = store();
    put_zone(&store, zone("example.org", 7, &[]));
    assert_eq!(serial(&store, "example.org"), 7);
    put_zone(&store, zone("example.org", 5, &[]));
    assert_eq!(serial(&store, "example.org"), 5, "the file has the say");
    let www = rrset("www.example.org 300 A 192.0.2.1");
    store.create(&Source::Api, www.clone(), None).unwrap();
    assert_eq!(serial(&store, "example.org"), 6);
    put_zone(&store, zone("example.org", 6, &[]));
    assert_eq!(serial(&store, "example.org"), 7, "6 was something else");
    store.delete(&Source::Api, www.owner(), None, None).unwrap();
    put_zone(&store, zone("example.org", 6, &[]));
    assert_eq!(serial(&store, "example.org"), 9);
    store.drop_zone(&file(), &name("example.org")).unwrap();
    put_zone(&store, zone("example.org", 6, &[]));
    assert_eq!(serial(&store, "example.org"), 10, "nor does it go back when the zone was away");
    put_zone(&store, zone("example.org", 2026, &[]));
    assert_eq!(serial(&store, "example.org"), 2026, "the file has caught up");
}

#[test]
fn serials_pass_the_end_of_their_numbers() {
    let store = store();
    put_zone(&store, zone("example.org", u32::MAX, &[]));
    store.create(&Source::Api, rrset("www.example.org 300 A 192.0.2.1"), None).unwrap();
    assert_eq!(serial(&store, "example.org"), 1, "0 is left out");
}

#[test]
fn what_is_hidden_does_not_touch_the_serial() {
    let store = store();
    put_zone(&store, zone("example.org", 7, &["www.example.org 300 A 192.0.2.1"]));
    store.hot_reload(&Source::Kubernetes, &rrsets(&["www.example.org 300 A 192.0.2.2"])).unwrap();
    assert_eq!(serial(&store, "example.org"), 7);
    assert_eq!(at(&store, "www.example.org").len(), 2);
}

#[test]
fn a_signed_zone_takes_nothing_from_elsewhere() {
    let store = store();
    let records = rrsets(&["a.example.org 300 A 192.0.2.1", "b.example.org 300 A 192.0.2.2"]);
    store.hot_reload(&config_map("a"), &records).unwrap();
    put_zone(&store, zone_with_signature("example.org", 3, &[], true));
    assert_eq!(serial(&store, "example.org"), 3);
    assert_eq!(at(&store, "a.example.org"), ["[configmap:dns/a: 300 A 192.0.2.1]"]);
    let error = store.create(&Source::Api, rrset("c.example.org 300 A 192.0.2.3"), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "c.example.org.: the zone example.org. is signed and takes no records from elsewhere"
    );
    // To withdraw is allowed, and to reload without a change, too.
    store.hot_reload(&config_map("a"), &records[..1]).unwrap();
    put_zone(&store, zone("example.org", 4, &[]));
    assert_eq!(at(&store, "a.example.org"), ["configmap:dns/a: 300 A 192.0.2.1"]);
    assert_eq!(at(&store, "b.example.org"), [""; 0]);
}

#[test]
fn a_zone_that_failed_is_known_and_keeps_what_others_have() {
    let store = store();
    store.fail_zone(&file(), &name("example.org"), "line 3".into(), ZoneOptions::default()).unwrap();
    store.create(&Source::Api, rrset("www.example.org 300 A 192.0.2.1"), None).unwrap();
    assert_eq!(home(&store, "www.example.org"), Some(("example.org.".into(), false)));
    assert_eq!(at(&store, "www.example.org"), ["[api: 300 A 192.0.2.1]"]);
    put_zone(&store, zone("example.org", 1, &[]));
    assert_eq!(at(&store, "www.example.org"), ["api: 300 A 192.0.2.1"]);
}

#[test]
fn a_zone_belongs_to_who_declared_it() {
    let store = store();
    put_zone(&store, zone("example.org", 1, &[]));
    let apex = name("example.org");
    let message = "the zone example.org. comes from file:zone and can only be changed there";
    let put = store.put_zone(&Source::Api, zone("example.org", 1, &[]), ZoneOptions::default());
    assert_eq!(put.unwrap_err().to_string(), message);
    assert_eq!(store.drop_zone(&Source::Api, &apex).unwrap_err().to_string(), message);
    let moved = Source::File("other".into());
    store.put_zone(&moved, zone("example.org", 2, &[]), ZoneOptions::default()).unwrap();
    store.drop_zone(&moved, &apex).unwrap();
    assert_eq!(store.drop_zone(&moved, &apex).unwrap_err().to_string(), "there is no zone example.org.");
}

#[test]
fn a_zone_gets_other_options_and_keeps_its_records() {
    let store = store();
    let access = Arc::new(Access::new(&["192.0.2.0/24".parse().unwrap()], &[]));
    let options = ZoneOptions { fallthrough: true, access: Some(access) };
    let set = |source: &Source, options: &ZoneOptions| {
        store.set_zone_options(source, &name("example.org"), options.clone())
    };
    assert!(matches!(set(&file(), &options), Err(StoreError::NotFound(_))));
    put_zone(&store, zone("example.org", 7, &["www.example.org 300 A 192.0.2.1"]));
    assert!(matches!(set(&Source::Api, &options), Err(StoreError::Foreign(_))));
    let mut watch = store.watch();
    let version = set(&Source::File("elsewhere".into()), &options).unwrap();
    let seen = || {
        let catalog = store.snapshot();
        let entry = catalog.default_view().unwrap().zone(&name("example.org")).unwrap();
        ZoneOptions { fallthrough: entry.fallthrough, access: entry.access.clone() }
    };
    assert_eq!((store.version(), seen()), (version, options.clone()));
    assert_eq!((serial(&store, "example.org"), at(&store, "www.example.org").len()), (7, 1));
    let event = watch.try_next();
    assert!(
        matches!(&event, Some(Event::Reloaded { zone, .. }) if *zone == name("example.org")),
        "{event:?}"
    );
    assert!(watch.try_next().is_none(), "no records have changed");
    assert_eq!(set(&file(), &options).unwrap(), version, "nothing is left to do");
    // They stay when somebody else adds records to the zone.
    store.create(&Source::Api, rrset("mail.example.org 300 A 192.0.2.2"), None).unwrap();
    assert_eq!(seen(), options);
    // A zone that cannot be served has options, too.
    store.fail_zone(&file(), &name("example.org"), "broken".into(), options).unwrap();
    set(&file(), &ZoneOptions::default()).unwrap();
    assert_eq!(seen(), ZoneOptions::default());
}

#[test]
fn the_root_and_wildcards_of_top_level_domains_need_a_declared_zone() {
    let store = store();
    for owner in [".", "*", "*.lan"] {
        let record = rrset(&format!("{owner} 300 A 192.0.2.1"));
        let error = store.create(&Source::Config, record.clone(), None).unwrap_err();
        assert!(error.to_string().ends_with("declare one that contains it"), "{error}");
    }
    put_zone(&store, zone(".", 1, &[]));
    for owner in [".", "*", "*.lan"] {
        store.create(&Source::Config, rrset(&format!("{owner} 300 A 192.0.2.1")), None).unwrap();
        assert!(at(&store, owner).contains(&"config: 300 A 192.0.2.1".to_owned()), "{owner}");
    }
    store.drop_zone(&file(), &name(".")).unwrap();
    assert_eq!(at(&store, "*.lan"), ["[config: 300 A 192.0.2.1]"]);
}

#[test]
fn derived_zones_follow_the_options() {
    let store = store();
    store.create(&Source::Api, rrset("example.net 300 A 192.0.2.1"), None).unwrap();
    let before = serial(&store, "example.net");
    let mut options = StoreOptions { derived_fallthrough: true, ..store.options() };
    options.derived.ns = vec![name("ns1.example.com"), name("ns2.example.com")];
    store.set_options(&options).unwrap();
    let catalog = store.snapshot();
    let entry = catalog.default_view().unwrap().zone(&name("example.net")).unwrap();
    assert!(entry.fallthrough && entry.derived);
    let apex = entry.zone().unwrap().apex_node();
    assert_eq!(apex.rrset(dns_core::RecordType::NS).unwrap().count, 2);
    assert_eq!(serial(&store, "example.net"), before + 1);
}
