//! Properties of all RDATA: what is written reads back, canonical form is a fixed point, names are names.

mod rdata_support;

use dns_core::{Name, RecordType, rdata};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use rdata_support::{examples, read, write};

type Octets = BoxedStrategy<Vec<u8>>;

fn octets(count: impl Into<proptest::collection::SizeRange>) -> Octets {
    vec(any::<u8>(), count).boxed()
}

fn constant(octets: &'static [u8]) -> Octets {
    Just(octets.to_vec()).boxed()
}

fn join(parts: Vec<Octets>) -> Octets {
    parts.prop_map(|parts| parts.concat()).boxed()
}

fn name() -> Octets {
    let label = vec(any::<u8>(), 1..20);
    let labels = vec(label, 0..8);
    labels.prop_map(|labels| labels.iter().flat_map(|label| counted(label)).chain([0]).collect()).boxed()
}

fn counted(octets: &[u8]) -> Vec<u8> {
    [&[octets.len() as u8], octets].concat()
}

fn text() -> Octets {
    octets(0..256).prop_map(|text| counted(&text)).boxed()
}

fn texts() -> Octets {
    vec(text(), 1..4).prop_map(|texts| texts.concat()).boxed()
}

fn types() -> Octets {
    let windows = btree_map(any::<u8>(), (octets(0..32), 1..=255u8), 0..4);
    let window = |(window, (mut bits, last)): (u8, (Vec<u8>, u8))| {
        bits.push(last);
        [vec![window], counted(&bits)].concat()
    };
    windows.prop_map(move |windows| windows.into_iter().flat_map(window).collect()).boxed()
}

/// Parameters by key, `mandatory` naming some of them.
fn svc_params() -> Octets {
    let protocols =
        vec(octets(1..9).prop_map(|protocol| counted(&protocol)), 1..4).prop_map(|list| list.concat());
    let param = |key: u16, value: Octets| (Just(key), proptest::option::of(value));
    let known = (
        param(1, protocols.boxed()),
        param(3, octets(2)),
        param(4, vec(octets(4), 1..3).prop_map(|list| list.concat()).boxed()),
        param(5, octets(1..40)),
        param(6, vec(octets(16), 1..3).prop_map(|list| list.concat()).boxed()),
        param(7, octets(1..20)),
        param(8, constant(b"")),
        param(9, vec(octets(2), 1..3).prop_map(|list| list.concat()).boxed()),
    );
    let unknown = btree_map(10..65535u16, octets(0..20), 0..3);
    let mandatory = btree_set(1..10u16, 0..4);
    (known, unknown, mandatory)
        .prop_map(|((alpn, port, v4, ech, v6, path, ohttp, groups), mut params, mandatory)| {
            for (key, value) in [alpn, port, v4, ech, v6, path, ohttp, groups] {
                params.extend(value.map(|value| (key, value)));
            }
            let mandatory: Vec<u8> = mandatory
                .iter()
                .filter(|key| params.contains_key(key))
                .flat_map(|key| key.to_be_bytes())
                .collect();
            if !mandatory.is_empty() {
                params.insert(0, mandatory);
            }
            let mut wire = Vec::new();
            for (key, value) in params {
                wire.extend_from_slice(&key.to_be_bytes());
                wire.extend_from_slice(&(value.len() as u16).to_be_bytes());
                wire.extend_from_slice(&value);
            }
            wire
        })
        .boxed()
}

fn prefixes() -> Octets {
    let item = (any::<bool>(), any::<bool>(), octets(0..4), 0..=32u8, 1..=255u8).prop_map(
        |(v6, negated, mut address, prefix, last)| {
            address.push(last);
            let negation = if negated { 0x80 } else { 0 };
            [vec![0, 1 + u8::from(v6), prefix, negation | address.len() as u8], address].concat()
        },
    );
    vec(item, 0..4).prop_map(|items| items.concat()).boxed()
}

fn location() -> Octets {
    let size = (1..10u8, 0..10u8).prop_map(|(digit, power)| digit << 4 | power);
    let angle = |degrees: i64| {
        (-degrees * 3_600_000..=degrees * 3_600_000)
            .prop_map(|angle| (((1i64 << 31) + angle) as u32).to_be_bytes())
    };
    (vec(size, 3), angle(90), angle(180), any::<[u8; 4]>())
        .prop_map(|(sizes, latitude, longitude, altitude)| {
            [&[0], &sizes[..], &latitude, &longitude, &altitude].concat()
        })
        .boxed()
}

/// Precedence, the octet that tells the gateway, and the gateway.
fn gateway(between: &'static [u8], discovery: u8) -> Octets {
    let kind = prop_oneof![
        constant(b"").prop_map(|gateway| (0, gateway)),
        octets(4).prop_map(|gateway| (1, gateway)),
        octets(16).prop_map(|gateway| (2, gateway)),
        name().prop_map(|gateway| (3, gateway)),
    ];
    (any::<u8>(), kind)
        .prop_map(move |(precedence, (kind, gateway))| {
            [&[precedence, kind | discovery], between, &gateway[..]].concat()
        })
        .boxed()
}

fn address_suffix() -> Octets {
    (0..=128u32, any::<u128>(), name())
        .prop_map(|(prefix, address, name)| {
            let suffix = address.checked_shr(prefix).unwrap_or(0).to_be_bytes();
            let name = if prefix == 0 { vec![] } else { name };
            [&[prefix as u8], &suffix[prefix as usize / 8..], &name].concat()
        })
        .boxed()
}

/// Well-formed RDATA of a type, described here once more and apart from the table.
fn well_formed(mnemonic: &str) -> Octets {
    let tag = "[a-zA-Z0-9]{1,15}".prop_map(|tag| counted(tag.as_bytes())).boxed();
    let hash = octets(1..40).prop_map(|hash| counted(&hash)).boxed();
    match mnemonic {
        "A" => octets(4),
        "AAAA" => octets(16),
        "NS" | "CNAME" | "PTR" | "DNAME" | "MD" | "MF" | "MB" | "MG" | "MR" | "NSAP-PTR" => name(),
        "SOA" => join(vec![name(), name(), octets(20)]),
        "MX" | "KX" | "RT" | "AFSDB" | "LP" => join(vec![octets(2), name()]),
        "RP" | "MINFO" | "TALINK" => join(vec![name(), name()]),
        "PX" => join(vec![octets(2), name(), name()]),
        "DSYNC" => join(vec![octets(5), name()]),
        "SRV" => join(vec![octets(6), name()]),
        "TXT" | "SPF" | "NINFO" | "AVC" | "RESINFO" | "WALLET" | "CLA" => texts(),
        "HINFO" | "ISDN" => join(vec![text(), text()]),
        "X25" => text(),
        "GPOS" => join(vec![text(), text(), text()]),
        "NAPTR" => join(vec![octets(4), text(), text(), text(), name()]),
        "RRSIG" | "SIG" => join(vec![octets(18), name(), octets(1..200)]),
        "DNSKEY" | "CDNSKEY" | "DS" | "CDS" | "TA" | "DLV" | "CERT" => octets(6..200),
        "KEY" | "RKEY" => octets(4..100),
        "NSEC" => join(vec![name(), types()]),
        "NSEC3" => join(vec![octets(4), text(), hash, types()]),
        "NSEC3PARAM" => join(vec![octets(4), text()]),
        "CSYNC" => join(vec![octets(6), types()]),
        "NXT" => join(vec![
            name(),
            (0..0x80u8, octets(0..14), 1..=255u8)
                .prop_map(|(first, middle, last)| [vec![first], middle, vec![last]].concat())
                .boxed(),
        ]),
        "SVCB" | "HTTPS" => join(vec![octets(2), name(), svc_params()]),
        "CAA" => join(vec![octets(1), tag, octets(0..300)]),
        "URI" => join(vec![octets(4), octets(0..300)]),
        "TLSA" | "SMIMEA" | "SSHFP" | "SINK" => octets(4..80),
        "ZONEMD" => octets(18..80),
        "OPENPGPKEY" | "DHCID" | "HHIT" | "BRID" | "EID" | "NIMLOC" | "NSAP" => octets(1..100),
        "EUI48" | "L32" => octets(6),
        "EUI64" | "IPN" => octets(8),
        "NID" | "L64" => octets(10),
        "LOC" => location(),
        "APL" => prefixes(),
        "HIP" => join(vec![
            (octets(1..20), any::<u8>(), octets(1..50))
                .prop_map(|(tag, algorithm, key)| {
                    [&[tag.len() as u8, algorithm], &(key.len() as u16).to_be_bytes()[..], &tag, &key]
                        .concat()
                })
                .boxed(),
            vec(name(), 0..3).prop_map(|names| names.concat()).boxed(),
        ]),
        "IPSECKEY" => join(vec![gateway(b"\x02", 0), octets(0..40)]),
        "AMTRELAY" => prop_oneof![gateway(b"", 0), gateway(b"", 0x80)].boxed(),
        "DOA" => join(vec![octets(9), text(), octets(0..40)]),
        "A6" => address_suffix(),
        "WKS" => join(vec![
            octets(5),
            (octets(0..20), 1..=255u8).prop_map(|(bits, last)| [bits, vec![last]].concat()).boxed(),
        ]),
        "ATMA" => join(vec![constant(b"\0"), octets(1..21)]),
        _ => panic!("no strategy for {mnemonic}"),
    }
}

fn with_format() -> Vec<RecordType> {
    RecordType::ALL.iter().copied().filter(|&rtype| rdata::has_format(rtype)).collect()
}

/// What holds for well-formed RDATA.
#[track_caller]
fn check(rtype: RecordType, wire: &[u8]) {
    assert_eq!(rdata::validate(rtype, wire), Ok(()), "{rtype} {wire:02x?}");
    let text = write(rtype, wire);
    assert_eq!(read(rtype, &text), wire, "{rtype} {text}");
    // Text is one line of printable ASCII, fit for zone files and for JSON alike.
    assert!(text.bytes().all(|octet| (0x20..0x7f).contains(&octet)), "{rtype} {text}");

    let mut end = 0;
    let mut lowered = wire.to_vec();
    for found in rdata::embedded_names(rtype, wire) {
        assert!(found.range.start >= end, "{rtype} {text}");
        end = found.range.end;
        Name::from_wire(&wire[found.range.clone()]).unwrap();
        if found.lower_in_canonical {
            lowered[found.range].make_ascii_lowercase();
        }
    }
    let mut canonical = wire.to_vec();
    rdata::canonicalize(rtype, &mut canonical);
    assert_eq!(canonical, lowered, "{rtype} {text}");
    rdata::canonicalize(rtype, &mut canonical);
    assert_eq!(canonical, lowered, "{rtype} {text}");

    // In a message without compression it is the same.
    let message = [&[0; 12], wire].concat();
    let mut out = Vec::new();
    rdata::decompress(rtype, &message, 12..message.len(), &mut out).unwrap();
    assert_eq!(out, wire, "{rtype} {text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_rdata_is_written_and_read(
        (rtype, wire) in select(with_format()).prop_flat_map(|rtype| (Just(rtype), well_formed(&rtype.to_string())))
    ) {
        prop_assert!(!write(rtype, &wire).starts_with(r"\# "), "{} {:02x?}", rtype, wire);
        check(rtype, &wire);
    }

    /// Octets that are none of their type are written in generic form, and refused when they are read back.
    #[test]
    fn any_octets_are_written(rtype in select(with_format()), wire in vec(any::<u8>(), 0..60)) {
        let text = write(rtype, &wire);
        if rdata::validate(rtype, &wire).is_ok() {
            check(rtype, &wire);
        } else {
            prop_assert!(text.starts_with(r"\# "), "{}", text);
            prop_assert!(rdata::from_text(rtype, &text, None).is_err());
            rdata::embedded_names(rtype, &wire).for_each(drop);
            rdata::canonicalize(rtype, &mut wire.clone());
        }
    }

    #[test]
    fn types_without_a_format_take_any_octets(number in 265..32768u16, wire in vec(any::<u8>(), 0..60)) {
        check(RecordType(number), &wire);
    }

    /// Examples with a few octets changed come closer to the edges than random octets.
    #[test]
    fn damaged_examples_are_handled(
        example in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let examples = examples();
        let example = example.get(&examples);
        let mut wire = example.wire.clone();
        for (at, octet) in changes {
            if !wire.is_empty() {
                *at.get_mut(&mut wire) = octet;
            }
        }
        match rdata::validate(example.rtype, &wire) {
            Ok(()) => check(example.rtype, &wire),
            Err(_) => prop_assert!(write(example.rtype, &wire).starts_with(r"\# ")),
        }
    }

    /// Whatever text is taken, the octets are well-formed.
    #[test]
    fn any_text_is_handled(rtype in select(with_format()), text in "[0-9a-fA-F.:\\\\#\" @-]{0,40}|\\PC{0,40}") {
        if let Ok(wire) = rdata::from_text(rtype, &text, Some(b"\0")) {
            check(rtype, &wire);
        }
    }

    /// Nothing in a message makes decompression fail other than by an error, or give other than valid RDATA.
    #[test]
    fn any_message_is_handled(rtype in select(with_format()), message in vec(any::<u8>(), 0..80), at in 0..80usize) {
        let mut out = Vec::new();
        let range = at.min(message.len())..message.len();
        if rdata::decompress(rtype, &message, range, &mut out).is_ok() {
            check(rtype, &out);
        } else {
            prop_assert!(out.is_empty());
        }
    }
}
