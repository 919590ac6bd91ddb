//! The questions that are on their way over one socket.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use dns_core::ResponseCode;

use super::{Report, TIMEOUT};
use crate::questions::{HEADER_OCTETS, Questions};

/// Numbers that an id can be.
const IDS: u32 = 1 << 16;
/// Overdue questions are looked for this often.
const SWEEP: Duration = Duration::from_millis(50);

/// How much an answer is checked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Check {
    /// Id, question, response code and number of answers.
    #[default]
    Full,
    /// Id and question: for the echo server, which knows no more.
    Question,
}

/// A fixed number of slots, each for one outstanding question.
///
/// The id tells the slot, and how often the slot was used: a late answer to a question that was given up is not
/// taken for an answer to its successor.
pub struct Window<'q> {
    questions: &'q Questions,
    check: Check,
    slots: Vec<Slot>,
    free: Vec<u16>,
    /// The question to ask next.
    next: usize,
    swept: Instant,
    report: Report,
}

#[derive(Clone, Copy)]
struct Slot {
    id: u16,
    waiting: bool,
    question: u32,
    sent: Instant,
}

impl<'q> Window<'q> {
    /// Of `size` slots, which starts with the question `first`.
    pub fn new(questions: &'q Questions, check: Check, size: u16, first: usize, now: Instant) -> Self {
        let slot = |id| Slot { id, waiting: false, question: 0, sent: now };
        Self {
            questions,
            check,
            slots: (0..size).map(slot).collect(),
            free: (0..size).rev().collect(),
            next: first % questions.len().max(1),
            swept: now,
            report: Report::default(),
        }
    }

    /// Questions that have no answer yet.
    pub fn outstanding(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Questions that can be outstanding.
    pub fn size(&self) -> usize {
        self.slots.len()
    }

    /// Questions that could be asked now.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Takes a slot for the next question: its id, and its packet without it. `None` if all slots are taken.
    pub fn ask(&mut self, now: Instant) -> Option<(u16, &'q [u8])> {
        let index = self.free.pop()?;
        let question = self.next;
        self.next = if question + 1 == self.questions.len() { 0 } else { question + 1 };
        let slot = &mut self.slots[usize::from(index)];
        slot.waiting = true;
        slot.question = question as u32;
        slot.sent = now;
        self.report.sent += 1;
        Some((slot.id, self.questions.packet(question)))
    }

    /// Takes an answer, or whatever came.
    pub fn settle(&mut self, reply: &[u8]) {
        let Some(id) = reply.first_chunk().map(|id| u16::from_be_bytes(*id)) else {
            self.report.unexpected += 1;
            return;
        };
        let index = usize::from(id) % self.slots.len();
        let slot = self.slots[index];
        if !slot.waiting || slot.id != id {
            self.report.unexpected += 1;
            return;
        }
        match self.verdict(slot.question as usize, reply) {
            Ok(()) => self.report.answered += 1,
            Err(reason) => {
                self.report.wrong += 1;
                self.report.first_wrong.get_or_insert(reason);
            }
        }
        self.release(index);
    }

    /// Gives up on questions that were asked too long ago; looks only now and then.
    pub fn sweep(&mut self, now: Instant) {
        if now.duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        for index in 0..self.slots.len() {
            let slot = self.slots[index];
            if slot.waiting && now.duration_since(slot.sent) >= TIMEOUT {
                self.report.lost += 1;
                self.release(index);
            }
        }
    }

    /// What happened; questions still outstanding are lost.
    pub fn finish(mut self) -> Report {
        self.report.lost += self.outstanding() as u64;
        self.report
    }

    fn release(&mut self, index: usize) {
        let size = self.slots.len() as u32;
        let slot = &mut self.slots[index];
        slot.waiting = false;
        let next = u32::from(slot.id) + size;
        slot.id = if next < IDS { next as u16 } else { index as u16 };
        self.free.push(index as u16);
    }

    fn verdict(&self, question: usize, reply: &[u8]) -> Result<(), String> {
        let asked = self.questions.section(question);
        let Some((header, body)) = reply.split_first_chunk::<HEADER_OCTETS>() else {
            return Err(format!("an answer of {} octets", reply.len()));
        };
        if header[2] & 0x80 == 0 {
            return Err("the answer is a query: QR is 0".into());
        }
        if header[4..6] != [0, 1] || !body.starts_with(asked) {
            return Err(format!("the question is not echoed: asked {}", hex(asked)));
        }
        if self.check == Check::Question {
            return Ok(());
        }
        let expected = self.questions.expected(question);
        let rcode = ResponseCode(u16::from(header[3] & 0x0F));
        let truncated = header[2] & 0x02 != 0;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let (answers, authorities) = (count(6), count(8));
        let whole = match expected.truncated {
            Some(false) => answers == expected.answers && !truncated,
            Some(true) => truncated,
            None => true,
        };
        if rcode != expected.rcode || !whole || authorities < expected.authorities_min {
            return Err(format!(
                "{} with {answers} answers, {authorities} authorities{}, instead of {} with {}, at least {}{}, asked {}",
                rcode.label(),
                if truncated { ", truncated" } else { "" },
                expected.rcode.label(),
                expected.answers,
                expected.authorities_min,
                if expected.truncated == Some(true) { ", truncated" } else { "" },
                hex(asked),
            ));
        }
        Ok(())
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::questions::Mixture;
    use crate::zone::ZonePlan;

    fn questions() -> Questions {
        Questions::new(ZonePlan { names: 100 }, Mixture::Hits)
    }

    /// The right answer to the question `index`, which was asked with `id`.
    fn answer(questions: &Questions, index: usize, id: u16) -> Vec<u8> {
        let mut reply = questions.packet(index).to_vec();
        reply[..2].copy_from_slice(&id.to_be_bytes());
        reply[2] |= 0x84;
        reply[6..8].copy_from_slice(&questions.expected(index).answers.to_be_bytes());
        reply
    }

    #[test]
    fn right_answers_free_their_slots() {
        let questions = questions();
        let now = Instant::now();
        let mut window = Window::new(&questions, Check::Full, 3, 98, now);
        for index in [98, 99, 0, 1, 2, 3, 4] {
            let (id, packet) = window.ask(now).unwrap();
            assert_eq!(packet, questions.packet(index));
            window.settle(&answer(&questions, index, id));
        }
        let report = window.finish();
        assert_eq!((report.sent, report.answered, report.lost, report.wrong), (7, 7, 0, 0));
    }

    #[test]
    fn windows_are_bounded_and_repeated_answers_do_not_count() {
        let questions = questions();
        let now = Instant::now();
        let mut window = Window::new(&questions, Check::Full, 2, 0, now);
        let (first, _) = window.ask(now).unwrap();
        let (second, _) = window.ask(now).unwrap();
        assert!(first != second && window.ask(now).is_none());
        window.settle(&answer(&questions, 1, second));
        window.settle(&answer(&questions, 1, second));
        let (third, _) = window.ask(now).unwrap();
        assert!(third != second && third != first);
        window.settle(&answer(&questions, 1, second));
        window.settle(&[1]);
        let report = window.finish();
        assert_eq!((report.sent, report.answered, report.unexpected, report.lost), (3, 1, 3, 2));
    }

    #[test]
    fn ids_go_round_without_leaving_their_slots() {
        let questions = questions();
        let now = Instant::now();
        let mut window = Window::new(&questions, Check::Full, 7, 0, now);
        for index in 0..200_000 {
            let (id, _) = window.ask(now).unwrap();
            window.settle(&answer(&questions, index % 100, id));
        }
        assert_eq!(window.finish().answered, 200_000);
    }

    #[test]
    fn overdue_questions_are_lost_and_their_answers_late() {
        let questions = questions();
        let now = Instant::now();
        let mut window = Window::new(&questions, Check::Full, 1, 0, now);
        let (id, _) = window.ask(now).unwrap();
        window.sweep(now + TIMEOUT / 2);
        assert_eq!(window.outstanding(), 1);
        window.sweep(now + TIMEOUT);
        assert_eq!((window.outstanding(), window.free()), (0, 1));
        window.ask(now).unwrap();
        window.settle(&answer(&questions, 0, id));
        let report = window.finish();
        assert_eq!((report.sent, report.lost, report.unexpected, report.answered), (2, 2, 1, 0));
    }

    #[track_caller]
    fn check_wrong(check: Check, spoil: impl FnOnce(&mut Vec<u8>), reason: Option<&str>) {
        let questions = questions();
        let now = Instant::now();
        let mut window = Window::new(&questions, check, 1, 0, now);
        let (id, _) = window.ask(now).unwrap();
        let mut reply = answer(&questions, 0, id);
        spoil(&mut reply);
        window.settle(&reply);
        let report = window.finish();
        assert_eq!(report.wrong, u64::from(reason.is_some()));
        assert_eq!(report.answered, u64::from(reason.is_none()));
        let told = report.first_wrong.unwrap_or_default();
        assert!(told.contains(reason.unwrap_or_default()), "{told}");
    }

    #[test]
    fn what_servers_may_choose_is_not_checked_and_denials_name_their_zone() {
        let now = Instant::now();
        let verdict = |mixture, flags: u8, rcode: u8, authorities: u8| {
            let questions = Questions::new(ZonePlan { names: 100 }, mixture);
            let window = Window::new(&questions, Check::Full, 1, 0, now);
            let mut reply = questions.packet(0).to_vec();
            reply[2] = 0x84 | flags;
            (reply[3], reply[9]) = (rcode, authorities);
            window.verdict(0, &reply).is_ok()
        };
        assert!(verdict(Mixture::Any, 0, 0, 0) && verdict(Mixture::Any, 2, 0, 0));
        assert!(verdict(Mixture::Big, 2, 0, 0) && !verdict(Mixture::Big, 0, 0, 0));
        assert!(verdict(Mixture::Nxdomain, 0, 3, 1) && !verdict(Mixture::Nxdomain, 0, 3, 0));
        assert!(verdict(Mixture::Referral, 0, 0, 13) && !verdict(Mixture::Referral, 0, 0, 12));
    }

    #[test]
    fn wrong_answers_are_told_from_right_ones() {
        check_wrong(Check::Full, |reply| reply[2] = 0, Some("QR"));
        check_wrong(Check::Full, |reply| reply[3] = 2, Some("servfail"));
        check_wrong(Check::Full, |reply| reply[2] |= 0x02, Some("truncated"));
        check_wrong(Check::Full, |reply| reply[7] += 1, Some("answers"));
        check_wrong(Check::Full, |reply| reply[14] ^= 0x20, Some("not echoed"));
        check_wrong(Check::Full, |reply| reply[5] = 0, Some("not echoed"));
        check_wrong(Check::Full, |reply| reply.truncate(20), Some("not echoed"));
        check_wrong(Check::Full, |reply| reply.truncate(3), Some("3 octets"));
        check_wrong(Check::Question, |reply| reply[3] = 2, None);
        check_wrong(Check::Question, |reply| reply[14] ^= 0x20, Some("not echoed"));
    }
}
