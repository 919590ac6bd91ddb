//! A server for one test.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dns_api::auth::{Authenticator, Grant, Guard, MemoryTokens, TokenId};
use dns_api::client::Client;
use dns_api::prometheus_client::registry::Registry;
use dns_api::{Api, ApiLimits, FeedLimits, Limits, Listener, Tls, api_router};
use dns_core::{Record, Rrset};
use dns_store::Store;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::host::TestHost;

/// Longer than anything here takes; only a defect gets that far.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    pub address: SocketAddr,
    pub store: Store,
    pub host: Arc<TestHost>,
    pub api: Arc<Api>,
    pub authenticator: Arc<Authenticator>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(TestHost::default(), FeedLimits::default())
    }

    pub fn with(host: TestHost, limits: FeedLimits) -> Self {
        Self::build(host, limits, None)
    }

    pub fn with_tls(tls: Tls) -> Self {
        Self::build(TestHost::default(), FeedLimits::default(), Some(Arc::new(tls)))
    }

    fn build(host: TestHost, limits: FeedLimits, tls: Option<Arc<Tls>>) -> Self {
        let host = Arc::new(host);
        let authenticator =
            Arc::new(Authenticator::open(Arc::new(MemoryTokens::default()), ApiLimits::default()).unwrap());
        let guard = Guard { authenticator: authenticator.clone(), hosts: Vec::new() };
        let api = Arc::new(Api::with_feed_limits(host.clone(), guard, limits));
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.address();
        let listener = match tls {
            Some(tls) => listener.with_tls(tls),
            None => listener,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let router = api_router(api.clone(), Registry::default());
        let task = tokio::spawn(async move {
            listener.serve(router, Limits::for_api(), async { drop(stopped.await) }).await;
        });
        let store = host.store.clone();
        Self { address, store, host, api, authenticator, stop: Some(stop), task }
    }

    /// A client with a new token of these grants, as JSON.
    pub fn client(&self, grants: &str) -> (Client, TokenId) {
        let grants: Vec<Grant> = serde_json::from_str(grants).unwrap();
        let (token, secret) = self.authenticator.create("test", grants, None).unwrap();
        (Client::new(&self.url(), secret.reveal()).unwrap(), token.id())
    }

    pub fn admin(&self) -> Client {
        self.client(r#"[{"access":"admin"}]"#).0
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops as the assembly does, and waits until everybody has been served.
    pub async fn stop(mut self) {
        self.api.close();
        drop(self.stop.take());
        within(self.task).await.unwrap();
    }
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes far too long")
}

/// Records as `name type value`, with a TTL of 300 seconds.
pub fn rrset(text: &str) -> Rrset {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().unwrap().to_owned();
    let record = Record { name: word(), rtype: word(), ttl: Some(300), value: vec![word()] };
    record.into_rrset(300).unwrap()
}
