//! The stream of events.

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderName};

use super::sse::{Message, ParseError, Parser};
use super::{Client, ClientError};
use crate::model::{Event, EventKind};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Events as they come. Goes on where it was when the connection breaks: ask again.
pub struct Events {
    client: Client,
    body: Option<Incoming>,
    parser: Parser,
    /// Where it goes on; a version at first, if one was given, then the id of the newest event.
    id: Option<String>,
    /// Nothing has come since the last connection was made.
    is_fresh: bool,
}

/// An event, and what it is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// Its id, for [`Client::events`].
    pub id: String,
    /// What kind it is.
    pub kind: EventKind,
    /// What has happened.
    pub event: Event,
}

impl Events {
    /// Opens the stream, at a version, behind an event, or with what comes next.
    pub(super) async fn open(client: Client, since: Option<String>) -> Result<Self, ClientError> {
        let mut events = Self { client, body: None, parser: Parser::default(), id: since, is_fresh: true };
        events.connect().await?;
        Ok(events)
    }

    /// The next event. Can be given up while it waits, without missing one.
    ///
    /// # Errors
    /// The connection broke, and a new one cannot be had: the next call tries again, and goes on where this stopped. Events that
    /// have been missed by then come nevertheless, or [`EventKind::Reset`] in their place.
    pub async fn next(&mut self) -> Result<Received, ClientError> {
        loop {
            if let Some(received) = self.arrived()? {
                return Ok(received);
            }
            let Some(body) = &mut self.body else {
                self.connect().await?;
                continue;
            };
            if let Some(Ok(frame)) = body.frame().await {
                self.is_fresh = false;
                let octets = frame.into_data().unwrap_or_else(|_| Bytes::new());
                self.parser.push(&octets).map_err(unreadable)?;
                continue;
            }
            // Ended or broken: it makes no difference to what comes next.
            self.body = None;
            if self.is_fresh {
                // Or a server that has nothing to say would be asked without a pause.
                return Err(ClientError::Stream("it ended before anything came".to_owned()));
            }
        }
    }

    /// Where the stream stands: what to give to [`Client::events`] to go on there. `None` until the server has said so.
    pub fn id(&self) -> Option<&str> {
        self.parser.id().or(self.id.as_deref())
    }

    fn arrived(&mut self) -> Result<Option<Received>, ClientError> {
        while let Some(Message { event, data }) = self.parser.next().map_err(unreadable)? {
            // Kinds that a later server may have are not ours to understand.
            let Some(kind) = EventKind::from_label(&event) else { continue };
            let event = serde_json::from_str(&data).map_err(ClientError::Answer)?;
            let id = self.parser.id().unwrap_or_default().to_owned();
            return Ok(Some(Received { id, kind, event }));
        }
        Ok(None)
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        self.id = self.id().map(str::to_owned);
        // An event of which half has arrived comes again as a whole.
        self.parser = Parser::default();
        self.is_fresh = true;
        let call = self.client.call(Method::GET, &["events"]);
        let call = call.header(ACCEPT, Some("text/event-stream")).header(LAST_EVENT_ID, self.id.as_ref());
        // The connection is not given back: it ends with the stream.
        self.body = Some(call.send().await?.response.into_body());
        Ok(())
    }
}

fn unreadable(error: ParseError) -> ClientError {
    ClientError::Stream(error.to_string())
}
