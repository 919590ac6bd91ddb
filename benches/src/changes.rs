//! Changes of records in a zone of [`ZonePlan`]: which they are, how long they take, and making them in process.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dns_server::dns_core::{Name, RecordType, Rrset};
use dns_server::store::{Source, Store};
use serde::{Deserialize, Serialize};

use crate::zone::{Kind, ZonePlan};

/// A prime, so that every host is changed once before one is changed again.
const STRIDE: u64 = 2_654_435_761;
/// A changer that is so late, because its process was stopped or has too much to do, does not make up for it.
const LATE: Duration = Duration::from_millis(20);

/// The names with one address, in an order that helps no cache.
pub struct Hosts {
    plan: ZonePlan,
    /// Indices of the names.
    indices: Vec<u32>,
}

/// Changes the address of one host after another, each to another one than it has.
pub struct Changer<'s> {
    store: &'s Store,
    hosts: Hosts,
    made: u64,
}

/// How long changes took until readers saw them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Latency {
    /// How many there were.
    pub changes: u64,
    /// Half of them took no longer, in microseconds.
    pub median_micros: f64,
    /// 99 of 100 took no longer.
    pub p99_micros: f64,
    /// None took longer.
    pub max_micros: f64,
    /// One after another, each as soon as the one before is done.
    pub changes_per_second: f64,
}

impl Hosts {
    /// Those of this zone.
    pub fn new(plan: ZonePlan) -> Self {
        let indices = (0..plan.names).filter(|index| Kind::of(*index) == Kind::Host).collect();
        Self { plan, indices }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The name at this place; places begin anew behind the last one.
    ///
    /// # Errors
    ///
    /// If the plan's name were none; they all are.
    pub fn owner(&self, place: usize) -> Result<Name> {
        Ok(self.plan.owner(self.indices[place % self.indices.len()]).parse()?)
    }

    /// The host that change number `made` is for, and its new address.
    ///
    /// # Errors
    ///
    /// If the plan's name were none; they all are.
    pub fn change(&self, made: u64) -> Result<(Name, [u8; 4])> {
        let place = made.wrapping_mul(STRIDE) % self.indices.len() as u64;
        Ok((self.owner(place as usize)?, (made as u32).to_be_bytes())) // of any 2^32 in a row, no two are alike
    }
}

impl Latency {
    /// Of changes that took so long, at this rate; `None` if there were none.
    pub fn of(mut times: Vec<Duration>, changes_per_second: f64) -> Option<Self> {
        times.sort_unstable();
        // The time that at least so many per cent did not exceed: of a few, 99 % are all.
        let micros = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).checked_sub(1)?;
            Some(times.get(place)?.as_secs_f64() * 1e6)
        };
        Some(Self {
            changes: times.len() as u64,
            median_micros: micros(50)?,
            p99_micros: micros(99)?,
            max_micros: micros(100)?,
            changes_per_second,
        })
    }
}

impl<'s> Changer<'s> {
    /// For a store that has the zone of the plan.
    pub fn new(store: &'s Store, plan: ZonePlan) -> Self {
        Self { store, hosts: Hosts::new(plan), made: 0 }
    }

    /// Changes the next host; returns how long the store took until it was published.
    ///
    /// # Errors
    ///
    /// If the store refuses it, or readers do not see it.
    pub fn change(&mut self) -> Result<Duration> {
        let (owner, address) = self.hosts.change(self.made)?;
        let rrset = Rrset::new(owner.clone(), RecordType::A, 300, [address])?;
        let begin = Instant::now();
        self.store.update(&Source::Api, rrset, None).with_context(|| format!("changing {owner}"))?;
        let took = begin.elapsed();
        self.made += 1;
        let catalog = self.store.snapshot();
        let zone = catalog.default_view().and_then(|view| view.zone_of(&owner)?.zone());
        let rrset = zone.and_then(|zone| zone.node_of(&owner)?.rrset(RecordType::A));
        ensure!(rrset.is_some_and(|rrset| rrset.records.ends_with(&address)), "{owner} has not changed");
        Ok(took)
    }

    /// Changes so many records per second, evenly, until the time is over.
    ///
    /// # Errors
    ///
    /// As for [`change`](Self::change).
    pub fn run(&mut self, per_second: u32, time: Duration) -> Result<()> {
        let mut now = Instant::now();
        let Some(mut pace) = Pace::new(now, per_second, time) else {
            return Ok(());
        };
        while let Some(wait) = pace.next(now) {
            // Timers are late by some 50 us: at high rates several changes are due after one sleep.
            thread::sleep(wait);
            self.change()?;
            now = Instant::now();
        }
        Ok(())
    }

    /// Makes so many changes one after another.
    ///
    /// # Errors
    ///
    /// As for [`change`](Self::change), or there are no changes.
    pub fn time(&mut self, changes: u32) -> Result<Latency> {
        let begin = Instant::now();
        let times = (0..changes).map(|_| self.change()).collect::<Result<Vec<_>>>()?;
        let per_second = f64::from(changes) / begin.elapsed().as_secs_f64();
        Latency::of(times, per_second).context("no changes to time")
    }
}

/// When changes are due.
struct Pace {
    start: Instant,
    time: Duration,
    pause: Duration,
    /// When the next one is.
    due: Instant,
}

impl Pace {
    /// So many per second from the start on, until the time is over; `None` if there are to be none.
    fn new(start: Instant, per_second: u32, time: Duration) -> Option<Self> {
        let pause = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { start, time, pause, due: start })
    }

    /// How long to wait before the next change; `None` when the time is over.
    fn next(&mut self, now: Instant) -> Option<Duration> {
        if now.duration_since(self.start) >= self.time {
            return None;
        }
        if now.duration_since(self.due) > LATE {
            self.due = now;
        }
        let wait = self.due.saturating_duration_since(now);
        self.due += self.pause;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use dns_server::Server;

    use super::*;

    #[test]
    fn shares_of_few_changes_are_whole_changes() {
        let of = |count: u64| {
            let times = (1..=count).rev().map(Duration::from_micros).collect();
            let latency = Latency::of(times, 1.0)?;
            let micros = [latency.median_micros, latency.p99_micros, latency.max_micros];
            Some(micros.map(|micros| micros.round() as u64))
        };
        assert_eq!(of(0), None);
        assert_eq!(of(1), Some([1, 1, 1]));
        assert_eq!(of(3), Some([2, 3, 3]));
        assert_eq!(of(1000), Some([500, 990, 1000]));
    }

    #[test]
    fn changes_are_due_evenly_and_those_long_overdue_are_not_made_up_for() {
        let (start, millis) = (Instant::now(), Duration::from_millis);
        let mut pace = Pace::new(start, 1000, millis(100)).unwrap();
        let mut next = |now| pace.next(start + millis(now));
        assert_eq!([next(0), next(0), next(1)], [0, 1, 1].map(|wait| Some(millis(wait))));
        // Six are overdue when it comes back a little late, and one when it comes back much too late.
        assert_eq!([8; 6].map(&mut next), [Some(millis(0)); 6]);
        assert_eq!(next(8), Some(millis(1)));
        assert_eq!([next(60), next(60)], [0, 1].map(|wait| Some(millis(wait))));
        assert_eq!((next(99).is_some(), next(100)), (true, None));
        assert!(Pace::new(start, 0, millis(100)).is_none());
    }

    #[tokio::test]
    async fn every_change_is_seen_and_no_host_is_changed_twice_in_a_row() {
        let plan = ZonePlan { names: 100 };
        let mut text = Vec::new();
        plan.write(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let server = Server::builder()
            .listen("127.0.0.1:0".parse().unwrap())
            .zone_text("bench.test".parse().unwrap(), text)
            .strict()
            .build()
            .await
            .unwrap();
        let mut changer = Changer::new(server.store(), plan);
        assert_eq!(changer.hosts.indices.len(), 50);
        let places: HashSet<_> = (0..50_u64).map(|made| made.wrapping_mul(STRIDE) % 50).collect();
        assert_eq!(places.len(), 50);
        let latency = changer.time(120).unwrap();
        assert_eq!(latency.changes, 120);
        assert!(latency.median_micros <= latency.p99_micros && latency.p99_micros <= latency.max_micros);
        assert!(changer.time(0).is_err());
        changer.run(0, Duration::from_mins(1)).unwrap();
        assert_eq!(changer.made, 120);
        // However slow the machine is, the first one is due at once.
        changer.run(1000, Duration::from_millis(20)).unwrap();
        assert!(changer.made > 120);
    }
}
