//! Between datapaths and answers: packets in, replies out.

use std::net::SocketAddr;
use std::time::Duration;

/// What carried a query, as far as the answer depends on it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// Datagrams: answers are bounded by EDNS and may be truncated.
    Udp,
    /// A stream: answers have up to 65,535 octets.
    Tcp,
}

/// Requests that a datapath lends for answering, each with room for its reply.
///
/// Indexes run from 0 to [`len`](Self::len). Everything is asked for lazily: what no rule looks at costs nothing.
pub trait Packets {
    /// How many requests there are; at most [`BATCH_MAX`](crate::Packets::BATCH_MAX).
    fn len(&self) -> usize;

    /// There is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A request as it came, from its DNS header on.
    fn request(&self, index: usize) -> &[u8];

    /// A request and the buffer for its reply; the reply never gets longer than the buffer. Once a reply has been sent, its
    /// buffer may be no longer than it is.
    fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]);

    /// Who asked.
    fn client(&self, index: usize) -> SocketAddr;

    /// At which listener the packets came in: its place in the datapath's own list; the same for all of a batch.
    fn listener(&self) -> usize {
        0
    }

    /// The time since 1970, right to a tenth of a second. Asked for at most once per batch, and only where a limit or a
    /// cookie needs it.
    fn now(&self) -> Duration;

    /// Says that the first `octets` of the reply buffer, which has been asked for before, are to be sent; a request without this
    /// gets no reply.
    fn send(&mut self, index: usize, octets: usize);

    /// Most requests in one batch.
    const BATCH_MAX: usize = 64;
}

/// Makes a [`Responder`] for each worker thread and each task that reads queries.
pub trait Respond: Send + Sync + 'static {
    /// The state of one worker.
    type Responder: Responder;

    /// State for one more worker; its counters are summed with the others'.
    fn responder(&self, transport: Transport) -> Self::Responder;
}

/// One worker's answering state: buffers that are reused, its view of the catalog, its counters.
pub trait Responder: Send + 'static {
    /// Answers every request of the batch that deserves an answer. Never fails and never waits.
    fn respond(&mut self, packets: &mut impl Packets);
}
