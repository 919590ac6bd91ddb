//! HTTP connections: many, mostly short, and none that lasts for nothing.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use crate::holding::Holding;
use crate::patience::{Patient, Prompt};
use crate::seats::{Owner, Seated, Seats};
use crate::tls::Tls;

/// Headers a request may have; a scraper sends about ten.
const HEADERS_MAX: usize = 50;
/// Octets of a request's head; the least that hyper allows.
const HEAD_OCTETS_MAX: usize = 8192;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Rest after an accept that failed for want of file descriptors or memory, which the next one would as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much clients may ask of the listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections at a time; 64 by default, which is plenty for scrapers and probes. One more takes the place of an idle one, or
    /// waits if there is none.
    pub connections_max: usize,
    /// How long TLS may take to be agreed upon; 10 seconds by default.
    pub handshake_timeout: Duration,
    /// How long the head of a request may take to arrive, the wait for the first octet included, and so how long a connection is
    /// kept between two requests; 10 seconds by default.
    pub head_timeout: Duration,
    /// How long a body may stand still while it arrives; 10 seconds by default.
    pub body_stall_timeout: Duration,
    /// How long a body may take altogether; 5 minutes by default.
    pub body_timeout: Duration,
    /// How long an answer may wait for a client that does not read; 10 seconds by default.
    pub write_timeout: Duration,
    /// How long answers that are under way may take after the word to stop; 5 seconds by default.
    pub drain_timeout: Duration,
}

impl Limits {
    /// For listeners that serve the API: 2,048 connections, kept for 30 seconds between requests.
    pub fn for_api() -> Self {
        Self { connections_max: 2048, head_timeout: Duration::from_secs(30), ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let patience = Duration::from_secs(10);
        Self {
            connections_max: 64,
            handshake_timeout: patience,
            head_timeout: patience,
            body_stall_timeout: patience,
            body_timeout: Duration::from_mins(5),
            write_timeout: patience,
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// Both ends of the connection that a request came by; the listener puts it into the request's extensions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ends {
    /// Where the client is.
    pub address: SocketAddr,
    /// Which of our addresses it has asked.
    pub local: SocketAddr,
}

/// Why there is no listener.
#[derive(Debug, Error)]
#[error("cannot listen on {address} for HTTP")]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// A bound socket: its port is taken, nobody is answered yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
}

impl Listener {
    /// Takes the port. Needs a tokio runtime.
    ///
    /// # Errors
    /// Names the address, since a server listens on several.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let bound = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            if address.is_ipv6() {
                // All addresses of IPv6 and all of IPv4 are two listeners, which must not get in each other's way.
                socket.set_only_v6(true)?;
            }
            // A restart need not wait until connections of the last run are forgotten.
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            let socket = TcpListener::from_std(socket.into())?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address, tls: None })
        };
        bound().map_err(|source| BindError { address, source })
    }

    /// Speaks TLS and nothing else. Each handshake takes the certificate that is there by then.
    #[must_use]
    pub fn with_tls(self, tls: Arc<Tls>) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The address, with the port that the system chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready, then lets the answers under way finish.
    ///
    /// Once all connections are taken, a new client gets the place of one that has no request under way: of the network that has
    /// most of them, the one that has been idle for longest.
    pub async fn serve(self, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let seats = Seats::new(limits.connections_max);
        let stopping = watch::Sender::new(false);
        let mut stop = pin!(stop);
        loop {
            let accepted = async {
                let (stream, client) = self.socket.accept().await?;
                Ok((stream, client, seats.take(client.ip()).await))
            };
            let accepted: io::Result<_> = tokio::select! {
                () = &mut stop => break,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, client, seated)) => {
                    let connection = Connection {
                        client,
                        tls: self.tls.clone(),
                        router: router.clone(),
                        limits: limits.clone(),
                        stopping: stopping.subscribe(),
                    };
                    tokio::spawn(connection.run(stream, graceful.watcher(), seated));
                }
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, "cannot accept an HTTP connection");
                    tokio::select! {
                        () = &mut stop => break,
                        () = sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        // New clients are turned away while the rest drains.
        drop(self.socket);
        stopping.send_replace(true);
        if timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!(address = %self.address, "HTTP connections were cut off");
        }
    }
}

/// One connection, and all that it needs from its listener.
struct Connection {
    client: SocketAddr,
    tls: Option<Arc<Tls>>,
    router: Router,
    limits: Limits,
    stopping: watch::Receiver<bool>,
}

impl Connection {
    /// Answers until the client leaves, or has to. The place is free for the next one then.
    async fn run(self, stream: TcpStream, watcher: Watcher, seated: Seated) {
        let client = self.client;
        let owner = seated.owner().clone();
        let answered = async {
            match self.tls.clone() {
                None => self.answer_plain(stream, watcher, owner).await,
                Some(tls) => self.answer_tls(stream, &tls, watcher, owner).await,
            }
        };
        tokio::select! {
            // The connection comes first: whether it is idle is known once it has got as far as it can.
            biased;
            done = answered => if let Err(error) = done {
                tracing::debug!(%client, %error, "HTTP connection failed");
            },
            () = seated.wanted() => tracing::debug!(%client, "idle HTTP connection has made room"),
        }
    }

    async fn answer_plain(
        self,
        stream: TcpStream,
        watcher: Watcher,
        owner: Owner,
    ) -> Result<(), ConnectionError> {
        let ends = self.ends(&stream)?;
        self.answer(stream, ends, watcher, owner).await
    }

    async fn answer_tls(
        mut self,
        stream: TcpStream,
        tls: &Tls,
        watcher: Watcher,
        owner: Owner,
    ) -> Result<(), ConnectionError> {
        let ends = self.ends(&stream)?;
        let handshake =
            timeout(self.limits.handshake_timeout, TlsAcceptor::from(tls.config()).accept(stream));
        let stream = tokio::select! {
            // Nothing is lost by leaving here: no request can have arrived yet.
            _ = self.stopping.wait_for(|stopping| *stopping) => return Ok(()),
            stream = handshake => stream.map_err(|_| ConnectionError::SlowHandshake)??,
        };
        self.answer(stream, ends, watcher, owner).await
    }

    fn ends(&self, stream: &TcpStream) -> io::Result<Ends> {
        // Answers and events leave at once, and are not held back until more follows.
        stream.set_nodelay(true)?;
        Ok(Ends { address: self.client, local: stream.local_addr()? })
    }

    async fn answer<T>(
        self,
        stream: T,
        ends: Ends,
        watcher: Watcher,
        owner: Owner,
    ) -> Result<(), ConnectionError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, limits, .. } = self;
        let (stall, total) = (limits.body_stall_timeout, limits.body_timeout);
        let stream = Patient::new(stream, limits.write_timeout, owner.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let at_work = owner.work();
            request.extensions_mut().insert(ends);
            let answer = router.clone().call(request.map(|body| Prompt::new(body, stall, total)));
            // Until the last octet of the answer is handed over; after that, until it has been written.
            async move { answer.await.map(|answer| answer.map(|body| Holding::new(body, at_work))) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_OCTETS_MAX)
            .serve_connection(TokioIo::new(stream), service);
        Ok(watcher.watch(connection).await?)
    }
}

/// Why a connection ended before its time; of interest to nobody but who looks for it.
#[derive(Debug, Error)]
enum ConnectionError {
    #[error("TLS takes too long")]
    SlowHandshake,
    #[error(transparent)]
    Stream(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}
