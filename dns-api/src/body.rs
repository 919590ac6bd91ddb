//! Bodies of requests, and the room that they have together.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::extract::BODY_OCTETS_MAX;
use crate::model::{Problem, ProblemKind};
use crate::problem::RETRY_AFTER;
use crate::v1::write::blocking;

/// Octets that a body may have without asking for room: what nearly all have. The number of connections bounds their sum.
pub(crate) const FREE_OCTETS: usize = 64 << 10;
/// Octets of one piece of room.
const PIECE_OCTETS: usize = 64 << 10;
/// Bodies of JSON, larger than free ones, that are read out at a time: what comes of them may take ten times their octets.
const READ_OUT_MAX: usize = 4;

/// Room for all bodies that are being read or worked on.
///
/// A body is charged as its octets arrive, not by what its client says that it will have, so that nobody takes room by a word.
pub(crate) struct Bodies {
    pieces: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// The room of one body, given back when this is dropped.
pub(crate) struct Room {
    pieces: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    turn: Option<OwnedSemaphorePermit>,
}

/// Most octets that a body may have, as an extension of the request: of several, the one of the innermost layer counts.
#[derive(Clone, Copy)]
pub(crate) struct OctetsMax(pub usize);

/// A body that has arrived, in its room.
pub(crate) struct Received {
    pub octets: Vec<u8>,
    pub room: Room,
}

impl Bodies {
    /// Room for so many octets.
    pub fn new(octets: usize) -> Self {
        let pieces = (octets / PIECE_OCTETS).min(Semaphore::MAX_PERMITS);
        Self { pieces: Arc::new(Semaphore::new(pieces)), turns: Arc::new(Semaphore::new(READ_OUT_MAX)) }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It has more octets than the route allows, it does not arrive, or there is no room for it right now.
    pub async fn receive(&self, request: Request) -> Result<Received, Problem> {
        check_encoding(request.headers())?;
        let mut room = Room { pieces: self.pieces.clone(), held: None, turn: None };
        let OctetsMax(max) = request.extensions().get().copied().unwrap_or(OctetsMax(BODY_OCTETS_MAX));
        let mut body = Limited::new(request.into_body(), max);
        // Grows as octets arrive: what a client announces costs nothing.
        let mut octets = Vec::new();
        while let Some(frame) = body.frame().await {
            // Trailers tell nothing.
            let Ok(data) = frame.map_err(|error| unread(&*error, max))?.into_data() else { continue };
            room.grow(octets.len() + data.len())?;
            octets.extend_from_slice(&data);
        }
        Ok(Received { octets, room })
    }

    /// Makes something of a body, or of a part of it, where that holds nobody up. What was read takes its turn with other large
    /// ones until [`Room::take_turn`], or the end of the room.
    pub async fn read_out<T: Send + 'static>(
        &self,
        received: Received,
        read: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<(T, Room), Problem> {
        let Received { octets, mut room } = received;
        if octets.len() <= FREE_OCTETS {
            return Ok((read(&octets), room));
        }
        // The semaphore is never closed.
        room.turn = self.turns.clone().acquire_owned().await.ok();
        blocking(move || (read(&octets), room)).await
    }
}

impl Room {
    /// Makes it large enough for a body of so many octets.
    fn grow(&mut self, octets: usize) -> Result<(), Problem> {
        let wanted = octets.saturating_sub(FREE_OCTETS).div_ceil(PIECE_OCTETS);
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = wanted.checked_sub(held).filter(|more| *more > 0) else { return Ok(()) };
        // Who waited here would keep what it has from others who wait.
        let more =
            u32::try_from(more).ok().and_then(|more| self.pieces.clone().try_acquire_many_owned(more).ok());
        match (more, &mut self.held) {
            (None, _) => Err(full()),
            (Some(more), None) => {
                self.held = Some(more);
                Ok(())
            }
            (Some(more), Some(held)) => {
                held.merge(more);
                Ok(())
            }
        }
    }

    /// The turn of a large body among others, to be given back when what was made of it is small.
    pub fn take_turn(&mut self) -> Option<OwnedSemaphorePermit> {
        self.turn.take()
    }
}

/// Runs what belongs to a body until its end, so that its room is not given back before it, whoever waits for the answer.
pub(crate) async fn to_its_end(
    room: Room,
    work: impl Future<Output = Result<Response, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    let done = tokio::spawn(async move {
        let done = work.await;
        drop(room);
        done
    });
    done.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request was not worked out to its end");
        Err(Problem::new(ProblemKind::Internal, "the request was not worked out to its end"))
    })
}

/// Bodies are taken as they are: what is packed would be read as if it were not.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.into_iter().all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let detail = "Content-Encoding must be missing: bodies are taken as they are, not packed";
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail))
}

fn full() -> Problem {
    let detail = "there is no room for the body among those that are being read right now";
    Problem::new(ProblemKind::TooManyRequests, detail).retry_after(RETRY_AFTER)
}

/// Why a body was not read.
fn unread(error: &(dyn std::error::Error + 'static), max: usize) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            let detail =
                format!("the body has more than {max} octets, which is the most that this request may have");
            return Problem::new(ProblemKind::TooLarge, detail);
        }
        cause = error.source();
    }
    Problem::new(ProblemKind::Malformed, format!("the body did not arrive: {error}"))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use futures_util::stream;

    use super::*;

    /// A body that arrives in pieces of this size.
    fn request(pieces: usize, octets: usize) -> Request {
        let piece = Bytes::from(vec![b'x'; octets]);
        let pieces = (0..pieces).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
        Request::new(Body::from_stream(stream::iter(pieces)))
    }

    async fn receive(bodies: &Bodies, pieces: usize, octets: usize) -> Result<Received, u16> {
        bodies.receive(request(pieces, octets)).await.map_err(|problem| {
            assert!(problem.status != 429 || problem.retry_after.is_some(), "{problem}");
            problem.status
        })
    }

    #[tokio::test]
    async fn bodies_share_their_room_and_give_it_back() {
        let bodies = Bodies::new(4 * PIECE_OCTETS);
        // Their first octets are free, and so are small ones altogether.
        let first = receive(&bodies, 3, FREE_OCTETS).await.unwrap();
        assert_eq!(first.octets.len(), 3 * FREE_OCTETS);
        let second = receive(&bodies, 30, FREE_OCTETS / 10).await.unwrap();
        assert_eq!(bodies.pieces.available_permits(), 0);
        assert_eq!(receive(&bodies, 2, FREE_OCTETS).await.err(), Some(429));
        assert_eq!(receive(&bodies, 1, FREE_OCTETS).await.unwrap().octets.len(), FREE_OCTETS);
        drop(first);
        assert_eq!(bodies.pieces.available_permits(), 2);
        // What has begun to arrive and finds no more gives back what it has.
        assert_eq!(receive(&bodies, 5, FREE_OCTETS).await.err(), Some(429));
        assert_eq!(bodies.pieces.available_permits(), 2);
        drop(second);
        assert!(receive(&bodies, 5, FREE_OCTETS).await.is_ok());
    }

    #[tokio::test]
    async fn large_bodies_are_read_out_a_few_at_a_time() {
        let bodies = Bodies::new(64 * PIECE_OCTETS);
        let read = async |octets: usize| {
            let received = receive(&bodies, 1, octets).await.unwrap();
            let (length, room) = bodies.read_out(received, <[u8]>::len).await.unwrap();
            assert_eq!(length, octets);
            room
        };
        let _small = read(FREE_OCTETS).await;
        assert_eq!(bodies.turns.available_permits(), READ_OUT_MAX);
        let mut large = read(2 * FREE_OCTETS).await;
        let other = read(2 * FREE_OCTETS).await;
        assert_eq!(bodies.turns.available_permits(), READ_OUT_MAX - 2);
        drop(large.take_turn());
        drop(other);
        assert_eq!(bodies.turns.available_permits(), READ_OUT_MAX);
        assert_eq!(bodies.pieces.available_permits(), 63);
    }

    #[tokio::test]
    async fn the_room_of_a_body_lasts_as_long_as_its_work() {
        let bodies = Bodies::new(2 * PIECE_OCTETS);
        let Received { room, .. } = receive(&bodies, 3, FREE_OCTETS).await.unwrap();
        let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel();
        let work = async move {
            wait.await.unwrap();
            done.send(()).unwrap();
            Ok(Response::default())
        };
        tokio::select! {
            biased;
            _ = to_its_end(room, work) => panic!("it waits"),
            // The client leaves.
            () = std::future::ready(()) => {}
        }
        assert_eq!(bodies.pieces.available_permits(), 0);
        go_on.send(()).unwrap();
        is_done.await.unwrap();
        // Given back right after.
        drop(bodies.pieces.acquire_many(2).await.unwrap());
    }
}
