//! Group commit with nothing around it: writers hand a value each to one thread, which keeps all that have come at once.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use redb::{Database, Durability, TableDefinition};

use super::{Durable, Syncs};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("values");
/// As many as a store's journal takes at once.
const BATCH_MAX: usize = 1024;

/// Values on their way to one thread, and acknowledgements on their way back.
pub struct Group {
    values: Sender<u16>,
    /// Each is one writer's own, and never waited for by two.
    acknowledged: Vec<Mutex<Receiver<()>>>,
    committer: JoinHandle<Result<Kept>>,
}

/// What has become of the values.
pub struct Kept {
    pub changes: u64,
    pub syncs: Syncs,
}

impl Group {
    /// One commit of a database for each batch, under keys that grow, as versions do.
    pub fn database(folder: &Path, writers: u16, value_octets: usize) -> Result<Self> {
        let database = Database::create(folder.join("database"))?;
        let value = vec![0x4A; value_octets];
        let mut key = 0_u64;
        Self::start(writers, move |count| {
            let mut txn = database.begin_write()?;
            txn.set_durability(Durability::Immediate)?;
            let mut table = txn.open_table(TABLE)?;
            for _ in 0..count {
                key += 1;
                table.insert(key, &value[..])?;
            }
            drop(table);
            Ok(txn.commit()?)
        })
    }

    /// One `write` and one `fdatasync` for each batch; each value behind its length.
    pub fn log(folder: &Path, writers: u16, value_octets: usize) -> Result<Self> {
        let mut file = File::create_new(folder.join("log"))?;
        let mut value = (value_octets as u32).to_be_bytes().to_vec();
        value.resize(value.len() + value_octets, 0x4A);
        Self::start(writers, move |count| {
            file.write_all(&value.repeat(count))?;
            Ok(file.sync_data()?)
        })
    }

    fn start(writers: u16, mut keep: impl FnMut(usize) -> Result<()> + Send + 'static) -> Result<Self> {
        let (values, received) = mpsc::channel();
        let (acknowledge, acknowledged): (Vec<_>, Vec<_>) =
            (0..writers).map(|_| mpsc::sync_channel(1)).map(|(to, from)| (to, Mutex::new(from))).unzip();
        let committer = thread::Builder::new()
            .name("committer".into())
            .spawn(move || commit(&received, &acknowledge, &mut keep))?;
        Ok(Self { values, acknowledged, committer })
    }

    /// Waits until everything is kept.
    pub fn close(self) -> Result<Kept> {
        drop(self.values);
        self.committer.join().map_err(|_| anyhow!("the committer panicked"))?
    }
}

impl Durable for Group {
    fn change(&self, writer: u16, _: u64) -> Result<()> {
        self.values.send(writer).context("the committer has ended")?;
        let acknowledged = &self.acknowledged[usize::from(writer)];
        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).recv().context("the committer has ended")
    }
}

fn commit(
    received: &Receiver<u16>,
    acknowledge: &[SyncSender<()>],
    keep: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Kept> {
    let mut kept = Kept { changes: 0, syncs: Syncs::default() };
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while let Ok(first) = received.recv() {
        batch.clear();
        batch.push(first);
        batch.extend(received.try_iter().take(BATCH_MAX - 1));
        let begin = Instant::now();
        keep(batch.len())?;
        kept.syncs.count += 1;
        kept.syncs.time += begin.elapsed();
        kept.changes += batch.len() as u64;
        for &writer in &batch {
            acknowledge[usize::from(writer)].send(()).context("a writer has ended")?;
        }
    }
    Ok(kept)
}
