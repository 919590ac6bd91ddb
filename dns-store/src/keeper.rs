//! From a transaction that is worked out to one that is safe and seen: the thread that feeds the journal, and the one that
//! shows what is safe.
//!
//! Writers of durable sources build on one another's transactions before those are safe, so that one sync of the disk
//! serves all who came while the last one was under way. Nobody sees any of it until then. The disk is not kept waiting
//! while what is safe by now is shown, and those who wait are told: that is another thread's work. Should the journal fail,
//! everything that is not safe is taken back, and whoever waits for it is told.

use std::collections::HashMap;
use std::fmt;
use std::iter;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use dns_core::Name;

use crate::event::Event;
use crate::journal::{Batch, Entry, Journal, JournalError, Marks};
use crate::pending::Issuer;
use crate::state::State;
use crate::sync::{Mutex, MutexGuard, PoisonError, mpsc, thread};
use crate::turn::{Inner, Plane};

/// Transactions that are journalled at once, at most.
const BATCH_MAX: usize = 1024;

/// The journal of a store, and the way to it.
pub(crate) struct Keeper {
    pub journal: Arc<dyn Journal>,
    /// It is a durable one.
    is_durable: bool,
    /// Of a durable one, until it is closed. Whoever stages something has the turn, so that nobody waits here.
    queue: Mutex<Option<mpsc::Sender<Staged>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
    /// Batches that the journal could not keep.
    pub failures: Arc<AtomicU64>,
    /// It could not keep the last one.
    pub is_failing: Arc<AtomicBool>,
}

/// A transaction that others build on, and nobody sees.
pub(crate) struct Staged {
    pub plane: Arc<Plane>,
    /// `None` if nothing changes: somebody waits for what was there before, or only marks move.
    pub made: Option<Arc<Made>>,
    pub marks: Marks,
    pub events: Vec<Event>,
    pub ticket: Option<Issuer>,
    /// Others wait until it is safe.
    pub is_counted: bool,
}

/// What a transaction has made. Whoever waits for it holds it, too, and is the last to do so unless it is shown for a while: what
/// is freed by the thread that has allocated it is reused at once, and costs none of the time for which all writers wait.
pub(crate) struct Made {
    pub state: Arc<State>,
    pub entry: Option<Arc<Entry>>,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {}", self.state.catalog.version())
    }
}

impl Staged {
    /// What changes nothing, and nobody waits for.
    pub fn nothing(plane: Arc<Plane>) -> Self {
        Self {
            plane,
            made: None,
            marks: Marks::default(),
            events: Vec::new(),
            ticket: None,
            is_counted: false,
        }
    }
}

/// What comes to the thread that shows things.
enum ToShow {
    /// They are safe.
    Transactions(Vec<Staged>),
    /// Nothing, but somebody waits until everything before this has been shown.
    Nothing(mpsc::Sender<()>),
}

impl Keeper {
    /// Starts the threads if the journal is a durable one.
    pub fn start(journal: Arc<dyn Journal>, store: Weak<Inner>) -> Result<Self, JournalError> {
        let (failures, is_failing) = Default::default();
        let is_durable = journal.is_durable();
        let (queue, threads) = (Mutex::new(None), Mutex::new(Vec::new()));
        let keeper = Self { journal, is_durable, queue, threads, failures, is_failing };
        if !is_durable {
            return Ok(keeper);
        }
        let (queue, received) = mpsc::channel();
        let (safe, to_show) = mpsc::channel();
        let keep = Keep {
            journal: keeper.journal.clone(),
            store: store.clone(),
            safe,
            failures: keeper.failures.clone(),
            is_failing: keeper.is_failing.clone(),
        };
        keeper.spawn("journal", move || keep.run(&received))?;
        keeper.spawn("journal-show", move || show(&to_show, &store))?;
        *keeper.queue() = Some(queue);
        Ok(keeper)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), JournalError> {
        let spawned = thread::Builder::new().name(name.into()).spawn(run);
        let failed =
            |error| JournalError::Unavailable(format!("cannot start a thread for the journal: {error}"));
        self.threads().push(spawned.map_err(failed)?);
        Ok(())
    }

    fn queue(&self) -> MutexGuard<'_, Option<mpsc::Sender<Staged>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<thread::JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_durable(&self) -> bool {
        self.is_durable
    }

    pub fn send(&self, staged: Staged) {
        if let Some(queue) = &*self.queue() {
            // The thread ends after this sender only. Had it panicked, the ticket would say so.
            let _ = queue.send(staged);
        }
    }
}

impl Keeper {
    /// Takes nothing more, and waits until the journal has all that it was sent, so that whoever opens it next finds it.
    pub fn close(&self) {
        *self.queue() = None;
        // Whoever is told by one of the threads may drop the last handle there. Then there is nobody to wait, and each thread
        // ends when it has done its work.
        let threads = std::mem::take(&mut *self.threads());
        let current = thread::current().id();
        if threads.iter().all(|thread| thread.thread().id() != current) {
            for thread in threads {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close();
    }
}

/// What the thread that feeds the journal needs.
struct Keep {
    journal: Arc<dyn Journal>,
    store: Weak<Inner>,
    safe: mpsc::Sender<ToShow>,
    failures: Arc<AtomicU64>,
    is_failing: Arc<AtomicBool>,
}

impl Keep {
    fn run(&self, received: &mpsc::Receiver<Staged>) {
        while let Ok(first) = received.recv() {
            let mut all = vec![first];
            while all.len() < BATCH_MAX
                && let Ok(staged) = received.try_recv()
            {
                all.push(staged);
            }
            let batch = batch(&mut all);
            let kept = if batch == Batch::default() {
                Ok(())
            } else {
                let kept = self.append(&batch);
                self.is_failing.store(kept.is_err(), Relaxed);
                kept
            };
            drop(batch);
            match kept {
                // Had the other thread panicked, the tickets would say so.
                Ok(()) => drop(self.safe.send(ToShow::Transactions(all))),
                Err(error) => {
                    self.failures.fetch_add(1, Relaxed);
                    if all.iter().any(|staged| staged.made.is_some()) {
                        self.take_back(all, received, &error);
                    } else {
                        self.forget_marks(all);
                    }
                }
            }
        }
    }

    /// Only marks could not be kept. Nothing builds on those, and what others wait for was safe before; the next change marks
    /// them again.
    fn forget_marks(&self, all: Vec<Staged>) {
        if let Some(store) = self.store.upgrade() {
            store.turn().marked.forget();
        }
        let _ = self.safe.send(ToShow::Transactions(all));
    }

    /// Keeps a batch. A journal that panics has not kept it: were this thread to end, others would wait for it for ever.
    fn append(&self, batch: &Batch) -> Result<(), JournalError> {
        let appended = panic::catch_unwind(AssertUnwindSafe(|| self.journal.append(batch)));
        appended.unwrap_or_else(|_| Err(JournalError::Damaged("the journal has broken down".to_owned())))
    }

    /// Takes back what the journal could not keep, and all that was built on it.
    fn take_back(&self, all: Vec<Staged>, received: &mpsc::Receiver<Staged>, error: &JournalError) {
        // What is shown afterwards is what there is to go back to.
        let (shown, is_shown) = mpsc::channel();
        let _ = self.safe.send(ToShow::Nothing(shown));
        let _ = is_shown.recv();
        let tickets: Vec<Issuer> = if let Some(store) = self.store.upgrade() {
            store.take_back(all, received)
        } else {
            let left = iter::from_fn(|| received.try_recv().ok());
            all.into_iter().chain(left).filter_map(|staged| staged.ticket).collect()
        };
        for ticket in tickets {
            ticket.tell(Err(error.clone()));
        }
    }
}

fn show(to_show: &mpsc::Receiver<ToShow>, store: &Weak<Inner>) {
    while let Ok(next) = to_show.recv() {
        match next {
            ToShow::Transactions(all) => {
                let tickets: Vec<Issuer> = match store.upgrade() {
                    // Whoever has waited may drop the last handle next, and counts on the journal being closed by that: the
                    // one here goes before they are told.
                    Some(store) => store.show_staged(all),
                    // Nobody can see it any more; it is kept all the same.
                    None => all.into_iter().filter_map(|staged| staged.ticket).collect(),
                };
                for ticket in tickets {
                    ticket.tell(Ok(()));
                }
            }
            ToShow::Nothing(shown) => drop(shown.send(())),
        }
    }
}

fn batch(all: &mut [Staged]) -> Batch {
    let mut batch = Batch::default();
    let mut serials: HashMap<(Arc<str>, Name), u32> = HashMap::new();
    for staged in all {
        batch.entries.extend(staged.made.as_ref().and_then(|made| made.entry.clone()));
        let marks = std::mem::take(&mut staged.marks);
        batch.marks.version = batch.marks.version.max(marks.version);
        batch.marks.derived_serial = marks.derived_serial.or(batch.marks.derived_serial);
        serials.extend(marks.serials.into_iter().map(|(view, apex, serial)| ((view, apex), serial)));
    }
    batch.marks.serials = serials.into_iter().map(|((view, apex), serial)| (view, apex, serial)).collect();
    batch
}
