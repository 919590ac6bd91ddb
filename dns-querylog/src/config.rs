//! What is written, and where.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use dns_backend::log::{LogHub, LogSettings};

/// The query log as an operator configures it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueryLogConfig {
    /// One query of so many is logged.
    pub sample: NonZeroU32,
    /// How entries are written.
    pub format: Format,
    /// Where they are written to.
    pub target: Target,
    /// Room for entries of each worker until they are written, in octets.
    pub ring_octets: usize,
    /// What dnstap calls this server; left out if it is empty.
    pub identity: String,
    /// What dnstap tells of this server's version; left out if it is empty.
    pub version: String,
    /// Addresses of the listeners by their number, which dnstap tells. Those that are missing or unspecified are left out.
    pub listeners: Vec<SocketAddr>,
}

/// How entries are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// One line for people.
    Text,
    /// Messages of dnstap, for a socket only.
    Dnstap,
}

/// Where entries are written to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, which is made if need be, and appended to.
    File(PathBuf),
    /// A Unix socket at which a reader of dnstap listens.
    Socket(PathBuf),
}

impl Default for QueryLogConfig {
    fn default() -> Self {
        Self {
            sample: NonZeroU32::MIN,
            format: Format::Json,
            target: Target::Stdout,
            ring_octets: LogSettings::RING_OCTETS_DEFAULT,
            identity: String::new(),
            version: String::new(),
            listeners: Vec::new(),
        }
    }
}

impl QueryLogConfig {
    /// What workers have to keep of each query.
    pub fn settings(&self) -> LogSettings {
        let Self { sample, ring_octets, .. } = *self;
        LogSettings { sample, ring_octets, whole_replies: self.format == Format::Dnstap }
    }

    /// The hub that hands out writers to workers, and that [`QueryLog::start`](crate::QueryLog::start) reads.
    pub fn hub(&self) -> Arc<LogHub> {
        LogHub::new(self.settings())
    }

    /// Says whether the format can go to the target.
    ///
    /// # Errors
    /// dnstap goes to a socket, and nothing else does.
    pub fn check(&self) -> io::Result<()> {
        let message = match (self.format, &self.target) {
            (Format::Dnstap, Target::Socket(_)) => return Ok(()),
            (Format::Dnstap, _) => "dnstap is written to a socket only",
            (Format::Json | Format::Text, Target::Socket(_)) => "only dnstap is written to a socket",
            (Format::Json | Format::Text, _) => return Ok(()),
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}
