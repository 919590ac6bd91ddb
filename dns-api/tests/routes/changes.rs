//! Sets of changes, the history, and the way back.

use serde_json::{Value, json};

use crate::server::{Server, str};

async fn change(server: &Server, body: &Value) -> crate::server::Answer {
    server.send("POST", "/changes", &[], &body.to_string()).await
}

#[tokio::test]
async fn values_without_a_ttl_leave_the_one_that_is_there() {
    let server = Server::start();
    let record = |ttl: Option<u32>, value: &str| {
        let mut record = json!({"name": "a.example.org", "type": "TXT", "value": value});
        if let Some(ttl) = ttl {
            record["ttl"] = ttl.into();
        }
        record
    };
    let add = |ttl, value| json!({"op": "add", "record": record(ttl, value)});
    let delete = json!({"op": "delete", "name": "a.example.org"});
    for (changes, equals, ttl) in [
        (json!([add(None, "one")]), None, 300),
        (json!([add(Some(60), "one")]), Some(record(None, "one")), 60),
        (json!([add(None, "two")]), Some(record(None, "one")), 60),
        (json!([add(None, "three"), add(Some(90), "four"), add(None, "five")]), None, 90),
        (json!([{"op": "put", "record": record(Some(120), "one")}, add(None, "two")]), None, 120),
        (json!([delete, add(None, "one")]), None, 300),
    ] {
        let conditions: Vec<_> = equals.iter().map(|record| json!({"equals": record})).collect();
        let set = json!({"changes": changes, "preconditions": conditions});
        assert_eq!(change(&server, &set).await.status, 200, "{set}");
        let there = server.get("/records/a.example.org").await.json();
        assert_eq!(there[0]["ttl"], ttl, "{set}: {there}");
    }
    let other = json!({"changes": [], "preconditions": [{"equals": record(Some(60), "one")}]});
    assert_eq!(change(&server, &other).await.status, 412);
}

#[tokio::test]
async fn a_page_of_the_history_ends_although_nothing_on_it_may_be_shown() {
    let server = Server::start();
    server.create("first.example.net", "A", &["192.0.2.1"]).await;
    let rrset = |at: u16| {
        let owner = format!("n{at}.example.org").parse().unwrap();
        dns_core::Rrset::new(owner, dns_core::RecordType::A, 300, [[192, 0, 2, 1]]).unwrap()
    };
    for at in 0..1100 {
        server.store.create(&dns_store::Source::Api, rrset(at), None).unwrap();
    }
    let token = server.token(r#"[{"access":"read","zones":["example.net"]}]"#);
    let page = server.send_as(&token, "GET", "/changes", &[], "").await.json();
    assert_eq!(page["changes"], json!([]));
    let path = format!("/changes?before={}", page["next"]);
    let page = server.send_as(&token, "GET", &path, &[], "").await.json();
    assert_eq!(
        (&page["changes"][0]["records"][0]["name"], &page["next"]),
        (&"first.example.net.".into(), &Value::Null)
    );
    // What else was done with it, and where, is for those who see all of it.
    assert_eq!(page["changes"][0]["author"].as_str().map(|author| author.contains("127.0.0.1")), Some(true));
}

fn put(name: &str, value: &str) -> Value {
    json!({"op": "put", "record": {"name": name, "type": "A", "value": value}})
}

#[tokio::test]
async fn a_set_is_made_and_tells_what_it_did() {
    let server = Server::start();
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.org"}"#).await.status, 201);
    server.create("old.example.org", "A", &["192.0.2.1"]).await;
    server.create("txt.example.org", "TXT", &["one", "two"]).await;
    let set = json!({"changes": [
        put("new.example.org", "192.0.2.2"),
        {"op": "delete", "name": "old.example.org"},
        {"op": "add", "record": {"name": "txt.example.org", "type": "TXT", "value": "three"}},
        {"op": "remove", "record": {"name": "txt.example.org", "type": "TXT", "value": ["one"]}},
    ], "comment": "spring cleaning"});
    let mut dry = set.clone();
    dry["dry_run"] = true.into();
    let planned = change(&server, &dry).await;
    assert_eq!((planned.status, planned.json()["dry_run"].as_bool()), (200, Some(true)));
    assert_eq!(server.served().await[2..], ["old.example.org. A 192.0.2.1", "txt.example.org. TXT one,two"]);

    let made = change(&server, &set).await;
    assert_eq!(made.status, 200, "{made:?}");
    let made = made.json();
    assert_eq!(
        made["records"],
        json!([
            {"name": "new.example.org.", "type": "A", "before": null, "after": {"ttl": 300, "value": ["192.0.2.2"]}},
            {"name": "old.example.org.", "type": "A", "before": {"ttl": 300, "value": ["192.0.2.1"]}, "after": null},
            {"name": "txt.example.org.", "type": "TXT", "before": {"ttl": 300, "value": ["one", "two"]},
             "after": {"ttl": 300, "value": ["two", "three"]}},
        ])
    );
    assert_eq!(made["served"]["added"][0]["name"], "new.example.org.");
    assert_eq!(made["served"]["updated"][0]["after"]["value"], json!(["two", "three"]));
    assert_eq!(made["served"]["deleted"][0]["name"], "old.example.org.");
    assert_eq!(made["served"]["zones"], json!(["example.org."]), "the one that has them all");
    assert_eq!((made["durable"].as_bool(), made.get("dry_run")), (Some(true), None));
    // What was planned is what was done.
    for part in ["version", "records", "served"] {
        assert_eq!(planned.json()[part], made[part], "{part}");
    }
    let entry = server.get("/changes?limit=1").await.json()["changes"][0].clone();
    assert_eq!((&entry["version"], &entry["records"]), (&made["version"], &made["records"]));
    let author = str(&entry["author"]);
    assert!(
        author.starts_with("token test (") && author.ends_with(") from 127.0.0.1: spring cleaning"),
        "{author}"
    );
}

#[tokio::test]
async fn all_that_is_wrong_is_told_with_its_place_and_nothing_is_done() {
    let server = Server::start();
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let before = server.store.version();
    let faulty = json!({"changes": [
        put("a.example.org", "192.0.2.2"),
        put("b..example.org", "192.0.2.2"),
        {"op": "put", "record": {"name": "c.example.org", "type": "A", "value": ["x", "192.0.2.1", "y"]}},
        {"op": "delete", "name": "", "type": "NOSUCH"},
    ], "preconditions": [{"exists": {"name": "a..b"}}, {"equals": {"name": "a.", "type": "A", "value": []}}]});
    let answer = change(&server, &faulty).await;
    assert_eq!(answer.status, 422);
    let reasons = answer.reasons();
    let places: Vec<&str> = reasons.iter().map(|reason| reason.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "changes[1].record.name",
            "changes[2].record.value[0]",
            "changes[2].record.value[2]",
            "changes[3].name",
            "changes[3].type",
            "preconditions[0].exists.name",
            "preconditions[1].equals.value",
        ]
    );
    // What only the store can tell has its place, too.
    let faulty = json!({"changes": [
        put("a.example.org", "192.0.2.2"),
        {"op": "put", "record": {"name": "b.example.org", "type": "A", "value": "192.0.2.1", "ttl": 1}},
        {"op": "put", "record": {"name": "www.example.org", "type": "CNAME", "value": "a.example.org."}},
    ]});
    let answer = change(&server, &faulty).await;
    assert_eq!((answer.status, answer.problem().as_str()), (422, "invalid"));
    let reasons = answer.reasons();
    assert!(
        reasons.iter().any(|reason| reason.starts_with("changes[1]: b.example.org. A: TTL 1 must")),
        "{reasons:?}"
    );
    assert!(
        reasons.iter().any(|reason| reason.starts_with("changes[2]: www.example.org. has a CNAME")),
        "{reasons:?}"
    );
    // Shapes have places as well.
    let answer = server
        .send(
            "POST",
            "/changes",
            &[],
            r#"{"changes":[{"op":"put","record":{"name":"a","type":"A","value":3}}]}"#,
        )
        .await;
    assert!(answer.reasons()[0].starts_with("changes[0].record.value: "), "{:?}", answer.reasons());
    let many: Vec<Value> = (0..10_001).map(|at| json!({"op": "delete", "name": format!("n{at}.")})).collect();
    let answer = change(&server, &json!({"changes": many})).await;
    assert_eq!(answer.reasons(), ["changes: there are 10001, at most 10000 are allowed"]);
    assert_eq!((server.store.version(), server.served().await.len()), (before, 1));
}

#[tokio::test]
async fn preconditions_hold_or_nothing_is_done() {
    let server = Server::start();
    let created = server.create("www.example.org", "A", &["192.0.2.1"]).await;
    let version = created.json()["version"].clone();
    for (precondition, holds) in [
        (json!({"exists": {"name": "www.example.org"}}), true),
        (json!({"exists": {"name": "www.example.org", "type": "TXT"}}), false),
        (json!({"absent": {"name": "other.example.org"}}), true),
        (json!({"absent": {"name": "www.example.org", "type": "A"}}), false),
        (json!({"equals": {"name": "www.example.org", "type": "A", "value": "192.0.2.1"}}), true),
        (json!({"equals": {"name": "www.example.org", "type": "A", "value": "192.0.2.2"}}), false),
        (json!({"unchanged": {"name": "www.example.org", "version": version}}), true),
        (json!({"unchanged": {"name": "www.example.org", "version": 0}}), false),
        (json!({"version": version}), true),
        (json!({"version": 0}), false),
    ] {
        for dry_run in [true, false] {
            let set = json!({"changes": [], "preconditions": [{"version": version}, precondition], "dry_run": dry_run});
            let answer = change(&server, &set).await;
            assert_eq!(answer.status, if holds { 200 } else { 412 }, "{precondition}");
            if !holds {
                assert_eq!(answer.problem(), "precondition-failed");
            }
        }
    }
    let set = json!({"changes": [put("a.example.org", "192.0.2.2")], "preconditions": [
        {"exists": {"name": "www.example.org"}}, {"exists": {"name": "gone.example.org"}}]});
    let answer = change(&server, &set).await;
    assert_eq!(answer.reasons(), ["preconditions[1]: gone.example.org. does not exist"]);
    assert_eq!(server.served().await, ["www.example.org. A 192.0.2.1"]);
}

#[tokio::test]
async fn readers_see_all_of_a_set_or_nothing() {
    let server = Server::start();
    let set = |value: &str| json!({"changes": (0..50).map(|at| put(&format!("n{at}.example.org"), value)).collect::<Vec<_>>()});
    assert_eq!(change(&server, &set("192.0.2.1")).await.status, 200);
    let (store, stop) =
        (server.store.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let is_over = stop.clone();
    let watcher = std::thread::spawn(move || {
        let mut versions = std::collections::BTreeSet::new();
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            let found = store.list(&dns_store::Filter::default(), None, 1000).found;
            let values: std::collections::BTreeSet<Vec<u8>> =
                found.iter().flat_map(|found| found.rrset.rdatas().map(<[u8]>::to_vec)).collect();
            assert_eq!((found.len(), values.len()), (50, 1), "a mix of two sets");
            versions.extend(values);
        }
        versions
    });
    for round in 0..20 {
        assert_eq!(change(&server, &set(&format!("192.0.2.{round}"))).await.status, 200);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(!watcher.join().unwrap().is_empty());
}

#[tokio::test]
async fn the_history_is_listed_by_page_filter_and_scope() {
    let server = Server::start();
    for at in 0..10 {
        let zone = ["example.org", "example.net"][at % 2];
        server.create(&format!("n{at}.{zone}"), "A", &["192.0.2.1"]).await;
    }
    let both = json!({"changes": [put("a.example.org", "192.0.2.2"), put("a.example.net", "192.0.2.2")]});
    let both = change(&server, &both).await.json()["version"].clone();
    let first = server.get("/changes?limit=4").await.json();
    assert_eq!(first["changes"].as_array().unwrap().len(), 4);
    assert_eq!(first["changes"][0]["version"], both);
    assert!(str(&first["changes"][0]["time"]).ends_with('Z'));
    let second = server.get(&format!("/changes?limit=7&before={}", first["next"])).await.json();
    assert_eq!((second["changes"].as_array().unwrap().len(), second["next"].is_null()), (7, true));
    let count = async |query: &str| {
        server.get(&format!("/changes?{query}")).await.json()["changes"].as_array().unwrap().len()
    };
    for (query, expected) in [
        ("zone=example.org", 6),
        ("name=n1.example.net", 1),
        ("zone=example.org&name=n1.example.net", 0),
        ("source=api", 11),
        ("source=update", 0),
        ("author=token+test", 11),
        ("author=somebody", 0),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    // Of what concerns several, everybody sees their own part.
    let token = server.token(r#"[{"access":"read","zones":["example.net"]}]"#);
    let seen = server.send_as(&token, "GET", "/changes?limit=5", &[], "").await.json();
    let changes = seen["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 5);
    assert_eq!(changes[0]["version"], both);
    let names: Vec<&str> = changes
        .iter()
        .flat_map(|change| change["records"].as_array().unwrap())
        .map(|record| str(&record["name"]))
        .collect();
    assert!(names.len() == 5 && names.iter().all(|name| name.ends_with(".example.net.")), "{names:?}");
    let rest = format!("/changes?before={}", seen["next"]);
    let rest = server.send_as(&token, "GET", &rest, &[], "").await.json();
    assert_eq!((rest["changes"].as_array().unwrap().len(), rest["next"].is_null()), (1, true));
    let of_org = server.get("/changes?name=n0.example.org").await.json()["changes"][0]["version"].clone();
    for path in [format!("/changes/{of_org}"), format!("/changes/{of_org}/revert")] {
        let method = if path.ends_with("revert") { "POST" } else { "GET" };
        assert_eq!(server.send_as(&token, method, &path, &[], "").await.status, 403, "{path}");
    }
    let revert = format!("/changes/{both}/revert");
    assert_eq!(server.send_as(&token, "POST", &revert, &[], "").await.status, 403);
    let writer = server.token(r#"[{"access":"write","zones":["example.net"]}]"#);
    assert_eq!(
        server.send_as(&writer, "POST", &revert, &[], "").await.status,
        403,
        "a part of it is not theirs"
    );
}

#[tokio::test]
async fn long_changes_are_cut_and_counted() {
    let server = Server::start();
    let changes: Vec<Value> = (0..150).map(|at| put(&format!("n{at}.example.org"), "192.0.2.1")).collect();
    let made = change(&server, &json!({"changes": changes})).await.json();
    assert_eq!(made["records"].as_array().unwrap().len(), 150);
    let listed = server.get("/changes").await.json()["changes"][0].clone();
    assert_eq!((listed["records"].as_array().unwrap().len(), &listed["records_total"]), (100, &json!(150)));
    let alone = server.get(&format!("/changes/{}", made["version"])).await.json();
    assert_eq!((alone["records"].as_array().unwrap().len(), alone.get("records_total")), (150, None));
}

#[tokio::test]
async fn a_change_is_undone_unless_something_came_after() {
    let server = Server::start();
    server.create("a.example.org", "A", &["192.0.2.1"]).await;
    let set = json!({"changes": [put("a.example.org", "192.0.2.2"), put("b.example.org", "192.0.2.2")]});
    let version = change(&server, &set).await.json()["version"].clone();
    let path = format!("/changes/{version}/revert");

    let planned = server.send("POST", &format!("{path}?dry_run=true"), &[], "").await;
    assert_eq!((planned.status, planned.json()["dry_run"].as_bool()), (200, Some(true)));
    assert_eq!(server.served().await.len(), 2);

    let undone = server.send("POST", &path, &[], "").await;
    assert_eq!(undone.status, 200, "{undone:?}");
    assert_eq!(server.served().await, ["a.example.org. A 192.0.2.1"]);
    let author = server.get("/changes?limit=1").await.json()["changes"][0]["author"].clone();
    assert!(str(&author).ends_with(&format!("revert of {version}")), "{author}");
    // What was undone cannot be undone again, but the undoing can.
    let again = server.send("POST", &path, &[], "").await;
    assert_eq!((again.status, again.problem().as_str()), (409, "changed-since"));
    assert!(!again.reasons().is_empty());
    let back = server.send("POST", &format!("/changes/{}/revert", undone.json()["version"]), &[], "").await;
    assert_eq!(back.status, 200);
    assert_eq!(server.served().await, ["a.example.org. A 192.0.2.2", "b.example.org. A 192.0.2.2"]);

    change(&server, &json!({"changes": [put("b.example.org", "192.0.2.3")]})).await;
    let late = server.send("POST", &path, &[], "").await;
    assert_eq!(
        (late.status, late.reasons()),
        (409, vec!["b.example.org. A has other values than expected".to_owned()])
    );
    assert_eq!(server.served().await, ["a.example.org. A 192.0.2.2", "b.example.org. A 192.0.2.3"]);
}
