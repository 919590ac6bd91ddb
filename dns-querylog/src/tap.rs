//! dnstap to a Unix socket, for as long as somebody listens there.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dns_backend::log::Entry;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tracing::{debug, warn};

use crate::batch::Batch;
use crate::dnstap::Encoder;
use crate::frames;
use crate::seldom::{Backoff, Seldom};
use crate::service::{Sink, Tally};

/// How long one system call of ours may wait for the receiver.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends frames while the receiver is there; drops and counts entries while it is not.
pub(crate) struct Tap {
    path: PathBuf,
    encoder: Encoder,
    batch: Batch,
    link: Link,
    backoff: Backoff,
    complaint: Seldom,
}

enum Link {
    Up { stream: UnixStream, since: Instant },
    Down { retry_at: Instant },
}

impl Tap {
    /// The first attempt to connect is made at once; that it fails is no error, since receivers come and go.
    pub(crate) fn new(path: PathBuf, encoder: Encoder) -> Self {
        Self {
            path,
            encoder,
            batch: Batch::default(),
            link: Link::Down { retry_at: Instant::now() },
            backoff: Backoff::new(),
            complaint: Seldom::default(),
        }
    }

    fn lose(&mut self, error: &io::Error) {
        let now = Instant::now();
        let (path, worked) = (self.path.display(), self.worked(now));
        if self.complaint.is_due(now) {
            warn!(%path, %error, "there is no reader of dnstap");
        } else {
            debug!(%path, %error, "there is no reader of dnstap");
        }
        self.link = Link::Down { retry_at: now + self.backoff.wait(worked) };
    }

    /// How long the receiver has been there.
    fn worked(&self, now: Instant) -> Duration {
        match self.link {
            Link::Up { since, .. } => now.saturating_duration_since(since),
            Link::Down { .. } => Duration::ZERO,
        }
    }
}

impl Sink for Tap {
    fn prepare(&mut self) {
        let found = match &self.link {
            // Asked for before there are entries, so that none are sent to somebody who is gone.
            Link::Up { stream, .. } => check_present(stream),
            Link::Down { retry_at } if *retry_at > Instant::now() => Ok(()),
            Link::Down { .. } => connect(&self.path).map(|stream| {
                debug!(path = %self.path.display(), "a reader of dnstap is there");
                self.link = Link::Up { stream, since: Instant::now() };
            }),
        };
        if let Err(error) = found {
            self.lose(&error);
        }
    }

    fn take(&mut self, entry: &Entry<'_>, tally: &Tally) {
        if let Link::Down { .. } = self.link {
            tally.add(0, 1);
            return;
        }
        self.batch.add(|out| self.encoder.write(entry, out));
        if self.batch.is_full() {
            self.flush(tally);
        }
    }

    fn flush(&mut self, tally: &Tally) {
        if self.batch.is_empty() {
            return;
        }
        let Link::Up { stream, .. } = &mut self.link else {
            tally.add(0, self.batch.forget());
            return;
        };
        let sent = self.batch.send(stream);
        tally.add(sent.whole, sent.lost);
        // Half a frame cannot be mended: the receiver would take the next one for its end.
        if let Err(error) = sent.result {
            self.lose(&error);
        }
    }

    fn close(&mut self) {
        if let Link::Up { stream, .. } = &mut self.link
            && let Err(error) = frames::close(stream)
        {
            debug!(%error, "the reader of dnstap did not say that it has finished");
        }
    }
}

/// Connects and opens the stream, each step within [`PATIENCE`].
fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Before connecting, which waits where the receiver's backlog is full.
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&SockAddr::unix(path)?)?;
    let mut stream = UnixStream::from(std::os::fd::OwnedFd::from(socket));
    frames::open(&mut stream)?;
    Ok(stream)
}

/// Fails if the receiver has closed its end. A receiver says nothing before we do, so whatever it says is passed over.
fn check_present(stream: &UnixStream) -> io::Result<()> {
    let mut octet = [MaybeUninit::uninit()];
    match SockRef::from(stream).recv_with_flags(&mut octet, libc::MSG_DONTWAIT) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
