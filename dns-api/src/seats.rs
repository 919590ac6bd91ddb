//! Who has a connection, and who has to leave when another one wants its place.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dns_core::Network;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::rate::{Clock, network};

/// The places of a listener, of which there are so many.
///
/// Who has one and asks for nothing keeps it until somebody else wants it. Then one of the network that has most of them goes,
/// and of these the one that has been idle for longest: a client that opens connections without end pushes out its own.
pub(crate) struct Seats {
    slots: Arc<Semaphore>,
    table: Mutex<Table>,
    clock: Clock,
    /// One of [`NOBODY`], [`WAITING`] and [`LEAVING`].
    wish: AtomicU8,
}

/// Nobody waits for a place.
const NOBODY: u8 = 0;
/// Somebody waits, and nobody was idle.
const WAITING: u8 = 1;
/// Somebody waits, and somebody else was asked to leave.
const LEAVING: u8 = 2;

#[derive(Default)]
struct Table {
    seats: HashMap<u64, Arc<Seat>>,
    /// How many each network has; those that have any.
    networks: HashMap<Network, usize>,
    next: u64,
}

/// The place of one connection.
struct Seat {
    network: Network,
    /// Requests that are being answered, and writes that the client holds up.
    at_work: AtomicUsize,
    /// By the clock of the seats, if nothing is at work. A connection that has not asked for anything yet is idle.
    idle_since: AtomicU64,
    leave: Notify,
}

/// The right to a place, until it is dropped.
pub(crate) struct Seated {
    owner: Owner,
    id: u64,
    /// Freed last.
    _slot: Option<OwnedSemaphorePermit>,
}

/// Who sits there, for those who work for them.
#[derive(Clone)]
pub(crate) struct Owner {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
}

/// Work of a connection, until it is dropped: it is not asked to leave meanwhile.
pub(crate) struct AtWork(Owner);

impl Seats {
    pub fn new(connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(connections_max)),
            table: Mutex::default(),
            clock: Clock::new(),
            wish: AtomicU8::new(NOBODY),
        })
    }

    /// A place for a client, as soon as there is one. One at a time may wait.
    pub async fn take(self: &Arc<Self>, client: IpAddr) -> Seated {
        let mut slot = self.slots.clone().try_acquire_owned().ok();
        if slot.is_none() {
            // In this order: who becomes idle after the look sees that somebody waits.
            self.wish.store(WAITING, SeqCst);
            self.make_room();
            // The semaphore is never closed.
            slot = self.slots.clone().acquire_owned().await.ok();
            self.wish.store(NOBODY, SeqCst);
        }
        let seat = Arc::new(Seat {
            network: network(client),
            at_work: AtomicUsize::new(0),
            idle_since: AtomicU64::new(self.clock.now()),
            leave: Notify::new(),
        });
        let mut table = self.table();
        let id = table.next;
        table.next += 1;
        table.seats.insert(id, seat.clone());
        *table.networks.entry(seat.network).or_default() += 1;
        drop(table);
        Seated { owner: Owner { seats: self.clone(), seat }, id, _slot: slot }
    }

    /// Asks one to leave, if anybody is idle.
    fn make_room(&self) {
        let table = self.table();
        let share = |seat: &Seat| table.networks.get(&seat.network).copied().unwrap_or_default();
        let idle = table.seats.values().filter(|seat| seat.is_idle());
        let next = idle.max_by_key(|seat| (share(seat), Reverse(seat.idle_since.load(SeqCst))));
        if let Some(seat) = next
            && self.wish.compare_exchange(WAITING, LEAVING, SeqCst, SeqCst).is_ok()
        {
            seat.leave.notify_one();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is held.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    fn is_idle(&self) -> bool {
        self.at_work.load(SeqCst) == 0
    }
}

impl Seated {
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Ready when the place is wanted and nothing is lost by leaving. To be asked by the task of the connection, after that has
    /// got as far as it can.
    pub async fn wanted(&self) {
        let Owner { seats, seat } = &self.owner;
        loop {
            seat.leave.notified().await;
            if seat.is_idle() {
                return;
            }
            // At work since it was chosen: somebody else has to go, unless that is no longer needed.
            if seats.wish.compare_exchange(LEAVING, WAITING, SeqCst, SeqCst).is_ok() {
                seats.make_room();
            }
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let Owner { seats, seat } = &self.owner;
        let mut table = seats.table();
        table.seats.remove(&self.id);
        if let Entry::Occupied(mut count) = table.networks.entry(seat.network) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Owner {
    /// Work begins.
    pub fn work(&self) -> AtWork {
        self.seat.at_work.fetch_add(1, SeqCst);
        AtWork(self.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let Owner { seats, seat } = &self.0;
        seat.idle_since.store(seats.clock.now(), SeqCst);
        if seat.at_work.fetch_sub(1, SeqCst) == 1 && seats.wish.load(SeqCst) == WAITING {
            seats.make_room();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    async fn take(seats: &Arc<Seats>, client: &str) -> Seated {
        seats.take(client.parse().unwrap()).await
    }

    /// Somebody takes a place; of these, the ones with such numbers are asked to leave for it.
    fn leaving(seats: &Arc<Seats>, seated: &mut Vec<Option<Seated>>, client: &str) -> Vec<usize> {
        let taking = seats.take(client.parse().unwrap());
        let mut taking = std::pin::pin!(taking);
        assert!((&mut taking).now_or_never().is_none(), "all places are taken");
        let leave =
            |seat: &Option<Seated>| seat.as_ref().is_some_and(|seat| seat.wanted().now_or_never().is_some());
        let gone: Vec<usize> = (0..seated.len()).filter(|at| leave(&seated[*at])).collect();
        for at in &gone {
            seated[*at] = None;
        }
        seated.push(taking.now_or_never());
        gone
    }

    async fn a_moment() {
        tokio::time::advance(Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_network_makes_room_by_what_is_idle_for_longest() {
        let seats = Seats::new(5);
        let mut seated = Vec::new();
        // Addresses of an IPv6 client count as one.
        for client in ["192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.2"] {
            seated.push(Some(take(&seats, client).await));
            a_moment().await;
        }
        // What has worked in between is idle since then only, and what works is not asked.
        drop(seated[1].as_ref().unwrap().owner().work());
        let work = seated[2].as_ref().unwrap().owner().work();
        a_moment().await;
        assert_eq!(leaving(&seats, &mut seated, "192.0.2.1"), [3]);
        a_moment().await;
        // Two and two: of all of them the first one.
        assert_eq!(leaving(&seats, &mut seated, "192.0.2.1"), [0]);
        assert_eq!(leaving(&seats, &mut seated, "192.0.2.3"), [1]);
        // Two of 192.0.2.1 are left.
        assert_eq!(leaving(&seats, &mut seated, "192.0.2.3"), [5]);
        drop(work);
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_first_place_that_becomes_idle() {
        let seats = Seats::new(2);
        let [first, second] = [take(&seats, "192.0.2.1").await, take(&seats, "192.0.2.1").await];
        let (request, write) = (first.owner().work(), first.owner().work());
        let other = second.owner().work();
        let mut taking = std::pin::pin!(take(&seats, "192.0.2.2"));
        assert!((&mut taking).now_or_never().is_none());
        drop(request);
        assert!(first.wanted().now_or_never().is_none(), "its answer has not left yet");
        drop(write);
        // It was chosen, and then another request came: the choice falls on the next one.
        let work = first.owner().work();
        assert!(first.wanted().now_or_never().is_none());
        drop(other);
        assert!(second.wanted().now_or_never().is_some());
        drop(second);
        let third = taking.now_or_never().unwrap();
        drop(work);
        for seated in [&first, &third] {
            assert!(seated.wanted().now_or_never().is_none(), "nobody waits any more");
        }
        drop((first, third));
        assert!(seats.table().networks.is_empty() && seats.table().seats.is_empty());
    }
}
