//! The database's file, and the guard that takes a failed commit back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// A file as the database wants it. It is locked by the folder, for as long as that is open, and not here.
#[derive(Debug)]
pub(crate) struct Disk(pub File);

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// How much of the file's start says which commit is the last one: more than the 320 octets of the database's header,
/// less than the page in which nothing else stands.
const HEADER_OCTETS: usize = 512;

type Header = [u8; HEADER_OCTETS];

/// Stands between the database and its file, and remembers the header that was synced last.
///
/// A commit writes new pages beside those of the last one, then the header that names them, and syncs. When that fails,
/// nobody knows what of it is on disk; but since no page of the last commit has been touched, the old header undoes all of
/// it: [`undo`](Self::undo) puts it back.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    inner: Arc<dyn StorageBackend>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    headers: Mutex<Headers>,
    /// Another one has taken over: a database that still holds this one must change nothing any more.
    retired: AtomicBool,
}

#[derive(Debug)]
struct Headers {
    /// As it was written last.
    written: Header,
    /// As it is on disk for certain.
    synced: Header,
}

impl Guard {
    /// Guards a file that has a header.
    pub fn new(inner: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let mut header = [0; HEADER_OCTETS];
        inner.read(0, &mut header)?;
        let headers = Mutex::new(Headers { written: header, synced: header });
        Ok(Self { inner, state: Arc::new(State { headers, retired: AtomicBool::new(false) }) })
    }

    fn headers(&self) -> MutexGuard<'_, Headers> {
        self.state.headers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The header that is on disk for certain: another one than before a commit means that the commit is safe, whatever
    /// failed after it.
    pub fn synced(&self) -> Header {
        self.headers().synced
    }

    /// Lets nobody write through this guard any more.
    pub fn retire(&self) {
        self.state.retired.store(true, Ordering::Release);
    }

    /// Puts back the last header that was synced, and syncs it.
    pub fn undo(&self) -> io::Result<()> {
        let mut headers = self.headers();
        self.inner.write(0, &headers.synced)?;
        self.inner.sync_data()?;
        headers.written = headers.synced;
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.state.retired.load(Ordering::Acquire) {
            return Err(io::Error::other("the database was opened anew"));
        }
        Ok(())
    }
}

impl StorageBackend for Guard {
    fn len(&self) -> io::Result<u64> {
        self.check()?;
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.check()?;
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        let header = self.headers().written;
        self.inner.sync_data()?;
        self.headers().synced = header;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        if let Some(part) = usize::try_from(offset).ok().filter(|&offset| offset < HEADER_OCTETS) {
            let octets = data.len().min(HEADER_OCTETS - part);
            self.headers().written[part..part + octets].copy_from_slice(&data[..octets]);
        }
        self.inner.write(offset, data)
    }
}
