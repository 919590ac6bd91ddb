//! Listings in pages.

use std::collections::BTreeSet;

use dns_core::{Change, ChangeSet, RecordType, Rrset};
use dns_store::Source;
use serde_json::Value;

use crate::server::{Server, str};

const NAMES: usize = 2_500;

fn server() -> Server {
    let server = Server::start();
    let record = |at: usize| {
        let zone = ["example.org", "example.net"][usize::from(at.is_multiple_of(50))];
        let owner = format!("n{at:04}.{zone}").parse().unwrap();
        Change::Put(Rrset::new(owner, RecordType::A, 300, [[192, 0, 2, (at % 256) as u8]]).unwrap())
    };
    let changes: ChangeSet = (0..NAMES).map(record).collect();
    server.store.partial_reload(&Source::Api, &changes).unwrap();
    server
}

/// Names on all pages, the number of pages, and the cursors between them.
async fn all(server: &Server, token: &str, query: &str) -> (Vec<String>, Vec<usize>, Vec<String>) {
    all_of("records", server, token, query).await
}

async fn all_of(
    what: &str,
    server: &Server,
    token: &str,
    query: &str,
) -> (Vec<String>, Vec<usize>, Vec<String>) {
    let (mut names, mut sizes, mut cursors) = (Vec::new(), Vec::new(), Vec::new());
    let mut path = format!("/{what}?{query}");
    loop {
        let answer = server.send_as(token, "GET", &path, &[], "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        let records = page[what].as_array().unwrap();
        names.extend(records.iter().map(|record| str(&record["name"]).to_owned()));
        sizes.push(records.len());
        let Value::String(cursor) = &page["next"] else {
            assert!(page["next"].is_null());
            return (names, sizes, cursors);
        };
        path = format!("/{what}?{query}&cursor={cursor}");
        cursors.push(cursor.clone());
    }
}

#[tokio::test]
async fn all_records_come_once_and_in_order() {
    let server = server();
    let admin = server.token(crate::server::ADMIN);
    let (names, sizes, _) = all(&server, &admin, "limit=400").await;
    assert_eq!(sizes, [400, 400, 400, 400, 400, 400, 100]);
    let parsed: Vec<dns_core::Name> = names.iter().map(|name| name.parse().unwrap()).collect();
    assert!(parsed.is_sorted());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), NAMES);
    let (names, sizes, _) = all(&server, &admin, "").await;
    assert_eq!((names.len(), sizes.len()), (NAMES, 25), "100 to a page by default");
}

#[tokio::test]
async fn a_scope_hides_records_without_a_trace() {
    let server = server();
    // One in fifty may be seen, and of these not even all.
    let token = server.token(r#"[{"access":"read","zones":["example.net"],"names":["*.example.net"]}]"#);
    let (names, sizes, cursors) = all(&server, &token, "limit=20").await;
    assert_eq!(sizes, [20, 20, 10], "pages are full, whatever lies between");
    assert!(names.iter().all(|name| name.ends_with(".example.net.")), "{names:?}");
    // A page begins with something that may be seen, so a cursor tells of nothing else.
    for (cursor, place) in cursors.iter().zip([20, 40]) {
        let octets = data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap();
        let (first, _) = dns_core::Name::split_from_wire(&octets[2..]).unwrap();
        assert_eq!(first.to_string(), names[place]);
    }
    let nobody = server.token(r#"[{"access":"read","zones":["example.com"]}]"#);
    assert_eq!(all(&server, &nobody, "limit=20").await, (Vec::new(), vec![0], Vec::new()));
}

/// A server with as many zones as there are names, all of them made up.
fn server_of_zones() -> Server {
    let server = Server::start();
    let record = |at: usize| {
        let top = ["org", "net"][usize::from(at.is_multiple_of(50))];
        let owner = format!("n{at:04}.{top}").parse().unwrap();
        Change::Put(Rrset::new(owner, RecordType::A, 300, [[192, 0, 2, (at % 256) as u8]]).unwrap())
    };
    let changes: ChangeSet = (0..NAMES).map(record).collect();
    server.store.partial_reload(&Source::Config, &changes).unwrap();
    server
}

#[tokio::test]
async fn all_zones_come_once_and_in_order() {
    let server = server_of_zones();
    let admin = server.token(crate::server::ADMIN);
    let (names, sizes, cursors) = all_of("zones", &server, &admin, "limit=400").await;
    assert_eq!(sizes, [400, 400, 400, 400, 400, 400, 100]);
    let parsed: Vec<dns_core::Name> = names.iter().map(|name| name.parse().unwrap()).collect();
    assert!(parsed.is_sorted());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), NAMES);
    assert_eq!(all_of("zones", &server, &admin, "").await.1, [100; 25], "100 to a page by default");
    assert_eq!(all_of("zones", &server, &admin, "limit=2500").await.1, [NAMES]);
    // What a page should have begun with may be gone meanwhile, and others may have come.
    let owner: dns_core::Name = names[400].parse().unwrap();
    server.store.delete(&Source::Config, &owner, None, None).unwrap();
    let page = server.get(&format!("/zones?limit=400&cursor={}", cursors[0])).await.json();
    let first = page["zones"].as_array().unwrap().first().unwrap();
    assert_eq!(str(&first["name"]), names[401]);
    for (query, reasons) in [
        ("limit=0", vec!["limit: 0 is not a number between 1 and 10000"]),
        (
            "limit=10001&cursor=x",
            vec![
                "limit: 10001 is not a number between 1 and 10000",
                "cursor: it is none that a page has ended with",
            ],
        ),
    ] {
        let answer = server.get(&format!("/zones?{query}")).await;
        assert_eq!(
            (answer.status, answer.reasons()),
            (400, reasons.iter().map(ToString::to_string).collect())
        );
    }
}

#[tokio::test]
async fn a_scope_hides_zones_without_a_trace() {
    let server = server_of_zones();
    let token = server.token(r#"[{"access":"read","zones":["net"]}]"#);
    let (names, sizes, cursors) = all_of("zones", &server, &token, "limit=20").await;
    assert_eq!(sizes, [20, 20, 10], "pages are full, whatever lies between");
    assert!(names.iter().all(|name| name.ends_with(".net.")), "{names:?}");
    for (cursor, place) in cursors.iter().zip([20, 40]) {
        let octets = data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap();
        let (first, _) = dns_core::Name::split_from_wire(&octets[2..]).unwrap();
        assert_eq!(first.to_string(), names[place]);
    }
    // A cursor of somebody who may see more opens nothing.
    let admin = server.token(crate::server::ADMIN);
    let page = server.send_as(&admin, "GET", "/zones?limit=1", &[], "").await.json();
    let path = format!("/zones?limit=100&cursor={}", str(&page["next"]));
    let page = server.send_as(&token, "GET", &path, &[], "").await.json();
    let shown: Vec<&str> = page["zones"].as_array().unwrap().iter().map(|zone| str(&zone["name"])).collect();
    assert!(shown.iter().all(|name| name.ends_with(".net.")), "{shown:?}");
    let nobody = server.token(r#"[{"access":"read","zones":["example.com"]}]"#);
    assert_eq!(all_of("zones", &server, &nobody, "limit=20").await, (Vec::new(), vec![0], Vec::new()));
}

#[tokio::test]
async fn filters_join_in_any_combination() {
    let server = server();
    let admin = server.token(crate::server::ADMIN);
    assert_eq!(server.send("POST", "/zones", &[], r#"{"name":"example.net"}"#).await.status, 201);
    server.create("n0042.example.org", "TXT", &["x"]).await;
    server.create("deep.n0042.example.org", "TXT", &["x"]).await;
    for (query, expected) in [
        ("zone=example.net", 52),
        ("zone=n0042.example.org", 3),
        ("zone=example.net.&type=TXT", 0),
        ("type=TXT", 2),
        ("name=n0042.example.org", 3),
        ("name=n0042.example.org&type=A", 1),
        ("prefix=n00", 101),
        ("prefix=N0042.EXAMPLE.o", 2),
        ("prefix=n0042&zone=example.net", 0),
        ("source=api&prefix=deep", 1),
        ("source=file", 0),
        ("shadowed=true", 0),
        ("zone=example.com", 0),
    ] {
        let (names, ..) = all(&server, &admin, &format!("{query}&limit=50")).await;
        assert_eq!(names.len(), expected, "{query}");
    }
}

#[tokio::test]
async fn an_unchanged_catalog_is_not_listed_again() {
    let server = server();
    let first = server.get("/records?limit=1").await;
    let tag = first.header("etag").to_owned();
    assert_eq!(first.json()["version"].to_string(), tag.trim_matches('"'));
    assert_eq!(first.json()["durable"], true);
    assert_eq!(server.send("GET", "/records?limit=1", &[("if-none-match", &tag)], "").await.status, 304);
    server.create("new.example.org", "A", &["192.0.2.1"]).await;
    assert_eq!(server.send("GET", "/records?limit=1", &[("if-none-match", &tag)], "").await.status, 200);
}
