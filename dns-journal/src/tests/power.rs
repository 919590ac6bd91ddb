//! What a disk has left after the power has failed: all that was synced, and of the rest whatever it likes.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use super::faults::{Bare, Faulty, Image, new_image, scenario};
use super::{Model, state_of};

/// A file of whose writes since the last sync any part may be lost.
#[derive(Clone, Debug)]
struct Volatile(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    /// What is on disk for certain.
    durable: Image,
    /// What the process sees.
    seen: Image,
    /// What has been done since the last sync.
    pending: Vec<Operation>,
    random: Random,
    /// What would be left if the power failed after each operation, with how many batches were acknowledged by then.
    left: Vec<(usize, Image)>,
    acknowledged: Arc<AtomicUsize>,
    syncs: usize,
    /// The sync that fails.
    bad_sync: Option<usize>,
}

#[derive(Clone, Debug)]
enum Operation {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

/// The steps of a linear congruential generator: the same ones in each run.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// What a disk writes at once.
const SECTOR: usize = 512;

impl Disk {
    fn new(image: Image, bad_sync: Option<usize>, seed: u64) -> Self {
        Self {
            durable: image.clone(),
            seen: image,
            pending: Vec::new(),
            random: Random(seed),
            left: Vec::new(),
            acknowledged: Arc::default(),
            syncs: 0,
            bad_sync,
        }
    }

    fn done(&mut self, operation: Operation) {
        operation.apply(&mut self.seen, &mut |_| true);
        self.pending.push(operation);
        self.fail();
    }

    /// Notes what could be left now.
    fn fail(&mut self) {
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        let mut image = self.durable.clone();
        let random = &mut self.random;
        let per_cent = [0, 50, 90][random.next() as usize % 3];
        for operation in &self.pending {
            operation.apply(&mut image, &mut |_| random.next() % 100 < per_cent);
        }
        self.left.push((acknowledged, image));
    }
}

impl Operation {
    /// Does it, as far as it reaches the disk: `is_kept` is asked for each sector.
    fn apply(&self, image: &mut Image, is_kept: &mut dyn FnMut(usize) -> bool) {
        match self {
            Self::SetLen(octets) => {
                if is_kept(0) {
                    image.resize(*octets as usize, 0);
                }
            }
            Self::Write(offset, data) => {
                let offset = *offset as usize;
                for (at, sector) in data.chunks(SECTOR).enumerate() {
                    if is_kept(at) {
                        let start = offset + at * SECTOR;
                        let end = start + sector.len();
                        image.resize(image.len().max(end), 0);
                        image[start..end].copy_from_slice(sector);
                    }
                }
            }
        }
    }
}

impl StorageBackend for Volatile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock().unwrap();
        out.copy_from_slice(&disk.seen[offset as usize..][..out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().done(Operation::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let fails = disk.bad_sync == Some(disk.syncs);
        disk.syncs += 1;
        for operation in std::mem::take(&mut disk.pending) {
            // What a failed sync has not written is never written, though it can still be read: so does Linux.
            if !fails || matches!(operation, Operation::SetLen(_)) {
                operation.apply(&mut disk.durable, &mut |_| true);
            }
        }
        if fails {
            return Err(io::Error::other("the disk is tired"));
        }
        disk.fail();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().done(Operation::Write(offset, data.to_vec()));
        Ok(())
    }
}

/// Whenever the power fails, what was acknowledged is there, and of the batch under way all or nothing.
#[test]
fn the_power_fails_at_any_time() {
    for seed in 1..=3 {
        fail_power(seed);
    }
}

fn fail_power(seed: u64) {
    let disk = Disk::new(new_image(), None, seed);
    let acknowledged = Arc::clone(&disk.acknowledged);
    let disk = Arc::new(Mutex::new(disk));
    let mut models = vec![Model::default()];
    {
        let journal = Bare::open(Arc::new(Volatile(Arc::clone(&disk)))).unwrap();
        for (at, step) in scenario().iter().enumerate() {
            let mut model = models[at].clone();
            step.apply_to(&mut model);
            models.push(model);
            step.run(&journal).unwrap();
            acknowledged.store(at + 1, Ordering::SeqCst);
        }
    }
    let left = std::mem::take(&mut disk.lock().unwrap().left);
    assert!(left.len() > 100, "{}", left.len());
    for (at, (acknowledged, image)) in left.into_iter().enumerate() {
        let journal = Bare::open(Arc::new(Faulty::of(image)))
            .unwrap_or_else(|error| panic!("image {at} of step {acknowledged}: {error}"));
        let state = state_of(&journal);
        let now = &models[acknowledged];
        let next = models.get(acknowledged + 1).unwrap_or(now);
        let found = [now, next].into_iter().find(|model| model.state == state);
        let found = found.unwrap_or_else(|| panic!("image {at} of step {acknowledged}: {state:?}"));
        found.check(&journal);
    }
}

/// What a failed sync has lost is never taken for written, however it may look to whoever reads it.
#[test]
fn a_failed_sync_has_lost_what_can_still_be_read() {
    let image = new_image();
    for bad_sync in 0.. {
        let disk = Arc::new(Mutex::new(Disk::new(image.clone(), Some(bad_sync), 1)));
        let file = Arc::new(Volatile(Arc::clone(&disk)));
        let journal = Bare::open(file.clone()).or_else(|_| Bare::open(file)).unwrap();
        let mut model = Model::default();
        let mut skipped = 0;
        for mut step in scenario() {
            step.lower_versions(skipped);
            match step.run(&journal) {
                Ok(()) => step.apply_to(&mut model),
                Err(error) => {
                    assert!(error.to_string().contains("tired"), "{error}");
                    skipped += step.entries();
                }
            }
            let durable = disk.lock().unwrap().durable.clone();
            let left = Bare::open(Arc::new(Faulty::of(durable))).unwrap();
            assert_eq!(state_of(&left), model.state, "sync {bad_sync} has failed");
        }
        model.check(&journal);
        drop(journal);
        if disk.lock().unwrap().syncs <= bad_sync {
            assert!(bad_sync > 10, "{bad_sync}");
            return;
        }
    }
}
