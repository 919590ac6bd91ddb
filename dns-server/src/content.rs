//! What is served: from the configuration into the store, at start and at every reload.

mod view;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use dns_core::{AnswerPolicy, Name, ViewSpec};
use dns_files::SyncReport;
use dns_store::{DerivedAuthority, ExpectedZone, Store, StoreOptions};

pub(crate) use self::view::ViewContent;
use self::view::{Scanned, Wanted};
use crate::check::Checks;
use crate::config::{Config, Zone, ZoneContent};
use crate::manage::{self, Keep};

/// Zones and records of the configuration, and how far the store has them.
pub(crate) struct Content {
    store: Store,
    /// What the store was told last.
    options: StoreOptions,
    /// The default one first.
    views: Vec<ViewContent>,
    /// Of views that are still to be made.
    folders: Folders,
    missing: Missing,
    checks: Checks,
}

/// What the folders of views held before there was a store, by the name of the view.
type Folders = HashMap<Arc<str>, Scanned>;

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

impl Update {
    /// What there is to tell of keys that have changed and cannot yet count, one sentence each.
    pub fn restart_notes(&self) -> impl Iterator<Item = String> {
        self.restart_keys
            .iter()
            .map(|key| format!("{key} has changed, which takes effect with the next start"))
    }

    /// It did not come to its end, which is a defect.
    pub(crate) fn broken_off(error: &tokio::task::JoinError) -> Self {
        Self { problems: vec![format!("reloading failed: {error}")], ..Self::default() }
    }

    /// Adds what has come of reading zone files.
    fn take(&mut self, report: SyncReport) {
        let SyncReport { loaded, unchanged, dropped, failed, warnings, other_files } = report;
        self.loaded.extend(loaded);
        self.dropped.extend(dropped);
        self.unchanged += unchanged;
        self.problems.extend(failed.iter().map(|(apex, error)| format!("zone {apex}: {error}")));
        self.warnings.extend(warnings);
        self.other_files |= other_files;
    }

    /// Adds what another update has come to.
    fn absorb(&mut self, other: Self) {
        let Self { loaded, dropped, unchanged, problems, warnings, restart_keys, other_files } = other;
        self.loaded.extend(loaded);
        self.dropped.extend(dropped);
        self.unchanged += unchanged;
        self.problems.extend(problems);
        self.warnings.extend(warnings);
        self.restart_keys.extend(restart_keys);
        self.other_files |= other_files;
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
    /// Zones are read from other files than before: see [`Running::watched_paths`](crate::Running::watched_paths).
    pub other_files: bool,
}

/// Files and folders that content comes from; see [`Running::watched_paths`](crate::Running::watched_paths).
#[derive(Debug, Default)]
pub struct WatchedPaths {
    /// Zone files and what they include, and what the configuration names beside them.
    pub files: Vec<PathBuf>,
    /// Folders whose files are served or included.
    pub folders: Vec<PathBuf>,
}

impl Content {
    /// Nothing is served yet, and nothing that changes is kept.
    pub fn new(config: &Config, checks: Checks) -> Self {
        Self::of(Store::new(store_options(config)), Folders::new(), checks)
    }

    /// The store has what was kept of earlier changes; an [`update`](Self::update) with the same configuration is to follow.
    ///
    /// # Errors
    /// The data folder cannot be used; says what to do.
    pub fn open(config: &Config, checks: Checks) -> Result<(Self, Keep), String> {
        // Once, and before the journal is read: each zone that is expected then has its file read, or is known to have failed,
        // whatever becomes of the folder meanwhile: a file that goes is a problem until the folder is looked through again.
        let folders: Folders =
            wanted(config).filter_map(|(view, wanted)| Some((view.into(), wanted.scan()?))).collect();
        let expected = expected_zones(config, &folders);
        // What was kept is there before any zone is put, so that serials go on from where they were.
        let (store, keep) = manage::open(&config.store, store_options(config), expected)?;
        Ok((Self::of(store, folders, checks), keep))
    }

    fn of(store: Store, mut folders: Folders, checks: Checks) -> Self {
        let options = store.options();
        let views = vec![ViewContent::new(store.clone(), folders.remove(store.view_name()))];
        Self { store, options, views, folders, missing: Missing::default(), checks }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The views that the configuration has, the default one first.
    pub fn views(&self) -> &[ViewContent] {
        &self.views
    }

    pub fn missing(&self) -> &Missing {
        &self.missing
    }

    /// Brings the store in step with the configuration.
    pub fn update(&mut self, config: &Config) -> Update {
        let mut update = Update::default();
        let mut missing = Vec::new();
        self.update_options(config, &mut update);
        let specs: Vec<ViewSpec> = config.views.iter().map(|view| view_spec(config, view)).collect();
        self.prepare_views(&specs);
        for (view, (_, wanted)) in self.views.iter_mut().zip(wanted(config)) {
            view.update(&wanted, self.checks, &mut update, &mut missing);
        }
        self.store.set_views(&specs);
        self.missing.set(missing);
        update
    }

    /// Looks at some files only, and takes as long as the zones that are read from them; `None` if that is not enough, and
    /// everything has to be looked at.
    pub fn update_touched(&mut self, paths: &BTreeSet<PathBuf>) -> Option<Update> {
        if !paths.iter().all(|path| self.views.iter().any(|view| view.reads(path))) {
            return None;
        }
        let mut update = Update::default();
        let enough = self.views.iter_mut().all(|view| view.update_touched(paths, self.checks, &mut update));
        enough.then_some(update)
    }

    pub fn watched_paths(&self) -> WatchedPaths {
        let files: BTreeSet<PathBuf> = self.views.iter().flat_map(ViewContent::paths).collect();
        let folders: BTreeSet<PathBuf> = self.views.iter().filter_map(ViewContent::folder).collect();
        WatchedPaths { files: files.into_iter().collect(), folders: folders.into_iter().collect() }
    }

    /// Makes the views, for nobody to see yet: they are filled first. Views that stay keep their clients until then, and those that
    /// go are gone.
    fn prepare_views(&mut self, wanted: &[ViewSpec]) {
        let catalog = self.store.snapshot();
        let hidden = |spec: &ViewSpec| {
            let known = catalog.view_specs().iter().find(|known| known.name == spec.name);
            known.cloned().unwrap_or_else(|| ViewSpec {
                clients: Vec::new(),
                listeners: Vec::new(),
                ..spec.clone()
            })
        };
        self.store.set_views(&wanted.iter().map(hidden).collect::<Vec<_>>());
        let mut old = std::mem::take(&mut self.views);
        for store in self.store.views() {
            let known = old.iter().position(|view| view.name() == store.view_name());
            let scanned = self.folders.remove(store.view_name());
            self.views.push(known.map_or_else(|| ViewContent::new(store, scanned), |at| old.swap_remove(at)));
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
}

/// Who gets to see a view. Listeners count by their place in the configuration; those that the system may lack stand last
/// there, so that this is their place in the frontend, too.
fn view_spec(config: &Config, view: &crate::config::View) -> ViewSpec {
    let listen = &config.listen.dns;
    // One that there is not, as flags may have put others in its place, gets a number that nobody has: left out, it would
    // leave a view for all listeners behind.
    let number = |wanted: &SocketAddr| {
        listen.iter().position(|listener| listener.address == *wanted).unwrap_or(listen.len())
    };
    ViewSpec {
        name: view.name.as_str().into(),
        clients: view.clients.clone(),
        listeners: view.listeners.iter().map(number).collect(),
        shared: view.shared,
    }
}

/// What the configuration wants of its views, by their names, the default one first.
fn wanted(config: &Config) -> impl Iterator<Item = (&str, Wanted<'_>)> {
    let views = config.views.iter().map(|view| (view.name.as_str(), Wanted::of(view)));
    std::iter::once((dns_core::View::DEFAULT, Wanted::outside_views(config))).chain(views)
}

/// The zones that the first update puts, by name and from folders.
fn expected_zones(config: &Config, folders: &Folders) -> Vec<ExpectedZone> {
    let mut expected = Vec::new();
    for (view, wanted) in wanted(config) {
        let view: Arc<str> = view.into();
        let in_folder = folders.get(&view).into_iter().flat_map(Scanned::zones);
        let zones = wanted.named().chain(in_folder);
        expected.extend(zones.map(|apex| ExpectedZone { view: view.clone(), apex: apex.clone() }));
    }
    expected
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

#[cfg(test)]
mod tests {
    use std::fs;

    use dns_core::{RecordType, Rrset};
    use dns_store::Source;

    use super::*;
    use crate::config::{Listen, Listener, StoreConfig, View};

    fn view(listeners: Vec<SocketAddr>) -> View {
        View {
            name: "inside".to_owned(),
            clients: Vec::new(),
            listeners,
            shared: false,
            zones: Vec::new(),
            zones_dir: None,
            records: Vec::new(),
        }
    }

    #[test]
    fn a_view_of_a_listener_that_there_is_not_is_for_nobody() {
        let [here, elsewhere]: [SocketAddr; 2] = [([127, 0, 0, 1], 53).into(), ([127, 0, 0, 2], 53).into()];
        let listen = Listen { dns: vec![Listener::required(here)], ..Listen::default() };
        let config = Config { listen, ..Config::default() };
        assert_eq!(view_spec(&config, &view(vec![here])).listeners, [0]);
        assert_eq!(view_spec(&config, &view(vec![elsewhere])).listeners, [1]);
        assert!(view_spec(&config, &view(Vec::new())).listeners.is_empty());
    }

    /// Without that, what the journal has below them would be served in many small zones first.
    #[test]
    fn zones_of_folders_are_waited_for() {
        const ZONE: &str = "$TTL 300\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns.example.net.\n";
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for (file, text) in [
            ("outside/a.zone", format!("$ORIGIN example.org.\n{ZONE}")),
            ("outside/example.net.zone", ZONE.to_owned()),
            ("inside/example.org.zone", ZONE.to_owned()),
        ] {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write(path(file), text).unwrap();
        }
        let store = StoreConfig { data_dir: Some(path("data")), ..StoreConfig::default() };
        let mut config = Config { store, views: vec![view(Vec::new())], ..Config::default() };
        let (mut content, keep) = Content::open(&config, Checks::Brief).unwrap();
        content.update(&config);
        for store in content.store().views() {
            for owner in ["www.example.org", "www.example.net"] {
                let www = Rrset::new(owner.parse().unwrap(), RecordType::A, 300, [[192, 0, 2, 1]]).unwrap();
                store.create(&Source::Api, www, None).unwrap();
            }
        }
        // Others may have this one open a moment longer than we do.
        keep.folder().unwrap().backup_to(path("copy")).unwrap();
        dns_journal::restore_backup(path("copy"), path("later"), false).unwrap();
        config.store.data_dir = Some(path("later"));

        config.zones_dir = Some(path("outside"));
        config.views[0].zones_dir = Some(path("inside"));
        let (mut content, _keep) = Content::open(&config, Checks::Brief).unwrap();
        let specs = [view_spec(&config, &config.views[0])];
        content.prepare_views(&specs);
        let zones = |content: &Content| {
            let of_view = |view: &ViewContent| {
                let zones = content.store().view(view.name()).unwrap().zones();
                zones.iter().map(|zone| (zone.apex.to_string(), zone.failed.clone())).collect::<Vec<_>>()
            };
            content.views().iter().map(of_view).collect::<Vec<_>>()
        };
        let of = |apex: &str, failed: Option<&str>| (apex.to_owned(), failed.map(str::to_owned));
        let unread = Some("its file has not been read yet");
        assert_eq!(
            zones(&content),
            [
                vec![of("example.net.", unread), of("example.org.", unread)],
                vec![of("www.example.net.", None), of("example.org.", unread)]
            ]
        );

        // One that is expected does not stay so when its file goes away before it is read.
        fs::remove_file(path("outside/example.net.zone")).unwrap();
        let update = content.update(&config);
        assert_eq!(update.loaded.len(), 2, "{update:?}");
        assert_eq!(update.problems.len(), 1, "{update:?}");
        assert!(update.problems[0].contains("example.net.zone: cannot be read"), "{update:?}");
        let update = content.update(&config);
        assert_eq!((update.dropped.len(), update.problems.len()), (1, 0), "{update:?}");
        let derived = of("www.example.net.", None);
        let served = of("example.org.", None);
        assert_eq!(zones(&content), [[derived.clone(), served.clone()], [derived, served]]);

        // A folder that cannot be read is told once, and not before it is time to.
        config.store.data_dir = None;
        config.zones_dir = Some(path("absent"));
        let (mut content, _keep) = Content::open(&config, Checks::Brief).unwrap();
        for _ in 0..2 {
            let problems = content.update(&config).problems;
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with("zones_dir: "), "{problems:?}");
        }
    }
}
