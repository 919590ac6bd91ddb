//! What has changed, for those who follow.

use std::sync::Arc;

use dns_core::{Name, Rrset};
use tokio::sync::broadcast::{Receiver, error::RecvError, error::TryRecvError};

use crate::Source;

/// Something has changed, and can be seen in the catalog already.
#[derive(Clone, Debug)]
pub enum Event {
    /// Records came, went, or became others.
    Changed(Arc<Changed>),
    /// A zone was loaded, replaced or dropped as a whole. All that is served at and below its name may have changed; where
    /// that has changed records elsewhere, [`Changed`](Self::Changed) follows with the same version.
    Reloaded {
        /// Version of the catalog that has the change.
        version: u64,
        /// The view in which this is served.
        view: Arc<str>,
        /// Who did it.
        source: Source,
        /// The zone.
        zone: Name,
    },
    /// Views came or went, or others get to see them.
    Views {
        /// Version of the catalog that has the change.
        version: u64,
    },
    /// The subscriber was too slow and has missed so many events: it has to read everything anew.
    Lagged(u64),
}

/// What one transaction has changed of that which is served.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Version of the catalog that has the change.
    pub version: u64,
    /// The view in which this is served.
    pub view: Arc<str>,
    /// Who did it.
    pub source: Source,
    /// Records of a name and type that had none before.
    pub added: Vec<Rrset>,
    /// Records that have become others: before and after.
    pub updated: Vec<(Rrset, Rrset)>,
    /// Records that are no longer there.
    pub deleted: Vec<Rrset>,
    /// Zones that have another serial than before, new ones among them; those that went are not. SOA and NS records that
    /// were made up, and SOA records that differ in their serial alone, show here only.
    pub zones: Vec<Name>,
}

impl Changed {
    /// What a transaction that changes nothing has changed.
    pub(crate) fn nothing(version: u64, view: Arc<str>, source: Source) -> Self {
        let (added, updated, deleted, zones) = Default::default();
        Self { version, view, source, added, updated, deleted, zones }
    }

    /// No records came, went, or became others.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }
}

/// A subscription, from [`Store::watch`](crate::Store::watch). It never slows the writers down.
///
/// To follow from a known state, subscribe first, then take a snapshot, and skip the events whose version is not later
/// than that of the snapshot.
#[derive(Debug)]
pub struct Watch {
    pub(crate) receiver: Receiver<Event>,
}

impl Watch {
    /// The next event; `None` once the store is gone.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(Event::Lagged(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The next event if there is one by now.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.receiver.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Lagged(missed)) => Some(Event::Lagged(missed)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }
}
