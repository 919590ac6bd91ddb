//! A server with a store and a journal, and a client that sends what it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use dns_api::auth::{Authenticator, Guard, MemoryTokens};
use dns_api::prometheus_client::registry::Registry;
use dns_api::{Api, ApiLimits, Limits, Listener, api_router};
use dns_store::{Store, StoreOptions};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::host::Small;
use crate::journal::TestJournal;

/// Longer than anything here takes; only a defect gets that far.
const PATIENCE: Duration = Duration::from_secs(30);

/// Grants of a token that may do everything.
pub const ADMIN: &str = r#"[{"access":"admin"}]"#;

/// Running until it is dropped, with the runtime of its test.
pub struct Server {
    pub store: Store,
    pub journal: Arc<TestJournal>,
    address: SocketAddr,
    authenticator: Arc<Authenticator>,
    /// May do everything.
    admin: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Server {
    pub fn start() -> Self {
        let journal = TestJournal::new();
        let store = Store::open(StoreOptions::default(), journal.clone()).unwrap();
        let authenticator =
            Arc::new(Authenticator::open(Arc::<MemoryTokens>::default(), ApiLimits::default()).unwrap());
        let guard = Guard { authenticator: authenticator.clone(), hosts: Vec::new() };
        let api = Arc::new(Api::new(Arc::new(Small::new(store.clone())), guard));
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let router = api_router(api, Registry::default());
        tokio::spawn(listener.serve(router, Limits::for_api(), std::future::pending()));
        let mut server = Self { store, journal, address, authenticator, admin: String::new() };
        server.admin = server.token(ADMIN);
        server
    }

    /// A token with these grants, as JSON.
    pub fn token(&self, grants: &str) -> String {
        let grants = serde_json::from_str(grants).unwrap();
        let (_, secret) = self.authenticator.create("test", grants, None).unwrap();
        secret.reveal().to_owned()
    }

    /// Asks as somebody who may do everything.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// Sends JSON, or nothing.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send_as(&self.admin, method, path, headers, body).await
    }

    /// Sends JSON, or nothing, with another token; with none if that is empty.
    pub async fn send_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let json = ("content-type", "application/json");
        let is_json = !body.is_empty() && headers.iter().all(|(name, _)| *name != json.0);
        let headers: Vec<_> = is_json.then_some(json).into_iter().chain(headers.iter().copied()).collect();
        self.send_body_as(token, method, path, &headers, Body::from(body.to_owned())).await
    }

    /// Sends a body as it is, as somebody who may do everything.
    pub async fn send_body(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        self.send_body_as(&self.admin, method, path, headers, body).await
    }

    async fn send_body_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("/api/v1{path}"))
            .header("host", self.address.to_string());
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(request.body(body).unwrap()).await
    }

    pub async fn exchange(&self, request: Request<Body>) -> Answer {
        timeout(PATIENCE, async {
            let stream = TcpStream::connect(self.address).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            let connection = tokio::spawn(connection);
            let response = sender.send_request(request).await.unwrap();
            let (head, body) = response.into_parts();
            let octets = body.collect().await.unwrap().to_bytes();
            drop(sender);
            connection.abort();
            let text = String::from_utf8(octets.to_vec()).unwrap();
            Answer { status: head.status.as_u16(), headers: head.headers, text }
        })
        .await
        .expect("it takes far too long")
    }

    /// Makes records, which must succeed.
    pub async fn create(&self, name: &str, rtype: &str, values: &[&str]) -> Answer {
        let body = serde_json::json!({ "name": name, "type": rtype, "value": values });
        let answer = self.send("POST", "/records", &[], &body.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    /// What is served: name, type and values, a line each.
    pub async fn served(&self) -> Vec<String> {
        let answer = self.get("/records?limit=1000&shadowed=false").await;
        let json = answer.json();
        let line = |record: &Value| {
            let values: Vec<_> =
                record["value"].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
            format!("{} {} {}", str(&record["name"]), str(&record["type"]), values.join(","))
        };
        json["records"].as_array().unwrap().iter().map(line).collect()
    }
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    /// The word for the kind of problem, after a look at what all problems have.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let json = self.json();
        let fields: BTreeMap<String, Value> = serde_json::from_value(json.clone()).unwrap();
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["detail", "reasons", "status", "title", "type"]);
        assert_eq!(json["status"], self.status);
        assert!(!str(&json["detail"]).is_empty() && !str(&json["title"]).is_empty());
        str(&json["type"]).strip_prefix("urn:problem-type:jw238dns:").unwrap().to_owned()
    }

    #[track_caller]
    pub fn reasons(&self) -> Vec<String> {
        let reasons = self.json()["reasons"].clone();
        serde_json::from_value(reasons).unwrap()
    }
}

#[track_caller]
pub fn str(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
