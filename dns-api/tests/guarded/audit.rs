//! What the log tells of attempts to change something.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::{ADMIN, Ask, Server, Setup, WRITE, within};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The entries of the target `audit`, as JSON.
    fn entries(&self) -> Vec<serde_json::Value> {
        let octets = self.0.lock().unwrap().clone();
        let lines = octets.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        let entries = lines.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
        entries.filter(|entry| entry["target"] == "audit").collect()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that this thread logs from now on; a test's server runs on the test's thread.
fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn changes_and_refusals_are_told_and_secrets_are_not() {
    let (log, _listening) = listen();
    let server = Server::start(Setup::default());
    let (admin, writer) = (server.token(ADMIN), server.token(WRITE));
    let spec = r#"{"name":"ci","grants":[{"access":"read"}]}"#;
    let create = Ask::new("POST", "/api/v1/tokens").json(spec);
    let made = server.ask(&create.clone().by(&admin)).await.json();
    server.ask(&create.clone().by(&writer)).await;
    server.ask(&Ask::get("/api/v1/tokens/self").by(&writer)).await;
    let stranger = Server::start(Setup::default()).token(ADMIN);
    server.ask(&create.clone().by(&stranger)).await;
    let id = made["token"]["id"].as_str().unwrap();
    let revoke = format!("/api/v1/tokens/{id}");
    server.ask(&Ask::new("DELETE", &revoke).by(&admin)).await;

    let entries = log.entries();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            (word("message"), word("method"), word("route"), entry["status"].as_u64().unwrap_or_default())
        })
        .collect();
    let told: Vec<_> = told
        .iter()
        .map(|(message, method, route, status)| (message.as_str(), method.as_str(), route.as_str(), *status))
        .collect();
    assert_eq!(
        told,
        [
            ("token made", "", "", 0),
            ("change", "POST", "/api/v1/tokens", 201),
            ("denied", "POST", "/api/v1/tokens", 403),
            ("login failed", "POST", "", 0),
            ("change", "DELETE", "/api/v1/tokens/{id}", 204),
        ]
    );
    let author = entries[1]["author"].as_str().unwrap();
    assert!(author.starts_with("token test (") && author.ends_with(") from 127.0.0.1"), "{author}");
    assert_eq!(entries[4]["path"], revoke);
    for secret in [&admin, &writer, &stranger, made["secret"].as_str().unwrap()] {
        let (_, secret) = secret.rsplit_once('_').unwrap();
        assert!(!log.text().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn clients_that_leave_before_the_answer_are_told_of() {
    let (log, _listening) = listen();
    let server = Server::start(Setup::default());
    let admin = server.token(ADMIN);
    let mut stream = server.connect().await;
    // Half a body: the handler waits for the rest of it.
    let head =
        Ask::new("POST", "/api/v1/tokens").by(&admin).json("{}").text().replace("Length: 2", "Length: 3");
    stream.write_all(head.as_bytes()).await.unwrap();
    // One that comes later and is answered: the first one has been let in by then.
    assert_eq!(server.ask(&Ask::get("/api/v1/tokens/self").by(&admin)).await.status, 200);
    drop(stream);
    within(async {
        while log.entries().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let entries = log.entries();
    assert_eq!(entries[0]["method"], "POST");
    assert_eq!(entries[0]["route"], "/api/v1/tokens");
    assert_eq!(server.authenticator.list().len(), 1);
}
