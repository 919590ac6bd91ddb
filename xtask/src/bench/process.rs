//! Children that do not outlive us, pinned to cores, with their CPU time and memory.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::shell;

/// Kernel ticks per second in `/proc/PID/stat`; the same on every Linux system that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;
/// `ppid` in `/proc/PID/stat`, counted from the field behind the program's name (proc(5)).
const PARENT: usize = 1;
/// `utime` likewise; `stime` is the next.
const UTIME: usize = 11;
/// How long a server may take to end when asked politely.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How often to look whether it has.
const STOP_LOOK: Duration = Duration::from_millis(5);

/// A running program; ended when dropped.
pub struct Process(Child);

/// CPU seconds.
///
/// They are what the kernel accounts to the process. On loopback that includes, on the way out, the delivery of the
/// packet into the receiver's socket, which the sender's system call does; the way in is charged to the load. The sum is
/// exact to a tick of 10 ms; how it splits is an estimate by the timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    pub user: f64,
    pub system: f64,
}

/// Memory of a server, all its processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Octets resident; what processes share counts for each.
    pub resident: u64,
    /// Octets resident; what processes share is divided between them.
    pub proportional: u64,
    /// Octets that belong to no file.
    pub anonymous: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Times {
    /// User and system.
    pub fn total(self) -> f64 {
        self.user + self.system
    }

    /// What was used since an earlier reading.
    pub fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }
}

impl Process {
    /// Starts the command.
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn();
        child.map(Self).with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Asks it to end, and waits for that.
    pub fn end(&mut self, patience: Duration) -> Result<()> {
        self.signal("-TERM");
        let start = Instant::now();
        while self.ended()?.is_none() {
            ensure!(start.elapsed() < patience, "it did not end within {} s", patience.as_secs());
            thread::sleep(STOP_LOOK);
        }
        Ok(())
    }

    /// Ends it at once, wherever it is.
    pub fn kill(&mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// It, its children and theirs: NSD answers in a child.
    pub fn family(&self) -> Vec<u32> {
        family(self.id())
    }

    /// Stops it until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) -> bool {
        let mut kill = Command::new("kill");
        kill.args([name, &self.id().to_string()]);
        shell::succeeds(&mut kill)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Politely first, so that a server can end its own children. Whatever fails here has ended already.
        if !matches!(self.ended(), Ok(Some(_))) && self.signal("-TERM") {
            self.resume();
            let start = Instant::now();
            while start.elapsed() < STOP_PATIENCE && matches!(self.ended(), Ok(None)) {
                thread::sleep(STOP_LOOK);
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command for the program that runs on these cores (`0`, `0,1`) and ends when we do, even if we are killed. It leaves
/// no core dump: that of a server with a million names is gigabytes.
pub fn pinned(cores: &str, program: &Path) -> Command {
    // All of them replace themselves by what they start, so the child's id is the program's. They are part of util-linux.
    let wrappers: [&[&str]; 3] = [
        &["setpriv", "--pdeathsig", "KILL"],
        &["prlimit", "--core=0", "--"],
        &["taskset", "--cpu-list", cores],
    ];
    let found = |wrapper: &&&[&str]| wrapper[0] == "taskset" || shell::find_program(wrapper[0]).is_some();
    let mut words = wrappers.iter().filter(found).flat_map(|wrapper| wrapper.iter());
    let mut command = Command::new(words.next().unwrap_or(&"taskset"));
    command.args(words).arg(program).stdin(Stdio::null());
    command
}

/// CPU time that the processes and their threads have used.
pub fn times(ids: &[u32]) -> Result<Times> {
    let mut sum = Times::default();
    for id in ids {
        let file = format!("/proc/{id}/stat");
        let text = fs::read_to_string(&file).with_context(|| format!("{file}: the process is gone"))?;
        let times = parse_times(&text).with_context(|| format!("{file}: {text:?}"))?;
        sum = Times { user: sum.user + times.user, system: sum.system + times.system };
    }
    Ok(sum)
}

/// Memory that the processes have.
pub fn memory(ids: &[u32]) -> Result<Memory> {
    let mut sum = Memory::default();
    for id in ids {
        let read = |name| {
            let file = format!("/proc/{id}/{name}");
            fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))
        };
        let (rollup, status) = (read("smaps_rollup")?, read("status")?);
        let octets = |text: &str, key| octets(text, key).with_context(|| format!("/proc/{id}: no {key}"));
        sum.resident += octets(&rollup, "Rss")?;
        sum.proportional += octets(&rollup, "Pss")?;
        sum.anonymous += octets(&rollup, "Anonymous")?;
        sum.peak += octets(&status, "VmHWM")?;
    }
    Ok(sum)
}

fn parse_times(stat: &str) -> Option<Times> {
    let mut fields = fields(stat)?.skip(UTIME);
    let mut seconds = || Some(fields.next()?.parse::<u64>().ok()? as f64 / TICKS_PER_SECOND);
    Some(Times { user: seconds()?, system: seconds()? })
}

/// The fields behind the program's name, which stands in parentheses and may hold some itself.
fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.rsplit_once(')')?.1.split_ascii_whitespace())
}

/// The value of a line such as `Pss:   1234 kB`.
fn octets(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn family(ancestor: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for id in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        // A process may end while we look.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let parent = fields(&stat).and_then(|mut fields| fields.nth(PARENT)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut family = vec![ancestor];
    let mut next = 0;
    while let Some(id) = family.get(next) {
        family.extend(children.remove(id).unwrap_or_default());
        next += 1;
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 100 0 0";
        let times = parse_times(stat).unwrap();
        assert_eq!(times, Times { user: 2.5, system: 0.5 });
        assert!((times.since(Times { user: 1.5, system: 0.5 }).total() - 1.0).abs() < 1e-9);
        assert_eq!(parse_times("42 (a) S 1"), None);
        assert_eq!(parse_times(""), None);
        assert!(super::times(&[std::process::id()]).unwrap().total() >= 0.0);
    }

    #[test]
    fn memory_is_read_in_octets() {
        let text = "Rss:     1000 kB\nPss:      700 kB\nPss_Anon: 5 kB\nAnonymous:  20 kB\nBad: x kB\n";
        assert_eq!(octets(text, "Pss"), Some(700 * 1024));
        assert_eq!(octets(text, "Anonymous"), Some(20 * 1024));
        assert_eq!(octets(text, "Bad"), None);
        assert_eq!(octets(text, "Swap"), None);
        let ours = memory(&[std::process::id()]).unwrap();
        assert!(ours.resident >= ours.proportional && ours.peak > 0 && ours.anonymous > 0, "{ours:?}");
    }

    #[test]
    fn programs_run_where_they_are_told_to_and_leave_no_core_dumps() {
        let output = pinned("0", Path::new("cat")).arg("/proc/self/status").arg("/proc/self/limits").output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        let line = |start| text.lines().find(|line| line.starts_with(start)).unwrap().split_whitespace();
        assert_eq!(line("Cpus_allowed_list:").last(), Some("0"));
        if shell::find_program("prlimit").is_some() {
            assert_eq!(line("Max core file size").nth(4), Some("0"));
        }
    }

    #[test]
    fn children_end_with_their_handle_and_belong_to_the_family() {
        let process = Process::start(Command::new("cat").stdin(Stdio::piped())).unwrap();
        let id = process.id();
        assert!(times(&[id]).is_ok());
        assert_eq!(process.family(), [id]);
        assert!(family(std::process::id()).contains(&id));
        drop(process);
        assert!(times(&[id]).is_err());
    }
}
