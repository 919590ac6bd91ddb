//! `cargo xtask conform-api`: schemathesis asks a running server everything that its OpenAPI document allows, and much that it
//! does not. Whatever is answered has to be described there, and never be the server's fault.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{shell, test};

/// Has to be exact, as have the versions of what makes up the requests: they decide what is asked.
const PACKAGES: [&str; 2] = ["schemathesis==4.32.5", "hypothesis==6.170.15"];
/// Which requests are made, besides those that follow from the document alone.
const SEED: &str = "238";
/// The configuration file takes the token from here, so that it is in no list of processes and in no log.
const TOKEN_VARIABLE: &str = "API_TOKEN";
/// How many of them there are for each operation.
pub const EXAMPLES: u32 = 40;
/// How long a server may take to start or to answer.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// What `cargo xtask conform-api` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Requests per operation, besides those that follow from the document alone.
    #[arg(long, default_value_t = EXAMPLES)]
    examples: u32,
}

/// Builds what users get, unless `TEST_SUBJECT` names a program; installs schemathesis, and lets it ask.
pub fn run(args: &Args) -> Result<()> {
    let schemathesis = provide(true)?;
    let subject = if let Some(subject) = env::var_os(test::SUBJECT_VARIABLE) {
        subject.into()
    } else {
        shell::run(shell::cargo().args(["build", "--release", "--package", "jw238dns"]))?;
        shell::target_folder().join("release").join("jw238dns")
    };
    conform(&schemathesis, &subject, args.examples)
}

/// Tells where schemathesis is. It is installed, into a folder of its own, if it has to be and may be.
///
/// # Errors
/// Why it cannot be had on this machine.
pub fn provide(may_install: bool) -> Result<PathBuf> {
    let root = shell::target_folder().join("tools").join("schemathesis");
    let program = root.join("bin/schemathesis");
    // Written last, so that an installation that was cut off is none.
    let (mark, wanted) = (root.join("packages"), PACKAGES.join("\n"));
    if fs::read_to_string(&mark).is_ok_and(|packages| packages == wanted)
        && shell::succeeds(Command::new(&program).arg("--version"))
    {
        return Ok(program);
    }
    ensure!(may_install, "schemathesis not found in {}", root.display());
    ensure!(shell::find_program("python3").is_some(), "python3 not found");
    eprintln!("installing {}", PACKAGES.join(" and "));
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&root))?;
    let mut install = Command::new(root.join("bin/pip"));
    shell::run(install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))?;
    fs::write(&mark, wanted).with_context(|| format!("cannot write {}", mark.display()))?;
    Ok(program)
}

/// Starts a server with nothing in it, and lets schemathesis ask.
///
/// # Errors
/// Anything it was answered is not as described, or the server did not survive it.
pub fn conform(schemathesis: &Path, subject: &Path, examples: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::start(subject, folder.path())?;
    let token = fs::read_to_string(folder.path().join("data/admin-token")).context("the admin token")?;
    let ask = |operations: &[&str]| {
        let mut command = Command::new(schemathesis);
        command.current_dir(folder.path());
        command.arg("--config-file").arg(shell::root().join("xtask/src/schemathesis.toml"));
        command.arg("run").arg(format!("http://{}/api/v1/openapi.json", server.address));
        command.env(TOKEN_VARIABLE, token.trim());
        command.args(["--seed", SEED, "--max-examples", &examples.to_string()]);
        command.args(["--request-timeout", "10", "--continue-on-failure", "--generation-database", "none"]);
        command.args(["--warnings", "off", "--no-color"]).args(operations);
        shell::run(&mut command)
    };
    // A stream of events has no end to wait for. Tokens are revoked apart, where it cannot be the one that is asked with.
    let most = ask(&["--exclude-operation-id", "followEvents", "--exclude-operation-id", "revokeToken"]);
    let revoking = ask(&["--include-operation-id", "revokeToken", "--phases", "examples,coverage,fuzzing"]);
    server.finish()?;
    most.and(revoking)
}

/// A server with a folder of its own, until it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    fn start(subject: &Path, folder: &Path) -> Result<Self> {
        let (dns, address) = free_addresses()?;
        let config = folder.join("config.yaml");
        let data = folder.join("data");
        let text =
            format!("listen:\n  dns: {dns}\n  http: {address}\nstore:\n  data_dir: {}\n", data.display());
        fs::write(&config, text)?;
        let log = folder.join("log");
        let output = File::create(&log)?;
        let child = Command::new(subject)
            .arg("--config")
            .arg(&config)
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", subject.display()))?;
        let mut server = Self { child, address, log };
        let deadline = Instant::now() + PATIENCE;
        while !is_healthy(address) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", server.log()?);
            }
            ensure!(Instant::now() < deadline, "the server does not answer:\n{}", server.log()?);
            thread::sleep(PAUSE);
        }
        Ok(server)
    }

    /// It runs still, and nothing in it has panicked: a handler that does is one connection closed without an answer.
    fn finish(&mut self) -> Result<()> {
        let log = self.log()?;
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended with {status}:\n{log}");
        }
        ensure!(is_healthy(self.address), "the server does not answer any longer:\n{log}");
        let panics: Vec<&str> = log.lines().filter(|line| line.contains("panicked")).collect();
        ensure!(panics.is_empty(), "the server panicked:\n{}", panics.join("\n"));
        Ok(())
    }

    fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("cannot read {}", self.log.display()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing that is worth keeping.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Addresses that nobody listens on a moment before they are taken: one for DNS, one for HTTP.
fn free_addresses() -> Result<(SocketAddr, SocketAddr)> {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let dns = tcp.local_addr()?;
    let _udp = UdpSocket::bind(dns)?;
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((dns, http.local_addr()?))
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200 "))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_free_for_both_transports() {
        let (dns, http) = free_addresses().unwrap();
        assert_ne!(dns, http);
        assert!(!is_healthy(http), "nobody answers there");
    }

    #[test]
    fn a_subject_that_does_not_start_is_an_error_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let subject = shell::find_program("false").unwrap();
        let error = Server::start(&subject, folder.path()).err().unwrap().to_string();
        assert!(error.contains("ended with"), "{error}");
    }
}
