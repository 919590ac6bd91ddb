//! What one transaction does to the rows of the log and of its tables.

use dns_store::{Batch, Kept, Marks};
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use crate::codec;
use crate::engine::Fault;
use crate::lag::{self, Piece, Target};
use crate::tables::{
    self, Body, LOG, MARKS, META, META_HISTORY_OCTETS, META_MARKED, MarkSet, PART_OCTETS, PARTS, RECORDS,
    Row, ZONES,
};

/// Most rows, and about the most octets, that one transaction brings into the tables, so that an append waits a few
/// milliseconds for it.
const CHUNK_ROWS: usize = 512;
const CHUNK_OCTETS: usize = 512 << 10;

/// The same for rows that are forgotten.
const PRUNE_ROWS: usize = 1_024;

/// A number of META; 0 if it was never written.
pub(crate) fn meta(txn: &ReadTransaction, key: &str) -> Result<u64, Fault> {
    let table = txn.open_table(META)?;
    let number = ReadableTable::get(&table, key)?;
    Ok(number.map_or(0, |number| number.value()))
}

pub(crate) fn row_octets(version: u64, octets: &[u8]) -> Result<u64, Fault> {
    Ok(read_row(version, octets)?.octets(octets))
}

pub(crate) fn read_row(version: u64, octets: &[u8]) -> Result<Row<'_>, Fault> {
    Row::read(octets)
        .map_err(|error| Fault::Row { what: format!("the row of version {version} cannot be read"), error })
}

/// Writes the rows of a batch; returns how many octets they have.
pub(crate) fn put_batch(txn: &WriteTransaction, batch: &Batch) -> Result<u64, Fault> {
    let mut log = txn.open_table(LOG)?;
    let mut octets = 0;
    let none = Marks::default();
    for (at, entry) in batch.entries.iter().enumerate() {
        // The marks go with the last entry: all of it is one transaction anyway.
        let marks = if at + 1 == batch.entries.len() { &batch.marks } else { &none };
        let milliseconds = codec::milliseconds(entry.time);
        let mut row = Vec::with_capacity(256);
        let (mut count, mut parts_octets) = (0u32, 0u64);
        codec::encode_parts(entry, PART_OCTETS, &mut |part, is_last| {
            if count == 0 && is_last {
                Row::begin_entry(&mut row, milliseconds, marks);
                row.extend_from_slice(part);
                return Ok::<(), Fault>(());
            }
            txn.open_table(PARTS)?.insert((entry.version, count), part)?;
            count += 1;
            parts_octets += part.len() as u64;
            Ok(())
        })?;
        if count > 0 {
            Row::put_parts(&mut row, milliseconds, marks, count, parts_octets);
        }
        log.insert(entry.version, row.as_slice())?;
        octets += row.len() as u64 + parts_octets;
    }
    Ok(octets)
}

pub(crate) fn put_pending(txn: &WriteTransaction, pending: &MarkSet, marked: u64) -> Result<(), Fault> {
    let mut table = txn.open_table(MARKS)?;
    for (key, value) in pending.rows() {
        table.insert(key.as_slice(), value)?;
    }
    txn.open_table(META)?.insert(META_MARKED, marked)?;
    Ok(())
}

/// Brings changes into the tables, as many as one transaction should; returns where to go on.
pub(crate) fn put_changes(txn: &WriteTransaction, piece: &Piece, from: usize) -> Result<usize, Fault> {
    let mut zones = txn.open_table(ZONES)?;
    let mut records = txn.open_table(RECORDS)?;
    let (mut next, mut octets) = (from, 0);
    for change in piece.changes(from).take(CHUNK_ROWS) {
        let table = match change.target {
            Target::Zones => &mut zones,
            Target::Records => &mut records,
        };
        match change.value {
            Some(value) => table.insert(change.key, value)?,
            None => table.remove(change.key)?,
        };
        next += 1;
        octets += change.key.len() + change.value.map_or(0, <[u8]>::len);
        if octets >= CHUNK_OCTETS {
            break;
        }
    }
    Ok(next)
}

/// Deletes the oldest entries, as many as one transaction should; returns how many octets of them are left.
pub(crate) fn forget(
    txn: &WriteTransaction,
    applied: u64,
    mut octets: u64,
    octets_max: u64,
    oldest: i64,
) -> Result<u64, Fault> {
    let mut log = txn.open_table(LOG)?;
    let mut parts = txn.open_table(PARTS)?;
    for _ in 0..PRUNE_ROWS {
        let (version, gone, count) = {
            let Some((version, row)) = log.first()? else { break };
            let (version, row_octets) = (version.value(), row.value());
            let row = read_row(version, row_octets)?;
            let is_beyond = octets > octets_max || row.milliseconds < oldest;
            if version > applied || !is_beyond {
                break;
            }
            let count = if let Body::Parts { count, .. } = row.body { count } else { 0 };
            (version, row.octets(row_octets), count)
        };
        log.remove(version)?;
        for place in 0..count {
            parts.remove((version, place))?;
        }
        octets = octets.saturating_sub(gone);
    }
    txn.open_table(META)?.insert(META_HISTORY_OCTETS, octets)?;
    Ok(octets)
}

/// Hands over a table as it is with the changes of a log.
pub(crate) fn restore_table(
    txn: &ReadTransaction,
    target: Target,
    piece: &Piece,
    view: Option<&str>,
    take: &mut dyn FnMut(Kept),
) -> Result<(), Fault> {
    let table = txn.open_table(if target == Target::Zones { ZONES } else { RECORDS })?;
    let unreadable = |error| Fault::Row { what: "a record cannot be read".into(), error };
    let mut hand_over = |key: &[u8], value: &[u8]| -> Result<(), Fault> {
        if let Some(view) = view
            && tables::view_of(key).map_err(unreadable)? != view
        {
            return Ok(());
        }
        let kept = match target {
            Target::Zones => tables::read_zone(key, value),
            Target::Records => tables::read_record(key, value),
        };
        take(kept.map_err(unreadable)?);
        Ok(())
    };
    let mut changes = piece.changes(0).filter(|change| change.target == target).peekable();
    for row in table.range::<&[u8]>(..)? {
        let (key, value) = row?;
        let key = key.value();
        while let Some(change) = changes.next_if(|change| change.key < key) {
            if let Some(value) = change.value {
                hand_over(change.key, value)?;
            }
        }
        match changes.next_if(|change| change.key == key) {
            Some(change) => {
                if let Some(value) = change.value {
                    hand_over(key, value)?;
                }
            }
            None => hand_over(key, value.value())?,
        }
    }
    for change in changes {
        if let Some(value) = change.value {
            hand_over(change.key, value)?;
        }
    }
    Ok(())
}

/// All marks, those in the log included.
pub(crate) fn read_marks(txn: &ReadTransaction) -> Result<Marks, Fault> {
    let mut kept = Marks::default();
    for row in txn.open_table(MARKS)?.range::<&[u8]>(..)? {
        let (key, value) = row?;
        tables::read_mark(key.value(), value.value(), &mut kept)
            .map_err(|error| Fault::Row { what: "a mark cannot be read".into(), error })?;
    }
    let mut marks = MarkSet::default();
    marks.merge(&kept);
    let newer = lag::marks_after(txn, meta(txn, META_MARKED)?)?;
    marks.merge(&Marks::from(newer));
    Ok(marks.into())
}
