//! Versions of zones against a plain map of RRsets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::Rrset;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn soa_rdata(serial: u32) -> Vec<u8> {
    let mut rdata = name("ns1.example.org").as_wire().to_vec();
    rdata.extend_from_slice(name("hostmaster.example.net").as_wire());
    for field in [serial, 3600, 600, 86_400, 300] {
        rdata.extend_from_slice(&field.to_be_bytes());
    }
    rdata
}

type Model = BTreeMap<(Name, RecordType), Rrset>;

fn apex_model() -> Model {
    let apex = name("example.org");
    let soa = Rrset::new(apex.clone(), RecordType::SOA, 3600, [soa_rdata(7)]).unwrap();
    let ns = ["ns1.example.org", "ns2.example.org", "ns.other.org", "NS.Example.NET"].map(|target| {
        let mut wire = Vec::new();
        crate::name::wire_from_text(target.as_bytes(), Some(&[0]), &mut wire).unwrap();
        wire
    });
    let ns = Rrset::new(apex.clone(), RecordType::NS, 3600, ns).unwrap();
    [((apex.clone(), RecordType::SOA), soa), ((apex, RecordType::NS), ns)].into()
}

fn build(model: &Model) -> Zone {
    let mut builder = ZoneBuilder::new(name("example.org"));
    for rrset in model.values() {
        for rdata in rrset.rdatas() {
            builder.add(
                rrset.owner().as_wire(),
                rrset.rtype(),
                rrset.ttl(),
                rdata,
                SourceTag::default(),
                Place::default(),
            );
        }
    }
    builder.finish().unwrap().zone
}

/// All names of the zone with their types, ancestors included, as the model has them.
fn model_names(model: &Model) -> BTreeMap<Name, BTreeSet<RecordType>> {
    let mut names: BTreeMap<Name, BTreeSet<RecordType>> = BTreeMap::new();
    for (owner, rtype) in model.keys() {
        names.entry(owner.clone()).or_default().insert(*rtype);
        for labels in 2..owner.label_count() {
            names.entry(owner.suffix(labels)).or_default();
        }
    }
    names
}

/// The zone says of itself what the model says.
fn check(zone: &Zone, model: &Model) {
    let names = model_names(model);
    let mut seen = BTreeSet::new();
    for node in zone.nodes() {
        assert!(seen.insert(name_of(&node)), "{node:?} twice");
    }
    assert_eq!(seen, names.keys().cloned().collect());
    for from in ["com", "example.org", "a.example.org", "b.example.org", "zz.example.org", "test"].map(name) {
        let ordered: Vec<Name> = zone.nodes_from(&from).map(|node| name_of(&node)).collect();
        assert_eq!(ordered, names.range(from..).map(|(owner, _)| owner.clone()).collect::<Vec<_>>());
    }
    assert_eq!(zone.name_count(), names.len());
    assert_eq!(zone.record_count(), model.values().map(Rrset::len).sum::<usize>());
    let mut depths = 0u128;
    for (owner, types) in &names {
        let node = zone.node_of(owner).unwrap();
        assert_eq!(node.rrsets().map(|rrset| rrset.rtype).collect::<BTreeSet<_>>(), *types, "{owner}");
        for (rrset, _) in rrsets_of(zone, &node) {
            assert_eq!(Some(&rrset), model.get(&(owner.clone(), rrset.rtype())));
        }
        let is_cut = types.contains(&RecordType::NS) && *owner != name("example.org");
        assert_eq!(node.is_zone_cut(), is_cut);
        assert_eq!(node.has_dname(), types.contains(&RecordType::DNAME));
        assert_eq!(node.has_cname(), types.contains(&RecordType::CNAME));
        assert_eq!(
            node.has_wildcard_child(),
            owner.child(b"*").is_ok_and(|child| names.contains_key(&child)),
            "{owner}"
        );
        if is_cut || node.has_dname() {
            depths |= 1 << owner.label_count();
        }
        let children = names.keys().filter(|child| child.parent().as_ref() == Some(owner)).count();
        assert_eq!(node.children() as usize, children, "{owner}");
        assert!(zone.depth_max() >= owner.label_count());
    }
    assert_eq!(zone.redirect_depths(), depths);
}

#[test]
fn names_in_rdata_come_back_as_they_went_in() {
    let model = apex_model();
    let zone = build(&model);
    check(&zone, &model);
    assert_eq!(zone.serial(), 7);
    let soa = zone.negative_soa().unwrap();
    assert_eq!(soa.ttl(), 300);
    // ns1 and the pointer to the apex; hostmaster.example.net shares nothing with it.
    assert_eq!(soa.records.len(), RECORD_HEADER_OCTETS + 6 + 24 + 20);
    let ns = zone.apex_node().rrset(RecordType::NS).unwrap();
    assert!(ns.has_patches());
    let mut copy = ns.records.to_vec();
    assert!(ns.patch(&mut copy, 12, 29));
    let records: Vec<&[u8]> = Records::new(&copy).collect();
    assert_eq!(records[0][12..], *b"\x03ns1\xc0\x0c");
    // `org` ends the apex, eight octets into it.
    assert_eq!(records[2][12..], *b"\x02ns\x05other\xc0\x14");
    assert!(!ns.patch(&mut ns.records.to_vec(), 16_383, 29));
}

#[test]
fn what_is_no_zone_is_told_with_its_place() {
    let fault = |records: &[(&str, RecordType, Vec<u8>)]| {
        let mut builder = ZoneBuilder::new(name("example.org"));
        for (line, (owner, rtype, rdata)) in records.iter().enumerate() {
            let place = Place { file: 0, line: line as u32 + 1 };
            builder.add(name(owner).as_wire(), *rtype, 300, rdata, SourceTag::default(), place);
        }
        let faults = builder.finish().err().unwrap_or_default();
        faults.iter().map(|fault| format!("{}: {fault}", fault.place.line)).collect::<Vec<_>>()
    };
    let target = || name("ns1.example.org").as_wire().to_vec();
    let apex = || [("example.org", RecordType::SOA, soa_rdata(1)), ("example.org", RecordType::NS, target())];
    assert_eq!(fault(&apex()), [""; 0]);
    assert_eq!(fault(&apex()[1..]), ["0: example.org. has no SOA record"]);
    assert_eq!(fault(&apex()[..1]), ["0: example.org. has no NS record"]);
    let with = |more: &[(&'static str, RecordType, Vec<u8>)]| fault(&[&apex()[..], more].concat());
    assert_eq!(
        with(&[("example.net", RecordType::A, vec![192, 0, 2, 1])]),
        ["3: example.net. is not in the zone example.org."]
    );
    assert_eq!(
        with(&[("a.example.org", RecordType::SOA, soa_rdata(1))]),
        ["3: a.example.org. has a SOA record, but only the apex may have one"]
    );
    assert_eq!(
        with(&[
            ("a.example.org", RecordType::CNAME, target()),
            ("a.example.org", RecordType::A, vec![192, 0, 2, 1])
        ]),
        ["3: a.example.org. has a CNAME record beside A"]
    );
    assert_eq!(
        with(&[("example.org", RecordType::SOA, soa_rdata(2))]),
        ["3: example.org. has more than one SOA record"]
    );
    assert_eq!(
        with(&[("a.example.org", RecordType::OPT, vec![])]),
        ["3: a.example.org. has a OPT record, which cannot be stored"]
    );
}

#[test]
fn a_serial_changes_without_the_rest() {
    let mut model = apex_model();
    let mut edit = build(&model).edit();
    edit.set_serial(4_000_000_000);
    let zone = edit.finish().unwrap();
    assert_eq!(zone.serial(), 4_000_000_000);
    let apex = name("example.org");
    let soa = Rrset::new(apex.clone(), RecordType::SOA, 3600, [soa_rdata(4_000_000_000)]).unwrap();
    model.insert((apex, RecordType::SOA), soa);
    check(&zone, &model);
    let mut negative = Vec::new();
    zone.negative_soa().unwrap().for_each_rdata(zone.apex().as_wire(), |rdata| negative = rdata.to_vec());
    assert_eq!(negative, soa_rdata(4_000_000_000));
}

#[test]
fn a_fold_ends_only_the_fold_that_it_began_as() {
    let zone = build(&apex_model());
    let with = |owner: &str| {
        let a = Rrset::new(name(owner), RecordType::A, 300, [[192, 0, 2, 1]]).unwrap();
        let mut edit = zone.edit();
        edit.set(a.owner(), &[(&a, SourceTag::default())]).unwrap();
        edit.finish().unwrap()
    };
    // Two versions that share their base, both being folded.
    let (_, first) = with("a.example.org").begin_fold().unwrap();
    let (second, fold) = with("b.example.org").begin_fold().unwrap();
    assert!(second.finish_fold(first.run().unwrap()).is_none());
    let second = second.finish_fold(fold.run().unwrap()).unwrap();
    assert!(second.node_of(&name("b.example.org")).is_some());
    assert!(second.node_of(&name("a.example.org")).is_none());
}

/// Far more than fit into a message, most of them told apart, some repeated: an error, and soon.
#[test]
fn an_rrset_without_end_is_a_fault() {
    let mut builder = ZoneBuilder::new(name("example.org"));
    let apex = name("example.org");
    let mut add = |rtype, rdata: &[u8]| {
        builder.add(apex.as_wire(), rtype, 300, rdata, SourceTag::default(), Place::default());
    };
    add(RecordType::SOA, &soa_rdata(1));
    add(RecordType::NS, name("ns1.example.org").as_wire());
    for number in (0..200_000u32).chain(0..10) {
        add(RecordType::A, &number.to_be_bytes());
    }
    let faults = builder.finish().err().unwrap();
    assert_eq!(faults.iter().filter(|fault| !fault.kind.is_warning()).count(), 1);
    assert!(faults.iter().any(|fault| matches!(
        fault.kind,
        ZoneFaultKind::TooLarge { rtype: RecordType::A, octets: 3_200_000, .. }
    )));
    let duplicates =
        faults.iter().filter(|fault| matches!(fault.kind, ZoneFaultKind::Duplicate { .. })).count();
    assert_eq!(duplicates, 10);
}

/// So many warnings that some are not listed, and one error after them.
#[test]
fn no_number_of_warnings_hides_an_error() {
    let warnings = |errors: usize| {
        let mut builder = ZoneBuilder::new(name("example.org"));
        let mut add = |owner: &str, rtype, ttl, rdata: &[u8], line| {
            let place = Place { file: 0, line };
            builder.add(name(owner).as_wire(), rtype, ttl, rdata, SourceTag::default(), place);
        };
        add("example.org", RecordType::SOA, 300, &soa_rdata(1), 1);
        add("example.org", RecordType::NS, 300, name("ns1.example.org").as_wire(), 2);
        for number in 0..=1_001u16 {
            add("a.example.org", RecordType::TXT, 300 + u32::from(number), &number.to_be_bytes(), 3);
        }
        for number in 0..errors {
            let owner = format!("b{number}.example.org");
            add(&owner, RecordType::CNAME, 300, name("ns1.example.org").as_wire(), 4);
            add(&owner, RecordType::A, 300, &[192, 0, 2, 1], 5);
        }
        builder.finish()
    };
    let built = warnings(0).ok().unwrap();
    assert_eq!(built.warnings.len(), 1_001);
    assert_eq!(built.warnings[1_000].to_string(), "1 more warnings are not listed");
    assert!(built.warnings.iter().all(|fault| fault.kind.is_warning()));
    let faults = warnings(1).err().unwrap();
    let errors: Vec<_> = faults.iter().filter(|fault| !fault.kind.is_warning()).collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].to_string(), "b0.example.org. has a CNAME record beside A");
    let faults = warnings(1_002).err().unwrap();
    assert_eq!(faults.len(), 2_002);
    assert_eq!(faults[2_000].kind, ZoneFaultKind::MoreErrors(2));
    assert_eq!(faults[2_001].kind, ZoneFaultKind::MoreWarnings(1));
}

/// RFC 5155, section 4.1.2: a chain whose parameters have flags is not for servers.
#[test]
fn nsec3_parameters_with_flags_are_passed_over() {
    let expected = Signing::Nsec3 { iterations: 5, salt: [0xAB].into() };
    assert_eq!(Signing::from_nsec3param(&[1, 0, 0, 5, 1, 0xAB]), Some(expected));
    for rdata in [&[1, 1, 0, 5, 1, 0xAB][..], &[2, 0, 0, 5, 0], &[1, 0, 0, 5, 2, 0xAB], &[1, 0, 0]] {
        assert_eq!(Signing::from_nsec3param(rdata), None, "{rdata:?}");
    }
}

/// RFC 5155, section 7.3: while its parameters change, a zone has the NSEC3 records of several chains.
#[test]
fn nsec3_records_of_another_chain_answer_nothing() {
    let mut builder = ZoneBuilder::new(name("example.org"));
    let mut add = |owner: &str, rtype, rdata: &[u8]| {
        builder.add(name(owner).as_wire(), rtype, 300, rdata, SourceTag::default(), Place::default());
    };
    let nsec3 = |first: &[u8]| [first, &[20], &[0; 20], b"\x00\x01\x40"].concat();
    let owner = |first: char| format!("{first}{}.example.org", "0".repeat(31));
    let hash = |first: u8| {
        let mut hash = [0; NSEC3_HASH_OCTETS];
        hash[0] = first << 3;
        hash
    };
    // The records come before the parameters that tell which of them count.
    add(&owner('1'), RecordType::NSEC3, &nsec3(&[1, 1, 0, 5, 1, 0xAB]));
    add(&owner('2'), RecordType::NSEC3, &nsec3(&[1, 1, 0, 5, 1, 0xCD]));
    add(&owner('3'), RecordType::NSEC3, &nsec3(&[1, 1, 0, 0, 0]));
    add(&owner('4'), RecordType::NSEC3, &nsec3(&[1, 0, 0, 5, 1, 0xAB]));
    add("example.org", RecordType::SOA, &soa_rdata(1));
    let signer = name("example.org");
    let signature = [&RecordType::SOA.0.to_be_bytes()[..], &[13, 2], &[0; 14], signer.as_wire(), &[1; 64]];
    add("example.org", RecordType::RRSIG, &signature.concat());
    add("example.org", RecordType::NS, name("ns1.example.org").as_wire());
    add("example.org", RecordType::NSEC3PARAM, &[1, 0, 0, 5, 1, 0xAB]);
    add("example.org", RecordType::NSEC3PARAM, &[1, 0, 0, 0, 0]);
    let zone = builder.finish().unwrap().zone;
    assert_eq!(*zone.signing(), Signing::Nsec3 { iterations: 5, salt: [0xAB].into() });
    let a = Rrset::new(name("a.example.org"), RecordType::A, 300, [[192, 0, 2, 1]]).unwrap();
    let mut edit = zone.edit();
    edit.set(a.owner(), &[(&a, SourceTag::default())]).unwrap();
    let (serving, fold) = edit.finish().unwrap().begin_fold().unwrap();
    let folded = serving.finish_fold(fold.run().unwrap()).unwrap();
    for zone in [zone, folded] {
        let covering = |first| match zone.nsec3(&hash(first)) {
            Nsec3Match::Covering(node) => name_of(&node),
            found => panic!("{found:?}"),
        };
        assert!(matches!(zone.nsec3(&hash(1)), Nsec3Match::Matching(_)));
        assert_eq!([covering(2), covering(3)], [name(&owner('1')), name(&owner('1'))]);
        assert!(matches!(zone.nsec3(&hash(4)), Nsec3Match::Matching(_)));
        assert_eq!(covering(5), name(&owner('4')));
        assert_eq!(zone.nsec3_nodes().count(), 4, "the others are in the zone all the same");
    }
}

/// RFC 4343: names in RDATA compare without regard to case.
#[test]
fn records_that_differ_in_the_case_of_a_name_are_one() {
    let mut builder = ZoneBuilder::new(name("example.org"));
    let mut add = |owner: &str, rtype, rdata: &[u8]| {
        builder.add(name(owner).as_wire(), rtype, 300, rdata, SourceTag::default(), Place::default());
    };
    add("example.org", RecordType::SOA, &soa_rdata(1));
    for target in [b"\x02ns\x03Org\0", b"\x02NS\x03org\0", b"\x02nt\x03org\0"] {
        add("example.org", RecordType::NS, target);
    }
    add("a.example.org", RecordType::CNAME, b"\x02ns\x03org\0");
    add("a.example.org", RecordType::CNAME, b"\x02NS\x03org\0");
    for target in 0..80u8 {
        add(
            "b.example.org",
            RecordType::MX,
            &[0, 1, 2, b"aA"[usize::from(target / 40)], 128 + target % 40, 0],
        );
    }
    add("c.example.org", RecordType::TXT, b"\x01a");
    add("c.example.org", RecordType::TXT, b"\x01A");
    let built = builder.finish().unwrap();
    let count = |owner: &str, rtype| built.zone.node_of(&name(owner)).unwrap().rrset(rtype).unwrap().count;
    assert_eq!(count("example.org", RecordType::NS), 2);
    assert_eq!(count("a.example.org", RecordType::CNAME), 1);
    assert_eq!(count("b.example.org", RecordType::MX), 40);
    assert_eq!(count("c.example.org", RecordType::TXT), 2);
    assert_eq!(built.warnings.len(), 42);
    assert!(built.warnings.iter().all(|fault| matches!(fault.kind, ZoneFaultKind::Duplicate { .. })));
}

/// What is served is also what can be listed and edited: one limit for both, counted without compression.
#[test]
fn what_loads_comes_back_whole() {
    let pointers = |count: usize| {
        let mut builder = ZoneBuilder::new(name("example.org"));
        let mut add = |owner: &str, rtype, ttl, rdata: &[u8]| {
            builder.add(name(owner).as_wire(), rtype, ttl, rdata, SourceTag::default(), Place::default());
        };
        add("example.org", RecordType::SOA, 300, &soa_rdata(1));
        add("example.org", RecordType::NS, 300, name("ns1.example.org").as_wire());
        for number in 0..count {
            let target = name(&format!("host{number:04}.example.org"));
            add("1.example.org", RecordType::PTR, u32::MAX, target.as_wire());
        }
        builder.finish()
    };
    // 12 octets before each RDATA of 22; 65,199 octets in all.
    let fitting = Rrset::OCTETS_MAX / 34;
    let zone = pointers(fitting).unwrap().zone;
    let node = zone.node_of(&name("1.example.org")).unwrap();
    let rrsets = rrsets_of(&zone, &node);
    assert_eq!((rrsets.len(), rrsets[0].0.len()), (1, fitting));
    assert_eq!(rrsets[0].0.ttl(), 0, "RFC 2181, section 8");
    let faults = pointers(fitting + 1).err().unwrap();
    let octets = (fitting + 1) * 34;
    assert!(
        matches!(&faults[..], [fault] if matches!(fault.kind, ZoneFaultKind::TooLarge { octets: found, .. } if found == octets)),
        "{faults:?}"
    );
}

fn owners() -> impl Strategy<Value = Name> {
    let label = prop_oneof![Just("a"), Just("b"), Just("*"), Just("c")];
    prop::collection::vec(label, 0..4).prop_map(|labels| {
        labels.into_iter().fold(name("example.org"), |parent, label| parent.child(label.as_bytes()).unwrap())
    })
}

fn steps() -> impl Strategy<Value = Vec<(Name, u8, u8)>> {
    prop::collection::vec((owners(), 0u8..6, 1u8..4), 1..60)
}

proptest! {
    #[test]
    fn a_chain_of_edits_is_a_build_from_scratch(steps in steps(), initial in 0usize..30, folds in any::<u64>()) {
        let mut model = apex_model();
        let mut zone = None;
        let mut fold = None;
        for (step, (owner, what, count)) in steps.into_iter().enumerate() {
            let target = name("x.example.org").as_wire().to_vec();
            let apex = owner == name("example.org");
            let rtype = match what {
                0 if !apex => { model.retain(|(other, _), _| *other != owner); None }
                1 => Some((RecordType::A, (0..count).map(|last| vec![192, 0, 2, last]).collect::<Vec<_>>())),
                2 => Some((RecordType::NS, vec![target])),
                3 => Some((RecordType::DNAME, vec![target])),
                4 => Some((RecordType::TXT, vec![vec![1, b'x']])),
                _ => { model.remove(&(owner.clone(), RecordType::A)); None }
            };
            if let Some((rtype, values)) = rtype {
                model.insert((owner.clone(), rtype), Rrset::new(owner.clone(), rtype, 300, values).unwrap());
            }
            if step < initial {
                continue;
            }
            let mut edit = zone.get_or_insert_with(|| build(&model)).edit();
            let rrsets: Vec<_> = model.values().filter(|rrset| *rrset.owner() == owner).map(|rrset| (rrset, SourceTag(3))).collect();
            edit.set(&owner, &rrsets).unwrap();
            let mut next = edit.finish().unwrap();
            // Folds begin and end at any point between the changes.
            if folds >> (step % 64) & 1 == 1 {
                if let Some((serving, begun)) = next.begin_fold() {
                    check(&serving, &model);
                    next = serving;
                    fold = Some(begun);
                } else if let Some(begun) = fold.take() {
                    next = next.finish_fold(begun.run().unwrap()).unwrap();
                }
            }
            check(&next, &model);
            zone = Some(next);
        }
    }
}
