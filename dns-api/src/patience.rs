//! Ways to give up on clients that do not read, or do not send.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::seats::{AtWork, Owner};

/// Fails a write that made no progress for a while.
///
/// Reading has its limit in hyper, but nothing there ends an answer that the client never fetches.
pub(crate) struct Patient<T> {
    stream: T,
    patience: Duration,
    owner: Owner,
    /// Runs while a write waits.
    waiting: Option<(Pin<Box<Sleep>>, AtWork)>,
}

impl<T> Patient<T> {
    /// A stream on which a write may stand still for so long. Its owner is at work meanwhile.
    pub(crate) fn new(stream: T, patience: Duration, owner: Owner) -> Self {
        Self { stream, patience, owner, waiting: None }
    }

    /// Passes a finished write on, and fails one that has waited too long.
    fn watch<R>(&mut self, progress: Poll<io::Result<R>>, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if progress.is_ready() {
            self.waiting = None;
            return progress;
        }
        let patience = self.patience;
        let owner = &self.owner;
        let (waiting, _) = self.waiting.get_or_insert_with(|| (Box::pin(sleep(patience)), owner.work()));
        ready!(waiting.as_mut().poll(context));
        // Asked again after the failure, it fails at once.
        waiting.as_mut().reset(Instant::now());
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_write(context, octets);
        this.watch(progress, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.watch(progress, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_flush(context);
        this.watch(progress, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_shutdown(context);
        this.watch(progress, context)
    }
}

/// A body that fails when it stands still for a while, or takes too long altogether.
///
/// A client that sends an octet now and then would otherwise hold a connection, and what has arrived, for as long as it likes.
/// Time counts from when somebody wants to have the body.
pub(crate) struct Prompt<B> {
    body: B,
    stall: Duration,
    total: Duration,
    /// Runs while somebody waits for more; what it waits for last is the end of the total time.
    waiting: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
}

impl<B> Prompt<B> {
    pub(crate) fn new(body: B, stall: Duration, total: Duration) -> Self {
        Self { body, stall, total, waiting: None, deadline: None }
    }
}

impl<B> HttpBody for Prompt<B>
where
    B: HttpBody + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = None;
            if this.deadline.is_none_or(|deadline| Instant::now() < deadline) {
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            }
        } else {
            let now = Instant::now();
            let deadline = *this.deadline.get_or_insert(now + this.total);
            let until = deadline.min(now + this.stall);
            let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep_until(until)));
            ready!(waiting.as_mut().poll(context));
        }
        Poll::Ready(Some(Err("the body takes too long to arrive".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::body::{Body, Bytes, to_bytes};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::seats::Seats;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_stands_still_fails() {
        let (ours, _theirs) = duplex(16);
        let seated = Seats::new(1).take(Ipv4Addr::LOCALHOST.into()).await;
        let mut stream = Patient::new(ours, Duration::from_secs(10), seated.owner().clone());
        let begun = Instant::now();
        let error = stream.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_starts_the_wait_anew() {
        let (ours, mut theirs) = duplex(16);
        let seated = Seats::new(1).take(Ipv4Addr::LOCALHOST.into()).await;
        let mut stream = Patient::new(ours, Duration::from_secs(10), seated.owner().clone());
        let reader = tokio::spawn(async move {
            let mut octets = [0; 16];
            for _ in 0..8 {
                tokio::time::advance(Duration::from_secs(9)).await;
                theirs.read_exact(&mut octets).await.unwrap();
            }
        });
        stream.write_all(&[0; 128]).await.unwrap();
        reader.await.unwrap();
    }

    /// A body of which an octet comes every now and then, for ever if no number is given.
    struct Drip {
        pause: Duration,
        left: Option<usize>,
        next: Option<Pin<Box<Sleep>>>,
    }

    impl HttpBody for Drip {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            if self.left == Some(0) {
                return Poll::Ready(None);
            }
            let pause = self.pause;
            ready!(self.next.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(context));
            self.next = None;
            self.left = self.left.map(|left| left - 1);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    async fn collect(pause: Duration, left: Option<usize>) -> Result<usize, u64> {
        let begun = Instant::now();
        let drip = Drip { pause, left, next: None };
        let body = Prompt::new(drip, Duration::from_secs(10), Duration::from_mins(1));
        match to_bytes(Body::new(body), usize::MAX).await {
            Ok(octets) => Ok(octets.len()),
            Err(_) => Err(begun.elapsed().as_secs()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_arrive_slowly_fail() {
        let second = Duration::from_secs(1);
        assert_eq!(collect(9 * second, Some(5)).await, Ok(5));
        assert_eq!(collect(11 * second, Some(5)).await, Err(10), "stands still");
        assert_eq!(collect(9 * second, None).await, Err(60), "drips");
    }
}
