//! The batch driver: several passes over many packets, so that what one waits for is fetched while others are read.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use dns_core::zone::Zone;
use dns_core::{Catalog, Class, ZoneEntry};

use crate::answer::find_zone_from;
use crate::desk::{Batch, Case, Desk, Shared};
use crate::guard::Guard;
use crate::log::{Exchange, LogWriter};
use crate::packets::{Packets, Responder, Transport};
use crate::query::{Query, RequestError};
use crate::responder::CatalogReader;

/// Most requests in one batch.
const BATCH_MAX: usize = 64;

/// One worker of [`Authoritative`](crate::Authoritative).
pub struct Worker<R> {
    catalog: R,
    guard: Cache<Arc<ArcSwap<Guard>>, Arc<Guard>>,
    queries: Box<[Query; BATCH_MAX]>,
    desk: Desk,
    log: Option<LogWriter>,
}

impl<R: CatalogReader> Worker<R> {
    pub(crate) fn new(catalog: R, transport: Transport, shared: Shared, log: Option<LogWriter>) -> Self {
        let guard = shared.guard.clone();
        let desk = Desk::new(transport, shared);
        let queries = Box::new(std::array::from_fn(|_| Query::default()));
        Self { catalog, guard: Cache::new(guard), queries, desk, log }
    }
}

impl<R: CatalogReader> Responder for Worker<R> {
    fn respond(&mut self, packets: &mut impl Packets) {
        let Self { catalog, guard, queries, desk, log } = self;
        let guard = guard.load();
        desk.adopt(guard);
        let needs_time = log.is_some() || guard.needs_time();
        let batch = Batch {
            catalog: catalog.current(),
            guard,
            listener: packets.listener(),
            now: if needs_time { packets.now() } else { Duration::ZERO },
        };
        let catalog = batch.catalog;
        let count = packets.len().min(BATCH_MAX);
        let queries = &mut queries[..count];
        let found = &mut [Ok(None); BATCH_MAX][..count];
        // Pass one: read the questions, and ask for the table slots.
        let mut last = None;
        let has_many_zones = catalog.zone_reads() > 0;
        for (index, (query, found)) in queries.iter_mut().zip(&mut *found).enumerate() {
            query.view = catalog.view_at(batch.listener, || packets.client(index).ip());
            *found = match query.read(packets.request(index)) {
                Ok(()) if has_many_zones => Ok(None),
                Ok(()) => Ok(zone_of(catalog, query, &mut last)),
                Err(error) => Err(error),
            };
            if let Some(zone) = zone_in(found) {
                zone.prefetch_slot(query.qname.hash(query.qname.labels()));
            }
        }
        if has_many_zones {
            find_among_many(catalog, queries, found);
        }
        // Pass two: ask for the nodes that the slots lead to. A lone query would only wait for itself.
        if count > 1 {
            for (query, found) in queries.iter().zip(&*found) {
                if let Some(zone) = zone_in(found) {
                    zone.prefetch_node(query.qname.hash(query.qname.labels()));
                }
            }
        }
        // Pass three: answer.
        for (index, (query, found)) in queries.iter().zip(&*found).enumerate() {
            let client = packets.client(index);
            let (request, buffer) = packets.exchange(index);
            let case = Case { request, client: client.ip() };
            let made = match *found {
                Ok(entry) => desk.answer(&batch, query, entry, &case, buffer),
                Err(error) => desk.object(&batch, query, error, &case, buffer),
            };
            if let Some(log) = log {
                log.record(&Exchange {
                    now: batch.now,
                    transport: desk.transport,
                    client,
                    listener: batch.listener,
                    view: catalog.scope_at(query.view).map(|scope| scope.view.name()),
                    rule: desk.decided.and_then(|number| batch.guard.rules().name(number)),
                    request,
                    reply: made.as_ref().map(|made| made.replied(buffer)),
                });
            }
            match made {
                Some(made) => packets.send(index, made.octets),
                None => desk.counters.count_dropped(),
            }
        }
    }
}

/// What has become of a question so far: the zone that answers it, if we have one, or what is wrong with it.
type Found<'c> = Result<Option<&'c ZoneEntry>, RequestError>;

/// Finds the zones of all questions that could be read, where they are too many for the processor's cache: what one look-up waits
/// for is fetched while others go on, read by read.
#[inline(never)]
fn find_among_many<'c>(catalog: &'c Catalog, queries: &[Query], found: &mut [Found<'c>]) {
    for step in 0..catalog.zone_reads() {
        for query in queries {
            if let Some(view) = catalog.view_in(query.view) {
                view.prefetch(&query.qname, step);
            }
        }
    }
    let mut last = None;
    for (query, found) in queries.iter().zip(&mut *found).filter(|(_, found)| found.is_ok()) {
        *found = Ok(zone_of(catalog, query, &mut last));
        if let Some(zone) = zone_in(found) {
            zone.prefetch_base();
        }
    }
    for (query, found) in queries.iter().zip(&*found) {
        if let Some(zone) = zone_in(found) {
            zone.prefetch_slot(query.qname.hash(query.qname.labels()));
        }
    }
}

/// The zone that answers a question; none for classes other than IN. `last` is the zone of the question before, and the place of
/// the view that it was found in: mostly it is the next one's, too.
#[inline]
fn zone_of<'c>(
    catalog: &'c Catalog,
    query: &Query,
    last: &mut Option<(usize, &'c ZoneEntry)>,
) -> Option<&'c ZoneEntry> {
    if !matches!(query.qclass(), Class::IN | Class::ANY) {
        return None;
    }
    let scope = catalog.scope_at(query.view)?;
    let before = last.filter(|(view, _)| *view == query.view).map(|(_, entry)| entry);
    let entry = find_zone_from(before, scope, &query.qname, query.qtype())?;
    *last = Some((query.view, entry));
    Some(entry)
}

#[inline]
fn zone_in<'c>(found: &Found<'c>) -> Option<&'c Zone> {
    found.ok().flatten().and_then(ZoneEntry::zone)
}
