//! Orders of addresses.

use std::collections::{BTreeMap, BTreeSet};

use maxminddb_writer::Database;
use maxminddb_writer::metadata::IpVersion;
use maxminddb_writer::paths::IpAddrWithMask;

use super::answers::{QNAME_AT, Written, pointer};
use super::*;

/// The addresses of an answer once the rules have ordered them, without what they begin with.
fn ordered(set: &RuleSet, addresses: &[&str], client: &str, turn: &mut Turn) -> String {
    let mut written = Written::new();
    for address in addresses {
        written.address(&pointer(QNAME_AT), address);
    }
    let transformed = written.transform(set, client, turn);
    assert_eq!((transformed.end, transformed.emptied), (written.message.len(), false));
    let records = written.records();
    records.iter().map(|record| record.rsplit(' ').next().unwrap()).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(rules: &str, client: &str, addresses: &str, expected: &str) {
    let addresses: Vec<&str> = addresses.split(' ').collect();
    assert_eq!(ordered(&compile(rules), &addresses, client, &mut Turn::new(1)), expected);
}

#[test]
fn a_fixed_order_takes_the_first_network_that_has_an_address() {
    check(
        "a: => fixed 10.2.0.0/16 10.0.0.0/8 192.0.2.0/24",
        "192.0.2.1",
        "198.51.100.1 192.0.2.1 10.1.0.1 10.2.0.1 10.1.0.2 203.0.113.1",
        "10.2.0.1 10.1.0.1 10.1.0.2 192.0.2.1 198.51.100.1 203.0.113.1",
    );
    // The wider network stands first, so the closer one does not matter.
    check(
        "a: => fixed 10.0.0.0/8 192.0.2.0/24 10.2.0.0/16",
        "192.0.2.1",
        "192.0.2.1 10.1.0.1 10.2.0.1",
        "10.1.0.1 10.2.0.1 192.0.2.1",
    );
}

#[test]
fn families_are_ordered_apart() {
    check(
        "a: => fixed 192.0.2.2 2001:db8::2",
        "192.0.2.1",
        "192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2",
        "192.0.2.2 192.0.2.1 2001:db8::2 2001:db8::1",
    );
}

#[test]
fn names_are_ordered_apart() {
    let mut written = Written::new();
    for address in ["192.0.2.1", "192.0.2.2"] {
        written.address(&pointer(QNAME_AT), address);
    }
    let other = written.address(b"\x05other\xc0\x10", "192.0.2.3");
    written.address(&pointer(other), "192.0.2.2");
    written.transform(&compile("a: => fixed 192.0.2.2"), "192.0.2.1", &mut Turn::new(1));
    assert_eq!(
        written.records(),
        ["www 300 A 192.0.2.2", "www 300 A 192.0.2.1", "other 300 A 192.0.2.2", "other 300 A 192.0.2.3"]
    );
}

#[test]
fn rotation_begins_one_further_each_time() {
    let set = compile("a: => rotate");
    let mut turn = Turn::new(0);
    let mut next = || ordered(&set, &["192.0.2.0", "192.0.2.1", "192.0.2.2"], "192.0.2.1", &mut turn);
    assert_eq!(next(), "192.0.2.1 192.0.2.2 192.0.2.0");
    assert_eq!(next(), "192.0.2.2 192.0.2.0 192.0.2.1");
    assert_eq!(next(), "192.0.2.0 192.0.2.1 192.0.2.2");
    assert_eq!(next(), "192.0.2.1 192.0.2.2 192.0.2.0");
}

#[test]
fn shuffling_gives_every_order_about_as_often() {
    let set = compile("a: => random");
    let mut turn = Turn::new(7);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..6000 {
        let order = ordered(&set, &["192.0.2.1", "192.0.2.2", "192.0.2.3"], "192.0.2.1", &mut turn);
        *seen.entry(order).or_default() += 1;
    }
    assert_eq!(seen.len(), 6);
    // 1000 of each are expected; the standard deviation is 29.
    assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
}

#[test]
fn the_longest_common_prefix_comes_first() {
    check(
        "a: => nearest",
        "192.0.2.65",
        "10.0.0.1 192.0.3.1 192.0.2.1 192.0.2.64 192.0.2.65 10.0.0.2",
        "192.0.2.65 192.0.2.64 192.0.2.1 192.0.3.1 10.0.0.1 10.0.0.2",
    );
    check("a: => nearest", "2001:db8::1", "2001:db9::1 2001:db8::2", "2001:db8::2 2001:db9::1");
    check("a: => nearest", "2001:db8::1", "192.0.2.2 192.0.2.1", "192.0.2.2 192.0.2.1");
}

#[test]
fn all_records_of_a_large_answer_stay() {
    let addresses: Vec<String> =
        (0..2000).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    for order in ["rotate", "random", "nearest", "fixed 10.0.3.0/24"] {
        let set = compile(&format!("a: => {order}"));
        let text = ordered(&set, &addresses, "10.0.7.7", &mut Turn::new(3));
        let all: BTreeSet<&str> = text.split(' ').collect();
        assert_eq!(all, addresses.iter().copied().collect(), "{order}");
    }
}

/// A database with a few places; nested as MaxMind has it, or flat.
fn database(flat: bool, networks: &[(&str, f64, f64)]) -> Vec<u8> {
    let mut database = Database::default();
    database.metadata.binary_format_major_version = 2;
    database.metadata.ip_version = IpVersion::V4;
    for (network, latitude, longitude) in networks {
        let place = BTreeMap::from([("latitude", *latitude), ("longitude", *longitude)]);
        let entry = if flat {
            database.insert_value(place)
        } else {
            database.insert_value(BTreeMap::from([("location", place)]))
        };
        database.insert_node(network.parse::<IpAddrWithMask>().unwrap(), entry.unwrap());
    }
    database.write_to(Vec::new()).unwrap()
}

const NEW_YORK: (&str, f64, f64) = ("10.1.0.0/16", 40.7, -74.0);
const BERLIN: (&str, f64, f64) = ("10.2.0.0/16", 52.5, 13.4);
const TOKYO: (&str, f64, f64) = ("10.3.0.0/16", 35.7, 139.7);
const ANADYR: (&str, f64, f64) = ("10.4.0.0/16", 64.7, 177.5);
const NOME: (&str, f64, f64) = ("10.5.0.0/16", 64.5, -165.4);

#[test]
fn the_closest_place_comes_first() {
    for flat in [false, true] {
        let octets = database(flat, &[NEW_YORK, BERLIN, TOKYO, ANADYR, NOME]);
        let mut loaded = Vec::new();
        let text = "a: => place /places.mmdb\nb: => place /places.mmdb";
        let set = RuleSet::compile(&rules(text), &mut |path| {
            loaded.push(path.to_owned());
            Ok(octets.clone())
        })
        .unwrap();
        assert_eq!(loaded, [Path::new("/places.mmdb")], "each database is read once");
        let addresses = ["10.9.0.1", "10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1", "10.5.0.1"];
        for (client, expected) in [
            // By the haversine formula: 6386, 6912, 7005 and 8917 km
            ("10.2.3.4", "10.2.0.1 10.1.0.1 10.4.0.1 10.5.0.1 10.3.0.1 10.9.0.1"),
            // 813, 4081, 6769 and 6912 km; Nome lies across the date line.
            ("10.4.3.4", "10.4.0.1 10.5.0.1 10.3.0.1 10.1.0.1 10.2.0.1 10.9.0.1"),
            // Clients nobody knows, and those of a family that the database lacks, get what there is.
            ("10.9.3.4", "10.9.0.1 10.1.0.1 10.2.0.1 10.3.0.1 10.4.0.1 10.5.0.1"),
            ("2001:db8::1", "10.9.0.1 10.1.0.1 10.2.0.1 10.3.0.1 10.4.0.1 10.5.0.1"),
        ] {
            assert_eq!(ordered(&set, &addresses, client, &mut Turn::new(1)), expected, "{client}");
        }
    }
}

#[test]
fn databases_without_coordinates_are_refused() {
    let mut countries = Database::default();
    countries.metadata.binary_format_major_version = 2;
    countries.metadata.database_type = "Country".into();
    let entry = countries.insert_value(BTreeMap::from([("country_code", "DE")])).unwrap();
    countries.insert_node("10.0.0.0/8".parse::<IpAddrWithMask>().unwrap(), entry);
    let octets = countries.write_to(Vec::new()).unwrap();
    let message = |octets: &[u8]| {
        let errors =
            RuleSet::compile(&rules("a: => place x.mmdb"), &mut |_| Ok(octets.to_vec())).unwrap_err();
        errors[0].to_string()
    };
    assert_eq!(
        message(&octets),
        "rule 'a': x.mmdb is a database of the kind 'Country', which has no coordinates"
    );
    // Places that lie on no globe are none.
    let nowhere = database(true, &[("10.0.0.0/8", 91.0, 0.0), ("11.0.0.0/8", f64::NAN, 0.0)]);
    assert!(message(&nowhere).ends_with("which has no coordinates"));
}
