//! Not starting: a message that says why, and an exit code.

use std::net::{TcpListener, UdpSocket};

use crate::support::{Process, command, folder, zone};

/// What it says when it refuses to start; it must have answered nothing.
#[track_caller]
fn refusal(folder: &tempfile::TempDir, words: &[&str], code: i32) -> String {
    let (status, log) = Process::spawn(command(folder.path(), words)).wait();
    assert_eq!(status.code(), Some(code), "{log}");
    assert!(!log.contains("answering"), "{log}");
    log
}

#[test]
fn a_port_in_use_is_named() {
    let folder = folder(&[]);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [udp.local_addr().unwrap(), tcp.local_addr().unwrap()] {
        let log = refusal(&folder, &["--listen", &address.to_string()], 1);
        assert!(log.contains(&format!("cannot listen on {address} over")), "{log}");
        assert!(log.contains("another program listens there"), "{log}");
    }
}

#[test]
fn a_port_in_use_for_http_is_named() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let folder = folder(&[("config.yaml", &format!("listen: {{dns: '127.0.0.1:0', http: '{address}'}}\n"))]);
    let log = refusal(&folder, &["--config", "config.yaml"], 1);
    assert!(log.contains(&address.to_string()) && log.contains("HTTP"), "{log}");
}

#[test]
fn two_servers_never_share_a_port() {
    let folder = folder(&[]);
    let first = Process::start(folder.path(), &[]);
    let log = refusal(&folder, &["--listen", &first.dns().to_string()], 1);
    assert!(log.contains("another program listens there"), "{log}");
    first.expect("www.example.test. A", "NOERROR 192.0.2.1");
}

#[test]
fn every_typo_is_told_at_once() {
    let folder = folder(&[("config.yaml", "worker: 2\nlog_level: loud\nzones: [{name: example.org}]\n")]);
    let log = refusal(&folder, &["--config", "config.yaml", "--listen", "127.0.0.1:0"], 2);
    for mistake in [
        "config.yaml:1:1: worker: unknown key, did you mean 'workers'?",
        "config.yaml:2:12: log_level:",
        "file",
    ] {
        assert!(log.contains(mistake), "{mistake} in {log}");
    }
    assert!(log.lines().count() >= 3, "{log}");
}

#[test]
fn strict_refuses_to_start_without_all_zones() {
    let bad = "@ 300 SOA ns hostmaster 1 2 3 4 5\n@ 300 NS ns\nwww 300 A 192.0.2.256\nmx 300 MX x\n";
    let folder = folder(&[
        ("good.zone", &zone("192.0.2.1")),
        ("bad.zone", bad),
        ("empty.zone", ""),
        ("folder.zone/x", ""),
    ]);
    for (file, messages) in [
        ("bad.zone", &["bad.zone:3:", "bad.zone:4:"][..]),
        ("empty.zone", &["empty.zone: is empty"]),
        ("folder.zone", &["folder.zone: is a folder, not a file"]),
        ("absent.zone", &["absent.zone: cannot be read: No such file"]),
    ] {
        let zone = format!("example.net={file}");
        let words =
            ["--strict", "--listen", "127.0.0.1:0", "--zone", "example.org=good.zone", "--zone", &zone];
        let log = refusal(&folder, &words, 1);
        for message in messages {
            assert!(log.contains(message), "{message} in {log}");
        }
    }
    let words = ["--strict", "--zone", "example.org=good.zone"];
    Process::start(folder.path(), &words).stop();
}

#[cfg(target_os = "linux")]
#[test]
fn a_zone_file_that_may_not_be_read_is_told() {
    // The superuser may read everything, but nobody may read this.
    let folder = folder(&[]);
    let words = ["--strict", "--listen", "127.0.0.1:0", "--zone", "example.org=/proc/self/mem"];
    let log = refusal(&folder, &words, 1);
    assert!(
        log.contains("/proc/self/mem: cannot be read") || log.contains("/proc/self/mem: is empty"),
        "{log}"
    );
}

#[test]
fn a_line_of_ten_megabytes_is_one_mistake() {
    let long = "x".repeat(10 << 20);
    let content = format!("{}long TXT {long}\nlast A 192.0.2.9\n", zone("192.0.2.1"));
    let folder = folder(&[("long.zone", &content)]);
    let log =
        refusal(&folder, &["--strict", "--listen", "127.0.0.1:0", "--zone", "example.org=long.zone"], 1);
    assert!(log.contains("long.zone:6:"), "{}", &log[..log.len().min(2000)]);
    assert!(log.len() < 10_000, "the line is not repeated: {} octets", log.len());
    // Without being strict it goes on, with nothing of that zone.
    let server = Process::start(folder.path(), &["--zone", "example.org=long.zone"]);
    server.expect("www.example.org. A", "SERVFAIL");
    server.expect("last.example.org. A", "SERVFAIL");
    server.stop();
}
