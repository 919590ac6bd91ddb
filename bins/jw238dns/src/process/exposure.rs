//! Refusing a configuration that anybody on this machine may rewrite.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use thiserror::Error;

/// A file that decides what the server does can be written, or replaced, by every user.
#[derive(Debug, Error)]
#[error(
    "{} ({what}) can be written by every user of this machine, who could make the server do anything: run chmod o-w {}",
    path.display(),
    quoted(path)
)]
pub struct Exposed {
    /// The file or the folder.
    path: PathBuf,
    /// What it is to the configuration.
    what: &'static str,
}

/// Refuses files that are writable for everybody, or that stand below such a folder, as they are named and where links lead.
/// All folders count up to the root: whoever may write one may rename what is in it, and put something else in its place.
///
/// Two kinds of folders pass although their mode has the bit: sticky ones such as /tmp, in which nobody replaces the files of
/// others, and those on a file system that is mounted read-only, as the volumes of ConfigMaps are. What is not there is
/// not looked at: reading it tells that.
///
/// # Errors
/// The first of them in the order of their names.
pub fn check_config<'p>(files: impl IntoIterator<Item = &'p Path>) -> Result<(), Exposed> {
    let (mut places, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for file in files {
        places.extend(fs::canonicalize(file));
        let named = std::path::absolute(file).ok();
        places.extend(named.filter(|named| named.exists()));
    }
    for place in &places {
        let is_open = fs::metadata(place).is_ok_and(|file| file.mode() & WRITABLE_BY_ALL != 0);
        if is_open && !is_read_only(place) {
            return Err(Exposed { path: place.clone(), what: "read with the configuration" });
        }
        folders.extend(place.ancestors().skip(1));
    }
    for folder in folders {
        let is_open = fs::metadata(folder)
            .is_ok_and(|folder| folder.mode() & WRITABLE_BY_ALL != 0 && folder.mode() & STICKY == 0);
        if is_open && !is_read_only(folder) {
            let is_next = places.iter().any(|place| place.parent() == Some(folder));
            let what =
                if is_next { "the folder of the configuration" } else { "a folder above the configuration" };
            return Err(Exposed { path: folder.to_owned(), what });
        }
    }
    Ok(())
}

fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|system| system.flags().contains(FsFlags::ST_RDONLY))
}

/// As a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@:".contains(letter);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_everybody_may_write_is_refused_with_its_remedy() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("it's here");
        fs::create_dir(&folder).unwrap();
        let file = folder.join("config.yaml");
        fs::write(&file, "").unwrap();
        let link = root.path().join("link.yaml");
        symlink(&file, &link).unwrap();
        let check = |path: &Path| check_config([path]).map_err(|error| error.to_string());
        chmod(&file, 0o664);
        assert_eq!(check(&file), Ok(()), "a group is chosen by somebody");

        chmod(&file, 0o646);
        for path in [&file, &link] {
            let error = check(path).unwrap_err();
            assert!(error.contains("config.yaml (read with the configuration) can be written"), "{error}");
        }
        chmod(&file, 0o600);
        chmod(&folder, 0o777);
        for path in [&file, &link] {
            let error = check(path).unwrap_err();
            assert!(error.contains("the folder of the configuration"), "{error}");
            assert!(error.ends_with(r"it'\''s here'"), "{error}");
        }
        chmod(&folder, 0o1777);
        assert_eq!(check(&link), Ok(()), "in a sticky folder files stay whose they are");
        chmod(root.path(), 0o777);
        let error = check(&file).unwrap_err();
        assert!(error.contains("(a folder above the configuration)"), "its folder can be replaced: {error}");
        assert!(check(&link).unwrap_err().contains("chmod o-w /"), "the link can be replaced");
        assert_eq!(check(&root.path().join("none.yaml")), Ok(()));
    }

    #[test]
    fn folders_are_looked_at_up_to_the_root() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c/d");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("config.yaml");
        fs::write(&file, "").unwrap();
        // A link on the way, whose target stands below the open folder, too.
        let link = root.path().join("link");
        symlink(&folder, &link).unwrap();
        let check = |path: &Path| check_config([path]).map_err(|error| error.to_string());
        for open in ["a", "a/b", "a/b/c"] {
            let open = root.path().join(open);
            let mode = fs::metadata(&open).unwrap().mode();
            for path in [&file, &link.join("config.yaml")] {
                assert_eq!(check(path), Ok(()));
                chmod(&open, 0o777);
                let error = check(path).unwrap_err();
                assert!(error.ends_with(&format!("run chmod o-w {}", open.display())), "{error}");
                chmod(&open, 0o1777);
                assert_eq!(check(path), Ok(()), "a sticky folder keeps folders, too");
                chmod(&open, mode);
            }
        }
        // The link itself can be replaced, whatever it leads to.
        chmod(root.path(), 0o777);
        assert!(check(&link.join("config.yaml")).is_err());
    }
}
