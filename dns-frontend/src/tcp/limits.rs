//! How many connections there may be, in all and per client.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::config::TcpConfig;

/// Shared by all workers; asked when a connection begins and ends.
pub(crate) struct Limits {
    connections_max: usize,
    per_client_max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    /// Clients with at least one connection; the map's hasher is keyed, so addresses cannot be chosen to collide.
    clients: HashMap<Client, usize>,
}

/// What counts as one client: whoever has an IPv6 address has all of its /64.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Client {
    V4(u32),
    V6(u64),
}

/// Stands for one connection; gives its place back when dropped.
pub(crate) struct Permit {
    limits: Arc<Limits>,
    client: Client,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// Too many connections in all.
    Full,
    /// Too many from this client.
    Client,
}

impl Limits {
    pub(crate) fn new(config: &TcpConfig) -> Self {
        Self {
            connections_max: config.connections_max,
            per_client_max: config.connections_per_client_max,
            open: Mutex::default(),
        }
    }

    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Refusal> {
        let client = Client::from(address);
        let mut open = self.open();
        if open.all >= self.connections_max {
            return Err(Refusal::Full);
        }
        let of_client = open.clients.entry(client).or_default();
        if *of_client >= self.per_client_max {
            return Err(Refusal::Client);
        }
        *of_client += 1;
        open.all += 1;
        Ok(Permit { limits: self.clone(), client })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.limits.open();
        open.all -= 1;
        if let Some(of_client) = open.clients.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                open.clients.remove(&self.client);
            }
        }
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections_max: usize, connections_per_client_max: usize) -> Arc<Limits> {
        Arc::new(Limits::new(&TcpConfig {
            connections_max,
            connections_per_client_max,
            ..TcpConfig::default()
        }))
    }

    fn admit(limits: &Arc<Limits>, address: &str) -> Result<Permit, Refusal> {
        limits.admit(address.parse().unwrap())
    }

    #[test]
    fn a_prefix_of_64_bits_is_one_client() {
        let limits = limits(10, 2);
        let _first = admit(&limits, "2001:db8::1").ok().unwrap();
        let second = admit(&limits, "2001:db8::ffff:0:0:2").ok().unwrap();
        assert_eq!(admit(&limits, "2001:db8::3").err(), Some(Refusal::Client));
        assert!(admit(&limits, "2001:db8:0:1::3").is_ok());
        drop(second);
        assert!(admit(&limits, "2001:db8::3").is_ok());
    }

    #[test]
    fn places_come_back() {
        let limits = limits(2, 2);
        let permits: Vec<_> =
            ["192.0.2.1", "192.0.2.2"].map(|client| admit(&limits, client).ok().unwrap()).into();
        assert_eq!(admit(&limits, "192.0.2.3").err(), Some(Refusal::Full));
        drop(permits);
        assert!(admit(&limits, "192.0.2.3").is_ok());
        assert!(limits.open().clients.is_empty());
    }
}
