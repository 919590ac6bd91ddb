//! The handle.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use dns_backend::{CatalogReader, Catalogs};
use dns_core::{
    AnswerPolicy, Catalog, ChangeSet, Name, Precondition, RecordType, Rrset, View, ViewSpec, plan,
};

use crate::commit::Transaction;
use crate::event::{Event, Watch};
use crate::journal::{Batch, Entry, Journal, JournalError};
use crate::keeper::Keeper;
use crate::pending::Pending;
use crate::restore::Restored;
use crate::state::State;
use crate::sync::Latest;
use crate::turn::{Inner, Plane, Turn};
use crate::write::{self, Step, Write};
use crate::{Source, StoreError, StoreOptions};

/// All records of one view, by source. A handle: clones share one store.
///
/// It begins with the default view; [`set_views`](Self::set_views) makes others and [`view`](Self::view) gives the handles
/// for them. Readers never wait and are never waited for; writers take turns.
#[derive(Clone)]
pub struct Store {
    /// Dropped before the rest. Threads of the store itself hold none.
    pub(crate) _held: Option<Arc<Held>>,
    pub(crate) inner: Arc<Inner>,
    /// The view that this handle is for.
    pub(crate) plane: Arc<Plane>,
    /// Who writes by it.
    pub(crate) author: Arc<str>,
}

impl Store {
    /// A store without records.
    pub fn new(options: StoreOptions) -> Self {
        let events_kept = options.events_kept;
        Self::of_state(State::new(options), events_kept)
    }

    /// A store of its own that begins with this, and whose changes nobody keeps.
    pub(crate) fn of_state(state: State, events_kept: usize) -> Self {
        let catalog = state.catalog.clone();
        let plane = Plane::new(state);
        let inner = Arc::new(Inner::new(catalog, plane.clone(), events_kept));
        let held = Some(Arc::new(Held { inner: Arc::downgrade(&inner) }));
        Self { _held: held, inner, plane, author: Arc::default() }
    }

    /// A store that has what a journal has kept, and gives it all that durable sources write from now on: what was
    /// acknowledged is there again when it is opened the next time. What others have written is not: they write it anew.
    ///
    /// A journal that cannot be written for now, on a full disk, say, is no reason not to serve what it has.
    ///
    /// # Errors
    /// The journal cannot be read, or is damaged.
    pub fn open(options: StoreOptions, journal: Arc<dyn Journal>) -> Result<Self, JournalError> {
        Self::open_expecting(options, journal, Vec::new())
    }

    /// The same for one who next [puts](Self::put_zone) these zones, or [fails](Self::fail_zone) them. Until then they stand there
    /// without content, and their names get SERVFAIL; those of other views from the first [`set_views`](Self::set_views) on. What
    /// a journal has at names in them would otherwise be served in many small zones, and move from there name by name.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_expecting(
        options: StoreOptions,
        journal: Arc<dyn Journal>,
        expected: Vec<ExpectedZone>,
    ) -> Result<Self, JournalError> {
        let store = Self::new(options);
        let restored = Restored::read(journal.as_ref(), store.view_name())?;
        let mut writing = store.lock();
        let state = restored.enter(&mut writing, &of_view(&expected, store.view_name()))?;
        writing.turn.expected = expected;
        let (version, derived_serial) = (state.catalog.version(), state.serials.derived);
        let mut is_failing = false;
        if journal.is_durable() {
            let marks = writing.turn.marked.begin(version, derived_serial);
            match journal.append(&Batch { entries: Vec::new(), marks }) {
                // What is there can be served, and the marks are tried again with the first change.
                Err(error @ JournalError::Unavailable(_)) => {
                    tracing::error!("changes cannot be kept for now: {error}");
                    is_failing = true;
                    writing.turn.marked.forget();
                }
                appended => appended?,
            }
        }
        let state = writing.accept_restored(state);
        store.show(&mut writing, &state);
        drop(writing);
        let keeper = Keeper::start(journal, Arc::downgrade(&store.inner))?;
        keeper.is_failing.store(is_failing, Relaxed);
        // Nobody else has the store yet.
        let _ = store.inner.keeper.set(keeper);
        Ok(store)
    }

    /// What durable sources write is kept on disk before anybody sees it.
    pub fn is_durable(&self) -> bool {
        self.inner.keeper().is_some_and(Keeper::is_durable)
    }

    /// The journal could keep what it was given last, if there is one.
    pub fn can_keep(&self) -> bool {
        self.inner.keeper().is_none_or(|keeper| !keeper.is_failing.load(Relaxed))
    }

    /// Batches, of changes or of marks alone, that the journal could not keep since the start; nothing of them was ever visible.
    pub fn journal_failures(&self) -> u64 {
        self.inner.keeper().map_or(0, |keeper| keeper.failures.load(Relaxed))
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
        // Views that come later have zones that nobody has told of.
        let expected = std::mem::take(&mut turn.expected);
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
                self.restore_view(&plane, &mut turn, &expected);
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
    /// All or nothing. For a durable source, which seldom does so, the names of all sources are looked at.
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
    fn restore_view(&self, plane: &Plane, turn: &mut Turn, expected: &[ExpectedZone]) {
        let Some(keeper) = self.inner.keeper() else { return };
        let mut writer = plane.writer();
        let restored = Restored::read(keeper.journal.as_ref(), &plane.name);
        let expected = of_view(expected, &plane.name);
        match restored.and_then(|restored| restored.enter(&mut writer, &expected)) {
            Ok(state) => {
                let state = writer.accept_restored(state);
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
                let names =
                    state.flat.iter().map(|flat| (flat.name().clone(), flat.contributions().to_vec()));
                transaction.names = names.collect();
            }
            transaction.options = Some(options);
            Ok(Step::of(transaction))
        });
        pending?.wait()
    }
}

/// What all handles hold that somebody was given. With the last of them goes the way to the journal, once that has everything:
/// whoever opens it next finds it, even if a thread of the store has something left to show or to fold.
pub(crate) struct Held {
    inner: Weak<Inner>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(keeper) = self.inner.upgrade().as_deref().and_then(Inner::keeper) {
            keeper.close();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let catalog = self.snapshot();
        let zones = catalog.view(self.view_name()).map_or(0, View::len);
        write!(f, "view {} with {zones} zones at version {}", self.view_name(), catalog.version())
    }
}

/// A zone that is about to be put from a file; see [`Store::open_expecting`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExpectedZone {
    /// The view that it will be in.
    pub view: Arc<str>,
    /// Its apex.
    pub apex: Name,
}

fn of_view(expected: &[ExpectedZone], view: &str) -> Vec<Name> {
    expected.iter().filter(|zone| *zone.view == *view).map(|zone| zone.apex.clone()).collect()
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
