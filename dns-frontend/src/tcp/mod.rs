//! Worker threads that answer queries over TCP ([RFC 7766](https://www.rfc-editor.org/rfc/rfc7766)).
//!
//! Each thread runs a tokio runtime of its own, with its own listening sockets: the kernel spreads the clients, a
//! connection stays with its thread, and all connections of a thread share one responder and one set of buffers.

mod connection;
mod limits;
mod messages;
mod roster;

use std::{cell::RefCell, convert::Infallible, io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use dns_backend::{Respond, Transport};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::{mpsc, watch},
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, timeout},
};
use tracing::{debug, error};

pub(crate) use self::limits::Limits;
use self::{
    connection::Connection,
    limits::Refusal,
    messages::{MESSAGE_MAX, Replies},
    roster::Roster,
};
use crate::{
    answering::Answering,
    config::TcpConfig,
    counters::{Counters, TcpWorker, WorkerTimes},
};

/// One thread with a listening socket per address.
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) listeners: Vec<std::net::TcpListener>,
    pub(crate) config: TcpConfig,
    pub(crate) drain_timeout: Duration,
    pub(crate) limits: Arc<Limits>,
    pub(crate) counters: Counters,
    pub(crate) stop: watch::Receiver<bool>,
}

/// What the connections of one worker have in common.
struct Shared<R: Respond> {
    number: usize,
    config: TcpConfig,
    limits: Arc<Limits>,
    counters: Counters,
    stop: watch::Receiver<bool>,
    workbench: RefCell<Workbench<R>>,
    roster: Roster,
}

/// Used by one connection at a time, and never while it waits: so idle connections need no buffers.
struct Workbench<R: Respond> {
    input: Box<[u8]>,
    replies: Replies,
    answering: Answering<R>,
}

/// Kept by all tasks of a worker; the other end notices when the last one is gone.
type Ending = mpsc::Sender<Infallible>;

impl Worker {
    /// Serves until it is told to stop, then finishes what has been received by then.
    pub(crate) fn run<R: Respond>(self, runtime: &Runtime, respond: Arc<R>) {
        // Dropped at the end, with the connections that have not ended in time.
        LocalSet::new().block_on(runtime, self.serve(respond));
    }

    async fn serve<R: Respond>(self, respond: Arc<R>) {
        let Self { number, listeners, config, drain_timeout, limits, counters, mut stop } = self;
        let workbench = RefCell::new(Workbench {
            input: vec![0; MESSAGE_MAX].into(),
            replies: Replies::new(),
            answering: Answering::new(respond, Transport::Tcp),
        });
        let roster = Roster::default();
        let shared =
            Rc::new(Shared { number, config, limits, counters, stop: stop.clone(), workbench, roster });
        let (ending, mut ended) = mpsc::channel(1);
        for (number, listener) in listeners.into_iter().enumerate() {
            match TcpListener::from_std(listener) {
                Ok(listener) => {
                    drop(spawn_local(accept_all(shared.clone(), number, listener, ending.clone())));
                }
                Err(error) => error!(%error, "cannot accept connections"),
            }
        }
        drop(ending);
        // An error says that the other side is gone, which is an order to stop as well.
        let _ = stop.wait_for(|&stop| stop).await;
        // Nothing is ever sent; it ends with the last task, or in time.
        let _ = timeout(drain_timeout, ended.recv()).await;
    }
}

impl<R: Respond> Shared<R> {
    fn counters(&self) -> &TcpWorker {
        self.counters.tcp(self.number)
    }

    fn times(&self) -> &WorkerTimes {
        self.counters.tcp_times(self.number)
    }

    fn begin(self: &Rc<Self>, stream: TcpStream, client: SocketAddr, listener: usize, ending: &Ending) {
        let mut admitted = self.limits.admit(client.ip());
        if let Err(Refusal::Full) = admitted
            && let Some(place) = self.roster.evict()
        {
            admitted = place.hand_over(client.ip());
        }
        match admitted {
            Ok(permit) => {
                // Answers are written whole, so there is nothing to gain from holding back small segments. The
                // error can only be that the client has gone already.
                let _ = stream.set_nodelay(true);
                let seat = self.roster.seat(permit, Instant::now());
                let connection = Connection::new(self.clone(), stream, client, listener, seat);
                let ending = ending.clone();
                spawn_local(async move {
                    connection.serve().await;
                    drop(ending);
                });
            }
            Err(Refusal::Full) => self.counters().refused_full.add(1),
            Err(Refusal::Client) => self.counters().refused_client.add(1),
        }
    }
}

/// Accepts at the listener of this number.
async fn accept_all<R: Respond>(shared: Rc<Shared<R>>, number: usize, listener: TcpListener, ending: Ending) {
    let mut stop = shared.stop.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|&stop| stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => shared.begin(stream, client, number, &ending),
            Err(error) => {
                shared.counters().accept_failed.add(1);
                debug!(%error, "cannot accept a connection");
                if !is_of_one_connection(&error) {
                    // Descriptors or memory have run out. The connection stays in the queue, so that trying again
                    // at once would keep a CPU busy for nothing.
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    // For these clients the connection is made, and their queries may be here. The runtime may not have heard of
    // them yet, so the socket itself is asked.
    for _ in 0..shared.config.backlog {
        let Ok((stream, client)) = SockRef::from(&listener).accept() else {
            break;
        };
        let Some(client) = client.as_socket() else {
            continue;
        };
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream.into())
        {
            shared.begin(stream, client, number, &ending);
        }
    }
}

/// Whether accepting the next connection may succeed all the same.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
