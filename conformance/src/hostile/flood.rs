//! Floods over UDP: packets at a stated rate, from one source address or from very many.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::sys::{BATCH_PACKETS, Batch, SpreadBatch};
use serde::Serialize;
use socket2::SockRef;

/// Octets of replies that may wait for us; the system grants what it allows.
const RECEIVE_OCTETS: usize = 4 << 20;
/// How long to wait for the last replies.
const LAST_REPLIES: Duration = Duration::from_millis(200);

/// Attackers have addresses from here on.
pub const ATTACKERS: Ipv4Addr = Ipv4Addr::new(127, 32, 0, 1);
/// Source addresses, at most: those from [`ATTACKERS`] up to `127.63.255.255`.
pub const SOURCES_MAX: u32 = (32 << 16) - 1;

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// Whom to flood; a loopback address.
    pub target: SocketAddrV4,
    /// From how many addresses, in turn.
    pub sources: u32,
    /// Packets per second; `None` for as many as one thread can send.
    pub rate: Option<u32>,
    /// For how long.
    pub time: Duration,
}

/// What was sent and what came back.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct FloodReport {
    /// Seconds from the first packet to the last.
    pub seconds: f64,
    /// Packets sent.
    pub packets: u64,
    /// Their octets, without IP and UDP headers.
    pub octets: u64,
    /// Replies that arrived.
    pub replies: u64,
    /// Their octets.
    pub reply_octets: u64,
    /// Replies with TC.
    pub truncated: u64,
}

impl FloodReport {
    /// Replies per packet.
    pub fn replies_per_packet(&self) -> f64 {
        self.replies as f64 / self.packets.max(1) as f64
    }

    /// Octets that came back per octet sent.
    pub fn amplification(&self) -> f64 {
        self.reply_octets as f64 / self.octets.max(1) as f64
    }

    /// Packets per second.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.packets as f64 / self.seconds } else { 0.0 }
    }
}

/// Sends what `make` writes, which gets the packet's number and an empty buffer, and counts what comes back.
///
/// # Errors
/// The target is not on loopback, or the socket fails.
pub fn flood(plan: &Flood, mut make: impl FnMut(u64, &mut Vec<u8>)) -> Result<FloodReport> {
    ensure!(plan.target.ip().is_loopback(), "{} is not on loopback", plan.target);
    ensure!((1..=SOURCES_MAX).contains(&plan.sources), "1 to {SOURCES_MAX} sources, not {}", plan.sources);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("binding the attacker's socket")?;
    SockRef::from(&socket).set_recv_buffer_size(RECEIVE_OCTETS)?;
    let mut report = FloodReport::default();
    let (mut out, mut back) = (SpreadBatch::new(), Batch::new());
    let mut packet = Vec::with_capacity(512);
    let begin = Instant::now();
    let mut number = 0;
    while begin.elapsed() < plan.time {
        let allowed =
            plan.rate.map_or(u64::MAX, |rate| (begin.elapsed().as_secs_f64() * f64::from(rate)) as u64);
        let count = (allowed.saturating_sub(report.packets)).min(BATCH_PACKETS as u64);
        if count == 0 {
            receive(&mut back, &socket, &mut report)?;
            thread::sleep(Duration::from_micros(200));
            continue;
        }
        for _ in 0..count {
            packet.clear();
            make(number, &mut packet);
            out.push(&packet, source(number, plan.sources), plan.target);
            report.octets += packet.len() as u64;
            number += 1;
        }
        report.packets += out.send(&socket).context("flooding")? as u64;
        receive(&mut back, &socket, &mut report)?;
    }
    report.seconds = begin.elapsed().as_secs_f64();
    let end = Instant::now();
    while end.elapsed() < LAST_REPLIES {
        receive(&mut back, &socket, &mut report)?;
        thread::sleep(Duration::from_millis(2));
    }
    Ok(report)
}

/// The address of a packet: neighbours in time lie in different networks.
fn source(number: u64, sources: u32) -> Ipv4Addr {
    let index = (number % u64::from(sources)) as u32;
    Ipv4Addr::from_bits(ATTACKERS.to_bits() + index)
}

fn receive(back: &mut Batch, socket: &UdpSocket, report: &mut FloodReport) -> Result<()> {
    loop {
        let received = back.receive(socket, false).context("receiving replies")?;
        for index in 0..received {
            let reply = back.packet(index);
            report.replies += 1;
            report.reply_octets += reply.len() as u64;
            report.truncated += u64::from(reply.get(2).is_some_and(|flags| flags & 2 != 0));
        }
        if received < BATCH_PACKETS {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_and_comes_back_is_counted() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let std::net::SocketAddr::V4(target) = server.local_addr().unwrap() else { panic!("IPv4") };
        let echo = thread::spawn(move || {
            let mut octets = [0; 100];
            let mut sources = std::collections::BTreeSet::new();
            // Ends with the packet that says so.
            while let Ok((length, from)) = server.recv_from(&mut octets) {
                if length == 1 {
                    break;
                }
                sources.insert(from.ip());
                octets[2] = 2;
                server.send_to(&[&octets[..length], &octets[..length]].concat(), from).unwrap();
            }
            sources.len()
        });
        let plan = Flood { target, sources: 50, rate: Some(1000), time: Duration::from_millis(200) };
        let report = flood(&plan, |number, packet| packet.extend(number.to_be_bytes())).unwrap();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[0], target).unwrap();
        assert_eq!(echo.join().unwrap() as u64, report.packets.min(50));
        assert!(report.packets > 0 && report.packets <= 201, "{report:?}");
        assert_eq!(
            (report.replies, report.truncated, report.reply_octets),
            (report.packets, report.packets, report.octets * 2)
        );
    }

    #[test]
    fn only_loopback_is_flooded() {
        let target = "192.0.2.1:53".parse().unwrap();
        let plan = Flood { target, sources: 1, rate: None, time: Duration::from_secs(1) };
        assert!(flood(&plan, |_, _| {}).is_err());
        assert_eq!(source(3, 2), Ipv4Addr::new(127, 32, 0, 2));
        assert_eq!(source(u64::from(SOURCES_MAX) - 1, SOURCES_MAX), Ipv4Addr::new(127, 63, 255, 255));
    }
}
