//! Figures of a store with a million records, and a journal on the disk at hand: `million FOLDER`, which is made and removed
//! again.
//!
//! A zone of as many names is imported, and made of sets of 1,000 changes; then the process dies, and another one goes on
//! where it has ended. Each is a process of its own, so that it is seen how much memory it takes.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, abort};
use std::sync::Arc;
use std::time::Instant;

use dns_core::{Change, ChangeSet, Name, RecordType, Rrset};
use dns_journal::Folder;
use dns_store::{KeptZone, Source, Store, StoreOptions, Write};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const RECORDS: u32 = 1_000_000;
const SET_RECORDS: u32 = 1_000;

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
        ["import" | "sets", folder] => fill(arguments[0], Path::new(folder)),
        ["open", folder] => open(Path::new(folder)),
        _ => Err("give one folder".into()),
    }
}

fn measure(folder: &Path) -> Outcome {
    for (how, title) in [("import", "imported"), ("sets", "in sets of changes")] {
        println!("{RECORDS} records {title}, then killed:");
        let place = folder.join(how);
        run(&[how, &place.display().to_string()]);
        run(&["open", &place.display().to_string()]);
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

fn fill(how: &str, folder: &Path) -> Outcome {
    let store = Store::open(StoreOptions::default(), Arc::new(Folder::open(folder)?))?;
    let apex: Name = "example.org".parse()?;
    let start = Instant::now();
    let is_import = how == "import";
    let records = is_import.then(|| (0..RECORDS).map(rrset).collect()).transpose()?;
    let write = Write::PutZone { apex: apex.clone(), zone: shell(&apex)?, records, is_new: true };
    println!("  made in {:.2?}, {}", start.elapsed(), memory()?);
    let pending = store.stage(&Source::Api, &write, &[])?;
    drop(write);
    println!("  staged in {:.2?}, {}", start.elapsed(), memory()?);
    pending.wait()?;
    if !is_import {
        for first in (0..RECORDS).step_by(SET_RECORDS as usize) {
            let changes = (first..first + SET_RECORDS).map(|at| Ok(Change::Put(rrset(at)?)));
            let set: ChangeSet = changes.collect::<Outcome<_>>()?;
            store.partial_reload(&Source::Api, &set)?;
            if (first + SET_RECORDS).is_multiple_of(RECORDS / 4) {
                println!("  {} in {:.2?}", first + SET_RECORDS, start.elapsed());
            }
        }
    }
    println!("  written in {:.2?}, {}", start.elapsed(), memory()?);
    check(&store)?;
    abort()
}

fn open(folder: &Path) -> Outcome {
    let start = Instant::now();
    let journal = Folder::open(folder)?;
    let opened = start.elapsed();
    let store = Store::open(StoreOptions::default(), Arc::new(journal))?;
    println!("  opened in {opened:.2?}, served after {:.2?}, {}", start.elapsed(), memory()?);
    check(&store)?;
    let start = Instant::now();
    store.partial_reload(&Source::Api, &ChangeSet::new().and(Change::Put(rrset(RECORDS)?)))?;
    println!("  changed once more in {:.2?}", start.elapsed());
    abort()
}

/// The last record is there.
fn check(store: &Store) -> Outcome {
    let last = rrset(RECORDS - 1)?;
    let found = store.get(last.owner(), last.rtype()).map(|found| found.rrset);
    if found.as_ref() == Some(&last) { Ok(()) } else { Err(format!("found {found:?}").into()) }
}

fn rrset(at: u32) -> Outcome<Rrset> {
    let owner = format!("host{at}.example.org").parse()?;
    Ok(Rrset::new(owner, RecordType::A, 300, [at.to_be_bytes()])?)
}

fn shell(apex: &Name) -> Outcome<KeptZone> {
    let host = b"\x02ns\x07example\x03net\0";
    let mut soa = [&host[..], &host[..]].concat();
    for number in [1u32, 3600, 600, 86_400, 300] {
        soa.extend_from_slice(&number.to_be_bytes());
    }
    let soa = Rrset::new(apex.clone(), RecordType::SOA, 300, [soa])?;
    let ns = Rrset::new(apex.clone(), RecordType::NS, 300, [host])?;
    Ok(KeptZone { rrsets: vec![soa, ns] })
}

/// How much memory this process has, and has had at most.
fn memory() -> Outcome<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let megabytes = |key: &str| -> Outcome<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        Ok(line.split_whitespace().next().unwrap_or("0").parse::<u64>()? >> 10)
    };
    Ok(format!("{} MB, {} MB at most", megabytes("VmRSS:")?, megabytes("VmHWM:")?))
}
