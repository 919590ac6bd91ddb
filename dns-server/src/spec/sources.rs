//! The files that a configuration is made of.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{ConfigErrors, Place};
use super::tree;
use super::value::shown_path;

/// Most files that a configuration reads, so that a pattern that fits a whole disk ends soon.
const FILES_MAX: usize = 1000;

/// Where further files come from.
pub(super) trait Files {
    /// The octets of a file, of which at most this many are wanted; one more tells that there are more.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, String>;

    /// The files whose paths fit a pattern, in the order of their paths.
    fn matching(&self, pattern: &str) -> Result<Vec<PathBuf>, String>;

    /// What tells that two paths lead to one file.
    fn identity(&self, path: &Path) -> PathBuf;
}

/// The files of the system.
pub(super) struct Disk;

/// No files at all: a text stands on its own.
pub(super) struct NoFiles;

impl Files for Disk {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, String> {
        let mut octets = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut octets))
            .map_err(|error| format!("cannot be read: {error}"))?;
        Ok(octets)
    }

    fn matching(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let paths = glob::glob_with(pattern, options).map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        for path in paths {
            let path = path.map_err(|error| error.to_string())?;
            if !path.is_dir() {
                found.push(path);
            }
            if found.len() > FILES_MAX {
                break;
            }
        }
        Ok(found)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}

impl Files for NoFiles {
    fn read(&self, _: &Path, _: u64) -> Result<Vec<u8>, String> {
        Err("cannot be read: a configuration that is no file itself reads no others".to_owned())
    }

    fn matching(&self, _: &str) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// What has been read, and where relative paths begin.
pub(super) struct Sources<'a> {
    pub files: &'a dyn Files,
    /// Files that were read or will be, the configuration file itself apart.
    pub named: Vec<PathBuf>,
    /// Folders in which more files may appear that patterns fit.
    pub folders: Vec<PathBuf>,
    /// Folder of the configuration file.
    base: PathBuf,
    /// Folders of the files that it includes.
    bases: HashMap<Arc<str>, PathBuf>,
    octets_left: u64,
}

impl<'a> Sources<'a> {
    /// Nothing is read but `octets` of the configuration file.
    pub fn new(files: &'a dyn Files, name: &str, octets: usize) -> Self {
        Self {
            files,
            named: Vec::new(),
            folders: Vec::new(),
            base: folder_of(Path::new(name)),
            bases: HashMap::new(),
            octets_left: (tree::OCTETS_MAX as u64).saturating_sub(octets as u64),
        }
    }

    /// The folder at which paths that are given at a place begin: that of the file in which they stand.
    pub fn base(&self, place: &Place) -> &Path {
        // What variables say begins where the configuration file lies.
        self.bases.get(&place.source).unwrap_or(&self.base)
    }

    /// Reads a text that the configuration names.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the path.
    pub fn read(&mut self, path: &Path) -> Result<String, String> {
        self.named.push(path.to_owned());
        if self.named.len() > FILES_MAX {
            return Err(format!("is one of more than {FILES_MAX} files"));
        }
        let octets = self.files.read(path, self.octets_left)?;
        let Some(left) = self.octets_left.checked_sub(octets.len() as u64) else {
            return Err(format!(
                "and the other files of the configuration are larger than {} octets",
                tree::OCTETS_MAX
            ));
        };
        self.octets_left = left;
        text(octets)
    }

    /// Reads a file whose values are part of the configuration.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_included(&mut self, path: &Path) -> Result<(Arc<str>, String), String> {
        let text = self.read(path)?;
        let source: Arc<str> = shown_path(path).into();
        self.bases.insert(source.clone(), folder_of(path));
        Ok((source, text))
    }
}

/// Reads the configuration file itself, whatever it grows to meanwhile.
pub(super) fn read_main(path: &Path, name: &str) -> Result<String, ConfigErrors> {
    let limit = tree::OCTETS_MAX as u64;
    let octets = Disk.read(path, limit).and_then(|octets| {
        if octets.len() as u64 > limit { Err(format!("is larger than {limit} octets")) } else { Ok(octets) }
    });
    octets.and_then(text).map_err(|problem| ConfigErrors::whole(name, problem))
}

fn text(octets: Vec<u8>) -> Result<String, String> {
    String::from_utf8(octets).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|octet| *octet == b'\n').count();
        format!("is not UTF-8 text: bad octet in line {line}")
    })
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// The lines of a list, each with its number, without remarks and blanks around.
pub(super) fn list_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let bare = |line: &'_ str| line.split('#').next().map_or(0, str::len);
    text.lines()
        .enumerate()
        .map(move |(index, line)| (index + 1, line[..bare(line)].trim()))
        .filter(|(_, line)| !line.is_empty())
}
