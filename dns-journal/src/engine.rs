//! The database, and how it gets over failures of the disk.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dns_store::JournalError;
use redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction};
use thiserror::Error;

use crate::codec::{CodecError, Malformed};
use crate::disk::Guard;

/// Most memory that the database takes for pages. What a store has, it keeps by itself: this is for the pages near the
/// end of the log, and the inner pages of tables.
pub(crate) const CACHE_OCTETS: usize = 16 << 20;

/// What is written to try a disk that was full.
const PROBE_OCTETS: usize = 256 << 10;

/// What went wrong in a transaction.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Database(#[from] redb::Error),
    #[error("{what}: {error}")]
    Row { what: String, error: CodecError },
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Damaged(String),
}

macro_rules! from_database {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Database(error.into())
            }
        })*
    };
}

from_database!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError
);

impl Fault {
    /// The same for the users of a journal; they do not know where it stands.
    pub fn at(self, place: &Path) -> JournalError {
        let place = place.display();
        match self {
            Self::Database(redb::Error::Io(error)) => {
                JournalError::Unavailable(format!("{place} cannot be written or read: {error}"))
            }
            Self::Database(redb::Error::Corrupted(detail)) => damaged(&format!("{place}: {detail}")),
            Self::Row { .. } | Self::Damaged(_) => damaged(&format!("{place}: {self}")),
            other => JournalError::Unavailable(format!("{place}: {other}")),
        }
    }

    fn is_full(&self) -> bool {
        let Self::Database(redb::Error::Io(error)) = self else { return false };
        matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
        )
    }
}

fn damaged(what: &str) -> JournalError {
    JournalError::Damaged(format!("{what}; what is there has been left alone, a backup can be restored"))
}

/// A database that opens itself anew after a failure, at its last commit.
#[derive(Debug)]
pub(crate) struct Engine {
    file: Arc<dyn StorageBackend>,
    /// Path of the file, for messages.
    place: PathBuf,
    /// Where to try whether there is space again.
    folder: Option<PathBuf>,
    /// Taken for as long as it takes to clone.
    opened: Mutex<Option<Arc<Opened>>>,
    /// Held while something is written, or the database is opened.
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Opened {
    /// Absent while it is dropped.
    database: Option<Database>,
    guard: Guard,
}

#[derive(Debug, Default)]
struct Writer {
    /// A failed commit has not been taken back yet, since that has failed as well.
    owed: Option<Guard>,
    /// The disk was full: opening the database, only to fail again, would cost more than asking first.
    is_wary: bool,
}

impl Opened {
    fn open(file: &Arc<dyn StorageBackend>) -> Result<Self, Fault> {
        // An empty file would become a new database: one that was there is gone then, and that must be seen.
        let guard = Guard::new(Arc::clone(file)).map_err(redb::Error::Io)?;
        let database = contain(|| {
            let mut builder = Database::builder();
            Ok(builder.set_cache_size(CACHE_OCTETS).create_with_backend(guard.clone())?)
        })?;
        Ok(Self { database: Some(database), guard })
    }

    fn database(&self) -> Result<&Database, Fault> {
        self.database.as_ref().ok_or(Fault::Database(redb::Error::DatabaseClosed))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let database = self.database.take();
        if let Err(fault) = contain(|| database.map_or(Ok(()), |database| Ok(database.close()?))) {
            // Without a proper end, the next start takes longer, and nothing else.
            tracing::debug!(%fault, "cannot close the journal's database");
        }
    }
}

/// Makes an error of a panic: the database panics where a page is not what the page above it says.
pub(crate) fn contain<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(Fault::Damaged(format!("it does not hold together ({})", text.unwrap_or("no reason given"))))
    })
}

impl Engine {
    /// Opens a file that holds a database. `folder` is on the same disk.
    pub fn open(
        file: Arc<dyn StorageBackend>,
        place: PathBuf,
        folder: Option<PathBuf>,
    ) -> Result<Self, Fault> {
        let opened = Opened::open(&file)?;
        let (opened, writer) = (Mutex::new(Some(Arc::new(opened))), Mutex::default());
        Ok(Self { file, place, folder, opened, writer })
    }

    /// Path of the file.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Reads from one state of the database; `work` may be called a second time, if the first one could not be ended.
    pub fn read<T>(&self, work: impl Fn(&ReadTransaction) -> Result<T, Fault>) -> Result<T, JournalError> {
        let opened = self.opened_for_reading()?;
        match read(&opened, &work) {
            // A failed write has closed the database under our feet.
            Err(Fault::Database(_)) if !self.is_current(&opened) => self.read_once(work),
            // A read has failed before, and the database does nothing more; the disk may be well again.
            Err(Fault::Database(redb::Error::PreviousIo)) => {
                let mut writer = self.writer();
                if self.is_current(&opened) {
                    self.close(&mut writer, opened);
                }
                drop(writer);
                self.read_once(work)
            }
            result => result.map_err(|fault| fault.at(&self.place)),
        }
    }

    /// The same for work that cannot be done again.
    pub fn read_once<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        read(&*self.opened_for_reading()?, work).map_err(|fault| fault.at(&self.place))
    }

    fn opened_for_reading(&self) -> Result<Arc<Opened>, JournalError> {
        match self.opened() {
            Some(opened) => Ok(opened),
            None => self.reopen(&mut self.writer()),
        }
    }

    /// Lets the next start find its way fast, even if this process does not end properly: as long as nothing else is
    /// written after this, it need not read the whole database first.
    pub fn seal(&self) -> Result<(), JournalError> {
        self.commit(true, |_| Ok(()))
    }

    /// Writes all that `work` does, or nothing of it; what is written is on disk when this returns.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        self.commit(false, work)
    }

    /// A sealed commit syncs twice, and the first time is not enough: it must have no work of which it matters whether it
    /// is done.
    fn commit<T>(
        &self,
        is_sealed: bool,
        work: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        let mut writer = self.writer();
        if writer.is_wary {
            self.probe().map_err(|error| {
                let place = self.place.display();
                JournalError::Unavailable(format!("{place} cannot be written: {error}"))
            })?;
        }
        let opened = match self.opened() {
            Some(opened) => opened,
            None => self.reopen(&mut writer)?,
        };
        let before = opened.guard.synced();
        let mut done = None;
        let result = transact(&opened, is_sealed, work, &mut done);
        let Err(fault) = result else {
            writer.is_wary = false;
            return done.ok_or_else(|| Fault::Refused("nothing was written".into()).at(&self.place));
        };
        if !matches!(fault, Fault::Database(_) | Fault::Damaged(_)) {
            return Err(fault.at(&self.place));
        }
        // The database does nothing more after a failure. It begins again at its last commit, which may be this one: then
        // something has failed after it.
        let is_committed = opened.guard.synced() != before;
        writer.is_wary = fault.is_full();
        self.close(&mut writer, opened);
        match done.filter(|_| is_committed) {
            Some(value) => Ok(value),
            None => Err(fault.at(&self.place)),
        }
    }

    /// Closes the database, and takes back what a failed commit may have left behind.
    fn close(&self, writer: &mut Writer, opened: Arc<Opened>) {
        opened.guard.retire();
        *self.slot() = None;
        let guard = opened.guard.clone();
        drop(opened);
        if let Err(error) = guard.undo() {
            let place = self.place.display();
            tracing::error!(%place, %error, "cannot take a failed change back yet; should the server end before that, the change may be there after all");
            writer.owed = Some(guard);
        }
    }

    fn reopen(&self, writer: &mut Writer) -> Result<Arc<Opened>, JournalError> {
        // Somebody else may have done it while we waited.
        if let Some(opened) = self.opened() {
            return Ok(opened);
        }
        if let Some(guard) = &writer.owed {
            guard.undo().map_err(|error| Fault::from(redb::StorageError::from(error)).at(&self.place))?;
            writer.owed = None;
        }
        match Opened::open(&self.file) {
            Ok(opened) => {
                let opened = Arc::new(opened);
                *self.slot() = Some(Arc::clone(&opened));
                Ok(opened)
            }
            Err(fault) => {
                writer.is_wary |= fault.is_full();
                Err(fault.at(&self.place))
            }
        }
    }

    /// Asks the disk whether it takes anything, at the cost of one small file.
    fn probe(&self) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let path = folder.join(PROBE_FILE);
        let result =
            OpenOptions::new().write(true).create(true).truncate(true).open(&path).and_then(|mut file| {
                file.write_all(&vec![0xff; PROBE_OCTETS])?;
                file.sync_data()
            });
        let removed = fs::remove_file(&path);
        result.and(removed)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Opened>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> Option<Arc<Opened>> {
        self.slot().clone()
    }

    fn is_current(&self, opened: &Arc<Opened>) -> bool {
        self.slot().as_ref().is_some_and(|current| Arc::ptr_eq(current, opened))
    }
}

/// The file that [`Engine::probe`] writes for a moment.
pub(crate) const PROBE_FILE: &str = "probe";

fn read<T>(opened: &Opened, work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, Fault> {
    contain(|| work(&opened.database()?.begin_read()?))
}

/// Runs `work` and commits. `done` is what it returned, even if the commit fails.
fn transact<T>(
    opened: &Opened,
    is_sealed: bool,
    work: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    done: &mut Option<T>,
) -> Result<(), Fault> {
    contain(|| {
        let mut txn = opened.database()?.begin_write()?;
        txn.set_quick_repair(is_sealed);
        *done = Some(work(&txn)?);
        Ok(txn.commit()?)
    })
}
