//! The handle.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};

use dns_backend::{CatalogReader, Catalogs};
use dns_core::zone::Folded;
use dns_core::{
    AnswerPolicy, Catalog, Change, ChangeSet, Name, Precondition, RecordType, Rrset, View, ViewSpec, plan,
};
use tokio::sync::broadcast;

use crate::commit::{Next, Transaction, Writer};
use crate::event::{Event, Watch};
use crate::fold::{self, Folder};
use crate::layers::{self, Contribution};
use crate::state::{Holder, State};
use crate::sync::{Latest, Mutex, MutexGuard, PoisonError, Published};
use crate::{Reason, Source, StoreError, StoreOptions};

/// All records of one view, by source. A handle: clones share one store.
///
/// It begins with the default view; [`set_views`](Self::set_views) makes others and [`view`](Self::view) gives the handles
/// for them. Readers never wait and are never waited for; writers take turns.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// The view that this handle is for.
    plane: Arc<Plane>,
}

/// What the views have in common.
pub(crate) struct Inner {
    /// What queries are answered from.
    catalog: Published<Catalog>,
    /// Whose turn it is to write, and where.
    turn: Mutex<Turn>,
    events: broadcast::Sender<Event>,
}

struct Turn {
    /// The newest one.
    catalog: Arc<Catalog>,
    /// The views that there are, the default one first.
    planes: Vec<Arc<Plane>>,
}

/// The records of one view.
struct Plane {
    name: Arc<str>,
    state: Published<State>,
    writer: Mutex<Writer>,
}

/// The right to write into one view, until it is dropped.
pub(crate) struct Writing<'s> {
    writer: MutexGuard<'s, Writer>,
    // After the writer, so that it is given back later than that.
    turn: MutexGuard<'s, Turn>,
}

impl Deref for Writing<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl Plane {
    fn new(state: State) -> Arc<Self> {
        let (name, state) = (state.view_name.clone(), Arc::new(state));
        let writer = Mutex::new(Writer::new(state.clone()));
        Arc::new(Self { name, state: Published::new(state), writer })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A writer that panicked has not published, and has not touched the writer's state before it could.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the view of a newer catalog, so that it keeps nothing of the others that is gone.
    fn rebase(&self, writer: &mut Writer, catalog: &Arc<Catalog>) {
        if !Arc::ptr_eq(&writer.state().catalog, catalog) {
            let state = Arc::new(State { catalog: catalog.clone(), ..State::clone(&writer.state()) });
            writer.replace_state(state.clone());
            self.state.store(state);
        }
    }
}

impl Store {
    /// A store without records.
    pub fn new(options: StoreOptions) -> Self {
        let (events, _) = broadcast::channel(options.events_kept.max(1));
        let state = State::new(options);
        let catalog = state.catalog.clone();
        let plane = Plane::new(state);
        let turn = Mutex::new(Turn { catalog: catalog.clone(), planes: vec![plane.clone()] });
        Self { inner: Arc::new(Inner { catalog: Published::new(catalog), turn, events }), plane }
    }

    /// The name of the view that this handle is for.
    pub fn view_name(&self) -> &str {
        &self.plane.name
    }

    /// A handle for another view; `None` if there is none of that name.
    ///
    /// A handle goes on working when its view is gone, on records that nobody is served.
    pub fn view(&self, name: &str) -> Option<Self> {
        let turn = self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let plane = turn.planes.iter().find(|plane| &*plane.name == name)?.clone();
        Some(Self { inner: self.inner.clone(), plane })
    }

    /// Makes exactly these views besides the default one, and says who gets to see them. Those that there were before keep
    /// their records; the records of those that go are gone. Returns the version from which on this holds.
    pub fn set_views(&self, specs: &[ViewSpec]) -> u64 {
        let mut turn = self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.catalog.view_specs() == specs {
            return turn.catalog.version();
        }
        let version = turn.catalog.version() + 1;
        let catalog = turn.catalog.as_ref().clone().with_views(specs).with_version(version);
        turn.catalog = Arc::new(catalog);
        let options = turn.planes.first().map(|plane| plane.state.load().options.clone());
        let old = std::mem::take(&mut turn.planes);
        let planes = turn.catalog.views().iter().map(|view| {
            let known = old.iter().find(|plane| &*plane.name == view.name());
            known.cloned().unwrap_or_else(|| {
                Plane::new(State::of_view(
                    view.name(),
                    turn.catalog.clone(),
                    options.clone().unwrap_or_default(),
                ))
            })
        });
        turn.planes = planes.collect();
        for plane in &turn.planes {
            plane.rebase(&mut plane.writer(), &turn.catalog);
        }
        self.inner.catalog.store(turn.catalog.clone());
        let _ = self.inner.events.send(Event::Views { version });
        version
    }

    /// Everything that is served right now.
    pub fn snapshot(&self) -> Arc<Catalog> {
        self.inner.catalog.load()
    }

    /// Counts the changes since the start.
    pub fn version(&self) -> u64 {
        self.snapshot().version()
    }

    /// Follows the changes from now on.
    pub fn watch(&self) -> Watch {
        Watch { receiver: self.inner.events.subscribe() }
    }

    /// Adds an RRset of a new name and type. Returns the version that has it.
    ///
    /// # Errors
    /// Somebody has records of that name and type, the version is another one than `if_version`, or the records cannot be
    /// served.
    pub fn create(&self, source: &Source, rrset: Rrset, if_version: Option<u64>) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        writer.state().check_version(if_version)?;
        let (owner, rtype) = (rrset.owner().clone(), rrset.rtype());
        if let Some(Holder { source: holder, .. }) =
            writer.state().holders(&owner, Some(rtype)).into_iter().next()
        {
            return Err(StoreError::Exists(Reason::Present { owner, rtype: Some(rtype), holder }));
        }
        self.commit(&mut writer, source, &ChangeSet::new().and(Change::Put(rrset)))
    }

    /// Replaces the RRset of a name and type. Where it is another source's, that one is hidden and kept.
    ///
    /// # Errors
    /// Nobody has records of that name and type, or as [`create`](Self::create).
    pub fn update(&self, source: &Source, rrset: Rrset, if_version: Option<u64>) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        writer.state().check_version(if_version)?;
        let (owner, rtype) = (rrset.owner().clone(), rrset.rtype());
        if writer.state().holders(&owner, Some(rtype)).is_empty() {
            return Err(StoreError::NotFound(Reason::NoRecords { owner, rtype: Some(rtype) }));
        }
        self.commit(&mut writer, source, &ChangeSet::new().and(Change::Put(rrset)))
    }

    /// Deletes what the source has of a name and type, or of a name. What it has hidden of others is served at once.
    ///
    /// # Errors
    /// Nobody has such records, or only others do, or they came with a whole zone, or the version is another one than
    /// `if_version`.
    pub fn delete(
        &self,
        source: &Source,
        owner: &Name,
        rtype: Option<RecordType>,
        if_version: Option<u64>,
    ) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        let state = writer.state();
        state.check_version(if_version)?;
        let holders = state.holders(owner, rtype);
        if !holders.iter().any(|holder| holder.source == *source && !holder.of_zone) {
            let owner = owner.clone();
            let zone = state.declared.home(&owner).filter(|zone| zone.source == *source);
            return Err(match (holders.into_iter().next(), zone) {
                (None, _) => StoreError::NotFound(Reason::NoRecords { owner, rtype }),
                (Some(Holder { of_zone: true, .. }), Some(zone)) => {
                    StoreError::Foreign(Reason::OfZone { owner, rtype, apex: zone.apex.clone() })
                }
                (Some(holder), _) => {
                    StoreError::Foreign(Reason::Foreign { owner, rtype, holder: holder.source })
                }
            });
        }
        let change = Change::Delete { owner: owner.clone(), rtype };
        self.commit(&mut writer, source, &ChangeSet::new().and(change))
    }

    /// Gives a source exactly these records, apart from whole zones that it has put: what has not changed is not touched.
    /// All or nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the records; those from before stay.
    pub fn hot_reload(&self, source: &Source, records: &[Rrset]) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        let state = writer.state();
        let current = writer
            .names_of(source)
            .flat_map(|name| state.flat.get(name))
            .filter(|contribution| contribution.source == *source)
            .map(|contribution| &contribution.rrset);
        let changes = plan(current, records);
        self.commit(&mut writer, source, &changes).map_err(|error| match error {
            StoreError::Invalid(reasons) => StoreError::ReloadFailed { source_name: source.clone(), reasons },
            other => other,
        })
    }

    /// Makes the changes of a source, all or none of them.
    ///
    /// # Errors
    /// A precondition does not hold, or everything that is wrong with the changes.
    pub fn partial_reload(&self, source: &Source, changes: &ChangeSet) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        check_preconditions(&writer.state(), source, &changes.preconditions)?;
        self.commit(&mut writer, source, changes)
    }

    /// Answers are made another way from now on; see [`set_options`](Self::set_options).
    ///
    /// # Errors
    /// None that are known.
    pub fn set_policy(&self, policy: &AnswerPolicy) -> Result<u64, StoreError> {
        let mut version = self.version();
        for view in self.views() {
            let mut writer = view.lock();
            // Read when nobody else can change them.
            let options = StoreOptions { policy: policy.clone(), ..writer.state().options.as_ref().clone() };
            version = view.change_options(&mut writer, options)?;
        }
        Ok(version)
    }

    /// The options that count now.
    pub fn options(&self) -> StoreOptions {
        self.state().options.as_ref().clone()
    }

    /// Other options for all views from now on, one view after the other. What is served follows at once: precedence, the
    /// records made up for derived zones, and what becomes of names that those do not have. Records that others have with TTLs
    /// out of the new bounds stay until they are written again. `first_serial` and `events_kept` count only when the store is
    /// made.
    ///
    /// # Errors
    /// The records made up for derived zones would fit into no message.
    pub fn set_options(&self, options: &StoreOptions) -> Result<u64, StoreError> {
        let mut version = self.version();
        for view in self.views() {
            version = view.change_options(&mut view.lock(), options.clone())?;
        }
        Ok(version)
    }

    /// Handles of all views, the default one first.
    pub fn views(&self) -> Vec<Self> {
        let turn = self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        turn.planes.iter().map(|plane| Self { inner: self.inner.clone(), plane: plane.clone() }).collect()
    }

    /// Access to the newest catalog for one worker.
    pub fn reader(&self) -> Reader {
        Reader { latest: self.inner.catalog.latest() }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.plane.state.load()
    }

    pub(crate) fn lock(&self) -> Writing<'_> {
        let turn = self.inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = self.plane.writer();
        // Only a view that is gone has missed anything.
        self.plane.rebase(&mut writer, &turn.catalog);
        Writing { writer, turn }
    }

    /// Makes a transaction visible and tells everybody; zones whose overlay has grown are packed anew meanwhile.
    pub(crate) fn publish(&self, writer: &mut Writing<'_>, mut next: Next, events: Vec<Event>) {
        let mut folding = None;
        let due = fold::due(next.state.view(), &next.changed.zones, next.state.options.fold_after);
        if !due.is_empty()
            && let Some(folder) = Folder::start(self.clone_weak())
        {
            let (catalog, folds) = fold::begin(next.state.catalog.as_ref().clone(), &self.plane.name, &due);
            next.state.catalog = Arc::new(catalog);
            folding = Some((folder, folds));
        }
        let state = writer.accept(next);
        if self.show(writer, &state) {
            for event in events {
                // Nobody listening is no error.
                let _ = self.inner.events.send(event);
            }
        }
        if let Some((folder, folds)) = folding {
            folder.run(folds);
        }
    }

    pub(crate) fn finish_fold(&self, apex: &Name, folded: Folded) {
        let mut writer = self.lock();
        let mut state = State::clone(&writer.state());
        if let Some(catalog) = fold::finish(&state.catalog, &self.plane.name, apex, folded) {
            state.catalog = Arc::new(catalog);
            let state = Arc::new(state);
            writer.replace_state(state.clone());
            self.show(&mut writer, &state);
        }
    }

    /// Returns whether anybody sees it: a view that is gone is written by those who still hold it, and read by nobody else.
    fn show(&self, writing: &mut Writing<'_>, state: &Arc<State>) -> bool {
        self.plane.state.store(state.clone());
        let is_there = writing.turn.planes.iter().any(|plane| Arc::ptr_eq(plane, &self.plane));
        if is_there {
            writing.turn.catalog = state.catalog.clone();
            for other in writing.turn.planes.iter().filter(|other| !Arc::ptr_eq(other, &self.plane)) {
                other.rebase(&mut other.writer(), &state.catalog);
            }
            self.inner.catalog.store(state.catalog.clone());
        }
        is_there
    }

    fn clone_weak(&self) -> WeakStore {
        WeakStore { inner: Arc::downgrade(&self.inner), plane: Arc::downgrade(&self.plane) }
    }

    fn change_options(&self, writer: &mut Writing<'_>, options: StoreOptions) -> Result<u64, StoreError> {
        let state = writer.state();
        if *state.options == options {
            return Ok(state.catalog.version());
        }
        let mut transaction = Transaction::default();
        if options.precedence != state.options.precedence {
            let names = state.flat.iter().map(|flat| (flat.name.clone(), flat.contributions.clone()));
            transaction.names = names.collect();
        }
        transaction.options = Some(options);
        // Options come from the configuration, and so do their consequences.
        self.change(writer, &Source::Config, transaction)
    }

    fn commit(
        &self,
        writer: &mut Writing<'_>,
        source: &Source,
        changes: &ChangeSet,
    ) -> Result<u64, StoreError> {
        let state = writer.state();
        let mut names: BTreeMap<Name, Vec<Contribution>> = BTreeMap::new();
        let mut reasons = Vec::new();
        for change in &changes.changes {
            if let Change::Put(rrset) | Change::Add(rrset) = change {
                layers::check_rrset(source, rrset, &state.options, &mut reasons);
            }
            let contributions = names
                .entry(change.owner().clone())
                .or_insert_with_key(|owner| state.flat.get(owner).to_vec());
            reasons.extend(layers::apply(contributions, source, change).err());
        }
        names.retain(|name, contributions| {
            layers::check_name(contributions, source, &mut reasons);
            state.flat.get(name) != &contributions[..]
        });
        if names.is_empty() && reasons.is_empty() {
            return Ok(state.catalog.version());
        }
        let transaction = Transaction { names, ..Transaction::default() };
        if reasons.is_empty() {
            return self.change(writer, source, transaction);
        }
        // What else is wrong is told at once, too.
        reasons.extend(writer.prepare(source, transaction).err().unwrap_or_default());
        Err(StoreError::Invalid(reasons))
    }

    fn change(
        &self,
        writer: &mut Writing<'_>,
        source: &Source,
        transaction: Transaction,
    ) -> Result<u64, StoreError> {
        let next = writer.prepare(source, transaction).map_err(StoreError::Invalid)?;
        let version = next.version();
        let events = vec![Event::Changed(next.changed.clone())];
        self.publish(writer, next, events);
        Ok(version)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let catalog = self.snapshot();
        let zones = catalog.view(self.view_name()).map_or(0, View::len);
        write!(f, "view {} with {zones} zones at version {}", self.view_name(), catalog.version())
    }
}

/// A store that goes when nobody else holds it.
pub(crate) struct WeakStore {
    inner: Weak<Inner>,
    plane: Weak<Plane>,
}

impl WeakStore {
    pub fn upgrade(&self) -> Option<Store> {
        Some(Store { inner: self.inner.upgrade()?, plane: self.plane.upgrade()? })
    }
}

fn check_preconditions(
    state: &State,
    source: &Source,
    preconditions: &[Precondition],
) -> Result<(), StoreError> {
    let own = |owner: &Name, rtype: Option<RecordType>| {
        let matches = |contribution: &&Contribution| {
            contribution.source == *source && rtype.is_none_or(|rtype| rtype == contribution.rrset.rtype())
        };
        state.flat.get(owner).iter().find(matches).map(|contribution| contribution.rrset.clone())
    };
    for precondition in preconditions {
        let failed = match precondition {
            Precondition::Version(expected) => {
                state.check_version(Some(*expected))?;
                continue;
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
        if let Some(reason) = failed {
            return Err(StoreError::Precondition(reason));
        }
    }
    Ok(())
}

/// Access to the newest catalog for one worker; see [`Store::reader`].
pub struct Reader {
    latest: Latest<Catalog>,
}

impl CatalogReader for Reader {
    #[inline]
    fn current(&mut self) -> &Catalog {
        self.latest.get()
    }
}

impl Catalogs for Store {
    type Reader = Reader;

    fn reader(&self) -> Reader {
        Self::reader(self)
    }
}
