//! Zones in the files of a folder.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use dns_core::{Name, RecordType, zonefile};
use dns_store::ZoneOptions;

use crate::disk::{Disk, Stamp};
use crate::load::{LoadError, confined_include};
use crate::set::ZoneFile;
use crate::spread::spread;

/// What the `*.zone` files of a folder are the zones of; remembers it from one look to the next.
///
/// Whoever has to know the zones before there is a store for them scans, and hands both on: the report to
/// [`ZoneFiles::sync`](crate::ZoneFiles::sync), and this to [`ZoneFiles::with_folder`](crate::ZoneFiles::with_folder).
#[derive(Debug, Default)]
pub struct ZoneFolder {
    folder: PathBuf,
    /// By name in the folder: there may be very many, and names are compared faster than paths.
    files: BTreeMap<OsString, KnownFile>,
}

/// What a folder holds.
#[derive(Debug, Default)]
pub struct FolderReport {
    /// The zones by name of the file; hidden files are left out.
    pub zones: Vec<ZoneFile>,
    /// What is wrong with the others, or with the folder itself.
    pub errors: Vec<LoadError>,
}

#[derive(Debug)]
struct KnownFile {
    apex: Name,
    /// What the file looked like when its apex was read; `None` if that has to be done again.
    stamp: Option<Stamp>,
}

/// Octets in which the SOA record is looked for before the whole file is read: it is the first record of most.
const HEAD_OCTETS: u64 = 1 << 16;

impl ZoneFolder {
    /// The zones of a folder without those that are `listed` elsewhere, by name or by file.
    ///
    /// A folder or a file that cannot be read now holds what it held before: a zone is gone when its file is. Another folder
    /// takes the place of the last one as soon as it can be read.
    pub fn scan(&mut self, folder: &Path, listed: &[ZoneFile]) -> FolderReport {
        let mut report = FolderReport::default();
        match zone_files(folder) {
            Ok(names) => {
                if self.folder != folder {
                    *self = Self { folder: folder.to_owned(), files: BTreeMap::new() };
                }
                let mut before = std::mem::take(&mut self.files);
                let found = names.into_iter().map(|name| (before.remove(&name), name)).collect();
                let look = |(known, name): (Option<KnownFile>, OsString)| {
                    (KnownFile::look(&folder.join(&name), known), name)
                };
                for (known, name) in spread(found, look) {
                    match known {
                        Ok(known) => drop(self.files.insert(name, known)),
                        Err(error) => report.errors.push(error),
                    }
                }
            }
            Err(error) => report.errors.push(error),
        }
        let listed_files: Vec<Stamp> = listed.iter().filter_map(|zone| Stamp::of(&zone.path)).collect();
        let mut taken: HashMap<&Name, Option<&OsStr>> =
            listed.iter().map(|zone| (&zone.apex, None)).collect();
        for (name, KnownFile { apex, .. }) in &self.files {
            let path = self.folder.join(name);
            let is_listed = !listed_files.is_empty()
                && Stamp::of(&path)
                    .is_some_and(|stamp| listed_files.iter().any(|other| stamp.is_same_file(other)));
            if is_listed {
                continue;
            }
            match taken.get(apex) {
                // A zone that is listed by name is served as it is listed.
                Some(None) => {}
                Some(Some(other)) => {
                    let message = format!(
                        "{}: the zone {apex} is in {} already",
                        path.display(),
                        self.folder.join(other).display()
                    );
                    report.errors.push(LoadError::Content { messages: vec![message] });
                }
                None => {
                    taken.insert(apex, Some(name));
                    let options = ZoneOptions::default();
                    report.zones.push(ZoneFile { apex: apex.clone(), path, options });
                }
            }
        }
        report
    }

    /// A file that may have changed is still that of the same zone; if it is none of this folder's, nothing has to be.
    /// Where this is not so, the folder has to be scanned.
    pub(crate) fn keeps_zone_of(&mut self, path: &Path) -> bool {
        let Some(name) = path.file_name().filter(|_| path.parent() == Some(&self.folder)) else {
            return true;
        };
        let Some(known) = self.files.get_mut(name) else { return !is_zone_file(name) };
        if !path.is_file() {
            return false;
        }
        let before = known.apex.clone();
        let known_before = KnownFile { apex: before.clone(), stamp: known.stamp.take() };
        match KnownFile::look(path, Some(known_before)) {
            Ok(now) if now.apex == before => {
                *known = now;
                true
            }
            // Without a stamp the scan looks again.
            _ => false,
        }
    }
}

impl KnownFile {
    fn look(path: &Path, known: Option<Self>) -> Result<Self, LoadError> {
        let stamp = Stamp::of(path);
        let known = match known {
            Some(known) if known.stamp.is_some() && known.stamp == stamp => return Ok(known),
            known => known.map(|known| known.apex),
        };
        match soa_owner(path) {
            Ok((Some(apex), lasts)) => {
                let stamp = stamp.filter(|stamp| lasts && !stamp.is_young());
                Ok(Self { apex, stamp })
            }
            // Without a SOA record loading will fail, and say so. The zone that the file was until now stays as it is.
            found => match known.or_else(|| name_of_file(path)) {
                Some(apex) => Ok(Self { apex, stamp: None }),
                None => Err(found.err().unwrap_or_else(|| no_apex(path))),
            },
        }
    }
}

/// The owner of the first SOA record of a zone file; relative names are completed with the file's name less `.zone`, which
/// stands in for a SOA record that is missing, too.
///
/// # Errors
/// The file cannot be read, or neither tells a name.
pub fn find_apex(path: &Path) -> Result<Name, LoadError> {
    let (apex, _) = soa_owner(path)?;
    apex.or_else(|| name_of_file(path)).ok_or_else(|| no_apex(path))
}

fn no_apex(path: &Path) -> LoadError {
    let message = format!("{}: has no SOA record, and its name is no zone's either", path.display());
    LoadError::Content { messages: vec![message] }
}

fn name_of_file(path: &Path) -> Option<Name> {
    path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok())
}

/// The owner of the first SOA record, and whether it stays the same as long as the file does.
fn soa_owner(path: &Path) -> Result<(Option<Name>, bool), LoadError> {
    // What is no file is told apart before it is opened: opening a pipe waits for somebody to write.
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
        && let Some(found) = soa_owner_in_head(path)
    {
        return Ok((Some(found.0), found.1));
    }
    let octets = Disk::default().read(path)?;
    Ok(soa_owner_in(path, &octets))
}

/// Reads the beginning only. Where it ends in the midst of a record, that record is an error and no more.
fn soa_owner_in_head(path: &Path) -> Option<(Name, bool)> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD_OCTETS).read_to_end(&mut head).ok()?;
    let end = head.iter().rposition(|octet| *octet == b'\n')? + 1;
    let (apex, lasts) = soa_owner_in(path, &head[..end]);
    Some((apex?, lasts))
}

fn soa_owner_in(path: &Path, octets: &[u8]) -> (Option<Name>, bool) {
    let options = zonefile::Options { origin: name_of_file(path), ..zonefile::Options::default() };
    let (mut apex, mut includes) = (None, false);
    let mut disk = Disk::default();
    let mut confined = confined_include(Some(path), &mut disk);
    let mut include = |file: &str, from: &str| {
        includes = true;
        confined(file, from)
    };
    zonefile::read(&path.display().to_string(), octets, &options, &mut include, |record| {
        if record.rtype == RecordType::SOA && apex.is_none() {
            apex = Name::from_wire(record.owner).ok();
        }
    });
    (apex, !includes)
}

/// Names of the zone files in a folder.
fn zone_files(folder: &Path) -> Result<Vec<OsString>, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if is_zone_file(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn is_zone_file(name: &OsStr) -> bool {
    let is_hidden = name.as_encoded_bytes().starts_with(b".");
    Path::new(name).extension().is_some_and(|extension| extension == "zone") && !is_hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    const APEX: &str = "@ 300 SOA ns hostmaster 1 2 3 4 5\n@ 300 NS ns.example.net.\n";

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[track_caller]
    fn expect(report: &FolderReport, zones: &[&str]) {
        let found: Vec<String> = report.zones.iter().map(|zone| zone.apex.to_string()).collect();
        assert_eq!(found, zones);
    }

    #[test]
    fn the_apex_is_where_the_soa_record_is() {
        let folder = tempfile::tempdir().unwrap();
        let apex = |name: &str, text: &str| find_apex(&write(folder.path(), name, text)).unwrap().to_string();
        assert_eq!(apex("a.zone", &format!("$ORIGIN example.net.\n{APEX}")), "example.net.");
        assert_eq!(apex("example.org.zone", APEX), "example.org.");
        assert_eq!(apex("nothing.example.zone", "www 300 A 192.0.2.1\n"), "nothing.example.");
        // Behind more than what is read at first, and across its end.
        let remark = "; remark\n".repeat(10_000);
        assert_eq!(apex("b.zone", &format!("$ORIGIN example.com.\n{remark}{APEX}")), "example.com.");
        let gap = " ".repeat(65_500);
        let soa = format!("$ORIGIN example.edu.\n@{gap}300 SOA ns hostmaster (\n1 2 3\n4 5 )\n");
        assert_eq!(apex("c.zone", &soa), "example.edu.");
    }

    #[test]
    fn only_zone_files_count_and_each_zone_once() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.example.zone", ".b.example.zone", "c.example.zone~", "d.example"] {
            write(root.path(), name, APEX);
        }
        write(root.path(), "e.zone", &format!("$ORIGIN a.example.\n{APEX}"));
        let listed = [
            ZoneFile {
                apex: "f.example".parse().unwrap(),
                path: "f".into(),
                options: ZoneOptions::default(),
            },
            ZoneFile {
                apex: "other.example".parse().unwrap(),
                path: write(root.path(), "g.example.zone", APEX),
                options: ZoneOptions::default(),
            },
        ];
        write(root.path(), "f.example.zone", APEX);
        let report = ZoneFolder::default().scan(root.path(), &listed);
        expect(&report, &["a.example."]);
        assert_eq!(report.errors.len(), 1);
        let message = report.errors[0].to_string();
        assert!(
            message.contains("e.zone: the zone a.example. is in ") && message.ends_with("already"),
            "{message}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_gone() {
        let root = tempfile::tempdir().unwrap();
        let path = write(root.path(), "x.zone", &format!("$ORIGIN example.net.\n{APEX}"));
        let mut folder = ZoneFolder::default();
        expect(&folder.scan(root.path(), &[]), &["example.net."]);
        // A writer has just begun anew.
        fs::write(&path, "").unwrap();
        expect(&folder.scan(root.path(), &[]), &["example.net."]);
        fs::write(&path, format!("$ORIGIN example.com.\n{APEX}")).unwrap();
        expect(&folder.scan(root.path(), &[]), &["example.com."]);
        let moved = root.path().with_extension("moved");
        fs::rename(root.path(), &moved).unwrap();
        let report = folder.scan(root.path(), &[]);
        expect(&report, &["example.com."]);
        assert!(report.errors[0].to_string().contains("cannot be read"));
        fs::rename(&moved, root.path()).unwrap();
        let report = folder.scan(&moved, &[]);
        expect(&report, &["example.com."]);
        assert_eq!(report.errors.len(), 1, "the other folder is not there");
        fs::remove_file(&path).unwrap();
        expect(&folder.scan(root.path(), &[]), &[]);
    }

    #[test]
    fn a_file_that_has_not_changed_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = write(root.path(), "x.zone", &format!("$ORIGIN example.net.\n{APEX}"));
        // As a look long after the file was written would have left it; the name is none that the file tells.
        let known = KnownFile { apex: "example.edu".parse().unwrap(), stamp: Stamp::of(&path) };
        assert_eq!(KnownFile::look(&path, Some(known)).unwrap().apex.to_string(), "example.edu.");
    }
}
