//! Writers take turns; what one has made becomes visible at once, or when the journal has it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use dns_core::zone::Folded;
use dns_core::{Catalog, Name};
use tokio::sync::broadcast;

use crate::commit::{Next, Writer};
use crate::event::Event;
use crate::fold::{self, Folder};
use crate::journal::{Batch, Entry, Marks};
use crate::keeper::{Keeper, Made, Staged};
use crate::marked::Marked;
use crate::pending::{Issuer, Pending};
use crate::state::State;
use crate::store::{ExpectedZone, Store};
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, Published, TryLockError, mpsc};
use crate::write::Step;
use crate::{Source, StoreError};

/// What the views have in common.
pub(crate) struct Inner {
    /// What queries are answered from.
    pub catalog: Published<Catalog>,
    /// Whose turn it is to write, and where.
    pub turn: Mutex<Turn>,
    /// No transaction is staged any more, or nobody waits for that any more.
    pub settled: Condvar,
    pub events: broadcast::Sender<Event>,
    /// Set before anybody else has a handle, if there is a journal.
    pub keeper: OnceLock<Keeper>,
}

pub(crate) struct Turn {
    /// The newest one: what the next writer builds on. With a durable journal it may not be visible yet.
    pub catalog: Arc<Catalog>,
    /// The views that there are, the default one first.
    pub planes: Vec<Arc<Plane>>,
    /// Transactions that are made, and neither safe nor visible.
    pub staged: usize,
    /// Writers who wait for there to be none.
    pub waiting: usize,
    pub marked: Marked,
    /// Zones of the views that come first; see [`Store::open_expecting`].
    pub expected: Vec<ExpectedZone>,
}

/// The records of one view.
pub(crate) struct Plane {
    pub name: Arc<str>,
    /// What is visible; the writer's own state may be ahead of it.
    pub state: Published<State>,
    writer: Mutex<Writer>,
}

/// The right to write into one view, until it is dropped.
pub(crate) struct Writing<'s> {
    writer: MutexGuard<'s, Writer>,
    // After the writer, so that it is given back later than that.
    pub turn: MutexGuard<'s, Turn>,
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
    pub fn new(state: State) -> Arc<Self> {
        let (name, state) = (state.view_name.clone(), Arc::new(state));
        let writer = Mutex::new(Writer::new(state.clone()));
        Arc::new(Self { name, state: Published::new(state), writer })
    }

    pub fn writer(&self) -> MutexGuard<'_, Writer> {
        // A writer that panicked has not published, and has not touched the writer's state before it could.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the view of a newer catalog, so that it keeps nothing of the others that is gone.
    pub fn rebase(&self, writer: &mut Writer, catalog: &Arc<Catalog>) {
        if !Arc::ptr_eq(&writer.state().catalog, catalog) {
            let state = Arc::new(State { catalog: catalog.clone(), ..State::clone(&writer.state()) });
            writer.replace_state(state.clone());
            self.state.store(state);
        }
    }
}

impl Store {
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
        let is_durable = source.kind().is_durable() && self.inner.keeper().is_some_and(Keeper::is_durable);
        let mut writing = if is_durable { self.lock_to_stage() } else { self.lock() };
        self.stage_here(&mut writing, source, work)
    }

    /// As [`stage_with`](Self::stage_with), if that needs no waiting and is quick enough.
    pub(crate) fn try_stage_with(
        &self,
        source: &Source,
        is_quick: impl FnOnce(&State) -> bool,
        work: impl FnOnce(&Writer) -> Result<Step, StoreError>,
    ) -> Option<Result<Pending, StoreError>> {
        let turn = self.inner.try_turn()?;
        // Others wait for their turn, or what is staged has to be safe before.
        let is_free = turn.waiting == 0 && (turn.staged == 0 || source.kind().is_durable());
        let mut writing = is_free.then(|| self.take_turn(turn))?;
        is_quick(writing.state_ref()).then(|| self.stage_here(&mut writing, source, work))
    }

    fn stage_here(
        &self,
        writing: &mut Writing<'_>,
        source: &Source,
        work: impl FnOnce(&Writer) -> Result<Step, StoreError>,
    ) -> Result<Pending, StoreError> {
        let keeper = self.inner.keeper().filter(|_| source.kind().is_durable());
        match self.stage_in_turn(writing, source, keeper, work) {
            // What it was refused for may be taken back yet, and then the answer would have been wrong.
            Err(refusal) if writing.turn.staged > 0 => {
                let version = writing.state_ref().catalog.version();
                Ok(self.wait_for_others(writing, version).refused(refusal))
            }
            staged => staged,
        }
    }

    fn stage_in_turn(
        &self,
        writing: &mut Writing<'_>,
        source: &Source,
        keeper: Option<&Keeper>,
        work: impl FnOnce(&Writer) -> Result<Step, StoreError>,
    ) -> Result<Pending, StoreError> {
        let step = work(writing)?;
        let state = writing.state();
        if step.is_empty() {
            return Ok(self.wait_for_others(writing, state.catalog.version()));
        }
        let differences = keeper.map(|_| step.differences(&state, source));
        let zones: Vec<Name> = step.transaction.zones.keys().cloned().collect();
        let next = step.prepare(writing, source)?;
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
        self.publish(writing, next, events, entry)
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
        let changed = next.changed.clone();
        let made = writing.accept(next, entry);
        let plane = self.plane.clone();
        // What is built on something that is not safe is not shown before that is.
        let pending = if let Some(keeper) = keeper.filter(|_| made.entry.is_some() || writing.turn.staged > 0)
        {
            writing.turn.build_on(&self.plane, &made.state);
            writing.turn.staged += 1;
            let (pending, ticket) = Pending::waiting(version);
            let (made, ticket) = (Some(made.clone()), Some(ticket));
            keeper.send(Staged { plane, made, marks, events, ticket, is_counted: true });
            pending
        } else {
            if self.show(writing, &made.state) {
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
        Ok(pending.that_changes(made, changed))
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
    pub(crate) fn show(&self, writing: &mut Writing<'_>, state: &Arc<State>) -> bool {
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

    pub(crate) fn clone_weak(&self) -> WeakStore {
        WeakStore { inner: Arc::downgrade(&self.inner), plane: Arc::downgrade(&self.plane) }
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
    /// With the default view alone, and without a journal.
    pub fn new(catalog: Arc<Catalog>, plane: Arc<Plane>, events_kept: usize) -> Self {
        let (events, _) = broadcast::channel(events_kept.max(1));
        let planes = vec![plane];
        let turn = Turn {
            catalog: catalog.clone(),
            planes,
            staged: 0,
            waiting: 0,
            marked: Marked::default(),
            expected: Vec::new(),
        };
        Self {
            catalog: Published::new(catalog),
            turn: Mutex::new(turn),
            settled: Condvar::new(),
            events,
            keeper: OnceLock::new(),
        }
    }

    pub fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn, if nobody has it.
    fn try_turn(&self) -> Option<MutexGuard<'_, Turn>> {
        match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits until nothing is staged, and lets nobody stage anything meanwhile.
    pub fn turn_alone(&self) -> MutexGuard<'_, Turn> {
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

    pub fn keeper(&self) -> Option<&Keeper> {
        self.keeper.get()
    }

    fn tell(&self, events: Vec<Event>) {
        for event in events {
            // Nobody listening is no error.
            let _ = self.events.send(event);
        }
    }

    /// Makes transactions visible that are safe by now, and tells everybody but those who wait for them: returns their
    /// tickets.
    pub fn show_staged(&self, all: Vec<Staged>) -> Vec<Issuer> {
        let mut turn = self.turn();
        // Freed when it is no longer our turn.
        let shown: Vec<Arc<State>> = turn.planes.iter().map(|plane| plane.state.load()).collect();
        for plane in &turn.planes {
            // Of a view's states, nobody needs to see those that are not the last.
            let mut of_plane = all.iter().rev().filter(|staged| Arc::ptr_eq(&staged.plane, plane));
            if let Some(made) = of_plane.find_map(|staged| staged.made.as_ref()) {
                plane.state.store(made.state.clone());
            }
        }
        if let Some(Made { state, .. }) = all.iter().rev().find_map(|staged| staged.made.as_deref()) {
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
        drop(shown);
        tickets
    }

    /// Takes back what the journal could not keep, and all that was built on it. Returns the tickets of those who wait.
    pub fn take_back(&self, mut all: Vec<Staged>, queue: &mpsc::Receiver<Staged>) -> Vec<Issuer> {
        let mut turn = self.turn();
        // Nobody can stage anything more before the turn is given back.
        while let Ok(staged) = queue.try_recv() {
            all.push(staged);
        }
        for plane in &turn.planes {
            // What others have is as it was: they do not write while something is staged.
            plane.writer().replace_state(plane.state.load());
        }
        turn.catalog = self.catalog.load();
        turn.marked.forget();
        turn.staged -= all.iter().filter(|staged| staged.is_counted).count();
        self.settle(turn);
        all.into_iter().filter_map(|staged| staged.ticket).collect()
    }

    fn settle(&self, turn: MutexGuard<'_, Turn>) {
        let is_settled = turn.staged == 0;
        drop(turn);
        if is_settled {
            self.settled.notify_all();
        }
    }
}

/// A store that goes when nobody else holds it.
pub(crate) struct WeakStore {
    inner: Weak<Inner>,
    plane: Weak<Plane>,
}

impl WeakStore {
    pub fn upgrade(&self) -> Option<Store> {
        let (inner, plane) = (self.inner.upgrade()?, self.plane.upgrade()?);
        Some(Store { _held: None, inner, plane, author: Arc::default() })
    }
}

/// The time as entries of the history have it.
fn now() -> SystemTime {
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(since.as_millis() as u64)
}
