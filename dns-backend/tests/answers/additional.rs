//! Addresses that come along with the records that name them.

use crate::server::Server;

#[track_caller]
fn check(question: &str, expected: &str) {
    const ZONE: &str = "\
@ SOA ns1 hostmaster 1 2h 1h 2w 5m\n@ NS ns1\nns1 A 192.0.2.1\n\
@ MX 10 mail\n@ MX 20 mail.example.net.\nmail A 192.0.2.25\nmail AAAA 2001:db8::25\n\
_x._tcp SRV 0 0 80 mail\nnone SRV 0 0 0 .\nnone A 192.0.2.9\n\
own HTTPS 1 . alpn=h2\nown A 192.0.2.3\n\
other HTTPS 1 mail\nother A 192.0.2.4\n\
alias HTTPS 0 .\nalias A 192.0.2.5\n";
    Server::new(&[("example.org.", ZONE)]).check(question, expected);
}

#[test]
fn hosts_of_the_zone_come_with_their_addresses() {
    let mail = "additional: mail A 192.0.2.25, mail AAAA 2001:db8::25";
    check("example.org. MX", &format!("NOERROR aa; answer: @ MX 10 mail, @ MX 20 mail.example.net.; {mail}"));
    check("_x._tcp.example.org. SRV", &format!("NOERROR aa; answer: _x._tcp SRV; {mail}"));
    check("none.example.org. SRV", "NOERROR aa; answer: none SRV");
}

/// RFC 9460, sections 2.5.2 and 4.1: the target `.` of a service is its owner, that of an alias is nobody.
#[test]
fn a_service_at_its_own_name_comes_with_the_addresses_of_that_name() {
    check("own.example.org. HTTPS", "NOERROR aa; answer: own HTTPS; additional: own A 192.0.2.3");
    check(
        "other.example.org. HTTPS",
        "NOERROR aa; answer: other HTTPS; additional: mail A 192.0.2.25, mail AAAA 2001:db8::25",
    );
    check("alias.example.org. HTTPS", "NOERROR aa; answer: alias HTTPS");
}
