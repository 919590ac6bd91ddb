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

#[cfg(test)]
mod tests {
    use dns_core::{RecordType, ResponseCode};

    use super::*;

    fn rig(expected: Told) -> Rig {
        let mut asked = Asked::default();
        asked.push("www.example.", RecordType::A, Told::whole(ResponseCode::NOERROR, 1, 0));
        asked.push("none.example.", RecordType::A, expected);
        let store =
            zones::store_of("example.", "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns.test.\nwww A 192.0.2.1\n");
        Rig::new(&store, Guard::open(), Transport::Udp, asked)
    }

    #[test]
    fn a_wrong_answer_is_found_and_told() {
        let right = Told::whole(ResponseCode::NXDOMAIN, 0, 1);
        assert_eq!(rig(right).check(), Ok(()));
        let wrong = [
            Told { rcode: ResponseCode::NOERROR, ..right },
            Told { answers: 1, ..right },
            Told { authorities: 0, ..right },
            Told { truncated: true, ..right },
        ];
        for wrong in wrong {
            let error = rig(wrong).check().unwrap_err();
            assert!(error.starts_with("question 1: expected "), "{error}");
        }
    }

    #[test]
    fn questions_fill_whole_batches_and_begin_anew() {
        let mut rig = rig(Told::whole(ResponseCode::NXDOMAIN, 0, 1));
        assert_eq!(rig.questions(), Rig::BATCH);
        rig.answer_batches(3);
        assert_eq!(rig.exchanges.place(1), 1);
        assert_eq!(Told::read(rig.exchanges.reply(63)).map(|told| told.rcode), Some(ResponseCode::NXDOMAIN));
    }

    #[test]
    fn cookies_are_valid() {
        let mut rig = Case::Cookie.rig();
        // Some seconds later; a server cookie that was made then would tell another time.
        rig.answer_batches(500);
        for slot in 0..Rig::BATCH {
            let option = rig.exchanges.asked().packet(rig.exchanges.place(slot));
            let option = &option[option.len() - COOKIE_OPTION_OCTETS..];
            assert!(rig.exchanges.reply(slot).ends_with(option), "slot {slot}");
        }
    }

    /// Head, client cookie, server cookie.
    const COOKIE_OPTION_OCTETS: usize = 4 + 8 + 16;
}
