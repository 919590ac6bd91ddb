//! A worker's responder, kept alive.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use dns_backend::{Packets, Respond, Responder, Transport};

/// One worker's responder; replaced when it panics, so that one bad query never costs a whole worker.
pub(crate) struct Answering<R: Respond> {
    respond: Arc<R>,
    transport: Transport,
    responder: R::Responder,
}

/// The responder panicked; no reply of the batch may be sent.
pub(crate) struct Panicked;

impl<R: Respond> Answering<R> {
    pub(crate) fn new(respond: Arc<R>, transport: Transport) -> Self {
        let responder = respond.responder(transport);
        Self { respond, transport, responder }
    }

    pub(crate) fn answer(&mut self, packets: &mut impl Packets) -> Result<(), Panicked> {
        // The responder is thrown away if it unwinds, and the batch is dropped, so neither is seen half-changed.
        catch_unwind(AssertUnwindSafe(|| self.responder.respond(packets))).map_err(|_| {
            self.responder = self.respond.responder(self.transport);
            Panicked
        })
    }
}
