//! The common types: text to wire and back.

use dns_core::{RecordType, rdata};

#[track_caller]
fn check(rtype: RecordType, text: &str, hex: &str, back: &str) {
    let wire = rdata::from_text(rtype, text, Some(b"\x07example\0")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&wire), hex, "{rtype} {text}");
    let mut written = String::new();
    rdata::write_text(rtype, &wire, &mut written).unwrap();
    assert_eq!(written, back, "{rtype} {text}");
    assert_eq!(rdata::from_text(rtype, &written, None), Ok(wire), "{rtype} {written}");
}

#[test]
fn common_types_read_and_write() {
    check(RecordType::A, "192.0.2.1", "c0000201", "192.0.2.1");
    check(RecordType::AAAA, "2001:DB8::1", "20010db8000000000000000000000001", "2001:db8::1");
    check(RecordType::NS, "ns", "026e73076578616d706c6500", "ns.example.");
    check(RecordType::CNAME, "Www.X.", "0357777701580 0".replace(' ', "").as_str(), "Www.X.");
    check(RecordType::PTR, "@", "076578616d706c6500", "example.");
    check(
        RecordType::SOA,
        "ns. h. 1 1h 15m 1w2d 300",
        "026e73000168000000000100000e1000000384000bdd800000012c",
        "ns. h. 1 3600 900 777600 300",
    );
    check(RecordType::MX, "10 mail", "000a046d61696c076578616d706c6500", "10 mail.example.");
    check(RecordType::SRV, "1 2 443 .", "0001000201bb00", "1 2 443 .");
    check(RecordType::TXT, "v=spf1 -all", "0b763d73706631202d616c6c", "\"v=spf1 -all\"");
    check(RecordType::TXT, r#""a\"" b"#, "02612201 62".replace(' ', "").as_str(), r#""a\"" "b""#);
    check(RecordType(65280), r"\# 3 ab cdef", "abcdef", r"\# 3 ABCDEF");
    check(RecordType::A, r"\# 4 c0000201", "c0000201", "192.0.2.1");
    assert!(rdata::from_text(RecordType::A, r"\# 3 c00002", None).is_err());
}
