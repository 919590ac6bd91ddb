//! The token with which everything begins.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thiserror::Error;

use super::authenticator::{Authenticator, TokensError};
use super::grant::{Access, Grant};
use super::token::{Presented, Secret, Token};

/// Far more than a token has.
const FILE_OCTETS_MAX: u64 = 4096;
/// What files are called until they are whole, with the identity of their token behind it.
const FRESH: &str = ".admin-token-";
/// How long such a file may be on its way.
const LEFTOVER_AGE: Duration = Duration::from_hours(24);

/// Whether there is a token for whoever may read a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AdminToken {
    /// It was made just now, and the file has it.
    New,
    /// The file has a valid one.
    Kept,
    /// There are others with admin access, so none was made: the file is gone, or its token was revoked.
    Elsewhere,
}

/// Why there is no such token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdminTokenError {
    /// A link might lead anywhere, and a device is no place for a secret.
    #[error("{} is not a file of its own", path.display())]
    NotAFile {
        /// What is wrong.
        path: PathBuf,
    },
    /// Whoever could read it may have.
    #[error("anybody can read or change {}: revoke the token in it, then remove the file", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
    },
    /// It may be of worth to somebody.
    #[error("{} holds something else than a token; remove it if nobody needs it", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The system does not let it be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system does not let it be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The token could not be made or kept.
    #[error(transparent)]
    Tokens(#[from] TokensError),
}

/// Sees to it that somebody has admin access: makes a token called `admin` and writes it to a file that only its owner can read,
/// unless there is a token with admin access that has not expired. Waits for the disk.
///
/// # Errors
/// The file cannot be written, or what stands there is better left alone. No token was made then.
pub fn admin_token_file(path: &Path, authenticator: &Authenticator) -> Result<AdminToken, AdminTokenError> {
    let now = SystemTime::now();
    forget_leftovers(folder_of(path), authenticator, now);
    let is_admin = |token: &Token| token.is_admin() && !token.is_expired(now);
    if let Some(presented) = shown_in(path)?
        && let Some(listed) = authenticator.find(presented.id())
        && listed.token.is_proven_by(&presented)
        && is_admin(&listed.token)
    {
        return Ok(AdminToken::Kept);
    }
    if authenticator.list().iter().any(|listed| is_admin(&listed.token)) {
        return Ok(AdminToken::Elsewhere);
    }
    let grants = vec![Grant::unlimited(Access::Admin)];
    let (token, secret) = Token::make("admin", grants, now, None).map_err(TokensError::from)?;
    // The file comes first: a crash between the two leaves a file that proves nothing, which the next start replaces. The other
    // way round it would leave a token that nobody has.
    write(path, &token, &secret)
        .map_err(|source| AdminTokenError::Write { path: path.to_owned(), source })?;
    authenticator.keep(Arc::new(token))?;
    Ok(AdminToken::New)
}

/// The token in the file, if there is a file.
fn shown_in(path: &Path) -> Result<Option<Presented>, AdminTokenError> {
    let failed = |source| AdminTokenError::Read { path: path.to_owned(), source };
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // ELOOP is what O_NOFOLLOW gives for a link.
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(AdminTokenError::NotAFile { path: path.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(AdminTokenError::NotAFile { path: path.to_owned() });
    }
    if metadata.mode() & 0o007 != 0 {
        return Err(AdminTokenError::Readable { path: path.to_owned() });
    }
    // Volumes that are mounted for a group open all their files to it, whatever we have made of them.
    if metadata.mode() & 0o070 != 0 {
        tracing::warn!(path = %path.display(), "the group of this file has a token for everything");
    }
    let mut octets = Vec::new();
    file.take(FILE_OCTETS_MAX).read_to_end(&mut octets).map_err(failed)?;
    let presented = std::str::from_utf8(&octets).ok().and_then(|text| text.trim_end().parse().ok());
    presented.map(Some).ok_or_else(|| AdminTokenError::Foreign { path: path.to_owned() })
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Removes what crashes have left of earlier attempts: files with tokens that were never kept, and prove nothing. What is wrong
/// with them, or with the folder, is told by others.
fn forget_leftovers(folder: &Path, authenticator: &Authenticator, now: SystemTime) {
    let is_leftover = |entry: &DirEntry| {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix(FRESH)).and_then(|id| id.parse().ok());
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file);
        // Another server may be about to make its own here.
        let age = metadata.and_then(|metadata| now.duration_since(metadata.modified().ok()?).ok());
        id.is_some_and(|id| authenticator.find(id).is_none()) && age.is_some_and(|age| age > LEFTOVER_AGE)
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(is_leftover) {
        let path = entry.path();
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!(path = %path.display(), "what a crash has left was removed"),
            Err(error) => tracing::warn!(path = %path.display(), %error, "what a crash has left stays"),
        }
    }
}

/// Writes the file as a whole or not at all; it is on disk afterwards.
fn write(path: &Path, token: &Token, secret: &Secret) -> io::Result<()> {
    let folder = folder_of(path);
    // Nobody else can have a file of this name, and no link is followed to make it.
    let fresh = folder.join(format!("{FRESH}{}", token.id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        writeln!(file, "{}", secret.reveal())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // It may not be there; that it cannot be removed is nothing anybody could help.
        let _ = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::super::store::{MemoryTokens, TokenStore};
    use super::*;
    use crate::rate::ApiLimits;

    fn open(store: &Arc<MemoryTokens>) -> Authenticator {
        Authenticator::open(store.clone(), ApiLimits::default()).unwrap()
    }

    fn login(authenticator: &Authenticator, path: &Path) -> bool {
        let text = fs::read_to_string(path).unwrap();
        let caller = authenticator.login(text.trim_end(), "127.0.0.1".parse().unwrap());
        caller.is_ok_and(|caller| caller.is_admin() && &**caller.token().name() == "admin")
    }

    #[test]
    fn the_first_start_makes_a_token_and_later_ones_keep_it() {
        let (folder, store) = (TempDir::new().unwrap(), Arc::new(MemoryTokens::default()));
        let path = folder.path().join("admin-token");
        let first = open(&store);
        assert_eq!(admin_token_file(&path, &first).unwrap(), AdminToken::New);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(login(&first, &path));
        let text = fs::read(&path).unwrap();

        let second = open(&store);
        assert_eq!(admin_token_file(&path, &second).unwrap(), AdminToken::Kept);
        assert_eq!(fs::read(&path).unwrap(), text);
        assert_eq!(second.list().len(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
    }

    #[test]
    fn what_a_crash_has_left_is_removed_after_a_day() {
        let (folder, store) = (TempDir::new().unwrap(), Arc::new(MemoryTokens::default()));
        let authenticator = open(&store);
        let path = folder.path().join("admin-token");
        assert_eq!(admin_token_file(&path, &authenticator).unwrap(), AdminToken::New);
        let kept = authenticator.list()[0].token.id();
        let old = SystemTime::now() - LEFTOVER_AGE - Duration::from_mins(1);
        let known = format!("{FRESH}{kept}");
        for (name, modified) in [
            (".admin-token-00000001", old),
            (".admin-token-00000002", SystemTime::now()),
            (".admin-token-00000003.txt", old),
            ("admin-token-00000004", old),
            (&known, old),
        ] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(modified).unwrap();
        }
        let link = folder.path().join(".admin-token-00000005");
        symlink(folder.path().join(".admin-token-00000001"), &link).unwrap();
        assert_eq!(admin_token_file(&path, &authenticator).unwrap(), AdminToken::Kept);
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        let mut expected = vec![
            ".admin-token-00000002".to_owned(),
            ".admin-token-00000003.txt".to_owned(),
            ".admin-token-00000005".to_owned(),
            "admin-token".to_owned(),
            "admin-token-00000004".to_owned(),
            known,
        ];
        expected.sort();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_token_that_proves_nothing_is_replaced_unless_there_are_others() {
        let (folder, store) = (TempDir::new().unwrap(), Arc::new(MemoryTokens::default()));
        let path = folder.path().join("admin-token");
        let authenticator = open(&store);
        admin_token_file(&path, &authenticator).unwrap();
        let text = fs::read(&path).unwrap();
        let admin = authenticator.list()[0].token.id();
        let grants = |access| vec![Grant::unlimited(access)];
        let (other, _) = authenticator.create("other", grants(Access::Admin), None).unwrap();
        authenticator.create("ci", grants(Access::Write), None).unwrap();
        authenticator.revoke(admin).unwrap();
        assert_eq!(admin_token_file(&path, &authenticator).unwrap(), AdminToken::Elsewhere);
        assert_eq!(fs::read(&path).unwrap(), text);

        authenticator.revoke(other.id()).unwrap();
        assert_eq!(admin_token_file(&path, &authenticator).unwrap(), AdminToken::New);
        assert!(login(&authenticator, &path));
        // Whoever takes the file away has the token still.
        fs::remove_file(&path).unwrap();
        assert_eq!(admin_token_file(&path, &authenticator).unwrap(), AdminToken::Elsewhere);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_for_a_group_is_still_the_token() {
        let (folder, store) = (TempDir::new().unwrap(), Arc::new(MemoryTokens::default()));
        let path = folder.path().join("admin-token");
        let authenticator = open(&store);
        admin_token_file(&path, &authenticator).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o660)).unwrap();
        assert_eq!(admin_token_file(&path, &authenticator).unwrap(), AdminToken::Kept);
    }

    #[test]
    fn what_is_no_safe_place_is_left_alone() {
        let folder = TempDir::new().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let place = |name: &str| folder.path().join(name);
        symlink(&victim, place("link")).unwrap();
        symlink(place("nowhere"), place("dangling")).unwrap();
        fs::create_dir(place("folder")).unwrap();
        fs::write(place("foreign"), "precious").unwrap();
        fs::set_permissions(place("foreign"), Permissions::from_mode(0o600)).unwrap();
        fs::write(place("open"), "").unwrap();
        fs::set_permissions(place("open"), Permissions::from_mode(0o644)).unwrap();
        for (name, expected) in [
            ("link", "link is not a file of its own"),
            ("dangling", "dangling is not a file of its own"),
            ("folder", "folder is not a file of its own"),
            ("foreign", "foreign holds something else than a token"),
            ("open", "anybody can read or change open"),
            ("missing/admin-token", "cannot write missing/admin-token"),
        ] {
            let store = Arc::new(MemoryTokens::default());
            let error = admin_token_file(&place(name), &open(&store)).unwrap_err().to_string();
            let error = error.replace(&format!("{}/", folder.path().display()), "");
            assert!(error.starts_with(expected), "{error}: {expected}");
            assert!(store.load().unwrap().is_empty(), "{name}");
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(!place("nowhere").exists());
    }
}
