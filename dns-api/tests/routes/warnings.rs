//! What is told with the answer to a write that was made.

use dns_core::{RecordType, Rrset};
use dns_store::Source;
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

async fn change(server: &Server, change: &Value) -> Answer {
    let answer = server.send("POST", "/changes", &[], &json!({ "changes": [change] }).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

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
