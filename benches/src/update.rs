//! Changes of records in a zone of [`ZonePlan`], over the network: dynamic updates ([RFC 2136]), unsigned.
//!
//! [RFC 2136]: https://www.rfc-editor.org/rfc/rfc2136

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dns_core::{Class, Name, Opcode, RecordType, ResponseCode};
use serde::Serialize;

use crate::ask::{Asker, answer, field, header, question, rcode};
use crate::changes::{Hosts, Latency};
use crate::zone::{APEX, ZonePlan};

/// Lifetime of the new records, in seconds; that of the old ones.
const TTL: u32 = 300;
/// Whom to send updates, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// A loopback address.
    pub target: SocketAddr,
    /// The zone that it serves.
    pub zone: ZonePlan,
    /// How long to time changes, and then how long to count them.
    pub time: Duration,
    /// A change that is not acknowledged and answered by then fails the run.
    pub patience: Duration,
}

/// How long changes took until they were answered, and how many were acknowledged per second.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The changes.
    #[serde(flatten)]
    pub latency: Latency,
    /// How often the server answered an update with SERVFAIL and took it later. YADIFA does so when its journal is full,
    /// until it has written the zone to disk.
    pub put_off: u64,
}

/// Replaces the address of one host after another, from one client.
///
/// First every update is followed by questions until the new address is answered: the times are from sending the update
/// to that answer. Then, for as long again, each update follows the acknowledgement of the one before: that is the rate.
/// Nothing sleeps in between, so that no wake-up of ours is charged to the server.
///
/// # Errors
///
/// If the server refuses an update, answers a question with an error, or takes longer than the plan's patience.
pub fn run(plan: &Plan) -> Result<Report> {
    let mut client = Client::new(plan)?;
    let start = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || start.elapsed() < plan.time {
        let begin = Instant::now();
        client.update(begin)?;
        client.see(begin)?;
        times.push(begin.elapsed());
        client.made += 1;
    }
    let (first, start) = (client.made, Instant::now());
    while client.made == first || start.elapsed() < plan.time {
        client.update(Instant::now())?;
        client.made += 1;
    }
    let per_second = (client.made - first) as f64 / start.elapsed().as_secs_f64();
    // What was acknowledged was done.
    client.made -= 1;
    client.see(Instant::now())?;
    let latency = Latency::of(times, per_second).context("there were no changes")?;
    Ok(Report { latency, put_off: client.put_off })
}

/// Sends updates, and asks what has become of them.
struct Client {
    asker: Asker,
    patience: Duration,
    apex: Name,
    hosts: Hosts,
    /// Number of the change that is being made.
    made: u64,
    put_off: u64,
}

impl Client {
    fn new(plan: &Plan) -> Result<Self> {
        Ok(Self {
            asker: Asker::new(plan.target, plan.patience)?,
            patience: plan.patience,
            apex: APEX.parse()?,
            hosts: Hosts::new(plan.zone),
            made: 0,
            put_off: 0,
        })
    }

    /// Sends the update until it is acknowledged.
    fn update(&mut self, begin: Instant) -> Result<()> {
        let (owner, address) = self.hosts.change(self.made)?;
        let update = update(&self.apex, &owner, address);
        loop {
            let reply =
                self.asker.exchange(update.clone(), begin).with_context(|| format!("updating {owner}"))?;
            match rcode(reply) {
                ResponseCode::NOERROR => return Ok(()),
                ResponseCode::SERVFAIL if begin.elapsed() < self.patience => self.put_off += 1,
                other => bail!("updating {owner}: {}", other.label()),
            }
        }
    }

    /// Asks until the new address is answered.
    fn see(&mut self, begin: Instant) -> Result<()> {
        let (owner, address) = self.hosts.change(self.made)?;
        let question = question(&owner);
        loop {
            let reply = self.asker.exchange(question.clone(), begin);
            let reply = reply.with_context(|| format!("asking for {owner}, which was updated"))?;
            ensure!(rcode(reply) == ResponseCode::NOERROR, "asking for {owner}: {}", rcode(reply).label());
            if answer(&question, reply) == Some(address) {
                return Ok(());
            }
            ensure!(
                begin.elapsed() < self.patience,
                "{owner} still has another address {} s after its update",
                self.patience.as_secs_f64()
            );
        }
    }
}

/// Replaces all addresses of the owner by this one: "delete an RRset" and "add to an RRset" ([RFC 2136, section 2.5]).
///
/// [RFC 2136, section 2.5]: https://www.rfc-editor.org/rfc/rfc2136#section-2.5
fn update(apex: &Name, owner: &Name, address: [u8; 4]) -> Vec<u8> {
    // One zone, no prerequisites, two updates.
    let mut message = header(Opcode::UPDATE, [1, 0, 2, 0]);
    field(&mut message, apex, RecordType::SOA, Class::IN);
    field(&mut message, owner, RecordType::A, Class::ANY);
    message.extend([0; 6]); // neither lifetime nor data
    field(&mut message, owner, RecordType::A, Class::IN);
    message.extend(TTL.to_be_bytes());
    message.extend((address.len() as u16).to_be_bytes());
    message.extend(address);
    message
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::UdpSocket;
    use std::thread;

    use super::*;
    use crate::questions::HEADER_OCTETS;

    const ZONE: ZonePlan = ZonePlan { names: 100 };

    /// A server that acknowledges updates with each of these RCODEs in turn, and does what they say when the name is asked
    /// for so often. It ends with the test's process.
    fn serve(update_rcodes: &'static [u8], asked_before: u32) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            // The new address of each name, and how often it was asked for since.
            let mut records: HashMap<Name, ([u8; 4], u32)> = HashMap::new();
            let mut update_rcodes = update_rcodes.iter().copied().cycle();
            let mut buffer = [0; 512];
            loop {
                let (octets, client) = socket.recv_from(&mut buffer).unwrap();
                let mut reply = buffer[..octets].to_vec();
                let (qname, rest) = Name::split_from_wire(&buffer[HEADER_OCTETS..octets]).unwrap();
                reply[2] |= 0x80;
                if buffer[2] == 0x28 {
                    reply[3] = update_rcodes.next().unwrap();
                    let (owner, address) = read(&qname, rest);
                    if reply[3] == 0 {
                        records.insert(owner, (address, 0));
                    }
                } else if let Some((address, asked)) = records.get_mut(&qname) {
                    *asked += 1;
                    let shown = if *asked > asked_before { *address } else { [10, 0, 0, 1] };
                    reply[7] = 1;
                    reply.extend(b"\xC0\x0C\0\x01\0\x01\0\0\x01\x2C\0\x04");
                    reply.extend(shown);
                }
                socket.send_to(&reply, client).unwrap();
            }
        });
        address
    }

    /// What an update says behind the name of its zone.
    fn read(apex: &Name, rest: &[u8]) -> (Name, [u8; 4]) {
        assert_eq!(apex.to_string(), APEX);
        let rest = rest.strip_prefix(b"\0\x06\0\x01").unwrap();
        let (deleted, rest) = Name::split_from_wire(rest).unwrap();
        let rest = rest.strip_prefix(b"\0\x01\0\xFF\0\0\0\0\0\0").unwrap();
        let (added, rest) = Name::split_from_wire(rest).unwrap();
        let rest = rest.strip_prefix(b"\0\x01\0\x01\0\0\x01\x2C\0\x04").unwrap();
        assert_eq!(deleted, added);
        (added, rest.try_into().unwrap())
    }

    fn plan(target: SocketAddr, patience: Duration) -> Plan {
        Plan { target, zone: ZONE, time: Duration::from_millis(50), patience }
    }

    #[test]
    fn every_change_is_asked_for_until_it_is_seen() {
        let target = serve(&[0], 3);
        let Report { latency, put_off } = run(&plan(target, Duration::from_mins(1))).unwrap();
        assert!(latency.changes > 0 && latency.changes_per_second > 0.0 && put_off == 0, "{latency:?}");
        assert!(latency.median_micros <= latency.p99_micros && latency.p99_micros <= latency.max_micros);
    }

    #[test]
    fn what_is_put_off_is_sent_again() {
        let report = run(&plan(serve(&[2, 2, 0], 0), Duration::from_mins(1))).unwrap();
        assert!(report.latency.changes > 0 && report.put_off >= 2 * report.latency.changes, "{report:?}");
        // Not for ever. What came last before that depends on how busy the machine is.
        let error = run(&plan(serve(&[2], 0), Duration::from_millis(20))).unwrap_err();
        assert!(format!("{error:#}").contains("updating h"), "{error:#}");
    }

    #[test]
    fn refusals_and_changes_that_nobody_sees_fail_the_run() {
        let failure = |target, patience| format!("{:#}", run(&plan(target, patience)).unwrap_err());
        let error = failure(serve(&[5], 0), Duration::from_mins(1));
        assert!(error.contains("updating h") && error.contains("refused"), "{error}");
        let error = failure(serve(&[0], u32::MAX), Duration::from_millis(20));
        assert!(error.contains("0.02 s"), "{error}");
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = failure(silent.local_addr().unwrap(), Duration::from_millis(20));
        assert!(error.contains("nothing came back within 0.02 s"), "{error}");
        let error = failure("192.0.2.1:53".parse().unwrap(), Duration::from_mins(1));
        assert!(error.contains("192.0.2.1:53 is no loopback address"), "{error}");
    }
}
