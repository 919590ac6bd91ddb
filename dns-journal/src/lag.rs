//! What stands in the log alone: changes that the tables do not have yet.

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use crate::codec::{CodecError, Decoder, Head, Sink};
use crate::engine::Fault;
use crate::tables::{self, Body, LOG, MarkSet, PARTS, Row};

/// Which table a change is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Target {
    Zones,
    Records,
}

/// One row that is to be put or deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub target: Target,
    pub key: &'a [u8],
    /// `None` deletes the row.
    pub value: Option<&'a [u8]>,
}

/// Changes in the order of their keys, the last one of each.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    /// Keys and values, one after the other.
    octets: Vec<u8>,
    changes: Vec<Place>,
}

/// Where a change stands among the octets: its key, then its value.
#[derive(Clone, Copy, Debug)]
struct Place {
    target: Target,
    has_value: bool,
    start: usize,
    middle: usize,
    end: usize,
}

impl Piece {
    fn add(&mut self, target: Target, start: usize, head: &Head, after: Option<&[u8]>) {
        let middle = self.octets.len();
        if let Some(body) = after {
            tables::put_value(&mut self.octets, head.version, body);
        }
        let end = self.octets.len();
        self.changes.push(Place { target, has_value: after.is_some(), start, middle, end });
    }

    /// Brings the changes into order, and forgets those that later ones have overtaken.
    fn sort(&mut self) {
        let octets = &self.octets;
        let key = |place: &Place| (place.target, &octets[place.start..place.middle]);
        // Stable: of one key, the last one stays last.
        self.changes.sort_by(|left, right| key(left).cmp(&key(right)));
        let mut kept: Vec<Place> = Vec::with_capacity(self.changes.len());
        for place in &self.changes {
            match kept.last_mut().filter(|last| key(last) == key(place)) {
                Some(last) => *last = *place,
                None => kept.push(*place),
            }
        }
        self.changes = kept;
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The changes from a place on.
    pub fn changes(&self, from: usize) -> impl Iterator<Item = Change<'_>> {
        self.changes[from..].iter().map(|place| Change {
            target: place.target,
            key: &self.octets[place.start..place.middle],
            value: place.has_value.then(|| &self.octets[place.middle..place.end]),
        })
    }
}

impl Sink for Piece {
    fn zone(
        &mut self,
        head: &Head,
        apex: &[u8],
        _: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError> {
        let start = self.octets.len();
        tables::put_zone_key(&mut self.octets, &head.view, apex, &head.source);
        self.add(Target::Zones, start, head, after);
        Ok(())
    }

    fn record(
        &mut self,
        head: &Head,
        owner: &[u8],
        rtype: u16,
        _: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), CodecError> {
        let start = self.octets.len();
        tables::put_record_key(&mut self.octets, &head.view, owner, rtype, &head.source);
        self.add(Target::Records, start, head, after);
        Ok(())
    }
}

/// How far a log has been read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    /// All entries up to this version have been read.
    pub version: u64,
    /// Octets of the entries that have been read.
    pub octets: u64,
    /// Entries that have been read.
    pub entries: u64,
    /// The next entry has been read up to this part.
    partial: Option<(u32, Decoder)>,
}

impl Cursor {
    /// Begins behind a version.
    pub fn after(version: u64) -> Self {
        Self { version, ..Self::default() }
    }

    /// All of the last entry has been read.
    pub fn is_between_entries(&self) -> bool {
        self.partial.is_none()
    }

    /// Reads on until that comes to `octets_max` or the end of the log.
    pub fn read(&mut self, txn: &ReadTransaction, octets_max: usize) -> Result<Piece, Fault> {
        let log = txn.open_table(LOG)?;
        let parts = txn.open_table(PARTS)?;
        let mut piece = Piece::default();
        'log: for row in log.range(self.version.saturating_add(1)..)? {
            let (version, row) = row?;
            let version = version.value();
            let of_entry = |error| unreadable(version, error);
            let row_octets = row.value();
            let row = Row::read(row_octets).map_err(of_entry)?;
            let (first, mut decoder) = self.partial.take().unwrap_or_default();
            match row.body {
                Body::Entry(entry) => decoder.feed(entry, &mut piece).map_err(of_entry)?,
                Body::Parts { count, .. } => {
                    for place in first..count {
                        if piece.octets.len() >= octets_max {
                            self.partial = Some((place, decoder));
                            break 'log;
                        }
                        let part = part(&parts, version, place)?;
                        decoder.feed(part.value(), &mut piece).map_err(of_entry)?;
                    }
                }
            }
            check_version(version, decoder.finish().map_err(of_entry)?.version)?;
            self.version = version;
            self.octets += row.octets(row_octets);
            self.entries += 1;
            if piece.octets.len() >= octets_max {
                break;
            }
        }
        piece.sort();
        Ok(piece)
    }
}

/// The marks in the rows behind a version.
pub(crate) fn marks_after(txn: &ReadTransaction, version: u64) -> Result<MarkSet, Fault> {
    let mut marks = MarkSet::default();
    for row in txn.open_table(LOG)?.range(version.saturating_add(1)..)? {
        let (version, row) = row?;
        let row = Row::read(row.value()).map_err(|error| unreadable(version.value(), error))?;
        marks.merge(&row.marks);
    }
    Ok(marks)
}

/// Reads the whole entry of a row.
pub(crate) fn read_entry(
    parts: &ReadOnlyTable<(u64, u32), &'static [u8]>,
    version: u64,
    row: &[u8],
    sink: &mut impl Sink,
) -> Result<Head, Fault> {
    let of_entry = |error| unreadable(version, error);
    let row = Row::read(row).map_err(of_entry)?;
    let mut decoder = Decoder::default();
    match row.body {
        Body::Entry(entry) => decoder.feed(entry, sink).map_err(of_entry)?,
        Body::Parts { count, .. } => {
            for place in 0..count {
                let part = part(parts, version, place)?;
                decoder.feed(part.value(), sink).map_err(of_entry)?;
            }
        }
    }
    let head = decoder.finish().map_err(of_entry)?;
    check_version(version, head.version)?;
    Ok(head)
}

fn part<'a>(
    parts: &'a ReadOnlyTable<(u64, u32), &'static [u8]>,
    version: u64,
    place: u32,
) -> Result<redb::AccessGuard<'a, &'static [u8]>, Fault> {
    let part = ReadableTable::get(parts, (version, place))?;
    part.ok_or_else(|| Fault::Damaged(format!("the entry of version {version} lacks its part {place}")))
}

fn check_version(expected: u64, found: u64) -> Result<(), Fault> {
    if expected == found {
        return Ok(());
    }
    Err(Fault::Damaged(format!("the entry of version {expected} says that it is of version {found}")))
}

fn unreadable(version: u64, error: CodecError) -> Fault {
    Fault::Row { what: format!("the entry of version {version} cannot be read"), error }
}
