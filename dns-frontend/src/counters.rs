//! What the workers count.
//!
//! Each worker writes counters of its own, on cache lines of its own, with a load and a store: nobody else writes
//! them, so no read-modify-write is needed. They are summed when somebody asks.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A handle on the counters of a frontend; stays valid, and keeps its last values, after shutdown.
#[derive(Clone)]
pub struct Counters {
    shared: Arc<Shared>,
}

struct Shared {
    udp: Box<[UdpWorker]>,
    tcp: Box<[TcpWorker]>,
}

/// Sums over all workers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Totals {
    /// Datagrams.
    pub udp: UdpTotals,
    /// Connections.
    pub tcp: TcpTotals,
}

/// One number with one writer.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

macro_rules! counters {
    ($(#[$totals_doc:meta])* $totals:ident, $(#[$worker_doc:meta])* $worker:ident {
        $($(#[$doc:meta])* $name:ident,)*
    }) => {
        $(#[$totals_doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        #[non_exhaustive]
        pub struct $totals {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl $totals {
            /// Every figure with its name.
            pub fn figures(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }

        $(#[$worker_doc])*
        // Two lines of 64 octets, since processors fetch them in pairs.
        #[repr(align(128))]
        #[derive(Default)]
        pub(crate) struct $worker {
            $(pub(crate) $name: Counter,)*
        }

        impl $worker {
            fn add_to(&self, totals: &mut $totals) {
                $(totals.$name = totals.$name.wrapping_add(self.$name.get());)*
            }
        }
    };
}

counters! {
    /// What happened to datagrams.
    UdpTotals,
    /// Counters of one UDP worker.
    UdpWorker {
        /// Datagrams received, the dropped ones included.
        received,
        /// Replies that the kernel took.
        sent,
        /// Batches of at least one datagram; `received / batches` tells how full they are.
        batches,
        /// Requests dropped because a reply to port 0 cannot be sent.
        dropped_port_zero,
        /// Requests dropped because they were longer than 4096 octets.
        dropped_oversize,
        /// Replies dropped because the kernel refused them or had no room for them.
        dropped_send_failed,
        /// Times that receiving failed.
        receive_failed,
        /// Batches lost because the responder panicked.
        panics,
    }
}

counters! {
    /// What happened to connections.
    TcpTotals,
    /// Counters of one TCP worker.
    TcpWorker {
        /// Connections open now.
        open,
        /// Connections accepted and served.
        accepted,
        /// Connections closed at once, because there were too many in all.
        refused_full,
        /// Connections closed at once, because their client had too many.
        refused_client,
        /// Times that accepting failed, mostly for want of file descriptors.
        accept_failed,
        /// Queries read.
        received,
        /// Replies written or waiting to be.
        sent,
        /// Batches of at least one query that were answered together.
        batches,
        /// Connections that the client closed.
        closed_client,
        /// Connections closed after the idle time-out.
        closed_idle,
        /// Connections closed because a message took too long to arrive.
        closed_read_timeout,
        /// Connections closed because answers were not taken in time.
        closed_write_timeout,
        /// Connections closed because a message was shorter than a DNS header.
        closed_malformed,
        /// Connections that broke.
        closed_error,
        /// Connections closed by shutdown.
        closed_shutdown,
        /// Octets of buffers held by connections now.
        buffered_octets,
        /// Connections lost because the responder panicked.
        panics,
    }
}

impl Counters {
    pub(crate) fn new(udp_workers: usize, tcp_workers: usize) -> Self {
        let udp = (0..udp_workers).map(|_| UdpWorker::default()).collect();
        let tcp = (0..tcp_workers).map(|_| TcpWorker::default()).collect();
        Self { shared: Arc::new(Shared { udp, tcp }) }
    }

    /// Sums of all workers; they count on meanwhile, so numbers that belong together may differ by a batch.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.shared.udp.iter().for_each(|worker| worker.add_to(&mut totals.udp));
        self.shared.tcp.iter().for_each(|worker| worker.add_to(&mut totals.tcp));
        totals
    }

    pub(crate) fn udp(&self, worker: usize) -> &UdpWorker {
        &self.shared.udp[worker]
    }

    pub(crate) fn tcp(&self, worker: usize) -> &TcpWorker {
        &self.shared.tcp[worker]
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.totals().fmt(f)
    }
}

impl Counter {
    pub(crate) fn add(&self, amount: usize) {
        self.0.store(self.get().wrapping_add(amount as u64), Relaxed);
    }

    pub(crate) fn subtract(&self, amount: usize) {
        self.0.store(self.get().wrapping_sub(amount as u64), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_summed() {
        let counters = Counters::new(2, 1);
        counters.udp(0).received.add(3);
        counters.udp(1).received.add(4);
        counters.tcp(0).open.add(2);
        counters.tcp(0).open.subtract(1);
        let totals = counters.totals();
        assert_eq!((totals.udp.received, totals.udp.sent, totals.tcp.open), (7, 0, 1));
    }

    #[test]
    fn workers_share_no_cache_line() {
        assert_eq!(align_of::<UdpWorker>(), 128);
        assert_eq!(size_of::<TcpWorker>() % 128, 0);
    }
}
