//! Validating resolvers as judges of signed answers: Unbound, and `delv` from BIND's tools.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dns_core::{Name, RecordType};
use tempfile::TempDir;

use crate::client::{Client, Transport};
use crate::peer::{ZoneFile, find_program, free_address, stop};
use crate::signing::run;

/// How long Unbound may take until it answers.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// A running Unbound that asks one server for some zones and trusts their keys.
pub struct Unbound {
    /// Where it answers.
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Unbound {
    /// Starts it in front of `server`; `anchors` are DNSKEY records as text.
    pub fn start(server: SocketAddr, zones: &[ZoneFile], anchors: &[String]) -> Result<Self> {
        let program = find_program("unbound").context("unbound is not here")?;
        let folder = TempDir::with_prefix("conformance-")?;
        let address = free_address()?;
        let config = folder.path().join("config");
        fs::write(&config, config_text(folder.path(), address, server, zones, anchors)?)?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new(program)
            .args(["-d", "-c"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut unbound = Self { address, child, folder };
        let deadline = Instant::now() + START_PATIENCE;
        let mut client = Client::recursive(address)?;
        let apex = &zones.first().context("no zone")?.apex;
        let patience = Duration::from_millis(200);
        while client.ask_once(apex, RecordType::SOA, Transport::UdpEdns, true, patience).is_err() {
            if unbound.child.try_wait()?.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(unbound.folder.path().join("log")).unwrap_or_default();
                bail!("Unbound does not answer:\n{log}");
            }
        }
        Ok(unbound)
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn config_text(
    folder: &Path,
    address: SocketAddr,
    server: SocketAddr,
    zones: &[ZoneFile],
    anchors: &[String],
) -> Result<String> {
    // `test.` is answered by Unbound itself unless told otherwise (RFC 6761).
    let mut text = format!(
        "server:\n  directory: \"{folder}\"\n  username: \"\"\n  chroot: \"\"\n  pidfile: \"\"\n  use-syslog: no\n  \
         interface: {ip}\n  port: {port}\n  num-threads: 1\n  do-ip6: no\n  do-not-query-localhost: no\n  \
         module-config: \"validator iterator\"\n  val-permissive-mode: no\n  qname-minimisation: no\n  \
         local-zone: \"test.\" nodefault\n  access-control: 127.0.0.0/8 allow\n",
        folder = folder.display(),
        ip = address.ip(),
        port = address.port(),
    );
    for anchor in anchors {
        writeln!(text, "  trust-anchor: \"{anchor}\"")?;
    }
    writeln!(text, "remote-control:\n  control-enable: no")?;
    for zone in zones {
        writeln!(
            text,
            "stub-zone:\n  name: \"{}\"\n  stub-addr: {}@{}\n  stub-prime: no",
            zone.apex,
            server.ip(),
            server.port()
        )?;
    }
    Ok(text)
}

/// What `delv` says to an answer of `server`; `anchor` is the DNSKEY record of the zone as text.
pub fn delv(
    server: SocketAddr,
    apex: &Name,
    anchor: &str,
    qname: &Name,
    qtype: RecordType,
    folder: &Path,
) -> Result<String> {
    let key = anchor.split_once(" DNSKEY ").context("anchor is no DNSKEY record")?.1;
    let mut words = key.split_whitespace();
    let numbers: Vec<&str> = words.by_ref().take(3).collect();
    let key: String = words.collect();
    let path = folder.join(format!("{apex}anchor"));
    fs::write(
        &path,
        format!("trust-anchors {{ \"{apex}\" static-key {} \"{key}\"; }};\n", numbers.join(" ")),
    )?;
    let mut command = Command::new(find_program("delv").context("delv is not here")?);
    command
        .arg(format!("@{}", server.ip()))
        .args(["-p", &server.port().to_string(), "-a"])
        .arg(&path)
        .arg(format!("+root={apex}"))
        .args([qname.to_string(), qtype.to_string()]);
    run(&mut command, folder)
}
