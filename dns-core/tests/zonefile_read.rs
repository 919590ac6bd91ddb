//! What zone files mean, by topic.

use std::fmt::Write as _;
use std::num::NonZeroUsize;

use dns_core::rdata;
use dns_core::zonefile::{self, Options, ZoneRecord};

/// Reads with the origin `example.org.`; each record and then each message is a line.
fn read_with(text: &[u8], options: &Options) -> Vec<String> {
    let mut include = |path: &str, from: &str| {
        let text = match path {
            "plain" => "inc A 192.0.2.10\n",
            "origin" => "inc A 192.0.2.10\n$ORIGIN other.example.\ninc A 192.0.2.11\n",
            "inherit" => "  A 192.0.2.10\n",
            "ttl" => "$TTL 77\ninc A 192.0.2.10\n",
            "from" => return Ok((path.to_owned(), format!("inc TXT {from}\n").into_bytes())),
            "nested" => "$INCLUDE from deeper\n",
            path => match path.strip_prefix("deep").and_then(|depth| depth.parse::<u32>().ok()) {
                Some(depth) => {
                    let text = format!("d{depth} A 192.0.2.1\n$INCLUDE deep{}\n", depth + 1);
                    return Ok((path.to_owned(), text.into_bytes()));
                }
                None => return Err("no such file".to_owned()),
            },
        };
        Ok((path.to_owned(), text.as_bytes().to_vec()))
    };
    let mut lines = Vec::new();
    let report = zonefile::read("zone", text, options, &mut include, |record| lines.push(line(&record)));
    lines.extend(report.to_string().lines().map(str::to_owned));
    for threads in [2, 5] {
        assert_eq!(read_in_parts(text, options, &mut include, threads), lines, "{threads} threads");
    }
    lines
}

/// As `zonefile::read` does, but in as many parts as there can be.
fn read_in_parts(
    text: &[u8],
    options: &Options,
    include: &mut zonefile::Include<'_>,
    threads: usize,
) -> Vec<String> {
    let options = Options { part_octets_min: 1, ..options.clone() };
    let threads = NonZeroUsize::new(threads).unwrap();
    let (report, parts) = zonefile::read_in_parts(
        "zone",
        text,
        &options,
        include,
        threads,
        |_octets| Vec::new(),
        |lines: &mut Vec<_>, record| lines.push(line(&record)),
    );
    let report = report.to_string();
    parts.into_iter().flatten().chain(report.lines().map(str::to_owned)).collect()
}

fn line(record: &ZoneRecord<'_>) -> String {
    let mut line = String::new();
    dns_core::name::write_wire(record.owner, &mut line).unwrap();
    write!(line, " {} {} ", record.ttl, record.rtype).unwrap();
    rdata::write_text(record.rtype, record.rdata, &mut line).unwrap();
    line
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let options = Options { origin: Some("example.org".parse().unwrap()), ..Options::default() };
    assert_eq!(read_with(text.as_bytes(), &options), expected, "{text}");
}

#[test]
fn owners() {
    check("www 60 A 192.0.2.1", &["www.example.org. 60 A 192.0.2.1"]);
    check("WWW.Example.COM. 60 A 192.0.2.1", &["www.example.com. 60 A 192.0.2.1"]);
    check("@ 60 A 192.0.2.1", &["example.org. 60 A 192.0.2.1"]);
    check(". 60 A 192.0.2.1", &[". 60 A 192.0.2.1"]);
    check("* 60 A 192.0.2.1", &["*.example.org. 60 A 192.0.2.1"]);
    check(
        "a 60 A 192.0.2.1\n 60 A 192.0.2.2\n\n; comment\n\t60 A 192.0.2.3\nb 60 A 192.0.2.4",
        &[
            "a.example.org. 60 A 192.0.2.1",
            "a.example.org. 60 A 192.0.2.2",
            "a.example.org. 60 A 192.0.2.3",
            "b.example.org. 60 A 192.0.2.4",
        ],
    );
    // The last owner stays absolute when the origin changes.
    check(
        "a 60 A 192.0.2.1\n$ORIGIN sub\n 60 A 192.0.2.2\na 60 A 192.0.2.3",
        &[
            "a.example.org. 60 A 192.0.2.1",
            "a.example.org. 60 A 192.0.2.2",
            "a.sub.example.org. 60 A 192.0.2.3",
        ],
    );
    // Names that look like something else.
    check(
        "a 60 A 192.0.2.1\n60 60 A 192.0.2.2\nIN 60 A 192.0.2.3",
        &[
            "a.example.org. 60 A 192.0.2.1",
            "60.example.org. 60 A 192.0.2.2",
            "in.example.org. 60 A 192.0.2.3",
        ],
    );
}

#[test]
fn rdata_keeps_its_letter_case() {
    check(
        "$ORIGIN Example.NET.\nWWW 60 CNAME Host.Sub",
        &["www.example.net. 60 CNAME Host.Sub.Example.NET."],
    );
}

#[test]
fn escapes() {
    check(r"a\.b\032c\;d 60 A 192.0.2.1", &[r"a\.b\032c\;d.example.org. 60 A 192.0.2.1"]);
    check(r"\$TTL 60 A 192.0.2.1", &[r"\$ttl.example.org. 60 A 192.0.2.1"]);
    check(r"\@ 60 A 192.0.2.1", &[r"\@.example.org. 60 A 192.0.2.1"]);
    check(
        r#"t 60 TXT a\;b "c;d" "e\"f" g\ h "(" "\065""#,
        &[r#"t.example.org. 60 TXT "a;b" "c;d" "e\"f" "g h" "(" "A""#],
    );
}

#[test]
fn service_parameters_have_quotes_within_words() {
    for value in [r#"alpn="h2,h3" port=443"#, r#""alpn=h2,h3" port="443""#, "alpn=h2,h3 port=443"] {
        check(&format!("a 60 HTTPS 1 . {value} ; x"), &["a.example.org. 60 HTTPS 1 . alpn=h2,h3 port=443"]);
    }
    check(r#"a 60 SVCB 1 . key65280="b c;(""#, &[r"a.example.org. 60 SVCB 1 . key65280=b\032c\;\("]);
}

#[test]
fn classes_and_ttls_in_either_order() {
    for middle in ["60 IN", "IN 60", "60 in", "1m", "60 CLASS1", "class1 60", "0w60S"] {
        check(&format!("a {middle} A 192.0.2.1"), &["a.example.org. 60 A 192.0.2.1"]);
    }
    check("a 2147483647 A 192.0.2.1", &["a.example.org. 2147483647 A 192.0.2.1"]);
    check("a 60 type1 \\# 4 c0000201", &["a.example.org. 60 A 192.0.2.1"]);
    check("a 60 aaaa 2001:db8::1", &["a.example.org. 60 AAAA 2001:db8::1"]);
    check("a 60 TYPE65280 \\# 2 ab cd", &[r"a.example.org. 60 TYPE65280 \# 2 ABCD"]);
}

#[test]
fn ttls_are_inherited() {
    // RFC 1035, section 5.1: the last stated one.
    check(
        "a 60 A 192.0.2.1\nb A 192.0.2.2\nc 70 A 192.0.2.3\n  A 192.0.2.4",
        &[
            "a.example.org. 60 A 192.0.2.1",
            "b.example.org. 60 A 192.0.2.2",
            "c.example.org. 70 A 192.0.2.3",
            "c.example.org. 70 A 192.0.2.4",
        ],
    );
    // RFC 2308, section 4: $TTL from where it stands, whatever was stated.
    check(
        "a 60 A 192.0.2.1\n$TTL 1h\nb A 192.0.2.2\nc 70 A 192.0.2.3\nd A 192.0.2.4\n$ttl 2h\ne A 192.0.2.5",
        &[
            "a.example.org. 60 A 192.0.2.1",
            "b.example.org. 3600 A 192.0.2.2",
            "c.example.org. 70 A 192.0.2.3",
            "d.example.org. 3600 A 192.0.2.4",
            "e.example.org. 7200 A 192.0.2.5",
        ],
    );
    // Nothing stated: the minimum of the SOA becomes the default, as in BIND.
    check(
        "@ SOA ns h 1 2 3 4 500\na A 192.0.2.1\nb 60 A 192.0.2.2\nc A 192.0.2.3",
        &[
            "example.org. 500 SOA ns.example.org. h.example.org. 1 2 3 4 500",
            "a.example.org. 500 A 192.0.2.1",
            "b.example.org. 60 A 192.0.2.2",
            "c.example.org. 500 A 192.0.2.3",
            "zone:1:1: warning: no TTL is stated; taking 500, the minimum field of the SOA",
        ],
    );
    check(
        "@ 60 SOA ns h 1 2 3 4 500\na A 192.0.2.1",
        &["example.org. 60 SOA ns.example.org. h.example.org. 1 2 3 4 500", "a.example.org. 60 A 192.0.2.1"],
    );
}

#[test]
fn default_ttl_of_the_caller_comes_last() {
    let options = Options {
        origin: Some("example.org".parse().unwrap()),
        default_ttl: Some(300),
        ..Options::default()
    };
    assert_eq!(
        read_with(b"@ SOA ns h 1 2 3 4 500\na 60 A 192.0.2.1\nb A 192.0.2.2", &options),
        [
            "example.org. 300 SOA ns.example.org. h.example.org. 1 2 3 4 500",
            "a.example.org. 60 A 192.0.2.1",
            "b.example.org. 60 A 192.0.2.2",
        ]
    );
}

#[test]
fn layout_does_not_matter() {
    let soa = "example.org. 60 SOA ns.example.org. h.example.org. 1 2 3 4 5";
    check("@ 60 SOA ns h (1 2 3 4 5)", &[soa]);
    check("@ 60 SOA ns h (\r\n 1 ; serial )\r\n\t2 3\r\n\r\n4\r\n5 ) ; end\r\n", &[soa]);
    check("@ ( 60 SOA ns\nh 1 2 3 4 ) 5", &[soa]);
    check("( @ 60\n SOA ns h 1 2 3 4 5 )", &[soa]);
    check("\u{feff}@ 60 SOA ns h 1 2 3 4 5", &[soa]);
    check("@\t60\tSOA\tns\th\t1\t2\t3\t4\t5;x", &[soa]);
    check("", &[]);
}

#[test]
fn origins() {
    check(
        "$ORIGIN sub\na 60 A 192.0.2.1\n$origin b.a ; nested\n@ 60 A 192.0.2.2\n$ORIGIN .\norg 60 A 192.0.2.3",
        &["a.sub.example.org. 60 A 192.0.2.1", "b.a.sub.example.org. 60 A 192.0.2.2", "org. 60 A 192.0.2.3"],
    );
}

#[test]
fn includes() {
    check(
        "$TTL 60\na A 192.0.2.1\n$INCLUDE plain\n  A 192.0.2.2",
        &[
            "a.example.org. 60 A 192.0.2.1",
            "inc.example.org. 60 A 192.0.2.10",
            "a.example.org. 60 A 192.0.2.2",
        ],
    );
    check(
        "$TTL 60\n$INCLUDE origin sub\nb A 192.0.2.2\n$INCLUDE \"origin\"\nb A 192.0.2.3",
        &[
            "inc.sub.example.org. 60 A 192.0.2.10",
            "inc.other.example. 60 A 192.0.2.11",
            "b.example.org. 60 A 192.0.2.2",
            "inc.example.org. 60 A 192.0.2.10",
            "inc.other.example. 60 A 192.0.2.11",
            "b.example.org. 60 A 192.0.2.3",
        ],
    );
    check(
        "$TTL 60\n$INCLUDE nested\n$INCLUDE from",
        &["inc.deeper.example.org. 60 TXT \"nested\"", "inc.example.org. 60 TXT \"zone\""],
    );
    check(
        "$TTL 60\n$INCLUDE ttl\nb A 192.0.2.2",
        &["inc.example.org. 77 A 192.0.2.10", "b.example.org. 77 A 192.0.2.2"],
    );
    check(
        "$TTL 60\na A 192.0.2.1\n$INCLUDE inherit",
        &[
            "a.example.org. 60 A 192.0.2.1",
            "inherit:1:3: no owner: the line begins with white space, but no record stands before it in this file",
        ],
    );
}

#[test]
fn include_depth_is_bounded() {
    let options = Options { origin: Some("example.org".parse().unwrap()), ..Options::default() };
    let lines = read_with(b"$TTL 60\n$INCLUDE deep1\nlast A 192.0.2.2", &options);
    assert_eq!(lines.len(), zonefile::INCLUDE_DEPTH_MAX + 2, "{lines:?}");
    assert_eq!(lines[zonefile::INCLUDE_DEPTH_MAX], "last.example.org. 60 A 192.0.2.2");
    assert_eq!(lines.last().unwrap(), "deep10:2:10: $INCLUDE goes more than 10 files deep");
}

#[test]
fn records_know_their_file_and_place() {
    let mut include =
        |path: &str, _: &str| Ok((path.to_owned(), b"\nb 60 A 192.0.2.1 ; x\nc 60 A 192.0.2.1".to_vec()));
    let options = Options { origin: Some("example.org".parse().unwrap()), ..Options::default() };
    let mut places = Vec::new();
    let report = zonefile::read(
        "zone",
        b"a 60 (\n A 192.0.2.1 )\n$INCLUDE inc\n$INCLUDE inc\n  60 A 192.0.2.2",
        &options,
        &mut include,
        |record| places.push(format!("{}:{}", record.file, record.position)),
    );
    assert_eq!(report.files.iter().map(|file| &**file).collect::<Vec<_>>(), ["zone", "inc"]);
    assert_eq!(places, ["0:1:1", "1:2:1", "1:3:1", "1:2:1", "1:3:1", "0:5:3"]);
    assert!(report.is_ok(), "{report}");
}

/// What stands in one part may depend on what stands before; then the parts are read in order after all.
#[test]
fn parts_are_read_as_the_whole_is() {
    let records = |range: std::ops::Range<u32>| {
        range.fold(String::new(), |text, number| text + &format!("h{number} A 192.0.2.{}\n", number % 256))
    };
    let (head, tail) = (records(0..50), records(50..100));
    let options = Options { origin: Some("example.org".parse().unwrap()), ..Options::default() };
    let lines = |text: String| read_with(text.as_bytes(), &options);
    assert_eq!(lines(format!("$TTL 60\n{head}{tail}")).len(), 100);
    assert_eq!(lines(format!("\u{feff}$TTL 60\n{head}{tail}")).len(), 100);
    assert_eq!(
        lines(format!("h 60 A 192.0.2.1\n{head}h 120 A 192.0.2.2\n{tail}"))[60],
        "h58.example.org. 120 A 192.0.2.58"
    );
    assert_eq!(
        lines(format!("$TTL 60\n{head}( $ORIGIN sub )\n{tail}"))[99],
        "h99.sub.example.org. 60 A 192.0.2.99"
    );
    assert_eq!(
        lines(format!("$TTL 60\n{head}$ORIGIN sub\n{tail}"))[99],
        "h99.sub.example.org. 60 A 192.0.2.99"
    );
    let text = format!("$TTL 60\n{head}t TXT (\n{}) ; end\n{tail}", "word ; h A 192.0.2.1\n".repeat(50));
    assert_eq!(lines(text).len(), 101);
    assert_eq!(
        lines(format!("$TTL 60\n{head}h A 192.0.2\n{tail}h A\n"))[100],
        "zone:52:5: A: '192.0.2' is not an IPv4 address"
    );
    assert!(lines(format!("{head}$TTL 60\n{tail}"))[50].starts_with("zone:1:1: "));
    // Lines that all go on with the owner before offer no place to cut.
    assert_eq!(lines(format!("$TTL 60\na A 192.0.2.1\n{}", " A 192.0.2.2\n".repeat(100))).len(), 101);
}

/// The parts are read at once, or else nothing would be gained; what is remarkable makes one of them.
#[test]
fn files_are_cut_into_parts() {
    let text = "h 60 A 192.0.2.1\n".repeat(100);
    let count = |text: &str, threads| {
        let options = Options {
            origin: Some("example.org".parse().unwrap()),
            part_octets_min: 100,
            ..Options::default()
        };
        let threads = NonZeroUsize::new(threads).unwrap();
        let no_includes = &mut zonefile::no_includes;
        let collect = |records: &mut usize, _record: ZoneRecord<'_>| *records += 1;
        let (report, parts) =
            zonefile::read_in_parts("zone", text.as_bytes(), &options, no_includes, threads, |_| 0, collect);
        assert!(report.is_ok(), "{report}");
        parts.into_iter().filter(|records| *records > 0).collect::<Vec<usize>>()
    };
    assert_eq!(count(&text, 1), [100]);
    assert_eq!(count(&text[..170], 2), [10]);
    let parts = count(&text, 2);
    assert_eq!((parts.len(), parts.iter().sum::<usize>()), (8, 100), "{parts:?}");
    assert_eq!(count(&format!("{text}$TTL 5\n"), 2), [100]);
    let parts = count(&format!("{text}( $TTL 5 )\n"), 2);
    assert_eq!(parts, [100]);
}

#[test]
fn generate() {
    check(
        "$TTL 60\n$GENERATE 1-3 host$ A 192.0.2.$",
        &[
            "host1.example.org. 60 A 192.0.2.1",
            "host2.example.org. 60 A 192.0.2.2",
            "host3.example.org. 60 A 192.0.2.3",
        ],
    );
    check(
        "$GENERATE 0-10/5 ${10,3,d}.$ 30 IN MX 10 mail$.example.net. ; comment",
        &[
            "010.0.example.org. 30 MX 10 mail0.example.net.",
            "015.5.example.org. 30 MX 10 mail5.example.net.",
            "020.10.example.org. 30 MX 10 mail10.example.net.",
        ],
    );
    // As BIND wants several words.
    check(r#"$GENERATE 1-1 a$ IN 30 MX "$0 mail$""#, &["a1.example.org. 30 MX 10 mail1.example.org."]);
    check(
        r#"$GENERATE 1-1 a$ 30 TXT "\"one $\" two\$ $$""#,
        &[r#"a1.example.org. 30 TXT "one 1" "two$" "$""#],
    );
    check(r#"$GENERATE 1-1 a$ 30 TXT "one $" "two""#, &[r#"a1.example.org. 30 TXT "one 1" "two""#]);
    check(
        "$GENERATE 26-26 ${0,7,n}.ip6 30 PTR host-${-16,4,x}",
        &["a.1.0.0.ip6.example.org. 30 PTR host-000a.example.org."],
    );
    // It does not become the last owner.
    check(
        "x 30 A 192.0.2.9\n$GENERATE 1-1 a$ A 192.0.2.$\n  A 192.0.2.8",
        &["x.example.org. 30 A 192.0.2.9", "a1.example.org. 30 A 192.0.2.1", "x.example.org. 30 A 192.0.2.8"],
    );
}

#[test]
fn errors_are_counted_beyond_the_limit() {
    let options = Options { errors_max: 2, ..Options::default() };
    let mut text = b"a.b. 60 A x\n".repeat(5);
    text.extend(b"a.b. 60 A 192.0.2.1\n");
    let mut records = 0;
    let report = zonefile::read("zone", &text, &options, &mut zonefile::no_includes, |_| records += 1);
    assert_eq!((report.errors.len(), report.errors_omitted, records), (2, 3, 1));
    assert!(report.to_string().ends_with("and 3 more errors\n"), "{report}");
    assert!(!report.is_ok());
}

#[test]
fn a_long_line_is_one_error_and_the_rest_is_read() {
    let mut text = b"a.b. 60 TXT ".to_vec();
    text.resize(10_000_000, b'x');
    text.extend(b"\na.b. 60 A 192.0.2.1\n");
    let lines = read_with(&text, &Options::default());
    assert_eq!(lines, ["a.b. 60 A 192.0.2.1", "zone:1:1: entry is longer than 1048576 octets"]);
}
