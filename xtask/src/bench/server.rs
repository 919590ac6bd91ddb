//! Servers that run: started, found ready, and ended with their handle.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::config::Site;
use super::entrant::{Entrant, Kind};
use super::process::{self, Memory, Process, Times};
use super::zones::Zones;

/// A server that has not answered by then is not measured.
const START_PATIENCE: Duration = Duration::from_mins(2);
/// How long to wait for an answer of a server that runs.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);
/// How long to wait for an answer before asking again, while a server starts: one that has bound its socket and is still
/// loading may drop the question. It is also how exactly such a start is timed.
const START_ANSWER_PATIENCE: Duration = Duration::from_millis(10);
/// Before a server listens, a question is refused at once, and while it loads it may answer with an error: the next one
/// comes so much later.
const PROBE_PAUSE: Duration = Duration::from_millis(1);
/// Where there are many zones, so many of them have to be there.
const PROBED_ZONES: usize = 500;
/// Apex of the sample zone of ours.
const SAMPLE_APEX: &str = "example.test";

/// A running server that has answered for its zones.
pub struct Server {
    pub entrant: Entrant,
    pub address: SocketAddr,
    /// From the start of the process to its first right answer (for many zones, to the last of those asked for).
    pub started_in: Duration,
    apex: Option<String>,
    process: Process,
    /// The process and those it has started.
    family: Vec<u32>,
}

impl Server {
    /// Starts the server and waits for its answers. Without zones it is ours with its sample zone.
    pub fn start(entrant: Entrant, programs: &Path, folder: &Path, zones: Option<&Zones>) -> Result<Self> {
        let address = free_address()?;
        let own = tempfile::Builder::new().prefix(entrant.kind.word()).tempdir_in(folder)?.keep();
        let log = own.join("log");
        let site = Site { kind: entrant.kind, setup: entrant.setup, address, programs, folder: &own, zones };
        let mut command = site.command()?;
        let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        // What a server leaves where it runs goes with the folder.
        command.current_dir(&own);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let start = Instant::now();
        let process = Process::start(&mut command)?;
        let apex = zones.and_then(|zones| zones.apexes.first().cloned());
        let started_in = Duration::ZERO;
        let mut server = Self { entrant, address, started_in, apex, process, family: Vec::new() };
        server.wait(zones, start).with_context(|| {
            let text = fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let last: Vec<&str> = text.trim().lines().rev().take(5).collect();
            format!("cannot start; its last words, latest first: {}", last.join(" / "))
        })?;
        server.started_in = start.elapsed();
        server.family = server.process.family();
        server.pause();
        Ok(server)
    }

    /// Lets it work; see [`pause`](Self::pause).
    pub fn resume(&self) {
        if self.entrant.kind == Kind::Changes {
            self.process.resume();
        }
    }

    /// Keeps those from work that have some even without questions, while others are measured.
    pub fn pause(&self) {
        if self.entrant.kind == Kind::Changes {
            self.process.pause();
        }
    }

    /// Serial of its zone, for those that change it; 0 for others.
    pub fn serial(&self) -> Result<u32> {
        let (Kind::Changes, Some(apex)) = (self.entrant.kind, &self.apex) else {
            return Ok(0);
        };
        let reply = self.ask(&probe(apex), ANSWER_PATIENCE)?.context("no answer for the SOA record")?;
        serial(&probe(apex), &reply).context("an answer without an SOA record")
    }

    /// CPU time it has used.
    pub fn times(&self) -> Result<Times> {
        process::times(&self.family)
    }

    /// Memory it has.
    pub fn memory(&self) -> Result<Memory> {
        process::memory(&self.family)
    }

    fn wait(&mut self, zones: Option<&Zones>, start: Instant) -> Result<()> {
        let apexes: Vec<&str> = match zones {
            // The last ones are the last to be loaded, in most servers.
            Some(zones) => {
                let step = zones.apexes.len().div_ceil(PROBED_ZONES).max(1);
                zones.apexes.iter().rev().step_by(step).map(String::as_str).collect()
            }
            None => vec![SAMPLE_APEX],
        };
        let mut left = &apexes[..];
        while let Some((apex, rest)) = left.split_first() {
            if start.elapsed() > START_PATIENCE {
                bail!("no right answer for {apex} within {} s", START_PATIENCE.as_secs());
            }
            if let Some(status) = self.process.ended()? {
                bail!("ended at once: {status}");
            }
            if self.answers(&probe(apex))? {
                left = rest;
            } else {
                thread::sleep(PROBE_PAUSE);
            }
        }
        Ok(())
    }

    fn answers(&self, probe: &[u8]) -> Result<bool> {
        let reply = self.ask(probe, START_ANSWER_PATIENCE)?;
        Ok(reply.is_some_and(|reply| is_answer(self.entrant.kind, probe, &reply)))
    }

    /// What comes back within a while, if anything does.
    fn ask(&self, probe: &[u8], patience: Duration) -> Result<Option<Vec<u8>>> {
        ask(self.address, probe, patience)
    }
}

/// Asks once; `None` if nothing comes back in time.
fn ask(address: SocketAddr, probe: &[u8], patience: Duration) -> Result<Option<Vec<u8>>> {
    // A fresh socket each time: answers and errors of earlier questions do not matter.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(patience))?;
    let mut reply = [0; 4096];
    let received = socket.send(probe).and_then(|_| socket.recv(&mut reply));
    Ok(received.ok().map(|octets| reply[..octets].to_vec()))
}

/// Whether a server that may be starting answers for the zone.
pub fn is_served(address: SocketAddr, apex: &str) -> Result<bool> {
    let probe = probe(apex);
    let reply = ask(address, &probe, START_ANSWER_PATIENCE)?;
    Ok(reply.is_some_and(|reply| is_answer(Kind::Ours, &probe, &reply)))
}

/// The question for the SOA record of the zone, with an id that is its own.
fn probe(apex: &str) -> Vec<u8> {
    let mut packet = b"\x4A\x57\0\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in apex.split('.') {
        packet.push(label.len() as u8); // names of the generator have short labels
        packet.extend(label.as_bytes());
    }
    packet.extend(b"\0\0\x06\0\x01");
    packet
}

/// Whether it answers the probe with one authoritative record; REFUSED and SERVFAIL come while a zone is loading.
fn is_answer(kind: Kind, probe: &[u8], reply: &[u8]) -> bool {
    let Some(header) = reply.first_chunk::<12>() else {
        return false;
    };
    let (rcode, answers) = (header[3] & 0x0F, u16::from_be_bytes([header[6], header[7]]));
    let response = header[..2] == probe[..2] && header[2] & 0x80 != 0 && rcode == 0;
    response && (kind == Kind::Echo || (header[2] & 0x04 != 0 && answers == 1))
}

/// The serial in the SOA record that is the first answer to the probe, whose owner is a pointer to the question.
fn serial(probe: &[u8], reply: &[u8]) -> Option<u32> {
    let (head, rest) = reply.get(probe.len()..)?.split_first_chunk::<12>()?;
    let rdata = rest.get(..usize::from(u16::from_be_bytes([head[10], head[11]])))?;
    // Behind the two names stand five numbers of four octets, the serial first.
    let numbers = rdata.last_chunk::<20>().filter(|_| head[..4] == *b"\xC0\x0C\0\x06")?;
    numbers.first_chunk().map(|serial| u32::from_be_bytes(*serial))
}

/// A loopback port that is free for both UDP and TCP.
pub fn free_address() -> Result<SocketAddr> {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let address = udp.local_addr()?;
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of 127.0.0.1 is free for both UDP and TCP");
}

#[cfg(test)]
mod tests {
    use super::super::entrant::Asking;
    use super::*;

    #[test]
    fn answers_are_told_from_questions_and_errors() {
        let probe = probe("bench.test");
        assert_eq!(probe[12..], *b"\x05bench\x04test\0\0\x06\0\x01");
        let mut reply = probe.clone();
        assert!(!is_answer(Kind::Ours, &probe, &reply));
        reply[2] = 0x84;
        assert!(is_answer(Kind::Echo, &probe, &reply));
        assert!(!is_answer(Kind::Ours, &probe, &reply));
        reply[7] = 1;
        assert!(is_answer(Kind::Ours, &probe, &reply));
        reply[2] = 0x80;
        assert!(!is_answer(Kind::Ours, &probe, &reply));
        reply[2] = 0x84;
        reply[3] = 5;
        assert!(!is_answer(Kind::Ours, &probe, &reply));
        assert!(!is_answer(Kind::Ours, &probe, &[]));
    }

    #[test]
    fn serials_are_read_from_soa_records_only() {
        let probe = probe("bench.test");
        let mut reply = probe.clone();
        reply.extend(b"\xC0\x0C\0\x06\0\x01\0\0\x01\x2C\0\x18\xC0\x0C\xC0\x0C\0\0\x01\x02");
        reply.extend([9; 16]);
        assert_eq!(serial(&probe, &reply), Some(0x102));
        assert_eq!(serial(&probe, &reply[..reply.len() - 1]), None);
        assert_eq!(serial(&probe, &probe), None);
        reply[probe.len() + 3] = 2;
        assert_eq!(serial(&probe, &reply), None);
    }

    #[test]
    fn a_program_that_ends_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let entrant = Entrant::plain(Kind::Echo, Asking::udp("hits"));
        let error = Server::start(entrant, Path::new("no/such/folder"), folder.path(), None);
        let error = format!("{:#}", error.err().unwrap());
        assert!(error.contains("no/such/folder/echo"), "{error}");
    }
}
