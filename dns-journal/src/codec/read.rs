//! Octets to values.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dns_core::name::wire_octets;
use dns_core::{Name, RecordType, Rrset};
use dns_store::{KeptZone, Source};

use super::{AFTER, BEFORE, CodecError, FORMAT, Head};

/// Takes values from the front of octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
}

/// A zone as it stands in the octets: apex, before, after.
type RawZone<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);
/// A record change as it stands in the octets: owner, type, before, after.
type RawRecord<'a> = (&'a [u8], u16, Option<&'a [u8]>, Option<&'a [u8]>);

impl<'a> Reader<'a> {
    pub fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// How many octets have been taken.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.whole.len()
    }

    /// Nothing is left.
    pub fn end(&self) -> Result<(), CodecError> {
        if self.is_empty() { Ok(()) } else { Err(CodecError::Trailing { at: self.at }) }
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.whole[self.at..];
        self.at = self.whole.len();
        rest
    }

    pub fn take(&mut self, octets: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(octets).filter(|&end| end <= self.whole.len());
        let end = end.ok_or(CodecError::Truncated { at: self.whole.len() })?;
        let taken = &self.whole[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn octet(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub fn u16(&mut self) -> Result<u16, CodecError> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A LEB128 number, in its shortest form only: the same number never stands in two ways.
    pub fn number(&mut self) -> Result<u64, CodecError> {
        let at = self.at;
        let mut number = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            if bits << shift >> shift != bits || (octet == 0 && shift > 0) {
                break;
            }
            number |= bits << shift;
            if octet & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CodecError::Invalid { at, what: "number" })
    }

    /// Something behind its length.
    pub fn octets(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.number()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    pub fn text(&mut self) -> Result<&'a str, CodecError> {
        let at = self.at;
        std::str::from_utf8(self.octets()?).map_err(|_| CodecError::Invalid { at, what: "UTF-8 text" })
    }

    /// A name in wire form; lower case, since it is compared as it stands.
    pub fn name(&mut self) -> Result<&'a [u8], CodecError> {
        let at = self.at;
        let rest = &self.whole[at..];
        let octets = wire_octets(rest).map_err(|error| CodecError::Name { at, error })?;
        let wire = self.take(octets)?;
        // Lengths of labels are below 64, and so never upper-case letters.
        if wire.iter().any(u8::is_ascii_uppercase) {
            return Err(CodecError::Invalid { at, what: "lower-case name" });
        }
        Ok(wire)
    }

    pub fn source(&mut self) -> Result<Source, CodecError> {
        let at = self.at;
        Ok(match self.octet()? {
            1 => Source::Acme,
            2 => Source::Api,
            3 => Source::Update(self.text()?.to_owned()),
            4 => Source::File(self.text()?.to_owned()),
            5 => Source::Transfer(self.text()?.to_owned()),
            6 => Source::Config,
            7 => Source::ConfigMap(self.text()?.to_owned()),
            8 => Source::Kubernetes,
            _ => return Err(CodecError::Invalid { at, what: "source" }),
        })
    }

    pub fn head(&mut self) -> Result<Head, CodecError> {
        let found = self.octet()?;
        if found != FORMAT {
            return Err(CodecError::Format { found });
        }
        let version = self.u64()?;
        let at = self.at;
        let time = time(self.u64()? as i64).ok_or(CodecError::Invalid { at, what: "time" })?;
        let view = Arc::from(self.text()?);
        let source = self.source()?;
        let author = Arc::from(self.text()?);
        Ok(Head { version, time, view, source, author })
    }

    /// The octets of a set, measured but not looked into.
    pub fn set(&mut self) -> Result<&'a [u8], CodecError> {
        let start = self.at;
        self.u32()?;
        let count = self.number()?;
        for _ in 0..count {
            let octets = self.u16()?;
            self.take(usize::from(octets))?;
        }
        Ok(&self.whole[start..self.at])
    }

    /// The octets of all RRsets of a zone, measured but not looked into.
    fn zone_body(&mut self) -> Result<&'a [u8], CodecError> {
        let start = self.at;
        for _ in 0..self.number()? {
            self.name()?;
            self.u16()?;
            self.set()?;
        }
        Ok(&self.whole[start..self.at])
    }

    fn flags(&mut self) -> Result<(bool, bool), CodecError> {
        let at = self.at;
        let flags = self.octet()?;
        if flags & !(BEFORE | AFTER) != 0 {
            return Err(CodecError::Invalid { at, what: "pair of flags" });
        }
        Ok((flags & BEFORE != 0, flags & AFTER != 0))
    }

    pub fn zone(&mut self) -> Result<RawZone<'a>, CodecError> {
        let apex = self.name()?;
        let (before, after) = self.flags()?;
        let before = before.then(|| self.zone_body()).transpose()?;
        let after = after.then(|| self.zone_body()).transpose()?;
        Ok((apex, before, after))
    }

    pub fn record(&mut self) -> Result<RawRecord<'a>, CodecError> {
        let owner = self.name()?;
        let rtype = self.u16()?;
        let (before, after) = self.flags()?;
        let before = before.then(|| self.set()).transpose()?;
        let after = after.then(|| self.set()).transpose()?;
        Ok((owner, rtype, before, after))
    }
}

/// The name that these octets are.
pub(crate) fn name(wire: &[u8]) -> Result<Name, CodecError> {
    Name::from_wire(wire).map_err(|error| CodecError::Name { at: 0, error })
}

/// The source that these octets are.
pub(crate) fn source(octets: &[u8]) -> Result<Source, CodecError> {
    let mut reader = Reader::new(octets);
    let source = reader.source()?;
    reader.end()?;
    Ok(source)
}

/// The RRset that these octets are, apart from its owner and type.
pub(crate) fn rrset(owner: &Name, rtype: RecordType, octets: &[u8]) -> Result<Rrset, CodecError> {
    let mut reader = Reader::new(octets);
    let ttl = reader.u32()?;
    let count = reader.number()?;
    let mut values = Vec::new();
    for _ in 0..count {
        let octets = reader.u16()?;
        values.push(reader.take(usize::from(octets))?);
    }
    reader.end()?;
    let rrset = Rrset::new(owner.clone(), rtype, ttl, values)
        .map_err(|error| CodecError::Rrset { at: reader.at(), error })?;
    if rrset.len() as u64 != count {
        return Err(CodecError::Invalid { at: reader.at(), what: "set: a value stands twice" });
    }
    Ok(rrset)
}

/// The zone that these octets are, apart from its apex.
pub(crate) fn zone_body(octets: &[u8]) -> Result<KeptZone, CodecError> {
    let mut reader = Reader::new(octets);
    let mut rrsets = Vec::new();
    for _ in 0..reader.number()? {
        let owner = name(reader.name()?)?;
        let rtype = RecordType(reader.u16()?);
        rrsets.push(rrset(&owner, rtype, reader.set()?)?);
    }
    reader.end()?;
    Ok(KeptZone { rrsets })
}

/// The time that is so many milliseconds after 1970; before it, if there are fewer than none.
pub(crate) fn time(milliseconds: i64) -> Option<SystemTime> {
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    if milliseconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}
