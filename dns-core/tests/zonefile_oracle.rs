//! The same zone files in our reader and in that of the crate `domain`.
//!
//! Not compared: `@` within RDATA, which that reader takes for a label, TTLs that nothing states, and files without a
//! newline at their end, which it refuses.

use std::fmt::Write as _;

use dns_core::zonefile::{self, Options};
use domain::base::ToName;
use domain::base::name::Name as OracleName;
use domain::base::rdata::ComposeRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};
use proptest::collection::vec;
use proptest::prelude::*;

/// Owner in lower case, TTL, type and RDATA.
type Row = (Vec<u8>, u32, u16, Vec<u8>);

const ORIGIN: &str = "example.org.";

fn ours(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let options = Options { origin: ORIGIN.parse().ok(), ..Options::default() };
    let report = zonefile::read("zone", text.as_bytes(), &options, &mut zonefile::no_includes, |record| {
        rows.push((record.owner.to_vec(), record.ttl, record.rtype.0, record.rdata.to_vec()));
    });
    if report.is_ok() { Ok(rows) } else { Err(report.to_string()) }
}

fn oracle(text: &str) -> Result<Vec<Row>, String> {
    let mut zone = Zonefile::from(text);
    zone.set_origin(OracleName::bytes_from_str(ORIGIN).unwrap());
    let mut rows = Vec::new();
    while let Some(entry) = zone.next_entry().map_err(|error| error.to_string())? {
        let Entry::Record(record) = entry else {
            return Err("an include".to_owned());
        };
        let mut rdata = Vec::new();
        record.data().compose_rdata(&mut rdata).unwrap();
        let owner = record.owner().to_vec().as_octets().to_ascii_lowercase();
        rows.push((owner, record.ttl().as_secs(), record.rtype().to_int(), rdata));
    }
    Ok(rows)
}

#[track_caller]
fn check(text: &str) {
    let rows = oracle(text);
    assert!(rows.as_ref().is_ok_and(|rows| !rows.is_empty()), "{rows:?} for {text}");
    assert_eq!(ours(text), rows, "{text}");
}

#[test]
fn sample_zones() {
    check(
        r#"$TTL 3600
@ IN SOA ns1 hostmaster.example.net. ( 2026112101 ; serial
        7200 3600
        1209600	; expire
        300 )
  IN NS ns1
  IN NS ns2.example.net.
ns1 600 IN A 192.0.2.53
    IN AAAA 2001:db8::53
    IN 60 TXT "one string" two "thr\"ee" fo\032ur
$ORIGIN sub.example.org.
@ IN MX 10 mail
mail IN A 192.0.2.25
*.wild IN CNAME target
a\.b\046c IN PTR x\\y.example.
_sip._tcp IN SRV 0 5 5060 sip.example.com.
$TTL 60
UPPER.Case IN CNAME Target.Case
x IN TYPE65280 \# 3 ab cdef
y IN A \# 4 c0000201
"#,
    );
    check("$TTL 60\r\na IN A 192.0.2.1\r\n  IN A 192.0.2.2\r\n\r\nb IN A 192.0.2.3\r\n");
}

/// Records in every layout that both readers know.
fn zone() -> impl Strategy<Value = String> {
    let owner = prop::sample::select(vec![
        "@",
        " ",
        "\t",
        "a",
        "A.b",
        "www",
        "*",
        "x.example.net.",
        r"e\.f",
        r"g\032h",
        r"i\\j",
        "60",
        r"\@",
    ]);
    let fields = prop::sample::select(vec!["IN", "60 IN", "IN 0", "in 2147483647", "7 in"]);
    let rdata = prop::sample::select(vec![
        "A 192.0.2.1",
        "AAAA 2001:db8::1:0",
        "aaaa ::ffff:192.0.2.1",
        "NS ns",
        "CNAME Www.Example.ORG.",
        r"PTR a\.b.c\255",
        "MX 10 mail",
        "SRV 1 2 65535 .",
        "TXT a",
        r#"TXT "" "b;c" "(d)" "\"e\"""#,
        r#"TXT f\;g "h\\" \065"#,
        "SOA ns host 4294967295 7200 3600 1209600 300",
        r"TYPE65281 \# 0",
        r"TYPE65281 \# 2 ABcd",
    ]);
    let blank = prop::sample::select(vec![" ", "  ", "\t", " \t "]);
    let end =
        prop::sample::select(vec!["\n", " \n", ";x\n", " ; \"(\n", "\n\n", "\n  \n", "\r\n", "\n; x\n"]);
    let record = (owner, fields, rdata, blank, end, any::<bool>()).prop_map(
        |(owner, fields, rdata, blank, end, split)| {
            let mut line = format!("{owner}{blank}{fields}{blank}");
            match rdata.split_once(' ') {
                // Parentheses may let the line go on anywhere between two words.
                Some((rtype, rest)) if split => {
                    write!(line, "{rtype}{blank}(; (\n{blank}{rest}\n){end}").unwrap();
                }
                _ => write!(line, "{rdata}{end}").unwrap(),
            }
            line
        },
    );
    let directive = prop::sample::select(vec![
        "$ORIGIN sub\n",
        "$ORIGIN example.net. ; x\n",
        "$ORIGIN .\n",
        "$TTL 300\n",
        "$TTL 0 ; x\n",
    ]);
    let entry = prop_oneof![5 => record, 1 => directive.prop_map(str::to_owned)];
    vec(entry, 0..30).prop_map(|entries| format!("$TTL 3600\n@ IN NS first\n{}", entries.concat()))
}

proptest! {
    #[test]
    fn generated_zones(text in zone()) {
        let expected = oracle(&text);
        prop_assert!(expected.is_ok(), "{:?}\n{}", expected, text);
        prop_assert_eq!(ours(&text), expected, "{}", text);
    }
}
