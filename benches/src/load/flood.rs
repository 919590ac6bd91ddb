//! A client that sends at a steady rate and does not wait for answers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use super::Plan;
use crate::questions::Questions;
use crate::sys::{BATCH_PACKETS, Batch};

/// Where it asks from: loopback, in another network of 24 bits than everybody else, since limits count by network.
const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 1);

/// The client with what it has sent.
pub struct Flood<'q> {
    socket: UdpSocket,
    questions: &'q Questions,
    rate: u32,
    start: Instant,
    next: usize,
    sent: u64,
    answered: u64,
}

impl<'q> Flood<'q> {
    /// `None` if the plan has no flood.
    ///
    /// # Errors
    ///
    /// If there is no socket for it: it asks over IPv4 only.
    pub fn new(plan: &Plan, questions: &'q Questions, start: Instant) -> io::Result<Option<Self>> {
        if plan.flood == 0 || questions.is_empty() {
            return Ok(None);
        }
        let socket = UdpSocket::bind(SocketAddr::new(IpAddr::V4(SOURCE), 0))?;
        socket.connect(plan.target)?;
        Ok(Some(Self { socket, questions, rate: plan.flood, start, next: 0, sent: 0, answered: 0 }))
    }

    /// Sends what is due, at most one batch of it, and throws away what has come; false if nothing was due.
    pub fn ask(&mut self, batch: &mut Batch, now: Instant) -> bool {
        let due = (now.duration_since(self.start).as_secs_f64() * f64::from(self.rate)) as u64;
        let count = due.saturating_sub(self.sent).min(BATCH_PACKETS as u64);
        // A few at a time: less would only measure what system calls cost the load.
        if count < BATCH_PACKETS as u64 / 4 {
            return false;
        }
        batch.clear();
        for _ in 0..count {
            batch.push(self.questions.packet(self.next));
            self.next = (self.next + 1) % self.questions.len();
        }
        // What the system does not take is not sent later: a flood does not care.
        self.sent += batch.send(&self.socket, 0).unwrap_or(0) as u64;
        self.drain(batch);
        true
    }

    /// How many questions it sent, and how many answers it got.
    pub fn finish(mut self, batch: &mut Batch) -> (u64, u64) {
        self.drain(batch);
        (self.sent, self.answered)
    }

    fn drain(&mut self, batch: &mut Batch) {
        while let Ok(received) = batch.receive(&self.socket, false)
            && received > 0
        {
            self.answered += received as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::Check;
    use crate::questions::Mixture;
    use crate::zone::ZonePlan;

    #[test]
    fn what_is_due_is_sent_from_another_network() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let plan = Plan {
            target: server.local_addr().unwrap(),
            sockets: 1,
            outstanding: 1,
            time: Duration::from_secs(1),
            queries_max: 1,
            check: Check::Full,
            flood: 1000,
        };
        let questions = Questions::new(ZonePlan { names: 10 }, Mixture::Hits);
        let start = Instant::now();
        let mut batch = Batch::new();
        assert!(Flood::new(&Plan { flood: 0, ..plan }, &questions, start).unwrap().is_none());
        let mut flood = Flood::new(&plan, &questions, start).unwrap().unwrap();
        assert!(!flood.ask(&mut batch, start + Duration::from_millis(10)));
        assert!(flood.ask(&mut batch, start + Duration::from_millis(30)));
        assert!(!flood.ask(&mut batch, start + Duration::from_millis(31)));
        let mut octets = [0; 600];
        let (length, from) = server.recv_from(&mut octets).unwrap();
        assert_eq!(&octets[..length], questions.packet(0));
        assert_eq!(from.ip(), IpAddr::V4(SOURCE));
        server.send_to(b"?", from).unwrap();
        assert_eq!(flood.finish(&mut batch), (30, 1));
    }
}
