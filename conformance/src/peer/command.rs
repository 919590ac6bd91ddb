//! How each server is told its zones: as alike as their settings allow.
//!
//! No recursion, no rate limits, no cookies, payload 1232, whole (not minimal) responses, nothing outside the folder.

use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Kind, ZoneFile};

/// How long a server may take to stop when asked politely.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Our binary: `TEST_SUBJECT`, or the one cargo builds into the folder above the test executables.
pub(super) fn subject() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(path) = std::env::var_os("TEST_SUBJECT") {
        return Some(PathBuf::from(path)).filter(|path| path.is_file());
    }
    BUILT.get_or_init(build_subject).clone()
}

/// Brings the binary up to date with the profile and target folder of this test: `target/PROFILE/deps/TEST`.
fn build_subject() -> Option<PathBuf> {
    let executable = std::env::current_exe().ok()?;
    let folder = executable.parent()?.parent()?;
    let profile = match folder.file_name()?.to_str()? {
        "debug" => "dev",
        profile => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "jw238dns", "--profile", profile, "--target-dir"])
        .arg(folder.parent()?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match output {
        Ok(output) if !output.status.success() => {
            eprintln!("building jw238dns: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(_) => {}
        // No cargo where a test archive runs: the binary may be there all the same.
        Err(error) => eprintln!("building jw238dns: {error}"),
    }
    Some(folder.join("jw238dns")).filter(|path| path.is_file())
}

/// Writes the configuration into `folder` and sets the arguments.
pub(super) fn configure(
    kind: Kind,
    command: &mut Command,
    folder: &Path,
    address: SocketAddr,
    zones: &[ZoneFile],
) -> Result<()> {
    let config = folder.join("config");
    match kind {
        Kind::Subject => {
            command.args(["--listen", &address.to_string()]);
            for zone in zones {
                command.arg("--zone").arg(format!("{}={}", zone.apex, zone.path.display()));
            }
            return Ok(());
        }
        Kind::Bind => {
            fs::write(&config, bind(folder, address, zones)?)?;
            command.args(["-g", "-n", "1", "-c"]).arg(&config);
        }
        Kind::Nsd => {
            fs::write(&config, nsd(folder, address, zones)?)?;
            command.args(["-d", "-c"]).arg(&config);
        }
        Kind::Knot => {
            fs::write(&config, knot(folder, address, zones)?)?;
            command.arg("-c").arg(&config);
        }
    }
    Ok(())
}

fn bind(folder: &Path, address: SocketAddr, zones: &[ZoneFile]) -> Result<String> {
    let mut text = format!(
        r#"options {{
    directory "{folder}"; pid-file "named.pid"; session-keyfile "session.key"; lock-file none;
    listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }};
    recursion no; allow-query {{ any; }}; allow-transfer {{ none; }}; notify no; dnssec-validation no;
    minimal-responses no; minimal-any no; answer-cookie no; empty-zones-enable no;
    check-names primary ignore; check-integrity no; check-sibling no; check-mx ignore; check-wildcard no;
    max-records-per-type 0; max-types-per-name 0; zero-no-soa-ttl no;
    edns-udp-size 1232; max-udp-size 1232; querylog no; tcp-clients 100;
}};
controls {{ }};
"#,
        folder = folder.display(),
        port = address.port(),
        ip = address.ip(),
    );
    for zone in zones {
        writeln!(text, r#"zone "{}" {{ type primary; file "{}"; }};"#, zone.apex, zone.path.display())?;
    }
    Ok(text)
}

fn nsd(folder: &Path, address: SocketAddr, zones: &[ZoneFile]) -> Result<String> {
    let mut text = format!(
        r#"server:
    ip-address: {ip}@{port}
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    xfrdir: "{folder}"
    server-count: 1
    rrl-ratelimit: 0
    minimal-responses: no
    refuse-any: no
    answer-cookie: no
    ipv4-edns-size: 1232
    tcp-query-count: 0
remote-control:
    control-enable: no
"#,
        folder = folder.display(),
        port = address.port(),
        ip = address.ip(),
    );
    for zone in zones {
        writeln!(text, "zone:\n    name: \"{}\"\n    zonefile: \"{}\"", zone.apex, zone.path.display())?;
    }
    Ok(text)
}

fn knot(folder: &Path, address: SocketAddr, zones: &[ZoneFile]) -> Result<String> {
    let mut text = format!(
        r#"server:
    rundir: "{folder}"
    listen: {ip}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: 1232
log:
  - target: stderr
    any: warning
database:
    storage: "{folder}"
template:
  - id: default
    storage: "{folder}"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
"#,
        folder = folder.display(),
        port = address.port(),
        ip = address.ip(),
    );
    for zone in zones {
        writeln!(text, "  - domain: \"{}\"\n    file: \"{}\"", zone.apex, zone.path.display())?;
    }
    Ok(text)
}

/// Asks the process to stop, so that it can stop its own children, and kills it if it does not.
pub(crate) fn stop(child: &mut Child) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).stdin(Stdio::null()).status();
    if asked.is_ok_and(|status| status.success()) {
        let deadline = Instant::now() + STOP_PATIENCE;
        while Instant::now() < deadline {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}
