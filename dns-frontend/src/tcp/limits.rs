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

    /// A place for a connection of this client. Its own limit is looked at first: a client that has used it up makes nobody
    /// leave.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Refusal> {
        let client = Client::from(address);
        let mut open = self.open();
        if open.of(client) >= self.per_client_max {
            return Err(Refusal::Client);
        }
        if open.all >= self.connections_max {
            return Err(Refusal::Full);
        }
        open.enter(client);
        Ok(Permit { limits: self.clone(), client })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn of(&self, client: Client) -> usize {
        self.clients.get(&client).copied().unwrap_or(0)
    }

    fn enter(&mut self, client: Client) {
        *self.clients.entry(client).or_default() += 1;
        self.all += 1;
    }

    fn leave(&mut self, client: Client) {
        self.all -= 1;
        if let Some(of_client) = self.clients.get_mut(&client) {
            *of_client -= 1;
            if *of_client == 0 {
                self.clients.remove(&client);
            }
        }
    }
}

impl Permit {
    /// Gives the place to a connection of this client, and to nobody who asks for one in between. If the client has used up
    /// its own limit meanwhile, the place is free for all.
    pub(crate) fn hand_over(mut self, address: IpAddr) -> Result<Self, Refusal> {
        let client = Client::from(address);
        if client != self.client {
            let mut open = self.limits.open();
            if open.of(client) >= self.limits.per_client_max {
                // Giving the place back takes the lock anew.
                drop(open);
                return Err(Refusal::Client);
            }
            open.leave(self.client);
            open.enter(client);
            drop(open);
            self.client = client;
        }
        Ok(self)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limits.open().leave(self.client);
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

    /// Connections, and clients that have some.
    fn counts(limits: &Limits) -> (usize, usize) {
        let open = limits.open();
        (open.all, open.clients.len())
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
    fn a_client_at_its_own_limit_is_refused_for_that() {
        let limits = limits(2, 1);
        let permits = ["192.0.2.1", "192.0.2.2"].map(|client| admit(&limits, client).ok().unwrap());
        assert_eq!(admit(&limits, "192.0.2.1").err(), Some(Refusal::Client), "whether there is room or not");
        assert_eq!(admit(&limits, "192.0.2.3").err(), Some(Refusal::Full));
        drop(permits);
        assert!(limits.open().clients.is_empty(), "those who were refused leave nothing behind");
    }

    #[test]
    fn a_place_is_handed_over_whole() {
        let limits = limits(2, 1);
        let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|client| admit(&limits, client).ok().unwrap());
        let third = first.hand_over("192.0.2.3".parse().unwrap()).ok().unwrap();
        assert_eq!(admit(&limits, "192.0.2.1").err(), Some(Refusal::Full), "no place was free in between");
        assert_eq!(limits.open().all, 2);
        let third = third.hand_over("192.0.2.3".parse().unwrap()).ok().unwrap();
        // As if the client had come in elsewhere since it was looked at.
        let refused = second.hand_over("192.0.2.3".parse().unwrap());
        assert_eq!(refused.err(), Some(Refusal::Client));
        assert_eq!(counts(&limits), (1, 1));
        let _first = admit(&limits, "192.0.2.1").ok().unwrap();
        drop(third);
        assert_eq!(counts(&limits), (1, 1));
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
