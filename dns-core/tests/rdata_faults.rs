//! Malformed text: each fault is named, with the column of its word.

mod rdata_support;

use dns_core::{Position, RecordType, rdata};

use rdata_support::{hex, rtype};

/// `column` 0 stands for a fault without a place.
#[track_caller]
fn check(mnemonic: &str, text: &str, column: u32, message: &str) {
    let error = rdata::from_text(rtype(mnemonic), text, None).expect_err(text);
    assert_eq!(error.to_string(), message, "{mnemonic} {text}");
    let position = (column > 0).then_some(Position { line: 1, column });
    assert_eq!(error.position, position, "{mnemonic} {text}");
}

#[test]
fn words_too_few_and_too_many() {
    check("A", "", 0, "missing field: address");
    check("MX", "", 0, "missing field: preference");
    check("MX", "10", 0, "missing field: mail exchange");
    check("SOA", "a. b. 1 2 3 4", 0, "missing field: minimum");
    check("TXT", "", 0, "missing field: text");
    check("DS", "1 8 2", 0, "missing field: digest");
    check("DNSKEY", "256 3 8", 0, "missing field: public key");
    check("DOA", "0 1 2 \"\"", 0, "missing field: data");
    check("LOC", "1 2 3 N 4 E", 0, "missing field: altitude");
    check("A", "192.0.2.1 x", 11, "unexpected word 'x' after the last field");
    check("MX", "10 a. 20 b.", 7, "unexpected word '20' after the last field");
    check("LOC", "1 N 1 E 1 1 1 1 1", 17, "unexpected word '1' after the last field");
    check("A6", "0 ::1 x.", 7, "unexpected word 'x.' after the last field");
}

#[test]
fn words_of_the_wrong_kind() {
    for address in
        ["300.1.2.3", "1.2.3", "1.2.3.4.5", "1.2.3.", "01.2.3.4", "1.2.3.-4", "1..2.3", "0001.2.3.4", "host"]
    {
        check("A", address, 1, &format!("'{address}' is not an IPv4 address"));
    }
    check("AAAA", "2001:db8::1::2", 1, "'2001:db8::1::2' is not an IPv6 address");
    check("AAAA", "192.0.2.1", 1, "'192.0.2.1' is not an IPv6 address");
    check("MX", "ten a.", 1, "'ten' is not a number from 0 to 65535");
    check("MX", "65536 a.", 1, "'65536' is not a number from 0 to 65535");
    check("MX", "+1 a.", 1, "'+1' is not a number from 0 to 65535");
    check("CAA", "256 issue \"\"", 1, "'256' is not a number from 0 to 255");
    check("SOA", "a. b. 4294967296 1 1 1 1", 7, "'4294967296' is not a number from 0 to 4294967295");
    check(
        "IPN",
        "18446744073709551616",
        1,
        "'18446744073709551616' is not a number from 0 to 18446744073709551615",
    );
    let seconds = "is not a number of seconds, such as 3600 or 1h, below 2^32";
    for word in ["1x", "h", "1h2", "4294967296", "9999w"] {
        check("SOA", &format!("a. b. 1 {word} 1 1 1"), 9, &format!("'{word}' {seconds}"));
    }
    for word in [
        "20230229000000",
        "20231301000000",
        "20230100000000",
        "20230101240000",
        "20230101006000",
        "19691231235959",
        "4294967296",
        "now",
    ] {
        check(
            "RRSIG",
            &format!("A 8 2 0 {word} 0 1 . AA=="),
            9,
            &format!("'{word}' is not a time as YYYYMMDDHHmmSS or in seconds since 1970"),
        );
    }
    check(
        "DS",
        "1 RSA 2 AB",
        3,
        "'RSA' is not an algorithm: a number from 0 to 255, or a mnemonic such as ECDSAP256SHA256",
    );
    check(
        "CERT",
        "X509 1 8 AA==",
        1,
        "'X509' is not a certificate type: a number from 0 to 65535, or a mnemonic such as PKIX",
    );
    check("NSEC", "a. A BOGUS", 6, "'BOGUS' is not a record type");
    check("CAA", "0 is-sue \"\"", 3, "'is-sue' is not a tag of letters and digits");
    check("DS", "1 8 2 ABC", 7, "'ABC' is not an even number of hexadecimal digits");
    check("DS", "1 8 2 AB CX", 10, "'CX' is not an even number of hexadecimal digits");
    check("DNSKEY", "256 3 8 A*==", 9, "'A*==' is not base64");
    check("DNSKEY", "256 3 8 AAAA AAA", 14, "'AAA' is not base64");
    check("ZONEMD", "1 1 1 ABCD", 0, "octets end within the field digest");
    check("NSEC3", "1 0 0 x 2t7b", 7, "'x' is not an even number of hexadecimal digits");
    check("NSEC3", "1 0 0 - xyz", 9, "'xyz' is not base32hex without padding");
    check(
        "EUI48",
        "00-00-5e-00-53",
        1,
        "'00-00-5e-00-53' is not six pairs of hexadecimal digits with hyphens between them",
    );
    check(
        "EUI64",
        "00-00-5e-ef-10-00-00-2g",
        1,
        "'00-00-5e-ef-10-00-00-2g' is not eight pairs of hexadecimal digits with hyphens between them",
    );
    check("NID", "1 1:2:3", 3, "'1:2:3' is not four groups of hexadecimal digits with colons between them");
    check(
        "NID",
        "1 1:2:3:00004",
        3,
        "'1:2:3:00004' is not four groups of hexadecimal digits with colons between them",
    );
    check("NSAP", "4700", 1, "'4700' is not 0x and pairs of hexadecimal digits, maybe with dots");
    check(
        "APL",
        "1:192.0.2.0/33",
        1,
        "'1:192.0.2.0/33' is not an address prefix, such as 1:192.0.2.0/24 or !2:2001:db8::/32",
    );
    check(
        "APL",
        "3:abc/1",
        1,
        "'3:abc/1' is not an address prefix, such as 1:192.0.2.0/24 or !2:2001:db8::/32",
    );
    check("WKS", "192.0.2.1 6 gopherd", 13, "'gopherd' is not a port or a well-known service");
    check("NXT", "a. URI", 4, "'URI' is not a record type from 1 to 127");
}

#[test]
fn names() {
    check("NS", "a..b.", 1, "'a..b.' is not a domain name: empty label");
    check("MX", "10 ns", 4, "'ns' is not a domain name: relative name, but there is no origin");
    let long = "x".repeat(64);
    check(
        "NS",
        &format!("{long}."),
        1,
        &format!("'{}...' is not a domain name: label is longer than 63 octets", &long[..60]),
    );
    check(
        "NS",
        r"a\300.",
        1,
        r"'a\300.' is not a domain name: bad escape: a backslash needs one character or three digits up to 255 behind it",
    );
}

#[test]
fn texts() {
    let escape = "a backslash needs one character or three digits up to 255 behind it";
    check("TXT", r"a\256", 1, &format!(r"bad escape in 'a\256': {escape}"));
    check("TXT", r#""a" "\12""#, 5, &format!(r"bad escape in '\12': {escape}"));
    check("TXT", r#""open"#, 1, "quote is not closed");
    check("TXT", r#""open\""#, 1, "quote is not closed");
    check("HINFO", &format!("a {}", "x".repeat(256)), 3, "text of 256 octets is longer than 255");
    check("TXT", &"x".repeat(65_300), 0, "RDATA of 65557 octets is longer than 65535");
}

#[test]
fn one_value_is_one_line() {
    check("MX", "(10 a.)", 1, "'(' outside quotes: a single value has no parentheses and no comments");
    check("MX", "10 a.)", 6, "')' outside quotes: a single value has no parentheses and no comments");
    check("MX", "10 a. ; mail", 7, "';' outside quotes: a single value has no parentheses and no comments");
    check("MX", "10\na.", 3, "line break outside quotes: a value is one line");
}

#[test]
fn generic_form() {
    check(
        "TYPE65280",
        "abcd",
        1,
        r"TYPE65280 has no text format of its own; write it as \# with length and hexadecimal digits",
    );
    check(
        "NULL",
        "",
        0,
        r"NULL has no text format of its own; write it as \# with length and hexadecimal digits",
    );
    check("TYPE65280", r"\# 3 abcd", 1, r"\# announces 3 octets, but 2 follow");
    check("TYPE65280", r"\# x abcd", 4, "'x' is not a number from 0 to 65535");
    check("TYPE65280", r"\# 2 abcx", 6, "'abcx' is not an even number of hexadecimal digits");
    check("TYPE65280", r"\#", 0, "missing field: length");
    check("A", r"\# 3 c00002", 1, "octets end within the field address");
    check("A", r"\# 5 c000020100", 1, "1 octets follow the last field");
    check("TXT", r"\# 2 0561", 1, "octets end within the field text");
}

#[test]
fn composite_fields() {
    check(
        "IPSECKEY",
        "1 0 2 192.0.2.1 AA==",
        7,
        "'192.0.2.1' is not a dot, as there is no gateway with type 0",
    );
    check("IPSECKEY", "1 1 2 . AA==", 7, "'.' is not an IPv4 address");
    check("IPSECKEY", "1 4 2 x. AA==", 7, "'x.' is not readable, as its type is none from 0 to 3");
    check("AMTRELAY", "1 2 0 .", 3, "'2' is not 0 or 1");
    check("AMTRELAY", "1 0 4 .", 5, "'4' is not a relay type from 0 to 3");
    check("A6", "129 ::1 x.", 1, "'129' is not a prefix length from 0 to 128");
    check("A6", "64 2001:db8::1 x.", 4, "'2001:db8::1' is not an address suffix: bits of the prefix are set");
    check("HIP", "2 - AAAA", 3, "'-' is not an even number of hexadecimal digits");
    let place = "or minutes and seconds below 60 before it";
    check("LOC", "91 N 0 E 0", 1, "'91' is not a number of degrees from 0 to 90");
    check("LOC", "90 0 0.001 N 0 E 0", 1, "'90' is not a number of degrees from 0 to 90");
    check("LOC", "1 60 N 0 E 0", 3, &format!("'60' is not N or S, {place}"));
    check("LOC", "1 1 60 N 0 E 0", 5, &format!("'60' is not N or S, {place}"));
    check("LOC", "1 1 1.0001 N 0 E 0", 5, &format!("'1.0001' is not N or S, {place}"));
    check("LOC", "1 N 1 N 1", 7, &format!("'N' is not E or W, {place}"));
    check(
        "LOC",
        "1 N 1 E -100000.01m",
        9,
        "'-100000.01m' is not an altitude in metres from -100000.00 to 42849672.95",
    );
    check("LOC", "1 N 1 E 0 90000000.01", 11, "'90000000.01' is not a size in metres from 0 to 90000000.00");
}

/// Octets that are no RDATA of their type; see also the prefixes of all examples.
#[test]
fn malformed_octets() {
    for (mnemonic, octets, message) in [
        ("A", "c000020100", "1 octets follow the last field"),
        ("NS", "026e73", "bad name in the field name server: name ends before its root label"),
        (
            "NS",
            "c00c",
            "bad name in the field name server: name has a compression pointer or a reserved label type",
        ),
        ("CAA", "00 00 61", "malformed octets in the field tag"),
        ("CAA", "00 01 2d 61", "malformed octets in the field tag"),
        ("NSEC", "00 0001 00", "malformed octets in the field types"),
        ("NSEC", "00 0000", "malformed octets in the field types"),
        ("NSEC", "00 0101 40 0001 40", "malformed octets in the field types"),
        ("NSEC", "00 0002 40", "octets end within the field types"),
        ("NSEC3", "01 00 0000 00 00", "malformed octets in the field next hashed owner"),
        ("APL", "0001 21 01 0a", "malformed octets in the field address prefixes"),
        ("APL", "0001 08 02 0a00", "malformed octets in the field address prefixes"),
        ("APL", "0001 08 05 0a00000001", "malformed octets in the field address prefixes"),
        ("LOC", "00 a0 16 13 80000000 80000000 00989680", "malformed octets in the field location"),
        ("LOC", "00 12 16 13 ffffffff 80000000 00989680", "malformed octets in the field location"),
        ("IPSECKEY", "01 04 02 00", "malformed octets in the field gateway"),
        ("AMTRELAY", "01 84 00", "malformed octets in the field relay"),
        ("A6", "81", "malformed octets in the field address suffix"),
        ("A6", "7c f0", "malformed octets in the field address suffix"),
        ("HIP", "00 02 0001 aa", "malformed octets in the field host identity"),
        ("ATMA", "01 61", "malformed octets in the field ATM address"),
    ] {
        let wire = hex(octets);
        let error = rdata::validate(rtype(mnemonic), &wire).expect_err(octets);
        assert_eq!(error.to_string(), message, "{mnemonic} {octets}");
        assert_eq!(error.position, None);
        let text = rdata_support::write(rtype(mnemonic), &wire);
        assert!(text.starts_with(r"\# "), "{mnemonic} {text}");
    }
    let error = rdata::validate(RecordType::NULL, &vec![0; 65_536]).unwrap_err();
    assert_eq!(error.to_string(), "RDATA of 65536 octets is longer than 65535");
}

#[test]
fn long_words_are_cut_short_in_messages() {
    let error = rdata::from_text(RecordType::A, &"9".repeat(10_000_000), None).unwrap_err();
    assert_eq!(error.to_string(), format!("'{}...' is not an IPv4 address", "9".repeat(60)));
}
