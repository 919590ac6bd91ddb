//! The batch driver: several passes over many packets, so that what one waits for is fetched while others are read.

use std::sync::{Arc, Mutex};

use dns_core::{AnswerPolicy, Catalog, Class, ResponseCode, ZoneEntry};

use crate::answer::{Answerer, Scratch, find_zone};
use crate::counters::Counters;
use crate::packets::{Packets, Respond, Responder, Transport};
use crate::query::{Edns, HEADER_OCTETS, Query, RequestError};
use crate::reply::Reply;

/// Most requests in one batch.
const BATCH_MAX: usize = 64;

/// Where catalogs come from.
pub trait Catalogs: Send + Sync + 'static {
    /// One worker's access to the newest catalog.
    type Reader: CatalogReader;

    /// Access for one more worker.
    fn reader(&self) -> Self::Reader;
}

/// One worker's access to the newest catalog.
pub trait CatalogReader: Send + 'static {
    /// The newest catalog; costs one load when nothing has changed.
    fn current(&mut self) -> &Catalog;
}

/// A catalog that never changes serves as its own source.
impl Catalogs for Arc<Catalog> {
    type Reader = Self;

    fn reader(&self) -> Self {
        self.clone()
    }
}

impl CatalogReader for Arc<Catalog> {
    fn current(&mut self) -> &Catalog {
        self
    }
}

/// Answers from zones alone: what it does not have is refused.
pub struct Authoritative<C> {
    catalogs: C,
    counters: Mutex<Vec<(Transport, Arc<Counters>)>>,
}

impl<C: Catalogs> Authoritative<C> {
    /// Answers from the catalogs of this source.
    pub fn new(catalogs: C) -> Self {
        Self { catalogs, counters: Mutex::default() }
    }

    /// Calls `each` with what all responders that were ever made have counted; those that came after others may share
    /// their counters, so there are no more of them than there were responders at one time.
    pub fn for_each_counters(&self, mut each: impl FnMut(Transport, &Counters)) {
        let counters = self.counters.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (transport, counters) in &*counters {
            each(*transport, counters);
        }
    }

    /// Counters for one more responder: those of one that is gone, if there is any. Sums never go back that way, and
    /// responders that are replaced time and again leave nothing behind.
    fn take_counters(&self, transport: Transport) -> Arc<Counters> {
        let mut known = self.counters.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (of, counters) in &mut *known {
            // To be had alone means that the last responder is gone, and that all it has written can be seen.
            if *of == transport && Arc::get_mut(counters).is_some() {
                return counters.clone();
            }
        }
        let counters = Arc::new(Counters::default());
        known.push((transport, counters.clone()));
        counters
    }
}

impl<C: Catalogs> Respond for Authoritative<C> {
    type Responder = Worker<C::Reader>;

    fn responder(&self, transport: Transport) -> Self::Responder {
        let counters = self.take_counters(transport);
        Worker {
            catalog: self.catalogs.reader(),
            transport,
            queries: (0..BATCH_MAX).map(|_| Query::default()).collect(),
            scratch: Scratch::default(),
            counters,
        }
    }
}

/// One worker of [`Authoritative`].
pub struct Worker<R> {
    catalog: R,
    transport: Transport,
    queries: Box<[Query]>,
    scratch: Scratch,
    counters: Arc<Counters>,
}

impl<R: CatalogReader> Responder for Worker<R> {
    fn respond(&mut self, packets: &mut impl Packets) {
        let Self { catalog, transport, queries, scratch, counters } = self;
        let catalog = catalog.current();
        let mut found = [Ok(None); BATCH_MAX];
        let count = packets.len().min(BATCH_MAX);
        // Pass one: read the questions, and ask for the table slots.
        for ((index, query), found) in (0..count).zip(queries.iter_mut()).zip(&mut found) {
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
            let (request, buffer) = packets.exchange(index);
            let made = match found {
                Ok(entry) => Some(answer(catalog, *transport, query, entry, scratch, request, buffer)),
                Err(error) => refuse(catalog.policy(), *transport, query, error, request, buffer),
            };
            match made {
                Some(made) => {
                    counters.count_reply(
                        made.has_question.then_some(query.qtype()),
                        made.rcode,
                        made.truncated,
                    );
                    packets.send(index, made.octets);
                }
                None => counters.count_dropped(),
            }
        }
    }
}

/// A reply that has been written.
struct Made {
    octets: usize,
    rcode: ResponseCode,
    truncated: bool,
    has_question: bool,
}

/// The zone that answers a question; none for classes other than IN.
#[inline]
fn zone_of<'c>(catalog: &'c Catalog, query: &Query) -> Option<&'c ZoneEntry> {
    match query.qclass() {
        Class::IN | Class::ANY => find_zone(catalog.default_view()?, &query.qname, query.qtype()),
        _ => None,
    }
}

#[inline]
fn answer(
    catalog: &Catalog,
    transport: Transport,
    query: &Query,
    entry: Option<&ZoneEntry>,
    scratch: &mut Scratch,
    request: &[u8],
    buffer: &mut [u8],
) -> Made {
    let policy = catalog.policy();
    let mut reply = begin(policy, transport, query, query.question_end, request, buffer);
    if let (Transport::Tcp, Some(Edns { keepalive: true, .. })) = (transport, query.edns) {
        reply.set_keepalive(policy.tcp_keepalive);
    }
    match catalog.default_view() {
        Some(view) => {
            let answerer =
                Answerer { policy, view, transport, qtype: query.qtype(), dnssec_ok: query.dnssec_ok() };
            answerer.answer(&query.qname, entry, scratch, &mut reply);
        }
        None => reply.set_rcode(ResponseCode::REFUSED),
    }
    // RFC 1035, section 6.2: an answer to a question about all classes is no authority, as we know of one class only.
    if query.qclass() != Class::IN {
        reply.set_authoritative(false);
    }
    finish(reply, true)
}

/// Tells the client what is wrong with its request, if it should hear.
#[cold]
fn refuse(
    policy: &AnswerPolicy,
    transport: Transport,
    query: &Query,
    error: RequestError,
    request: &[u8],
    buffer: &mut [u8],
) -> Option<Made> {
    let rcode = error.rcode()?;
    let question_end = if error.has_question() { query.question_end } else { HEADER_OCTETS };
    let mut reply = begin(policy, transport, query, question_end, request, buffer);
    reply.set_rcode(rcode);
    Some(finish(reply, error.has_question()))
}

#[inline]
fn begin<'b>(
    policy: &AnswerPolicy,
    transport: Transport,
    query: &Query,
    question_end: usize,
    request: &[u8],
    buffer: &'b mut [u8],
) -> Reply<'b> {
    let octets_max = match (transport, query.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => UDP_OCTETS_MIN,
        // RFC 6891, section 6.2.3: values below 512 are to be read as 512.
        (Transport::Udp, Some(edns)) => {
            usize::from(edns.udp_octets.min(policy.udp_octets_max)).max(UDP_OCTETS_MIN)
        }
    };
    Reply::new(buffer, request, question_end, octets_max, query.edns, policy.udp_octets_max)
}

#[inline]
fn finish(reply: Reply<'_>, has_question: bool) -> Made {
    let (rcode, truncated) = (reply.rcode(), reply.is_truncated());
    Made { octets: reply.finish(), rcode, truncated, has_question }
}

/// What every client takes over UDP ([RFC 1035, section 4.2.1](https://www.rfc-editor.org/rfc/rfc1035#section-4.2.1)).
const UDP_OCTETS_MIN: usize = 512;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// A fragment of a header, which deserves no answer.
    struct Fragment;

    impl Packets for Fragment {
        fn len(&self) -> usize {
            1
        }
        fn request(&self, _: usize) -> &[u8] {
            &[0]
        }
        fn exchange(&mut self, _: usize) -> (&[u8], &mut [u8]) {
            (&[0], &mut [])
        }
        fn client(&self, _: usize) -> SocketAddr {
            ([192, 0, 2, 1], 53).into()
        }
        fn now(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }

        fn send(&mut self, _: usize, _: usize) {}
    }

    #[test]
    fn a_responder_counts_on_where_one_that_is_gone_has_stopped() {
        let authoritative = Authoritative::new(Arc::new(Catalog::new()));
        let dropped = || {
            let mut dropped = Vec::new();
            authoritative
                .for_each_counters(|transport, counters| dropped.push((transport, counters.dropped())));
            dropped
        };
        let mut udp = authoritative.responder(Transport::Udp);
        let mut tcp = authoritative.responder(Transport::Tcp);
        tcp.respond(&mut Fragment);
        for replaced in 1..=3 {
            udp.respond(&mut Fragment);
            drop(udp);
            assert_eq!(dropped(), [(Transport::Udp, replaced), (Transport::Tcp, 1)]);
            udp = authoritative.responder(Transport::Udp);
        }
        let _second = authoritative.responder(Transport::Udp);
        assert_eq!(dropped(), [(Transport::Udp, 3), (Transport::Tcp, 1), (Transport::Udp, 0)]);
    }
}
