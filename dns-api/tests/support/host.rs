//! A server to manage that has records and little else.

use std::fs::File;
use std::future::{Future, ready};
use std::io::{Seek, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use dns_api::Host;
use dns_api::model::{Ask, Reloaded, Resolution, ServerStatus};
use dns_journal::{HistoryLimits, Memory};
use dns_store::{Store, StoreOptions};

pub struct Small {
    store: Store,
    backup: Option<Vec<u8>>,
}

impl Small {
    /// With these records.
    pub fn new(store: Store) -> Self {
        Self { store, backup: None }
    }

    /// With something to copy.
    pub fn with_backup(self, backup: Vec<u8>) -> Self {
        Self { backup: Some(backup), ..self }
    }
}

impl Default for Small {
    /// With no records, and a history of those that come for as long as it runs.
    fn default() -> Self {
        let journal = Memory::new(HistoryLimits::default());
        Self::new(Store::open(StoreOptions::default(), Arc::new(journal)).unwrap())
    }
}

impl Host for Small {
    fn ready(&self) -> Result<(), Vec<String>> {
        Ok(())
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn default_ttl(&self) -> u32 {
        300
    }

    fn dns_addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    fn explain(&self, _: &Ask) -> Resolution {
        Resolution::default()
    }

    fn status(&self) -> ServerStatus {
        ServerStatus {
            software: "0.0.0".to_owned(),
            started: SystemTime::UNIX_EPOCH.into(),
            listeners: Vec::new(),
            journal: None,
            missing: Vec::new(),
        }
    }

    fn reload(&self) -> Pin<Box<dyn Future<Output = Reloaded> + Send + '_>> {
        Box::pin(ready(Reloaded::default()))
    }

    fn backup(&self) -> Result<File, String> {
        let octets = self.backup.as_ref().ok_or("nothing is kept")?;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        file.rewind().unwrap();
        Ok(file)
    }
}
