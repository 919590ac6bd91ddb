//! What a journal should hold, in the plainest form; and batches to give it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use dns_core::{Name, RecordType, Rrset};
use dns_store::{Batch, Entry, Journal, Kept, KeptZone, Marks, RecordChange, Source, ZoneRecord};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::tables::MarkSet;

/// Everything that was acknowledged, put together by hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub entries: Vec<Arc<Entry>>,
    pub state: State,
    marks: MarkSet,
}

type RecordKey = (Arc<str>, Source, Name, RecordType);

/// What a journal hands over, by view, source, name and type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct State {
    records: BTreeMap<RecordKey, (u64, Rrset)>,
    zones: BTreeMap<(Arc<str>, Source, Name), (u64, KeptZone)>,
    marks: Marks,
}

impl Model {
    pub fn apply(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            let (view, source, version) = (&entry.view, &entry.source, entry.version);
            for zone in &entry.zones {
                let key = (Arc::clone(view), source.clone(), zone.apex.clone());
                match &zone.after {
                    Some(after) => self.state.zones.insert(key, (version, after.clone())),
                    None => self.state.zones.remove(&key),
                };
            }
            for change in &entry.records {
                let key = (Arc::clone(view), source.clone(), change.owner.clone(), change.rtype);
                match &change.after {
                    Some(after) => self.state.records.insert(key, (version, after.clone())),
                    None => self.state.records.remove(&key),
                };
            }
            self.entries.push(Arc::clone(entry));
        }
        self.marks.merge(&batch.marks);
        self.state.marks = self.marks.clone().into();
    }

    /// The version that the next entry may have.
    pub fn next_version(&self) -> u64 {
        self.entries.last().map_or(1, |entry| entry.version + 1)
    }

    /// A journal holds just this, by every way of asking it.
    #[track_caller]
    pub fn check(&self, journal: &impl Journal) {
        assert_eq!(state_of(journal), self.state);
        let newest_first: Vec<_> = self.entries.iter().rev().cloned().collect();
        assert_eq!(journal.newest().unwrap(), newest_first.first().map(|entry| entry.version));
        assert_eq!(journal.history(None, usize::MAX).unwrap(), newest_first);
        if let Some(entry) = self.entries.get(self.entries.len() / 2) {
            let older = &newest_first[newest_first.len() - self.entries.len() / 2..];
            assert_eq!(journal.history(Some(entry.version), usize::MAX).unwrap(), older);
            assert_eq!(journal.entry(entry.version).unwrap().as_ref(), Some(entry));
        }
        assert_eq!(journal.entry(self.next_version()).unwrap(), None);
    }
}

/// What a journal hands over.
pub(crate) fn state_of(journal: &impl Journal) -> State {
    let mut state = State::default();
    let mut has_records = false;
    let marks = journal
        .restore(None, &mut |kept| match kept {
            Kept::Zone { view, source, apex, zone, version } => {
                assert!(!has_records, "zones come first");
                assert!(state.zones.insert((view, source, apex), (version, zone)).is_none(), "only once");
            }
            Kept::Rrset { view, source, rrset, version } => {
                has_records = true;
                let key = (view, source, rrset.owner().clone(), rrset.rtype());
                assert!(state.records.insert(key, (version, rrset)).is_none(), "only once");
            }
        })
        .unwrap();
    state.marks = marks;
    state
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Addresses at a name.
pub(crate) fn rrset(owner: &str, last: u8) -> Rrset {
    Rrset::new(name(owner), RecordType::A, 300, [[192, 0, 2, last]]).unwrap()
}

/// An entry of the API that puts these RRsets.
pub(crate) fn entry(version: u64, rrsets: &[Rrset]) -> Arc<Entry> {
    let record = |rrset: &Rrset| RecordChange {
        owner: rrset.owner().clone(),
        rtype: rrset.rtype(),
        before: None,
        after: Some(rrset.clone()),
    };
    Arc::new(Entry {
        version,
        time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + version),
        view: "default".into(),
        source: Source::Api,
        author: "token ci".into(),
        records: rrsets.iter().map(record).collect(),
        zones: Vec::new(),
    })
}

fn any_name() -> impl Strategy<Value = Name> {
    select(vec!["example.org", "www.example.org", "a.example.org", "*.b.example.org", "example.net", "."])
        .prop_map(name)
}

fn any_source() -> impl Strategy<Value = Source> {
    prop_oneof![
        3 => Just(Source::Api),
        1 => Just(Source::Acme),
        1 => Just(Source::Config),
        1 => Just(Source::Kubernetes),
        1 => Just(Source::Update("key.example".into())),
        1 => Just(Source::File("/zones/ä".into())),
        1 => Just(Source::Transfer("primary".into())),
        1 => Just(Source::ConfigMap("dns/records".into())),
    ]
}

fn any_view() -> impl Strategy<Value = Arc<str>> {
    select(vec!["default", "", "inside"]).prop_map(Arc::from)
}

fn any_rrset(owner: Name) -> impl Strategy<Value = Rrset> {
    let rtype = select(vec![RecordType::A, RecordType::TXT, RecordType(65_280)]);
    let values = btree_set(vec(any::<u8>(), 0..40), 1..20);
    (rtype, 0..=dns_core::TTL_MAX, values)
        .prop_map(move |(rtype, ttl, values)| Rrset::new(owner.clone(), rtype, ttl, values).unwrap())
}

fn any_change() -> impl Strategy<Value = RecordChange> {
    let pair = any_name().prop_flat_map(|owner| {
        (any_rrset(owner.clone()), proptest::option::of(any_rrset(owner)), any::<bool>())
    });
    pair.prop_map(|(one, other, is_deleted)| RecordChange {
        owner: one.owner().clone(),
        rtype: one.rtype(),
        before: other.filter(|other| other.rtype() == one.rtype()),
        after: (!is_deleted).then_some(one),
    })
}

fn any_zone() -> impl Strategy<Value = ZoneRecord> {
    let rrsets = any_name().prop_flat_map(|apex| vec(any_rrset(apex), 0..4)).boxed();
    let body = || proptest::option::of(rrsets.clone().prop_map(|rrsets| KeptZone { rrsets }));
    (any_name(), body(), body()).prop_map(|(apex, before, after)| ZoneRecord { apex, before, after })
}

/// Any entry that a store might make, of a version that is still to be given.
pub(crate) fn any_entry() -> impl Strategy<Value = Entry> {
    let head =
        (any_view(), any_source(), select(vec!["", "token ci (4f2a) from 192.0.2.1"]), -9_i64..1 << 41);
    (head, vec(any_change(), 0..6), vec(any_zone(), 0..3)).prop_map(
        |((view, source, author, milliseconds), mut records, mut zones)| {
            records.sort_by(|a, b| (&a.owner, a.rtype).cmp(&(&b.owner, b.rtype)));
            records.dedup_by(|a, b| (&a.owner, a.rtype) == (&b.owner, b.rtype));
            zones.sort_by(|a, b| a.apex.cmp(&b.apex));
            zones.dedup_by(|a, b| a.apex == b.apex);
            let time = crate::codec::time(milliseconds).unwrap();
            Entry { version: 0, time, view, source, author: author.into(), records, zones }
        },
    )
}

fn any_marks() -> impl Strategy<Value = Marks> {
    let serials = vec((any_view(), any_name(), any::<u32>()), 0..3);
    (any::<Option<u64>>(), any::<Option<u32>>(), serials)
        .prop_map(|(version, derived_serial, serials)| Marks { version, derived_serial, serials })
}

/// Batches in the order of their versions, some without entries.
pub(crate) fn batches(count: usize) -> impl Strategy<Value = Vec<Batch>> {
    let gap = any::<Index>().prop_map(|index| 1 + index.index(3) as u64);
    let entries = vec((any_entry(), gap), 0..4);
    vec((entries, any_marks()), 1..count).prop_map(|batches| {
        let mut version = 0;
        let mut numbered = |(mut entry, gap): (Entry, u64)| {
            version += gap;
            entry.version = version;
            Arc::new(entry)
        };
        let batch = |(entries, marks): (Vec<_>, Marks)| Batch {
            entries: entries.into_iter().map(&mut numbered).collect(),
            marks,
        };
        batches.into_iter().map(batch).collect()
    })
}
