//! Sets of changes, and the history of all changes.

mod history;
mod revert;
mod ttl;

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use dns_core::{Change, ChangeSet, Name, Precondition, RecordType};
use dns_store::{Reason, Source, Store, StoreError, Write};
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::ttl::Ttls;
use super::write::{self, WriteError, blocking};
use crate::api::Api;
use crate::auth::Caller;
use crate::body::{OctetsMax, to_its_end};
use crate::convert;
use crate::doubts;
use crate::extract::Json;
use crate::faults::{Faults, unique};
use crate::model::{self, ChangeRequest, ChangeSetAnswer, Problem, ProblemKind, RecordSpec};
use crate::problem::WriteProblems;

/// Changes in one request.
const CHANGES_MAX: usize = 10_000;
/// Preconditions in one request.
const PRECONDITIONS_MAX: usize = 10_000;
/// Letters of a comment.
const COMMENT_MAX: usize = 200;
/// Records that are shown of what was changed.
const RECORDS_SHOWN: usize = 10_000;
/// Octets of a request: room for as many changes as there may be, of some size.
const BODY_OCTETS_MAX: usize = 16 << 20;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(apply))
        // Only for the route above.
        .layer(Extension(OctetsMax(BODY_OCTETS_MAX)))
        .merge(history::routes())
        .merge(revert::routes())
}

/// Makes changes, all of them or none
///
/// With `dry_run` they are planned only: what they would come to is told, and nothing is changed.
#[utoipa::path(
    post, path = "/changes", tag = "changes", operation_id = "applyChanges", request_body = ChangeRequest,
    responses((status = 200, description = "What was changed, or would be", body = ChangeSetAnswer), WriteProblems),
)]
async fn apply(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(request, mut room): Json<ChangeRequest>,
) -> Result<Response, Problem> {
    let turn = room.take_turn();
    to_its_end(room, applied(api, caller, request, turn)).await
}

async fn applied(
    api: Arc<Api>,
    caller: Caller,
    request: ChangeRequest,
    turn: Option<OwnedSemaphorePermit>,
) -> Result<Response, Problem> {
    let ChangeRequest { changes, preconditions, dry_run, comment } = request;
    let author = author(&caller, comment.as_deref())?;
    let (store, default_ttl, by) = (api.store().clone(), api.host().default_ttl(), caller.clone());
    let read = move || {
        let doubts: Vec<_> =
            changes.iter().filter_map(given).take(write::CHECKED_MAX).flat_map(doubts::of_text).collect();
        let bounds = store.options().ttl_bounds;
        let set = read(changes, preconditions, default_ttl, &bounds, |owner| present(&store, owner))?;
        // There are as few of them as may be, by now.
        drop(turn);
        check_scope(&by, &set)?;
        Ok::<_, Problem>((set, doubts))
    };
    let (set, doubts) = blocking(read).await??;
    let write = Arc::new(Write::Changes(set));
    let answer = move |mut answer: ChangeSetAnswer| {
        answer.warnings.splice(0..0, doubts);
        answer
    };
    if dry_run {
        return match write::plan(&api, write.clone(), Vec::new()).await {
            Ok(plan) => write::planned(plan, &api, &caller, RECORDS_SHOWN, answer).await,
            Err(error) => Err(refused(error, write).await),
        };
    }
    match write::make(&api, author, write.clone(), Vec::new()).await {
        Ok(made) => {
            let answer = move |changed| (StatusCode::OK, answer(changed));
            made.answer(&api, &caller, RECORDS_SHOWN, answer).await
        }
        Err(error) => Err(refused(error, write).await),
    }
}

/// The records that a change brings.
fn given(change: &model::Change) -> Option<&RecordSpec> {
    match change {
        model::Change::Put { record } | model::Change::Add { record } => Some(record),
        model::Change::Remove { .. } | model::Change::Delete { .. } => None,
    }
}

/// Why a set of changes was not made.
async fn refused(error: WriteError, write: Arc<Write>) -> Problem {
    let explained = blocking(move || match &*write {
        Write::Changes(set) => failed(error, set),
        _ => error.into(),
    });
    explained.await.unwrap_or_else(|problem| problem)
}

/// Who it was for the history, and why.
fn author(caller: &Caller, comment: Option<&str>) -> Result<Arc<str>, Problem> {
    let Some(comment) = comment else { return Ok(caller.author()) };
    let mut faults = Faults::default();
    if comment.chars().count() > COMMENT_MAX {
        faults.add("comment", format_args!("it has more than {COMMENT_MAX} letters"));
    }
    if comment.chars().any(char::is_control) {
        faults.add("comment", "it has line ends or other control characters");
    }
    faults.none_or(format!("{}: {comment}", caller.author()).into())
}

/// Types and TTLs of what the API has at a name.
fn present(store: &Store, owner: &Name) -> Vec<(RecordType, u32)> {
    let found = store.found_at(owner).into_iter().filter(|found| found.source == Source::Api);
    found.map(|found| (found.rrset.rtype(), found.rrset.ttl())).collect()
}

/// Reads a request; everything that is wrong with it is told at once. `present` tells types and TTLs of what there is at a name.
pub(crate) fn read(
    changes: Vec<model::Change>,
    preconditions: Vec<model::Precondition>,
    default_ttl: u32,
    ttl_bounds: &RangeInclusive<u32>,
    present: impl Fn(&Name) -> Vec<(RecordType, u32)>,
) -> Result<ChangeSet, Problem> {
    let mut faults = Faults::default();
    for (place, count, max) in
        [("changes", changes.len(), CHANGES_MAX), ("preconditions", preconditions.len(), PRECONDITIONS_MAX)]
    {
        if count > max {
            faults.add(place, format_args!("there are {count}, at most {max} are allowed"));
        }
    }
    if !faults.is_empty() {
        return Err(faults.into_problem());
    }
    let mut set = ChangeSet::new();
    let mut ttls = Ttls::new(default_ttl, ttl_bounds, &present);
    for (at, change) in changes.into_iter().enumerate() {
        let place = format!("changes[{at}]");
        set.changes.extend(read_change(change, &place, &mut ttls, &mut faults));
    }
    // They are about what there is before the changes.
    let mut ttls = Ttls::new(default_ttl, ttl_bounds, &present);
    for (at, precondition) in preconditions.into_iter().enumerate() {
        let place = format!("preconditions[{at}]");
        set.preconditions.extend(read_precondition(precondition, &place, &mut ttls, &mut faults));
    }
    faults.none_or(set)
}

fn read_change<F: Fn(&Name) -> Vec<(RecordType, u32)>>(
    change: model::Change,
    place: &str,
    ttls: &mut Ttls<'_, F>,
    faults: &mut Faults,
) -> Option<Change> {
    if let Some(record) = given(&change) {
        convert::check_ttl(record.ttl, ttls.bounds(), &format!("{place}.record"), faults);
    }
    let mut rrset = |record, ttl| convert::rrset(record, ttl, &format!("{place}.record"), faults);
    Some(match change {
        model::Change::Put { record } => {
            let rrset = rrset(record, ttls.default())?;
            ttls.set(rrset.owner(), rrset.rtype(), rrset.ttl());
            Change::Put(rrset)
        }
        model::Change::Add { record } => {
            let ttl = ttls.of(&record);
            let rrset = rrset(record, ttl)?;
            ttls.set(rrset.owner(), rrset.rtype(), rrset.ttl());
            Change::Add(rrset)
        }
        model::Change::Remove { record } => Change::Remove(rrset(record, ttls.default())?),
        model::Change::Delete { name, rtype } => {
            let (owner, rtype) = read_name_and_type(&name, rtype.as_deref(), place, faults)?;
            ttls.forget(&owner, rtype);
            Change::Delete { owner, rtype }
        }
    })
}

fn read_precondition<F: Fn(&Name) -> Vec<(RecordType, u32)>>(
    precondition: model::Precondition,
    place: &str,
    ttls: &mut Ttls<'_, F>,
    faults: &mut Faults,
) -> Option<Precondition> {
    use model::Precondition::{Absent, Equals, Exists, Unchanged, Version};
    Some(match precondition {
        Exists(at) => {
            let place = format!("{place}.exists");
            let (owner, rtype) = read_name_and_type(&at.name, at.rtype.as_deref(), &place, faults)?;
            Precondition::Exists(owner, rtype)
        }
        Absent(at) => {
            let place = format!("{place}.absent");
            let (owner, rtype) = read_name_and_type(&at.name, at.rtype.as_deref(), &place, faults)?;
            Precondition::Absent(owner, rtype)
        }
        Equals(record) => {
            let ttl = ttls.of(&record);
            Precondition::Equals(convert::rrset(record, ttl, &format!("{place}.equals"), faults)?)
        }
        Unchanged(at) => {
            let owner = convert::name(&at.name, &format!("{place}.unchanged.name"), faults)?;
            Precondition::Unchanged(owner, at.version)
        }
        Version(version) => Precondition::Version(version),
    })
}

fn read_name_and_type(
    name: &str,
    rtype: Option<&str>,
    place: &str,
    faults: &mut Faults,
) -> Option<(Name, Option<RecordType>)> {
    let owner = convert::name(name, &format!("{place}.name"), faults);
    let rtype = match rtype {
        None => Some(None),
        Some(rtype) => convert::rtype(rtype, &format!("{place}.type"), faults).map(Some),
    };
    Some((owner?, rtype?))
}

/// Refuses changes beyond what the token allows, and preconditions on what it does not let be read.
fn check_scope(caller: &Caller, set: &ChangeSet) -> Result<(), Problem> {
    write::check_write(caller, set.changes.iter().map(|change| (change.owner().clone(), type_of(change))))?;
    let changed: HashSet<&Name> = set.changes.iter().map(Change::owner).collect();
    for (at, precondition) in set.preconditions.iter().enumerate() {
        let may = match precondition {
            Precondition::Exists(owner, rtype) | Precondition::Absent(owner, rtype) => {
                caller.may_read(owner, rtype.unwrap_or(RecordType::ANY))
            }
            Precondition::Equals(rrset) => caller.may_read(rrset.owner(), rrset.rtype()),
            // Whoever may change a name is told its version anyway.
            Precondition::Unchanged(owner, _) => {
                caller.may_read(owner, RecordType::ANY) || changed.contains(owner)
            }
            Precondition::Version(_) => true,
        };
        if !may {
            let detail = format!("preconditions[{at}]: the token does not let these records be read");
            return Err(write::forbidden(detail));
        }
    }
    Ok(())
}

/// The type that a change is about; ANY if it is all of them.
fn type_of(change: &Change) -> RecordType {
    match change {
        Change::Put(rrset) | Change::Add(rrset) | Change::Remove(rrset) => rrset.rtype(),
        Change::Delete { rtype, .. } => rtype.unwrap_or(RecordType::ANY),
    }
}

/// Tells which of the changes, or of the preconditions, each reason of the store is about.
fn failed(error: WriteError, set: &ChangeSet) -> Problem {
    let error = match error {
        WriteError::Store(error) => error,
        WriteError::Problem(problem) => return problem,
    };
    let is_condition = matches!(error, StoreError::Precondition(_));
    // The first change of each name, and the first of each name and type: there may be as many reasons as changes.
    let mut first: HashMap<(&Name, Option<RecordType>), usize> = HashMap::new();
    for (at, change) in set.changes.iter().enumerate() {
        first.entry((change.owner(), None)).or_insert(at);
        first.entry((change.owner(), Some(type_of(change)))).or_insert(at);
    }
    // Reasons about preconditions come in the order of these.
    let mut conditions = set.preconditions.iter().enumerate();
    let mut place = |reason: &Reason| {
        if is_condition {
            let (at, _) = conditions.find(|(_, precondition)| is_about(reason, precondition))?;
            return Some(format!("preconditions[{at}]"));
        }
        let (owner, rtype) = subject(reason)?;
        let of = |rtype: Option<RecordType>| first.get(&(owner, rtype)).copied();
        // Those of all types are of this one as well.
        let exactly =
            rtype.and_then(|rtype| of(Some(rtype)).into_iter().chain(of(Some(RecordType::ANY))).min());
        // A reason may be about what stands there already, and then about no change but those of its name.
        let at = exactly.or_else(|| of(None))?;
        Some(format!("changes[{at}]"))
    };
    let reasons: Vec<String> = error
        .reasons()
        .iter()
        .map(|reason| match place(reason) {
            Some(place) => format!("{place}: {reason}"),
            None => reason.to_string(),
        })
        .collect();
    let mut problem = Problem::from(error);
    if !reasons.is_empty() {
        problem.reasons = unique(reasons);
    }
    problem
}

/// The records that a reason is about, as far as it tells.
pub(crate) fn subject(reason: &Reason) -> Option<(&Name, Option<RecordType>)> {
    match reason {
        Reason::NoRecords { owner, rtype }
        | Reason::Present { owner, rtype, .. }
        | Reason::Foreign { owner, rtype, .. }
        | Reason::OfZone { owner, rtype, .. } => Some((owner, *rtype)),
        Reason::Differs { owner, rtype }
        | Reason::InvalidType { owner, rtype }
        | Reason::InvalidTtl { owner, rtype, .. }
        | Reason::InvalidValue { owner, rtype, .. } => Some((owner, Some(*rtype))),
        Reason::OutOfZone { owner }
        | Reason::OutsideZone { owner, .. }
        | Reason::Signed { owner, .. }
        | Reason::NameChanged { owner, .. } => Some((owner, None)),
        Reason::CnameConflict { owner, .. } => Some((owner, Some(RecordType::CNAME))),
        _ => None,
    }
}

fn is_about(reason: &Reason, precondition: &Precondition) -> bool {
    match (reason, precondition) {
        (Reason::NoRecords { owner, rtype }, Precondition::Exists(other, of))
        | (Reason::Present { owner, rtype, .. }, Precondition::Absent(other, of)) => {
            owner == other && rtype == of
        }
        (Reason::Differs { owner, rtype }, Precondition::Equals(rrset)) => {
            owner == rrset.owner() && *rtype == rrset.rtype()
        }
        (Reason::NameChanged { owner, expected, .. }, Precondition::Unchanged(other, version)) => {
            owner == other && expected == version
        }
        (Reason::CatalogChanged { expected, .. }, Precondition::Version(version)) => expected == version,
        _ => false,
    }
}

/// A change of the history that the caller may see nothing of. That there was one is no secret: versions are numbered.
fn hidden(version: u64) -> Problem {
    write::forbidden(format!("the token does not allow to read anything that version {version} has changed"))
}

/// There is no such change in the history.
fn unknown(version: u64) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("no change with version {version} is known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_the_first_change_that_they_may_be_about() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let put = |owner: &str, rtype| {
            let rdata: &[u8] = if rtype == RecordType::A { &[192, 0, 2, 1] } else { &[0; 16] };
            Change::Put(dns_core::Rrset::new(name(owner), rtype, 300, [rdata]).unwrap())
        };
        let (one, two) = ("one.example.org", "two.example.org");
        let changes = vec![
            put(one, RecordType::AAAA),
            Change::Delete { owner: name(one), rtype: None },
            put(one, RecordType::A),
            put(two, RecordType::A),
            put(two, RecordType::AAAA),
            put(two, RecordType::AAAA),
        ];
        let set = ChangeSet { changes, ..ChangeSet::new() };
        let (a, aaaa, txt) = (RecordType::A, RecordType::AAAA, RecordType::TXT);
        let about = [(one, aaaa), (one, a), (one, txt), (two, a), (two, aaaa), (two, txt), ("three", a)];
        let reasons = about.map(|(owner, rtype)| Reason::InvalidType { owner: name(owner), rtype });
        let problem = failed(WriteError::Store(StoreError::Invalid(reasons.to_vec())), &set);
        let places: Vec<&str> = problem
            .reasons
            .iter()
            .map(|reason| reason.split_once(": ").map_or("", |(place, _)| place))
            .collect();
        let expected =
            ["changes[0]", "changes[1]", "changes[1]", "changes[3]", "changes[4]", "changes[3]", "three."];
        assert_eq!(places, expected, "{problem:?}");
    }
}
