//! What is told with the answer to a write that was made.

use dns_core::zone::ZoneBuilder;
use dns_core::{Name, RecordType, Rrset, zonefile};
use dns_store::{Source, ZoneOptions};
use serde_json::{Value, json};

use crate::server::{Answer, Server, str};

fn messages(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let warnings = json["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().map(|warning| str(&warning["message"]).to_owned()).collect()
}

async fn zone(server: &Server) {
    let spec = r#"{"name":"example.org","ns":["ns1.example.net","ns2.example.net"]}"#;
    assert_eq!(server.send("POST", "/zones", &[], spec).await.status, 201);
}

/// Makes a change, of which a plan has to warn in the same words before.
async fn change(server: &Server, change: &Value) -> Answer {
    let send = async |dry_run| {
        let set = json!({"changes": [change], "dry_run": dry_run});
        let answer = server.send("POST", "/changes", &[], &set.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    };
    let planned = send(true).await;
    let made = send(false).await;
    assert_eq!(messages(&planned), messages(&made));
    made
}

/// A zone `example.org` from a file, with these records besides those of its apex.
fn file(server: &Server, records: &str) {
    let text = format!("$TTL 300\n@ SOA ns1 dns 1 7200 600 604800 300\n@ NS ns1\n@ NS ns2\n{records}");
    let apex: Name = "example.org".parse().unwrap();
    let mut builder = ZoneBuilder::new(apex.clone());
    let options = zonefile::Options { origin: Some(apex), ..Default::default() };
    zonefile::read("", text.as_bytes(), &options, &mut zonefile::no_includes, |record| {
        let (source, place) = Default::default();
        builder.add(record.owner, record.rtype, record.ttl, record.rdata, source, place);
    });
    let built = builder.finish().unwrap_or_else(|faults| panic!("{faults:?}"));
    server.store.put_zone(&Source::File("zone".into()), built, ZoneOptions::default()).unwrap();
}

/// A host, a child zone and an alias.
const RECORDS: &str = "ns1 A 192.0.2.1\nns2 A 192.0.2.2\nwww A 192.0.2.3\na.www A 192.0.2.4\nsub NS ns.sub\n\
    ns.sub A 192.0.2.5\nal CNAME www\n";

#[tokio::test]
async fn names_that_may_have_meant_others() {
    let server = Server::start();
    zone(&server).await;
    let made = server.create("a.example.org", "CNAME", &["www"]).await;
    let expected =
        "a.example.org. CNAME: 'www' in 'www' is stored as 'www.': names in values are absolute here";
    assert_eq!(messages(&made), [expected]);
    let put = server.send("PUT", "/records/a.example.org?type=CNAME", &[], r#"{"value":"@"}"#).await;
    assert_eq!((put.status, messages(&put).len()), (200, 1), "{put:?}");
    let record = json!({"name": "b.example.org", "type": "MX", "value": ["10 mail", "0 mx.example.net."]});
    for dry_run in [true, false] {
        let set = json!({"changes": [{"op": "put", "record": record}], "dry_run": dry_run});
        let answer = server.send("POST", "/changes", &[], &set.to_string()).await;
        assert_eq!(messages(&answer).len(), 1, "{answer:?}");
        assert!(messages(&answer)[0].contains("'mail' in '10 mail' is stored as 'mail.'"), "{answer:?}");
    }
    let spec = r#"{"name":"example.com","ns":["ns1","ns2.example.net"]}"#;
    let made = server.send("POST", "/zones", &[], spec).await;
    assert!(messages(&made)[0].contains("'ns1' in 'ns1' is stored as 'ns1.'"), "{made:?}");
    let made = server.create("bücher.example.org", "TXT", &["x"]).await;
    assert!(messages(&made)[0].contains("xn--bcher-kva.example.org."), "{made:?}");
}

#[tokio::test]
async fn records_that_are_hidden() {
    let server = Server::start();
    let rrset = Rrset::new("www.example.org".parse().unwrap(), RecordType::A, 300, [[192, 0, 2, 9]]).unwrap();
    server.store.create(&Source::Config, rrset, None).unwrap();
    let record = json!({"name": "www.example.org", "type": "A", "value": "192.0.2.1"});
    let expected = "www.example.org. A: records from config with this name and type are hidden by these";
    assert_eq!(messages(&change(&server, &json!({"op": "add", "record": record})).await), [expected]);
    let put = server.send("PUT", "/records/www.example.org?type=A", &[], r#"{"value":"192.0.2.2"}"#).await;
    assert_eq!(messages(&put), [expected]);
}

#[tokio::test]
async fn records_that_cannot_stand_beside_those_that_were_written() {
    let server = Server::start();
    file(&server, RECORDS);
    let hidden = |name: &str, rtype: &str, other: &str| {
        format!(
            "{name}.example.org. {rtype}: {other} records from file:zone with this name are hidden: \
                they cannot stand beside these"
        )
    };
    for (name, rtype, value, other) in [
        ("www", "CNAME", "ns1.example.org.", "A"),
        ("sub", "CNAME", "ns1.example.org.", "NS"),
        ("al", "A", "192.0.2.6", "CNAME"),
    ] {
        let made = server.create(&format!("{name}.example.org"), rtype, &[value]).await;
        assert_eq!(messages(&made), [hidden(name, rtype, other)]);
    }
    let record = json!({"name": "www.example.org", "type": "CNAME", "value": "ns2.example.org."});
    let put = change(&server, &json!({"op": "put", "record": record})).await;
    assert_eq!(messages(&put), [hidden("www", "CNAME", "A")]);
    // A token is told of nothing that it may not read, and what hides nothing any more is no reason to warn.
    let token = server.token(r#"[{"access":"write","zones":["example.org"],"types":["CNAME"]}]"#);
    let body = r#"{"value":"ns1.example.org."}"#;
    let put = server.send_as(&token, "PUT", "/records/www.example.org?type=CNAME", &[], body).await;
    assert_eq!((put.status, messages(&put)), (200, Vec::new()));
    let gone = change(&server, &json!({"op": "delete", "name": "www.example.org"})).await;
    assert_eq!(messages(&gone), Vec::<String>::new());
}

#[tokio::test]
async fn records_in_a_zone_that_is_not_served() {
    let server = Server::start();
    let apex = "example.org".parse().unwrap();
    let why = "zone: line 3: there is no such type".to_owned();
    server.store.fail_zone(&Source::File("zone".into()), &apex, why, ZoneOptions::default()).unwrap();
    let made = server.create("new.example.org", "A", &["192.0.2.1"]).await;
    let expected = "new.example.org. A: these records are not served, as their zone example.org. is not: \
        zone: line 3: there is no such type";
    assert_eq!(messages(&made), [expected]);
}

#[tokio::test]
async fn names_that_a_dname_at_the_apex_hides() {
    let server = Server::start();
    file(&server, "www A 192.0.2.3\n");
    let made = server.create("example.org", "DNAME", &["example.net."]).await;
    let hidden = "www.example.org. A is never answered: example.org. has a DNAME record";
    assert!(messages(&made).iter().any(|message| message == hidden), "{made:?}");
}

#[tokio::test]
async fn names_that_a_new_zone_hides() {
    let server = Server::start();
    file(&server, RECORDS);
    server.create("b.www.example.org", "A", &["192.0.2.7"]).await;
    let of = |answer: &Answer| -> Vec<String> {
        messages(answer).into_iter().filter(|message| message.contains("hidden")).collect()
    };
    let made = server.send("POST", "/zones", &[], r#"{"name":"a.www.example.org"}"#).await;
    let hidden = |apex: &str, names: &str| {
        format!(
            "{apex} SOA: what file:zone has in the zone example.org. at and below this name is hidden by this \
                zone, and answered no longer: {names}"
        )
    };
    assert_eq!(of(&made), [hidden("a.www.example.org.", "1 name, a.www.example.org. first")]);
    let made = server.send("POST", "/zones", &[], r#"{"name":"www.example.org"}"#).await;
    assert_eq!(of(&made), [hidden("www.example.org.", "2 names, www.example.org. first")]);
    let text = "$TTL 300\n@ SOA ns1 dns 1 7200 600 604800 300\n@ NS ns1\n@ NS ns2\n";
    let import =
        server.send("PUT", "/zones/al.example.org/import", &[("content-type", "text/dns")], text).await;
    assert_eq!(
        (import.status, of(&import)),
        (201, vec![hidden("al.example.org.", "1 name, al.example.org. first")])
    );
    for free in ["new.example.org", "c.www.example.org", "example.net"] {
        let made = server.send("POST", "/zones", &[], &json!({ "name": free }).to_string()).await;
        assert_eq!((made.status, of(&made)), (201, Vec::new()), "{free}");
    }
    let many: Vec<String> = (0..1_001).map(|host| format!("h{host}.sub A 192.0.2.1\n")).collect();
    file(&server, &many.concat());
    let made = server.send("POST", "/zones", &[], r#"{"name":"sub.example.org"}"#).await;
    assert_eq!(of(&made), [hidden("sub.example.org.", "at least 1000 names, h0.sub.example.org. first")]);
}

#[tokio::test]
async fn records_that_a_delegation_or_a_dname_hides() {
    let server = Server::start();
    zone(&server).await;
    server.create("txt.sub.example.org", "TXT", &["x"]).await;
    server.create("ns.sub.example.org", "A", &["192.0.2.53"]).await;
    server.create("host.sub.example.org", "A", &["192.0.2.1"]).await;
    let cut = server.create("sub.example.org", "NS", &["ns.sub.example.org."]).await;
    let hidden = [
        "host.sub.example.org. A: sub.example.org. is delegated, and this is none of its name servers: it is answered as glue at most",
        "txt.sub.example.org. TXT is never answered: sub.example.org. is delegated",
    ];
    assert_eq!(messages(&cut), hidden, "and the server's own address is glue");
    let below = server.create("other.sub.example.org", "A", &["192.0.2.2"]).await;
    assert_eq!(messages(&below), [hidden[0].replace("host.", "other.")]);
    let at_cut = server.create("sub.example.org", "AAAA", &["2001:db8::1"]).await;
    assert_eq!(messages(&at_cut), [hidden[0].replace("host.sub", "sub").replace(" A:", " AAAA:")]);
    server.create("a.away.example.org", "A", &["192.0.2.3"]).await;
    let record = json!({"name": "away.example.org", "type": "DNAME", "value": "example.net."});
    let dname = change(&server, &json!({"op": "put", "record": record})).await;
    assert_eq!(
        messages(&dname),
        ["a.away.example.org. A is never answered: away.example.org. has a DNAME record"]
    );
    // A token is told of nothing that it may not read.
    let token = server.token(r#"[{"access":"write","zones":["example.org"],"types":["NS"]}]"#);
    let body = r#"{"value":["ns.sub.example.org.","ns2.example.net."]}"#;
    let put = server.send_as(&token, "PUT", "/records/sub.example.org?type=NS", &[], body).await;
    assert_eq!((put.status, messages(&put)), (200, Vec::new()));
}

#[tokio::test]
async fn serials_that_are_not_taken_over() {
    let server = Server::start();
    zone(&server).await;
    for (serial, is_told) in [(0, false), (1, false), (2_100_000_000, true)] {
        let record = json!({"type": "SOA", "value": format!("ns1.example.net. dns.example.net. {serial} 7200 600 604800 {}", 300 + serial % 7)});
        let put = server.send("PUT", "/records/example.org", &[], &record.to_string()).await;
        assert_eq!(put.status, 200, "{put:?}");
        let messages = messages(&put);
        let told = messages.iter().any(|message| message.contains("the serial 2100000000 is not taken over"));
        assert_eq!(told, is_told, "{serial}: {messages:?}");
    }
    let record = json!({"name": "example.org", "type": "SOA", "value": "ns1.example.net. dns.example.net. 2100000001 7200 600 604800 60"});
    let set = change(&server, &json!({"op": "put", "record": record})).await;
    assert!(messages(&set).iter().any(|message| message.contains("2100000001")), "{set:?}");
}
