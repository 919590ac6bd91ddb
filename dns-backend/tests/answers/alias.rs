//! CNAME and DNAME: chains within and across zones, loops, limits.

use crate::server::Server;

const ZONE: &str = "\
@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nwww A 192.0.2.1\nwww TXT \"text\"\n\
one CNAME www\ntwo CNAME one\nthree CNAME two\nping CNAME pong\npong CNAME ping\nself CNAME self\n\
gone CNAME missing\nempty CNAME leaf\nx.leaf A 192.0.2.2\nout CNAME www.example.net.\n\
over CNAME www.other.test.\nback CNAME back.other.test.\nbroken CNAME www.failed.test.\nbelow CNAME a.cut\n\
cut NS ns.cut\nns.cut A 192.0.2.3\n";
const OTHER: &str = "\
@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nwww A 192.0.2.9\nback CNAME www.example.\n\
mx CNAME hosts\nhosts MX 1 mail\nhosts MX 2 other.mail\nmail A 192.0.2.25\nother.mail A 192.0.2.26\n";

fn server() -> Server {
    Server::new(&[("example.", ZONE), ("other.test.", OTHER)]).with_failed("failed.test.")
}

#[test]
fn chains_are_followed_to_their_end() {
    let server = server();
    server.check(
        "three.example. A",
        "NOERROR aa; answer: three CNAME two, two CNAME one, one CNAME www, www A 192.0.2.1",
    );
    server.check("three.example. CNAME", "NOERROR aa; answer: three CNAME two");
    server.check("one.example. MX", "NOERROR aa; answer: one CNAME www; authority: @ SOA");
    // RFC 6604: the code is that of the last name.
    server.check("gone.example. A", "NXDOMAIN aa; answer: gone CNAME missing; authority: @ SOA");
    server.check("empty.example. A", "NOERROR aa; answer: empty CNAME leaf; authority: @ SOA");
    server.check("out.example. A", "NOERROR aa; answer: out CNAME www.example.net.");
    server.check(
        "below.example. A",
        "NOERROR aa; answer: below CNAME a.cut; authority: cut NS ns.cut; additional: ns.cut A 192.0.2.3",
    );
}

#[test]
fn chains_may_cross_our_zones() {
    let server = server();
    server.check(
        "over.example. A",
        "NOERROR aa; answer: over CNAME www.other.test., www.other.test. A 192.0.2.9",
    );
    server.check(
        "over.example. MX",
        "NOERROR aa; answer: over CNAME www.other.test.; authority: other.test. SOA",
    );
    server.check(
        "back.example. TXT",
        "NOERROR aa; answer: back CNAME back.other.test., back.other.test. CNAME www, www TXT \"text\"",
    );
    server.check("broken.example. A", "SERVFAIL aa; answer: broken CNAME www.failed.test.");
}

/// The target's apex stands nowhere in the message in one piece, so nothing can point to it.
#[test]
fn chains_into_a_zone_below_are_written_without_its_apex_to_point_to() {
    let parent = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nalias CNAME hosts.child\n\
                  wide CNAME wide.child\nnone CNAME none.child\n";
    let child = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nhosts MX 10 mail\nhosts MX 20 relay\n\
                 mail A 192.0.2.25\nrelay A 192.0.2.26\n$GENERATE 1-9 wide MX $ host$.wide\n\
                 $GENERATE 1-9 host$.wide A 192.0.2.$\n";
    let server = Server::new(&[("example.", parent), ("child.example.", child)]);
    server.check(
        "alias.example. MX",
        "NOERROR aa; answer: alias CNAME hosts.child, hosts.child MX 10 mail.child, hosts.child MX 20 relay.child; \
         additional: mail.child A 192.0.2.25, relay.child A 192.0.2.26",
    );
    let wide = server.response("wide.example. MX tcp");
    assert_eq!((wide.answer.len(), wide.additional.len()), (10, 9));
    server.check("none.example. A", "NXDOMAIN aa; answer: none CNAME none.child; authority: child SOA");
}

#[test]
fn loops_end_where_they_began() {
    let server = server();
    server.check("ping.example. A", "NOERROR aa; answer: ping CNAME pong, pong CNAME ping");
    server.check("self.example. A", "NOERROR aa; answer: self CNAME self");
    server.check("self.example. CNAME", "NOERROR aa; answer: self CNAME self");
}

#[test]
fn limits_are_kept() {
    let limited = |depth| server().with(|policy| policy.max_cname_depth = depth);
    limited(1).check("three.example. A", "NOERROR aa; answer: three CNAME two, two CNAME one");
    limited(2).check("three.example. A", "NOERROR aa; answer: three CNAME two, two CNAME one, one CNAME www");
    let chain = (0..60).map(|step| format!("c{step} CNAME c{}", step + 1)).collect::<Vec<_>>().join("\n");
    let zone = format!("@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\n{chain}\n");
    for (depth, expected) in [(10, 11), (32, 33), (255, 33)] {
        let server = Server::new(&[("example.", &zone)]).with(|policy| policy.max_cname_depth = depth);
        assert_eq!(server.response("c0.example. A tcp").answer.len(), expected, "{depth}");
    }
    let aloof = server().with(|policy| policy.resolve_cname_chain = false);
    aloof.check("three.example. A", "NOERROR aa; answer: three CNAME two");
    aloof.check("gone.example. A", "NOERROR aa; answer: gone CNAME missing");
}

/// RFC 6672, section 2.2, its table: QNAME, owner, target, result.
#[test]
fn dname_substitution() {
    let long = ["a"; 4].map(|label| label.repeat(62)).join(".");
    for (qname, owner, target, result) in [
        ("com.", "example.com.", "example.net.", None),
        ("example.com.", "example.com.", "example.net.", None),
        ("a.example.com.", "example.com.", "example.net.", Some("a.example.net.")),
        ("a.b.example.com.", "example.com.", "example.net.", Some("a.b.example.net.")),
        ("ab.example.com.", "b.example.com.", "example.net.", None),
        ("foo.example.com.", "example.com.", "example.net.", Some("foo.example.net.")),
        ("a.x.example.com.", "x.example.com.", "example.net.", Some("a.example.net.")),
        ("a.example.com.", "example.com.", "y.example.com.", Some("a.y.example.com.")),
        ("cyc.example.com.", "example.com.", "example.com.", Some("cyc.example.com.")),
        ("shortloop.x.x.", "x.", ".", Some("shortloop.x.")),
    ] {
        let apex = if owner == "x." { "x." } else { "com." };
        let zone = format!("@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.test.\n{owner} DNAME {target}\n");
        let server = Server::new(&[(apex, &zone)]).with(|policy| policy.max_cname_depth = 1);
        let response = server.response(&format!("{qname} CNAME"));
        let made = response.answer.iter().find(|record| record.rtype == dns_core::RecordType::CNAME);
        let made = made.map(|record| record.target().unwrap().to_string());
        assert_eq!(made.as_deref(), result, "{qname} {owner} {target}");
    }
    let zone = format!("@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.test.\nx DNAME {long}.\n");
    let server = Server::new(&[("example.", &zone)]);
    server.check("short.x.example. A", &format!("YXDOMAIN aa; answer: x DNAME {long}."));
    server.check("s.x.example. A tcp", &format!("NOERROR aa; answer: x DNAME {long}., s.x CNAME s.{long}."));
}

#[test]
fn dname_chains_and_loops() {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nd DNAME e\nwww.e A 192.0.2.1\n\
                p DNAME q\nq DNAME p\nat DNAME .\nd TXT \"beside\"\nhidden.d A 192.0.2.2\nself CNAME a.d\n\
                a.e CNAME b.d\nb.e A 192.0.2.3\n";
    let server = Server::new(&[("example.", zone)]);
    server.check("www.d.example. A", "NOERROR aa; answer: d DNAME e, www.d CNAME www.e, www.e A 192.0.2.1");
    server.check("www.d.example. CNAME", "NOERROR aa; answer: d DNAME e, www.d CNAME www.e");
    server.check("d.example. TXT", "NOERROR aa; answer: d TXT \"beside\"");
    server.check("d.example. DNAME", "NOERROR aa; answer: d DNAME e");
    // What stands below a DNAME record is not seen, and one DNAME record serves the whole chain.
    server.check(
        "hidden.d.example. A",
        "NXDOMAIN aa; answer: d DNAME e, hidden.d CNAME hidden.e; authority: @ SOA",
    );
    server.check(
        "self.example. A",
        "NOERROR aa; answer: self CNAME a.d, d DNAME e, a.d CNAME a.e, a.e CNAME b.d, b.d CNAME b.e, b.e A 192.0.2.3",
    );
    server.check("x.p.example. A", "NOERROR aa; answer: p DNAME q, x.p CNAME x.q, q DNAME p, x.q CNAME x.p");
    server.check("www.at.example. A", "NOERROR aa; answer: at DNAME ., www.at CNAME www.");
}

#[test]
fn dname_at_the_apex() {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\n@ DNAME new.test.\n";
    let new = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nwww A 192.0.2.1\n";
    let server = Server::new(&[("old.test.", zone), ("new.test.", new)]);
    server.check(
        "www.old.test. A",
        "NOERROR aa; answer: @ DNAME new.test., www CNAME www.new.test., www.new.test. A 192.0.2.1",
    );
    server.check("old.test. A", "NOERROR aa; authority: @ SOA");
    server.check("old.test. NS", "NOERROR aa; answer: @ NS ns.example.com.");
}
