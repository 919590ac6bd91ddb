//! Response rate limiting: how many responses of a kind a client network gets per second.
//!
//! Each worker has a [`Limiter`] of its own, so no two cores write to one cache line. For each network and kind it keeps
//! one number, the time at which what was sent will be worked off at the configured rate (the generic cell rate algorithm:
//! a token bucket without a refill to do). A response is sent as long as that time is less than the burst ahead of now.

mod table;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use dns_core::NetworkMap;

use self::table::Table;
use super::RateLimitSpec;

/// Response rate limits of one worker.
///
/// Nothing is allocated before the first response that is subject to a limit; from then on, there is a table of
/// [`RateLimitSpec::table_size`] entries of 16 octets, whatever comes in.
///
/// **Very many sources.** Whoever finds no free entry takes over the one, of the four that its hash may lie in, that is
/// nearest to its full burst, *with what was spent of it*. So nothing is ever forgotten that would still count: every
/// network is held to its rate and burst exactly, however many others there are, and all together to `table_size` times
/// that. The price is paid by newcomers, who may begin with less than their burst. They notice only where all four entries
/// are in debt: because as many networks as there are buckets are above their limits, or because new networks come faster
/// than `rate` times `table_size` per second. With the defaults no worker is that fast.
#[derive(Debug)]
pub struct Limiter {
    /// Nanoseconds of a client's time that one response takes, by [`ResponseKind`]; 0 is no limit.
    costs: [u64; ResponseKind::COUNT],
    /// Nanoseconds by which a client may be ahead of the time.
    burst: u64,
    /// See [`RateLimitSpec::slip`].
    slip: u8,
    ipv4_prefix: u8,
    ipv6_prefix: u8,
    exempt: NetworkMap<()>,
    /// Keyed at random, so that nobody outside can aim at the bucket of another. A hash of a few multiplications would save
    /// a tenth of a check, and would have to be argued.
    hash: RandomState,
    clock: Clock,
    table: Table,
}

/// What a response is, as far as its limit is concerned.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ResponseKind {
    /// Records that were asked for, or none of that type; [`RateLimitSpec::answers`].
    Answer,
    /// The name does not exist; [`RateLimitSpec::nxdomains`].
    NxDomain,
    /// Other servers know; [`RateLimitSpec::referrals`].
    Referral,
    /// Anything that is no answer; [`RateLimitSpec::errors`].
    Error,
}

/// What becomes of a response.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Decision {
    /// It is sent.
    Send,
    /// It is above the limit, and leaves with TC and without records.
    Slip,
    /// It is above the limit, and is not sent.
    Drop,
}

impl Limiter {
    /// Longest burst in seconds. What is longer in a spec counts as this, since [`Clock`] forgets what lies further back.
    const BURST_MAX: u32 = 60;

    /// A limiter that has seen nobody. Values beyond the bounds that [`RateLimitSpec`] names count as the nearest bound;
    /// rates above 10^9 per second are no limit.
    pub fn new(spec: &RateLimitSpec) -> Self {
        let cost = |rate: u32| NANOSECONDS.checked_div(u64::from(rate)).unwrap_or(0);
        Self {
            costs: [cost(spec.answers), cost(spec.nxdomains), cost(spec.referrals), cost(spec.errors)],
            burst: u64::from(spec.burst.clamp(1, Self::BURST_MAX)) * NANOSECONDS,
            slip: spec.slip,
            ipv4_prefix: spec.ipv4_prefix.clamp(1, 32),
            ipv6_prefix: spec.ipv6_prefix.clamp(1, 128),
            exempt: spec.exempt.iter().map(|network| (*network, ())).collect(),
            hash: RandomState::new(),
            clock: Clock::default(),
            table: Table::new(spec.table_size),
        }
    }

    /// The client is never limited. [`check`](Self::check) does not ask this: whoever calls it knows whether it has to be
    /// asked, and in which order with the client's cookie.
    pub fn is_exempt(&self, client: IpAddr) -> bool {
        self.exempt.get(client).is_some()
    }

    /// Decides about one response, and counts it against its client's network. `now` is the time since 1970; it may
    /// jump.
    pub fn check(&mut self, client: IpAddr, kind: ResponseKind, now: Duration) -> Decision {
        let cost = self.costs[kind as usize];
        if cost == 0 {
            return Decision::Send;
        }
        let now = self.clock.at(now);
        let mut entry = self.table.entry(self.key(client, kind));
        let ahead = entry.paid_until().max(now) + cost;
        if ahead - now <= self.burst {
            entry.set_paid_until(ahead);
            return Decision::Send;
        }
        match self.slip {
            0 => Decision::Drop,
            1 => Decision::Slip,
            every if entry.count_excess(every) => Decision::Slip,
            _ => Decision::Drop,
        }
    }

    /// Octets that the table has.
    pub fn table_octets(&self) -> usize {
        self.table.octets()
    }

    fn key(&self, client: IpAddr, kind: ResponseKind) -> u64 {
        match client.to_canonical() {
            IpAddr::V4(address) => {
                let network = address.to_bits() >> (32 - self.ipv4_prefix);
                self.hash.hash_one((u64::from(network) << 8) | kind as u64)
            }
            IpAddr::V6(address) => {
                let network = address.to_bits() >> (128 - self.ipv6_prefix);
                self.hash.hash_one((network, kind as u8))
            }
        }
    }
}

impl ResponseKind {
    /// How many kinds there are.
    pub const COUNT: usize = 4;
}

/// Time that never goes back, made of time that may.
///
/// A clock that is set back stands still for that moment, so nobody finds himself with debts in the future; one that is set
/// forward gives everybody the full burst.
#[derive(Debug, Default)]
struct Clock {
    /// Of the system's clock, as it was last told.
    last: Duration,
    /// Nanoseconds that have passed since the first look; never near overflow, as each step is bounded.
    elapsed: u64,
}

impl Clock {
    /// More than the longest burst, so it makes no difference whether more time than this has passed.
    const STEP_MAX: Duration = Duration::from_hours(1);

    fn at(&mut self, now: Duration) -> u64 {
        if now != self.last {
            let step = now.saturating_sub(self.last).min(Self::STEP_MAX);
            self.elapsed += step.as_nanos() as u64;
            self.last = now;
        }
        self.elapsed
    }
}

const NANOSECONDS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests;
