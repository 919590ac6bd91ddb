//! DNS messages, as far as a test of a listener needs them.

use std::ops::Range;

use dns_core::{Class, Name, NameError, RecordType, ResponseCode, Rrset, RrsetError, rdata};
use thiserror::Error;

/// Largest answer that we take over UDP: what passes every network without being cut into pieces.
const UDP_OCTETS_MAX: u16 = 1232;
const HEADER_OCTETS: usize = 12;
const OPT: RecordType = RecordType(41);
/// Flags by their bits, and what they are called.
const FLAGS: [(u16, &str); 6] =
    [(0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0020, "ad"), (0x0010, "cd")];

/// A question in the Internet class, recursion desired, as stub resolvers ask it.
pub(super) fn query(id: u16, qname: &Name, qtype: RecordType) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER_OCTETS + qname.as_wire().len() + 15);
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&[0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1]);
    message.extend_from_slice(qname.as_wire());
    message.extend_from_slice(&qtype.0.to_be_bytes());
    message.extend_from_slice(&Class::IN.0.to_be_bytes());
    // An OPT record without options (RFC 6891, section 6.1.2).
    message.push(0);
    message.extend_from_slice(&OPT.0.to_be_bytes());
    message.extend_from_slice(&UDP_OCTETS_MAX.to_be_bytes());
    message.extend_from_slice(&[0; 6]);
    message
}

/// An answer taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub rcode: ResponseCode,
    flags: u16,
    /// Answer, authority and additional section; OPT is left out.
    pub sections: [Vec<Rrset>; 3],
}

/// Why octets are no answer.
#[derive(Debug, Error)]
pub(super) enum AnswerError {
    #[error("the answer ends early, at octet {0}")]
    Truncated(usize),
    #[error("a name in the answer is none: {0}")]
    Name(#[from] NameError),
    #[error("a name in the answer has pointers that lead nowhere, at octet {0}")]
    Pointer(usize),
    #[error("a record in the answer is malformed: {0}")]
    Rdata(#[from] rdata::RdataError),
    #[error("records in the answer make no sense together: {0}")]
    Rrset(#[from] RrsetError),
}

impl Answer {
    /// Whether octets are an answer to this question at all; anything else that arrives is somebody else's.
    pub fn is_to(octets: &[u8], query: &[u8]) -> bool {
        // The question may come back in other letters, and does not when the server could not read it.
        let asked = query.get(HEADER_OCTETS..question_end(query)).unwrap_or_default();
        let is_answer = octets.get(2).is_some_and(|flags| flags & 0x80 != 0);
        let is_same = match octets.get(4..6) {
            Some([0, 0]) => true,
            _ => octets
                .get(HEADER_OCTETS..HEADER_OCTETS + asked.len())
                .is_some_and(|question| question.eq_ignore_ascii_case(asked)),
        };
        octets.len() >= HEADER_OCTETS && octets[..2] == query[..2] && is_answer && is_same
    }

    /// Takes an answer apart.
    pub fn parse(message: &[u8]) -> Result<Self, AnswerError> {
        let mut reader = Reader { message, at: 2 };
        let flags = reader.u16()?;
        let questions = reader.u16()?;
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?];
        for _ in 0..questions {
            reader.name()?;
            reader.take(4)?;
        }
        let mut answer = Self { rcode: ResponseCode(flags & 15), flags, sections: [const { Vec::new() }; 3] };
        for (section, count) in answer.sections.iter_mut().zip(counts) {
            let mut records: Vec<Pending> = Vec::new();
            for _ in 0..count {
                let owner = reader.name()?;
                let rtype = RecordType(reader.u16()?);
                let _class = reader.u16()?;
                let ttl = reader.u32()?;
                let range = reader.rdata()?;
                if rtype == OPT {
                    // The upper bits of the response code stand where others have their TTL (RFC 6891, section 6.1.3).
                    answer.rcode.0 |= ((ttl >> 24) as u16) << 4;
                    continue;
                }
                let mut value = Vec::new();
                rdata::decompress(rtype, message, range, &mut value)?;
                match records.last_mut() {
                    Some(last) if last.owner == owner && last.rtype == rtype => last.values.push(value),
                    _ => records.push(Pending { owner, rtype, ttl, values: vec![value] }),
                }
            }
            for Pending { owner, rtype, ttl, values } in records {
                // A TTL with the upper bit set means none (RFC 2181, section 8).
                let ttl = if ttl > dns_core::TTL_MAX { 0 } else { ttl };
                section.push(Rrset::new(owner, rtype, ttl, values)?);
            }
        }
        Ok(answer)
    }

    /// It did not fit: the same has to be asked over TCP.
    pub fn is_truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// The flags that are set.
    pub fn flags(&self) -> Vec<String> {
        FLAGS.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, flag)| (*flag).to_owned()).collect()
    }
}

/// The mnemonic of a response code, or its number.
pub(super) fn rcode_text(rcode: ResponseCode) -> String {
    match rcode.label() {
        "other" => format!("RCODE{}", rcode.0),
        label => label.to_uppercase(),
    }
}

struct Pending {
    owner: Name,
    rtype: RecordType,
    ttl: u32,
    values: Vec<Vec<u8>>,
}

/// Where the question ends in a query of ours.
fn question_end(query: &[u8]) -> usize {
    let name = dns_core::name::wire_octets(query.get(HEADER_OCTETS..).unwrap_or_default());
    HEADER_OCTETS + name.map_or(0, |octets| octets + 4)
}

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn take(&mut self, octets: usize) -> Result<&'m [u8], AnswerError> {
        let taken = self.message.get(self.at..).and_then(|rest| rest.get(..octets));
        self.at += octets;
        taken.ok_or(AnswerError::Truncated(self.message.len()))
    }

    fn u16(&mut self) -> Result<u16, AnswerError> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    fn u32(&mut self) -> Result<u32, AnswerError> {
        let octets = self.take(4)?;
        Ok(u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]))
    }

    /// Where the RDATA lies that comes next.
    fn rdata(&mut self) -> Result<Range<usize>, AnswerError> {
        let octets = usize::from(self.u16()?);
        let start = self.at;
        self.take(octets)?;
        Ok(start..self.at)
    }

    /// A name that may be compressed. Pointers go backwards only, so the way is bounded (RFC 1035, section 4.1.4).
    fn name(&mut self) -> Result<Name, AnswerError> {
        let start = self.at;
        let mut wire = Vec::new();
        let mut limit = start;
        // Where reading goes on behind the first pointer.
        let mut behind = None;
        loop {
            match self.take(1)?[0] {
                0 => {
                    wire.push(0);
                    break;
                }
                octets @ 1..=63 => {
                    wire.push(octets);
                    wire.extend_from_slice(self.take(usize::from(octets))?);
                }
                high @ 0xC0.. => {
                    let to = usize::from(high & 0x3F) << 8 | usize::from(self.take(1)?[0]);
                    behind.get_or_insert(self.at);
                    if to >= limit {
                        return Err(AnswerError::Pointer(start));
                    }
                    (self.at, limit) = (to, to);
                }
                _ => return Err(NameError::BadLabelType.into()),
            }
            if wire.len() > dns_core::name::NAME_OCTETS_MAX {
                return Err(NameError::TooLong.into());
            }
        }
        self.at = behind.unwrap_or(self.at);
        Ok(Name::from_wire(&wire)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::convert::spec;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    /// `www.example.org. A`, answered with an alias and two addresses, all names compressed.
    fn answer() -> Vec<u8> {
        let mut message = query(7, &name("www.example.org."), RecordType::A);
        let opt = message.split_off(question_end(&message));
        message[2..4].copy_from_slice(&[0x85, 0x80]);
        message[6..8].copy_from_slice(&[0, 3]);
        message.extend_from_slice(&[0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 6, 3, b'w', b'e', b'b', 0xC0, 16]);
        for last in [1, 2] {
            message.extend_from_slice(&[0xC0, 45, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last]);
        }
        message.extend_from_slice(&opt);
        message
    }

    #[test]
    fn answers_are_taken_apart() {
        let octets = answer();
        let query = query(7, &name("WWW.example.org."), RecordType::A);
        assert!(Answer::is_to(&octets, &query));
        let answer = Answer::parse(&octets).unwrap();
        assert_eq!(answer.flags(), ["aa", "rd", "ra"]);
        assert_eq!(rcode_text(answer.rcode), "NOERROR");
        let records: Vec<_> = answer.sections[0].iter().map(spec).collect();
        let values: Vec<_> = records
            .iter()
            .map(|record| (&*record.name, &*record.rtype, record.value.clone().into_vec().join(" ")))
            .collect();
        assert_eq!(
            values,
            [
                ("www.example.org.", "CNAME", "web.example.org.".to_owned()),
                ("web.example.org.", "A", "192.0.2.1 192.0.2.2".to_owned())
            ]
        );
    }

    #[test]
    fn the_upper_bits_of_the_response_code_are_in_the_opt_record() {
        let mut octets = answer();
        let opt = octets.len() - 11;
        octets[opt + 5] = 1;
        assert_eq!(rcode_text(Answer::parse(&octets).unwrap().rcode), "BADVERS");
        octets[3] |= 1;
        assert_eq!(rcode_text(Answer::parse(&octets).unwrap().rcode), "RCODE17");
    }

    #[test]
    fn answers_to_others_are_none() {
        let octets = answer();
        let asked = |id, qname: &str, qtype| query(id, &name(qname), qtype);
        assert!(!Answer::is_to(&octets, &asked(8, "www.example.org.", RecordType::A)));
        assert!(!Answer::is_to(&octets, &asked(7, "ww2.example.org.", RecordType::A)));
        assert!(!Answer::is_to(&octets, &asked(7, "www.example.org.", RecordType::AAAA)));
        let query = asked(7, "www.example.org.", RecordType::A);
        assert!(!Answer::is_to(&query, &query), "a question is no answer");
        assert!(!Answer::is_to(&octets[..11], &query));
        // A server that could not read the question does not repeat it.
        assert!(Answer::is_to(&[0, 7, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0], &query));
    }

    #[test]
    fn pointers_that_lead_nowhere_are_refused() {
        let mut octets = answer();
        let owner = question_end(&octets);
        octets[owner + 1] = owner as u8;
        assert!(matches!(Answer::parse(&octets), Err(AnswerError::Pointer(_))));
        octets.truncate(owner + 5);
        octets[owner + 1] = 12;
        assert!(matches!(Answer::parse(&octets), Err(AnswerError::Truncated(_))));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(
            noise in proptest::collection::vec(any::<u8>(), 0..64),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let _ = Answer::parse(&noise);
            let _ = Answer::is_to(&noise, &query(7, &name("www.example.org."), RecordType::A));
            let mut octets = answer();
            for (place, octet) in changes {
                let place = place.index(octets.len());
                octets[place] = octet;
            }
            let _ = Answer::parse(&octets);
        }
    }
}
