//! The folder itself: whose it is, what is in it, who has it open.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use nix::fcntl::OFlag;

use crate::FolderError;
use crate::engine::PROBE_FILE;

/// The journal.
pub(crate) const FILE: &str = "journal.redb";
/// A journal that is being made, or brought back from a backup.
pub(crate) const NEW_FILE: &str = "journal.redb.new";
/// Locked by whoever has the folder open; holds the number of that process.
const LOCK_FILE: &str = "lock";
/// It is not longer than a number of 32 bits and the end of its line.
const LOCK_OCTETS_MAX: u64 = 11;

/// What may be in a folder that has no journal: what a crash has left there, and the folder that some file systems have
/// in their root.
const HARMLESS: [&str; 4] = [LOCK_FILE, NEW_FILE, PROBE_FILE, "lost+found"];

/// A database is never shorter than this, and begins with these octets.
const FILE_OCTETS_MIN: u64 = 4096;
const FILE_START: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// The lock of a folder, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a process that was just forked elsewhere still has a copy of it.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "cannot give the lock of a data folder back");
        }
    }
}

/// Makes the folder if there is none, sees to it that strangers cannot write to it, and locks it. One without a journal may
/// hold what `is_known`, and nothing else: it is left as it is then, even without a lock in it.
pub(crate) fn prepare(path: &Path, is_known: impl Fn(&str) -> bool) -> Result<Lock, FolderError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(path);
            made.and_then(|()| fs::metadata(path))
                .map_err(|source| FolderError::Create { path: path.to_owned(), source })?
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(FolderError::NotAFolder { path: path.to_owned() });
        }
        Err(error) => return Err(FolderError::io(path)(error)),
    };
    if !metadata.is_dir() {
        return Err(FolderError::NotAFolder { path: path.to_owned() });
    }
    // Whose it is does not matter: volumes belong to the administrator, and are writable for a group that the server is in.
    if metadata.mode() & 0o002 != 0 {
        return Err(FolderError::Exposed { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    let journal = path.join(FILE);
    // Where anything of ours is left, a journal is missing, and an empty one would hide that.
    if !journal.try_exists().map_err(FolderError::io(&journal))? {
        check_folder(path, is_known)?;
    }
    lock(path)
}

fn lock(folder: &Path) -> Result<Lock, FolderError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    // Not a file elsewhere, by way of a link: it will be written to.
    options.custom_flags(OFlag::O_NOFOLLOW.bits());
    let path = folder.join(LOCK_FILE);
    let mut file =
        options.open(&path).map_err(|source| FolderError::NotWritable { path: folder.to_owned(), source })?;
    if !is_lock(&file).map_err(FolderError::io(&path))? {
        return Err(FolderError::NotOurs { path: folder.to_owned(), found: LOCK_FILE.to_owned() });
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.rewind().map_err(FolderError::io(&path))?;
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(FolderError::Locked { path: folder.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(FolderError::io(path)(error)),
    }
    give_to_owner(&file, folder).map_err(FolderError::io(&path))?;
    // The number is for messages alone: where there is no space for it, the lock holds as well.
    let noted = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| writeln!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        tracing::debug!(path = %path.display(), %error, "cannot note who holds the lock");
    }
    Ok(Lock { file })
}

/// Whether a file of that name is one of our locks: empty, or with the number of a process. It is never synced: a power cut may
/// leave zeros in it.
fn is_lock(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    // Others might never end.
    if !metadata.is_file() || metadata.len() > LOCK_OCTETS_MAX {
        return Ok(false);
    }
    let mut text = Vec::new();
    file.take(LOCK_OCTETS_MAX).read_to_end(&mut text)?;
    Ok(text.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'\n' | 0)))
}

/// Makes sure that a folder without a journal holds nothing else either, but what `is_known`.
fn check_folder(path: &Path, is_known: impl Fn(&str) -> bool) -> Result<(), FolderError> {
    for entry in fs::read_dir(path).map_err(FolderError::io(path))? {
        let name = entry.map_err(FolderError::io(path))?.file_name();
        let found = name.to_string_lossy().into_owned();
        if !HARMLESS.contains(&found.as_str()) && !is_known(&found) {
            return Err(FolderError::NotOurs { path: path.to_owned(), found });
        }
    }
    Ok(())
}

/// Makes sure that a file begins like a database.
pub(crate) fn check_start(path: &Path, file: &File) -> Result<(), FolderError> {
    let foreign = |detail: &str| FolderError::Foreign { path: path.to_owned(), detail: detail.to_owned() };
    let metadata = file.metadata().map_err(FolderError::io(path))?;
    if !metadata.is_file() {
        return Err(foreign("it is not a file"));
    }
    let mut start = [0; FILE_START.len()];
    if metadata.len() < start.len() as u64 {
        return Err(foreign("it is too short"));
    }
    file.read_exact_at(&mut start, 0).map_err(FolderError::io(path))?;
    if start != *FILE_START {
        return Err(foreign("it begins like something else"));
    }
    if metadata.len() < FILE_OCTETS_MIN {
        let detail = format!("its {} octets are only its beginning", metadata.len());
        return Err(FolderError::Damaged { path: path.to_owned(), detail });
    }
    Ok(())
}

/// Makes an empty file under a name that only we use, in the place of one that a crash has left behind.
pub(crate) fn temporary(path: &Path) -> Result<File, FolderError> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FolderError::io(path)(error)),
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(path).map_err(FolderError::io(path))?;
    if let Some(folder) = path.parent() {
        give_to_owner(&file, folder).map_err(FolderError::io(path))?;
    }
    Ok(file)
}

/// What the administrator makes in the folder of another user belongs to that user, whose server could not open it
/// otherwise. Nobody else can give files away, nor has to.
fn give_to_owner(file: &File, folder: &Path) -> io::Result<()> {
    let folder = fs::metadata(folder)?;
    if !nix::unistd::geteuid().is_root() || folder.uid() == 0 {
        return Ok(());
    }
    fchown(file, Some(folder.uid()), Some(folder.gid()))
}

/// Makes sure that the names in a folder are on disk.
pub(crate) fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(FolderError::io(path))
}
