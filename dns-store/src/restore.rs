//! A store that goes on where the last one has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use dns_core::{Name, ZoneState};

use crate::commit::{Next, Transaction, Writer};
use crate::journal::{Journal, JournalError, Kept};
use crate::layers::Contribution;
use crate::state::{State, is_later};
use crate::write;
use crate::zones::{Declared, ZoneChange, ZoneOptions};
use crate::{Reason, Source};

/// What a journal has of one view.
#[derive(Default)]
pub(crate) struct Restored {
    names: BTreeMap<Name, Vec<Contribution>>,
    zones: BTreeMap<Name, Declared>,
    serials: Vec<(Name, u32)>,
    /// The newest one of all, other views included.
    pub version: u64,
    pub derived_serial: Option<u32>,
}

impl Restored {
    pub fn read(journal: &dyn Journal, view: &str) -> Result<Self, JournalError> {
        let mut restored = Self::default();
        let mut damage = None;
        let marks = journal.restore(Some(view), &mut |kept| {
            if let Err(what) = restored.take(kept) {
                damage.get_or_insert(what);
            }
        })?;
        if let Some(what) = damage {
            return Err(JournalError::Damaged(what));
        }
        let newest = journal.history(None, 1)?.first().map_or(0, |entry| entry.version);
        restored.version = restored.version.max(newest).max(marks.version.unwrap_or_default());
        restored.derived_serial = marks.derived_serial;
        let serials = marks.serials.into_iter().filter(|(of_view, ..)| **of_view == *view);
        restored.serials = serials.map(|(_, apex, serial)| (apex, serial)).collect();
        Ok(restored)
    }

    fn take(&mut self, kept: Kept) -> Result<(), String> {
        match kept {
            Kept::Zone { source, apex, zone, version, .. } => {
                let built = write::build(&apex, &zone, None).map_err(|reasons| {
                    let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
                    format!("the journal has a zone {apex} that is none: {}", reasons.join("; "))
                })?;
                let state = ZoneState::Serving(built);
                let options = ZoneOptions::default();
                let declared = Declared { apex: apex.clone(), source, options, state, version };
                self.zones.insert(apex, declared);
                self.version = self.version.max(version);
            }
            Kept::Rrset { source, rrset, version, .. } => {
                let name = rrset.owner().clone();
                self.version = self.version.max(version);
                let contributions = self.names.entry(name).or_default();
                let key = (&source, rrset.rtype());
                match contributions.binary_search_by(|other| (&other.source, other.rrset.rtype()).cmp(&key)) {
                    Ok(at) => contributions[at].rrset = rrset,
                    Err(at) => contributions.insert(at, Contribution { source, rrset }),
                }
            }
        }
        Ok(())
    }

    /// Enters it into a view that has nothing yet. Versions go on after the newest one, and all names begin with the next: what has
    /// been deleted has left no version behind, so that older ones could stand for something else.
    pub fn enter(self, writer: &mut Writer) -> Result<Next, JournalError> {
        let mut state = State::clone(&writer.state());
        for (apex, serial) in &self.serials {
            state.serials.set(apex, *serial, true);
        }
        if let Some(serial) = self.derived_serial
            && is_later(serial, state.serials.derived)
        {
            state.serials.derived = serial;
        }
        let version = state.catalog.version().max(self.version);
        state.catalog = Arc::new(state.catalog.as_ref().clone().with_version(version));
        writer.replace_state(Arc::new(state));
        let zones = self.zones.into_iter().map(|(apex, declared)| {
            let declared = Declared { version: version + 1, ..declared };
            (apex, ZoneChange::Declare(Arc::new(declared)))
        });
        let transaction =
            Transaction { names: self.names, zones: zones.collect(), options: None, is_restored: true };
        writer.prepare(&Source::Api, transaction).map_err(|reasons| {
            let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
            JournalError::Damaged(format!(
                "what the journal has kept cannot be served: {}",
                reasons.join("; ")
            ))
        })
    }
}
