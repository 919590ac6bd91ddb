//! What the HTTP API manages: the running server.

mod keep;
mod resolution;

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use dns_api::auth::{self, AdminToken, Authenticator, Guard};
use dns_api::model::{Ask, Reloaded, Resolution, ServerStatus};
use dns_api::prometheus_client::registry::Registry;
use dns_api::{Api, ApiLimits, Limits, Rate, Router, Tls, with_causes};
use dns_backend::Question;
use dns_store::Store;
use tokio::sync::{mpsc, oneshot, watch};

pub use self::keep::{ADMIN_TOKEN, FolderTokens};
pub(crate) use self::keep::{Keep, open};
use crate::config::Config;
use crate::content::Update;
use crate::running::{Managed, Readiness};

/// How often the files of a certificate are looked at: whoever renews it need not know us.
const CERTIFICATE_CHECK: Duration = Duration::from_mins(1);

/// Somebody asked over HTTP for a reload; whoever answers it has read the configuration anew.
pub struct ReloadRequest(oneshot::Sender<Update>);

impl ReloadRequest {
    /// Tells what has come of it.
    pub fn answer(self, update: Update) {
        // Whoever asked may have gone.
        let _ = self.0.send(update);
    }
}

/// How a server is managed over HTTP.
pub(crate) struct Manager {
    api: Option<Arc<Api>>,
    tls: Option<Arc<Tls>>,
    requests: Arc<Requests>,
    new_token: Option<PathBuf>,
}

impl Manager {
    /// Lets those in who have a token, and sees to it that there is one. Without listeners for HTTP there is nobody to let in.
    pub fn begin(
        config: &Config,
        managed: &Arc<Managed>,
        readiness: &Readiness,
        keep: Keep,
        tls: Option<Arc<Tls>>,
        dns_addresses: &[SocketAddr],
    ) -> io::Result<Self> {
        let requests = Arc::<Requests>::default();
        if !config.api.enabled || config.listen.http.is_empty() {
            return Ok(Self { api: None, tls, requests, new_token: None });
        }
        let rate = config.api.requests_per_second;
        let token = Rate { per_second: rate, burst: rate.saturating_add(rate.get()) };
        let limits = ApiLimits { token, ..ApiLimits::default() };
        let failed = |error: &dyn std::error::Error| io::Error::other(format!("api: {}", with_causes(error)));
        let authenticator = Authenticator::open(keep.tokens(), limits).map_err(|error| failed(&error))?;
        let mut new_token = None;
        if let Some(path) = keep.admin_token_file(config) {
            match auth::admin_token_file(&path, &authenticator) {
                Ok(AdminToken::New) => new_token = Some(path),
                Ok(AdminToken::Kept) => {}
                Ok(AdminToken::Elsewhere) => tracing::warn!(
                    path = %path.display(),
                    admins = admins(&authenticator),
                    "api: this file has no admin token that is valid: whoever has lost theirs can make one with \
                     'jw238dns token create NAME --access admin' while the server is stopped"
                ),
                // Answering questions is worth more than being managed.
                Err(error) => tracing::error!("api: no admin token was made: {}", with_causes(&error)),
            }
        } else {
            tracing::warn!(
                "api: nobody has a token, as neither store.data_dir nor api.admin_token_file is set"
            );
        }
        if !managed.figures.store.is_durable() {
            tracing::warn!("api: changes are kept in memory alone, as store.data_dir is not set");
        }
        let guard = Guard { authenticator: Arc::new(authenticator), hosts: config.api.hosts.clone() };
        let host = Host {
            managed: managed.clone(),
            readiness: readiness.clone(),
            keep,
            dns_addresses: dns_addresses.to_vec(),
            started: SystemTime::now(),
            requests: requests.clone(),
        };
        let api = Some(Arc::new(Api::new(Arc::new(host), guard)));
        Ok(Self { api, tls, requests, new_token })
    }

    pub fn router(&self, readiness: Readiness, registry: Registry) -> Router {
        match &self.api {
            Some(api) => dns_api::api_router(api.clone(), registry),
            None => dns_api::router(readiness, registry),
        }
    }

    pub fn limits(&self) -> Limits {
        if self.has_api() { Limits::for_api() } else { Limits::default() }
    }

    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    pub fn new_token(&self) -> Option<&Path> {
        self.new_token.as_deref()
    }

    pub fn has_api(&self) -> bool {
        self.api.is_some()
    }

    /// Ends what would go on for as long as clients like.
    pub fn close(&self) {
        if let Some(api) = &self.api {
            api.close();
        }
    }
}

/// Names and public parts of the tokens that may do everything.
fn admins(authenticator: &Authenticator) -> String {
    let now = SystemTime::now();
    let list = authenticator.list();
    let admins =
        list.iter().map(|listed| &listed.token).filter(|token| token.is_admin() && !token.is_expired(now));
    admins.map(|token| format!("{} ({})", token.name(), token.id())).collect::<Vec<_>>().join(", ")
}

/// Looks after the files of a certificate until the server stops.
pub(crate) async fn follow_certificate(tls: Arc<Tls>, mut stopped: watch::Receiver<()>) {
    tokio::select! {
        _ = stopped.changed() => {}
        () = tls.follow(CERTIFICATE_CHECK) => {}
    }
}

/// The running server, as the API sees it.
struct Host {
    managed: Arc<Managed>,
    readiness: Readiness,
    keep: Keep,
    dns_addresses: Vec<SocketAddr>,
    started: SystemTime,
    requests: Arc<Requests>,
}

/// Takes requests for reloads to whoever can read the configuration.
#[derive(Default)]
pub(crate) struct Requests(Mutex<Option<mpsc::Sender<ReloadRequest>>>);

impl Requests {
    /// From now on requests come out here.
    pub fn take(&self) -> mpsc::Receiver<ReloadRequest> {
        let (sender, receiver) = mpsc::channel(1);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    async fn ask(&self) -> Option<Update> {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let (answer, answered) = oneshot::channel();
        sender.send(ReloadRequest(answer)).await.ok()?;
        answered.await.ok()
    }
}

impl dns_api::Host for Host {
    fn ready(&self) -> Result<(), Vec<String>> {
        dns_api::Status::ready(&self.readiness)
    }

    fn store(&self) -> &Store {
        &self.managed.figures.store
    }

    fn default_ttl(&self) -> u32 {
        self.managed.default_ttl.load(Relaxed)
    }

    fn dns_addresses(&self) -> Vec<SocketAddr> {
        self.dns_addresses.clone()
    }

    fn explain(&self, ask: &Ask) -> Resolution {
        let listener =
            ask.listener.and_then(|wanted| self.dns_addresses.iter().position(|address| *address == wanted));
        let question = Question {
            name: ask.qname.clone(),
            rtype: ask.qtype,
            client: ask.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            listener: listener.unwrap_or_default(),
        };
        resolution::of(&self.managed.explain(&question), self.store(), &question)
    }

    fn status(&self) -> ServerStatus {
        ServerStatus {
            software: format!("jw238dns {}", env!("CARGO_PKG_VERSION")),
            started: self.started.into(),
            listeners: self.dns_addresses.iter().map(SocketAddr::to_string).collect(),
            journal: self.keep.folder().map(|folder| folder.path().display().to_string()),
            missing: self.ready().err().unwrap_or_default(),
        }
    }

    fn reload(&self) -> Pin<Box<dyn Future<Output = Reloaded> + Send + '_>> {
        Box::pin(async {
            let update = match self.requests.ask().await {
                Some(update) => update,
                None => self.managed.reload_as_it_is().await,
            };
            let names = |names: &[dns_core::Name]| names.iter().map(ToString::to_string).collect();
            let warnings = update.warnings.iter().cloned().chain(update.restart_notes()).collect();
            Reloaded {
                version: self.store().version(),
                loaded: names(&update.loaded),
                dropped: names(&update.dropped),
                unchanged: update.unchanged,
                problems: update.problems,
                warnings,
            }
        })
    }

    fn backup(&self) -> Result<File, String> {
        self.keep.backup()
    }
}
