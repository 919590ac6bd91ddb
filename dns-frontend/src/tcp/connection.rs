//! One connection: reads what there is, answers it together, writes the answers together.
//!
//! Answers come from memory at once, so they leave in the order of their queries. RFC 7766, section 6.2.1.1, lets
//! them leave in any other, too, and clients match them by ID: answers that have to be waited for may be overtaken
//! some day.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io::{self, Read},
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use dns_backend::Respond;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    task::yield_now,
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::{
    Answering, Shared, Workbench,
    messages::{Batch, MESSAGE_MAX, Replies, Requests, announced},
    roster::Seat,
};

/// A client's connection, from being accepted to being closed.
pub(super) struct Connection<R: Respond> {
    shared: Rc<Shared<R>>,
    stream: TcpStream,
    client: SocketAddr,
    /// Where the connection came in.
    listener: usize,
    /// The beginning of a message, or queries whose answers there was no room for; empty most of the time.
    input: Vec<u8>,
    /// Answers that the client was too slow to take; empty most of the time.
    output: Vec<u8>,
    /// What the counter knows of the two.
    buffered: usize,
    /// The worker has been told to stop.
    stopping: bool,
    closed: Option<Closed>,
    seat: Rc<Seat>,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug)]
enum Closed {
    Client,
    Idle,
    ReadTimeout,
    WriteTimeout,
    Malformed,
    Error,
    Panic,
    Shutdown,
    Evicted,
}

/// What a waiting connection sees first.
enum Event {
    /// Octets for the workbench.
    Read(usize),
    End(Closed),
}

impl<R: Respond> Connection<R> {
    pub(super) fn new(
        shared: Rc<Shared<R>>,
        stream: TcpStream,
        client: SocketAddr,
        listener: usize,
        seat: Rc<Seat>,
    ) -> Self {
        shared.counters().accepted.add(1);
        shared.counters().open.add(1);
        Self {
            shared,
            stream,
            client,
            listener,
            input: Vec::new(),
            output: Vec::new(),
            buffered: 0,
            stopping: false,
            closed: None,
            seat,
        }
    }

    /// Answers until the client, a time-out or shutdown ends it.
    pub(super) async fn serve(mut self) {
        let seat = self.seat.clone();
        self.closed = Some(tokio::select! {
            biased;
            closed = self.converse() => match closed {
                Err(closed) => closed,
            },
            () = seat.lost() => Closed::Evicted,
        });
    }

    async fn converse(&mut self) -> Result<Infallible, Closed> {
        let shared = self.shared.clone();
        let mut stop = shared.stop.clone();
        let mut stopped = pin!(async move {
            // An error says that the other side is gone, which is an order to stop as well.
            let _ = stop.wait_for(|&stop| stop).await;
        });
        let mut deadline = Instant::now() + shared.config.idle_timeout;
        let mut timer = pin!(sleep_until(deadline));
        let mut rounds = 0;
        loop {
            // A client that never pauses must not keep the others of this thread waiting.
            rounds += 1;
            if rounds == ROUNDS {
                yield_now().await;
                rounds = 0;
            }
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            let waiting = poll_fn(|context| self.poll(context, timer.as_mut(), stopped.as_mut(), deadline));
            let octets = match waiting.await {
                Event::Read(octets) => octets,
                Event::End(closed) => return Err(closed),
            };
            // Nothing is awaited until `take` is done with the workbench, so the octets are still those read.
            let began = self.input.is_empty();
            let answered = self.take(octets)?;
            while !self.output.is_empty() {
                self.flush().await?;
                self.answer_held()?;
            }
            let now = Instant::now();
            if answered {
                self.seat.answered(now);
            }
            if self.input.is_empty() {
                deadline = now + shared.config.idle_timeout;
            } else if began || answered {
                // Counted from a message's first octet; the following ones do not extend it.
                deadline = now + shared.config.read_timeout;
            }
        }
    }

    /// Reads if it can; otherwise sees whether time is up.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        stopped: Pin<&mut impl Future<Output = ()>>,
        deadline: Instant,
    ) -> Poll<Event> {
        let mut workbench = self.shared.workbench.borrow_mut();
        // Behind the beginning of a message only its rest is read, so that no more than one message is kept.
        let limit = match (self.input.len(), announced(&self.input)) {
            (0, _) => MESSAGE_MAX,
            (len, Some(octets)) => octets.saturating_sub(len).max(1),
            (_, None) => 1,
        };
        let mut buffer = ReadBuf::new(&mut workbench.input[..limit]);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                return Poll::Ready(Event::End(Closed::Client));
            }
            Poll::Ready(Ok(())) => return Poll::Ready(Event::Read(buffer.filled().len())),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::End(Closed::Error)),
            Poll::Pending => {}
        }
        // The timer is left alone while queries come in, which costs less than moving it with each of them; so it
        // may go off too early.
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                let closed = if self.input.is_empty() { Closed::Idle } else { Closed::ReadTimeout };
                return Poll::Ready(Event::End(closed));
            }
            timer.as_mut().reset(deadline);
        }
        if !self.stopping && stopped.poll(context).is_pending() {
            return Poll::Pending;
        }
        self.stopping = true;
        // What has been received is answered first. The runtime may not have heard of it yet, so the socket itself
        // is asked.
        match (&*SockRef::from(&self.stream)).read(&mut workbench.input[..limit]) {
            Ok(0) => Poll::Ready(Event::End(Closed::Client)),
            Ok(octets) => Poll::Ready(Event::Read(octets)),
            Err(error) if is_momentary(&error) => Poll::Ready(Event::End(Closed::Shutdown)),
            Err(_) => Poll::Ready(Event::End(Closed::Error)),
        }
    }

    /// Answers what the octets on the workbench complete, keeps the rest; tells whether anything was answered.
    fn take(&mut self, octets: usize) -> Result<bool, Closed> {
        let shared = self.shared.clone();
        let workbench = &mut *shared.workbench.borrow_mut();
        let Workbench { input, replies, answering } = workbench;
        let read = &input[..octets];
        if self.input.is_empty() {
            let done = self.answer(read, replies, answering)?;
            if done < read.len() {
                self.input = read[done..].to_vec();
                self.account();
            }
            return Ok(done > 0);
        }
        self.grow_input(octets);
        self.input.extend_from_slice(read);
        let held = std::mem::take(&mut self.input);
        let done = self.answer(&held, replies, answering)?;
        self.hold(held, done);
        Ok(done > 0)
    }

    /// Answers the queries that had to wait for the client to take earlier answers.
    fn answer_held(&mut self) -> Result<(), Closed> {
        let held = std::mem::take(&mut self.input);
        let shared = self.shared.clone();
        let Workbench { replies, answering, .. } = &mut *shared.workbench.borrow_mut();
        let done = self.answer(&held, replies, answering)?;
        self.hold(held, done);
        Ok(())
    }

    fn hold(&mut self, mut held: Vec<u8>, done: usize) {
        if done < held.len() {
            held.drain(..done);
            self.input = held;
        }
        self.account();
    }

    /// Answers batch by batch until the input has no complete message left, or the client takes no more; tells how
    /// many octets of input are done with.
    fn answer(
        &mut self,
        input: &[u8],
        replies: &mut Replies,
        answering: &mut Answering<R>,
    ) -> Result<usize, Closed> {
        let mut done = 0;
        while self.output.is_empty() {
            let batch = Batch::find(&input[done..]);
            if batch.len() == 0 {
                // Whoever sends this has lost count, and what follows would be misread.
                return if batch.malformed { Err(Closed::Malformed) } else { Ok(done) };
            }
            replies.clear();
            let mut requests = Requests {
                input: &input[done..],
                batch: &batch,
                replies,
                client: self.client,
                listener: self.listener,
            };
            answering.answer(&mut requests, self.shared.times()).map_err(|_| Closed::Panic)?;
            let taken = self.write(replies, batch.len())?;
            let counters = self.shared.counters();
            counters.batches.add(1);
            counters.received.add(taken);
            counters.sent.add(replies.count(taken));
            done += batch.octets(taken);
        }
        Ok(done)
    }

    /// Writes the replies to some requests, and keeps what the client does not take as long as it is little.
    ///
    /// Tells how many of the requests are done with. The others will be answered again when the client has taken
    /// these: this costs less than to keep 64 large answers for every client that does not read.
    fn write(&mut self, replies: &Replies, requests: usize) -> Result<usize, Closed> {
        let slices = &replies.slices()[..requests];
        let octets: usize = slices.iter().map(|slice| slice.len()).sum();
        if octets == 0 {
            return Ok(requests);
        }
        let mut written = match self.stream.try_write_vectored(slices) {
            Ok(written) if written == octets => return Ok(requests),
            Ok(written) => written,
            Err(error) if is_momentary(&error) => 0,
            Err(_) => return Err(Closed::Error),
        };
        for index in 0..requests {
            let reply = replies.reply(index);
            if written >= reply.len() {
                written -= reply.len();
                continue;
            }
            let rest = &reply[written..];
            if !self.output.is_empty() && self.output.len() + rest.len() > MESSAGE_MAX {
                self.account();
                return Ok(index);
            }
            written = 0;
            self.output.extend_from_slice(rest);
        }
        self.account();
        Ok(requests)
    }

    /// Waits until the client has taken what was kept.
    async fn flush(&mut self) -> Result<(), Closed> {
        let mut deadline = pin!(sleep(self.shared.config.write_timeout));
        let mut written = 0;
        while written < self.output.len() {
            tokio::select! {
                biased;
                ready = self.stream.writable() => ready.map_err(|_| Closed::Error)?,
                () = &mut deadline => return Err(Closed::WriteTimeout),
            }
            match self.stream.try_write(&self.output[written..]) {
                Ok(octets) => written += octets,
                Err(error) if is_momentary(&error) => {}
                Err(_) => return Err(Closed::Error),
            }
        }
        self.output = Vec::new();
        self.account();
        Ok(())
    }

    /// Makes room for a message as it comes in: a client that only announces a long one gets no memory for it.
    fn grow_input(&mut self, octets: usize) {
        let wanted = self.input.len() + octets;
        if wanted > self.input.capacity() {
            let doubled = (self.input.capacity() * 2).clamp(INPUT_MIN, MESSAGE_MAX);
            self.input.reserve_exact(doubled.max(wanted) - self.input.len());
            self.account();
        }
    }

    /// Tells the counter how much is held.
    fn account(&mut self) {
        let held = self.input.capacity() + self.output.capacity();
        let counter = &self.shared.counters().buffered_octets;
        counter.add(held);
        counter.subtract(self.buffered);
        self.buffered = held;
    }
}

impl<R: Respond> Drop for Connection<R> {
    fn drop(&mut self) {
        let counters = self.shared.counters();
        counters.open.subtract(1);
        counters.buffered_octets.subtract(self.buffered);
        let reason = match self.closed {
            Some(Closed::Client) => &counters.closed_client,
            Some(Closed::Idle) => &counters.closed_idle,
            Some(Closed::ReadTimeout) => &counters.closed_read_timeout,
            Some(Closed::WriteTimeout) => &counters.closed_write_timeout,
            Some(Closed::Malformed) => &counters.closed_malformed,
            Some(Closed::Error) => &counters.closed_error,
            Some(Closed::Panic) => &counters.panics,
            Some(Closed::Evicted) => &counters.closed_evicted,
            // Without a reason its task was dropped, because it did not end in time.
            Some(Closed::Shutdown) | None => &counters.closed_shutdown,
        };
        reason.add(1);
    }
}

fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Reads after which other connections get their turn.
const ROUNDS: u32 = 16;
/// First room for a message that comes in pieces; most are shorter.
const INPUT_MIN: usize = 512;
