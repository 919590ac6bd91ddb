//! A small disk that only one test has: a file system in memory, mounted where nobody else sees it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Ends with the process that holds it, whatever becomes of the test.
pub struct Volume {
    holder: Child,
    place: PathBuf,
}

impl Volume {
    /// Mounts one over a folder, for whoever is started by [`within`](Self::within). `None` where that is not allowed.
    pub fn mount(place: &Path, octets: u64) -> Option<Self> {
        let options = format!("size={octets},mode=0700");
        let script = "mount -t tmpfs -o \"$1\" tmpfs \"$0\" && echo mounted && exec cat";
        let mut command = Command::new("unshare");
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(place).arg(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = command.spawn().ok()?;
        let mut line = String::new();
        let read = BufReader::new(holder.stdout.take()?).read_line(&mut line);
        let volume = Self { holder, place: place.to_owned() };
        (read.is_ok() && line == "mounted\n").then_some(volume)
    }

    /// The same command, where the volume is.
    pub fn within(&self, command: &Command) -> Command {
        let mut within = Command::new("nsenter");
        let holder = self.holder.id();
        if !is_root() {
            within.arg(format!("--user=/proc/{holder}/ns/user")).arg("--preserve-credentials");
        }
        within.arg(format!("--mount=/proc/{holder}/ns/mnt"));
        if let Some(folder) = command.get_current_dir() {
            within.arg(format!("--wdns={}", folder.display()));
        }
        within.arg(command.get_program()).args(command.get_args());
        within.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        within.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        within
    }

    /// Where we see what is in it.
    pub fn seen_from_outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.place.strip_prefix("/").unwrap_or(&self.place))
    }

    /// Mounts it anew, with an option such as `ro`. Nobody may have a file of it open to write.
    pub fn remount(&self, option: &str) {
        let mut mount = Command::new("mount");
        mount.args([OsStr::new("-o"), OsStr::new(&format!("remount,{option}")), self.place.as_os_str()]);
        assert!(self.within(&mount).status().unwrap().success(), "remount,{option}");
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Whether we are the administrator.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
