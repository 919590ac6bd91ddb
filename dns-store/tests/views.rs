//! Views: each with its own zones and records, in one catalog.

mod support;

use std::sync::Arc;

use dns_core::{Network, RecordType, ViewSpec};
use dns_store::{Event, Source, Store, StoreOptions, ZoneOptions};

use support::{file, name, rrset, rrsets, store, text, zone};

fn view(name: &str, clients: &[&str]) -> ViewSpec {
    let clients = clients.iter().map(|client| client.parse::<Network>().unwrap()).collect();
    ViewSpec { name: name.into(), clients, listeners: Vec::new(), shared: true }
}

fn served(store: &Store, owner: &str) -> Option<String> {
    store.get(&name(owner), RecordType::A).map(|found| text(&found.rrset))
}

#[test]
fn each_view_has_its_own_records_at_one_version() {
    let store = store();
    store.set_views(&[view("inside", &["10.0.0.0/8"]), view("lab", &["10.9.0.0/16"])]);
    let inside = store.view("inside").unwrap();
    store.create(&Source::Api, rrset("www.example.org 300 A 192.0.2.1"), None).unwrap();
    let version = inside.create(&Source::Api, rrset("www.example.org 300 A 10.0.0.1"), None).unwrap();
    assert_eq!((store.version(), inside.version()), (version, version));
    assert_eq!(served(&store, "www.example.org").as_deref(), Some("300 A 192.0.2.1"));
    assert_eq!(served(&inside, "www.example.org").as_deref(), Some("300 A 10.0.0.1"));
    assert_eq!(served(&store.view("lab").unwrap(), "www.example.org"), None);
    assert!(store.view("nowhere").is_none());

    // A precondition on the version counts changes in every view.
    let stale = inside.update(&Source::Api, rrset("www.example.org 300 A 10.0.0.2"), Some(version - 1));
    assert!(stale.unwrap_err().to_string().contains("version"));
    store.update(&Source::Api, rrset("www.example.org 300 A 192.0.2.9"), Some(version)).unwrap();
    assert_eq!(served(&inside, "www.example.org").as_deref(), Some("300 A 10.0.0.1"));
}

#[test]
fn zones_and_reloads_stay_within_their_view() {
    let store = store();
    store.set_views(&[view("inside", &["10.0.0.0/8"])]);
    let inside = store.view("inside").unwrap();
    store
        .put_zone(
            &file(),
            zone("example.org.", 1, &["www.example.org. 300 A 192.0.2.1"]),
            ZoneOptions::default(),
        )
        .unwrap();
    inside
        .put_zone(
            &file(),
            zone("example.org.", 7, &["www.example.org. 300 A 10.0.0.1"]),
            ZoneOptions::default(),
        )
        .unwrap();
    inside.hot_reload(&Source::Config, &rrsets(&["db.example.org 300 A 10.0.0.2"])).unwrap();
    store.hot_reload(&Source::Config, &[]).unwrap();
    assert_eq!(served(&inside, "db.example.org").as_deref(), Some("300 A 10.0.0.2"));
    assert_eq!(served(&store, "db.example.org"), None);
    inside.drop_zone(&file(), &name("example.org")).unwrap();
    assert_eq!(served(&store, "www.example.org").as_deref(), Some("300 A 192.0.2.1"));
}

#[test]
fn views_that_stay_keep_their_records_and_those_that_go_lose_them() {
    let store = store();
    let mut watch = store.watch();
    store.set_views(&[view("a", &["10.0.0.0/8"]), view("b", &["10.1.0.0/16"])]);
    let (a, b) = (store.view("a").unwrap(), store.view("b").unwrap());
    a.create(&Source::Api, rrset("www.example.org 300 A 10.0.0.1"), None).unwrap();
    b.create(&Source::Api, rrset("www.example.org 300 A 10.1.0.1"), None).unwrap();
    let version = store.set_views(&[view("b", &["10.1.0.0/16"]), view("c", &["10.2.0.0/16"])]);
    assert_eq!(store.set_views(&[view("b", &["10.1.0.0/16"]), view("c", &["10.2.0.0/16"])]), version);
    assert!(store.view("a").is_none());
    assert_eq!(served(&store.view("b").unwrap(), "www.example.org").as_deref(), Some("300 A 10.1.0.1"));

    // Whoever still holds the one that is gone writes where nobody reads.
    a.create(&Source::Api, rrset("gone.example.org 300 A 10.0.0.1"), None).unwrap();
    assert_eq!(store.version(), version);
    let catalog = store.snapshot();
    let views: Vec<&str> = catalog.views().iter().map(|view| view.name()).collect();
    assert_eq!(views, ["default", "b", "c"]);

    let events: Vec<Event> = std::iter::from_fn(|| watch.try_next()).collect();
    let views: Vec<&str> = events
        .iter()
        .map(|event| match event {
            Event::Changed(changed) => &*changed.view,
            Event::Views { .. } => "views",
            _ => "other",
        })
        .collect();
    assert_eq!(views, ["views", "a", "b", "views"]);
}

#[test]
fn options_count_in_every_view() {
    let store = store();
    store.set_views(&[view("inside", &["10.0.0.0/8"])]);
    let inside = store.view("inside").unwrap();
    inside.create(&Source::Api, rrset("www.example.org 300 A 10.0.0.1"), None).unwrap();
    let mut options: StoreOptions = store.options();
    options.derived.ns = vec![name("ns.example.net")];
    options.policy.minimal_responses = true;
    store.set_options(&options).unwrap();
    assert_eq!((store.options(), inside.options()), (options.clone(), options));
    assert!(store.snapshot().policy().minimal_responses);
    let catalog = store.snapshot();
    let entry = catalog.view("inside").unwrap().zone(&name("www.example.org")).unwrap();
    let ns = entry.zone().unwrap().apex_node().rrset(RecordType::NS).unwrap();
    let mut hosts = Vec::new();
    ns.for_each_rdata(entry.apex.as_wire(), |rdata| hosts.push(rdata.to_vec()));
    assert_eq!(hosts, [name("ns.example.net").as_wire()]);
}

#[test]
fn what_one_view_has_dropped_is_not_kept_alive_by_another() {
    let store = store();
    store.set_views(&[view("inside", &["10.0.0.0/8"])]);
    let inside = store.view("inside").unwrap();
    inside.create(&Source::Api, rrset("www.example.net 300 A 10.0.0.1"), None).unwrap();
    store.put_zone(&file(), zone("example.org.", 1, &[]), ZoneOptions::default()).unwrap();
    let catalog = store.snapshot();
    let old = Arc::downgrade(&catalog.views()[0]);
    drop(catalog);
    store.drop_zone(&file(), &name("example.org")).unwrap();
    assert_eq!(old.strong_count(), 0);
}

#[test]
fn the_closest_network_and_then_the_listener_choose_the_view() {
    let store = store();
    let at_listener = |name: &str, clients: &[&str], listener| ViewSpec {
        listeners: vec![listener],
        ..view(name, clients)
    };
    store.set_views(&[
        view("wide", &["10.0.0.0/8", "2001:db8::/32"]),
        view("narrow", &["10.1.0.0/16"]),
        at_listener("management", &[], 2),
        at_listener("office", &["10.1.0.0/16"], 1),
    ]);
    let catalog = store.snapshot();
    let view = |listener, client: &str| {
        let place = catalog.view_at(listener, || client.parse().unwrap());
        catalog.scope_at(place).unwrap().view.name().to_owned()
    };
    for (listener, client, expected) in [
        (0, "192.0.2.1", "default"),
        (0, "10.2.0.1", "wide"),
        (0, "10.1.0.1", "narrow"),
        (0, "::ffff:10.1.0.1", "narrow"),
        (0, "2001:db8::1", "wide"),
        (1, "10.1.0.1", "office"),
        (1, "10.2.0.1", "wide"),
        (1, "192.0.2.1", "default"),
        (2, "192.0.2.1", "management"),
        (2, "10.1.0.1", "narrow"),
        (2, "2001:db9::1", "management"),
        (9, "10.1.0.1", "narrow"),
    ] {
        assert_eq!(view(listener, client), expected, "{client} at {listener}");
    }
}
