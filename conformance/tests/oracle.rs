//! The oracle against the examples of the RFCs it was written from.

use std::fmt::Write;

use conformance::oracle::{AnyMode, Expected, Options, Question, answer};
use conformance::record::Record;
use conformance::zone::ZoneData;
use dns_core::RecordType;

fn zone(apex: &str, text: &str) -> ZoneData {
    ZoneData::from_text(&apex.parse().unwrap(), text.as_bytes()).unwrap()
}

/// One line for an expected answer: code, AA, then each section's required records as owner, type and target.
fn describe(expected: &Expected) -> String {
    let mut text = expected.rcode.label().to_owned();
    if expected.authoritative {
        text.push_str(" aa");
    }
    for (label, records) in [
        ("answer", &expected.answer),
        ("authority", &expected.authority.required),
        ("additional", &expected.additional.required),
    ] {
        let mut lines: Vec<String> =
            records.iter().filter(|record| record.rtype != RecordType::RRSIG).map(line).collect();
        lines.dedup();
        if label != "answer" {
            lines.sort();
        }
        if !lines.is_empty() {
            write!(text, "; {label}: {}", lines.join(", ")).unwrap();
        }
    }
    text
}

fn line(record: &Record) -> String {
    match record.rtype {
        RecordType::CNAME | RecordType::DNAME | RecordType::NS | RecordType::MX => record
            .to_string()
            .split(' ')
            .enumerate()
            .filter_map(|(place, word)| (place != 1).then_some(word))
            .collect::<Vec<_>>()
            .join(" "),
        _ => format!("{} {}", record.owner, record.rtype),
    }
}

#[track_caller]
fn check_with(zones: &[ZoneData], question: &str, options: &Options, expected: &str) {
    let words: Vec<&str> = question.split(' ').collect();
    let question = Question {
        qname: words[0].parse().unwrap(),
        qtype: words[1].parse().unwrap(),
        dnssec_ok: words.contains(&"DO"),
        tcp: words.contains(&"tcp"),
    };
    assert_eq!(describe(&answer(zones, &question, options)), expected, "{question:?}");
}

#[track_caller]
fn check(zones: &[ZoneData], question: &str, expected: &str) {
    check_with(zones, question, &Options::default(), expected);
}

/// The zones of RFC 1034, section 6.1, as one server has them.
fn rfc_1034() -> Vec<ZoneData> {
    vec![zone(
        ".",
        "$TTL 86400\n\
             . SOA SRI-NIC.ARPA. HOSTMASTER.SRI-NIC.ARPA. 870611 1800 300 604800 86400\n\
             . NS A.ISI.EDU.\n. NS C.ISI.EDU.\n. NS SRI-NIC.ARPA.\n\
             MIL. NS SRI-NIC.ARPA.\nMIL. NS A.ISI.EDU.\n\
             EDU. NS SRI-NIC.ARPA.\nEDU. NS C.ISI.EDU.\n\
             SRI-NIC.ARPA. A 26.0.0.73\nSRI-NIC.ARPA. A 10.0.0.51\nSRI-NIC.ARPA. MX 0 SRI-NIC.ARPA.\n\
             ACC.ARPA. A 26.6.0.65\nUSC-ISIC.ARPA. CNAME C.ISI.EDU.\n\
             A.ISI.EDU. A 26.3.0.103\nC.ISI.EDU. A 10.0.0.52\n",
    )]
}

#[test]
fn rfc_1034_section_6_2() {
    let zones = rfc_1034();
    check(&zones, "SRI-NIC.ARPA. A", "noerror aa; answer: sri-nic.arpa. A");
    check_with(
        &zones,
        "SRI-NIC.ARPA. ANY",
        &Options { any: AnyMode::Full, ..Options::default() },
        "noerror aa; answer: sri-nic.arpa. A, sri-nic.arpa. MX sri-nic.arpa.",
    );
    check(&zones, "SRI-NIC.ARPA. MX", "noerror aa; answer: sri-nic.arpa. MX sri-nic.arpa.");
    check(&zones, "SRI-NIC.ARPA. NS", "noerror aa; authority: . SOA");
    check(&zones, "SIR-NIC.ARPA. A", "nxdomain aa; authority: . SOA");
    check(&zones, "BRL.MIL. A", "noerror; authority: mil. NS a.isi.edu., mil. NS sri-nic.arpa.");
    // C.ISI.EDU lies below the cut EDU, so its address is in-domain glue.
    check(
        &zones,
        "USC-ISIC.ARPA. A",
        "noerror aa; answer: usc-isic.arpa. CNAME c.isi.edu.; \
         authority: edu. NS c.isi.edu., edu. NS sri-nic.arpa.; additional: c.isi.edu. A",
    );
    check(&zones, "USC-ISIC.ARPA. CNAME", "noerror aa; answer: usc-isic.arpa. CNAME c.isi.edu.");
}

#[test]
fn rfc_4592_section_2_2_1() {
    let zones = [zone(
        "example.",
        "$TTL 3600\nexample. SOA ns.example.com. h.example. 1 2 3 4 5\nexample. NS ns.example.com.\n\
         *.example. TXT \"this is a wildcard\"\n*.example. MX 10 host1.example.\n\
         sub.*.example. TXT \"this is not a wildcard\"\nhost1.example. A 192.0.2.1\n\
         _ssh._tcp.host1.example. SRV 0 0 22 host1.example.\n_ssh._tcp.host2.example. SRV 0 0 22 host2.example.\n\
         subdel.example. NS ns.example.com.\n",
    )];
    let nodata = "noerror aa; authority: example. SOA";
    check(&zones, "host3.example. MX", "noerror aa; answer: host3.example. MX host1.example.");
    check(&zones, "host3.example. A", nodata);
    check(&zones, "foo.bar.example. TXT", "noerror aa; answer: foo.bar.example. TXT");
    check(&zones, "host1.example. MX", nodata);
    check(&zones, "sub.*.example. MX", nodata);
    check(&zones, "_telnet._tcp.host1.example. SRV", "nxdomain aa; authority: example. SOA");
    check(&zones, "host.subdel.example. A", "noerror; authority: subdel.example. NS ns.example.com.");
    check(&zones, "ghost.*.example. MX", "nxdomain aa; authority: example. SOA");
    // Empty non-terminals exist (RFC 8020).
    check(&zones, "_tcp.host2.example. MX", nodata);
    check(&zones, "example.org. A", "refused");
}

#[test]
fn rfc_6672_section_2_2() {
    let long = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(40));
    let zones = [zone(
        "example.com.",
        &format!(
            "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns.example.net.\nx DNAME example.net.\nx TXT \"own\"\n\
             deep.frobozz DNAME y\nhost.y A 192.0.2.1\nlong DNAME {long}.\nself DNAME self2\nself2 DNAME self\n"
        ),
    )];
    // The table: the owner itself is not redirected, names below it are, at any depth.
    check(&zones, "x.example.com. TXT", "noerror aa; answer: x.example.com. TXT");
    check(&zones, "x.example.com. A", "noerror aa; authority: example.com. SOA");
    check(
        &zones,
        "a.b.x.example.com. A",
        "noerror aa; answer: x.example.com. DNAME example.net., a.b.x.example.com. CNAME a.b.example.net.",
    );
    check(
        &zones,
        "host.deep.frobozz.example.com. A",
        "noerror aa; answer: deep.frobozz.example.com. DNAME y.example.com., \
         host.deep.frobozz.example.com. CNAME host.y.example.com., host.y.example.com. A",
    );
    check(
        &zones,
        "gone.deep.frobozz.example.com. A",
        "nxdomain aa; answer: deep.frobozz.example.com. DNAME y.example.com., \
         gone.deep.frobozz.example.com. CNAME gone.y.example.com.; authority: example.com. SOA",
    );
    check(
        &zones,
        "this-prefix-does-not-fit.long.example.com. A",
        &format!("yxdomain aa; answer: long.example.com. DNAME {long}."),
    );
    check(
        &zones,
        "a.self.example.com. A",
        "noerror aa; answer: self.example.com. DNAME self2.example.com., a.self.example.com. CNAME a.self2.example.com., \
         self2.example.com. DNAME self.example.com., a.self2.example.com. CNAME a.self.example.com.",
    );
}

#[test]
fn aliases_and_zones_below_zones() {
    let zones = [
        zone(
            "example.",
            "$TTL 60\n@ 600 SOA ns h 1 2 3 4 50\n@ NS ns\nns A 192.0.2.1\nping CNAME pong\npong CNAME ping\n\
             gone CNAME missing\nout CNAME www.outside.\nover CNAME www.child\nchild NS ns.child\nchild DS 1 13 2 00\n\
             ns.child A 192.0.2.2\n",
        ),
        zone("child.example.", "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.2\nwww A 192.0.2.3\n"),
    ];
    check(
        &zones,
        "ping.example. A",
        "noerror aa; answer: ping.example. CNAME pong.example., pong.example. CNAME ping.example.",
    );
    // RFC 6604: the code is that of the last name.
    check(
        &zones,
        "gone.example. A",
        "nxdomain aa; answer: gone.example. CNAME missing.example.; authority: example. SOA",
    );
    check(&zones, "out.example. A", "noerror aa; answer: out.example. CNAME www.outside.");
    check(
        &zones,
        "over.example. A",
        "noerror aa; answer: over.example. CNAME www.child.example., www.child.example. A",
    );
    check_with(
        &zones,
        "over.example. A",
        &Options { resolve_cname_chain: false, ..Options::default() },
        "noerror aa; answer: over.example. CNAME www.child.example.",
    );
    // RFC 4035, section 3.1.4.1: the parent answers DS.
    check(&zones, "child.example. DS", "noerror aa; answer: child.example. DS");
    check(&zones, "child.example. NS", "noerror aa; answer: child.example. NS ns.child.example.");
    check(
        &zones[..1],
        "www.child.example. A",
        "noerror; authority: child.example. NS ns.child.example.; additional: ns.child.example. A",
    );
    check(&zones[1..], "child.example. DS", "noerror aa; authority: child.example. SOA");
    // RFC 2308, section 3: the smaller of the SOA's own TTL and its MINIMUM.
    let question = Question {
        qname: "missing.example.".parse().unwrap(),
        qtype: RecordType::A,
        dnssec_ok: false,
        tcp: false,
    };
    let expected = answer(&zones, &question, &Options::default());
    assert_eq!(expected.authority.required[0].ttl, 50);
    let quiet = Options { soa_on_nxdomain: false, ..Options::default() };
    check_with(&zones, "missing.example. A", &quiet, "nxdomain aa");
}

/// The signed zone of RFC 5155, appendix A, with placeholders for keys and signatures: the proofs need only names.
fn rfc_5155() -> ZoneData {
    let signature = "8 1 3600 20350420235959 20251220000000 40430 example. AAAA";
    let mut text = format!(
        "$TTL 3600\nexample. SOA ns1.example. bugs.x.w.example. 1 3600 300 3600000 3600\n\
         example. NS ns1.example.\nexample. NS ns2.example.\nexample. MX 1 xx.example.\n\
         example. DNSKEY 256 3 8 AQAB\nexample. RRSIG DNSKEY {signature}\n\
         example. NSEC3PARAM 1 0 12 AABBCCDD\n\
         a.example. NS ns1.a.example.\na.example. NS ns2.a.example.\na.example. DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n\
         ns1.a.example. A 192.0.2.5\nns2.a.example. A 192.0.2.6\nai.example. A 192.0.2.9\n\
         c.example. NS ns1.c.example.\nc.example. NS ns2.c.example.\nns1.c.example. A 192.0.2.7\nns2.c.example. A 192.0.2.8\n\
         ns1.example. A 192.0.2.1\nns2.example. A 192.0.2.2\n*.w.example. MX 1 ai.example.\n\
         x.w.example. MX 1 xx.example.\nx.y.w.example. MX 1 xx.example.\nxx.example. A 192.0.2.10\n"
    );
    let chain = [
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
        "2t7b4g4vsa5smi47k61mv5bv1a22bojr",
        "2vptu5timamqttgl4luu9kg21e0aor3s",
        "35mthgpgcu1qg68fab165klnsnk3dpvl",
        "b4um86eghhds6nea196smvmlo4ors995",
        "gjeqe526plbf1g8mklp59enfd789njgi",
        "ji6neoaepv8b5o6k4ev33abha8ht9fgc",
        "k8udemvp1j2f7eg6jebps17vp3n8i58h",
        "q04jkcevqvmu85r014c7dkba38o0ji5r",
        "r53bq7cc2uvmubfu5ocmm6pers9tk9en",
        "t644ebqk9bibcna874givr6joj62mlhv",
    ];
    for (place, hash) in chain.iter().enumerate() {
        let next = chain[(place + 1) % chain.len()];
        writeln!(text, "{hash}.example. NSEC3 1 1 12 AABBCCDD {next} A RRSIG").unwrap();
    }
    zone("example.", &text)
}

#[test]
fn rfc_5155_appendix_b() {
    let zones = [rfc_5155()];
    // B.1: name error.
    check(
        &zones,
        "a.c.x.w.example. A DO",
        "nxdomain aa; authority: 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. NSEC3, \
         35mthgpgcu1qg68fab165klnsnk3dpvl.example. NSEC3, b4um86eghhds6nea196smvmlo4ors995.example. NSEC3, example. SOA",
    );
    // B.2 and B.2.1: no data, also at an empty non-terminal.
    check(
        &zones,
        "ns1.example. MX DO",
        "noerror aa; authority: 2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3, example. SOA",
    );
    check(
        &zones,
        "y.w.example. A DO",
        "noerror aa; authority: example. SOA, ji6neoaepv8b5o6k4ev33abha8ht9fgc.example. NSEC3",
    );
    // B.3: referral to an opted-out zone.
    check(
        &zones,
        "mc.c.example. MX DO",
        "noerror; authority: 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. NSEC3, \
         35mthgpgcu1qg68fab165klnsnk3dpvl.example. NSEC3, c.example. NS ns1.c.example., c.example. NS ns2.c.example.; \
         additional: ns1.c.example. A, ns2.c.example. A",
    );
    // B.4: wildcard expansion; only the next closer name is denied.
    check(
        &zones,
        "a.z.w.example. MX DO",
        "noerror aa; answer: a.z.w.example. MX ai.example.; authority: q04jkcevqvmu85r014c7dkba38o0ji5r.example. NSEC3",
    );
    // B.5: wildcard no data.
    check(
        &zones,
        "a.z.w.example. AAAA DO",
        "noerror aa; authority: example. SOA, k8udemvp1j2f7eg6jebps17vp3n8i58h.example. NSEC3, \
         q04jkcevqvmu85r014c7dkba38o0ji5r.example. NSEC3, r53bq7cc2uvmubfu5ocmm6pers9tk9en.example. NSEC3",
    );
    // B.6: DS of a zone that is not delegated here.
    check(
        &zones,
        "example. DS DO",
        "noerror aa; authority: 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. NSEC3, example. SOA",
    );
}

/// The names and NSEC chain of RFC 4035, appendix A, with placeholders for keys and signatures.
fn rfc_4035() -> ZoneData {
    zone(
        "example.",
        "$TTL 3600\n@ SOA ns1 bugs.x.w 1081539377 3600 300 3600000 3600\n@ NS ns1\n@ NS ns2\n@ MX 1 xx\n\
         @ DNSKEY 256 3 5 AQAB\n@ RRSIG DNSKEY 5 1 3600 20350420235959 20251220000000 38519 example. AAAA\n\
         @ NSEC a NS SOA MX RRSIG NSEC DNSKEY\na NS ns1.a\na NS ns2.a\na DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B\n\
         a NSEC ai NS DS RRSIG NSEC\nns1.a A 192.0.2.5\nns2.a A 192.0.2.6\nai A 192.0.2.9\nai NSEC b A RRSIG NSEC\n\
         b NS ns1.b\nb NS ns2.b\nb NSEC ns1 NS RRSIG NSEC\nns1.b A 192.0.2.7\nns2.b A 192.0.2.8\n\
         ns1 A 192.0.2.1\nns1 NSEC ns2 A RRSIG NSEC\nns2 A 192.0.2.2\nns2 NSEC *.w A RRSIG NSEC\n\
         *.w MX 1 ai\n*.w NSEC x.w MX RRSIG NSEC\nx.w MX 1 xx\nx.w NSEC x.y.w MX RRSIG NSEC\n\
         x.y.w MX 1 xx\nx.y.w NSEC xx MX RRSIG NSEC\nxx A 192.0.2.10\nxx NSEC @ A RRSIG NSEC\n",
    )
}

#[test]
fn rfc_4035_appendix_b() {
    let zones = [rfc_4035()];
    // B.2: name error; the apex's NSEC denies the wildcard.
    check(&zones, "ml.example. A DO", "nxdomain aa; authority: b.example. NSEC, example. NSEC, example. SOA");
    // B.3: no data.
    check(&zones, "ns1.example. MX DO", "noerror aa; authority: example. SOA, ns1.example. NSEC");
    // B.4 and B.5: referrals to a signed and an unsigned zone.
    check(
        &zones,
        "mc.a.example. MX DO",
        "noerror; authority: a.example. DS, a.example. NS ns1.a.example., a.example. NS ns2.a.example.; \
         additional: ns1.a.example. A, ns2.a.example. A",
    );
    check(
        &zones,
        "mc.b.example. MX DO",
        "noerror; authority: b.example. NS ns1.b.example., b.example. NS ns2.b.example., b.example. NSEC; \
         additional: ns1.b.example. A, ns2.b.example. A",
    );
    // B.6: wildcard expansion.
    check(
        &zones,
        "a.z.w.example. MX DO",
        "noerror aa; answer: a.z.w.example. MX ai.example.; authority: x.y.w.example. NSEC",
    );
    // B.7: wildcard no data.
    check(
        &zones,
        "a.z.w.example. AAAA DO",
        "noerror aa; authority: *.w.example. NSEC, example. SOA, x.y.w.example. NSEC",
    );
    // B.8: DS of a zone that is not delegated here. Without DO there is no proof.
    check(&zones, "example. DS DO", "noerror aa; authority: example. NSEC, example. SOA");
    check(&zones, "example. DS", "noerror aa; authority: example. SOA");
}
