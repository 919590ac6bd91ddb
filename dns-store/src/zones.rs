//! Zones that come, go and are replaced as a whole.

use std::sync::Arc;

use dns_core::name::HashedName;
use dns_core::trie::Trie;
use dns_core::zone::{Built, Zone, rrsets_of};
use dns_core::{Access, Name, RecordType, Rrset, ZoneState};

use crate::commit::Transaction;
use crate::journal::KeptZone;
use crate::names::{self, NameSet};
use crate::state::is_signed;
use crate::store::Store;
use crate::write::Step;
use crate::{Source, SourceKind, StoreError};

/// What a zone is told besides its records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ZoneOptions {
    /// Names that the zone does not have are asked upstream.
    pub fallthrough: bool,
    /// Which clients get answers from it; all of them if absent.
    pub access: Option<Arc<Access>>,
}

/// A zone that somebody asked for, as opposed to a derived one.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub apex: Name,
    pub source: Source,
    pub options: ZoneOptions,
    /// The zone as its source has it, or why there is none; brings back what others have hidden. It shares its base with the
    /// zone that is served until that one is packed anew. From then on the zone is in memory twice, until it is put again.
    pub state: ZoneState,
    /// The one that it was declared with.
    pub version: u64,
}

impl Declared {
    pub fn zone(&self) -> Option<&Zone> {
        match &self.state {
            ZoneState::Serving(zone) => Some(zone),
            ZoneState::Failed(_) => None,
        }
    }

    /// What the source of the zone has at a name.
    pub fn rrsets(&self, name: &Name) -> Vec<Rrset> {
        let rrsets = self.zone().map(|zone| zone.rrsets_at(name)).unwrap_or_default();
        rrsets.into_iter().map(|(rrset, _)| rrset).collect()
    }

    /// The source of the zone has something at a name.
    pub fn has_name(&self, name: &Name) -> bool {
        self.zone().and_then(|zone| zone.node_of(name)).is_some()
    }

    /// The source of the zone has records of a name and type.
    pub fn has(&self, name: &Name, rtype: RecordType) -> bool {
        self.zone().and_then(|zone| zone.node_of(name)?.rrset(rtype)).is_some()
    }

    /// Records of other sources can be served in it.
    pub fn takes_others(&self) -> bool {
        self.zone().is_some_and(|zone| !is_signed(zone))
    }

    /// The zone as a journal keeps it; `None` if there is none.
    pub fn kept(&self) -> Option<KeptZone> {
        let zone = self.zone()?;
        let rrsets = zone.nodes().flat_map(|node| rrsets_of(zone, &node)).map(|(rrset, _)| rrset);
        let mut rrsets: Vec<Rrset> = rrsets.collect();
        // Nodes come in the order of hashes, which is another one in each process.
        rrsets.sort_by(|left, right| (left.owner(), left.rtype()).cmp(&(right.owner(), right.rtype())));
        Some(KeptZone { rrsets })
    }

    pub fn is_signed(&self) -> bool {
        self.zone().is_some_and(is_signed)
    }
}

/// The zones that are declared, by apex. Clones share what they have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeclaredZones {
    zones: Trie<Arc<Declared>>,
    /// Their apexes.
    order: NameSet,
}

impl DeclaredZones {
    pub fn get(&self, apex: &Name) -> Option<&Arc<Declared>> {
        self.zones.get(apex.hash64(), |zone| zone.apex == *apex)
    }

    pub fn insert(&mut self, zone: Arc<Declared>) {
        let apex = zone.apex.clone();
        if self.zones.insert(apex.hash64(), zone, |old| old.apex == apex).is_none() {
            self.order.insert(&apex);
        }
    }

    pub fn remove(&mut self, apex: &Name) {
        if self.zones.remove(apex.hash64(), |zone| zone.apex == *apex).is_some() {
            self.order.remove(apex);
        }
    }

    /// The apexes at and after this name in canonical order, as they go on the wire.
    pub fn apexes_from(&self, name: &[u8]) -> names::Iter<'_> {
        self.order.from(name)
    }

    /// The zone that a name belongs to.
    pub fn home(&self, name: &Name) -> Option<&Arc<Declared>> {
        if self.zones.is_empty() {
            return None;
        }
        let mut hashed = HashedName::default();
        hashed.read(name.as_wire()).ok()?;
        (0..=hashed.labels()).rev().find_map(|labels| {
            let suffix = hashed.suffix(labels);
            self.zones.get(hashed.hash(labels), |zone| zone.apex.as_wire() == suffix)
        })
    }
}

/// What becomes of a zone.
pub(crate) enum ZoneChange {
    /// It is declared, and there or not; whatever it had before is gone.
    Declare(Arc<Declared>),
    /// It stays as it is, but for these.
    SetOptions(ZoneOptions),
    /// It is not declared.
    Drop,
}

impl Store {
    /// Serves a zone as its source has it, in place of what the source had in it before. Records of other sources below
    /// its apex join it; where both have something, precedence decides.
    ///
    /// While nobody else has records in it, the zone keeps the serial it came with. A zone that came signed takes no
    /// records from elsewhere: they are kept, and served should it come unsigned.
    ///
    /// # Errors
    /// Another source has declared the zone. Files are all alike in this, so that a zone can move to another file.
    pub fn put_zone(&self, source: &Source, built: Built, options: ZoneOptions) -> Result<u64, StoreError> {
        let apex = built.zone.apex().clone();
        let state = ZoneState::Serving(built.zone);
        self.declare_zone(source, &apex, options, state)
    }

    /// Declares a zone that cannot be served: its names get SERVFAIL until it is put. A zone that is being served, say
    /// from an older version of its file, is served no longer.
    ///
    /// # Errors
    /// As [`put_zone`](Self::put_zone).
    pub fn fail_zone(
        &self,
        source: &Source,
        apex: &Name,
        why: String,
        options: ZoneOptions,
    ) -> Result<u64, StoreError> {
        let state = ZoneState::Failed(why.into());
        self.declare_zone(source, apex, options, state)
    }

    /// Gives a declared zone other options; its records, its serial and who has declared it stay as they are. Does nothing
    /// if it has these options already.
    ///
    /// # Errors
    /// Nobody has declared the zone, or another source has.
    pub fn set_zone_options(
        &self,
        source: &Source,
        apex: &Name,
        options: ZoneOptions,
    ) -> Result<u64, StoreError> {
        self.change_zone(source, apex, ZoneChange::SetOptions(options))
    }

    /// Drops a declared zone with the records that came with it. What else there is below its apex moves to the zone
    /// above, or to derived zones.
    ///
    /// # Errors
    /// Nobody has declared the zone, or another source has.
    pub fn drop_zone(&self, source: &Source, apex: &Name) -> Result<u64, StoreError> {
        self.change_zone(source, apex, ZoneChange::Drop)
    }

    fn declare_zone(
        &self,
        source: &Source,
        apex: &Name,
        options: ZoneOptions,
        state: ZoneState,
    ) -> Result<u64, StoreError> {
        let pending = self.stage_with(source, |writer| {
            let version = writer.state().catalog.version() + 1;
            let source = source.clone();
            let declared = Declared { apex: apex.clone(), source: source.clone(), options, state, version };
            let mut step = Step::of(Transaction::default());
            step.change_zone(writer, &source, apex, ZoneChange::Declare(Arc::new(declared)))?;
            Ok(step)
        });
        pending?.wait()
    }

    fn change_zone(&self, source: &Source, apex: &Name, change: ZoneChange) -> Result<u64, StoreError> {
        let pending = self.stage_with(source, |writer| {
            let mut step = Step::of(Transaction::default());
            step.change_zone(writer, source, apex, change)?;
            Ok(step)
        });
        pending?.wait()
    }
}

/// Zones belong to whoever declared them. All files have one reader, which may find a zone in another file next time.
pub(crate) fn may_replace(source: &Source, holder: &Source) -> bool {
    source == holder || source.kind() == SourceKind::File && holder.kind() == SourceKind::File
}
