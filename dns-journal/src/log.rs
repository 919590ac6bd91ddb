//! The log of all changes, and the tables into which it is brought together.

mod rows;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dns_store::{Batch, Entry, JournalError, Kept, Marks};
use redb::{ReadTransaction, ReadableTable, WriteTransaction};

pub(crate) use self::rows::read_marks;
use self::rows::{forget, meta, put_batch, put_changes, put_pending, read_row, restore_table, row_octets};
use crate::HistoryLimits;
use crate::codec::Collect;
use crate::engine::{Engine, Fault};
use crate::lag::{self, Cursor, Piece, Target};
use crate::tables::{
    self, KEEP, LOG, MARKS, META, META_APPLIED, META_FORMAT, META_HISTORY_OCTETS, META_MARKED, MarkSet,
    PARTS, RECORDS, ZONES,
};

/// Most memory that changes take on their way from the log into the tables.
const PIECE_OCTETS: usize = 16 << 20;

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

    /// See [`Journal::newest`](dns_store::Journal::newest). The entry itself is not read: it may be an imported zone.
    pub fn newest(&self) -> Result<Option<u64>, JournalError> {
        self.engine.read(|txn| Ok(txn.open_table(LOG)?.last()?.map(|(version, _)| version.value())))
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
