//! Changes to the store, made so that clients who wait for the disk hold no threads.

use std::sync::Arc;

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use dns_core::{Name, Precondition, RecordType, Rrset, zonecheck};
use dns_store::{Changed, Entry, Planned, RecordChange, Source, Store, StoreError, Write, ZoneRecord};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::api::Api;
use crate::auth::Caller;
use crate::convert;
use crate::doubts;
use crate::model::{ChangeSetAnswer, Finding, Problem, ProblemKind, Served, Severity};

/// Names that are looked at for warnings after a write; whoever changes more than this asks for a check of the zone.
pub(crate) const CHECKED_MAX: usize = 100;

/// Names, types and zones that may be worked on where others wait meanwhile: it takes no longer than handing it over would.
const FEW: usize = 50;

/// Who may work for writes. The store lets one at a time; another one stands ready.
pub(crate) struct Writers {
    turns: Arc<Semaphore>,
}

impl Default for Writers {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(2)) }
    }
}

/// The version that a request has led to, for the audit log: handlers put it into the extensions of their answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangedIn(pub u64);

/// A write that is made: kept safe, if anything here is, and visible.
pub(crate) struct Made {
    /// The version that has it.
    pub version: u64,
    /// What the history has of it; `None` if nothing was to be done.
    pub entry: Option<Arc<Entry>>,
    /// What clients of DNS get otherwise; `None` if nothing was to be done.
    pub served: Option<Arc<Changed>>,
}

/// Makes a write of the API for a caller. Should the client leave meanwhile, it is made all the same.
pub(crate) async fn make(
    api: &Api,
    author: Arc<str>,
    write: impl Into<Arc<Write>>,
    preconditions: Vec<Precondition>,
) -> Result<Made, WriteError> {
    let (store, write) = (api.store().on_behalf_of(author), write.into());
    let pending = match store.try_stage(&Source::Api, &write, &preconditions) {
        Some(staged) => staged?,
        None => at_work(api, move || store.stage(&Source::Api, &write, &preconditions)).await?,
    };
    let (entry, served) = (pending.entry().cloned(), pending.served().cloned());
    let version = pending.done().await?;
    Ok(Made { version, entry, served })
}

/// Finds out what a write of the API would come to.
pub(crate) async fn plan(
    api: &Api,
    write: impl Into<Arc<Write>>,
    preconditions: Vec<Precondition>,
) -> Result<Planned, WriteError> {
    let (store, write) = (api.store().clone(), write.into());
    at_work(api, move || store.plan(&Source::Api, &write, &preconditions)).await
}

async fn at_work<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, WriteError> {
    // The semaphore is never closed.
    let permit = api.writers().turns.clone().acquire_owned().await.ok();
    Ok(blocking(move || {
        // Given back when the work is done, even if the client leaves before.
        let _permit = permit;
        work()
    })
    .await??)
}

/// Runs what may take CPU time, or wait for a disk, where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a request was not worked out to its end");
        Problem::new(ProblemKind::Internal, "the request was not worked out to its end")
    })
}

/// Runs what takes CPU time in proportion to so many names, types or zones: here if they are few, else where it holds nobody up.
pub(crate) async fn in_proportion<T: Send + 'static>(
    count: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if count <= FEW { Ok(work()) } else { blocking(work).await }
}

/// Runs what reads much. A few do so at a time, however many ask: the others wait, and hold no threads.
pub(crate) async fn reading<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    // The semaphore is never closed.
    let permit = api.readers().clone().acquire_owned().await.ok();
    blocking(move || {
        // Given back when the work is done, even if the client leaves before.
        let _permit = permit;
        work()
    })
    .await
}

/// Why a write was not made.
pub(crate) enum WriteError {
    Store(StoreError),
    Problem(Problem),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Problem> for WriteError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Store(error) => error.into(),
            WriteError::Problem(problem) => problem,
        }
    }
}

/// What looks wrong with names and types that have just been written, and with what these hide. May take long where
/// [`is_far_reaching`].
pub(crate) fn warnings<'n>(
    store: &Store,
    written: impl IntoIterator<Item = (&'n Name, RecordType)>,
    caller: &Caller,
) -> Vec<Finding> {
    let catalog = store.snapshot();
    let Some(view) = catalog.view(store.view_name()) else { return Vec::new() };
    let mut warnings = Vec::new();
    let mut names: Vec<Name> = Vec::new();
    for (name, rtype) in written.into_iter().take(CHECKED_MAX) {
        names.push(name.clone());
        if caller.may_read(name, rtype) {
            warnings.extend(doubts::of_hidden(store, name, rtype, caller));
        }
        // The NS records of an apex delegate nothing.
        let is_of_zone = rtype == RecordType::NS && view.zone(name).is_some();
        if is_far_reaching(rtype) && !is_of_zone {
            names.extend(doubts::names_below(store, name, caller));
        }
    }
    names.sort();
    names.dedup();
    for name in &names {
        let Some(entry) = view.zone_of(name) else { continue };
        let Some(zone) = entry.zone() else { continue };
        let derived = entry.derived.then_some(&entry.apex);
        let findings = convert::findings(&zonecheck::check_names(zone, [name]).findings, derived, caller);
        warnings.extend(findings.into_iter().filter(|finding| finding.severity == Severity::Warning));
        if [RecordType::A, RecordType::AAAA].iter().all(|rtype| caller.may_read(name, *rtype)) {
            warnings.extend(doubts::of_glue(zone, name));
        }
    }
    warnings
}

/// What a zone that has just been made or imported hides of the zone above.
pub(crate) async fn hidden_by_zone(api: &Api, apex: &Name) -> Option<Finding> {
    let (store, apex) = (api.store().clone(), apex.clone());
    // The zone is there, whatever becomes of looking at it.
    reading(api, move || doubts::of_zone(&store, &apex)).await.ok().flatten()
}

/// Records of the type concern the names below their own.
pub(crate) fn is_far_reaching(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::NS | RecordType::DNAME)
}

impl Made {
    /// Records that were written.
    fn records(&self) -> impl Iterator<Item = &Rrset> {
        self.entry.iter().flat_map(|entry| &entry.records).filter_map(|change| change.after.as_ref())
    }

    /// Names and types that have changed.
    fn changed(&self) -> impl Iterator<Item = (&Name, RecordType)> {
        self.entry.iter().flat_map(|entry| &entry.records).map(|change| (&change.owner, change.rtype))
    }

    /// An answer that says to the audit log what has come of it.
    pub fn told(&self, body: &impl Serialize) -> Response {
        (Extension(ChangedIn(self.version)), axum::Json(body)).into_response()
    }

    /// The answer to a caller, with at most so many records, and with what `body` makes of it.
    pub async fn answer<B: Serialize>(
        self,
        api: &Api,
        caller: &Caller,
        records_max: usize,
        body: impl FnOnce(ChangeSetAnswer) -> (StatusCode, B) + Send + 'static,
    ) -> Result<Response, Problem> {
        let count = self.entry.as_ref().map_or(0, |entry| entry.records.len() + entry.zones.len())
            + self.served.as_ref().map_or(0, |served| count_of(served));
        let count = if self.changed().any(|(_, rtype)| is_far_reaching(rtype)) { FEW + 1 } else { count };
        let (store, caller) = (api.store().clone(), caller.clone());
        in_proportion(count, move || {
            let (records, zones) = match &self.entry {
                Some(entry) => (&entry.records[..], &entry.zones[..]),
                None => Default::default(),
            };
            let changed = Outcome { version: self.version, records, zones, served: self.served.as_deref() };
            let mut warnings = warnings(&store, self.changed(), &caller);
            warnings.extend(self.records().filter_map(|rrset| doubts::of_serial(&store, rrset)));
            let (status, body) =
                body(ChangeSetAnswer { warnings, ..changed.answer(&store, &caller, records_max) });
            (status, self.told(&body)).into_response()
        })
        .await
    }
}

/// A plan as an answer to a caller, with at most so many records, and with what `body` makes of it.
pub(crate) async fn planned<B: Serialize>(
    plan: Planned,
    api: &Api,
    caller: &Caller,
    records_max: usize,
    body: impl FnOnce(ChangeSetAnswer) -> B + Send + 'static,
) -> Result<Response, Problem> {
    let mut count = plan.records.len() + plan.zones.len() + count_of(&plan.served);
    if plan.records.iter().any(|change| is_far_reaching(change.rtype)) {
        count = count.max(FEW + 1);
    }
    let (store, caller) = (api.store().clone(), caller.clone());
    in_proportion(count, move || {
        let Planned { version, records, zones, served, after } = &plan;
        let changed = Outcome { version: *version, records, zones, served: Some(served) };
        let changes = records.iter().map(|change| (&change.owner, change.rtype));
        let mut warnings = warnings(after, changes, &caller);
        let written = records.iter().filter_map(|change| change.after.as_ref());
        warnings.extend(written.filter_map(|rrset| doubts::of_serial(after, rrset)));
        let answer =
            ChangeSetAnswer { dry_run: true, warnings, ..changed.answer(&store, &caller, records_max) };
        axum::Json(body(answer)).into_response()
    })
    .await
}

/// Names, types and zones.
fn count_of(served: &Changed) -> usize {
    let Changed { added, updated, deleted, zones, .. } = served;
    added.len() + updated.len() + deleted.len() + zones.len()
}

/// What has become otherwise, or would.
struct Outcome<'o> {
    version: u64,
    records: &'o [RecordChange],
    zones: &'o [ZoneRecord],
    served: Option<&'o Changed>,
}

impl Outcome<'_> {
    fn answer(&self, store: &Store, caller: &Caller, max: usize) -> ChangeSetAnswer {
        let (records, total) = convert::record_changes(self.records, caller, max);
        let served = self.served.map(|served| convert::served(served, caller, max));
        let zones = convert::zone_changes(self.zones, caller);
        let reloaded = zones.iter().map(|zone| zone.name.clone()).collect();
        ChangeSetAnswer {
            version: self.version,
            durable: store.is_durable(),
            dry_run: false,
            records_total: (records.len() < total).then_some(total),
            records,
            zones,
            served: Served { reloaded, ..served.unwrap_or_default() },
            warnings: Vec::new(),
        }
    }
}

/// Refuses a caller who may not write these records.
pub(crate) fn check_write(
    caller: &Caller,
    mut records: impl Iterator<Item = (Name, RecordType)>,
) -> Result<(), Problem> {
    match records.find(|(owner, rtype)| !caller.may_write(owner, *rtype)) {
        None => Ok(()),
        Some((owner, RecordType::ANY)) => {
            Err(forbidden(format!("the token does not allow changes to all records of {owner}")))
        }
        Some((owner, rtype)) => {
            Err(forbidden(format!("the token does not allow changes to {owner} {rtype}")))
        }
    }
}

/// Beyond what the token allows.
pub(crate) fn forbidden(detail: String) -> Problem {
    Problem::new(ProblemKind::Forbidden, detail)
}
