//! What events tell of files.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// What may have changed; see [`Watcher::take_touched`](crate::Watcher::take_touched).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Touched {
    /// These files and no others, as they were named to the watcher.
    Files(BTreeSet<PathBuf>),
    /// Nobody knows what: a link leads elsewhere, a file is new, events were lost.
    Anything,
}

impl Default for Touched {
    /// Nothing.
    fn default() -> Self {
        Self::Files(BTreeSet::new())
    }
}

impl Touched {
    /// Adds files; too many of them are anything, since looking at all is cheaper then.
    pub(crate) fn add<'p>(&mut self, paths: impl IntoIterator<Item = &'p PathBuf>) {
        if let Self::Files(files) = self {
            files.extend(paths.into_iter().cloned());
            if files.len() > FILES_MAX {
                *self = Self::Anything;
            }
        }
    }
}

/// Files that are worth being told one by one.
const FILES_MAX: usize = 1000;
