//! A set of zone files, kept in step with a store.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::scope;

use dns_core::{Name, ZoneEntry};
use dns_store::{Source, Store, StoreError, ZoneOptions};

use crate::disk::Disk;
use crate::folder::{FolderReport, ZoneFolder};
use crate::load::{LoadError, Loaded, read_zone};
use crate::spread::{Spreading, cores_for_each};

/// A zone and the file it is in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneFile {
    /// Name of the zone.
    pub apex: Name,
    /// The zone file.
    pub path: PathBuf,
    /// What the store is told besides.
    pub options: ZoneOptions,
}

/// Keeps the zones of a store in step with files: reads what has changed, drops what is gone.
#[derive(Debug)]
pub struct ZoneFiles {
    store: Store,
    known: HashMap<Name, Known>,
    /// The zones that are read from a file.
    readers: HashMap<PathBuf, Vec<Name>>,
    folder: ZoneFolder,
}

/// A zone that was asked for last time.
#[derive(Debug)]
struct Known {
    zone: ZoneFile,
    /// The files that it was read from, or should have been.
    disk: Disk,
    /// It is not served as the files have it: then they are read every time, since whoever asks for a reload wants to hear
    /// that it did not come about.
    failed: bool,
}

impl Known {
    /// The zone is served as this file has it now.
    fn is_current(&mut self, zone: &ZoneFile) -> bool {
        self.zone.path == zone.path && !self.failed && !self.disk.has_changed()
    }
}

/// What one [`ZoneFiles::sync`] has done.
#[derive(Debug, Default)]
pub struct SyncReport {
    /// Zones that were read and are served now.
    pub loaded: Vec<Name>,
    /// Zones whose files have not changed. Their options may have: they count without reading.
    pub unchanged: usize,
    /// Zones that are no longer there.
    pub dropped: Vec<Name>,
    /// Zones that could not be read. What was served before is still served; where there was nothing, SERVFAIL is.
    pub failed: Vec<(Name, SyncError)>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// Zones are read from other files than before, so others have to be watched.
    pub other_files: bool,
}

/// Why a zone of a file is not served as the file has it.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The file makes no zone.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store did not take it.
    #[error("{}: {error}", path.display())]
    Store {
        /// The zone file.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
}

impl ZoneFiles {
    /// No zones yet.
    pub fn new(store: Store) -> Self {
        Self::with_folder(store, ZoneFolder::default())
    }

    /// The same, with a folder that was looked through before.
    pub fn with_folder(store: Store, folder: ZoneFolder) -> Self {
        Self { store, known: HashMap::new(), readers: HashMap::new(), folder }
    }

    /// Serves exactly these zones: reads those that are new or whose files have changed, and drops those that are not
    /// among them any more. One that cannot be read changes nothing but itself.
    pub fn sync(&mut self, zones: Vec<ZoneFile>) -> SyncReport {
        let mut report = SyncReport::default();
        let wanted: HashSet<&Name> = zones.iter().map(|zone| &zone.apex).collect();
        let mut gone: Vec<Name> = self.known.keys().filter(|apex| !wanted.contains(apex)).cloned().collect();
        gone.sort_unstable();
        for apex in gone {
            if let Some(known) = self.forget(&apex) {
                // That it is not there any more is what was wanted.
                let _ = self.store.drop_zone(&source(&known.zone.path), &apex);
                report.other_files = true;
            }
            report.dropped.push(apex);
        }
        let mut to_read = Vec::new();
        for zone in zones {
            let known = self.known.get_mut(&zone.apex);
            if known.is_some_and(|known| {
                known.is_current(&zone) && has_options(&self.store, known, &zone.options)
            }) {
                report.unchanged += 1;
            } else {
                to_read.push(zone);
            }
        }
        self.load(to_read, &mut report);
        report
    }

    /// Some zone is read from this file, or should have been.
    pub fn reads(&self, path: &Path) -> bool {
        self.readers.contains_key(path)
    }

    /// Looks at some files only, as a [`Watcher`](crate::Watcher) names them, and reads the zones again whose files have
    /// changed; takes as long as these zones do, however many there are. Files that no zone is read from count for nothing;
    /// see [`reads`](Self::reads).
    ///
    /// `None` if that is not enough, since a file of the folder is gone or holds another zone now: then everything has to be
    /// looked at, by [`scan_folder`](Self::scan_folder) and [`sync`](Self::sync). Nothing has changed by then.
    pub fn sync_touched(&mut self, paths: &BTreeSet<PathBuf>) -> Option<SyncReport> {
        let mut touched = BTreeSet::new();
        for path in paths {
            let Some(zones) = self.readers.get(path) else { continue };
            if !self.folder.keeps_zone_of(path) {
                return None;
            }
            touched.extend(zones.iter().cloned());
        }
        let mut report = SyncReport { unchanged: self.known.len(), ..SyncReport::default() };
        let mut to_read = Vec::new();
        for apex in &touched {
            if let Some(known) = self.known.get_mut(apex)
                && (known.failed || known.disk.has_changed())
            {
                to_read.push(known.zone.clone());
            }
        }
        report.unchanged -= to_read.len();
        self.load(to_read, &mut report);
        Some(report)
    }

    /// The zones in the `*.zone` files of a folder, to be handed to [`sync`](Self::sync), without those that are `listed`
    /// elsewhere, by name or by file. Files that have not changed since the last call are not read.
    ///
    /// A folder or a file that cannot be read now holds what it held before: a zone is gone when its file is.
    pub fn scan_folder(&mut self, folder: &Path, listed: &[ZoneFile]) -> FolderReport {
        self.folder.scan(folder, listed)
    }

    /// The file that a zone comes from.
    pub fn path_of(&self, apex: &Name) -> Option<&Path> {
        self.known.get(apex).map(|known| known.zone.path.as_path())
    }

    /// The files that were read, or should have been.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.readers.keys().map(PathBuf::as_path)
    }

    /// Reads zones with all cores, and puts them into the store one by one while the next ones are being read.
    fn load(&mut self, zones: Vec<ZoneFile>, report: &mut SyncReport) {
        // At the start few zones are read one by one, each by all cores if it is large. Later on queries have the cores.
        let is_start = self.known.is_empty();
        let threads = if is_start { cores_for_each(zones.len().min(READ_AHEAD)) } else { NonZeroUsize::MIN };
        let read = |zone: ZoneFile| {
            let mut disk = Disk::default();
            let loaded = read_zone(&zone.path, &zone.apex, &mut disk, threads);
            (zone, disk, loaded)
        };
        if zones.len() == 1 {
            for (zone, disk, loaded) in zones.into_iter().map(read) {
                self.put(zone, disk, loaded, report);
            }
            return;
        }
        let mut zones = zones.into_iter();
        let mut next_part = || zones.by_ref().take(READ_AHEAD).collect::<Vec<_>>();
        scope(|scope| {
            let mut reading = Spreading::begin(scope, next_part(), &read);
            loop {
                let part = reading.finish();
                if part.is_empty() {
                    break;
                }
                reading = Spreading::begin(scope, next_part(), &read);
                for (zone, disk, loaded) in part {
                    self.put(zone, disk, loaded, report);
                }
            }
        });
    }

    fn put(
        &mut self,
        zone: ZoneFile,
        mut disk: Disk,
        loaded: Result<Loaded, LoadError>,
        report: &mut SyncReport,
    ) {
        let source = source(&zone.path);
        let put = loaded.map_err(SyncError::from).and_then(|loaded| {
            report.warnings.extend(loaded.warnings);
            let put = self.store.put_zone(&source, loaded.built, zone.options.clone());
            put.map_err(|error| SyncError::Store { path: zone.path.clone(), error })
        });
        let failed = put.is_err();
        match put {
            Ok(_) => report.loaded.push(zone.apex.clone()),
            Err(error) => {
                // What it was made of when it could be read is still worth watching.
                for file in self.known.get(&zone.apex).iter().flat_map(|known| known.disk.seen.keys()) {
                    if !disk.seen.contains_key(file) {
                        disk.note(file);
                    }
                }
                let catalog = self.store.snapshot();
                let entry = catalog.view(self.store.view_name()).and_then(|view| view.zone(&zone.apex));
                let is_served =
                    entry.is_some_and(|entry| !entry.derived) && entry.and_then(ZoneEntry::zone).is_some();
                if is_served {
                    // Who may see the zone counts from now on, whatever becomes of its records. If the zone is somebody
                    // else's, so are its options.
                    let _ = self.store.set_zone_options(&source, &zone.apex, zone.options.clone());
                } else {
                    // Names of the zone must not be answered as if nobody had declared it.
                    let _ =
                        self.store.fail_zone(&source, &zone.apex, error.to_string(), zone.options.clone());
                }
                report.failed.push((zone.apex.clone(), error));
            }
        }
        let apex = zone.apex.clone();
        let known = self.forget(&apex);
        report.other_files |= known.is_none_or(|known| !known.disk.seen.keys().eq(disk.seen.keys()));
        for path in disk.seen.keys().chain([&zone.path]) {
            let zones = self.readers.entry(path.clone()).or_default();
            if !zones.contains(&apex) {
                zones.push(apex.clone());
            }
        }
        self.known.insert(apex, Known { zone, disk, failed });
    }

    fn forget(&mut self, apex: &Name) -> Option<Known> {
        let known = self.known.remove(apex)?;
        for path in known.disk.seen.keys().chain([&known.zone.path]) {
            if let Some(zones) = self.readers.get_mut(path) {
                zones.retain(|zone| zone != apex);
                if zones.is_empty() {
                    self.readers.remove(path);
                }
            }
        }
        Some(known)
    }
}

/// Zones that are read before those of before are all in the store.
const READ_AHEAD: usize = 2048;

/// Sees to it that a zone whose file has not changed has these options.
fn has_options(store: &Store, known: &mut Known, options: &ZoneOptions) -> bool {
    if known.zone.options == *options {
        return true;
    }
    let is_set = store.set_zone_options(&source(&known.zone.path), &known.zone.apex, options.clone()).is_ok();
    if is_set {
        known.zone.options = options.clone();
    }
    is_set
}

fn source(path: &Path) -> Source {
    Source::File(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use dns_core::{Access, RecordType};
    use dns_store::StoreOptions;

    use super::*;

    const ZONE: &str = "$TTL 300\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns.example.net.\nwww A 192.0.2.1\n";

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_has_changed_is_read_and_what_fails_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = |apex: &str| {
            let path = folder.path().join(format!("{apex}.zone"));
            ZoneFile { apex: name(apex), path, options: ZoneOptions::default() }
        };
        let zones = || vec![file("example.org"), file("example.net")];
        for zone in zones() {
            fs::write(&zone.path, ZONE).unwrap();
        }
        let store = Store::new(StoreOptions::default());
        let mut files = ZoneFiles::new(store.clone());
        assert_eq!(files.sync(zones()).loaded, [name("example.org"), name("example.net")]);
        let report = files.sync(zones());
        assert_eq!((report.loaded.len(), report.unchanged), (0, 2));

        fs::write(&zones()[0].path, ZONE.replace("192.0.2.1", "192.0.2.22")).unwrap();
        assert_eq!(files.sync(zones()).loaded, [name("example.org")]);
        let found = store.get(&name("www.example.org"), RecordType::A).unwrap();
        assert_eq!(found.rrset.rdatas().next(), Some(&[192, 0, 2, 22][..]));

        fs::write(&zones()[0].path, format!("{ZONE}broken")).unwrap();
        let report = files.sync(zones());
        assert_eq!(report.failed.len(), 1);
        assert!(store.get(&name("www.example.org"), RecordType::A).is_some(), "the running version stays");
        let report = files.sync(zones());
        assert_eq!((report.failed.len(), report.unchanged), (1, 1), "a fault is told until it is gone");

        let report = files.sync(zones().split_off(1));
        assert_eq!(report.dropped, [name("example.org")]);
        assert!(store.get(&name("www.example.org"), RecordType::A).is_none());
    }

    #[test]
    fn a_zone_comes_back_when_the_file_that_it_includes_does() {
        let folder = tempfile::tempdir().unwrap();
        let zone = ZoneFile {
            apex: name("example.org"),
            path: folder.path().join("example.org.zone"),
            options: ZoneOptions::default(),
        };
        let hosts = folder.path().join("more").join("hosts");
        fs::create_dir(folder.path().join("more")).unwrap();
        fs::write(&zone.path, format!("{ZONE}$INCLUDE more/hosts\n")).unwrap();
        fs::write(&hosts, "host A 192.0.2.1\n").unwrap();
        let store = Store::new(StoreOptions::default());
        let mut files = ZoneFiles::new(store.clone());
        assert_eq!(files.sync(vec![zone.clone()]).loaded.len(), 1);
        for mistake in [Some("host A\n"), None] {
            match mistake {
                Some(text) => fs::write(&hosts, text).unwrap(),
                None => fs::remove_file(&hosts).unwrap(),
            }
            assert_eq!(files.sync(vec![zone.clone()]).failed.len(), 1);
            assert!(files.paths().any(|path| path == hosts), "it is watched on");
            fs::write(&hosts, "host A 192.0.2.2\n").unwrap();
            assert_eq!(files.sync(vec![zone.clone()]).loaded.len(), 1);
            assert_eq!(files.sync(vec![zone.clone()]).unchanged, 1);
        }
        assert!(store.get(&name("host.example.org"), RecordType::A).is_some());
    }

    #[test]
    fn a_zone_that_never_loaded_is_known_to_have_failed() {
        let folder = tempfile::tempdir().unwrap();
        let zone = ZoneFile {
            apex: name("example.org"),
            path: folder.path().join("missing.zone"),
            options: ZoneOptions::default(),
        };
        let store = Store::new(StoreOptions::default());
        let report = ZoneFiles::new(store.clone()).sync(vec![zone]);
        assert_eq!(report.failed.len(), 1);
        let catalog = store.snapshot();
        let entry = catalog.default_view().unwrap().zone(&name("example.org")).unwrap();
        assert!(entry.zone().is_none());
    }

    #[test]
    fn an_included_file_that_is_mended_brings_the_zone_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example.org.zone");
        let more = folder.path().join("more");
        fs::write(&path, format!("{ZONE}$INCLUDE more\n")).unwrap();
        let zones = || {
            vec![ZoneFile { apex: name("example.org"), path: path.clone(), options: ZoneOptions::default() }]
        };
        let store = Store::new(StoreOptions::default());
        let mut files = ZoneFiles::new(store.clone());
        assert_eq!(files.sync(zones()).failed.len(), 1, "there is no such file");
        fs::write(&more, "mail A 192.0.2\n").unwrap();
        assert_eq!(files.sync(zones()).failed.len(), 1, "its record is malformed");
        fs::write(&more, "mail A 192.0.2.3\n").unwrap();
        assert_eq!(files.sync(zones()).loaded, [name("example.org")]);
        assert!(store.get(&name("mail.example.org"), RecordType::A).is_some());
        assert!(files.paths().any(|path| path == more), "it is watched");
    }

    #[test]
    fn a_listed_file_that_vanishes_leaves_the_running_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example.org.zone");
        let zones = || {
            vec![ZoneFile { apex: name("example.org"), path: path.clone(), options: ZoneOptions::default() }]
        };
        fs::write(&path, ZONE).unwrap();
        let store = Store::new(StoreOptions::default());
        let mut files = ZoneFiles::new(store.clone());
        files.sync(zones());
        fs::remove_file(&path).unwrap();
        let report = files.sync(zones());
        assert!(report.failed[0].1.to_string().contains("cannot be read"), "{:?}", report.failed);
        assert!(store.get(&name("www.example.org"), RecordType::A).is_some());
        fs::write(&path, ZONE.replace("www", "mail")).unwrap();
        assert_eq!(files.sync(zones()).loaded, [name("example.org")]);
        assert!(store.get(&name("www.example.org"), RecordType::A).is_none());
    }

    #[test]
    fn options_count_without_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example.org.zone");
        let zones = |network: Option<&str>| {
            let access = network.map(|network| Arc::new(Access::new(&[network.parse().unwrap()], &[])));
            let options = ZoneOptions { fallthrough: false, access };
            vec![ZoneFile { apex: name("example.org"), path: path.clone(), options }]
        };
        fs::write(&path, ZONE).unwrap();
        let store = Store::new(StoreOptions::default());
        let mut files = ZoneFiles::new(store.clone());
        assert_eq!(files.sync(zones(None)).loaded.len(), 1);
        let access = || {
            let catalog = store.snapshot();
            let entry = catalog.default_view().unwrap().zone(&name("example.org")).unwrap();
            assert!(entry.zone().is_some(), "it is served all the time");
            entry.access.clone()
        };
        assert_eq!(access(), None);
        let wanted = zones(Some("192.0.2.0/24"));
        let report = files.sync(wanted.clone());
        assert_eq!(
            (report.loaded.len(), report.unchanged, report.failed.len()),
            (0, 1, 0),
            "nothing is read"
        );
        assert_eq!(access(), wanted[0].options.access);
        assert_eq!(files.sync(wanted).unchanged, 1);

        fs::write(&path, "broken").unwrap();
        let wanted = zones(Some("198.51.100.0/24"));
        assert_eq!(files.sync(wanted.clone()).failed.len(), 1);
        assert_eq!(access(), wanted[0].options.access);
        fs::remove_file(&path).unwrap();
        assert_eq!(files.sync(zones(None)).failed.len(), 1);
        assert_eq!(access(), None);
    }

    #[test]
    fn a_file_may_be_renamed_and_one_of_a_folder_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("a.zone"), folder.path().join("b.zone"));
        let text = |host: &str| format!("$ORIGIN example.org.\n{}", ZONE.replace("www", host));
        fs::write(&old, text("www")).unwrap();
        let store = Store::new(StoreOptions::default());
        let mut files = ZoneFiles::new(store.clone());
        let mut sync = || {
            let found = files.scan_folder(folder.path(), &[]);
            assert!(found.errors.is_empty(), "{:?}", found.errors);
            files.sync(found.zones)
        };
        let has = |host: &str| store.get(&name(&format!("{host}.example.org")), RecordType::A).is_some();
        assert_eq!(sync().loaded, [name("example.org")]);
        fs::write(&new, text("mail")).unwrap();
        fs::remove_file(&old).unwrap();
        let report = sync();
        assert_eq!((report.loaded.len(), report.dropped.len()), (1, 0));
        assert!(has("mail") && !has("www"), "nothing of the old file is left");
        fs::remove_file(&new).unwrap();
        assert_eq!(sync().dropped, [name("example.org")]);
        assert!(!has("mail"));
    }

    #[test]
    fn only_files_that_were_touched_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = |apex: &str| folder.path().join(format!("{apex}.zone"));
        for apex in ["example.org", "example.net", "example.com"] {
            fs::write(path(apex), format!("{ZONE}$INCLUDE hosts\n")).unwrap();
        }
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, "host A 192.0.2.1\n").unwrap();
        let store = Store::new(StoreOptions::default());
        let mut files = ZoneFiles::new(store.clone());
        let found = files.scan_folder(folder.path(), &[]);
        assert_eq!(files.sync(found.zones).loaded.len(), 3);
        let mut touch = |paths: &[&PathBuf]| {
            let paths = paths.iter().copied().cloned().collect();
            let report = files.sync_touched(&paths)?;
            Some((report.loaded, report.unchanged, report.failed.len()))
        };
        let has = |host: &str| store.get(&name(&format!("{host}.example.org")), RecordType::A).is_some();

        assert_eq!(touch(&[&path("example.org"), &hosts]), Some((vec![], 3, 0)), "nothing has changed");
        fs::write(path("example.org"), ZONE.replace("www", "mail")).unwrap();
        fs::write(path("example.net"), ZONE.replace("www", "mail")).unwrap();
        assert_eq!(touch(&[&path("example.org")]), Some((vec![name("example.org")], 2, 0)));
        assert!(has("mail") && !has("www") && !has("host"));
        // Those that include it, of which one had changed before.
        fs::write(&hosts, "host A 192.0.2.22\n").unwrap();
        let both = vec![name("example.com"), name("example.net")];
        assert_eq!(touch(&[&hosts]), Some((both, 1, 0)));
        // What is wrong changes nothing, and is told until it is right.
        fs::write(path("example.org"), "broken").unwrap();
        assert_eq!(touch(&[&path("example.org")]), Some((vec![], 2, 1)));
        assert_eq!(touch(&[&path("example.org")]), Some((vec![], 2, 1)));
        assert!(has("mail"));
        fs::write(path("example.org"), ZONE).unwrap();
        assert_eq!(touch(&[&path("example.org")]), Some((vec![name("example.org")], 2, 0)));

        fs::write(path("example.org"), format!("$ORIGIN example.edu.\n{ZONE}")).unwrap();
        assert_eq!(touch(&[&path("example.org")]), None, "it is another zone now");
        fs::write(path("example.org"), ZONE).unwrap();
        fs::remove_file(path("example.net")).unwrap();
        assert_eq!(touch(&[&path("example.net")]), None, "it is gone");
        assert_eq!(touch(&[&folder.path().join("new.zone")]), Some((vec![], 3, 0)), "nobody reads it");
        assert!(files.reads(&hosts) && !files.reads(&folder.path().join("new.zone")));
    }

    #[test]
    fn many_zones_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let zones = (0..200).map(|number| {
            let path = folder.path().join(format!("{number}.zone"));
            fs::write(&path, if number == 150 { "broken" } else { ZONE }).unwrap();
            ZoneFile { apex: name(&format!("{number}.example")), path, options: ZoneOptions::default() }
        });
        let zones: Vec<ZoneFile> = zones.collect();
        let report = ZoneFiles::new(Store::new(StoreOptions::default())).sync(zones.clone());
        let mut apexes: Vec<Name> = zones.into_iter().map(|zone| zone.apex).collect();
        let broken = apexes.remove(150);
        assert_eq!(report.loaded, apexes);
        assert_eq!(report.failed[0].0, broken);
    }
}
