//! Which zone answers, negative answers and their TTLs, zones that failed.

use crate::server::Server;

const PARENT: &str = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.1\nchild NS ns.child\n\
                      child DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n\
                      ns.child A 192.0.2.2\nwww.broken A 192.0.2.3\n";
const CHILD: &str = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.2\nwww A 192.0.2.4\n";

#[test]
fn the_nearest_zone_answers() {
    let server = Server::new(&[("example.org.", PARENT), ("child.example.org.", CHILD)]);
    server.check("www.child.example.org. A", "NOERROR aa; answer: www.child A 192.0.2.4");
    server.check(
        "child.example.org. NS",
        "NOERROR aa; answer: child NS ns.child; additional: ns.child A 192.0.2.2",
    );
    server.check("child.example.org. DS", "NOERROR aa; answer: child DS");
    server.check("www.child.example.org. DS", "NOERROR aa; authority: child SOA");
    server.check("org. A", "REFUSED");
    server.check("example.net. A", "REFUSED");
    server.check(". NS", "REFUSED");
}

#[test]
fn without_its_parent_a_zone_has_no_ds() {
    let server = Server::new(&[("child.example.org.", CHILD)]);
    server.check("child.example.org. DS", "NOERROR aa; authority: @ SOA");
}

#[test]
fn a_failed_zone_answers_servfail_and_harms_no_other() {
    let server = Server::new(&[("example.org.", PARENT)]).with_failed("broken.example.org.");
    server.check("www.broken.example.org. A", "SERVFAIL");
    server.check("broken.example.org. SOA", "SERVFAIL");
    server.check("ns.example.org. A", "NOERROR aa; answer: ns A 192.0.2.1");
    let server = Server::new(&[("child.example.org.", CHILD)]).with_failed("example.org.");
    server.check("www.child.example.org. A", "NOERROR aa; answer: www A 192.0.2.4");
    server.check("child.example.org. DS", "SERVFAIL");
}

/// RFC 2308, section 3: the smaller of the SOA's TTL and its MINIMUM; asked for, the SOA has its own.
#[test]
fn negative_answers_have_the_ttl_of_the_soa() {
    for (ttl, minimum, expected) in [(3600, 300, 300), (60, 300, 60), (0, 300, 0), (300, 0, 0)] {
        let zone = format!("@ {ttl} SOA ns hostmaster 1 7200 3600 1209600 {minimum}\n@ NS ns.example.com.\n");
        let server = Server::new(&[("example.org.", &zone)]);
        for question in ["x.example.org. A", "example.org. A", "example.org. DS"] {
            assert_eq!(server.response(question).authority[0].ttl, expected, "{question} {ttl} {minimum}");
        }
        assert_eq!(server.response("example.org. SOA").answer[0].ttl, ttl);
    }
}

#[test]
fn the_soa_may_be_left_out_of_nxdomain() {
    let server =
        Server::new(&[("example.org.", PARENT)]).with(|policy| policy.return_soa_on_nxdomain = false);
    server.check("x.example.org. A", "NXDOMAIN aa");
    server.check("ns.example.org. TXT", "NOERROR aa; authority: @ SOA");
}
