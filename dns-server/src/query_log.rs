//! The query log that a configuration asks for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use dns_backend::Authoritative;
use dns_querylog::{Format, QueryLog, QueryLogConfig, Target};
use dns_store::Store;

use crate::config::{Config, QueryLogFormat, QueryLogTarget};

/// Begins to log the queries of all workers that are made from now on.
pub(crate) fn start(
    config: &Config,
    listeners: &[SocketAddr],
    authoritative: &Authoritative<Store>,
) -> io::Result<Option<Arc<QueryLog>>> {
    let Some(wanted) = &config.query_log else { return Ok(None) };
    let format = match wanted.format {
        QueryLogFormat::Json => Format::Json,
        QueryLogFormat::Text => Format::Text,
        QueryLogFormat::Dnstap => Format::Dnstap,
    };
    let target = match &wanted.target {
        QueryLogTarget::Stdout => Target::Stdout,
        QueryLogTarget::File(path) => Target::File(path.clone()),
        QueryLogTarget::Socket(path) => Target::Socket(path.clone()),
    };
    // What strangers are not told, the reader of the log may know as well.
    let identity = &config.identity;
    let config = QueryLogConfig {
        sample: wanted.sample,
        format,
        target,
        identity: identity.id.clone().or_else(|| identity.hostname.clone()).unwrap_or_default(),
        version: concat!("jw238dns ", env!("CARGO_PKG_VERSION")).to_owned(),
        listeners: listeners.to_vec(),
        ..QueryLogConfig::default()
    };
    let hub = config.hub();
    let log = QueryLog::start(config, hub.clone()).map_err(explained)?;
    authoritative.set_log(hub);
    Ok(Some(Arc::new(log)))
}

/// Files open after the rights of root are gone, which surprises those who made the folder as root.
fn explained(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let message = format!(
        "{error}: the user whom the server runs as has to be able to write the file and its folder, see docs/running.md"
    );
    io::Error::new(error.kind(), message)
}
