//! Zones.

use dns_core::{RecordType, Rrset};
use dns_store::{Source, ZoneOptions};
use serde_json::{Value, json};

use crate::server::{Answer, Server, str};

const TEXT: (&str, &str) = ("content-type", "text/dns");

async fn import(server: &Server, zone: &str, text: &str) -> Answer {
    server.send("PUT", &format!("/zones/{zone}/import"), &[TEXT], text).await
}

#[tokio::test]
async fn a_name_is_enough_for_a_zone() {
    let server = Server::start();
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let created = server.send("POST", "/zones", &[], r#"{"name":"example.org."}"#).await;
    assert_eq!((created.status, created.header("location")), (201, "/api/v1/zones/example.org."));
    let zone = created.json();
    assert_eq!(
        (str(&zone["name"]), str(&zone["source"]), &zone["durable"]),
        ("example.org.", "api", &json!(true))
    );
    assert_eq!((zone["names"].as_u64(), zone["records"].as_u64()), (Some(2), Some(3)));
    assert_eq!(
        str(&zone["warnings"][0]["message"]),
        "example.org. NS names ns.example.org., which does not exist"
    );
    assert_eq!(
        server.served().await,
        [
            "example.org. NS ns.example.org.".to_owned(),
            format!(
                "example.org. SOA ns.example.org. hostmaster.example.org. {} 3600 600 604800 300",
                zone["serial"]
            ),
            "www.example.org. A 192.0.2.1".to_owned(),
        ]
    );
    let again = server.send("POST", "/zones", &[], r#"{"name":"Example.ORG"}"#).await;
    assert_eq!((again.status, again.problem().as_str()), (409, "exists"));
    // The server's address makes it complete.
    server.create("ns.example.org", "A", &["192.0.2.53"]).await;
    let findings = server.get("/zones/example.org/check").await.json();
    assert_eq!(findings["findings"].as_array().unwrap().len(), 1, "{findings}");
    assert_eq!(str(&findings["findings"][0]["severity"]), "note", "one name server");
    // Names are counted even if they have no records of their own. The version is that of the declaration.
    server.create("deep.empty.example.org", "A", &["192.0.2.1", "192.0.2.2"]).await;
    let counted = server.get("/zones/example.org").await.json();
    assert_eq!((counted["names"].as_u64(), counted["records"].as_u64()), (Some(5), Some(6)));
    assert_eq!(counted["version"], zone["version"]);
    assert_eq!(server.get("/status").await.json()["contents"]["records"], 6);
    // The apex cannot lose what makes it one.
    let kept = server.send("DELETE", "/records/example.org?type=SOA", &[], "").await;
    assert_eq!((kept.status, kept.problem().as_str()), (409, "foreign"));
}

#[tokio::test]
async fn a_zone_is_as_it_was_asked_for() {
    let server = Server::start();
    let spec = json!({
        "name": "example.net", "ttl": 900, "ns": ["ns1.example.com", "ns2.example.com."],
        "soa": {"mname": "ns1.example.com", "rname": "dns.example.com", "refresh": 1, "retry": 2, "expire": 3, "minimum": 4}
    });
    let created = server.send("POST", "/zones", &[], &spec.to_string()).await;
    assert_eq!(created.status, 201, "{created:?}");
    let serial = &created.json()["serial"];
    assert_eq!(
        server.get("/records/example.net").await.json()[0]["value"],
        json!(["ns1.example.com.", "ns2.example.com."])
    );
    let soa = server.get("/records/example.net?type=SOA").await.json()[0].clone();
    assert_eq!(
        (&soa["ttl"], &soa["value"]),
        (&json!(900), &json!([format!("ns1.example.com. dns.example.com. {serial} 1 2 3 4")]))
    );
    let faulty =
        json!({"name": "example.com", "ns": ["a", "b..c"], "soa": {"mname": ".."}, "ttl": 1u64 << 31});
    let answer = server.send("POST", "/zones", &[], &faulty.to_string()).await;
    let places: Vec<String> =
        answer.reasons().iter().map(|reason| reason.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!((answer.status, places), (422, vec!["soa.mname".into(), "ttl".into(), "ns[1]".into()]));
}

#[tokio::test]
async fn ttls_of_zones_have_the_bounds_of_all_records() {
    let server = Server::start();
    for ttl in [0, 59, 86_401] {
        let spec = json!({"name": "example.com", "ttl": ttl});
        let answer = server.send("POST", "/zones", &[], &spec.to_string()).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"), "{answer:?}");
        assert_eq!(answer.reasons(), [format!("ttl: {ttl} must be between 60 and 86400 (records_ttl)")]);
    }
    for (zone, ttl) in [("example.com", 60), ("example.net", 86_400)] {
        let answer = server.send("POST", "/zones", &[], &json!({"name": zone, "ttl": ttl}).to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

#[tokio::test]
async fn zones_are_listed_and_deleted() {
    let server = Server::start();
    for name in ["example.org", "example.net"] {
        assert_eq!(
            server.send("POST", "/zones", &[], &json!({ "name": name }).to_string()).await.status,
            201
        );
    }
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    server.create("www.example.com", "A", &["192.0.2.1"]).await;
    let names = |zones: &Value| -> Vec<String> {
        zones["zones"]
            .as_array()
            .unwrap()
            .iter()
            .map(|zone| format!("{} {}", str(&zone["name"]), zone["source"]))
            .collect()
    };
    let all = server.get("/zones").await.json();
    assert_eq!(names(&all), ["www.example.com. null", "example.net. \"api\"", "example.org. \"api\""]);
    let token = server.token(r#"[{"access":"write","zones":["example.net"]}]"#);
    assert_eq!(
        names(&server.send_as(&token, "GET", "/zones", &[], "").await.json()),
        ["example.net. \"api\""]
    );
    assert_eq!(server.send_as(&token, "DELETE", "/zones/example.org", &[], "").await.status, 403);
    assert_eq!(server.send_as(&token, "DELETE", "/zones/example.net", &[], "").await.status, 200);
    let deleted = server.send("DELETE", "/zones/example.org", &[], "").await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    let deleted = deleted.json();
    assert_eq!(
        (str(&deleted["zones"][0]["name"]), &deleted["zones"][0]["after"]),
        ("example.org.", &Value::Null)
    );
    assert_eq!(str(&deleted["records"][0]["name"]), "www.example.org.");
    assert_eq!(server.served().await, ["www.example.com. A 192.0.2.1"]);
    // Undoing it brings the zone back with all that was in it.
    let back = server.send("POST", &format!("/changes/{}/revert", deleted["version"]), &[], "").await;
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(server.get("/zones/example.org").await.json()["records"], 3);
}

const FILE: &str = "\
$TTL 1h
@ SOA ns1 hostmaster 7 2h 1h 2w 5m
@ NS ns1
@ NS ns2.example.net.
@ MX 10 mail
ns1 A 192.0.2.53
mail AAAA 2001:db8::25
*.wild 600 TXT \"two words\" one
_sip._tcp SRV 1 2 5060 mail
1/25 PTR host
odd TYPE65280 \\# 3 010203
";

#[tokio::test]
async fn what_is_exported_imports_to_the_same() {
    let server = Server::start();
    let imported = import(&server, "example.org", FILE).await;
    assert_eq!(imported.status, 201, "{imported:?}");
    let imported = imported.json();
    assert_eq!((&imported["created"], &imported["rrsets"]), (&json!(true), &json!(9)));
    assert_eq!(imported["records"].as_array().unwrap().len(), 7);
    let export = server.get("/zones/example.org/export").await;
    assert_eq!((export.status, export.header("content-type")), (200, "text/dns"));
    assert!(export.text.contains("odd") && export.text.contains("\\# 3 010203"), "{}", export.text);

    let version = server.store.version();
    let again = import(&server, "example.org", &export.text).await;
    assert_eq!((again.status, &again.json()["created"]), (200, &json!(false)));
    assert_eq!(server.store.version(), version, "there was nothing to do");
    assert_eq!(server.get("/zones/example.org/export").await.text, export.text);

    // Another server makes the same zone of it.
    let other = Server::start();
    assert_eq!(import(&other, "example.org", &export.text).await.status, 201);
    assert_eq!(other.get("/zones/example.org/export").await.text, export.text);
}

#[tokio::test]
async fn an_import_leaves_soa_and_ns_that_the_file_leaves_out() {
    let server = Server::start();
    let spec =
        r#"{"name":"example.org","ns":["ns1.example.net.","ns2.example.net."],"soa":{"refresh":1234}}"#;
    assert_eq!(server.send("POST", "/zones", &[], spec).await.status, 201);
    assert_eq!(import(&server, "example.org", "www A 192.0.2.1\n").await.status, 200);
    let served = server.served().await;
    assert!(served.contains(&"example.org. NS ns1.example.net.,ns2.example.net.".to_owned()), "{served:?}");
    assert!(served.iter().any(|line| line.contains(" SOA ") && line.contains(" 1234 ")), "{served:?}");
}

#[tokio::test]
async fn an_import_replaces_what_the_api_has_and_no_more() {
    let server = Server::start();
    assert_eq!(import(&server, "example.org", FILE).await.status, 201);
    server.create("extra.example.org", "A", &["192.0.2.1"]).await;
    let foreign =
        Rrset::new("cfg.example.org".parse().unwrap(), RecordType::A, 300, [[192, 0, 2, 9]]).unwrap();
    server.store.create(&Source::Config, foreign, None).unwrap();
    let before = server.served().await;
    let short = "www A 192.0.2.80\nold TXT x\n";
    let dry = server.send("PUT", "/zones/example.org/import?dry_run=true", &[TEXT], short).await;
    assert_eq!((dry.status, &dry.json()["dry_run"]), (200, &json!(true)));
    assert_eq!(server.served().await, before);
    let done = import(&server, "example.org", short).await;
    assert_eq!(done.status, 200, "{done:?}");
    let served = server.served().await;
    let flat: Vec<&str> = served.iter().map(String::as_str).filter(|line| !line.contains(" SOA ")).collect();
    assert_eq!(
        flat,
        [
            "example.org. NS ns1.example.org.,ns2.example.net.",
            "cfg.example.org. A 192.0.2.9",
            "old.example.org. TXT x",
            "www.example.org. A 192.0.2.80"
        ],
        "SOA and NS stay where the file has none"
    );
    for part in ["records", "zones"] {
        assert_eq!(dry.json()[part], done.json()[part], "{part}");
    }
    // A record of it is one like any other.
    let put = server.send("PUT", "/records/www.example.org?type=A", &[], r#"{"value":"192.0.2.81"}"#).await;
    assert_eq!(put.status, 200);
    assert_eq!(server.send("DELETE", "/records/old.example.org", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_file_with_mistakes_changes_nothing_and_all_are_told() {
    let server = Server::start();
    let faulty = "\
@ SOA ns hostmaster 1 2h 1h 2w 5m
www A 192.0.2.256
$INCLUDE other.zone
alias CNAME www
alias A 192.0.2.1
www.example.net. A 192.0.2.1
";
    let answer = import(&server, "example.org", faulty).await;
    assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"));
    let reasons = answer.reasons();
    let places: Vec<&str> = reasons.iter().map(|reason| reason.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["2:7", "3:10", "4", "6"], "{reasons:?}");
    // What only the store can tell has its line, too.
    let answer = import(&server, "example.org", "www A 192.0.2.1\nslow 10 A 192.0.2.1\n").await;
    assert_eq!(
        answer.reasons(),
        ["2: slow.example.org. A: TTL 10 must be between 60 and 86400 (records_ttl)"]
    );
    let answer = server.send("PUT", "/zones/example.org/import", &[], "{}").await;
    assert_eq!((answer.status, answer.problem().as_str()), (415, "unsupported-media-type"));
    assert!(server.get("/zones").await.json()["zones"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_zone_of_another_source_is_theirs() {
    let server = Server::start();
    let apex: dns_core::Name = "example.org".parse().unwrap();
    let mut builder = dns_core::zone::ZoneBuilder::new(apex.clone());
    let options = dns_core::zonefile::Options { origin: Some(apex), ..Default::default() };
    dns_core::zonefile::read("", FILE.as_bytes(), &options, &mut dns_core::zonefile::no_includes, |record| {
        let (source, place) = Default::default();
        builder.add(record.owner, record.rtype, record.ttl, record.rdata, source, place);
    });
    let built = builder.finish().unwrap_or_else(|faults| panic!("{faults:?}"));
    server.store.put_zone(&Source::File("zone".into()), built, ZoneOptions::default()).unwrap();
    let create = r#"{"name":"example.org"}"#;
    for (method, path, body, kind) in
        [("DELETE", "/zones/example.org", "", "foreign"), ("POST", "/zones", create, "exists")]
    {
        let answer = server.send(method, path, &[], body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, kind), "{method} {path}");
    }
    let answer = import(&server, "example.org", FILE).await;
    assert_eq!((answer.status, answer.problem().as_str()), (409, "foreign"));
    assert_eq!(server.get("/zones/example.org").await.json()["source"], "file:zone");
    assert_eq!(server.get("/zones/example.org/export").await.status, 200);
}

#[tokio::test]
async fn soa_and_ns_are_replaced_like_other_records_and_fall_back() {
    let server = Server::start();
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await.status, 201);
    let made_up = server.served().await;
    let ns = r#"{"value":["ns1.example.net","ns2.example.net"]}"#;
    assert_eq!(server.send("PUT", "/records/example.org?type=NS", &[], ns).await.status, 200);
    let soa = r#"{"value":"ns1.example.net. dns.example.net. 0 7200 600 604800 300"}"#;
    let put = server.send("PUT", "/records/example.org?type=SOA", &[], soa).await;
    assert_eq!(put.status, 200, "{put:?}");
    let serial = server.get("/zones/example.org").await.json()["serial"].clone();
    let soa = format!("ns1.example.net. dns.example.net. {serial} 7200 600 604800 300");
    assert_eq!(str(&put.json()["value"][0]), soa, "with the serial that is served");
    let replaced =
        ["example.org. NS ns1.example.net.,ns2.example.net.".to_owned(), format!("example.org. SOA {soa}")];
    assert_eq!(server.served().await, replaced);
    // An export makes them the zone's own.
    let export = server.get("/zones/example.org/export").await.text;
    assert_eq!(import(&server, "example.org", &export).await.status, 200);
    assert_eq!(server.get("/records?shadowed=true").await.json()["records"], json!([]));
    assert!(server.served().await[0] == replaced[0] && server.served().await[0] != made_up[0]);
}
