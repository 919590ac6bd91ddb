//! Records, one name and type at a time.

use std::sync::Arc;

use dns_core::{RecordType, Rrset};
use dns_store::Source;
use serde_json::json;

use crate::server::{Server, str};

fn version(tag: &str) -> u64 {
    tag.trim_matches('"').parse().unwrap()
}

#[tokio::test]
async fn a_record_lives_and_goes() {
    let server = Server::start();
    let created = server.create("www.Example.org", "A", &["192.0.2.1", "192.0.2.2"]).await;
    assert_eq!(created.header("location"), "/api/v1/records/www.example.org.?type=A");
    let at = created.json()["version"].as_u64().unwrap();
    assert_eq!(
        created.json(),
        json!({
            "name": "www.example.org.", "type": "A", "ttl": 300, "value": ["192.0.2.1", "192.0.2.2"],
            "zone": "www.example.org.", "source": "api", "shadowed": false, "version": at, "durable": true
        })
    );
    assert_eq!(version(created.header("etag")), at);

    let read = server.get("/records/www.example.org").await;
    assert_eq!((read.status, version(read.header("etag"))), (200, at));
    assert_eq!(
        read.json(),
        json!([{
            "name": "www.example.org.", "type": "A", "ttl": 300, "value": ["192.0.2.1", "192.0.2.2"],
            "zone": "www.example.org.", "source": "api", "shadowed": false
        }])
    );
    let known = [("if-none-match", read.header("etag"))];
    let unchanged = server.send("GET", "/records/www.example.org", &known, "").await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));

    let put = r#"{"name":"www.example.org.","type":"A","ttl":600,"value":"192.0.2.3"}"#;
    let replaced = server.send("PUT", "/records/www.example.org", &[], put).await;
    assert_eq!((replaced.status, replaced.json()["ttl"].as_u64()), (200, Some(600)));
    assert!(version(replaced.header("etag")) > at);
    // The same once more changes nothing, not even the version.
    let again = server.send("PUT", "/records/www.example.org", &[], put).await;
    assert_eq!(again.header("etag"), replaced.header("etag"));
    assert_eq!(server.send("GET", "/records/www.example.org", &known, "").await.status, 200);

    server.create("www.example.org", "TXT", &["x"]).await;
    let deleted = server.send("DELETE", "/records/www.example.org?type=A", &[], "").await;
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.json()["deleted"][0]["value"], json!(["192.0.2.3"]));
    assert_eq!(server.served().await, ["www.example.org. TXT x"]);
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let deleted = server.send("DELETE", "/records/www.example.org", &[], "").await;
    let types: Vec<String> = deleted.json()["deleted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| str(&record["type"]).into())
        .collect();
    assert_eq!((types, deleted.json()["durable"].as_bool()), (vec!["A".into(), "TXT".into()], Some(true)));
    assert_eq!(server.get("/records/www.example.org").await.status, 404);
}

#[tokio::test]
async fn names_are_given_in_any_form() {
    let server = Server::start();
    for (name, path, canonical, location) in [
        (
            "1/25.2.0.192.in-addr.arpa",
            "1%2F25.2.0.192.in-addr.arpa",
            "1/25.2.0.192.in-addr.arpa.",
            "1%2F25.2.0.192.in-addr.arpa.",
        ),
        (r"\042.example.org", "%2A.EXAMPLE.org.", "*.example.org.", "%2A.example.org."),
        (r"a\.b.example.org", r"a%5C.b.example.org", r"a\.b.example.org.", "a%5C.b.example.org."),
        (
            r"caf\195\169.example.org",
            "caf%C3%A9.example.org",
            r"caf\195\169.example.org.",
            "caf%5C195%5C169.example.org.",
        ),
        (
            r"sp\032ace.example.org",
            r"sp%5C%20ace.example.org",
            r"sp\032ace.example.org.",
            "sp%5C032ace.example.org.",
        ),
    ] {
        let created = server.create(name, "TXT", &["x"]).await;
        assert_eq!(created.json()["name"], canonical);
        let location = format!("/api/v1/records/{location}?type=TXT");
        assert_eq!(created.header("location"), location);
        let behind = location.strip_prefix("/api/v1").unwrap();
        for path in [&format!("/records/{path}"), behind] {
            assert_eq!(server.get(path).await.json()[0]["name"], canonical, "{path}");
        }
        let put = server.send("PUT", &format!("/records/{path}?type=txt"), &[], r#"{"value":["y"]}"#).await;
        assert_eq!(put.status, 200, "{put:?}");
        assert_eq!(server.send("DELETE", behind, &[], "").await.status, 200);
    }
    assert!(server.served().await.is_empty());
}

#[tokio::test]
async fn path_parameters_and_body_must_agree() {
    let server = Server::start();
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    for (path, body, reason) in [
        (
            "www.example.org?type=A",
            r#"{"name":"example.org","value":"192.0.2.2"}"#,
            "name: example.org. is not the name in the path, www.example.org.",
        ),
        (
            "www.example.org?type=A",
            r#"{"type":"TXT","value":"x"}"#,
            "type: TXT is not the type behind '?', A",
        ),
        ("www.example.org", r#"{"value":"x"}"#, "type: it is given neither here nor behind '?'"),
        ("www.example.org?type=A", r#"{"value":["192.0.2.1","x","y"]}"#, "value[1]: "),
    ] {
        let answer = server.send("PUT", &format!("/records/{path}"), &[], body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.reasons()[0].starts_with(reason), "{:?}", answer.reasons());
    }
    assert_eq!(server.served().await, ["www.example.org. A 192.0.2.1"]);
}

#[tokio::test]
async fn conditions_hold_or_nothing_is_done() {
    let server = Server::start();
    let created = server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let tag = created.header("etag").to_owned();
    let weak = format!("W/{tag}");
    let among_others = format!("\"x\", {tag}");
    let put = r#"{"value":"192.0.2.2"}"#;
    let path = "/records/www.example.org?type=A";
    let absent = "/records/absent.example.org?type=A";
    for (method, path, header, value, body, status) in [
        ("PUT", path, "if-match", "\"0\"", put, 412),
        ("PUT", path, "if-match", weak.as_str(), put, 412),
        ("PUT", path, "if-none-match", tag.as_str(), put, 412),
        ("PUT", path, "if-none-match", weak.as_str(), put, 412),
        ("PUT", path, "if-none-match", "*", put, 412),
        ("PUT", path, "if-match", "7", put, 400),
        ("DELETE", path, "if-match", "\"0\"", "", 412),
        ("PUT", absent, "if-match", "*", put, 412),
        ("PUT", absent, "if-match", "\"0\"", put, 412),
        ("DELETE", absent, "if-match", "*", "", 412),
    ] {
        let answer = server.send(method, path, &[(header, value)], body).await;
        assert_eq!(answer.status, status, "{method} {path} {header}: {value}");
        answer.problem();
    }
    assert_eq!(server.served().await, ["www.example.org. A 192.0.2.1"]);
    let answer = server.send("PUT", path, &[("if-match", &among_others)], put).await;
    assert_eq!(answer.status, 200);
    let answer = server.send("PUT", path, &[("if-match", "*")], r#"{"value":"192.0.2.3"}"#).await;
    assert_eq!(answer.status, 200);
    let answer = server.send("PUT", absent, &[("if-none-match", "*")], put).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (201, "/api/v1/records/absent.example.org.?type=A")
    );
    let current = server.get("/records/www.example.org").await.header("etag").to_owned();
    assert_eq!(server.send("DELETE", path, &[("if-match", &current)], "").await.status, 200);
    assert_eq!(server.served().await, ["absent.example.org. A 192.0.2.2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_replace_one_version_exactly_one_does() {
    let server = Arc::new(Server::start());
    let mut tag = server.create("www.example.org", "A", &["192.0.2.0"]).await.header("etag").to_owned();
    for round in 1..=5 {
        let racers: Vec<_> = (0..16)
            .map(|racer| {
                let (server, tag) = (server.clone(), tag.clone());
                tokio::spawn(async move {
                    let body = format!(r#"{{"value":"192.0.2.{}"}}"#, round * 16 + racer);
                    server.send("PUT", "/records/www.example.org?type=A", &[("if-match", &tag)], &body).await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for racer in racers {
            let answer = racer.await.unwrap();
            match answer.status {
                200 => winners.push(answer),
                status => assert_eq!((status, answer.problem().as_str()), (412, "precondition-failed")),
            }
        }
        let [winner] = &winners[..] else { panic!("{} have won", winners.len()) };
        let read = server.get("/records/www.example.org").await;
        assert_eq!(read.json()[0]["value"], winner.json()["value"]);
        assert_eq!(read.header("etag"), winner.header("etag"));
        tag = winner.header("etag").to_owned();
    }
}

#[tokio::test]
async fn what_others_have_is_hidden_and_comes_back() {
    let server = Server::start();
    let rrset = Rrset::new("www.example.org".parse().unwrap(), RecordType::A, 300, [[192, 0, 2, 9]]).unwrap();
    server.store.create(&Source::Config, rrset, None).unwrap();
    let path = "/records/www.example.org?type=A";
    let foreign = server.send("DELETE", path, &[], "").await;
    assert_eq!((foreign.status, foreign.problem().as_str()), (409, "foreign"));
    let created = r#"{"name":"www.example.org","type":"A","value":"192.0.2.1"}"#;
    assert_eq!(server.send("POST", "/records", &[], created).await.status, 409);
    assert_eq!(server.send("PUT", path, &[], r#"{"value":"192.0.2.1"}"#).await.status, 200);
    let both = server.get(path).await.json();
    let seen = |at: usize| (str(&both[at]["source"]).to_owned(), both[at]["shadowed"].as_bool().unwrap());
    assert_eq!((seen(0), seen(1)), (("api".into(), false), ("config".into(), true)));
    let hidden = server.get("/records?shadowed=true").await.json();
    assert_eq!(hidden["records"][0]["value"], json!(["192.0.2.9"]));
    assert_eq!(server.send("DELETE", path, &[], "").await.status, 200);
    assert_eq!(server.served().await, ["www.example.org. A 192.0.2.9"]);
}

#[tokio::test]
async fn what_looks_wrong_is_told_with_the_answer() {
    let server = Server::start();
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let sound = server.create("alias.example.org", "CNAME", &["www.example.org."]).await.json();
    assert_eq!(sound.get("warnings"), None);
    let dangling = server.create("other.example.org", "CNAME", &["gone.example.org."]).await.json();
    let warning = &dangling["warnings"][0];
    assert_eq!((str(&warning["severity"]), str(&warning["type"])), ("warning", "CNAME"));
    assert_eq!(
        str(&warning["message"]),
        "other.example.org. is an alias of gone.example.org., which has no records"
    );
}
