//! The batch driver: several passes over many packets, so that what one waits for is fetched while others are read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use dns_core::{AnswerPolicy, Catalog, Class, RecordType, ResponseCode, Scope, ZoneEntry};

use crate::answer::{Answerer, Scratch, find_zone};
use crate::counters::Counters;
use crate::guard::{CookieState, Decision, Guard, Limiter, ResponseKind};
use crate::log::{Exchange, LogWriter, Replied};
use crate::packets::{Packets, Responder, Transport};
use crate::query::{Edns, HEADER_OCTETS, Query, RequestError};
use crate::reply::{ExtendedError, Reply};
use crate::responder::CatalogReader;

/// Most requests in one batch.
const BATCH_MAX: usize = 64;
/// What every client takes over UDP ([RFC 1035, section 4.2.1](https://www.rfc-editor.org/rfc/rfc1035#section-4.2.1)).
const UDP_OCTETS_MIN: usize = 512;

/// One worker of [`Authoritative`](crate::Authoritative).
pub struct Worker<R> {
    catalog: R,
    guard: Cache<Arc<ArcSwap<Guard>>, Arc<Guard>>,
    queries: Box<[Query]>,
    desk: Desk,
    log: Option<LogWriter>,
}

/// What a worker keeps from query to query.
struct Desk {
    transport: Transport,
    scratch: Scratch,
    counters: Arc<Counters>,
    /// The guard that the limiter was made for.
    seen: Arc<Guard>,
    limiter: Option<Limiter>,
}

/// What the queries of one batch have in common.
#[derive(Clone, Copy)]
struct Batch<'c> {
    catalog: &'c Catalog,
    guard: &'c Guard,
    listener: usize,
    /// Since 1970; zero where nothing needs it.
    now: Duration,
}

/// One request.
#[derive(Clone, Copy)]
struct Case<'p> {
    request: &'p [u8],
    client: IpAddr,
}

/// A reply that has been written.
struct Made {
    octets: usize,
    rcode: ResponseCode,
}

impl<R: CatalogReader> Worker<R> {
    pub(crate) fn new(
        catalog: R,
        guard: Arc<ArcSwap<Guard>>,
        transport: Transport,
        counters: Arc<Counters>,
        log: Option<LogWriter>,
    ) -> Self {
        let seen = guard.load_full();
        let mut desk =
            Desk { transport, scratch: Scratch::default(), counters, seen: seen.clone(), limiter: None };
        desk.adopt(&seen);
        Self {
            catalog,
            guard: Cache::new(guard),
            queries: (0..BATCH_MAX).map(|_| Query::default()).collect(),
            desk,
            log,
        }
    }
}

impl<R: CatalogReader> Responder for Worker<R> {
    fn respond(&mut self, packets: &mut impl Packets) {
        let Self { catalog, guard, queries, desk, log } = self;
        let guard = guard.load();
        if !Arc::ptr_eq(guard, &desk.seen) {
            desk.adopt(guard);
        }
        let needs_time = log.is_some() || guard.needs_time();
        let batch = Batch {
            catalog: catalog.current(),
            guard,
            listener: packets.listener(),
            now: if needs_time { packets.now() } else { Duration::ZERO },
        };
        let catalog = batch.catalog;
        let mut found = [Ok(None); BATCH_MAX];
        let count = packets.len().min(BATCH_MAX);
        // Pass one: read the questions, and ask for the table slots.
        for ((index, query), found) in (0..count).zip(queries.iter_mut()).zip(&mut found) {
            query.view = catalog.view_at(batch.listener, || packets.client(index).ip());
            *found = query.read(packets.request(index)).map(|()| zone_of(catalog, query));
            if let Ok(Some(zone)) = found.map(|entry| entry.and_then(ZoneEntry::zone)) {
                zone.prefetch_slot(query.qname.hash(query.qname.labels()));
            }
        }
        // Pass two: ask for the nodes that the slots lead to. A lone query would only wait for itself.
        if count > 1 {
            for (query, found) in queries.iter().zip(&found[..count]) {
                if let Ok(Some(zone)) = found.map(|entry| entry.and_then(ZoneEntry::zone)) {
                    zone.prefetch_node(query.qname.hash(query.qname.labels()));
                }
            }
        }
        // Pass three: answer.
        for ((index, query), found) in (0..count).zip(queries.iter()).zip(found) {
            let client = packets.client(index);
            let (request, buffer) = packets.exchange(index);
            let case = Case { request, client: client.ip() };
            let made = match found {
                Ok(entry) => desk.answer(batch, query, entry, case, buffer),
                Err(error) => desk.object(batch, query, error, case, buffer),
            };
            if let Some(log) = log {
                record(
                    log,
                    &batch,
                    desk.transport,
                    client,
                    query,
                    request,
                    made.as_ref().map(|made| (made, &*buffer)),
                );
            }
            match made {
                Some(made) => packets.send(index, made.octets),
                None => desk.counters.count_dropped(),
            }
        }
    }
}

/// The zone that answers a question; none for classes other than IN.
#[inline]
fn zone_of<'c>(catalog: &'c Catalog, query: &Query) -> Option<&'c ZoneEntry> {
    match query.qclass() {
        Class::IN | Class::ANY => find_zone(catalog.scope_at(query.view)?, &query.qname, query.qtype()),
        _ => None,
    }
}

impl Desk {
    /// Goes over to another guard. What clients have used up is forgotten if the limits have become others.
    #[cold]
    fn adopt(&mut self, guard: &Arc<Guard>) {
        if self.limiter.is_none() || self.seen.rate_limit != guard.rate_limit {
            // Over TCP the handshake has proven that the client is where it says to be.
            let spec = guard.rate_limit.as_ref().filter(|_| self.transport == Transport::Udp);
            self.limiter = spec.map(Limiter::new);
        }
        self.seen = guard.clone();
    }

    /// Answers a question.
    #[inline]
    fn answer(
        &mut self,
        batch: Batch<'_>,
        query: &Query,
        entry: Option<&ZoneEntry>,
        case: Case<'_>,
        buffer: &mut [u8],
    ) -> Option<Made> {
        let policy = batch.catalog.policy();
        let mut reply = self.begin(policy, query, query.question_end, case.request, buffer);
        let mut is_proven = false;
        if let Some(edns) = query.edns
            && (edns.keepalive || edns.nsid || edns.cookie.is_some())
        {
            is_proven = self.put_options(batch, edns, case, &mut reply);
        }
        if reply.rcode() != ResponseCode::NOERROR {
            // An option was malformed.
        } else if !batch.guard.admits(batch.listener, case.client) {
            self.counters.count_prohibited();
            prohibit(&mut reply);
        } else if query.qclass() == Class::CH {
            identify(batch.guard, query, &mut reply);
        } else if let Some(access) = entry.and_then(|entry| entry.access.as_ref())
            && !access.admits(case.client)
        {
            self.counters.count_prohibited();
            prohibit(&mut reply);
        } else {
            self.look_up(batch, query, entry, &mut reply);
        }
        // RFC 1035, section 6.2: an answer to a question about all classes is no authority, as we know of one class only.
        if query.qclass() != Class::IN {
            reply.set_authoritative(false);
        }
        self.finish(batch, is_proven, Some(query.qtype()), reply, case.client)
    }

    #[inline]
    fn look_up(&mut self, batch: Batch<'_>, query: &Query, entry: Option<&ZoneEntry>, reply: &mut Reply<'_>) {
        let Some(scope) = batch.catalog.scope_at(query.view) else {
            return reply.set_rcode(ResponseCode::REFUSED);
        };
        let answerer = Answerer {
            policy: batch.catalog.policy(),
            scope,
            transport: self.transport,
            qtype: query.qtype(),
            dnssec_ok: query.dnssec_ok(),
        };
        answerer.answer(&query.qname, entry, &mut self.scratch, reply);
    }

    /// Tells the client what is wrong with its request, if it should hear.
    #[cold]
    fn object(
        &mut self,
        batch: Batch<'_>,
        query: &Query,
        error: RequestError,
        case: Case<'_>,
        buffer: &mut [u8],
    ) -> Option<Made> {
        let rcode = error.rcode()?;
        let question_end = if error.has_question() { query.question_end } else { HEADER_OCTETS };
        let mut reply = self.begin(batch.catalog.policy(), query, question_end, case.request, buffer);
        let mut is_proven = false;
        if error == RequestError::CookieAlone
            && let Some(edns) = query.edns
        {
            is_proven = self.put_options(batch, edns, case, &mut reply);
        }
        if reply.rcode() == ResponseCode::NOERROR {
            reply.set_rcode(rcode);
        }
        self.finish(batch, is_proven, error.has_question().then_some(query.qtype()), reply, case.client)
    }

    #[inline]
    fn begin<'p>(
        &self,
        policy: &AnswerPolicy,
        query: &Query,
        question_end: usize,
        request: &[u8],
        buffer: &'p mut [u8],
    ) -> Reply<'p> {
        let octets_max = match (self.transport, query.edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, None) => UDP_OCTETS_MIN,
            // RFC 6891, section 6.2.3: values below 512 are to be read as 512.
            (Transport::Udp, Some(edns)) => {
                usize::from(edns.udp_octets.min(policy.udp_octets_max)).max(UDP_OCTETS_MIN)
            }
        };
        Reply::new(buffer, request, question_end, octets_max, query.edns, policy.udp_octets_max)
    }

    /// Answers to the client's options; says whether its address is proven.
    #[cold]
    fn put_options<'g>(
        &mut self,
        batch: Batch<'g>,
        edns: Edns,
        Case { request, client }: Case<'_>,
        reply: &mut Reply<'g>,
    ) -> bool {
        if edns.keepalive && self.transport == Transport::Tcp {
            reply.set_keepalive(batch.catalog.policy().tcp_keepalive);
        }
        if let Some(nsid) = batch.guard.identities.nsid.as_ref().filter(|_| edns.nsid) {
            reply.set_nsid(nsid);
        }
        let (Some(cookies), Some(option)) = (&batch.guard.cookies, edns.cookie) else { return false };
        let option = option.of(request);
        let state = cookies.check(option, client, batch.now);
        self.counters.count_cookie(&state);
        match state {
            // RFC 7873, section 5.2.2.
            CookieState::Malformed => {
                reply.set_rcode(ResponseCode::FORMERR);
                false
            }
            CookieState::ClientOnly(own) | CookieState::Invalid(own) => {
                reply.set_cookie(own, cookies.make(own, client, batch.now));
                false
            }
            CookieState::Valid { client: own, renew } => {
                let known = option.get(8..).and_then(|known| known.try_into().ok());
                let server = known.filter(|_| !renew);
                reply.set_cookie(own, server.unwrap_or_else(|| cookies.make(own, client, batch.now)));
                true
            }
        }
    }

    /// Ends a reply, unless the client has had enough of its kind.
    #[inline]
    fn finish(
        &mut self,
        batch: Batch<'_>,
        is_proven: bool,
        qtype: Option<RecordType>,
        mut reply: Reply<'_>,
        client: IpAddr,
    ) -> Option<Made> {
        if let Some(limiter) = &mut self.limiter
            && !is_proven
            && !limiter.is_exempt(client)
        {
            let kind = kind_of(&reply);
            match limiter.check(client, kind, batch.now) {
                Decision::Send => {}
                Decision::Drop => {
                    self.counters.count_limited(kind, false);
                    return None;
                }
                Decision::Slip => {
                    self.counters.count_limited(kind, true);
                    slip(kind, &mut reply);
                }
            }
        }
        let (rcode, is_truncated) = (reply.rcode(), reply.is_truncated());
        self.counters.count_reply(qtype, rcode, is_truncated);
        Some(Made { octets: reply.finish(), rcode })
    }
}

/// What a reply counts as against the limits.
fn kind_of(reply: &Reply<'_>) -> ResponseKind {
    match reply.rcode() {
        ResponseCode::NOERROR if reply.is_referral() => ResponseKind::Referral,
        ResponseCode::NOERROR => ResponseKind::Answer,
        ResponseCode::NXDOMAIN => ResponseKind::NxDomain,
        _ => ResponseKind::Error,
    }
}

/// Makes of a reply what has no use for attackers and sends real clients over to TCP. Errors are that short already.
#[cold]
fn slip(kind: ResponseKind, reply: &mut Reply<'_>) {
    reply.truncate();
    if kind != ResponseKind::Error {
        reply.set_rcode(ResponseCode::NOERROR);
    }
}

/// The client is not allowed to ask.
#[cold]
fn prohibit(reply: &mut Reply<'_>) {
    reply.set_rcode(ResponseCode::REFUSED);
    reply.set_error(ExtendedError::Prohibited);
}

/// Answers a question of class CH, in which servers tell of themselves ([RFC 4892](https://www.rfc-editor.org/rfc/rfc4892)).
#[cold]
fn identify(guard: &Guard, query: &Query, reply: &mut Reply<'_>) {
    let is_text = matches!(query.qtype(), RecordType::TXT | RecordType::ANY);
    let Some(rdata) = guard.identities.text(&query.qname).filter(|_| is_text) else {
        return reply.set_rcode(ResponseCode::REFUSED);
    };
    if reply.put_text(Class::CH, rdata).is_err() {
        reply.truncate();
    }
}

#[inline(never)]
fn record(
    log: &mut LogWriter,
    batch: &Batch<'_>,
    transport: Transport,
    client: SocketAddr,
    query: &Query,
    request: &[u8],
    made: Option<(&Made, &[u8])>,
) {
    let view = batch.catalog.scope_at(query.view).map(|scope: Scope<'_>| scope.view.name());
    log.record(&Exchange {
        now: batch.now,
        transport,
        client,
        listener: batch.listener,
        view,
        rule: None,
        request,
        reply: made.map(|(made, buffer)| Replied { rcode: made.rcode, message: &buffer[..made.octets] }),
    });
}
