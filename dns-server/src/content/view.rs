//! One view: its zones and records.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dns_core::{Access, Name, Rrset};
use dns_files::{FolderReport, LoadError, SyncReport, ZoneFile, ZoneFiles, ZoneFolder, load_text};
use dns_store::{Reason, Source, SourceKind, Store, ZoneOptions};

use super::Update;
use crate::check::Checks;
use crate::config::{Config, View, Zone, ZoneContent};

/// Zones and records of one view, and how far the store has them.
pub(crate) struct ViewContent {
    store: Store,
    files: ZoneFiles,
    folder: Option<PathBuf>,
    /// What was found in the folder before there was a store, for the first update.
    scanned: Option<FolderReport>,
    /// The zones that the folder held when it could last be read.
    folder_zones: Vec<ZoneFile>,
    /// Zones that came as text, as the configuration had them last.
    texts: Vec<Text>,
    /// Records of the configuration are served, this version of them or an earlier one.
    has_records: bool,
}

/// What the configuration wants of a view.
pub(super) struct Wanted<'c> {
    zones: &'c [Zone],
    zones_dir: Option<&'c PathBuf>,
    records: &'c [Rrset],
}

impl<'c> Wanted<'c> {
    pub fn outside_views(config: &'c Config) -> Self {
        Self { zones: &config.zones, zones_dir: config.zones_dir.as_ref(), records: &config.records }
    }

    pub fn of(view: &'c View) -> Self {
        Self { zones: &view.zones, zones_dir: view.zones_dir.as_ref(), records: &view.records }
    }

    /// The zones that are named one by one.
    pub fn named(&self) -> impl Iterator<Item = &'c Name> {
        self.zones.iter().map(|zone| &zone.name)
    }

    /// Looks through the folder, if there is to be one.
    pub fn scan(&self) -> Option<Scanned> {
        let mut folder = ZoneFolder::default();
        let report = folder.scan(self.zones_dir?, &self.files());
        Some(Scanned { folder, report })
    }

    /// The zones that are named with a file.
    fn files(&self) -> Vec<ZoneFile> {
        let file = |zone: &Zone| match &zone.content {
            ZoneContent::File(path) => {
                Some(ZoneFile { apex: zone.name.clone(), path: path.clone(), options: options(zone) })
            }
            ZoneContent::Text(_) => None,
        };
        self.zones.iter().filter_map(file).collect()
    }
}

/// What a folder held before there was a store.
pub(super) struct Scanned {
    folder: ZoneFolder,
    report: FolderReport,
}

impl Scanned {
    /// The zones in it.
    pub fn zones(&self) -> impl Iterator<Item = &Name> {
        self.report.zones.iter().map(|zone| &zone.apex)
    }
}

/// A zone that came as text.
struct Text {
    zone: Zone,
    /// It is served as the text has it.
    is_loaded: bool,
}

impl ViewContent {
    /// Nothing is served yet. What was found in the folder is what the first update goes by.
    pub(super) fn new(store: Store, scanned: Option<Scanned>) -> Self {
        let (folder, scanned) = match scanned {
            Some(Scanned { folder, report }) => (folder, Some(report)),
            None => Default::default(),
        };
        Self {
            files: ZoneFiles::with_folder(store.clone(), folder),
            store,
            folder: None,
            scanned,
            folder_zones: Vec::new(),
            texts: Vec::new(),
            has_records: false,
        }
    }

    /// The view's name.
    pub fn name(&self) -> &str {
        self.store.view_name()
    }

    /// The zone files.
    pub fn files(&self) -> &ZoneFiles {
        &self.files
    }

    /// The files that zones come from.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.files.paths().map(PathBuf::from)
    }

    /// The folder that zones come from.
    pub fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// A zone is read from the file.
    pub fn reads(&self, path: &Path) -> bool {
        self.files.reads(path)
    }

    /// Looks at some files only; `false` if that is not enough.
    pub fn update_touched(&mut self, paths: &BTreeSet<PathBuf>, checks: Checks, all: &mut Update) -> bool {
        if !paths.iter().any(|path| self.reads(path)) {
            return true;
        }
        let Some(mut report) = self.files.sync_touched(paths) else { return false };
        let mut update = Update::default();
        self.tell_taken(&mut report, &mut update);
        update.take(report);
        self.finish(update, checks, all, &mut []);
        true
    }

    /// Brings the store in step with what is wanted.
    pub(super) fn update(
        &mut self,
        wanted: &Wanted<'_>,
        checks: Checks,
        all: &mut Update,
        missing: &mut Vec<String>,
    ) {
        let mut update = Update::default();
        let missing_before = missing.len();
        // Files first: they drop a zone that has become a text before the text puts it there again.
        self.update_files(wanted, &mut update, missing);
        self.update_texts(wanted, &mut update);
        self.update_records(wanted, &mut update, missing);
        self.finish(update, checks, all, &mut missing[missing_before..]);
    }

    /// Adds warnings, says which view all of it is about, and hands it over.
    fn finish(&self, mut update: Update, checks: Checks, all: &mut Update, missing: &mut [String]) {
        update.warnings.extend(checks.warnings(&self.store, &self.files, &update.loaded));
        update.warnings.extend(checks.shadowed(&self.store));
        if self.name() != View::DEFAULT {
            let name = self.name();
            let sentences = update.problems.iter_mut().chain(&mut update.warnings).chain(missing);
            sentences.for_each(|sentence| *sentence = format!("view {name}: {sentence}"));
        }
        all.absorb(update);
    }

    fn update_texts(&mut self, wanted: &Wanted<'_>, update: &mut Update) {
        let is_text = |zone: &&Zone| matches!(zone.content, ZoneContent::Text(_));
        let texts: Vec<&Zone> = wanted.zones.iter().filter(is_text).collect();
        let gone = |known: &mut Text| !texts.iter().any(|zone| zone.name == known.zone.name);
        for Text { zone: Zone { name, .. }, .. } in self.texts.extract_if(.., gone) {
            // One that has become a file is replaced by what the file holds.
            let is_file = wanted.zones.iter().any(|zone| zone.name == name)
                || self.folder_zones.iter().any(|zone| zone.apex == name);
            if !is_file {
                // That it is not there any more is what was wanted.
                let _ = self.store.drop_zone(&text_source(&name), &name);
                update.dropped.push(name);
            }
        }
        for zone in texts {
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
        let (apex, options) = (&zone.name, options(zone));
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
                    let _ = self.store.fail_zone(&text_source(apex), apex, why.clone(), options);
                }
                if !self.is_taken(apex, "the one in the configuration", update) {
                    update.problems.push(why);
                }
                false
            }
        }
    }

    fn update_files(&mut self, wanted: &Wanted<'_>, update: &mut Update, missing: &mut Vec<String>) {
        let mut zones = wanted.files();
        let errors = self.update_folder(wanted, &zones, update, missing);
        zones.extend(self.folder_zones.iter().cloned());
        let mut report = self.files.sync(zones);
        let failed: Vec<String> = report.failed.iter().map(|(_, error)| error.to_string()).collect();
        self.tell_taken(&mut report, update);
        update.take(report);
        // What was wrong with the file of a zone was wrong when its name was looked for, too.
        update.problems.extend(errors.into_iter().filter(|error| !failed.contains(error)));
    }

    /// Says what to do about files that are not served because others have made their zones.
    fn tell_taken(&self, report: &mut SyncReport, update: &mut Update) {
        report.failed.retain(|(apex, _)| {
            let path = self.files.path_of(apex).map_or_else(String::new, |path| path.display().to_string());
            !self.is_taken(apex, &path, update)
        });
    }

    /// Whether somebody else has made the zone that was to come from this place. Then that one goes on being served, and what to
    /// do is told.
    fn is_taken(&self, apex: &Name, place: &str, update: &mut Update) -> bool {
        let holder = self.store.zone(apex).and_then(|zone| zone.source);
        let Some(holder) = holder.filter(|holder| holder.kind() != SourceKind::File) else { return false };
        let (holder, delete) = match holder {
            Source::Api => ("the API".to_owned(), format!(" (DELETE /api/v1/zones/{apex})")),
            other => (other.to_string(), String::new()),
        };
        update.problems.push(format!(
            "zone {apex}: {place} is not served, as {holder} has made a zone of this name: delete that{delete} and reload, or \
             take this one out of the configuration"
        ));
        true
    }

    /// Looks what zones the folder holds; returns what is wrong with its files.
    fn update_folder(
        &mut self,
        wanted: &Wanted<'_>,
        listed: &[ZoneFile],
        update: &mut Update,
        missing: &mut Vec<String>,
    ) -> Vec<String> {
        self.folder = wanted.zones_dir.cloned();
        let Some(folder) = wanted.zones_dir else {
            self.folder_zones.clear();
            return Vec::new();
        };
        let found = self.scanned.take().unwrap_or_else(|| self.files.scan_folder(folder, listed));
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

    fn update_records(&mut self, wanted: &Wanted<'_>, update: &mut Update, missing: &mut Vec<String>) {
        let problems = |reasons: &[Reason]| -> Vec<String> {
            reasons.iter().map(|reason| format!("records: {reason}")).collect()
        };
        // The store does not look again at records that it has already, and the bounds may have changed instead of them.
        if self.has_records {
            let out_of_bounds = self.out_of_bounds(wanted.records);
            if !out_of_bounds.is_empty() {
                update.problems.extend(problems(&out_of_bounds));
                return;
            }
        }
        match self.store.hot_reload(&Source::Config, wanted.records) {
            Ok(_) => self.has_records = true,
            Err(error) => {
                let problems = problems(error.reasons());
                if !self.has_records {
                    missing.extend(problems.iter().cloned());
                }
                update.problems.extend(problems);
            }
        }
    }

    /// The records whose TTLs a start would refuse.
    fn out_of_bounds(&self, records: &[Rrset]) -> Vec<Reason> {
        let (min, max) = self.store.options().ttl_bounds.into_inner();
        let outside = records.iter().filter(|rrset| !(min..=max).contains(&rrset.ttl()));
        let reason = |rrset: &Rrset| {
            let (owner, rtype, ttl) = (rrset.owner().clone(), rrset.rtype(), rrset.ttl());
            Reason::InvalidTtl { owner, rtype, ttl, min, max }
        };
        outside.map(reason).collect()
    }
}

/// The source of a zone that came as text: a file but for its place, so that the zone can move to a real one and back.
fn text_source(apex: &Name) -> Source {
    Source::File(format!("text of {apex}"))
}

/// What the store is told of a zone besides its records.
fn options(zone: &Zone) -> ZoneOptions {
    let access = Access::new(&zone.allow, &zone.deny);
    ZoneOptions { fallthrough: zone.fallthrough, access: (!access.is_open()).then(|| Arc::new(access)) }
}
