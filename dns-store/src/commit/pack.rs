//! Zones that come with very many records given by name are packed at once, instead of being edited name by name.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use dns_core::zone::{Place, SourceTag, Zone, ZoneBuilder, rrsets_of};
use dns_core::{Name, Rrset, ZoneEntry, ZoneState};

use super::Work;
use crate::layers::Contribution;
use crate::state::{Home, State, TAG_ZONE};
use crate::zones::Declared;

/// From so many names on. Editing a name costs some microseconds, packing the whole zone less than one per name.
const NAMES_MIN: usize = 1024;
/// What a record takes in a zone file, about.
const RECORD_OCTETS: usize = 40;

/// Packs the zones among `put` that are worth it, and returns their apexes.
pub(super) fn declared_zones(
    state: &mut State,
    put: &BTreeSet<Name>,
    names: &BTreeMap<Name, Vec<Contribution>>,
    work: &mut Work,
) -> BTreeSet<Name> {
    if put.is_empty() || names.len() < NAMES_MIN {
        return BTreeSet::new();
    }
    let mut inside = Inside::new(state, put);
    for (name, contributions) in names {
        inside.add(state, name, contributions);
    }
    inside.0.retain(|_, names| names.len() >= NAMES_MIN);
    for (apex, names) in &inside.0 {
        let Some(declared) = state.declared.get(apex).cloned() else { continue };
        // Queries are answered meanwhile, so one core does it.
        let Some(zone) = pack(state, &declared, names, NonZeroUsize::MIN, work) else { continue };
        let serial = state.serial_after(apex, zone.serial(), true);
        serve(state, apex, zone, serial, work);
    }
    inside.0.into_keys().collect()
}

/// What sources have at names in zones that take records of others, by apex.
pub(super) struct Inside<'n>(pub BTreeMap<Name, Vec<(&'n Name, &'n [Contribution])>>);

impl<'n> Inside<'n> {
    /// Of these zones; nothing yet.
    pub fn new(state: &State, apexes: &BTreeSet<Name>) -> Self {
        let takes_others =
            |apex: &&Name| state.declared.get(apex).is_some_and(|declared| declared.takes_others());
        Self(apexes.iter().filter(takes_others).map(|apex| (apex.clone(), Vec::new())).collect())
    }

    /// Enters a name where it belongs. Returns whether it is in any declared zone.
    pub fn add(&mut self, state: &State, name: &'n Name, contributions: &'n [Contribution]) -> bool {
        let Some(zone) = state.declared.home(name) else { return false };
        if !contributions.is_empty()
            && let Some(names) = self.0.get_mut(&zone.apex)
        {
            names.push((name, contributions));
        }
        true
    }
}

/// Puts a zone together from what it came with and from what sources have at names in it.
pub(super) fn pack(
    state: &State,
    declared: &Arc<Declared>,
    names: &[(&Name, &[Contribution])],
    threads: NonZeroUsize,
    work: &mut Work,
) -> Option<Zone> {
    // About what a zone file with so many records has.
    let mut builder = ZoneBuilder::for_file_of(declared.apex.clone(), names.len() * RECORD_OCTETS);
    let mut add = |rrset: &Rrset, tag: SourceTag| {
        for rdata in rrset.rdatas() {
            builder.add(rrset.owner().as_wire(), rrset.rtype(), rrset.ttl(), rdata, tag, Place::default());
        }
    };
    let own = declared.zone()?;
    for (rrset, _) in own.nodes().flat_map(|node| rrsets_of(own, &node)) {
        if names.binary_search_by(|(name, _)| (*name).cmp(rrset.owner())).is_err() {
            add(&rrset, TAG_ZONE);
        }
    }
    let home = Home::Declared(declared.clone());
    for (name, contributions) in names {
        for served in state.at_home(&home, name, contributions).served {
            add(&served.rrset, served.tag);
        }
    }
    match builder.finish_on(threads) {
        Ok(built) => Some(built.zone),
        Err(faults) => {
            let errors = faults.into_iter().filter(|fault| !fault.kind.is_warning());
            work.reasons.extend(errors.map(|fault| fault.kind.into()));
            None
        }
    }
}

/// Puts a zone in place, with this serial.
pub(super) fn serve(state: &mut State, apex: &Name, mut zone: Zone, serial: u32, work: &mut Work) {
    if serial != zone.serial() {
        let mut edit = zone.edit();
        edit.set_serial(serial);
        match edit.finish() {
            Ok(edited) => zone = edited,
            Err(kind) => work.reasons.push(kind.into()),
        }
    }
    state.serials.set(apex, serial, true);
    if let Some(entry) = work.view.zone(apex) {
        let entry = ZoneEntry { state: ZoneState::Serving(zone), ..entry.clone() };
        work.view.put(entry);
    }
}
