//! Data folders that cannot be used: said aloud, and left as they are.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use redb::{Database, TableDefinition};

use crate::site::{Site, record, runtime};
use crate::support::{Process, command, folder};
use crate::volume::{Volume, is_root};

/// Every file below a folder, and what is in it; `None` for folders.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut tree = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
                tree.insert(path, None);
            } else {
                let octets = fs::read(&path).unwrap();
                tree.insert(path, Some(octets));
            }
        }
    }
    tree
}

/// What it says when it refuses to start. It has answered nothing, and changed nothing.
#[track_caller]
fn refusal(site: &Site, place: &str) -> String {
    let before = tree(site.folder.path());
    let (status, log) = site.spawn().wait();
    is_refusal(status.code(), &log, place);
    let mut after = tree(site.folder.path());
    // That somebody has looked is all that may be seen of it.
    if !before.contains_key(&site.data().join("lock")) {
        after.remove(&site.data().join("lock"));
    }
    let names = |tree: &BTreeMap<PathBuf, Option<Vec<u8>>>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
    for (path, octets) in before {
        // Holds the number of the process that has looked last.
        if !path.ends_with("lock") {
            assert!(after[&path] == octets, "{} is another file now", path.display());
        }
    }
    log
}

/// What a check says before the reason that a start gives.
const NO_START: &str = "warning: a server could not start on this machine: ";

fn check(site: &Site) -> Command {
    command(site.folder.path(), &["check", "--config", "config.yaml"])
}

/// What a start says of the folder, a check says before it, and it leaves no trace at all. Returns that.
#[track_caller]
fn checked(site: &Site) -> String {
    let before = tree(site.folder.path());
    let output = check(site).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(tree(site.folder.path()) == before, "{told}");
    // The configuration is right, wherever it is for.
    assert_eq!(output.status.code(), Some(0), "{told}");
    if told.is_empty() {
        return told;
    }
    let line = told.strip_prefix(NO_START).and_then(|told| told.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(line.starts_with("store.data_dir: "), "{told}");
    says(&refusal(site, ""), line);
    line.to_owned()
}

#[track_caller]
fn is_refusal(code: Option<i32>, log: &str, place: &str) {
    assert_eq!(code, Some(1), "{log}");
    assert!(!log.contains("answering"), "{log}");
    let line = log.lines().find(|line| line.contains("store.data_dir:")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(place), "{line}");
}

#[track_caller]
fn says(log: &str, what: &str) {
    assert!(log.contains(what), "{what} in {log}");
}

/// A folder in which a server has kept something.
fn used() -> Site {
    let site = Site::new("", "");
    let server = site.start();
    let admin = site.admin(&server);
    runtime().block_on(admin.create_record(&record("www.example.org. A 192.0.2.1"))).unwrap();
    server.stop();
    site
}

/// What was there is served, and can be changed.
#[track_caller]
fn is_unharmed(site: &Site, server: &Process) {
    server.expect("www.example.org. A", "NOERROR 192.0.2.1");
    let admin = site.admin(server);
    runtime().block_on(admin.create_record(&record("more.example.org. A 192.0.2.2"))).unwrap();
    server.expect("more.example.org. A", "NOERROR 192.0.2.2");
}

#[test]
fn a_folder_is_for_one_server_at_a_time() {
    let site = used();
    let first = site.start();
    // The first one may be tidying up its files: they are not compared.
    let (status, log) = site.spawn().wait();
    is_refusal(status.code(), &log, &site.data().display().to_string());
    says(&log, &format!("is in use by process {}", first.id()));
    // A configuration is checked before the server that runs reads it anew.
    let check = check(&site).output().unwrap();
    assert_eq!((String::from_utf8_lossy(&check.stderr).as_ref(), check.status.code()), ("", Some(0)));
    is_unharmed(&site, &first);
    drop(first);
    let second = site.start();
    second.expect("more.example.org. A", "NOERROR 192.0.2.2");
}

#[test]
fn what_is_no_folder_is_named() {
    for at in ["data", "data/below"] {
        let folder = folder(&[("data", "a file")]);
        let data = folder.path().join(at);
        let site = Site::with_data(folder, data, "", "");
        says(&refusal(&site, at), "is not a folder");
        says(&checked(&site), "is not a folder");
    }
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = folder(&[("data/notes.txt", "not ours"), ("data/below/more.txt", "nor this")]);
    let data = folder.path().join("data");
    let site = Site::with_data(folder, data, "", "");
    says(&refusal(&site, "data"), "holds");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = folder(&[("disk/empty", "")]);
    let disk = folder.path().join("disk");
    if let Some(volume) = Volume::mount(&disk, 8 << 20) {
        let site = Site::with_data(folder, disk.join("data"), "", "");
        let start = || Process::spawn(volume.within(&site.command()));
        let server = start();
        server.wait_for("answering HTTP");
        server.stop();
        volume.remount("ro");
        let (status, log) = start().wait();
        is_refusal(status.code(), &log, "disk/data");
        says(&log, "is not writable");
        says(&log, "Read-only file system");
        let told = volume.within(&check(&site)).output().unwrap();
        let told = String::from_utf8(told.stderr).unwrap();
        says(&told, "disk/data is not writable (Read-only file system");
        says(&log, told.trim().trim_start_matches(NO_START));
        volume.remount("rw");
        let server = start();
        server.wait_for("answering HTTP");
        server.stop();
    } else {
        println!("skipped: a_folder_that_cannot_be_written_is_named may not mount anything");
    }
    if is_root() {
        return; // who may write anywhere
    }
    let site = used();
    fs::set_permissions(site.data(), Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(site.data().join("lock"), Permissions::from_mode(0o400)).unwrap();
    says(&refusal(&site, "data"), "is not writable");
    says(&checked(&site), "is not writable");
    fs::set_permissions(site.data(), Permissions::from_mode(0o700)).unwrap();
}

/// Root can make any folder for itself, but not as the user whom the server becomes.
#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder(&[("srv/empty", "")]);
    let (srv, data) = (folder.path().join("srv"), folder.path().join("srv/dns/data"));
    let rest = if is_root() { "user: 65534:65534\n" } else { "" };
    let site = Site::with_data(folder, data.clone(), "", rest);
    fs::set_permissions(site.folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&srv, Permissions::from_mode(0o555)).unwrap();
    let told = checked(&site);
    fs::set_permissions(&srv, Permissions::from_mode(0o755)).unwrap();
    says(&told, &format!("{} cannot be made (Permission denied", data.display()));
    if is_root() {
        fs::create_dir_all(&data).unwrap();
        says(&checked(&site), &format!("{} is not writable (Permission denied", data.display()));
        fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
        says(&checked(&site), "data/journal.redb: Permission denied");
        chown(&data, Some(65_534), Some(65_534)).unwrap();
        fs::write(data.join("journal.redb"), "of root").unwrap();
        says(&checked(&site), "data/journal.redb: Permission denied");
    } else {
        assert_eq!(checked(&site), "");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_in_the_way() {
    let folder = folder(&[]);
    let data = folder.path().join("data");
    symlink("nowhere", &data).unwrap();
    let site = Site::with_data(folder, data, "", "");
    let told = String::from_utf8(check(&site).output().unwrap().stderr).unwrap();
    says(&told, "data cannot be made (File exists");
    let (status, log) = site.spawn().wait();
    is_refusal(status.code(), &log, "data");
    says(&log, told.trim().trim_start_matches(NO_START));
}

#[test]
fn a_folder_that_anybody_may_write_to_is_refused() {
    let site = used();
    fs::set_permissions(site.data(), Permissions::from_mode(0o777)).unwrap();
    says(&refusal(&site, "data"), "anybody could change what is in it");
    says(&checked(&site), "anybody could change what is in it");
    fs::set_permissions(site.data(), Permissions::from_mode(0o700)).unwrap();
    is_unharmed(&site, &site.start());
}

#[test]
fn a_journal_that_is_none_is_left_alone() {
    let site = used();
    let journal = site.data().join("journal.redb");
    let whole = fs::read(&journal).unwrap();
    let mut other_start = whole.clone();
    other_start[..4].copy_from_slice(b"RIFF");
    let mut torn_header = whole.clone();
    torn_header[9..320].fill(0xff);
    let torn_pages = {
        let mut torn = whole.clone();
        torn[4096..].fill(0);
        torn
    };
    for (what, octets) in [
        ("nothing", Vec::new()),
        ("its beginning", whole[..1000].to_vec()),
        ("half of it", whole[..whole.len() / 2].to_vec()),
        ("one octet too little", whole[..whole.len() - 1].to_vec()),
        ("a text", b"something else entirely\n".repeat(1000)),
        ("another start", other_start),
        ("no header", torn_header),
        ("no pages", torn_pages),
    ] {
        fs::write(&journal, &octets).unwrap();
        let log = refusal(&site, "journal.redb");
        let is_told = ["is no journal of this server", "is damaged"].iter().any(|word| log.contains(word));
        assert!(is_told, "{what}: {log}");
        // The database panics over some of these.
        assert!(!log.contains("panicked") && !log.contains("backtrace"), "{what}: {log}");
    }
    // As nothing was lost, it can be put back.
    fs::write(&journal, &whole).unwrap();
    is_unharmed(&site, &site.start());
}

#[test]
fn a_journal_of_a_newer_version_is_left_alone() {
    let site = used();
    let journal = site.data().join("journal.redb");
    let database = Database::open(&journal).unwrap();
    let txn = database.begin_write().unwrap();
    let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    txn.open_table(meta).unwrap().insert("format", 99).unwrap();
    txn.commit().unwrap();
    drop(database);
    says(&refusal(&site, "journal.redb"), "has format 99");
}

/// Nobody can manage the server then, but it answers.
#[test]
fn a_token_file_that_is_none_is_left_alone() {
    let folder = folder(&[("token", "my diary\n")]);
    let (data, token) = (folder.path().join("data"), folder.path().join("token"));
    fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
    let rest = format!("api: {{admin_token_file: '{}'}}\n", token.display());
    let site = Site::with_data(folder, data, "", &rest);
    let server = site.start();
    server.wait_for("token holds something else than a token");
    server.stop();
    assert_eq!(fs::read_to_string(token).unwrap(), "my diary\n");
}
