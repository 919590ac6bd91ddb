//! What all handlers share.

use std::sync::Arc;

use dns_store::Store;
use tokio::sync::Semaphore;

use crate::auth::{Authenticator, Guard};
use crate::body::Bodies;
use crate::host::Host;
use crate::v1::events::{Feed, FeedLimits};
use crate::v1::write::Writers;

/// Zone files that are taken over at a time.
const IMPORTS_MAX: usize = 2;
/// Zone files that are on their way to clients at a time: each may take hundreds of megabytes until the last octet is sent.
const EXPORTS_MAX: usize = 8;
/// Reads at a time that may take memory and CPU time in proportion to all that there is.
const HEAVY_READS_MAX: usize = 4;

/// The state of all handlers.
pub struct Api {
    host: Arc<dyn Host>,
    guard: Arc<Guard>,
    feed: Arc<Feed>,
    bodies: Bodies,
    writers: Writers,
    imports: Semaphore,
    exports: Arc<Semaphore>,
    readers: Arc<Semaphore>,
}

impl Api {
    /// The API of a server, for those whom the guard lets in. Needs a tokio runtime, on which it follows the store.
    pub fn new(host: Arc<dyn Host>, guard: Guard) -> Self {
        Self::with_feed_limits(host, guard, FeedLimits::default())
    }

    /// The same, with other limits for those who follow changes.
    pub fn with_feed_limits(host: Arc<dyn Host>, guard: Guard, limits: FeedLimits) -> Self {
        let feed = Feed::start(host.store(), limits);
        let bodies = Bodies::new(guard.authenticator.limits().body_octets);
        Self {
            host,
            guard: Arc::new(guard),
            feed,
            bodies,
            writers: Writers::default(),
            imports: Semaphore::new(IMPORTS_MAX),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            readers: Arc::new(Semaphore::new(HEAVY_READS_MAX)),
        }
    }

    /// Who gets in.
    pub(crate) fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// The tokens.
    pub(crate) fn authenticator(&self) -> &Arc<Authenticator> {
        &self.guard.authenticator
    }

    /// Ends the streams of events, for a server that stops: all else ends by itself.
    pub fn close(&self) {
        self.feed.close();
    }

    /// The server.
    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Its records.
    pub(crate) fn store(&self) -> &Store {
        self.host.store()
    }

    /// What has happened of late.
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Room for what clients send.
    pub(crate) fn bodies(&self) -> &Bodies {
        &self.bodies
    }

    /// Who may work for writes.
    pub(crate) fn writers(&self) -> &Writers {
        &self.writers
    }

    /// Who may read much.
    pub(crate) fn readers(&self) -> &Arc<Semaphore> {
        &self.readers
    }

    /// Room for zone files that are sent.
    pub(crate) fn exports(&self) -> &Arc<Semaphore> {
        &self.exports
    }

    /// Room for zone files that are taken over.
    pub(crate) fn imports(&self) -> &Semaphore {
        &self.imports
    }
}
