//! What was changed, by whom and when.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use dns_core::{Name, Rrset};
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
use crate::faults::{self, Faults};
use crate::model::{History, HistoryEntry, Problem, ProblemKind};
use crate::problem::{RETRY_AFTER, ReadProblems};
use crate::v1::write::reading;

/// Entries on a page, unless the client asks for another number.
const PAGE: usize = 100;
/// Most of them.
const PAGE_MAX: usize = 1000;
/// Entries that are looked at for a page, whether they are shown or not.
const LOOKED_AT_MAX: usize = 1024;
/// Octets in memory of the entries that are looked at for a page, but for the last one.
const OCTETS_MAX: usize = 64 << 20;
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
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
    /// Only those before this version.
    #[param(value_type = Option<u64>)]
    before: Option<String>,
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
/// after a thousand or so that were looked at, or fewer large ones, even if few of them are shown, or none.
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
) -> Result<Response, Problem> {
    let wanted = Wanted::of(query)?;
    let store = api.store().clone();
    let page = reading(&api, move || {
        let page = page(&store, &wanted, &caller, OCTETS_MAX)?;
        Ok(axum::Json(page).into_response())
    });
    page.await?.map_err(|error| unreadable(&error))
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
        let mut faults = Faults::default();
        let limit = faults::limit(query.limit.as_deref(), PAGE, 1..=PAGE_MAX, &mut faults);
        let before = faults::parameter(query.before.as_deref(), "before", "a version", &mut faults);
        let mut tops = Vec::new();
        for (text, parameter) in [(query.zone, "zone"), (query.name, "name")] {
            tops.extend(text.and_then(|text| convert::name(&text, parameter, &mut faults)));
        }
        let source = query.source.and_then(|source| convert::source_kind(&source, &mut faults));
        if !faults.is_empty() {
            return Err(faults.into_malformed());
        }
        Ok(Self { limit, before, tops, source, author: query.author })
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

fn page(store: &Store, wanted: &Wanted, caller: &Caller, octets_max: usize) -> Result<History, StoreError> {
    let mut changes: Vec<HistoryEntry> = Vec::new();
    let mut before = wanted.before;
    let mut octets = 0;
    for _ in 0..LOOKED_AT_MAX {
        if octets > octets_max {
            break;
        }
        // One at a time, since each may be a whole zone.
        let Some(entry) = store.history(before, 1)?.pop() else { return Ok(History { changes, next: None }) };
        before = Some(entry.version);
        octets += octets_of(&entry);
        let admitted = *entry.view == *store.view_name() && wanted.admits(&entry, caller);
        let shown = admitted.then(|| convert::history_entry(&entry, caller, RECORDS_LISTED)).flatten();
        if let Some(shown) = shown {
            // Only what is shown may begin the next page.
            if changes.len() == wanted.limit {
                let next = changes.last().map(|last| last.version);
                return Ok(History { changes, next });
            }
            changes.push(shown);
        }
    }
    Ok(History { changes, next: before })
}

/// About how much memory an entry takes.
fn octets_of(entry: &Entry) -> usize {
    let rrset =
        |rrset: &Rrset| size_of::<Rrset>() + rrset.rdatas().map(|rdata| rdata.len() + 2).sum::<usize>();
    let records = entry.records.iter().map(|change| {
        size_of_val(change) + change.before.iter().chain(&change.after).map(rrset).sum::<usize>()
    });
    let zones = entry.zones.iter().map(|zone| {
        let kept = zone.before.iter().chain(&zone.after).flat_map(|kept| &kept.rrsets);
        size_of_val(zone) + kept.map(rrset).sum::<usize>()
    });
    size_of::<Entry>() + records.sum::<usize>() + zones.sum::<usize>()
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
) -> Result<Response, Problem> {
    look_at(&api, version, move |entry| {
        let shown = convert::history_entry(entry, &caller, RECORDS_SHOWN);
        shown.map(|shown| axum::Json(shown).into_response()).ok_or_else(|| hidden(version))
    })
    .await?
}

/// Nothing was to be changed, so that this is no failed write; where the journal is concerns the server's log alone.
fn unreadable(error: &StoreError) -> Problem {
    tracing::error!(%error, "the history cannot be read");
    Problem::new(ProblemKind::Unavailable, "the history cannot be read right now").retry_after(RETRY_AFTER)
}

/// Looks at a change of this view, which may be a whole zone.
pub(super) async fn look_at<T: Send + 'static>(
    api: &Api,
    version: u64,
    look: impl FnOnce(&Entry) -> T + Send + 'static,
) -> Result<T, Problem> {
    let store = api.store().clone();
    reading(api, move || {
        let entry = store.entry(version).map_err(|error| unreadable(&error))?;
        let entry = entry.filter(|entry| *entry.view == *store.view_name());
        entry.map(|entry| look(&entry)).ok_or_else(|| unknown(version))
    })
    .await?
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::SystemTime;

    use dns_core::RecordType;
    use dns_journal::{HistoryLimits, Memory};
    use dns_store::{Source, StoreOptions};

    use super::*;
    use crate::auth::{Access, Grant, Token};

    #[test]
    fn a_page_ends_where_it_has_looked_at_much() {
        let journal = Arc::new(Memory::new(HistoryLimits::default()));
        let store = Store::open(StoreOptions::default(), journal).unwrap();
        for at in 0..6 {
            let owner: Name = format!("host{at}.example.org").parse().unwrap();
            let values = (0..1_000_u32).map(u32::to_be_bytes);
            store.create(&Source::Api, Rrset::new(owner, RecordType::A, 300, values).unwrap(), None).unwrap();
        }
        let octets = store.history(None, 1).unwrap().iter().map(|entry| octets_of(entry)).sum::<usize>();
        assert!((6_000..12_000).contains(&octets), "{octets} for 1,000 values of 4 octets and their lengths");

        let grants = vec![Grant::unlimited(Access::Read)];
        let (token, _) = Token::make("reader", grants, SystemTime::now(), None).unwrap();
        let caller = Caller::new(Arc::new(token), Ipv4Addr::LOCALHOST.into());
        let names_by_page = |name: &str| {
            let query = HistoryQuery { name: Some(name.to_owned()), ..HistoryQuery::default() };
            let mut wanted = Wanted::of(query).unwrap();
            let mut pages = Vec::new();
            loop {
                let History { changes, next } = page(&store, &wanted, &caller, 2 * octets).unwrap();
                let names =
                    changes.iter().flat_map(|change| &change.records).map(|record| record.name.clone());
                pages.push(names.collect::<Vec<_>>().concat());
                match next {
                    Some(before) => wanted.before = Some(before),
                    None => return pages,
                }
            }
        };
        assert_eq!(
            names_by_page("example.org"),
            [
                "host5.example.org.host4.example.org.host3.example.org.",
                "host2.example.org.host1.example.org.host0.example.org.",
                ""
            ]
        );
        // What is not shown was looked at as well.
        assert_eq!(names_by_page("host1.example.org"), ["", "host1.example.org.", ""]);
    }
}
