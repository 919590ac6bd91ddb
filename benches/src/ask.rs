//! One question at a time, over UDP, by a client that spins: nothing sleeps in between, so that no wake-up of ours is
//! charged to the server.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use dns_core::{Class, Name, Opcode, RecordType, ResponseCode};

use crate::questions::HEADER_OCTETS;

/// The owner of the first answer: a pointer to the name of the question.
const OWNER_OF_QUESTION: [u8; 2] = [0xC0, HEADER_OCTETS as u8];
/// Longer than any answer with one address.
const REPLY_OCTETS_MAX: usize = 4096;
/// When a question counts as lost.
const RESEND_AFTER: Duration = Duration::from_millis(200);

/// Sends one message at a time, and waits for what comes back.
pub struct Asker {
    socket: UdpSocket,
    patience: Duration,
    /// Of the last message.
    id: u16,
    reply: [u8; REPLY_OCTETS_MAX],
}

impl Asker {
    /// For a server at a loopback address that answers within `patience`.
    ///
    /// # Errors
    ///
    /// If it is none, or there is no socket.
    pub fn new(target: SocketAddr, patience: Duration) -> Result<Self> {
        ensure!(target.ip().is_loopback(), "{target} is no loopback address");
        let socket = UdpSocket::bind(SocketAddr::new(target.ip(), 0))?;
        socket.connect(target)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, patience, id: 0, reply: [0; REPLY_OCTETS_MAX] })
    }

    /// Asks for the address of a name, now and then again, as resolvers do: some servers drop questions while they change
    /// something. `None` if the answer is anything but one address.
    ///
    /// # Errors
    ///
    /// If nothing comes back for the patience of the client since `begin`.
    pub fn address(&mut self, owner: &Name, begin: Instant) -> Result<Option<[u8; 4]>> {
        let question = question(owner);
        let reply = self.converse(question.clone(), begin, RESEND_AFTER)?;
        Ok(if rcode(reply) == ResponseCode::NOERROR { answer(&question, reply) } else { None })
    }

    /// Sends the message with an id of its own; returns the response to it, which has a whole header.
    ///
    /// # Errors
    ///
    /// If nothing comes back for the patience of the client since `begin`.
    pub fn exchange(&mut self, message: Vec<u8>, begin: Instant) -> Result<&[u8]> {
        self.converse(message, begin, Duration::MAX)
    }

    fn converse(&mut self, mut message: Vec<u8>, begin: Instant, resend_after: Duration) -> Result<&[u8]> {
        self.id = self.id.wrapping_add(1);
        message[..2].copy_from_slice(&self.id.to_be_bytes());
        self.socket.send(&message)?;
        let mut sent = Instant::now();
        let octets = loop {
            match self.socket.recv(&mut self.reply) {
                // Others are late or mangled.
                Ok(octets) if octets >= HEADER_OCTETS && is_response(&message, &self.reply) => break octets,
                Ok(_) => {}
                // Free where the core is ours; leaves it to the server where there is only one.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
            if begin.elapsed() >= self.patience {
                bail!("nothing came back within {} s", self.patience.as_secs_f64());
            }
            if sent.elapsed() >= resend_after {
                self.socket.send(&message)?;
                sent = Instant::now();
            }
        };
        Ok(&self.reply[..octets])
    }
}

/// A response with the id and the kind of the message. Both have a whole header.
fn is_response(message: &[u8], reply: &[u8]) -> bool {
    reply[..2] == message[..2] && reply[2] & 0xF8 == message[2] & 0x78 | 0x80
}

/// Of a message with a whole header; its upper bits need EDNS, which nobody here speaks.
pub fn rcode(reply: &[u8]) -> ResponseCode {
    ResponseCode(u16::from(reply[3] & 0x0F))
}

/// A question for the address of a name.
pub fn question(qname: &Name) -> Vec<u8> {
    let mut message = header(Opcode::QUERY, [1, 0, 0, 0]);
    field(&mut message, qname, RecordType::A, Class::IN);
    message
}

/// Id 0, no flags, and the counts of the four sections.
pub fn header(opcode: Opcode, counts: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0, 0, opcode.0 << 3, 0];
    message.extend(counts.into_iter().flat_map(|count| u16::from(count).to_be_bytes()));
    message
}

/// Appends a name with its type and class.
pub fn field(message: &mut Vec<u8>, name: &Name, rtype: RecordType, class: Class) {
    message.extend(name.as_wire());
    message.extend(rtype.0.to_be_bytes());
    message.extend(class.0.to_be_bytes());
}

/// The only address in the answer section of the response to the question.
pub fn answer(question: &[u8], reply: &[u8]) -> Option<[u8; 4]> {
    let (count, rest) = (reply.get(6..8)?, reply.get(question.len()..)?);
    let (owner, rest) = rest.split_first_chunk::<2>()?;
    let (head, rest) = rest.split_first_chunk::<10>()?;
    // Type and class as in the question, then four octets of lifetime.
    let same = head[..4] == question[question.len() - 4..] && *owner == OWNER_OF_QUESTION;
    (count == [0, 1] && same && head[8..] == [0, 4]).then_some(*rest.first_chunk()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_address_of_the_question_is_an_answer() {
        let question = question(&"h1.bench.test.".parse().unwrap());
        let mut reply = question.clone();
        reply[7] = 1;
        reply.extend(b"\xC0\x0C\0\x01\0\x01\0\0\x01\x2C\0\x04\x0A\0\0\x07");
        assert_eq!(answer(&question, &reply), Some([10, 0, 0, 7]));
        for octets in 0..reply.len() {
            assert_eq!(answer(&question, &reply[..octets]), None, "{octets}");
        }
        for (place, octet) in [(7, 2), (question.len() + 1, 13), (question.len() + 3, 28)] {
            let mut other = reply.clone();
            other[place] = octet;
            assert_eq!(answer(&question, &other), None, "{place}");
        }
    }

    #[test]
    fn responses_belong_to_their_message() {
        let mut message = header(Opcode::UPDATE, [1, 0, 2, 0]);
        field(&mut message, &"bench.test.".parse().unwrap(), RecordType::SOA, Class::IN);
        let mut reply = message.clone();
        assert!(!is_response(&message, &reply));
        reply[2] |= 0x80;
        assert!(is_response(&message, &reply));
        reply[2] = 0x84; // to a query
        assert!(!is_response(&message, &reply));
        reply[..3].copy_from_slice(&[0, 1, 0xA8]);
        assert!(!is_response(&message, &reply));
    }
}
