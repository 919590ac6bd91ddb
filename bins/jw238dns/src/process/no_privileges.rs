//! Where the system is not Linux, rights are not given up, and whoever asks for that is told.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why rights could not be given up. The server does not run then.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// Somebody asked for it.
    #[error("user: becoming {0:?} is possible on Linux only: have the service manager do it")]
    Unavailable(String),
}

/// Refuses to become anybody else.
pub fn become_user(user: Option<&str>) -> Result<(), PrivilegeError> {
    user.map_or(Ok(()), |user| Err(PrivilegeError::Unavailable(user.to_owned())))
}

/// As a start would.
pub fn try_user(user: Option<&str>) -> Result<bool, PrivilegeError> {
    become_user(user).map(|()| true)
}

/// The server becomes nobody else, so what is made here is for it.
pub fn provide_folder(_: &Path, _: Option<&str>) -> Result<Vec<PathBuf>, PrivilegeError> {
    Ok(Vec::new())
}

/// There are none.
pub fn drop_capabilities() -> Result<(), PrivilegeError> {
    Ok(())
}

/// There is nothing to check.
pub fn check_threads() -> Result<(), PrivilegeError> {
    Ok(())
}
