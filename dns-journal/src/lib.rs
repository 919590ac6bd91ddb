//! Keeps the changes of a store in one folder on disk.
//!
//! Meet [`Folder`], the durable [`Journal`](dns_store::Journal); [`Memory`], which has history alone, for servers that keep
//! nothing; and [`HistoryLimits`], which say how much of the past either of them has. A [`Folder`] also keeps small values
//! for others, and makes copies of itself, which [`restore_backup`] brings back.
//!
//! ```
//! use dns_journal::Folder;
//! use dns_store::{Batch, Journal, Marks};
//!
//! # let parent = tempfile::tempdir()?;
//! # let path = parent.path().join("data");
//! let journal = Folder::open(&path)?;
//! let marks = Marks { version: Some(7), ..Marks::default() };
//! journal.append(&Batch { entries: Vec::new(), marks: marks.clone() })?; // on disk from here on
//! drop(journal);
//! let found = Folder::open(&path)?.restore(None, &mut |_| {})?;
//! assert_eq!(found, marks);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! No sockets, no zones: what the changes mean is the store's business. Unix only, for owners, modes and locks of files.
//!
//! # The folder
//!
//! | file | what it is |
//! |---|---|
//! | `journal.redb` | the journal, a [redb](https://docs.rs/redb) database |
//! | `lock` | locked by the process that has the folder open, whose number stands in it |
//! | `journal.redb.new` | a journal that is being made or brought back; complete once it is renamed |
//! | `journal.redb.before-restore` | the journal that a backup has replaced last |
//! | `probe`, `backup.tmp` | there for a moment: to ask a full disk for space, and for a copy that is handed out |
//!
//! It is made for its owner alone (mode 0700, files 0600). What is in it is never guessed at: a folder with other files and
//! no journal, a file that is no journal, and one of a newer format are refused as they are, with an error of its own each.
//!
//! # The tables
//!
//! | table | key | value |
//! |---|---|---|
//! | `log` | version | time, the batch's marks, and the entry, or how many parts it has |
//! | `parts` | version, place | about 1 MiB of an entry that is larger than that |
//! | `records` | view, owner, type, source | version, and the RRset |
//! | `zones` | view, apex, source | version, and the zone |
//! | `marks` | which, and for a serial its view and apex | the number |
//! | `keep` | namespace, key | a small value of somebody else |
//! | `meta` | `format`, `applied`, `marked`, `history_octets` | a number |
//!
//! An append writes to the end of the log, and nowhere else: to have the tables written in the same transaction would cost
//! more than half of the appends per second. A thread brings the tables up to date later, when the log is 65,536 entries or
//! 32 MiB ahead, when nothing has been appended for two seconds, and at the end: in the order of their keys, so that each
//! page is written once for many changes, and in transactions so small that an append waits a few milliseconds for one.
//! `applied` says how far they have come. What a journal hands over is the tables with the log behind `applied` laid over
//! them; since the log says what there is *after* each change, tables that are ahead of `applied` do no harm, and a crash in
//! the middle of this costs nothing but doing it again.
//!
//! Entries are forgotten only once they are in the tables, the oldest first, as [`HistoryLimits`] ask. One that exceeds
//! the limit all by itself, as the import of a large zone may, is forgotten as soon as its records are in the tables.
//!
//! # What survives
//!
//! **The process dies.** A batch is one transaction, written as new pages beside those of the last one, then as a header that
//! names them, and synced once before it is acknowledged. Pages have checksums: where not all of a transaction is there, the
//! one before it is taken. The batch under way is there as a whole or not at all.
//!
//! **The power fails.** The same, as far as the disk keeps what it has synced.
//!
//! **The disk fails or is full.** The append is refused with the reason. Nobody knows how much of a failed transaction is on
//! disk, so the header of the one before it is put back and synced at once: no page that it names has been touched, and the
//! failed batch is gone, whoever looks. That matters on Linux, where what a failed sync has lost can still be read as if it
//! were there: nothing is ever built on it. The database is opened anew then, under the same lock. After a full disk, each
//! append first writes a small file elsewhere, which costs less than failing. Only a disk that refuses the old header as
//! well, and a process that dies before it takes it, leave the failed batch in doubt; an error is logged.
//!
//! **A page is damaged.** That is an error when the page is needed. Pages are checked as a whole where a process has not
//! ended properly, and in every backup that is brought back; checking them at each start as well would cost a second for
//! each gigabyte.
//!
//! How this is tested: each write, sync and change of length fails once, half, and for a while, in every step of a scenario;
//! the power fails after each of them and takes any sectors that were not synced; a sync loses what it claims can be read;
//! processes are killed while they append; disks of a few megabytes and limits of file sizes run full and are relieved.
//!
//! # What it costs
//!
//! Measured by `examples/figures.rs` on two cores, where an `fdatasync` takes 0.16 ms, checkpoints included; "bare" is one
//! table of the same database that takes the same octets.
//!
//! | entries per batch | appends/s | bare |
//! |---|---|---|
//! | 1 | 3,900 | 3,100 |
//! | 16 | 36,600 | 37,800 |
//! | 256 | 283,000 | 254,000 |
//!
//! | a million records | in batches of 256 | as one entry |
//! |---|---|---|
//! | appended in | 5.5 s | 1.2 s |
//! | on disk, history included | 302 MB | 160 MB |
//! | opened after the process was killed | 0.30 s | 0.04 s, before it is in the tables |
//! | opened after it was killed while idle, or has ended | 0.01 s | 0.01 s |
//! | handed over in | 0.5 s | 0.5 s |
//! | memory for that | 20 MB, 40 MB with the log of a killed process | 20 MB, 165 MB with such a log |
//!
//! Opening after a kill reads the whole file, a second for each gigabyte, unless the last thing written was a *seal*: a
//! commit that also says which pages are free. Sealing each append would sync twice, so only the end of a quiet checkpoint is
//! sealed.

mod backup;
pub mod codec;
mod disk;
mod engine;
mod error;
mod folder;
mod lag;
mod limits;
mod log;
mod memory;
mod tables;
#[cfg(test)]
mod tests;
mod worker;

pub use self::{
    backup::restore_backup, error::FolderError, folder::Folder, limits::HistoryLimits, memory::Memory,
};
