//! Every route, asked with every scope that is too small for it.

mod routes;

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::routes::{CALLERS, HIDDEN, MAY_READ_HIDDEN, ROUTES, Route};
use crate::host::Small;
use crate::server::{ADMIN, Answer, Ask, Server, Setup, parse, within};

/// A server with a record that not all may see, and what the paths name.
struct Scene {
    server: Server,
    admin: String,
    change: String,
    token: String,
}

impl Scene {
    async fn new() -> Self {
        let server =
            Server::start(Setup { host: Small::default().with_backup(vec![0; 10]), ..Setup::default() });
        let admin = server.token(ADMIN);
        let token = server.authenticator.list()[0].token.id().to_string();
        for zone in [r#"{"name":"example.org"}"#, r#"{"name":"example.com"}"#] {
            let answer = server.ask(&Ask::new("POST", "/api/v1/zones").by(&admin).json(zone)).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        let record = format!(r#"{{"name":"hidden.example.org","type":"A","value":["{HIDDEN}"]}}"#);
        let answer = server.ask(&Ask::new("POST", "/api/v1/records").by(&admin).json(&record)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let change = answer.json()["version"].to_string();
        Self { server, admin, change, token }
    }

    /// Everything that there is, as the admin sees it.
    async fn state(&self) -> [Value; 3] {
        let mut state = [Value::Null, Value::Null, Value::Null];
        let paths = ["/api/v1/records", "/api/v1/zones", "/api/v1/tokens"];
        for (path, slot) in paths.into_iter().zip(&mut state) {
            *slot = self.server.ask(&Ask::get(path).by(&self.admin)).await.json();
        }
        // That a token was just used says nothing.
        for token in state[2]["tokens"].as_array_mut().unwrap() {
            token["last_used"] = Value::Null;
        }
        state
    }

    async fn ask(&self, route: &Route, token: Option<&str>) -> Answer {
        let path = route.path.replace("{change}", &self.change).replace("{token}", &self.token);
        let mut ask = Ask { token, body: route.body, ..Ask::new(route.method, &path) };
        if !route.body.is_empty() {
            let is_zone = route.template.ends_with("/import");
            ask = ask.with("Content-Type", if is_zone { "text/dns" } else { "application/json" });
        }
        if route.template.ends_with("/events") {
            return self.ask_for_events(&ask.text()).await;
        }
        self.server.ask(&ask).await
    }

    /// A stream does not end by itself: it is read until something that everybody with a token may see.
    async fn ask_for_events(&self, request: &str) -> Answer {
        const LAST: &str = "the last event";
        let mut stream = self.server.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut octets = Vec::new();
        let read = async {
            while !octets.windows(4).any(|window| window == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut octets).await.unwrap(), 0);
            }
            if !octets.starts_with(b"HTTP/1.1 200") {
                stream.read_to_end(&mut octets).await.unwrap();
                return;
            }
            for name in ["last.example.com", "www.example.org"] {
                let body = format!(r#"{{"name":"{name}","type":"TXT","value":["\"{LAST}\""]}}"#);
                let create = Ask::new("POST", "/api/v1/records").by(&self.admin);
                let answer = self.server.ask(&create.json(&body)).await;
                assert_eq!(answer.status, 201, "{answer:?}");
            }
            while !octets.windows(LAST.len()).any(|window| window == LAST.as_bytes()) {
                assert_ne!(stream.read_buf(&mut octets).await.unwrap(), 0);
            }
        };
        within(read).await;
        parse(&octets)
    }
}

#[tokio::test]
async fn nobody_gets_further_than_their_scope() {
    let mut scene = Scene::new().await;
    for route in ROUTES {
        for (column, grants) in CALLERS.into_iter().enumerate() {
            let token = grants.map(|grants| scene.server.token(grants));
            let before = scene.state().await;
            let answer = scene.ask(route, token.as_deref()).await;
            let Route { method, path, body, expected, .. } = route;
            let what = format!("{method} {path} {body} by {}", grants.unwrap_or("nobody"));
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, expected[column], "{what}: {text}");
            if !MAY_READ_HIDDEN[column] {
                assert!(!text.contains(HIDDEN), "{what} is shown {text}");
                // Nor is it told that something is there, but by the name that was asked for.
                let is_named = path.contains("hidden") || body.contains("hidden");
                assert!(is_named || !text.contains("hidden.example.org"), "{what} is shown {text}");
            }
            if answer.status >= 400 {
                assert_eq!(answer.json()["status"], answer.status, "{what}");
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
                assert_eq!(scene.state().await, before, "{what} was refused and has changed something");
            } else if route.is_change() {
                scene = Scene::new().await;
            }
        }
    }
}

/// Nothing tells whoever may not see a record whether it exists.
#[tokio::test]
async fn what_is_out_of_scope_looks_like_what_is_not_there() {
    let scene = Scene::new().await;
    for grants in
        [r#"[{"access":"write","zones":["example.com"]}]"#, r#"[{"access":"write","types":["TXT"]}]"#]
    {
        let token = scene.server.token(grants);
        for (method, path, body) in [
            ("GET", "/api/v1/records/NAME", ""),
            ("PUT", "/api/v1/records/NAME?type=A", r#"{"value":["192.0.2.2"]}"#),
            ("DELETE", "/api/v1/records/NAME", ""),
            ("POST", "/api/v1/records", r#"{"name":"NAME","type":"A","value":["192.0.2.2"]}"#),
            ("POST", "/api/v1/changes", r#"{"changes":[{"op":"delete","name":"NAME"}],"dry_run":true}"#),
            ("GET", "/api/v1/resolve?name=NAME", ""),
        ] {
            let mut told = Vec::new();
            for name in ["hidden.example.org", "absent.example.org"] {
                let (path, body) = (path.replace("NAME", name), body.replace("NAME", name));
                let mut ask = Ask { body: &body, ..Ask::new(method, &path).by(&token) };
                if !body.is_empty() {
                    ask = ask.with("Content-Type", "application/json");
                }
                let answer = scene.server.ask(&ask).await;
                let text = String::from_utf8(answer.body).unwrap();
                told.push((answer.status, text.replace(name, "NAME")));
            }
            assert_eq!(told[0], told[1], "{method} {path} {grants}");
        }
    }
}

/// A route without a row in the table is a route that nobody has thought about.
#[test]
fn every_route_has_its_row() {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];
    let document: Value = serde_json::to_value(dns_api::openapi()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str()));
        described.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let tried: BTreeSet<_> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.template.to_owned())).collect();
    assert_eq!(described, tried);
}
