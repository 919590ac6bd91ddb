//! Noticing that files have changed.

use dns_server::Running;
use dns_server::files::Watcher;
use tokio::time::{sleep, timeout};

use crate::args::ServeArgs;
use crate::settings;

/// Watches the configuration file and all files that the content comes from.
pub struct Files {
    watcher: Option<Watcher>,
}

impl Files {
    /// Watches what is served now. Without help of the system, changes are found at the next SIGHUP only.
    pub fn new(args: &ServeArgs, running: &Running) -> Self {
        let watcher = Watcher::new();
        if let Err(error) = &watcher {
            tracing::warn!(%error, "files cannot be watched: send SIGHUP after changing them");
        }
        let mut files = Self { watcher: watcher.ok() };
        files.watch(args, running);
        files
    }

    /// Watches what is served now, and nothing else.
    pub fn watch(&mut self, args: &ServeArgs, running: &Running) {
        let Some(watcher) = &mut self.watcher else { return };
        let paths = running.watched_paths();
        let config = settings::config_file(&args.source);
        let files = paths.files.iter().map(AsRef::as_ref).chain(config);
        for error in watcher.watch(files, paths.folders.iter().map(AsRef::as_ref)) {
            tracing::warn!("{error}: send SIGHUP after changing files there");
        }
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
