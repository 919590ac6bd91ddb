//! What comes of records does not depend on parts, batches and threads.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::node::SourceTag;
use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// With the limit lowered, since nobody wants to fill 4 GiB: the zone is refused, and told so once.
#[test]
fn a_zone_beyond_32_bit_offsets_is_refused() {
    let apex = name("example.org");
    let mut builder = ZoneBuilder::new(apex.clone());
    builder.records.octets_max = 100;
    for line in 1..=50 {
        let place = Place { file: 0, line };
        let rdata = [192, 0, 2, line as u8];
        builder.add(apex.as_wire(), RecordType::A, 300, &rdata, SourceTag::default(), place);
    }
    let faults = builder.finish().err().unwrap();
    let too_large: Vec<_> =
        faults.iter().filter(|fault| matches!(fault.kind, ZoneFaultKind::ZoneTooLarge(_))).collect();
    assert_eq!(too_large.len(), 1);
    // One record with its owner, 34 octets, and two of 25 fit, and the one that reaches over the limit.
    assert_eq!(too_large[0].place.line, 5);
}

#[test]
fn batches_beyond_the_limit_are_refused() {
    let mut builder = ZoneBuilder::new(name("example.org"));
    builder.records.octets_max = 100;
    for octet in 0..4 {
        let mut batch = builder.batch(0);
        batch.add(
            name("a.example.org").as_wire(),
            RecordType::A,
            300,
            &[octet; 4],
            SourceTag::default(),
            Place::default(),
        );
        builder.append(batch);
    }
    let faults = builder.finish().err().unwrap();
    assert!(faults.iter().any(|fault| matches!(fault.kind, ZoneFaultKind::ZoneTooLarge(_))), "{faults:?}");
}

/// Longest names, longest RDATA, and more of them than a block has room for.
#[test]
fn large_records_find_room() {
    let apex = name("example.org");
    let soa = [&b"\x02ns\0\x02me\0"[..], &[0; 20]].concat();
    let rdata = vec![7; 65_000];
    let owner = |number: u8| {
        let label = vec![b'a' + number; 63];
        let wire =
            [&[63], &label[..], &[63], &label, &[63], &label, &[49], &label[..49], apex.as_wire()].concat();
        Name::from_wire(&wire).unwrap()
    };
    assert_eq!(owner(0).as_wire().len(), 255);
    let mut builder = ZoneBuilder::in_parts(apex.clone(), 1);
    let mut add = |owner: &Name, rtype, rdata: &[u8]| {
        builder.add(owner.as_wire(), rtype, 300, rdata, SourceTag::default(), Place::default());
    };
    add(&apex, RecordType::SOA, &soa);
    add(&apex, RecordType::NS, b"\x02ns\0");
    for number in 0..20 {
        add(&owner(number), RecordType(65_280), &rdata);
        add(&owner(number), RecordType::A, &[192, 0, 2, number]);
    }
    let zone = builder.finish_on(NonZeroUsize::new(2).unwrap()).ok().unwrap().zone;
    assert_eq!((zone.record_count(), zone.name_count()), (42, 1 + 20 * 4));
    for number in 0..20 {
        let node = zone.node_of(&owner(number)).unwrap();
        assert_eq!(node.rrset(RecordType(65_280)).unwrap().records[12..], rdata);
        assert_eq!(node.rrset(RecordType::A).unwrap().records[12..], [192, 0, 2, number]);
    }
}

/// A record in a test: owner, type, TTL, RDATA.
type Row = (Name, RecordType, u32, Vec<u8>);

/// Nodes with the numbers of their children and the names of the NSEC records at or before them, nodes of NSEC3 records, and
/// what the zone says of itself.
type Image = (Vec<(Vec<u8>, u32, Option<Vec<u8>>)>, Vec<Vec<u8>>, String);

/// Everything that a zone says: its nodes with their headers, and what stands in no table.
fn image(zone: &Zone) -> Image {
    let before = |name: &[u8]| zone.nsec_at_or_before(name).map(|before| before.name().to_vec());
    let nodes = zone.nodes().map(|node| (node.packed().to_vec(), node.children(), before(node.name())));
    let mut nodes: Vec<_> = nodes.collect();
    nodes.sort();
    let nsec3 = zone.nsec3_nodes().map(|node| node.packed().to_vec()).collect();
    for node in zone.nodes() {
        let found = zone.node(super::super::hash_of(node.name()), node.name());
        assert_eq!(found.map(|found| found.packed()), Some(node.packed()));
    }
    let numbers = format!(
        "{} {} {:#x} {} {:?} {}",
        zone.name_count(),
        zone.record_count(),
        zone.redirect_depths(),
        zone.depth_max(),
        zone.signing(),
        zone.serial(),
    );
    (nodes, nsec3, numbers)
}

fn outcome(result: Result<Built, Vec<ZoneFault>>) -> Result<(Image, Vec<ZoneFault>), Vec<ZoneFault>> {
    result.map(|built| (image(&built.zone), built.warnings))
}

fn build(rows: &[Row], bits: u32, threads: usize, batch_rows: usize) -> Result<Built, Vec<ZoneFault>> {
    let mut builder = ZoneBuilder::in_parts(name("example.org"), bits);
    let place = |index: usize| Place { file: 0, line: index as u32 / 3 };
    let mut row_number = 0;
    for rows in rows.chunks(batch_rows.max(1)) {
        let mut batch = builder.batch(row_number);
        for (owner, rtype, ttl, rdata) in rows {
            // Every other batch goes in directly.
            let at = place(row_number);
            if (row_number / batch_rows.max(1)).is_multiple_of(2) {
                batch.add(owner.as_wire(), *rtype, *ttl, rdata, SourceTag(7), at);
            } else {
                builder.add(owner.as_wire(), *rtype, *ttl, rdata, SourceTag(7), at);
            }
            row_number += 1;
        }
        builder.append(batch);
    }
    builder.finish_on(NonZeroUsize::new(threads).unwrap())
}

fn owners() -> impl Strategy<Value = Name> {
    let label = prop::sample::select(vec!["a", "b", "c", "*", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"]);
    prop_oneof![
        20 => vec(label, 0..5).prop_map(|labels| {
            name(&labels.into_iter().chain(["example.org"]).collect::<Vec<_>>().join("."))
        }),
        1 => Just(name("example.net")),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let target = vec![2, b'n', b's', 7, b'e', b'x', b'a', b'm', b'p', b'l', b'e', 3, b'o', b'r', b'g', 0];
    let nsec3 = [&[1, 0, 0, 5, 1, 0xab, 20][..], &[9; 20], &[0, 1, 0x40]].concat();
    let other_nsec3 = [&[1, 0, 0, 6, 0, 20][..], &[9; 20], &[0, 1, 0x40]].concat();
    let signature = |covered: RecordType| {
        [&covered.0.to_be_bytes()[..], &[8, 2, 0, 0, 0, 60], &[0; 10], &[0, 1, 2]].concat()
    };
    let rdata = prop_oneof![
        6 => (0..4u8).prop_map(|octet| (RecordType::A, vec![192, 0, 2, octet])),
        2 => Just((RecordType::NS, target.clone())),
        1 => Just((RecordType::CNAME, target.clone())),
        1 => Just((RecordType::DNAME, target)),
        1 => Just((RecordType::NSEC3PARAM, vec![1, 0, 0, 5, 1, 0xab])),
        2 => Just((RecordType::NSEC3, nsec3)),
        1 => Just((RecordType::NSEC3, other_nsec3)),
        1 => Just((RecordType::NSEC, vec![0, 0, 1, 0x40])),
        1 => prop::sample::select(vec![RecordType::A, RecordType::NSEC3, RecordType::SOA])
            .prop_map(move |covered| (RecordType::RRSIG, signature(covered))),
        1 => Just((RecordType::ANY, Vec::new())),
    ];
    vec((owners(), rdata, 300..302u32), 0..60).prop_map(|rows| {
        rows.into_iter().map(|(owner, (rtype, rdata), ttl)| (owner, rtype, ttl, rdata)).collect()
    })
}

proptest! {
    #[test]
    fn parts_batches_and_threads_make_no_difference(
        mut rows in rows(),
        clean: bool,
        shapes in vec((0..4u32, 1..6usize, 1..20usize), 3),
    ) {
        if clean {
            // Most zones have something wrong otherwise.
            rows.retain(|(owner, rtype, ..)| *rtype != RecordType::CNAME && !rtype.is_meta() && *owner != name("example.net"));
            let soa = [&b"\x02ns\0\x02me\0"[..], &[0, 0, 0, 7], &[0; 16]].concat();
            rows.insert(rows.len() / 2, (name("example.org"), RecordType::SOA, 300, soa));
            rows.push((name("example.org"), RecordType::NS, 300, b"\x02ns\0".to_vec()));
        }
        let plain = outcome(build(&rows, 0, 1, usize::MAX));
        for (bits, threads, batch_rows) in shapes {
            prop_assert_eq!(&plain, &outcome(build(&rows, bits, threads, batch_rows)));
        }
    }
}

#[test]
#[should_panic(expected = "a batch of another builder")]
fn batches_of_other_builders_are_refused() {
    let apex: Name = "example.org".parse().unwrap();
    let other = ZoneBuilder::for_file_of(apex.clone(), 64 << 20);
    ZoneBuilder::new(apex).append(other.batch(100));
}
