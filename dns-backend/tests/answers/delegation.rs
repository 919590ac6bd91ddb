//! Zone cuts: referrals, glue and its limits, DS.

use crate::server::Server;

#[track_caller]
fn check(question: &str, expected: &str) {
    const ZONE: &str = "\
@ SOA ns1 hostmaster 1 2h 1h 2w 5m\n@ NS ns1\nns1 A 192.0.2.1\n\
sub NS ns.sub\nsub NS ns.sibling\nsub NS ns.example.net.\nns.sub A 192.0.2.53\nns.sub AAAA 2001:db8::53\n\
sibling NS ns.sibling\nns.sibling A 192.0.2.54\nns.sibling TXT \"not ours\"\n\
deep.ent NS ns1\n\
sub DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n";
    Server::new(&[("example.org.", ZONE)]).check(question, expected);
}

#[test]
fn names_at_and_below_a_cut_are_referred() {
    let referral = "NOERROR; authority: sub NS ns.sub, sub NS ns.sibling, sub NS ns.example.net.; \
                    additional: ns.sub A 192.0.2.53, ns.sub AAAA 2001:db8::53, ns.sibling A 192.0.2.54";
    for question in
        ["sub A", "sub NS", "sub SOA", "www.sub A", "a.b.c.sub TXT", "ns.sub A", "x.sub DS", "*.sub ANY"]
    {
        check(&question.replacen(' ', ".example.org. ", 1), referral);
    }
}

#[test]
fn the_parent_answers_ds() {
    check("sub.example.org. DS", "NOERROR aa; answer: sub DS");
    check("sibling.example.org. DS", "NOERROR aa; authority: @ SOA");
    check("example.org. DS", "NOERROR aa; authority: @ SOA");
}

#[test]
fn glue_is_no_answer() {
    check(
        "ns.sibling.example.org. TXT",
        "NOERROR; authority: sibling NS ns.sibling; additional: ns.sibling A 192.0.2.54",
    );
}

#[test]
fn empty_non_terminals_above_a_cut_are_ours() {
    check("ent.example.org. A", "NOERROR aa; authority: @ SOA");
    check("deep.ent.example.org. A", "NOERROR; authority: deep.ent NS ns1; additional: ns1 A 192.0.2.1");
}

/// A cut with so many servers below it, each with an address.
fn wide(servers: usize) -> Server {
    let zone = format!(
        "@ SOA ns1 hostmaster 1 2h 1h 2w 5m\n@ NS ns1\nns1 A 192.0.2.1\n\
         $GENERATE 1-{servers} wide NS ns$.wide\n$GENERATE 1-{servers} ns$.wide A 192.0.2.$\n\
         $GENERATE 1-{servers} beside NS ns$.wide\n"
    );
    Server::new(&[("example.org.", &zone)])
}

/// RFC 9471, section 3.1.
#[test]
fn tc_is_set_when_required_glue_does_not_fit() {
    let response = wide(20).response("www.wide.example.org. A");
    assert!(response.truncated && !response.authoritative);
    assert_eq!(response.authority.len(), 20, "the referral itself stays");
    assert!(!response.additional.is_empty() && response.additional.len() < 20);
    let response = wide(20).response("www.wide.example.org. A edns=1232");
    assert!(!response.truncated);
    assert_eq!(response.additional.len(), 20);
}

#[test]
fn all_required_glue_comes_however_many_servers_there_are() {
    let response = wide(200).response("www.wide.example.org. A tcp");
    assert!(!response.truncated);
    assert_eq!(response.additional.len(), 200);
}

#[test]
fn tc_is_not_set_for_glue_that_is_not_required() {
    // The servers lie in a sibling zone.
    let response = wide(20).response("www.beside.example.org. A");
    assert!(!response.truncated);
    assert_eq!(response.authority.len(), 20);
    assert!(response.additional.len() < 20);
}

/// More servers than addresses are added for: those that cannot be found otherwise come first, however late their records do.
#[test]
fn sibling_glue_is_not_displaced_by_hosts_of_the_zone() {
    let zone = "@ SOA ns1 hostmaster 1 2h 1h 2w 5m\n@ NS ns1\nns1 A 192.0.2.1\n\
                $GENERATE 1-40 host$ A 192.0.2.$\n$GENERATE 1-40 sub NS host$\nsub NS ns.sibling\n\
                sibling NS ns.sibling\nns.sibling A 192.0.2.54\n";
    let server = Server::new(&[("example.org.", zone)]);
    let additional = server.response("www.sub.example.org. A tcp").additional;
    assert_eq!(additional.len(), 32);
    let server = server.with(|policy| policy.minimal_responses = true);
    assert_eq!(server.response("www.sub.example.org. A tcp").additional, additional[..1]);
}

#[test]
fn hosts_below_a_dname_are_no_hosts() {
    let zone = "@ SOA ns1 hostmaster 1 2h 1h 2w 5m\n@ NS ns1\nns1 A 192.0.2.1\n\
                d DNAME e\nns.d A 192.0.2.9\nsub NS ns.d\n@ MX 1 ns.d\n";
    let server = Server::new(&[("example.org.", zone)]);
    server.check("a.sub.example.org. A", "NOERROR; authority: sub NS ns.d");
    server.check("example.org. MX", "NOERROR aa; answer: @ MX 1 ns.d");
}

#[test]
fn minimal_responses_keep_glue() {
    let zone = "@ SOA ns1 hostmaster 1 2h 1h 2w 5m\n@ NS ns1\nns1 A 192.0.2.1\n\
                sub NS ns.sub\nsub NS ns.sibling\nsub NS ns1\nns.sub A 192.0.2.53\n\
                sibling NS ns.sibling\nns.sibling A 192.0.2.54\n";
    let server = Server::new(&[("example.org.", zone)]).with(|policy| policy.minimal_responses = true);
    server.check(
        "sub.example.org. A",
        "NOERROR; authority: sub NS ns.sub, sub NS ns.sibling, sub NS ns1; \
         additional: ns.sub A 192.0.2.53, ns.sibling A 192.0.2.54",
    );
    server.check("example.org. NS", "NOERROR aa; answer: @ NS ns1");
}

/// The owner of a referral stands in the question; every octet saved is one more for glue.
#[test]
fn referrals_point_into_the_question() {
    let server = wide(1);
    // Header; the question; NS with pointers for owner and the end of its target; A with a pointer for its owner.
    let question = "www.wide.example.org".len() + 2 + 4;
    let response = server.response("www.wide.example.org. A");
    assert_eq!(response.octets, 12 + question + (12 + 11) + 16);
}
