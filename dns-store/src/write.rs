//! All that can be written, as values: to be made, or only to be tried.

use std::collections::{BTreeMap, HashSet};
use std::iter::Peekable;
use std::sync::Arc;

use dns_core::zone::{Place, SourceTag, ZoneBuilder};
use dns_core::{Change, ChangeSet, Name, Precondition, RecordType, Rrset, ZoneState, plan};
use smallvec::{SmallVec, smallvec};

use crate::commit::{Transaction, Writer};
use crate::event::Changed;
use crate::journal::{Entry, KeptZone, RecordChange, ZoneRecord};
use crate::layers::{self, Contribution};
use crate::pending::Pending;
use crate::state::{Holder, State, is_later, next_serial};
use crate::store::Store;
use crate::zones::{Declared, ZoneChange, ZoneOptions, may_replace};
use crate::{Reason, Source, StoreError};

/// Changes and preconditions that are worked out in no time.
const FEW: usize = 50;
/// Events that a store keeps which is only looked at: room for them is made when it is.
const NO_EVENTS: usize = 0;

/// A write, made by [`Store::stage`] and tried by [`Store::plan`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// An RRset of a new name and type; [`StoreError::Exists`] if anybody has records of these.
    Create(Rrset),
    /// Another RRset for a name and type. Where it is another source's, that one is hidden and kept.
    /// [`StoreError::NotFound`] if nobody has records of these.
    Update(Rrset),
    /// Deletes what the source has of a name and type, or of a name. What it has hidden of others is served at once.
    /// [`StoreError::NotFound`] if nobody has such records, [`StoreError::Foreign`] if only others have.
    Delete {
        /// Name of the records.
        owner: Name,
        /// Their type; all if not given.
        rtype: Option<RecordType>,
    },
    /// These changes, if their preconditions hold. Deleting what nobody has is no error, [`StoreError::Foreign`] if only others
    /// have it.
    Changes(ChangeSet),
    /// A zone that this source declares, in place of what it declared there before. Its serial is kept if it is a later one,
    /// else made one.
    PutZone {
        /// The apex.
        apex: Name,
        /// The zone without what is given for names alone: at least its SOA and NS records.
        zone: KeptZone,
        /// What the source has in the zone by name afterwards, no more and no less; what it had if not given.
        records: Option<Vec<Rrset>>,
        /// [`StoreError::Exists`] if somebody has declared the zone.
        is_new: bool,
    },
    /// Drops a zone that this source has declared, and all that it has in it. What others have moves to the zone above, or to
    /// derived zones.
    DeleteZone {
        /// The apex.
        apex: Name,
    },
    /// Undoes a transaction that the journal remembers. [`StoreError::Precondition`] if the source has other records by now
    /// than that one has left.
    Revert {
        /// Its version.
        version: u64,
    },
}

/// What a write would come to; see [`Store::plan`].
#[derive(Clone, Debug)]
pub struct Planned {
    /// The version that would have it, if nothing else came first; the present one if there is nothing to do.
    pub version: u64,
    /// What the source would have otherwise.
    pub records: Vec<RecordChange>,
    /// Zones that it would declare or drop.
    pub zones: Vec<ZoneRecord>,
    /// What clients would see otherwise, apart from names at and below `zones`.
    pub served: Arc<Changed>,
    /// A store as it would be, to be looked at: what is written to it goes nowhere.
    pub after: Store,
}

/// A write that has found out what it is about.
pub(crate) struct Step {
    pub transaction: Transaction,
    /// What is wrong with it, as far as it is known.
    pub reasons: Vec<Reason>,
}

impl Store {
    /// Makes a write, all or nothing. It is safe and visible once [`Pending`] says so; whoever writes next builds on it
    /// already. Waits for other writers, but for no disk where the source is a durable one. Takes CPU time in proportion to
    /// what is written.
    ///
    /// # Errors
    /// A precondition does not hold, or everything that is wrong with the write. Where that was found out about writes that are
    /// not safe yet, [`Pending`] fails with it.
    pub fn stage(
        &self,
        source: &Source,
        write: &Write,
        preconditions: &[Precondition],
    ) -> Result<Pending, StoreError> {
        let entry = self.entry_to_revert(write)?;
        self.stage_with(source, |writer| {
            check_preconditions(writer.state_ref(), source, preconditions)?;
            step(writer, source, write, entry.as_deref())
        })
    }

    /// As [`stage`](Self::stage), if that takes some microseconds: a few records of zones that somebody has declared, while nobody
    /// else writes. `None` otherwise, and then nothing has happened. For those who must not be held up.
    pub fn try_stage(
        &self,
        source: &Source,
        write: &Write,
        preconditions: &[Precondition],
    ) -> Option<Result<Pending, StoreError>> {
        let owners: SmallVec<[&Name; 1]> = match write {
            Write::Create(rrset) | Write::Update(rrset) => smallvec![rrset.owner()],
            Write::Delete { owner, .. } => smallvec![owner],
            Write::Changes(set) if set.changes.len() + set.preconditions.len() <= FEW => {
                set.changes.iter().map(Change::owner).collect()
            }
            _ => return None,
        };
        // A derived zone may have to be put together anew.
        let is_quick = |state: &State| owners.iter().all(|owner| state.declared.home(owner).is_some());
        self.try_stage_with(source, is_quick, |writer| {
            check_preconditions(writer.state_ref(), source, preconditions)?;
            step(writer, source, write, None)
        })
    }

    /// Finds out what a write would come to, and changes nothing. It counts on writes that are not safe yet, as the next
    /// one will.
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    pub fn plan(
        &self,
        source: &Source,
        write: &Write,
        preconditions: &[Precondition],
    ) -> Result<Planned, StoreError> {
        let entry = self.entry_to_revert(write)?;
        let writing = self.lock_to_plan();
        let state = writing.state();
        check_preconditions(&state, source, preconditions)?;
        let step = step(&writing, source, write, entry.as_deref())?;
        if step.is_empty() {
            let (version, view) = (state.catalog.version(), state.view_name.clone());
            let served = Arc::new(Changed::nothing(version, view, source.clone()));
            let after = Self::of_state(State::clone(&state), NO_EVENTS);
            return Ok(Planned { version, records: Vec::new(), zones: Vec::new(), served, after });
        }
        let (records, zones) = step.differences(&state, source);
        let next = step.prepare(&writing, source)?;
        let (version, after) = (next.version(), Self::of_state(next.state, NO_EVENTS));
        Ok(Planned { version, records, zones, served: next.changed, after })
    }

    fn entry_to_revert(&self, write: &Write) -> Result<Option<Arc<Entry>>, StoreError> {
        // Read before anybody has to wait for it.
        let Write::Revert { version } = write else { return Ok(None) };
        match self.entry(*version)? {
            Some(entry) if *entry.view == *self.view_name() => Ok(Some(entry)),
            _ => Err(StoreError::NotFound(Reason::NoVersion(*version))),
        }
    }
}

impl Step {
    pub fn of(transaction: Transaction) -> Self {
        Self { transaction, reasons: Vec::new() }
    }

    /// There is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Transaction { names, zones, options, .. } = &self.transaction;
        self.reasons.is_empty() && names.is_empty() && zones.is_empty() && options.is_none()
    }

    /// Works it out.
    pub fn prepare(self, writer: &Writer, source: &Source) -> Result<crate::commit::Next, StoreError> {
        let Self { transaction, mut reasons } = self;
        let next = writer.prepare(source, transaction);
        if reasons.is_empty() {
            return next.map_err(StoreError::Invalid);
        }
        // What else is wrong is told at once, too.
        reasons.extend(next.err().unwrap_or_default());
        Err(StoreError::Invalid(reasons))
    }

    /// What the source has otherwise than before.
    pub fn differences(&self, state: &State, source: &Source) -> (Vec<RecordChange>, Vec<ZoneRecord>) {
        let mut records = Vec::new();
        for (name, after) in &self.transaction.names {
            let (mut before, mut after) = (own(state.flat.get(name), source), own(after, source));
            while let Some(rtype) =
                [before.peek(), after.peek()].into_iter().flatten().map(|next| next.rtype()).min()
            {
                let before = before.next_if(|rrset| rrset.rtype() == rtype);
                let after = after.next_if(|rrset| rrset.rtype() == rtype);
                if before != after {
                    let (before, after) = (before.cloned(), after.cloned());
                    records.push(RecordChange { owner: name.clone(), rtype, before, after });
                }
            }
        }
        let zones = self.transaction.zones.iter().filter_map(|(apex, change)| {
            let before = state.declared.get(apex).and_then(|declared| declared.kept());
            let after = match change {
                ZoneChange::Declare(declared) => declared.kept(),
                ZoneChange::Drop => None,
                ZoneChange::SetOptions(_) => return None,
            };
            (before != after).then(|| ZoneRecord { apex: apex.clone(), before, after })
        });
        (records, zones.collect())
    }
}

/// What a source has of all that there is at a name, in the order of the types.
fn own<'c>(all: &'c [Contribution], source: &Source) -> Peekable<impl Iterator<Item = &'c Rrset>> {
    all.iter().filter(move |one| one.source == *source).map(|one| &one.rrset).peekable()
}

/// Finds out what a write is about.
pub(crate) fn step(
    writer: &Writer,
    source: &Source,
    write: &Write,
    entry: Option<&Entry>,
) -> Result<Step, StoreError> {
    let state = &*writer.state();
    match write {
        Write::Create(rrset) => {
            let (owner, rtype) = (rrset.owner(), rrset.rtype());
            if state.is_held(owner, rtype)
                && let Some(Holder { source: holder, .. }) =
                    state.holders(owner, Some(rtype)).into_iter().next()
            {
                let owner = owner.clone();
                return Err(StoreError::Exists(Reason::Present { owner, rtype: Some(rtype), holder }));
            }
            Ok(changes(state, source, [&Change::Put(rrset.clone())]))
        }
        Write::Update(rrset) => {
            let (owner, rtype) = (rrset.owner(), rrset.rtype());
            if !state.is_held(owner, rtype) {
                let owner = owner.clone();
                return Err(StoreError::NotFound(Reason::NoRecords { owner, rtype: Some(rtype) }));
            }
            Ok(changes(state, source, [&Change::Put(rrset.clone())]))
        }
        Write::Delete { owner, rtype } => {
            check_deletable(state, source, owner, *rtype)?;
            Ok(changes(state, source, [&Change::Delete { owner: owner.clone(), rtype: *rtype }]))
        }
        Write::Changes(set) => {
            check_preconditions(state, source, &set.preconditions)?;
            check_deletes(state, source, &set.changes)?;
            Ok(changes(state, source, &set.changes))
        }
        Write::PutZone { apex, zone, records, is_new } => {
            if let Some(declared) = state.declared.get(apex)
                && *is_new
            {
                let holder = declared.source.clone();
                return Err(StoreError::Exists(Reason::ZonePresent { apex: apex.clone(), holder }));
            }
            put_zone(writer, source, apex, zone, records.as_deref())
        }
        Write::DeleteZone { apex } => {
            let own: Vec<Rrset> = own_in_zone(writer, source, apex).cloned().collect();
            let mut step = changes(state, source, &plan(&own, &[]).changes);
            step.change_zone(writer, source, apex, ZoneChange::Drop)?;
            Ok(step)
        }
        Write::Revert { .. } => {
            entry.map_or_else(|| Ok(Step::of(Transaction::default())), |entry| revert(writer, source, entry))
        }
    }
}

/// What the names of changes have afterwards.
pub(crate) fn changes<'c>(
    state: &State,
    source: &Source,
    changes: impl IntoIterator<Item = &'c Change>,
) -> Step {
    let mut names: BTreeMap<Name, Vec<Contribution>> = BTreeMap::new();
    let mut reasons = Vec::new();
    for change in changes {
        if let Change::Put(rrset) | Change::Add(rrset) = change {
            layers::check_rrset(source, rrset, &state.options, &mut reasons);
        }
        let contributions =
            names.entry(change.owner().clone()).or_insert_with_key(|owner| state.flat.get(owner).to_vec());
        let applied = match came_with_zone(state, source, contributions, change) {
            Some((own, apex)) => change_own(contributions, source, &own, apex, change),
            None => layers::apply(contributions, source, change),
        };
        reasons.extend(applied.err());
    }
    names.retain(|name, contributions| {
        layers::check_name(contributions, source, &mut reasons);
        state.flat.get(name) != &contributions[..]
    });
    Step { transaction: Transaction { names, ..Transaction::default() }, reasons }
}

/// Where single values come or go: those that they stand beside, if the source has them because its zone came with them, and the
/// apex of that.
fn came_with_zone<'s>(
    state: &'s State,
    source: &Source,
    contributions: &[Contribution],
    change: &Change,
) -> Option<(Rrset, &'s Name)> {
    let (Change::Add(rrset) | Change::Remove(rrset)) = change else { return None };
    let (owner, rtype) = (rrset.owner(), rrset.rtype());
    if own(contributions, source).any(|own| own.rtype() == rtype) {
        return None;
    }
    Some((of_zone(state, source, owner, Some(rtype))?, &state.declared.home(owner)?.apex))
}

/// Makes a change to what the zone came with. From then on the source has that by name, which hides what came with the zone.
fn change_own(
    contributions: &mut Vec<Contribution>,
    source: &Source,
    own: &Rrset,
    apex: &Name,
    change: &Change,
) -> Result<(), Reason> {
    let (owner, rtype) = (own.owner(), Some(own.rtype()));
    layers::apply(contributions, source, &Change::Put(own.clone()))?;
    layers::apply(contributions, source, change)?;
    let left = self::own(contributions, source).find(|rrset| rrset.rtype() == own.rtype());
    match left.map(|rrset| rrset == own) {
        Some(false) => Ok(()),
        Some(true) => layers::apply(contributions, source, &Change::Delete { owner: owner.clone(), rtype }),
        // The zone would show again what was to go.
        None => Err(Reason::OfZone { owner: owner.clone(), rtype, apex: apex.clone() }),
    }
}

/// What a source has at a name because its zone came with it.
fn of_zone(state: &State, source: &Source, owner: &Name, rtype: Option<RecordType>) -> Option<Rrset> {
    let zone = state.declared.home(owner).filter(|zone| zone.source == *source)?;
    zone.rrsets(owner).into_iter().find(|rrset| rtype.is_none_or(|rtype| rtype == rrset.rtype()))
}

impl Step {
    /// Adds what becomes of a zone. Records by name that move because of it move in the same transaction.
    pub fn change_zone(
        &mut self,
        writer: &Writer,
        source: &Source,
        apex: &Name,
        change: ZoneChange,
    ) -> Result<(), StoreError> {
        let state = writer.state();
        let apex = apex.clone();
        match (&change, state.declared.get(&apex)) {
            (_, Some(declared)) if !may_replace(source, &declared.source) => {
                let holder = declared.source.clone();
                return Err(StoreError::Foreign(vec![Reason::ForeignZone { apex, holder }]));
            }
            (ZoneChange::Drop | ZoneChange::SetOptions(_), None) => {
                return Err(StoreError::NotFound(Reason::NoZone(apex)));
            }
            (ZoneChange::SetOptions(options), Some(declared)) if *options == declared.options => {
                return Ok(());
            }
            _ => {}
        }
        // Flat records at or below the apex may have to move; those in deeper zones stay where they are.
        if !matches!(change, ZoneChange::SetOptions(_)) {
            let moves = |name: &&Name| {
                let home = state.declared.home(name);
                home.is_none_or(|home| apex.is_at_or_below(&home.apex))
            };
            for name in writer.names_below(&apex).filter(moves) {
                let names = &mut self.transaction.names;
                if !names.contains_key(name) {
                    names.insert(name.clone(), state.flat.get(name).to_vec());
                }
            }
        }
        self.transaction.zones.insert(apex, change);
        Ok(())
    }
}

/// What a source has by name in a zone, or would have if there were one with this apex.
fn own_in_zone<'w>(
    writer: &'w Writer,
    source: &'w Source,
    apex: &'w Name,
) -> impl Iterator<Item = &'w Rrset> {
    let state = writer.state_ref();
    let is_in =
        move |name: &&Name| state.declared.home(name).is_none_or(|home| apex.is_at_or_below(&home.apex));
    let own = move |name: &'w Name| state.flat.get(name).iter().filter(move |one| one.source == *source);
    writer.names_below(apex).filter(is_in).flat_map(own).map(|one| &one.rrset)
}

fn put_zone(
    writer: &Writer,
    source: &Source,
    apex: &Name,
    zone: &KeptZone,
    records: Option<&[Rrset]>,
) -> Result<Step, StoreError> {
    let state = writer.state();
    let mut step = match records {
        Some(records) => {
            let outside = records.iter().filter(|rrset| !rrset.owner().is_at_or_below(apex));
            let outside: Vec<Reason> = outside
                .map(|rrset| Reason::OutsideZone { owner: rrset.owner().clone(), apex: apex.clone() })
                .collect();
            let planned = plan(own_in_zone(writer, source, apex), records);
            let mut step = changes(&state, source, &planned.changes);
            step.reasons.extend(outside);
            step
        }
        None => Step::of(Transaction::default()),
    };
    // A zone is declared anew only where it differs: its records by name may be all that does.
    let served = state.view().and_then(|view| view.zone(apex)).and_then(|entry| entry.zone());
    let last = served.map(dns_core::zone::Zone::serial).or_else(|| state.serials.last(apex));
    let before = state.declared.get(apex).filter(|declared| declared.source == *source);
    let before = before.and_then(|declared| declared.kept());
    let is_stale = last.is_some_and(|last| !is_later(zone.serial(), last));
    if is_stale && before.as_ref().is_some_and(|before| before.is_same_but_serial(zone)) {
        return Ok(step);
    }
    match build(apex, zone, last) {
        Ok(zone) => {
            let declared = Declared {
                apex: apex.clone(),
                source: source.clone(),
                options: ZoneOptions::default(),
                state: ZoneState::Serving(zone),
                version: state.catalog.version() + 1,
            };
            step.change_zone(writer, source, apex, ZoneChange::Declare(Arc::new(declared)))?;
        }
        Err(reasons) => step.reasons.extend(reasons),
    }
    Ok(step)
}

/// Puts a zone together from all its RRsets; its serial is made a later one than `last`.
pub(crate) fn build(
    apex: &Name,
    kept: &KeptZone,
    last: Option<u32>,
) -> Result<dns_core::zone::Zone, Vec<Reason>> {
    let mut builder = ZoneBuilder::new(apex.clone());
    for rrset in &kept.rrsets {
        for rdata in rrset.rdatas() {
            let tag = SourceTag::default();
            builder.add(rrset.owner().as_wire(), rrset.rtype(), rrset.ttl(), rdata, tag, Place::default());
        }
    }
    let faults = |faults: Vec<dns_core::zone::ZoneFault>| -> Vec<Reason> {
        faults.into_iter().filter(|fault| !fault.kind.is_warning()).map(|fault| fault.kind.into()).collect()
    };
    let zone = builder.finish().map_err(faults)?.zone;
    match last {
        Some(last) if !is_later(zone.serial(), last) => {
            let mut edit = zone.edit();
            edit.set_serial(next_serial(last));
            edit.finish().map_err(|kind| vec![kind.into()])
        }
        _ => Ok(zone),
    }
}

fn revert(writer: &Writer, source: &Source, entry: &Entry) -> Result<Step, StoreError> {
    let state = writer.state();
    let source = if entry.source.kind() == source.kind() { &entry.source } else { source };
    let mut undo = ChangeSet::new();
    for RecordChange { owner, rtype, before, after } in &entry.records {
        undo = match after {
            Some(after) => undo.when(Precondition::Equals(after.clone())),
            None => undo.when(Precondition::Absent(owner.clone(), Some(*rtype))),
        };
        undo = undo.and(match before {
            Some(before) => Change::Put(before.clone()),
            None => Change::Delete { owner: owner.clone(), rtype: Some(*rtype) },
        });
    }
    // What goes goes first, so that a CNAME can take the place of other records.
    undo.changes.sort_by_key(|change| !matches!(change, Change::Delete { .. }));
    // What came with a zone is not what the transaction was about.
    check_with(&state, source, &undo.preconditions, by_name(&state, source))?;
    let mut step = changes(&state, source, &undo.changes);
    for ZoneRecord { apex, before, after } in &entry.zones {
        let declared = state.declared.get(apex).filter(|declared| declared.source == *source);
        let now = declared.and_then(|declared| declared.kept());
        if now != *after {
            return Err(StoreError::Precondition(vec![Reason::ZoneDiffers(apex.clone())]));
        }
        let change = match before {
            Some(kept) => {
                let served = state.view().and_then(|view| view.zone(apex)).and_then(|entry| entry.zone());
                let last = served.map(dns_core::zone::Zone::serial).or_else(|| state.serials.last(apex));
                let zone = build(apex, kept, last).map_err(StoreError::Invalid)?;
                ZoneChange::Declare(Arc::new(Declared {
                    apex: apex.clone(),
                    source: source.clone(),
                    options: ZoneOptions::default(),
                    state: ZoneState::Serving(zone),
                    version: state.catalog.version() + 1,
                }))
            }
            None => ZoneChange::Drop,
        };
        step.change_zone(writer, source, apex, change)?;
    }
    Ok(step)
}

fn check_deletable(
    state: &State,
    source: &Source,
    owner: &Name,
    rtype: Option<RecordType>,
) -> Result<(), StoreError> {
    let holders = state.holders(owner, rtype);
    if holders.iter().any(|holder| holder.source == *source && !holder.of_zone) {
        return Ok(());
    }
    let owner = owner.clone();
    let zone = state.declared.home(&owner).filter(|zone| zone.source == *source);
    Err(match (holders.into_iter().next(), zone) {
        (None, _) => StoreError::NotFound(Reason::NoRecords { owner, rtype }),
        (Some(Holder { of_zone: true, .. }), Some(zone)) => {
            StoreError::Foreign(vec![Reason::OfZone { owner, rtype, apex: zone.apex.clone() }])
        }
        (Some(holder), _) => {
            StoreError::Foreign(vec![Reason::Foreign { owner, rtype, holder: holder.source }])
        }
    })
}

/// Refuses to delete what only others have. What an earlier change of the set has given to the source is its own.
fn check_deletes(state: &State, source: &Source, changes: &[Change]) -> Result<(), StoreError> {
    let mut given: HashSet<(&Name, Option<RecordType>)> = HashSet::new();
    let mut foreign = Vec::new();
    for change in changes {
        match change {
            Change::Put(rrset) | Change::Add(rrset) => {
                given.extend([(rrset.owner(), Some(rrset.rtype())), (rrset.owner(), None)]);
            }
            Change::Delete { owner, rtype } if !given.contains(&(owner, *rtype)) => {
                if let Err(StoreError::Foreign(reasons)) = check_deletable(state, source, owner, *rtype) {
                    foreign.extend(reasons);
                }
            }
            Change::Delete { .. } | Change::Remove(_) => {}
        }
    }
    if foreign.is_empty() { Ok(()) } else { Err(StoreError::Foreign(foreign)) }
}

/// Refuses a write with all preconditions that do not hold. They are about what the source has by name, or because its zone came
/// with it.
pub(crate) fn check_preconditions(
    state: &State,
    source: &Source,
    preconditions: &[Precondition],
) -> Result<(), StoreError> {
    let by_name = by_name(state, source);
    let own = |owner: &Name, rtype| by_name(owner, rtype).or_else(|| of_zone(state, source, owner, rtype));
    check_with(state, source, preconditions, own)
}

/// What a source has by name.
fn by_name(state: &State, source: &Source) -> impl Fn(&Name, Option<RecordType>) -> Option<Rrset> {
    move |owner, rtype| {
        own(state.flat.get(owner), source)
            .find(|rrset| rtype.is_none_or(|rtype| rtype == rrset.rtype()))
            .cloned()
    }
}

/// Refuses a write with all preconditions that do not hold, about what `own` tells.
fn check_with(
    state: &State,
    source: &Source,
    preconditions: &[Precondition],
    own: impl Fn(&Name, Option<RecordType>) -> Option<Rrset>,
) -> Result<(), StoreError> {
    let mut reasons = Vec::new();
    for precondition in preconditions {
        let current = state.catalog.version();
        let failed = match precondition {
            Precondition::Version(expected) => {
                (current != *expected).then_some(Reason::CatalogChanged { expected: *expected, current })
            }
            Precondition::Unchanged(owner, expected) => {
                let current = state.name_version(owner);
                (current != *expected).then(|| Reason::NameChanged {
                    owner: owner.clone(),
                    expected: *expected,
                    current,
                })
            }
            Precondition::Exists(owner, rtype) => own(owner, *rtype)
                .is_none()
                .then(|| Reason::NoRecords { owner: owner.clone(), rtype: *rtype }),
            Precondition::Absent(owner, rtype) => own(owner, *rtype).map(|_| Reason::Present {
                owner: owner.clone(),
                rtype: *rtype,
                holder: source.clone(),
            }),
            Precondition::Equals(rrset) => (own(rrset.owner(), Some(rrset.rtype())).as_ref() != Some(rrset))
                .then(|| Reason::Differs { owner: rrset.owner().clone(), rtype: rrset.rtype() }),
        };
        reasons.extend(failed);
    }
    match reasons[..] {
        [] => Ok(()),
        [Reason::CatalogChanged { expected, current }] => {
            Err(StoreError::VersionMismatch { expected, current })
        }
        _ => Err(StoreError::Precondition(reasons)),
    }
}
