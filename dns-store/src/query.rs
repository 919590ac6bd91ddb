//! Asking the store, for people and programs that manage records.

use std::collections::BTreeMap;

use dns_core::zone::{Zone, rrsets_of};
use dns_core::{Name, RecordType, Rrset, ZoneEntry};

use crate::commit::Writer;
use crate::layers::served;
use crate::store::Store;
use crate::{Source, SourceKind};

/// An RRset as it is served, or as it would be if another one were not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The records.
    pub rrset: Rrset,
    /// Who has them.
    pub source: Source,
    /// Records of a source with higher precedence are served instead.
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

impl Store {
    /// The RRset that is served for a name and type, wildcards not considered.
    pub fn get(&self, owner: &Name, rtype: RecordType) -> Option<Found> {
        let writer = self.lock();
        let catalog = self.snapshot();
        let zone = catalog.default_view()?.zone_of(owner)?.zone()?;
        let packed = zone.node_of(owner)?.rrset(rtype)?;
        let source = writer.source(zone.apex(), packed.source)?;
        let rrset = packed.to_rrset(owner.clone(), zone.apex().as_wire()).ok()?;
        Some(Found { rrset, source, shadowed: false })
    }

    /// Records, at most `limit` RRsets from `from` on; takes time in proportion to the zones that the filter lets through.
    pub fn list(&self, filter: &Filter, from: Option<&(Name, RecordType)>, limit: usize) -> Page {
        let writer = self.lock();
        let catalog = self.snapshot();
        let Some(view) = catalog.default_view() else { return Page::default() };
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
        for zone in view.zones().filter_map(ZoneEntry::zone).filter(|zone| filter.admits_zone(zone)) {
            for node in zone.nodes() {
                for (rrset, tag) in rrsets_of(zone, &node) {
                    if let Some(source) = writer.source(zone.apex(), tag) {
                        offer(Found { rrset, source, shadowed: false });
                    }
                }
            }
        }
        for found in writer.shadowed() {
            let zone = view.zone_of(found.rrset.owner()).and_then(ZoneEntry::zone);
            if filter.zone.is_none() || zone.is_some_and(|zone| filter.admits_zone(zone)) {
                offer(found);
            }
        }
        let next = if best.len() > limit { best.pop_last().map(|(key, _)| key) } else { None };
        let mut found: Vec<Found> = best.into_values().flatten().collect();
        found.sort_by_cached_key(|found| (found.rrset.owner().clone(), found.rrset.rtype(), found.shadowed));
        Page { found, next }
    }

    /// Who has records of a name, and of a type if one is given, whether they are served or not.
    pub(crate) fn holders(&self, writer: &Writer, owner: &Name, rtype: Option<RecordType>) -> Vec<Source> {
        let catalog = self.snapshot();
        let mut holders: Vec<Source> = writer
            .contributions(&catalog, owner)
            .into_iter()
            .filter(|contribution| rtype.is_none_or(|rtype| rtype == contribution.rrset.rtype()))
            .map(|contribution| contribution.source)
            .collect();
        holders.sort();
        holders.dedup();
        holders
    }
}

impl Filter {
    fn admits(&self, found: &Found) -> bool {
        self.rtype.is_none_or(|rtype| rtype == found.rrset.rtype())
            && self.below.as_ref().is_none_or(|below| found.rrset.owner().is_at_or_below(below))
            && self.source.is_none_or(|kind| kind == found.source.kind())
            && self.shadowed.is_none_or(|shadowed| shadowed == found.shadowed)
    }

    fn admits_zone(&self, zone: &Zone) -> bool {
        self.zone.as_ref().is_none_or(|apex| apex == zone.apex())
            && self
                .below
                .as_ref()
                .is_none_or(|below| zone.apex().is_at_or_below(below) || below.is_at_or_below(zone.apex()))
    }
}

impl Writer {
    /// RRsets that are not served because others come first.
    fn shadowed(&self) -> impl Iterator<Item = Found> {
        self.contested().flat_map(|all| {
            let winners = served(&all, &self.options);
            let loses = move |contribution: &crate::layers::Contribution| {
                let rrset = &contribution.rrset;
                // Additive values are part of whoever's RRset is served.
                !winners.iter().any(|winner| {
                    winner.rrset.rtype() == rrset.rtype()
                        && (winner.source == contribution.source
                            || contribution.source.kind() == SourceKind::Acme
                                && rrset
                                    .rdatas()
                                    .all(|value| winner.rrset.rdatas().any(|served| served == value)))
                })
            };
            all.into_iter().filter(loses).map(|loser| Found {
                rrset: loser.rrset,
                source: loser.source,
                shadowed: true,
            })
        })
    }
}
