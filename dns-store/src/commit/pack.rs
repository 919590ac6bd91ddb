//! Zones that come with very many records given by name are packed at once, instead of being edited name by name.

use std::collections::{BTreeMap, BTreeSet};

use dns_core::zone::{Place, SourceTag, ZoneBuilder, rrsets_of};
use dns_core::{Name, Rrset, ZoneEntry, ZoneState};

use super::Work;
use crate::layers::Contribution;
use crate::state::{Home, State, TAG_ZONE};
use crate::zones::Declared;

/// From so many names on. Editing a name costs some microseconds, packing the whole zone less than one per name.
const NAMES_MIN: usize = 1024;

/// Packs the zones among `put` that are worth it, and returns their apexes. All are when they are restored: they get the
/// serials that they had.
pub(super) fn declared_zones(
    state: &mut State,
    put: &BTreeSet<Name>,
    names: &BTreeMap<Name, Vec<Contribution>>,
    is_restored: bool,
    work: &mut Work,
) -> BTreeSet<Name> {
    if !is_restored && (put.is_empty() || names.len() < NAMES_MIN) {
        return BTreeSet::new();
    }
    let mut inside: BTreeMap<Name, Vec<&Name>> = BTreeMap::new();
    let takes_others =
        |apex: &&Name| state.declared.get(apex).is_some_and(|declared| declared.takes_others());
    inside.extend(put.iter().filter(takes_others).map(|apex| (apex.clone(), Vec::new())));
    for name in names.keys().filter(|name| !state.flat.get(name).is_empty()) {
        if let Home::Declared(zone) = state.home(name)
            && let Some(names) = inside.get_mut(&zone.apex)
        {
            names.push(name);
        }
    }
    inside.retain(|_, names| is_restored || names.len() >= NAMES_MIN);
    for (apex, names) in &inside {
        let Some(declared) = state.declared.get(apex).cloned() else { continue };
        let Some(mut zone) = pack(state, &declared, names, work) else { continue };
        let serial = match state.serials.floor(apex) {
            Some(floor) if is_restored => floor,
            None if is_restored => zone.serial(),
            _ => state.serial_after(apex, zone.serial(), true),
        };
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
    inside.into_keys().collect()
}

fn pack(
    state: &State,
    declared: &Declared,
    names: &[&Name],
    work: &mut Work,
) -> Option<dns_core::zone::Zone> {
    let mut builder = ZoneBuilder::new(declared.apex.clone());
    let mut add = |rrset: &Rrset, tag: SourceTag| {
        for rdata in rrset.rdatas() {
            builder.add(rrset.owner().as_wire(), rrset.rtype(), rrset.ttl(), rdata, tag, Place::default());
        }
    };
    let own = declared.zone()?;
    for (rrset, _) in own.nodes().flat_map(|node| rrsets_of(own, &node)) {
        if state.flat.get(rrset.owner()).is_empty() {
            add(&rrset, TAG_ZONE);
        }
    }
    for name in names {
        let home = Home::Declared(state.declared.get(&declared.apex)?.clone());
        for served in state.at_home(&home, name, state.flat.get(name)).served {
            add(&served.rrset, served.tag);
        }
    }
    match builder.finish() {
        Ok(built) => Some(built.zone),
        Err(faults) => {
            let errors = faults.into_iter().filter(|fault| !fault.kind.is_warning());
            work.reasons.extend(errors.map(|fault| fault.kind.into()));
            None
        }
    }
}
