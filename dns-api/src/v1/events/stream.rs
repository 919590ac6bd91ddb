//! One client that follows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse;
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::feed::{Cursor, Feed, Item, More, Place, Seat, Since, State};
use super::view::{self, Told};
use crate::auth::Caller;

/// How often a client hears something at least, so that each side finds out when the other is gone.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What one client gets to see of the feed, at the pace at which it reads: nothing is made ready before it is wanted.
pub(super) struct Follower {
    feed: Arc<Feed>,
    caller: Caller,
    cursor: Cursor,
    /// The newest place that the client has not been told of, since it may see nothing of what happened there.
    unseen: Option<Place>,
    /// What it is told first: where it begins, or that it has to read everything anew.
    greeting: Option<sse::Event>,
    state: watch::Receiver<State>,
    tick: Interval,
    _seat: Seat,
}

impl Follower {
    /// A client that goes on from `since`; `version` is the newest there is.
    pub fn new(feed: Arc<Feed>, seat: Seat, caller: Caller, since: Option<Since>, version: u64) -> Self {
        // Before the look at what there is, so that nothing comes between.
        let state = feed.state();
        let (cursor, greeting) = match feed.resume(since, version) {
            Some(cursor) => (cursor, sse::Event::default().id(feed.id(cursor.seen).to_string())),
            None => reset(&feed),
        };
        let mut tick = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { feed, caller, cursor, unseen: None, greeting: Some(greeting), state, tick, _seat: seat }
    }

    /// All that is to be told, until the server stops or the caller's token is no longer valid.
    pub fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send {
        stream::unfold(self, async |mut follower| {
            let event = follower.next().await?;
            Some((Ok(event), follower))
        })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        let caller = self.caller.clone();
        tokio::select! {
            // First, or a stream with always something to tell would outlive its token.
            biased;
            () = caller.ended() => None,
            event = self.next_of_feed() => event,
        }
    }

    async fn next_of_feed(&mut self) -> Option<sse::Event> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        loop {
            let state = *self.state.borrow_and_update();
            if state.closed {
                return None;
            }
            match self.feed.more(self.cursor.next) {
                More::Missed => {
                    let (cursor, event) = reset(&self.feed);
                    self.cursor = cursor;
                    self.unseen = None;
                    return Some(event);
                }
                More::Nothing => {
                    tokio::select! {
                        changed = self.state.changed() => changed.ok()?,
                        _ = self.tick.tick() => if let Some(place) = self.unseen.take() {
                            // So that it need not begin far back if the connection breaks.
                            return Some(sse::Event::default().id(self.feed.id(place).to_string()));
                        }
                    }
                }
                More::Item(item) => {
                    self.cursor.next += 1;
                    if item.place > self.cursor.seen
                        && let Some(event) = self.tell(&item)
                    {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// What the caller may know of an item; `None` if that is nothing.
    fn tell(&mut self, item: &Item) -> Option<sse::Event> {
        let Some(Told { kind, data }) = view::tell(item, &self.caller) else {
            self.unseen = Some(item.place);
            return None;
        };
        self.unseen = None;
        let id = self.feed.id(item.place).to_string();
        Some(sse::Event::default().id(id).event(kind.label()).data(data))
    }
}

/// Tells that something was missed; the client goes on behind everything there is.
fn reset(feed: &Feed) -> (Cursor, sse::Event) {
    let cursor = feed.end();
    let Told { kind, data } = view::reset(cursor.seen.version);
    (cursor, sse::Event::default().id(feed.id(cursor.seen).to_string()).event(kind.label()).data(data))
}
