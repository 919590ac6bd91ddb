//! Which connection makes room for a new one when there are too many: the one that has been without an answer for longest.
//!
//! So those who connect and ask nothing, ask octet by octet or never read lose their places to each other, and a client
//! that has just been answered keeps its own ([RFC 7766, section 6.2.3]).
//!
//! [RFC 7766, section 6.2.3]: https://www.rfc-editor.org/rfc/rfc7766#section-6.2.3

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use tokio::{sync::Notify, time::Instant};

use super::limits::Permit;

/// The connections of one worker.
#[derive(Default)]
pub(super) struct Roster {
    /// Roughly in the order in which they were last answered; those that are gone are found out on the way. What a seat says
    /// itself counts.
    queue: RefCell<VecDeque<(Instant, Weak<Seat>)>>,
}

/// The place of one connection.
pub(super) struct Seat {
    /// When the connection was last answered; at first, when it was accepted.
    answered: Cell<Instant>,
    permit: RefCell<Option<Permit>>,
    leave: Notify,
}

impl Roster {
    /// A place for a new connection.
    pub(super) fn seat(&self, permit: Permit, now: Instant) -> Rc<Seat> {
        let seat = Rc::new(Seat {
            answered: Cell::new(now),
            permit: RefCell::new(Some(permit)),
            leave: Notify::new(),
        });
        let mut queue = self.queue.borrow_mut();
        if queue.len() == queue.capacity() {
            queue.retain(|(_, seat)| seat.strong_count() > 0);
        }
        queue.push_back((now, Rc::downgrade(&seat)));
        seat
    }

    /// Takes the place of the connection that has been without an answer for longest; `None` if there is none.
    pub(super) fn evict(&self) -> Option<Permit> {
        let mut queue = self.queue.borrow_mut();
        while let Some((known, weak)) = queue.pop_front() {
            let Some(seat) = weak.upgrade() else { continue };
            if seat.answered.get() > known {
                queue.push_back((seat.answered.get(), weak));
                continue;
            }
            if let Some(place) = seat.permit.borrow_mut().take() {
                seat.leave.notify_one();
                return Some(place);
            }
        }
        None
    }
}

impl Seat {
    /// The connection has been answered.
    pub(super) fn answered(&self, now: Instant) {
        self.answered.set(now);
    }

    /// Returns when another connection has taken the place.
    pub(super) async fn lost(&self) {
        self.leave.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{config::TcpConfig, tcp::limits::Limits};

    #[test]
    fn who_was_answered_last_stays_longest() {
        let limits = Arc::new(Limits::new(&TcpConfig::default()));
        let roster = Roster::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let seat = |seconds| roster.seat(limits.admit([127, 0, 0, 1].into()).ok().unwrap(), at(seconds));
        let seats = [seat(0), seat(1), seat(2), seat(3)];
        seats[0].answered(at(8));
        seats[2].answered(at(9));
        let gone = seat(4);
        drop(gone);
        let is_evicted = |seat: &Seat| seat.permit.borrow().is_none();
        for expected in [1, 3, 0, 2] {
            assert!(roster.evict().is_some());
            assert!(is_evicted(&seats[expected]), "{expected} is next");
        }
        assert!(roster.evict().is_none());
    }

    #[test]
    fn connections_that_are_gone_are_forgotten() {
        let limits = Arc::new(Limits::new(&TcpConfig::default()));
        let roster = Roster::default();
        for _ in 0..10_000 {
            roster.seat(limits.admit([127, 0, 0, 1].into()).ok().unwrap(), Instant::now());
        }
        assert!(roster.queue.borrow().len() <= 8);
    }
}
