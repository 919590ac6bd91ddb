//! A server that answers: what can be asked of it and changed while it does.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dns_backend::Question;
use dns_core::{Catalog, View, ZoneState};
use dns_store::Store;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::content::{Content, Missing, Update};
use crate::explain::Explained;
use crate::guard::{self, Secrets};
use crate::manage::{self, Keep, Manager, ReloadRequest};
use crate::metrics::Figures;

/// A server that answers. Dropping it stops it without waiting; [`shutdown`](Self::shutdown) drains it.
pub struct Running {
    dns: Option<dns_frontend::Running>,
    http: Vec<JoinHandle<()>>,
    stop: watch::Sender<()>,
    managed: Arc<Managed>,
    readiness: Readiness,
    manager: Manager,
    dns_addresses: Vec<SocketAddr>,
    http_addresses: Vec<SocketAddr>,
}

/// What answers, and what it answers from, for all who ask and change it.
pub(crate) struct Managed {
    pub state: Mutex<State>,
    pub figures: Figures,
    /// TTL of records that are given without one: known also while a reload holds the state.
    pub default_ttl: AtomicU32,
}

pub(crate) struct State {
    pub config: Config,
    pub content: Content,
    pub secrets: Secrets,
}

/// A server's parts once they run.
pub(crate) struct Parts {
    pub dns: dns_frontend::Running,
    pub managed: Arc<Managed>,
    pub readiness: Readiness,
    pub manager: Manager,
    pub keep: Keep,
    pub listeners: Vec<dns_api::Listener>,
    pub dns_addresses: Vec<SocketAddr>,
}

impl Running {
    pub(crate) fn begin(parts: Parts) -> Self {
        let Parts { dns, managed, readiness, manager, keep, listeners, dns_addresses } = parts;
        let http_addresses = listeners.iter().map(dns_api::Listener::address).collect();
        let (stop, stopped) = watch::channel(());
        let mut http = Vec::new();
        for listener in listeners {
            let router = manager.router(readiness.clone(), managed.figures.registry());
            let mut stopped = stopped.clone();
            let stop = async move { stopped.changed().await.unwrap_or_default() };
            http.push(tokio::spawn(listener.serve(router, manager.limits(), stop)));
        }
        if let Ok(runtime) = Handle::try_current() {
            http.push(runtime.spawn(roll_over_daily(managed.clone(), stopped.clone())));
            http.push(runtime.spawn(keep.follow(stopped.clone())));
            if let Some(tls) = manager.tls() {
                http.push(runtime.spawn(manage::follow_certificate(tls.clone(), stopped)));
            }
        }
        Self { dns: Some(dns), http, stop, managed, readiness, manager, dns_addresses, http_addresses }
    }

    /// The records, to be read and changed.
    pub fn store(&self) -> &Store {
        &self.managed.figures.store
    }

    /// Where requests for reloads come out that were made over HTTP, from now on: for whoever can read the configuration anew.
    /// As long as nobody has asked for them, such a request reads the files again that the present configuration names.
    pub fn reload_requests(&self) -> mpsc::Receiver<ReloadRequest> {
        self.manager.requests().take()
    }

    /// The file with the first token of the API, if it has just been made.
    pub fn new_admin_token(&self) -> Option<&Path> {
        self.manager.new_token()
    }

    /// The API is served where HTTP is.
    pub fn has_api(&self) -> bool {
        self.manager.has_api()
    }

    /// HTTP is spoken over TLS.
    pub fn has_tls(&self) -> bool {
        self.manager.tls().is_some()
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
        self.managed.figures.text()
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
        let mut certificate = None;
        if let Some(tls) = self.manager.tls().cloned()
            && let Ok(Err(error)) = tokio::task::spawn_blocking(move || tls.reload()).await
        {
            let why = dns_api::with_causes(&error);
            certificate = Some(format!("api.tls: the certificate from before stays: {why}"));
        }
        let managed = self.managed.clone();
        // As in `Server::build`.
        let update = tokio::task::spawn_blocking(move || {
            let mut state = managed.lock();
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
                Ok(guard) => managed.figures.authoritative.set_guard(guard),
                Err(problems) => return Update { problems, restart_keys, ..Update::default() },
            }
            let update = Update { restart_keys, ..state.content.update(&config) };
            managed.default_ttl.store(config.backend.default_ttl, Relaxed);
            state.config = config;
            update
        });
        let mut update = update.await.unwrap_or_else(|error| Update::broken_off(&error));
        update.problems.extend(certificate);
        self.managed.figures.reloads.count(update.problems.is_empty());
        // Whoever moves log files away may say so by a reload.
        self.reopen_query_log();
        update
    }

    /// Reads zone files again that a watcher has named, and no others: takes as long as their zones do, however many there
    /// are. `None` if that is not enough, as other files are among them or have come and gone: then a whole
    /// [`reload`](Self::reload) is due. Needs a tokio runtime.
    pub async fn reload_files(&self, paths: BTreeSet<PathBuf>) -> Option<Update> {
        let managed = self.managed.clone();
        let update = tokio::task::spawn_blocking(move || managed.lock().content.update_touched(&paths));
        // One that broke off is told by the reload that follows.
        let update = update.await.ok().flatten()?;
        self.managed.figures.reloads.count(update.problems.is_empty());
        Some(update)
    }

    /// Opens the file of the query log again, if there is one: for after it was moved away. What is waiting to be written goes
    /// to the new file or the old one. Should the file not open, the old one is kept, with a warning. Does not wait.
    pub fn reopen_query_log(&self) {
        if let Some(log) = &self.managed.figures.query_log {
            log.reopen();
        }
    }

    /// Draws another secret for cookies, which signs from now on; the one before still verifies. This happens each day by itself
    /// where the server was started on a tokio runtime. Changes nothing where secrets are configured.
    pub fn roll_over_cookie_secret(&self) {
        self.managed.roll_over();
    }

    /// Says what decides about the answer to a question, and whose records they are. The question's listener is the place of
    /// the address in [`Listen::dns`](crate::config::Listen::dns).
    pub fn explain(&self, question: &Question) -> Explained {
        self.managed.explain(question)
    }

    /// Counts a reload that did not come about, because there was no valid configuration to apply.
    pub fn count_failed_reload(&self) {
        self.managed.figures.reloads.count(false);
    }

    /// The files and folders that the configuration names and the content comes from.
    pub fn watched_paths(&self) -> crate::content::WatchedPaths {
        let state = self.managed.lock();
        let mut paths = state.content.watched_paths();
        paths.files.extend_from_slice(&state.config.files);
        paths.folders.extend_from_slice(&state.config.folders);
        paths
    }

    /// Answers what has arrived, then stops.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(());
        self.manager.close();
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
        if let Some(log) = self.managed.figures.query_log.clone() {
            match tokio::task::spawn_blocking(move || log.stop()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the query log is not complete"),
                Err(error) => tracing::error!(%error, "the query log failed while stopping"),
            }
        }
    }
}

impl Managed {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files again that the present configuration names.
    pub async fn reload_as_it_is(self: &Arc<Self>) -> Update {
        let managed = self.clone();
        let update = tokio::task::spawn_blocking(move || {
            let mut state = managed.lock();
            let State { config, content, .. } = &mut *state;
            content.update(config)
        });
        let update = update.await.unwrap_or_else(|error| Update::broken_off(&error));
        self.figures.reloads.count(update.problems.is_empty());
        update
    }

    pub fn explain(&self, question: &Question) -> Explained {
        let Figures { store, authoritative, .. } = &self.figures;
        let explanation = dns_backend::explain(&store.snapshot(), &authoritative.guard(), question);
        Explained::new(explanation, store, question)
    }

    fn roll_over(&self) {
        let mut state = self.lock();
        let State { config, secrets, .. } = &mut *state;
        if !config.cookies.secrets.is_empty() || !config.cookies.enabled {
            return;
        }
        let next = secrets.rolled_over().map_err(|error| vec![error.to_string()]);
        match next.and_then(|next| Ok((guard::compile(config, &next)?, next))) {
            Ok((guard, next)) => {
                self.figures.authoritative.set_guard(guard);
                *secrets = next;
            }
            Err(errors) => {
                tracing::warn!("no new secret for cookies, the old one goes on: {}", errors.join("; "));
            }
        }
    }
}

/// Draws another secret for cookies each day, until the server stops.
async fn roll_over_daily(managed: Arc<Managed>, mut stopped: watch::Receiver<()>) {
    let mut day = tokio::time::interval(SECRET_LIFETIME);
    day.tick().await;
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = day.tick() => {
                let managed = managed.clone();
                // A reload may hold the state for seconds.
                let _ = tokio::task::spawn_blocking(move || managed.roll_over()).await;
            }
        }
    }
}

/// How long a secret of our own signs cookies; it verifies them for as long again
/// ([RFC 7873, section 7.1](https://www.rfc-editor.org/rfc/rfc7873#section-7.1)).
const SECRET_LIFETIME: Duration = Duration::from_hours(24);

/// Ready means that everything is served that the configuration asks for.
#[derive(Clone)]
pub(crate) struct Readiness {
    pub store: Store,
    pub missing: Missing,
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
