//! How often somebody may ask, and how long they have to wait.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dns_core::Network;
use tokio::time::Instant;

/// How much clients may ask of the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiLimits {
    /// Requests with one token; 5,000 per second by default, 10,000 at once.
    pub token: Rate,
    /// Requests without a token from one network (an IPv4 address, an IPv6 prefix of 64 bits); 200 per second by default,
    /// 1,000 at once.
    pub stranger: Rate,
    /// Failed logins from one network that are answered at once; 5 by default.
    pub free_failures: u32,
    /// How long a network has to wait after one more, which doubles with every further one; 1 second by default.
    pub first_lockout: Duration,
    /// The longest such wait; 60 seconds by default.
    pub lockout_max: Duration,
    /// How long after the last failed login from a network they are forgotten; 15 minutes by default.
    pub failures_kept: Duration,
    /// Octets of all bodies that are being read or worked on; 512 MiB by default. Bodies of up to 64 KiB, and the first 64 KiB of
    /// others, do not count: the number of connections bounds them.
    pub body_octets: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        let rate = |per_second, burst| Rate {
            per_second: NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN),
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
        };
        Self {
            token: rate(5_000, 10_000),
            stranger: rate(200, 1_000),
            free_failures: 5,
            first_lockout: Duration::from_secs(1),
            lockout_max: Duration::from_mins(1),
            failures_kept: Duration::from_mins(15),
            body_octets: 512 << 20,
        }
    }
}

/// A bucket that fills at a steady rate and holds so many requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// What comes in.
    pub per_second: NonZeroU32,
    /// What fits in.
    pub burst: NonZeroU32,
}

/// Time since the process began to count, in nanoseconds; 0 is before any request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    /// Enough for 584 years.
    pub(crate) fn now(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// A bucket, told by the time at which it is full again: one number, whatever the rate.
#[derive(Debug, Default)]
pub(crate) struct Bucket(AtomicU64);

impl Bucket {
    /// Takes one request out.
    ///
    /// # Errors
    /// It is empty; the time after which it is not.
    pub(crate) fn take(&self, rate: Rate, now: u64) -> Result<(), Duration> {
        let taken = |full_at: u64| rate.take(full_at, now).ok();
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken) {
            Ok(_) => Ok(()),
            Err(full_at) => rate.take(full_at, now).map(drop),
        }
    }
}

impl Rate {
    /// The time at which a bucket is full again after one request more.
    fn take(self, full_at: u64, now: u64) -> Result<u64, Duration> {
        let interval = 1_000_000_000 / u64::from(self.per_second.get());
        let room = interval * u64::from(self.burst.get());
        let after = full_at.max(now) + interval;
        match (after - now).checked_sub(room) {
            None | Some(0) => Ok(after),
            Some(excess) => Err(Duration::from_nanos(excess)),
        }
    }
}

/// Requests without a token, by network.
#[derive(Debug)]
pub(crate) struct Strangers(Table<u64>);

impl Strangers {
    pub(crate) fn new() -> Self {
        Self(Table::new())
    }

    /// Takes one request out of the bucket of the client's network.
    pub(crate) fn take(&self, client: IpAddr, rate: Rate, now: u64) -> Result<(), Duration> {
        self.0.with(network(client), now, |full_at| {
            *full_at = rate.take(*full_at, now)?;
            Ok(())
        })
    }
}

/// Failed logins, by network.
#[derive(Debug)]
pub(crate) struct Failures {
    table: Table<Failed>,
    /// Until when anybody has to wait: mostly in the past, so that clients who log in need not look into the table.
    locked_until: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failed {
    count: u32,
    /// When the last one was.
    last: u64,
    /// Until when nobody new gets in.
    locked_until: u64,
}

impl Failures {
    pub(crate) fn new() -> Self {
        Self { table: Table::new(), locked_until: AtomicU64::new(0) }
    }

    /// How long the client's network has to wait, if it must.
    pub(crate) fn wait(&self, client: IpAddr, now: u64) -> Option<Duration> {
        if self.locked_until.load(Ordering::Relaxed) <= now {
            return None;
        }
        let locked_until = self.table.peek(network(client), |failed| failed.locked_until)?;
        let left = locked_until.checked_sub(now).filter(|left| *left > 0)?;
        Some(Duration::from_nanos(left))
    }

    /// Counts one more. Whoever must wait is not counted meanwhile, so that one who asks on and on does not lock a whole
    /// network out for good.
    pub(crate) fn count(&self, client: IpAddr, limits: &ApiLimits, now: u64) {
        let locked_until = self.table.with(network(client), now, |failed| {
            if now.saturating_sub(failed.last) > nanoseconds(limits.failures_kept) {
                failed.count = 0;
            }
            failed.count = failed.count.saturating_add(1);
            failed.last = now;
            if let Some(doublings) = failed.count.checked_sub(limits.free_failures.saturating_add(1)) {
                let lockout = limits.first_lockout.saturating_mul(1 << doublings.min(30));
                failed.locked_until = now + nanoseconds(lockout.min(limits.lockout_max));
            }
            failed.locked_until
        });
        self.locked_until.fetch_max(locked_until, Ordering::Relaxed);
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

/// Whose guesses count as one's: an IPv6 client has at least 64 bits to choose its address from.
pub(crate) fn network(client: IpAddr) -> Network {
    match client.to_canonical() {
        address @ IpAddr::V4(_) => Network::host(address),
        address @ IpAddr::V6(_) => Network::new(address, 64),
    }
}

/// Something about each of the networks seen last. It never grows: who has not been seen for longest makes room, among the
/// few whose place is the same.
#[derive(Debug)]
struct Table<T> {
    sets: Mutex<Box<[Set<T>]>>,
    /// With keys of its own, so that nobody can choose networks that all have one place.
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    network: Network,
    seen: u64,
    value: T,
}

type Set<T> = [Option<Slot<T>>; WAYS];

const SETS: usize = 4096;
const WAYS: usize = 4;

impl<T: Copy + Default> Table<T> {
    fn new() -> Self {
        Self { sets: Mutex::new(vec![[None; WAYS]; SETS].into_boxed_slice()), hasher: RandomState::new() }
    }

    /// Gives what is kept about a network, or the default, to be changed.
    fn with<R>(&self, network: Network, now: u64, change: impl FnOnce(&mut T) -> R) -> R {
        let place = self.place(network);
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let set = &mut sets[place];
        let known = set.iter().position(|slot| slot.as_ref().is_some_and(|slot| slot.network == network));
        let way = known.unwrap_or_else(|| {
            let oldest = set.iter().enumerate().min_by_key(|(_, slot)| slot.as_ref().map(|slot| slot.seen));
            oldest.map_or(0, |(way, _)| way)
        });
        let fresh = Slot { network, seen: now, value: T::default() };
        let slot = match known {
            Some(_) => set[way].get_or_insert(fresh),
            None => set[way].insert(fresh),
        };
        slot.seen = now;
        change(&mut slot.value)
    }

    /// Shows what is kept about a network, if anything is.
    fn peek<R>(&self, network: Network, show: impl FnOnce(&T) -> R) -> Option<R> {
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots = sets[self.place(network)].iter().flatten();
        slots.find(|slot| slot.network == network).map(|slot| show(&slot.value))
    }

    fn place(&self, network: Network) -> usize {
        self.hasher.hash_one(network) as usize % SETS
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate { per_second: per_second.try_into().unwrap(), burst: burst.try_into().unwrap() }
    }

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn buckets_give_a_burst_and_then_the_rate() {
        let (bucket, rate) = (Bucket::default(), rate(10, 5));
        let now = 7 * SECOND;
        for _ in 0..5 {
            assert_eq!(bucket.take(rate, now), Ok(()));
        }
        assert_eq!(bucket.take(rate, now), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(rate, now + SECOND / 20), Err(Duration::from_millis(50)));
        assert_eq!(bucket.take(rate, now + SECOND / 10), Ok(()));
        assert_eq!(bucket.take(rate, now + SECOND / 10), Err(Duration::from_millis(100)));
        let later = now + 60 * SECOND;
        let taken = (0..100).filter(|_| bucket.take(rate, later).is_ok()).count();
        assert_eq!(taken, 5, "a long rest fills the bucket and no more");
    }

    #[test]
    fn strangers_share_the_bucket_of_their_network() {
        let (strangers, rate) = (Strangers::new(), rate(1, 2));
        let take = |address: &str| strangers.take(client(address), rate, SECOND).is_ok();
        assert!(take("192.0.2.1") && take("::ffff:192.0.2.1"));
        assert!(!take("192.0.2.1"));
        assert!(take("192.0.2.2"));
        assert!(take("2001:db8::1") && take("2001:db8::ffff:1"));
        assert!(!take("2001:db8::2"));
        assert!(take("2001:db8:0:1::1"));
    }

    #[test]
    fn waits_grow_with_failures_and_end() {
        let limits = ApiLimits { lockout_max: Duration::from_secs(6), ..ApiLimits::default() };
        let (failures, who) = (Failures::new(), client("192.0.2.1"));
        let mut now = SECOND;
        let mut waits = Vec::new();
        for _ in 0..10 {
            failures.count(who, &limits, now);
            let wait = failures.wait(who, now);
            now += wait.map_or(0, nanoseconds);
            assert_eq!(failures.wait(who, now), None);
            waits.push(wait.map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 6, 6]);
        assert_eq!(failures.wait(client("192.0.2.2"), now), None);
        now += nanoseconds(limits.failures_kept) + 1;
        failures.count(who, &limits, now);
        assert_eq!(failures.wait(who, now), None, "what is long ago is forgotten");
    }

    #[test]
    fn tables_keep_those_seen_last_and_never_grow() {
        let table = Table::<u32>::new();
        let regular = Network::host(client("192.0.2.1"));
        for step in 0..200_000_u32 {
            let stranger = Network::host(Ipv4Addr::from(0x0a00_0000 + step).into());
            table.with(stranger, u64::from(step), |count| *count += 1);
            table.with(regular, u64::from(step), |count| *count += 1);
        }
        assert_eq!(table.peek(regular, |count| *count), Some(200_000));
        let kept = table.sets.lock().unwrap().iter().flatten().flatten().count();
        assert_eq!(kept, SETS * WAYS);
    }
}
