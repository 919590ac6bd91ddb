//! Asks as fast as the answers come, and checks every answer.
//!
//! One thread keeps a fixed number of questions outstanding and spins: it is never asleep when an answer arrives, so
//! that the server under test is not charged for waking it. Only loopback is asked, for a bounded time.

mod flood;
mod tcp;
mod udp;
mod window;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::questions::{Edns, Mixture, Questions, SERVER_COOKIE_OCTETS, server_cookie};
use crate::zone::ZonePlan;

pub use self::{tcp::tcp, udp::udp, window::Check};

/// How long an answer may take before it counts as lost.
const TIMEOUT: Duration = Duration::from_millis(500);

/// How to ask.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whom; a loopback address.
    pub target: SocketAddr,
    /// Client sockets or connections, each with its own port; 1 to 1024.
    pub sockets: u16,
    /// Questions on their way at any time, in all: at least one per socket. More than the server's socket holds get
    /// lost; one with Linux's default of 212,992 octets holds 166 short ones, since the kernel counts its overhead.
    pub outstanding: u16,
    /// How long to ask.
    pub time: Duration,
    /// How many questions to ask at most.
    pub queries_max: u64,
    /// What to check.
    pub check: Check,
    /// Questions per second of another client, over UDP, that does not wait for answers; 0 for none.
    pub flood: u32,
}

/// What happened. Each question sent was answered, answered wrongly or lost.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Report {
    /// Seconds from the first question to the last.
    pub seconds: f64,
    /// Questions sent.
    pub sent: u64,
    /// Right answers.
    pub answered: u64,
    /// Questions without an answer in time.
    pub lost: u64,
    /// Answers that are not what the question asked for.
    pub wrong: u64,
    /// Messages that belong to no outstanding question: late, repeated or mangled.
    pub unexpected: u64,
    /// Questions of the client that does not wait.
    pub flooded: u64,
    /// Answers that it got.
    pub flood_answered: u64,
    /// Share of the time in which there was something to send or to receive: near 1, the load is what limits the rate.
    pub busy: f64,
    /// Right answers per second.
    pub queries_per_second: f64,
    /// What was wrong about the first wrong answer.
    pub first_wrong: Option<String>,
}

impl Report {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.unexpected += other.unexpected;
        if self.first_wrong.is_none() {
            self.first_wrong.clone_from(&other.first_wrong);
        }
    }

    fn finish(mut self, time: Duration, idle: Duration) -> Self {
        self.seconds = time.as_secs_f64();
        self.busy = if time.is_zero() { 0.0 } else { (1.0 - idle.as_secs_f64() / self.seconds).max(0.0) };
        self.queries_per_second = if time.is_zero() { 0.0 } else { self.answered as f64 / self.seconds };
        self
    }
}

impl Plan {
    /// Refuses what would leave this machine or ask nothing; returns the questions outstanding per socket.
    fn check(&self) -> io::Result<u16> {
        let refuse = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, reason.to_owned()));
        if !self.target.ip().is_loopback() {
            return refuse(&format!(
                "{} is no loopback address, and nothing else may be flooded",
                self.target
            ));
        }
        if !(1..=1024).contains(&self.sockets) || self.outstanding < self.sockets {
            return refuse("1 to 1024 sockets, and at least one outstanding question for each");
        }
        Ok(self.outstanding / self.sockets)
    }

    /// An unused port next to the target.
    fn local(&self) -> SocketAddr {
        SocketAddr::new(self.target.ip(), 0)
    }
}

/// Asks for a cookie: one that the server accepts from any client on the same address.
///
/// # Errors
///
/// If it gives none.
pub fn learn_cookie(target: SocketAddr) -> io::Result<[u8; SERVER_COOKIE_OCTETS]> {
    let questions = Questions::with_edns(ZonePlan { names: 1 }, Mixture::Hits, Edns::Cookie(None));
    let socket = UdpSocket::bind(SocketAddr::new(target.ip(), 0))?;
    socket.connect(target)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.send(questions.packet(0))?;
    let mut reply = [0; 4096];
    let octets = socket.recv(&mut reply)?;
    server_cookie(&reply[..octets]).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "the answer to a client's cookie has no server's cookie")
    })
}

/// Adds up the passes of a loop in which nothing was to be done.
struct Idle {
    last: Instant,
    /// In the pass that is going on, nothing was to be done so far.
    nothing: bool,
    sum: Duration,
}

impl Idle {
    fn new(now: Instant) -> Self {
        Self { last: now, nothing: false, sum: Duration::ZERO }
    }

    /// The pass that began with the last call ends, and another one begins.
    fn pass(&mut self, now: Instant) {
        if self.nothing {
            self.sum += now.duration_since(self.last);
        }
        self.last = now;
        self.nothing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_idle_passes_count_as_idle() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut idle = Idle::new(start);
        idle.pass(at(5)); // had work
        idle.nothing = true;
        idle.pass(at(8));
        idle.pass(at(20)); // had work
        assert_eq!(idle.sum, Duration::from_millis(3));
        let report = Report::default().finish(Duration::from_millis(20), idle.sum);
        assert!((report.busy - 0.85).abs() < 1e-9);
    }

    #[test]
    fn only_loopback_is_asked() {
        let plan = |target: &str, sockets, outstanding| Plan {
            target: target.parse().unwrap(),
            sockets,
            outstanding,
            time: Duration::from_secs(1),
            queries_max: 1,
            check: Check::Full,
            flood: 0,
        };
        assert_eq!(plan("127.0.0.1:53", 4, 200).check().unwrap(), 50);
        assert_eq!(plan("[::1]:53", 1, 1).check().unwrap(), 1);
        let error = plan("192.0.2.1:53", 4, 200).check().unwrap_err();
        assert!(error.to_string().contains("192.0.2.1:53"), "{error}");
        assert!(plan("[2001:db8::1]:53", 4, 200).check().is_err());
        assert!(plan("127.0.0.1:53", 0, 200).check().is_err());
        assert!(plan("127.0.0.1:53", 4, 3).check().is_err());
    }
}
