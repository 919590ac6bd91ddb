//! Servers with an API over HTTP: ours, and PowerDNS.

use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::Place;
use crate::bench::process::{self, Memory, Process, Times};
use crate::bench::server;
use crate::bench::zones::{Zones, run_quietly};
use crate::bench::{BOTH_CORES, LOAD_CORE};
use crate::shell;

/// Whose API, and how it keeps changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manager {
    /// Ours, in a folder.
    Ours,
    /// Ours, in memory.
    Memory,
    /// PowerDNS with its backend for SQLite 3, as it comes: a write-ahead log that is synced with every change.
    Pdns,
    /// The same with `gsqlite3-pragma-synchronous=0`, of which its documentation says that it is fast: nothing is synced.
    PdnsUnsynced,
    /// As it comes, but for its caches of answers and queries, which are off: while it changes something, a question may put
    /// the answer of before into them for 20 s.
    PdnsUncached,
}

impl Manager {
    /// Its name in the table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ours => "jw238dns",
            Self::Memory => "jw238dns in memory",
            Self::Pdns => "PowerDNS",
            Self::PdnsUnsynced => "PowerDNS, not synced",
            Self::PdnsUncached => "PowerDNS, without caches",
        }
    }

    /// Whether it is ours.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Memory)
    }

    /// As `manage --dialect` takes it.
    fn dialect(self) -> &'static str {
        if self.is_ours() { "ours" } else { "powerdns" }
    }
}

/// A running server with an API.
pub struct Managed {
    pub manager: Manager,
    dns: SocketAddr,
    http: SocketAddr,
    folder: PathBuf,
    secret_file: PathBuf,
    start: Vec<PathBuf>,
    cores: &'static str,
    process: Process,
}

impl Managed {
    /// Starts a server in a folder of its own, with the zone or with nothing.
    pub fn start(
        place: &Place<'_>,
        manager: Manager,
        cores: &'static str,
        zones: Option<&Zones>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("manage").tempdir_in(place.folder)?.keep();
        let (dns, http) = (server::free_address()?, server::free_address()?);
        let (start, secret_file) = if manager.is_ours() {
            ours(place.programs, &folder, manager, dns, http)?
        } else {
            pdns(&folder, manager, dns, http, zones)?
        };
        let process = spawn(&start, cores, &folder)?;
        let mut managed = Self { manager, dns, http, folder, secret_file, start, cores, process };
        managed.wait(if manager.is_ours() { None } else { zones })?;
        if let Some(zones) = zones.filter(|_| manager.is_ours()) {
            let mut command = managed.client(place.programs, "fill", zones.names);
            command.arg("--zone").arg(&zones.file);
            super::report::<serde_json::Value>(&mut command)?;
        }
        Ok(managed)
    }

    /// The program that uses its API.
    pub fn client(&self, programs: &Path, work: &str, names: u32) -> Command {
        let mut command = process::pinned(LOAD_CORE, &programs.join("manage"));
        command.args([work, "--dialect", self.manager.dialect(), "--names", &names.to_string()]);
        command.args(["--http", &self.http.to_string(), "--dns", &self.dns.to_string()]);
        command.arg("--secret-file").arg(&self.secret_file);
        command
    }

    /// Lets it work; see [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Keeps it from work while others are measured.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// CPU time it has used.
    pub fn times(&self) -> Result<Times> {
        process::times(&self.process.family())
    }

    /// Memory it has.
    pub fn memory(&self) -> Result<Memory> {
        process::memory(&self.process.family())
    }

    /// Octets that it keeps on disk.
    pub fn data_octets(&self) -> Result<u64> {
        let mut octets = 0;
        for entry in fs::read_dir(self.folder.join("data"))? {
            octets += entry?.metadata()?.len();
        }
        Ok(octets)
    }

    /// Ends it, politely or not, within the time, and starts it again. Returns how long the end took, and from the start of
    /// the process to the first answer for the zone.
    pub fn restart(&mut self, politely: bool, zones: &Zones) -> Result<(Duration, Duration)> {
        let begin = Instant::now();
        if politely {
            self.process.end(END_PATIENCE)?;
        } else {
            self.process.kill()?;
        }
        let ended = begin.elapsed();
        let begin = Instant::now();
        self.process = spawn(&self.start, self.cores, &self.folder)?;
        self.wait(Some(zones))?;
        Ok((ended, begin.elapsed()))
    }

    /// Waits for the zone in DNS, or without one for the first token in its file.
    fn wait(&mut self, zones: Option<&Zones>) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < START_PATIENCE {
            if let Some(status) = self.process.ended()? {
                let log = fs::read(self.folder.join("log")).unwrap_or_default();
                let log = String::from_utf8_lossy(&log);
                bail!("{} ended at once: {status}: {}", self.manager.label(), log.trim());
            }
            let is_there = match zones.and_then(|zones| zones.apexes.first()) {
                Some(apex) => server::is_served(self.dns, apex)?,
                None => self.secret_file.exists() && std::net::TcpStream::connect(self.http).is_ok(),
            };
            if is_there {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        bail!("{} did not answer within {} s", self.manager.label(), START_PATIENCE.as_secs())
    }
}

/// A server that has not answered by then is not measured.
const START_PATIENCE: Duration = Duration::from_mins(2);
/// A server that has not ended by then is not measured.
const END_PATIENCE: Duration = Duration::from_mins(2);
/// How often to look.
const LOOK: Duration = Duration::from_millis(1);

fn spawn(start: &[PathBuf], cores: &str, folder: &Path) -> Result<Process> {
    let (program, words) = start.split_first().context("no program")?;
    let log = folder.join("log");
    let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
    let mut command = process::pinned(cores, program);
    command.args(words).current_dir(folder);
    Process::start(command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output))
}

/// Writes a configuration; returns the words that start the server, and where its token will be.
fn ours(
    programs: &Path,
    folder: &Path,
    manager: Manager,
    dns: SocketAddr,
    http: SocketAddr,
) -> Result<(Vec<PathBuf>, PathBuf)> {
    let token = folder.join("token");
    let mut text = format!(
        "workers: 1\nlog_level: warn\nlisten: {{dns: \"{dns}\", http: \"{http}\"}}\n\
         api: {{requests_per_second: 1000000, admin_token_file: {}}}\n",
        token.display()
    );
    if manager == Manager::Ours {
        writeln!(text, "store: {{data_dir: {}}}", folder.join("data").display())?;
    }
    let config = folder.join("config.yaml");
    fs::write(&config, text)?;
    let words = [programs.join("jw238dns"), "serve".into(), "--config".into(), config];
    Ok((words.to_vec(), token))
}

/// Makes the database with the zone, and the configuration; returns the words that start the server, and where its key is.
fn pdns(
    folder: &Path,
    manager: Manager,
    dns: SocketAddr,
    http: SocketAddr,
    zones: Option<&Zones>,
) -> Result<(Vec<PathBuf>, PathBuf)> {
    let database = folder.join("database");
    let program = |name| shell::find_program(name).with_context(|| format!("{name} is not installed"));
    let mut make = Command::new(program("sqlite3")?);
    let schema = File::open(SCHEMA).with_context(|| format!("cannot read {SCHEMA}"))?;
    let made = make.arg(&database).stdin(schema).status().context("cannot start sqlite3")?;
    ensure!(made.success(), "sqlite3: {made}");
    let special = match manager {
        Manager::PdnsUnsynced => "gsqlite3-pragma-synchronous=0\n",
        Manager::PdnsUncached => "cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n",
        _ => "",
    };
    let text = format!(
        "launch=gsqlite3
gsqlite3-database={database}
{special}local-address={ip}
local-port={port}
socket-dir={folder}
receiver-threads=1
daemon=no
guardian=no
write-pid=no
loglevel=2
disable-syslog=yes
security-poll-suffix=
api=yes
api-key={KEY}
webserver=yes
webserver-address={http_ip}
webserver-port={http_port}
webserver-loglevel=none
default-api-rectify=no
",
        database = database.display(),
        ip = dns.ip(),
        port = dns.port(),
        folder = folder.display(),
        http_ip = http.ip(),
        http_port = http.port(),
    );
    fs::write(folder.join("pdns.conf"), text)?;
    let config = format!("--config-dir={}", folder.display());
    if let Some(zones) = zones {
        for apex in &zones.apexes {
            let words = [OsStr::new(&config), OsStr::new("load-zone"), OsStr::new(apex)];
            run_quietly(Command::new(program("pdnsutil")?).args(words).arg(&zones.file))?;
        }
    }
    let mut analyze = Command::new(program("sqlite3")?);
    run_quietly(analyze.arg(&database).arg("analyze;"))?;
    let key = folder.join("key");
    fs::write(&key, KEY)?;
    Ok((vec![program("pdns_server")?, config.into()], key))
}

/// The tables of PowerDNS, as Debian installs them.
pub const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";
/// Of the API of PowerDNS.
const KEY: &str = "key-for-benchmarks";

/// Cores for a server: one, or all if the clients have little to do meanwhile.
pub const ALL_CORES: &str = BOTH_CORES;
