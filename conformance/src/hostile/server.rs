//! How each server is set up for the open internet, as its own documentation recommends.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::zone::APEX;
use crate::peer::{Kind, Server, ZoneFile};

/// Threads that answer, for each server: as many as there are cores, up to this.
const WORKERS_MAX: usize = 4;
/// Rules of each sort.
const RULES: u32 = 50;

/// Which protections are switched on.
#[derive(Clone, Copy, Debug)]
pub struct Protection {
    /// Rate limits. Ours exempt loopback unless told otherwise; the others know no such exception.
    pub rate_limit: bool,
    /// Cookies.
    pub cookies: bool,
    /// Rules, where the server has such: they are compiled with every reload.
    pub rules: bool,
}

/// Starts a server with the zone in this file.
///
/// # Errors
/// It does not start.
pub fn start(kind: Kind, zone_file: &Path, protection: Protection) -> Result<Server> {
    let zones = [ZoneFile { apex: APEX.parse()?, path: zone_file.to_owned() }];
    Server::start_with(kind, &zones, &|command, folder, address| {
        configure(kind, command, folder, address, zone_file, protection)
    })
}

fn configure(
    kind: Kind,
    command: &mut Command,
    folder: &Path,
    address: SocketAddr,
    zone_file: &Path,
    protection: Protection,
) -> Result<()> {
    let workers = std::thread::available_parallelism()?.get().min(WORKERS_MAX);
    let config = folder.join("hostile.conf");
    let text = match kind {
        Kind::Subject => subject(address, zone_file, workers, protection),
        Kind::Knot => knot(folder, address, zone_file, workers, protection),
        Kind::Nsd => nsd(folder, address, zone_file, workers, protection),
        Kind::Bind => anyhow::bail!("BIND takes no part in the hostile-traffic suite"),
    };
    fs::write(&config, text)?;
    match kind {
        Kind::Subject => command.args(["serve", "--config"]),
        Kind::Knot => command.arg("-c"),
        _ => command.args(["-d", "-c"]),
    };
    command.arg(&config);
    Ok(())
}

/// Ours: the defaults, but that clients on loopback are limited like any other.
fn subject(address: SocketAddr, zone_file: &Path, workers: usize, protection: Protection) -> String {
    let zone_file = zone_file.display();
    let mut text = format!(
        "listen: {{dns: \"{address}\"}}\nworkers: {workers}\nzones:\n  - {{name: {APEX}, file: \"{zone_file}\"}}\n"
    );
    text.push_str(if protection.rate_limit {
        "rate_limit: {exempt: []}\n"
    } else {
        "rate_limit: {enabled: false}\n"
    });
    if !protection.cookies {
        text.push_str("cookies: {enabled: false}\n");
    }
    if protection.rules {
        text.push_str(&rules());
    }
    text
}

/// Rules of every sort that has something to compile. None is for the questions of legitimate clients but the last, which
/// has nothing to do where there is one address.
fn rules() -> String {
    let mut text = "rules:\n".to_owned();
    for number in 0..RULES {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "  - {{name: pattern{number}, match: {{names: '/^(ad|track)+{number}-[0-9]*\\./'}}, action: nxdomain}}\n  \
             - {{name: below{number}, match: {{names: \"*.b{number}.{APEX}\"}}, action: refuse}}"
        );
    }
    text.push_str(
        "  - {name: turns, match: {types: [A, AAAA]}, action: order_addresses, order: {by: rotate}}\n",
    );
    text
}

/// Knot, with the values of its manual for mod-rrl and mod-cookies. A module that was loaded first is asked first, so that
/// valid cookies exempt from limits.
fn knot(
    folder: &Path,
    address: SocketAddr,
    zone_file: &Path,
    workers: usize,
    protection: Protection,
) -> String {
    let mut modules = Vec::new();
    let mut sections = String::new();
    if protection.cookies {
        modules.push("mod-cookies/default");
        sections.push_str("mod-cookies:\n  - id: default\n    badcookie-slip: 1\n");
    }
    if protection.rate_limit {
        modules.push("mod-rrl/default");
        sections.push_str("mod-rrl:\n  - id: default\n    rate-limit: 200\n    slip: 2\n");
    }
    format!(
        "server:
    rundir: \"{folder}\"
    listen: {ip}@{port}
    udp-workers: {workers}
    tcp-workers: {workers}
log:
  - target: stderr
    any: info
database:
    storage: \"{folder}\"
{sections}template:
  - id: default
    storage: \"{folder}\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    global-module: [{modules}]
zone:
  - domain: \"{APEX}\"
    file: \"{zone_file}\"
",
        folder = folder.display(),
        ip = address.ip(),
        port = address.port(),
        modules = modules.join(", "),
        zone_file = zone_file.display(),
    )
}

/// NSD, with its defaults for rate limits.
fn nsd(
    folder: &Path,
    address: SocketAddr,
    zone_file: &Path,
    workers: usize,
    protection: Protection,
) -> String {
    let limit = if protection.rate_limit { 200 } else { 0 };
    let cookies = if protection.cookies {
        "answer-cookie: yes\n    cookie-secret: \"000102030405060708090a0b0c0d0e0f\""
    } else {
        "answer-cookie: no"
    };
    format!(
        "server:
    ip-address: {ip}@{port}
    username: \"\"
    chroot: \"\"
    zonesdir: \"{folder}\"
    database: \"\"
    pidfile: \"{folder}/nsd.pid\"
    xfrdfile: \"{folder}/xfrd.state\"
    zonelistfile: \"{folder}/zone.list\"
    xfrdir: \"{folder}\"
    server-count: {workers}
    reuseport: yes
    rrl-ratelimit: {limit}
    {cookies}
remote-control:
    control-enable: no
zone:
    name: \"{APEX}\"
    zonefile: \"{zone_file}\"
",
        folder = folder.display(),
        ip = address.ip(),
        port = address.port(),
        zone_file = zone_file.display(),
    )
}
