//! The way to a file: what may change so that a path leads elsewhere.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links followed for one path; as many as Linux follows.
const LINKS_MAX: usize = 40;

/// The names at which a change can make a path lead to something else.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Trail {
    /// Each link on the way.
    pub links: BTreeSet<PathBuf>,
    /// Its end. Where the way breaks off, the first name that is missing; `None` where links lead in circles.
    pub end: Option<PathBuf>,
}

/// Trails of many paths, of which most are in the same folders.
#[derive(Debug, Default)]
pub(crate) struct Trails {
    /// What is known of folders: their links, and where they really are.
    folders: HashMap<PathBuf, Trail>,
}

impl Trails {
    /// The trail of a path. All names are absolute, and the folder of each is real: it exists and no link leads to it.
    pub fn follow(&mut self, path: &Path) -> Trail {
        let Ok(absolute) = std::path::absolute(path) else { return Trail::default() };
        // A path that ends in `..` has no name of its own.
        if let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) {
            if !self.folders.contains_key(parent) {
                self.folders.insert(parent.to_owned(), walk(parent));
            }
            let folder = &self.folders[parent];
            if let Some(real) = folder.end.as_ref().filter(|end| end.is_dir()) {
                let end = real.join(name);
                if fs::read_link(&end).is_err() {
                    return Trail { links: folder.links.clone(), end: Some(end) };
                }
            }
        }
        walk(&absolute)
    }
}

fn walk(absolute: &Path) -> Trail {
    let mut links = BTreeSet::new();
    let mut rest: VecDeque<OsString> = components(absolute);
    let mut at = PathBuf::new();
    let mut followed = 0;
    while let Some(component) = rest.pop_front() {
        if component == ".." {
            at.pop();
            continue;
        }
        at.push(&component);
        if let Ok(target) = fs::read_link(&at) {
            links.insert(at.clone());
            followed += 1;
            if followed > LINKS_MAX {
                return Trail { links, end: None };
            }
            at.pop();
            // A link to an absolute path begins anew, which pushing its first component does.
            let mut target = components(&target);
            target.append(&mut rest);
            rest = target;
        } else if rest.is_empty() || !at.is_dir() {
            break;
        }
    }
    Trail { links, end: Some(at) }
}

fn components(path: &Path) -> VecDeque<OsString> {
    let kept = path.components().filter(|component| !matches!(component, Component::CurDir));
    kept.map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_on_the_way_and_what_is_missing_belong_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let mut known = Trails::default();
        let mut expect = |path: &str, names: &[&str]| {
            let names: BTreeSet<PathBuf> = names.iter().map(|name| root.join(name)).collect();
            for trails in [&mut Trails::default(), &mut known] {
                let Trail { links, end } = trails.follow(&root.join(path));
                assert_eq!(links.into_iter().chain(end).collect::<BTreeSet<_>>(), names, "{path}");
            }
        };
        fs::create_dir_all(root.join("v1/deep")).unwrap();
        fs::write(root.join("v1/a.zone"), "").unwrap();
        symlink("v1", root.join("..data")).unwrap();
        symlink("..data/a.zone", root.join("a.zone")).unwrap();
        symlink(root.join("v1/deep/../a.zone"), root.join("b.zone")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        expect("v1/a.zone", &["v1/a.zone"]);
        expect("a.zone", &["a.zone", "..data", "v1/a.zone"]);
        expect("b.zone", &["b.zone", "v1/a.zone"]);
        expect("loop", &["loop"]);
        expect("none/of/these.zone", &["none"]);
        expect("..data/deep", &["..data", "v1/deep"]);
        expect("v1/a.zone/below", &["v1/a.zone"]);
    }
}
