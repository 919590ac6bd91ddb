//! What is refused before any handler sees it.

use std::time::Duration;

use dns_api::{ApiLimits, Rate};

use crate::server::{ADMIN, Ask, READ, Server, Setup, WRITE};

const RECORD: &str = r#"{"name":"www.example.org.","type":"A","ttl":300,"value":["192.0.2.1"]}"#;

#[tokio::test]
async fn all_but_the_open_paths_need_a_token() {
    let server = Server::start(Setup::default());
    for path in ["/health", "/ready", "/metrics", "/api/v1/openapi.json"] {
        assert_eq!(server.ask(&Ask::get(path)).await.status, 200, "{path}");
    }
    let token = server.token(READ);
    assert_eq!(server.ask(&Ask::get("/api/v1/nowhere").by(&token)).await.status, 404);
    // As many as are answered before a client is slowed down.
    for path in
        ["/api/v1/tokens/self", "/api/v1/records", "/api/v1/status", "/api/v1/nowhere", "/", "/metrics/"]
    {
        let answer = server.ask(&Ask::get(path)).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("bearer"));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let answer = server.ask(&Ask::get(path).by("jw238_00000000_0")).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("bearer error=\"invalid_token\""));
    }
    // Open paths are open for reading.
    assert_eq!(server.ask(&Ask::new("POST", "/health")).await.status, 401);
}

#[tokio::test]
async fn tokens_are_taken_from_one_place_only() {
    let server = Server::start(Setup::default());
    let token = server.token(READ);
    let answer = server.ask(&Ask::get("/api/v1/tokens/self").by(&token)).await;
    assert_eq!(answer.status, 200);
    let query = format!("/api/v1/tokens/self?access_token={token}");
    assert_eq!(server.ask(&Ask::get(&query)).await.status, 401);
    let cookie = format!("token={token}");
    assert_eq!(server.ask(&Ask::get("/api/v1/tokens/self").with("Cookie", &cookie)).await.status, 401);
    let basic = format!("Basic {token}");
    assert_eq!(server.ask(&Ask::get("/api/v1/tokens/self").with("Authorization", &basic)).await.status, 401);
}

#[tokio::test]
async fn answers_are_neither_kept_nor_taken_for_pages() {
    let server = Server::start(Setup::default());
    let token = server.token(READ);
    for ask in [Ask::get("/health"), Ask::get("/api/v1/tokens/self").by(&token), Ask::get("/api/v1/records")]
    {
        let answer = server.ask(&ask).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", ask.path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{}", ask.path);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{}", ask.path);
    }
}

#[tokio::test]
async fn pages_elsewhere_cannot_use_a_browser() {
    let server = Server::start(Setup::default());
    let token = server.token(WRITE);
    let create = Ask::new("POST", "/api/v1/records").by(&token).json(RECORD);
    for (header, value) in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Host", "evil.example"),
    ] {
        let answer = server.ask(&create.clone().with(header, value)).await;
        assert_eq!(answer.status, 403, "{header}: {value}");
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:problem-type:jw238dns:cross-site", "it is not for the token");
        if header == "Host" {
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("evil.example") && detail.contains("api.hosts"), "{detail}");
        }
    }
    // Nor can it be asked whether it may.
    let preflight = Ask::new("OPTIONS", "/api/v1/records").with("Origin", "http://evil.example");
    let answer = server.ask(&preflight).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
    // What a form can send is no body for us.
    let form = Ask { headers: vec![("Content-Type", "text/plain")], ..create.clone() };
    assert_eq!(server.ask(&form).await.status, 415);
    // Under a name that leads here, even what needs no token is refused.
    assert_eq!(server.ask(&Ask::get("/metrics").with("Host", "evil.example")).await.status, 403);
    assert_eq!(server.ask(&Ask::get("/metrics").with("Host", "dns.example.org:8080")).await.status, 200);
    assert_eq!(server.ask(&Ask::get("/ready").with("Host", "whatever.example")).await.status, 200);
}

#[tokio::test]
async fn guessing_is_slowed_down_without_holding_connections() {
    let server = Server::start(Setup {
        api_limits: ApiLimits { first_lockout: Duration::from_mins(1), ..ApiLimits::default() },
        ..Setup::default()
    });
    let (known, fresh) = (server.token(READ), server.token(READ));
    let own = Ask::get("/api/v1/tokens/self");
    assert_eq!(server.ask(&own.clone().by(&known)).await.status, 200);
    // A secret of another server for an identity of this one, and one of which nothing is known.
    let elsewhere = Server::start(Setup::default());
    let guess = elsewhere.token(ADMIN);
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(server.ask(&own.clone().by(&guess)).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 429, 429, 429, 429]);
    let answer = server.ask(&own.clone().by(&guess)).await;
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    for token in [&fresh, &known] {
        assert_eq!(server.ask(&own.clone().by(token)).await.status, 200, "who need not guess is let in");
    }
    assert_eq!(server.ask(&Ask::get("/health")).await.status, 200);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let once = Rate { per_second: 1.try_into().unwrap(), burst: 2.try_into().unwrap() };
    let server = Server::start(Setup {
        api_limits: ApiLimits { token: once, stranger: once, ..ApiLimits::default() },
        ..Setup::default()
    });
    let (busy, other) = (server.token(READ), server.token(READ));
    let own = Ask::get("/api/v1/tokens/self");
    let ask = own.clone().by(&busy);
    let answers = [server.ask(&ask).await, server.ask(&ask).await, server.ask(&ask).await];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 429]);
    assert_eq!(answers[2].header("retry-after"), Some("1"));
    assert_eq!(server.ask(&own.clone().by(&other)).await.status, 200, "limits are each token's own");
    let answers = [server.ask(&own).await, server.ask(&Ask::get("/health")).await, server.ask(&own).await];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [401, 200, 429]);
}
