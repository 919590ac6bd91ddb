//! The handle.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use dns_backend::{CatalogReader, Catalogs};
use dns_core::zone::Folded;
use dns_core::{
    AnswerPolicy, Catalog, ChangeSet, Name, Precondition, RecordType, Rrset, View, ViewSpec, plan,
};
use tokio::sync::broadcast;

use crate::commit::{Next, Transaction, Writer};
use crate::event::{Event, Watch};
use crate::fold::{self, Folder};
use crate::journal::{Batch, Entry, Journal, JournalError, Marks};
use crate::keeper::{Keeper, Marked, Pending, Staged};
use crate::restore::Restored;
use crate::state::State;
use crate::sync::{Condvar, Latest, Mutex, MutexGuard, PoisonError, Published, mpsc};
use crate::write::{self, Step, Write};
use crate::{Source, StoreError, StoreOptions};

/// All records of one view, by source. A handle: clones share one store.
///
/// It begins with the default view; [`set_views`](Self::set_views) makes others and [`view`](Self::view) gives the handles
/// for them. Readers never wait and are never waited for; writers take turns.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// The view that this handle is for.
    plane: Arc<Plane>,
    /// Who writes by it.
    author: Arc<str>,
}

/// What the views have in common.
pub(crate) struct Inner {
    /// What queries are answered from.
    catalog: Published<Catalog>,
    /// Whose turn it is to write, and where.
    turn: Mutex<Turn>,
    /// No transaction is staged any more, or nobody waits for that any more.
    settled: Condvar,
    events: broadcast::Sender<Event>,
    /// Set before anybody else has a handle, if there is a journal.
    keeper: OnceLock<Keeper>,
}

struct Turn {
    /// The newest one: what the next writer builds on. With a durable journal it may not be visible yet.
    catalog: Arc<Catalog>,
    /// The views that there are, the default one first.
    planes: Vec<Arc<Plane>>,
    /// Transactions that are made, and neither safe nor visible.
    staged: usize,
    /// Writers who wait for there to be none.
    waiting: usize,
    marked: Marked,
}

/// The records of one view.
pub(crate) struct Plane {
    name: Arc<str>,
    /// What is visible; the writer's own state may be ahead of it.
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
        let planes = vec![plane.clone()];
        let turn =
            Turn { catalog: catalog.clone(), planes, staged: 0, waiting: 0, marked: Marked::default() };
        let inner = Inner {
            catalog: Published::new(catalog),
            turn: Mutex::new(turn),
            settled: Condvar::new(),
            events,
            keeper: OnceLock::new(),
        };
        Self { inner: Arc::new(inner), plane, author: Arc::default() }
    }

    /// A store that has what a journal has kept, and gives it all that durable sources write from now on: what was
    /// acknowledged is there again when it is opened the next time. What others have written is not: they write it anew.
    ///
    /// # Errors
    /// The journal cannot be read, or cannot be written.
    pub fn open(options: StoreOptions, journal: Arc<dyn Journal>) -> Result<Self, JournalError> {
        let store = Self::new(options);
        let restored = Restored::read(journal.as_ref(), store.view_name())?;
        let mut writing = store.lock();
        let next = restored.enter(&mut writing)?;
        let (version, derived_serial) = (next.version(), next.state.serials.derived);
        if journal.is_durable() {
            let marks = writing.turn.marked.begin(version, derived_serial);
            journal.append(&Batch { entries: Vec::new(), marks })?;
        }
        let state = writing.accept(next);
        store.show(&mut writing, &state);
        drop(writing);
        let keeper = Keeper::start(journal, Arc::downgrade(&store.inner))?;
        // Nobody else has the store yet.
        let _ = store.inner.keeper.set(keeper);
        Ok(store)
    }

    /// What durable sources write is kept on disk before anybody sees it.
    pub fn is_durable(&self) -> bool {
        self.inner.keeper().is_some_and(Keeper::is_durable)
    }

    /// A handle for somebody in particular: the history names them as the author of what is written by it.
    #[must_use]
    pub fn on_behalf_of(&self, author: impl Into<Arc<str>>) -> Self {
        Self { author: author.into(), ..self.clone() }
    }

    /// The name of the view that this handle is for.
    pub fn view_name(&self) -> &str {
        &self.plane.name
    }

    /// A handle for another view; `None` if there is none of that name.
    ///
    /// A handle goes on working when its view is gone, on records that nobody is served.
    pub fn view(&self, name: &str) -> Option<Self> {
        let plane = self.inner.turn().planes.iter().find(|plane| &*plane.name == name)?.clone();
        Some(Self { plane, ..self.clone() })
    }

    /// Makes exactly these views besides the default one, and says who gets to see them. Those that there were before keep
    /// their records; the records of those that go are gone. Those that come have what a journal has kept of them. Returns the
    /// version from which on this holds.
    pub fn set_views(&self, specs: &[ViewSpec]) -> u64 {
        let mut turn = self.inner.turn_alone();
        if turn.catalog.view_specs() == specs {
            return turn.catalog.version();
        }
        let version = turn.catalog.version() + 1;
        let catalog = turn.catalog.as_ref().clone().with_views(specs).with_version(version);
        turn.catalog = Arc::new(catalog);
        let options = turn.planes.first().map(|plane| plane.state.load().options.clone());
        let old = std::mem::take(&mut turn.planes);
        let names: Vec<String> = turn.catalog.views().iter().map(|view| view.name().to_owned()).collect();
        for name in names {
            let plane = old.iter().find(|plane| *plane.name == *name).cloned().unwrap_or_else(|| {
                let options = options.clone().unwrap_or_default();
                let plane = Plane::new(State::of_view(&name, turn.catalog.clone(), options));
                self.restore_view(&plane, &mut turn);
                plane
            });
            turn.planes.push(plane);
        }
        for plane in &turn.planes {
            plane.rebase(&mut plane.writer(), &turn.catalog);
        }
        let version = turn.catalog.version();
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
        self.write(source, &Write::Create(rrset), if_version)
    }

    /// Replaces the RRset of a name and type. Where it is another source's, that one is hidden and kept.
    ///
    /// # Errors
    /// Nobody has records of that name and type, or as [`create`](Self::create).
    pub fn update(&self, source: &Source, rrset: Rrset, if_version: Option<u64>) -> Result<u64, StoreError> {
        self.write(source, &Write::Update(rrset), if_version)
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
        self.write(source, &Write::Delete { owner: owner.clone(), rtype }, if_version)
    }

    fn write(&self, source: &Source, write: &Write, if_version: Option<u64>) -> Result<u64, StoreError> {
        let version = if_version.map(Precondition::Version);
        self.stage(source, write, version.as_slice())?.wait()
    }

    /// Gives a source exactly these records, apart from whole zones that it has put: what has not changed is not touched.
    /// All or nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the records; those from before stay.
    pub fn hot_reload(&self, source: &Source, records: &[Rrset]) -> Result<u64, StoreError> {
        let pending = self.stage_with(source, |writer| {
            let state = writer.state();
            let current = writer
                .names_of(source)
                .flat_map(|name| state.flat.get(name))
                .filter(|contribution| contribution.source == *source)
                .map(|contribution| &contribution.rrset);
            Ok(write::changes(&state, source, &plan(current, records).changes))
        });
        pending.and_then(Pending::wait).map_err(|error| match error {
            StoreError::Invalid(reasons) => StoreError::ReloadFailed { source_name: source.clone(), reasons },
            other => other,
        })
    }

    /// Makes the changes of a source, all or none of them.
    ///
    /// # Errors
    /// A precondition does not hold, or everything that is wrong with the changes.
    pub fn partial_reload(&self, source: &Source, changes: &ChangeSet) -> Result<u64, StoreError> {
        self.stage_with(source, |writer| {
            let state = writer.state();
            write::check_preconditions(&state, source, &changes.preconditions)?;
            Ok(write::changes(&state, source, &changes.changes))
        })?
        .wait()
    }

    /// What the journal remembers of versions below `before`, or of all; the newest first, at most `limit`. Nothing without
    /// a journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, StoreError> {
        let Some(keeper) = self.inner.keeper() else { return Ok(Vec::new()) };
        keeper.journal.history(before, limit).map_err(StoreError::NotDurable)
    }

    /// What the journal remembers of a version.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, StoreError> {
        let Some(keeper) = self.inner.keeper() else { return Ok(None) };
        keeper.journal.entry(version).map_err(StoreError::NotDurable)
    }

    /// Answers are made another way from now on; see [`set_options`](Self::set_options).
    ///
    /// # Errors
    /// None that are known.
    pub fn set_policy(&self, policy: &AnswerPolicy) -> Result<u64, StoreError> {
        let mut version = self.version();
        for view in self.views() {
            version = view.change_options(|old| StoreOptions { policy: policy.clone(), ..old.clone() })?;
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
            version = view.change_options(|_| options.clone())?;
        }
        Ok(version)
    }

    /// Handles of all views, the default one first.
    pub fn views(&self) -> Vec<Self> {
        let turn = self.inner.turn();
        turn.planes.iter().map(|plane| Self { plane: plane.clone(), ..self.clone() }).collect()
    }

    /// Gives a view that has just come what the journal has of it.
    fn restore_view(&self, plane: &Plane, turn: &mut Turn) {
        let Some(keeper) = self.inner.keeper() else { return };
        let mut writer = plane.writer();
        let restored = Restored::read(keeper.journal.as_ref(), &plane.name);
        match restored.and_then(|restored| restored.enter(&mut writer)) {
            Ok(next) => {
                let state = writer.accept(next);
                turn.catalog = state.catalog.clone();
                plane.state.store(state);
            }
            Err(error) => {
                tracing::error!(view = %plane.name, %error, "what the journal has of the view is not served");
            }
        }
    }

    /// Access to the newest catalog for one worker.
    pub fn reader(&self) -> Reader {
        Reader { latest: self.inner.catalog.latest() }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.plane.state.load()
    }

    /// The right to write what no journal has to keep first: there is nothing then that is not visible yet.
    pub(crate) fn lock(&self) -> Writing<'_> {
        self.take_turn(self.inner.turn_alone())
    }

    /// The right to write on top of what others have staged.
    fn lock_to_stage(&self) -> Writing<'_> {
        let mut turn = self.inner.turn();
        while turn.waiting > 0 {
            turn = self.inner.settled.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        self.take_turn(turn)
    }

    /// The right to look at what the next writer will build on.
    pub(crate) fn lock_to_plan(&self) -> Writing<'_> {
        self.take_turn(self.inner.turn())
    }

    fn take_turn<'s>(&'s self, turn: MutexGuard<'s, Turn>) -> Writing<'s> {
        let mut writer = self.plane.writer();
        // Only a view that is gone has missed anything.
        self.plane.rebase(&mut writer, &turn.catalog);
        Writing { writer, turn }
    }

    /// Makes what `work` finds out to be done.
    pub(crate) fn stage_with(
        &self,
        source: &Source,
        work: impl FnOnce(&Writer) -> Result<Step, StoreError>,
    ) -> Result<Pending, StoreError> {
        let keeper = self.inner.keeper().filter(|_| source.kind().is_durable());
        let is_durable = keeper.is_some_and(Keeper::is_durable);
        let mut writing = if is_durable { self.lock_to_stage() } else { self.lock() };
        let step = work(&writing)?;
        let state = writing.state();
        if step.is_empty() {
            return Ok(self.wait_for_others(&mut writing, state.catalog.version()));
        }
        let differences = keeper.map(|_| step.differences(&state, source));
        let zones: Vec<Name> = step.transaction.zones.keys().cloned().collect();
        let next = step.prepare(&writing, source)?;
        let entry = differences.filter(|(records, zones)| !records.is_empty() || !zones.is_empty()).map(
            |(records, zones)| Entry {
                version: next.version(),
                time: now(),
                view: state.view_name.clone(),
                source: source.clone(),
                author: self.author.clone(),
                records,
                zones,
            },
        );
        let mut events = Vec::new();
        for zone in zones {
            let (version, view) = (next.version(), state.view_name.clone());
            events.push(Event::Reloaded { version, view, source: source.clone(), zone });
        }
        if events.is_empty() || !next.changed.is_empty() {
            events.push(Event::Changed(next.changed.clone()));
        }
        self.publish(&mut writing, next, events, entry)
    }

    /// There is nothing to do, but what makes it so may not be safe yet.
    fn wait_for_others(&self, writing: &mut Writing<'_>, version: u64) -> Pending {
        let Some(keeper) = self.inner.keeper().filter(|_| writing.turn.staged > 0) else {
            return Pending::done_at(version);
        };
        let (pending, ticket) = Pending::waiting(version);
        writing.turn.staged += 1;
        keeper.send(Staged { ticket: Some(ticket), is_counted: true, ..Staged::nothing(self.plane.clone()) });
        pending
    }

    /// Makes a transaction visible and tells everybody, at once or when the journal has it. Zones whose overlay has grown are
    /// packed anew meanwhile.
    fn publish(
        &self,
        writing: &mut Writing<'_>,
        mut next: Next,
        events: Vec<Event>,
        entry: Option<Entry>,
    ) -> Result<Pending, StoreError> {
        let version = next.version();
        let is_there = writing.turn.has(&self.plane);
        let keeper = self.inner.keeper().filter(|_| is_there);
        let entry = entry.filter(|_| is_there).map(Arc::new);
        if let (Some(keeper), Some(entry)) = (keeper.filter(|keeper| !keeper.is_durable()), &entry) {
            let batch = Batch { entries: vec![entry.clone()], marks: Marks::default() };
            keeper.journal.append(&batch).map_err(StoreError::NotDurable)?;
        }
        let keeper = keeper.filter(|keeper| keeper.is_durable());
        let marks = keeper.map(|_| writing.turn.marked.advance(&next, entry.is_some())).unwrap_or_default();
        let mut folding = None;
        let due = fold::due(next.state.view(), &next.changed.zones, next.state.options.fold_after);
        if !due.is_empty()
            && let Some(folder) = Folder::start(self.clone_weak())
        {
            let (catalog, folds) = fold::begin(next.state.catalog.as_ref().clone(), &self.plane.name, &due);
            next.state.catalog = Arc::new(catalog);
            folding = Some((folder, folds));
        }
        let names = next.names.clone();
        let (kept, changed) = (entry.clone(), next.changed.clone());
        let state = writing.accept(next);
        let plane = self.plane.clone();
        // What is built on something that is not safe is not shown before that is.
        let pending = if let Some(keeper) = keeper.filter(|_| entry.is_some() || writing.turn.staged > 0) {
            writing.turn.build_on(&self.plane, &state);
            writing.turn.staged += 1;
            let (pending, ticket) = Pending::waiting(version);
            let (state, ticket) = (Some(state), Some(ticket));
            keeper.send(Staged { plane, state, entry, names, marks, events, ticket, is_counted: true });
            pending
        } else {
            if self.show(writing, &state) {
                self.inner.tell(events);
            }
            if let Some(keeper) = keeper.filter(|_| marks != Marks::default()) {
                keeper.send(Staged { marks, ..Staged::nothing(plane) });
            }
            Pending::done_at(version)
        };
        if let Some((folder, folds)) = folding {
            folder.run(folds);
        }
        Ok(pending.that_changes(kept, changed))
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
        let is_there = writing.turn.has(&self.plane);
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

    fn change_options(&self, change: impl Fn(&StoreOptions) -> StoreOptions) -> Result<u64, StoreError> {
        // Options come from the configuration, and so do their consequences.
        let pending = self.stage_with(&Source::Config, |writer| {
            let state = writer.state();
            let options = change(&state.options);
            let mut transaction = Transaction::default();
            if *state.options == options {
                return Ok(Step::of(transaction));
            }
            if options.precedence != state.options.precedence {
                let names = state.flat.iter().map(|flat| (flat.name.clone(), flat.contributions.clone()));
                transaction.names = names.collect();
            }
            transaction.options = Some(options);
            Ok(Step::of(transaction))
        });
        pending?.wait()
    }
}

impl Turn {
    fn has(&self, plane: &Arc<Plane>) -> bool {
        self.planes.iter().any(|other| Arc::ptr_eq(other, plane))
    }

    /// Whoever writes next sees this state of a view, whose writer has it already; nobody else does.
    fn build_on(&mut self, plane: &Arc<Plane>, state: &Arc<State>) {
        self.catalog = state.catalog.clone();
        for other in self.planes.iter().filter(|other| !Arc::ptr_eq(other, plane)) {
            let mut writer = other.writer();
            let rebased = State { catalog: state.catalog.clone(), ..State::clone(&writer.state()) };
            writer.replace_state(Arc::new(rebased));
        }
    }
}

impl Inner {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing is staged, and lets nobody stage anything meanwhile.
    fn turn_alone(&self) -> MutexGuard<'_, Turn> {
        let mut turn = self.turn();
        if turn.staged > 0 {
            turn.waiting += 1;
            while turn.staged > 0 {
                turn = self.settled.wait(turn).unwrap_or_else(PoisonError::into_inner);
            }
            turn.waiting -= 1;
            if turn.waiting == 0 {
                self.settled.notify_all();
            }
        }
        turn
    }

    fn keeper(&self) -> Option<&Keeper> {
        self.keeper.get()
    }

    fn tell(&self, events: Vec<Event>) {
        for event in events {
            // Nobody listening is no error.
            let _ = self.events.send(event);
        }
    }

    /// Makes transactions visible that are safe by now, and tells everybody.
    pub fn show_staged(&self, all: Vec<Staged>) {
        let mut turn = self.turn();
        for staged in &all {
            if let Some(state) = &staged.state {
                staged.plane.state.store(state.clone());
            }
        }
        if let Some(state) = all.iter().rev().find_map(|staged| staged.state.as_ref()) {
            for plane in &turn.planes {
                let shown = plane.state.load();
                if !Arc::ptr_eq(&shown.catalog, &state.catalog) {
                    let rebased = State { catalog: state.catalog.clone(), ..State::clone(&shown) };
                    plane.state.store(Arc::new(rebased));
                }
            }
            self.catalog.store(state.catalog.clone());
        }
        let mut tickets = Vec::with_capacity(all.len());
        for staged in all {
            self.tell(staged.events);
            turn.staged -= usize::from(staged.is_counted);
            tickets.extend(staged.ticket);
        }
        self.settle(turn);
        for ticket in tickets {
            ticket.tell(Ok(()));
        }
    }

    /// Takes back what the journal could not keep, and all that was built on it.
    pub fn take_back(&self, mut all: Vec<Staged>, queue: &mpsc::Receiver<Staged>, error: &JournalError) {
        let mut turn = self.turn();
        // Nobody can stage anything more before the turn is given back.
        while let Ok(staged) = queue.try_recv() {
            all.push(staged);
        }
        for plane in &turn.planes {
            let of_plane = all.iter().filter(|staged| Arc::ptr_eq(&staged.plane, plane));
            plane.writer().adopt(plane.state.load(), of_plane.flat_map(|staged| &staged.names));
        }
        turn.catalog = self.catalog.load();
        turn.marked.forget();
        turn.staged -= all.iter().filter(|staged| staged.is_counted).count();
        self.settle(turn);
        for ticket in all.into_iter().filter_map(|staged| staged.ticket) {
            ticket.tell(Err(error.clone()));
        }
    }

    fn settle(&self, turn: MutexGuard<'_, Turn>) {
        let is_settled = turn.staged == 0;
        drop(turn);
        if is_settled {
            self.settled.notify_all();
        }
    }
}

/// The time as entries of the history have it.
fn now() -> SystemTime {
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(since.as_millis() as u64)
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
        Some(Store { inner: self.inner.upgrade()?, plane: self.plane.upgrade()?, author: Arc::default() })
    }
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
