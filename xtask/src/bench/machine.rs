//! What was measured, and on what.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::entrant::Kind;
use crate::peers;

/// The machine and the programs.
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    /// Commit of ours, and whether files differ from it.
    pub commit: String,
    /// Day of the run, in UTC.
    pub date: String,
    /// A program of others with its version.
    pub versions: Vec<(&'static str, String)>,
}

impl Machine {
    /// Looks at this one, and at all peers: tables of earlier runs may stand beside those of this one.
    pub fn look() -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let mut versions = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_peer()) {
            if let Some(peer) = peers::bench_peer(kind.word()) {
                versions.push((kind.name(), package_version(peer.package)));
            }
        }
        Self {
            cpu: cpu_model(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: commit(),
            date: first_line(Command::new("date").args(["-u", "+%F"])),
            versions,
        }
    }

    /// In a sentence or two; begins with [`hardware`](Self::hardware).
    pub fn text(&self) -> String {
        let versions: Vec<String> =
            self.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        format!("{}; {}.", self.hardware(), versions.join(", "))
    }

    /// What is there without any of the programs.
    pub fn hardware(&self) -> String {
        format!("{}, {} cores, Linux {}", self.cpu, self.cores, self.kernel)
    }

    /// For a table of its own: which of ours was measured, and when.
    pub fn stamp(&self) -> String {
        format!("jw238dns {}, {}", self.commit, self.date)
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let mut versions: serde_json::Map<_, _> =
            self.versions.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
        versions.insert("jw238dns".to_owned(), json!(self.commit));
        json!({
            "cpu": self.cpu,
            "cores": self.cores,
            "kernel": self.kernel,
            "date": self.date,
            "versions": versions,
        })
    }
}

fn cpu_model(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown processor".into(), |(_, model)| model.trim().to_owned())
}

/// The commit that is checked out, and whether the files differ from it.
fn commit() -> String {
    let mut git = Command::new("git");
    git.current_dir(crate::shell::root()).args(["describe", "--always", "--dirty", "--exclude=*"]);
    first_line(&mut git)
}

fn package_version(package: &str) -> String {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Version}\n", package]);
    first_line(&mut query)
}

/// What the command says first; `unknown` if it fails.
fn first_line(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().map_or_else(|| "unknown".into(), str::to_owned)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One with this processor.
    pub fn machine(cpu: &str) -> Machine {
        Machine {
            cpu: cpu.into(),
            cores: 2,
            kernel: "6.1".into(),
            commit: "0123abc".into(),
            date: "2026-02-28".into(),
            versions: vec![("Knot", "3".into())],
        }
    }

    #[test]
    fn the_processor_is_found() {
        let text = "processor\t: 0\nmodel name\t: Some CPU: fast\nmodel name\t: other\n";
        assert_eq!(cpu_model(text), "Some CPU: fast");
        assert_eq!(cpu_model("processor: 0"), "unknown processor");
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        assert_eq!(first_line(&mut Command::new("no-such-program-anywhere")), "unknown");
        assert_eq!(first_line(&mut Command::new("false")), "unknown");
        assert_eq!(first_line(Command::new("echo").arg("1.2")), "1.2");
    }

    #[test]
    fn everything_is_told() {
        let machine = machine("C");
        assert_eq!(machine.text(), "C, 2 cores, Linux 6.1; Knot 3.");
        assert_eq!(machine.stamp(), "jw238dns 0123abc, 2026-02-28");
        assert_eq!(machine.json()["versions"]["jw238dns"], "0123abc");
        assert_eq!(machine.json()["versions"]["Knot"], "3");
    }
}
