//! Wildcards: the zone of RFC 4592, section 2.2.1, with all that it says about it, and its section 4.

use crate::server::Server;

#[track_caller]
fn check(question: &str, expected: &str) {
    const ZONE: &str = "\
@ SOA ns.example.com. hostmaster.example.com. 1 2h 1h 2w 5m\n@ NS ns.example.com.\n@ NS ns.example.net.\n\
* TXT \"this is a wildcard\"\n* MX 10 host1.example.\nsub.* TXT \"this is not a wildcard\"\n\
host1 A 192.0.2.1\n_ssh._tcp.host1 SRV 0 0 22 host1\n_ssh._tcp.host2 SRV 0 0 22 host2\n\
subdel NS ns.example.com.\nsubdel NS ns.example.net.\n";
    Server::new(&[("example.", ZONE)]).check(question, expected);
}

const NODATA: &str = "NOERROR aa; authority: @ SOA";
const NXDOMAIN: &str = "NXDOMAIN aa; authority: @ SOA";

#[test]
fn what_a_wildcard_answers() {
    check("host3.example. MX", "NOERROR aa; answer: host3 MX 10 host1; additional: host1 A 192.0.2.1");
    check("host3.example. A", NODATA);
    check("foo.bar.example. TXT", "NOERROR aa; answer: foo.bar TXT \"this is a wildcard\"");
}

#[test]
fn what_a_wildcard_does_not_answer() {
    // The name exists.
    check("host1.example. MX", NODATA);
    check("sub.*.example. MX", NODATA);
    check("*.example. A", NODATA);
    // The closest encloser is no parent of a wildcard.
    check("_telnet._tcp.host1.example. SRV", NXDOMAIN);
    check("ghost.*.example. MX", NXDOMAIN);
    // Empty non-terminals are names.
    check("_tcp.host2.example. MX", NODATA);
    check("host2.example. MX", NODATA);
    // Delegated.
    check(
        "host.subdel.example. A",
        "NOERROR; authority: subdel NS ns.example.com., subdel NS ns.example.net.",
    );
}

#[test]
fn an_asterisk_in_the_question_is_a_label() {
    check("*.example. TXT", "NOERROR aa; answer: * TXT \"this is a wildcard\"");
    check("*.foo.example. TXT", "NOERROR aa; answer: *.foo TXT \"this is a wildcard\"");
    check("*.*.example. TXT", NXDOMAIN);
}

#[test]
fn wildcards_may_be_empty_have_servers_or_redirect() {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nbelow.*.empty A 192.0.2.1\n\
                *.cut NS ns.example.com.\n*.d DNAME target\n*.loop CNAME x.loop\n*.self CNAME *.self\n";
    let server = Server::new(&[("example.", zone)]);
    server.check("x.empty.example. A", NODATA);
    // Section 4.2: what NS records of a wildcard mean is not defined; at the very name they are a cut.
    server.check("x.*.cut.example. A", "NOERROR; authority: *.cut NS ns.example.com.");
    server.check("x.cut.example. A", NODATA);
    // Section 4.4: no redirection from a made-up owner.
    server.check("x.d.example. A", NODATA);
    server.check(
        "y.*.d.example. A",
        "NXDOMAIN aa; answer: *.d DNAME target, y.*.d CNAME y.target; authority: @ SOA",
    );
    server.check("a.loop.example. A", "NOERROR aa; answer: a.loop CNAME x.loop, x.loop CNAME x.loop");
    server.check("a.self.example. A", "NOERROR aa; answer: a.self CNAME *.self, *.self CNAME *.self");
}

/// RFC 8020: what stands below a name makes it exist.
#[test]
fn empty_non_terminals_have_no_data() {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\na.b.c.d A 192.0.2.1\n";
    let server = Server::new(&[("example.", zone)]);
    for name in ["d", "c.d", "b.c.d"] {
        server.check(&format!("{name}.example. A"), NODATA);
        server.check(&format!("{name}.example. ANY tcp"), NODATA);
        server.check(&format!("x.{name}.example. A"), NXDOMAIN);
    }
}
