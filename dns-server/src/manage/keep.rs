//! Where changes and tokens are kept.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dns_api::auth::{MemoryTokens, Token, TokenId, TokenStore, TokenStoreError};
use dns_journal::{Folder, HistoryLimits, Memory};
use dns_store::{ExpectedZone, Store, StoreOptions};
use tokio::sync::watch;
use tokio::time::interval;

use crate::config::{Config, StoreConfig};

/// Under which tokens stand beside the changes.
const TOKENS: &str = "tokens";
/// The file of the first token, in the data folder.
pub const ADMIN_TOKEN: &str = "admin-token";

/// History without a disk, unless the configuration says how much.
const MEMORY_OCTETS: u64 = 16 << 20;

/// How often it is looked whether the data folder is still there.
const FOLDER_CHECK: Duration = Duration::from_secs(5);

/// What outlives the process, if anything does.
#[derive(Clone)]
pub(crate) struct Keep(Option<Arc<Folder>>);

/// A store with what was kept the last time, for these zones and others.
///
/// # Errors
/// The data folder cannot be used; says what to do.
pub(crate) fn open(
    config: &StoreConfig,
    options: StoreOptions,
    expected: Vec<ExpectedZone>,
) -> Result<(Store, Keep), String> {
    let limits = limits(config);
    let Some(path) = &config.data_dir else {
        // There is history all the same, for as long as the process runs.
        let memory = Arc::new(Memory::new(limits));
        let store = Store::open(options, memory).map_err(|error| error.to_string())?;
        return Ok((store, Keep(None)));
    };
    let folder = Folder::open_with(path, limits).map_err(|error| format!("store.data_dir: {error}"))?;
    let folder = Arc::new(folder);
    let store = Store::open_expecting(options, folder.clone(), expected);
    let store = store.map_err(|error| format!("store.data_dir: {}: {error}", path.display()))?;
    Ok((store, Keep(Some(folder))))
}

/// How much history there is room for.
fn limits(config: &StoreConfig) -> HistoryLimits {
    let usual = match config.data_dir {
        Some(_) => HistoryLimits::default().max_octets,
        None => MEMORY_OCTETS,
    };
    HistoryLimits { max_age: config.history_age, max_octets: config.history_octets.unwrap_or(usual) }
}

impl Keep {
    pub fn folder(&self) -> Option<&Folder> {
        self.0.as_deref()
    }

    pub fn tokens(&self) -> Arc<dyn TokenStore> {
        match &self.0 {
            Some(folder) => Arc::new(FolderTokens(folder.clone())),
            None => Arc::new(MemoryTokens::default()),
        }
    }

    /// Where the first token is written; `None` if there is no good place.
    pub fn admin_token_file(&self, config: &Config) -> Option<PathBuf> {
        let in_folder = || Some(self.folder()?.path().join(ADMIN_TOKEN));
        config.api.admin_token_file.clone().or_else(in_folder)
    }

    /// Looks after the data folder until the server stops. Changes are refused while the journal is not at its place, and answers
    /// go on: somebody has to be told who can do something about it.
    pub async fn follow(self, mut stopped: watch::Receiver<()>) {
        let Some(folder) = self.0 else { return };
        let mut steps = interval(FOLDER_CHECK);
        let mut was_there = true;
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                _ = steps.tick() => {}
            }
            let looked_at = folder.clone();
            // It may lie on a disk that sleeps, or on a network.
            let looking = tokio::task::spawn_blocking(move || looked_at.is_in_place());
            let is_there = tokio::select! {
                _ = stopped.changed() => return,
                looked = looking => looked,
            };
            let Ok(is_there) = is_there else { return };
            match (was_there, is_there) {
                (true, false) => tracing::error!(
                    "store.data_dir: the journal in {} was removed or replaced, so what it has ends with this process, and \
                     changes are refused: make the folder again, copy all with 'jw238dns backup FILE --url URL' and a token \
                     (--token-file, JW238DNS_TOKEN), stop the server, and restore the copy",
                    folder.path().display()
                ),
                (false, true) => tracing::info!("store.data_dir: the journal is at its place again"),
                _ => {}
            }
            was_there = is_there;
        }
    }

    pub fn backup(&self) -> Result<File, String> {
        let folder = self.folder().ok_or("nothing is kept on disk: store.data_dir is not set")?;
        folder.backup().map_err(|error| error.to_string())
    }
}

/// Tokens beside the changes, in one folder.
pub struct FolderTokens(Arc<Folder>);

impl FolderTokens {
    /// The tokens of a data folder.
    pub fn new(folder: Arc<Folder>) -> Self {
        Self(folder)
    }
}

impl TokenStore for FolderTokens {
    fn load(&self) -> Result<Vec<Token>, TokenStoreError> {
        let kept = self.0.kept(TOKENS).map_err(|error| TokenStoreError(error.to_string()))?;
        let tokens = kept.iter().map(|(id, record)| {
            Token::from_record(record).map_err(|error| TokenStoreError(format!("token {id}: {error}")))
        });
        tokens.collect()
    }

    fn put(&self, token: &Token) -> Result<(), TokenStoreError> {
        let record = token.to_record().map_err(|error| TokenStoreError(error.to_string()))?;
        let kept = self.0.keep(TOKENS, &token.id().to_string(), &record);
        kept.map_err(|error| TokenStoreError(error.to_string()))
    }

    fn remove(&self, id: TokenId) -> Result<(), TokenStoreError> {
        self.0.forget(TOKENS, &id.to_string()).map_err(|error| TokenStoreError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_in_memory_is_small_unless_told_otherwise() {
        let memory = StoreConfig::default();
        assert_eq!(limits(&memory).max_octets, 16 << 20);
        let disk = StoreConfig { data_dir: Some("data".into()), ..StoreConfig::default() };
        assert_eq!(limits(&disk).max_octets, 1 << 30);
        for config in [memory, disk] {
            let told = StoreConfig { history_octets: Some(5 << 20), ..config };
            assert_eq!(limits(&told).max_octets, 5 << 20);
        }
    }
}
