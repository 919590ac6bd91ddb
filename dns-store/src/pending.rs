//! A write on its way, and how its outcome reaches those who wait for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::StoreError;
use crate::event::Changed;
use crate::journal::{Entry, JournalError};
use crate::keeper::Made;
use crate::sync::{Condvar, Mutex, PoisonError};

/// A write that is on its way: made, but neither safe nor visible unless it says so.
///
/// Dropping it does not take the write back.
#[derive(Debug)]
#[must_use = "the write may still fail"]
pub struct Pending {
    progress: Progress,
    /// The write was refused; told once it is certain that what it was refused for is there.
    refusal: Option<Box<StoreError>>,
    made: Option<Arc<Made>>,
    served: Option<Arc<Changed>>,
}

#[derive(Debug)]
enum Progress {
    Done(u64),
    Waiting { version: u64, ticket: Arc<Ticket> },
}

impl Pending {
    pub(crate) fn done_at(version: u64) -> Self {
        Self { progress: Progress::Done(version), refusal: None, made: None, served: None }
    }

    pub(crate) fn waiting(version: u64) -> (Self, Issuer) {
        let ticket = Arc::new(Ticket::default());
        let progress = Progress::Waiting { version, ticket: ticket.clone() };
        (Self { progress, refusal: None, made: None, served: None }, Issuer(ticket))
    }

    /// With what the write comes to.
    pub(crate) fn that_changes(self, made: Arc<Made>, served: Arc<Changed>) -> Self {
        Self { made: Some(made), served: Some(served), ..self }
    }

    /// With why the write was not made.
    pub(crate) fn refused(self, refusal: StoreError) -> Self {
        Self { refusal: Some(Box::new(refusal)), ..self }
    }

    /// What the journal will have of it, once it is safe; `None` if it changes nothing that is journalled.
    pub fn entry(&self) -> Option<&Arc<Entry>> {
        self.made.as_ref()?.entry.as_ref()
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
