//! One transaction: from what sources want to the next state, or to the reasons why not.
//!
//! Everything is worked out on the side; only a transaction without a fault touches the writer's own state.

mod pack;
mod restore;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dns_core::zone::{Place, SourceTag, ZoneBuilder, ZoneEdit, ZoneFaultKind};
use dns_core::{Name, RecordType, Rrset, View, ZoneEntry, ZoneState};

use crate::derived::Candidates;
use crate::event::Changed;
use crate::journal::Entry;
use crate::keeper::Made;
use crate::layers::Contribution;
use crate::options::StoreOptions;
use crate::state::{FlatName, Home, State, TAG_SYNTHESISED, is_later, is_same_soa_but_serial, next_serial};
use crate::zones::{Declared, ZoneChange, ZoneOptions};
use crate::{Reason, Source};

/// The newest state, and an order of its names that only writers need.
pub(crate) struct Writer {
    state: Arc<State>,
    /// Names that have flat records, by who has something there. Only those of sources that hand over all that they have at once:
    /// durable ones change a few names at a time, and may have millions.
    by_source: HashMap<Source, BTreeSet<Name>>,
}

/// What a transaction changes.
#[derive(Default)]
pub(crate) struct Transaction {
    /// Names with all contributions that they have afterwards.
    pub names: BTreeMap<Name, Vec<Contribution>>,
    /// Zones that come, go or are replaced.
    pub zones: BTreeMap<Name, ZoneChange>,
    /// Other options from now on.
    pub options: Option<StoreOptions>,
}

/// A transaction that can be made.
pub(crate) struct Next {
    pub state: State,
    /// What clients see otherwise than before, apart from names at and below the zones of the transaction.
    pub changed: Arc<Changed>,
    /// Zones that somebody has declared, as far as their serials may have changed; those that went are among them.
    pub declared: Vec<Name>,
    /// Names at which its source has something else than before, if it is one that hands over all that it has.
    pub names: Vec<Name>,
}

impl Next {
    pub fn version(&self) -> u64 {
        self.state.catalog.version()
    }
}

impl Writer {
    pub fn new(state: Arc<State>) -> Self {
        Self { state, by_source: HashMap::new() }
    }

    pub fn state(&self) -> Arc<State> {
        self.state.clone()
    }

    pub fn state_ref(&self) -> &State {
        &self.state
    }

    /// Puts another state in place that has the same records.
    pub fn replace_state(&mut self, state: Arc<State>) {
        self.state = state;
    }

    /// Names at or below an ancestor that have flat records.
    pub fn names_below<'w>(&'w self, ancestor: &'w Name) -> impl Iterator<Item = &'w Name> {
        self.state.flat.names_below(ancestor)
    }

    /// Names at which a source has flat records, and no others unless a journal keeps what it has.
    pub fn names_of(&self, source: &Source) -> Box<dyn Iterator<Item = &Name> + '_> {
        if source.kind().is_durable() {
            Box::new(self.state.flat.iter().map(FlatName::name))
        } else {
            Box::new(self.by_source.get(source).into_iter().flatten())
        }
    }

    /// Works a transaction out.
    ///
    /// # Errors
    /// Everything that is wrong with what the source has at the names of the transaction and had not before.
    pub fn prepare(&self, source: &Source, transaction: Transaction) -> Result<Next, Vec<Reason>> {
        let old = &self.state;
        let mut state = State::clone(old);
        let options_before = state.options.clone();
        if let Some(options) = transaction.options {
            state.options = Arc::new(options);
        }
        state.serials.derived = next_serial(state.serials.derived);
        let mut work = Work {
            view: old.view().cloned().unwrap_or_else(|| View::new(&old.view_name)),
            edits: BTreeMap::new(),
            reasons: Vec::new(),
        };
        let put = declare_zones(transaction.zones, &mut state, &mut work);
        let (mut roots, names) = change_flat(old, &mut state, source, &transaction.names);
        check_fresh(old, &state, source, &transaction.names, &mut work.reasons);
        if !work.reasons.is_empty() {
            return Err(work.reasons);
        }
        let options = &state.options;
        if options.derived != options_before.derived
            || options.derived_fallthrough != options_before.derived_fallthrough
        {
            roots.extend(work.view.zones().filter(|entry| entry.derived).map(|entry| entry.apex.clone()));
        }
        keep_topmost(&mut roots);
        let packed = pack::declared_zones(&mut state, &put, &transaction.names, &mut work);
        for name in transaction.names.keys() {
            edit_name(old, &state, name, &put, &packed, &roots, &mut work);
        }
        let mut touched: Vec<Name> = work.edits.keys().chain(&packed).cloned().collect();
        finish_edits(&mut state, &put, &packed, &mut work);
        let mut moved = BTreeSet::new();
        for root in &roots {
            let rebuilt = self.rebuild_derived(&state, root, &transaction.names, &mut work);
            touched.extend(rebuilt.now.iter().cloned());
            moved.extend(rebuilt.now.into_iter().chain(rebuilt.gone));
        }
        if !work.reasons.is_empty() {
            return Err(work.reasons);
        }
        let version = old.catalog.version() + 1;
        let mut changed = Changed {
            version,
            view: old.view_name.clone(),
            source: source.clone(),
            added: Vec::new(),
            updated: Vec::new(),
            deleted: Vec::new(),
            zones: touched,
        };
        let mut declared: Vec<Name> = put.iter().cloned().collect();
        let is_declared = |apex: &&Name| state.declared.get(apex).is_some() && !put.contains(*apex);
        declared.extend(changed.zones.iter().filter(is_declared).cloned());
        // A SOA record that somebody has given comes and goes with the zone whose apex it stands at.
        // What changes below zones of the transaction is told as a whole.
        let is_told_alone = |name: &&Name| !put.iter().any(|apex| name.is_at_or_below(apex));
        let mut told: Vec<&Name> = transaction.names.keys().collect();
        if !moved.is_empty() {
            told.extend(&moved);
            told.sort_unstable();
            told.dedup();
        }
        for name in told.into_iter().filter(is_told_alone) {
            compare(visible(old.view(), name), visible(Some(&work.view), name), &mut changed);
        }
        let mut catalog = old.catalog.as_ref().clone().with_view(work.view).with_version(version);
        if state.options.policy != options_before.policy {
            catalog = catalog.with_policy(state.options.policy.clone());
        }
        state.catalog = Arc::new(catalog);
        Ok(Next { state, changed: Arc::new(changed), declared, names })
    }

    /// Takes over what was worked out; the caller publishes it.
    pub fn accept(&mut self, next: Next, entry: Option<Arc<Entry>>) -> Arc<Made> {
        let state = Arc::new(next.state);
        for name in &next.names {
            let (had, has) = (self.state.flat.get(name), state.flat.get(name));
            let is_listed = |one: &&Contribution| !one.source.kind().is_durable();
            for Contribution { source, .. } in had.iter().filter(is_listed) {
                if has.iter().all(|contribution| contribution.source != *source)
                    && let Some(names) = self.by_source.get_mut(source)
                {
                    names.remove(name);
                    if names.is_empty() {
                        self.by_source.remove(source);
                    }
                }
            }
            for Contribution { source, .. } in has.iter().filter(is_listed) {
                if had.iter().all(|contribution| contribution.source != *source) {
                    self.by_source.entry(source.clone()).or_default().insert(name.clone());
                }
            }
        }
        self.state = state.clone();
        Arc::new(Made { state, entry })
    }

    /// Puts the derived zones at and below a name together anew.
    fn rebuild_derived(
        &self,
        state: &State,
        root: &Name,
        changed_names: &BTreeMap<Name, Vec<Contribution>>,
        work: &mut Work,
    ) -> Rebuilt {
        let changed_names = changed_names.range(root.clone()..).map(|(name, _)| name);
        let changed_names = changed_names.take_while(|name| name.is_at_or_below(root));
        // Names of the transaction may be new; those that went have nothing any more.
        let names: BTreeSet<&Name> = self.names_below(root).chain(changed_names).collect();
        let mut zones: BTreeMap<Name, Vec<&Name>> = BTreeMap::new();
        let mut gone = Vec::new();
        for name in names {
            let (old_home, home) = (self.state.home(name), state.home(name));
            if matches!(old_home, Home::Nowhere) || matches!(home, Home::Nowhere) {
                gone.push(name.clone());
            }
            if let Home::Derived(apex) = old_home
                && work.view.zone(&apex).is_some_and(|entry| entry.derived)
                && apex.is_at_or_below(root)
            {
                work.view.remove(&apex);
                gone.push(apex);
            }
            if state.flat.get(name).is_empty() {
                continue;
            }
            if let Home::Derived(apex) = home {
                zones.entry(apex).or_default().push(name);
            }
        }
        for (apex, names) in &zones {
            let at = names.iter().map(|&name| (name, state.flat.get(name)));
            build_derived(state, apex, at, work);
        }
        Rebuilt { now: zones.into_keys().collect(), gone }
    }
}

/// Apexes of derived zones that were put together anew.
struct Rebuilt {
    now: Vec<Name>,
    /// Of those that there were before; and names that were in none, or are in none now.
    gone: Vec<Name>,
}

/// Puts a derived zone together from what sources have at the names that belong to it.
fn build_derived<'n>(
    state: &State,
    apex: &'n Name,
    names: impl Iterator<Item = (&'n Name, &'n [Contribution])>,
    work: &mut Work,
) {
    let mut builder = ZoneBuilder::new(apex.clone()).with_synthesised_apex();
    let home = Home::Derived(apex.clone());
    // In canonical order the apex comes first, if anybody has something there. Some of its records are made up.
    let mut names = names.peekable();
    let has_apex = names.peek().is_some_and(|(first, _)| *first == apex);
    let apex_alone = (!has_apex).then_some((apex, &[][..]));
    for (name, contributions) in apex_alone.into_iter().chain(names) {
        for served in state.at_home(&home, name, contributions).served {
            let (rtype, ttl) = (served.rrset.rtype(), served.rrset.ttl());
            for rdata in served.rrset.rdatas() {
                builder.add(name.as_wire(), rtype, ttl, rdata, served.tag, Place::default());
            }
        }
    }
    match builder.finish() {
        Ok(built) => {
            let mut zone = built.zone;
            if zone.serial() != state.serials.derived {
                // The SOA record is somebody's; its serial is ours all the same.
                let mut edit = zone.edit();
                edit.set_serial(state.serials.derived);
                match edit.finish() {
                    Ok(edited) => zone = edited,
                    Err(kind) => work.reasons.push(kind.into()),
                }
            }
            work.view.put(ZoneEntry {
                apex: apex.clone(),
                state: ZoneState::Serving(zone),
                fallthrough: state.options.derived_fallthrough,
                derived: true,
                access: None,
            });
        }
        Err(faults) => {
            let errors = faults.into_iter().filter(|fault| !fault.kind.is_warning());
            work.reasons.extend(errors.map(|fault| Reason::Zone(fault.kind)));
        }
    }
}

/// Enters zones that come and takes those out that go. Returns the apexes of all of them; zones that only get other options
/// are not among them, since their records and serials stay.
fn declare_zones(zones: BTreeMap<Name, ZoneChange>, state: &mut State, work: &mut Work) -> BTreeSet<Name> {
    let mut put = BTreeSet::new();
    for (apex, change) in zones {
        let declare = match change {
            ZoneChange::SetOptions(options) => {
                set_options(&apex, options, state, work);
                continue;
            }
            ZoneChange::Declare(declared) => Some(declared),
            ZoneChange::Drop => None,
        };
        if let Some(gone) = work.view.zone(&apex).and_then(ZoneEntry::zone) {
            let was_derived = state.declared.get(&apex).is_none();
            match state.serials.floor(&apex) {
                None => state.serials.set(&apex, gone.serial(), was_derived),
                Some(floor) if is_later(gone.serial(), floor) => {
                    state.serials.set(&apex, gone.serial(), true);
                }
                Some(_) => {}
            }
            // A derived zone may come in its place, and its serial must not be an older one.
            if gone.serial() == state.serials.derived || is_later(gone.serial(), state.serials.derived) {
                state.serials.derived = next_serial(gone.serial());
            }
        }
        if let Some(declared) = declare {
            work.view.put(ZoneEntry {
                apex: apex.clone(),
                state: declared.state.clone(),
                fallthrough: declared.options.fallthrough,
                derived: false,
                access: declared.options.access.clone(),
            });
            state.declared.insert(declared);
        } else {
            work.view.remove(&apex);
            state.declared.remove(&apex);
        }
        put.insert(apex);
    }
    put
}

fn set_options(apex: &Name, options: ZoneOptions, state: &mut State, work: &mut Work) {
    if let Some(entry) = work.view.zone(apex) {
        let (fallthrough, access) = (options.fallthrough, options.access.clone());
        let entry = ZoneEntry { fallthrough, access, ..entry.clone() };
        work.view.put(entry);
    }
    if let Some(declared) = state.declared.get(apex) {
        let declared = Declared { options, ..Declared::clone(declared) };
        state.declared.insert(Arc::new(declared));
    }
}

/// Enters what names have now. Returns the apexes of derived zones that come or go: at and below them, zones merge and
/// fall apart; and the names at which the source has something else than before, unless it is a durable one.
fn change_flat(
    old: &State,
    state: &mut State,
    source: &Source,
    names: &BTreeMap<Name, Vec<Contribution>>,
) -> (BTreeSet<Name>, Vec<Name>) {
    let version = old.catalog.version() + 1;
    let asks = |state: &State, name: &Name, contributions: &[Contribution]| {
        let is_flat = !contributions.is_empty() && state.declared.home(name).is_none();
        is_flat.then(|| Candidates::of(name, has_cname(contributions))).flatten()
    };
    let mut owners: BTreeMap<Name, isize> = BTreeMap::new();
    let mut changed = Vec::with_capacity(names.len());
    for (name, contributions) in names {
        let had = old.flat.get(name);
        let before = asks(old, name, had);
        let after = asks(state, name, contributions);
        if before != after {
            for (candidate, owner) in [(before, -1), (after, 1)] {
                if let Some(candidate) = candidate {
                    *owners.entry(candidate).or_default() += owner;
                }
            }
        }
        // Names that move with their zone have changed no more than the zone has.
        if had != &contributions[..] {
            changed.push((name, &contributions[..]));
        }
    }
    state.flat.set_all(&changed, version);
    // Names of durable sources are not listed.
    let changed = if source.kind().is_durable() { &[] } else { &changed[..] };
    let changed = changed.iter().map(|(name, _)| Name::clone(name)).collect();
    let moved: Vec<Name> = owners
        .into_iter()
        .filter(|(candidate, owners)| state.candidates.add(candidate, *owners))
        .map(|(candidate, _)| candidate)
        .collect();
    // Inside a larger zone that stays, nothing moves.
    let roots = moved
        .into_iter()
        .filter(|candidate| state.candidates.is_apex(candidate) || old.candidates.is_apex(candidate))
        .collect();
    (roots, changed)
}

/// Leaves out the names that stand below others.
fn keep_topmost(roots: &mut BTreeSet<Name>) {
    let mut last: Option<Name> = None;
    // In canonical order, what lies below a name follows it.
    roots.retain(|root| {
        let is_below = last.as_ref().is_some_and(|last| root.is_at_or_below(last));
        if !is_below {
            last = Some(root.clone());
        }
        !is_below
    });
}

/// Whether what the source newly has may stand where it does. What was there before, and what others have, is never in
/// the way: at worst it is not served.
fn check_fresh(
    old: &State,
    state: &State,
    source: &Source,
    names: &BTreeMap<Name, Vec<Contribution>>,
    reasons: &mut Vec<Reason>,
) {
    for (name, contributions) in names {
        let mut own = contributions.iter().filter(|contribution| contribution.source == *source).peekable();
        if own.peek().is_none() {
            continue;
        }
        let had = old.flat.get(name);
        let fresh = own.filter(|contribution| !had.contains(contribution));
        let mut fresh = fresh.map(|own| own.rrset.rtype()).peekable();
        if fresh.peek().is_none() {
            continue;
        }
        let home = state.home(name);
        let apex = match &home {
            Home::Nowhere => {
                reasons.push(Reason::OutOfZone { owner: name.clone() });
                continue;
            }
            Home::Declared(zone) if zone.is_signed() => {
                reasons.push(Reason::Signed { owner: name.clone(), apex: zone.apex.clone() });
                continue;
            }
            Home::Declared(zone) => &zone.apex,
            Home::Derived(apex) => apex,
        };
        for rtype in fresh {
            match rtype {
                RecordType::SOA if name != apex => {
                    reasons.push(ZoneFaultKind::SoaBelowApex(name.clone()).into());
                }
                RecordType::CNAME if name == apex && matches!(home, Home::Declared(_)) => {
                    reasons.push(Reason::CnameConflict { owner: name.clone(), other: RecordType::SOA });
                }
                _ => {}
            }
        }
    }
}

/// Sets a name in the zone that it belongs to, and takes it out of the one that it belonged to.
fn edit_name(
    old: &State,
    state: &State,
    name: &Name,
    put: &BTreeSet<Name>,
    packed: &BTreeSet<Name>,
    roots: &BTreeSet<Name>,
    work: &mut Work,
) {
    // No root stands below another, so of those that do not follow the apex only the last one can be above it.
    let is_rebuilt = |apex: &Name| {
        roots.range::<Name, _>(..=apex).next_back().is_some_and(|root| apex.is_at_or_below(root))
    };
    let (old_home, home) = (old.home(name), state.home(name));
    match (&old_home, &home) {
        (Home::Declared(before), Home::Declared(after)) if before.apex == after.apex => {}
        (Home::Derived(before), Home::Derived(after)) if before == after => {}
        // The name falls back to what the zone itself has there, unless the zone is new or gone.
        (Home::Declared(before), _) if !put.contains(&before.apex) => {
            let at = state.at_home(&old_home, name, &[]);
            work.set(&before.apex, name, &at.served.iter().map(|s| (&s.rrset, s.tag)).collect::<Vec<_>>());
        }
        (Home::Derived(before), _)
            if !is_rebuilt(before) && work.view.zone(before).is_some_and(|entry| entry.derived) =>
        {
            let at = state.at_home(&old_home, name, &[]);
            work.set(before, name, &at.served.iter().map(|s| (&s.rrset, s.tag)).collect::<Vec<_>>());
        }
        _ => {}
    }
    let apex = match &home {
        Home::Declared(zone) if zone.takes_others() && !packed.contains(&zone.apex) => &zone.apex,
        Home::Derived(apex) if !is_rebuilt(apex) => apex,
        _ => return,
    };
    let at = state.at_home(&home, name, state.flat.get(name));
    work.set(apex, name, &at.served.iter().map(|s| (&s.rrset, s.tag)).collect::<Vec<_>>());
}

/// Ends the edits: each zone that others see otherwise than before gets a later serial.
fn finish_edits(state: &mut State, put: &BTreeSet<Name>, packed: &BTreeSet<Name>, work: &mut Work) {
    let edits = std::mem::take(&mut work.edits);
    // Zones that came and serve what they came with. Their serial counts, as long as it always did.
    for apex in put.iter().filter(|apex| !edits.contains_key(*apex) && !packed.contains(*apex)) {
        let Some(zone) = work.view.zone(apex).and_then(ZoneEntry::zone) else { continue };
        let Some(floor) = state.serials.floor(apex) else {
            state.serials.set(apex, zone.serial(), false);
            continue;
        };
        if is_later(zone.serial(), floor) {
            state.serials.set(apex, zone.serial(), state.is_durable(apex));
        } else if !state.declared.get(apex).is_some_and(|declared| declared.is_signed()) {
            let mut edit = zone.edit();
            edit.set_serial(next_serial(floor));
            state.serials.set(apex, next_serial(floor), true);
            work.finish(apex, edit);
        }
    }
    for (apex, mut edit) in edits {
        let serial = edit.zone().serial();
        let serial = if work.view.zone(&apex).is_some_and(|entry| entry.derived) {
            state.serials.derived
        } else {
            let serial = state.serial_after(&apex, serial, put.contains(&apex));
            state.serials.set(&apex, serial, true);
            serial
        };
        edit.set_serial(serial);
        work.finish(&apex, *edit);
    }
}

/// A transaction while it is worked out.
struct Work {
    view: View,
    /// Boxed, since a map has room for many values from the first one on, and edits are large.
    edits: BTreeMap<Name, Box<ZoneEdit>>,
    reasons: Vec<Reason>,
}

impl Work {
    /// Gives a name of a zone exactly these RRsets, which come by type. Does nothing if it has them.
    fn set(&mut self, apex: &Name, name: &Name, rrsets: &[(&Rrset, SourceTag)]) {
        if !self.edits.contains_key(apex) {
            let Some(zone) = self.view.zone(apex).and_then(ZoneEntry::zone) else { return };
            let has = zone.rrsets_at(name);
            let is_same = |(left, right): (&(Rrset, SourceTag), &(&Rrset, SourceTag))| {
                left.1 == right.1 && (left.0 == *right.0 || is_same_soa_but_serial(&left.0, right.0))
            };
            if has.len() == rrsets.len() && has.iter().zip(rrsets).all(is_same) {
                return;
            }
            self.edits.insert(apex.clone(), Box::new(zone.edit()));
        }
        if let Some(Err(kind)) = self.edits.get_mut(apex).map(|edit| edit.set(name, rrsets)) {
            self.reasons.push(kind.into());
        }
    }

    fn finish(&mut self, apex: &Name, edit: ZoneEdit) {
        match edit.finish() {
            Ok(zone) => {
                if let Some(entry) = self.view.zone(apex) {
                    let entry = ZoneEntry { state: ZoneState::Serving(zone), ..entry.clone() };
                    self.view.put(entry);
                }
            }
            Err(kind) => self.reasons.push(kind.into()),
        }
    }
}

fn has_cname(contributions: &[Contribution]) -> bool {
    contributions.iter().any(|contribution| contribution.rrset.rtype() == RecordType::CNAME)
}

/// What is served at a name, made-up records left out.
fn visible(view: Option<&View>, name: &Name) -> Vec<Rrset> {
    let zone = view.and_then(|view| view.zone_of(name)).and_then(ZoneEntry::zone);
    let rrsets = zone.map(|zone| zone.rrsets_at(name)).unwrap_or_default();
    rrsets.into_iter().filter(|(_, tag)| *tag != TAG_SYNTHESISED).map(|(rrset, _)| rrset).collect()
}

fn compare(mut before: Vec<Rrset>, after: Vec<Rrset>, changed: &mut Changed) {
    for rrset in after {
        match before.iter().position(|old| old.rtype() == rrset.rtype()) {
            Some(at) => {
                let old = before.swap_remove(at);
                // A SOA record that differs in its serial alone shows in `zones`.
                if old != rrset && !is_same_soa_but_serial(&old, &rrset) {
                    changed.updated.push((old, rrset));
                }
            }
            None => changed.added.push(rrset),
        }
    }
    changed.deleted.append(&mut before);
}
