//! Asking the store, for people and programs that manage records.

use std::collections::BTreeMap;

use dns_core::zone::rrsets_of;
use dns_core::{Name, RecordType, Rrset, View, ZoneEntry};

use crate::layers::Contribution;
use crate::state::{Home, State};
use crate::store::Store;
use crate::{Source, SourceKind};

/// An RRset as it is served, or as it would be if another one were not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The records.
    pub rrset: Rrset,
    /// Who has them.
    pub source: Source,
    /// It is not served: records of a source with higher precedence are, or the zone cannot take it.
    pub shadowed: bool,
}

/// Which records to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of this zone.
    pub zone: Option<Name>,
    /// Only those at or below this name.
    pub below: Option<Name>,
    /// Only those of this type.
    pub rtype: Option<RecordType>,
    /// Only those of sources of this kind.
    pub source: Option<SourceKind>,
    /// Only those that are not served, or only those that are.
    pub shadowed: Option<bool>,
}

/// A part of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In canonical order of their owners, then by type, then with those first that are served.
    pub found: Vec<Found>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<(Name, RecordType)>,
}

/// What is kept but not served.
#[derive(Clone, Debug, Default)]
pub struct Shadowed {
    /// The first of them, in canonical order of their owners, then by type and source.
    pub found: Vec<Found>,
    /// How many there are of each kind of source.
    pub counts: BTreeMap<SourceKind, usize>,
}

impl Store {
    /// What is not served, as at most `limit` RRsets of the kind of source and counts of all kinds. Looks only at names that
    /// have records given without a zone, so a large zone costs nothing; nobody waits for it.
    pub fn shadowed(&self, kind: SourceKind, limit: usize) -> Shadowed {
        let state = self.state();
        let mut first = BTreeMap::new();
        let mut counts: BTreeMap<SourceKind, usize> = BTreeMap::new();
        for flat in state.flat.iter() {
            for Contribution { source, rrset } in state.at(&flat.name, &flat.contributions).shadowed {
                *counts.entry(source.kind()).or_default() += 1;
                if source.kind() == kind {
                    first.insert((rrset.owner().clone(), rrset.rtype(), source), rrset);
                    if first.len() > limit {
                        first.pop_last();
                    }
                }
            }
        }
        let found = first.into_iter().map(|((_, _, source), rrset)| Found { rrset, source, shadowed: true });
        Shadowed { found: found.collect(), counts }
    }

    /// The RRset that is served for a name and type, wildcards and records made up for derived zones not considered.
    /// Waits for nobody.
    pub fn get(&self, owner: &Name, rtype: RecordType) -> Option<Found> {
        let is_it = |found: &Found| found.rrset.rtype() == rtype && !found.shadowed;
        found_at(&self.state(), owner).into_iter().find(is_it)
    }

    /// Records, at most `limit` names and types from `from` on, but at least one. Takes time in proportion to the zones
    /// that the filter lets through and the records that were given without a zone; nobody waits for it.
    ///
    /// What was made up for derived zones is not listed, nor are signatures.
    pub fn list(&self, filter: &Filter, from: Option<&(Name, RecordType)>, limit: usize) -> Page {
        let state = self.state();
        let limit = limit.max(1);
        // The smallest keys from `from` on, one more than asked for: that one begins the next page.
        let mut best: BTreeMap<(Name, RecordType), Vec<Found>> = BTreeMap::new();
        let mut offer = |found: Found| {
            let key = (found.rrset.owner().clone(), found.rrset.rtype());
            if from.is_some_and(|from| key < *from) || !filter.admits(&found) {
                return;
            }
            best.entry(key).or_default().push(found);
            if best.len() > limit + 1 {
                best.pop_last();
            }
        };
        let declared = state.view().into_iter().flat_map(View::zones).filter(|entry| !entry.derived);
        for zone in declared.filter(|entry| filter.admits_zone(&entry.apex)).filter_map(ZoneEntry::zone) {
            let Some(source) = state.declared.get(zone.apex()).map(|declared| &declared.source) else {
                continue;
            };
            // Those of names at which there is more than the zone itself has follow below.
            for (rrset, _) in zone.nodes().flat_map(|node| rrsets_of(zone, &node)) {
                let is_here =
                    || state.declared.home(rrset.owner()).map(|home| &home.apex) == Some(zone.apex());
                if state.flat.get(rrset.owner()).is_empty() || !is_here() {
                    offer(Found { rrset, source: source.clone(), shadowed: false });
                }
            }
        }
        for flat in state.flat.iter() {
            let is_in = |apex: &Name| match state.home(&flat.name) {
                Home::Declared(zone) => zone.apex == *apex,
                Home::Derived(derived) => derived == *apex,
                Home::Nowhere => false,
            };
            if filter.zone.as_ref().is_none_or(is_in) {
                found_at(&state, &flat.name).into_iter().for_each(&mut offer);
            }
        }
        let next = if best.len() > limit { best.pop_last().map(|(key, _)| key) } else { None };
        let mut found: Vec<Found> = best.into_values().flatten().collect();
        found.sort_by_cached_key(|found| {
            let Found { rrset, source, shadowed } = found;
            (rrset.owner().clone(), rrset.rtype(), *shadowed, source.clone())
        });
        Page { found, next }
    }
}

/// What sources have at a name.
fn found_at(state: &State, name: &Name) -> Vec<Found> {
    let at = state.at(name, state.flat.get(name));
    let served = at.served.into_iter().filter_map(|served| {
        let rrset = match served.rrset.rtype() {
            // Its serial is that of the zone which is served, not of the one that its source has brought.
            RecordType::SOA => {
                let zone = state.view()?.zone_of(name)?.zone()?;
                zone.node_of(name)?
                    .rrset(RecordType::SOA)?
                    .to_rrset(name.clone(), zone.apex().as_wire())
                    .ok()?
            }
            _ => served.rrset,
        };
        Some(Found { rrset, source: served.source?, shadowed: false })
    });
    let shadowed =
        at.shadowed.into_iter().map(|Contribution { source, rrset }| Found { rrset, source, shadowed: true });
    served.chain(shadowed).collect()
}

impl Filter {
    fn admits(&self, found: &Found) -> bool {
        self.rtype.is_none_or(|rtype| rtype == found.rrset.rtype())
            && self.below.as_ref().is_none_or(|below| found.rrset.owner().is_at_or_below(below))
            && self.source.is_none_or(|kind| kind == found.source.kind())
            && self.shadowed.is_none_or(|shadowed| shadowed == found.shadowed)
    }

    fn admits_zone(&self, apex: &Name) -> bool {
        let overlaps = |below: &Name| apex.is_at_or_below(below) || below.is_at_or_below(apex);
        self.zone.as_ref().is_none_or(|zone| zone == apex) && self.below.as_ref().is_none_or(overlaps)
    }
}
