//! From a transaction that is worked out to one that is safe and seen: the thread that feeds the journal.
//!
//! Writers of durable sources build on one another's transactions before those are safe, so that one sync of the disk
//! serves all who came while the last one was under way. Nobody sees any of it until then. Should the journal fail,
//! everything that is not safe is taken back, and whoever waits for it is told.

use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use dns_core::Name;

use crate::StoreError;
use crate::commit::Next;
use crate::event::{Changed, Event};
use crate::journal::{Batch, Entry, Journal, JournalError, Marks};
use crate::state::{State, is_later};
use crate::sync::{Condvar, Mutex, PoisonError, mpsc, thread};
use crate::turn::{Inner, Plane};

/// Transactions that are journalled at once, at most.
const BATCH_MAX: usize = 1024;
/// Versions, and serials of derived zones, that are marked as used ahead of time, so that transactions which are not journalled
/// need no sync.
const MARKED_AHEAD: u32 = 10_000;
/// The same for the serials of a declared zone, at most: people look at them, so a start should not skip many.
const SERIALS_AHEAD_MAX: u32 = 1_024;

/// The journal of a store, and the way to it.
pub(crate) struct Keeper {
    pub journal: Arc<dyn Journal>,
    /// Of a durable one.
    queue: Option<mpsc::Sender<Staged>>,
    thread: Option<thread::JoinHandle<()>>,
    /// Batches that the journal could not keep.
    pub failures: Arc<AtomicU64>,
}

/// A transaction that others build on, and nobody sees.
pub(crate) struct Staged {
    pub plane: Arc<Plane>,
    /// `None` if nothing changes: somebody waits for what was there before, or only marks move.
    pub state: Option<Arc<State>>,
    pub entry: Option<Arc<Entry>>,
    /// Names whose flat records may be others than before.
    pub names: Vec<Name>,
    pub marks: Marks,
    pub events: Vec<Event>,
    pub ticket: Option<Issuer>,
    /// Others wait until it is safe.
    pub is_counted: bool,
}

impl Staged {
    /// What changes nothing, and nobody waits for.
    pub fn nothing(plane: Arc<Plane>) -> Self {
        Self {
            plane,
            state: None,
            entry: None,
            names: Vec::new(),
            marks: Marks::default(),
            events: Vec::new(),
            ticket: None,
            is_counted: false,
        }
    }
}

impl Keeper {
    /// Starts the thread if the journal is a durable one.
    pub fn start(journal: Arc<dyn Journal>, store: Weak<Inner>) -> Result<Self, JournalError> {
        if !journal.is_durable() {
            return Ok(Self { journal, queue: None, thread: None, failures: Arc::default() });
        }
        let (queue, received) = mpsc::channel();
        let failures = Arc::<AtomicU64>::default();
        let run = {
            let (journal, failures) = (journal.clone(), failures.clone());
            move || run(journal.as_ref(), &received, &store, &failures)
        };
        match thread::Builder::new().name("journal".into()).spawn(run) {
            Ok(thread) => Ok(Self { journal, queue: Some(queue), thread: Some(thread), failures }),
            Err(error) => {
                Err(JournalError::Unavailable(format!("cannot start the journal's thread: {error}")))
            }
        }
    }

    pub fn is_durable(&self) -> bool {
        self.queue.is_some()
    }

    pub fn send(&self, staged: Staged) {
        if let Some(queue) = &self.queue {
            // The thread ends after this sender only. Had it panicked, the ticket would say so.
            let _ = queue.send(staged);
        }
    }
}

impl Drop for Keeper {
    /// Waits until the journal has all that it was sent, so that whoever opens it next finds it.
    fn drop(&mut self) {
        self.queue = None;
        // The thread itself is the last one to hold the store if that goes while it makes something visible.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

fn run(journal: &dyn Journal, received: &mpsc::Receiver<Staged>, store: &Weak<Inner>, failures: &AtomicU64) {
    while let Ok(first) = received.recv() {
        let mut all = vec![first];
        while all.len() < BATCH_MAX
            && let Ok(staged) = received.try_recv()
        {
            all.push(staged);
        }
        let batch = batch(&mut all);
        let is_empty = batch == Batch::default();
        let kept = if is_empty { Ok(()) } else { append(journal, &batch) };
        if kept.is_err() {
            failures.fetch_add(1, Relaxed);
        }
        let tickets: Vec<Issuer> = match (store.upgrade(), &kept) {
            // Whoever has waited may drop the last handle next, and counts on the journal being closed by that: the one here
            // goes before they are told.
            (Some(store), Ok(())) => store.show_staged(all),
            (Some(store), Err(_)) => store.take_back(all, received),
            // Nobody can see it any more; it is kept all the same.
            (None, _) => all.into_iter().filter_map(|staged| staged.ticket).collect(),
        };
        for ticket in tickets {
            ticket.tell(kept.clone());
        }
    }
}

/// Keeps a batch. A journal that panics has not kept it: were this thread to end, others would wait for it for ever.
fn append(journal: &dyn Journal, batch: &Batch) -> Result<(), JournalError> {
    let appended = panic::catch_unwind(AssertUnwindSafe(|| journal.append(batch)));
    appended.unwrap_or_else(|_| Err(JournalError::Damaged("the journal has broken down".to_owned())))
}

fn batch(all: &mut [Staged]) -> Batch {
    let mut batch = Batch::default();
    let mut serials: HashMap<(Arc<str>, Name), u32> = HashMap::new();
    for staged in all {
        batch.entries.extend(staged.entry.clone());
        let marks = std::mem::take(&mut staged.marks);
        batch.marks.version = batch.marks.version.max(marks.version);
        batch.marks.derived_serial = marks.derived_serial.or(batch.marks.derived_serial);
        serials.extend(marks.serials.into_iter().map(|(view, apex, serial)| ((view, apex), serial)));
    }
    batch.marks.serials = serials.into_iter().map(|((view, apex), serial)| (view, apex, serial)).collect();
    batch
}

/// What is marked as used by now, or is about to be.
#[derive(Default)]
pub(crate) struct Marked {
    version: u64,
    derived_serial: Option<u32>,
    /// The last serial of derived zones in any view.
    derived_max: Option<u32>,
    serials: HashMap<(Arc<str>, Name), MarkedSerial>,
}

struct MarkedSerial {
    serial: u32,
    /// How far ahead of use it was.
    ahead: u32,
}

impl Marked {
    /// The marks with which a store begins to go on from `version`.
    pub fn begin(&mut self, version: u64, derived_serial: u32) -> Marks {
        self.version = version + u64::from(MARKED_AHEAD);
        self.derived_serial = Some(ahead(derived_serial));
        Marks { version: Some(self.version), derived_serial: self.derived_serial, serials: Vec::new() }
    }

    /// The marks that have to move because of a transaction. One that is journalled marks the serials of its zones as they
    /// are; others mark them ahead, the farther the more often they come.
    pub fn advance(&mut self, next: &Next, is_journalled: bool) -> Marks {
        let mut marks = Marks::default();
        let (version, derived) = (next.version(), next.state.serials.derived);
        let half = MARKED_AHEAD / 2;
        // There is one mark for all views.
        let derived = self.derived_max.filter(|max| is_later(*max, derived)).unwrap_or(derived);
        self.derived_max = Some(derived);
        let is_close = self.derived_serial.is_none_or(|marked| !is_later(marked, derived.wrapping_add(half)));
        if version + u64::from(half) > self.version || is_close {
            marks = self.begin(version, derived);
        }
        for apex in &next.declared {
            let Some(serial) = next.state.serials.last(apex) else { continue };
            let key = (next.state.view_name.clone(), apex.clone());
            let marked = self.serials.get(&key);
            let ahead = match marked {
                _ if is_journalled => 0,
                // The serials of its file are its own as long as nobody else has records in it.
                _ if next.state.serials.floor(apex).is_none() => continue,
                Some(marked) if marked.serial == serial || is_later(marked.serial, serial) => continue,
                Some(marked) => (marked.ahead * 2).clamp(1, SERIALS_AHEAD_MAX),
                None => 0,
            };
            let serial = serial.wrapping_add(ahead).max(1);
            if marked.is_none_or(|marked| marked.serial != serial) {
                marks.serials.push((key.0.clone(), key.1.clone(), serial));
                self.serials.insert(key, MarkedSerial { serial, ahead });
            }
        }
        marks
    }

    /// What was marked may not have been kept, so it has to be marked again.
    pub fn forget(&mut self) {
        *self = Self { derived_max: self.derived_max, ..Self::default() };
    }
}

fn ahead(serial: u32) -> u32 {
    serial.wrapping_add(MARKED_AHEAD).max(1)
}

/// A write that is on its way: made, but neither safe nor visible unless it says so.
///
/// Dropping it does not take the write back.
#[derive(Debug)]
#[must_use = "the write may still fail"]
pub struct Pending {
    progress: Progress,
    /// The write was refused; told once it is certain that what it was refused for is there.
    refusal: Option<Box<StoreError>>,
    entry: Option<Arc<Entry>>,
    served: Option<Arc<Changed>>,
}

#[derive(Debug)]
enum Progress {
    Done(u64),
    Waiting { version: u64, ticket: Arc<Ticket> },
}

impl Pending {
    pub(crate) fn done_at(version: u64) -> Self {
        Self { progress: Progress::Done(version), refusal: None, entry: None, served: None }
    }

    pub(crate) fn waiting(version: u64) -> (Self, Issuer) {
        let ticket = Arc::new(Ticket::default());
        let progress = Progress::Waiting { version, ticket: ticket.clone() };
        (Self { progress, refusal: None, entry: None, served: None }, Issuer(ticket))
    }

    /// With what the write comes to.
    pub(crate) fn that_changes(self, entry: Option<Arc<Entry>>, served: Arc<Changed>) -> Self {
        Self { entry, served: Some(served), ..self }
    }

    /// With why the write was not made.
    pub(crate) fn refused(self, refusal: StoreError) -> Self {
        Self { refusal: Some(Box::new(refusal)), ..self }
    }

    /// What the journal will have of it, once it is safe; `None` if it changes nothing that is journalled.
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }

    /// What clients will see otherwise, apart from names at and below zones that come, go or are replaced; `None` if there is
    /// nothing to do.
    pub fn served(&self) -> Option<&Arc<Changed>> {
        self.served.as_ref()
    }

    /// Waits until the write is safe and visible; returns the version that has it.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`]: the journal cannot keep it, so nothing has changed; or what [`Store::stage`] fails with, found
    /// out about writes that were not safe yet.
    ///
    /// [`Store::stage`]: crate::Store::stage
    pub fn wait(self) -> Result<u64, StoreError> {
        let version = match self.progress {
            Progress::Done(version) => version,
            Progress::Waiting { version, ticket } => {
                ticket.wait().map(|()| version).map_err(StoreError::NotDurable)?
            }
        };
        self.refusal.map_or(Ok(version), |refusal| Err(*refusal))
    }

    /// As [`wait`](Self::wait), without holding a thread.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn done(self) -> Result<u64, StoreError> {
        let version = match self.progress {
            Progress::Done(version) => version,
            Progress::Waiting { version, ticket } => {
                Arrival(&ticket).await.map(|()| version).map_err(StoreError::NotDurable)?
            }
        };
        self.refusal.map_or(Ok(version), |refusal| Err(*refusal))
    }
}

/// Where the outcome of a write arrives, for one who waits.
#[derive(Debug, Default)]
struct Ticket {
    outcome: Mutex<Outcome>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Outcome {
    result: Option<Result<(), JournalError>>,
    waker: Option<Waker>,
}

impl Ticket {
    fn wait(&self) -> Result<(), JournalError> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = outcome.result.take() {
                return result;
            }
            outcome = self.arrived.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Arrival<'t>(&'t Ticket);

impl Future for Arrival<'_> {
    type Output = Result<(), JournalError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut outcome = self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = outcome.result.take() {
            return Poll::Ready(result);
        }
        outcome.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The other end of a ticket. If it goes without a word, the write has failed.
pub(crate) struct Issuer(Arc<Ticket>);

impl Issuer {
    pub fn tell(&self, result: Result<(), JournalError>) {
        let mut outcome = self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.result = Some(result);
        if let Some(waker) = outcome.waker.take() {
            waker.wake();
        }
        drop(outcome);
        self.0.arrived.notify_one();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let outcome = self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waits holds the other end; the outcome may have been fetched already, and is not missed then.
        let is_open = outcome.result.is_none() && Arc::strong_count(&self.0) > 1;
        drop(outcome);
        if is_open {
            self.tell(Err(JournalError::Unavailable("the journal has stopped".to_owned())));
        }
    }
}
