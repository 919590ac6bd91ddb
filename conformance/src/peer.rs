//! Name servers as black boxes: started on a loopback port with a folder of their own, stopped when dropped.

mod command;

pub(crate) use self::command::stop;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dns_core::{Name, RecordType, ResponseCode};
use tempfile::TempDir;

use crate::client::{Client, Transport};

/// How long a server may take until it answers for every zone.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long one probe waits.
const PROBE_PATIENCE: Duration = Duration::from_millis(50);

/// A name server that can be asked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Our own binary, from `TEST_SUBJECT` or from beside the test executable.
    Subject,
    /// BIND 9: `named`.
    Bind,
    /// NSD.
    Nsd,
    /// Knot DNS: `knotd`.
    Knot,
}

impl Kind {
    /// Those that others wrote.
    pub const PEERS: [Self; 3] = [Self::Bind, Self::Nsd, Self::Knot];

    /// Name for reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Subject => "jw238dns",
            Self::Bind => "BIND",
            Self::Nsd => "NSD",
            Self::Knot => "Knot",
        }
    }

    /// The program, if this machine has it.
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Self::Subject => command::subject(),
            Self::Bind => find_program("named"),
            Self::Nsd => find_program("nsd"),
            Self::Knot => find_program("knotd"),
        }
    }
}

/// Finds a program in `PATH` or where Debian keeps servers.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/bin".into()])
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// A zone to load: its apex, and its file.
#[derive(Clone, Debug)]
pub struct ZoneFile {
    /// Name of the zone.
    pub apex: Name,
    /// Absolute path of its text.
    pub path: PathBuf,
}

/// Writes a configuration into the folder and sets the arguments; the server shall answer at the address.
pub type Configure<'c> = dyn Fn(&mut Command, &Path, SocketAddr) -> Result<()> + 'c;

/// A server that runs.
pub struct Server {
    /// What it is.
    pub kind: Kind,
    /// Where it answers, over UDP and TCP.
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts the server with these zones and waits until it answers for each.
    ///
    /// # Errors
    /// The program is missing or exits, or does not answer in time; its last words are part of the error.
    pub fn start(kind: Kind, zones: &[ZoneFile]) -> Result<Self> {
        Self::start_with(kind, zones, &|command, folder, address| {
            command::configure(kind, command, folder, address, zones)
        })
    }

    /// Starts the server with a configuration of the caller's: `configure` writes it into the folder it is given and adds
    /// the arguments. Waits until it answers for each of the zones.
    ///
    /// # Errors
    /// As for [`start`](Self::start), or `configure` fails.
    pub fn start_with(kind: Kind, zones: &[ZoneFile], configure: &Configure<'_>) -> Result<Self> {
        let program = kind.program().with_context(|| format!("{} is not here", kind.label()))?;
        let mut problem = None;
        // Another process can take the port between our looking and the server's binding: try another then.
        for _ in 0..3 {
            match Self::start_once(kind, &program, zones, configure) {
                Ok(server) => return Ok(server),
                Err(error) => problem = Some(error),
            }
        }
        Err(problem.context("never started")?)
    }

    fn start_once(kind: Kind, program: &Path, zones: &[ZoneFile], configure: &Configure<'_>) -> Result<Self> {
        let folder = TempDir::with_prefix("conformance-")?;
        let address = free_address()?;
        let mut command = Command::new(program);
        configure(&mut command, folder.path(), address)?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut server = Self { kind, address, child, folder };
        server.wait_until_ready(zones)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, zones: &[ZoneFile]) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        let mut client = Client::new(self.address)?;
        for zone in zones {
            loop {
                let probe =
                    client.ask_once(&zone.apex, RecordType::SOA, Transport::UdpEdns, false, PROBE_PATIENCE);
                if probe.is_ok_and(|answer| answer.rcode == ResponseCode::NOERROR && answer.authoritative) {
                    break;
                }
                if let Some(status) = self.child.try_wait()? {
                    bail!("{} exited with {status}:\n{}", self.kind.label(), self.last_words());
                }
                if Instant::now() > deadline {
                    bail!("{} does not answer for {}:\n{}", self.kind.label(), zone.apex, self.last_words());
                }
            }
        }
        Ok(())
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Octets that it has logged.
    pub fn log_octets(&self) -> u64 {
        fs::metadata(self.folder.path().join("log")).map_or(0, |log| log.len())
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    /// How it ended, with its last words.
    pub fn check_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended with {status}:\n{}", self.kind.label(), self.last_words()),
            None => Ok(()),
        }
    }

    /// The end of what the server logged.
    pub fn last_words(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // NSD's workers notice by themselves that their parent is gone; its data is in a folder that goes too.
        stop(&mut self.child);
    }
}

/// A loopback port that is free over UDP and TCP right now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    for _ in 0..20 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = tcp.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("found no free port")
}
