//! Worker threads that answer datagrams.

mod single;

use std::{io, net::UdpSocket, sync::Arc, time::Duration};

use dns_backend::{Packets, Respond, Transport};
use tracing::{debug, warn};

pub(crate) use self::single::Single;
use crate::{
    answering::Answering,
    config::UdpConfig,
    counters::{Counters, UdpWorker, WorkerTimes},
    stop::Stop,
    sys::{self, Poller},
};

/// Moves datagrams between sockets and packets.
pub(crate) trait Datagrams: Packets {
    /// Most datagrams that one [`receive`](Self::receive) gets; fewer mean that no more are waiting.
    const AT_ONCE: usize;

    /// Whether [`receive`](Self::receive) can wait and be woken.
    const CAN_WAIT: bool;

    /// Allocates all that is ever needed; `destination_wanted` where a socket is bound to all addresses.
    fn new(config: &UdpConfig, destination_wanted: bool) -> Self;

    /// Replaces the packets by those waiting at the socket of a listener; with `wait`, blocks until there is one.
    fn receive(&mut self, listener: usize, socket: &UdpSocket, wait: bool) -> io::Result<Received>;

    /// Sends what there is to send.
    fn send_replies(&mut self, socket: &UdpSocket) -> Sent;
}

/// What came in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// All of it.
    pub(crate) datagrams: usize,
    /// Dropped: port 0 cannot be answered.
    pub(crate) port_zero: usize,
    /// Dropped: longer than the buffer.
    pub(crate) oversize: usize,
}

/// What went out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// Taken by the kernel.
    pub(crate) replies: usize,
    /// Lost.
    pub(crate) failed: usize,
}

/// One thread with a socket per address.
pub(crate) struct Worker {
    pub(crate) number: usize,
    /// In the order of the listeners.
    pub(crate) sockets: Vec<Arc<UdpSocket>>,
    pub(crate) config: UdpConfig,
    pub(crate) destination_wanted: bool,
    pub(crate) counters: Counters,
    pub(crate) stop: Arc<Stop>,
}

impl Worker {
    /// Answers until it is told to stop, then what has been received by then.
    pub(crate) fn run<D: Datagrams, R: Respond>(self, respond: Arc<R>) {
        if self.config.pin_workers
            && let Err(error) = sys::pin_to(self.number)
        {
            warn!(worker = self.number, %error, "cannot pin the UDP worker to a CPU");
        }
        let mut work = Work {
            packets: D::new(&self.config, self.destination_wanted),
            answering: Answering::new(respond, Transport::Udp),
            counters: self.counters.udp(self.number),
            times: self.counters.udp_times(self.number),
            stop: &self.stop,
        };
        match &self.sockets[..] {
            // Waiting inside `recvmmsg` saves the call to `poll`, which counts when batches are small.
            [socket] if D::CAN_WAIT => {
                while !self.stop.is_set() {
                    work.exchange(0, socket, true);
                }
            }
            sockets => work.take_turns(sockets),
        }
        for (listener, socket) in self.sockets.iter().enumerate() {
            work.drain(listener, socket);
        }
    }
}

struct Work<'a, D, R: Respond> {
    packets: D,
    answering: Answering<R>,
    counters: &'a UdpWorker,
    times: &'a WorkerTimes,
    stop: &'a Stop,
}

impl<D: Datagrams, R: Respond> Work<'_, D, R> {
    /// Receives, answers, sends; tells how many datagrams came.
    fn exchange(&mut self, listener: usize, socket: &UdpSocket, wait: bool) -> usize {
        let received = match self.packets.receive(listener, socket, wait) {
            Ok(received) => received,
            Err(error) => {
                debug!(%error, "cannot receive datagrams");
                self.counters.receive_failed.add(1);
                self.pause();
                return 0;
            }
        };
        if received.datagrams == 0 {
            return 0;
        }
        self.counters.received.add(received.datagrams);
        self.counters.batches.add(1);
        if received.port_zero + received.oversize > 0 {
            self.counters.dropped_port_zero.add(received.port_zero);
            self.counters.dropped_oversize.add(received.oversize);
        }
        if self.packets.is_empty() {
            return received.datagrams;
        }
        if self.answering.answer(&mut self.packets, self.times).is_err() {
            self.counters.panics.add(1);
            return received.datagrams;
        }
        let sent = self.packets.send_replies(socket);
        self.counters.sent.add(sent.replies);
        if sent.failed > 0 {
            self.counters.dropped_send_failed.add(sent.failed);
        }
        received.datagrams
    }

    fn take_turns(&mut self, sockets: &[Arc<UdpSocket>]) {
        let mut poller = Poller::new(sockets);
        poller.add(self.stop);
        while !self.stop.is_set() {
            if let Err(error) = poller.wait(None) {
                warn!(%error, "cannot wait for datagrams");
                self.pause();
                continue;
            }
            for (index, socket) in sockets.iter().enumerate() {
                if poller.is_ready(index) {
                    self.take_turn(index, socket);
                }
            }
        }
    }

    /// Up to a batch from one socket, in as many steps as it takes; then it is the next one's turn.
    fn take_turn(&mut self, listener: usize, socket: &UdpSocket) {
        for _ in 0..D::BATCH_MAX / D::AT_ONCE {
            if self.exchange(listener, socket, false) < D::AT_ONCE {
                break;
            }
        }
    }

    fn drain(&mut self, listener: usize, socket: &UdpSocket) {
        for _ in 0..DRAIN_DATAGRAMS / D::AT_ONCE {
            if self.exchange(listener, socket, false) == 0 {
                break;
            }
        }
    }

    /// Keeps an error that does not go away from taking a whole CPU.
    fn pause(&self) {
        let mut poller = Poller::new([self.stop]);
        // If even this fails there is nothing better to do than to go on.
        let _ = poller.wait(Some(PAUSE));
    }
}

/// Most datagrams answered after the call to stop, per socket; more than a receive buffer usually holds, and an
/// end to it when queries keep coming.
const DRAIN_DATAGRAMS: usize = 65_536;
const PAUSE: Duration = Duration::from_millis(10);
/// How long a full send buffer may hold up a batch: a network card empties it in less.
pub(crate) const SEND_PATIENCE: Duration = Duration::from_millis(5);
