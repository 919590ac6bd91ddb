//! The disk fails at each operation in turn, and works again later: what was acknowledged is there, and nothing else.

use std::io;
use std::slice::from_ref;
use std::sync::{Arc, Mutex};

use dns_core::{RecordType, Rrset};
use dns_store::{Batch, Entry, Journal, JournalError, Kept, Marks};
use redb::{Database, StorageBackend};

use super::{Model, entry, name, rrset};
use crate::HistoryLimits;
use crate::engine::{CACHE_OCTETS, Engine};
use crate::log::{self, Log};

/// What a file holds.
pub(crate) type Image = Vec<u8>;

/// A file in memory that fails when told to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty(Arc<Mutex<Disk>>);

#[derive(Clone, Debug, Default)]
struct Disk {
    image: Image,
    /// Operations that change something, so far.
    operations: usize,
    failure: Option<Failure>,
    cannot_read: bool,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    /// The first operation that fails.
    at: usize,
    /// All after it fail as well, until it is healed.
    lasts: bool,
    /// A failing write writes half of it.
    is_partial: bool,
}

impl Faulty {
    pub fn of(image: Image) -> Self {
        Self(Arc::new(Mutex::new(Disk { image, ..Disk::default() })))
    }

    /// What another process would find if this one died now.
    pub fn copy(&self) -> Self {
        Self::of(self.image())
    }

    fn image(&self) -> Image {
        self.0.lock().unwrap().image.clone()
    }

    fn heal(&self) -> bool {
        self.0.lock().unwrap().failure.take().is_some_and(|failure| failure.lasts)
    }

    fn has_failed(&self) -> bool {
        let disk = self.0.lock().unwrap();
        disk.failure.is_none_or(|failure| disk.operations > failure.at)
    }
}

impl Disk {
    /// Counts an operation; `Some` if it fails, and then whether half of it is done.
    fn fails(&mut self) -> Option<bool> {
        let at = self.operations;
        self.operations += 1;
        let failure = self.failure?;
        let fails = if failure.lasts { at >= failure.at } else { at == failure.at };
        fails.then_some(failure.is_partial)
    }

    fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset as usize + data.len();
        let octets = self.image.len().max(end);
        self.image.resize(octets, 0);
        self.image[offset as usize..end].copy_from_slice(data);
    }
}

fn failed() -> io::Error {
    io::Error::other("the disk is tired")
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock().unwrap();
        if disk.cannot_read {
            return Err(failed());
        }
        let from = disk.image.get(offset as usize..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        if disk.fails().is_some() {
            return Err(failed());
        }
        disk.image.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.lock().unwrap().fails().is_some() { Err(failed()) } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let fails = disk.fails();
        match fails {
            None => disk.write(offset, data),
            Some(true) => disk.write(offset, &data[..data.len() / 2]),
            Some(false) => {}
        }
        if fails.is_some() { Err(failed()) } else { Ok(()) }
    }
}

/// A journal without a folder and without a thread of its own.
#[derive(Debug)]
pub(crate) struct Bare(pub Log);

impl Bare {
    pub fn open(file: Arc<dyn StorageBackend>) -> Result<Self, JournalError> {
        let engine = Engine::open(file, "test".into(), None).map_err(|fault| fault.at("test".as_ref()))?;
        Log::open(engine).map(Self)
    }
}

impl Journal for Bare {
    fn is_durable(&self) -> bool {
        true
    }

    fn append(&self, batch: &Batch) -> Result<(), JournalError> {
        self.0.append(batch).map(|_| ())
    }

    fn restore(&self, view: Option<&str>, take: &mut dyn FnMut(Kept)) -> Result<Marks, JournalError> {
        self.0.restore(view, take)
    }

    fn history(&self, before: Option<u64>, limit: usize) -> Result<Vec<Arc<Entry>>, JournalError> {
        self.0.history(before, limit)
    }

    fn entry(&self, version: u64) -> Result<Option<Arc<Entry>>, JournalError> {
        self.0.entry(version)
    }
}

/// The file of a new journal.
pub(crate) fn new_image() -> Image {
    let file = Faulty::default();
    let database = Database::builder().create_with_backend(file.clone()).unwrap();
    let txn = database.begin_write().unwrap();
    log::create(&txn).unwrap();
    txn.commit().unwrap();
    drop(database);
    file.image()
}

/// Something that a journal is asked to do.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append(Batch),
    Checkpoint,
    Keep(&'static str),
}

impl Step {
    pub fn run(&self, journal: &Bare) -> Result<(), JournalError> {
        match self {
            Self::Append(batch) => journal.append(batch),
            Self::Checkpoint => {
                journal.0.checkpoint()?;
                journal.0.prune(&HistoryLimits::default(), 0)
            }
            Self::Keep(value) => journal.0.keep("test", "key", Some(value.as_bytes())),
        }
    }

    /// Gives the versions again that have failed, as a store does.
    pub fn lower_versions(&mut self, by: u64) {
        if let Self::Append(batch) = self {
            for entry in &mut batch.entries {
                Arc::make_mut(entry).version -= by;
            }
        }
    }

    /// How many versions it takes.
    pub fn entries(&self) -> u64 {
        if let Self::Append(batch) = self { batch.entries.len() as u64 } else { 0 }
    }

    /// What it comes to, if it is acknowledged.
    pub fn apply_to(&self, model: &mut Model) {
        if let Self::Append(batch) = self {
            model.apply(batch);
        }
    }
}

/// Appends of several sizes, with checkpoints between them. Enough of them that the file grows.
pub(crate) fn scenario() -> Vec<Step> {
    let mut version = 0;
    let mut append = |entries: u64, records: u8| {
        let of = |at| {
            version += 1;
            let rrsets: Vec<_> =
                (0..records).map(|last| rrset(&format!("{}.{last}.example.org", at % 3), last)).collect();
            entry(version, &rrsets)
        };
        let entries: Vec<_> = (0..entries).map(of).collect();
        let serials = vec![("default".into(), name("example.org"), version as u32)];
        let marks = Marks { version: Some(version), derived_serial: Some(version as u32), serials };
        Step::Append(Batch { entries, marks })
    };
    vec![
        append(1, 1),
        append(3, 2),
        append(16, 20),
        Step::Checkpoint,
        append(1, 200),
        append(0, 0),
        Step::Keep("one"),
        append(2, 1),
        Step::Checkpoint,
        append(16, 60),
        append(1, 1),
        Step::Checkpoint,
        Step::Keep("two"),
        append(1, 0),
    ]
}

/// Runs the scenario with this failure, and heals the disk after each step that has failed. Says whether anything has.
fn run(image: &Image, failure: Failure) -> bool {
    let file = Faulty::of(image.clone());
    file.0.lock().unwrap().failure = Some(failure);
    let journal = match Bare::open(Arc::new(file.clone())) {
        Ok(journal) => journal,
        Err(error) => {
            assert!(error.to_string().contains("tired"), "{error}");
            file.heal();
            Bare::open(Arc::new(file.clone())).unwrap()
        }
    };
    let mut model = Model::default();
    let mut skipped = 0;
    for mut step in scenario() {
        step.lower_versions(skipped);
        match step.run(&journal) {
            Ok(()) => step.apply_to(&mut model),
            Err(error) => {
                assert!(error.to_string().contains("tired"), "{error}");
                skipped += step.entries();
                if let Step::Append(batch) = &step {
                    check_killed(&file, &model, batch, failure);
                }
                file.heal();
                model.check(&journal);
            }
        }
    }
    let has_failed = file.has_failed();
    file.heal();
    model.check(&journal);
    drop(journal);
    model.check(&Bare::open(Arc::new(file)).unwrap());
    has_failed
}

/// Had the process been killed after a batch has failed, nothing of that batch would be there. Only a disk that has
/// refused even to take it back may have all of it.
fn check_killed(file: &Faulty, model: &Model, batch: &Batch, failure: Failure) {
    let journal = Bare::open(Arc::new(file.copy())).unwrap();
    let state = super::state_of(&journal);
    if failure.lasts && state != model.state {
        let mut other = model.clone();
        other.apply(batch);
        assert_eq!(state, other.state, "half a batch");
    } else {
        model.check(&journal);
    }
}

#[track_caller]
fn check_each(lasts: bool, is_partial: bool) {
    let image = new_image();
    let mut at = 0;
    while run(&image, Failure { at, lasts, is_partial }) {
        at += 1;
    }
    assert!(at > 60, "there were only {at} operations that could fail");
}

#[test]
fn each_operation_fails_once() {
    check_each(false, false);
}

#[test]
fn each_operation_fails_once_and_half() {
    check_each(false, true);
}

#[test]
fn the_disk_fails_for_a_while() {
    check_each(true, false);
}

#[test]
fn the_disk_fails_for_a_while_and_half() {
    check_each(true, true);
}

#[test]
fn a_disk_that_cannot_be_read_for_a_while_can_be_read_again() {
    let file = Faulty::of(new_image());
    let journal = Bare::open(Arc::new(file.clone())).unwrap();
    // More than the database has memory for.
    let text = [&[255], &[b'x'; 255][..]].concat().repeat(240);
    let large = Rrset::new(name("example.org"), RecordType::TXT, 300, [text]).unwrap();
    let count = 2 * CACHE_OCTETS as u64 / 61_440;
    for first in (1..=count).step_by(32) {
        let entries = (first..(first + 32).min(count + 1)).map(|version| entry(version, from_ref(&large)));
        journal.append(&Batch { entries: entries.collect(), marks: Marks::default() }).unwrap();
    }
    let set_cannot_read = |cannot_read| file.0.lock().unwrap().cannot_read = cannot_read;
    set_cannot_read(true);
    for _ in 0..3 {
        let error = journal.history(None, usize::MAX).map(drop).unwrap_err();
        assert!(matches!(error, JournalError::Unavailable(_)), "{error}");
    }
    set_cannot_read(false);
    assert_eq!(journal.history(None, usize::MAX).unwrap().len() as u64, count);
    journal.append(&Batch { entries: vec![entry(count + 1, &[])], marks: Marks::default() }).unwrap();
}
