//! How long a folder of very many small zones takes to be served, and to be looked at again.
//!
//! ```sh
//! cargo run --release -p jw238dns-files --example many_zones -- 100000
//! ```

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use dns_core::{Name, RecordType};
use dns_files::{SyncReport, Touched, Watcher, ZoneFiles};
use dns_store::{Store, StoreOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    for number in 0..count {
        write(&path(folder.path(), number), 1)?;
    }
    let resident_before = resident_kib()?;
    let store = Store::new(StoreOptions::default());
    let mut files = ZoneFiles::new(store.clone());

    let loaded = look("first look", &mut files, folder.path());
    assert_eq!(loaded.loaded.len(), count);
    let resident = resident_kib()? - resident_before;
    println!("memory: {} MiB, {} octets per zone", resident >> 10, resident * 1024 / count);
    assert_eq!(look("nothing changed, files young", &mut files, folder.path()).unchanged, count);
    age(folder.path(), count)?;
    look("all touched", &mut files, folder.path());
    assert_eq!(look("nothing changed", &mut files, folder.path()).unchanged, count);

    let begun = Instant::now();
    let mut watcher = Watcher::new()?;
    let paths: Vec<PathBuf> = files.paths().map(Path::to_owned).collect();
    let errors = watcher.watch(paths.iter().map(PathBuf::as_path), [folder.path()]);
    assert!(errors.is_empty(), "{errors:?}");
    println!("watching: {:?}", begun.elapsed());

    write(&path(folder.path(), count / 2), 2)?;
    assert_eq!(look("one changed, all looked at", &mut files, folder.path()).loaded.len(), 1);
    assert_eq!(value(&store, count / 2), Some(2));

    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let touched = path(folder.path(), count / 3);
    for value in 2..7 {
        // The events of before are of no interest.
        watcher.take_touched();
        let begun = Instant::now();
        write(&touched, value)?;
        let mut noticed = begun.elapsed();
        while self::value(&store, count / 3) != Some(value) {
            runtime.block_on(watcher.changed());
            noticed = begun.elapsed();
            if let Touched::Files(paths) = watcher.take_touched() {
                files.sync_touched(&paths).ok_or("the file is that of another zone")?;
            }
        }
        let synced = begun.elapsed().saturating_sub(noticed);
        println!("one changed, as the watcher tells: noticed after {noticed:?}, served {synced:?} later");
    }
    Ok(())
}

fn look(what: &str, files: &mut ZoneFiles, folder: &Path) -> SyncReport {
    let (begun, busy_before) = (Instant::now(), busy());
    let found = files.scan_folder(folder, &[]);
    let scanned = begun.elapsed();
    let report = files.sync(found.zones);
    let busy = busy().saturating_sub(busy_before);
    println!(
        "{what}: {:?} ({busy:?} of all cores), of that {scanned:?} for what the folder holds",
        begun.elapsed()
    );
    report
}

fn path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("zone-{number}.example.zone"))
}

fn write(path: &Path, value: u8) -> std::io::Result<()> {
    let text = format!(
        "$TTL 300\n@ SOA ns hostmaster {value} 1h 10m 1w 5m\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.{value}\nmail MX 10 www\n"
    );
    fs::write(path, text)
}

/// As if the files had been written a while ago, as far as anybody but the kernel can do that.
fn age(folder: &Path, count: usize) -> std::io::Result<()> {
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    (0..count).try_for_each(|number| fs::File::open(path(folder, number))?.set_modified(hour_ago))
}

/// The last octet of the address of `www`.
fn value(store: &Store, number: usize) -> Option<u8> {
    let owner: Name = format!("www.zone-{number}.example").parse().ok()?;
    store.get(&owner, RecordType::A)?.rrset.rdatas().next()?.last().copied()
}

/// What all threads have worked so far, in steps of 10 ms: on a machine with other work to do, this is the figure to compare.
fn busy() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, which may have blanks, ends with the last parenthesis; times are the 14th and 15th field.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Memory of this process, in KiB.
fn resident_kib() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
