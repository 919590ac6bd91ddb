//! The way to a file: what may change so that a path leads elsewhere.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links followed for one path; as many as Linux follows.
const LINKS_MAX: usize = 40;

/// The names at which a change can make `path` lead to something else: each link on the way, and its end. Where the way
/// breaks off, the end is the first name that is missing.
///
/// All are absolute, and the folder of each is real: it exists and no link leads to it.
pub(crate) fn trail(path: &Path) -> BTreeSet<PathBuf> {
    let mut names = BTreeSet::new();
    let Ok(absolute) = std::path::absolute(path) else { return names };
    let mut rest: VecDeque<OsString> = components(&absolute);
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(component) = rest.pop_front() {
        if component == ".." {
            at.pop();
            continue;
        }
        at.push(&component);
        if let Ok(target) = fs::read_link(&at) {
            names.insert(at.clone());
            links += 1;
            if links > LINKS_MAX {
                return names;
            }
            at.pop();
            // A link to an absolute path begins anew, which pushing its first component does.
            let mut target = components(&target);
            target.append(&mut rest);
            rest = target;
        } else if rest.is_empty() || !at.is_dir() {
            names.insert(at);
            return names;
        }
    }
    names.insert(at);
    names
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
        let expect = |path: &str, names: &[&str]| {
            let names: BTreeSet<PathBuf> = names.iter().map(|name| root.join(name)).collect();
            assert_eq!(trail(&root.join(path)), names, "{path}");
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
