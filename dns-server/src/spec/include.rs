//! `include`: further files, read as if their keys stood in the including one.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::fault::Place;
use super::reader::{Located, Reader};
use super::sources::Sources;
use super::tree::{self, Key, Kind, Node};
use super::value::{FilePattern, OneOrMany, shown, shown_path};

/// Longest chain of files that include one another.
const DEPTH_MAX: usize = 8;

const KEY: &str = "include";

type Entries = Vec<(Key, Node)>;

/// Puts the values of all included files into the tree of the configuration file named `name`.
///
/// Mappings merge; lists go on with the items of the included files, in the order in which these are named. What cannot be
/// merged stands in the tree twice, for the reader to object to. `instead` takes the place of what the file includes.
pub(super) fn expand(
    root: &mut Node,
    name: &str,
    instead: Option<Node>,
    sources: &mut Sources<'_>,
    reader: &mut Reader,
) {
    let Kind::Mapping(entries) = &mut root.kind else { return };
    let file = std::mem::take(entries);
    let identity = sources.files.identity(Path::new(name));
    let mut expansion = Expansion {
        sources,
        reader,
        known: HashMap::from([(identity.clone(), None)]),
        chain: vec![identity],
    };
    expansion.file(file, instead, entries);
}

struct Expansion<'e, 's> {
    sources: &'e mut Sources<'s>,
    reader: &'e mut Reader,
    /// Every file that was read, and where it is included; the configuration file is not.
    known: HashMap<PathBuf, Option<Place>>,
    /// The file that is being read, after those that lead to it.
    chain: Vec<PathBuf>,
}

impl Expansion<'_, '_> {
    /// Adds what a file says, then what the files say that it includes.
    fn file(&mut self, mut file: Entries, instead: Option<Node>, into: &mut Entries) {
        let includes = self.take_includes(&mut file, instead);
        merge(file, into, true);
        for pattern in includes {
            for path in self.paths(&pattern) {
                self.include(&path, &pattern, into);
            }
        }
    }

    /// Takes the key out of a file, as nobody else knows what to do with it.
    fn take_includes(&mut self, file: &mut Entries, instead: Option<Node>) -> Vec<Located<FilePattern>> {
        let mut given = file.extract_if(.., |(key, _)| key.text == KEY);
        let first = given.next();
        for (key, _) in given {
            let first = first.as_ref().map(|(key, _)| key.place.to_string()).unwrap_or_default();
            self.reader.fault_at(&key.place, KEY, format!("the key is already given at {first}"));
        }
        let Some(node) = instead.or_else(|| first.map(|(_, node)| node)).filter(|node| !node.is_nothing())
        else {
            return Vec::new();
        };
        self.reader.key::<OneOrMany<FilePattern>>(KEY, &node).map_or_else(Vec::new, |list| list.value.0)
    }

    /// The files that an item names. A pattern may fit none; a plain path is taken for a file that is there.
    fn paths(&mut self, item: &Located<FilePattern>) -> Vec<PathBuf> {
        let text = &item.value.0;
        let base = self.sources.base(&item.place);
        if !is_pattern(text) {
            return vec![base.join(text)];
        }
        let folder = Path::new(text).parent().unwrap_or(Path::new(""));
        let plain = folder.components().take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy()));
        let watched = base.join(plain.collect::<PathBuf>());
        let pattern = if Path::new(text).is_absolute() || base.as_os_str().is_empty() {
            text.clone()
        } else {
            format!("{}/{text}", glob::Pattern::escape(&base.to_string_lossy()))
        };
        self.sources.folders.push(if watched.as_os_str().is_empty() { ".".into() } else { watched });
        match self.sources.files.matching(&pattern) {
            Ok(paths) => paths,
            Err(error) => {
                self.reader.object(item, format!("{} fits no files: {error}", shown(text)));
                Vec::new()
            }
        }
    }

    fn include(&mut self, path: &Path, item: &Located<FilePattern>, into: &mut Entries) {
        let identity = self.sources.files.identity(path);
        let problem = if self.chain.contains(&identity) {
            Some(format!("{} would include itself", shown_path(path)))
        } else if let Some(Some(place)) = self.known.get(&identity) {
            Some(format!("{} is already included at {place}", shown_path(path)))
        } else if self.chain.len() > DEPTH_MAX {
            Some(format!(
                "{} is included by more than {DEPTH_MAX} files that include one another",
                shown_path(path)
            ))
        } else {
            None
        };
        if let Some(problem) = problem {
            self.reader.object(item, problem);
            return;
        }
        self.known.insert(identity.clone(), Some(item.place.clone()));
        let (source, text) = match self.sources.read_included(path) {
            Ok(read) => read,
            Err(problem) => {
                self.reader.object(item, format!("{} {problem}", shown_path(path)));
                return;
            }
        };
        let node = match tree::parse(&source, &text) {
            Ok(Some(node)) if !node.is_nothing() => node,
            Ok(_) => return,
            Err(finding) => {
                self.reader.errors.push(finding);
                return;
            }
        };
        let Node { place, kind: Kind::Mapping(entries) } = node else {
            let problem = format!("the file holds {}, a mapping of keys to values is expected", node.noun());
            self.reader.fault_at(&node.place, "", problem);
            return;
        };
        drop(place);
        self.chain.push(identity);
        self.file(entries, None, into);
        self.chain.pop();
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Adds the entries of one mapping to those of another.
fn merge(from: Entries, into: &mut Entries, top: bool) {
    let mut places: HashMap<String, usize> = HashMap::new();
    for (index, (key, _)) in into.iter().enumerate() {
        places.entry(key.text.clone()).or_insert(index);
    }
    let mut seen = HashSet::new();
    for (key, value) in from {
        // What a file says twice is a mistake of its own.
        let is_first = seen.insert(key.text.clone());
        let known = places.get(&key.text).filter(|_| is_first).map(|index| &mut into[*index]);
        let Some((known_key, known)) = known else {
            into.push((key, value));
            continue;
        };
        if value.is_nothing() {
            continue;
        }
        if known.is_nothing() {
            (*known_key, *known) = (key, value);
            continue;
        }
        match (&mut known.kind, value) {
            (Kind::List(known), Node { kind: Kind::List(items), .. }) => known.extend(items),
            (Kind::Mapping(known), Node { kind: Kind::Mapping(entries), .. }) => merge(entries, known, false),
            // Each file may say which version it is written for, if they agree.
            (Kind::Scalar { text: known, .. }, Node { kind: Kind::Scalar { text, .. }, .. })
                if top && key.text == "version" && *known == text => {}
            (_, value) => into.push((key, value)),
        }
    }
}
