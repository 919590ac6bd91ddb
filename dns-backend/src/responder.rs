//! What workers have in common: where catalogs and the guard come from, and what has been counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use dns_core::Catalog;

use crate::counters::Counters;
use crate::desk::Shared;
use crate::guard::{AllRuleHits, Guard};
use crate::log::LogHub;
use crate::packets::{Respond, Transport};
use crate::worker::Worker;

/// Where catalogs come from.
pub trait Catalogs: Send + Sync + 'static {
    /// One worker's access to the newest catalog.
    type Reader: CatalogReader;

    /// Access for one more worker.
    fn reader(&self) -> Self::Reader;
}

/// One worker's access to the newest catalog.
pub trait CatalogReader: Send + 'static {
    /// The newest catalog; costs one load when nothing has changed.
    fn current(&mut self) -> &Catalog;
}

/// A catalog that never changes serves as its own source.
impl Catalogs for Arc<Catalog> {
    type Reader = Self;

    fn reader(&self) -> Self {
        self.clone()
    }
}

impl CatalogReader for Arc<Catalog> {
    fn current(&mut self) -> &Catalog {
        self
    }
}

/// Answers from zones alone: what it does not have is refused.
pub struct Authoritative<C> {
    catalogs: C,
    guard: Arc<ArcSwap<Guard>>,
    log: OnceLock<Arc<LogHub>>,
    rule_hits: Arc<AllRuleHits>,
    counters: Mutex<Vec<(Transport, Arc<Counters>)>>,
}

impl<C: Catalogs> Authoritative<C> {
    /// Answers from the catalogs of this source, whoever asks.
    pub fn new(catalogs: C) -> Self {
        let guard = Arc::new(ArcSwap::from_pointee(Guard::open()));
        Self { catalogs, guard, log: OnceLock::new(), rule_hits: Arc::default(), counters: Mutex::default() }
    }

    /// Puts another guard before the zones. Workers notice with their next batch.
    pub fn set_guard(&self, guard: Guard) {
        self.guard.store(Arc::new(guard));
    }

    /// The guard that counts now.
    pub fn guard(&self) -> Arc<Guard> {
        self.guard.load_full()
    }

    /// Logs the queries of all responders that are made from now on. Says whether it does: there is one log.
    pub fn set_log(&self, hub: Arc<LogHub>) -> bool {
        self.log.set(hub).is_ok()
    }

    /// Calls `each` with what all responders that were ever made have counted; those that came after others may share
    /// their counters, so there are no more of them than there were responders at one time.
    pub fn for_each_counters(&self, mut each: impl FnMut(Transport, &Counters)) {
        let counters = self.counters.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (transport, counters) in &*counters {
            each(*transport, counters);
        }
    }

    /// How often rules had an effect since the start, by their names.
    pub fn rule_hits(&self) -> BTreeMap<String, u64> {
        self.rule_hits.sums()
    }

    /// Counters for one more responder: those of one that is gone, if there is any. Sums never go back that way, and
    /// responders that are replaced time and again leave nothing behind.
    fn take_counters(&self, transport: Transport) -> Arc<Counters> {
        let mut known = self.counters.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (of, counters) in &mut *known {
            // To be had alone means that the last responder is gone, and that all it has written can be seen.
            if *of == transport && Arc::get_mut(counters).is_some() {
                return counters.clone();
            }
        }
        let counters = Arc::new(Counters::default());
        known.push((transport, counters.clone()));
        counters
    }
}

impl<C: Catalogs> Respond for Authoritative<C> {
    type Responder = Worker<C::Reader>;

    fn responder(&self, transport: Transport) -> Self::Responder {
        let log = self.log.get().map(|hub| hub.writer());
        let shared = Shared {
            guard: self.guard.clone(),
            counters: self.take_counters(transport),
            rule_hits: self.rule_hits.clone(),
        };
        Worker::new(self.catalogs.reader(), transport, shared, log)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::packets::{Packets, Responder};

    /// A fragment of a header, which deserves no answer.
    struct Fragment;

    impl Packets for Fragment {
        fn len(&self) -> usize {
            1
        }
        fn request(&self, _: usize) -> &[u8] {
            &[0]
        }
        fn exchange(&mut self, _: usize) -> (&[u8], &mut [u8]) {
            (&[0], &mut [])
        }
        fn client(&self, _: usize) -> SocketAddr {
            ([192, 0, 2, 1], 53).into()
        }
        fn now(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }

        fn send(&mut self, _: usize, _: usize) {}
    }

    #[test]
    fn a_responder_counts_on_where_one_that_is_gone_has_stopped() {
        let authoritative = Authoritative::new(Arc::new(Catalog::new()));
        let dropped = || {
            let mut dropped = Vec::new();
            authoritative
                .for_each_counters(|transport, counters| dropped.push((transport, counters.dropped())));
            dropped
        };
        let mut udp = authoritative.responder(Transport::Udp);
        let mut tcp = authoritative.responder(Transport::Tcp);
        tcp.respond(&mut Fragment);
        for replaced in 1..=3 {
            udp.respond(&mut Fragment);
            drop(udp);
            assert_eq!(dropped(), [(Transport::Udp, replaced), (Transport::Tcp, 1)]);
            udp = authoritative.responder(Transport::Udp);
        }
        let _second = authoritative.responder(Transport::Udp);
        assert_eq!(dropped(), [(Transport::Udp, 3), (Transport::Tcp, 1), (Transport::Udp, 0)]);
    }
}
