//! How an [`Entry`] stands on disk: compact, exact, and split into parts where it is large.
//!
//! Numbers are big-endian, `n` is an unsigned LEB128 number in its shortest form, `str` is `n` and that many octets of
//! UTF-8, `name` is a lower-case uncompressed name, `set` is a TTL (4 octets), a count `n` and as many RDATA, each behind
//! two octets of length.
//!
//! ```text
//! entry  = format(1) version(8) time(8, milliseconds since 1970, signed) view:str source author:str
//!          zones:n records:n zone* record*
//! source = tag(1) [str]
//! zone   = apex:name flags(1) [rrsets] [rrsets]         flags: 1 there is a before, 2 there is an after
//! rrsets = n (owner:name type(2) set)*
//! record = owner:name type(2) flags(1) [set] [set]
//! ```
//!
//! What is read is checked octet by octet and allocates no more than it has been given; for any octets, reading either
//! fails or gives an entry that is written as just these octets.

mod read;
mod write;

use std::sync::Arc;
use std::time::SystemTime;

use dns_core::{NameError, RrsetError};
use dns_store::{Entry, KeptZone, RecordChange, Source, ZoneRecord};
use thiserror::Error;

#[cfg(test)]
pub(crate) use self::read::time;
pub(crate) use self::read::{Reader, name, rrset, source, zone_body};
pub use self::write::Malformed;
pub(crate) use self::write::{encode_parts, milliseconds, put_number, put_source, put_text};

/// The first octet of an entry.
pub(crate) const FORMAT: u8 = 1;

/// In the flags of zones and records: there is something before, and after.
const BEFORE: u8 = 1;
const AFTER: u8 = 2;

/// Why octets are no entry. Says where they stop making sense.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum CodecError {
    /// The octets end too early.
    #[error("octet {at}: the end comes too early")]
    Truncated {
        /// Offset in what was read.
        at: usize,
    },
    /// There are octets behind the end.
    #[error("octet {at}: nothing should follow here")]
    Trailing {
        /// Offset in what was read.
        at: usize,
    },
    /// It was written by a version that does not exist yet.
    #[error("format {found} is not known, only {FORMAT}")]
    Format {
        /// The first octet.
        found: u8,
    },
    /// A value that is never written.
    #[error("octet {at}: this is no {what}")]
    Invalid {
        /// Offset in what was read.
        at: usize,
        /// What should have been there.
        what: &'static str,
    },
    /// A name is none.
    #[error("octet {at}: {error}")]
    Name {
        /// Offset in what was read.
        at: usize,
        /// What is wrong with it.
        error: NameError,
    },
    /// Values are no RRset.
    #[error("octet {at}: {error}")]
    Rrset {
        /// Offset in what was read.
        at: usize,
        /// What is wrong with them.
        error: RrsetError,
    },
}

/// What an entry begins with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub version: u64,
    pub time: SystemTime,
    pub view: Arc<str>,
    pub source: Source,
    pub author: Arc<str>,
}

/// Takes the items of an entry as they stand in its octets, without making values of them.
pub(crate) trait Sink {
    /// `before` and `after` are what [`zone_body`] reads.
    fn zone(
        &mut self,
        head: &Head,
        apex: &[u8],
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError>;

    /// `before` and `after` are what [`rrset`] reads.
    fn record(
        &mut self,
        head: &Head,
        owner: &[u8],
        rtype: u16,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError>;
}

/// Reads an entry part by part. Parts end between items, wherever they have been cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoder {
    head: Option<Head>,
    zones: u64,
    records: u64,
}

impl Decoder {
    /// Reads the next part.
    pub fn feed(&mut self, part: &[u8], sink: &mut impl Sink) -> Result<(), CodecError> {
        let mut reader = Reader::new(part);
        let head = if let Some(head) = &self.head {
            head
        } else {
            let head = reader.head()?;
            self.zones = reader.number()?;
            self.records = reader.number()?;
            self.head.insert(head)
        };
        while !reader.is_empty() {
            if self.zones > 0 {
                let (apex, before, after) = reader.zone()?;
                sink.zone(head, apex, before, after)?;
                self.zones -= 1;
            } else if self.records > 0 {
                let (owner, rtype, before, after) = reader.record()?;
                sink.record(head, owner, rtype, before, after)?;
                self.records -= 1;
            } else {
                return Err(CodecError::Trailing { at: reader.at() });
            }
        }
        Ok(())
    }

    /// What the entry begins with, once all of it has been read.
    pub fn finish(self) -> Result<Head, CodecError> {
        match self.head {
            Some(head) if self.zones == 0 && self.records == 0 => Ok(head),
            _ => Err(CodecError::Truncated { at: 0 }),
        }
    }
}

/// Makes the values of an entry.
#[derive(Debug, Default)]
pub(crate) struct Collect {
    records: Vec<RecordChange>,
    zones: Vec<ZoneRecord>,
}

impl Collect {
    /// The entry, once all of it has been read.
    pub fn into_entry(self, head: Head) -> Entry {
        let Head { version, time, view, source, author } = head;
        Entry { version, time, view, source, author, records: self.records, zones: self.zones }
    }
}

impl Sink for Collect {
    fn zone(
        &mut self,
        _: &Head,
        apex: &[u8],
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError> {
        let apex = name(apex)?;
        let body = |octets: Option<&[u8]>| octets.map(zone_body).transpose();
        let (before, after): (Option<KeptZone>, Option<KeptZone>) = (body(before)?, body(after)?);
        self.zones.push(ZoneRecord { apex, before, after });
        Ok(())
    }

    fn record(
        &mut self,
        _: &Head,
        owner: &[u8],
        rtype: u16,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError> {
        let owner = name(owner)?;
        let rtype = dns_core::RecordType(rtype);
        let set = |octets: Option<&[u8]>| octets.map(|octets| rrset(&owner, rtype, octets)).transpose();
        let (before, after) = (set(before)?, set(after)?);
        self.records.push(RecordChange { owner, rtype, before, after });
        Ok(())
    }
}

/// Writes an entry as one piece.
///
/// # Errors
/// A change holds an RRset of another name or type than its own, which a store never does.
pub fn encode(entry: &Entry) -> Result<Vec<u8>, Malformed> {
    let mut octets = Vec::new();
    encode_parts(entry, usize::MAX, &mut |part, _| {
        octets.extend_from_slice(part);
        Ok::<(), Malformed>(())
    })?;
    Ok(octets)
}

/// Reads an entry that was written as one piece.
///
/// # Errors
/// These octets are no entry.
pub fn decode(octets: &[u8]) -> Result<Entry, CodecError> {
    let (mut decoder, mut collect) = (Decoder::default(), Collect::default());
    decoder.feed(octets, &mut collect)?;
    let head = decoder.finish()?;
    Ok(collect.into_entry(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{entry, rrset};

    /// The form on disk: if this fails, folders of former versions cannot be read any more.
    #[test]
    fn the_form_does_not_change() {
        let octets = encode(&entry(7, &[rrset("www.example.org", 1)])).unwrap();
        let mut expected = b"\x01\0\0\0\0\0\0\0\x07\0\0\x01\x8b\xcf\xe5\x68\x07".to_vec();
        expected.extend_from_slice(b"\x07default\x02\x08token ci\x00\x01");
        expected.extend_from_slice(b"\x03www\x07example\x03org\0\0\x01\x02");
        expected.extend_from_slice(b"\0\0\x01\x2c\x01\0\x04\xc0\0\x02\x01");
        assert_eq!(octets, expected);
    }

    #[test]
    fn errors_say_where() {
        let whole = encode(&entry(7, &[rrset("www.example.org", 1)])).unwrap();
        let check = |octets: &[u8], expected: &str| {
            assert_eq!(decode(octets).unwrap_err().to_string(), expected);
        };
        let with = |at: usize, octet: u8| {
            let mut octets = whole.clone();
            octets[at] = octet;
            octets
        };
        check(b"", "octet 0: the end comes too early");
        check(&whole[..20], "octet 20: the end comes too early");
        check(&[&whole[..], b"x"].concat(), "octet 68: nothing should follow here");
        check(&with(0, 9), "format 9 is not known, only 1");
        check(&with(18, 0xff), "octet 17: this is no UTF-8 text");
        check(&with(25, 99), "octet 25: this is no source");
        check(&with(38, b'W'), "octet 37: this is no lower-case name");
        check(&with(56, 9), "octet 56: this is no pair of flags");
    }

    #[test]
    fn an_entry_that_no_store_makes_is_not_written() {
        let mut wrong = (*entry(7, &[rrset("www.example.org", 1)])).clone();
        wrong.records[0].owner = crate::tests::name("other.example.org");
        let error = encode(&wrong).unwrap_err().to_string();
        assert_eq!(error, "the change of other.example.org. A holds records of www.example.org. A");
    }
}
