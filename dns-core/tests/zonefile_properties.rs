//! What holds for every zone file, and for every list of records.

use std::fmt::Write as _;
use std::num::NonZeroUsize;

use dns_core::zonefile::{self, ENTRY_OCTETS_MAX, Options, Record, Report, ZoneRecord};
use dns_core::{Name, RecordType, TTL_MAX};
use proptest::collection::vec;
use proptest::prelude::*;

/// Owner, TTL, type and RDATA, so that lists of records can be sorted and compared.
type Row = (Vec<u8>, u32, RecordType, Vec<u8>);

fn read(text: &[u8], origin: Option<Name>) -> (Vec<Row>, Report) {
    let mut rows = Vec::new();
    let options = Options { origin, ..Options::default() };
    let mut include = |path: &str, _: &str| match path {
        "a" => Ok(("a".to_owned(), text.to_vec())),
        _ => Err("no such file".to_owned()),
    };
    let row =
        |record: ZoneRecord<'_>| (record.owner.to_vec(), record.ttl, record.rtype, record.rdata.to_vec());
    let report = zonefile::read("zone", text, &options, &mut include, |record| rows.push(row(record)));
    // In parts it is the same, however small they are.
    let options = Options { part_octets_min: 8, ..options };
    let (in_parts, parts) = zonefile::read_in_parts(
        "zone",
        text,
        &options,
        &mut include,
        NonZeroUsize::new(2).unwrap(),
        |_octets| Vec::new(),
        |rows: &mut Vec<Row>, record| rows.push(row(record)),
    );
    assert_eq!(parts.concat(), rows);
    assert_eq!(in_parts.to_string(), report.to_string());
    (rows, report)
}

fn label() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z0-9_-]{1,12}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 1..8),
        1 => vec(any::<u8>(), 63),
        1 => prop::sample::select(vec!["*", "@", "$", ".", "\\", "\"", "(", ";", "$TTL", "IN", "60", "A"])
            .prop_map(|label| label.as_bytes().to_vec()),
    ]
}

/// Up to three labels in front of a suffix.
fn name_below(suffix: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    vec(label(), 0..3).prop_map(move |labels| {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(label.len() as u8);
            wire.extend(label);
        }
        wire.extend(&suffix);
        wire
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    name_below(vec![0])
}

fn rdata() -> impl Strategy<Value = (RecordType, Vec<u8>)> {
    let string = || {
        vec(any::<u8>(), 0..40).prop_map(|text| {
            let mut octets = vec![text.len() as u8];
            octets.extend(text);
            octets
        })
    };
    prop_oneof![
        vec(any::<u8>(), 4).prop_map(|rdata| (RecordType::A, rdata)),
        vec(any::<u8>(), 16).prop_map(|rdata| (RecordType::AAAA, rdata)),
        name().prop_map(|rdata| (RecordType::NS, rdata)),
        name().prop_map(|rdata| (RecordType::CNAME, rdata)),
        (any::<[u8; 2]>(), name())
            .prop_map(|(preference, name)| { (RecordType::MX, [&preference[..], &name].concat()) }),
        (name(), name(), any::<[u8; 20]>())
            .prop_map(|(mname, rname, rest)| (RecordType::SOA, [&mname[..], &rname, &rest].concat())),
        vec(string(), 1..5).prop_map(|strings| (RecordType::TXT, strings.concat())),
        (65_280..65_535u16, vec(any::<u8>(), 0..300)).prop_map(|(rtype, rdata)| (RecordType(rtype), rdata)),
    ]
}

fn rows(apex: Vec<u8>) -> impl Strategy<Value = Vec<Row>> {
    let owner = prop_oneof![4 => name_below(apex), 1 => name()].prop_map(|owner| owner.to_ascii_lowercase());
    let ttl = prop_oneof![3 => Just(3_600), 1 => 0..=TTL_MAX];
    vec((owner, ttl, rdata()), 0..20).prop_map(|rows| {
        rows.into_iter().map(|(owner, ttl, (rtype, rdata))| (owner, ttl, rtype, rdata)).collect()
    })
}

fn zone() -> impl Strategy<Value = (Name, Vec<Row>)> {
    let apex = prop_oneof![Just(b"\x07example\x03org\0".to_vec()), Just(vec![0]), name()];
    apex.prop_flat_map(|apex| (Just(Name::from_wire(&apex).unwrap()), rows(apex)))
}

/// Octets that mean something to the reader, and some that do not.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec![
        "$ORIGIN ",
        "$TTL ",
        "$INCLUDE ",
        "$GENERATE ",
        "1-3 ",
        "${1,2,x}",
        "$",
        "\n",
        "\n",
        "\n",
        " ",
        "\t",
        "\r\n",
        "(",
        ")",
        "\"",
        ";",
        "\\",
        "\\046",
        "\\9",
        "@",
        ".",
        "a",
        "www.example.",
        "60 ",
        "1h ",
        "IN ",
        "CLASS1 ",
        " A ",
        " NS ",
        " MX ",
        " TXT ",
        " SOA ",
        " TYPE65280 ",
        "\\# ",
        "192.0.2.1",
        "2001:db8::1",
        "10 ",
        "ns ",
    ];
    let piece = prop_oneof![
        9 => prop::sample::select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..3),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// The place of an error is an octet of the file, or the end of a line.
fn check_places(text: &[u8], report: &Report) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines: Vec<_> = text.split(|&octet| octet == b'\n').collect();
    for error in &report.errors {
        let line = lines.get(error.position.line as usize - 1);
        let column = error.position.column as usize;
        assert!(line.is_some_and(|line| (1..=line.len()).contains(&column)), "{error}");
        assert!(error.to_string().is_ascii(), "{error}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back((apex, rows) in zone()) {
        let records = rows.iter().map(|(owner, ttl, rtype, rdata)| Record {
            owner,
            ttl: *ttl,
            rtype: *rtype,
            rdata,
        });
        let mut text = String::new();
        zonefile::write(&apex, records, &mut text).unwrap();
        let (mut back, report) = read(text.as_bytes(), None);
        prop_assert!(report.is_ok() && report.warnings.is_empty(), "{}{}", report, text);
        // The order within a name and type is kept, the rest is sorted.
        let mut rows = rows;
        rows.sort_by(|left, right| (&left.0, left.2).cmp(&(&right.0, right.2)));
        back.sort_by(|left, right| (&left.0, left.2).cmp(&(&right.0, right.2)));
        prop_assert_eq!(back, rows, "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_in_place(text in text(), with_origin: bool) {
        let origin = with_origin.then(|| "example.org".parse().unwrap());
        let (rows, report) = read(&text, origin.clone());
        check_places(&text, &report);
        for (owner, ttl, rtype, rdata) in &rows {
            let name = Name::from_wire(owner).unwrap();
            prop_assert_eq!(name.as_wire(), &owner[..], "owners are in lower case");
            prop_assert!(*ttl <= TTL_MAX && !rtype.is_meta());
            prop_assert!(dns_core::rdata::validate(*rtype, rdata).is_ok(), "{} {:?}", rtype, rdata);
        }
        let options = Options { origin, ..Options::default() };
        if let Ok((formatted, _)) = zonefile::format("zone", &text, &options, &mut zonefile::no_includes) {
            let (back, report) = read(formatted.as_bytes(), None);
            prop_assert!(report.is_ok(), "{}{}", report, formatted);
            prop_assert_eq!(back.len(), rows.len(), "{}", formatted);
        }
    }

    #[test]
    fn any_octets_are_read_or_refused_in_place(text in vec(any::<u8>(), 0..200)) {
        let (_, report) = read(&text, Some(Name::root()));
        check_places(&text, &report);
    }
}

#[test]
fn entries_just_below_the_limit_are_read() {
    // One TXT record of the most octets that RDATA can have, every octet as an escape.
    let mut text = String::from("a.example. 60 TXT (\n");
    let mut octets = 0;
    while octets < 65_535 {
        let length = (65_535 - octets - 1).min(255);
        writeln!(text, "\"{}\"", "\\255".repeat(length)).unwrap();
        octets += length + 1;
    }
    text.push(')');
    assert!(text.len() < ENTRY_OCTETS_MAX);
    let (rows, report) = read(text.as_bytes(), None);
    assert!(report.is_ok(), "{report}");
    assert_eq!(rows[0].3.len(), 65_535);
}
