//! Any sequence of changes by several sources, against a model that works everything out from scratch.

mod model;

use std::collections::{BTreeMap, BTreeSet};

use dns_core::zone::rrsets_of;
use dns_core::{Change, ChangeSet, Name, RecordType, Rrset, ZoneEntry};
use dns_store::{
    Event, Filter, Found, Source, SourceKind, Store, StoreError, StoreOptions, Watch, ZoneOptions,
};
use model::{File, Listed, Model, Placed, ServedZone, content, name, soa_rdata, soa_without_serial};
use proptest::prelude::*;

const NAMES: [&str; 17] = [
    ".",
    "org",
    "example.org",
    "www.example.org",
    "a.www.example.org",
    "_x.example.org",
    "_y._x.example.org",
    "*.example.org",
    "b.example.org",
    "x.b.example.org",
    "_y.x.b.example.org",
    "*.x.b.example.org",
    "lan",
    "*.lan",
    "_z.lan",
    "www.example.net",
    "_z.example.net",
];
const APEXES: [&str; 6] = [".", "org", "example.org", "b.example.org", "lan", "x.b.example.org"];
const TYPES: [RecordType; 6] =
    [RecordType::A, RecordType::TXT, RecordType::CNAME, RecordType::A, RecordType::TXT, RecordType::SOA];

#[derive(Clone, Debug)]
enum Step {
    Apply(Source, Vec<Change>),
    Create(Source, Rrset),
    Update(Source, Rrset),
    Delete(Source, Name, Option<RecordType>),
    Reload(Source, Vec<Rrset>),
    PutZone(Source, Name, File),
    FailZone(Source, Name),
    DropZone(Source, Name),
    Options(u8),
}

fn flat_source() -> impl Strategy<Value = Source> {
    prop::sample::select(vec![
        Source::Acme,
        Source::Api,
        Source::Config,
        Source::ConfigMap("a/b".into()),
        Source::ConfigMap("a/c".into()),
        Source::Kubernetes,
    ])
}

fn zone_source() -> impl Strategy<Value = Source> {
    let files = ["zone", "other"].map(|path| Source::File(path.into()));
    prop::sample::select(vec![files[0].clone(), files[0].clone(), files[1].clone(), Source::Api])
}

fn owner() -> impl Strategy<Value = Name> {
    prop::sample::select(NAMES.map(name).to_vec())
}

fn apex() -> impl Strategy<Value = Name> {
    prop::sample::select(APEXES.map(name).to_vec())
}

fn rrset() -> impl Strategy<Value = Rrset> {
    (owner(), prop::sample::select(TYPES.to_vec()), 1u8..4, 60u32..62)
        .prop_map(|(owner, rtype, value, ttl)| make_rrset(&owner, rtype, value, ttl))
}

fn make_rrset(owner: &Name, rtype: RecordType, value: u8, ttl: u32) -> Rrset {
    let values = match rtype {
        RecordType::A => (0..value).map(|last| vec![192, 0, 2, last]).collect(),
        RecordType::TXT => vec![vec![1, value]],
        RecordType::SOA => vec![soa_rdata(&name("ns.test"), &name("root.test"), 7, [1, 2, 3, value.into()])],
        _ => vec![name(&format!("target{value}.test")).as_wire().to_vec()],
    };
    Rrset::new(owner.clone(), rtype, ttl, values).unwrap()
}

fn file() -> impl Strategy<Value = (Name, File)> {
    let records = prop::collection::vec((owner(), 0usize..3, 1u8..4), 0..5);
    (apex(), 1u32..50, records, 0u8..6).prop_map(|(apex, serial, records, signed)| {
        let times = [3600, 600, 86_400, 300];
        let soa = soa_rdata(&name("ns.test"), &name("root.test"), serial, times);
        let mut rrsets: BTreeMap<(Name, RecordType), Rrset> = BTreeMap::new();
        for (owner, rtype, value) in records {
            let is_apex = owner == apex;
            let has_cname = rrsets.contains_key(&(owner.clone(), RecordType::CNAME));
            let has_other = rrsets.keys().any(|(other, _)| *other == owner);
            let rtype = if is_apex || has_other { TYPES[rtype % 2] } else { TYPES[rtype] };
            if owner.is_at_or_below(&apex) && !has_cname {
                rrsets.insert((owner.clone(), rtype), make_rrset(&owner, rtype, value, 1));
            }
        }
        for (rtype, rdata) in [(RecordType::SOA, soa), (RecordType::NS, name("ns.test").as_wire().to_vec())] {
            let rrset = Rrset::new(apex.clone(), rtype, 3600, [rdata]).unwrap();
            rrsets.insert((apex.clone(), rtype), rrset);
        }
        (apex, File { records: rrsets.into_values().collect(), serial, signed: signed == 0 })
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => rrset().prop_map(Change::Put),
        1 => rrset().prop_filter("one value", |rrset| rrset.rtype() == RecordType::TXT).prop_map(Change::Add),
        1 => rrset().prop_map(Change::Remove),
        1 => (owner(), prop::option::of(Just(RecordType::A))).prop_map(|(owner, rtype)| Change::Delete { owner, rtype }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (flat_source(), prop::collection::vec(change(), 1..4)).prop_map(|(source, changes)| Step::Apply(source, changes)),
        4 => (flat_source(), rrset()).prop_map(|(source, rrset)| Step::Create(source, rrset)),
        3 => (flat_source(), rrset()).prop_map(|(source, rrset)| Step::Update(source, rrset)),
        3 => (flat_source(), owner(), prop::option::of(Just(RecordType::A)))
            .prop_map(|(source, owner, rtype)| Step::Delete(source, owner, rtype)),
        3 => (flat_source(), prop::collection::vec(rrset(), 0..6)).prop_map(|(source, rrsets)| Step::Reload(source, rrsets)),
        3 => (zone_source(), file()).prop_map(|(source, (apex, file))| Step::PutZone(source, apex, file)),
        1 => (zone_source(), apex()).prop_map(|(source, apex)| Step::FailZone(source, apex)),
        2 => (zone_source(), apex()).prop_map(|(source, apex)| Step::DropZone(source, apex)),
        1 => (0u8..4).prop_map(Step::Options),
    ]
}

fn options(which: u8, fold_after: usize) -> StoreOptions {
    let mut options = StoreOptions { fold_after, ..StoreOptions::default() };
    match which {
        1 => options.precedence.reverse(),
        2 => options.precedence = vec![vec![SourceKind::Config, SourceKind::Acme], vec![SourceKind::Api]],
        3 => {
            options.derived.mname = Some(name("ns1.example.com"));
            options.derived_fallthrough = true;
        }
        _ => {}
    }
    options
}

/// Makes the step in the model. `None`: it must be refused.
fn step_model(model: &Model, step: &Step) -> Option<Model> {
    let mut after = model.clone();
    let refuse = |after: Model, source: &Source| (!after.refuses(model, source)).then_some(after);
    let is_file = |source: &Source| source.kind() == SourceKind::File;
    let may_replace = |source: &Source, apex: &Name| {
        model.zones.get(apex).is_none_or(|(by, _)| by == source || is_file(by) && is_file(source))
    };
    let of_zone = |owner: &Name, rtype: Option<RecordType>| {
        let zone = model.declared(owner).map(|apex| &model.zones[&apex]);
        let records = zone.into_iter().flat_map(|(_, file)| file).flat_map(|file| &file.records);
        records
            .filter(|rrset| rrset.owner() == owner && rtype.is_none_or(|rtype| rtype == rrset.rtype()))
            .count()
            > 0
    };
    let has = |owner: &Name, by: Option<&Source>, rtype: Option<RecordType>| {
        let is_it = |(found, source, found_type): &(Name, Source, RecordType)| {
            found == owner
                && by.is_none_or(|by| by == source)
                && rtype.is_none_or(|rtype| rtype == *found_type)
        };
        model.flat.keys().any(is_it)
    };
    let put = |after: &mut Model, source: &Source, rrset: &Rrset| {
        after.flat.insert((rrset.owner().clone(), source.clone(), rrset.rtype()), rrset.clone());
    };
    // What the source has of the name and type because its zone came with it.
    let came_with_zone = |source: &Source, rrset: &Rrset| {
        let (by, file) = &model.zones[&model.declared(rrset.owner())?];
        let is_it = |own: &&Rrset| own.owner() == rrset.owner() && own.rtype() == rrset.rtype();
        file.as_ref().filter(|_| by == source)?.records.iter().find(is_it).cloned()
    };
    match step {
        Step::Apply(source, changes) => {
            for change in changes {
                let key = |rrset: &Rrset| (rrset.owner().clone(), source.clone(), rrset.rtype());
                match change {
                    Change::Put(rrset) => put(&mut after, source, rrset),
                    Change::Add(rrset) => {
                        let flat = after.flat.get(&key(rrset)).cloned();
                        let own = came_with_zone(source, rrset).filter(|_| flat.is_none());
                        let old = flat.or_else(|| own.clone());
                        let values: Vec<&[u8]> = old.iter().chain([rrset]).flat_map(Rrset::rdatas).collect();
                        let rrset = Rrset::new(rrset.owner().clone(), rrset.rtype(), rrset.ttl(), values);
                        let rrset = rrset.unwrap();
                        if own.as_ref() != Some(&rrset) {
                            put(&mut after, source, &rrset);
                        }
                    }
                    Change::Remove(rrset) => {
                        let flat = after.flat.remove(&key(rrset));
                        let own = came_with_zone(source, rrset).filter(|_| flat.is_none());
                        if let Some(old) = flat.or_else(|| own.clone()) {
                            let gone: BTreeSet<&[u8]> = rrset.rdatas().collect();
                            let left = old.rdatas().filter(|value| !gone.contains(value));
                            match Rrset::new(old.owner().clone(), old.rtype(), old.ttl(), left) {
                                Ok(left) if own.as_ref() != Some(&left) => put(&mut after, source, &left),
                                Err(_) if own.is_some() => return None,
                                _ => {}
                            }
                        }
                    }
                    Change::Delete { owner, rtype } => after.flat.retain(|(found, by, found_type), _| {
                        found != owner || by != source || rtype.is_some_and(|rtype| rtype != *found_type)
                    }),
                }
            }
            refuse(after, source)
        }
        Step::Create(source, rrset) => {
            let (owner, rtype) = (rrset.owner(), Some(rrset.rtype()));
            put(&mut after, source, rrset);
            if has(owner, None, rtype) || of_zone(owner, rtype) { None } else { refuse(after, source) }
        }
        Step::Update(source, rrset) => {
            let (owner, rtype) = (rrset.owner(), Some(rrset.rtype()));
            put(&mut after, source, rrset);
            if has(owner, None, rtype) || of_zone(owner, rtype) { refuse(after, source) } else { None }
        }
        Step::Delete(source, owner, rtype) => {
            let gone = |key: &(Name, Source, RecordType)| {
                key.0 == *owner && key.1 == *source && rtype.is_none_or(|rtype| rtype == key.2)
            };
            after.flat.retain(|key, _| !gone(key));
            has(owner, Some(source), *rtype).then_some(after)
        }
        Step::Reload(source, rrsets) => {
            after.flat.retain(|(_, by, _), _| by != source);
            for rrset in rrsets {
                put(&mut after, source, rrset);
            }
            refuse(after, source)
        }
        Step::PutZone(source, apex, file) => {
            after.zones.insert(apex.clone(), (source.clone(), Some(file.clone())));
            may_replace(source, apex).then_some(after)
        }
        Step::FailZone(source, apex) => {
            after.zones.insert(apex.clone(), (source.clone(), None));
            may_replace(source, apex).then_some(after)
        }
        Step::DropZone(source, apex) => {
            let is_there = after.zones.remove(apex).is_some();
            (is_there && may_replace(source, apex)).then_some(after)
        }
        Step::Options(which) => {
            after.options = options(*which, model.options.fold_after);
            Some(after)
        }
    }
}

fn step_store(store: &Store, step: &Step) -> Result<u64, StoreError> {
    match step {
        Step::Apply(source, changes) => {
            store.partial_reload(source, &changes.iter().cloned().collect::<ChangeSet>())
        }
        Step::Create(source, rrset) => store.create(source, rrset.clone(), Some(store.version())),
        Step::Update(source, rrset) => store.update(source, rrset.clone(), None),
        Step::Delete(source, owner, rtype) => store.delete(source, owner, *rtype, None),
        Step::Reload(source, rrsets) => store.hot_reload(source, rrsets),
        Step::PutZone(source, apex, file) => store.put_zone(source, file.build(apex), ZoneOptions::default()),
        Step::FailZone(source, apex) => {
            store.fail_zone(source, apex, "it is broken".into(), ZoneOptions::default())
        }
        Step::DropZone(source, apex) => store.drop_zone(source, apex),
        Step::Options(which) => store.set_options(&options(*which, store.options().fold_after)),
    }
}

fn served_zones(store: &Store) -> BTreeMap<Name, ServedZone> {
    let zone = |entry: &ZoneEntry| {
        let mut records = BTreeMap::new();
        if let Some(zone) = entry.zone() {
            for (rrset, _) in zone.nodes().flat_map(|node| rrsets_of(zone, &node)) {
                let key = (rrset.owner().clone(), rrset.rtype());
                assert!(records.insert(key, soa_without_serial(rrset)).is_none());
            }
        }
        ServedZone {
            derived: entry.derived,
            failed: entry.zone().is_none(),
            fallthrough: entry.fallthrough,
            records,
        }
    };
    let catalog = store.snapshot();
    let view = catalog.default_view().unwrap();
    view.zones().map(|entry| (entry.apex.clone(), zone(entry))).collect()
}

fn filter() -> impl Strategy<Value = Filter> {
    let kinds = vec![SourceKind::Acme, SourceKind::Api, SourceKind::File, SourceKind::ConfigMap];
    let rarely = |name: BoxedStrategy<Name>| prop_oneof![2 => Just(None), 1 => name.prop_map(Some)];
    (
        rarely(prop_oneof![apex(), owner()].boxed()),
        rarely(owner().boxed()),
        prop::option::weighted(0.3, prop::sample::select(TYPES.to_vec())),
        prop::option::weighted(0.3, prop::sample::select(kinds)),
        prop::option::weighted(0.3, any::<bool>()),
    )
        .prop_map(|(zone, below, rtype, source, shadowed)| Filter {
            zone,
            below,
            rtype,
            source,
            shadowed,
        })
}

/// Somebody who reads a list page by page while things change, and begins anew at its end.
struct Reader {
    filter: Filter,
    limit: usize,
    from: Option<(Name, RecordType)>,
}

impl Reader {
    /// Reads the next page, which is a part of what the model has.
    fn read(&mut self, store: &Store, all: &[Placed]) -> Vec<Listed> {
        let Filter { zone, below, rtype, source, shadowed } = &self.filter;
        let is_listed = |((owner, of, hidden, by, _), home): &&Placed| {
            zone.as_ref().is_none_or(|zone| home.as_ref() == Some(zone))
                && below.as_ref().is_none_or(|below| owner.is_at_or_below(below))
                && rtype.is_none_or(|rtype| rtype == *of)
                && source.is_none_or(|source| source == by.kind())
                && shadowed.is_none_or(|shadowed| shadowed == *hidden)
        };
        let mut expected: BTreeMap<(Name, RecordType), Vec<Listed>> = BTreeMap::new();
        for (listed, _) in all.iter().filter(is_listed) {
            expected.entry((listed.0.clone(), listed.1)).or_default().push(listed.clone());
        }
        let mut expected = match &self.from {
            Some(from) => expected.split_off(from),
            None => expected,
        };
        let next = expected.keys().nth(self.limit).cloned();
        let behind = next.as_ref().map(|next| expected.split_off(next));
        let page = store.list(&self.filter, self.from.as_ref(), self.limit);
        assert_eq!(page.next, next, "{} more", behind.map_or(0, |behind| behind.len()));
        let found: Vec<Listed> = page.found.into_iter().map(listed).collect();
        let key =
            |(owner, rtype, shadowed, source, _): &Listed| (owner.clone(), *rtype, *shadowed, source.clone());
        assert!(found.is_sorted_by_key(key));
        let mut sorted = found.clone();
        sorted.sort();
        assert_eq!(sorted, expected.into_values().flatten().collect::<Vec<_>>(), "{:?}", self.filter);
        self.from = page.next;
        found
    }
}

fn listed(Found { rrset, source, shadowed }: Found) -> Listed {
    let rrset = soa_without_serial(rrset);
    (rrset.owner().clone(), rrset.rtype(), shadowed, source, content(&rrset))
}

/// What clients see, by asking for each name and type that is listed.
fn visible(store: &Store) -> BTreeMap<(Name, RecordType), Rrset> {
    let all = store.list(&Filter::default(), None, usize::MAX - 1).found;
    let keys: BTreeSet<_> =
        all.iter().map(|found| (found.rrset.owner().clone(), found.rrset.rtype())).collect();
    let get = |(owner, rtype): (Name, RecordType)| {
        let rrset = soa_without_serial(store.get(&owner, rtype)?.rrset);
        Some(((owner, rtype), rrset))
    };
    keys.into_iter().filter_map(get).collect()
}

/// A copy of what is served that learns from events alone.
struct Follower {
    watch: Watch,
    copy: BTreeMap<(Name, RecordType), Rrset>,
}

impl Follower {
    fn catch_up(&mut self, store: &Store) {
        let key = |rrset: &Rrset| (rrset.owner().clone(), rrset.rtype());
        while let Some(event) = self.watch.try_next() {
            match event {
                Event::Changed(changed) => {
                    assert_eq!(changed.version, store.version());
                    for rrset in &changed.deleted {
                        assert_eq!(self.copy.remove(&key(rrset)), Some(soa_without_serial(rrset.clone())));
                    }
                    for (old, new) in &changed.updated {
                        let replaced = self.copy.insert(key(new), soa_without_serial(new.clone()));
                        assert_eq!(replaced, Some(soa_without_serial(old.clone())));
                    }
                    for rrset in &changed.added {
                        let replaced = self.copy.insert(key(rrset), soa_without_serial(rrset.clone()));
                        assert_eq!(replaced, None);
                    }
                }
                Event::Reloaded { version, zone, .. } => {
                    assert_eq!(version, store.version());
                    self.copy.retain(|(owner, _), _| !owner.is_at_or_below(&zone));
                    let now =
                        visible(store).into_iter().filter(|((owner, _), _)| owner.is_at_or_below(&zone));
                    self.copy.extend(now);
                }
                Event::Views { .. } => unreachable!("no view comes or goes"),
                Event::Lagged(_) => unreachable!("there are fewer events than are kept"),
            }
        }
    }
}

/// What must be true of serials from one step to the next.
#[derive(Default)]
struct Serials {
    last: BTreeMap<Name, u32>,
    /// Zones that have left the serials of their files behind.
    left: BTreeSet<Name>,
    before: BTreeMap<Name, ServedZone>,
}

impl Serials {
    fn check(&mut self, store: &Store, model: &Model, zones: &BTreeMap<Name, ServedZone>) {
        let catalog = store.snapshot();
        // Once a derived zone is gone, a file may begin with any serial, and a signed zone may at any time.
        let is_free = |apex: &Name| {
            let was_derived = self.before.get(apex).is_some_and(|before| before.derived);
            let file = model.zones.get(apex).and_then(|(_, file)| file.as_ref());
            was_derived && !zones.contains_key(apex) || file.is_some_and(|file| file.signed)
        };
        let free: Vec<Name> = self.last.keys().filter(|apex| is_free(apex)).cloned().collect();
        for apex in free {
            self.last.remove(&apex);
            self.left.remove(&apex);
        }
        for (apex, zone) in zones.iter().filter(|(_, zone)| !zone.failed) {
            let serial = catalog.default_view().unwrap().zone(apex).unwrap().zone().unwrap().serial();
            let file = model.zones.get(apex).and_then(|(_, file)| file.as_ref());
            let is_file_alone = file.is_some_and(|file| serial == file.serial);
            let is_later = |last: &u32| (1..0x8000_0000).contains(&serial.wrapping_sub(*last));
            if is_file_alone && self.last.get(apex).is_some_and(is_later) {
                // The file has caught up, and has the say again.
                self.left.remove(apex);
            }
            if !is_file_alone || self.left.contains(apex) {
                self.left.insert(apex.clone());
                if let Some(&last) = self.last.get(apex) {
                    assert!(serial.wrapping_sub(last) < 0x8000_0000, "{apex}: {serial} after {last}");
                    let before = self.before.get(apex);
                    if before.is_some_and(|before| before.records != zone.records) {
                        assert_ne!(serial, last, "{apex} has changed");
                    }
                }
            }
            if let Some(file) = file
                && !self.left.contains(apex)
            {
                assert_eq!(serial, file.serial);
            }
            self.last.insert(apex.clone(), serial);
        }
        self.before.clone_from(zones);
    }
}

/// Makes each step in a store and in a model, and compares all that can be seen.
fn check(steps: &[Step], fold_after: usize, filters: &[(Filter, usize)]) {
    let options = options(0, fold_after);
    let store = Store::new(options.clone());
    let mut model = Model { options, ..Model::default() };
    let mut follower = Follower { watch: store.watch(), copy: BTreeMap::new() };
    let mut serials = Serials::default();
    let mut readers: Vec<Reader> = filters
        .iter()
        .map(|(filter, limit)| Reader { filter: filter.clone(), limit: *limit, from: None })
        .collect();
    for (at, step) in steps.iter().enumerate() {
        let version = store.version();
        let outcome = step_store(&store, step);
        if let Some(after) = step_model(&model, step) {
            let now = outcome.unwrap_or_else(|error| panic!("{step:?}: {error}"));
            let is_same = after.flat == model.flat
                && after.options == model.options
                && !matches!(step, Step::PutZone(..) | Step::FailZone(..) | Step::DropZone(..));
            assert_eq!(now, if is_same { version } else { version + 1 }, "{step:?}");
            model = after;
        } else {
            assert!(!outcome.expect_err("the model refuses it").reasons().is_empty());
        }
        let (zones, records) = model.serve();
        assert_eq!(served_zones(&store), zones, "after {step:?}");
        let mut everything = Reader { filter: Filter::default(), limit: 1 + at % 4, from: None };
        let mut found = everything.read(&store, &records);
        while everything.from.is_some() {
            found.append(&mut everything.read(&store, &records));
        }
        assert_eq!(found.len(), records.len(), "after {step:?}");
        for reader in &mut readers {
            reader.read(&store, &records);
        }
        follower.catch_up(&store);
        assert_eq!(follower.copy, visible(&store), "after {step:?}");
        serials.check(&store, &model, &zones);
    }
}

proptest! {
    #[test]
    fn any_sequence_of_changes_is_a_rebuild_from_scratch(
        steps in prop::collection::vec(step(), 1..40),
        fold_after in prop::sample::select(vec![1usize, 2, 5, 4096]),
        filters in prop::collection::vec((filter(), 1usize..6), 8),
    ) {
        check(&steps, fold_after, &filters);
    }
}
