//! Lists of records, page by page.

use dns_core::zone::Node;
use dns_core::{Name, RecordType, ZoneEntry};

use super::candidates::{Candidate, Candidates};
use super::{Filter, Found, Page, found_at};
use crate::layers::Contribution;
use crate::state::{Home, State};
use crate::zones::Declared;

/// See [`Store::list_where`](crate::Store::list_where).
pub(super) fn list(
    state: &State,
    filter: &Filter,
    from: Option<&(Name, RecordType)>,
    limit: usize,
    admits: impl Fn(&Name, RecordType) -> bool,
) -> Page {
    let listing = Listing { state, filter, admits };
    let start = filter.start(from.map(|(owner, _)| owner));
    let limit = limit.max(1);
    let (mut page, mut keys) = (Page::default(), 0);
    for candidate in Candidates::new(state, filter, &start) {
        // Names in zones and in sets are valid.
        let Ok(owner) = Name::from_wire(candidate.name) else { continue };
        if !filter.reaches(&owner) {
            // What stands at and below a name is in one piece.
            break;
        }
        let is_before = |rtype| from.is_some_and(|(first, of)| *first == owner && rtype < *of);
        let mut last = None;
        for found in listing.at(&owner, &candidate) {
            let rtype = found.rrset.rtype();
            if is_before(rtype) {
                continue;
            }
            if last != Some(rtype) {
                if keys == limit {
                    page.next = Some((owner, rtype));
                    return page;
                }
                keys += 1;
                last = Some(rtype);
            }
            page.found.push(found);
        }
    }
    page
}

/// What is asked for, and of which state.
struct Listing<'l, A> {
    state: &'l State,
    filter: &'l Filter,
    admits: A,
}

impl<A: Fn(&Name, RecordType) -> bool> Listing<'_, A> {
    /// What is asked for at a name: by type, what is served first, then by source.
    fn at(&self, owner: &Name, candidate: &Candidate<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        for (declared, node) in &candidate.zones {
            // Where others have something in the zone, too, that says all. A zone below this one has what they have there.
            let is_told = candidate.is_flat
                && self.state.declared.home(owner).is_some_and(|home| home.apex == declared.apex);
            if !is_told && self.admits_node(owner, node) {
                found.extend(self.of_zone(declared, owner));
            }
        }
        if candidate.is_flat && self.may_want_flat(owner, candidate) {
            found.append(&mut found_at(self.state, owner));
        }
        let Filter { source, shadowed, .. } = self.filter;
        found.retain(|found| {
            source.is_none_or(|kind| kind == found.source.kind())
                && shadowed.is_none_or(|shadowed| shadowed == found.shadowed)
                && self.admits_type(owner, found.rrset.rtype())
        });
        found.sort_by(|left, right| {
            let key = |found: &Found| (found.rrset.rtype(), found.shadowed);
            key(left).cmp(&key(right)).then_with(|| left.source.cmp(&right.source))
        });
        found
    }

    /// What has come with a zone at a name, as it is served.
    fn of_zone(&self, declared: &Declared, owner: &Name) -> Vec<Found> {
        let zone = self.state.view().and_then(|view| view.zone(&declared.apex)).and_then(ZoneEntry::zone);
        let rrsets = zone.map(|zone| zone.rrsets_at(owner)).unwrap_or_default();
        let found = |(rrset, _)| Found { rrset, source: declared.source.clone(), shadowed: false };
        rrsets.into_iter().map(found).collect()
    }

    /// Something may be asked for at a name that has records given without a zone. Says so without a copy of what there is:
    /// most names may be others.
    fn may_want_flat(&self, owner: &Name, candidate: &Candidate<'_>) -> bool {
        let of_zone = || match self.filter.shadowed {
            // Zones are not walked then, but what comes with them can be hidden.
            Some(true) => self.state.declared.home(owner).is_some_and(|zone| zone.has_name(owner)),
            _ => candidate.zones.iter().any(|(_, node)| self.admits_node(owner, node)),
        };
        (self.admits_any(self.state.flat.get(owner)) || of_zone()) && self.is_in_zone(owner)
    }

    /// The name belongs to the zone that is asked for, if one is.
    fn is_in_zone(&self, owner: &Name) -> bool {
        let Some(wanted) = &self.filter.zone else { return true };
        match self.state.home(owner) {
            Home::Declared(zone) => zone.apex == *wanted,
            Home::Derived(apex) => apex == *wanted,
            Home::Nowhere => false,
        }
    }

    fn admits_node(&self, owner: &Name, node: &Node<'_>) -> bool {
        node.rrsets().any(|rrset| self.admits_type(owner, rrset.rtype))
    }

    /// Some of what sources have given for a name is asked for, served or not.
    fn admits_any(&self, contributions: &[Contribution]) -> bool {
        contributions.iter().any(|Contribution { source, rrset }| {
            self.filter.source.is_none_or(|kind| kind == source.kind())
                && self.admits_type(rrset.owner(), rrset.rtype())
        })
    }

    fn admits_type(&self, owner: &Name, rtype: RecordType) -> bool {
        self.filter.rtype.is_none_or(|wanted| wanted == rtype) && (self.admits)(owner, rtype)
    }
}

impl Filter {
    /// The first name that can be asked for, at or after the one where the page begins.
    fn start(&self, from: Option<&Name>) -> Name {
        let starts = [from, self.below.as_ref(), self.zone.as_ref()];
        starts.into_iter().flatten().max().cloned().unwrap_or_else(Name::root)
    }

    fn reaches(&self, owner: &Name) -> bool {
        [&self.below, &self.zone].into_iter().flatten().all(|ancestor| owner.is_at_or_below(ancestor))
    }
}
