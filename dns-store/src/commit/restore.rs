//! What a journal has kept, entered into a view that has nothing else.
//!
//! A transaction would come to the same, name by name. A view may have had millions of names, and nobody is answered before they
//! are back: here each name is looked at a few times only, and all cores help with zones that are declared.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{self, Builder};

use dns_core::trie::path_order;
use dns_core::{Name, View};

use super::pack::{self, Inside};
use super::{Work, Writer, build_derived, declare_zones, finish_edits, has_cname};
use crate::Reason;
use crate::derived::Candidates;
use crate::state::{FlatName, FlatRecords, State, next_serial};
use crate::zones::ZoneChange;

impl Writer {
    /// The state that has these names, which come in canonical order, each once, and these zones. Its version is the next one.
    ///
    /// # Errors
    /// Everything that keeps them from being served.
    pub fn restored(
        &self,
        names: &[Arc<FlatName>],
        zones: BTreeMap<Name, ZoneChange>,
    ) -> Result<State, Vec<Reason>> {
        let old = &self.state;
        let mut state = State::clone(old);
        state.serials.derived = next_serial(state.serials.derived);
        let mut work = Work {
            view: old.view().cloned().unwrap_or_else(|| View::new(&old.view_name)),
            edits: BTreeMap::new(),
            reasons: Vec::new(),
        };
        leave_behind_derived(&mut state, &zones, names);
        let put = declare_zones(zones, &mut state, &mut work);
        let records = || FlatRecords::from_sorted(names.to_vec());
        state.flat = thread::scope(|scope| {
            let records_made = Builder::new().spawn_scoped(scope, records);
            let mut inside = Inside::new(&state, &put);
            let mut outside = Vec::new();
            for flat in names {
                if !inside.add(&state, flat.name(), flat.contributions()) {
                    outside.push(&**flat);
                }
            }
            for (apex, names) in &inside.0 {
                let Some(declared) = state.declared.get(apex).cloned() else { continue };
                let Some(zone) = pack::pack(&state, &declared, names, threads(), &mut work) else { continue };
                // Zones get the serials that they had.
                let serial = state.serials.floor(apex).unwrap_or(zone.serial());
                pack::serve(&mut state, apex, zone, serial, &mut work);
            }
            let packed = inside.0.into_keys().collect();
            finish_edits(&mut state, &put, &packed, &mut work);
            derive_zones(&mut state, &outside, &mut work);
            // A thread that the system does not grant is done without.
            records_made.map_or_else(
                |_| records(),
                |made| made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        });
        if !work.reasons.is_empty() {
            return Err(work.reasons);
        }
        let version = old.catalog.version() + 1;
        state.catalog = Arc::new(old.catalog.as_ref().clone().with_view(work.view).with_version(version));
        Ok(state)
    }

    /// Takes over what was [restored](Self::restored).
    pub fn accept_restored(&mut self, state: State) -> Arc<State> {
        self.state = Arc::new(state);
        self.state.clone()
    }
}

/// Where a zone is still to be read, a derived one may have been served the last time. The serial of that one counts, as if it had
/// been replaced now.
fn leave_behind_derived(state: &mut State, zones: &BTreeMap<Name, ZoneChange>, names: &[Arc<FlatName>]) {
    let is_unread = |apex: &Name| matches!(zones.get(apex), Some(ZoneChange::Declare(declared)) if declared.zone().is_none());
    if !zones.keys().any(is_unread) {
        return;
    }
    for flat in names {
        if let Some(apex) = Candidates::of(flat.name(), has_cname(flat.contributions()))
            && is_unread(&apex)
            && state.serials.floor(&apex).is_none()
        {
            state.serials.set(&apex, state.serials.derived, true);
        }
    }
}

/// Puts all derived zones together from the names that are in no declared one.
fn derive_zones(state: &mut State, names: &[&FlatName], work: &mut Work) {
    let asked = names.iter().filter_map(|flat| Candidates::of(flat.name(), has_cname(flat.contributions())));
    let mut asked: Vec<Name> = asked.collect();
    asked.sort_unstable_by_key(|candidate| path_order(candidate.hash64()));
    for owners in asked.chunk_by(|left, right| left == right) {
        state.candidates.add(&owners[0], owners.len() as isize);
    }
    let mut zones: BTreeMap<Name, Vec<&FlatName>> = BTreeMap::new();
    for flat in names {
        if let Some(apex) = state.candidates.apex_of(flat.name()) {
            zones.entry(apex).or_default().push(flat);
        }
    }
    for (apex, names) in &zones {
        let at = names.iter().map(|flat| (flat.name(), flat.contributions()));
        build_derived(state, apex, at, work);
    }
}

fn threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
