//! A service manager watches: readiness, reloads, the watchdog and the unit file.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dns_server::Config;
use dns_server::config::QueryLogTarget;

use crate::support::{PATIENCE, Process, command, folder, replace, zone};

/// The end of the socket that systemd has.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The lines of the next message.
    fn next(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let octets = self.0.recv(&mut message).expect("the server says something");
        String::from_utf8(message[..octets].to_vec()).unwrap().lines().map(str::to_owned).collect()
    }

    /// The lines of the next message that is no sign of life.
    fn next_change(&self) -> Vec<String> {
        loop {
            let lines = self.next();
            if lines != ["WATCHDOG=1"] {
                return lines;
            }
        }
    }

    /// Waits for signs of life.
    fn expect_alive(&self) {
        for _ in 0..2 {
            while self.next() != ["WATCHDOG=1"] {}
        }
    }
}

#[test]
fn the_service_manager_hears_of_everything() {
    let folder = folder(&[
        ("config.yaml", "zones: [{name: example.org, file: a.zone}]\n"),
        ("a.zone", &zone("192.0.2.1")),
    ]);
    let path = folder.path().join("notify");
    let manager = Manager::new(&path);
    let words = ["--config", "config.yaml", "--listen", "127.0.0.1:0"];
    let mut command = command(folder.path(), &words);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let server = Process::spawn(command);
    assert_eq!(manager.next(), ["READY=1", "STATUS=serving 1 zones with 4 records"]);
    server.expect("www.example.org. A", "NOERROR 192.0.2.1");
    manager.expect_alive();

    let reload = || {
        server.signal("HUP");
        let begun = manager.next_change();
        assert_eq!(begun[0], "RELOADING=1");
        let since = begun[1].strip_prefix("MONOTONIC_USEC=").expect("the time of the reload");
        assert!(since.parse::<u64>().unwrap() > 0);
        manager.next_change()
    };
    assert_eq!(reload(), ["READY=1", "STATUS=serving 1 zones with 4 records"]);
    // A failed one ends, too.
    replace(&folder, "config.yaml", "zones: no list\n");
    assert_eq!(manager.next_change()[0], "RELOADING=1");
    let status = "STATUS=serving what was there before: the configuration was not reloaded";
    assert_eq!(manager.next_change(), ["READY=1", status]);
    manager.expect_alive();

    server.signal("TERM");
    assert_eq!(manager.next_change(), ["STOPPING=1", "STATUS=stopping"]);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let folder = folder(&[]);
    let path = folder.path().join("notify");
    let manager = Manager::new(&path);
    let mut command = command(folder.path(), &["--listen", "127.0.0.1:0"]);
    // Meant for another process, as when a shell starts the server.
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").env("WATCHDOG_PID", "1");
    let server = Process::spawn(command);
    assert_eq!(manager.next()[0], "READY=1");
    server.signal("TERM");
    assert_eq!(manager.next()[0], "STOPPING=1", "nobody asked for signs of life");
    assert_eq!(server.wait().0.code(), Some(0));
}

/// The unit file, with the server under test in it; `None` where there is no tool that reads it.
fn unit(folder: &Path, test: &str) -> Option<PathBuf> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("skipped: {test} needs systemd-analyze");
        return None;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd/jw238dns.service");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("/usr/bin/jw238dns "), "{text}");
    let path = folder.join("jw238dns.service");
    fs::write(&path, text.replace("/usr/bin/jw238dns", env!("CARGO_BIN_EXE_jw238dns"))).unwrap();
    Some(path)
}

fn analyze(words: &[&str], unit: &Path) -> (Output, String) {
    let output = Command::new("systemd-analyze").args(words).arg(unit).output().unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn the_unit_is_well_formed() {
    let folder = folder(&[]);
    let Some(unit) = unit(folder.path(), "the_unit_is_well_formed") else { return };
    let (output, text) = analyze(&["verify", "--man=no"], &unit);
    assert!(output.status.success(), "{text}");
    // A systemd that is older than 253 says that it takes the type before this one.
    let complaints: Vec<&str> =
        text.lines().filter(|line| line.contains("jw238dns") && !line.contains("notify-reload")).collect();
    assert_eq!(complaints, Vec::<&str>::new());
}

#[test]
fn the_unit_lets_the_example_write_its_query_log() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let unit = fs::read_to_string(root.join("deploy/systemd/jw238dns.service")).unwrap();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    assert_eq!(value("ProtectSystem"), Some("strict"), "{unit}");
    let logs = Path::new("/var/log").join(value("LogsDirectory").expect("a folder for logs"));

    let loaded = Config::load(&root.join("docs/examples/internet.yaml"), []).unwrap();
    let Some(QueryLogTarget::File(file)) = loaded.config.query_log.map(|log| log.target) else {
        panic!("the example has a query log in a file")
    };
    assert_eq!(file.parent(), Some(logs.as_path()));
}

#[test]
fn the_unit_exposes_little() {
    let folder = folder(&[]);
    let Some(unit) = unit(folder.path(), "the_unit_exposes_little") else { return };
    // Tenths; 92 is what a unit without any of it has.
    let (output, text) = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"], &unit);
    assert!(output.status.success(), "{text}");
}
