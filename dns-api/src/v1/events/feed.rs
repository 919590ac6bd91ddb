//! What has happened of late, kept for those who follow.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::BuildHasher;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use dns_core::{Name, Rrset};
use dns_store::{Changed, Event, Source, Store};
use tokio::sync::watch;

use crate::auth::TokenId;

/// How much is remembered, and how many may follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeedLimits {
    /// Events that a client may have missed and still be told of; 4,096 by default.
    pub events_max: usize,
    /// Octets that they may take, and a single one half of that: what is larger is told of as a reset. 16 MiB by default.
    pub octets_max: usize,
    /// Streams at a time; 128 by default.
    pub streams_max: usize,
    /// Streams at a time for one token; 8 by default.
    pub streams_per_token_max: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self { events_max: 4096, octets_max: 16 << 20, streams_max: 128, streams_per_token_max: 8 }
    }
}

/// The newest events of one view of a store, in memory that is bounded.
///
/// Other views are not told of: what the API lists, changes and has a history of is that of one view as well.
///
/// One task follows the store. Streams read here at their own pace; one that falls behind what is remembered is told to
/// read everything anew. Nobody waits for a stream.
pub struct Feed {
    limits: FeedLimits,
    /// The view that is followed.
    view: Arc<str>,
    /// Tells the ids of this run from those of others, whose numbers may be the same and mean something else.
    run: u32,
    ring: Mutex<Ring>,
    state: watch::Sender<State>,
    /// How many streams each token has; those that have any.
    seats: Mutex<HashMap<TokenId, usize>>,
}

/// What streams wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct State {
    /// Number of the next item.
    pub end: u64,
    /// There will be none.
    pub closed: bool,
}

struct Ring {
    items: VecDeque<Arc<Item>>,
    /// Number of the first of them; they are counted from 0.
    first: u64,
    octets: usize,
    /// Where the one before the first stood, so that it can be told who has missed nothing.
    before: Place,
}

/// One thing that has happened.
#[derive(Debug)]
pub(super) struct Item {
    pub place: Place,
    pub time: SystemTime,
    pub happening: Happening,
    /// All of it as JSON, once somebody has read it who may see everything.
    pub whole: OnceLock<Arc<str>>,
    octets: usize,
}

#[derive(Debug)]
pub(super) enum Happening {
    Changed(Arc<Changed>),
    Reloaded {
        view: Arc<str>,
        source: Source,
        zone: Name,
    },
    Views,
    /// Something that is not remembered: too much at once.
    Reset,
}

/// A place in the order of events: the version of the catalog, and which of the events of that version it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub version: u64,
    pub number: u32,
}

impl Place {
    /// Behind all events of a version.
    pub fn end_of(version: u64) -> Self {
        Self { version, number: u32::MAX }
    }
}

/// What an event is called: its version, which of the events of that version it is, and the run of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventId {
    place: Place,
    run: u32,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place: Place { version, number }, run } = self;
        write!(f, "{version}-{number}-{run:08x}")
    }
}

/// Where a client has stopped reading: the id of an event, or a version that it knows everything of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Since {
    place: Place,
    run: Option<u32>,
}

/// Why an id is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it is neither a version nor the id of an event")]
pub(super) struct NoId;

impl FromStr for Since {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        // The numbers are as we write them: digits alone.
        if !text.bytes().all(|octet| octet.is_ascii_hexdigit() || octet == b'-') {
            return Err(NoId);
        }
        let parts: Vec<&str> = text.split('-').collect();
        let since = match parts.as_slice() {
            [version] => {
                version.parse().ok().map(|version| Self { place: Place::end_of(version), run: None })
            }
            [version, number, run] if run.len() == 8 => {
                let place = version.parse().ok().zip(number.parse().ok());
                let run = u32::from_str_radix(run, 16).ok();
                place
                    .zip(run)
                    .map(|((version, number), run)| Self { place: Place { version, number }, run: Some(run) })
            }
            _ => None,
        };
        since.ok_or(NoId)
    }
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cursor {
    /// Number of the item that it takes next.
    pub next: u64,
    /// What it has seen already: items up to here are passed over.
    pub seen: Place,
}

/// The answer to a stream that asks for more.
#[derive(Debug)]
pub(super) enum More {
    /// The next one.
    Item(Arc<Item>),
    /// There is none by now.
    Nothing,
    /// Some that it has not seen are forgotten.
    Missed,
}

/// Too many streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Full {
    #[error("{0} streams of events are open already, as many as the server serves at a time")]
    Server(usize),
    #[error("{0} streams of events are open already with this token, as many as one may have at a time")]
    Token(usize),
}

/// The right to one stream, until it is dropped.
pub(super) struct Seat {
    feed: Arc<Feed>,
    token: TokenId,
}

impl Feed {
    /// Follows a store from now on, in a task that ends with the store or the feed. Needs a tokio runtime.
    pub fn start(store: &Store, limits: FeedLimits) -> Arc<Self> {
        let mut watch = store.watch();
        // Whatever comes after this version comes by the subscription.
        let feed = Arc::new(Self::new(store.view_name(), store.version(), limits));
        let follower = Arc::downgrade(&feed);
        let mut state = feed.state.subscribe();
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    event = watch.next() => event,
                    closed = state.wait_for(|state| state.closed) => {
                        drop(closed);
                        None
                    }
                };
                let Some(feed) = follower.upgrade() else { return };
                match event {
                    Some(event) => feed.push(event, SystemTime::now()),
                    None => return feed.close(),
                }
            }
        });
        feed
    }

    fn new(view: &str, version: u64, limits: FeedLimits) -> Self {
        let ring = Ring { items: VecDeque::new(), first: 0, octets: 0, before: Place { version, number: 0 } };
        Self {
            limits,
            view: view.into(),
            // Keys of hash maps are drawn anew for each process, which is all that is needed here.
            run: RandomState::new().hash_one(version) as u32,
            ring: Mutex::new(ring),
            state: watch::channel(State { end: 0, closed: false }).0,
            seats: Mutex::default(),
        }
    }

    /// Ends all streams, for a server that stops; there will be no others.
    pub fn close(&self) {
        self.state.send_modify(|state| state.closed = true);
    }

    /// The id of a place, as streams tell it.
    pub(super) fn id(&self, place: Place) -> EventId {
        EventId { place, run: self.run }
    }

    /// Takes one of the places for streams.
    pub(super) fn seat(self: &Arc<Self>, token: TokenId) -> Result<Seat, Full> {
        let FeedLimits { streams_max, streams_per_token_max, .. } = self.limits;
        let mut seats = self.seats();
        if seats.values().sum::<usize>() >= streams_max {
            return Err(Full::Server(streams_max));
        }
        let taken = seats.entry(token).or_default();
        if *taken >= streams_per_token_max {
            return Err(Full::Token(streams_per_token_max));
        }
        *taken += 1;
        Ok(Seat { feed: self.clone(), token })
    }

    /// Where a stream begins that goes on from `since`, or with what comes from now on. `None` if it may have missed
    /// something that is forgotten, or speaks of another run than this one. `version` is the newest there is.
    pub(super) fn resume(&self, since: Option<Since>, version: u64) -> Option<Cursor> {
        let ring = self.ring();
        let Some(Since { place, run }) = since else {
            return Some(ring.end());
        };
        if run.is_some_and(|run| run != self.run) || place < ring.before || place.version > version {
            return None;
        }
        let known = ring.items.partition_point(|item| item.place <= place);
        Some(Cursor { next: ring.first + known as u64, seen: place })
    }

    /// Behind everything there is.
    pub(super) fn end(&self) -> Cursor {
        self.ring().end()
    }

    /// The item of this number.
    pub(super) fn more(&self, next: u64) -> More {
        let ring = self.ring();
        match next.checked_sub(ring.first) {
            None => More::Missed,
            Some(place) => match ring.items.get(place as usize) {
                Some(item) => More::Item(item.clone()),
                None => More::Nothing,
            },
        }
    }

    /// What to wait for when there is no more.
    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn push(&self, event: Event, time: SystemTime) {
        let elsewhere = match &event {
            Event::Changed(changed) => changed.view != self.view,
            Event::Reloaded { view, .. } => *view != self.view,
            // That there are other views concerns those who read this one: their clients may be its clients no more.
            Event::Views { .. } | Event::Lagged(_) => false,
        };
        if elsewhere {
            return;
        }
        let mut ring = self.ring();
        let last = ring.end().seen;
        let (version, mut happening) = match event {
            Event::Changed(changed) => (changed.version, Happening::Changed(changed)),
            Event::Reloaded { version, view, source, zone } => {
                (version, Happening::Reloaded { view, source, zone })
            }
            Event::Views { version } => (version, Happening::Views),
            // What was missed lies between the last one and the next.
            Event::Lagged(_) => (last.version, Happening::Reset),
        };
        if ring.items.is_empty()
            && ring.first == 0
            && version <= last.version
            && !matches!(happening, Happening::Reset)
        {
            return; // from before the start
        }
        let mut octets = happening.octets();
        if octets > self.limits.octets_max / 2 {
            happening = Happening::Reset;
            octets = happening.octets();
        }
        let place = match version.max(last.version) {
            version if version == last.version => Place { version, number: last.number.saturating_add(1) },
            version => Place { version, number: 0 },
        };
        ring.octets += octets;
        ring.items.push_back(Arc::new(Item { place, time, happening, whole: OnceLock::new(), octets }));
        while ring.items.len() > self.limits.events_max || ring.octets > self.limits.octets_max {
            let Some(oldest) = ring.items.pop_front() else { break };
            ring.first += 1;
            ring.octets -= oldest.octets;
            ring.before = oldest.place;
        }
        let end = ring.end().next;
        drop(ring);
        self.state.send_modify(|state| state.end = end);
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing panics while it is held.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<TokenId, usize>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut taken) = self.feed.seats().entry(self.token) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

impl Ring {
    fn end(&self) -> Cursor {
        Cursor {
            next: self.first + self.items.len() as u64,
            seen: self.items.back().map_or(self.before, |item| item.place),
        }
    }
}

impl Happening {
    /// About what it takes in memory, its text included.
    fn octets(&self) -> usize {
        const ITEM_OCTETS: usize = 512;
        let Self::Changed(changed) = self else {
            return ITEM_OCTETS;
        };
        let Changed { added, updated, deleted, zones, .. } = changed.as_ref();
        let updated = updated.iter().flat_map(|(before, after)| [before, after]);
        let records: usize = added.iter().chain(updated).chain(deleted).map(octets).sum();
        ITEM_OCTETS + records + zones.len() * size_of::<Name>()
    }
}

fn octets(rrset: &Rrset) -> usize {
    // An octet takes up to five as text, if it is none that can be shown: a backslash, which JSON writes twice, and its number.
    const TEXT_FACTOR: usize = 6;
    let names = size_of::<Rrset>() + TEXT_FACTOR * rrset.owner().as_wire().len();
    names + rrset.rdatas().map(|rdata| 4 + TEXT_FACTOR * rdata.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use dns_core::RecordType;

    use super::*;

    fn changed(version: u64, values: usize) -> Event {
        let owner: Name = "www.example.org.".parse().unwrap();
        let values = (0..values as u32).map(u32::to_be_bytes);
        Event::Changed(Arc::new(Changed {
            version,
            view: "default".into(),
            source: Source::Api,
            added: vec![Rrset::new(owner, RecordType::A, 300, values).unwrap()],
            updated: Vec::new(),
            deleted: Vec::new(),
            zones: Vec::new(),
        }))
    }

    fn feed(events: impl IntoIterator<Item = Event>, limits: FeedLimits) -> Feed {
        let feed = Feed::new("default", 10, limits);
        for event in events {
            feed.push(event, SystemTime::UNIX_EPOCH);
        }
        feed
    }

    /// The versions that a client gets who goes on from here; `None` if it has to read everything anew.
    fn after(feed: &Feed, since: &str) -> Option<Vec<u64>> {
        let version = feed.end().seen.version;
        let cursor = feed.resume(Some(since.parse().unwrap()), version)?;
        Some(items(feed, cursor.next).iter().map(|item| item.place.version).collect())
    }

    /// All there is from a number on.
    fn items(feed: &Feed, next: u64) -> Vec<Arc<Item>> {
        let item = |number| match feed.more(number) {
            More::Item(item) => Some(item),
            More::Nothing | More::Missed => None,
        };
        (next..).map_while(item).collect()
    }

    #[test]
    fn clients_go_on_where_they_stopped() {
        let feed = feed((11..=14).map(|version| changed(version, 1)), FeedLimits::default());
        assert_eq!(after(&feed, "10"), Some(vec![11, 12, 13, 14]));
        assert_eq!(after(&feed, "12"), Some(vec![13, 14]));
        assert_eq!(after(&feed, "14"), Some(vec![]));
        let id = feed.id(Place { version: 12, number: 0 }).to_string();
        assert_eq!(after(&feed, &id), Some(vec![13, 14]));
        // From before the start, from the future, and of another run.
        assert_eq!(after(&feed, "9"), None);
        assert_eq!(after(&feed, "15"), None);
        let other = Feed { run: !feed.run, ..Feed::new("default", 0, FeedLimits::default()) };
        assert_eq!(after(&feed, &other.id(Place { version: 12, number: 0 }).to_string()), None);
    }

    #[test]
    fn events_of_one_version_are_told_apart() {
        let reloaded = Event::Reloaded {
            version: 11,
            view: "default".into(),
            source: Source::Config,
            zone: "example.org.".parse().unwrap(),
        };
        let feed = feed([reloaded, changed(11, 1), changed(12, 1)], FeedLimits::default());
        let id = |number| feed.id(Place { version: 11, number }).to_string();
        assert_eq!(after(&feed, &id(0)), Some(vec![11, 12]));
        assert_eq!(after(&feed, &id(1)), Some(vec![12]));
        assert_eq!(after(&feed, "11"), Some(vec![12]), "who knows the version knows all of it");
    }

    #[test]
    fn what_is_forgotten_is_known_to_be() {
        let limits = FeedLimits { events_max: 3, ..FeedLimits::default() };
        let feed = feed((11..=20).map(|version| changed(version, 1)), limits);
        assert_eq!(after(&feed, "17"), Some(vec![18, 19, 20]));
        assert_eq!(after(&feed, "16"), None);
        assert!(matches!(feed.more(0), More::Missed), "a stream that stands still misses some");
        assert!(matches!(feed.more(10), More::Nothing));
    }

    #[test]
    fn octets_are_bounded_as_well() {
        let limits = FeedLimits { octets_max: 64 * 1024, ..FeedLimits::default() };
        let feed = feed((11..=110).map(|version| changed(version, 60)), limits);
        let kept = feed.ring().items.len();
        assert!((10..100).contains(&kept), "{kept}");
        assert!(feed.ring().octets <= limits.octets_max);
        // One that would push out all others is not told in full.
        feed.push(changed(111, 4000), SystemTime::UNIX_EPOCH);
        let ring = feed.ring();
        assert!(matches!(ring.items.back().unwrap().happening, Happening::Reset));
        assert!(ring.items.len() >= kept);
    }

    #[test]
    fn lagging_behind_the_store_is_told_in_its_place() {
        let feed = feed([changed(11, 1), Event::Lagged(7), changed(19, 1)], FeedLimits::default());
        let items = items(&feed, 0);
        let places: Vec<_> = items.iter().map(|item| (item.place.version, item.place.number)).collect();
        assert_eq!(places, [(11, 0), (11, 1), (19, 0)]);
        assert!(matches!(items[1].happening, Happening::Reset));
    }

    #[test]
    fn what_was_there_before_is_no_event() {
        let feed = feed([changed(9, 1), changed(10, 1), changed(11, 1)], FeedLimits::default());
        assert_eq!(after(&feed, "10"), Some(vec![11]));
    }

    #[test]
    fn seats_are_counted_and_given_back() {
        let limits = FeedLimits { streams_max: 3, streams_per_token_max: 2, ..FeedLimits::default() };
        let feed = Arc::new(Feed::new("default", 0, limits));
        let [one, two, three]: [TokenId; 3] =
            ["00000001", "00000002", "00000003"].map(|id| id.parse().unwrap());
        let first = feed.seat(one).unwrap();
        let second = feed.seat(one).unwrap();
        assert_eq!(feed.seat(one).err(), Some(Full::Token(2)));
        let _third = feed.seat(two).unwrap();
        assert_eq!(feed.seat(three).err(), Some(Full::Server(3)));
        drop(first);
        assert!(feed.seat(three).is_ok());
        drop(second);
        assert_eq!(feed.seats().len(), 1, "nothing is kept of those who left");
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        for wrong in [
            "",
            "-",
            "1-",
            "1-0",
            "+1",
            "-1",
            "1-0-5f",
            "1-0-5f3a9c1e-2",
            "a",
            "1-0-5f3a9c1g",
            "18446744073709551616",
        ] {
            assert_eq!(wrong.parse::<Since>(), Err(NoId), "{wrong}");
        }
        let feed = Feed::new("default", 0, FeedLimits::default());
        let place = Place { version: u64::MAX, number: 3 };
        assert_eq!(feed.id(place).to_string().parse(), Ok(Since { place, run: Some(feed.run) }));
    }
}
