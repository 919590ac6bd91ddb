//! Reloading: by signal and because files have changed.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use crate::support::{PATIENCE, Process, folder, get, replace, write, zone};

const CONFIG: &str =
    "listen: {http: '127.0.0.1:0'}\nzones: [{name: example.org, file: a.zone}]\nzones_dir: zones\n";

fn config(extra: &str) -> String {
    format!("{CONFIG}{extra}")
}

#[test]
fn changed_files_are_served_however_they_are_written() {
    let include = format!("{}$INCLUDE more/hosts\n", zone("192.0.2.1"));
    let folder = folder(&[
        ("config.yaml", CONFIG),
        ("a.zone", &include),
        ("more/hosts", "host A 192.0.2.10\n"),
        ("zones/example.net.zone", &zone("192.0.2.20")),
    ]);
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    server.expect("www.example.org. A", "NOERROR 192.0.2.1");
    server.expect("host.example.org. A", "NOERROR 192.0.2.10");

    // In place, and by renaming another file over it.
    write(&folder, "a.zone", &include.replace("192.0.2.1\n", "192.0.2.2\n"));
    server.expect("www.example.org. A", "NOERROR 192.0.2.2");
    replace(&folder, "a.zone", &include.replace("192.0.2.1\n", "192.0.2.3\n"));
    server.expect("www.example.org. A", "NOERROR 192.0.2.3");
    // A file that it includes, in another folder.
    write(&folder, "more/hosts", "host A 192.0.2.11\n");
    server.expect("host.example.org. A", "NOERROR 192.0.2.11");
    // A file that comes into the folder, changes, and goes.
    write(&folder, "zones/example.com.zone", &zone("192.0.2.30"));
    server.expect("www.example.com. A", "NOERROR 192.0.2.30");
    replace(&folder, "zones/example.com.zone", &zone("192.0.2.31"));
    server.expect("www.example.com. A", "NOERROR 192.0.2.31");
    fs::remove_file(folder.path().join("zones/example.com.zone")).unwrap();
    server.expect("www.example.com. A", "REFUSED");
    server.expect("www.example.net. A", "NOERROR 192.0.2.20");
    // The configuration itself.
    write(
        &folder,
        "config.yaml",
        &config("records: [{name: www.example.edu., type: A, value: 192.0.2.40}]\n"),
    );
    server.expect("www.example.edu. A", "NOERROR 192.0.2.40");
    replace(&folder, "config.yaml", "zones: [{name: example.info, file: a.zone}]\n");
    server.expect("www.example.info. A", "NOERROR 192.0.2.3");
    server.expect("www.example.org. A", "REFUSED");
    server.expect("www.example.edu. A", "REFUSED");
    server.expect("www.example.net. A", "REFUSED");
    server.stop();
}

#[test]
fn a_configmap_is_followed_through_its_links() {
    let folder = folder(&[
        ("mount/..v1/config.yaml", "zones_dir: .\n"),
        ("mount/..v1/example.org.zone", &zone("192.0.2.1")),
    ]);
    let mount = folder.path().join("mount");
    symlink("..v1", mount.join("..data")).unwrap();
    for name in ["config.yaml", "example.org.zone"] {
        symlink(format!("..data/{name}"), mount.join(name)).unwrap();
    }
    let server = Process::start(folder.path(), &["--config", "mount/config.yaml"]);
    server.expect("www.example.org. A", "NOERROR 192.0.2.1");
    let mut last = "..v1".to_owned();
    for version in 2..5 {
        // As the kubelet does it: a new folder, a link renamed over the old one, the old folder removed.
        let (data, address) = (format!("..v{version}"), format!("192.0.2.{version}"));
        let records = format!("records: [{{name: www.example.net., type: A, value: {address}}}]\n");
        write(&folder, &format!("mount/{data}/config.yaml"), &format!("zones_dir: .\n{records}"));
        write(&folder, &format!("mount/{data}/example.org.zone"), &zone(&address));
        symlink(&data, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        fs::remove_dir_all(mount.join(&last)).unwrap();
        last = data;
        server.expect("www.example.org. A", &format!("NOERROR {address}"));
        server.expect("www.example.net. A", &format!("NOERROR {address}"));
    }
}

#[test]
fn a_hangup_reloads_and_names_what_needs_a_restart() {
    let folder = folder(&[("config.yaml", CONFIG), ("a.zone", &zone("192.0.2.1"))]);
    fs::create_dir(folder.path().join("zones")).unwrap();
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    let mark = server.mark();
    server.signal("HUP");
    let line = server.wait_for_behind(mark, "reloaded");
    assert!(line.contains("zones_loaded=0") && line.contains("zones_unchanged=1"), "{line}");

    let extra = "workers: 7\nlog_level: warn\ntcp: {idle_timeout: 3s}\n";
    for _ in 0..2 {
        // Told every time, as long as it is so.
        let mark = server.mark();
        replace(&folder, "config.yaml", &config(extra));
        server.signal("HUP");
        for key in ["workers", "log_level", "tcp"] {
            let line = server.wait_for_behind(mark, &format!("key=\"{key}\""));
            assert!(line.contains("WARN") && line.contains("next start"), "{line}");
        }
    }
    server.stop();
}

#[test]
fn a_hangup_opens_the_query_log_again_whatever_the_configuration_is_like() {
    let log = "query_log: {enabled: true, file: logs/queries.json}\n";
    let folder = folder(&[("config.yaml", log), ("logs/other", "")]);
    let (current, rotated) = (folder.path().join("logs/queries.json"), folder.path().join("logs/queries.1"));
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    // Asks until the file has this question.
    let logged = |qname: &str| {
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(&current).is_ok_and(|text| text.contains(qname)) {
            server.expect(&format!("{qname} A"), "REFUSED");
            assert!(Instant::now() < deadline, "{qname} is not in {}", current.display());
        }
    };
    logged("first.example.org.");
    replace(&folder, "config.yaml", "zones: no list\n");
    server.wait_for("the configuration was not reloaded");
    for round in ["second.example.org.", "third.example.org."] {
        fs::rename(&current, &rotated).unwrap();
        server.signal("HUP");
        logged(round);
    }
    assert!(fs::read_to_string(&rotated).unwrap().contains("second.example.org."));
    // With a configuration that is right it does the same.
    let mark = server.mark();
    replace(&folder, "config.yaml", log);
    server.wait_for_behind(mark, "problems=0");
    fs::rename(&current, &rotated).unwrap();
    server.signal("HUP");
    logged("fourth.example.org.");
    server.stop();
}

#[test]
fn what_is_invalid_leaves_what_was_served() {
    let good = zone("192.0.2.1");
    let folder = folder(&[
        ("config.yaml", CONFIG),
        ("a.zone", &good),
        ("zones/example.net.zone", &good),
        ("zones/example.com.zone", &good),
    ]);
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    let http = server.http();
    let failures = || {
        let (_, metrics) = get(http, "/metrics");
        let figure = "dns_server_reloads_total{outcome=\"failure\"} ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.parse::<u64>().unwrap()
    };
    let unchanged = || {
        for name in ["example.org", "example.net", "example.com"] {
            server.expect(&format!("www.{name}. A"), "NOERROR 192.0.2.1");
        }
        assert_eq!(get(http, "/ready").0, 200);
    };
    // Each: a file, what becomes of it, what is said.
    for (path, content, message) in [
        ("a.zone", "www A", "a.zone:1:"),
        ("a.zone", "", "a.zone: is empty"),
        ("zones/example.net.zone", "", "example.net.zone: is empty"),
        ("zones/example.net.zone", "@ 300 A 192.0.2.9\n", "example.net.zone"),
        ("config.yaml", "zonez: []\n", "did you mean 'zones'?"),
        ("config.yaml", "zones: [", "config.yaml:"),
        (
            "config.yaml",
            "zones: [{name: example.org, file: a.zone}]\nzones_dir: absent\n",
            "zones_dir: absent",
        ),
        (
            "config.yaml",
            "zones: [{name: example.org, file: absent.zone}]\nzones_dir: zones\n",
            "absent.zone: cannot be read",
        ),
    ] {
        let before = fs::read_to_string(folder.path().join(path)).unwrap();
        let (mark, failed) = (server.mark(), failures());
        replace(&folder, path, content);
        server.wait_for_behind(mark, message);
        let deadline = Instant::now() + PATIENCE;
        while failures() == failed {
            assert!(Instant::now() < deadline, "{path} with {content:?} counts as failed");
        }
        unchanged();
        let mark = server.mark();
        replace(&folder, path, &before);
        server.wait_for_behind(mark, "problems=0");
        unchanged();
    }
    // A file that vanishes is not a zone that was taken out of the configuration.
    let mark = server.mark();
    fs::remove_file(folder.path().join("a.zone")).unwrap();
    server.wait_for_behind(mark, "a.zone: cannot be read");
    unchanged();
    server.stop();
}

#[test]
fn a_reload_that_still_fails_says_so_again() {
    let folder = folder(&[("config.yaml", CONFIG), ("a.zone", "broken")]);
    fs::create_dir(folder.path().join("zones")).unwrap();
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    for _ in 0..2 {
        let mark = server.mark();
        server.signal("HUP");
        server.wait_for_behind(mark, "a.zone:1:");
        server.wait_for_behind(mark, "problems=1");
    }
    // An included file that comes later, in a folder of its own.
    fs::create_dir(folder.path().join("more")).unwrap();
    write(&folder, "a.zone", &format!("{}$INCLUDE more/hosts\n", zone("192.0.2.1")));
    server.wait_for("more/hosts");
    server.expect("www.example.org. A", "SERVFAIL");
    write(&folder, "more/hosts", "host A 192.0.2.10\n");
    server.signal("HUP");
    server.expect("host.example.org. A", "NOERROR 192.0.2.10");
    server.stop();
}

#[test]
fn a_zone_that_failed_comes_when_its_file_is_right() {
    let folder = folder(&[("config.yaml", CONFIG), ("a.zone", "broken")]);
    fs::create_dir(folder.path().join("zones")).unwrap();
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    server.expect("www.example.org. A", "SERVFAIL");
    write(&folder, "a.zone", &zone("192.0.2.1"));
    server.expect("www.example.org. A", "NOERROR 192.0.2.1");
    assert_eq!(get(server.http(), "/ready"), (200, "ready\n".to_owned()));
}
