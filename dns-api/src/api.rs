//! What all handlers share.

use std::sync::Arc;

use dns_store::Store;

use crate::auth::{Authenticator, Guard};
use crate::host::Host;

/// The state of all handlers.
pub struct Api {
    host: Arc<dyn Host>,
    guard: Arc<Guard>,
}

impl Api {
    /// The API of a server, for those whom the guard lets in.
    pub fn new(host: Arc<dyn Host>, guard: Guard) -> Self {
        Self { host, guard: Arc::new(guard) }
    }

    /// Who gets in.
    pub(crate) fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// The tokens.
    pub(crate) fn authenticator(&self) -> &Arc<Authenticator> {
        &self.guard.authenticator
    }

    /// The server.
    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// Its records.
    pub(crate) fn store(&self) -> &Store {
        self.host.store()
    }
}
