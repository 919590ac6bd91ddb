//! A data folder: the journal on disk, locked for as long as it is open.

mod place;

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use dns_store::{Batch, Entry, Journal, JournalError, Kept, Marks};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableError};

use self::place::Lock;
pub(crate) use self::place::{FILE, NEW_FILE, check_start, prepare, sync_folder, temporary};
use crate::disk::Disk;
use crate::engine::{CACHE_OCTETS, Engine, Fault, contain};
use crate::log::{self, Log};
use crate::tables::{FORMAT, META, META_FORMAT};
use crate::worker::Worker;
use crate::{FolderError, HistoryLimits};

/// A copy that is on its way to somebody who has asked for a file without a name.
pub(crate) const COPY_FILE: &str = "backup.tmp";

/// A journal in a folder of its own.
///
/// What it has acknowledged survives the end of the process, however that comes, and as far as the disk keeps what it has
/// synced, of the machine. One process at a time has it open. See the [crate](crate) for what stands where.
///
/// Closed by dropping it, which brings the tables up to date first.
#[derive(Debug)]
pub struct Folder {
    // Fields are dropped in this order: the worker ends, then the database is closed, then the lock is given back.
    worker: Worker,
    log: Arc<Log>,
    path: PathBuf,
    /// The journal's file, to be told from another one that stands in its place.
    file: File,
    outcome: Outcome,
    /// Held while a file without a name is written: copies take as much of the disk as the journal does.
    pub(crate) copying: Mutex<()>,
    _lock: Lock,
}

impl Folder {
    /// Opens a folder, or makes it, with [default limits](HistoryLimits::default) of history.
    ///
    /// # Errors
    /// See [`FolderError`]. Whatever is there has been left as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        Self::open_with(path, HistoryLimits::default())
    }

    /// The same with other limits of history.
    ///
    /// # Errors
    /// See [`FolderError`]. Whatever is there has been left as it is.
    pub fn open_with(path: impl AsRef<Path>, limits: HistoryLimits) -> Result<Self, FolderError> {
        let path = path.as_ref();
        let lock = prepare(path, |_| false)?;
        let file_path = path.join(FILE);
        let exists = file_path.try_exists().map_err(FolderError::io(&file_path))?;
        if !exists {
            create(path)?;
        }
        let engine = open_file(&file_path, Some(path.to_owned()))?;
        let log = Arc::new(Log::open(engine)?);
        let worker = Worker::start(Arc::clone(&log), limits).map_err(FolderError::io(path))?;
        Ok(Self {
            worker,
            log,
            path: path.to_owned(),
            file: File::open(&file_path).map_err(FolderError::io(&file_path))?,
            outcome: Outcome::default(),
            copying: Mutex::new(()),
            _lock: lock,
        })
    }

    /// There is certainly no journal at this place, so that opening it would make one.
    pub fn is_missing(path: impl AsRef<Path>) -> bool {
        matches!(path.as_ref().join(FILE).try_exists(), Ok(false))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal stands where it was opened. If not, somebody has removed or replaced it, or taken the disk away, and what it
    /// has ends with this process; more is not taken. Asks the disk; what that cannot tell is taken for well.
    pub fn is_in_place(&self) -> bool {
        let is_same =
            |file: Metadata, found: Metadata| (file.dev(), file.ino()) == (found.dev(), found.ino());
        match (self.file.metadata(), fs::metadata(self.path.join(FILE))) {
            (Ok(file), Ok(found)) => is_same(file, found),
            (_, Err(error)) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
            _ => true,
        }
    }

    /// All small values that were [kept](Self::keep) in a namespace, in the order of their keys.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn kept(&self, namespace: &str) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.log.kept(namespace)
    }

    /// Keeps a small value beside the changes, such as a hashed token, in the place of a former one of the same namespace
    /// and key. It is on disk when this returns.
    ///
    /// # Errors
    /// The value is not kept, and a former one still is.
    pub fn keep(&self, namespace: &str, key: &str, value: &[u8]) -> Result<(), JournalError> {
        self.check_place()?;
        self.log.keep(namespace, key, Some(value))
    }

    /// Forgets a small value; that it is gone is on disk when this returns. One that is not there is fine.
    ///
    /// # Errors
    /// The value is still kept.
    pub fn forget(&self, namespace: &str, key: &str) -> Result<(), JournalError> {
        self.check_place()?;
        self.log.keep(namespace, key, None)
    }

    /// Makes sure that somebody will find what is written now.
    fn check_place(&self) -> Result<(), JournalError> {
        if self.is_in_place() {
            return Ok(());
        }
        let place = self.path.join(FILE);
        Err(JournalError::Unavailable(format!("{} was removed or replaced", place.display())))
    }

    /// An empty file without a name, on the disk of the folder; since it has one for a moment, `copying` is held.
    pub(crate) fn nameless_file(&self) -> Result<File, FolderError> {
        let path = self.path.join(COPY_FILE);
        let file = temporary(&path)?;
        fs::remove_file(&path).map_err(FolderError::io(&path))?;
        Ok(file)
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }
}

/// What came of the last append. A full disk fails each of thousands, and one line about it is enough.
#[derive(Debug, Default)]
struct Outcome {
    failed: AtomicBool,
}

impl Outcome {
    /// Whether the last one has failed, if those before it had another outcome.
    fn turn(&self, failed: bool) -> Option<bool> {
        (self.failed.swap(failed, Ordering::Relaxed) != failed).then_some(failed)
    }
}

impl Journal for Folder {
    fn is_durable(&self) -> bool {
        true
    }

    fn append(&self, batch: &Batch) -> Result<(), JournalError> {
        let appended = self.check_place().and_then(|()| self.log.append(batch));
        let appended = appended.map(|lag| self.worker.note(lag));
        if let Some(failed) = self.outcome.turn(appended.is_err()) {
            let path = self.path.display();
            match &appended {
                Err(error) if failed => {
                    tracing::error!(%path, %error, "changes cannot be kept, and are refused until they can");
                }
                _ => tracing::info!(%path, "changes are kept again"),
            }
        }
        appended
    }

    fn restore(&self, view: Option<&str>, take: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError> {
        self.log.restore(view, take)
    }

    fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, JournalError> {
        self.log.history(before, limit)
    }

    fn newest(&self) -> Result<Option<u64>, JournalError> {
        self.log.newest()
    }

    fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, JournalError> {
        self.log.entry(version)
    }
}

/// Makes the journal of an empty folder: whole, or not at all.
fn create(folder: &Path) -> Result<(), FolderError> {
    let path = folder.join(NEW_FILE);
    let file = temporary(&path)?;
    let in_new = |fault: Fault| FolderError::from(fault.at(&path));
    let database = new_database(&file).map_err(in_new)?;
    database.close().map_err(|error| in_new(Fault::Database(error.into())))?;
    file.sync_all().map_err(FolderError::io(&path))?;
    let place = folder.join(FILE);
    fs::rename(&path, &place).map_err(FolderError::io(&place))?;
    sync_folder(folder)
}

/// Makes an empty journal in an empty file.
pub(crate) fn new_database(file: &File) -> Result<Database, Fault> {
    let disk = Disk(file.try_clone().map_err(redb::Error::Io)?);
    let database = Database::builder()
        .set_cache_size(CACHE_OCTETS)
        .create_with_backend(disk)
        .map_err(redb::Error::from)?;
    let txn = database.begin_write()?;
    log::create(&txn)?;
    txn.commit()?;
    Ok(database)
}

/// Opens a journal's file, once it is certain that it is one.
fn open_file(path: &Path, folder: Option<PathBuf>) -> Result<Engine, FolderError> {
    let file = File::options().read(true).write(true).open(path).map_err(FolderError::io(path))?;
    check_start(path, &file)?;
    // A file that was closed properly is looked at before anything is written to it.
    let disk = Disk(file.try_clone().map_err(FolderError::io(path))?);
    let found = contain(|| match Database::builder().open_read_only_with_backend(disk) {
        Ok(database) => read_format(&database.begin_read()?).map(Some),
        Err(_) => Ok(None),
    });
    if let Some(format) = found.map_err(|fault| opening_error(path, fault))? {
        check_format(path, format)?;
    }
    let engine = Engine::open(Arc::new(Disk(file)), path.to_owned(), folder)
        .map_err(|error| opening_error(path, error))?;
    let format = engine.read(read_format)?;
    check_format(path, format)?;
    Ok(engine)
}

/// What the database says about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// It is not ours.
    Foreign(String),
    /// It is ours, of this version.
    Number(u64),
}

pub(crate) fn read_format(txn: &ReadTransaction) -> Result<Format, Fault> {
    let table = match txn.open_table(META) {
        Ok(table) => table,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(error) => return Ok(Format::Foreign(error.to_string())),
    };
    let format = ReadableTable::get(&table, META_FORMAT)?;
    Ok(format
        .map_or_else(|| Format::Foreign("it has no format".into()), |format| Format::Number(format.value())))
}

pub(crate) fn check_format(path: &Path, format: Format) -> Result<(), FolderError> {
    let path = path.to_owned();
    match format {
        Format::Number(FORMAT) => Ok(()),
        Format::Number(found) if found > FORMAT => Err(FolderError::Newer { path, found, known: FORMAT }),
        Format::Number(found) => {
            let detail = format!("there has never been a format {found}");
            Err(FolderError::Foreign { path, detail })
        }
        Format::Foreign(detail) => Err(FolderError::Foreign { path, detail }),
    }
}

fn opening_error(path: &Path, fault: Fault) -> FolderError {
    let path = path.to_owned();
    match fault {
        Fault::Database(redb::Error::Io(source)) => FolderError::Io { path, source },
        Fault::Database(redb::Error::UpgradeRequired(version)) => {
            let detail = format!("its database is of format {version}, which has never been used");
            FolderError::Foreign { path, detail }
        }
        fault => FolderError::Damaged { path, detail: fault.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_row_of_failures_the_first_is_told_and_its_end() {
        let outcome = Outcome::default();
        let told: Vec<_> = [false, true, true, false, false, true].map(|failed| outcome.turn(failed)).into();
        assert_eq!(told, [None, Some(true), None, Some(false), None, Some(true)]);
    }
}
