//! Disks that are full, or take nothing any more: changes are refused, and everything else goes on.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use dns_api::auth::Access;
use dns_api::client::{Client, ClientError, Revision};
use dns_api::model::{Problem, ProblemKind, RecordSpec, ZoneSpec};

use crate::site::{Site, admin_of, record, records, runtime};
use crate::support::{Process, command, folder, write, zone};
use crate::volume::Volume;
use crate::writer::token;

/// More changes than fill any disk here.
const CHANGES_MAX: usize = 2_000;
/// Octets of the disk.
const DISK_OCTETS: u64 = 8 << 20;

const ZONES: &str = "zones: [{name: example.org, file: a.zone}]\n";

#[test]
fn a_full_disk_takes_no_changes_until_there_is_space() {
    let folder = folder(&[("a.zone", &zone("192.0.2.1")), ("disk/empty", "")]);
    let disk = folder.path().join("disk");
    let Some(volume) = Volume::mount(&disk, DISK_OCTETS) else {
        println!("skipped: a_full_disk_takes_no_changes_until_there_is_space may not mount anything");
        return;
    };
    let seen = volume.seen_from_outside();
    let site = Site::with_data(folder, disk.join("data"), "", ZONES);
    let start = || {
        let server = Process::spawn(volume.within(&site.command()));
        server.wait_for("answering HTTP");
        server
    };
    let admin = |server: &Process| admin_of(&seen.join("data"), server);
    let filler = seen.join("filler");
    runtime().block_on(async {
        let mut server = start();
        let mut kept = begin(&admin(&server)).await;

        fill(&filler);
        let problem = refused(&admin(&server), &mut kept).await;
        is_no_space(&problem);
        others_are_refused_as_well(&admin(&server), is_no_space).await;
        everything_else_goes_on(&site, &server, &admin(&server), &kept, "192.0.2.2").await;
        fs::remove_file(&filler).unwrap();
        goes_on(&admin(&server), &mut kept, "space").await;

        // Killed on a full disk, and started on it.
        fill(&filler);
        refused(&admin(&server), &mut kept).await;
        drop(server);
        server = start();
        is_all_there(&server, &admin(&server), &kept).await;
        let problem = refused(&admin(&server), &mut kept).await;
        is_no_space(&problem);
        everything_else_goes_on(&site, &server, &admin(&server), &kept, "192.0.2.3").await;
        fs::remove_file(&filler).unwrap();
        goes_on(&admin(&server), &mut kept, "again").await;
        drop(server);
        server = start();
        is_all_there(&server, &admin(&server), &kept).await;
        server.stop();
    });
}

#[test]
fn a_file_that_may_not_grow_takes_no_changes_until_it_may() {
    let site = Site::new("", ZONES);
    write(&site.folder, "a.zone", &zone("192.0.2.1"));
    // The signal would end the process before the call could fail.
    let plain = site.command();
    let mut ignoring = command(site.folder.path(), &[]);
    ignoring = shell(&ignoring, "trap '' XFSZ; exec \"$0\" \"$@\"", plain.get_args());
    let server = Process::spawn(ignoring);
    let pid = server.id().to_string();
    let limit = |soft: &str| {
        let limit = format!("--fsize={soft}:unlimited");
        let prlimit = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        prlimit.is_ok_and(|status| status.success())
    };
    runtime().block_on(async {
        let admin = site.admin(&server);
        let mut kept = begin(&admin).await;
        let octets = fs::metadata(site.data().join("journal.redb")).unwrap().len();
        if !limit(&octets.to_string()) {
            println!("skipped: a_file_that_may_not_grow_takes_no_changes_until_it_may needs prlimit");
            return;
        }
        let problem = refused(&admin, &mut kept).await;
        assert!(problem.detail.contains("File too large"), "{problem:?}");
        assert!(server.wait_for("changes cannot be kept").contains("File too large"));
        everything_else_goes_on(&site, &server, &admin, &kept, "192.0.2.2").await;
        assert!(limit("unlimited"));
        goes_on(&admin, &mut kept, "space").await;
        server.wait_for("changes are kept again");
        drop(server);
        let server = site.start();
        is_all_there(&server, &site.admin(&server), &kept).await;
        server.stop();
    });
}

#[test]
fn a_disk_that_turns_read_only_takes_no_changes_until_it_is_writable() {
    let site = Site::new("", ZONES);
    write(&site.folder, "a.zone", &zone("192.0.2.1"));
    let journal = site.data().join("journal.redb");
    let server = site.start();
    runtime().block_on(async {
        let admin = site.admin(&server);
        let mut kept = begin(&admin).await;
        if !change_attributes("+i", &journal) {
            println!(
                "skipped: a_disk_that_turns_read_only_takes_no_changes_until_it_is_writable needs chattr"
            );
            return;
        }
        let writable = Writable(&journal);
        if let Ok(written) = admin.create_record(&record("probe.flat.test. TXT probe")).await {
            drop(writable);
            println!(
                "skipped: here immutable files that are open can be written: version {}",
                written.version
            );
            return;
        }
        let problem = refused(&admin, &mut kept).await;
        assert!(problem.detail.contains("Operation not permitted"), "{problem:?}");
        others_are_refused_as_well(&admin, |_| {}).await;
        everything_else_goes_on(&site, &server, &admin, &kept, "192.0.2.2").await;
        drop(writable);
        goes_on(&admin, &mut kept, "writable").await;
        drop(server);
        let server = site.start();
        is_all_there(&server, &site.admin(&server), &kept).await;
        server.stop();
    });
}

/// Lets a file be written again, whatever becomes of the test: nobody could remove it otherwise.
struct Writable<'p>(&'p Path);

impl Drop for Writable<'_> {
    fn drop(&mut self) {
        change_attributes("-i", self.0);
    }
}

fn change_attributes(change: &str, path: &Path) -> bool {
    let chattr = Command::new("chattr").arg(change).arg(path).output();
    chattr.is_ok_and(|output| output.status.success())
}

/// A command by way of a shell, which does something before.
pub fn shell<'a>(plain: &Command, script: &str, words: impl Iterator<Item = &'a std::ffi::OsStr>) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).arg(plain.get_program()).args(words);
    shell.env_clear();
    if let Some(folder) = plain.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

/// Leaves no octet on a disk.
fn fill(filler: &Path) {
    let mut file = OpenOptions::new().create(true).append(true).open(filler).unwrap();
    let mut octets = 1 << 20;
    while octets > 0 {
        match file.write(&vec![0xff; octets]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => octets /= 2,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Some records, one of them in the zone that a file has.
async fn begin(admin: &Client) -> Vec<RecordSpec> {
    let mut kept = Vec::new();
    for text in ["flat.test. TXT apex", "a.flat.test. A 192.0.2.10", "api.example.org. A 192.0.2.11"] {
        kept.push(record(text));
        admin.create_record(&record(text)).await.unwrap();
    }
    kept
}

/// Writes until that is refused; returns why. Each refusal is one that a client can make something of.
async fn refused(admin: &Client, kept: &mut Vec<RecordSpec>) -> Problem {
    for number in 0..CHANGES_MAX {
        let text = vec![format!("\"{}\"", "x".repeat(200)); 40].join(" ");
        let large = record(&format!("large{number}-{}.flat.test. TXT {text}", kept.len()));
        match admin.create_record(&large).await {
            Ok(_) => kept.push(large),
            Err(error) => {
                let problem = problem(error);
                let again = admin.records_at(&large.name, None).await;
                assert!(again.is_err(), "what was refused is there: {again:?}");
                return problem;
            }
        }
    }
    panic!("{CHANGES_MAX} changes have filled nothing");
}

/// A refusal for which the client is not to blame, and which need not be the last word.
#[track_caller]
fn problem(error: ClientError) -> Problem {
    let ClientError::Problem(problem) = error else { panic!("{error:?}") };
    assert_eq!((problem.known_kind(), problem.status), (Some(ProblemKind::NotDurable), 503), "{problem:?}");
    assert!(problem.detail.contains("journal.redb"), "{problem:?}");
    assert!(problem.retry_after.is_some_and(|seconds| seconds > 0), "{problem:?}");
    problem
}

#[track_caller]
fn is_no_space(problem: &Problem) {
    assert!(problem.detail.contains("No space left on device"), "{problem:?}");
}

/// Whatever else is written to the same disk.
async fn others_are_refused_as_well(admin: &Client, check: fn(&Problem)) {
    let zone = ZoneSpec { name: "zone.test.".to_owned(), soa: None, ns: Vec::new(), ttl: None };
    let token = admin.create_token(&token("late", Access::Read)).await.map(drop).map_err(problem);
    let zone = admin.create_zone(&zone).await.map(drop).map_err(problem);
    for (what, answer) in [("token", token), ("zone", zone)] {
        match answer {
            Ok(()) => panic!("a {what} was made"),
            Err(problem) => check(&problem),
        }
    }
    assert!(admin.zone("zone.test.").await.is_err_and(|error| error.status().unwrap().as_u16() == 404));
    let tokens = admin.tokens().await.unwrap().tokens;
    assert!(tokens.iter().all(|token| token.name != "late"), "{tokens:?}");
}

/// Reads, answers, and reloads of files, even of one whose zone has records of the API.
async fn everything_else_goes_on(
    site: &Site,
    server: &Process,
    admin: &Client,
    kept: &[RecordSpec],
    address: &str,
) {
    is_all_there(server, admin, kept).await;
    assert_eq!(admin.ready().await.unwrap(), Ok(()), "what is asked is answered");
    let metrics = admin.metrics().await.unwrap();
    let failures = metrics.lines().find_map(|line| line.strip_prefix("dns_store_journal_failures_total "));
    assert!(failures.is_some_and(|failures| failures != "0"), "{failures:?}");
    write(&site.folder, "a.zone", &zone(address));
    let reloaded = admin.reload().await.unwrap();
    assert_eq!(reloaded.problems, [""; 0]);
    server.expect("www.example.org. A", &format!("NOERROR {address}"));
    server.expect("api.example.org. A", "NOERROR 192.0.2.11");
}

/// Exactly what was acknowledged is there.
async fn is_all_there(server: &Process, admin: &Client, kept: &[RecordSpec]) {
    let mut there: Vec<RecordSpec> = records(admin).await.into_iter().map(RecordSpec::from).collect();
    let mut kept = kept.to_vec();
    for list in [&mut there, &mut kept] {
        list.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let names = |list: &[RecordSpec]| list.iter().map(|record| record.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&there), names(&kept));
    assert!(there == kept, "values are others than they were");
    server.expect("a.flat.test. A", "NOERROR 192.0.2.10");
    assert_eq!(admin.status().await.unwrap().contents.unwrap().missing, [""; 0]);
}

/// The very next change is taken, and so is the one after it.
async fn goes_on(admin: &Client, kept: &mut Vec<RecordSpec>, word: &str) {
    let new = record(&format!("{word}.flat.test. TXT {word}"));
    admin.create_record(&new).await.unwrap();
    kept.push(new);
    let last = kept.iter().position(|record| record.name.starts_with("large"));
    if let Some(last) = last {
        let gone = kept.swap_remove(last);
        admin.delete_records(&gone.name, None, Revision::Any).await.unwrap();
    }
}
