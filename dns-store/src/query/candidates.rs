//! Names at which there may be something to list, in canonical order.

use std::iter::Peekable;

use dns_core::Name;
use dns_core::name::canonical_cmp;
use dns_core::zone::Node;

use super::Filter;
use crate::names;
use crate::state::State;
use crate::zones::Declared;

/// Walks the names that have records given without a zone, and those of all zones that the filter lets through, in step: zones
/// stand inside one another, and their names mingle.
pub(super) struct Candidates<'s> {
    state: &'s State,
    filter: &'s Filter,
    flat: Peekable<names::Iter<'s>>,
    /// Zones that begin further on.
    apexes: Peekable<names::Iter<'s>>,
    /// Zones that have begun and have names left, those that stand inside others after these.
    begun: Vec<Begun<'s>>,
}

struct Begun<'s> {
    zone: &'s Declared,
    names: Peekable<Box<dyn Iterator<Item = Node<'s>> + 's>>,
}

/// A name, and who has something there.
pub(super) struct Candidate<'s> {
    pub name: &'s [u8],
    /// There are records that were given without a zone.
    pub is_flat: bool,
    /// The zones that came with something at the name: more than one where a zone stands inside another.
    pub zones: Vec<(&'s Declared, Node<'s>)>,
}

impl<'s> Candidates<'s> {
    /// The names at and after `from`.
    pub fn new(state: &'s State, filter: &'s Filter, from: &'s Name) -> Self {
        let flat = state.flat.names_from(from.as_wire()).peekable();
        let apexes = state.declared.apexes_from(from.as_wire()).peekable();
        let mut candidates = Self { state, filter, flat, apexes, begun: Vec::new() };
        // Zones that begin before the name reach beyond it if they stand above it.
        for labels in 0..from.label_count() {
            candidates.enter(&from.suffix(labels), from);
        }
        candidates
    }

    /// The names of a zone from one on, if it is served and what it has is asked for at all.
    fn enter(&mut self, apex: &Name, from: &Name) {
        let Some(zone) = self.state.declared.get(apex).filter(|zone| self.is_wanted(zone)) else { return };
        // The zone as its source has it: it need not be sorted again before it is put again, whatever others do.
        let Some(nodes) = zone.zone().map(|zone| zone.nodes_from(from)) else { return };
        let mut names = (Box::new(nodes) as Box<dyn Iterator<Item = _>>).peekable();
        if names.peek().is_some() {
            self.begun.push(Begun { zone, names });
        }
    }

    /// What comes with the zone alone is asked for. Where others have something at its names, too, all of that is found
    /// through theirs.
    fn is_wanted(&self, declared: &Declared) -> bool {
        let Filter { zone, source, shadowed, .. } = self.filter;
        zone.as_ref().is_none_or(|zone| *zone == declared.apex)
            && source.is_none_or(|kind| kind == declared.source.kind())
            && *shadowed != Some(true)
    }

    /// Enters all zones that begin before anything else comes.
    fn enter_next(&mut self) {
        while let Some(&apex) = self.apexes.peek() {
            if self.first().is_some_and(|first| canonical_cmp(first, apex).is_lt()) {
                return;
            }
            self.apexes.next();
            // Names in sets are valid.
            if let Ok(apex) = Name::from_wire(apex) {
                self.enter(&apex, &apex);
            }
        }
    }

    fn first(&mut self) -> Option<&'s [u8]> {
        let flat = self.flat.peek().copied();
        let zones = self.begun.iter_mut().filter_map(|begun| begun.names.peek().map(Node::name));
        zones.chain(flat).min_by(|left, right| canonical_cmp(left, right))
    }
}

impl<'s> Iterator for Candidates<'s> {
    type Item = Candidate<'s>;

    fn next(&mut self) -> Option<Candidate<'s>> {
        self.enter_next();
        let name = self.first()?;
        // All of them are in lower case.
        let is_flat = self.flat.next_if(|flat| *flat == name).is_some();
        let mut zones = Vec::new();
        self.begun.retain_mut(|Begun { zone, names }| {
            zones.extend(names.next_if(|node| node.name() == name).map(|node| (*zone, node)));
            names.peek().is_some()
        });
        Some(Candidate { name, is_flat, zones })
    }
}
