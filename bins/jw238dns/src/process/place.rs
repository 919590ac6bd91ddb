//! Whether a start could use the data folder, as far as that shows without making or changing anything.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use dns_server::journal::FolderError;
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};

/// Whether a folder is there and belongs to another user than this one.
pub fn is_of_another(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.uid() != geteuid().as_raw())
}

/// Looks at a place as a start would, without its lock: a server may run. What is in a journal shows only when it is opened.
///
/// # Errors
/// Those of [`Folder::open`](dns_server::journal::Folder::open) for a place that is no folder of ours to write to.
pub fn check_data_dir(path: &Path) -> Result<(), FolderError> {
    let place = || path.to_owned();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // A link that leads nowhere stands in the way.
            let makes = if path.is_symlink() { Err(Errno::EEXIST.into()) } else { can_make(path) };
            return makes.map_err(|source| FolderError::Create { path: place(), source });
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(FolderError::NotAFolder { path: place() });
        }
        Err(error) => return Err(in_place(path)(error)),
    };
    if !metadata.is_dir() {
        return Err(FolderError::NotAFolder { path: place() });
    }
    if metadata.mode() & 0o002 != 0 {
        return Err(FolderError::Exposed { path: place(), mode: metadata.mode() & 0o7777 });
    }
    let journal = path.join("journal.redb");
    let has_journal = journal.try_exists().map_err(in_place(&journal))?;
    can_lock(path).map_err(|source| FolderError::NotWritable { path: place(), source })?;
    if has_journal {
        return may(&journal, AccessFlags::R_OK | AccessFlags::W_OK).map_err(in_place(&journal));
    }
    // A journal is made there.
    may(path, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|source| FolderError::NotWritable { path: place(), source })
}

fn in_place(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { path, source }
}

/// It is made with all folders above it that are missing.
fn can_make(path: &Path) -> io::Result<()> {
    let is_there = |folder: &&Path| !matches!(folder.try_exists(), Ok(false));
    let above = path.ancestors().skip(1).find(is_there);
    may(above.unwrap_or(Path::new(".")), AccessFlags::W_OK | AccessFlags::X_OK)
}

/// Its lock is what a start opens first, or makes.
fn can_lock(path: &Path) -> io::Result<()> {
    match may(&path.join("lock"), AccessFlags::R_OK | AccessFlags::W_OK) {
        Err(error) if error.kind() == ErrorKind::NotFound => may(path, AccessFlags::W_OK | AccessFlags::X_OK),
        found => found,
    }
}

/// What the system would say, not what modes look like: there are lists, groups, and disks that are mounted read-only.
fn may(path: &Path, wanted: AccessFlags) -> io::Result<()> {
    access(path, wanted).map_err(io::Error::from)
}
