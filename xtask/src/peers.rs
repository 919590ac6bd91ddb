//! The Debian packages whose programs judge ours, and how they get onto a machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// A package, the programs we take from it, and what is not checked without them.
#[derive(Clone, Copy)]
pub struct Peer {
    pub package: &'static str,
    pub programs: &'static [&'static str],
    pub suite: &'static str,
}

/// Everything the tests use.
pub const TEST_PEERS: &[Peer] = &[
    BIND,
    SIGNING_TOOLS,
    Peer {
        package: "bind9-dnsutils",
        programs: &["dig", "delv", "nsupdate"],
        suite: "interoperability: dig, delv and nsupdate as clients",
    },
    NSD,
    KNOT,
    Peer { package: "knot-dnsutils", programs: &["kdig"], suite: "interoperability: kdig as client" },
    Peer {
        package: "unbound",
        programs: &["unbound"],
        suite: "interoperability: a validating resolver asks signed zones",
    },
    Peer {
        package: "ldnsutils",
        programs: &["ldns-verify-zone", "ldns-signzone"],
        suite: "conformance: signed zones verified by ldns",
    },
    Peer {
        package: "fstrm-bin",
        programs: &["fstrm_capture"],
        suite: "interoperability: a receiver of dnstap's frames",
    },
    Peer {
        package: "dnstap-ldns",
        programs: &["dnstap-ldns"],
        suite: "interoperability: a reader of dnstap's messages",
    },
    VALGRIND,
];

const BIND: Peer =
    Peer { package: "bind9", programs: &["named"], suite: "conformance: answers compared with BIND" };

/// Signs the zones of tests and benchmarks, among other things.
pub const SIGNING_TOOLS: Peer = Peer {
    package: "bind9-utils",
    programs: &["named-checkzone", "named-compilezone", "dnssec-signzone", "dnssec-keygen"],
    suite: "conformance: zone checks compared with named-checkzone, zones signed by BIND's tools",
};

const KNOT: Peer =
    Peer { package: "knot", programs: &["knotd"], suite: "conformance: answers compared with Knot" };

/// Counts the instructions of answers.
pub const VALGRIND: Peer =
    Peer { package: "valgrind", programs: &["valgrind"], suite: "benchmarks: instructions of answers" };

const NSD: Peer = Peer {
    package: "nsd",
    programs: &["nsd", "nsd-checkzone"],
    suite: "conformance: answers compared with NSD",
};

/// Those that are attacked beside ours.
pub const HOSTILE_PEERS: &[Peer] = &[KNOT, NSD];

/// Those that are measured beside ours, each with its word there.
const BENCH_PEERS: &[(&str, Peer)] = &[
    ("gdnsd", Peer { package: "gdnsd", programs: &["gdnsd"], suite: "benchmarks" }),
    ("yadifa", Peer { package: "yadifa", programs: &["yadifad"], suite: "benchmarks" }),
    ("nsd", NSD),
    ("knot", KNOT),
    ("bind", BIND),
    // Brings pdns-server with it.
    ("pdns", Peer { package: "pdns-backend-bind", programs: &["pdns_server"], suite: "benchmarks" }),
];

/// Those whose APIs are measured beside ours.
pub const API_PEERS: &[Peer] = &[
    Peer { package: "sqlite3", programs: &["sqlite3"], suite: "benchmarks: changes over HTTP" },
    Peer {
        package: "pdns-backend-sqlite3",
        programs: &["pdns_server", "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"],
        suite: "benchmarks: changes over HTTP",
    },
];

/// The peer of the benchmarks with this word.
pub fn bench_peer(word: &str) -> Option<&'static Peer> {
    BENCH_PEERS.iter().find(|(other, _)| *other == word).map(|(_, peer)| peer)
}

/// Runs apt so that no installed service starts by itself.
const INSTALL: &str = include_str!("install.sh");

impl Peer {
    /// Its programs that this machine lacks.
    pub fn missing(&self) -> Vec<&'static str> {
        let is_there = |program: &str| {
            // Files that are no programs have their whole path.
            if program.starts_with('/') {
                Path::new(program).exists()
            } else {
                shell::find_program(program).is_some()
            }
        };
        self.programs.iter().copied().filter(|program| !is_there(program)).collect()
    }
}

/// Whether [`install`] can work here: we are root and there is apt.
pub fn can_install() -> bool {
    shell::is_root() && shell::find_program("apt-get").is_some()
}

/// Installs the packages of those peers that lack a program; does nothing if none does.
pub fn install(peers: &[Peer]) -> Result<()> {
    let packages: BTreeSet<_> =
        peers.iter().filter(|peer| !peer.missing().is_empty()).map(|peer| peer.package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    eprintln!("installing {}", packages.iter().copied().collect::<Vec<_>>().join(", "));
    install_packages(&packages, "/usr/sbin/policy-rc.d").context("cannot install the peers")
}

fn install_packages(packages: &BTreeSet<&str>, policy: &str) -> Result<()> {
    // The script is the argument of `-c`; what follows are its $0, $1, ...
    let mut command = Command::new("sh");
    command.args(["-c", INSTALL, "install-peers", policy]).args(packages);
    let status = command.status().context("cannot start sh")?;
    anyhow::ensure!(status.success(), "apt-get: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Runs the script with a stand-in for apt-get that notes its words and what the policy said meanwhile.
    fn run_script(folder: &Path, apt_exit: &str) -> (bool, String) {
        let bin = folder.join("bin");
        fs::create_dir_all(&bin).unwrap();
        let policy = folder.join("policy-rc.d");
        let log = folder.join("log");
        let apt = bin.join("apt-get");
        let body = format!(
            "#!/bin/sh\necho \"$@\" >> {log}\n{policy} >/dev/null; echo policy $? >> {log}\n{apt_exit}\n",
            log = log.display(),
            policy = policy.display(),
        );
        fs::write(&apt, body).unwrap();
        fs::set_permissions(&apt, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let status = Command::new("/bin/sh")
            .env("PATH", path)
            .args(["-c", INSTALL, "install-peers", policy.to_str().unwrap(), "nsd", "knot"])
            .status()
            .unwrap();
        (status.success(), fs::read_to_string(&log).unwrap_or_default())
    }

    #[test]
    fn nothing_may_start_while_apt_runs_and_no_policy_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (success, log) = run_script(folder.path(), "exit 0");
        assert!(success);
        assert_eq!(log, "install --yes --no-install-recommends nsd knot\npolicy 101\n");
        assert!(!folder.path().join("policy-rc.d").exists());
    }

    #[test]
    fn an_existing_policy_comes_back_even_if_apt_fails() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        fs::write(&policy, "#!/bin/sh\nexit 7\n").unwrap();
        fs::set_permissions(&policy, fs::Permissions::from_mode(0o700)).unwrap();
        let (success, log) = run_script(folder.path(), "exit 1");
        assert!(!success);
        // Fails, refreshes the lists, fails again.
        assert_eq!(log.lines().filter(|line| line.starts_with("update")).count(), 1, "{log}");
        assert!(!log.contains("policy 7"), "{log}");
        assert_eq!(fs::read_to_string(&policy).unwrap(), "#!/bin/sh\nexit 7\n");
        assert_eq!(policy.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_a_killed_run_left_behind_is_cleaned_up() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        let saved = folder.path().join("policy-rc.d.before-jw238dns");
        // apt-get kills the shell that waits for it: no trap runs.
        let (success, _) = run_script(folder.path(), "kill -9 $PPID");
        assert!(!success);
        assert!(policy.exists());
        let (success, _) = run_script(folder.path(), "exit 0");
        assert!(success && !policy.exists() && !saved.exists());

        fs::write(&policy, "theirs").unwrap();
        run_script(folder.path(), "kill -9 $PPID");
        assert_eq!(fs::read_to_string(&saved).unwrap(), "theirs");
        run_script(folder.path(), "exit 0");
        assert_eq!(fs::read_to_string(&policy).unwrap(), "theirs");
        assert!(!saved.exists());
    }
}
