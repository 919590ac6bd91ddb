//! Asks as fast as the answers come, and checks every answer.
//!
//! One thread keeps a fixed number of questions outstanding and spins: it is never asleep when an answer arrives, so
//! that the server under test is not charged for waking it. Only loopback is asked, for a bounded time.

mod tcp;
mod udp;
mod window;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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

    fn finish(mut self, time: Duration) -> Self {
        self.seconds = time.as_secs_f64();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_asked() {
        let plan = |target: &str, sockets, outstanding| Plan {
            target: target.parse().unwrap(),
            sockets,
            outstanding,
            time: Duration::from_secs(1),
            queries_max: 1,
            check: Check::Full,
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
