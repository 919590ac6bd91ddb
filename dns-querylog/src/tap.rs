//! dnstap to a Unix socket, for as long as somebody listens there.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dns_backend::log::Entry;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tracing::{debug, info, warn};

use crate::batch::Batch;
use crate::dnstap::Encoder;
use crate::frames;
use crate::service::{Sink, Tally};

/// How long one system call of ours may wait for the receiver.
const PATIENCE: Duration = Duration::from_secs(1);
/// Before the second attempt to connect; doubled after each.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Sends frames while the receiver is there; drops and counts entries while it is not.
pub(crate) struct Tap {
    path: PathBuf,
    encoder: Encoder,
    batch: Batch,
    link: Link,
}

enum Link {
    Up(UnixStream),
    Down { retry_at: Instant, wait: Duration },
}

impl Tap {
    /// The first attempt to connect is made at once; that it fails is no error, since receivers come and go.
    pub(crate) fn new(path: PathBuf, encoder: Encoder) -> Self {
        let link = Link::Down { retry_at: Instant::now(), wait: RETRY_MIN };
        Self { path, encoder, batch: Batch::default(), link }
    }

    fn lose(&mut self, error: &io::Error) {
        warn!(path = %self.path.display(), %error, "the reader of dnstap is gone");
        self.link = Link::Down { retry_at: Instant::now() + RETRY_MIN, wait: RETRY_MIN };
    }
}

impl Sink for Tap {
    fn prepare(&mut self) {
        match &mut self.link {
            // Asked for before there are entries, so that none are sent to somebody who is gone.
            Link::Up(stream) => {
                if let Err(error) = check_present(stream) {
                    self.lose(&error);
                }
            }
            Link::Down { retry_at, wait } if *retry_at <= Instant::now() => match connect(&self.path) {
                Ok(stream) => {
                    info!(path = %self.path.display(), "a reader of dnstap is there");
                    self.link = Link::Up(stream);
                }
                Err(error) => {
                    let path = self.path.display();
                    if *wait == RETRY_MIN {
                        warn!(%path, %error, "there is no reader of dnstap");
                    } else {
                        debug!(%path, %error, "there is no reader of dnstap");
                    }
                    *retry_at = Instant::now() + *wait;
                    *wait = (*wait * 2).min(RETRY_MAX);
                }
            },
            Link::Down { .. } => {}
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
        let Link::Up(stream) = &mut self.link else {
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
        if let Link::Up(stream) = &mut self.link
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
