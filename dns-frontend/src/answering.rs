//! A worker's responder, kept alive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use dns_backend::{Packets, Respond, Responder, Transport};

use crate::counters::{AnswerTimes, WorkerTimes};

/// One worker's responder; replaced when it panics, so that one bad query never costs a whole worker.
pub(crate) struct Answering<R: Respond> {
    respond: Arc<R>,
    transport: Transport,
    responder: R::Responder,
    /// Batches until one is timed.
    untimed: u32,
}

/// The responder panicked; no reply of the batch may be sent.
pub(crate) struct Panicked;

impl<R: Respond> Answering<R> {
    pub(crate) fn new(respond: Arc<R>, transport: Transport) -> Self {
        let responder = respond.responder(transport);
        Self { respond, transport, responder, untimed: 0 }
    }

    /// Answers a batch; reads the clock for one of many batches only, since it costs as much as some queries do.
    pub(crate) fn answer(&mut self, packets: &mut impl Packets, times: &WorkerTimes) -> Result<(), Panicked> {
        if self.untimed > 0 {
            self.untimed -= 1;
            return self.respond(packets);
        }
        self.untimed = AnswerTimes::SAMPLED_BATCHES - 1;
        let queries = u32::try_from(packets.len()).unwrap_or(u32::MAX).max(1);
        let begun = Instant::now();
        self.respond(packets)?;
        times.add(begun.elapsed() / queries);
        Ok(())
    }

    fn respond(&mut self, packets: &mut impl Packets) -> Result<(), Panicked> {
        // The responder is thrown away if it unwinds, and the batch is dropped, so neither is seen half-changed.
        catch_unwind(AssertUnwindSafe(|| self.responder.respond(packets))).map_err(|_| {
            self.responder = self.respond.responder(self.transport);
            Panicked
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::counters::Counters;

    struct Silent;

    impl Respond for Silent {
        type Responder = Self;
        fn responder(&self, _: Transport) -> Self {
            Self
        }
    }

    impl Responder for Silent {
        fn respond(&mut self, _: &mut impl Packets) {}
    }

    /// Packets that nobody looks at.
    struct Two;

    impl Packets for Two {
        fn len(&self) -> usize {
            2
        }
        fn request(&self, _: usize) -> &[u8] {
            &[]
        }
        fn exchange(&mut self, _: usize) -> (&[u8], &mut [u8]) {
            (&[], &mut [])
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
    fn one_batch_of_many_is_timed_and_the_first_is_among_them() {
        let counters = Counters::new(1, 0);
        let mut answering = Answering::new(Arc::new(Silent), Transport::Udp);
        let mut timed = |batches| {
            for _ in 0..batches {
                assert!(answering.answer(&mut Two, counters.udp_times(0)).is_ok());
            }
            counters.totals().udp_times.counts.iter().sum::<u64>()
        };
        assert_eq!(timed(1), 1);
        assert_eq!(timed(AnswerTimes::SAMPLED_BATCHES - 1), 1);
        assert_eq!(timed(1), 2);
    }
}
