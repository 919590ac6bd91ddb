//! Messages behind their lengths, as TCP carries them ([RFC 1035, section 4.2.2]).
//!
//! [RFC 1035, section 4.2.2]: https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2

use std::time::Duration;
use std::{io::IoSlice, net::SocketAddr, ops::Range};

use dns_backend::Packets;

/// A length, and the longest message it can tell.
pub(super) const MESSAGE_MAX: usize = 2 + u16::MAX as usize;
/// A DNS header; what is shorter is no message.
const HEADER: usize = 12;
/// Reply buffers begin this far apart: a little more than the largest message, and no multiple of 4096, which
/// would put their beginnings into the same few lines of the processor's cache.
const STRIDE: usize = 65_536 + 128;

/// Complete messages at the beginning of some octets.
pub(super) struct Batch {
    spans: [Span; Requests::BATCH_MAX],
    len: usize,
    /// What comes after the last message of the batch is not one, and never will be.
    pub(super) malformed: bool,
}

/// Where a message lies, its length not included.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    octets: u16,
}

/// Room for the replies to one batch, used for all connections of a worker in turn.
///
/// Reserved in whole; only the pages that replies have touched take up memory.
pub(super) struct Replies {
    buffer: Vec<u8>,
    /// Octets of each reply with its length in front; 0 for silence.
    octets: [u32; Requests::BATCH_MAX],
}

/// A batch in front of a responder.
pub(super) struct Requests<'a> {
    pub(super) input: &'a [u8],
    pub(super) batch: &'a Batch,
    pub(super) replies: &'a mut Replies,
    pub(super) client: SocketAddr,
    pub(super) listener: usize,
}

impl Batch {
    /// Finds up to a batch of messages.
    pub(super) fn find(input: &[u8]) -> Self {
        let mut batch = Self { spans: [Span::default(); Requests::BATCH_MAX], len: 0, malformed: false };
        let mut position = 0;
        while batch.len < Requests::BATCH_MAX {
            let Some((length, rest)) = input[position..].split_first_chunk() else {
                break;
            };
            let octets = u16::from_be_bytes(*length);
            if usize::from(octets) < HEADER {
                batch.malformed = true;
                break;
            }
            if rest.len() < usize::from(octets) {
                break;
            }
            batch.spans[batch.len] = Span { start: position as u32 + 2, octets };
            batch.len += 1;
            position += 2 + usize::from(octets);
        }
        batch
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many octets the first messages take, their lengths included.
    pub(super) fn octets(&self, messages: usize) -> usize {
        match messages.checked_sub(1) {
            None => 0,
            Some(last) => self.range(last).end,
        }
    }

    fn range(&self, index: usize) -> Range<usize> {
        let Span { start, octets } = self.spans[..self.len][index];
        let start = start as usize;
        start..start + usize::from(octets)
    }
}

/// How many octets the message at the beginning takes, with its length, as far as that can be told.
pub(super) fn announced(input: &[u8]) -> Option<usize> {
    input.first_chunk().map(|length| 2 + usize::from(u16::from_be_bytes(*length)))
}

impl Replies {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; STRIDE * Requests::BATCH_MAX], octets: [0; Requests::BATCH_MAX] }
    }

    pub(super) fn clear(&mut self) {
        self.octets.fill(0);
    }

    /// The replies to the first requests, lengths in front; an empty slice where there is none.
    pub(super) fn slices(&self) -> [IoSlice<'_>; Requests::BATCH_MAX] {
        std::array::from_fn(|index| IoSlice::new(self.reply(index)))
    }

    pub(super) fn reply(&self, index: usize) -> &[u8] {
        &self.buffer[index * STRIDE..][..self.octets[index] as usize]
    }

    /// How many there are to the first requests.
    pub(super) fn count(&self, requests: usize) -> usize {
        self.octets[..requests].iter().filter(|&&octets| octets > 0).count()
    }
}

impl Packets for Requests<'_> {
    fn len(&self) -> usize {
        self.batch.len
    }

    fn request(&self, index: usize) -> &[u8] {
        &self.input[self.batch.range(index)]
    }

    fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        let reply = &mut self.replies.buffer[index * STRIDE + 2..][..usize::from(u16::MAX)];
        (&self.input[self.batch.range(index)], reply)
    }

    fn client(&self, _index: usize) -> SocketAddr {
        self.client
    }

    fn listener(&self) -> usize {
        self.listener
    }

    fn now(&self) -> Duration {
        crate::clock::since_1970()
    }

    fn send(&mut self, index: usize, octets: usize) {
        let Ok(length) = u16::try_from(octets) else {
            panic!("a reply of {octets} octets is longer than its buffer");
        };
        self.replies.buffer[index * STRIDE..][..2].copy_from_slice(&length.to_be_bytes());
        self.replies.octets[index] = if octets == 0 { 0 } else { octets as u32 + 2 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(octets: u16) -> Vec<u8> {
        [&octets.to_be_bytes()[..], &vec![7; usize::from(octets)]].concat()
    }

    #[test]
    fn messages_are_found_up_to_the_first_incomplete_one() {
        let input = [message(12), message(300), message(20)[..21].to_vec()].concat();
        let batch = Batch::find(&input);
        assert_eq!((batch.len(), batch.octets(0), batch.octets(1), batch.octets(2)), (2, 0, 14, 316));
        assert!(!batch.malformed);
        assert_eq!(announced(&input[316..]), Some(22));
    }

    #[test]
    fn a_batch_is_never_larger_than_packets_allow() {
        let input = message(12).repeat(70);
        assert_eq!(Batch::find(&input).len(), 64);
        assert_eq!(Batch::find(&input[64 * 14..]).len(), 6);
    }

    #[test]
    fn what_is_shorter_than_a_header_is_malformed() {
        for octets in [0, 11] {
            let input = [message(12), message(octets)].concat();
            let batch = Batch::find(&input);
            assert_eq!((batch.len(), batch.malformed), (1, true), "{octets}");
        }
        assert!(!Batch::find(&[0]).malformed);
        assert_eq!(announced(&[0]), None);
    }

    #[test]
    fn replies_carry_their_length() {
        let input = message(12).repeat(3);
        let batch = Batch::find(&input);
        let mut replies = Replies::new();
        let client = ([192, 0, 2, 1], 53).into();
        let mut requests =
            Requests { input: &input, batch: &batch, replies: &mut replies, client, listener: 0 };
        assert_eq!(requests.exchange(2).1.len(), 65_535);
        requests.exchange(0).1[..3].copy_from_slice(b"abc");
        requests.send(0, 3);
        requests.exchange(2).1[..2].copy_from_slice(b"de");
        requests.send(2, 2);
        assert_eq!((replies.count(3), replies.count(2)), (2, 1));
        let written: Vec<u8> = replies.slices().iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(written, b"\0\x03abc\0\x02de");
        replies.clear();
        assert_eq!(replies.count(3), 0);
    }
}
