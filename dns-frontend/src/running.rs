//! The threads at work, and their end.

use std::{
    io,
    net::Shutdown,
    net::UdpSocket,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use dns_backend::Respond;
use socket2::SockRef;
use thiserror::Error;
use tokio::sync::watch;

use crate::{bind::Bound, config::UdpEngine, counters::Counters, stop::Stop, tcp, udp};

/// A frontend that serves.
///
/// Dropping it stops the threads, too, but does not wait for them.
#[derive(Debug)]
pub struct Running {
    counters: Counters,
    stopper: Stopper,
    threads: Vec<JoinHandle<()>>,
    /// Says that it is disconnected once all threads have come to their end.
    ended: mpsc::Receiver<()>,
    drain_timeout: Duration,
}

/// Some threads did not end in time; they go on until the process ends.
#[derive(Debug, Error)]
#[error("{threads} of the frontend's threads did not end within {waited:?}")]
pub struct Unfinished {
    /// How many.
    pub threads: usize,
    /// How long they had.
    pub waited: Duration,
}

/// Tells all threads to finish, when it is dropped at the latest.
struct Stopper {
    udp: Arc<Stop>,
    sockets: Vec<Arc<UdpSocket>>,
    tcp: watch::Sender<bool>,
}

pub(crate) fn start<R: Respond>(bound: Bound, respond: &Arc<R>) -> io::Result<Running> {
    let counters = bound.counters();
    let Bound { config, udp, tcp, .. } = bound;
    let (ending, ended) = mpsc::channel();
    let mut running = Running {
        counters: counters.clone(),
        stopper: Stopper {
            udp: Arc::new(Stop::new()?),
            sockets: udp.iter().flatten().cloned().collect(),
            tcp: watch::Sender::new(false),
        },
        threads: Vec::with_capacity(udp.len() + tcp.len()),
        ended,
        drain_timeout: config.drain_timeout,
    };
    for (number, sockets) in udp.into_iter().enumerate() {
        let worker = udp::Worker {
            number,
            sockets,
            config: config.udp.clone(),
            destination_wanted: config.listen.iter().any(|address| address.ip().is_unspecified()),
            counters: counters.clone(),
            stop: running.stopper.udp.clone(),
        };
        let (respond, ending) = (respond.clone(), ending.clone());
        running.spawn(format!("dns-udp-{number}"), move || {
            match worker.config.engine {
                #[cfg(target_os = "linux")]
                UdpEngine::Batched => worker.run::<crate::sys::Batch, R>(respond),
                // Refused when binding.
                #[cfg(not(target_os = "linux"))]
                UdpEngine::Batched => {}
                UdpEngine::Single => worker.run::<udp::Single, R>(respond),
            }
            drop(ending);
        })?;
    }
    let limits = Arc::new(tcp::Limits::new(&config.tcp));
    for (number, listeners) in tcp.into_iter().enumerate() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker = tcp::Worker {
            number,
            listeners,
            config: config.tcp.clone(),
            drain_timeout: config.drain_timeout,
            limits: limits.clone(),
            counters: counters.clone(),
            stop: running.stopper.tcp.subscribe(),
        };
        let (respond, ending) = (respond.clone(), ending.clone());
        running.spawn(format!("dns-tcp-{number}"), move || {
            worker.run(&runtime, respond);
            drop(runtime);
            drop(ending);
        })?;
    }
    Ok(running)
}

impl Running {
    /// A handle on the counters.
    pub fn counters(&self) -> Counters {
        self.counters.clone()
    }

    /// Stops receiving, answers what has been received, and waits for the threads to end.
    ///
    /// Takes up to [`Config::drain_timeout`](crate::Config::drain_timeout) and a second. It blocks, so async code
    /// calls it where that is allowed (`tokio::task::spawn_blocking`).
    ///
    /// # Errors
    /// Some threads did not end in time, because the responder is stuck.
    pub fn shutdown(self) -> Result<(), Unfinished> {
        let Self { stopper, threads, ended, drain_timeout, .. } = self;
        drop(stopper);
        let waited = drain_timeout + GRACE;
        let deadline = Instant::now() + waited;
        loop {
            match ended.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let threads = threads.iter().filter(|thread| !thread.is_finished()).count();
                    return Err(Unfinished { threads, waited });
                }
            }
        }
        for thread in threads {
            // The panics of responders are caught and counted where they happen; one of our own has been
            // reported by the panic hook, and nothing is left to do about it.
            let _ = thread.join();
        }
        Ok(())
    }

    fn spawn(&mut self, name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name).spawn(work)?);
        Ok(())
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.udp.set();
        for socket in &self.sockets {
            // Wakes a worker that waits inside `recvmmsg`. The kernel does that, and then complains that the
            // socket is not connected. What is in the receive buffer can still be read.
            let _ = SockRef::from(&**socket).shutdown(Shutdown::Read);
        }
        self.tcp.send_replace(true);
    }
}

impl std::fmt::Debug for Stopper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopper").field("sockets", &self.sockets.len()).finish_non_exhaustive()
    }
}

/// Time for the threads themselves, beyond that for their connections.
const GRACE: Duration = Duration::from_secs(1);
