//! QTYPE ANY and its policies (RFC 8482).

use dns_core::AnyPolicy;

use crate::server::Server;

fn server(any: AnyPolicy) -> Server {
    let zone = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns.example.com.\nwww A 192.0.2.1\nwww TXT \"text\"\n\
                alias CNAME www\n* MX 1 mail.example.com.\ncut NS ns.example.com.\nleaf.ent A 192.0.2.2\n";
    Server::new(&[("example.org.", zone)]).with(|policy| policy.any = any)
}

#[test]
fn by_default_over_tcp_only() {
    let server = server(AnyPolicy::Tcp);
    server.check("www.example.org. ANY", "NOERROR aa tc");
    server.check("x.example.org. ANY edns=1232", "NOERROR aa tc");
    server.check("www.example.org. ANY tcp", "NOERROR aa; answer: www A 192.0.2.1, www TXT \"text\"");
    server.check("x.example.org. ANY tcp", "NOERROR aa; answer: x MX 1 mail.example.com.");
    server.check("alias.example.org. ANY tcp", "NOERROR aa; answer: alias CNAME www");
    // What is small and true is said over UDP, too.
    server.check("a.www.example.org. ANY", "NXDOMAIN aa; authority: @ SOA");
    server.check("ent.example.org. ANY", "NOERROR aa; authority: @ SOA");
    server.check("a.cut.example.org. ANY", "NOERROR; authority: cut NS ns.example.com.");
    server.check("example.net. ANY", "REFUSED");
}

#[test]
fn in_full() {
    let server = server(AnyPolicy::Full);
    server.check("www.example.org. ANY", "NOERROR aa; answer: www A 192.0.2.1, www TXT \"text\"");
    server.check("example.org. ANY", "NOERROR aa; answer: @ NS ns.example.com., @ SOA");
}

#[test]
fn minimal() {
    let server = server(AnyPolicy::Minimal);
    server.check("www.example.org. ANY", "NOERROR aa; answer: www A 192.0.2.1");
    server.check("alias.example.org. ANY tcp", "NOERROR aa; answer: alias CNAME www");
    server.check("a.www.example.org. ANY", "NXDOMAIN aa; authority: @ SOA");
}
