//! Waiting for sockets.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use libc::{POLLIN, POLLOUT, c_int, c_short, pollfd};

/// Waits until one of several descriptors has something to read, or has been hung up.
pub(crate) struct Poller {
    entries: Vec<pollfd>,
}

impl Poller {
    pub(crate) fn new<'a, T: AsFd + 'a>(descriptors: impl IntoIterator<Item = &'a T>) -> Self {
        Self { entries: descriptors.into_iter().map(|descriptor| entry(descriptor, POLLIN)).collect() }
    }

    pub(crate) fn add(&mut self, descriptor: &impl AsFd) {
        self.entries.push(entry(descriptor, POLLIN));
    }

    /// Blocks; without a time-out, until something happens. A signal counts as nothing having happened.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        poll(&mut self.entries, timeout).map(drop)
    }

    /// Whether the descriptor at that position had something in the last [`wait`](Self::wait).
    pub(crate) fn is_ready(&self, index: usize) -> bool {
        self.entries[index].revents != 0
    }
}

/// Waits until the socket takes more, and says whether it does.
pub(crate) fn wait_writable(socket: &impl AsFd, timeout: Duration) -> bool {
    poll(&mut [entry(socket, POLLOUT)], Some(timeout)).is_ok_and(|ready| ready > 0)
}

fn entry(descriptor: &impl AsFd, events: c_short) -> pollfd {
    pollfd { fd: descriptor.as_fd().as_raw_fd(), events, revents: 0 }
}

fn poll(entries: &mut [pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let milliseconds = timeout.map_or(-1, |timeout| timeout.as_millis().try_into().unwrap_or(c_int::MAX));
    // SAFETY: pointer and length are those of one slice of entries.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, milliseconds) };
    if ready >= 0 {
        return Ok(ready as usize);
    }
    let error = io::Error::last_os_error();
    if error.kind() != io::ErrorKind::Interrupted {
        return Err(error);
    }
    for entry in entries {
        entry.revents = 0;
    }
    Ok(0)
}
