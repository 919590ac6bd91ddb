//! How workers are told to finish.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Seen by busy workers as a flag, and by those in `poll` as a descriptor that has become readable.
pub(crate) struct Stop {
    set: AtomicBool,
    /// Reads end-of-file once the other end has gone.
    watched: UnixStream,
    held: Mutex<Option<UnixStream>>,
}

impl Stop {
    pub(crate) fn new() -> io::Result<Self> {
        let (watched, held) = UnixStream::pair()?;
        Ok(Self { set: AtomicBool::new(false), watched, held: Mutex::new(Some(held)) })
    }

    pub(crate) fn set(&self) {
        self.set.store(true, Ordering::Release);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Cheap enough to ask before every batch.
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }
}
