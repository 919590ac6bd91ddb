//! What clients of different views are told.

use std::sync::Arc;

use dns_backend::guard::{Action, Condition, GuardSpec, Rule};
use dns_core::zone::{Place, SourceTag, Zone, ZoneBuilder};
use dns_core::{Access, Name, RecordType, ViewSpec, ZoneEntry, ZoneState, rdata};

use crate::server::{Server, entry, zone};

fn spec(name: &str, clients: &[&str], shared: bool) -> ViewSpec {
    let clients = clients.iter().map(|client| client.parse().unwrap()).collect();
    ViewSpec { name: name.into(), clients, listeners: Vec::new(), shared }
}

fn serving(zone: Zone) -> ZoneEntry {
    entry(zone.apex().clone(), ZoneState::Serving(zone))
}

/// A zone that nobody declared: SOA and NS records made up, these addresses its own.
fn derived(apex: &str, addresses: &[(&str, &str)]) -> ZoneEntry {
    let apex: Name = apex.parse().unwrap();
    let mut builder = ZoneBuilder::new(apex.clone()).with_synthesised_apex();
    let mut add = |owner: &Name, rtype, text: &str, tag| {
        let rdata = rdata::from_text(rtype, text, Some(&[0])).unwrap();
        builder.add(owner.as_wire(), rtype, 300, &rdata, tag, Place::default());
    };
    add(&apex, RecordType::SOA, "ns hostmaster 1 3600 600 86400 300", SourceTag::SYNTHESISED);
    add(&apex, RecordType::NS, "ns", SourceTag::SYNTHESISED);
    for (owner, address) in addresses {
        add(&owner.parse().unwrap(), RecordType::A, address, SourceTag(2));
    }
    ZoneEntry { derived: true, ..serving(builder.finish().unwrap().zone) }
}

const OUTSIDE: &str = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nns A 192.0.2.1\nwww A 192.0.2.2\nmail A 192.0.2.3\n\
                       www MX 1 mail\nx.deep A 192.0.2.4\n";

#[test]
fn a_view_of_its_own_knows_nothing_of_the_others() {
    let inside = zone("example.org.", &OUTSIDE.replace("192.0.2", "10.0.0"));
    let server = Server::new(&[("example.org.", OUTSIDE), ("example.net.", OUTSIDE)])
        .with_views(vec![(spec("inside", &["10.0.0.0/8", "2001:db8::/32"], false), vec![serving(inside)])]);
    server.from("192.0.2.9").check("www.example.org. A", "NOERROR aa; answer: www A 192.0.2.2");
    server.from("10.1.2.3").check("www.example.org. A", "NOERROR aa; answer: www A 10.0.0.2");
    server.from("2001:db8::1").check("www.example.org. A", "NOERROR aa; answer: www A 10.0.0.2");
    server.from("10.1.2.3").check("www.example.net. A", "REFUSED");
    server.from("192.0.2.9").check("www.example.net. A", "NOERROR aa; answer: www.example.net. A 192.0.2.2");
}

#[test]
fn a_shared_view_answers_the_rest_from_the_default_one() {
    let own = vec![
        derived("www.example.org.", &[("www.example.org.", "10.0.0.2")]),
        derived(
            "deep.example.org.",
            &[("a.deep.example.org.", "10.0.0.3"), ("*.w.deep.example.org.", "10.0.0.4")],
        ),
        serving(zone(
            "example.com.",
            "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nalias CNAME mail.example.org.\n",
        )),
    ];
    let server = Server::new(&[("example.org.", OUTSIDE), ("sub.example.com.", OUTSIDE)])
        .with_views(vec![(spec("inside", &["10.0.0.0/8"], true), own)]);
    server.from("10.0.0.9");
    server.check("www.example.org. A", "NOERROR aa; answer: www A 10.0.0.2");
    // A name that the view has is the view's with all its types.
    server.check("www.example.org. MX", "NOERROR aa; authority: www SOA");
    server.check("mail.example.org. A", "NOERROR aa; answer: mail A 192.0.2.3");
    server.check("a.deep.example.org. A", "NOERROR aa; answer: a.deep A 10.0.0.3");
    server.check("y.w.deep.example.org. A", "NOERROR aa; answer: y.w.deep A 10.0.0.4");
    // What was made up for the apex of a derived zone says nothing of the name, nor do names that others stand below.
    server.check("x.deep.example.org. A", "NOERROR aa; answer: x.deep A 192.0.2.4");
    server.check("deep.example.org. NS", "NOERROR aa; authority: @ SOA");
    server.check("w.deep.example.org. A", "NXDOMAIN aa; authority: @ SOA");
    // A declared zone is the view's with all its names, but for zones with longer names.
    server.check("nothing.example.com. A", "NXDOMAIN aa; authority: example.com. SOA");
    server.check("www.sub.example.com. A", "NOERROR aa; answer: www.sub.example.com. A 192.0.2.2");
    // Aliases are followed through what the client may see.
    let answer = "NOERROR aa; answer: alias.example.com. CNAME mail, mail A 192.0.2.3";
    server.check("alias.example.com. A", answer);
    server.from("192.0.2.9").check("www.example.org. A", "NOERROR aa; answer: www A 192.0.2.2");
    server.check("alias.example.com. A", "REFUSED");
}

#[test]
fn a_zone_lets_in_whom_it_wants() {
    let access = Access::new(&["10.0.0.0/8".parse().unwrap()], &["10.9.0.0/16".parse().unwrap()]);
    let guarded = ZoneEntry { access: Some(Arc::new(access)), ..serving(zone("example.org.", OUTSIDE)) };
    let server = Server::new(&[("example.net.", OUTSIDE)])
        .with_views(vec![(spec("all", &["0.0.0.0/0"], true), vec![guarded])]);
    server.from("10.0.0.1").check("www.example.org. A", "NOERROR aa; answer: www.example.org. A 192.0.2.2");
    server.from("10.9.0.1").check("www.example.org. A", "REFUSED");
    server.from("192.0.2.1").check("www.example.org. A", "REFUSED");
    server.check("www.example.net. A", "NOERROR aa; answer: www A 192.0.2.2");
}

#[test]
fn no_detour_leads_into_a_zone_that_is_closed() {
    let access = Access::new(&["10.0.0.0/8".parse().unwrap()], &[]);
    let closed = ZoneEntry { access: Some(Arc::new(access)), ..serving(zone("corp.test.", OUTSIDE)) };
    let open = "@ SOA ns hostmaster 1 2h 1h 2w 5m\n@ NS ns\nx CNAME www.corp.test.\nd DNAME corp.test.\n";
    let rewrite = Rule {
        name: "short".to_owned(),
        when: Condition::default(),
        action: Action::Rewrite { from: "short.".parse().unwrap(), to: "corp.test.".parse().unwrap() },
    };
    let spec = GuardSpec { rules: vec![rewrite], rate_limit: None, ..GuardSpec::default() };
    let server = Server::new(&[("example.org.", open)])
        .with_views(vec![(spec_for_all(), vec![closed])])
        .guarded(&spec);
    server.from("10.0.0.1");
    server
        .check("x.example.org. A", "NOERROR aa; answer: x CNAME www.corp.test., www.corp.test. A 192.0.2.2");
    server.check("www.short. A", "NOERROR aa; answer: www.short. A 192.0.2.2");
    server.from("192.0.2.1");
    server.check("x.example.org. A", "NOERROR aa; answer: x CNAME www.corp.test.");
    let redirected = "NOERROR aa; answer: d DNAME corp.test., www.d CNAME www.corp.test.";
    server.check("www.d.example.org. A", redirected);
    server.check("www.short. A", "REFUSED");
}

fn spec_for_all() -> ViewSpec {
    spec("all", &["0.0.0.0/0"], true)
}
