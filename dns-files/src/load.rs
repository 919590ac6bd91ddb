//! From a file to a zone.

use std::fs;
use std::path::{Path, PathBuf};

use dns_core::zone::{Built, Place, SourceTag, ZoneBuilder};
use dns_core::zonefile::{self, Report};
use dns_core::{Name, RecordType};
use thiserror::Error;

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
    let octets = read(path)?;
    load(&path.display().to_string(), Some(path), &octets, apex)
}

/// Makes a zone of the text of a zone file, which cannot include others.
pub fn load_text(label: &str, text: &str, apex: &Name) -> Result<Loaded, LoadError> {
    load(label, None, text.as_bytes(), apex)
}

/// The owner of the first SOA record of a zone file; relative names are completed with the file's name less `.zone`.
pub fn find_apex(path: &Path) -> Result<Name, LoadError> {
    let octets = read(path)?;
    let origin: Option<Name> =
        path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
    // It nearly always stands at the beginning, and a large file takes a while to read.
    let beginning = octets[..octets.len().min(BEGINNING_OCTETS)].iter().rposition(|&octet| octet == b'\n');
    let apex = beginning
        .and_then(|end| soa_owner(path, &octets[..=end], origin.as_ref()))
        .or_else(|| soa_owner(path, &octets, origin.as_ref()));
    // Without a SOA record loading will fail, and say so; the name of the file is the best name for that zone.
    apex.or(origin).ok_or_else(|| {
        let message = format!("{}: has no SOA record, and its name is no zone's either", path.display());
        LoadError::Content { messages: vec![message] }
    })
}

/// The owner of the first SOA record, whatever else is wrong with the file.
fn soa_owner(path: &Path, octets: &[u8], origin: Option<&Name>) -> Option<Name> {
    let mut apex = None;
    let options = zonefile::Options { origin: origin.cloned(), ..zonefile::Options::default() };
    let mut include = confined_include(Some(path));
    zonefile::read(&path.display().to_string(), octets, &options, &mut include, |record| {
        if record.rtype == RecordType::SOA && apex.is_none() {
            apex = Name::from_wire(record.owner).ok();
        }
    });
    apex
}

/// Part of a zone file in which its SOA record is looked for first, in octets.
const BEGINNING_OCTETS: usize = 1 << 14;

fn load(label: &str, path: Option<&Path>, octets: &[u8], apex: &Name) -> Result<Loaded, LoadError> {
    let options = zonefile::Options { origin: Some(apex.clone()), ..zonefile::Options::default() };
    let mut builder = ZoneBuilder::new(apex.clone());
    let mut include = confined_include(path);
    let report = zonefile::read(label, octets, &options, &mut include, |record| {
        let place = Place { file: record.file, line: record.position.line };
        builder.add(record.owner, record.rtype, record.ttl, record.rdata, SourceTag::default(), place);
    });
    let mut messages: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    if report.errors_omitted > 0 {
        messages.push(format!("{label}: {} more errors are not listed", report.errors_omitted));
    }
    let mut warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
    let at = |fault: &dns_core::zone::ZoneFault| match fault.place.line {
        0 => format!("{label}: {fault}"),
        line => format!("{}:{line}: {fault}", file_label(&report, fault.place.file, label)),
    };
    match builder.finish() {
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

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(LoadError::NoFile { path: path.to_owned(), what: "folder" });
    }
    // Reading a pipe or a device might never end.
    if !metadata.is_file() {
        return Err(LoadError::NoFile { path: path.to_owned(), what: "pipe, socket or device" });
    }
    let octets = fs::read(path).map_err(unreadable)?;
    if octets.is_empty() {
        return Err(LoadError::Empty(path.to_owned()));
    }
    Ok(octets)
}

/// Opens included files relative to the file that includes them, and only below the folder of the zone file.
fn confined_include(
    zone_file: Option<&Path>,
) -> impl FnMut(&str, &str) -> Result<(String, Vec<u8>), String> + 'static {
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
        // Compared as they really are, so that neither `..` nor a link leads out.
        if !real(&resolved)?.starts_with(real(folder)?) {
            return Err(format!("{} is outside the folder of the zone file", resolved.display()));
        }
        let octets = read(&resolved).map_err(|error| error.to_string())?;
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

    #[test]
    fn the_apex_is_where_the_soa_record_is() {
        let folder = folder(&[
            ("a.zone", &format!("$ORIGIN example.net.\n{APEX}")),
            ("example.org.zone", APEX),
            ("nothing.example.zone", "www 300 A 192.0.2.1\n"),
            // Behind the part that is looked at first, and across its end.
            (
                "late.zone",
                &format!("{}$ORIGIN example.com.\n{APEX}", "; a remark\n".repeat(BEGINNING_OCTETS)),
            ),
            (
                "long.zone",
                &format!(
                    "example.net. 300 SOA ns hostmaster (\n{} 1 2 3 4 5 )\n",
                    ";\n".repeat(BEGINNING_OCTETS)
                ),
            ),
        ]);
        let apex = |name: &str| find_apex(&folder.path().join(name)).unwrap().to_string();
        assert_eq!(apex("a.zone"), "example.net.");
        assert_eq!(apex("example.org.zone"), "example.org.");
        assert_eq!(apex("nothing.example.zone"), "nothing.example.");
        assert_eq!(apex("late.zone"), "example.com.");
        assert_eq!(apex("long.zone"), "example.net.");
    }
}
