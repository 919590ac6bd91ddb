//! How far versions and serials are marked as used, so that no start uses them again.

use std::collections::HashMap;
use std::sync::Arc;

use dns_core::Name;

use crate::commit::Next;
use crate::journal::Marks;
use crate::state::is_later;

/// Versions, and serials of derived zones, that are marked as used ahead of time, so that transactions which are not journalled
/// need no sync.
const MARKED_AHEAD: u32 = 10_000;
/// The same for the serials of a declared zone, at most: people look at them, so a start should not skip many.
const SERIALS_AHEAD_MAX: u32 = 1_024;

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
