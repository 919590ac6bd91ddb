//! What written zone files look like.

use dns_core::zonefile::{self, FormatError, Options, Record};
use dns_core::{Name, RecordType};

#[track_caller]
fn check(text: &str, expected: &str) {
    let formatted = format(text, &options()).unwrap();
    assert_eq!(formatted, expected);
    // Formatting what is formatted changes nothing.
    assert_eq!(format(&formatted, &options()).unwrap(), expected);
}

fn options() -> Options {
    Options { origin: Some("example.org".parse().unwrap()), ..Options::default() }
}

fn format(text: &str, options: &Options) -> Result<String, FormatError> {
    zonefile::format("zone", text.as_bytes(), options, &mut zonefile::no_includes).map(|(text, _)| text)
}

#[test]
fn a_zone_is_laid_out_by_name() {
    check(
        r#"$TTL 1h
www A 192.0.2.2
    300 A 192.0.2.1
; a comment
@ MX 10 mail
  NS ns
  SOA Ns hostmaster 2026112101 2h 1h 2w 5m
mail.sub AAAA 2001:db8::1
*.a TXT "b ; c" d
outside.example. A 192.0.2.3
$ORIGIN sub
@ NS ns.sub
\$TTL A 192.0.2.4
"#,
        r#"$ORIGIN example.org.
$TTL 3600
@                    SOA  Ns.example.org. hostmaster.example.org. (
                          2026112101 ; serial
                          7200       ; refresh
                          3600       ; retry
                          1209600    ; expire
                          300        ; minimum
                          )
                     NS   ns.example.org.
                     MX   10 mail.example.org.
outside.example.     A    192.0.2.3
*.a                  TXT  "b ; c" "d"
sub                  NS   ns.sub.sub.example.org.
\$ttl.sub            A    192.0.2.4
mail.sub             AAAA 2001:db8::1
www                  A    192.0.2.2
                 300 A    192.0.2.1
"#,
    );
}

#[test]
fn names_that_need_care() {
    check(
        r"$ORIGIN .
$TTL 60
@ SOA . . 1 2 3 4 5
org NS ns.org
\@ TYPE65280 \# 0
a\.b\032\255 TYPE65281 \# 2 abcd
",
        r"$ORIGIN .
$TTL 60
@            SOA       . . (
                       1          ; serial
                       2          ; refresh
                       3          ; retry
                       4          ; expire
                       5          ; minimum
                       )
\@           TYPE65280 \# 0
a\.b\032\255 TYPE65281 \# 2 ABCD
org          NS        ns.org.
",
    );
}

#[test]
fn the_same_ttl_everywhere_makes_no_column_and_none_no_directive() {
    check("@ 60 A 192.0.2.1\n", "$ORIGIN example.org.\n$TTL 60\n@ A 192.0.2.1\n");
    check("", "$ORIGIN example.org.\n");
    assert!(matches!(format("", &Options::default()), Err(FormatError::NoApex)));
}

#[test]
fn long_owners_stand_out_of_their_column() {
    let long = "x".repeat(40);
    check(
        &format!("$TTL 60\n{long} A 192.0.2.1\n  A 192.0.2.2\nzz A 192.0.2.3\n"),
        &format!("$ORIGIN example.org.\n$TTL 60\n{long} A 192.0.2.1\n   A 192.0.2.2\nzz A 192.0.2.3\n"),
    );
}

#[test]
fn a_file_with_errors_is_not_formatted() {
    let Err(FormatError::Wrong(report)) = format("a A 192.0.2.1\nb 60 A x\nc 60 A y\n", &options()) else {
        panic!("formatted");
    };
    assert_eq!(
        report.to_string(),
        "zone:1:1: no TTL: the record has none, no record before it has one, and there is no $TTL\n\
         zone:2:8: A: 'x' is not an IPv4 address\n\
         zone:3:8: A: 'y' is not an IPv4 address\n"
    );
}

#[test]
fn malformed_rdata_are_written_in_generic_form() {
    let apex: Name = "example.org".parse().unwrap();
    let mut text = String::new();
    let records =
        [(RecordType::SOA, &b"\0\0\0"[..]), (RecordType::A, b"\xc0\0\x02\x01"), (RecordType::A, b"\xc0")];
    let records = records.map(|(rtype, rdata)| Record { owner: apex.as_wire(), ttl: 60, rtype, rdata });
    zonefile::write(&apex, records, &mut text).unwrap();
    assert_eq!(text, "$ORIGIN example.org.\n$TTL 60\n@ SOA \\# 3 000000\n  A   192.0.2.1\n  A   \\# 1 C0\n");
}
