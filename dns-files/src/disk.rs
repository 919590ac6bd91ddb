//! Reading files, and telling later whether they have changed.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, Metadata};
use std::hash::Hasher;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::load::LoadError;

/// Reads files and remembers what they looked like, those included that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub seen: BTreeMap<PathBuf, Seen>,
}

/// What a file looked like when it was read.
#[derive(Debug)]
pub(crate) struct Seen {
    /// `None` if there was no such file.
    stamp: Option<Stamp>,
    /// The file had just been written, so that a further change might leave the same stamp.
    young: bool,
    /// Of the content of a file that is young and small.
    digest: Option<u64>,
}

/// What tells that a file has changed: writers of zone files change at least one of these.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    octets: u64,
    #[cfg(unix)]
    identity: (u64, u64),
    /// The change of the inode, which copying with the old times does not hide.
    #[cfg(unix)]
    changed: (i64, i64),
}

/// Two changes further apart than this have different times on every file system: two seconds are FAT's steps, others
/// have finer ones.
const YOUNG: Duration = Duration::from_secs(2);
/// Young files up to this size are told apart by their content; larger ones are simply read again.
const DIGEST_OCTETS_MAX: usize = 1 << 20;

impl Disk {
    /// Remembers what a file looks like without reading it. Where there is none, one that comes to be is a change.
    pub fn note(&mut self, path: &Path) {
        let seen = Seen { stamp: Stamp::of(path), young: false, digest: None };
        self.seen.insert(path.to_owned(), seen);
    }

    /// Reads a whole file that is not empty.
    pub fn read(&mut self, path: &Path) -> Result<Vec<u8>, LoadError> {
        let metadata = fs::metadata(path);
        let stamp = metadata.as_ref().ok().map(Stamp::new);
        self.seen.insert(path.to_owned(), Seen { stamp, young: false, digest: None });
        let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
        let metadata = metadata.map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(LoadError::NoFile { path: path.to_owned(), what: "folder" });
        }
        // Reading a pipe or a device might never end.
        if !metadata.is_file() {
            return Err(LoadError::NoFile { path: path.to_owned(), what: "pipe, socket or device" });
        }
        let file = File::open(path).map_err(unreadable)?;
        // Of the file that was opened, and before it is read: what changes meanwhile is read again next time.
        let metadata = file.metadata().map_err(unreadable)?;
        // The size is known by now. A file would ask for it once more, which `take` keeps it from.
        let mut octets = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1));
        file.take(u64::MAX).read_to_end(&mut octets).map_err(unreadable)?;
        self.seen.insert(path.to_owned(), Seen::new(&metadata, &octets));
        if octets.is_empty() {
            return Err(LoadError::Empty(path.to_owned()));
        }
        Ok(octets)
    }

    /// Some file looks different from when it was read.
    pub fn has_changed(&mut self) -> bool {
        self.seen.iter_mut().any(|(path, seen)| seen.has_changed(path))
    }
}

impl Seen {
    fn new(metadata: &Metadata, octets: &[u8]) -> Self {
        let stamp = Stamp::new(metadata);
        let young = stamp.is_young();
        let digest = (young && octets.len() <= DIGEST_OCTETS_MAX).then(|| digest(octets));
        Self { stamp: Some(stamp), young, digest }
    }

    fn has_changed(&mut self, path: &Path) -> bool {
        let stamp = Stamp::of(path);
        if stamp != self.stamp {
            return true;
        }
        if !self.young {
            return false;
        }
        let same = self.digest.is_some() && fs::read(path).ok().map(|octets| digest(&octets)) == self.digest;
        // Once it has aged, the stamp alone will tell.
        self.young = stamp.is_some_and(|stamp| stamp.is_young());
        !same
    }
}

impl Stamp {
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::new(&metadata))
    }

    fn new(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            modified: metadata.modified().ok(),
            octets: metadata.len(),
            #[cfg(unix)]
            identity: (metadata.dev(), metadata.ino()),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The file was written so lately that another change might go unnoticed.
    pub fn is_young(&self) -> bool {
        let newest = self.modified;
        #[cfg(unix)]
        let newest = {
            let changed = u64::try_from(self.changed.0).unwrap_or(0);
            newest.max(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(changed)))
        };
        // A time in the future comes from a clock that cannot be trusted.
        newest.is_none_or(|newest| newest.elapsed().map_or(true, |age| age < YOUNG))
    }

    /// Both are of the same file, by whatever path.
    pub fn is_same_file(&self, other: &Self) -> bool {
        #[cfg(unix)]
        return self.identity == other.identity;
        #[cfg(not(unix))]
        return self == other;
    }
}

fn digest(octets: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(octets);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_leaves_size_and_time_alone_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let mut disk = Disk::default();
        disk.read(&path).unwrap();
        assert!(!disk.has_changed());
        // As if the clock of the file system had not moved between two writes.
        fs::write(&path, "two").unwrap();
        let stamp = Stamp::of(&path);
        disk.seen.get_mut(&path).unwrap().stamp = stamp;
        assert!(disk.has_changed());
    }

    #[test]
    fn a_file_of_old_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let mut stamp = Stamp::of(&path).unwrap();
        assert!(stamp.is_young());
        stamp.modified = stamp.modified.map(|time| time - 2 * YOUNG);
        #[cfg(unix)]
        {
            stamp.changed.0 -= 5;
        }
        assert!(!stamp.is_young());
    }

    #[test]
    fn a_file_that_comes_to_be_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut disk = Disk::default();
        assert!(matches!(disk.read(&path), Err(LoadError::Unreadable { .. })));
        assert!(!disk.has_changed());
        fs::write(&path, "one").unwrap();
        assert!(disk.has_changed());
    }
}
