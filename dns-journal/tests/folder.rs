//! Folders that are no good, folders in use, and copies of folders.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use dns_core::{RecordType, Rrset};
use dns_journal::{Folder, FolderError, restore_backup};
use dns_store::{Batch, Entry, Journal, Kept, Marks, RecordChange, Source};
use tempfile::tempdir;

fn batch(version: u64) -> Batch {
    let owner = format!("host{version}.example.org").parse().unwrap();
    let after = Rrset::new(owner, RecordType::A, 300, [version.to_be_bytes()]).unwrap();
    let change =
        RecordChange { owner: after.owner().clone(), rtype: RecordType::A, before: None, after: Some(after) };
    let entry = Entry {
        version,
        time: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        view: "default".into(),
        source: Source::Api,
        author: "".into(),
        records: vec![change],
        zones: Vec::new(),
    };
    Batch { entries: vec![Arc::new(entry)], marks: Marks { version: Some(version), ..Marks::default() } }
}

/// Versions of the records that a journal hands over.
fn versions(journal: &Folder) -> Vec<u64> {
    let mut versions = Vec::new();
    let mut take = |kept: Kept| {
        if let Kept::Rrset { version, .. } = kept {
            versions.push(version);
        }
    };
    journal.restore(None, &mut take).unwrap();
    versions.sort_unstable();
    versions
}

#[track_caller]
fn check_refused(path: &Path, expected: &str) -> FolderError {
    let error = Folder::open(path).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(expected), "{message}");
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(message.contains(&*name), "names the path: {message}");
    error
}

#[test]
fn a_new_folder_is_for_its_owner_alone() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("a/b");
    let journal = Folder::open(&path).unwrap();
    assert!(journal.is_durable());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

#[test]
fn a_file_is_no_folder() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("file");
    fs::write(&path, "x").unwrap();
    check_refused(&path, "is not a folder");
    let below = path.join("below");
    assert!(matches!(Folder::open(&below).unwrap_err(), FolderError::NotAFolder { .. }));
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn a_folder_that_anybody_may_write_to_is_refused() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("open");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    check_refused(&path, "0777");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

/// Volumes of containers are like this: the folder belongs to root, and to a group that the server is in.
#[test]
fn a_folder_may_be_for_a_group() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("volume");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o2775)).unwrap();
    Folder::open(&path).unwrap().append(&batch(1)).unwrap();
    // What the mount makes of the files of the last time.
    for name in ["lock", "journal.redb"] {
        fs::set_permissions(path.join(name), Permissions::from_mode(0o660)).unwrap();
    }
    assert_eq!(versions(&Folder::open(&path).unwrap()), [1]);
}

/// Only the administrator can make such a folder; nobody else runs into it.
#[test]
fn what_the_administrator_makes_belongs_to_the_owner_of_the_folder() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("data");
    fs::create_dir(&path).unwrap();
    let (user, group) = (12_345, 54_321);
    if chown(&path, Some(user), Some(group)).is_err() {
        eprintln!("skipped: only the administrator may give folders away");
        return;
    }
    let journal = Folder::open(&path).unwrap();
    journal.backup_to(parent.path().join("backup")).unwrap();
    drop(journal);
    restore_backup(parent.path().join("backup"), &path, true).unwrap();
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (user, group), "{:?}", entry.path());
    }
}

#[test]
fn a_folder_of_others_is_refused() {
    let parent = tempdir().unwrap();
    let path = parent.path().join("full");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("photo.jpeg"), "x").unwrap();
    assert!(matches!(check_refused(&path, "photo.jpeg"), FolderError::NotOurs { .. }));
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "nothing is left there");
}

/// A lock is written to: not if it is somebody's file, or a link to one.
#[test]
fn a_lock_of_others_is_left_alone() {
    let parent = tempdir().unwrap();
    let (path, victim) = (parent.path().join("data"), parent.path().join("victim"));
    fs::create_dir(&path).unwrap();
    let lock = path.join("lock");
    for content in ["precious", "1234567890 and more", &"1".repeat(30)] {
        fs::write(&lock, content).unwrap();
        assert!(matches!(check_refused(&path, "lock"), FolderError::NotOurs { .. }));
        assert_eq!(fs::read_to_string(&lock).unwrap(), content);
    }
    fs::write(&lock, "\0\0\0\0").unwrap();
    drop(Folder::open(&path).unwrap());
    fs::remove_file(&lock).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&lock).status().unwrap();
    assert!(made.success());
    assert!(matches!(check_refused(&path, "lock"), FolderError::NotOurs { .. }));
    fs::remove_file(&lock).unwrap();
    fs::write(&victim, "").unwrap();
    std::os::unix::fs::symlink(&victim, &lock).unwrap();
    check_refused(&path, "is not writable");
    assert_eq!(fs::read(&victim).unwrap(), b"");
}

#[test]
fn a_folder_in_use_is_refused() {
    let folder = tempdir().unwrap();
    let journal = Folder::open(folder.path()).unwrap();
    let expected = format!("in use by process {}", std::process::id());
    check_refused(folder.path(), &expected);
    drop(journal);
    Folder::open(folder.path()).unwrap();
}

#[test]
fn what_a_crash_has_left_behind_is_replaced() {
    let folder = tempdir().unwrap();
    for (name, content) in [("lock", "123\n"), ("journal.redb.new", "half"), ("probe", "half")] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    let journal = Folder::open(folder.path()).unwrap();
    journal.append(&batch(1)).unwrap();
    assert_eq!(versions(&journal), [1]);
}

#[test]
fn a_foreign_file_is_left_alone() {
    for content in [&b""[..], b"redb", &[b'x'; 10_000]] {
        let folder = tempdir().unwrap();
        let path = folder.path().join("journal.redb");
        fs::write(&path, content).unwrap();
        check_refused(folder.path(), "is no journal of this server");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_foreign_database_is_left_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("journal.redb");
    let definition = redb::TableDefinition::<&str, &str>::new("meta");
    let database = redb::Database::create(&path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(definition).unwrap().insert("format", "mine").unwrap();
    txn.commit().unwrap();
    database.close().unwrap();
    let content = fs::read(&path).unwrap();
    check_refused(folder.path(), "is no journal of this server");
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[test]
fn a_newer_format_is_left_alone() {
    let folder = tempdir().unwrap();
    drop(Folder::open(folder.path()).unwrap());
    let path = folder.path().join("journal.redb");
    let definition = redb::TableDefinition::<&str, u64>::new("meta");
    let database = redb::Database::open(&path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(definition).unwrap().insert("format", 9).unwrap();
    txn.commit().unwrap();
    database.close().unwrap();
    let content = fs::read(&path).unwrap();
    check_refused(folder.path(), "has format 9, and this version knows formats up to 1");
    assert_eq!(fs::read(&path).unwrap(), content);
}

/// A journal with a few records, closed.
fn filled(path: &Path) {
    let journal = Folder::open(path).unwrap();
    for version in 1..=40 {
        journal.append(&batch(version)).unwrap();
    }
    journal.keep("tokens", "ci", b"hash").unwrap();
}

#[test]
fn a_torn_file_is_told_and_never_a_panic() {
    let source = tempdir().unwrap();
    filled(source.path());
    let content = fs::read(source.path().join("journal.redb")).unwrap();
    let mut refused = 0;
    for octets in (0..content.len()).step_by(content.len() / 24) {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("journal.redb"), &content[..octets]).unwrap();
        match Folder::open(folder.path()) {
            // Nothing but space was cut off.
            Ok(journal) => assert_eq!(versions(&journal), (1..=40).collect::<Vec<_>>()),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 8, "{refused}");
}

#[test]
fn changed_octets_are_never_a_panic() {
    let source = tempdir().unwrap();
    filled(source.path());
    let content = fs::read(source.path().join("journal.redb")).unwrap();
    let folder = tempdir().unwrap();
    for at in (0..512).step_by(5).chain((4096..content.len()).step_by(16_411)) {
        let mut changed = content.clone();
        changed[at] ^= 0x55;
        fs::write(folder.path().join("journal.redb"), &changed).unwrap();
        if let Ok(journal) = Folder::open(folder.path()) {
            // Pages are not read again before they are used: what is handed over is right, or an error.
            let mut count = 0;
            if journal.restore(None, &mut |_| count += 1).is_ok() {
                assert_eq!(count, 40, "octet {at}");
            }
        }
    }
}

#[test]
fn small_values_are_kept_by_namespace() {
    let folder = tempdir().unwrap();
    let journal = Folder::open(folder.path()).unwrap();
    journal.keep("tokens", "b", b"2").unwrap();
    journal.keep("tokens", "a", b"0").unwrap();
    journal.keep("tokens", "a", b"1").unwrap();
    journal.keep("tokens2", "a", b"3").unwrap();
    journal.keep("token", "a", b"4").unwrap();
    drop(journal);
    let journal = Folder::open(folder.path()).unwrap();
    let expected = vec![("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())];
    assert_eq!(journal.kept("tokens").unwrap(), expected);
    journal.forget("tokens", "a").unwrap();
    journal.forget("tokens", "nobody").unwrap();
    assert_eq!(journal.kept("tokens").unwrap(), expected[1..]);
    assert_eq!(journal.kept("other").unwrap(), []);
}

#[test]
fn a_backup_is_what_there_was() {
    let folders = tempdir().unwrap();
    let (one, other) = (folders.path().join("one"), folders.path().join("other"));
    let journal = Folder::open(&one).unwrap();
    for version in 1..=20 {
        journal.append(&batch(version)).unwrap();
    }
    journal.keep("tokens", "ci", b"hash").unwrap();
    let backup = folders.path().join("backup");
    journal.backup_to(&backup).unwrap();
    journal.append(&batch(21)).unwrap();
    assert!(matches!(journal.backup_to(&backup).unwrap_err(), FolderError::Io { .. }), "it exists");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);

    restore_backup(&backup, &other, false).unwrap();
    let restored = Folder::open(&other).unwrap();
    assert_eq!(versions(&restored), (1..=20).collect::<Vec<_>>());
    assert_eq!(restored.history(None, 99).unwrap(), journal.history(Some(21), 99).unwrap());
    assert_eq!(restored.restore(None, &mut |_| {}).unwrap().version, Some(20));
    assert_eq!(restored.kept("tokens").unwrap(), [("ci".to_owned(), b"hash".to_vec())]);
    restored.append(&batch(30)).unwrap();

    // In use, occupied, and then replaced.
    assert!(matches!(restore_backup(&backup, &other, true).unwrap_err(), FolderError::Locked { .. }));
    drop(restored);
    assert!(matches!(restore_backup(&backup, &other, false).unwrap_err(), FolderError::Occupied { .. }));
    restore_backup(&backup, &other, true).unwrap();
    assert_eq!(versions(&Folder::open(&other).unwrap()), (1..=20).collect::<Vec<_>>());
    let former = other.join("journal.redb.before-restore");
    let error = restore_backup(&backup, &other, true).unwrap_err();
    assert!(
        matches!(error, FolderError::Former { .. }),
        "the journal before the first restore is kept: {error}"
    );
    fs::rename(&former, folders.path().join("moved")).unwrap();
    // As a crash leaves it after the second name was given.
    fs::hard_link(other.join("journal.redb"), &former).unwrap();
    restore_backup(&backup, &other, true).unwrap();
    restore_backup(folders.path().join("moved"), folders.path().join("former"), false).unwrap();
    let former = Folder::open(folders.path().join("former")).unwrap();
    assert_eq!(versions(&former).last(), Some(&30));
}

#[test]
fn a_backup_without_a_name_is_read_from_its_beginning() {
    let folders = tempdir().unwrap();
    let journal = Folder::open(folders.path().join("one")).unwrap();
    journal.append(&batch(1)).unwrap();
    let mut file = journal.backup().unwrap();
    let path = folders.path().join("backup");
    std::io::copy(&mut file, &mut File::create(&path).unwrap()).unwrap();
    restore_backup(&path, folders.path().join("other"), false).unwrap();
    assert_eq!(versions(&Folder::open(folders.path().join("other")).unwrap()), [1]);
    let names: Vec<_> =
        fs::read_dir(journal.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no copy is left: {names:?}");
}

/// Whoever moves a damaged journal away has files of ours left, in which nobody else has an interest.
#[test]
fn a_backup_comes_back_where_the_journal_was_moved_away() {
    let folders = tempdir().unwrap();
    let (one, backup) = (folders.path().join("one"), folders.path().join("backup"));
    filled(&one);
    Folder::open(&one).unwrap().backup_to(&backup).unwrap();
    fs::rename(one.join("journal.redb"), one.join("journal.redb.damaged")).unwrap();
    for name in ["admin-token", ".admin-token-4f2a", "backup.tmp", "journal.redb.before-restore"] {
        fs::write(one.join(name), "x").unwrap();
    }
    assert!(Folder::is_missing(&one));
    let error = Folder::open(&one).unwrap_err();
    assert!(matches!(error, FolderError::NotOurs { .. }), "an empty one would hide the loss: {error}");
    fs::write(one.join("photo.jpeg"), "x").unwrap();
    assert!(matches!(restore_backup(&backup, &one, false).unwrap_err(), FolderError::NotOurs { .. }));
    fs::remove_file(one.join("photo.jpeg")).unwrap();
    restore_backup(&backup, &one, false).unwrap();
    assert_eq!(versions(&Folder::open(&one).unwrap()), (1..=40).collect::<Vec<_>>());
}

#[test]
fn a_damaged_backup_replaces_nothing() {
    let folders = tempdir().unwrap();
    let (one, other) = (folders.path().join("one"), folders.path().join("other"));
    filled(&one);
    let content = fs::read(one.join("journal.redb")).unwrap();
    drop(Folder::open(&other).unwrap());
    let before = fs::read(other.join("journal.redb")).unwrap();
    let path = folders.path().join("damaged");
    let mut refused = 0;
    let at = (0..512).step_by(9).chain((4096..content.len()).step_by(16_411));
    for at in at {
        let mut changed = content.clone();
        changed[at] ^= 0x55;
        fs::write(&path, &changed).unwrap();
        let target = tempdir().unwrap();
        match restore_backup(&path, target.path(), false) {
            // The octet is one that nothing uses.
            Ok(()) => {
                assert_eq!(versions(&Folder::open(target.path()).unwrap()), (1..=40).collect::<Vec<_>>());
            }
            Err(error) => {
                refused += 1;
                let is_clear = matches!(error, FolderError::Damaged { .. } | FolderError::Foreign { .. });
                assert!(is_clear && error.to_string().contains("damaged "), "names the file: {error}");
                let names = fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap().file_name());
                assert!(names.into_iter().all(|name| name == "lock"), "octet {at}");
            }
        }
    }
    assert!(refused > 10, "{refused}");
    fs::write(&path, &content[..content.len() / 2]).unwrap();
    restore_backup(&path, &other, true).unwrap_err();
    assert_eq!(fs::read(other.join("journal.redb")).unwrap(), before);
    assert!(!other.join("journal.redb.before-restore").exists());
}

#[test]
fn a_journal_that_was_moved_or_replaced_is_missed() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data");
    let journal = Folder::open(&data).unwrap();
    assert!(journal.is_in_place());
    let (file, other) = (data.join("journal.redb"), folder.path().join("other"));
    fs::rename(&file, &other).unwrap();
    assert!(!journal.is_in_place());
    fs::copy(&other, &file).unwrap();
    assert!(!journal.is_in_place(), "it is another one");
    let refusals =
        [journal.append(&batch(1)), journal.keep("tokens", "a", b"1"), journal.forget("tokens", "a")];
    for refused in refusals {
        assert!(refused.unwrap_err().to_string().ends_with("journal.redb was removed or replaced"));
    }
    fs::rename(&other, &file).unwrap();
    assert!(journal.is_in_place());
    journal.append(&batch(1)).unwrap();
    fs::rename(&data, folder.path().join("elsewhere")).unwrap();
    assert!(!journal.is_in_place());
}
