//! Noticing that files have changed.

use dns_server::files::{Touched, WatchError, Watcher};
use dns_server::{Config, Running, WatchedPaths};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::args::ServeArgs;

/// Watches the configuration file and all files that the content comes from.
pub struct Files {
    watcher: Option<Watcher>,
    /// What is watched now.
    paths: WatchedPaths,
}

impl Files {
    /// Watches the files that a configuration names. Without help of the system, changes are found at the next SIGHUP only.
    pub async fn new(args: &ServeArgs, config: &Config) -> Self {
        // Its thread has the rights of the one that starts it, and those of the main thread are too many.
        let watcher = match spawn_blocking(Watcher::new).await {
            Ok(Ok(watcher)) => Ok(watcher),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &watcher {
            tracing::warn!(%error, "files cannot be watched: send SIGHUP after changing them");
        }
        let files = args.source.config.clone().into_iter().collect();
        let mut files =
            Self { watcher: watcher.ok(), paths: WatchedPaths { files, ..WatchedPaths::default() } };
        files.watch_as_well(config);
        files
    }

    /// Watches the files that a configuration names, too, before they are read: what changes meanwhile is noticed.
    pub fn watch_as_well(&mut self, config: &Config) {
        let WatchedPaths { files, folders } = config.named_paths();
        self.paths.files.extend(files);
        self.paths.folders.extend(folders);
        self.begin();
    }

    /// Watches what is served now, and nothing else; returns what cannot be watched, after logging it.
    pub fn watch(&mut self, args: &ServeArgs, running: &Running) -> Vec<String> {
        self.paths = running.watched_paths();
        self.paths.files.extend(args.source.config.clone());
        let errors = self.begin().into_iter();
        let warnings: Vec<String> =
            errors.map(|error| format!("{error}: send SIGHUP after changing files there")).collect();
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        warnings
    }

    fn begin(&mut self) -> Vec<WatchError> {
        let Some(watcher) = &mut self.watcher else { return Vec::new() };
        let WatchedPaths { files, folders } = &self.paths;
        watcher.watch(files.iter().map(AsRef::as_ref), folders.iter().map(AsRef::as_ref))
    }

    /// What has changed since the last call, as far as anybody knows.
    pub fn take_touched(&mut self) -> Touched {
        self.watcher.as_mut().map_or(Touched::Anything, Watcher::take_touched)
    }

    /// Returns once files have changed and have then stayed as they are for a moment.
    pub async fn changed(&mut self) {
        let Some(watcher) = &mut self.watcher else { return std::future::pending().await };
        watcher.changed().await;
        // Writers seldom write once. One that never stops has to be read from at some time, too.
        let settled = async { while timeout(SETTLE, watcher.changed()).await.is_ok() {} };
        tokio::select! {
            () = settled => {}
            () = sleep(PATIENCE) => {}
        }
    }
}

/// How long files have to stay as they are before they are read.
const SETTLE: std::time::Duration = std::time::Duration::from_millis(100);
/// How long one waits for that.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
