//! Durable changes per second: a store over its journal, beside what a bare database and a bare log can do.
//!
//! All of them are fed by the same threads, each of which waits until its change is safe before it makes the next one, and
//! all of them let those who wait share one sync of the disk. The database and the log take values as long as what the
//! journal writes for a change, and do nothing else: they are what is left when a store costs nothing.

mod group;
mod ours;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use self::group::Group;
use self::ours::Ours;
use crate::changes::Latency;
use crate::zone::ZonePlan;

/// How often the disk is asked how long a sync takes, each round.
const SYNCS: usize = 101;
/// What is written before each: a page.
const SYNC_OCTETS: usize = 4096;

/// What makes changes safe.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Keeper {
    /// A store over a journal in a folder; names that there are get another address.
    Put,
    /// The same; names that there are not get an address.
    Create,
    /// redb: one commit for all who wait.
    Database,
    /// A file that is appended to: one `fdatasync` for all who wait.
    Log,
}

/// What to measure, and where.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'p> {
    /// On the disk that is meant.
    pub folder: &'p Path,
    /// Threads that make changes.
    pub writers: u16,
    /// For how long each round.
    pub time: Duration,
    /// What the store has before.
    pub zone: ZonePlan,
}

/// One keeper in one round.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sample {
    /// Who.
    pub keeper: Keeper,
    /// What writers waited for, and the rate of all of them together.
    pub latency: Latency,
    /// How often the keeper has synced for them; the tables of a journal are brought up to date besides.
    pub syncs: u64,
    /// Share of the time that went by in these syncs, and in writing what they were for.
    pub syncing: f64,
    /// Seconds for closing afterwards: a journal's tables are brought up to date then.
    pub closing_seconds: f64,
}

/// A round: everybody who is measured once.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Round {
    /// Median time of `fdatasync` after a page was overwritten, with nobody else about.
    pub sync_micros: f64,
    /// In the order in which they were measured.
    pub samples: Vec<Sample>,
}

/// How often something was made safe, and how long that took.
#[derive(Clone, Copy, Debug, Default)]
struct Syncs {
    count: u64,
    time: Duration,
}

/// Makes changes that are safe when it comes back.
trait Durable: Sync {
    /// Makes change number `number` of a writer; each writer's begin at 0.
    fn change(&self, writer: u16, number: u64) -> Result<()>;
}

/// Measures each of `keepers` once, `first` places down the list first.
///
/// # Errors
///
/// If anything fails, or what was acknowledged is not there afterwards.
pub fn round(plan: &Plan<'_>, keepers: &[Keeper], value_octets: usize, first: usize) -> Result<Round> {
    let sync_micros = sync_micros(plan.folder)?;
    let turns = (0..keepers.len()).map(|turn| keepers[(turn + first) % keepers.len()]);
    let samples = turns.map(|keeper| sample(plan, keeper, value_octets)).collect::<Result<_>>()?;
    Ok(Round { sync_micros, samples })
}

/// Octets that the journal writes for a change such as those that are made here.
///
/// # Errors
///
/// If the store cannot be made.
pub fn value_octets(plan: &Plan<'_>) -> Result<usize> {
    let folder = tempfile::tempdir_in(plan.folder)?;
    let ours = Ours::open(folder.path(), plan.zone, Keeper::Put)?;
    ours.change(0, 0)?;
    ours.entry_octets()
}

/// Measures one of them, in a folder of its own.
fn sample(plan: &Plan<'_>, keeper: Keeper, value_octets: usize) -> Result<Sample> {
    let folder = tempfile::tempdir_in(plan.folder)?;
    match keeper {
        Keeper::Put | Keeper::Create => {
            let ours = Ours::open(folder.path(), plan.zone, keeper)?;
            let before = ours.syncs();
            let run = run(&ours, plan)?;
            let syncs = ours.syncs().since(before);
            let begin = Instant::now();
            drop(ours);
            let closing = begin.elapsed();
            ours::check(folder.path(), plan.zone, keeper, &run.made)?;
            run.sample(keeper, syncs, closing)
        }
        Keeper::Database | Keeper::Log => {
            let group = match keeper {
                Keeper::Database => Group::database(folder.path(), plan.writers, value_octets)?,
                _ => Group::log(folder.path(), plan.writers, value_octets)?,
            };
            let run = run(&group, plan)?;
            let begin = Instant::now();
            let kept = group.close()?;
            let made: u64 = run.made.iter().sum();
            ensure!(kept.changes == made, "{made} changes were acknowledged, and {} kept", kept.changes);
            run.sample(keeper, kept.syncs, begin.elapsed())
        }
    }
}

/// What writers have done.
struct Run {
    time: Duration,
    /// Changes of each writer.
    made: Vec<u64>,
    times: Vec<Duration>,
}

impl Run {
    fn sample(self, keeper: Keeper, syncs: Syncs, closing: Duration) -> Result<Sample> {
        let seconds = self.time.as_secs_f64();
        let latency = Latency::of(self.times, self.made.iter().sum::<u64>() as f64 / seconds);
        Ok(Sample {
            keeper,
            latency: latency.context("there were no changes")?,
            syncs: syncs.count,
            syncing: syncs.time.as_secs_f64() / seconds,
            closing_seconds: closing.as_secs_f64(),
        })
    }
}

impl Syncs {
    fn since(self, before: Self) -> Self {
        Self { count: self.count - before.count, time: self.time.saturating_sub(before.time) }
    }
}

/// Lets all writers make changes until the time is over.
fn run(durable: &impl Durable, plan: &Plan<'_>) -> Result<Run> {
    let start = Barrier::new(usize::from(plan.writers) + 1);
    let write = |writer| {
        let mut times = Vec::new();
        start.wait();
        let begin = Instant::now();
        let mut last = begin;
        while last.duration_since(begin) < plan.time {
            durable.change(writer, times.len() as u64)?;
            let now = Instant::now();
            times.push(now.duration_since(last));
            last = now;
        }
        anyhow::Ok(times)
    };
    thread::scope(|scope| {
        let write = &write;
        let spawn = |writer| {
            let name = format!("writer {writer}");
            thread::Builder::new().name(name).spawn_scoped(scope, move || write(writer))
        };
        let threads = (0..plan.writers).map(spawn).collect::<Result<Vec<_>, _>>();
        let threads = threads.context("cannot start a writer")?;
        start.wait();
        let begin = Instant::now();
        let (mut made, mut times) = (Vec::new(), Vec::new());
        for thread in threads {
            let of_one = thread.join().map_err(|_| anyhow!("a writer panicked"))??;
            made.push(of_one.len() as u64);
            times.extend(of_one);
        }
        Ok(Run { time: begin.elapsed(), made, times })
    })
}

/// Median of what `fdatasync` takes after a page was overwritten.
fn sync_micros(folder: &Path) -> Result<f64> {
    let folder = tempfile::tempdir_in(folder)?;
    let file = File::create_new(folder.path().join("page"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for number in 0..=SYNCS {
        file.write_all_at(&[number as u8; SYNC_OCTETS], 0)?;
        let begin = Instant::now();
        file.sync_data()?;
        // The first one makes the file as long as it is.
        if number > 0 {
            times.push(begin.elapsed());
        }
    }
    Ok(Latency::of(times, 0.0).context("nothing was synced")?.median_micros)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn everybody_keeps_what_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let (time, zone) = (Duration::from_millis(20), ZonePlan { names: 100 });
        let plan = Plan { folder: folder.path(), writers: 3, time, zone };
        let octets = value_octets(&plan).unwrap();
        assert!((40..200).contains(&octets), "{octets}");
        let round = round(&plan, Keeper::value_variants(), octets, 2).unwrap();
        let order: Vec<_> = round.samples.iter().map(|sample| sample.keeper).collect();
        assert_eq!(order, [Keeper::Database, Keeper::Log, Keeper::Put, Keeper::Create]);
        for sample in &round.samples {
            assert!(sample.latency.changes >= 3 && sample.syncs > 0, "{sample:?}");
            assert!(sample.syncs <= sample.latency.changes && sample.syncing > 0.0, "{sample:?}");
        }
        assert!(round.sync_micros > 0.0);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_change_that_is_lost_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let zone = ZonePlan { names: 100 };
        for keeper in [Keeper::Put, Keeper::Create] {
            let folder = tempfile::tempdir_in(&folder).unwrap();
            let ours = Ours::open(folder.path(), zone, keeper).unwrap();
            for number in 0..30 {
                ours.change(0, number).unwrap();
            }
            ours.change(1, 0).unwrap();
            drop(ours);
            ours::check(folder.path(), zone, keeper, &[30, 1]).unwrap();
            assert!(ours::check(folder.path(), zone, keeper, &[31, 1]).is_err());
            assert!(ours::check(folder.path(), zone, keeper, &[30, 2]).is_err());
        }
    }
}
