//! The servers: how each is configured for speed, started and found ready.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use super::process::{self, Process};
use crate::shell;

/// Core of the servers; only one of them works at a time. The load has [`LOAD_CORE`](super::measure::LOAD_CORE).
const SERVER_CORE: u32 = 0;
/// A server that has not answered by then is not measured; a million names take the slowest ones some seconds.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// How long to wait for an answer before asking again, while a server starts.
const ANSWER_PATIENCE: Duration = Duration::from_millis(100);
/// A server that nobody stopped ends after so many seconds, where it can be told to.
const LIFE_SECONDS: u32 = 7200;
/// The question for `bench.test. SOA` with id 0x4A57: what every server of the zone can answer.
const PROBE: &[u8] = b"\x4A\x57\0\0\0\x01\0\0\0\0\0\0\x05bench\x04test\0\0\x06\0\x01";

/// A server to measure.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Kind {
    /// Flips the QR bit: the floor.
    Echo,
    /// `jw238dns`.
    Ours,
    /// Knot DNS.
    Knot,
}

impl Kind {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 3] = [Self::Echo, Self::Ours, Self::Knot];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo floor",
            Self::Ours => "jw238dns",
            Self::Knot => "Knot",
        }
    }

    /// How much its answers can be checked, as `load --check` takes it.
    pub fn check(self) -> &'static str {
        match self {
            Self::Echo => "question",
            Self::Ours | Self::Knot => "full",
        }
    }
}

/// A running server that has answered once.
pub struct Server {
    pub kind: Kind,
    pub address: SocketAddr,
    process: Process,
}

impl Server {
    /// Starts the server with one worker on its core and waits for its first answer.
    pub fn start(kind: Kind, programs: &Path, folder: &Path, zone: &Path) -> Result<Self> {
        let address = free_address()?;
        let log = folder.join(format!("{kind:?}.log"));
        let mut command = command(kind, address, programs, folder, zone)?;
        let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let process = Process::start(&mut command)?;
        let mut server = Self { kind, address, process };
        server.wait().with_context(|| {
            let text = fs::read(&log).unwrap_or_default();
            format!("cannot start; it said: {}", String::from_utf8_lossy(&text).trim())
        })?;
        Ok(server)
    }

    /// CPU seconds it has used.
    pub fn cpu_seconds(&self) -> Result<f64> {
        process::cpu_seconds(self.process.id())
    }

    fn wait(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut reply = [0; 4096];
        while start.elapsed() < START_PATIENCE {
            if let Some(status) = self.process.ended()? {
                bail!("ended at once: {status}");
            }
            // A fresh socket each time: answers and errors of earlier questions do not matter.
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(self.address)?;
            socket.set_read_timeout(Some(ANSWER_PATIENCE))?;
            // Before the server listens, the question is refused at once: that is no reason to spin.
            let asked = Instant::now();
            let received = socket.send(PROBE).and_then(|_| socket.recv(&mut reply));
            if received.is_ok_and(|octets| is_answer(&reply[..octets])) {
                return Ok(());
            }
            std::thread::sleep(ANSWER_PATIENCE.saturating_sub(asked.elapsed()));
        }
        bail!("no right answer within {} s", START_PATIENCE.as_secs());
    }
}

/// Whether it answers the probe without an error; REFUSED and SERVFAIL come while a zone is loading.
fn is_answer(reply: &[u8]) -> bool {
    let Some(header) = reply.first_chunk::<12>() else {
        return false;
    };
    let rcode = header[3] & 0x0F;
    header[..2] == PROBE[..2] && header[2] & 0x80 != 0 && rcode == 0
}

fn command(kind: Kind, address: SocketAddr, programs: &Path, folder: &Path, zone: &Path) -> Result<Command> {
    Ok(match kind {
        Kind::Echo => {
            let mut command = process::pinned(SERVER_CORE, &programs.join("echo"));
            command.args(["--listen", &address.to_string(), "--seconds", &LIFE_SECONDS.to_string()]);
            command
        }
        Kind::Ours => {
            let mut command = process::pinned(SERVER_CORE, &programs.join("jw238dns"));
            command.args(["--listen", &address.to_string(), "--zone"]);
            command.arg(format!("bench.test.={}", zone.display())).env("JW238DNS_WORKERS", "1");
            command
        }
        Kind::Knot => {
            let program = shell::find_program("knotd").context("knotd is not installed")?;
            let mut command = process::pinned(SERVER_CORE, &program);
            command.arg("--config").arg(write_knot_config(address, folder, zone)?);
            command
        }
    })
}

fn write_knot_config(address: SocketAddr, folder: &Path, zone: &Path) -> Result<PathBuf> {
    let state = folder.join("knot");
    fs::create_dir_all(&state).with_context(|| format!("cannot create {}", state.display()))?;
    let config = format!(
        "server:
    rundir: {state}
    listen: {ip}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: {state}
zone:
  - domain: bench.test
    file: {zone}
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
",
        ip = address.ip(),
        port = address.port(),
        state = state.display(),
        zone = zone.display(),
    );
    let file = state.join("knot.conf");
    fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// A loopback port that is free for both UDP and TCP.
fn free_address() -> Result<SocketAddr> {
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
    use super::*;

    #[test]
    fn answers_are_told_from_questions_and_errors() {
        let mut reply = PROBE.to_vec();
        assert!(!is_answer(&reply));
        reply[2] = 0x84;
        assert!(is_answer(&reply));
        reply[3] = 5;
        assert!(!is_answer(&reply));
        assert!(!is_answer(&[]));
    }

    #[test]
    fn a_program_that_ends_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let error = Server::start(Kind::Echo, Path::new("no/such/folder"), folder.path(), Path::new("zone"));
        let error = format!("{:#}", error.err().unwrap());
        assert!(error.contains("no/such/folder/echo"), "{error}");
    }
}
