//! A store that goes on where the last one has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use dns_core::{Name, ZoneState};

use crate::commit::Writer;
use crate::journal::{Journal, JournalError, Kept};
use crate::layers::Contribution;
use crate::state::{FlatName, State, is_later};
use crate::write;
use crate::zones::{Declared, ZoneChange, ZoneOptions};
use crate::{Reason, Source};

/// What a journal has of one view.
#[derive(Default)]
pub(crate) struct Restored {
    /// In the order in which the journal has them; one that it has in several places stands in all of them.
    names: Vec<FlatName>,
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
        let newest = journal.newest()?.unwrap_or_default();
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
                self.version = self.version.max(version);
                let contribution = Contribution { source, rrset };
                match self.names.last_mut() {
                    Some(last) if last.name() == contribution.rrset.owner() => last.put(contribution),
                    _ => self.names.push(FlatName::new(contribution)),
                }
            }
        }
        Ok(())
    }

    /// The state of a view that has this, and nothing else. Versions go on after the newest one, and all names begin with the next:
    /// what has been deleted has left no version behind, so that older ones could stand for something else.
    ///
    /// Zones that are `expected` stand there without content, unless the journal has them.
    pub fn enter(self, writer: &mut Writer, expected: &[Name]) -> Result<State, JournalError> {
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
        let mut zones = self.zones;
        for apex in expected {
            zones.entry(apex.clone()).or_insert_with(|| unread(apex));
        }
        let zones = zones.into_iter().map(|(apex, declared)| {
            let declared = Declared { version: version + 1, ..declared };
            (apex, ZoneChange::Declare(Arc::new(declared)))
        });
        let names = in_order(self.names, version + 1);
        writer.restored(&names, zones.collect()).map_err(|reasons| {
            let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
            JournalError::Damaged(format!(
                "what the journal has kept cannot be served: {}",
                reasons.join("; ")
            ))
        })
    }
}

/// A zone whose file is still to be read.
fn unread(apex: &Name) -> Declared {
    Declared {
        apex: apex.clone(),
        // Any file may take its place.
        source: Source::File("not read yet".to_owned()),
        options: ZoneOptions::default(),
        state: ZoneState::Failed("its file has not been read yet".into()),
        version: 0,
    }
}

/// The names in canonical order, each once, and all with this version.
fn in_order(names: Vec<FlatName>, version: u64) -> Vec<Arc<FlatName>> {
    // Pointers are moved while they are sorted, and not all that there is at the names.
    let mut names: Vec<Arc<FlatName>> =
        names.into_iter().map(|name| Arc::new(name.with_version(version))).collect();
    // Stable: of what stands in several places, the last one counts.
    names.sort_by(|left, right| left.name().cmp(right.name()));
    names.dedup_by(|later, name| {
        let is_same = later.name() == name.name();
        if is_same {
            let name = Arc::make_mut(name);
            later.contributions().iter().for_each(|contribution| name.put(contribution.clone()));
        }
        is_same
    });
    names
}

#[cfg(test)]
mod tests {
    use dns_core::{RecordType, Rrset};

    use super::*;

    #[test]
    fn names_come_into_order_whatever_that_of_the_journal() {
        let kept = |owner: &str, source: &Source, rtype: RecordType, last: u8| Kept::Rrset {
            view: "default".into(),
            source: source.clone(),
            rrset: Rrset::new(owner.parse().unwrap(), rtype, 300, [[192, 0, 2, last]]).unwrap(),
            version: u64::from(last),
        };
        let update = Source::Update("key".into());
        let mut restored = Restored::default();
        for one in [
            kept("b.example.org", &update, RecordType(65_281), 1),
            kept("b.example.org", &Source::Api, RecordType::A, 2),
            kept("a.b.example.org", &Source::Api, RecordType::A, 3),
            kept("z.example.net", &Source::Api, RecordType::A, 4),
            kept("b.example.org", &Source::Api, RecordType::A, 5),
            kept("b.example.org", &Source::Acme, RecordType::A, 6),
        ] {
            restored.take(one).unwrap();
        }
        assert_eq!(restored.version, 6);
        let names = in_order(restored.names, 9);
        let expected = [
            ("z.example.net.", vec![(Source::Api, 4)]),
            ("b.example.org.", vec![(Source::Acme, 6), (Source::Api, 5), (update, 1)]),
            ("a.b.example.org.", vec![(Source::Api, 3)]),
        ];
        let found = names.iter().map(|flat| {
            let last = |one: &Contribution| (one.source.clone(), one.rrset.rdatas().next().unwrap()[3]);
            (flat.name().to_string(), flat.contributions().iter().map(last).collect())
        });
        let expected = expected.map(|(name, of)| (name.to_owned(), of));
        assert_eq!(found.collect::<Vec<(String, Vec<(Source, u8)>)>>(), expected);
        assert!(names.is_sorted_by(|left, right| left.name() < right.name()));
    }
}
