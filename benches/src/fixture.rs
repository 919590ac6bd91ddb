//! Whole answering set-ups in memory: a store with zones, a worker, and batches of packets to answer.
//!
//! Meet [`Case`], a kind of question with the zones it needs; and [`Rig`], which answers its questions batch by batch as a
//! datapath has it done, but without sockets. The benchmarks of `answer/*` use both, with the clock and by counting
//! instructions, so that both measure the same.

mod asked;
mod case;
mod exchanges;
mod zones;

use dns_backend::guard::Guard;
use dns_backend::{Authoritative, Respond, Responder, Transport, Worker};
use dns_store::{Reader, Store};

use self::asked::{Asked, Told};
pub use self::case::Case;
use self::exchanges::Exchanges;
pub use self::zones::{generated, generated_zone, zone_text};

/// A worker and the questions it is to answer.
pub struct Rig {
    worker: Worker<Reader>,
    exchanges: Exchanges,
}

impl Rig {
    /// Questions that are answered together.
    pub const BATCH: usize = Exchanges::BATCH;

    /// A worker for one transport that answers from these zones behind this guard. It keeps what it needs of the store.
    fn new(store: &Store, guard: Guard, transport: Transport, asked: Asked) -> Self {
        let authoritative = Authoritative::new(store.clone());
        authoritative.set_guard(guard);
        let worker = authoritative.responder(transport);
        Self { worker, exchanges: Exchanges::new(asked, transport) }
    }

    /// How many questions there are before they begin anew; a multiple of [`BATCH`](Self::BATCH).
    pub fn questions(&self) -> usize {
        self.exchanges.asked().len()
    }

    /// Answers the next batch.
    #[inline]
    pub fn answer_batch(&mut self) {
        self.exchanges.next();
        self.worker.respond(&mut self.exchanges);
    }

    /// Answers so many batches.
    pub fn answer_batches(&mut self, batches: usize) {
        for _ in 0..batches {
            self.answer_batch();
        }
    }

    /// Answers every question once, and compares what is told with what was expected.
    ///
    /// # Errors
    /// The first answer that says something else, with the place of its question.
    pub fn check(&mut self) -> Result<(), String> {
        for _ in 0..self.questions() / Self::BATCH {
            self.answer_batch();
            for slot in 0..Self::BATCH {
                let expected = self.exchanges.expected(slot);
                let told = Told::read(self.exchanges.reply(slot));
                if told != Some(expected) {
                    let place = self.exchanges.place(slot);
                    return Err(format!("question {place}: expected {expected:?}, got {told:?}"));
                }
            }
        }
        Ok(())
    }
}
