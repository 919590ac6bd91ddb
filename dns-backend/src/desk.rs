//! One question at a worker's desk: options, access, rules, zones, limits.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use dns_core::name::HashedName;
use dns_core::{AnswerPolicy, Catalog, Class, RecordType, ResponseCode, ZoneEntry};

use crate::answer::{Answerer, Scratch, find_zone};
use crate::counters::Counters;
use crate::guard::rules::{Matched, RuleSet, Terminal, Turn};
use crate::guard::{AllRuleHits, CookieState, Decision, Guard, Limiter, ResponseKind, RuleHits};
use crate::log::Replied;
use crate::packets::Transport;
use crate::query::{Edns, HEADER_OCTETS, Query, RequestError};
use crate::reply::{ExtendedError, Reply, Section};

/// What every client takes over UDP ([RFC 1035, section 4.2.1](https://www.rfc-editor.org/rfc/rfc1035#section-4.2.1)).
const UDP_OCTETS_MIN: usize = 512;

/// What a worker keeps from query to query.
pub(crate) struct Desk {
    pub transport: Transport,
    scratch: Scratch,
    pub counters: Arc<Counters>,
    /// The guard that the limiter was made for.
    seen: Arc<Guard>,
    limiter: Option<Limiter>,
    all_rule_hits: Arc<AllRuleHits>,
    rule_hits: Arc<RuleHits>,
    turn: Turn,
    /// What a rule has made of the name of a question.
    rewritten: HashedName,
    /// The rule that decided about the last question.
    pub decided: Option<usize>,
}

/// What the queries of one batch have in common.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'c> {
    pub catalog: &'c Catalog,
    pub guard: &'c Guard,
    pub listener: usize,
    /// Since 1970; zero where nothing needs it.
    pub now: Duration,
}

/// One request.
#[derive(Clone, Copy)]
pub(crate) struct Case<'p> {
    pub request: &'p [u8],
    pub client: IpAddr,
}

/// What a cookie says of the client's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Proof {
    /// It is where it says to be.
    Given,
    /// There is no cookie of ours yet.
    Missing,
    /// The cookie is none of ours, or too old.
    Wrong,
    /// It is no cookie.
    Malformed,
}

/// Whether a question gets a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Reply,
    Silence,
}

/// A reply that has been written.
pub(crate) struct Made {
    pub octets: usize,
    rcode: ResponseCode,
}

/// What a worker has from [`Authoritative`](crate::Authoritative).
pub(crate) struct Shared {
    pub guard: Arc<ArcSwap<Guard>>,
    pub counters: Arc<Counters>,
    pub rule_hits: Arc<AllRuleHits>,
}

impl Made {
    /// What the log is told; `buffer` holds the reply.
    pub fn replied<'b>(&self, buffer: &'b [u8]) -> Replied<'b> {
        Replied { rcode: self.rcode, message: &buffer[..self.octets] }
    }
}

impl Desk {
    pub fn new(transport: Transport, shared: Shared) -> Self {
        let Shared { guard, counters, rule_hits: all_rule_hits } = shared;
        let seen = guard.load_full();
        let mut desk = Self {
            transport,
            scratch: Scratch::default(),
            counters,
            limiter: None,
            rule_hits: all_rule_hits.begin(&seen),
            all_rule_hits,
            turn: Turn::new(RandomState::new().hash_one(transport)),
            rewritten: HashedName::default(),
            decided: None,
            seen: seen.clone(),
        };
        desk.limit(&seen);
        desk
    }

    /// Goes over to another guard, if it is another one.
    #[inline]
    pub fn adopt(&mut self, guard: &Arc<Guard>) {
        if !Arc::ptr_eq(guard, &self.seen) {
            self.change_guard(guard);
        }
    }

    #[cold]
    fn change_guard(&mut self, guard: &Arc<Guard>) {
        if self.seen.rate_limit != guard.rate_limit {
            self.limit(guard);
        }
        self.rule_hits = self.all_rule_hits.begin(guard);
        self.seen = guard.clone();
    }

    /// Begins to limit anew. Over TCP the handshake has proven that the client is where it says to be.
    fn limit(&mut self, guard: &Guard) {
        let spec = guard.rate_limit.as_ref().filter(|_| self.transport == Transport::Udp);
        self.limiter = spec.map(Limiter::new);
    }

    /// Answers a question.
    #[inline]
    pub fn answer(
        &mut self,
        batch: &Batch<'_>,
        query: &Query,
        entry: Option<&ZoneEntry>,
        case: &Case<'_>,
        buffer: &mut [u8],
    ) -> Option<Made> {
        let policy = batch.catalog.policy();
        let mut reply = self.begin(policy, query, query.question_end, case.request, buffer);
        let mut is_proven = false;
        self.decided = None;
        if !batch.guard.admits(batch.listener, case.client) {
            self.counters.count_prohibited();
            prohibit(&mut reply);
            return self.finish(batch, is_proven, Some(query.qtype()), &mut reply, case.client);
        }
        if let Some(edns) = query.edns
            && (edns.keepalive || edns.nsid || edns.cookie.is_some())
        {
            is_proven = self.put_options(batch, edns, case, &mut reply) == Proof::Given;
        }
        if reply.rcode() != ResponseCode::NOERROR {
            // An option was malformed.
        } else if query.qclass() == Class::CH {
            identify(batch.guard, query, &mut reply);
        } else if entry.is_some_and(|entry| !entry.admits(case.client)) {
            self.counters.count_prohibited();
            prohibit(&mut reply);
        } else if self.look_up(batch, query, entry, case.client, &mut reply) == Verdict::Silence {
            return None;
        }
        // RFC 1035, section 6.2: an answer to a question about all classes is no authority, as we know of one class only.
        if query.qclass() != Class::IN {
            reply.set_authoritative(false);
        }
        self.finish(batch, is_proven, Some(query.qtype()), &mut reply, case.client)
    }

    #[inline]
    fn look_up<'c>(
        &mut self,
        batch: &Batch<'c>,
        query: &Query,
        entry: Option<&'c ZoneEntry>,
        client: IpAddr,
        reply: &mut Reply<'_>,
    ) -> Verdict {
        let Some(scope) = batch.catalog.scope_at(query.view) else {
            reply.set_rcode(ResponseCode::REFUSED);
            return Verdict::Reply;
        };
        let answerer = Answerer {
            policy: batch.catalog.policy(),
            scope,
            transport: self.transport,
            qtype: query.qtype(),
            dnssec_ok: query.dnssec_ok(),
            client,
        };
        let rules = batch.guard.rules();
        if !rules.is_empty() && matches!(query.qclass(), Class::IN | Class::ANY) {
            let view = scope.view.name();
            let matched = rules.find(&query.qname, query.qtype(), client, view, &mut self.turn);
            if !matched.is_empty() {
                return self.obey(rules, &matched, answerer, query, entry, client, reply);
            }
        }
        answerer.answer(&query.qname, entry, &mut self.scratch, reply);
        Verdict::Reply
    }

    /// Answers as rules want it.
    #[inline(never)]
    #[allow(clippy::too_many_arguments, reason = "the parts of one question, each from elsewhere")]
    fn obey<'c>(
        &mut self,
        rules: &RuleSet,
        matched: &Matched<'_>,
        answerer: Answerer<'c>,
        query: &Query,
        entry: Option<&'c ZoneEntry>,
        client: IpAddr,
        reply: &mut Reply<'_>,
    ) -> Verdict {
        matched.rules().for_each(|number| self.rule_hits.count(number));
        self.decided = matched.terminal.map(|(number, _)| number);
        // What would be added behind the answers is not changed by rules, and would tell what they keep back.
        let minimal;
        let answerer = if matched.transforms.is_empty() {
            answerer
        } else {
            minimal = AnswerPolicy { minimal_responses: true, ..answerer.policy.clone() };
            Answerer { policy: &minimal, ..answerer }
        };
        let name = &query.qname;
        match matched.terminal.map(|(_, terminal)| terminal) {
            None => answerer.answer(name, entry, &mut self.scratch, reply),
            Some(Terminal::Drop) => return Verdict::Silence,
            Some(Terminal::Refuse) => {
                reply.set_rcode(ResponseCode::REFUSED);
                reply.set_error(ExtendedError::Blocked);
            }
            Some(Terminal::NxDomain) => {
                reply.set_error(ExtendedError::Blocked);
                answerer.deny(name, entry, ResponseCode::NXDOMAIN, reply);
            }
            Some(Terminal::NoData) => {
                reply.set_error(ExtendedError::Blocked);
                answerer.deny(name, entry, ResponseCode::NOERROR, reply);
            }
            Some(Terminal::Replace(replaced)) => {
                reply.set_error(ExtendedError::ForgedAnswer);
                // RFC 8482, section 4.1: for ANY one RRset is enough.
                let rrset = match query.qtype() {
                    RecordType::ANY => replaced.rrsets().first(),
                    qtype => replaced.rrset(qtype),
                };
                match rrset {
                    Some(rrset) => {
                        reply.set_authoritative(entry.is_some());
                        if reply.put_ready(Section::Answer, &rrset.records, rrset.count).is_err() {
                            reply.truncate();
                        }
                    }
                    None => answerer.deny(name, entry, ResponseCode::NOERROR, reply),
                }
            }
            Some(Terminal::Rewrite(rewrite)) => {
                if rewrite.apply(name, &mut self.rewritten) {
                    let target = find_zone(answerer.scope, &self.rewritten, query.qtype());
                    answerer.answer_under(&self.rewritten, target, &mut self.scratch, reply);
                    if reply.is_negative() {
                        // The SOA record of another zone would be of no use to the client (RFC 2308, section 5).
                        reply.remove_records();
                        answerer.deny(name, entry, reply.rcode(), reply);
                    }
                } else {
                    reply.set_rcode(ResponseCode::YXDOMAIN);
                }
            }
        }
        if !matched.transforms.is_empty()
            && reply.transform(|answers| rules.transform(matched, answers, client, &mut self.turn))
        {
            if reply.has_no_answers() {
                answerer.deny(name, entry, ResponseCode::NOERROR, reply);
            } else {
                answerer.end_chain(&self.scratch, reply);
            }
        }
        Verdict::Reply
    }

    /// Tells the client what is wrong with its request, if it should hear.
    #[cold]
    pub fn object(
        &mut self,
        batch: &Batch<'_>,
        query: &Query,
        error: RequestError,
        case: &Case<'_>,
        buffer: &mut [u8],
    ) -> Option<Made> {
        self.decided = None;
        let mut rcode = error.rcode()?;
        let question_end = if error.has_question() { query.question_end } else { HEADER_OCTETS };
        let mut reply = self.begin(batch.catalog.policy(), query, question_end, case.request, buffer);
        let mut is_proven = false;
        if !batch.guard.admits(batch.listener, case.client) {
            self.counters.count_prohibited();
            prohibit(&mut reply);
            rcode = ResponseCode::REFUSED;
        } else if error == RequestError::CookieAlone {
            let proof = match query.edns {
                Some(edns) if batch.guard.cookies.is_some() => {
                    self.put_options(batch, edns, case, &mut reply)
                }
                _ => Proof::Malformed,
            };
            is_proven = proof == Proof::Given;
            rcode = match proof {
                Proof::Given | Proof::Missing => ResponseCode::NOERROR,
                // RFC 7873, section 5.4.
                Proof::Wrong => ResponseCode::BADCOOKIE,
                Proof::Malformed => ResponseCode::FORMERR,
            };
        }
        reply.set_rcode(rcode);
        let qtype = error.has_question().then_some(query.qtype());
        self.finish(batch, is_proven, qtype, &mut reply, case.client)
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

    /// Answers to the client's options; says whether its cookie proves its address.
    #[cold]
    fn put_options<'g>(
        &mut self,
        batch: &Batch<'g>,
        edns: Edns,
        case: &Case<'_>,
        reply: &mut Reply<'g>,
    ) -> Proof {
        let Case { request, client } = *case;
        if edns.keepalive && self.transport == Transport::Tcp {
            reply.set_keepalive(batch.catalog.policy().tcp_keepalive);
        }
        if let Some(nsid) = batch.guard.identities.nsid.as_ref().filter(|_| edns.nsid) {
            reply.set_nsid(nsid);
        }
        let (Some(cookies), Some(option)) = (&batch.guard.cookies, edns.cookie) else {
            return Proof::Missing;
        };
        let option = option.of(request);
        let state = cookies.check(option, client, batch.now);
        self.counters.count_cookie(&state);
        match state {
            // RFC 7873, section 5.2.2.
            CookieState::Malformed => {
                reply.set_rcode(ResponseCode::FORMERR);
                Proof::Malformed
            }
            CookieState::ClientOnly(own) => {
                reply.set_cookie(own, cookies.make(own, client, batch.now));
                Proof::Missing
            }
            CookieState::Invalid(own) => {
                reply.set_cookie(own, cookies.make(own, client, batch.now));
                Proof::Wrong
            }
            CookieState::Valid { client: own, renew } => {
                let known = option.get(8..).and_then(|known| known.try_into().ok());
                let server = known.filter(|_| !renew);
                reply.set_cookie(own, server.unwrap_or_else(|| cookies.make(own, client, batch.now)));
                Proof::Given
            }
        }
    }

    /// Ends a reply, unless the client has had enough of its kind.
    #[inline]
    fn finish(
        &mut self,
        batch: &Batch<'_>,
        is_proven: bool,
        qtype: Option<RecordType>,
        reply: &mut Reply<'_>,
        client: IpAddr,
    ) -> Option<Made> {
        if let Some(limiter) = &mut self.limiter
            && !is_proven
            && !limiter.is_exempt(client)
        {
            let kind = kind_of(reply);
            match limiter.check(client, kind, batch.now) {
                Decision::Send => {}
                Decision::Drop => {
                    self.counters.count_limited(kind, false);
                    return None;
                }
                Decision::Slip => {
                    self.counters.count_limited(kind, true);
                    slip(kind, reply);
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
    reply.keep_cookie_only();
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
