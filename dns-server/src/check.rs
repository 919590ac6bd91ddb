//! Looking for what is wrong, at start in passing and on request in full.

use dns_core::zonecheck::{self, Severity};
use dns_core::{Catalog, Name, ZoneEntry};
use dns_files::{ZoneFiles, place_findings};
use dns_store::{Found, SourceKind, Store};

use crate::config::Config;
use crate::content::{Content, ViewContent};
use crate::guard::{self, Secrets};
use crate::server::load_tls;

/// How thoroughly zones are looked at that have just been loaded, beyond what keeps them from being served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Checks {
    /// Zones of up to [`BRIEF_NAMES_MAX`] names, [`BRIEF_WARNINGS_MAX`] warnings of each.
    Brief,
    /// Not at all: whoever loads them does that.
    Elsewhere,
}

/// Names of the largest zone that is checked at each load; larger ones are checked when somebody asks, since loading them is
/// to take no longer than it must.
const BRIEF_NAMES_MAX: usize = 100_000;
/// Warnings of a zone that go to the log at each load.
const BRIEF_WARNINGS_MAX: usize = 20;

/// Records that are not served, as a check lists them.
const SHADOWED_MAX: usize = 1000;

/// What a check of a configuration has found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The zones that can be served, by name; those that flat records make by themselves are among them.
    pub zones: Vec<CheckedZone>,
    /// What is not served for what is wrong with it, each with its place.
    pub errors: Vec<String>,
    /// What somebody should look at, each with its place.
    pub warnings: Vec<String>,
    /// What could be better.
    pub notes: Vec<String>,
}

/// A zone that can be served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckedZone {
    /// Its name.
    pub apex: Name,
    /// The view that has it; `default` outside views.
    pub view: String,
    /// Version of its records.
    pub serial: u32,
    /// How many records it has, signatures not counted.
    pub records: usize,
    /// Nobody declared it: it holds records that were given without a zone.
    pub derived: bool,
}

/// Loads all zones, records and certificates as a server would, without serving them, and lists everything that is wrong or
/// doubtful.
///
/// Reads files, so it takes as long as that does; no port is bound.
pub fn check(config: &Config) -> Checked {
    let mut content = Content::new(config, Checks::Elsewhere);
    let mut update = content.update(config);
    update.problems.extend(guard::compile(config, &Secrets::none()).err().unwrap_or_default());
    update.problems.extend(load_tls(config).err().map(|error| error.to_string()));
    let mut checked = Checked { errors: update.problems, warnings: update.warnings, ..Checked::default() };
    let catalog = content.store().snapshot();
    for view in content.views() {
        check_view(&catalog, view, &mut checked);
    }
    checked
}

fn check_view(catalog: &Catalog, content: &ViewContent, checked: &mut Checked) {
    let view = catalog.view(content.name());
    let mut entries: Vec<&ZoneEntry> = view.map_or_else(Vec::new, |view| view.zones().collect());
    entries.sort_by(|left, right| left.apex.cmp(&right.apex));
    for entry in entries {
        let Some(zone) = entry.zone() else { continue };
        checked.zones.push(CheckedZone {
            apex: entry.apex.clone(),
            view: content.name().to_owned(),
            serial: zone.serial(),
            records: zone.record_count(),
            derived: entry.derived,
        });
        // Nobody wrote the apex of a derived zone, and what such a zone lacks may be elsewhere.
        if entry.derived {
            continue;
        }
        let report = zonecheck::check(zone);
        let placed = placed(content.files(), &entry.apex, &report.findings);
        for (finding, line) in report.findings.iter().zip(placed) {
            match finding.severity() {
                Severity::Warning => checked.warnings.push(line),
                Severity::Note => checked.notes.push(line),
            }
        }
        if report.omitted > 0 {
            checked
                .warnings
                .push(format!("zone {}: {} more findings are not listed", entry.apex, report.omitted));
        }
    }
}

impl Checks {
    /// Warnings about zones that have just been loaded.
    pub fn warnings(self, store: &Store, files: &ZoneFiles, loaded: &[Name]) -> Vec<String> {
        let mut warnings = Vec::new();
        let catalog = store.snapshot();
        let Some(view) = catalog.view(store.view_name()).filter(|_| self == Self::Brief) else {
            return warnings;
        };
        for zone in loaded.iter().filter_map(|apex| view.zone(apex)?.zone()) {
            if zone.name_count() > BRIEF_NAMES_MAX {
                continue;
            }
            let report = zonecheck::check(zone);
            let mut findings = report.findings;
            findings.retain(|finding| finding.severity() == Severity::Warning);
            let more = findings.len().saturating_sub(BRIEF_WARNINGS_MAX) + report.omitted;
            findings.truncate(BRIEF_WARNINGS_MAX);
            warnings.extend(placed(files, zone.apex(), &findings));
            if more > 0 {
                let apex = zone.apex();
                warnings.push(format!(
                    "zone {apex}: {more} more warnings, which a check of the configuration lists"
                ));
            }
        }
        warnings
    }

    /// Warnings about records of the configuration that are not served. What others have is their own business.
    pub fn shadowed(self, store: &Store) -> Vec<String> {
        let limit = match self {
            Self::Brief => BRIEF_WARNINGS_MAX,
            Self::Elsewhere => SHADOWED_MAX,
        };
        let shadowed = store.shadowed(SourceKind::Config, limit);
        let count = shadowed.counts.get(&SourceKind::Config).copied().unwrap_or_default();
        let more = count - shadowed.found.len();
        let sentence = |found: Found| {
            let (owner, rtype) = (found.rrset.owner(), found.rrset.rtype());
            match store.get(owner, rtype) {
                Some(served) => {
                    let source = served.source;
                    format!(
                        "records: {owner} {rtype} is not served: {source} has such records, and comes first"
                    )
                }
                None => {
                    format!("records: {owner} {rtype} is not served: what else is there leaves it no place")
                }
            }
        };
        let mut warnings: Vec<String> = shadowed.found.into_iter().map(sentence).collect();
        if more > 0 {
            warnings.push(format!("records: {more} more are not served, as others come first"));
        }
        warnings
    }
}

fn placed(files: &ZoneFiles, apex: &Name, findings: &[zonecheck::Finding]) -> Vec<String> {
    match files.path_of(apex) {
        Some(path) => place_findings(path, apex, findings),
        None => findings.iter().map(|finding| format!("zone {apex}: {finding}")).collect(),
    }
}
