//! Asking the store, for people and programs that manage records.

mod candidates;
mod page;

use std::collections::BTreeMap;

#[cfg(doc)]
use dns_core::Precondition;
use dns_core::zone::Zone;
use dns_core::{Name, RecordType, Rrset, View, ZoneEntry, ZoneState};

use crate::layers::Contribution;
use crate::state::{State, is_signed};
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

/// A zone, whoever has made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneInfo {
    /// Its apex.
    pub apex: Name,
    /// Who has declared it; `None` for a derived one.
    pub source: Option<Source>,
    /// The serial that is served; `None` if the zone has failed.
    pub serial: Option<u32>,
    /// Names that exist: those with records, and empty non-terminals between them and the apex.
    pub names: usize,
    /// Records, those made up for derived zones included.
    pub records: usize,
    /// It came signed, and takes no records from others.
    pub signed: bool,
    /// Names that it does not have are asked upstream.
    pub fallthrough: bool,
    /// Why it is not served.
    pub failed: Option<String>,
    /// The version that it was declared with; 0 for a derived one.
    pub version: u64,
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
            for Contribution { source, rrset } in state.at(flat.name(), flat.contributions()).shadowed {
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

    /// Everything that anybody has at a name, served or not; records made up for derived zones are not among it.
    pub fn found_at(&self, owner: &Name) -> Vec<Found> {
        found_at(&self.state(), owner)
    }

    /// The version that has changed what anybody has at a name: see [`Precondition::Unchanged`]. What is made up for derived
    /// zones does not count; 0 if nobody has anything there.
    pub fn name_version(&self, owner: &Name) -> u64 {
        self.state().name_version(owner)
    }

    /// All zones of the view, in canonical order. Takes time in proportion to their number.
    pub fn zones(&self) -> Vec<ZoneInfo> {
        let state = self.state();
        let mut zones: Vec<ZoneInfo> =
            state.view().into_iter().flat_map(View::zones).map(|entry| zone_info(&state, entry)).collect();
        zones.sort_by(|left, right| left.apex.cmp(&right.apex));
        zones
    }

    /// The zone with this apex.
    pub fn zone(&self, apex: &Name) -> Option<ZoneInfo> {
        let state = self.state();
        state.view()?.zone(apex).map(|entry| zone_info(&state, entry))
    }

    /// Records, at most `limit` names and types from `from` on, but at least one. Takes time in proportion to what is listed and
    /// what the filter leaves out in between, whatever comes before and after; nobody waits for it. The names of a zone that
    /// came as a whole are sorted the first time that they are listed.
    ///
    /// What was made up for derived zones is not listed, nor are signatures.
    pub fn list(&self, filter: &Filter, from: Option<&(Name, RecordType)>, limit: usize) -> Page {
        self.list_where(filter, from, limit, |_, _| true)
    }

    /// As [`list`](Self::list), of those names and types only that are admitted, so that a page is full whatever is left out.
    pub fn list_where(
        &self,
        filter: &Filter,
        from: Option<&(Name, RecordType)>,
        limit: usize,
        admits: impl Fn(&Name, RecordType) -> bool,
    ) -> Page {
        page::list(&self.state(), filter, from, limit, admits)
    }
}

fn zone_info(state: &State, entry: &ZoneEntry) -> ZoneInfo {
    let declared = state.declared.get(&entry.apex);
    let zone = entry.zone();
    ZoneInfo {
        apex: entry.apex.clone(),
        source: declared.map(|declared| declared.source.clone()),
        serial: zone.map(Zone::serial),
        names: zone.map_or(0, Zone::name_count),
        records: zone.map_or(0, Zone::record_count),
        signed: zone.is_some_and(is_signed),
        fallthrough: entry.fallthrough,
        failed: match &entry.state {
            ZoneState::Failed(why) => Some(why.to_string()),
            ZoneState::Serving(_) => None,
        },
        version: declared.map_or(0, |declared| declared.version),
    }
}

/// What sources have at a name.
fn found_at(state: &State, name: &Name) -> Vec<Found> {
    let at = state.at(name, state.flat.get(name));
    let served = at.served.into_iter().filter_map(|served| {
        // What was made up has none.
        let source = served.source?;
        let rrset = match served.rrset.rtype() {
            // Its serial is that of the zone which is served, not of the one that its source has brought.
            RecordType::SOA => {
                let zone = state.view()?.zone_of(name)?.zone()?;
                zone.node_of(name)?.rrset(RecordType::SOA)?.to_rrset(name.clone(), zone.apex().as_wire())
            }
            _ => served.rrset,
        };
        Some(Found { rrset, source, shadowed: false })
    });
    let shadowed =
        at.shadowed.into_iter().map(|Contribution { source, rrset }| Found { rrset, source, shadowed: true });
    served.chain(shadowed).collect()
}
