//! What stands in the database: its tables, and how their keys and values are written.

use std::collections::HashMap;
use std::sync::Arc;

use dns_core::{Name, RecordType};
use dns_store::{Kept, Marks, Source};
use redb::TableDefinition;

use crate::codec::{self, CodecError, Reader};

/// Version of all that this file describes, codec included. An older one would be brought up to date when the folder is
/// opened; a newer one is refused.
pub(crate) const FORMAT: u64 = 1;

/// Numbers about the database itself; the keys are below.
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// [`FORMAT`].
pub(crate) const META_FORMAT: &str = "format";
/// Version up to which the log has been brought into [`RECORDS`] and [`ZONES`].
pub(crate) const META_APPLIED: &str = "applied";
/// Version up to which the marks in the log have been brought into [`MARKS`].
pub(crate) const META_MARKED: &str = "marked";
/// Octets of all entries up to the applied one, in both tables of the log.
pub(crate) const META_HISTORY_OCTETS: &str = "history_octets";

/// Every entry by its version, as a [`Row`].
pub(crate) const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// The parts of entries that are too large for one row, by version and place.
pub(crate) const PARTS: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("parts");
/// What the entries up to the applied one come to: RRsets given for their names.
pub(crate) const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// The same for declared zones.
pub(crate) const ZONES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("zones");
/// The marks up to the marked version.
pub(crate) const MARKS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("marks");
/// Small values of others, by namespace and key.
pub(crate) const KEEP: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("keep");

/// An entry that is larger than this is cut into parts of about this size, so that it is written and read in pieces.
pub(crate) const PART_OCTETS: usize = 1 << 20;

/// A row of the log.
///
/// ```text
/// row    = kind(1) time(8, as in the entry) marks body
/// body   = entry              of kind 1
///        | parts(4) octets(8) of kind 2: how many parts, and how many octets they have together
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    pub milliseconds: i64,
    pub marks: Marks,
    pub body: Body<'a>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Body<'a> {
    Entry(&'a [u8]),
    Parts { count: u32, octets: u64 },
}

impl<'a> Row<'a> {
    pub fn read(octets: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(octets);
        let kind = reader.octet()?;
        let milliseconds = reader.u64()? as i64;
        let marks = read_marks(&mut reader)?;
        let body = match kind {
            1 => Body::Entry(reader.rest()),
            2 => Body::Parts { count: reader.u32()?, octets: reader.u64()? },
            _ => return Err(CodecError::Invalid { at: 0, what: "row of the log" }),
        };
        reader.end()?;
        Ok(Self { milliseconds, marks, body })
    }

    /// The start of a row, to which an entry is added.
    pub fn begin_entry(out: &mut Vec<u8>, milliseconds: i64, marks: &Marks) {
        out.push(1);
        out.extend_from_slice(&milliseconds.to_be_bytes());
        put_marks(out, marks);
    }

    /// The row of an entry that stands in parts.
    pub fn put_parts(out: &mut Vec<u8>, milliseconds: i64, marks: &Marks, count: u32, octets: u64) {
        out.push(2);
        out.extend_from_slice(&milliseconds.to_be_bytes());
        put_marks(out, marks);
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&octets.to_be_bytes());
    }

    /// Octets of the entry, wherever they stand, and of this row.
    pub fn octets(&self, row: &[u8]) -> u64 {
        let parts = if let Body::Parts { octets, .. } = self.body { octets } else { 0 };
        row.len() as u64 + parts
    }
}

fn put_marks(out: &mut Vec<u8>, marks: &Marks) {
    out.push(u8::from(marks.version.is_some()) | u8::from(marks.derived_serial.is_some()) << 1);
    if let Some(version) = marks.version {
        out.extend_from_slice(&version.to_be_bytes());
    }
    if let Some(serial) = marks.derived_serial {
        out.extend_from_slice(&serial.to_be_bytes());
    }
    codec::put_number(out, marks.serials.len() as u64);
    for (view, apex, serial) in &marks.serials {
        codec::put_text(out, view);
        out.extend_from_slice(apex.as_wire());
        out.extend_from_slice(&serial.to_be_bytes());
    }
}

fn read_marks(reader: &mut Reader<'_>) -> Result<Marks, CodecError> {
    let at = reader.at();
    let flags = reader.octet()?;
    if flags > 3 {
        return Err(CodecError::Invalid { at, what: "set of marks" });
    }
    let mut marks = Marks::default();
    if flags & 1 != 0 {
        marks.version = Some(reader.u64()?);
    }
    if flags & 2 != 0 {
        marks.derived_serial = Some(reader.u32()?);
    }
    for _ in 0..reader.number()? {
        let view: Arc<str> = reader.text()?.into();
        let apex = codec::name(reader.name()?)?;
        marks.serials.push((view, apex, reader.u32()?));
    }
    Ok(marks)
}

/// Key in [`RECORDS`]: whose RRset it is, but for the values.
pub(crate) fn put_record_key(out: &mut Vec<u8>, view: &str, owner: &[u8], rtype: u16, source: &Source) {
    codec::put_text(out, view);
    out.extend_from_slice(owner);
    out.extend_from_slice(&rtype.to_be_bytes());
    codec::put_source(out, source);
}

/// Key in [`ZONES`].
pub(crate) fn put_zone_key(out: &mut Vec<u8>, view: &str, apex: &[u8], source: &Source) {
    codec::put_text(out, view);
    out.extend_from_slice(apex);
    codec::put_source(out, source);
}

/// Value in both: the version that it came with, and the set or zone as it stands in the entry.
pub(crate) fn put_value(out: &mut Vec<u8>, version: u64, body: &[u8]) {
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(body);
}

/// The view of a key in either table.
pub(crate) fn view_of(key: &[u8]) -> Result<&str, CodecError> {
    Reader::new(key).text()
}

/// A row of [`RECORDS`].
pub(crate) fn read_record(key: &[u8], value: &[u8]) -> Result<Kept, CodecError> {
    let mut reader = Reader::new(key);
    let view = reader.text()?.into();
    let owner = codec::name(reader.name()?)?;
    let rtype = RecordType(reader.u16()?);
    let source = codec::source(reader.rest())?;
    let mut reader = Reader::new(value);
    let version = reader.u64()?;
    let rrset = codec::rrset(&owner, rtype, reader.rest())?;
    Ok(Kept::Rrset { view, source, rrset, version })
}

/// A row of [`ZONES`].
pub(crate) fn read_zone(key: &[u8], value: &[u8]) -> Result<Kept, CodecError> {
    let mut reader = Reader::new(key);
    let view = reader.text()?.into();
    let apex = codec::name(reader.name()?)?;
    let source = codec::source(reader.rest())?;
    let mut reader = Reader::new(value);
    let version = reader.u64()?;
    let zone = codec::zone_body(reader.rest())?;
    Ok(Kept::Zone { view, source, apex, zone, version })
}

/// Adds a row of [`MARKS`] to marks.
pub(crate) fn read_mark(key: &[u8], value: u64, marks: &mut Marks) -> Result<(), CodecError> {
    let mut reader = Reader::new(key);
    let kind = reader.octet()?;
    let serial = || u32::try_from(value).map_err(|_| CodecError::Invalid { at: 0, what: "serial" });
    match kind {
        b'v' => marks.version = Some(value),
        b'd' => marks.derived_serial = Some(serial()?),
        b's' => {
            let view = reader.text()?.into();
            let apex = codec::name(reader.name()?)?;
            marks.serials.push((view, apex, serial()?));
        }
        _ => return Err(CodecError::Invalid { at: 0, what: "mark" }),
    }
    reader.end()
}

/// Marks of many batches, the newest of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct MarkSet {
    version: Option<u64>,
    derived_serial: Option<u32>,
    serials: HashMap<(Arc<str>, Name), u32>,
}

impl MarkSet {
    /// Lets newer marks take the place of older ones.
    pub fn merge(&mut self, newer: &Marks) {
        self.version = newer.version.or(self.version);
        self.derived_serial = newer.derived_serial.or(self.derived_serial);
        for (view, apex, serial) in &newer.serials {
            self.serials.insert((Arc::clone(view), apex.clone()), *serial);
        }
    }

    /// Rows of [`MARKS`].
    pub fn rows(&self) -> Vec<(Vec<u8>, u64)> {
        let version = self.version.map(|version| (b"v".to_vec(), version));
        let derived = self.derived_serial.map(|serial| (b"d".to_vec(), u64::from(serial)));
        let mut rows: Vec<_> = version.into_iter().chain(derived).collect();
        for ((view, apex), serial) in &self.serials {
            let mut key = b"s".to_vec();
            codec::put_text(&mut key, view);
            key.extend_from_slice(apex.as_wire());
            rows.push((key, u64::from(*serial)));
        }
        rows.sort_unstable();
        rows
    }
}

impl From<MarkSet> for Marks {
    fn from(marks: MarkSet) -> Self {
        let mut serials: Vec<_> =
            marks.serials.into_iter().map(|((view, apex), serial)| (view, apex, serial)).collect();
        serials.sort_unstable();
        Self { version: marks.version, derived_serial: marks.derived_serial, serials }
    }
}
