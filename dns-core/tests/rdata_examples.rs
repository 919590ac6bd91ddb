//! Every type by example: text to octets and back, and the names inside.

mod rdata_support;

use std::collections::BTreeSet;

use dns_core::{Position, RecordType, Token, rdata};

use rdata_support::{examples, hex, read, rtype, write};

#[test]
fn examples_read_and_write() {
    for example in examples() {
        let (rtype, text) = (example.rtype, example.text);
        assert_eq!(read(rtype, text), example.wire, "{rtype} {text}");
        assert_eq!(rdata::validate(rtype, &example.wire), Ok(()), "{rtype} {text}");
        assert_eq!(write(rtype, &example.wire), example.written, "{rtype} {text}");
        assert_eq!(read(rtype, example.written), example.wire, "{rtype} {}", example.written);
    }
}

/// The generic form does for every type, and is checked for those that have a format.
#[test]
fn examples_read_in_generic_form() {
    for example in examples() {
        let generic = write(RecordType(65280), &example.wire);
        assert!(generic.starts_with(r"\# "), "{generic}");
        assert_eq!(read(example.rtype, &generic), example.wire, "{} {generic}", example.rtype);
    }
}

#[test]
fn every_type_with_a_format_has_an_example() {
    let with_example: BTreeSet<RecordType> = examples().iter().map(|example| example.rtype).collect();
    let with_format: BTreeSet<RecordType> =
        RecordType::ALL.iter().copied().filter(|&rtype| rdata::has_format(rtype)).collect();
    assert_eq!(with_example, with_format);
    let without: Vec<String> = RecordType::ALL
        .iter()
        .filter(|rtype| !rtype.is_meta() && !rdata::has_format(**rtype))
        .map(ToString::to_string)
        .collect();
    assert_eq!(without, ["NULL", "UINFO", "UID", "GID", "UNSPEC"]);
}

/// Octets cut off anywhere are refused or are shorter RDATA that writes and reads; none of it panics.
#[test]
fn every_prefix_of_an_example_is_handled() {
    for example in examples() {
        for octets in 0..example.wire.len() {
            let cut = &example.wire[..octets];
            let text = write(example.rtype, cut);
            match rdata::validate(example.rtype, cut) {
                Ok(()) => assert_eq!(read(example.rtype, &text), cut, "{} {text}", example.rtype),
                Err(_) => assert!(text.starts_with(r"\# "), "{} {text}", example.rtype),
            }
            rdata::embedded_names(example.rtype, cut).for_each(drop);
            assert!(rdata::decompress(example.rtype, cut, 0..octets + 1, &mut Vec::new()).is_err());
        }
    }
}

#[track_caller]
fn check_names(mnemonic: &str, text: &str, expected: &[(&str, bool, bool, bool)]) {
    let rtype = rtype(mnemonic);
    let wire = read(rtype, text);
    let names: Vec<_> = rdata::embedded_names(rtype, &wire)
        .map(|name| {
            let text = dns_core::Name::from_wire(&wire[name.range]).unwrap().to_string();
            (text, name.compressible, name.additional, name.lower_in_canonical)
        })
        .collect();
    let expected: Vec<_> = expected.iter().map(|&(name, a, b, c)| (name.to_owned(), a, b, c)).collect();
    assert_eq!(names, expected, "{mnemonic} {text}");
}

#[test]
fn embedded_names_are_found() {
    check_names("A", "192.0.2.1", &[]);
    check_names("TXT", "text", &[]);
    check_names("NS", "ns.x.", &[("ns.x.", true, true, true)]);
    check_names("CNAME", "t.x.", &[("t.x.", true, false, true)]);
    check_names("SOA", "a. b. 1 2 3 4 5", &[("a.", true, false, true), ("b.", true, false, true)]);
    check_names("MX", "10 m.x.", &[("m.x.", true, true, true)]);
    check_names("SRV", "1 2 3 s.x.", &[("s.x.", false, true, true)]);
    check_names("RP", "a. b.", &[("a.", false, false, true), ("b.", false, false, true)]);
    check_names("NAPTR", "1 2 \"a\" \"\" \"\" r.x.", &[("r.x.", false, true, true)]);
    check_names("DNAME", "t.x.", &[("t.x.", false, false, true)]);
    check_names("NSEC", "n.x. A NS", &[("n.x.", false, false, false)]);
    check_names("RRSIG", "A 8 2 60 0 0 1 s.x. AAAA", &[("s.x.", false, false, true)]);
    check_names("HTTPS", "1 t.x. port=53", &[("t.x.", false, true, false)]);
    check_names("HIP", "2 AB AAAA a. b.", &[("a.", false, false, false), ("b.", false, false, false)]);
    check_names("IPSECKEY", "1 3 2 g.x. AAAA", &[("g.x.", false, false, false)]);
    check_names("IPSECKEY", "1 1 2 192.0.2.1 AAAA", &[]);
    check_names("AMTRELAY", "1 1 3 g.x.", &[("g.x.", false, false, false)]);
    check_names("A6", "64 ::1 p.x.", &[("p.x.", false, false, true)]);
    check_names("A6", "0 ::1", &[]);
}

#[test]
fn canonical_form_lowers_what_rfc_4034_lists() {
    for (mnemonic, text, canonical) in [
        ("SOA", "NS.Example. ADMIN.Example. 1 2 3 4 5", "ns.example. admin.example. 1 2 3 4 5"),
        ("SRV", "1 2 3 Sip.Example.", "1 2 3 sip.example."),
        ("NSEC", "Next.Example. A", "Next.Example. A"),
        ("HTTPS", "1 Target.Example.", "1 Target.Example."),
        ("TXT", "\"Text\"", "\"Text\""),
        ("RRSIG", "A 8 2 60 0 0 1 Signer. AAAA", "A 8 2 60 19700101000000 19700101000000 1 signer. AAAA"),
        ("NAPTR", "1 2 \"S\" \"SIP\" \"\" R.Example.", "1 2 \"S\" \"SIP\" \"\" r.example."),
    ] {
        let rtype = rtype(mnemonic);
        let mut wire = read(rtype, text);
        rdata::canonicalize(rtype, &mut wire);
        assert_eq!(write(rtype, &wire), canonical);
    }
    // Malformed octets stay as they are, beyond the names that can be read.
    let mut cut = hex("0a41");
    rdata::canonicalize(RecordType::NS, &mut cut);
    assert_eq!(cut, hex("0a41"));
}

/// A message in which `example.` stands at offset 12, `a.example.` at 21, and RDATA after that.
fn message(rdata: &[u8]) -> (Vec<u8>, std::ops::Range<usize>) {
    let mut message = vec![0; 12];
    message.extend_from_slice(b"\x07example\0\x01a\xc0\x0c");
    let begin = message.len();
    message.extend_from_slice(rdata);
    let end = message.len();
    message.extend_from_slice(b"\x05after\0");
    (message, begin..end)
}

#[track_caller]
fn check_decompress(mnemonic: &str, rdata: &[u8], expected: &str) {
    let (message, range) = message(rdata);
    let mut out = b"before".to_vec();
    let rtype = rtype(mnemonic);
    let result = rdata::decompress(rtype, &message, range, &mut out);
    assert!(out.starts_with(b"before"));
    match result {
        Ok(()) => assert_eq!(write(rtype, &out[6..]), expected),
        Err(error) => {
            assert_eq!(out, b"before");
            assert_eq!(error.to_string(), expected);
        }
    }
}

#[test]
fn compressed_names_are_expanded() {
    check_decompress("NS", b"\xc0\x15", "a.example.");
    check_decompress("MX", b"\0\x0a\x04mail\xc0\x0c", "10 mail.example.");
    check_decompress(
        "SOA",
        b"\xc0\x15\x01b\xc0\x15\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05",
        "a.example. b.a.example. 1 2 3 4 5",
    );
    // RFC 3597 forbids senders to compress these; receivers may be kind.
    check_decompress("SRV", b"\0\x01\0\x02\0\x03\xc0\x15", "1 2 3 a.example.");
    check_decompress("NSEC", b"\xc0\x0c\x00\x01\x40", "example. A");
    check_decompress("AMTRELAY", b"\x0a\x03\xc0\x0c", "10 0 3 example.");
    check_decompress("A", b"\xc0\0\x02\x01", "192.0.2.1");
    check_decompress("TYPE65280", b"\xc0\x0c", r"\# 2 C00C");
}

#[test]
fn bad_compression_is_refused() {
    check_decompress("NS", b"\xc0\x19", "bad compression pointer in the field name server");
    check_decompress("NS", b"\x01x\xc0\x19", "bad compression pointer in the field name server");
    check_decompress("NS", b"\xff\xff", "bad compression pointer in the field name server");
    check_decompress("NS", b"\xc0", "bad name in the field name server: name ends before its root label");
    // The name must end within its RDATA, whatever follows in the message.
    check_decompress("NS", b"\x01x", "bad name in the field name server: name ends before its root label");
    check_decompress(
        "NS",
        b"\x40\0",
        "bad name in the field name server: name has a compression pointer or a reserved label type",
    );
    check_decompress("NS", b"\xc0\x0c\0", "1 octets follow the last field");
    check_decompress("MX", b"\0", "octets end within the field preference");
    // Pointers to pointers, each one further back, up to a name that grows too long.
    let mut message = vec![0; 12];
    message.extend_from_slice(b"\x3f");
    message.extend_from_slice(&[b'a'; 63]);
    message.push(0);
    let mut last = 12u16;
    for _ in 0..4 {
        let here = message.len() as u16;
        message.extend_from_slice(b"\x3f");
        message.extend_from_slice(&[b'b'; 63]);
        message.extend_from_slice(&(0xc000 | last).to_be_bytes());
        last = here;
    }
    let begin = message.len();
    message.extend_from_slice(&(0xc000 | last).to_be_bytes());
    let error = rdata::decompress(RecordType::NS, &message, begin..begin + 2, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "bad name in the field name server: name is longer than 255 octets");
    assert!(rdata::decompress(RecordType::A, &message, begin..begin + 9, &mut Vec::new()).is_err());
    #[expect(clippy::reversed_empty_ranges, reason = "what a careless caller could ask for")]
    let reversed = 9..3;
    assert!(rdata::decompress(RecordType::A, &message, reversed, &mut Vec::new()).is_err());
}

/// RFC 3597, section 5.
#[test]
fn generic_form_of_rfc_3597() {
    assert_eq!(read(rtype("TYPE731"), r"\# 6 abcd ef 01 23 45"), hex("abcdef012345"));
    assert_eq!(read(rtype("TYPE62347"), r"\# 0"), b"");
    assert_eq!(read(rtype("A"), r"\# 4 0A000001"), [10, 0, 0, 1]);
    assert_eq!(write(rtype("TYPE731"), &hex("abcdef012345")), r"\# 6 ABCDEF012345");
    assert_eq!(write(rtype("TYPE731"), b""), r"\# 0");
    // A known type with octets that are none of its kind is still written.
    assert_eq!(write(RecordType::A, &[1, 2, 3]), r"\# 3 010203");
    assert_eq!(read(RecordType::TXT, r"\# 3 026869"), b"\x02hi");
}

/// Octets that are well-formed, but that the text of their type cannot say.
#[test]
fn what_text_cannot_say_is_written_in_generic_form() {
    for (mnemonic, octets) in [
        ("APL", "0003 08 01 0a"),
        ("WKS", "c0000201 06 0100"),
        ("NXT", "00 80"),
        ("ATMA", "02 01"),
        ("LOC", "01 00"),
        ("LOC", "00 01 16 13 80000000 80000000 00989680"),
    ] {
        let wire = hex(octets);
        let rtype = rtype(mnemonic);
        assert_eq!(rdata::validate(rtype, &wire), Ok(()), "{mnemonic}");
        let text = write(rtype, &wire);
        assert!(text.starts_with(r"\# "), "{mnemonic} {text}");
        assert_eq!(read(rtype, &text), wire);
    }
}

#[test]
fn relative_names_take_the_origin() {
    let origin = b"\x07example\0";
    let read = |mnemonic, text| rdata::from_text(rtype(mnemonic), text, Some(origin)).unwrap();
    assert_eq!(read("NS", "ns"), b"\x02ns\x07example\0");
    assert_eq!(read("NS", "@"), origin);
    assert_eq!(read("NS", "\"@\""), b"\x01@\x07example\0");
    assert_eq!(read("MX", "10 Mail"), b"\0\x0a\x04Mail\x07example\0");
}

#[test]
fn numbers_take_their_other_forms() {
    assert_eq!(
        read(RecordType::SOA, "a. b. 1 1h 15m 1w2d 300s"),
        read(RecordType::SOA, "a. b. 1 3600 900 777600 300")
    );
    assert_eq!(
        read(RecordType::RRSIG, "A 8 2 60 4294967295 1700000000 1 s. AAAA"),
        read(RecordType::RRSIG, "a rsasha256 2 1m 21060207062815 20231114221320 1 s. AAAA")
    );
    assert_eq!(read(RecordType::NSEC, "x. TYPE1 type28 A"), read(RecordType::NSEC, "x. AAAA A"));
    assert_eq!(read(RecordType::L64, "1 1:2:3:4"), hex("0001 0001000200030004"));
    // Words may part base64 and hexadecimal digits anywhere.
    assert_eq!(read(RecordType::DS, "1 8 2 AB C DEF 01"), read(RecordType::DS, "1 8 2 ABCDEF01"));
    assert_eq!(read(RecordType::OPENPGPKEY, "AQ PSKm yn"), read(RecordType::OPENPGPKEY, "AQPSKmyn"));
}

#[test]
fn dates_read_and_write_over_the_whole_range() {
    let text = |seconds: u32| {
        let wire =
            [&hex("0001080200000000")[..], &seconds.to_be_bytes(), &hex("000000000001 00 00")[..]].concat();
        write(RecordType::RRSIG, &wire).split(' ').nth(4).unwrap().to_owned()
    };
    assert_eq!(text(0), "19700101000000");
    assert_eq!(text(951_782_399), "20000228235959");
    assert_eq!(text(951_782_400), "20000229000000");
    assert_eq!(text(951_868_800), "20000301000000");
    assert_eq!(text(4_102_444_800), "21000101000000");
    assert_eq!(text(4_107_542_400), "21000301000000");
    assert_eq!(text(u32::MAX), "21060207062815");
    for day in 0..49_710u32 {
        let seconds = day * 86_400 + day % 86_400;
        let value = format!("A 8 2 0 {} 0 1 . AA==", text(seconds));
        assert_eq!(read(RecordType::RRSIG, &value)[8..12], seconds.to_be_bytes(), "{value}");
    }
}

#[test]
fn values_follow_what_was_there_and_faults_leave_it() {
    let token = |raw: &'static str| Token {
        raw: raw.as_bytes(),
        quoted: false,
        position: Position { line: 3, column: 7 },
    };
    let mut out = b"before".to_vec();
    rdata::from_tokens(RecordType::A, &[token("192.0.2.1")], None, &mut out).unwrap();
    assert_eq!(out, b"before\xc0\x00\x02\x01");
    let error =
        rdata::from_tokens(RecordType::MX, &[token("10"), token("a..b.")], None, &mut out).unwrap_err();
    assert_eq!(out, b"before\xc0\x00\x02\x01");
    assert_eq!(error.position, Some(Position { line: 3, column: 7 }));
}

/// A TXT value as people give it.
#[test]
fn bare_and_quoted_texts() {
    let txt = |text: &str| read(RecordType::TXT, text);
    assert_eq!(txt("v=spf1 -all"), b"\x0bv=spf1 -all");
    assert_eq!(txt(r#"say "hi"; (now)"#), b"\x0fsay \"hi\"; (now)");
    assert_eq!(txt(r"a\\b\032\255"), b"\x05a\\b \xff");
    assert_eq!(txt("  padded  "), b"\x06padded");
    assert_eq!(txt(r#""one" "two""#), b"\x03one\x03two");
    assert_eq!(txt(r#""one"two"#), b"\x03one\x03two");
    assert_eq!(txt(r#""""#), b"\0");
    assert_eq!(read(RecordType::SPF, "v=spf1 -all"), b"\x0bv=spf1 -all");
    // Other types with texts take them word by word.
    assert_eq!(read(RecordType::HINFO, "a b"), b"\x01a\x01b");
    let long = "x".repeat(600);
    for text in [long.clone(), format!("\"{long}\"")] {
        let wire = txt(&text);
        assert_eq!(wire.len(), 603);
        assert_eq!((wire[0], wire[256], wire[512]), (255, 255, 90));
    }
    assert_eq!(txt(&"x".repeat(255)).len(), 256);
    assert_eq!(txt(&"x".repeat(256)).len(), 258);
}
