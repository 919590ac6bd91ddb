//! Giving up rights, for good and on every thread.
//!
//! Ids, capabilities and `no_new_privs` belong to a thread, and new threads inherit them. So ids change while there is no
//! other thread, and only the right to bind low ports outlives that: binding happens on the main thread, and all others drop
//! the right as they begin. When everything is bound, the main thread drops it as well. Nothing brings it back: the
//! addresses to listen on change with a restart only.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;
use nix::sys::prctl::{set_keepcaps, set_no_new_privs};
use nix::unistd::{Uid, geteuid, setgroups, setresgid, setresuid};
use thiserror::Error;

use super::user::{Identity, UserError};

/// Why rights could not be given up. The server does not run then.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// Nobody knows whom to become.
    #[error("user: {0}")]
    User(#[from] UserError),
    /// Only root may become somebody else.
    #[error("user: only root can become another user, and this is the user with the number {0}")]
    NotRoot(Uid),
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the system says.
        source: Errno,
    },
    /// Capabilities could not be changed.
    #[error("capabilities cannot be dropped: {0}")]
    Capabilities(#[from] caps::errors::CapsError),
    /// A thread has rights that it should not have.
    #[error("thread {thread} still has rights that were to be given up: {line:?}")]
    Thread {
        /// Its number.
        thread: String,
        /// The line of its status that shows it.
        line: String,
    },
    /// The rights of threads cannot be seen.
    #[error("the rights of threads cannot be checked: {0}")]
    Status(io::Error),
    /// The folder cannot be made for the user.
    #[error("{} cannot be made for the user of the server: {source}", path.display())]
    Make {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What root puts there would be root's alone.
    #[error("{} belongs to root, and the server runs as {user}: restore as that user, or run chown {user} {}", path.display(), path.display())]
    OfRoot {
        /// The folder.
        path: PathBuf,
        /// The user of the server.
        user: String,
    },
}

/// Sees to it that the server can use what root is about to put into a folder: makes the folder, and those above it that are not
/// there, for the user whom the server becomes; returns those that it has made. Does nothing for others than root, or without a
/// user to become.
///
/// # Errors
/// There is no such user, or the folder cannot be made, or it is there and belongs to root.
pub fn provide_folder(path: &Path, user: Option<&str>) -> Result<Vec<PathBuf>, PrivilegeError> {
    let Some(user) = user.filter(|_| geteuid().is_root()) else { return Ok(Vec::new()) };
    let Identity { uid, gid, .. } = Identity::look_up(user)?;
    if let Ok(metadata) = fs::metadata(path) {
        let is_roots = metadata.uid() == 0;
        let of_root = || PrivilegeError::OfRoot { path: path.to_owned(), user: user.to_owned() };
        return if is_roots { Err(of_root()) } else { Ok(Vec::new()) };
    }
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && matches!(path.try_exists(), Ok(false));
    let missing = path.ancestors().take_while(is_missing).map(Path::to_owned);
    let mut missing: Vec<PathBuf> = missing.collect();
    missing.reverse();
    let failed = |folder: &PathBuf| {
        let path = folder.clone();
        move |source| PrivilegeError::Make { path, source }
    };
    for folder in &missing {
        DirBuilder::new().mode(0o700).create(folder).map_err(failed(folder))?;
    }
    // The deepest one first: whoever owns a folder can put something else into the place of what is in it.
    for folder in missing.iter().rev() {
        lchown(folder, Some(uid.as_raw()), Some(gid.as_raw())).map_err(failed(folder))?;
    }
    Ok(missing)
}

/// Becomes another user, `name` or `name:group`, if one is given; keeps no capability but the one to bind low ports, and
/// root's to read the files of others; never gets rights by executing a program. To be called before any other thread starts.
///
/// # Errors
/// There is no such user, or the system refuses: whoever is asked to give up rights and cannot must not go on.
pub fn become_user(user: Option<&str>) -> Result<(), PrivilegeError> {
    set_no_new_privs().map_err(system("no_new_privs cannot be set"))?;
    if let Some(user) = user {
        let identity = Identity::look_up(user)?;
        if geteuid().is_root() {
            change_ids(&identity)?;
            tracing::info!(user, uid = %identity.uid, gid = %identity.gid, "gave up the rights of root");
        } else if identity.uid != geteuid() {
            return Err(PrivilegeError::NotRoot(geteuid()));
        }
    } else if geteuid().is_root() {
        tracing::warn!(
            "running as root: name a user to become in the configuration, as in user: nobody; see docs/running.md"
        );
    }
    let mut kept = lasting();
    kept.insert(Capability::CAP_NET_BIND_SERVICE);
    keep(&kept)
}

/// Becomes whom a start would become, to see what that user sees; `false` if only root could, who may well be the one to start
/// the server.
///
/// # Errors
/// As [`become_user`], for root.
pub fn try_user(user: Option<&str>) -> Result<bool, PrivilegeError> {
    match become_user(user) {
        Ok(()) => Ok(true),
        Err(PrivilegeError::NotRoot(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Drops the capabilities of this thread that are not needed once everything is bound.
///
/// # Errors
/// The system refuses, which it does only if it forbids the call as such.
pub fn drop_capabilities() -> Result<(), PrivilegeError> {
    keep(&lasting())
}

/// Makes sure that every thread of the process is without the rights that were to be given up.
///
/// # Errors
/// Names the first one that is not.
pub fn check_threads() -> Result<(), PrivilegeError> {
    let mut checked = look_at_threads();
    for _ in 0..LOOKS {
        if checked.is_ok() {
            break;
        }
        // On a busy machine one may have been started and not have come as far as to drop anything.
        thread::sleep(BETWEEN_LOOKS);
        checked = look_at_threads();
    }
    checked
}

fn look_at_threads() -> Result<(), PrivilegeError> {
    let uid = geteuid();
    let allowed = lasting().iter().fold(0, |bits, capability| bits | capability.bitmask());
    for thread in fs::read_dir(TASKS).map_err(PrivilegeError::Status)? {
        let thread = thread.map_err(PrivilegeError::Status)?.file_name().to_string_lossy().into_owned();
        // One that has ended meanwhile has no rights.
        let Ok(status) = fs::read_to_string(format!("{TASKS}/{thread}/status")) else { continue };
        if let Some(line) = status.lines().find(|line| !is_harmless(line, uid, allowed)) {
            return Err(PrivilegeError::Thread { thread, line: line.to_owned() });
        }
    }
    Ok(())
}

/// A line of `/proc/self/task/*/status` says nothing of rights, or that there are none but those `allowed`.
fn is_harmless(line: &str, uid: Uid, allowed: u64) -> bool {
    let Some((key, value)) = line.split_once(':') else { return true };
    match key {
        "Uid" => value.split_ascii_whitespace().all(|other| other.parse() == Ok(uid.as_raw())),
        "NoNewPrivs" => value.trim() == "1",
        "CapPrm" | "CapEff" | "CapInh" | "CapAmb" => {
            u64::from_str_radix(value.trim(), 16).is_ok_and(|bits| bits & !allowed == 0)
        }
        _ => true,
    }
}

fn change_ids(identity: &Identity) -> Result<(), PrivilegeError> {
    let Identity { uid, gid, groups } = identity;
    // Without this the change of the user takes all capabilities, that for low ports included. It ends with the next `exec`.
    set_keepcaps(true).map_err(system("capabilities cannot be kept"))?;
    setgroups(groups).map_err(system("supplementary groups cannot be set"))?;
    setresgid(*gid, *gid, *gid).map_err(system("the group cannot be changed"))?;
    setresuid(*uid, *uid, *uid).map_err(system("the user cannot be changed"))?;
    set_keepcaps(false).map_err(system("capabilities cannot be let go"))
}

/// What is kept to the end. Root without a user to become reads the files of others, as before: they may be meant to be served.
fn lasting() -> CapsHashSet {
    if geteuid().is_root() {
        CapsHashSet::from([Capability::CAP_DAC_READ_SEARCH])
    } else {
        CapsHashSet::new()
    }
}

/// Keeps these capabilities as far as they are there, and no others. What is no longer permitted is not ambient either.
fn keep(kept: &CapsHashSet) -> Result<(), PrivilegeError> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = permitted.intersection(kept).copied().collect();
    // Effective ones must be permitted at any time.
    caps::set(None, CapSet::Effective, &CapsHashSet::new())?;
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    caps::set(None, CapSet::Permitted, &kept)?;
    caps::set(None, CapSet::Effective, &kept)?;
    Ok(())
}

fn system(what: &'static str) -> impl FnOnce(Errno) -> PrivilegeError {
    move |source| PrivilegeError::System { what, source }
}

/// A second and a half in all.
const LOOKS: usize = 150;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
const TASKS: &str = "/proc/self/task";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_show_in_the_status() {
        let uid = Uid::from_raw(1000);
        let is_harmless = |line: &str| is_harmless(line, uid, 0b100);
        for line in [
            "Name:\tdns-udp-0",
            "Uid:\t1000\t1000\t1000\t1000",
            "CapPrm:\t0000000000000004",
            "CapEff:\t0000000000000000",
            "CapBnd:\t000001ffffffffff",
            "NoNewPrivs:\t1",
            "",
        ] {
            assert!(is_harmless(line), "{line}");
        }
        for line in [
            "Uid:\t1000\t1000\t0\t1000",
            "CapPrm:\t0000000000000400",
            "CapAmb:\t0000000000000404",
            "CapEff:\tgarbage",
            "NoNewPrivs:\t0",
        ] {
            assert!(!is_harmless(line), "{line}");
        }
    }

    #[test]
    fn a_user_who_is_not_there_changes_nothing() {
        let error = become_user(Some("no such user")).unwrap_err().to_string();
        assert_eq!(error, r#"user: there is no user "no such user""#);
    }
}
