//! Why a folder cannot be used.

use std::io;
use std::path::PathBuf;

use dns_store::JournalError;
use thiserror::Error;

/// Why a data folder cannot be opened, made, backed up or restored. Each message names the path and says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Something else stands where the folder should be.
    #[error("{path} is not a folder; name another data folder, or move it away")]
    NotAFolder {
        /// What was named.
        path: PathBuf,
    },
    /// It does not exist and cannot be made.
    #[error("{path} cannot be made ({source}); make it, owned by the user of the server and with mode 0700")]
    Create {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing can be written to it.
    #[error(
        "{path} is not writable ({source}); give it to the user or a group of the server, on a disk that is mounted writable"
    )]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Everybody may write to it.
    #[error(
        "{path} has mode {mode:04o}, so that anybody could change what is in it; name a folder in it, which is made for the server alone, or take that away (chmod 0700)"
    )]
    Exposed {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Another process has it open.
    #[error("{path} is in use by {}; stop that, or name another data folder", process(*pid))]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Number of the process, where its lock tells.
        pid: Option<u32>,
    },
    /// It holds files, but no journal.
    #[error("{path} holds {found} but no journal, so it is not a data folder; name an empty one")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// The file is no journal.
    #[error("{path} is no journal of this server: {detail}; move it away, or name another data folder")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What gives it away.
        detail: String,
    },
    /// A newer version has written it.
    #[error("{path} has format {found}, and this version knows formats up to {known}; use a newer version")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest one known.
        known: u64,
    },
    /// It is a journal, but not all of it is there as it was written.
    #[error("{path} is damaged: {detail}; it has been left as it is, restore a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The folder has a journal, and nobody has said to replace it.
    #[error("{path} has a journal already; say that it shall be replaced, or name an empty folder")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The folder still has the journal that an earlier restore has replaced.
    #[error(
        "{path} is what an earlier restore has replaced, and this one would replace that; move it away, or delete it"
    )]
    Former {
        /// The file.
        path: PathBuf,
    },
    /// A copy of it is being made, and the disk need not have room for two.
    #[error("{path} is being copied for somebody else; try again once that is done")]
    Copying {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}

impl FolderError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
