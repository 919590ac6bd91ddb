//! What is served: from the configuration into the store, at start and at every reload.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use dns_core::{AnswerPolicy, Name};
use dns_files::{LoadError, ZoneFile, ZoneFiles, load_text};
use dns_store::{DerivedAuthority, Source, Store, StoreOptions, ZoneOptions};

use crate::check::Checks;
use crate::config::{Config, Zone, ZoneContent};

/// Zones and records of the configuration, and how far the store has them.
pub(crate) struct Content {
    store: Store,
    /// What the store was told last.
    options: StoreOptions,
    files: ZoneFiles,
    folder: Option<PathBuf>,
    /// The zones that the folder held when it could last be read.
    folder_zones: Vec<ZoneFile>,
    /// Zones that came as text, as the configuration had them last.
    texts: Vec<Text>,
    /// Records of the configuration are served, this version of them or an earlier one.
    has_records: bool,
    missing: Missing,
    checks: Checks,
}

/// A zone that came as text.
struct Text {
    zone: Zone,
    /// It is served as the text has it.
    is_loaded: bool,
}

/// What the configuration asks for, was never served, and is no zone that the store knows to have failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Missing(Arc<Mutex<Vec<String>>>);

impl Config {
    /// The files and folders that it names. What zone files include is known only once they have been read; see
    /// [`Running::watched_paths`](crate::Running::watched_paths).
    pub fn named_paths(&self) -> WatchedPaths {
        let file = |zone: &Zone| match &zone.content {
            ZoneContent::File(path) => Some(path.clone()),
            ZoneContent::Text(_) => None,
        };
        let zones = self.views.iter().flat_map(|view| &view.zones).chain(&self.zones);
        let zones_dirs = self.views.iter().filter_map(|view| view.zones_dir.as_ref()).chain(&self.zones_dir);
        WatchedPaths {
            files: zones.filter_map(file).chain(self.files.iter().cloned()).collect(),
            folders: zones_dirs.chain(&self.folders).cloned().collect(),
        }
    }
}

impl Missing {
    /// One sentence each.
    pub fn sentences(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, sentences: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sentences;
    }
}

/// What an update of the content has come to.
#[derive(Clone, Debug, Default)]
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
    /// Nothing is served yet.
    pub fn new(config: &Config, checks: Checks) -> Self {
        let options = store_options(config);
        let store = Store::new(options.clone());
        Self {
            files: ZoneFiles::new(store.clone()),
            store,
            options,
            folder: None,
            folder_zones: Vec::new(),
            texts: Vec::new(),
            has_records: false,
            missing: Missing::default(),
            checks,
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The zone files.
    pub fn files(&self) -> &ZoneFiles {
        &self.files
    }

    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Brings the store in step with the configuration.
    pub fn update(&mut self, config: &Config) -> Update {
        let mut update = Update::default();
        let mut missing = Vec::new();
        self.update_options(config, &mut update);
        // Files first: they drop a zone that has become a text before the text puts it there again.
        self.update_files(config, &mut update, &mut missing);
        self.update_texts(config, &mut update);
        self.update_records(config, &mut update, &mut missing);
        self.missing.set(missing);
        update.warnings.extend(self.checks.warnings(&self.store, &self.files, &update.loaded));
        update.warnings.extend(self.checks.shadowed(&self.store));
        update
    }

    pub fn watched_paths(&self) -> WatchedPaths {
        let files: BTreeSet<PathBuf> = self.files.paths().map(PathBuf::from).collect();
        WatchedPaths {
            files: files.into_iter().collect(),
            folders: self.folder.clone().into_iter().collect(),
        }
    }

    fn update_options(&mut self, config: &Config, update: &mut Update) {
        let wanted = StoreOptions { first_serial: self.options.first_serial, ..store_options(config) };
        if self.options == wanted {
            return;
        }
        match self.store.set_options(&wanted) {
            Ok(_) => self.options = wanted,
            Err(error) => {
                update.problems.extend(error.reasons().iter().map(|reason| format!("backend: {reason}")));
            }
        }
    }

    fn update_texts(&mut self, config: &Config, update: &mut Update) {
        let is_text = |zone: &&Zone| matches!(zone.content, ZoneContent::Text(_));
        let wanted: Vec<&Zone> = config.zones.iter().filter(is_text).collect();
        let gone = |known: &mut Text| !wanted.iter().any(|zone| zone.name == known.zone.name);
        for Text { zone: Zone { name, .. }, .. } in self.texts.extract_if(.., gone) {
            // One that has become a file is replaced by what the file holds.
            let is_file = config.zones.iter().any(|zone| zone.name == name)
                || self.folder_zones.iter().any(|zone| zone.apex == name);
            if !is_file {
                // That it is not there any more is what was wanted.
                let _ = self.store.drop_zone(&text_source(&name), &name);
                update.dropped.push(name);
            }
        }
        for zone in wanted {
            if self.texts.iter().any(|known| known.is_loaded && known.zone == *zone) {
                update.unchanged += 1;
                continue;
            }
            // One that failed is told at every update until it is right, as files are.
            let is_loaded = self.load_text(zone, update);
            self.texts.retain(|known| known.zone.name != zone.name);
            self.texts.push(Text { zone: zone.clone(), is_loaded });
        }
    }

    /// Returns whether the zone is served as its text has it.
    fn load_text(&self, zone: &Zone, update: &mut Update) -> bool {
        let ZoneContent::Text(text) = &zone.content else { return false };
        let (apex, options) =
            (&zone.name, ZoneOptions { fallthrough: zone.fallthrough, ..ZoneOptions::default() });
        let put = load_text(&format!("zone {apex}"), text, apex).map_err(|error| error.to_string());
        let put = put.and_then(|loaded| {
            update.warnings.extend(loaded.warnings);
            let put = self.store.put_zone(&text_source(apex), loaded.built, options.clone());
            put.map_err(|error| format!("zone {apex}: {error}"))
        });
        match put {
            Ok(_) => {
                update.loaded.push(apex.clone());
                true
            }
            Err(why) => {
                let catalog = self.store.snapshot();
                let entry = catalog.view(self.store.view_name()).and_then(|view| view.zone(apex));
                if entry.is_none_or(|entry| entry.derived || entry.zone().is_none()) {
                    // Names of the zone must not be answered as if nobody had declared it.
                    let _ = self.store.fail_zone(&text_source(apex), apex.clone(), why.clone(), options);
                }
                update.problems.push(why);
                false
            }
        }
    }

    fn update_files(&mut self, config: &Config, update: &mut Update, missing: &mut Vec<String>) {
        let mut zones: Vec<ZoneFile> = Vec::new();
        for zone in &config.zones {
            if let ZoneContent::File(path) = &zone.content {
                let options = ZoneOptions { fallthrough: zone.fallthrough, ..ZoneOptions::default() };
                zones.push(ZoneFile { apex: zone.name.clone(), path: path.clone(), options });
            }
        }
        let errors = self.update_folder(config, &zones, update, missing);
        zones.extend(self.folder_zones.iter().cloned());
        let report = self.files.sync(zones);
        update.loaded.extend(report.loaded);
        update.dropped.extend(report.dropped);
        update.unchanged += report.unchanged;
        let failed: Vec<String> = report.failed.iter().map(|(_, error)| error.to_string()).collect();
        update.problems.extend(report.failed.iter().map(|(apex, error)| format!("zone {apex}: {error}")));
        // What was wrong with the file of a zone was wrong when its name was looked for, too.
        update.problems.extend(errors.into_iter().filter(|error| !failed.contains(error)));
        update.warnings.extend(report.warnings);
    }

    /// Looks what zones the folder holds; returns what is wrong with its files.
    fn update_folder(
        &mut self,
        config: &Config,
        listed: &[ZoneFile],
        update: &mut Update,
        missing: &mut Vec<String>,
    ) -> Vec<String> {
        self.folder.clone_from(&config.zones_dir);
        let Some(folder) = &config.zones_dir else {
            self.folder_zones.clear();
            return Vec::new();
        };
        let found = self.files.scan_folder(folder, listed);
        let mut errors = Vec::new();
        for error in found.errors {
            if matches!(&error, LoadError::Unreadable { path, .. } if path == folder) {
                let problem = format!("zones_dir: {error}");
                if found.zones.is_empty() {
                    missing.push(problem.clone());
                }
                update.problems.push(problem);
            } else {
                errors.push(error.to_string());
            }
        }
        self.folder_zones = found.zones;
        errors
    }

    fn update_records(&mut self, config: &Config, update: &mut Update, missing: &mut Vec<String>) {
        match self.store.hot_reload(&Source::Config, &config.records) {
            Ok(_) => self.has_records = true,
            Err(error) => {
                let problems = error.reasons().iter().map(|reason| format!("records: {reason}"));
                let problems: Vec<String> = problems.collect();
                if !self.has_records {
                    missing.extend(problems.iter().cloned());
                }
                update.problems.extend(problems);
            }
        }
    }
}

/// The source of a zone that came as text: a file but for its place, so that the zone can move to a real one and back.
fn text_source(apex: &Name) -> Source {
    Source::File(format!("text of {apex}"))
}

/// The options of a store that serves a configuration.
fn store_options(config: &Config) -> StoreOptions {
    let soa = &config.backend.soa;
    let first_ns = config.backend.ns.first().cloned();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    StoreOptions {
        policy: AnswerPolicy { tcp_keepalive: config.tcp.keepalive(), ..config.backend.answers.clone() },
        ttl_bounds: config.records_ttl.min..=config.records_ttl.max,
        precedence: config.precedence.iter().map(|kind| vec![*kind]).collect(),
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
