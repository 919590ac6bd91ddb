//! A set of zone files, kept in step with a store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dns_core::{Name, ZoneEntry};
use dns_store::{Source, Store, StoreError, ZoneOptions};

use crate::load::{LoadError, find_apex, load_zone};

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
    known: BTreeMap<Name, Known>,
}

/// A zone that was asked for last time.
#[derive(Debug)]
struct Known {
    zone: ZoneFile,
    /// What the files looked like that it was read from.
    stamps: BTreeMap<PathBuf, Option<Stamp>>,
    /// It is not served as the files have it: then they are read every time, since what is wrong may lie in a file that
    /// could not even be opened, and whoever asks for a reload wants to hear that it did not come about.
    failed: bool,
}

/// What tells that a file has changed: writers of zone files change at least one of these.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    octets: u64,
    #[cfg(unix)]
    inode: u64,
}

/// What one [`ZoneFiles::sync`] has done.
#[derive(Debug, Default)]
pub struct SyncReport {
    /// Zones that were read and are served now.
    pub loaded: Vec<Name>,
    /// Zones whose files have not changed.
    pub unchanged: usize,
    /// Zones that are no longer there.
    pub dropped: Vec<Name>,
    /// Zones that could not be read. What was served before is still served; where there was nothing, SERVFAIL is.
    pub failed: Vec<(Name, SyncError)>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
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
        Self { store, known: BTreeMap::new() }
    }

    /// Serves exactly these zones: reads those that are new or whose files have changed, and drops those that are not
    /// among them any more. One that cannot be read changes nothing but itself.
    pub fn sync(&mut self, zones: Vec<ZoneFile>) -> SyncReport {
        let mut report = SyncReport::default();
        let wanted: BTreeSet<&Name> = zones.iter().map(|zone| &zone.apex).collect();
        let gone: Vec<Name> = self.known.keys().filter(|apex| !wanted.contains(apex)).cloned().collect();
        for apex in gone {
            if let Some(known) = self.known.remove(&apex) {
                // That it is not there any more is what was wanted.
                let _ = self.store.drop_zone(&source(&known.zone.path), &apex);
            }
            report.dropped.push(apex);
        }
        for zone in zones {
            let known = self.known.get(&zone.apex);
            if known.is_some_and(|known| known.zone == zone && !known.has_changed()) {
                report.unchanged += 1;
                continue;
            }
            self.load(zone, &mut report);
        }
        report
    }

    /// As [`zones_in_folder`], but files that have been read already and have not changed since are not opened.
    pub fn zones_in_folder(&self, folder: &Path) -> Result<(Vec<ZoneFile>, Vec<LoadError>), LoadError> {
        let known: BTreeMap<&Path, &Known> =
            self.known.values().map(|known| (known.zone.path.as_path(), known)).collect();
        zones_by(folder, |path| match known.get(path) {
            Some(known) if !known.has_changed() => Ok(known.zone.apex.clone()),
            _ => find_apex(path),
        })
    }

    /// The files that were read, or should have been.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.known
            .values()
            .flat_map(|known| known.stamps.keys().map(PathBuf::as_path).chain([known.zone.path.as_path()]))
    }

    fn load(&mut self, zone: ZoneFile, report: &mut SyncReport) {
        // Taken before reading: what changes meanwhile is read again next time.
        let stamp = Stamp::of(&zone.path);
        let source = source(&zone.path);
        let mut stamps: BTreeMap<_, _> = [(zone.path.clone(), stamp)].into();
        let put = load_zone(&zone.path, &zone.apex).map_err(SyncError::from).and_then(|loaded| {
            for file in &loaded.files {
                stamps.entry(file.clone()).or_insert_with(|| Stamp::of(file));
            }
            report.warnings.extend(loaded.warnings);
            let put = self.store.put_zone(&source, loaded.built, zone.options);
            put.map_err(|error| SyncError::Store { path: zone.path.clone(), error })
        });
        let failed = put.is_err();
        match put {
            Ok(_) => report.loaded.push(zone.apex.clone()),
            Err(error) => {
                // What it was made of when it could be read is still worth watching.
                for file in self.known.get(&zone.apex).iter().flat_map(|known| known.stamps.keys()) {
                    stamps.entry(file.clone()).or_insert_with(|| Stamp::of(file));
                }
                let catalog = self.store.snapshot();
                let entry = catalog.default_view().and_then(|view| view.zone(&zone.apex));
                let is_served =
                    entry.is_some_and(|entry| !entry.derived) && entry.and_then(ZoneEntry::zone).is_some();
                if !is_served {
                    // Names of the zone must not be answered as if nobody had declared it.
                    let _ = self.store.fail_zone(&source, zone.apex.clone(), error.to_string(), zone.options);
                }
                report.failed.push((zone.apex.clone(), error));
            }
        }
        self.known.insert(zone.apex.clone(), Known { zone, stamps, failed });
    }
}

impl Known {
    fn has_changed(&self) -> bool {
        self.failed || self.stamps.iter().any(|(path, stamp)| Stamp::of(path) != *stamp)
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            modified: metadata.modified().ok(),
            octets: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

fn source(path: &Path) -> Source {
    Source::File(path.display().to_string())
}

/// The zones in the `*.zone` files of a folder, by name of the file; those whose apex cannot be told are errors.
pub fn zones_in_folder(folder: &Path) -> Result<(Vec<ZoneFile>, Vec<LoadError>), LoadError> {
    zones_by(folder, find_apex)
}

fn zones_by(
    folder: &Path,
    apex_of: impl Fn(&Path) -> Result<Name, LoadError>,
) -> Result<(Vec<ZoneFile>, Vec<LoadError>), LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.extension().is_some_and(|extension| extension == "zone") && !is_hidden {
            paths.push(path);
        }
    }
    paths.sort();
    let mut zones: Vec<ZoneFile> = Vec::new();
    let mut errors = Vec::new();
    for path in paths {
        match apex_of(&path) {
            Ok(apex) => match zones.iter().find(|zone| zone.apex == apex) {
                Some(other) => {
                    let message =
                        format!("{}: the zone {apex} is in {} already", path.display(), other.path.display());
                    errors.push(LoadError::Content { messages: vec![message] });
                }
                None => zones.push(ZoneFile { apex, path, options: ZoneOptions::default() }),
            },
            Err(error) => errors.push(error),
        }
    }
    Ok((zones, errors))
}

#[cfg(test)]
mod tests {
    use dns_core::RecordType;
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
}
