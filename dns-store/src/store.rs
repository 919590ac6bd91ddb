//! The handle.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use dns_backend::{CatalogReader, Catalogs};
use dns_core::zone::Folded;
use dns_core::{AnswerPolicy, Catalog, Change, ChangeSet, Name, Precondition, RecordType, Rrset, View, plan};
use tokio::sync::broadcast;

use crate::commit::{Next, Transaction, Writer};
use crate::event::{Event, Watch};
use crate::fold::{self, Folder};
use crate::layers::{self, Contribution};
use crate::state::{Holder, State};
use crate::sync::{Latest, Mutex, MutexGuard, PoisonError, Published};
use crate::{Reason, Source, StoreError, StoreOptions};

/// All records, by source. A handle: clones share one store.
///
/// Readers never wait and are never waited for; writers take turns.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    /// What queries are answered from; the same as in `state`, one step nearer.
    catalog: Published<Catalog>,
    state: Published<State>,
    writer: Mutex<Writer>,
    events: broadcast::Sender<Event>,
}

impl Store {
    /// A store without records.
    pub fn new(options: StoreOptions) -> Self {
        let (events, _) = broadcast::channel(options.events_kept.max(1));
        let state = Arc::new(State::new(options));
        Self {
            inner: Arc::new(Inner {
                catalog: Published::new(state.catalog.clone()),
                state: Published::new(state.clone()),
                writer: Mutex::new(Writer::new(state)),
                events,
            }),
        }
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
    pub fn set_policy(&self, policy: AnswerPolicy) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        // Read when nobody else can change them.
        let options = StoreOptions { policy, ..writer.state().options.as_ref().clone() };
        self.change_options(&mut writer, options)
    }

    /// The options that count now.
    pub fn options(&self) -> StoreOptions {
        self.inner.state.load().options.as_ref().clone()
    }

    /// Other options from now on. What is served follows at once: precedence, the records made up for derived zones, and
    /// what becomes of names that those do not have. Records that others have with TTLs out of the new bounds stay until
    /// they are written again. `first_serial` and `events_kept` count only when the store is made.
    ///
    /// # Errors
    /// The records made up for derived zones would fit into no message.
    pub fn set_options(&self, options: StoreOptions) -> Result<u64, StoreError> {
        self.change_options(&mut self.lock(), options)
    }

    /// Access to the newest catalog for one worker.
    pub fn reader(&self) -> Reader {
        Reader { latest: self.inner.catalog.latest() }
    }

    pub(crate) fn upgrade(inner: &Weak<Inner>) -> Option<Self> {
        inner.upgrade().map(|inner| Self { inner })
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.inner.state.load()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Writer> {
        // A writer that panicked has not published, and has not touched the writer's state before it could.
        self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a transaction visible and tells everybody; zones whose overlay has grown are packed anew meanwhile.
    pub(crate) fn publish(&self, writer: &mut Writer, mut next: Next, events: Vec<Event>) {
        let mut folding = None;
        let due = fold::due(&next.state.catalog, &next.changed.zones, next.state.options.fold_after);
        if !due.is_empty()
            && let Some(folder) = Folder::start(Arc::downgrade(&self.inner))
        {
            let (catalog, folds) = fold::begin(next.state.catalog.as_ref().clone(), &due);
            next.state.catalog = Arc::new(catalog);
            folding = Some((folder, folds));
        }
        self.show(&writer.accept(next));
        for event in events {
            // Nobody listening is no error.
            let _ = self.inner.events.send(event);
        }
        if let Some((folder, folds)) = folding {
            folder.run(folds);
        }
    }

    pub(crate) fn finish_fold(&self, apex: &Name, folded: Folded) {
        let mut writer = self.lock();
        let mut state = State::clone(&writer.state());
        if let Some(catalog) = fold::finish(&state.catalog, apex, folded) {
            state.catalog = Arc::new(catalog);
            let state = Arc::new(state);
            writer.replace_state(state.clone());
            self.show(&state);
        }
    }

    fn show(&self, state: &Arc<State>) {
        self.inner.state.store(state.clone());
        self.inner.catalog.store(state.catalog.clone());
    }

    fn change_options(&self, writer: &mut Writer, options: StoreOptions) -> Result<u64, StoreError> {
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

    fn commit(&self, writer: &mut Writer, source: &Source, changes: &ChangeSet) -> Result<u64, StoreError> {
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
        writer: &mut Writer,
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
        let zones = catalog.default_view().map_or(0, View::len);
        write!(f, "store with {zones} zones at version {}", catalog.version())
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
