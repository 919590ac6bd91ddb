//! What the lines of the log tell of messages, whatever state these are in.

use std::fmt;

use dns_backend::Query;
use dns_backend::log::LoggedReply;
use dns_core::name::{wire_octets, write_wire};
use dns_core::{Class, RecordType, ResponseCode};

/// Octets of a DNS header.
const HEADER_OCTETS: usize = 12;

/// A request as far as it can be read.
pub(crate) struct Asked<'m> {
    pub(crate) id: Option<u16>,
    pub(crate) opcode: Option<u8>,
    pub(crate) question: Option<Question<'m>>,
    /// Octets that the client takes over UDP, if it speaks EDNS. Read from queries only, not from other requests.
    pub(crate) edns_octets: Option<u16>,
    pub(crate) flags: Flags,
}

/// The first question of a message.
#[derive(Clone, Copy)]
pub(crate) struct Question<'m> {
    pub(crate) qname: Qname<'m>,
    pub(crate) qtype: RecordType,
    pub(crate) qclass: Class,
}

impl<'m> Asked<'m> {
    pub(crate) fn read(request: &'m [u8]) -> Self {
        let short = |at: usize| Some(u16::from_be_bytes([*request.get(at)?, *request.get(at + 1)?]));
        let mut flags =
            Flags { bits: short(2).unwrap_or(0) & (Flags::RD | Flags::AD | Flags::CD), dnssec_ok: false };
        let mut query = Query::default();
        // What is wrong with it does not matter: what stood before the fault has been read.
        let _ = query.read(request);
        flags.dnssec_ok = query.dnssec_ok();
        Self {
            id: short(0),
            opcode: request.get(2).map(|octet| octet >> 3 & 0xf),
            question: Question::read(request),
            edns_octets: query.edns.map(|edns| edns.udp_octets),
            flags,
        }
    }
}

impl<'m> Question<'m> {
    fn read(request: &'m [u8]) -> Option<Self> {
        let (header, rest) = request.split_first_chunk::<HEADER_OCTETS>()?;
        if header[4..6] == [0, 0] {
            return None;
        }
        let (qname, rest) = rest.split_at(wire_octets(rest).ok()?);
        let numbers = rest.first_chunk::<4>()?;
        Some(Self {
            qname: Qname(qname),
            qtype: RecordType(u16::from_be_bytes([numbers[0], numbers[1]])),
            qclass: Class(u16::from_be_bytes([numbers[2], numbers[3]])),
        })
    }
}

/// A valid uncompressed name as it came, which shows in presentation format. What could end a line or a string is escaped by
/// that, so clients cannot write into the log what they please.
#[derive(Clone, Copy)]
pub(crate) struct Qname<'m>(&'m [u8]);

impl fmt::Display for Qname<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wire(self.0, f)
    }
}

/// What the log tells of a reply's header.
pub(crate) struct Header {
    pub(crate) flags: Flags,
    pub(crate) answers: u16,
}

impl Header {
    /// Of a reply that lacks a header, nothing is set.
    pub(crate) fn read(reply: &LoggedReply<'_>) -> Self {
        let short = |at: usize| {
            let octets = reply.message.get(at..at + 2);
            octets.map_or(0, |octets| u16::from_be_bytes([octets[0], octets[1]]))
        };
        let told = Flags::AA | Flags::TC | Flags::RA | Flags::AD;
        Self { flags: Flags { bits: short(2) & told, dnssec_ok: false }, answers: short(6) }
    }
}

/// Flags of a header, as `dig` calls them, and DO.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    bits: u16,
    dnssec_ok: bool,
}

impl Flags {
    const AA: u16 = 0x0400;
    const TC: u16 = 0x0200;
    const RD: u16 = 0x0100;
    const RA: u16 = 0x0080;
    const AD: u16 = 0x0020;
    const CD: u16 = 0x0010;

    /// Those that are set.
    pub(crate) fn labels(self) -> impl Iterator<Item = &'static str> {
        let known = [
            (Self::AA, "aa"),
            (Self::TC, "tc"),
            (Self::RD, "rd"),
            (Self::RA, "ra"),
            (Self::AD, "ad"),
            (Self::CD, "cd"),
        ];
        let set = known.into_iter().filter(move |(bit, _)| self.bits & bit != 0).map(|(_, label)| label);
        set.chain(self.dnssec_ok.then_some("do"))
    }
}

/// A response code as its mnemonic in lower case, or as `rcode` and its number.
pub(crate) struct Rcode(pub(crate) ResponseCode);

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.label() {
            "other" => write!(f, "rcode{}", self.0.0),
            label => f.write_str(label),
        }
    }
}
