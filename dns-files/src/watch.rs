//! Telling when files may have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use thiserror::Error;
use tokio::sync::watch;

/// Watches the folders of files. What comes of it is no more than a hint to look: editors and Kubernetes replace files in
/// many ways (a ConfigMap changes by the renaming of a link), so the folder is watched and the files are looked at anew.
pub struct Watcher {
    notify: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    changes: watch::Receiver<u64>,
}

/// A folder cannot be watched.
#[derive(Debug, Error)]
#[error("{}: cannot be watched: {source}", path.display())]
pub struct WatchError {
    /// The folder.
    pub path: PathBuf,
    /// What the system says.
    pub source: notify::Error,
}

impl Watcher {
    /// Watches nothing yet.
    pub fn new() -> Result<Self, notify::Error> {
        let (sender, changes) = watch::channel(0);
        let notify = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event, too; ours would never end.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                sender.send_modify(|count: &mut u64| *count = count.wrapping_add(1));
            }
        })?;
        Ok(Self { notify, folders: BTreeSet::new(), changes })
    }

    /// Watches the folders of these files and these folders, and no others. Folders that cannot be watched are returned;
    /// their files are only looked at when somebody asks.
    pub fn watch<'p>(
        &mut self,
        files: impl IntoIterator<Item = &'p Path>,
        folders: impl IntoIterator<Item = &'p Path>,
    ) -> Vec<WatchError> {
        let parents = files.into_iter().map(|file| match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        });
        let wanted: BTreeSet<PathBuf> = parents.chain(folders.into_iter().map(Path::to_owned)).collect();
        for gone in self.folders.difference(&wanted) {
            // A folder that has vanished is no longer watched anyway.
            let _ = self.notify.unwatch(gone);
        }
        let mut errors = Vec::new();
        let mut watched = BTreeSet::new();
        for folder in wanted {
            if self.folders.contains(&folder) {
                watched.insert(folder);
                continue;
            }
            match self.notify.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(watched.insert(folder)),
                Err(source) => errors.push(WatchError { path: folder, source }),
            }
        }
        self.folders = watched;
        errors
    }

    /// Returns once something may have changed since the last call; events that came meanwhile count as one.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The watcher owns the sender, so it outlives every call; waiting is right if it ever did not.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_configmap_update_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("v1")).unwrap();
        fs::write(root.join("v1/config.yaml"), "a").unwrap();
        std::os::unix::fs::symlink("v1", root.join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/config.yaml", root.join("config.yaml")).unwrap();
        let mut watcher = Watcher::new().unwrap();
        assert!(watcher.watch([root.join("config.yaml").as_path()], []).is_empty());
        // As the kubelet does it: a new folder, a new link, renamed over the old one.
        fs::create_dir(root.join("v2")).unwrap();
        fs::write(root.join("v2/config.yaml"), "b").unwrap();
        std::os::unix::fs::symlink("v2", root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        tokio::time::timeout(Duration::from_secs(10), watcher.changed())
            .await
            .expect("the change is noticed");
        assert_eq!(fs::read_to_string(root.join("config.yaml")).unwrap(), "b");
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let errors = Watcher::new().unwrap().watch([], [missing.as_path()]);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().starts_with(&missing.display().to_string()));
    }
}
