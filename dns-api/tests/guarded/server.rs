//! A server for one test, and a client that sends what it is told to.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dns_api::auth::{Authenticator, Grant, Guard, MemoryTokens};
use dns_api::prometheus_client::registry::Registry;
use dns_api::{Api, ApiLimits, Limits, Listener, Tls, api_router};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::host::Small;

/// Longer than anything here takes; only a defect gets that far.
const PATIENCE: Duration = Duration::from_secs(20);

pub const ADMIN: &str = r#"[{"access":"admin"}]"#;
pub const READ: &str = r#"[{"access":"read"}]"#;
pub const WRITE: &str = r#"[{"access":"write"}]"#;

pub struct Setup {
    pub host: Small,
    pub api_limits: ApiLimits,
    pub limits: Limits,
    pub tls: Option<Arc<Tls>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            host: Small::default(),
            api_limits: ApiLimits::default(),
            limits: Limits::for_api(),
            tls: None,
        }
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub authenticator: Arc<Authenticator>,
    api: Arc<Api>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    pub fn start(setup: Setup) -> Self {
        let Setup { host, api_limits, limits, tls } = setup;
        let authenticator =
            Arc::new(Authenticator::open(Arc::new(MemoryTokens::default()), api_limits).unwrap());
        let hosts = vec!["dns.example.org".to_owned()];
        let guard = Guard { authenticator: authenticator.clone(), hosts };
        let api = Arc::new(Api::new(Arc::new(host), guard));
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        if let Some(tls) = tls {
            listener = listener.with_tls(tls);
        }
        let address = listener.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = api_router(api.clone(), Registry::default());
        let task = tokio::spawn(async move {
            listener.serve(router, limits, async { drop(stopped.await) }).await;
        });
        Self { address, authenticator, api, stop, task }
    }

    /// A new token of these grants, as JSON; ready to stand behind `Bearer`.
    pub fn token(&self, grants: &str) -> String {
        let grants: Vec<Grant> = serde_json::from_str(grants).unwrap();
        let (_, secret) = self.authenticator.create("test", grants, None).unwrap();
        secret.reveal().to_owned()
    }

    pub async fn connect(&self) -> TcpStream {
        within(TcpStream::connect(self.address)).await.unwrap()
    }

    /// Sends one request by a connection of its own.
    pub async fn ask(&self, request: &Ask<'_>) -> Answer {
        let mut stream = self.connect().await;
        exchange(&mut stream, &request.text()).await
    }

    /// Stops as the assembly does, and waits until everybody has been served.
    pub async fn stop(self) {
        self.api.close();
        self.stop.send(()).unwrap();
        within(self.task).await.unwrap();
    }
}

/// A request.
#[derive(Clone)]
pub struct Ask<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub headers: Vec<(&'a str, &'a str)>,
    pub body: &'a str,
}

impl<'a> Ask<'a> {
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, token: None, headers: Vec::new(), body: "" }
    }

    pub fn get(path: &'a str) -> Self {
        Self::new("GET", path)
    }

    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn by(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }

    pub fn json(self, body: &'a str) -> Self {
        Self { body, ..self }.with("Content-Type", "application/json")
    }

    /// What is sent; the host is ours unless the headers name another.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} {} HTTP/1.1", self.method, self.path)];
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            lines.push("Host: localhost".to_owned());
        }
        lines.extend(self.token.map(|token| format!("Authorization: Bearer {token}")));
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.body.is_empty() {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        lines.join("\r\n") + "\r\nConnection: close\r\n\r\n" + self.body
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines();
        lines.filter_map(|line| line.split_once(": ")).find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request and reads until the server closes the connection.
pub async fn exchange<T: AsyncRead + AsyncWrite + Unpin>(stream: &mut T, request: &str) -> Answer {
    within(async {
        // A server that refuses what it has read so far may close before all is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut octets = Vec::new();
        let _ = stream.read_to_end(&mut octets).await;
        parse(&octets)
    })
    .await
}

pub fn parse(octets: &[u8]) -> Answer {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(octets[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: octets[end + 4..].to_vec() }
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes far too long")
}
