//! The log of all changes, and the tables into which it is brought together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dns_store::{Batch, Entry, JournalError, Kept, Marks};
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

use crate::HistoryLimits;
use crate::codec::{self, Collect};
use crate::engine::{Engine, Fault};
use crate::lag::{self, Cursor, Piece, Target};
use crate::tables::{
    self, Body, KEEP, LOG, MARKS, META, META_APPLIED, META_FORMAT, META_HISTORY_OCTETS, META_MARKED, MarkSet,
    PART_OCTETS, PARTS, RECORDS, Row, ZONES,
};

/// Most memory that changes take on their way from the log into the tables.
const PIECE_OCTETS: usize = 16 << 20;

/// Most rows, and about the most octets, that one transaction brings into the tables, so that an append waits a few
/// milliseconds for it.
const CHUNK_ROWS: usize = 512;
const CHUNK_OCTETS: usize = 512 << 10;

/// The same for rows that are forgotten.
const PRUNE_ROWS: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Log {
    engine: Engine,
    position: Mutex<Position>,
    /// Held while waiting for `position`, so that two who want it get it in turn: a mutex alone is often taken again by
    /// whoever has just given it back.
    turn: Mutex<()>,
}

/// Where the log ends, and how much of it is in the tables.
#[derive(Clone, Debug, Default)]
struct Position {
    /// Version of the last entry.
    last: u64,
    /// The numbers in META.
    applied: u64,
    marked: u64,
    history_octets: u64,
    /// Entries behind `applied`.
    lag: Lag,
    /// What the rows behind `marked` say.
    pending: MarkSet,
}

/// How much of the log is not in the tables yet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lag {
    pub entries: u64,
    pub octets: u64,
}

/// Makes the tables of a new database.
pub(crate) fn create(txn: &WriteTransaction) -> Result<(), Fault> {
    txn.open_table(META)?.insert(META_FORMAT, tables::FORMAT).map_err(redb::Error::from)?;
    txn.open_table(LOG)?;
    txn.open_table(PARTS)?;
    txn.open_table(RECORDS)?;
    txn.open_table(ZONES)?;
    txn.open_table(MARKS)?;
    txn.open_table(KEEP)?;
    Ok(())
}

/// A number of META; 0 if it was never written.
fn meta(txn: &ReadTransaction, key: &str) -> Result<u64, Fault> {
    let table = txn.open_table(META)?;
    let number = ReadableTable::get(&table, key)?;
    Ok(number.map_or(0, |number| number.value()))
}

impl Position {
    fn read(txn: &ReadTransaction) -> Result<Self, Fault> {
        let applied = meta(txn, META_APPLIED)?;
        let marked = meta(txn, META_MARKED)?;
        let mut position = Self {
            last: applied,
            applied,
            marked,
            history_octets: meta(txn, META_HISTORY_OCTETS)?,
            lag: Lag::default(),
            pending: lag::marks_after(txn, marked)?,
        };
        for row in txn.open_table(LOG)?.range(applied.saturating_add(1)..)? {
            let (version, row) = row?;
            position.last = version.value();
            position.lag.entries += 1;
            position.lag.octets += row_octets(version.value(), row.value())?;
        }
        Ok(position)
    }
}

fn row_octets(version: u64, octets: &[u8]) -> Result<u64, Fault> {
    Ok(read_row(version, octets)?.octets(octets))
}

fn read_row(version: u64, octets: &[u8]) -> Result<Row<'_>, Fault> {
    Row::read(octets)
        .map_err(|error| Fault::Row { what: format!("the row of version {version} cannot be read"), error })
}

impl Log {
    /// Goes on where a database ends.
    pub fn open(engine: Engine) -> Result<Self, JournalError> {
        let position = engine.read(Position::read)?;
        Ok(Self { engine, position: Mutex::new(position), turn: Mutex::new(()) })
    }

    fn position(&self) -> MutexGuard<'_, Position> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of the log is not in the tables yet.
    pub fn lag(&self) -> Lag {
        self.position().lag
    }

    /// See [`Journal::append`](dns_store::Journal::append).
    pub fn append(&self, batch: &Batch) -> Result<Lag, JournalError> {
        let mut position = self.position();
        let mut last = position.last;
        for entry in &batch.entries {
            if entry.version <= last {
                let message = format!("version {} does not come after version {last}", entry.version);
                return Err(Fault::Refused(message).at(self.engine.place()));
            }
            last = entry.version;
        }
        if batch.entries.is_empty() {
            if batch.marks != Marks::default() {
                self.put_marks(&mut position, &batch.marks)?;
            }
            return Ok(position.lag);
        }
        let octets = self.engine.write(|txn| put_batch(txn, batch))?;
        position.last = last;
        position.lag.entries += batch.entries.len() as u64;
        position.lag.octets += octets;
        position.pending.merge(&batch.marks);
        Ok(position.lag)
    }

    /// Marks without an entry go into their table at once, and with them those that the log has.
    fn put_marks(&self, position: &mut Position, marks: &Marks) -> Result<(), JournalError> {
        let mut pending = position.pending.clone();
        pending.merge(marks);
        self.engine.write(|txn| put_pending(txn, &pending, position.last))?;
        position.marked = position.last;
        position.pending = MarkSet::default();
        Ok(())
    }

    /// Brings the tables up to date with the log. Appends go on meanwhile, between one piece and the next.
    ///
    /// What a piece does can be done again: a crash between two of them costs nothing but time.
    pub fn checkpoint(&self) -> Result<(), JournalError> {
        let (end, applied) = {
            let position = self.position();
            (position.last, position.applied)
        };
        let mut cursor = Cursor::after(applied);
        while cursor.version < end {
            self.step(&mut cursor, PIECE_OCTETS)?;
        }
        Ok(())
    }

    /// Brings one more piece into the tables.
    fn step(&self, cursor: &mut Cursor, octets_max: usize) -> Result<(), JournalError> {
        let (piece, next) = self.engine.read(|txn| {
            let mut next = cursor.clone();
            Ok((next.read(txn, octets_max)?, next))
        })?;
        *cursor = next;
        self.apply(&piece, cursor)
    }

    fn apply(&self, piece: &Piece, cursor: &mut Cursor) -> Result<(), JournalError> {
        let mut done = 0;
        loop {
            let mut position = self.position();
            let from = done;
            let (next, ends) = self.engine.write(|txn| {
                let next = put_changes(txn, piece, from)?;
                let ends = next == piece.len() && cursor.is_between_entries();
                if ends {
                    let mut meta = txn.open_table(META)?;
                    meta.insert(META_APPLIED, cursor.version)?;
                    meta.insert(META_HISTORY_OCTETS, position.history_octets + cursor.octets)?;
                    drop(meta);
                    put_pending(txn, &position.pending, position.last)?;
                }
                Ok((next, ends))
            })?;
            done = next;
            if ends {
                position.applied = cursor.version;
                position.marked = position.last;
                position.pending = MarkSet::default();
                position.history_octets += cursor.octets;
                position.lag.entries = position.lag.entries.saturating_sub(cursor.entries);
                position.lag.octets = position.lag.octets.saturating_sub(cursor.octets);
                (cursor.entries, cursor.octets) = (0, 0);
            }
            if done == piece.len() {
                return Ok(());
            }
        }
    }

    /// A checkpoint that ends after one piece, as if the process had died.
    #[cfg(test)]
    pub fn checkpoint_step(&self, octets_max: usize) -> Result<(), JournalError> {
        let applied = self.position().applied;
        self.step(&mut Cursor::after(applied), octets_max)
    }

    #[cfg(test)]
    pub fn count_parts(&self) -> u64 {
        use redb::ReadableTableMetadata;
        self.engine.read(|txn| Ok(txn.open_table(PARTS)?.len()?)).expect("a table")
    }

    /// Forgets entries that are in the tables and beyond the limits, the oldest first. `now` is in milliseconds.
    pub fn prune(&self, limits: &HistoryLimits, now: i64) -> Result<(), JournalError> {
        let oldest = now.saturating_sub(i64::try_from(limits.max_age.as_millis()).unwrap_or(i64::MAX));
        loop {
            let mut position = self.position();
            let (applied, octets) = (position.applied, position.history_octets);
            // Whoever has nothing to forget writes nothing.
            let is_due = self.engine.read(|txn| {
                let log = txn.open_table(LOG)?;
                let Some((version, row)) = log.first()? else { return Ok(false) };
                let row = read_row(version.value(), row.value())?;
                let is_beyond = octets > limits.max_octets || row.milliseconds < oldest;
                Ok(version.value() <= applied && is_beyond)
            })?;
            if !is_due {
                return Ok(());
            }
            let left = self.engine.write(|txn| forget(txn, applied, octets, limits.max_octets, oldest))?;
            position.history_octets = left;
        }
    }

    /// See [`Journal::restore`](dns_store::Journal::restore).
    pub fn restore(&self, view: Option<&str>, take: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError> {
        // What has been handed over cannot be taken back.
        self.engine.read_once(|txn| {
            let applied = meta(txn, META_APPLIED)?;
            let piece = Cursor::after(applied).read(txn, usize::MAX)?;
            for target in [Target::Zones, Target::Records] {
                restore_table(txn, target, &piece, view, take)?;
            }
            read_marks(txn)
        })
    }

    /// See [`Journal::history`](dns_store::Journal::history).
    pub fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, JournalError> {
        self.engine.read(|txn| {
            let log = txn.open_table(LOG)?;
            let parts = txn.open_table(PARTS)?;
            let rows = match before {
                Some(before) => log.range(..before)?,
                None => log.range::<u64>(..)?,
            };
            let mut entries = Vec::new();
            for row in rows.rev().take(limit) {
                let (version, row) = row?;
                let mut collect = Collect::default();
                let head = lag::read_entry(&parts, version.value(), row.value(), &mut collect)?;
                entries.push(Arc::new(collect.into_entry(head)));
            }
            Ok(entries)
        })
    }

    /// See [`Journal::entry`](dns_store::Journal::entry).
    pub fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, JournalError> {
        self.engine.read(|txn| {
            let log = txn.open_table(LOG)?;
            let parts = txn.open_table(PARTS)?;
            let Some(row) = ReadableTable::get(&log, version)? else { return Ok(None) };
            let mut collect = Collect::default();
            let head = lag::read_entry(&parts, version, row.value(), &mut collect)?;
            Ok(Some(Arc::new(collect.into_entry(head))))
        })
    }

    /// All small values of a namespace, by their keys.
    pub fn kept(&self, namespace: &str) -> Result<Vec<(String, Vec<u8>)>, JournalError> {
        self.engine.read(|txn| {
            let mut kept = Vec::new();
            for row in txn.open_table(KEEP)?.range((namespace, "")..)? {
                let (key, value) = row?;
                let (of, key) = key.value();
                if of != namespace {
                    break;
                }
                kept.push((key.to_owned(), value.value().to_vec()));
            }
            Ok(kept)
        })
    }

    /// Keeps a small value, or forgets it.
    pub fn keep(&self, namespace: &str, key: &str, value: Option<&[u8]>) -> Result<(), JournalError> {
        // In turn with appends, as all writes are.
        let _position = self.position();
        self.engine.write(|txn| {
            let mut table = txn.open_table(KEEP)?;
            match value {
                Some(value) => table.insert((namespace, key), value)?,
                None => table.remove((namespace, key))?,
            };
            Ok(())
        })
    }

    /// Reads from one state of all tables.
    pub fn read_once<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        self.engine.read_once(work)
    }

    /// Lets the next start find its way fast; see [`Engine::seal`].
    pub fn seal(&self) -> Result<(), JournalError> {
        let _position = self.position();
        self.engine.seal()
    }
}

/// Writes the rows of a batch; returns how many octets they have.
fn put_batch(txn: &WriteTransaction, batch: &Batch) -> Result<u64, Fault> {
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

fn put_pending(txn: &WriteTransaction, pending: &MarkSet, marked: u64) -> Result<(), Fault> {
    let mut table = txn.open_table(MARKS)?;
    for (key, value) in pending.rows() {
        table.insert(key.as_slice(), value)?;
    }
    txn.open_table(META)?.insert(META_MARKED, marked)?;
    Ok(())
}

/// Brings changes into the tables, as many as one transaction should; returns where to go on.
fn put_changes(txn: &WriteTransaction, piece: &Piece, from: usize) -> Result<usize, Fault> {
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
fn forget(
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
fn restore_table(
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
