//! What is found, by topic. Each table begins with the records beside those of a sound apex.

use std::fmt::Write;

use super::*;
use crate::zone::{Place, SourceTag, ZoneBuilder};
use crate::{Name, RecordType, zonefile};

const SOA: &str = "@ SOA ns.example.net. hostmaster 7 2h 1h 2w 5m\n";
const NS: &str = "@ NS ns1.example.net.\n@ NS ns2.example.net.\n";

fn zone(apex: &str, text: &str) -> Zone {
    let apex: Name = apex.parse().unwrap();
    let options = zonefile::Options { origin: Some(apex.clone()), ..zonefile::Options::default() };
    let mut builder = ZoneBuilder::new(apex);
    let text = format!("$TTL 1h\n{text}");
    let report = zonefile::read("test", text.as_bytes(), &options, &mut zonefile::no_includes, |record| {
        let place = Place { file: record.file, line: record.position.line };
        builder.add(record.owner, record.rtype, record.ttl, record.rdata, SourceTag::default(), place);
    });
    assert!(report.is_ok(), "{:?}", report.errors);
    builder.finish().unwrap_or_else(|faults| panic!("{faults:?}")).zone
}

fn findings(apex: &str, text: &str) -> Vec<String> {
    let zone = zone(apex, text);
    let report = check(&zone);
    assert_eq!(report.omitted, 0);
    // A look at each name finds the same, but for what needs a look at all of them.
    let names: Vec<Name> = zone.nodes().map(|node| Name::from_wire(node.name()).unwrap()).collect();
    let mut by_name = report.findings.clone();
    by_name.retain(|finding| !is_of_all_names(finding));
    assert_eq!(check_names(&zone, &names).findings, by_name);
    report.findings.iter().map(ToString::to_string).collect()
}

/// It is told by all name servers of the zone.
fn is_of_all_names(finding: &Finding) -> bool {
    match finding {
        Finding::UnusedGlue { .. } => true,
        Finding::BelowZoneCut { owner, rtype, cut } => {
            owner == cut && matches!(*rtype, RecordType::A | RecordType::AAAA)
        }
        _ => false,
    }
}

#[track_caller]
fn finds(records: &str, expected: &[&str]) {
    assert_eq!(findings("example.org", &format!("{SOA}{NS}{records}")), expected, "{records}");
}

#[test]
fn a_sound_zone_has_no_findings() {
    finds(
        "@ MX 10 mail\n@ A 192.0.2.1\n@ TXT \"v=spf1 -all\"\n@ TXT \"v=spf10\"\nmail AAAA 2001:db8::1\nwww CNAME @\n\
         gone CNAME gone.example.net.\n_sip._tcp SRV 1 1 5060 mail\n_x._tcp SRV 0 0 0 .\nnomail MX 0 .\n\
         sub NS ns.sub\nsub NS ns.other\nsub NS ns.example.net.\nns.sub A 192.0.2.53\nother NS ns.other\nother NS other\n\
         ns.other A 192.0.2.54\nother A 192.0.2.55\nsub DS 1 13 2 00\n\
         *.wild A 192.0.2.9\nwild MX 5 any.wild\n_dmarc TXT \"v=DMARC1\"\ngc._msdcs A 192.0.2.7\nd DNAME example.net.\n",
        &[],
    );
}

#[test]
fn forgotten_dots() {
    finds(
        "www.example.org A 192.0.2.1\n@ MX 10 mail.example.org\nalias CNAME www2.example.org\n",
        &[
            "example.org. MX names mail.example.org.example.org., which has the name of the zone twice: a dot may be missing at its end",
            "alias.example.org. CNAME names www2.example.org.example.org., which has the name of the zone twice: a dot may be missing at its end",
            "www.example.org.example.org. has the name of the zone twice: a dot may be missing at its end",
        ],
    );
    assert_eq!(
        findings(
            "2.0.192.in-addr.arpa",
            &format!("{SOA}{NS}1 PTR host.example.org\n2 PTR host.example.org.\n")
        )[..],
        [
            "1.2.0.192.in-addr.arpa. PTR names host.example.org.2.0.192.in-addr.arpa., which is in the reverse zone itself: \
             a dot may be missing at its end"
        ]
    );
}

#[test]
fn targets_that_are_no_hosts() {
    finds(
        "@ MX 1 192.0.2.1.\n@ MX 2 192.0.2.1\n@ MX 3 2001:db8::1.\n@ MX 4 missing\n@ MX 5 alias\n@ MX 6 text\n@ MX 7 x.d\n\
         @ MX 8 empty\n@ MX 9 1.2.3.4.example.net.\n@ MX 10 any.wild\n@ MX 11 300.1.1.1.\nalias CNAME host.example.net.\n\
         text TXT x\nd DNAME example.net.\nb.empty A 192.0.2.2\n*.wild CNAME alias\n_s._tcp SRV 1 1 1 alias\nmail MX 1 a_b.example.net.\n",
        &[
            "example.org. MX names 192.0.2.1., which looks like an address: a name is needed here",
            "example.org. MX names 2001:db8::1., which looks like an address: a name is needed here",
            "example.org. MX names 192.0.2.1.example.org., which looks like an address: a name is needed here",
            "example.org. MX names alias.example.org., which is an alias",
            "example.org. MX names x.d.example.org., which is an alias",
            "example.org. MX names empty.example.org., which has no address",
            "example.org. MX names missing.example.org., which does not exist",
            "example.org. MX names text.example.org., which has no address",
            "example.org. MX names any.wild.example.org., which is an alias",
            "_s._tcp.example.org. SRV names alias.example.org., which is an alias",
            "mail.example.org. MX names a_b.example.net., which is no valid host name",
        ],
    );
}

#[test]
fn name_servers_and_glue() {
    finds(
        "@ NS ns\n@ NS ns.sub\n@ NS alias\nalias CNAME ns.example.net.\nsub NS ns.sub\nsub NS deep.ns.sub\n\
         deep.ns.sub TXT x\nother NS ns.sub\nother NS b\nother MX 1 ns.example.net.\nwww.other A 192.0.2.1\nb TXT x\n",
        &[
            "example.org. NS names alias.example.org., which is an alias",
            "example.org. NS names ns.example.org., which does not exist",
            "example.org. NS names ns.sub.example.org., for which there is no glue",
            "other.example.org. NS names b.example.org., which has no address",
            "other.example.org. MX is never answered: other.example.org. is delegated",
            "www.other.example.org. has an address below the zone cut other.example.org., and is no name server",
            "sub.example.org. NS names ns.sub.example.org., for which there is no glue",
            "sub.example.org. NS names deep.ns.sub.example.org., for which there is no glue",
            "deep.ns.sub.example.org. TXT is never answered: sub.example.org. is delegated",
        ],
    );
    assert_eq!(
        findings("example.org", &format!("{SOA}@ NS ns.example.net.\n")),
        ["example.org. has one name server, at least two are recommended"]
    );
}

#[test]
fn records_below_a_dname_and_at_wildcards() {
    finds(
        "d DNAME example.net.\nd A 192.0.2.1\nx.d A 192.0.2.1\nx.d TXT x\n*.e DNAME example.net.\n*.f NS ns.example.net.\nds DS 1 13 2 00\n",
        &[
            "x.d.example.org. A is never answered: d.example.org. has a DNAME record",
            "x.d.example.org. TXT is never answered: d.example.org. has a DNAME record",
            "ds.example.org. has DS records, and is not delegated",
            "*.e.example.org. has DNAME records, which have no agreed meaning at a wildcard",
            "*.f.example.org. has NS records, which have no agreed meaning at a wildcard",
        ],
    );
}

#[test]
fn aliases_that_lead_nowhere() {
    let mut chain = String::new();
    for at in 0..20 {
        writeln!(chain, "c{at} CNAME c{}", at + 1).unwrap();
    }
    finds(
        &format!("{chain}c20 A 192.0.2.1\n"),
        &[
            "c0.example.org. is an alias that leads to no end within 16 steps",
            "c1.example.org. is an alias that leads to no end within 16 steps",
            "c2.example.org. is an alias that leads to no end within 16 steps",
            "c3.example.org. is an alias that leads to no end within 16 steps",
        ],
    );
    finds(
        "a CNAME b\nb CNAME a\ninto CNAME a\nself CNAME self\nnone CNAME missing\nchained CNAME none\nempty CNAME ent\nx.ent A 192.0.2.1\n\
         any.wild CNAME x.wild\n*.wild CNAME *.wild\n",
        &[
            "a.example.org. is an alias of itself",
            "b.example.org. is an alias of itself",
            "empty.example.org. is an alias of ent.example.org., which has no records",
            "into.example.org. is an alias that leads to no end within 16 steps",
            "none.example.org. is an alias of missing.example.org., which has no records",
            "self.example.org. is an alias of itself",
            "*.wild.example.org. is an alias of itself",
            "any.wild.example.org. is an alias that leads to no end within 16 steps",
        ],
    );
}

#[test]
fn values_of_the_soa_record() {
    let soa = |values: &str| findings("example.org", &format!("@ SOA ns.example.net. {values}\n{NS}"));
    assert_eq!(
        soa("host@example.org 0 1h 1h 1h 2d"),
        [
            "example.org. SOA: the mailbox host\\@example.org.example.org. should have a dot in place of '@'",
            "example.org. SOA: serial 0 is taken for none by some software",
            "example.org. SOA: retry 3600 should be less than refresh 3600",
            "example.org. SOA: expire 3600 should be more than refresh 3600 and retry 3600 together",
            "example.org. SOA: minimum 172800, the TTL of negative answers, is more than a day",
        ]
    );
    assert_eq!(
        soa("a\\.b.example.net. 1 0 0 0 0"),
        ["example.org. SOA: refresh is 0", "example.org. SOA: retry is 0", "example.org. SOA: expire is 0",]
    );
}

#[test]
fn policies_and_host_names() {
    finds(
        "@ TXT \"v=spf1 -all\"\n@ TXT \"V=SPF1\"\na_b A 192.0.2.1\n-a MX 1 host.example.net.\n",
        &[
            "example.org. has 2 SPF policies: receivers take that for an error",
            "-a.example.org. has MX records, and is no valid host name",
            "a_b.example.org. has A records, and is no valid host name",
        ],
    );
}

#[test]
fn the_root_zone_repeats_nothing() {
    assert_eq!(
        findings(
            ".",
            &format!("{SOA}{NS}www A 192.0.2.1\nnet NS ns1.example.net.\nns1.example.net A 192.0.2.2\n")
        ),
        [". NS names ns2.example.net., for which there is no glue"]
    );
}

#[test]
fn the_list_has_an_end_and_the_rest_is_counted() {
    let mut text = format!("{SOA}{NS}");
    for at in 0..FINDINGS_MAX + 5 {
        writeln!(text, "h{at}.example.org A 192.0.2.1").unwrap();
    }
    let report = check(&zone("example.org", &text));
    assert_eq!((report.findings.len(), report.omitted), (FINDINGS_MAX, 5));
    assert!(report.findings.iter().all(|finding| finding.severity() == Severity::Warning));
}

/// The zone keeps its names in an order that differs from run to run.
#[test]
fn the_list_has_the_first_warnings_whatever_the_order() {
    // One name server is a note, and it stands at the first owner of all.
    let mut text = format!("{SOA}@ NS ns1.example.net.\n");
    for at in 0..3 * FINDINGS_MAX {
        writeln!(text, "h{at:04}.example.org A 192.0.2.1").unwrap();
    }
    let report = check(&zone("example.org", &text));
    assert_eq!(report.omitted, 2 * FINDINGS_MAX + 1);
    let owners: Vec<_> = report.findings.iter().map(|finding| finding.owner().to_string()).collect();
    let expected: Vec<_> = (0..FINDINGS_MAX).map(|at| format!("h{at:04}.example.org.example.org.")).collect();
    assert_eq!(owners, expected);
}
