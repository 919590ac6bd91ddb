//! What rules make of answers, through the whole responder.

use dns_backend::guard::{Action, AddressOrder, Condition, GuardSpec, NamePattern, Replacement, Rule};
use dns_core::{RecordType, rdata};

use crate::server::{Server, request};

const ZONE: &str = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.10\nwww A 192.0.2.20\n\
                    www A 10.0.0.5\nwww AAAA 2001:db8::1\nalias CNAME www\n@ MX 1 www\nsub NS ns.sub\nns.sub A 192.0.2.3\n\
                    only A 10.0.0.6\ninner CNAME only\n*.w TXT wild\n";

fn rule(name: &str, pattern: NamePattern, action: Action) -> Rule {
    let when = Condition { names: vec![pattern], ..Condition::default() };
    Rule { name: name.to_owned(), when, action }
}

fn exact(name: &str) -> NamePattern {
    NamePattern::Exact(name.parse().unwrap())
}

fn suffix(name: &str) -> NamePattern {
    NamePattern::Suffix(name.parse().unwrap())
}

fn server(rules: Vec<Rule>) -> Server {
    let spec = GuardSpec { rules, rate_limit: None, ..GuardSpec::default() };
    Server::new(&[("example.org.", ZONE)]).guarded(&spec)
}

fn hits(server: &Server) -> Vec<(String, u64)> {
    server.authoritative.rule_hits().into_iter().collect()
}

#[test]
fn decisions_take_the_place_of_what_zones_have() {
    let server = server(vec![
        rule("refused", exact("www.example.org."), Action::Refuse),
        rule("gone", suffix("sub.example.org."), Action::NxDomain),
        rule("empty", exact("only.example.org."), Action::NoData),
        rule("elsewhere", exact("www.example.net."), Action::NxDomain),
        rule("late", suffix("example.org."), Action::Drop),
    ]);
    server.check("www.example.org. A", "REFUSED");
    server.check("x.sub.example.org. A", "NXDOMAIN aa; authority: @ SOA");
    server.check("only.example.org. A", "NOERROR aa; authority: @ SOA");
    server.check("www.example.net. A", "NXDOMAIN");
    server.check("ns.example.net. A", "REFUSED");
    let (transport, message) = request("ns.example.org. A");
    assert_eq!(server.exchange(transport, &message), None);
    let expected = [("elsewhere", 1), ("empty", 1), ("gone", 1), ("late", 1), ("refused", 1)];
    assert_eq!(hits(&server), expected.map(|(name, count)| (name.to_owned(), count)));
}

#[test]
fn hits_are_kept_when_rules_change() {
    let first = || rule("first", exact("www.example.org."), Action::Refuse);
    let server = server(vec![first()]);
    server.ask("www.example.org. A");
    let rules = vec![rule("second", exact("ns.example.org."), Action::Refuse), first()];
    let server = server.guarded(&GuardSpec { rules, rate_limit: None, ..GuardSpec::default() });
    for question in ["www.example.org. A", "ns.example.org. A", "www.example.org. A tcp"] {
        server.check(question, "REFUSED");
    }
    assert_eq!(hits(&server), [("first".to_owned(), 3), ("second".to_owned(), 1)]);
}

#[test]
fn records_are_replaced_by_type() {
    let rdata = |text| rdata::from_text(RecordType::A, text, None).unwrap();
    let addresses = Replacement {
        rtype: RecordType::A,
        ttl: 60,
        rdatas: vec![rdata("203.0.113.1"), rdata("203.0.113.2")],
    };
    let server = server(vec![rule("forged", suffix("example.org."), Action::Replace(vec![addresses]))]);
    server.check("www.example.org. A", "NOERROR aa; answer: www A 203.0.113.1, www A 203.0.113.2");
    server
        .check("nothing.example.org. A", "NOERROR aa; answer: nothing A 203.0.113.1, nothing A 203.0.113.2");
    server.check("www.example.org. AAAA", "NOERROR aa; authority: @ SOA");
    server.check("www.example.org. ANY", "NOERROR aa; answer: www A 203.0.113.1, www A 203.0.113.2");
}

#[test]
fn a_rewritten_name_is_answered_under_the_one_that_was_asked_for() {
    let rewrite =
        |from: &str, to: &str| Action::Rewrite { from: from.parse().unwrap(), to: to.parse().unwrap() };
    let server = server(vec![rule("short", suffix("corp."), rewrite("corp.", "example.org."))]);
    server.check(
        "www.corp. A",
        "NOERROR aa; answer: www.corp. A 192.0.2.10, www.corp. A 192.0.2.20, www.corp. A 10.0.0.5",
    );
    server.check(
        "alias.corp. A",
        "NOERROR aa; answer: alias.corp. CNAME www, www A 192.0.2.10, www A 192.0.2.20, www A 10.0.0.5",
    );
    server.check("x.w.corp. TXT", "NOERROR aa; answer: x.w.corp. TXT \"wild\"");
    // The SOA record of another zone would be of no use.
    server.check("nothing.corp. A", "NXDOMAIN aa");
    server.check("www.corp. MX", "NOERROR aa");
    server.check("corp. MX edns=4096", "NOERROR aa; answer: corp. MX 1 www; additional: www A 192.0.2.10, www A 192.0.2.20, www A 10.0.0.5, www AAAA 2001:db8::1");
    server.check("x.sub.corp. A", "NOERROR; authority: sub NS ns.sub; additional: ns.sub A 192.0.2.3");
    let long = format!("{0}.{0}.{0}.{1}.corp.", "x".repeat(62), "y".repeat(54));
    server.check(&format!("{long} A"), "YXDOMAIN");
}

#[test]
fn rules_are_for_the_class_of_the_internet() {
    let server = server(vec![rule("gone", suffix("example.org."), Action::NxDomain)]);
    let (transport, mut message) = request("www.example.org. A");
    let end = message.len();
    message[end - 1] = 4;
    let reply = server.exchange(transport, &message).unwrap();
    assert_eq!((reply[3] & 15, reply[7]), (5, 0), "class HS is refused");
}

#[test]
fn addresses_are_filtered_ordered_and_their_ttls_clamped() {
    let filter = |keep: &[&str], remove: &[&str]| Action::FilterAddresses {
        keep: keep.iter().map(|network| network.parse().unwrap()).collect(),
        remove: remove.iter().map(|network| network.parse().unwrap()).collect(),
    };
    let server = server(vec![
        rule("public", suffix("example.org."), filter(&[], &["10.0.0.0/8"])),
        rule("near", exact("www.example.org."), Action::OrderAddresses(AddressOrder::NearestPrefix)),
        rule("short", exact("www.example.org."), Action::ClampTtl { min: 1, max: 30 }),
    ]);
    server
        .from("192.0.2.21")
        .check("www.example.org. A", "NOERROR aa; answer: www A 192.0.2.20, www A 192.0.2.10");
    server
        .from("192.0.2.9")
        .check("www.example.org. A", "NOERROR aa; answer: www A 192.0.2.10, www A 192.0.2.20");
    let response = server.response("www.example.org. A");
    assert!(response.answer.iter().all(|record| record.ttl == 30));
    server.check("only.example.org. A", "NOERROR aa; authority: @ SOA");
    server.check("inner.example.org. A", "NOERROR aa; answer: inner CNAME only; authority: @ SOA");
    server.check("www.example.org. AAAA", "NOERROR aa; answer: www AAAA 2001:db8::1");
    // Nothing is added behind answers that are changed.
    server.check("example.org. MX edns=4096", "NOERROR aa; answer: @ MX 1 www");
    server.check(
        "alias.example.org. A",
        "NOERROR aa; answer: alias CNAME www, www A 192.0.2.10, www A 192.0.2.20",
    );
}

#[test]
fn rules_can_be_for_types_clients_and_views() {
    let mut rules = vec![
        rule("no-any", suffix("example.org."), Action::Refuse),
        rule("guests", suffix("example.org."), Action::NxDomain),
        rule("other-view", suffix("example.org."), Action::Drop),
    ];
    rules[0].when.types = vec![RecordType::ANY];
    rules[1].when.clients = vec!["198.51.100.0/24".parse().unwrap()];
    rules[2].when.views = vec!["inside".to_owned()];
    let server = server(rules);
    server.check("ns.example.org. ANY tcp", "REFUSED");
    server.check("ns.example.org. A", "NOERROR aa; answer: ns A 192.0.2.1");
    server.from("198.51.100.7").check("ns.example.org. A", "NXDOMAIN aa; authority: @ SOA");
}
