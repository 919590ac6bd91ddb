//! Figures of the journal on the disk at hand: `figures FOLDER`, which is made and removed again.
//!
//! Appends in batches of 1, 16 and 256 entries, beside one bare table of the same database that takes as many octets in as
//! many transactions; then a million records, appended in batches and as one entry: their size on disk, how long opening
//! takes after the process has died and after it has ended, and how long restoring and a backup take.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, abort};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dns_core::{RecordType, Rrset};
use dns_journal::{Folder, codec, restore_backup};
use dns_store::{Batch, Entry, Journal, Marks, RecordChange, Source};
use redb::{Database, TableDefinition};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const RECORDS: u32 = 1_000_000;
const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");

fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [folder] => {
            let folder = Path::new(folder);
            fs::create_dir(folder)?;
            let result = measure(folder);
            fs::remove_dir_all(folder)?;
            result
        }
        // What a process does that is to die.
        ["fill", folder] => {
            let journal = Folder::open(folder)?;
            fill(&journal)?;
            abort()
        }
        ["import", folder] => {
            let journal = Folder::open(folder)?;
            let start = Instant::now();
            journal.append(&batch(vec![entry(1, 0..RECORDS)?]))?;
            println!("  appended in {:.2?}, {}", start.elapsed(), memory()?);
            abort()
        }
        ["restore", folder] => restore(Path::new(folder)),
        _ => Err("give one folder".into()),
    }
}

fn measure(folder: &Path) -> Outcome {
    for size in [1, 16, 256] {
        let (bare, ours, slowest) = appends(folder, size)?;
        println!(
            "batches of {size:3}: {ours:7.0} entries/s, bare table {bare:7.0}, ratio {:.2}, slowest append {slowest:.1?}",
            ours / bare
        );
    }
    for (what, title) in [("fill", "in batches of 256"), ("import", "as one entry")] {
        println!("{RECORDS} records {title}, then killed:");
        let place = folder.join(what);
        run(&[what, &place.display().to_string()]);
        println!("  {} MB on disk", fs::metadata(place.join("journal.redb"))?.len() >> 20);
        // The first one closes the folder properly, and so the second one finds it.
        run(&["restore", &place.display().to_string()]);
        run(&["restore", &place.display().to_string()]);
        fs::remove_dir_all(place)?;
    }
    Ok(())
}

/// Runs this program once more, and lets it end as it wants to.
fn run(arguments: &[&str]) {
    let status = env::current_exe().and_then(|path| Command::new(path).args(arguments).status());
    if let Err(error) = status {
        eprintln!("{arguments:?}: {error}");
    }
}

/// Entries per second, in a bare table and in a journal, and the journal's slowest append. In turns, so that both see
/// the same disk.
fn appends(folder: &Path, size: u64) -> Outcome<(f64, f64, Duration)> {
    let (path, place) = (folder.join("bare"), folder.join("journal"));
    let database = Database::create(&path)?;
    let journal = Folder::open(&place)?;
    let (mut bare, mut ours, mut slowest, mut version) =
        (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0_u64);
    for _ in 0..20 {
        let until = Instant::now() + Duration::from_millis(200);
        let mut batches = Vec::new();
        while Instant::now() < until {
            let mut entries = Vec::new();
            for _ in 0..size {
                version += 1;
                // Names in no order, a hundred thousand of them.
                let at = (version.wrapping_mul(2_654_435_761) % 100_000) as u32;
                entries.push(entry(version, at..at + 1)?);
            }
            batches.push(batch(entries));
            let start = Instant::now();
            journal.append(&batches[batches.len() - 1])?;
            let time = start.elapsed();
            ours += time;
            slowest = slowest.max(time);
        }
        let start = Instant::now();
        for batch in &batches {
            let txn = database.begin_write()?;
            {
                let mut table = txn.open_table(TABLE)?;
                for entry in &batch.entries {
                    table.insert(entry.version, codec::encode(entry)?.as_slice())?;
                }
            }
            txn.commit()?;
        }
        bare += start.elapsed();
    }
    drop(journal);
    drop(database);
    fs::remove_file(path)?;
    fs::remove_dir_all(place)?;
    let rate = |time: Duration| version as f64 / time.as_secs_f64();
    Ok((rate(bare), rate(ours), slowest))
}

fn fill(journal: &Folder) -> Outcome {
    let start = Instant::now();
    let mut at = 0;
    while at < RECORDS {
        let entries: Result<Vec<_>, _> =
            (at..(at + 256).min(RECORDS)).map(|at| entry(u64::from(at) + 1, at..at + 1)).collect();
        journal.append(&batch(entries?))?;
        at += 256;
    }
    println!("  appended in {:.2?}, {}", start.elapsed(), memory()?);
    Ok(())
}

fn restore(folder: &Path) -> Outcome {
    let start = Instant::now();
    let journal = Folder::open(folder)?;
    let opened = start.elapsed();
    let start = Instant::now();
    let mut count = 0;
    let marks = journal.restore(None, &mut |_| count += 1)?;
    let restored = start.elapsed();
    println!("  opened in {opened:.2?}, {count} restored in {restored:.2?}, {}", memory()?);
    assert_eq!((count, marks), (RECORDS, Marks::default()), "what was appended");
    let path = folder.join("backup");
    let start = Instant::now();
    journal.backup_to(&path)?;
    println!("  backed up in {:.2?}, {} MB", start.elapsed(), fs::metadata(&path)?.len() >> 20);
    let start = Instant::now();
    restore_backup(&path, folder.join("other"), false)?;
    println!("  backup brought back in {:.2?}, {}", start.elapsed(), memory()?);
    fs::remove_file(path)?;
    fs::remove_dir_all(folder.join("other"))?;
    let start = Instant::now();
    drop(journal);
    println!(
        "  closed in {:.2?}, {}, {} MB on disk",
        start.elapsed(),
        memory()?,
        fs::metadata(folder.join("journal.redb"))?.len() >> 20
    );
    Ok(())
}

fn batch(entries: Vec<Arc<Entry>>) -> Batch {
    Batch { entries, marks: Marks::default() }
}

/// An entry with an address at each of these names.
fn entry(version: u64, names: std::ops::Range<u32>) -> Outcome<Arc<Entry>> {
    let change = |at: u32| -> Outcome<RecordChange> {
        let owner = format!("host{at}.example.org").parse()?;
        let rrset = Rrset::new(owner, RecordType::A, 300, [at.to_be_bytes()])?;
        Ok(RecordChange {
            owner: rrset.owner().clone(),
            rtype: RecordType::A,
            before: None,
            after: Some(rrset),
        })
    };
    Ok(Arc::new(Entry {
        version,
        time: SystemTime::now(),
        view: "default".into(),
        source: Source::Api,
        author: "token ci (4f2a) from 192.0.2.1".into(),
        records: names.map(change).collect::<Outcome<_>>()?,
        zones: Vec::new(),
    }))
}

/// How much memory this process has had at most.
fn memory() -> Outcome<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = peak.and_then(|peak| peak.split_whitespace().next()).unwrap_or("0").parse()?;
    Ok(format!("{} MB of memory at most", kilobytes >> 10))
}
