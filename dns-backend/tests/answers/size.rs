//! Large replies: compression, and what happens where pointers do not reach.

use std::fmt::Write;

use conformance::record::Record;
use dns_core::RecordType;

use crate::server::Server;

const APEX: &str = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.1\n";

#[test]
fn what_does_not_fit_is_left_to_tcp() {
    let zone = format!("{APEX}$GENERATE 1-60 big A 192.0.2.$\n");
    let server = Server::new(&[("example.org.", &zone)]);
    server.check("big.example.org. A", "NOERROR aa tc");
    server.check("x.big.example.org. A", "NXDOMAIN aa; authority: @ SOA");
    assert_eq!(server.response("big.example.org. A tcp").answer.len(), 60);
    assert!(!server.response("big.example.org. A edns=1232").truncated);
}

#[test]
fn additional_records_are_left_out_before_the_answer_is() {
    let zone = format!("{APEX}$GENERATE 1-20 mail MX $ host$\n$GENERATE 1-20 host$ A 192.0.2.$\n");
    let response = Server::new(&[("example.org.", &zone)]).response("mail.example.org. MX");
    assert!(!response.truncated);
    assert_eq!(response.answer.len(), 20);
    assert!(!response.additional.is_empty() && response.additional.len() < 20);
}

/// The harness decodes every reply with three readers.
#[test]
fn names_are_told_beyond_the_reach_of_pointers() {
    let zone = format!(
        "{APEX}$GENERATE 1-1200 mail MX $ host$.some.where.in\n$GENERATE 1-1200 host$.some.where.in A 192.0.2.1\n\
         $GENERATE 1-1200 outside MX $ host$.elsewhere.example.\n\
         alias CNAME mail.other.test.\n"
    );
    let other = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\n$GENERATE 1-1500 mail MX $ host$.a.b\n\
                 $GENERATE 1-40 host$.a.b A 192.0.2.1\n";
    let server = Server::new(&[("example.org.", &zone), ("other.test.", other)]);
    for (question, records) in [("mail", 1200), ("outside", 1200), ("alias", 1501)] {
        let response = server.response(&format!("{question}.example.org. MX tcp"));
        assert!(response.octets > 0x4000, "{}", response.octets);
        assert_eq!(response.answer.len(), records);
        let preferences: Vec<u16> = response
            .answer
            .iter()
            .filter(|record| record.rtype == RecordType::MX)
            .map(|record| u16::from_be_bytes([record.rdata[0], record.rdata[1]]))
            .collect();
        assert!(preferences.iter().copied().eq(1..=preferences.len() as u16));
    }
}

/// Each step of this chain takes more than 500 octets, so that the last ones stand where no pointer leads.
#[test]
fn aliases_are_followed_beyond_the_reach_of_pointers() {
    let owner = |step: usize| {
        let labels = ["a", "b", "c"].map(|part| format!("{step:02}{}", part.repeat(60)));
        format!("{}.{}.t.", labels.join("."), "d".repeat(60))
    };
    let mut zone = APEX.to_owned();
    for step in 0..40 {
        writeln!(zone, "{} DNAME {}", owner(step), owner(step + 1)).unwrap();
    }
    let response = Server::new(&[("t.", &zone)])
        .with(|policy| policy.max_cname_depth = 32)
        .response(&format!("x.{} A tcp", owner(0)));
    assert!(response.octets > 0x4000 && !response.truncated, "{} octets", response.octets);
    assert_eq!(response.answer.len(), 2 * 33);
    let last = response.answer.last().and_then(Record::target).unwrap();
    assert_eq!(last, format!("x.{}", owner(33)).parse().unwrap());
}

#[test]
fn the_root_zone() {
    let zone = ". SOA a.root. hostmaster. 1 2h 1h 2w 5m\n. NS a.root.\n. NS b.root.\na.root. A 192.0.2.1\nb.root. A 192.0.2.2\n\
                org. NS ns.org.\norg. NS b.root.\nns.org. A 192.0.2.3\nmail. MX 1 .\nmail. MX 2 a.root.\n";
    let server = Server::new(&[(".", zone)]);
    server.check(
        ". NS",
        "NOERROR aa; answer: @ NS a.root., @ NS b.root.; additional: a.root. A 192.0.2.1, b.root. A 192.0.2.2",
    );
    server.check(". A", "NOERROR aa; authority: @ SOA");
    server.check(". DS", "NOERROR aa; authority: @ SOA");
    server.check("nowhere. A", "NXDOMAIN aa; authority: @ SOA");
    server.check(
        "www.example.org. A",
        "NOERROR; authority: org. NS ns.org., org. NS b.root.; additional: ns.org. A 192.0.2.3, b.root. A 192.0.2.2",
    );
    server.check(
        "mail. MX",
        "NOERROR aa; answer: mail. MX 1 @, mail. MX 2 a.root.; additional: a.root. A 192.0.2.1",
    );
}
