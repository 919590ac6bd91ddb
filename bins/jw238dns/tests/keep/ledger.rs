//! What must be there after a crash: the history is read entry by entry and compared with what clients know.

use std::collections::BTreeMap;

use dns_api::client::{Client, HistoryFilter};
use dns_api::model::{HistoryEntry, RecordSpec, Values, ZoneChange};

use crate::site;

/// Owner name and type.
pub type Key = (String, String);

/// TTL and values, these sorted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Set {
    pub ttl: u32,
    pub value: Vec<String>,
}

/// What somebody has asked for, as it shows in the history.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What the author is called.
    pub author: String,
    /// What there is afterwards, of whatever becomes another.
    pub records: BTreeMap<Key, Option<Set>>,
    /// Which zones are there afterwards, of those that come or go.
    pub zones: BTreeMap<String, bool>,
}

/// All that has been acknowledged or found so far, over all crashes.
#[derive(Default)]
pub struct Ledger {
    /// Every entry that was ever seen.
    entries: BTreeMap<u64, HistoryEntry>,
    /// What all entries come to.
    pub records: BTreeMap<Key, Set>,
    zones: BTreeMap<String, Vec<RecordSpec>>,
    /// The highest version that anybody has seen.
    pub version: u64,
}

impl Set {
    pub fn new(ttl: u32, value: &[String]) -> Self {
        let mut value = value.to_vec();
        value.sort();
        Self { ttl, value }
    }
}

impl Ledger {
    /// Reads what the server has, and compares it with what was acknowledged, with the versions of that, and with what may or
    /// may not have been done, at most one thing for each author.
    pub async fn check(
        &mut self,
        client: &Client,
        acknowledged: &BTreeMap<u64, Change>,
        in_doubt: &mut Vec<Change>,
    ) {
        let found = history(client).await;
        for (version, entry) in &self.entries {
            assert_eq!(
                found.get(version),
                Some(entry),
                "version {version} of the history has become another"
            );
        }
        for (version, change) in acknowledged {
            let entry = found.get(version);
            let entry = entry.unwrap_or_else(|| panic!("version {version} is lost: {change:?}"));
            assert!(change.is(entry), "version {version}: {change:#?}\nhas become {entry:#?}");
            assert!(*version > self.version, "version {version} was given before: {change:?}");
        }
        for (version, entry) in found {
            if self.entries.contains_key(&version) {
                continue;
            }
            assert!(version > self.version, "version {version} has been seen before: {entry:#?}");
            if !acknowledged.contains_key(&version) {
                let at = in_doubt.iter().position(|change| change.is(&entry));
                let at = at.unwrap_or_else(|| panic!("nobody has asked for {entry:#?}, but {in_doubt:#?}"));
                in_doubt.swap_remove(at);
            }
            self.apply(&entry);
            self.entries.insert(version, entry);
        }
        self.compare(client).await;
        let newest = self.entries.keys().next_back().copied().unwrap_or_default();
        let version = client.status().await.unwrap().version;
        assert!(version >= self.version.max(newest), "version {version} comes after {}", self.version);
        self.version = version;
    }

    /// Whether any entry has left these records behind.
    pub fn has_seen(&self, key: &Key, set: &Set) -> bool {
        let is_here = |entry: &HistoryEntry| {
            entry.records.iter().any(|change| {
                (&change.name, &change.rtype) == (&key.0, &key.1)
                    && set_of(change.after.as_ref()).as_ref() == Some(set)
            })
        };
        self.entries.values().rev().any(is_here)
    }

    /// Whether the API has declared a zone.
    pub fn has_zone(&self, apex: &str) -> bool {
        self.zones.contains_key(apex)
    }

    /// Goes one entry on. What it says of the state before must be so.
    fn apply(&mut self, entry: &HistoryEntry) {
        let version = entry.version;
        assert_eq!(entry.records_total, None, "not all of version {version} is shown");
        for change in &entry.records {
            let key = (change.name.clone(), change.rtype.clone());
            let before = set_of(change.before.as_ref());
            assert_eq!(self.records.get(&key), before.as_ref(), "{key:?} before version {version}");
            match set_of(change.after.as_ref()) {
                Some(after) => drop(self.records.insert(key, after)),
                None => drop(self.records.remove(&key)),
            }
        }
        for ZoneChange { name, before, after } in &entry.zones {
            let before = before.as_deref().map(without_serial);
            assert_eq!(self.zones.get(name), before.as_ref(), "zone {name} before version {version}");
            match after.as_deref() {
                Some(after) => drop(self.zones.insert(name.clone(), without_serial(after))),
                None => drop(self.zones.remove(name)),
            }
        }
    }

    /// The history comes to what is there, exactly.
    async fn compare(&self, client: &Client) {
        let mut there = BTreeMap::new();
        for record in site::records(client).await {
            // Those of zones are compared below.
            if record.rtype != "SOA" && record.rtype != "NS" {
                let set = Set::new(record.ttl, &record.value);
                let twice = there.insert((record.name, record.rtype), set);
                assert_eq!(twice, None, "listed twice");
            }
        }
        assert_eq!(there, self.records, "what is there is not what the history comes to");
        let zones = client.zones().await.unwrap().zones;
        let declared = zones.iter().filter(|zone| zone.source.as_deref() == Some("api"));
        let declared: Vec<&str> = declared.map(|zone| zone.name.as_str()).collect();
        let mut expected: Vec<&str> = self.zones.keys().map(String::as_str).collect();
        let mut there = declared.clone();
        expected.sort_unstable();
        there.sort_unstable();
        assert_eq!(there, expected, "zones are not what the history comes to");
    }
}

impl Change {
    /// Whether an entry of the history is this, and all of it.
    pub fn is(&self, entry: &HistoryEntry) -> bool {
        let records: BTreeMap<Key, Option<Set>> = entry
            .records
            .iter()
            .map(|change| ((change.name.clone(), change.rtype.clone()), set_of(change.after.as_ref())))
            .collect();
        let zones = entry.zones.iter().map(|zone| (zone.name.clone(), zone.after.is_some()));
        let zones: BTreeMap<String, bool> = zones.collect();
        entry.author.starts_with(&format!("token {} (", self.author))
            && records == self.records
            && zones == self.zones
    }
}

/// The history, page by page.
pub async fn history(client: &Client) -> BTreeMap<u64, HistoryEntry> {
    let filter = HistoryFilter { limit: Some(1000), ..HistoryFilter::default() };
    let (mut entries, mut before) = (BTreeMap::new(), None);
    loop {
        let page = client.history(&filter, before).await.unwrap();
        for entry in page.changes {
            let version = entry.version;
            assert!(before.is_none_or(|before| version < before), "version {version} is on two pages");
            assert!(entries.insert(version, entry).is_none(), "version {version} was given twice");
        }
        before = page.next;
        if before.is_none() {
            return entries;
        }
    }
}

fn set_of(values: Option<&Values>) -> Option<Set> {
    values.map(|Values { ttl, value }| Set::new(*ttl, value))
}

/// The server counts the serial on, and what a journal has of a zone is as old as its declaration.
fn without_serial(records: &[RecordSpec]) -> Vec<RecordSpec> {
    let mut records = records.to_vec();
    for record in records.iter_mut().filter(|record| record.rtype == "SOA") {
        let fields = record.value.clone().into_vec().concat();
        let fields =
            fields.split(' ').enumerate().filter(|(at, _)| *at != 2).map(|(_, field)| field.to_owned());
        record.value = fields.collect::<Vec<_>>().into();
    }
    records
}
