//! A server to manage, as small as it can be.

use std::future::{Future, ready};
use std::io::{Seek, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use dns_api::Host;
use dns_api::model::{Ask, RecordSpec, Reloaded, Resolution, ServerStatus};
use dns_core::{Record, RecordType, Rrset};
use dns_journal::{HistoryLimits, Memory};
use dns_store::{Store, StoreOptions};

/// What a backup has in it.
pub const BACKUP: &[u8] = &[7; 300_000];

pub struct TestHost {
    pub store: Store,
    pub dns: Vec<SocketAddr>,
    pub reloaded: Mutex<Reloaded>,
}

impl Default for TestHost {
    fn default() -> Self {
        let journal = Memory::new(HistoryLimits::default());
        let store = Store::open(StoreOptions::default(), Arc::new(journal)).unwrap();
        Self { store, dns: Vec::new(), reloaded: Mutex::default() }
    }
}

impl Host for TestHost {
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
        self.dns.clone()
    }

    /// Knows records and aliases, as far as a test asks for them.
    fn explain(&self, Ask { qname, qtype, client, listener }: &Ask) -> Resolution {
        let spec = |rrset: &Rrset| {
            let Record { name, rtype, ttl, value } = Record::from_rrset(rrset);
            RecordSpec { name, rtype, ttl, value: value.into() }
        };
        let mut records = Vec::new();
        let mut owner = qname.clone();
        let source = loop {
            let found = self.store.get(&owner, *qtype);
            let Some(found) = found.or_else(|| self.store.get(&owner, RecordType::CNAME)) else { break None };
            let record = spec(&found.rrset);
            let target = record.value.clone().into_vec().remove(0);
            records.push(record);
            if found.rrset.rtype() == *qtype {
                break Some(found.source.to_string());
            }
            owner = target.parse().unwrap();
        };
        let cut = qname.parent().and_then(|parent| self.store.get(&parent, RecordType::NS));
        if let Some(cut) = cut.filter(|_| records.is_empty()) {
            return Resolution {
                view: self.store.view_name().to_owned(),
                zone: cut.rrset.owner().parent().map(|apex| apex.to_string()),
                outcome: "referral".to_owned(),
                rcode: "NOERROR".to_owned(),
                ..Resolution::default()
            };
        }
        Resolution {
            view: format!("of {client:?} at {listener:?}"),
            outcome: if records.is_empty() { "nxdomain" } else { "answer" }.to_owned(),
            rcode: if records.is_empty() { "NXDOMAIN" } else { "NOERROR" }.to_owned(),
            source,
            records,
            ..Resolution::default()
        }
    }

    fn status(&self) -> ServerStatus {
        ServerStatus {
            software: "0.0.0".to_owned(),
            started: SystemTime::UNIX_EPOCH.into(),
            listeners: self.dns.iter().map(ToString::to_string).collect(),
            journal: None,
            missing: Vec::new(),
        }
    }

    fn reload(&self) -> Pin<Box<dyn Future<Output = Reloaded> + Send + '_>> {
        Box::pin(ready(self.reloaded.lock().unwrap().clone()))
    }

    fn backup(&self) -> Result<std::fs::File, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(BACKUP).unwrap();
        file.rewind().unwrap();
        Ok(file)
    }
}
