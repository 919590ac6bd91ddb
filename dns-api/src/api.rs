//! What all handlers share.

use std::sync::Arc;

use dns_store::Store;

use crate::host::Host;

/// The state of all handlers.
pub struct Api {
    host: Arc<dyn Host>,
}

impl Api {
    /// The API of a server.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self { host }
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
