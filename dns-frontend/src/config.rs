//! What to listen on, and every limit with its default, minimum and maximum.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZero,
    thread,
    time::Duration,
};

use crate::BindError;

/// A setting's default and the range it must lie in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit<T> {
    /// Where nothing is configured.
    pub default: T,
    /// Smallest accepted value.
    pub min: T,
    /// Largest accepted value.
    pub max: T,
}

/// Sockets and limits of a [`Frontend`](crate::Frontend).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Addresses to answer at, over UDP and TCP; port 0 takes a free port, the same for both.
    /// Default: port 53 of all addresses, IPv4 and IPv6.
    ///
    /// An unspecified address (`0.0.0.0`, `[::]`) stands for all addresses of its own family only. Replies leave
    /// from the address that was asked.
    pub listen: Vec<SocketAddr>,
    /// Datagrams.
    pub udp: UdpConfig,
    /// Connections.
    pub tcp: TcpConfig,
    /// How long [`Running::shutdown`](crate::Running::shutdown) lets connections finish;
    /// [`DRAIN_TIMEOUT`](Self::DRAIN_TIMEOUT).
    pub drain_timeout: Duration,
}

/// Settings of the UDP workers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UdpConfig {
    /// Worker threads, each with its own socket per address; [`WORKERS`](Config::WORKERS), by default one per core.
    pub workers: usize,
    /// How datagrams are moved.
    pub engine: UdpEngine,
    /// Whether each worker thread stays on one of the CPUs that the process may use. Default: no. Linux only.
    pub pin_workers: bool,
    /// Largest reply, [`REPLY_OCTETS`](Self::REPLY_OCTETS); the responder's own limit should not be above it.
    pub reply_octets_max: usize,
    /// Receive buffer to ask the kernel for, per socket; [`RECEIVE_BUFFER_OCTETS`](Self::RECEIVE_BUFFER_OCTETS).
    /// Linux gives no more than `net.core.rmem_max`.
    pub receive_buffer_octets: usize,
}

/// How datagrams are moved between socket and worker.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum UdpEngine {
    /// Up to 64 at once with `recvmmsg` and `sendmmsg`. Linux only, the default there.
    Batched,
    /// One at a time, with what std offers. The default elsewhere; works everywhere. Bound to an unspecified
    /// address it cannot tell which address was asked, and the system chooses the one that answers.
    Single,
}

/// Settings and limits of the TCP side.
///
/// An idle connection holds no buffers. One that is sending a query or slow to take its answers holds at most
/// 192 KiB.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TcpConfig {
    /// Threads that connections are spread over; [`WORKERS`](Config::WORKERS), by default one per core.
    pub workers: usize,
    /// Connections at a time; [`CONNECTIONS`](Self::CONNECTIONS). Further ones are closed as soon as they are
    /// accepted, rather than left to wait unanswered; idle ones make room after
    /// [`idle_timeout`](Self::idle_timeout).
    pub connections_max: usize,
    /// Connections at a time from one client, which is an IPv4 address or an IPv6 /64;
    /// [`CONNECTIONS_PER_CLIENT`](Self::CONNECTIONS_PER_CLIENT).
    pub connections_per_client_max: usize,
    /// How long a connection may stay open without a query; [`IDLE_TIMEOUT`](Self::IDLE_TIMEOUT). RFC 7766,
    /// section 6.2.3, suggests a few seconds.
    pub idle_timeout: Duration,
    /// How long a client may take from the first octet of a message to its last;
    /// [`READ_TIMEOUT`](Self::READ_TIMEOUT).
    pub read_timeout: Duration,
    /// How long a client may leave finished answers untaken; [`WRITE_TIMEOUT`](Self::WRITE_TIMEOUT).
    pub write_timeout: Duration,
    /// Connections that the kernel completes before they are accepted, per socket; [`BACKLOG`](Self::BACKLOG).
    /// Linux gives no more than `net.core.somaxconn`.
    pub backlog: u32,
}

impl Config {
    /// Threads of one transport. [`UdpConfig`] and [`TcpConfig`] themselves default to one per core.
    pub const WORKERS: Limit<usize> = Limit { default: 1, min: 1, max: 1024 };
    /// Time for connections to end.
    pub const DRAIN_TIMEOUT: Limit<Duration> = seconds(5, 600);

    pub(crate) fn check(&self) -> Result<(), BindError> {
        let Self { listen, udp, tcp, drain_timeout } = self;
        if listen.is_empty() {
            return Err(BindError::NoAddress);
        }
        Self::WORKERS.check("UDP workers", &udp.workers)?;
        UdpConfig::REPLY_OCTETS.check("octets of a UDP reply", &udp.reply_octets_max)?;
        UdpConfig::RECEIVE_BUFFER_OCTETS.check("octets of the receive buffer", &udp.receive_buffer_octets)?;
        Self::WORKERS.check("TCP workers", &tcp.workers)?;
        TcpConfig::CONNECTIONS.check("TCP connections", &tcp.connections_max)?;
        TcpConfig::CONNECTIONS_PER_CLIENT
            .check("TCP connections per client", &tcp.connections_per_client_max)?;
        TcpConfig::IDLE_TIMEOUT.check("idle time-out", &Span(tcp.idle_timeout))?;
        TcpConfig::READ_TIMEOUT.check("read time-out", &Span(tcp.read_timeout))?;
        TcpConfig::WRITE_TIMEOUT.check("write time-out", &Span(tcp.write_timeout))?;
        TcpConfig::BACKLOG.check("backlog", &tcp.backlog)?;
        Self::DRAIN_TIMEOUT.check("drain time-out", &Span(*drain_timeout))
    }
}

impl UdpConfig {
    /// Largest reply; DNS needs 512 octets ([RFC 1035, section 4.2.1]), more than 4096 helps nobody.
    ///
    /// [RFC 1035, section 4.2.1]: https://www.rfc-editor.org/rfc/rfc1035#section-4.2.1
    pub const REPLY_OCTETS: Limit<usize> = Limit { default: 4096, min: 512, max: 4096 };
    /// Receive buffer of one socket: some thousand queries, for the time a worker gets no CPU.
    pub const RECEIVE_BUFFER_OCTETS: Limit<usize> = Limit { default: 4 << 20, min: 4 << 10, max: 1 << 30 };
    /// Largest request; longer datagrams are dropped and counted. Fixed.
    pub const REQUEST_OCTETS_MAX: usize = 4096;
}

impl TcpConfig {
    /// Connections in all.
    pub const CONNECTIONS: Limit<usize> = Limit { default: 1000, min: 1, max: 1_000_000 };
    /// Connections of one client: far more than a resolver opens, too few to lock the others out.
    pub const CONNECTIONS_PER_CLIENT: Limit<usize> = Limit { default: 100, min: 1, max: 1_000_000 };
    /// Time without a query.
    pub const IDLE_TIMEOUT: Limit<Duration> = seconds(10, 3600);
    /// Time for one message to arrive.
    pub const READ_TIMEOUT: Limit<Duration> = seconds(5, 600);
    /// Time for answers to be taken.
    pub const WRITE_TIMEOUT: Limit<Duration> = seconds(10, 600);
    /// Connections waiting to be accepted.
    pub const BACKLOG: Limit<u32> = Limit { default: 1024, min: 1, max: 65_535 };
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![(Ipv4Addr::UNSPECIFIED, 53).into(), (Ipv6Addr::UNSPECIFIED, 53).into()],
            udp: UdpConfig::default(),
            tcp: TcpConfig::default(),
            drain_timeout: Self::DRAIN_TIMEOUT.default,
        }
    }
}

impl Default for UdpConfig {
    fn default() -> Self {
        Self {
            workers: cores(),
            engine: UdpEngine::default(),
            pin_workers: false,
            reply_octets_max: Self::REPLY_OCTETS.default,
            receive_buffer_octets: Self::RECEIVE_BUFFER_OCTETS.default,
        }
    }
}

impl Default for UdpEngine {
    fn default() -> Self {
        if cfg!(target_os = "linux") { Self::Batched } else { Self::Single }
    }
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            workers: cores(),
            connections_max: Self::CONNECTIONS.default,
            connections_per_client_max: Self::CONNECTIONS_PER_CLIENT.default,
            idle_timeout: Self::IDLE_TIMEOUT.default,
            read_timeout: Self::READ_TIMEOUT.default,
            write_timeout: Self::WRITE_TIMEOUT.default,
            backlog: Self::BACKLOG.default,
        }
    }
}

impl<T: Copy> Limit<T> {
    fn check<V>(self, setting: &'static str, value: &V) -> Result<(), BindError>
    where
        V: PartialOrd + fmt::Display + From<T>,
    {
        let (min, max) = (V::from(self.min), V::from(self.max));
        if *value >= min && *value <= max {
            return Ok(());
        }
        Err(BindError::OutOfRange {
            setting,
            value: value.to_string(),
            min: min.to_string(),
            max: max.to_string(),
        })
    }
}

/// A duration that can be shown.
#[derive(PartialEq, PartialOrd)]
struct Span(Duration);

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A time-out with its default and maximum in seconds; the minimum is always a tenth of a second.
const fn seconds(default: u64, max: u64) -> Limit<Duration> {
    Limit {
        default: Duration::from_secs(default),
        min: Duration::from_millis(100),
        max: Duration::from_secs(max),
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(Config::WORKERS.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_accepted() {
        Config::default().check().unwrap();
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let mut config = Config::default();
        config.tcp.idle_timeout = Duration::from_hours(2);
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "idle time-out is 7200s, must be between 100ms and 3600s"
        );
        let mut config = Config::default();
        config.udp.workers = 0;
        assert_eq!(config.check().unwrap_err().to_string(), "UDP workers is 0, must be between 1 and 1024");
        config.listen.clear();
        assert_eq!(config.check().unwrap_err().to_string(), "no address to listen on");
    }
}
