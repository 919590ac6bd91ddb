//! The handle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use arc_swap::ArcSwap;
use dns_backend::{CatalogReader, Catalogs};
use dns_core::zone::Folded;
use dns_core::{AnswerPolicy, Catalog, Change, ChangeSet, Name, Precondition, RecordType, Rrset, plan};
use tokio::sync::broadcast;

use crate::commit::{Transaction, Writer};
use crate::event::{Event, Watch};
use crate::layers::{self, Contribution};
use crate::{Reason, Source, StoreError, StoreOptions, fold};

/// All records, by source. A handle: clones share one store.
///
/// Readers never wait and are never waited for; writers take turns.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    catalog: Arc<ArcSwap<Catalog>>,
    writer: Mutex<Writer>,
    events: broadcast::Sender<Event>,
}

impl Store {
    /// A store without records.
    pub fn new(options: StoreOptions) -> Self {
        let catalog = Catalog::new().with_policy(options.policy.clone());
        let (events, _) = broadcast::channel(options.events_kept.max(1));
        Self {
            inner: Arc::new(Inner {
                catalog: Arc::new(ArcSwap::from_pointee(catalog)),
                writer: Mutex::new(Writer::new(options)),
                events,
            }),
        }
    }

    /// Everything that is served right now.
    pub fn snapshot(&self) -> Arc<Catalog> {
        self.inner.catalog.load_full()
    }

    /// Counts the changes since the start.
    pub fn version(&self) -> u64 {
        self.inner.catalog.load().version()
    }

    /// Follows the changes from now on.
    pub fn watch(&self) -> Watch {
        Watch { receiver: self.inner.events.subscribe() }
    }

    /// Adds an RRset of a new name and type.
    ///
    /// # Errors
    /// Somebody has records of that name and type, the version is another one than `if_version`, or the records cannot be
    /// served.
    pub fn create(&self, source: &Source, rrset: Rrset, if_version: Option<u64>) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        let (owner, rtype) = (rrset.owner().clone(), rrset.rtype());
        if let Some(holder) = self.holders(&writer, &owner, Some(rtype)).into_iter().next() {
            return Err(StoreError::Exists(Reason::Present { owner, rtype: Some(rtype), holder }));
        }
        self.commit(&mut writer, source, &with_version(Change::Put(rrset), if_version))
    }

    /// Replaces the RRset of a name and type. Where it is another source's, that one is hidden and kept.
    ///
    /// # Errors
    /// Nobody has records of that name and type, or as [`create`](Self::create).
    pub fn update(&self, source: &Source, rrset: Rrset, if_version: Option<u64>) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        let (owner, rtype) = (rrset.owner().clone(), rrset.rtype());
        if self.holders(&writer, &owner, Some(rtype)).is_empty() {
            return Err(StoreError::NotFound(Reason::NoRecords { owner, rtype: Some(rtype) }));
        }
        self.commit(&mut writer, source, &with_version(Change::Put(rrset), if_version))
    }

    /// Deletes what the source has of a name and type, or of a name.
    ///
    /// # Errors
    /// Nobody has such records, or only others do, or the version is another one than `if_version`.
    pub fn delete(
        &self,
        source: &Source,
        owner: &Name,
        rtype: Option<RecordType>,
        if_version: Option<u64>,
    ) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        let holders = self.holders(&writer, owner, rtype);
        if !holders.contains(source) {
            let owner = owner.clone();
            return Err(match holders.into_iter().next() {
                None => StoreError::NotFound(Reason::NoRecords { owner, rtype }),
                Some(holder) => StoreError::Foreign(Reason::Foreign { owner, rtype, holder }),
            });
        }
        self.commit(
            &mut writer,
            source,
            &with_version(Change::Delete { owner: owner.clone(), rtype }, if_version),
        )
    }

    /// Gives a source exactly these records: what has not changed is not touched. All or nothing.
    pub fn hot_reload(&self, source: &Source, records: &[Rrset]) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        let current: Vec<Rrset> = writer
            .flat
            .values()
            .flatten()
            .filter(|contribution| contribution.source == *source)
            .map(|contribution| contribution.rrset.clone())
            .collect();
        let changes = plan(&current, records);
        if changes.is_empty() {
            return Ok(self.version());
        }
        self.commit(&mut writer, source, &changes).map_err(|error| match error {
            StoreError::Invalid(reasons) => StoreError::ReloadFailed { source_name: source.clone(), reasons },
            other => other,
        })
    }

    /// Makes the changes of a source, all or none of them.
    pub fn partial_reload(&self, source: &Source, changes: &ChangeSet) -> Result<u64, StoreError> {
        let mut writer = self.lock();
        self.commit(&mut writer, source, changes)
    }

    /// Answers are made another way from now on.
    pub fn set_policy(&self, policy: AnswerPolicy) {
        let mut writer = self.lock();
        writer.options.policy = policy.clone();
        let catalog = Catalog::clone(&self.snapshot());
        let version = catalog.version() + 1;
        self.inner.catalog.store(Arc::new(catalog.with_policy(policy).with_version(version)));
    }

    /// Access to the newest catalog for one worker.
    pub fn reader(&self) -> Reader {
        Reader { cache: arc_swap::Cache::new(self.inner.catalog.clone()) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Writer> {
        // A writer that panicked has not published, and has not touched the writer's state before it could.
        self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a catalog visible and tells everybody; zones of `touched` whose overlay has grown are packed anew meanwhile.
    pub(crate) fn publish(&self, writer: &Writer, catalog: Catalog, event: Event, touched: &[Name]) {
        let (catalog, folds) = fold::begin(catalog, touched, writer.options.fold_after);
        self.inner.catalog.store(Arc::new(catalog));
        // Nobody listening is no error.
        let _ = self.inner.events.send(event);
        for (apex, fold) in folds {
            let inner = Arc::downgrade(&self.inner);
            let finish = move || {
                let folded = fold.run();
                if let Some(inner) = inner.upgrade() {
                    Self { inner }.finish_fold(&apex, folded);
                }
            };
            if let Err(error) = thread::Builder::new().name("fold".into()).spawn(finish) {
                // The zone is right as it is, only slower; the next start packs it.
                tracing::warn!(%error, "cannot start a thread to pack a zone anew");
            }
        }
    }

    fn finish_fold(&self, apex: &Name, folded: Folded) {
        let _writer = self.lock();
        if let Some(catalog) = fold::finish(&self.snapshot(), apex, folded) {
            self.inner.catalog.store(Arc::new(catalog));
        }
    }

    fn commit(&self, writer: &mut Writer, source: &Source, changes: &ChangeSet) -> Result<u64, StoreError> {
        let catalog = self.snapshot();
        check_preconditions(writer, source, &catalog, &changes.preconditions)?;
        let mut names: BTreeMap<Name, Vec<Contribution>> = BTreeMap::new();
        let mut reasons = Vec::new();
        for change in &changes.changes {
            if let Change::Put(rrset) | Change::Add(rrset) = change {
                layers::check_rrset(source, rrset, &writer.options, &mut reasons);
                if rrset.owner().is_root() && writer.declared.get(rrset.owner()).is_none() {
                    let why = "the root needs a zone of its own";
                    reasons.push(Reason::InvalidName { owner: rrset.owner().clone(), why });
                }
            }
            let owner = change.owner();
            if !names.contains_key(owner) {
                names.insert(owner.clone(), writer.flat.get(owner).cloned().unwrap_or_default());
            }
            if let Some(contributions) = names.get_mut(owner) {
                layers::apply(contributions, source, change);
            }
        }
        for contributions in names.values() {
            layers::check_name(contributions, source, &mut reasons);
        }
        names.retain(|name, contributions| {
            writer.flat.get(name).map_or(&[][..], |old| old) != &contributions[..]
        });
        if !reasons.is_empty() {
            return Err(StoreError::Invalid(reasons));
        }
        if names.is_empty() {
            return Ok(catalog.version());
        }
        let transaction = Transaction { names, zones: BTreeMap::new() };
        let prepared = writer.prepare(&catalog, source, transaction).map_err(StoreError::Invalid)?;
        let (catalog, changed, touched) = writer.accept(prepared);
        let version = catalog.version();
        self.publish(writer, catalog, Event::Changed(Arc::new(changed)), &touched);
        Ok(version)
    }
}

fn check_preconditions(
    writer: &Writer,
    source: &Source,
    catalog: &Catalog,
    preconditions: &[Precondition],
) -> Result<(), StoreError> {
    let own = |owner: &Name, rtype: Option<RecordType>| {
        let contributions = writer.flat.get(owner).map_or(&[][..], |contributions| contributions);
        let matches = move |contribution: &&Contribution| {
            contribution.source == *source && rtype.is_none_or(|rtype| rtype == contribution.rrset.rtype())
        };
        contributions.iter().find(matches).map(|contribution| contribution.rrset.clone())
    };
    for precondition in preconditions {
        match precondition {
            Precondition::Version(expected) if *expected != catalog.version() => {
                return Err(StoreError::VersionMismatch { expected: *expected, current: catalog.version() });
            }
            Precondition::Exists(owner, rtype) if own(owner, *rtype).is_none() => {
                return Err(StoreError::Precondition(Reason::NoRecords {
                    owner: owner.clone(),
                    rtype: *rtype,
                }));
            }
            Precondition::Absent(owner, rtype) if own(owner, *rtype).is_some() => {
                let reason = Reason::Present { owner: owner.clone(), rtype: *rtype, holder: source.clone() };
                return Err(StoreError::Precondition(reason));
            }
            Precondition::Equals(rrset)
                if own(rrset.owner(), Some(rrset.rtype())).as_ref() != Some(rrset) =>
            {
                let reason = Reason::Differs { owner: rrset.owner().clone(), rtype: rrset.rtype() };
                return Err(StoreError::Precondition(reason));
            }
            _ => {}
        }
    }
    Ok(())
}

fn with_version(change: Change, if_version: Option<u64>) -> ChangeSet {
    ChangeSet {
        changes: vec![change],
        preconditions: if_version.map(Precondition::Version).into_iter().collect(),
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "store at version {}", self.version())
    }
}

/// Access to the newest catalog for one worker; see [`Store::reader`].
pub struct Reader {
    cache: arc_swap::Cache<Arc<ArcSwap<Catalog>>, Arc<Catalog>>,
}

impl CatalogReader for Reader {
    #[inline]
    fn current(&mut self) -> &Catalog {
        self.cache.load()
    }
}

impl Catalogs for Store {
    type Reader = Reader;

    fn reader(&self) -> Reader {
        Self::reader(self)
    }
}
