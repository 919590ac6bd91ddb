//! Assembly: from a configuration to a running server.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use dns_backend::guard::Guard;
use dns_backend::{Authoritative, Question};
use dns_core::{Catalog, Name, View, ZoneState};
use dns_frontend::{Bound, Frontend, TcpConfig, UdpConfig};
use dns_store::Store;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::check::Checks;
use crate::config::{Config, Listener, Zone, ZoneContent};
use crate::content::{Content, Missing, Update};
use crate::explain::Explained;
use crate::guard::{self, Secrets};
use crate::metrics::{Figures, Reloads};
use crate::query_log;

/// A server with its ports bound and its zones loaded, not yet answering.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use dns_server::Server;
/// use dns_server::config::{Listen, Listener, Config};
///
/// let listen = Listen { dns: vec![Listener::required("127.0.0.1:0".parse()?)], ..Listen::default() };
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
    dns: Bound,
    http: Vec<dns_api::Listener>,
    loaded: Update,
}

/// Why a server cannot be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A DNS socket.
    #[error("{}", chain(.0))]
    Dns(#[from] dns_frontend::BindError),
    /// An HTTP socket.
    #[error("{}", chain(.0))]
    Http(#[from] dns_api::BindError),
    /// The system gives no random numbers.
    #[error("the secret for cookies cannot be drawn: {0}")]
    Random(io::Error),
    /// Loading broke off, which is a defect.
    #[error("loading zones and records failed: {0}")]
    Load(tokio::task::JoinError),
    /// Rules name a database that cannot be used; or zones or records could not be loaded, and the configuration is strict
    /// about it.
    #[error("{}", .0.join("\n"))]
    Content(Vec<String>),
}

/// An error with all its sources: they are not part of its own text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
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
            let mut content = Content::new(&config, Checks::Brief);
            let loaded = content.update(&config);
            Ok::<_, BuildError>((config, content, loaded, secrets, guard))
        });
        let (config, content, loaded, secrets, guard) = loading.await.map_err(BuildError::Load)??;
        if config.strict && !loaded.problems.is_empty() {
            return Err(BuildError::Content(loaded.problems));
        }
        let store = content.store().clone();
        Ok(Self { config, store, content, secrets, guard, dns, http, loaded })
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
        let Self { config, store, content, secrets, guard, dns, http, loaded } = self;
        let authoritative = Arc::new(Authoritative::new(store.clone()));
        authoritative.set_guard(guard);
        let query_log = query_log::start(&config, dns.local_addrs(), &authoritative)
            .map_err(|error| io::Error::new(error.kind(), format!("query_log: {error}")))?;
        let counters = dns.counters();
        let (dns_addresses, http_addresses) =
            (dns.local_addrs().to_vec(), http.iter().map(dns_api::Listener::address).collect());
        let dns = dns.serve(authoritative.clone())?;
        let reloads = Arc::new(Reloads::begin(loaded.problems.is_empty()));
        let figures = Figures {
            authoritative,
            counters,
            store: store.clone(),
            reloads,
            shadowed: Arc::default(),
            query_log,
        };
        let readiness = Readiness { store, missing: content.missing().clone() };
        let (stop, stopped) = watch::channel(());
        let mut tasks = Vec::new();
        for listener in http {
            let router = dns_api::router(readiness.clone(), figures.registry());
            let mut stopped = stopped.clone();
            let stop = async move { stopped.changed().await.unwrap_or_default() };
            tasks.push(tokio::spawn(listener.serve(router, dns_api::Limits::default(), stop)));
        }
        let state = Arc::new(Mutex::new(State { config, content, secrets }));
        if let Ok(runtime) = Handle::try_current() {
            let (state, authoritative) = (state.clone(), figures.authoritative.clone());
            tasks.push(runtime.spawn(roll_over_daily(state, authoritative, stopped.clone())));
        }
        Ok(Running {
            dns: Some(dns),
            http: tasks,
            stop,
            state,
            figures,
            readiness,
            dns_addresses,
            http_addresses,
        })
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

/// A server that answers. Dropping it stops it without waiting; [`shutdown`](Self::shutdown) drains it.
pub struct Running {
    dns: Option<dns_frontend::Running>,
    http: Vec<JoinHandle<()>>,
    stop: watch::Sender<()>,
    state: Arc<Mutex<State>>,
    figures: Figures,
    readiness: Readiness,
    dns_addresses: Vec<SocketAddr>,
    http_addresses: Vec<SocketAddr>,
}

struct State {
    config: Config,
    content: Content,
    secrets: Secrets,
}

impl Running {
    /// The records, to be read and changed.
    pub fn store(&self) -> &Store {
        &self.figures.store
    }

    /// Addresses on which DNS questions are answered, over UDP and TCP.
    pub fn dns_addresses(&self) -> &[SocketAddr] {
        &self.dns_addresses
    }

    /// Addresses of metrics and probes.
    pub fn http_addresses(&self) -> &[SocketAddr] {
        &self.http_addresses
    }

    /// What `/metrics` shows of the server, in OpenMetrics text.
    pub fn metrics(&self) -> String {
        self.figures.text()
    }

    /// Everything that should be served is served; what `/ready` says.
    ///
    /// # Errors
    /// Says what is missing, one sentence each: every zone that failed to load, by name, and by view if it is in one.
    pub fn ready(&self) -> Result<(), Vec<String>> {
        dns_api::Status::ready(&self.readiness)
    }

    /// Serves what another configuration says, as far as that can change while the server runs. Only what has changed is
    /// applied, questions are answered meanwhile, and what is invalid leaves what was served before.
    ///
    /// Only zones and records of the configuration are touched, not those that others have put into the store. Needs a
    /// tokio runtime.
    pub async fn reload(&self, config: Config) -> Update {
        let state = self.state.clone();
        let authoritative = self.figures.authoritative.clone();
        // As in `Server::build`.
        let update = tokio::task::spawn_blocking(move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let restart_keys = Config::restart_keys(&state.config, &config);
            // What cannot change stays as it is, for whatever depends on it, and is named again by the next reload.
            let config = Config {
                listen: state.config.listen.clone(),
                workers: state.config.workers,
                log: state.config.log,
                tcp: state.config.tcp.clone(),
                query_log: state.config.query_log.clone(),
                user: state.config.user.clone(),
                store: state.config.store.clone(),
                api: state.config.api.clone(),
                ..config
            };
            // What is forbidden from now on is forbidden before new records can be asked for; if that fails, there are none.
            match guard::compile(&config, &state.secrets) {
                Ok(guard) => authoritative.set_guard(guard),
                Err(problems) => return Update { problems, restart_keys, ..Update::default() },
            }
            let update = Update { restart_keys, ..state.content.update(&config) };
            state.config = config;
            update
        });
        let update = update.await.unwrap_or_else(|error| Update {
            problems: vec![format!("reloading failed: {error}")],
            ..Update::default()
        });
        self.figures.reloads.count(update.problems.is_empty());
        // Whoever moves log files away may say so by a reload.
        self.reopen_query_log();
        update
    }

    /// Reads zone files again that a watcher has named, and no others: takes as long as their zones do, however many there
    /// are. `None` if that is not enough, as other files are among them or have come and gone: then a whole
    /// [`reload`](Self::reload) is due. Needs a tokio runtime.
    pub async fn reload_files(&self, paths: BTreeSet<PathBuf>) -> Option<Update> {
        let state = self.state.clone();
        let update = tokio::task::spawn_blocking(move || {
            state.lock().unwrap_or_else(PoisonError::into_inner).content.update_touched(&paths)
        });
        // One that broke off is told by the reload that follows.
        let update = update.await.ok().flatten()?;
        self.figures.reloads.count(update.problems.is_empty());
        Some(update)
    }

    /// Opens the file of the query log again, if there is one: for after it was moved away. What is waiting to be written goes
    /// to the new file or the old one. Should the file not open, the old one is kept, with a warning. Does not wait.
    pub fn reopen_query_log(&self) {
        if let Some(log) = &self.figures.query_log {
            log.reopen();
        }
    }

    /// Draws another secret for cookies, which signs from now on; the one before still verifies. This happens each day by itself
    /// where the server was started on a tokio runtime. Changes nothing where secrets are configured.
    pub fn roll_over_cookie_secret(&self) {
        roll_over(&self.state, &self.figures.authoritative);
    }

    /// Says what decides about the answer to a question, and whose records they are. The question's listener is the place of
    /// the address in [`Listen::dns`](crate::config::Listen::dns).
    pub fn explain(&self, question: &Question) -> Explained {
        let explanation =
            dns_backend::explain(&self.store().snapshot(), &self.figures.authoritative.guard(), question);
        Explained::new(explanation, self.store(), question)
    }

    /// Counts a reload that did not come about, because there was no valid configuration to apply.
    pub fn count_failed_reload(&self) {
        self.figures.reloads.count(false);
    }

    /// The files and folders that the configuration names and the content comes from.
    pub fn watched_paths(&self) -> crate::content::WatchedPaths {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut paths = state.content.watched_paths();
        paths.files.extend_from_slice(&state.config.files);
        paths.folders.extend_from_slice(&state.config.folders);
        paths
    }

    /// Answers what has arrived, then stops.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(());
        if let Some(dns) = self.dns.take() {
            match tokio::task::spawn_blocking(|| dns.shutdown()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "listeners did not stop in time"),
                Err(error) => tracing::error!(%error, "listeners failed while stopping"),
            }
        }
        for task in self.http.drain(..) {
            let _ = task.await;
        }
        if let Some(log) = self.figures.query_log.take() {
            match tokio::task::spawn_blocking(move || log.stop()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the query log is not complete"),
                Err(error) => tracing::error!(%error, "the query log failed while stopping"),
            }
        }
    }
}

/// Draws another secret for cookies each day, until the server stops.
async fn roll_over_daily(
    state: Arc<Mutex<State>>,
    authoritative: Arc<Authoritative<Store>>,
    mut stopped: watch::Receiver<()>,
) {
    let mut day = tokio::time::interval(SECRET_LIFETIME);
    day.tick().await;
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = day.tick() => {
                let (state, authoritative) = (state.clone(), authoritative.clone());
                // A reload may hold the state for seconds.
                let _ = tokio::task::spawn_blocking(move || roll_over(&state, &authoritative)).await;
            }
        }
    }
}

fn roll_over(state: &Mutex<State>, authoritative: &Authoritative<Store>) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let State { config, secrets, .. } = &mut *state;
    if !config.cookies.secrets.is_empty() || !config.cookies.enabled {
        return;
    }
    let next = secrets.rolled_over().map_err(|error| vec![error.to_string()]);
    match next.and_then(|next| Ok((guard::compile(config, &next)?, next))) {
        Ok((guard, next)) => {
            authoritative.set_guard(guard);
            *secrets = next;
        }
        Err(errors) => {
            tracing::warn!("no new secret for cookies, the old one goes on: {}", errors.join("; "));
        }
    }
}

/// How long a secret of our own signs cookies; it verifies them for as long again
/// ([RFC 7873, section 7.1](https://www.rfc-editor.org/rfc/rfc7873#section-7.1)).
const SECRET_LIFETIME: Duration = Duration::from_hours(24);

/// Ready means that everything is served that the configuration asks for.
#[derive(Clone)]
struct Readiness {
    store: Store,
    missing: Missing,
}

impl dns_api::Status for Readiness {
    fn ready(&self) -> Result<(), Vec<String>> {
        let mut failed = failed_zones(&self.store.snapshot());
        failed.extend(self.missing.sentences());
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }
}

fn failed_zones(catalog: &Catalog) -> Vec<String> {
    let mut failed = Vec::new();
    for view in catalog.views() {
        let place =
            if view.name() == View::DEFAULT { String::new() } else { format!("view {}: ", view.name()) };
        failed.extend(view.zones().filter_map(|entry| match &entry.state {
            ZoneState::Failed(why) => {
                Some(format!("{place}zone {}: {}", entry.apex, why.replace('\n', "; ")))
            }
            ZoneState::Serving(_) => None,
        }));
    }
    failed.sort();
    failed
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
