//! Service bindings: the test vectors of RFC 9460, appendix D, and what they leave out.

mod rdata_support;

use dns_core::{Position, RecordType, Token, rdata};

use rdata_support::{hex, read, write};

#[track_caller]
fn check(text: &str, octets: &str, written: &str) {
    let wire = hex(octets);
    assert_eq!(read(RecordType::SVCB, text), wire, "{text}");
    assert_eq!(write(RecordType::SVCB, &wire), written);
    assert_eq!(read(RecordType::SVCB, written), wire, "{written}");
}

#[test]
fn alias_mode() {
    check("0 foo.example.com.", "0000 03666f6f076578616d706c6503636f6d00", "0 foo.example.com.");
}

#[test]
fn service_mode() {
    check("1 .", "0001 00", "1 .");
    check(
        "16 foo.example.com. port=53",
        "0010 03666f6f076578616d706c6503636f6d00 0003 0002 0035",
        "16 foo.example.com. port=53",
    );
    check(
        "1 foo.example.com. key667=hello",
        "0001 03666f6f076578616d706c6503636f6d00 029b 0005 68656c6c6f",
        "1 foo.example.com. key667=hello",
    );
    check(
        r#"1 foo.example.com. key667="hello\210qoo""#,
        "0001 03666f6f076578616d706c6503636f6d00 029b 0009 68656c6c6fd2716f6f",
        r"1 foo.example.com. key667=hello\210qoo",
    );
    check(
        r#"1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1""#,
        "0001 03666f6f076578616d706c6503636f6d00 0006 0020 20010db8000000000000000000000001 20010db8000000000000000000530001",
        "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1",
    );
    check(
        r#"1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33""#,
        "0001 076578616d706c6503636f6d00 0006 0010 20010db8012203440000 0000c0000221",
        "1 example.com. ipv6hint=2001:db8:122:344::c000:221",
    );
    check(
        "16 foo.example.org. (alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1)"
            .replace(['(', ')'], "")
            .as_str(),
        "0010 03666f6f076578616d706c65036f726700 0000 0004 00010004 0001 0009 02683205 68332d3139 0004 0004 c0000201",
        "16 foo.example.org. mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1",
    );
    for text in
        [r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#, r"16 foo.example.org. alpn=f\\\092oo\092,bar,h2"]
    {
        check(
            text,
            "0010 03666f6f076578616d706c65036f726700 0001 000c 08665c6f6f2c626172 026832",
            r"16 foo.example.org. alpn=f\\\\oo\\,bar,h2",
        );
    }
}

#[track_caller]
fn check_fault(params: &str, message: &str) {
    let text = format!("1 foo.example.com. {params}");
    let error = rdata::from_text(RecordType::SVCB, &text, None).expect_err(&text);
    assert_eq!(error.to_string(), message, "{text}");
    assert!(error.position.is_some(), "{text}");
}

#[test]
fn failure_cases() {
    check_fault("key123=abc key123=def", "service parameter key123 stands twice");
    check_fault("mandatory", "service parameter mandatory needs a value");
    check_fault("alpn", "service parameter alpn needs a value");
    check_fault("port", "service parameter port needs a value");
    check_fault("ipv4hint", "service parameter ipv4hint needs a value");
    check_fault("ipv6hint", "service parameter ipv6hint needs a value");
    check_fault("alpn=h2 no-default-alpn=abc", "service parameter no-default-alpn takes no value");
    check_fault("mandatory=key123", "service parameter key123 is mandatory, but missing");
    check_fault(
        "mandatory=mandatory",
        "'mandatory' is not a list of service parameters other than mandatory",
    );
    check_fault("mandatory=key123,key123 key123=abc", "service parameter key123 stands twice");
}

#[test]
fn more_failure_cases() {
    check_fault("no-default-alpn", "service parameter alpn is mandatory, but missing");
    check_fault("bogus=1", "'bogus=1' is not a service parameter, such as alpn=h2 or key65280=value");
    check_fault("key65535=1", "'key65535=1' is not a service parameter, such as alpn=h2 or key65280=value");
    check_fault("key0123=1", "'key0123=1' is not a service parameter, such as alpn=h2 or key65280=value");
    check_fault("=1", "'=1' is not a service parameter, such as alpn=h2 or key65280=value");
    check_fault("port=65536", "'65536' is not a number from 0 to 65535");
    check_fault("port=", "service parameter port needs a value");
    check_fault("port=\"\"", "service parameter port needs a value");
    check_fault("alpn=h2,,h3", "'h2,,h3' is not a list of protocol names with 1 to 255 octets each");
    check_fault("ipv4hint=192.0.2", "'192.0.2' is not a list of IPv4 addresses");
    check_fault("ipv6hint=192.0.2.1", "'192.0.2.1' is not a list of IPv6 addresses");
    check_fault("ech=*", "'*' is not base64");
    check_fault("ohttp=1", "service parameter ohttp takes no value");
    check_fault("key3=abc", "malformed octets in the field parameters");
    check_fault("tls-supported-groups=x", "'x' is not a list of numbers from 0 to 65535");
}

#[test]
fn other_parameters() {
    check(
        "1 . alpn=h2 dohpath=/dns-query{?dns} ohttp tls-supported-groups=29,23 key65280",
        "0001 00 0001 0003 026832 0007 0010 2f646e732d71756572797b3f646e737d 0008 0000 0009 0004 001d0017 ff00 0000",
        "1 . alpn=h2 dohpath=/dns-query{?dns} ohttp tls-supported-groups=29,23 key65280",
    );
    check(
        r#"1 . key65280="a b;(c)\"\\""#,
        "0001 00 ff00 0009 6120623b286329225c",
        r#"1 . key65280=a\032b\;\(c\)\"\\"#,
    );
    check(r"1 . key1=\002h2", "0001 00 0001 0003 026832", "1 . alpn=h2");
}

/// Keys must rise and lists must be whole, whoever sent them.
#[test]
fn malformed_octets() {
    for octets in [
        "0001 00 0003 0002",
        "0001 00 0003 0003 003500",
        "0001 00 0003 0002 0035 0001 0003 026832",
        "0001 00 0003 0002 0035 0003 0002 0035",
        "0001 00 0001 0000",
        "0001 00 0001 0003 036832",
        "0001 00 0001 0001 00",
        "0001 00 0004 0003 c00002",
        "0001 00 0000 0002 0000",
        "0001 00 0000 0004 00030003 0003 0002 0035",
        "0001 00 ffff 0000",
    ] {
        let wire = hex(octets);
        assert!(rdata::validate(RecordType::SVCB, &wire).is_err(), "{octets}");
        assert!(write(RecordType::SVCB, &wire).starts_with(r"\# "), "{octets}");
    }
}

/// Zone files part words at quotes in different ways; the value must be found in each.
#[test]
fn quoted_values_are_found_however_words_are_parted() {
    let token = |raw: &'static str, quoted, column| Token {
        raw: raw.as_bytes(),
        quoted,
        position: Position { line: 1, column },
    };
    let head = [token("1", false, 1), token(".", false, 3)];
    let expected = read(RecordType::SVCB, "1 . alpn=h2,h3 port=53");
    for params in [
        vec![token("alpn=\"h2,h3\"", false, 5), token("port=53", false, 18)],
        vec![token("alpn=", false, 5), token("h2,h3", true, 10), token("port=53", false, 18)],
        vec![token("port=", false, 5), token("53", true, 10), token("alpn=h2,h3", false, 15)],
    ] {
        let mut out = Vec::new();
        let tokens = [&head[..], &params].concat();
        rdata::from_tokens(RecordType::SVCB, &tokens, None, &mut out).unwrap();
        assert_eq!(out, expected);
    }
    // A quoted word further on is not the value.
    let apart = [&head[..], &[token("port=", false, 5), token("53", true, 11)]].concat();
    assert!(rdata::from_tokens(RecordType::SVCB, &apart, None, &mut Vec::new()).is_err());
}
