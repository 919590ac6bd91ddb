//! Whose rights the server has.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dns_server::Config;
use nix::unistd::{User, geteuid};

use crate::support::{Process, ask, ask_tcp, command, folder, replace, write, zone};

const CONFIG: &str =
    "user: nobody\nlisten: {http: '127.0.0.1:0'}\nzones: [{name: example.org, file: a.zone}]\n";

/// Values of a line of the status of every thread, and how many threads there are.
fn values(server: &Process, key: &str) -> (BTreeSet<String>, usize) {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let mut values = BTreeSet::new();
    let mut threads = 0;
    for task in tasks {
        // A thread may end while they are counted.
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap();
        values.insert(line.split_whitespace().collect::<Vec<_>>().join(" "));
        threads += 1;
    }
    (values, threads)
}

#[track_caller]
fn expect(server: &Process, key: &str, value: &str) {
    let (values, threads) = values(server, key);
    // The main thread, those of the runtime, the one that watches files, and workers for UDP and TCP.
    assert!(threads >= 6, "{threads} threads");
    assert_eq!(values, BTreeSet::from([value.to_owned()]), "{key}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn no_thread_keeps_rights_of_root() {
    if !geteuid().is_root() {
        println!("skipped: no_thread_keeps_rights_of_root has to be run by root");
        return;
    }
    let folder = folder(&[("config.yaml", CONFIG), ("a.zone", &zone("192.0.2.1"))]);
    set_mode(folder.path(), 0o755);
    let nobody = User::from_name("nobody").unwrap().unwrap();
    // A port that asks for a right, on addresses that are most likely free.
    let server = (1..20)
        .find_map(|last| {
            let listen = format!("127.53.7.{last}:53");
            let server =
                Process::spawn(command(folder.path(), &["--config", "config.yaml", "--listen", &listen]));
            server.begins().then_some(server)
        })
        .unwrap();
    let dns = server.dns();
    assert_eq!(ask(dns, "www.example.org. A"), "NOERROR 192.0.2.1");
    assert_eq!(ask_tcp(dns, "www.example.org. A"), "NOERROR 192.0.2.1");
    let (uid, gid) = (nobody.uid, nobody.gid);
    let expect_no_rights = || {
        expect(&server, "Uid", &format!("{uid} {uid} {uid} {uid}"));
        expect(&server, "Gid", &format!("{gid} {gid} {gid} {gid}"));
        expect(&server, "Groups", &gid.to_string());
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            expect(&server, set, "0000000000000000");
        }
        expect(&server, "NoNewPrivs", "1");
    };
    expect_no_rights();

    // Threads that come with a reload have no more.
    replace(&folder, "a.zone", &zone("192.0.2.2"));
    server.expect("www.example.org. A", "NOERROR 192.0.2.2");
    expect_no_rights();
    // And files are read by this user: what only root may read is not.
    write(&folder, "secret", &zone("192.0.2.3"));
    set_mode(&folder.path().join("secret"), 0o600);
    let mark = server.mark();
    fs::rename(folder.path().join("secret"), folder.path().join("a.zone")).unwrap();
    server.wait_for_behind(mark, "a.zone: cannot be read: Permission denied");
    assert_eq!(ask(dns, "www.example.org. A"), "NOERROR 192.0.2.2");
    assert!(!server.log_behind(0).contains("running as root"));
    server.stop();
}

#[test]
fn root_without_a_user_is_warned_and_loses_capabilities() {
    if !geteuid().is_root() {
        println!("skipped: root_without_a_user_is_warned_and_loses_capabilities has to be run by root");
        return;
    }
    let folder = folder(&[]);
    let server = Process::start(folder.path(), &[]);
    server.wait_for("running as root: name a user to become");
    let read_search: u64 = 1 << 2;
    for set in ["CapPrm", "CapEff"] {
        expect(&server, set, &format!("{read_search:016x}"));
    }
    expect(&server, "NoNewPrivs", "1");
    server.stop();
}

#[test]
fn without_root_nobody_else_can_be_become() {
    let folder = folder(&[("config.yaml", CONFIG), ("a.zone", &zone("192.0.2.1"))]);
    if geteuid().is_root() {
        set_mode(folder.path(), 0o755);
    }
    let user = User::from_uid(geteuid()).unwrap().filter(|user| !user.uid.is_root());
    let words = ["--config", "config.yaml", "--listen", "127.0.0.1:0"];
    for (user, message) in [
        ("no-such-user".to_owned(), Some("user: there is no user \"no-such-user\"")),
        ("nobody:no-such-group".to_owned(), Some("user: there is no group \"no-such-group\"")),
        ("root".to_owned(), Some("whose rights are to be given up")),
        (user.map_or_else(|| "nobody".to_owned(), |user| user.name), None),
    ] {
        let mut command = command(folder.path(), &words);
        command.env("JW238DNS_USER", user);
        let server = Process::spawn(command);
        match message {
            Some(message) => {
                let (status, log) = server.wait();
                assert_eq!(status.code(), Some(2), "{log}");
                assert!(log.contains(message), "{log}");
                assert!(!log.contains("answering"), "{log}");
            }
            None => server.expect("www.example.org. A", "NOERROR 192.0.2.1"),
        }
    }
}

#[test]
fn what_everybody_may_write_is_not_served_from() {
    let folder = folder(&[("etc/config.yaml", "include: more.yaml\n"), ("etc/more.yaml", "workers: 1\n")]);
    let etc = folder.path().join("etc");
    let refused = |path: &Path| {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        set_mode(path, 0o777);
        let words = ["--config", "etc/config.yaml", "--listen", "127.0.0.1:0"];
        let (status, log) = Process::spawn(command(folder.path(), &words)).wait();
        set_mode(path, mode);
        assert_eq!(status.code(), Some(2), "{log}");
        let remedy = format!("run chmod o-w {}", path.display());
        assert!(log.contains(&remedy), "{log}");
        assert!(!log.contains("answering"), "{log}");
    };
    for path in [etc.join("config.yaml"), etc.join("more.yaml"), etc.clone()] {
        refused(&path);
    }

    // Whoever may rename the folder may put another one in its place.
    refused(folder.path());

    let more = etc.join("more.yaml");
    let check = || command(folder.path(), &["check", "--config", "etc/config.yaml"]).output().unwrap();
    assert_eq!(check().status.code(), Some(0));
    set_mode(&more, 0o666);
    let checked = check();
    assert_eq!(checked.status.code(), Some(1));
    let text = String::from_utf8_lossy(&checked.stderr);
    assert!(text.starts_with("error: ") && text.contains("run chmod o-w "), "{text}");
    set_mode(&more, 0o644);

    // The same goes for a reload, which then changes nothing.
    let server = Process::start(folder.path(), &["--config", "etc/config.yaml"]);
    set_mode(&more, 0o666);
    server.signal("HUP");
    server.wait_for("run chmod o-w");
    server.wait_for("the configuration was not reloaded");
    server.stop();
}

#[test]
fn a_query_log_that_the_user_may_not_write_is_explained() {
    if !geteuid().is_root() {
        println!("skipped: a_query_log_that_the_user_may_not_write_is_explained has to be run by root");
        return;
    }
    let folder = folder(&[
        ("config.yaml", "user: nobody\nquery_log: {enabled: true, file: logs/queries.json}\n"),
        ("logs/queries.json", ""),
    ]);
    set_mode(folder.path(), 0o755);
    set_mode(&folder.path().join("logs/queries.json"), 0o600);
    let words = ["--config", "config.yaml", "--listen", "127.0.0.1:0"];
    let (status, log) = Process::spawn(command(folder.path(), &words)).wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("query_log: ") && log.contains("logs/queries.json: Permission denied"), "{log}");
    assert!(log.contains("the user whom the server runs as") && log.contains("docs/running.md"), "{log}");
    assert!(!log.contains("answering"), "{log}");
}

#[test]
fn too_few_descriptors_are_told() {
    let folder = folder(&[]);
    let words = ["--listen", "127.0.0.1:0"];
    let limited = |limits: &str, connections: &str| {
        let mut limited = std::process::Command::new("sh");
        let script = format!("{limits}; exec \"$0\" \"$@\"");
        limited.args(["-c", &script, env!("CARGO_BIN_EXE_jw238dns")]).args(words).current_dir(folder.path());
        limited.env_clear().env("JW238DNS_TCP__MAX_CONNECTIONS", connections);
        let server = Process::spawn(limited);
        server.wait_for("answering DNS");
        let status = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let soft = line.split_whitespace().nth(3).unwrap().to_owned();
        let log = server.log_behind(0);
        server.stop();
        (soft, log.contains("too few file descriptors for tcp.max_connections"))
    };
    assert_eq!(limited("ulimit -Sn 256; ulimit -Hn 3000", "1000"), ("3000".to_owned(), false));
    assert_eq!(limited("ulimit -Sn 256; ulimit -Hn 3000", "2990"), ("3000".to_owned(), true));
    assert_eq!(limited("ulimit -Sn 2000; ulimit -Hn 3000", "1000"), ("2000".to_owned(), false));
}

#[test]
fn the_examples_of_the_documentation_are_loaded() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/running.md");
    let text = fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        text.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let loaded = Config::parse("running.md", block, []).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.config.user.as_deref(), Some("nobody"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}
