//! Records as people write them, as YAML and JSON.

use dns_core::{NameError, Record, RecordError, RecordType, RrsetError};

fn record(yaml: &str) -> Record {
    serde_yaml::from_str(yaml).unwrap()
}

fn a_record(value: &[&str]) -> Record {
    Record {
        name: "www.example.org.".into(),
        rtype: "A".into(),
        ttl: Some(300),
        value: value.iter().map(|&value| value.to_owned()).collect(),
    }
}

/// The ConfigMap that the documentation shows.
#[test]
fn records_of_a_config_map_load() {
    let records: Vec<Record> = serde_yaml::from_str(
        r#"
- name: example.com.
  type: A
  ttl: 300
  value:
    - 192.168.1.1

- name: www.example.com.
  type: CNAME
  ttl: 300
  value:
    - example.com.

- name: _acme-challenge.example.com.
  type: TXT
  ttl: 60
  value:
    - "challenge-token-here"
"#,
    )
    .unwrap();
    let rrsets: Vec<_> = records.iter().map(|record| record.clone().into_rrset(1).unwrap()).collect();
    assert_eq!(rrsets[0].rtype(), RecordType::A);
    assert_eq!(rrsets[0].ttl(), 300);
    assert_eq!(rrsets[0].rdatas().collect::<Vec<_>>(), [[192, 168, 1, 1]]);
    assert_eq!(rrsets[1].owner().to_string(), "www.example.com.");
    assert_eq!(rrsets[1].rdatas().next(), Some(&b"\x07example\x03com\0"[..]));
    assert_eq!(rrsets[2].ttl(), 60);
    assert_eq!(rrsets[2].rdatas().next(), Some(&b"\x14challenge-token-here"[..]));
    let back: Vec<Record> = rrsets.iter().map(Record::from_rrset).collect();
    assert_eq!(back, records);
}

#[test]
fn short_forms_are_read() {
    let record = record("{name: Mail.Example.org, type: mx, value: 10 mx.example.org}");
    let rrset = record.into_rrset(3600).unwrap();
    assert_eq!((rrset.ttl(), rrset.rtype()), (3600, RecordType::MX));
    let back = Record::from_rrset(&rrset);
    assert_eq!(back.name, "mail.example.org.");
    assert_eq!(back.value, ["10 mx.example.org."]);
}

#[test]
fn json_reads_and_writes() {
    let json = r#"{"name":"www.example.org.","type":"A","ttl":300,"value":["192.0.2.1","192.0.2.2"]}"#;
    let record: Record = serde_json::from_str(json).unwrap();
    assert_eq!(record, a_record(&["192.0.2.1", "192.0.2.2"]));
    assert_eq!(serde_json::to_string(&record).unwrap(), json);
    let rrset = record.clone().into_rrset(1).unwrap();
    assert_eq!(Record::from_rrset(&rrset), record);
    let without_ttl = Record { ttl: None, ..record };
    assert!(!serde_json::to_string(&without_ttl).unwrap().contains("ttl"));
}

#[test]
fn unknown_and_missing_keys_are_refused() {
    for (yaml, fault) in [
        ("{name: a., type: A, values: [192.0.2.1]}", "unknown field `values`"),
        ("{name: a., type: A}", "missing field `value`"),
        ("{type: A, value: [192.0.2.1]}", "missing field `name`"),
        ("{name: a., type: A, value: {a: b}}", "a value or a list of values, as text"),
        ("{name: a., type: A, ttl: -1, value: x}", "u32"),
    ] {
        let error = serde_yaml::from_str::<Record>(yaml).unwrap_err().to_string();
        assert!(error.contains(fault), "{yaml}: {error}");
    }
}

#[test]
fn all_wrong_values_are_reported() {
    let error = a_record(&["192.0.2.1", "192.0.2", "192.0.2.3", "x y"]).into_rrset(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid value 2: '192.0.2' is not an IPv4 address; invalid value 4: 'x' is not an IPv4 address"
    );
    let RecordError::InvalidValues(values) = error else { panic!("{error}") };
    assert_eq!(values.iter().map(|value| value.index).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn other_faults_have_their_variants() {
    let with = |change: fn(&mut Record)| {
        let mut record = a_record(&["192.0.2.1"]);
        change(&mut record);
        record.into_rrset(1)
    };
    assert_eq!(with(|record| record.rtype = "AAAAA".into()), Err(RecordError::InvalidType("AAAAA".into())));
    assert_eq!(with(|record| record.rtype = "ANY".into()), Err(RecordError::MetaType(RecordType::ANY)));
    assert_eq!(
        with(|record| record.name = "a..b".into()),
        Err(RecordError::InvalidName { name: "a..b".into(), error: NameError::EmptyLabel })
    );
    assert_eq!(with(|record| record.ttl = Some(1 << 31)), Err(RecordError::InvalidTtl(1 << 31)));
    assert_eq!(with(|record| record.value.clear()), Err(RecordError::NoValue));
    let large = with(|record| {
        record.rtype = "TXT".into();
        record.value = vec!["x".repeat(40_000), "y".repeat(40_000)];
    });
    assert!(matches!(large, Err(RecordError::Rrset(RrsetError::TooLarge { .. }))), "{large:?}");
}

/// What is written reads back; quotes only where bare text would say something else.
#[test]
fn texts_are_written_as_people_give_them() {
    for (value, written) in [
        ("v=spf1 -all", "v=spf1 -all"),
        ("\"v=spf1 -all\"", "v=spf1 -all"),
        ("k=v; x(y)", "k=v; x(y)"),
        (r"back\\slash", r"back\\slash"),
        (r"\000\255", r"\000\255"),
        ("\"one\" \"two\"", "\"one\" \"two\""),
        ("\"\"", "\"\""),
        ("\" padded \"", "\" padded \""),
        (r#"say "hi""#, r#""say \"hi\"""#),
        ("\"# 1 00\"", "# 1 00"),
    ] {
        let record =
            Record { name: "x.".into(), rtype: "TXT".into(), ttl: Some(60), value: vec![value.into()] };
        let rrset = record.into_rrset(1).unwrap();
        let back = Record::from_rrset(&rrset);
        assert_eq!(back.value, [written], "{value}");
        assert_eq!(back.into_rrset(1).unwrap(), rrset, "{value}");
    }
}
