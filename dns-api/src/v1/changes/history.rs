//! What was changed, by whom and when.

use std::sync::Arc;

use axum::extract::State;
use dns_core::Name;
use dns_store::{Entry, SourceKind, Store, StoreError};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{RECORDS_SHOWN, hidden, unknown};
use crate::api::Api;
use crate::auth::Caller;
use crate::convert;
use crate::extract::{Path, Query};
use crate::model::{History, HistoryEntry, Problem, ProblemKind};
use crate::problem::{RETRY_AFTER, ReadProblems};
use crate::v1::write::reading;

/// Entries on a page, unless the client asks for another number.
const PAGE: usize = 100;
/// Most of them.
const PAGE_MAX: usize = 1000;
/// Entries that are read from the journal at once: few, since one may be a whole zone.
const CHUNK: usize = 16;
/// Entries that are looked at for a page, whether they are shown or not.
const LOOKED_AT_MAX: usize = 64 * CHUNK;
/// Records of an entry that are shown among others.
const RECORDS_LISTED: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// Which changes to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// How many changes to list at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Only those before this version.
    before: Option<u64>,
    /// Only those that concern names at or below this apex, or the zone itself.
    zone: Option<String>,
    /// Only those that concern this name or names below it.
    name: Option<String>,
    /// Only those of this kind of source.
    source: Option<String>,
    /// Only those whose author has this text in it.
    author: Option<String>,
}

/// Lists the changes that are remembered
///
/// The newest first; of each only what the token lets be read, and none of those of which it lets nothing be read. A page ends
/// after a thousand or so that were looked at, even if few of them are shown, or none.
#[utoipa::path(
    get, path = "/changes", tag = "changes", operation_id = "listChanges", params(HistoryQuery),
    responses(
        (status = 200, description = "A page of the history", body = History),
        ReadProblems,
        (status = 503, description = "The history cannot be read right now", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<HistoryQuery>,
) -> Result<axum::Json<History>, Problem> {
    let wanted = Wanted::of(query)?;
    let store = api.store().clone();
    let page = reading(&api, move || page(&store, &wanted, &caller)).await?;
    page.map(axum::Json).map_err(|error| unreadable(&error))
}

/// The part of the history that was asked for.
struct Wanted {
    limit: usize,
    before: Option<u64>,
    /// At or below all of these.
    tops: Vec<Name>,
    source: Option<SourceKind>,
    author: Option<String>,
}

impl Wanted {
    fn of(query: HistoryQuery) -> Result<Self, Problem> {
        let malformed = |detail: String| Problem::new(ProblemKind::Malformed, detail);
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(malformed(format!("limit: {limit} is not between 1 and {PAGE_MAX}")));
        }
        let mut tops = Vec::new();
        for (text, parameter) in [(query.zone, "zone"), (query.name, "name")] {
            if let Some(text) = text {
                tops.push(convert::name_parameter(&text, parameter)?);
            }
        }
        let source = convert::source_parameter(query.source.as_deref())?;
        Ok(Self { limit, before: query.before, tops, source, author: query.author })
    }

    /// The caller may see that this entry is what was asked for.
    fn admits(&self, entry: &Entry, caller: &Caller) -> bool {
        let is_wanted = |name: &Name| self.tops.iter().all(|top| name.is_at_or_below(top));
        let mut records = entry.records.iter();
        let mut zones = entry.zones.iter();
        self.source.is_none_or(|kind| kind == entry.source.kind())
            && self
                .author
                .as_ref()
                .is_none_or(|author| convert::author(entry, caller).contains(author.as_str()))
            && (self.tops.is_empty()
                || records
                    .any(|change| is_wanted(&change.owner) && caller.may_read(&change.owner, change.rtype))
                || zones.any(|change| is_wanted(&change.apex) && caller.may_read_zone(&change.apex)))
    }
}

fn page(store: &Store, wanted: &Wanted, caller: &Caller) -> Result<History, StoreError> {
    let mut changes: Vec<HistoryEntry> = Vec::new();
    let mut before = wanted.before;
    for _ in 0..LOOKED_AT_MAX / CHUNK {
        let entries = store.history(before, CHUNK)?;
        for entry in &entries {
            let admitted = *entry.view == *store.view_name() && wanted.admits(entry, caller);
            let shown = admitted.then(|| convert::history_entry(entry, caller, RECORDS_LISTED)).flatten();
            if let Some(shown) = shown {
                // Only what is shown may begin the next page.
                if changes.len() == wanted.limit {
                    let next = changes.last().map(|last| last.version);
                    return Ok(History { changes, next });
                }
                changes.push(shown);
            }
        }
        match entries.last() {
            Some(last) if entries.len() == CHUNK => before = Some(last.version),
            _ => return Ok(History { changes, next: None }),
        }
    }
    Ok(History { changes, next: before })
}

/// Reads one change
#[utoipa::path(
    get, path = "/changes/{version}", tag = "changes", operation_id = "readChange",
    params(("version" = u64, Path, description = "Version of the catalog that has it")),
    responses(
        (status = 200, description = "The change", body = HistoryEntry),
        ReadProblems,
        (status = 503, description = "The history cannot be read right now", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(version): Path<u64>,
) -> Result<axum::Json<HistoryEntry>, Problem> {
    let entry = entry(&api, version).await?;
    let shown = convert::history_entry(&entry, &caller, RECORDS_SHOWN);
    shown.map(axum::Json).ok_or_else(|| hidden(version))
}

/// Nothing was to be changed, so that this is no failed write; where the journal is concerns the server's log alone.
fn unreadable(error: &StoreError) -> Problem {
    tracing::error!(%error, "the history cannot be read");
    Problem::new(ProblemKind::Unavailable, "the history cannot be read right now").retry_after(RETRY_AFTER)
}

/// A change of this view.
pub(super) async fn entry(api: &Api, version: u64) -> Result<Arc<Entry>, Problem> {
    let store = api.store().clone();
    let entry = reading(api, move || store.entry(version)).await?.map_err(|error| unreadable(&error))?;
    let entry = entry.filter(|entry| *entry.view == *api.store().view_name());
    entry.ok_or_else(|| unknown(version))
}
