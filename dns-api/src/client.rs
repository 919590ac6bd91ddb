//! The API from the other side: for the command line, for tests, and for programs that manage records.
//!
//! Meet [`Client`], with a method for each route, and [`ClientError`], which tells a server that says no from one that cannot
//! be reached. Types are those of [`model`](crate::model).
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use dns_api::client::Client;
//! use dns_api::model::RecordSpec;
//!
//! let client = Client::new("http://127.0.0.1:8080", std::fs::read_to_string("/var/lib/jw238dns/admin-token")?.trim())?;
//! let www = RecordSpec {
//!     name: "www.example.org.".into(),
//!     rtype: "A".into(),
//!     ttl: Some(300),
//!     value: vec!["192.0.2.1".to_owned()].into(),
//! };
//! let written = client.create_record(&www).await?;
//! println!("served since version {}", written.version);
//! # Ok(())
//! # }
//! ```

mod admin;
mod call;
mod connection;
mod error;
mod events;
mod routes;
mod sse;
mod trust;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::{Method, Uri};

use self::call::Call;
use self::connection::Connections;
pub use self::error::ClientError;
pub use self::events::{Events, Received};
pub use self::routes::{HistoryFilter, RecordFilter, Revision};
use self::trust::Trust;

/// How long an answer may take, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's API, seen by one token. Clones share their connections; all methods may be called at the same time.
///
/// Needs a tokio runtime. Nothing is tried a second time once a server may have seen it.
#[derive(Clone)]
pub struct Client {
    connections: Arc<Connections>,
    /// The path before `/api/v1`; empty, or beginning with a slash.
    prefix: Arc<str>,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
    patience: Duration,
}

impl Client {
    /// A client of the server at `http://…`. An empty token sends none.
    ///
    /// # Errors
    /// The URL or the token is none, or the URL begins with `https`: see [`with_ca`](Self::with_ca).
    pub fn new(base_url: &str, token: &str) -> Result<Self, ClientError> {
        Self::build(base_url, token, None)
    }

    /// The same over TLS. Trusts the certificates in `pem`, and what those of them have signed that are for signing others
    /// (CA:TRUE).
    ///
    /// # Errors
    /// As [`new`](Self::new), or `pem` holds no certificate.
    pub fn with_ca(base_url: &str, token: &str, pem: &[u8]) -> Result<Self, ClientError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = Trust::new(pem, &provider)?;
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::Ca(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust))
            .with_no_client_auth();
        Self::build(base_url, token, Some(Arc::new(config)))
    }

    /// How long each answer may take; 30 seconds unless told otherwise. Streams of events may last longer.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn build(
        base_url: &str,
        token: &str,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<Self, ClientError> {
        let wrong =
            |why: &dyn std::fmt::Display| ClientError::Url { url: base_url.to_owned(), why: why.to_string() };
        let base: Uri = base_url.parse().map_err(|error| wrong(&error))?;
        if base.query().is_some() {
            return Err(wrong(&"it must have no parameters"));
        }
        let authority = base.authority().ok_or_else(|| wrong(&"it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong(&"passwords are not used: give a token"));
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| wrong(&error))?;
        let authorization = match token {
            "" => None,
            token => {
                let mut value =
                    HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            connections: Arc::new(Connections::new(&base, tls)?),
            prefix: base.path().trim_end_matches('/').into(),
            host,
            authorization,
            patience: PATIENCE,
        })
    }

    fn call(&self, method: Method, path: &[&str]) -> Call<'_> {
        Call::new(self, method, path)
    }
}

impl fmt::Debug for Client {
    /// Says where the server is; the token is kept out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("host", &self.host)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
