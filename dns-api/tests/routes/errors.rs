//! What is refused, and how.

use crate::server::Server;

/// Method, path, body; then status and kind of problem.
type Case = (&'static str, &'static str, &'static str, u16, &'static str);

const RECORD: &str = r#"{"name":"www.example.org","type":"A","value":"192.0.2.1"}"#;

#[tokio::test]
async fn whatever_is_wrong_is_a_problem_with_its_status() {
    let server = Server::start();
    server.create("there.example.org", "A", &["192.0.2.1"]).await;
    let cases: &[Case] = &[
        ("GET", "/nothing", "", 404, "not-found"),
        ("GET", "/records/there.example.org/more", "", 404, "not-found"),
        ("PATCH", "/records", "{}", 405, "method-not-allowed"),
        ("POST", "/records/there.example.org", RECORD, 405, "method-not-allowed"),
        // Parameters
        ("GET", "/records?colour=red", "", 400, "malformed"),
        ("GET", "/records?limit=0", "", 400, "malformed"),
        ("GET", "/records?limit=10001", "", 400, "malformed"),
        ("GET", "/records?limit=ten", "", 400, "malformed"),
        ("GET", "/records?limit=1&limit=2", "", 400, "malformed"),
        ("GET", "/records?cursor=AAAA%21", "", 400, "malformed"),
        ("GET", "/records?zone=a..b", "", 400, "malformed"),
        ("GET", "/records?type=NOSUCH", "", 400, "malformed"),
        ("GET", "/records?type=ANY", "", 400, "malformed"),
        ("GET", "/records?source=moon", "", 400, "malformed"),
        ("GET", "/records?shadowed=maybe", "", 400, "malformed"),
        ("GET", "/records/a..b", "", 400, "malformed"),
        ("GET", "/records/%FF", "", 400, "malformed"),
        ("GET", "/changes?before=first", "", 400, "malformed"),
        ("GET", "/changes/first", "", 400, "malformed"),
        ("GET", "/zones/a..b", "", 400, "malformed"),
        ("POST", "/changes/1/revert?force=true", "", 400, "malformed"),
        // Bodies
        ("POST", "/records", "{", 400, "malformed"),
        ("POST", "/records", "[1]", 422, "invalid"),
        ("POST", "/records", r#"{"name":"a.example","type":"A"}"#, 422, "invalid"),
        ("POST", "/records", r#"{"name":"a.example","type":"A","value":"1","x":1}"#, 422, "invalid"),
        ("POST", "/records", r#"{"name":"a.example","type":"A","value":"192.0.2.256"}"#, 422, "invalid"),
        ("POST", "/records", r#"{"name":"a.example","type":"A","value":[]}"#, 422, "invalid"),
        (
            "POST",
            "/records",
            r#"{"name":"a.example","type":"A","value":"192.0.2.1","ttl":-1}"#,
            422,
            "invalid",
        ),
        (
            "POST",
            "/records",
            r#"{"name":"a.example","type":"A","value":"192.0.2.1","ttl":1}"#,
            422,
            "invalid",
        ),
        ("POST", "/records", r#"{"name":"a.example","type":"AXFR","value":"x"}"#, 422, "invalid"),
        ("POST", "/changes", r#"{"change":[]}"#, 422, "invalid"),
        ("POST", "/changes", r#"{"changes":[{"op":"swap"}]}"#, 422, "invalid"),
        ("POST", "/changes", r#"{"changes":[],"comment":"two\nlines"}"#, 422, "invalid"),
        ("POST", "/zones", r#"{"name":"a..b"}"#, 422, "invalid"),
        ("POST", "/zones", r#"{"name":"example.net","ttl":4294967295}"#, 422, "invalid"),
        // What is there, and what is not
        ("GET", "/records/absent.example.org", "", 404, "not-found"),
        ("GET", "/records/there.example.org?type=MX", "", 404, "not-found"),
        ("DELETE", "/records/absent.example.org", "", 404, "not-found"),
        ("PUT", "/records/absent.example.org?type=A", r#"{"value":"192.0.2.1"}"#, 404, "not-found"),
        ("POST", "/records", r#"{"name":"there.example.org","type":"A","value":"192.0.2.1"}"#, 409, "exists"),
        ("GET", "/changes/4242", "", 404, "not-found"),
        ("POST", "/changes/4242/revert", "", 404, "not-found"),
        ("GET", "/zones/example.com", "", 404, "not-found"),
        ("GET", "/zones/example.com/export", "", 404, "not-found"),
        ("GET", "/zones/example.com/check", "", 404, "not-found"),
        ("DELETE", "/zones/example.com", "", 404, "not-found"),
    ];
    for (method, path, body, status, kind) in cases {
        let answer = server.send(method, path, &[], body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (*status, *kind), "{method} {path} {body}");
    }
    assert_eq!(server.served().await, ["there.example.org. A 192.0.2.1"], "nothing has changed");
}

#[tokio::test]
async fn a_refused_method_names_the_others() {
    let server = Server::start();
    let answer = server.send("PATCH", "/records/a.example", &[], "{}").await;
    assert_eq!((answer.status, answer.problem().as_str()), (405, "method-not-allowed"));
    let mut methods: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["DELETE", "GET", "HEAD", "PUT"]);
}

#[tokio::test]
async fn bodies_have_a_type_and_a_size() {
    let server = Server::start();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let answer = server.send("POST", "/records", &[("content-type", content_type)], RECORD).await;
        assert_eq!((answer.status, answer.problem().as_str()), (415, "unsupported-media-type"));
    }
    let long = format!("{}{RECORD}", " ".repeat(1 << 20));
    let answer = server.send("POST", "/records", &[], &long).await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "too-large"));
    // A set of changes may be larger than a record.
    let changes = format!(r#"{}{{"changes":[]}}"#, " ".repeat(1 << 20));
    assert_eq!(server.send("POST", "/changes", &[], &changes).await.status, 200);
    let answer =
        server.send("POST", "/records", &[("content-type", "application/json; charset=utf-8")], RECORD);
    assert_eq!(answer.await.status, 201);
}

#[tokio::test]
async fn tokens_are_needed_and_have_limits() {
    let server = Server::start();
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    server.create("www.example.net", "A", &["192.0.2.1"]).await;
    for (method, path, body) in [
        ("GET", "/records", ""),
        ("GET", "/records/www.example.org", ""),
        ("POST", "/records", RECORD),
        ("POST", "/changes", r#"{"changes":[]}"#),
        ("GET", "/changes", ""),
        ("GET", "/zones", ""),
        ("DELETE", "/zones/example.org", ""),
    ] {
        let answer = server.send_as("", method, path, &[], body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthorized"), "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let reader = server.token(r#"[{"access":"read","zones":["example.org"]}]"#);
    let writer = server.token(r#"[{"access":"write","zones":["example.org"],"types":["TXT"]}]"#);
    let put = r#"{"value":"192.0.2.2"}"#;
    let mixed = r#"{"changes":[
        {"op":"put","record":{"name":"a.example.org","type":"TXT","value":"x"}},
        {"op":"delete","name":"www.example.net"}]}"#;
    let peek = r#"{"changes":[],"preconditions":[{"exists":{"name":"www.example.net","type":"A"}}]}"#;
    for (token, method, path, body) in [
        (&reader, "PUT", "/records/www.example.org?type=A", put),
        (&reader, "DELETE", "/records/www.example.org", ""),
        (&reader, "POST", "/zones", r#"{"name":"example.org"}"#),
        (&writer, "PUT", "/records/www.example.org?type=A", put),
        (&writer, "PUT", "/records/www.example.net?type=TXT", r#"{"value":"x"}"#),
        // All types of a name are more than one.
        (&writer, "DELETE", "/records/www.example.org", ""),
        (&writer, "DELETE", "/records/absent.example.org", ""),
        (&writer, "POST", "/changes", mixed),
        (&writer, "POST", "/changes", peek),
        (&writer, "POST", "/zones", r#"{"name":"example.org"}"#),
        (&writer, "DELETE", "/zones/example.org", ""),
        (&writer, "PUT", "/zones/example.org/import", ""),
    ] {
        let answer = server.send_as(token, method, path, &[], body).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{method} {path} {body}");
        assert!(answer.reasons().is_empty(), "{answer:?}");
    }
    // What may not be read is refused, whether it is there or not.
    for path in [
        "/records/www.example.net",
        "/records/absent.example.net",
        "/zones/example.net",
        "/zones/example.net/export",
    ] {
        assert_eq!(server.send_as(&reader, "GET", path, &[], "").await.status, 403, "{path}");
    }
    assert_eq!(server.send_as(&writer, "GET", "/records/www.example.org?type=A", &[], "").await.status, 403);
    assert_eq!(server.served().await, ["www.example.net. A 192.0.2.1", "www.example.org. A 192.0.2.1"]);
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let server = Server::start();
    server.create("www.example.org", "A", &["192.0.2.1"]).await;
    for path in
        ["/records/www.example.org", "/records/www.example.net", "/zones/example.org/check", "/made/up"]
    {
        server.get(path).await;
    }
    let request = hyper::Request::get("/metrics").header("host", "localhost");
    let metrics = server.exchange(request.body(axum::body::Body::empty()).unwrap()).await.text;
    for (path, code) in [
        ("/api/v1/records", 201),
        ("/api/v1/records/{name}", 200),
        ("/api/v1/records/{name}", 404),
        ("/api/v1/zones/{zone}/check", 404),
        ("other", 404),
    ] {
        let line = format!("dns_api_requests_total{{path=\"{path}\",code=\"{code}\"}} 1\n");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("example"), "no path of a client is a label: {metrics}");
}
