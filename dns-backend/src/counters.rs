//! What one worker counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dns_core::{RecordType, ResponseCode};

use crate::guard::{CookieState, ResponseKind};

/// Types that are counted on their own; the rest are `other`.
const TYPES: [RecordType; 19] = [
    RecordType::A,
    RecordType::AAAA,
    RecordType::NS,
    RecordType::CNAME,
    RecordType::SOA,
    RecordType::PTR,
    RecordType::MX,
    RecordType::TXT,
    RecordType::SRV,
    RecordType::NAPTR,
    RecordType::DS,
    RecordType::DNSKEY,
    RecordType::TLSA,
    RecordType::SVCB,
    RecordType::HTTPS,
    RecordType::CAA,
    RecordType::ANY,
    RecordType::AXFR,
    RecordType::IXFR,
];
/// Response codes that are counted on their own, by number; the last slot is `other`.
const RCODES: usize = 11;

/// Counts of one worker. Only that worker writes, so it never needs more than plain loads and stores.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    replies: [[AtomicU64; RCODES]; TYPES.len() + 1],
    no_question: [AtomicU64; RCODES],
    dropped: AtomicU64,
    truncated: AtomicU64,
    prohibited: AtomicU64,
    limited: [Limited; 4],
    cookies: [AtomicU64; 4],
}

/// Responses of one kind that were kept back.
#[derive(Debug, Default)]
struct Limited {
    slipped: AtomicU64,
    dropped: AtomicU64,
}

/// One figure of [`Counters::replies`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplyCount {
    /// Type that was asked for; `None` if it has no count of its own, or could not be read.
    pub qtype: Option<RecordType>,
    /// Response code that was answered.
    pub rcode: &'static str,
    /// How many there were.
    pub count: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            replies: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
            no_question: std::array::from_fn(|_| AtomicU64::new(0)),
            dropped: AtomicU64::new(0),
            truncated: AtomicU64::new(0),
            prohibited: AtomicU64::new(0),
            limited: Default::default(),
            cookies: Default::default(),
        }
    }
}

impl Counters {
    #[inline]
    pub(crate) fn count_reply(&self, qtype: Option<RecordType>, rcode: ResponseCode, truncated: bool) {
        let slot = rcode_slot(rcode);
        match qtype {
            Some(qtype) => add_one(&self.replies[type_slot(qtype)][slot]),
            None => add_one(&self.no_question[slot]),
        }
        if truncated {
            add_one(&self.truncated);
        }
    }

    #[inline]
    pub(crate) fn count_dropped(&self) {
        add_one(&self.dropped);
    }

    /// Replies by type and response code, those that are not zero.
    pub fn replies(&self) -> impl Iterator<Item = ReplyCount> + '_ {
        let known = TYPES.iter().map(|&rtype| Some(rtype)).chain([None]);
        let by_type = known
            .zip(&self.replies)
            .flat_map(|(qtype, rcodes)| rcodes.iter().enumerate().map(move |found| (qtype, found)));
        let without = self.no_question.iter().enumerate().map(|found| (None, found));
        by_type.chain(without).filter_map(|(qtype, (slot, count))| {
            let count = count.load(Relaxed);
            (count > 0).then_some(ReplyCount { qtype, rcode: slot_label(slot), count })
        })
    }

    #[cold]
    pub(crate) fn count_prohibited(&self) {
        add_one(&self.prohibited);
    }

    #[inline]
    pub(crate) fn count_limited(&self, kind: ResponseKind, slipped: bool) {
        let limited = &self.limited[kind as usize];
        add_one(if slipped { &limited.slipped } else { &limited.dropped });
    }

    #[inline]
    pub(crate) fn count_cookie(&self, state: &CookieState) {
        let slot = match state {
            CookieState::Malformed => 0,
            CookieState::ClientOnly(_) => 1,
            CookieState::Valid { .. } => 2,
            CookieState::Invalid(_) => 3,
        };
        add_one(&self.cookies[slot]);
    }

    /// Questions of clients that may not ask.
    pub fn prohibited(&self) -> u64 {
        self.prohibited.load(Relaxed)
    }

    /// Responses kept back by the limits: by kind, those that left with TC instead and those that were dropped.
    pub fn limited(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let kinds = ["answer", "nxdomain", "referral", "error"];
        kinds
            .into_iter()
            .zip(&self.limited)
            .map(|(kind, limited)| (kind, limited.slipped.load(Relaxed), limited.dropped.load(Relaxed)))
    }

    /// Queries with cookies, by what they were.
    pub fn cookies(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let states = ["malformed", "new", "valid", "invalid"];
        states.into_iter().zip(&self.cookies).map(|(state, count)| (state, count.load(Relaxed)))
    }

    /// Requests that got no answer: too short, or responses, or over the limits.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Replies with TC set.
    pub fn truncated(&self) -> u64 {
        self.truncated.load(Relaxed)
    }
}

#[inline]
fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

#[inline]
fn type_slot(qtype: RecordType) -> usize {
    match qtype {
        RecordType::A => 0,
        RecordType::AAAA => 1,
        _ => TYPES.iter().position(|&rtype| rtype == qtype).unwrap_or(TYPES.len()),
    }
}

fn rcode_slot(rcode: ResponseCode) -> usize {
    match rcode {
        ResponseCode::BADVERS => 7,
        ResponseCode(number @ 0..=6) => usize::from(number),
        _ => RCODES - 1,
    }
}

fn slot_label(slot: usize) -> &'static str {
    match slot {
        7 => ResponseCode::BADVERS.label(),
        0..=6 => ResponseCode(slot as u16).label(),
        _ => "other",
    }
}
