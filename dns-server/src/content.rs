//! What is served: from the configuration into the store, at start and at every reload.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use dns_core::Name;
use dns_files::{ZoneFile, ZoneFiles, load_text, zones_in_folder};
use dns_store::{DerivedAuthority, Source, SourceKind, Store, StoreOptions, ZoneOptions};

use crate::config::{self, Config, ZoneContent};

/// Zones and records of the configuration, and how far the store has them.
pub(crate) struct Content {
    store: Store,
    files: ZoneFiles,
    folder: Option<PathBuf>,
    /// Zones that came as text, with that text.
    texts: Vec<(Name, String)>,
}

/// What an update of the content has come to.
#[derive(Debug, Default)]
pub struct Update {
    /// Zones that were read and are served now.
    pub loaded: Vec<Name>,
    /// Zones that are no longer served.
    pub dropped: Vec<Name>,
    /// Zones whose files have not changed.
    pub unchanged: usize,
    /// What is wrong, each with its place. What was served before is still served.
    pub problems: Vec<String>,
    /// What somebody should look at.
    pub warnings: Vec<String>,
    /// Keys of the configuration that have changed and count from the next start on.
    pub restart_keys: Vec<&'static str>,
}

/// Files and folders that content comes from; see [`Running::watched_paths`](crate::Running::watched_paths).
#[derive(Debug, Default)]
pub struct WatchedPaths {
    /// Zone files and what they include.
    pub files: Vec<PathBuf>,
    /// Folders whose files are served.
    pub folders: Vec<PathBuf>,
}

impl Content {
    pub fn new(store: Store) -> Self {
        Self { files: ZoneFiles::new(store.clone()), store, folder: None, texts: Vec::new() }
    }

    /// Brings the store in step with the configuration.
    pub fn update(&mut self, config: &Config) -> Update {
        let mut update = Update::default();
        self.store.set_policy(config.backend.answers.clone());
        self.update_texts(config, &mut update);
        self.update_files(config, &mut update);
        if let Err(error) = self.store.hot_reload(&Source::Config, &config.records) {
            update.problems.extend(error.reasons().iter().map(|reason| format!("records: {reason}")));
        }
        update
    }

    pub fn watched_paths(&self) -> WatchedPaths {
        let files: BTreeSet<PathBuf> = self.files.paths().map(PathBuf::from).collect();
        WatchedPaths {
            files: files.into_iter().collect(),
            folders: self.folder.clone().into_iter().collect(),
        }
    }

    fn update_texts(&mut self, config: &Config, update: &mut Update) {
        let wanted: Vec<(Name, String, bool)> = config
            .zones
            .iter()
            .filter_map(|zone| match &zone.content {
                ZoneContent::Text(text) => Some((zone.name.clone(), text.to_string(), zone.fallthrough)),
                ZoneContent::File(_) => None,
            })
            .collect();
        let source = Source::Config;
        for (apex, _) in
            self.texts.iter().filter(|(apex, _)| !wanted.iter().any(|(wanted, ..)| wanted == apex))
        {
            let _ = self.store.drop_zone(&source, apex);
            update.dropped.push(apex.clone());
        }
        self.texts.retain(|(apex, _)| wanted.iter().any(|(wanted, ..)| wanted == apex));
        for (apex, text, fallthrough) in wanted {
            if self.texts.iter().any(|(known, known_text)| *known == apex && *known_text == text) {
                update.unchanged += 1;
                continue;
            }
            self.texts.retain(|(known, _)| *known != apex);
            match load_text(&format!("zone {apex}"), &text, &apex) {
                Ok(loaded) => {
                    update.warnings.extend(loaded.warnings);
                    match self.store.put_zone(&source, loaded.built, ZoneOptions { fallthrough }) {
                        Ok(_) => update.loaded.push(apex.clone()),
                        Err(error) => update.problems.push(format!("zone {apex}: {error}")),
                    }
                }
                Err(error) => update.problems.push(error.to_string()),
            }
            self.texts.push((apex, text));
        }
    }

    fn update_files(&mut self, config: &Config, update: &mut Update) {
        let mut zones: Vec<ZoneFile> = Vec::new();
        for zone in &config.zones {
            if let ZoneContent::File(path) = &zone.content {
                let options = ZoneOptions { fallthrough: zone.fallthrough };
                zones.push(ZoneFile { apex: zone.name.clone(), path: path.clone(), options });
            }
        }
        self.folder.clone_from(&config.zones_dir);
        if let Some(folder) = &config.zones_dir {
            match zones_in_folder(folder) {
                Ok((found, errors)) => {
                    update.problems.extend(errors.iter().map(ToString::to_string));
                    for zone in found {
                        // A zone that is listed by name is served as it is listed.
                        if !config.zones.iter().any(|listed| listed.name == zone.apex) {
                            zones.push(zone);
                        }
                    }
                }
                Err(error) => {
                    update.problems.push(format!("zones_dir: {error}"));
                    // What a folder held that cannot be read now is not gone for that.
                    zones.extend(self.files.zones_below(folder));
                }
            }
        }
        let report = self.files.sync(zones);
        update.loaded.extend(report.loaded);
        update.dropped.extend(report.dropped);
        update.unchanged += report.unchanged;
        update.problems.extend(report.failed.iter().map(|(apex, error)| format!("zone {apex}: {error}")));
        update.warnings.extend(report.warnings);
    }
}

/// The options of a store that serves a configuration.
pub(crate) fn store_options(config: &Config) -> StoreOptions {
    let soa = &config.backend.soa;
    let first_ns = config.backend.ns.first().cloned();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    StoreOptions {
        policy: config.backend.answers.clone(),
        ttl_bounds: config.records_ttl.min..=config.records_ttl.max,
        precedence: config.precedence.iter().map(|kind| store_kinds(*kind)).collect(),
        derived: DerivedAuthority {
            mname: soa.mname.clone().or(first_ns),
            rname: soa.rname.clone(),
            ns: config.backend.ns.clone(),
            refresh: soa.refresh,
            retry: soa.retry,
            expire: soa.expire,
            minimum: soa.minimum,
            ..DerivedAuthority::default()
        },
        // Grows from start to start, as long as nobody makes more than a change per second on average.
        first_serial: seconds as u32,
        ..StoreOptions::default()
    }
}

/// The kinds of the store that a kind of the configuration stands for: a zone that is transferred counts as its file would.
fn store_kinds(kind: config::SourceKind) -> Vec<SourceKind> {
    match kind {
        config::SourceKind::Acme => vec![SourceKind::Acme],
        config::SourceKind::Api => vec![SourceKind::Api],
        config::SourceKind::Update => vec![SourceKind::Update],
        config::SourceKind::File => vec![SourceKind::File, SourceKind::Transfer],
        config::SourceKind::Config => vec![SourceKind::Config],
        config::SourceKind::ConfigMap => vec![SourceKind::ConfigMap],
        config::SourceKind::Kubernetes => vec![SourceKind::Kubernetes],
    }
}
