//! HTTP connections, few and short.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::patience::Patient;

/// Headers a request may have; a scraper sends about ten.
const HEADERS_MAX: usize = 50;
/// Octets of a request's head; the least that hyper allows.
const HEAD_OCTETS_MAX: usize = 8192;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Rest after an accept that failed for want of file descriptors or memory, which the next one would as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much clients may ask of the listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections at a time; more wait in the backlog. 64 by default.
    pub connections_max: usize,
    /// How long the head of a request may take to arrive, the wait for the first octet included; 10 seconds by default.
    pub head_timeout: Duration,
    /// How long an answer may wait for a client that does not read; 10 seconds by default.
    pub write_timeout: Duration,
    /// How long answers that are under way may take after the word to stop; 5 seconds by default.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            head_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
        }
    }
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
            Ok(Self { socket, address })
        };
        bound().map_err(|source| BindError { address, source })
    }

    /// The address, with the port that the system chose if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready, then lets the answers under way finish.
    pub async fn serve(self, router: Router, limits: Limits, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let slots = Arc::new(Semaphore::new(limits.connections_max));
        let mut stop = pin!(stop);
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let slot = slots.clone().acquire_owned().await.ok();
                (slot, self.socket.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = &mut stop => break,
                accepted = accepted => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    let connection = graceful.watch(connection(stream, router.clone(), &limits));
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%client, %error, "HTTP connection failed");
                        }
                        drop(slot);
                    });
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
        if timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!(address = %self.address, "HTTP connections were cut off");
        }
    }
}

type Connection = http1::Connection<TokioIo<Patient<TcpStream>>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router, limits: &Limits) -> Connection {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_OCTETS_MAX)
        .serve_connection(
            TokioIo::new(Patient::new(stream, limits.write_timeout)),
            TowerToHyperService::new(router),
        )
}
