//! The query log's inner end: workers drop copies of what passes into rings, and never wait for who reads them.
//!
//! Meet [`LogHub`], which hands each worker a [`LogWriter`] and the reading side a [`LogReader`] for it; and
//! [`Exchange`], which is what a worker tells of one query. What becomes of the [`Entry`]s is not known here.
//!
//! A ring holds octets, so that a short query takes little of it and no entry is allocated. When a ring is full the
//! entry is dropped and counted: a slow disk costs entries of the log, never answers.

mod entry;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rtrb::{Consumer, Producer, RingBuffer};

pub use self::entry::{Entry, Exchange, LoggedReply, Replied};
use self::entry::{HEAD_OCTETS, Head, Layout};

/// Octets that one [`LogReader::read`] takes at least, if there are as many, before it gives the room back.
const READ_OCTETS: usize = 64 * 1024;

/// What is logged, and how much room there is for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogSettings {
    /// One query of so many is logged, counted by each worker on its own: its first, and then every `sample`th.
    pub sample: NonZeroU32,
    /// Room of one worker's ring, in octets. An entry takes 43 octets, the names of view and rule, the request, and what is
    /// kept of the reply; one that is larger than the ring is always dropped. The memory is only used once it has been
    /// written to.
    pub ring_octets: usize,
    /// Keep replies whole; otherwise their headers alone.
    pub whole_replies: bool,
}

impl LogSettings {
    /// Room for the entries of about 10,000 queries.
    pub const RING_OCTETS_DEFAULT: usize = 1024 * 1024;
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { sample: NonZeroU32::MIN, ring_octets: Self::RING_OCTETS_DEFAULT, whole_replies: false }
    }
}

/// Where writers and readers meet: makes a ring per worker.
#[derive(Debug)]
pub struct LogHub {
    settings: LogSettings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Readers that nobody has fetched yet.
    fresh: Vec<LogReader>,
    /// Of all writers that are there.
    counts: Vec<Arc<Counts>>,
    /// Counted by writers that are gone.
    dropped_before: u64,
    closed: bool,
}

/// What one writer counts; on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counts {
    dropped: AtomicU64,
}

impl LogHub {
    /// A hub without any rings yet.
    pub fn new(settings: LogSettings) -> Arc<Self> {
        Arc::new(Self { settings, state: Mutex::default() })
    }

    /// What it was made with.
    pub fn settings(&self) -> &LogSettings {
        &self.settings
    }

    /// The writing end of one more ring, for one worker. Allocates and locks: for when a worker starts.
    pub fn writer(&self) -> LogWriter {
        let mut state = self.lock();
        let room = if state.closed { 0 } else { self.settings.ring_octets };
        let (ring, consumer) = RingBuffer::new(room);
        if !state.closed {
            state.fresh.push(LogReader { ring: consumer, whole: Vec::new() });
        }
        let counts = Arc::new(Counts::default());
        state.counts.push(counts.clone());
        let reply_octets_max = if self.settings.whole_replies { usize::MAX } else { HEADER_OCTETS };
        LogWriter { ring, counts, every: self.settings.sample, passing: 0, reply_octets_max }
    }

    /// The reading ends of the rings that were made since the last call. There is one reading side.
    pub fn take_readers(&self) -> Vec<LogReader> {
        std::mem::take(&mut self.lock().fresh)
    }

    /// Says that nobody reads any more: writers that are made from now on count all their entries as dropped.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.fresh.clear();
    }

    /// Entries that found no room, by all writers that there ever were.
    pub fn dropped(&self) -> u64 {
        let state = &mut *self.lock();
        let before = &mut state.dropped_before;
        state.counts.retain_mut(|counts| match Arc::get_mut(counts) {
            // To be had alone means that its writer is gone, and that all it has written can be seen.
            Some(last) => {
                *before += *last.dropped.get_mut();
                false
            }
            None => true,
        });
        let present: u64 = state.counts.iter().map(|counts| counts.dropped.load(Relaxed)).sum();
        state.dropped_before + present
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's end of the log.
#[derive(Debug)]
pub struct LogWriter {
    // Dropped before `counts`, so that who folds the counts together has seen the ring abandoned.
    ring: Producer<u8>,
    counts: Arc<Counts>,
    every: NonZeroU32,
    /// Queries that pass unlogged until one is logged.
    passing: u32,
    reply_octets_max: usize,
}

impl LogWriter {
    /// Logs an exchange, if it is the turn of one and there is room; copies, and neither waits nor allocates. What it costs is
    /// measured by `dns-querylog/examples/record_cost.rs`.
    #[inline]
    pub fn record(&mut self, exchange: &Exchange<'_>) {
        if self.passing > 0 {
            self.passing -= 1;
            return;
        }
        self.passing = self.every.get() - 1;
        self.write(exchange);
    }

    fn write(&mut self, exchange: &Exchange<'_>) {
        let layout = Layout::of(exchange, self.reply_octets_max);
        let Ok(mut chunk) = self.ring.write_chunk(layout.octets()) else {
            let dropped = &self.counts.dropped;
            // Nobody else writes it.
            dropped.store(dropped.load(Relaxed).wrapping_add(1), Relaxed);
            return;
        };
        let (first, second) = chunk.as_mut_slices();
        let mut room = Room { first, second };
        layout.write(|octets| room.put(octets));
        chunk.commit_all();
    }
}

/// Free room of a ring, which may go on at the ring's beginning.
struct Room<'r> {
    first: &'r mut [u8],
    second: &'r mut [u8],
}

impl Room<'_> {
    #[inline]
    fn put(&mut self, octets: &[u8]) {
        if octets.len() <= self.first.len() {
            self.first = fill(std::mem::take(&mut self.first), octets);
            return;
        }
        let (now, later) = octets.split_at(self.first.len());
        fill(std::mem::take(&mut self.first), now);
        self.second = fill(std::mem::take(&mut self.second), later);
    }
}

/// Copies to the front of the room; returns the rest of it.
#[inline]
fn fill<'r>(room: &'r mut [u8], octets: &[u8]) -> &'r mut [u8] {
    let (front, rest) = room.split_at_mut(octets.len());
    front.copy_from_slice(octets);
    rest
}

/// The reading end of one worker's ring.
#[derive(Debug)]
pub struct LogReader {
    ring: Consumer<u8>,
    /// The entry that lies across the ring's end, put together.
    whole: Vec<u8>,
}

impl LogReader {
    /// Hands over entries, oldest first, until there are none or there were many; the room they took is free again
    /// afterwards. Tells how many octets of the ring they took: 0 means that there were none.
    pub fn read(&mut self, mut each: impl FnMut(&Entry<'_>)) -> usize {
        let present = self.ring.slots();
        let Ok(chunk) = self.ring.read_chunk(present) else {
            return 0;
        };
        let (first, second) = chunk.as_slices();
        let mut read = 0;
        while read < READ_OCTETS.min(present) {
            let Some(octets) = entry_octets(first, second, read) else {
                // Writers publish whole entries only. Should one ever not be, what follows cannot be told apart either.
                debug_assert!(false, "half an entry in the ring");
                read = present;
                break;
            };
            let end = read + octets;
            let whole = if end <= first.len() {
                &first[read..end]
            } else if read >= first.len() {
                &second[read - first.len()..end - first.len()]
            } else {
                self.whole.clear();
                self.whole.extend_from_slice(&first[read..]);
                self.whole.extend_from_slice(&second[..end - first.len()]);
                &self.whole
            };
            read = end;
            if let Some(entry) = Entry::read(whole) {
                each(&entry);
            }
        }
        chunk.commit(read);
        read
    }

    /// Octets that wait to be read.
    pub fn pending_octets(&self) -> usize {
        self.ring.slots()
    }

    /// The writer is gone and all it has written is read.
    pub fn is_finished(&self) -> bool {
        // In this order: what was written before the writer went is seen once it is seen to be gone.
        self.ring.is_abandoned() && self.ring.slots() == 0
    }
}

/// Octets of the entry that begins at `at`; `None` if it is not all there.
fn entry_octets(first: &[u8], second: &[u8], at: usize) -> Option<usize> {
    let mut head = [0; HEAD_OCTETS];
    for (octet, from) in head.iter_mut().zip(at..) {
        *octet = *first.get(from).or_else(|| second.get(from - first.len()))?;
    }
    let octets = Head::decode(&head).octets();
    (at + octets <= first.len() + second.len()).then_some(octets)
}

/// Octets of a DNS header.
const HEADER_OCTETS: usize = crate::query::HEADER_OCTETS;

#[cfg(test)]
mod tests;
