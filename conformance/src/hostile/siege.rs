//! Attacks over TCP: connections that are held open and cost the server something, opened anew whenever it closes them.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use dns_core::RecordType;
use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::zone;
use crate::message::{Edns, query};

/// How long a handshake may take. On loopback it is done at once or, with the server's queue full, not at all.
const CONNECT_PATIENCE: Duration = Duration::from_millis(2);
/// Octets of receive buffer of a client that does not read.
const DEAF_RECEIVE_OCTETS: usize = 4096;
/// Octets that such a client writes at once, at most.
const DEAF_WRITE_OCTETS: usize = 65_536;

/// What the connections do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Manner {
    /// Nothing at all.
    Idle,
    /// Proper queries, one octet at a time.
    Drip,
    /// As many queries for large answers as the connection takes, without ever reading an answer.
    Deaf,
}

/// What to hold open.
#[derive(Clone, Copy, Debug)]
pub struct Siege {
    /// Whom to besiege; a loopback address.
    pub target: SocketAddrV4,
    /// What the connections do.
    pub manner: Manner,
    /// How many to hold open.
    pub connections: u32,
    /// The first of the addresses that they come from.
    pub first_source: Ipv4Addr,
    /// Connections per address.
    pub per_source: u32,
    /// How many to open per second, at most.
    pub opens_per_second: u32,
    /// For how long.
    pub time: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct SiegeReport {
    /// Connections opened, again and again included.
    pub opened: u64,
    /// Connections that could not be opened.
    pub refused: u64,
    /// Connections that the server closed.
    pub closed: u64,
    /// Connections open at one time, at most, as far as we know: a look at each now and then tells.
    pub held: u64,
    /// Octets written.
    pub octets: u64,
    /// Octets read.
    pub reply_octets: u64,
}

impl SiegeReport {
    /// Of two parts of one siege.
    pub fn add(&mut self, other: &Self) {
        self.opened += other.opened;
        self.refused += other.refused;
        self.closed += other.closed;
        self.held += other.held;
        self.octets += other.octets;
        self.reply_octets += other.reply_octets;
    }
}

/// A connection with how far it has got in what it writes over and over.
struct Held {
    socket: Socket,
    at: usize,
}

/// Besieges the server until the time is over. The connections end with it.
///
/// # Errors
/// The target is not on loopback, or sockets cannot be had.
pub fn besiege(plan: &Siege) -> Result<SiegeReport> {
    ensure!(plan.target.ip().is_loopback(), "{} is not on loopback", plan.target);
    ensure!(plan.first_source.is_loopback() && plan.per_source > 0, "sources are loopback addresses");
    let (pause, label) = match plan.manner {
        Manner::Idle => (Duration::from_millis(200), "h1"),
        Manner::Drip => (Duration::from_millis(100), "h1"),
        Manner::Deaf => (Duration::from_millis(50), "huge"),
    };
    let speech = speech(label);
    let mut slots: Vec<Option<Held>> = (0..plan.connections).map(|_| None).collect();
    let mut report = SiegeReport::default();
    let begin = Instant::now();
    let mut attempts = 0_u64;
    while begin.elapsed() < plan.time {
        let round = Instant::now();
        let mut open = 0;
        for (number, slot) in (0..).zip(&mut slots) {
            // One that is new may have been closed without our knowing.
            let is_new = slot.is_none();
            if is_new {
                let allowed = begin.elapsed().as_secs_f64() * f64::from(plan.opens_per_second);
                if attempts > allowed as u64 || begin.elapsed() >= plan.time {
                    continue;
                }
                attempts += 1;
                *slot = connect(plan, number)?;
                *(if slot.is_some() { &mut report.opened } else { &mut report.refused }) += 1;
            }
            if let Some(held) = slot {
                if held.go_on(plan.manner, &speech, &mut report) {
                    open += u64::from(!is_new);
                } else {
                    *slot = None;
                    report.closed += 1;
                }
            }
        }
        report.held = report.held.max(open);
        thread::sleep(pause.saturating_sub(round.elapsed()));
    }
    Ok(report)
}

/// A query as it goes over a connection.
fn speech(label: &str) -> Vec<u8> {
    let edns = Edns { payload_octets: 1232, dnssec_ok: false };
    let query = query(0x5369, &zone::name(label), RecordType::TXT, Some(edns));
    [&(query.len() as u16).to_be_bytes()[..], &query].concat()
}

/// `None` if the server does not take it.
fn connect(plan: &Siege, number: u32) -> Result<Option<Held>> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::from_bits(plan.first_source.to_bits() + number / plan.per_source);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    // Ends without a trace: tens of thousands in TIME_WAIT would weigh on whatever runs next.
    socket.set_linger(Some(Duration::ZERO))?;
    if plan.manner == Manner::Deaf {
        socket.set_recv_buffer_size(DEAF_RECEIVE_OCTETS)?;
    }
    if socket.connect_timeout(&SocketAddr::from(plan.target).into(), CONNECT_PATIENCE).is_err() {
        return Ok(None);
    }
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    Ok(Some(Held { socket, at: 0 }))
}

impl Held {
    /// Writes and reads as its manner is; false once the server has closed it.
    fn go_on(&mut self, manner: Manner, speech: &[u8], report: &mut SiegeReport) -> bool {
        let mut left = match manner {
            Manner::Idle => 0,
            Manner::Drip => 1,
            Manner::Deaf => DEAF_WRITE_OCTETS,
        };
        while left > 0 {
            let rest = &speech[self.at..];
            match self.socket.write(&rest[..rest.len().min(left)]) {
                Ok(written) => {
                    self.at = (self.at + written) % speech.len();
                    report.octets += written as u64;
                    left -= written;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        if manner == Manner::Deaf {
            // Looks whether the connection has ended, and leaves everything where it is.
            let mut octet = [MaybeUninit::uninit()];
            return match self.socket.peek(&mut octet) {
                Ok(octets) => octets > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            };
        }
        let mut octets = [0; 512];
        match self.socket.read(&mut octets) {
            Ok(0) => false,
            Ok(read) => {
                report.reply_octets += read as u64;
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// Raises the number of descriptors that this process may have as far as the system allows, and returns it.
pub fn raise_descriptor_limit() -> u64 {
    let limits = || {
        let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?.to_owned();
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    let Some((soft, hard)) = limits() else { return 1024 };
    if soft < hard {
        // Part of util-linux. Where it is missing, fewer connections are made.
        let own = std::process::id().to_string();
        let _ = Command::new("prlimit").args(["--pid", &own, &format!("--nofile={hard}:{hard}")]).status();
    }
    limits().map_or(soft, |(soft, _)| soft)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::iter;
    use std::net::{IpAddr, TcpListener, TcpStream};
    use std::thread::JoinHandle;

    use super::*;

    fn target() -> (TcpListener, SocketAddrV4) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(target) = listener.local_addr().unwrap() else { panic!("IPv4") };
        (listener, target)
    }

    fn plan(target: SocketAddrV4, manner: Manner) -> Siege {
        Siege {
            target,
            manner,
            connections: 6,
            first_source: Ipv4Addr::new(127, 16, 0, 1),
            per_source: 2,
            opens_per_second: 1000,
            time: Duration::from_millis(500),
        }
    }

    /// Accepts connections until [`end`] makes one, and hands each to `keep`.
    fn accept_all<K: Send + 'static>(
        listener: TcpListener,
        keep: impl Fn(TcpStream, IpAddr) -> K + Send + 'static,
    ) -> JoinHandle<Vec<K>> {
        thread::spawn(move || {
            let accepted = iter::from_fn(|| listener.accept().ok());
            let others = accepted.take_while(|(_, client)| client.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST));
            others.map(|(stream, client)| keep(stream, client.ip())).collect()
        })
    }

    /// What all connections were kept as.
    fn end<K>(target: SocketAddrV4, server: JoinHandle<Vec<K>>) -> Vec<K> {
        drop(TcpStream::connect(target).unwrap());
        server.join().unwrap()
    }

    #[test]
    fn connections_are_held_from_several_addresses() {
        let (listener, target) = target();
        let server = accept_all(listener, |stream, client| (stream, client));
        let report = besiege(&plan(target, Manner::Drip)).unwrap();
        let mut accepted = end(target, server);
        assert_eq!((report.opened, report.held, report.closed), (6, 6, 0), "{report:?}");
        assert_eq!(accepted.iter().map(|(_, client)| client).collect::<BTreeSet<_>>().len(), 3);
        // What was written stays readable; behind it comes the reset.
        let mut octets = Vec::new();
        let ended = accepted[0].0.read_to_end(&mut octets);
        assert!(ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        assert!(speech("h1").starts_with(&octets), "{octets:?}");
        assert!(report.octets >= 6, "{report:?}");
    }

    #[test]
    fn connections_are_opened_anew() {
        for manner in [Manner::Idle, Manner::Deaf] {
            let (listener, target) = target();
            let server = accept_all(listener, |stream, _| drop(stream));
            let report = besiege(&Siege { time: Duration::from_secs(1), ..plan(target, manner) }).unwrap();
            let accepted = end(target, server).len() as u64;
            assert!(report.opened > 6 && report.opened == accepted, "{manner:?} {accepted} {report:?}");
            assert!(report.closed > 0, "{manner:?} {report:?}");
        }
    }

    #[test]
    fn only_loopback_is_besieged() {
        assert!(besiege(&plan("192.0.2.1:53".parse().unwrap(), Manner::Idle)).is_err());
        assert!(raise_descriptor_limit() >= 256);
    }
}
