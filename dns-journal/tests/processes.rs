//! Processes that open the same folder, that are killed, and that run out of space.
//!
//! Each child is this program again, running the one test that is named below, which does nothing by itself.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use dns_core::{RecordType, Rrset};
use dns_journal::{Folder, FolderError};
use dns_store::{Batch, Entry, Journal, JournalError, Kept, Marks, RecordChange, Source};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::{TempDir, tempdir};

/// What a child shall do, and where.
const ROLE: &str = "JOURNAL_TEST_ROLE";
const FOLDER: &str = "JOURNAL_TEST_FOLDER";

/// Versions go in threes: each batch has as many entries, so that half a batch would be seen.
const PER_BATCH: u64 = 3;

fn batch(first: u64, padding: usize) -> Batch {
    let entry = |version: u64| {
        let owner = format!("host{}.example.org", version % 50).parse().unwrap();
        let text = format!("{version:x>padding$}");
        let values = text.as_bytes().chunks(255).map(|chunk| [&[chunk.len() as u8], chunk].concat());
        let after = Rrset::new(owner, RecordType::TXT, 300, [values.collect::<Vec<_>>().concat()]).unwrap();
        let change = RecordChange {
            owner: after.owner().clone(),
            rtype: RecordType::TXT,
            before: None,
            after: Some(after),
        };
        Arc::new(Entry {
            version,
            time: SystemTime::now(),
            view: "default".into(),
            source: Source::Api,
            author: "".into(),
            records: vec![change],
            zones: Vec::new(),
        })
    };
    let last = first + PER_BATCH - 1;
    let marks = Marks { version: Some(last), derived_serial: Some(last as u32), serials: Vec::new() };
    Batch { entries: (first..=last).map(entry).collect(), marks }
}

/// Checks that a journal has whole batches and agrees with itself; returns the last version.
#[track_caller]
fn check(journal: &Folder) -> u64 {
    let history = journal.history(None, usize::MAX).unwrap();
    let last = history.first().map_or(0, |entry| entry.version);
    assert_eq!(last % PER_BATCH, 0, "half a batch");
    let versions: Vec<u64> = history.iter().map(|entry| entry.version).collect();
    assert!(versions.iter().copied().eq((1..=last).rev()), "{versions:?}");
    let mut found = Vec::new();
    let mut take = |kept: Kept| {
        if let Kept::Rrset { version, .. } = kept {
            found.push(version);
        }
    };
    let marks = journal.restore(None, &mut take).unwrap();
    found.sort_unstable();
    assert_eq!(found, ((last + 1).saturating_sub(50).max(1)..=last).collect::<Vec<_>>());
    assert_eq!(marks.version.unwrap_or(0), last);
    assert_eq!(u64::from(marks.derived_serial.unwrap_or(0)), last);
    last
}

#[test]
#[ignore = "what the children of the other tests run"]
fn child() {
    let (Ok(role), Some(folder)) = (env::var(ROLE), env::var_os(FOLDER)) else { return };
    let folder = Path::new(&folder);
    match role.as_str() {
        "open" => open(folder),
        "append" => append(folder),
        "limit" => limit(folder),
        other => panic!("no role {other}"),
    }
}

/// Says something to the parent.
fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\n> {what}").unwrap();
    out.flush().unwrap();
}

/// The next thing that a child says; `None` if it has ended.
fn hear(out: &mut BufReader<ChildStdout>) -> Option<String> {
    out.lines().map(Result::unwrap).find_map(|line| line.strip_prefix("> ").map(str::to_owned))
}

fn spawn(command: &mut Command, role: &str, folder: &Path) -> (Child, BufReader<ChildStdout>) {
    command.args(["--ignored", "--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(FOLDER, folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

fn itself() -> Command {
    Command::new(env::current_exe().unwrap())
}

/// Opens the folder, and holds it until the parent lets go.
fn open(folder: &Path) {
    match Folder::open(folder) {
        Ok(journal) => {
            say("opened");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            drop(journal);
        }
        Err(FolderError::Locked { pid, .. }) => say(&format!("locked by {pid:?}")),
        Err(error) => say(&format!("{error}")),
    }
}

#[test]
fn of_many_processes_one_opens_a_folder() {
    let folder = tempdir().unwrap();
    for _ in 0..3 {
        let mut children: Vec<_> = (0..4).map(|_| spawn(&mut itself(), "open", folder.path())).collect();
        let answers: Vec<String> = children.iter_mut().map(|(_, out)| hear(out).unwrap()).collect();
        let opened = answers.iter().filter(|answer| *answer == "opened").count();
        let locked = answers.iter().filter(|answer| answer.starts_with("locked by")).count();
        assert_eq!((opened, locked), (1, 3), "{answers:?}");
        let error = Folder::open(folder.path()).unwrap_err();
        let winner = answers.iter().position(|answer| answer == "opened").unwrap();
        let expected = format!("process {}", children[winner].0.id());
        assert!(error.to_string().contains(&expected), "{error}");
        for (mut child, _) in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Appends for as long as it lives, and says what is safe.
fn append(folder: &Path) {
    let journal = Folder::open(folder).unwrap();
    let mut version = check(&journal);
    loop {
        journal.append(&batch(version + 1, 0)).unwrap();
        version += PER_BATCH;
        say(&version.to_string());
    }
}

#[test]
fn a_killed_process_has_kept_what_it_acknowledged() {
    let folder = tempdir().unwrap();
    let mut last = 0;
    for round in 0..12 {
        let (mut child, mut out) = spawn(&mut itself(), "append", folder.path());
        let mut acknowledged = last;
        for _ in 0..=round * 7 {
            acknowledged = hear(&mut out).unwrap().parse().unwrap();
        }
        child.kill().unwrap();
        // What it had still said.
        while let Some(answer) = hear(&mut out) {
            acknowledged = answer.parse().unwrap_or(acknowledged);
        }
        child.wait().unwrap();
        let journal = Folder::open(folder.path()).unwrap();
        let found = check(&journal);
        assert!((acknowledged..=acknowledged + PER_BATCH).contains(&found), "{acknowledged}, found {found}");
        assert!(found > last);
        last = found;
    }
}

/// Appends until the disk refuses; returns the last version that it took.
#[track_caller]
fn append_until_full(journal: &Folder, mut version: u64, padding: usize) -> u64 {
    let mut refusals = 0;
    while refusals < 3 {
        match journal.append(&batch(version + 1, padding)) {
            Ok(()) => version += PER_BATCH,
            Err(JournalError::Unavailable(reason)) => {
                assert!(reason.contains("journal.redb"), "{reason}");
                assert_eq!(check(journal), version, "nothing of the failed batch");
                refusals += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    version
}

/// Runs into the limit of the size of files, and goes on once that is higher.
fn limit(folder: &Path) {
    let journal = Folder::open(folder).unwrap();
    let version = append_until_full(&journal, 0, 9_000);
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
    journal.append(&batch(version + 1, 9_000)).unwrap();
    assert_eq!(check(&journal), version + PER_BATCH);
    drop(journal);
    assert_eq!(check(&Folder::open(folder).unwrap()), version + PER_BATCH);
    say("went on");
}

#[test]
fn writing_goes_on_when_a_limit_is_lifted() {
    let folder = tempdir().unwrap();
    let mut shell = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -S -f 6000; exec \"$0\" \"$@\"";
    shell.args(["-c", script]).arg(env::current_exe().unwrap());
    let (mut child, mut out) = spawn(&mut shell, "limit", folder.path());
    let answer = hear(&mut out);
    assert!(child.wait().unwrap().success());
    assert_eq!(answer.as_deref(), Some("went on"));
}

/// A small disk of its own.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount anything.
    fn mount() -> Option<Self> {
        let folder = tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs"]).arg(folder.path());
        mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn writing_goes_on_when_there_is_space_again() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: mounting a small disk is not allowed here");
        return;
    };
    let path = disk.0.path().join("data");
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![1; 3 << 20]).unwrap();
    let journal = Folder::open(&path).unwrap();
    let mut version = 0;
    for octets in [2 << 20, 1 << 20] {
        version = append_until_full(&journal, version, 2_000);
        File::options().write(true).open(&ballast).unwrap().set_len(octets).unwrap();
        journal.append(&batch(version + 1, 2_000)).unwrap();
        version += PER_BATCH;
        assert_eq!(check(&journal), version);
    }
    // A server starts on a full disk as well, and has what it had.
    version = append_until_full(&journal, version, 2_000);
    drop(journal);
    fs::write(disk.0.path().join("more"), vec![1; 6 << 20]).unwrap_err();
    let journal = Folder::open(&path).unwrap();
    assert_eq!(check(&journal), version);
}
