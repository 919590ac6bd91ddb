//! What a request asks, read in place.

use dns_core::name::HashedName;
use dns_core::{Class, Opcode, RecordType, ResponseCode};
use thiserror::Error;

/// Octets of a DNS header ([RFC 1035, section 4.1.1](https://www.rfc-editor.org/rfc/rfc1035#section-4.1.1)).
pub const HEADER_OCTETS: usize = 12;
/// EDNS option that asks who answers ([RFC 5001](https://www.rfc-editor.org/rfc/rfc5001)).
pub(crate) const OPTION_NSID: u16 = 3;
/// EDNS option that proves the client's address ([RFC 7873](https://www.rfc-editor.org/rfc/rfc7873)).
pub(crate) const OPTION_COOKIE: u16 = 10;
/// EDNS option that asks how long an idle connection is kept ([RFC 7828](https://www.rfc-editor.org/rfc/rfc7828)).
pub(crate) const OPTION_TCP_KEEPALIVE: u16 = 11;
/// EDNS option that tells more than a response code ([RFC 8914](https://www.rfc-editor.org/rfc/rfc8914)).
pub(crate) const OPTION_EDE: u16 = 15;

/// A request as far as answering needs it. Reused: [`read`](Self::read) overwrites everything.
#[derive(Default)]
pub struct Query {
    /// The name that is asked for.
    pub qname: HashedName,
    /// Where the question ends in the request; the answer begins there in the reply.
    pub question_end: usize,
    /// Type that is asked for.
    pub qtype: u16,
    /// Class that is asked for.
    pub qclass: u16,
    /// The EDNS part, if the client speaks EDNS.
    pub edns: Option<Edns>,
    /// Place of the client's view in the catalog.
    pub(crate) view: usize,
}

/// What an OPT record says ([RFC 6891, section 6.1](https://www.rfc-editor.org/rfc/rfc6891#section-6.1)).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Edns {
    /// Largest UDP message that reaches the client, in octets, as it says itself.
    pub udp_octets: u16,
    /// EDNS version.
    pub version: u8,
    /// The client wants DNSSEC records ([RFC 3225](https://www.rfc-editor.org/rfc/rfc3225)).
    pub dnssec_ok: bool,
    /// The client asks how long its connection is kept ([RFC 7828](https://www.rfc-editor.org/rfc/rfc7828)).
    pub keepalive: bool,
    /// The client asks who answers ([RFC 5001](https://www.rfc-editor.org/rfc/rfc5001)).
    pub nsid: bool,
    /// The first COOKIE option ([RFC 7873](https://www.rfc-editor.org/rfc/rfc7873)).
    pub cookie: Option<Span>,
}

/// A stretch of the request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// Where it begins.
    pub at: u16,
    /// How many octets it has.
    pub octets: u16,
}

impl Span {
    /// The stretch of this message; empty if it is too short.
    pub fn of(self, message: &[u8]) -> &[u8] {
        let at = usize::from(self.at);
        message.get(at..at + usize::from(self.octets)).unwrap_or_default()
    }
}

/// Why a request is not answered from zones.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum RequestError {
    /// Too short for a header.
    #[error("message is shorter than a DNS header")]
    Short,
    /// It is a response.
    #[error("message is a response")]
    Response,
    /// Another kind of request than a query.
    #[error("opcode is not supported")]
    Opcode,
    /// Not exactly one question ([RFC 9619](https://www.rfc-editor.org/rfc/rfc9619)).
    #[error("QDCOUNT is not 1")]
    QuestionCount,
    /// The question cannot be read.
    #[error("the question is malformed")]
    Question,
    /// A query that brings answers, or records that cannot be read.
    #[error("what follows the question is malformed")]
    Records,
    /// No question, but a COOKIE option: the client only wants a cookie ([RFC 7873, section 5.4]).
    ///
    /// [RFC 7873, section 5.4]: https://www.rfc-editor.org/rfc/rfc7873#section-5.4
    #[error("there is no question")]
    CookieAlone,
    /// Two OPT records, or one that cannot be read.
    #[error("the OPT record is malformed")]
    Opt,
    /// A newer EDNS than ours.
    #[error("EDNS version is not supported")]
    EdnsVersion,
}

impl RequestError {
    /// What the client is told; `None` where silence is right, so that we are of no use for reflection.
    pub fn rcode(self) -> Option<ResponseCode> {
        match self {
            Self::Short | Self::Response => None,
            Self::Opcode => Some(ResponseCode::NOTIMP),
            Self::QuestionCount | Self::Question | Self::Records | Self::Opt => Some(ResponseCode::FORMERR),
            Self::CookieAlone => Some(ResponseCode::NOERROR),
            Self::EdnsVersion => Some(ResponseCode::BADVERS),
        }
    }

    /// The question could be read, so that the reply can repeat it.
    pub fn has_question(self) -> bool {
        matches!(self, Self::Records | Self::Opt | Self::EdnsVersion)
    }
}

impl Query {
    /// Type that is asked for.
    #[inline]
    pub fn qtype(&self) -> RecordType {
        RecordType(self.qtype)
    }

    /// Class that is asked for.
    #[inline]
    pub fn qclass(&self) -> Class {
        Class(self.qclass)
    }

    /// The client wants DNSSEC records.
    #[inline]
    pub fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// Reads a request. The opcode is looked at first: what other requests hold is not for us to judge.
    #[inline]
    pub fn read(&mut self, request: &[u8]) -> Result<(), RequestError> {
        self.edns = None;
        let Some((header, rest)) = request.split_first_chunk::<HEADER_OCTETS>() else {
            return Err(RequestError::Short);
        };
        if header[2] & 0x80 != 0 {
            return Err(RequestError::Response);
        }
        if opcode(header) != Opcode::QUERY {
            return Err(RequestError::Opcode);
        }
        if header[4..6] != [0, 1] {
            return Err(self.read_without_question(request));
        }
        let name_octets = self.qname.read(rest).map_err(|_| RequestError::Question)?;
        let Some((numbers, after)) = rest[name_octets..].split_first_chunk::<4>() else {
            return Err(RequestError::Question);
        };
        self.qtype = u16::from_be_bytes([numbers[0], numbers[1]]);
        self.qclass = u16::from_be_bytes([numbers[2], numbers[3]]);
        self.question_end = HEADER_OCTETS + name_octets + 4;
        // Answers make no sense in a query; IXFR alone brings the client's SOA record along (RFC 1995, section 3).
        let has_soa = header[8..10] == [0, 1] && self.qtype() == RecordType::IXFR;
        if header[6..8] != [0, 0] || !(header[8..10] == [0, 0] || has_soa) {
            return Err(RequestError::Records);
        }
        let additional = u16::from_be_bytes([header[10], header[11]]);
        if additional != 0 || has_soa || !after.is_empty() {
            self.read_records(request, after.len(), usize::from(has_soa), usize::from(additional))?;
        }
        match self.edns {
            Some(edns) if edns.version > 0 => Err(RequestError::EdnsVersion),
            _ => Ok(()),
        }
    }

    /// What is to be said to a request that has not exactly one question.
    #[cold]
    fn read_without_question(&mut self, request: &[u8]) -> RequestError {
        self.question_end = HEADER_OCTETS;
        let counts = &request[4..HEADER_OCTETS];
        let is_plain =
            counts[..6] == [0; 6] && self.read_records(request, request.len() - HEADER_OCTETS, 0, 1).is_ok();
        match self.edns {
            Some(Edns { version: 0, cookie: Some(_), .. }) if is_plain && counts[6..] == [0, 1] => {
                RequestError::CookieAlone
            }
            _ => {
                // What could not be read whole has said nothing.
                self.edns = None;
                RequestError::QuestionCount
            }
        }
    }

    /// Walks what follows the question in search of the OPT record; nothing may be left over.
    fn read_records(
        &mut self,
        request: &[u8],
        octets: usize,
        authority: usize,
        additional: usize,
    ) -> Result<(), RequestError> {
        let mut rest = &request[request.len() - octets..];
        for index in 0..authority + additional {
            let is_root = rest.first() == Some(&0);
            rest = skip_name(rest).ok_or(RequestError::Records)?;
            let Some((fixed, after)) = rest.split_first_chunk::<10>() else {
                return Err(RequestError::Records);
            };
            let rdlength = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            if after.len() < rdlength {
                return Err(RequestError::Records);
            }
            let (rdata, after) = after.split_at(rdlength);
            rest = after;
            if RecordType(u16::from_be_bytes([fixed[0], fixed[1]])) == RecordType::OPT {
                if !is_root || self.edns.is_some() || index < authority {
                    return Err(RequestError::Opt);
                }
                let mut edns = Edns {
                    udp_octets: u16::from_be_bytes([fixed[2], fixed[3]]),
                    version: fixed[5],
                    dnssec_ok: fixed[6] & 0x80 != 0,
                    ..Edns::default()
                };
                if !rdata.is_empty() {
                    let at = request.len() - after.len() - rdata.len();
                    edns.read_options(rdata, at)?;
                }
                self.edns = Some(edns);
            }
        }
        if rest.is_empty() { Ok(()) } else { Err(RequestError::Records) }
    }
}

/// Opcode of a header.
pub(crate) fn opcode(header: &[u8; HEADER_OCTETS]) -> Opcode {
    Opcode(header[2] >> 3 & 0xf)
}

/// What follows a name, which may be compressed; where its pointer leads does not matter here.
pub(crate) fn skip_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        match *rest.first()? {
            0 => return rest.get(1..),
            octets @ 1..=63 => rest = rest.get(1 + usize::from(octets)..)?,
            0xc0..=0xff => return rest.get(2..),
            _ => return None,
        }
    }
}

impl Edns {
    /// Looks through the options, which begin `at` there in the request; unknown ones are passed over ([RFC 6891, section 6.1.2]).
    ///
    /// [RFC 6891, section 6.1.2]: https://www.rfc-editor.org/rfc/rfc6891#section-6.1.2
    fn read_options(&mut self, rdata: &[u8], at: usize) -> Result<(), RequestError> {
        let mut rest = rdata;
        while !rest.is_empty() {
            let (head, after) = rest.split_first_chunk::<4>().ok_or(RequestError::Opt)?;
            let octets = u16::from_be_bytes([head[2], head[3]]);
            rest = after.get(usize::from(octets)..).ok_or(RequestError::Opt)?;
            match u16::from_be_bytes([head[0], head[1]]) {
                OPTION_TCP_KEEPALIVE => self.keepalive = true,
                OPTION_NSID => self.nsid = true,
                // RFC 7873, section 5.2: further ones are ignored.
                OPTION_COOKIE if self.cookie.is_none() => {
                    let at = at + rdata.len() - after.len();
                    self.cookie = Some(Span { at: at as u16, octets });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header with ID 1 and RD, counts as given, and what follows.
    fn message(counts: [u8; 4], body: &[u8]) -> Vec<u8> {
        let [qd, an, ns, ar] = counts;
        [&[0, 1, 1, 0, 0, qd, 0, an, 0, ns, 0, ar][..], body].concat()
    }

    const QUESTION: &[u8] = b"\x03WWW\x07example\x03org\0\0\x01\0\x01";

    fn read(message: &[u8]) -> Result<Query, RequestError> {
        let mut query = Query::default();
        query.read(message).map(|()| query)
    }

    #[test]
    fn a_plain_question_is_read() {
        let query = read(&message([1, 0, 0, 0], QUESTION)).unwrap();
        assert_eq!(query.qname.wire(), b"\x03www\x07example\x03org\0");
        assert_eq!((query.qtype(), query.qclass(), query.edns), (RecordType::A, Class::IN, None));
        assert_eq!(query.question_end, 12 + QUESTION.len());
    }

    #[test]
    fn edns_is_found_behind_other_records() {
        let opt = b"\0\0\x29\x10\x00\0\0\x80\0\0\x08\0\x0b\0\0\xff\xff\0\0";
        let other = b"\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x02\x01x";
        let query = read(&message([1, 0, 0, 2], &[QUESTION, other, opt].concat())).unwrap();
        let edns = Edns { udp_octets: 4096, dnssec_ok: true, keepalive: true, ..Edns::default() };
        assert_eq!(query.edns, Some(edns));
        assert_eq!(
            read(&message([1, 0, 0, 2], &[QUESTION, opt, opt].concat())).err(),
            Some(RequestError::Opt)
        );
    }

    #[test]
    fn a_cookie_is_found_where_it_stands_and_may_come_without_a_question() {
        let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\x14\0\x03\0\0\0\x0a\0\x0812345678\0\x63\0\0";
        let request = message([1, 0, 0, 1], &[QUESTION, opt].concat());
        let edns = read(&request).unwrap().edns.unwrap();
        assert!(edns.nsid && !edns.keepalive);
        assert_eq!(edns.cookie.unwrap().of(&request), b"12345678");

        let mut query = Query::default();
        let request = message([0, 0, 0, 1], opt);
        assert_eq!(query.read(&request), Err(RequestError::CookieAlone));
        assert_eq!(query.edns.unwrap().cookie.unwrap().of(&request), b"12345678");
        let without = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
        assert_eq!(query.read(&message([0, 0, 0, 1], without)), Err(RequestError::QuestionCount));
        assert_eq!(query.edns, None);
        assert_eq!(query.read(&message([0, 0, 0, 1], &opt[..20])), Err(RequestError::QuestionCount));
        assert_eq!(query.edns, None);
    }

    #[test]
    fn what_is_wrong_decides_what_the_client_hears() {
        use RequestError::{EdnsVersion, Opcode, Opt, Question, QuestionCount, Records, Response, Short};
        let question = message([1, 0, 0, 0], QUESTION);
        let with_opt = |opt: &[u8]| message([1, 0, 0, 1], &[QUESTION, opt].concat());
        let mut response = question.clone();
        response[2] |= 0x80;
        let mut notify = question.clone();
        notify[2] |= 4 << 3;
        let cases = [
            (&question[..11], Short),
            (&response, Response),
            (&notify, Opcode),
            (&message([0, 0, 0, 0], b""), QuestionCount),
            (&message([2, 0, 0, 0], &[QUESTION, QUESTION].concat()), QuestionCount),
            (&question[..question.len() - 1], Question),
            (&message([1, 0, 0, 0], b"\xc0\x0c\0\x01\0\x01"), Question),
            (&message([1, 1, 0, 0], &[QUESTION, b"\0\0\x01\0\x01\0\0\0\0\0\0"].concat()), Records),
            (&message([1, 0, 0, 0], &[QUESTION, b"x"].concat()), Records),
            (&message([1, 0, 0, 1], QUESTION), Records),
            (&with_opt(b"\0\0\x29\x10\x00\0\0\0\0\0\x04\0\x0b\0\x01"), Opt),
            (&with_opt(b"\x01x\0\0\x29\x10\x00\0\0\0\0\0\0"), Opt),
            (&with_opt(b"\0\0\x29\x10\x00\0\x01\0\0\0\0"), EdnsVersion),
        ];
        for (message, expected) in cases {
            assert_eq!(read(message).err(), Some(expected), "{message:x?}");
        }
    }
}
