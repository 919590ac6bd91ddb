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
