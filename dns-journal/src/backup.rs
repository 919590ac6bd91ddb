//! Copies of a journal, and the way back.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::TryLockError;

use redb::{
    Database, Durability, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, Value,
};

use crate::codec::{self, CodecError, Head, Sink};
use crate::disk::Disk;
use crate::engine::{CACHE_OCTETS, Fault, contain};
use crate::folder::{
    COPY_FILE, FILE, Format, NEW_FILE, check_format, check_start, new_database, prepare, read_format,
    sync_folder, temporary,
};
use crate::log::Log;
use crate::tables::{self, KEEP, LOG, MARKS, META, PARTS, RECORDS, ZONES};
use crate::{Folder, FolderError, lag};

/// The journal that a restored one has replaced.
const FORMER_FILE: &str = "journal.redb.before-restore";

/// Rows that are copied in one transaction.
const CHUNK_ROWS: usize = 4_096;

impl Folder {
    /// Writes a copy of everything to a new file, which only its owner may read. It is as the journal was when this began;
    /// appends go on meanwhile. The copy is on disk when this returns.
    ///
    /// # Errors
    /// There is a file of that name, or it cannot be written, or the journal cannot be read. No file is left behind.
    pub fn backup_to(&self, path: impl AsRef<Path>) -> Result<(), FolderError> {
        let path = path.as_ref();
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(FolderError::io(path))?;
        let result = write(self.log(), &file, path).and_then(|()| sync_folder(parent(path)));
        if result.is_err() {
            // What is half written is no backup; that it could not be written is the error to tell.
            let _ = fs::remove_file(path);
        }
        result
    }

    /// The same as a file without a name, open at its beginning: it is gone as soon as nobody has it open. It takes space on
    /// the disk of the folder, so one is written at a time.
    ///
    /// # Errors
    /// The copy cannot be written, or another one is being written, or the journal cannot be read.
    pub fn backup(&self) -> Result<File, FolderError> {
        let _copying = match self.copying.try_lock() {
            Ok(copying) => copying,
            Err(TryLockError::Poisoned(copying)) => copying.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(FolderError::Copying { path: self.path().to_owned() });
            }
        };
        let mut file = self.nameless_file()?;
        write(self.log(), &file, self.path())?;
        file.seek(SeekFrom::Start(0)).map_err(FolderError::io(self.path()))?;
        Ok(file)
    }
}

/// Makes a backup the journal of a folder, which is made if there is none.
///
/// All of the backup is read before: its checksums, and every row. A journal that the folder has is kept as
/// `journal.redb.before-restore`; there must be none of that name that is another one.
///
/// # Errors
/// See [`FolderError`]: above all, the folder is in use, or has a journal and `replace` is not said, or the file is no
/// intact backup. The folder's journal is what it was.
pub fn restore_backup(
    backup: impl AsRef<Path>,
    folder: impl AsRef<Path>,
    replace: bool,
) -> Result<(), FolderError> {
    let (backup, folder) = (backup.as_ref(), folder.as_ref());
    let mut source = File::open(backup).map_err(FolderError::io(backup))?;
    check_start(backup, &source)?;
    // The journal may have been moved away for being damaged; what it leaves behind is ours.
    let _lock = prepare(folder, may_stay)?;
    let (path, former) = (folder.join(FILE), folder.join(FORMER_FILE));
    let exists = path.try_exists().map_err(FolderError::io(&path))?;
    if exists && !replace {
        return Err(FolderError::Occupied { path: folder.to_owned() });
    }
    if exists && former.try_exists().map_err(FolderError::io(&former))? && !is_same(&path, &former) {
        return Err(FolderError::Former { path: former });
    }
    let new_path = folder.join(NEW_FILE);
    let result = bring(&mut source, backup, &new_path).and_then(|()| {
        if exists {
            keep_former(&path, &former, |from, to| fs::hard_link(from, to))?;
        }
        fs::rename(&new_path, &path).map_err(FolderError::io(&path))?;
        sync_folder(folder)
    });
    if result.is_err() {
        // It has done no harm yet, and is replaced by the next one.
        let _ = fs::remove_file(&new_path);
    }
    result
}

/// Both are names of one file: a crash has come between giving the second one and taking the first one away.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// The folder in which a file is.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a server leaves files of this name beside a journal, or a person a journal that was moved aside.
fn may_stay(name: &str) -> bool {
    name == COPY_FILE || ["admin-token", ".admin-token-", FILE].iter().any(|start| name.starts_with(start))
}

/// Gives the journal a second name, so that there is one under its own name at any time; or copies it where the file
/// system has no second names: a crash may leave two files there, of which one has to be deleted by hand then.
fn keep_former(
    path: &Path,
    former: &Path,
    link: impl Fn(&Path, &Path) -> io::Result<()>,
) -> Result<(), FolderError> {
    let fresh = former.with_file_name(COPY_FILE);
    // A crash may have left one.
    let _ = fs::remove_file(&fresh);
    if link(path, &fresh).is_err() {
        let mut file = temporary(&fresh)?;
        let copied = File::open(path).and_then(|mut from| io::copy(&mut from, &mut file));
        let copied = copied.and_then(|_| file.sync_all());
        if let Err(error) = copied {
            let _ = fs::remove_file(&fresh);
            return Err(FolderError::io(&fresh)(error));
        }
    }
    fs::rename(&fresh, former).map_err(FolderError::io(former))?;
    // Two names of one file stay two when one is renamed to the other.
    let _ = fs::remove_file(&fresh);
    Ok(())
}

/// Copies a backup to where it is wanted, and makes sure that it is whole.
fn bring(source: &mut File, backup: &Path, path: &Path) -> Result<(), FolderError> {
    let mut file = temporary(path)?;
    io::copy(source, &mut file).map_err(FolderError::io(path))?;
    let damaged = |detail: String| FolderError::Damaged { path: backup.to_owned(), detail };
    let disk = Disk(file.try_clone().map_err(FolderError::io(path))?);
    let format = contain(|| {
        let mut database = Database::builder().set_cache_size(CACHE_OCTETS).create_with_backend(disk)?;
        if !database.check_integrity()? {
            return Err(Fault::Damaged("its checksums do not fit".into()));
        }
        let txn = database.begin_read()?;
        let format = read_format(&txn)?;
        if format == Format::Number(tables::FORMAT) {
            check_rows(&txn)?;
        }
        drop(txn);
        database.close()?;
        Ok(format)
    });
    check_format(backup, format.map_err(|fault| damaged(fault.to_string()))?)?;
    file.sync_all().map_err(FolderError::io(path))
}

fn write(log: &Log, file: &File, path: &Path) -> Result<(), FolderError> {
    let in_copy = |fault: Fault| FolderError::from(fault.at(path));
    let database = new_database(file).map_err(in_copy)?;
    log.read_once(|txn| {
        copy(txn, &database, META)?;
        copy(txn, &database, LOG)?;
        copy(txn, &database, PARTS)?;
        copy(txn, &database, RECORDS)?;
        copy(txn, &database, ZONES)?;
        copy(txn, &database, MARKS)?;
        copy(txn, &database, KEEP)
    })?;
    database.close().map_err(|error| in_copy(Fault::Database(error.into())))?;
    file.sync_all().map_err(FolderError::io(path))
}

/// Copies a table, a part of it at a time.
fn copy<K: Key, V: Value>(
    from: &ReadTransaction,
    to: &Database,
    definition: TableDefinition<'_, K, V>,
) -> Result<(), Fault> {
    let table = from.open_table(definition)?;
    let mut rows = table.iter()?.peekable();
    while rows.peek().is_some() {
        let mut txn = to.begin_write()?;
        // All of it is synced at the end; before that, it is no backup anyway.
        txn.set_durability(Durability::None).map_err(redb::Error::from)?;
        {
            let mut table = txn.open_table(definition)?;
            for row in rows.by_ref().take(CHUNK_ROWS) {
                let (key, value) = row?;
                table.insert(key.value(), value.value())?;
            }
        }
        txn.commit()?;
    }
    Ok(())
}

/// Reads every row of every table.
fn check_rows(txn: &ReadTransaction) -> Result<(), Fault> {
    let wrong = |what: &str| {
        let what = format!("{what} cannot be read");
        move |error| Fault::Row { what, error }
    };
    let parts = txn.open_table(PARTS)?;
    for row in txn.open_table(LOG)?.iter()? {
        let (version, row) = row?;
        lag::read_entry(&parts, version.value(), row.value(), &mut Check)?;
    }
    for row in txn.open_table(RECORDS)?.iter()? {
        let (key, value) = row?;
        tables::read_record(key.value(), value.value()).map_err(wrong("a record"))?;
    }
    for row in txn.open_table(ZONES)?.iter()? {
        let (key, value) = row?;
        tables::read_zone(key.value(), value.value()).map_err(wrong("a zone"))?;
    }
    crate::log::read_marks(txn)?;
    for row in txn.open_table(KEEP)?.iter()? {
        row?;
    }
    Ok(())
}

/// Makes values of everything in an entry, and lets go of them.
struct Check;

impl Sink for Check {
    fn zone(
        &mut self,
        _: &Head,
        _: &[u8],
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError> {
        before.into_iter().chain(after).try_for_each(|octets| codec::zone_body(octets).map(drop))
    }

    fn record(
        &mut self,
        _: &Head,
        owner: &[u8],
        rtype: u16,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError> {
        let owner = codec::name(owner)?;
        let rtype = dns_core::RecordType(rtype);
        let mut sets = before.into_iter().chain(after);
        sets.try_for_each(|octets| codec::rrset(&owner, rtype, octets).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_kept_with_and_without_second_names() {
        let folder = tempfile::tempdir().unwrap();
        let (path, former) = (folder.path().join(FILE), folder.path().join(FORMER_FILE));
        let without = |_: &Path, _: &Path| Err(io::ErrorKind::Unsupported.into());
        let with = |from: &Path, to: &Path| fs::hard_link(from, to);
        for (content, link) in [
            ("first", &without as &dyn Fn(&Path, &Path) -> io::Result<()>),
            ("second", &with),
            // The same file once more, as after a crash.
            ("second", &with),
            ("third", &without),
        ] {
            // Not written over: it may be the same file as the former one.
            fs::write(folder.path().join(NEW_FILE), content).unwrap();
            if fs::read(&path).ok().as_deref() != Some(content.as_bytes()) {
                fs::rename(folder.path().join(NEW_FILE), &path).unwrap();
            }
            keep_former(&path, &former, link).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::read_to_string(&former).unwrap(), content);
            assert!(!folder.path().join(COPY_FILE).exists());
        }
    }
}
