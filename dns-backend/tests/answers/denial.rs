//! Signed zones: signatures, denial, wildcards and referrals. The proofs themselves are compared with the oracle's in
//! `oracle` and `random`; here stands what they look like.

use conformance::zone::ZoneData;

use crate::oracle::build;
use crate::server::Server;
use crate::signing::{Chain, sign};

const ZONE: &str = "$TTL 300\n@ SOA ns h 1 2 3 4 300\n@ NS ns\nns A 192.0.2.1\n*.wild A 192.0.2.2\n\
alias.wild CNAME x.wild\n*.walias CNAME y.wild\nsecure NS ns.example.com.\n\
secure DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n\
insecure NS ns.example.com.\nleaf.ent TXT text\n";

fn server(chain: Chain) -> Server {
    let mut zone = ZoneData::from_text(&"example.org.".parse().unwrap(), ZONE.as_bytes()).unwrap();
    sign(&mut zone, chain);
    Server::of(vec![build(&zone)], dns_core::AnswerPolicy::default())
}

#[test]
fn without_do_nothing_is_said_of_signatures() {
    let server = server(Chain::Nsec);
    server.check("ns.example.org. A", "NOERROR aa; answer: ns A 192.0.2.1");
    server.check("x.example.org. A", "NXDOMAIN aa; authority: @ SOA");
    server.check("a.insecure.example.org. A edns=1232", "NOERROR; authority: insecure NS ns.example.com.");
}

#[test]
fn nsec() {
    let server = server(Chain::Nsec);
    server.check("ns.example.org. A do", "NOERROR aa; answer: ns A 192.0.2.1, ns RRSIG(A)");
    server.check(
        "ns.example.org. TXT do",
        "NOERROR aa; authority: @ SOA, @ RRSIG(SOA), ns NSEC, ns RRSIG(NSEC)",
    );
    // One record can deny both the name and the wildcard.
    server.check("a.example.org. A do", "NXDOMAIN aa; authority: @ SOA, @ RRSIG(SOA), @ NSEC, @ RRSIG(NSEC)");
    server.check(
        "zz.example.org. A do",
        "NXDOMAIN aa; authority: @ SOA, @ RRSIG(SOA), alias.wild NSEC, alias.wild RRSIG(NSEC), @ NSEC, @ RRSIG(NSEC)",
    );
    // The name before an empty non-terminal tells that it is empty.
    server
        .check("ent.example.org. A do", "NOERROR aa; authority: @ SOA, @ RRSIG(SOA), @ NSEC, @ RRSIG(NSEC)");
    server.check("ns.example.org. NSEC do", "NOERROR aa; answer: ns NSEC, ns RRSIG(NSEC)");
    server.check("ns.example.org. RRSIG", "NOERROR aa; answer: ns RRSIG(A), ns RRSIG(NSEC)");
    server.check("ent.example.org. RRSIG", "NOERROR aa; authority: @ SOA");
}

#[test]
fn wildcards_are_proven() {
    let server = server(Chain::Nsec);
    server.check(
        "q.wild.example.org. A do",
        "NOERROR aa; answer: q.wild A 192.0.2.2, q.wild RRSIG(A); authority: alias.wild NSEC, alias.wild RRSIG(NSEC)",
    );
    server.check(
        "q.wild.example.org. TXT do",
        "NOERROR aa; authority: @ SOA, @ RRSIG(SOA), alias.wild NSEC, alias.wild RRSIG(NSEC), *.wild NSEC, *.wild RRSIG(NSEC)",
    );
    // Answers first, then what both wildcards on the way owe, nothing twice.
    server.check(
        "q.walias.example.org. A do",
        "NOERROR aa; answer: q.walias CNAME y.wild, q.walias RRSIG(CNAME), y.wild A 192.0.2.2, y.wild RRSIG(A); \
         authority: *.walias NSEC, *.walias RRSIG(NSEC), alias.wild NSEC, alias.wild RRSIG(NSEC)",
    );
    // The chain is not followed, yet the proof is there.
    let aloof = server.with(|policy| policy.resolve_cname_chain = false);
    aloof.check(
        "q.walias.example.org. A do",
        "NOERROR aa; answer: q.walias CNAME y.wild, q.walias RRSIG(CNAME); authority: *.walias NSEC, *.walias RRSIG(NSEC)",
    );
}

#[test]
fn referrals_tell_whether_the_child_is_signed() {
    for chain in [Chain::Nsec, Chain::Nsec3, Chain::OptOut] {
        server(chain).check(
            "a.secure.example.org. A do",
            "NOERROR; authority: secure NS ns.example.com., secure DS, secure RRSIG(DS)",
        );
    }
    server(Chain::Nsec).check(
        "a.insecure.example.org. A do",
        "NOERROR; authority: insecure NS ns.example.com., insecure NSEC, insecure RRSIG(NSEC)",
    );
    let records = |chain, question: &str| server(chain).response(question).authority.len();
    // NS; the delegation's own NSEC3 and signature.
    assert_eq!(records(Chain::Nsec3, "a.insecure.example.org. A do"), 3);
    // NS; the closest encloser, and the span that the delegation lies in.
    assert_eq!(records(Chain::OptOut, "a.insecure.example.org. A do"), 5);
    // The same for DS at the cut, with SOA and its signature instead of NS.
    assert_eq!(records(Chain::OptOut, "insecure.example.org. DS do"), 6);
}

/// A question for NSEC3 itself is one for a type that no name has.
#[test]
fn nsec3_is_no_type_of_names() {
    let response = server(Chain::Nsec3).response("ns.example.org. NSEC3 do");
    assert_eq!((response.answer.len(), response.authority.len()), (0, 4));
}

#[test]
fn proofs_stay_without_the_soa() {
    let server = server(Chain::Nsec).with(|policy| policy.return_soa_on_nxdomain = false);
    server.check("a.example.org. A do", "NXDOMAIN aa; authority: @ NSEC, @ RRSIG(NSEC)");
}
