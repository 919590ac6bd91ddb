//! Children that do not outlive us, pinned to a core, with their CPU time.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use anyhow::{Context, Result};

use crate::shell;

/// Kernel ticks per second in `/proc/PID/stat`; the same on every Linux system that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;
/// `utime` in `/proc/PID/stat`, counted from the field behind the program's name; `stime` is the next (proc(5)).
const UTIME: usize = 11;

/// A running program; killed when dropped.
pub struct Process(Child);

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
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command for the program that runs on one core and ends when we do, even if we are killed.
pub fn pinned(core: u32, program: &Path) -> Command {
    // Both replace themselves by what they start, so the child's id is the program's. They are part of util-linux.
    let mut command = if shell::find_program("setpriv").is_some() {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "taskset"]);
        command
    } else {
        Command::new("taskset")
    };
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}

/// CPU seconds, user and system, that a process and its threads have used.
pub fn cpu_seconds(id: u32) -> Result<f64> {
    let file = format!("/proc/{id}/stat");
    let text = fs::read_to_string(&file).with_context(|| format!("{file}: the process is gone"))?;
    ticks(&text).map(|ticks| ticks as f64 / TICKS_PER_SECOND).with_context(|| format!("{file}: {text:?}"))
}

/// User and system ticks together.
fn ticks(stat: &str) -> Option<u64> {
    // The name stands in parentheses and may hold some itself.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(UTIME);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("42 (a) S 1"), None);
        assert_eq!(ticks(""), None);
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }

    #[test]
    fn children_end_with_their_handle() {
        let process = Process::start(Command::new("cat").stdin(std::process::Stdio::piped())).unwrap();
        let id = process.id();
        assert!(cpu_seconds(id).is_ok());
        drop(process);
        assert!(cpu_seconds(id).is_err());
    }
}
