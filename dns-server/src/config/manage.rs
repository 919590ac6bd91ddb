//! Where changes are kept, and who may make them over HTTP.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// Where changes are kept that come from elsewhere than files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreConfig {
    /// The folder with the journal, made with mode 0700 if it is not there; `None` to keep changes in memory alone, where they
    /// end with the process.
    pub data_dir: Option<PathBuf>,
    /// How long the history remembers a change; 90 days by default.
    pub history_age: Duration,
    /// How many octets the history takes; `None` for 1 GiB on disk, or 16 MiB in memory.
    pub history_octets: Option<u64>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { data_dir: None, history_age: Duration::from_hours(90 * 24), history_octets: None }
    }
}

/// How records are managed over HTTP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Api {
    /// Answer `/api/v1` where HTTP is answered at all; on by default. Metrics and probes are answered anyway.
    pub enabled: bool,
    /// Speak TLS; plain HTTP by default.
    pub tls: Option<Tls>,
    /// The file with the first token, which is written at the first start; `admin-token` in the data folder by default.
    pub admin_token_file: Option<PathBuf>,
    /// Names by which clients may reach a listener on loopback, besides `localhost`.
    pub hosts: Vec<String>,
    /// Requests with one token per second; 5,000 by default.
    pub requests_per_second: NonZeroU32,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            enabled: true,
            tls: None,
            admin_token_file: None,
            hosts: Vec::new(),
            // Looked at when this is compiled.
            requests_per_second: const { NonZeroU32::new(5_000).unwrap() },
        }
    }
}

/// What TLS needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// PEM file with the certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// PEM file with its key.
    pub private_key: PathBuf,
}
