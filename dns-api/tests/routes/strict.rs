//! What requests say in vain is refused, and all of what is wrong with them is told.

use std::convert::Infallible;

use axum::body::Body;
use dns_core::{RecordType, Rrset};
use dns_store::Source;
use futures_util::stream;
use serde_json::{Value, json};

use crate::server::{Answer, Server, str};

const TEXT: (&str, &str) = ("content-type", "text/dns");

fn config(server: &Server, name: &str) {
    let rrset = Rrset::new(name.parse().unwrap(), RecordType::A, 300, [[192, 0, 2, 9]]).unwrap();
    server.store.create(&Source::Config, rrset, None).unwrap();
}

async fn change(server: &Server, set: &Value) -> Answer {
    server.send("POST", "/changes", &[], &set.to_string()).await
}

/// What stands before the first colon of each reason.
fn places(answer: &Answer) -> Vec<String> {
    answer.reasons().iter().map(|reason| reason.split(": ").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn unknown_parameters_are_refused_everywhere() {
    let server = Server::start();
    let zone = r#"{"name":"example.org"}"#;
    assert_eq!(server.send("POST", "/zones", &[], zone).await.status, 201);
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let (before, version) = (server.served().await, server.store.version());
    // The description lists all there are, so that a new route is tried as well.
    let document: Value = serde_json::from_str(&server.get("/openapi.json").await.text).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v1") else { continue };
        let path = path.replace("{zone}", "example.org").replace("{name}", "www.example.org");
        let path = path.replace("{version}", "1").replace("{id}", "00000000");
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            let method = method.to_uppercase();
            let body = if operation["requestBody"].is_object() { zone } else { "" };
            let answer = server.send(&method, &format!("{path}?dryrun=1&force"), &[], body).await;
            assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed"), "{method} {path}");
            assert_eq!(places(&answer), ["dryrun", "force"], "{method} {path}");
            tried += 1;
        }
    }
    assert!(tried >= 25, "{tried}");
    assert_eq!((server.served().await, server.store.version()), (before, version), "nothing was done");
    let head = server.send("HEAD", "/zones?limits=1", &[], "").await;
    assert_eq!(head.status, 400, "as GET");
}

#[tokio::test]
async fn bodies_that_nobody_reads_are_refused_everywhere() {
    let server = Server::start();
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await.status, 201);
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let (before, version) = (server.served().await, server.store.version());
    let document: Value = serde_json::from_str(&server.get("/openapi.json").await.text).unwrap();
    let mut tried = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v1") else { continue };
        let path = path.replace("{zone}", "example.org").replace("{name}", "www.example.org");
        let path = path.replace("{version}", &version.to_string()).replace("{id}", "00000000");
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
            if operation["requestBody"].is_object() {
                continue;
            }
            let method = method.to_uppercase();
            let answer = server.send(&method, &path, &[], r#"{"dry_run":true,"type":"A"}"#).await;
            assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed"), "{method} {path}");
            assert_eq!(places(&answer), ["body"], "{method} {path}");
            tried.push((format!("{method} {path}"), answer.reasons().remove(0)));
        }
    }
    let revert = format!("/changes/{version}/revert");
    let none = "body: this request takes none, so it was not done";
    for (request, hint) in [
        (&format!("POST {revert}")[..], "parameters stand behind the path: ?dry_run="),
        ("DELETE /zones/example.org", "parameters stand behind the path: ?dry_run="),
        ("DELETE /records/www.example.org", "parameters stand behind the path: ?type="),
        ("POST /reload", "leave it out"),
        ("DELETE /tokens/00000000", "leave it out"),
    ] {
        let expected = (request.to_owned(), format!("{none}; {hint}"));
        assert!(tried.contains(&expected), "{expected:?} is not among {tried:?}");
    }
    assert_eq!((server.served().await, server.store.version()), (before, version), "nothing was done");
    // Without a length, it comes in chunks.
    let chunks = stream::iter([Ok::<_, Infallible>("{\"dry_run\":"), Ok("true}")]);
    let json = [("content-type", "application/json")];
    let answer = server.send_body("POST", &revert, &json, Body::from_stream(chunks)).await;
    assert_eq!((answer.status, places(&answer)), (400, vec!["body".to_owned()]));
    assert_eq!(server.store.version(), version);
    let planned = format!("{revert}?dry_run=true");
    let empty = server.send("POST", &planned, &[("content-length", "0")], "").await;
    assert_eq!(empty.status, 200, "{empty:?}");
}

#[tokio::test]
async fn json_of_another_shape_is_json() {
    let server = Server::start();
    for precondition in [r#"{"exists":{"name":"a."},"absent":{"name":"b."}}"#, "{}", "5", "null"] {
        let body = format!(r#"{{"changes":[],"preconditions":[{precondition}]}}"#);
        let answer = server.send("POST", "/changes", &[], &body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"), "{body}");
        assert_eq!(places(&answer), ["preconditions[0]"], "{answer:?}");
        assert!(!answer.reasons()[0].contains("expected value"), "{answer:?}");
    }
    let answer = server.send("POST", "/changes", &[], r#"{"changes":[],"preconditions":[{}]"#).await;
    assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed"), "{answer:?}");
}

#[tokio::test]
async fn a_zone_is_deleted_only_in_earnest() {
    let server = Server::start();
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await.status, 201);
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let version = server.store.version();
    let planned = server.send("DELETE", "/zones/example.org?dry_run=true", &[], "").await;
    assert_eq!((planned.status, &planned.json()["dry_run"]), (200, &json!(true)));
    assert_eq!(planned.json()["records"][0]["name"], "www.example.org.");
    assert_eq!((server.store.version(), server.get("/zones/example.org").await.status), (version, 200));
    let made = server.send("POST", "/zones?dry_run=true", &[], r#"{"name":"example.net"}"#).await;
    assert_eq!((made.status, places(&made)), (400, vec!["dry_run".to_owned()]));
    assert_eq!(server.get("/zones/example.net").await.status, 404);
    let done = server.send("DELETE", "/zones/example.org", &[], "").await.json();
    assert_eq!(done["served"]["reloaded"], json!(["example.org."]), "what clients see is said");
    assert_eq!(planned.json()["served"], done["served"]);
}

#[tokio::test]
async fn conditions_that_nobody_looks_at_are_refused() {
    let server = Server::start();
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await.status, 201);
    let record = r#"{"name":"www.example.org","type":"A","value":"192.0.2.1"}"#;
    let path = "/records/www.example.org";
    for (method, path, header, body) in [
        ("DELETE", "/zones/example.org", "If-Match", ""),
        ("POST", "/records", "If-Match", record),
        ("POST", "/records", "If-None-Match", record),
        ("POST", "/changes", "If-Match", r#"{"changes":[]}"#),
        ("DELETE", path, "If-None-Match", ""),
    ] {
        let answer = server.send(method, path, &[(header, "\"1\"")], body).await;
        assert_eq!((answer.status, places(&answer)), (400, vec![header.to_owned()]), "{method} {path}");
    }
    assert_eq!(server.get("/zones/example.org").await.status, 200);
    assert_eq!(server.send("GET", "/zones", &[("If-None-Match", "\"1\"")], "").await.status, 200);
}

#[tokio::test]
async fn an_import_without_records_takes_nothing_away() {
    let server = Server::start();
    let import = async |text: &str| server.send("PUT", "/zones/example.org/import", &[TEXT], text).await;
    assert_eq!(import("www A 192.0.2.1\n").await.status, 201);
    let version = server.store.version();
    for (text, reason) in [
        ("", "the body is empty"),
        ("; nothing yet\n\n", "the 15 octets of the body have no record in them"),
        ("$TTL 300\n$ORIGIN example.org.\n", "the 30 octets of the body have no record in them"),
    ] {
        let answer = import(text).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"), "{text}");
        assert!(answer.reasons()[0].starts_with(reason), "{:?}", answer.reasons());
    }
    assert_eq!(server.store.version(), version);
    // Who means it says so.
    assert_eq!(import("@ SOA ns hostmaster 7 2h 1h 2w 5m\n").await.status, 200);
    assert!(!server.served().await.iter().any(|line| line.starts_with("www")));
}

#[tokio::test]
async fn one_mistake_is_one_reason() {
    let server = Server::start();
    let signed = "\
@ SOA ns hostmaster 7 2h 1h 2w 5m
www A 192.0.2.1
www RRSIG A 13 3 300 20300101000000 20200101000000 1 example.org. AAAA
www NSEC example.org. A RRSIG NSEC
@ NSEC www SOA RRSIG NSEC
";
    let answer = server.send("PUT", "/zones/example.org/import", &[TEXT], signed).await;
    assert_eq!((answer.status, answer.reasons().len()), (422, 1), "{answer:?}");
    assert!(answer.reasons()[0].starts_with("3: 3 record(s) of a signed zone"), "{:?}", answer.reasons());
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await.status, 201);
    let soa = "ns. dns. 1 2 3 4 5";
    let two = json!({"type": "SOA", "value": [soa, "ns. dns. 2 2 3 4 5"]});
    let answer = server.send("PUT", "/records/example.org", &[], &two.to_string()).await;
    assert_eq!((answer.status, answer.reasons().len()), (422, 1), "{answer:?}");
}

#[tokio::test]
async fn lists_are_no_objects() {
    let server = Server::start();
    let before = server.store.version();
    let record = r#"["www.example.org","A",300,["192.0.2.1"]]"#;
    for (method, path, body) in [
        ("POST", "/records", record.to_owned()),
        ("PUT", "/records/www.example.org", r#"[null,"A",300,["192.0.2.1"]]"#.to_owned()),
        ("POST", "/zones", r#"["example.org"]"#.to_owned()),
        ("POST", "/zones", r#"{"name":"example.org","soa":["ns.example.org."]}"#.to_owned()),
        ("POST", "/tokens", r#"["ci",[{"access":"read"}]]"#.to_owned()),
        ("POST", "/tokens", r#"{"name":"ci","grants":[["read"]]}"#.to_owned()),
        ("POST", "/changes", "[[]]".to_owned()),
        ("POST", "/changes", format!(r#"{{"changes":[["put",{record}]]}}"#)),
        ("POST", "/changes", format!(r#"{{"changes":[{{"op":"put","record":{record}}}]}}"#)),
        ("POST", "/changes", r#"{"changes":[],"preconditions":[{"absent":["a.example.org"]}]}"#.to_owned()),
        ("POST", "/changes", format!(r#"{{"changes":[],"preconditions":[{{"equals":{record}}}]}}"#)),
        ("POST", "/changes", r#"{"changes":[],"preconditions":[{"unchanged":["a.", 1]}]}"#.to_owned()),
    ] {
        let answer = server.send(method, path, &[], &body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"), "{body}");
        assert!(
            answer.reasons()[0].contains("expected an object with named fields"),
            "{:?}",
            answer.reasons()
        );
    }
    assert_eq!(server.store.version(), before);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let server = Server::start();
    let post = async |body: &str| server.send("POST", "/records", &[], body).await;
    // Shapes: unknown fields and types that are wrong.
    let shape = r#"{"name":"a.example","type":"A","ttl":"x","value":"192.0.2.1","foo":1,"bar":2}"#;
    let mut wrong = places(&post(shape).await);
    wrong.sort_unstable();
    assert_eq!(wrong, ["bar", "foo", "ttl"]);
    let missing = post(r#"{"name":1,"typ":"A","value":"192.0.2.1"}"#).await;
    assert_eq!(places(&missing), ["name", "typ"], "nothing is told of what was given, and is no name");
    // Values and TTLs, be it one that only the store refuses.
    let values = r#"{"name":"a..b","type":"A","ttl":1,"value":["x","192.0.2.1","y"]}"#;
    assert_eq!(places(&post(values).await), ["name", "value[0]", "value[2]", "ttl"]);
    let alone = post(r#"{"name":"a.example.org","type":"A","ttl":1,"value":"192.0.2.1"}"#).await;
    assert_eq!(alone.reasons(), ["a.example.org. A: TTL 1 must be between 60 and 86400 (records_ttl)"]);
    let set = json!({"changes": [{"op": "put", "record":
        {"name": "a.example", "type": "A", "ttl": 1, "value": ["x"]}}]});
    let answer = change(&server, &set).await;
    assert_eq!(places(&answer), ["changes[0].record.value[0]", "changes[0].record.ttl"]);
    let put = r#"{"name":"b.example","ttl":1,"value":"x"}"#;
    let answer = server.send("PUT", "/records/a.example?type=A", &[], put).await;
    assert_eq!(places(&answer), ["name", "value[0]", "ttl"]);
    // Parameters.
    let answer = server.get("/records?limit=x&shadowed=maybe&type=ZZ&source=moon&zone=a..b&cursor=!").await;
    assert_eq!(answer.status, 400);
    assert_eq!(places(&answer), ["zone", "type", "source", "shadowed", "limit", "cursor"]);
    let answer = server.get("/changes?limit=0&before=first&name=a..b").await;
    assert_eq!(
        (answer.status, places(&answer)),
        (400, ["limit", "before", "name"].map(String::from).to_vec())
    );
    // Tokens.
    let token = r#"{"name":"","grants":[{"access":"read","zones":["a..b"],"types":["X","ANY"]}],"expires":"1999-01-01T00:00:00Z"}"#;
    let answer = server.send("POST", "/tokens", &[], token).await;
    let starts = ["name must", "expires: ", "grants[0].zones", "grants[0].types", "grants[0].types"];
    let reasons = answer.reasons();
    assert_eq!((answer.status, reasons.len()), (422, starts.len()), "{reasons:?}");
    assert!(reasons.iter().zip(starts).all(|(reason, start)| reason.starts_with(start)), "{reasons:?}");
    // Preconditions.
    let set = json!({"changes": [], "preconditions": [
        {"exists": {"name": "a.example.org"}}, {"absent": {"name": "b.example.org"}},
        {"exists": {"name": "c.example.org"}}, {"version": 77}]});
    let answer = change(&server, &set).await;
    assert_eq!((answer.status, answer.problem().as_str()), (412, "precondition-failed"));
    assert_eq!(places(&answer), ["preconditions[0]", "preconditions[2]", "preconditions[3]"]);
}

#[tokio::test]
async fn change_sets_delete_nothing_of_others() {
    let server = Server::start();
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await.status, 201);
    config(&server, "cfg.example.org");
    let version = server.store.version();
    let set = json!({"changes": [
        {"op": "delete", "name": "cfg.example.org", "type": "A"},
        {"op": "delete", "name": "absent.example.org"},
        {"op": "delete", "name": "example.org"},
    ]});
    for dry_run in [false, true] {
        let mut set = set.clone();
        set["dry_run"] = json!(dry_run);
        let answer = change(&server, &set).await;
        assert_eq!((answer.status, answer.problem().as_str()), (409, "foreign"), "{answer:?}");
        assert_eq!(
            answer.reasons(),
            [
                "changes[0]: cfg.example.org. A comes from config and can only be deleted there",
                "changes[2]: example.org. came with the zone example.org. and can only be deleted by changing the zone",
            ]
        );
    }
    assert_eq!(server.store.version(), version);
    // What is not there is no error, and what the set itself has put is its own.
    let set = json!({"changes": [
        {"op": "delete", "name": "absent.example.org"},
        {"op": "put", "record": {"name": "cfg.example.org", "type": "A", "value": "192.0.2.1"}},
        {"op": "delete", "name": "cfg.example.org"},
    ]});
    assert_eq!(change(&server, &set).await.status, 200);
}

#[tokio::test]
async fn bodies_are_refused_with_what_would_do() {
    let server = Server::start();
    let record = r#"{"name":"www.example.org","type":"A","value":"192.0.2.1"}"#;
    let packed = server.send("POST", "/records", &[("content-encoding", "gzip")], record).await;
    assert_eq!((packed.status, packed.problem().as_str()), (415, "unsupported-media-type"));
    assert_eq!(
        server.send("POST", "/records", &[("content-encoding", "identity")], record).await.status,
        201
    );
    let long = " ".repeat((1 << 20) + 1);
    let answer = server.send("POST", "/records", &[], &long).await;
    assert!(str(&answer.json()["detail"]).contains("1048576 octets"), "{answer:?}");
    let plain = ("content-type", "text/plain");
    let answer = server.send("POST", "/records", &[plain], record).await.json();
    assert!(
        str(&answer["detail"]).contains("application/json") && !str(&answer["detail"]).contains("text/dns")
    );
    let answer = server.send("PUT", "/zones/example.org/import", &[plain], "www A 192.0.2.1\n").await.json();
    assert!(str(&answer["detail"]).contains("text/dns"), "{answer}");
}

#[tokio::test]
async fn the_primary_of_a_zone_is_one_of_its_servers() {
    let server = Server::start();
    let spec = r#"{"name":"example.org","ns":["ns1.example.org","ns2.example.org"]}"#;
    assert_eq!(server.send("POST", "/zones", &[], spec).await.status, 201);
    let soa = server.get("/records/example.org?type=SOA").await.json()[0]["value"][0].clone();
    assert!(str(&soa).starts_with("ns1.example.org. hostmaster.example.org. "), "{soa}");
}
