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
    time::Duration,
};

/// A handle on the counters of a frontend; stays valid, and keeps its last values, after shutdown.
#[derive(Clone)]
pub struct Counters {
    shared: Arc<Shared>,
}

struct Shared {
    udp: Box<[UdpWorker]>,
    tcp: Box<[TcpWorker]>,
    udp_times: Box<[WorkerTimes]>,
    tcp_times: Box<[WorkerTimes]>,
}

/// Sums over all workers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Totals {
    /// Datagrams.
    pub udp: UdpTotals,
    /// Connections.
    pub tcp: TcpTotals,
    /// How long datagrams took to answer.
    pub udp_times: AnswerTimes,
    /// How long messages of connections took to answer.
    pub tcp_times: AnswerTimes,
}

/// How long a query takes to be answered, from the parsed packet to the written reply, without the system's part.
///
/// Of every [`SAMPLED_BATCHES`](Self::SAMPLED_BATCHES) batches one is timed, and its time shared out equally among its
/// queries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct AnswerTimes {
    /// Timed batches by the time per query: bucket `n` has those up to `256 << n` nanoseconds that are in no bucket
    /// before it, the last one all others.
    pub counts: [u64; TIME_BUCKETS],
    /// Sum of the times per query, in nanoseconds.
    pub nanoseconds: u64,
}

impl AnswerTimes {
    /// One batch of so many is timed, the first one included.
    pub const SAMPLED_BATCHES: u32 = 64;

    /// Largest time of each bucket, in seconds, with its count; the last bucket has no end.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.counts.iter().enumerate().map(|(bucket, &count)| match bucket {
            LAST_BUCKET => (f64::INFINITY, count),
            _ => ((SMALLEST_BUCKET << bucket) as f64 / 1e9, count),
        })
    }
}

/// One worker's part of [`AnswerTimes`].
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct WorkerTimes {
    counts: [Counter; TIME_BUCKETS],
    nanoseconds: Counter,
}

impl WorkerTimes {
    /// Counts a batch that took this long per query.
    pub(crate) fn add(&self, per_query: Duration) {
        // More than the 584 years that fit would be a broken clock.
        let nanoseconds = u64::try_from(per_query.as_nanos()).unwrap_or(u64::MAX);
        // The first power of two, from the smallest bucket on, that is not less.
        let bucket = nanoseconds.div_ceil(SMALLEST_BUCKET).max(1).next_power_of_two().trailing_zeros();
        self.counts[(bucket as usize).min(LAST_BUCKET)].add(1);
        self.nanoseconds.add(nanoseconds as usize);
    }

    fn add_to(&self, times: &mut AnswerTimes) {
        for (sum, count) in times.counts.iter_mut().zip(&self.counts) {
            *sum = sum.wrapping_add(count.get());
        }
        times.nanoseconds = times.nanoseconds.wrapping_add(self.nanoseconds.get());
    }
}

/// Times from a quarter of a microsecond to 17 milliseconds, and beyond.
const TIME_BUCKETS: usize = 18;
const LAST_BUCKET: usize = TIME_BUCKETS - 1;
/// Largest time of the first bucket, in nanoseconds.
const SMALLEST_BUCKET: u64 = 256;

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
        /// Connections closed at once, because there were too many in all and none of the worker's own could make room.
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
        /// Connections closed to make room for new ones.
        closed_evicted,
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
        let times = |workers| (0..workers).map(|_| WorkerTimes::default()).collect();
        let (udp_times, tcp_times) = (times(udp_workers), times(tcp_workers));
        Self { shared: Arc::new(Shared { udp, tcp, udp_times, tcp_times }) }
    }

    /// Sums of all workers; they count on meanwhile, so numbers that belong together may differ by a batch.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.shared.udp.iter().for_each(|worker| worker.add_to(&mut totals.udp));
        self.shared.tcp.iter().for_each(|worker| worker.add_to(&mut totals.tcp));
        self.shared.udp_times.iter().for_each(|worker| worker.add_to(&mut totals.udp_times));
        self.shared.tcp_times.iter().for_each(|worker| worker.add_to(&mut totals.tcp_times));
        totals
    }

    pub(crate) fn udp(&self, worker: usize) -> &UdpWorker {
        &self.shared.udp[worker]
    }

    pub(crate) fn tcp(&self, worker: usize) -> &TcpWorker {
        &self.shared.tcp[worker]
    }

    pub(crate) fn udp_times(&self, worker: usize) -> &WorkerTimes {
        &self.shared.udp_times[worker]
    }

    pub(crate) fn tcp_times(&self, worker: usize) -> &WorkerTimes {
        &self.shared.tcp_times[worker]
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
    fn times_are_counted_in_the_bucket_that_holds_them() {
        let counters = Counters::new(1, 1);
        for (nanoseconds, bucket) in [
            (0, 0),
            (256, 0),
            (257, 1),
            (512, 1),
            (513, 2),
            (256 << 16, 16),
            ((256 << 16) + 1, 17),
            (1 << 60, 17),
        ] {
            let before = counters.totals().udp_times;
            counters.udp_times(0).add(Duration::from_nanos(nanoseconds));
            let after = counters.totals().udp_times;
            assert_eq!(after.counts[bucket], before.counts[bucket] + 1, "{nanoseconds}");
            assert_eq!(after.nanoseconds, before.nanoseconds + nanoseconds);
        }
        let bounds: Vec<f64> = counters.totals().udp_times.buckets().map(|(bound, _)| bound).collect();
        assert!((bounds[1] - 512e-9).abs() < 1e-15 && bounds[17].is_infinite(), "{bounds:?}");
        assert_eq!(counters.totals().tcp_times, AnswerTimes::default());
    }

    #[test]
    fn workers_share_no_cache_line() {
        assert_eq!(align_of::<UdpWorker>(), 128);
        assert_eq!(size_of::<TcpWorker>() % 128, 0);
    }
}
