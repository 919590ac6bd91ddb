//! Telling when files may have changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use thiserror::Error;
use tokio::sync::watch;

use crate::touched::Touched;
use crate::trail::{Trail, Trails};

/// Watches files and folders of zone files. What comes of it is no more than a hint to look: editors and Kubernetes replace
/// files in many ways (a ConfigMap changes by the renaming of a link), so the folders of files and of the links that lead
/// to them are watched, and the files are looked at anew.
///
/// Other files in the same folders do not count: a log that is written beside the configuration must not make it reload.
pub struct Watcher {
    notify: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    interest: Arc<Mutex<Interest>>,
    hint: watch::Sender<u64>,
    changes: watch::Receiver<u64>,
}

/// Which events matter, and what they have told.
#[derive(Debug, Default)]
struct Interest {
    /// Files by absolute path, with the names that were given for them.
    files: HashMap<PathBuf, Vec<PathBuf>>,
    /// Links that lead to files and folders, and the folders, by absolute path.
    ways: HashSet<PathBuf>,
    /// Folders in which every `*.zone`, `*.yaml` and `*.yml` file matters: zones, and parts of the configuration.
    folders: BTreeSet<PathBuf>,
    /// What has changed since somebody asked.
    touched: Touched,
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
        let (hint, changes) = watch::channel(0);
        let interest = Arc::new(Mutex::new(Interest::default()));
        let (sender, known) = (hint.clone(), interest.clone());
        let notify = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let matters = known.lock().unwrap_or_else(PoisonError::into_inner).note(event.as_ref().ok());
            if matters {
                bump(&sender);
            }
        })?;
        Ok(Self { notify, watched: BTreeSet::new(), interest, hint, changes })
    }

    /// Watches these files and the `*.zone`, `*.yaml` and `*.yml` files of these folders, and no others; what is missing is
    /// noticed when it comes to be. To be called again after each change, since links may lead elsewhere by then.
    ///
    /// Folders that cannot be watched are returned; their files are only looked at when somebody asks.
    pub fn watch<'p>(
        &mut self,
        files: impl IntoIterator<Item = &'p Path>,
        folders: impl IntoIterator<Item = &'p Path>,
    ) -> Vec<WatchError> {
        let mut interest = Interest::default();
        let mut trails = Trails::default();
        for file in files {
            let Trail { links, end } = trails.follow(file);
            interest.ways.extend(links);
            if let Some(end) = end {
                interest.files.entry(end).or_default().push(file.to_owned());
            }
        }
        for folder in folders {
            let Trail { links, end } = trails.follow(folder);
            interest.ways.extend(links);
            interest.ways.extend(end);
            if let Ok(real) = std::fs::canonicalize(folder) {
                interest.folders.insert(real);
            }
        }
        let parents: HashSet<&Path> =
            interest.files.keys().chain(&interest.ways).filter_map(|name| name.parent()).collect();
        let wanted: BTreeSet<PathBuf> = parents
            .into_iter()
            .chain(interest.folders.iter().map(PathBuf::as_path))
            .map(Path::to_owned)
            .collect();
        // From here on, events count as they will; what happens to folders that are not yet watched is asked below.
        self.interest.lock().unwrap_or_else(PoisonError::into_inner).replace(interest);
        for gone in self.watched.difference(&wanted) {
            // A folder that has vanished is no longer watched anyway.
            let _ = self.notify.unwatch(gone);
        }
        let mut errors = Vec::new();
        let mut watched = BTreeSet::new();
        let mut has_new = false;
        for folder in wanted {
            // Those that are watched already are watched again: one may have been removed and made anew, and then what is
            // watched is the folder that is gone.
            match self.notify.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    has_new |= !self.watched.contains(&folder);
                    watched.insert(folder);
                }
                Err(source) => errors.push(WatchError { path: folder, source }),
            }
        }
        // Whoever has read the files before the folder was watched has to look once more. The first call is made by one
        // who is about to begin.
        if has_new && !self.watched.is_empty() {
            self.interest.lock().unwrap_or_else(PoisonError::into_inner).touched = Touched::Anything;
            bump(&self.hint);
        }
        self.watched = watched;
        errors
    }

    /// Returns once something may have changed since the last call; events that came meanwhile count as one.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The watcher owns a sender, so it outlives every call; waiting is right if it ever did not.
            std::future::pending::<()>().await;
        }
    }

    /// What the events since the last call have told of. To be asked before the files are looked at: what changes meanwhile
    /// is then told the next time.
    pub fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.interest.lock().unwrap_or_else(PoisonError::into_inner).touched)
    }
}

impl Interest {
    /// Keeps what was touched.
    fn replace(&mut self, other: Self) {
        *self = Self { touched: std::mem::take(&mut self.touched), ..other };
    }

    /// Takes note of an event; returns whether it matters. After an error, which is none, nobody knows what has changed.
    fn note(&mut self, event: Option<&Event>) -> bool {
        // Reading a file is an event, too; ours would never end.
        if event.is_some_and(|event| matches!(event.kind, EventKind::Access(_))) {
            return false;
        }
        // Or events were lost, or are of nobody knows what.
        let Some(event) = event.filter(|event| !event.need_rescan() && !event.paths.is_empty()) else {
            self.touched = Touched::Anything;
            return true;
        };
        let mut matters = false;
        for path in &event.paths {
            let extension = path.extension().and_then(OsStr::to_str);
            let is_of_a_kind = matches!(extension, Some("zone" | "yaml" | "yml"));
            let is_in_folder = || path.parent().is_some_and(|parent| self.folders.contains(parent));
            if let Some(names) = self.files.get(path).filter(|_| !self.ways.contains(path)) {
                self.touched.add(names);
                matters = true;
            } else if self.ways.contains(path) || is_of_a_kind && is_in_folder() {
                self.touched = Touched::Anything;
                matters = true;
            }
        }
        matters
    }
}

fn bump(sender: &watch::Sender<u64>) {
    sender.send_modify(|count| *count = count.wrapping_add(1));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn watch(watcher: &mut Watcher, files: &[&Path], folders: &[&Path]) {
        let errors = watcher.watch(files.iter().copied(), folders.iter().copied());
        assert!(errors.is_empty(), "{errors:?}");
    }

    async fn noticed(watcher: &mut Watcher) {
        tokio::time::timeout(Duration::from_secs(10), watcher.changed())
            .await
            .expect("the change is noticed");
    }

    #[tokio::test]
    async fn a_configmap_update_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("v1")).unwrap();
        fs::write(root.join("v1/config.yaml"), "a").unwrap();
        symlink("v1", root.join("..data")).unwrap();
        symlink("..data/config.yaml", root.join("config.yaml")).unwrap();
        let mut watcher = Watcher::new().unwrap();
        watch(&mut watcher, &[&root.join("config.yaml")], &[]);
        // As the kubelet does it: a new folder, a new link, renamed over the old one.
        fs::create_dir(root.join("v2")).unwrap();
        fs::write(root.join("v2/config.yaml"), "b").unwrap();
        symlink("v2", root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        noticed(&mut watcher).await;
        assert_eq!(fs::read_to_string(root.join("config.yaml")).unwrap(), "b");
    }

    #[tokio::test]
    async fn the_target_of_a_link_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("data")).unwrap();
        fs::create_dir(root.join("zones")).unwrap();
        fs::write(root.join("data/a"), "a").unwrap();
        symlink("../data/a", root.join("zones/a.zone")).unwrap();
        let mut watcher = Watcher::new().unwrap();
        watch(&mut watcher, &[&root.join("zones/a.zone")], &[]);
        fs::write(root.join("data/a"), "b").unwrap();
        noticed(&mut watcher).await;
    }

    #[tokio::test]
    async fn a_folder_may_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let zones = folder.path().join("below/zones");
        let mut watcher = Watcher::new().unwrap();
        watch(&mut watcher, &[], &[&zones]);
        for round in 0..2 {
            fs::create_dir_all(&zones).unwrap();
            noticed(&mut watcher).await;
            watch(&mut watcher, &[], &[&zones]);
            fs::write(zones.join("a.zone"), "a").unwrap();
            noticed(&mut watcher).await;
            watch(&mut watcher, &[], &[&zones]);
            fs::remove_dir_all(folder.path().join("below")).unwrap();
            noticed(&mut watcher).await;
            let errors = watcher.watch([], [zones.as_path()]);
            assert!(errors.is_empty(), "{round}: {errors:?}");
        }
    }

    #[test]
    fn other_files_in_the_folder_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let mut watcher = Watcher::new().unwrap();
        fs::create_dir(root.join("zones")).unwrap();
        watch(&mut watcher, &[&root.join("config.yaml")], &[&root.join("zones")]);
        let mut interest = watcher.interest.lock().unwrap();
        let mut concerns = |kind: EventKind, name: &str| {
            let matters = interest.note(Some(&Event::new(kind).add_path(root.join(name))));
            (matters, std::mem::take(&mut interest.touched))
        };
        let modified = EventKind::Modify(notify::event::ModifyKind::Any);
        let created = EventKind::Create(notify::event::CreateKind::Any);
        let config = Touched::Files([root.join("config.yaml")].into());
        assert_eq!(concerns(modified, "config.yaml"), (true, config));
        assert_eq!(concerns(created, "zones/new.zone"), (true, Touched::Anything));
        assert_eq!(concerns(created, "zones/part.yaml"), (true, Touched::Anything));
        assert_eq!(concerns(modified, "zones"), (true, Touched::Anything));
        let nothing = (false, Touched::default());
        assert_eq!(concerns(modified, "server.log"), nothing);
        assert_eq!(concerns(created, "part.yaml"), nothing);
        assert_eq!(concerns(created, "zones/new.zone~"), nothing);
        let access = EventKind::Access(notify::event::AccessKind::Any);
        assert_eq!(concerns(access, "config.yaml"), nothing);
        let lost = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        for event in [Some(&lost), None] {
            assert!(interest.note(event));
            assert_eq!(std::mem::take(&mut interest.touched), Touched::Anything);
        }
    }
}
