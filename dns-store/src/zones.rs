//! Zones that come, go and are replaced as a whole.

use dns_core::trie::Trie;
use dns_core::zone::{Built, Zone};
use dns_core::{Name, ZoneEntry};

use crate::commit::Transaction;
use crate::event::Event;
use crate::store::Store;
use crate::{Reason, Source, StoreError};

/// What a zone is told besides its records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ZoneOptions {
    /// Names that the zone does not have are asked upstream.
    pub fallthrough: bool,
}

/// A zone that somebody asked for, as opposed to a derived one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Declared {
    pub apex: Name,
    pub source: Source,
    pub options: ZoneOptions,
}

/// The zones that are declared, by apex. Clones share what they have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclaredZones {
    zones: Trie<Declared>,
}

impl DeclaredZones {
    pub fn get(&self, apex: &Name) -> Option<&Declared> {
        self.zones.get(apex.hash64(), |zone| zone.apex == *apex)
    }

    pub fn insert(&mut self, zone: Declared) {
        let apex = zone.apex.clone();
        self.zones.insert(apex.hash64(), zone, |old| old.apex == apex);
    }

    pub fn remove(&mut self, apex: &Name) {
        self.zones.remove(apex.hash64(), |zone| zone.apex == *apex);
    }

    /// Apex of the zone that a name belongs to.
    pub fn home(&self, name: &Name) -> Option<&Name> {
        if self.zones.is_empty() {
            return None;
        }
        (0..=name.label_count())
            .rev()
            .find_map(|labels| self.get(&name.suffix(labels)))
            .map(|zone| &zone.apex)
    }
}

/// What becomes of a zone.
pub(crate) enum ZoneChange {
    /// It is there with these records, whatever it had before.
    Put {
        zone: Zone,
        declared: Declared,
        /// Serial that was served before, if any.
        previous_serial: Option<u32>,
    },
    /// It is declared, but cannot be served.
    Fail { why: String, declared: Declared },
    /// It is not there.
    Drop,
}

impl Store {
    /// Serves a zone as its source has it, in place of what the source had in it before. Records of other sources below
    /// its apex join it; where both have something, precedence decides.
    ///
    /// While nobody else has records in it, the zone keeps the serial it came with.
    pub fn put_zone(&self, source: &Source, built: Built, options: ZoneOptions) -> Result<u64, StoreError> {
        let apex = built.zone.apex().clone();
        let declared = Declared { apex: apex.clone(), source: source.clone(), options };
        self.change_zone(source, apex, |previous| ZoneChange::Put {
            zone: built.zone,
            declared,
            previous_serial: previous.map(Zone::serial),
        })
    }

    /// Makes a zone known that could not be loaded: its names get SERVFAIL until it is put.
    pub fn fail_zone(
        &self,
        source: &Source,
        apex: Name,
        why: String,
        options: ZoneOptions,
    ) -> Result<u64, StoreError> {
        let declared = Declared { apex: apex.clone(), source: source.clone(), options };
        self.change_zone(source, apex, |_| ZoneChange::Fail { why, declared })
    }

    /// Drops a declared zone with the records of its source. What others have in it moves to derived zones.
    pub fn drop_zone(&self, source: &Source, apex: &Name) -> Result<u64, StoreError> {
        if self.lock().declared.get(apex).is_none() {
            return Err(StoreError::NotFound(Reason::NoZone(apex.clone())));
        }
        self.change_zone(source, apex.clone(), |_| ZoneChange::Drop)
    }

    fn change_zone(
        &self,
        source: &Source,
        apex: Name,
        change: impl FnOnce(Option<&Zone>) -> ZoneChange,
    ) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        let catalog = self.snapshot();
        let previous = catalog.default_view().and_then(|view| view.zone(&apex)).and_then(ZoneEntry::zone);
        let change = change(previous);
        // Flat records at or below the apex may have to move; those in deeper zones stay where they are.
        let names = writer
            .flat_below(&apex)
            .filter(|(name, _)| writer.declared.home(name).is_none_or(|home| apex.is_at_or_below(home)))
            .map(|(name, contributions)| (name.clone(), contributions.clone()))
            .collect();
        let transaction = Transaction { names, zones: [(apex.clone(), change)].into() };
        let prepared = writer.prepare(&catalog, source, transaction).map_err(StoreError::Invalid)?;
        let (catalog, _, touched) = writer.accept(prepared);
        let version = catalog.version();
        self.publish(
            &writer,
            catalog,
            Event::Reloaded { version, source: source.clone(), zone: apex },
            &touched,
        );
        Ok(version)
    }
}
