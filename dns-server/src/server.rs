//! Assembly: from a configuration to a running server.

use std::borrow::Cow;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use dns_api::{TlsError, TlsFiles, with_causes};
use dns_backend::Authoritative;
use dns_backend::guard::Guard;
use dns_core::Name;
use dns_frontend::{Bound, Frontend, TcpConfig, UdpConfig};
use dns_store::Store;
use thiserror::Error;

use crate::check::Checks;
use crate::config::{Config, Listener, Tls, Zone, ZoneContent};
use crate::content::{Content, Update};
use crate::guard::{self, Secrets};
use crate::manage::{Keep, Manager};
use crate::metrics::{Figures, Reloads};
use crate::query_log;
use crate::running::{Managed, Parts, Readiness, Running, State};

/// A server with its ports bound and its zones loaded, not yet answering.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use dns_server::Server;
/// use dns_server::config::{Listen, Listener, Config};
///
/// let listen = Listen { dns: vec![Listener::required("127.0.0.1:0".parse()?)], http: Vec::new() };
/// let server = Server::build(Config { listen, ..Config::sample() }).await?;
/// assert_ne!(server.dns_addresses()[0].port(), 0);
/// let running = server.start()?;
/// running.shutdown().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    config: Config,
    store: Store,
    content: Content,
    secrets: Secrets,
    guard: Guard,
    tls: Option<Arc<dns_api::Tls>>,
    keep: Keep,
    dns: Bound,
    http: Vec<dns_api::Listener>,
    loaded: Update,
}

/// Why a server cannot be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A DNS socket.
    #[error("{}", with_causes(.0))]
    Dns(#[from] dns_frontend::BindError),
    /// An HTTP socket.
    #[error("{}", with_causes(.0))]
    Http(#[from] dns_api::BindError),
    /// The system gives no random numbers.
    #[error("the secret for cookies cannot be drawn: {0}")]
    Random(io::Error),
    /// The folder in which changes are kept.
    #[error("{0}")]
    Data(String),
    /// The certificate for HTTP.
    #[error("api.tls: {}", with_causes(.0))]
    Tls(#[from] TlsError),
    /// Loading broke off, which is a defect.
    #[error("loading zones and records failed: {0}")]
    Load(tokio::task::JoinError),
    /// Rules name a database that cannot be used; or zones or records could not be loaded, and the configuration is strict
    /// about it.
    #[error("{}", .0.join("\n"))]
    Content(Vec<String>),
}

impl Server {
    /// A server with an empty store, for those who fill it themselves.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            config: Config {
                listen: crate::config::Listen { dns: Vec::new(), ..Default::default() },
                ..Config::default()
            },
        }
    }

    /// Binds all ports, then loads zones and records. Needs a tokio runtime.
    ///
    /// Zones that cannot be loaded do not keep the others from being served, unless the configuration is strict; see
    /// [`loaded`](Self::loaded).
    ///
    /// # Errors
    /// A port cannot be had; or, if the configuration is strict, something could not be loaded.
    pub async fn build(config: Config) -> Result<Self, BuildError> {
        let dns = Frontend::bind(frontend_config(&config))?;
        let mut http = Vec::new();
        for address in available(&config.listen.http) {
            http.push(dns_api::Listener::bind(address)?);
        }
        // Reading files waits for disks, and packing zones takes time: nothing for a thread that has others to serve.
        let loading = tokio::task::spawn_blocking(move || {
            let secrets = Secrets::draw().map_err(BuildError::Random)?;
            let guard = guard::compile(&config, &secrets).map_err(BuildError::Content)?;
            let tls = load_tls(&config)?;
            let (mut content, keep) = Content::open(&config, Checks::Brief).map_err(BuildError::Data)?;
            let loaded = content.update(&config);
            Ok::<_, BuildError>((config, content, loaded, secrets, guard, tls, keep))
        });
        let (config, content, loaded, secrets, guard, tls, keep) =
            loading.await.map_err(BuildError::Load)??;
        if config.strict && !loaded.problems.is_empty() {
            return Err(BuildError::Content(loaded.problems));
        }
        let store = content.store().clone();
        Ok(Self { config, store, content, secrets, guard, tls, keep, dns, http, loaded })
    }

    /// The records, to be read and changed while the server runs.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What loading has come to.
    pub fn loaded(&self) -> &Update {
        &self.loaded
    }

    /// Addresses on which DNS questions are answered, over UDP and TCP.
    pub fn dns_addresses(&self) -> &[SocketAddr] {
        self.dns.local_addrs()
    }

    /// Addresses of metrics and probes.
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        self.http.iter().map(dns_api::Listener::address).collect()
    }

    /// Begins to answer. Needs a tokio runtime if there are HTTP listeners.
    ///
    /// # Errors
    /// A thread could not be started; none is left running.
    pub fn start(self) -> io::Result<Running> {
        let Self { config, store, content, secrets, guard, tls, keep, dns, http, loaded } = self;
        let authoritative = Arc::new(Authoritative::new(store.clone()));
        authoritative.set_guard(guard);
        let query_log = query_log::start(&config, dns.local_addrs(), &authoritative)
            .map_err(|error| io::Error::new(error.kind(), format!("query_log: {error}")))?;
        let (counters, dns_addresses) = (dns.counters(), dns.local_addrs().to_vec());
        let figures = Figures {
            authoritative: authoritative.clone(),
            counters,
            store: store.clone(),
            reloads: Arc::new(Reloads::begin(loaded.problems.is_empty())),
            shadowed: Arc::default(),
            query_log,
        };
        let readiness = Readiness { store, missing: content.missing().clone() };
        let default_ttl = config.backend.default_ttl.into();
        let state = Mutex::new(State { config: config.clone(), content, secrets });
        let managed = Arc::new(Managed { state, figures, default_ttl });
        let manager =
            Manager::begin(&config, &managed, &readiness, keep.clone(), tls.clone(), &dns_addresses)?;
        let secured = |listener: dns_api::Listener| match &tls {
            Some(tls) => listener.with_tls(tls.clone()),
            None => listener,
        };
        let listeners = http.into_iter().map(secured).collect();
        let dns = dns.serve(authoritative)?;
        Ok(Running::begin(Parts { dns, managed, readiness, manager, keep, listeners, dns_addresses }))
    }
}

/// Builds a [`Server`] without a configuration file; its store begins empty.
pub struct ServerBuilder {
    config: Config,
}

impl ServerBuilder {
    /// Answers on this address, over UDP and TCP; port 0 lets the system choose. At least one is needed.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.listen.dns.push(Listener::required(address));
        self
    }

    /// Serves metrics and probes on this address.
    #[must_use]
    pub fn listen_http(mut self, address: SocketAddr) -> Self {
        self.config.listen.http.push(Listener::required(address));
        self
    }

    /// How many threads answer over UDP; one per core unless told.
    #[must_use]
    pub fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.config.workers = Some(workers);
        self
    }

    /// Serves a zone from the text of a zone file.
    #[must_use]
    pub fn zone_text(mut self, apex: Name, text: impl Into<Cow<'static, str>>) -> Self {
        let content = ZoneContent::Text(text.into());
        self.config.zones.push(Zone::new(apex, content));
        self
    }

    /// Serves a zone from a zone file, which is read again at every [`Running::reload`] that finds it changed.
    #[must_use]
    pub fn zone_file(mut self, apex: Name, path: impl Into<PathBuf>) -> Self {
        let content = ZoneContent::File(path.into());
        self.config.zones.push(Zone::new(apex, content));
        self
    }

    /// Refuses to be built when something cannot be loaded, instead of answering SERVFAIL for it.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.config.strict = true;
        self
    }

    /// Everything else.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// As [`Server::build`].
    pub async fn build(self) -> Result<Server, BuildError> {
        Server::build(self.config).await
    }
}

/// The certificate for HTTP, if there is to be one.
pub(crate) fn load_tls(config: &Config) -> Result<Option<Arc<dns_api::Tls>>, BuildError> {
    let Some(Tls { certificate, private_key }) = config.api.tls.clone() else { return Ok(None) };
    if config.listen.http.is_empty() {
        return Ok(None);
    }
    let files = TlsFiles { chain: certificate, key: private_key };
    Ok(Some(Arc::new(dns_api::Tls::load(files)?)))
}

fn frontend_config(config: &Config) -> dns_frontend::Config {
    let workers =
        config.workers.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut frontend =
        dns_frontend::Config { listen: available(&config.listen.dns), ..dns_frontend::Config::default() };
    frontend.udp = UdpConfig { workers, ..frontend.udp };
    frontend.tcp = TcpConfig {
        connections_max: config.tcp.max_connections,
        connections_per_client_max: config.tcp.max_connections_per_client,
        idle_timeout: config.tcp.idle_timeout,
        read_timeout: config.tcp.read_timeout,
        write_timeout: config.tcp.write_timeout,
        ..frontend.tcp
    };
    frontend
}

/// The addresses, without those that may be missing and are.
fn available(listeners: &[Listener]) -> Vec<SocketAddr> {
    let is_there = |listener: &&Listener| {
        if !listener.optional {
            return true;
        }
        match UdpSocket::bind((listener.address.ip(), 0)) {
            // What is forbidden is there.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                let address = listener.address;
                tracing::warn!(%address, %error, "the system does not have this address, nothing is served there");
                false
            }
            _ => true,
        }
    };
    listeners.iter().filter(is_there).map(|listener| listener.address).collect()
}
