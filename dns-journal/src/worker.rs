//! The thread that brings the tables up to date, and forgets what is beyond the limits of history.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use dns_store::JournalError;

use crate::log::{Lag, Log};
use crate::{HistoryLimits, codec};

/// The tables are brought up to date when the log is ahead by so much: what a start reads from the log, it holds in
/// memory.
const LAG_MAX: Lag = Lag { entries: 65_536, octets: 32 << 20 };

/// They are as well once nothing has been appended for this long.
const QUIET: Duration = Duration::from_secs(2);

/// How often old entries are looked for where nothing happens.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// How long to wait after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Worker {
    log: Arc<Log>,
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_ending: bool,
    lag: Lag,
    /// How many batches have been appended.
    batches: u64,
}

impl Lag {
    fn is_far(self) -> bool {
        self.entries >= LAG_MAX.entries || self.octets >= LAG_MAX.octets
    }
}

impl Signal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_due`, the end, or the time is over.
    fn wait(&self, timeout: Duration, is_due: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let waits = |state: &mut State| !state.is_ending && !is_due(state);
        let waited = self.changed.wait_timeout_while(self.state(), timeout, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Worker {
    pub fn start(log: Arc<Log>, limits: HistoryLimits) -> io::Result<Self> {
        let signal = Arc::new(Signal::default());
        signal.state().lag = log.lag();
        let thread = {
            let (log, signal) = (Arc::clone(&log), Arc::clone(&signal));
            thread::Builder::new().name("journal-tables".into()).spawn(move || run(&log, &signal, &limits))?
        };
        Ok(Self { log, signal, thread: Some(thread) })
    }

    /// Hears that something has been appended.
    pub fn note(&self, lag: Lag) {
        let mut state = self.signal.state();
        let was_idle = state.lag.entries == 0;
        state.lag = lag;
        state.batches += 1;
        drop(state);
        if was_idle || lag.is_far() {
            self.signal.changed.notify_one();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.signal.state().is_ending = true;
        self.signal.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the journal has ended by itself");
        }
        // The next start is faster without a log to read; where this fails, it reads the log.
        if let Err(error) = self.log.checkpoint() {
            tracing::warn!(%error, "cannot bring the journal's tables up to date at the end");
        }
    }
}

fn run(log: &Log, signal: &Signal, limits: &HistoryLimits) {
    let mut batches = 0;
    loop {
        let has_lag = signal.state().lag.entries > 0;
        // While there is no lag, the first append ends the wait; the time of quiet begins with it.
        let state = if has_lag {
            signal.wait(QUIET, |state| state.lag.is_far())
        } else {
            signal.wait(PRUNE_EVERY, |state| state.lag.entries > 0)
        };
        if state.is_ending {
            return;
        }
        let (lag, is_quiet) = (state.lag, state.batches == batches);
        batches = state.batches;
        drop(state);
        let is_due = lag.is_far() || is_quiet;
        if !is_due {
            continue;
        }
        let mut result = tidy(log, lag, limits);
        if is_quiet && lag.entries > 0 {
            result = result.and_then(|()| log.seal());
        }
        if let Err(error) = result {
            tracing::warn!(%error, "cannot bring the journal's tables up to date; trying again later");
            drop(signal.wait(RETRY_AFTER, |_| false));
        }
        // Asked for while nobody can note anything newer.
        let mut state = signal.state();
        state.lag = log.lag();
    }
}

fn tidy(log: &Log, lag: Lag, limits: &HistoryLimits) -> Result<(), JournalError> {
    if lag.entries > 0 {
        log.checkpoint()?;
    }
    log.prune(limits, codec::milliseconds(SystemTime::now()))
}
