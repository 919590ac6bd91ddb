//! From a file to a zone.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use dns_core::Name;
use dns_core::zone::{Built, Place, RecordBatch, SourceTag, ZoneBuilder};
use dns_core::zonefile::{self, Report, ZoneRecord};
use thiserror::Error;

use crate::disk::Disk;
use crate::spread::cores;

/// A zone that was read from a file.
pub struct Loaded {
    /// The zone; its own warnings are in `warnings` as well.
    pub built: Built,
    /// What somebody should look at, one sentence each with its place.
    pub warnings: Vec<String>,
    /// Every file that was read: the zone file and those it includes.
    pub files: Vec<PathBuf>,
}

/// Why a file is not served as a zone.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The path names something else than a file.
    #[error("{}: is a {what}, not a file", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// The file is empty.
    #[error("{}: is empty", .0.display())]
    Empty(PathBuf),
    /// The content makes no zone. Each message names its place.
    #[error("{}", messages.join("\n"))]
    Content {
        /// Every fault, in the order of their places.
        messages: Vec<String>,
    },
}

/// Reads a zone file. Files that it includes must lie in its folder, or below.
///
/// # Errors
/// The file cannot be read, or its content is no zone; then all faults are listed, not the first alone.
pub fn load_zone(path: &Path, apex: &Name) -> Result<Loaded, LoadError> {
    read_zone(path, apex, &mut Disk::default(), cores())
}

/// As [`load_zone`], on at most so many threads; what was read, or should have been, is remembered.
pub(crate) fn read_zone(
    path: &Path,
    apex: &Name,
    disk: &mut Disk,
    threads: NonZeroUsize,
) -> Result<Loaded, LoadError> {
    let octets = disk.read(path)?;
    load(&path.display().to_string(), Some(path), octets, apex, disk, threads)
}

/// Makes a zone of the text of a zone file, which cannot include others.
pub fn load_text(label: &str, text: &str, apex: &Name) -> Result<Loaded, LoadError> {
    load(label, None, text, apex, &mut Disk::default(), cores())
}

/// Frees the octets once they are read, before the zone is packed.
fn load(
    label: &str,
    path: Option<&Path>,
    octets: impl AsRef<[u8]>,
    apex: &Name,
    disk: &mut Disk,
    threads: NonZeroUsize,
) -> Result<Loaded, LoadError> {
    let options = zonefile::Options { origin: Some(apex.clone()), ..zonefile::Options::default() };
    let mut builder = ZoneBuilder::for_file_of(apex.clone(), octets.as_ref().len());
    let mut include = confined_include(path, disk);
    let add = |batch: &mut RecordBatch, record: ZoneRecord<'_>| {
        let place = Place { file: record.file, line: record.position.line };
        batch.add(record.owner, record.rtype, record.ttl, record.rdata, SourceTag::default(), place);
    };
    let batch = |octets| builder.batch(octets);
    let (report, batches) =
        zonefile::read_in_parts(label, octets.as_ref(), &options, &mut include, threads, batch, add);
    drop(octets);
    for batch in batches {
        builder.append(batch);
    }
    let mut messages: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    if report.errors_omitted > 0 {
        messages.push(format!("{label}: {} more errors are not listed", report.errors_omitted));
    }
    let mut warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let at = |fault: &dns_core::zone::ZoneFault| match fault.place.line {
        0 => format!("{label}: {fault}"),
        line => format!("{}:{line}: {fault}", file_label(&report, fault.place.file, label)),
    };
    match builder.finish_on(threads) {
        Ok(built) if messages.is_empty() => {
            warnings.extend(built.warnings.iter().map(at));
            let files = report.files.iter().map(|file| PathBuf::from(&**file)).collect();
            Ok(Loaded { built, warnings, files })
        }
        // Where records are missing because they could not be read, what is said of the rest may be wrong.
        Ok(_) => Err(LoadError::Content { messages }),
        Err(faults) => {
            if messages.is_empty() {
                messages.extend(faults.iter().filter(|fault| !fault.kind.is_warning()).map(at));
            }
            Err(LoadError::Content { messages })
        }
    }
}

fn file_label<'r>(report: &'r Report, file: u16, label: &'r str) -> &'r str {
    report.files.get(usize::from(file)).map_or(label, |file| file)
}

/// Opens included files relative to the file that includes them, and only below the folder of the zone file.
pub(crate) fn confined_include(
    zone_file: Option<&Path>,
    disk: &mut Disk,
) -> impl FnMut(&str, &str) -> Result<(String, Vec<u8>), String> {
    let folder = zone_file.map(|path| path.parent().unwrap_or(Path::new("")).to_owned());
    move |path, from| {
        let Some(folder) = &folder else {
            return Err("this zone has no folder to include files from".to_owned());
        };
        let resolved = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
        let real = |path: &Path| {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        // One that is missing is noted as well: it may come to be.
        disk.note(&resolved);
        // Compared as they really are, so that neither `..` nor a link leads out.
        if !real(&resolved)?.starts_with(real(folder)?) {
            return Err(format!("{} is outside the folder of the zone file", resolved.display()));
        }
        let octets = disk.read(&resolved).map_err(|error| error.to_string())?;
        Ok((resolved.display().to_string(), octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APEX: &str = "@ 300 SOA ns hostmaster 1 2 3 4 5\n@ 300 NS ns.example.net.\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn messages(folder: &tempfile::TempDir, name: &str) -> Vec<String> {
        let error = load_zone(&folder.path().join(name), &"example.org".parse().unwrap()).err().unwrap();
        let prefix = format!("{}/", folder.path().display());
        error.to_string().lines().map(|line| line.replace(&prefix, "")).collect()
    }

    #[test]
    fn includes_stay_in_the_folder_of_the_zone() {
        let folder = folder(&[
            ("zones/good.zone", &format!("{APEX}$INCLUDE more/hosts sub\n")),
            ("zones/more/hosts", "www 300 A 192.0.2.1\n$INCLUDE mail\n"),
            ("zones/more/mail", "mail 300 A 192.0.2.2\n"),
            ("zones/bad.zone", &format!("{APEX}$INCLUDE ../secret\n$INCLUDE none\n")),
            ("secret", "x 300 A 192.0.2.3\n"),
        ]);
        let apex: Name = "example.org".parse().unwrap();
        let loaded = load_zone(&folder.path().join("zones/good.zone"), &apex).unwrap();
        assert!(loaded.built.zone.node_of(&"www.sub.example.org".parse().unwrap()).is_some());
        assert!(loaded.built.zone.node_of(&"mail.sub.example.org".parse().unwrap()).is_some());
        assert_eq!(loaded.files.len(), 3);
        let messages = messages(&folder, "zones/bad.zone");
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(
            messages[0].starts_with("zones/bad.zone:3:") && messages[0].contains("outside the folder"),
            "{messages:?}"
        );
        assert!(
            messages[1].starts_with("zones/bad.zone:4:") && messages[1].contains("No such file"),
            "{messages:?}"
        );
    }

    /// Large enough for several threads, whose shares end in the midst of names that have several records.
    #[test]
    fn a_large_file_is_a_zone_and_its_faults_have_their_lines() {
        let mut hosts = String::new();
        for host in (0..10_000).chain(0..10_000) {
            let text = "h# 300 A 192.0.2.1\n 300 A 192.0.2.2\nx.y.h# 300 AAAA 2001:db8::1\n";
            hosts.push_str(&text.replace('#', &format!("{host}")));
        }
        let wrong = format!("{APEX}{hosts}h7 300 CNAME @\n");
        let folder = folder(&[("good.zone", &format!("{APEX}{hosts}")), ("wrong.zone", &wrong)]);
        let apex: Name = "example.org".parse().unwrap();
        for threads in [1, 3] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let read =
                |name: &str| read_zone(&folder.path().join(name), &apex, &mut Disk::default(), threads);
            let loaded = read("good.zone").unwrap();
            let zone = &loaded.built.zone;
            assert_eq!((zone.name_count(), zone.record_count()), (1 + 3 * 10_000, 2 + 3 * 10_000));
            // Each name comes twice: 30,000 records too many, of which 1,000 are listed.
            assert_eq!(loaded.warnings.len(), 1_001);
            let first = format!(
                "{}/good.zone:30003: h0.example.org. has the same A record twice",
                folder.path().display()
            );
            assert_eq!(loaded.warnings[0], first);
            let error = read("wrong.zone").err().unwrap().to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(
                error.ends_with("/wrong.zone:60003: h7.example.org. has a CNAME record beside A"),
                "{error}"
            );
        }
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let folder = folder(&[
            ("syntax.zone", &format!("{APEX}www 300 A 192.0.2\nwww 300 AA 192.0.2.1\n")),
            (
                "semantics.zone",
                &format!("{APEX}www 300 CNAME @\nwww 300 A 192.0.2.1\nexample.net. 300 A 192.0.2.1\n"),
            ),
            ("empty.zone", ""),
            ("folder.zone/x", ""),
        ]);
        let syntax = messages(&folder, "syntax.zone");
        assert_eq!(syntax.len(), 2, "{syntax:?}");
        assert!(
            syntax[0].starts_with("syntax.zone:3:") && syntax[1].starts_with("syntax.zone:4:"),
            "{syntax:?}"
        );
        assert_eq!(
            messages(&folder, "semantics.zone"),
            [
                "semantics.zone:3: www.example.org. has a CNAME record beside A",
                "semantics.zone:5: example.net. is not in the zone example.org.",
            ]
        );
        assert_eq!(messages(&folder, "empty.zone"), ["empty.zone: is empty"]);
        assert_eq!(messages(&folder, "folder.zone"), ["folder.zone: is a folder, not a file"]);
        assert!(
            messages(&folder, "missing.zone")[0].starts_with("missing.zone: cannot be read: No such file")
        );
    }
}
