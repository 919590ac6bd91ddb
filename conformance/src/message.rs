//! Messages on the wire: queries written, answers read. Small, slow and our own, so that the judges share no code with
//! the server.

use anyhow::{Context, Result, bail, ensure};
use dns_core::name::NAME_OCTETS_MAX;
use dns_core::{Name, RecordType, ResponseCode};

use crate::record::{Record, fold_names, names_in};

/// EDNS as a query carries it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Edns {
    /// Largest UDP answer the client takes, in octets.
    pub payload_octets: u16,
    /// The DO bit.
    pub dnssec_ok: bool,
}

/// An answer taken apart; names are in lower case.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "the header has that many bits")]
pub struct Response {
    /// Message id.
    pub id: u16,
    /// AA.
    pub authoritative: bool,
    /// TC.
    pub truncated: bool,
    /// RA.
    pub recursion_available: bool,
    /// AD: a resolver has validated the answer.
    pub authentic: bool,
    /// Response code with the upper bits of the OPT record.
    pub rcode: ResponseCode,
    /// The question, if there is one.
    pub question: Option<(Name, RecordType)>,
    /// Answer section.
    pub answer: Vec<Record>,
    /// Authority section.
    pub authority: Vec<Record>,
    /// Additional section without OPT.
    pub additional: Vec<Record>,
    /// There is an OPT record.
    pub edns: bool,
    /// Options of the OPT record: code and data, in their order.
    pub options: Vec<(u16, Vec<u8>)>,
    /// Octets of the message.
    pub octets: usize,
}

/// A query for class IN, RD clear.
pub fn query(id: u16, qname: &Name, qtype: RecordType, edns: Option<Edns>) -> Vec<u8> {
    let mut message = Vec::with_capacity(64);
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())]);
    message.extend_from_slice(qname.as_wire());
    message.extend_from_slice(&qtype.0.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if let Some(edns) = edns {
        message.extend_from_slice(&[0, 0, 41]);
        message.extend_from_slice(&edns.payload_octets.to_be_bytes());
        message.extend_from_slice(&[0, 0, if edns.dnssec_ok { 0x80 } else { 0 }, 0, 0, 0]);
    }
    message
}

impl Response {
    /// Takes a message apart; anything malformed is an error that says what and where.
    pub fn parse(message: &[u8]) -> Result<Self> {
        let mut reader = Reader { message, at: 0, class: 1 };
        let id = reader.u16()?;
        let flags = reader.u16()?;
        ensure!(flags & 0x8000 != 0, "QR is clear");
        let mut counts = [0u16; 4];
        for count in &mut counts {
            *count = reader.u16()?;
        }
        ensure!(counts[0] <= 1, "{} questions", counts[0]);
        let question = if counts[0] == 1 {
            let qname = reader.name()?;
            let qtype = RecordType(reader.u16()?);
            if reader.u16()? == 3 {
                reader.class = 3;
            }
            Some((qname, qtype))
        } else {
            None
        };
        let mut response = Self {
            id,
            authoritative: flags & 0x0400 != 0,
            truncated: flags & 0x0200 != 0,
            recursion_available: flags & 0x0080 != 0,
            authentic: flags & 0x0020 != 0,
            rcode: ResponseCode(flags & 15),
            question,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            edns: false,
            options: Vec::new(),
            octets: message.len(),
        };
        for (section, &count) in counts[1..].iter().enumerate() {
            for number in 0..count {
                let place = || format!("record {number} of section {}", section + 1);
                if let Some(record) = reader.record(&mut response).with_context(place)? {
                    match section {
                        0 => response.answer.push(record),
                        1 => response.authority.push(record),
                        _ => response.additional.push(record),
                    }
                }
            }
        }
        ensure!(reader.at == message.len(), "octets follow the last record");
        Ok(response)
    }

    /// Every record with the name of its section.
    pub fn records(&self) -> impl Iterator<Item = (&'static str, &Record)> {
        let sections =
            [("answer", &self.answer), ("authority", &self.authority), ("additional", &self.additional)];
        sections.into_iter().flat_map(|(label, records)| records.iter().map(move |record| (label, record)))
    }
}

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
    /// Of the records.
    class: u16,
}

impl<'m> Reader<'m> {
    fn take(&mut self, octets: usize) -> Result<&'m [u8]> {
        let taken = self.message.get(self.at..self.at + octets);
        let taken = taken.with_context(|| format!("message ends within {octets} octets at {}", self.at))?;
        self.at += octets;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// A name, its pointers followed; each must lead further to the front.
    fn name_wire(&mut self) -> Result<Vec<u8>> {
        let mut wire = Vec::new();
        let mut at = self.at;
        let mut end = None;
        let mut lowest = at;
        loop {
            let octet =
                *self.message.get(at).with_context(|| format!("name runs out of the message at {at}"))?;
            match octet {
                0 => {
                    wire.push(0);
                    self.at = end.unwrap_or(at + 1);
                    ensure!(wire.len() <= NAME_OCTETS_MAX, "name of {} octets", wire.len());
                    return Ok(wire);
                }
                1..=63 => {
                    let label = self
                        .message
                        .get(at..=at + usize::from(octet))
                        .context("label runs out of the message")?;
                    wire.extend_from_slice(label);
                    at += label.len();
                }
                0xc0.. => {
                    let low = *self.message.get(at + 1).context("pointer runs out of the message")?;
                    end.get_or_insert(at + 2);
                    at = usize::from(octet & 0x3f) << 8 | usize::from(low);
                    ensure!(at < lowest, "pointer to {at} does not lead to the front");
                    lowest = at;
                }
                _ => bail!("label type {octet:#04x} at {at}"),
            }
            ensure!(wire.len() < NAME_OCTETS_MAX, "name is too long");
        }
    }

    fn name(&mut self) -> Result<Name> {
        Ok(Name::from_wire(&self.name_wire()?)?)
    }

    /// One record; OPT leaves its mark on the response and is no record of a section.
    fn record(&mut self, response: &mut Response) -> Result<Option<Record>> {
        let owner = self.name()?;
        let rtype = RecordType(self.u16()?);
        let class = self.u16()?;
        let ttl = u32::from(self.u16()?) << 16 | u32::from(self.u16()?);
        let octets = usize::from(self.u16()?);
        let end = self.at + octets;
        ensure!(end <= self.message.len(), "RDATA of {owner} {rtype} runs out of the message");
        if rtype == RecordType::OPT {
            ensure!(!response.edns, "two OPT records");
            response.edns = true;
            response.rcode.0 |= (ttl >> 24 << 4) as u16;
            while self.at < end {
                let code = self.u16()?;
                let octets = usize::from(self.u16()?);
                ensure!(self.at + octets <= end, "EDNS option {code} runs out of the OPT record");
                response.options.push((code, self.take(octets)?.to_vec()));
            }
            ensure!(self.at == end, "the OPT record ends within an option");
            return Ok(None);
        }
        // A question of class ANY is answered with records of class IN.
        ensure!(class == self.class, "class {class}");
        let mut rdata = Vec::with_capacity(octets);
        if let Some((before, names)) = names_in(rtype) {
            rdata.extend_from_slice(self.take(before)?);
            for _ in 0..names {
                rdata.extend(self.name_wire()?);
            }
        }
        ensure!(self.at <= end, "RDATA of {owner} {rtype} is longer than it says");
        rdata.extend_from_slice(self.take(end - self.at)?);
        fold_names(rtype, &mut rdata);
        Ok(Some(Record { owner, rtype, ttl, rdata }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_their_pointers() {
        let mut message = query(7, &"WWW.example.org".parse().unwrap(), RecordType::MX, None);
        message[2] = 0x84;
        message[7] = 1;
        message.extend_from_slice(b"\xc0\x0c\0\x0f\0\x01\0\0\x01\x2c\0\x09\0\x0a\x04Mail\xc0\x10");
        let response = Response::parse(&message).unwrap();
        assert!(response.authoritative);
        let rdata = b"\0\x0a\x04mail\x07example\x03org\0".to_vec();
        assert_eq!(response.answer[0].rdata, rdata);
        assert_eq!(response.answer[0].owner, "www.example.org".parse().unwrap());
    }

    #[test]
    fn options_are_read_and_stay_within_their_record() {
        let edns = Edns { payload_octets: 1232, dnssec_ok: false };
        let mut message = query(7, &"example.org".parse().unwrap(), RecordType::A, Some(edns));
        message[2] = 0x80;
        let end = message.len();
        message[end - 1] = 9;
        let with = |options: &[u8]| Response::parse(&[message.clone(), options.to_vec()].concat());
        let response = with(b"\0\x0a\0\x02ab\0\x03\0").unwrap_err();
        assert!(response.to_string().contains("record 0"), "{response:#}");
        assert!(with(b"\0\x0a\0\x06abcde").is_err());
        assert_eq!(with(b"\0\x0a\0\x05abcde").unwrap().options, [(10, b"abcde".to_vec())]);
    }

    #[test]
    fn damaged_answers_are_errors() {
        let mut message = query(7, &"www.example.org".parse().unwrap(), RecordType::A, None);
        assert!(Response::parse(&message).is_err(), "QR is clear");
        message[2] = 0x80;
        for octets in 0..message.len() {
            assert!(Response::parse(&message[..octets]).is_err(), "{octets}");
        }
        message[7] = 1;
        let forward = [message.clone(), b"\xc0\x40\0\x01\0\x01\0\0\0\0\0\0".to_vec()].concat();
        assert!(Response::parse(&forward).is_err());
        message.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x09\0");
        assert!(Response::parse(&message).is_err());
    }
}
