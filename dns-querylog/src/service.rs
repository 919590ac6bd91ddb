//! The thread that reads the rings.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dns_backend::log::{Entry, LogHub, LogReader};
use tracing::{error, warn};

use crate::config::{Format, QueryLogConfig, Target};
use crate::dnstap::Encoder;
use crate::json::write_json;
use crate::lines::{Lines, WriteLine};
use crate::seldom::Seldom;
use crate::tap::Tap;
use crate::text::write_text;

/// How long the thread rests when all rings are empty; within it, a ring of the default size has room for what one core answers.
const REST: Duration = Duration::from_millis(10);
/// How long [`QueryLog::stop`] waits for what is left to be written.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether there is something to report.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// A query log that is being written; stops when dropped.
#[derive(Debug)]
pub struct QueryLog {
    hub: Arc<LogHub>,
    shared: Arc<Shared>,
    thread: Mutex<Option<Running>>,
}

#[derive(Debug, Default)]
struct Shared {
    tally: Tally,
    stop: AtomicBool,
    reopen: AtomicBool,
}

#[derive(Debug)]
struct Running {
    handle: JoinHandle<()>,
    /// Closes when the thread ends.
    ended: mpsc::Receiver<()>,
}

/// What has become of the entries that were read.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    written: AtomicU64,
    dropped: AtomicU64,
}

impl Tally {
    pub(crate) fn add(&self, written: u64, dropped: u64) {
        self.written.fetch_add(written, Ordering::Relaxed);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Where entries go to.
pub(crate) trait Sink: Send + 'static {
    /// Called before entries are read.
    fn prepare(&mut self) {}

    /// Takes an entry; may hold it back until [`flush`](Self::flush).
    fn take(&mut self, entry: &Entry<'_>, tally: &Tally);

    /// Writes what was held back.
    fn flush(&mut self, tally: &Tally);

    /// Opens anew what may have been moved away.
    fn reopen(&mut self) {}

    /// Says good-bye to who reads.
    fn close(&mut self) {}
}

impl QueryLog {
    /// Begins to write what the hub's writers record.
    ///
    /// # Errors
    /// The format cannot go to the target, the hub does not keep what the format needs ([`QueryLogConfig::hub`] makes one
    /// that does), the file cannot be opened, or there is no thread to be had. A socket at which nobody listens is none.
    pub fn start(config: QueryLogConfig, hub: Arc<LogHub>) -> io::Result<Self> {
        config.check()?;
        if config.settings().whole_replies && !hub.settings().whole_replies {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "dnstap needs whole replies"));
        }
        let write_line: WriteLine = match config.format {
            Format::Text => write_text,
            Format::Json | Format::Dnstap => write_json_line,
        };
        match config.target {
            Target::Stdout => Self::start_with(Lines::to_stdout(write_line)?, hub),
            Target::File(path) => Self::start_with(Lines::to_file(write_line, path)?, hub),
            Target::Socket(path) => {
                let encoder = Encoder::new(&config.identity, &config.version, config.listeners);
                Self::start_with(Tap::new(path, encoder), hub)
            }
        }
    }

    fn start_with(sink: impl Sink, hub: Arc<LogHub>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (alive, ended) = mpsc::channel();
        let writer = Writer {
            sink,
            hub: hub.clone(),
            shared: shared.clone(),
            readers: Vec::new(),
            report: Report::new(),
        };
        let run = move || {
            let _alive: mpsc::Sender<()> = alive;
            writer.run();
        };
        let handle = thread::Builder::new().name("query-log".into()).spawn(run)?;
        Ok(Self { hub, shared, thread: Mutex::new(Some(Running { handle, ended })) })
    }

    /// Entries that were written.
    pub fn written(&self) -> u64 {
        self.shared.tally.written()
    }

    /// Entries that were lost: to full rings, to errors while writing, or because nobody listened.
    pub fn dropped(&self) -> u64 {
        self.hub.dropped() + self.shared.tally.dropped()
    }

    /// Opens the log's file anew, soon; for when its old one has been moved away. If that fails, a warning says so and the old
    /// file is kept.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.wake();
    }

    /// Writes what has been recorded so far, and ends. Workers are to be stopped before: what they record later is lost.
    /// Further calls do nothing.
    ///
    /// # Errors
    /// Who reads the log takes nothing for five seconds, or the thread has panicked. What was not written is lost.
    pub fn stop(&self) -> io::Result<()> {
        let running = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { handle, ended }) = running else {
            return Ok(());
        };
        self.shared.stop.store(true, Ordering::Release);
        handle.thread().unpark();
        match ended.recv_timeout(STOP_PATIENCE) {
            Err(RecvTimeoutError::Timeout) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the rest of the query log cannot be written"))
            }
            _ => handle.join().map_err(|_| io::Error::other("the query log's thread has panicked")),
        }
    }

    fn wake(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*thread {
            running.handle.thread().unpark();
        }
    }
}

impl Drop for QueryLog {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            error!(%error, "the query log did not end as it should");
        }
    }
}

fn write_json_line(entry: &Entry<'_>, out: &mut Vec<u8>) {
    if let Err(error) = write_json(entry, out) {
        error!(%error, "an entry of the query log cannot be written as JSON");
    }
}

/// The thread's state.
struct Writer<S> {
    sink: S,
    hub: Arc<LogHub>,
    shared: Arc<Shared>,
    readers: Vec<LogReader>,
    report: Report,
}

impl<S: Sink> Writer<S> {
    fn run(mut self) {
        loop {
            // Asked before the rings are read, so that what was recorded before the stop is seen.
            let stop = self.shared.stop.load(Ordering::Acquire);
            if self.shared.reopen.swap(false, Ordering::AcqRel) {
                self.sink.reopen();
            }
            self.sink.prepare();
            self.readers.append(&mut self.hub.take_readers());
            if stop {
                self.finish();
                return;
            }
            let octets = self.read_each(|_| 1);
            self.readers.retain(|reader| !reader.is_finished());
            self.report.tell(|| self.hub.dropped() + self.shared.tally.dropped());
            if octets == 0 {
                thread::park_timeout(REST);
            }
        }
    }

    /// Reads from each ring until so many octets came out of it or it is empty; tells how many came out of all.
    fn read_each(&mut self, wanted: impl Fn(&LogReader) -> usize) -> usize {
        let (sink, tally) = (&mut self.sink, &self.shared.tally);
        let mut octets = 0;
        for reader in &mut self.readers {
            let mut left = wanted(reader);
            while left > 0 {
                let read = reader.read(|entry| sink.take(entry, tally));
                octets += read;
                left = if read == 0 { 0 } else { left.saturating_sub(read) };
            }
        }
        sink.flush(tally);
        octets
    }

    /// Writes what is in the rings now, and no more: a worker that goes on must not keep us from ending.
    fn finish(mut self) {
        self.read_each(LogReader::pending_octets);
        self.hub.close();
        self.sink.close();
    }
}

/// Says now and then that entries are being dropped.
struct Report {
    told: u64,
    look_at: Instant,
    seldom: Seldom,
}

impl Report {
    fn new() -> Self {
        Self { told: 0, look_at: Instant::now(), seldom: Seldom::default() }
    }

    fn tell(&mut self, dropped: impl FnOnce() -> u64) {
        let now = Instant::now();
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK_PERIOD;
        let dropped = dropped();
        if dropped > self.told && self.seldom.is_due(now) {
            warn!(entries = dropped - self.told, "the query log has dropped entries");
            self.told = dropped;
        }
    }
}
