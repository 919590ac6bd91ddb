//! One transaction: from what sources want to the next catalog, or to the reasons why not.
//!
//! Everything is worked out on the side; only a transaction without a fault touches the writer's own state.

use std::collections::{BTreeMap, BTreeSet};

use dns_core::zone::Signing;
use dns_core::zone::{Place, SourceTag, Zone, ZoneBuilder, ZoneEdit, rrsets_of};
use dns_core::{Catalog, Name, RecordType, Rrset, View, ZoneEntry, ZoneState};

use crate::derived::Candidates;
use crate::event::Changed;
use crate::layers::{Contribution, served};
use crate::options::StoreOptions;
use crate::zones::{DeclaredZones, ZoneChange};
use crate::{Reason, Source};

/// Records of the source that feeds the whole zone.
pub(crate) const TAG_ZONE: SourceTag = SourceTag(0);
/// SOA and NS records that were made up for a derived zone.
pub(crate) const TAG_SYNTHESISED: SourceTag = SourceTag(1);
/// The first tag of those that stand for other sources.
const TAG_FIRST: u16 = 2;

/// What the only writer knows beyond the catalog.
pub(crate) struct Writer {
    pub options: StoreOptions,
    /// Sources by their tags.
    sources: Vec<Source>,
    pub declared: DeclaredZones,
    /// All contributions but those of the sources that feed whole zones, which are in the zones alone.
    pub flat: BTreeMap<Name, Vec<Contribution>>,
    /// What the source of the zone has at names where others have something, too.
    masked: BTreeMap<Name, Vec<Rrset>>,
    candidates: Candidates,
    /// Serial of derived zones; grows with each transaction.
    serial: u32,
}

/// What a transaction changes.
#[derive(Default)]
pub(crate) struct Transaction {
    /// Names with all contributions that they have afterwards.
    pub names: BTreeMap<Name, Vec<Contribution>>,
    /// Zones that come, go or are replaced.
    pub zones: BTreeMap<Name, ZoneChange>,
}

/// A transaction that can be made.
pub(crate) struct Prepared {
    pub catalog: Catalog,
    pub changed: Changed,
    transaction: Transaction,
    declared: DeclaredZones,
    candidates: Candidates,
    masked: Vec<(Name, Option<Vec<Rrset>>)>,
    serial: u32,
    /// Zones that were edited.
    touched: Vec<Name>,
}

impl Writer {
    pub fn new(options: StoreOptions) -> Self {
        let serial = options.first_serial;
        Self {
            options,
            sources: Vec::new(),
            declared: DeclaredZones::default(),
            flat: BTreeMap::new(),
            masked: BTreeMap::new(),
            candidates: Candidates::default(),
            serial,
        }
    }

    /// The source that a tag stands for in a zone.
    pub fn source(&self, apex: &Name, tag: SourceTag) -> Option<Source> {
        match tag {
            TAG_ZONE => self.declared.get(apex).map(|declared| declared.source.clone()),
            TAG_SYNTHESISED => None,
            SourceTag(number) => self.sources.get(usize::from(number - TAG_FIRST)).cloned(),
        }
    }

    fn tag(&mut self, source: &Source) -> SourceTag {
        let at = self.sources.iter().position(|known| known == source).unwrap_or_else(|| {
            self.sources.push(source.clone());
            self.sources.len() - 1
        });
        // There are as many sources as ConfigMaps and keys; past 65,000 the last tag is shared.
        SourceTag((TAG_FIRST as usize + at).min(usize::from(u16::MAX)) as u16)
    }

    /// Works a transaction out.
    pub fn prepare(
        &mut self,
        catalog: &Catalog,
        source: &Source,
        transaction: Transaction,
    ) -> Result<Prepared, Vec<Reason>> {
        let old_view = catalog.default_view().cloned().unwrap_or_else(|| View::new("default"));
        let mut work = Work {
            view: old_view.clone(),
            declared: self.declared.clone(),
            candidates: self.candidates.clone(),
            edits: BTreeMap::new(),
            roots: BTreeSet::new(),
            masked: Vec::new(),
            foreign: BTreeSet::new(),
            reasons: Vec::new(),
        };
        work.change_zones(&transaction.zones);
        self.change_candidates(&transaction, &mut work);
        self.edit_names(&transaction, source, &mut work);
        let serial = self.serial.wrapping_add(1).max(1);
        let touched = work.edits.keys().cloned().collect();
        Self::finish_edits(&transaction, serial, &mut work);
        let roots = std::mem::take(&mut work.roots);
        for root in roots {
            self.rebuild_derived(&root, &transaction, serial, &mut work);
        }
        if !work.reasons.is_empty() {
            return Err(work.reasons);
        }
        let version = catalog.version() + 1;
        let changed = difference(&old_view, &work.view, &transaction, source, version);
        Ok(Prepared {
            catalog: catalog.clone().with_view(work.view).with_version(version),
            changed,
            transaction,
            declared: work.declared,
            candidates: work.candidates,
            masked: work.masked,
            serial,
            touched,
        })
    }

    /// Takes over what was worked out; the caller publishes the catalog.
    pub fn accept(&mut self, prepared: Prepared) -> (Catalog, Changed, Vec<Name>) {
        for (name, contributions) in prepared.transaction.names {
            if contributions.is_empty() {
                self.flat.remove(&name);
            } else {
                self.flat.insert(name, contributions);
            }
        }
        for (name, rrsets) in prepared.masked {
            match rrsets {
                Some(rrsets) => drop(self.masked.insert(name, rrsets)),
                None => drop(self.masked.remove(&name)),
            }
        }
        self.declared = prepared.declared;
        self.candidates = prepared.candidates;
        self.serial = prepared.serial;
        (prepared.catalog, prepared.changed, prepared.touched)
    }

    /// Everything that sources have at a name.
    pub fn contributions(&self, catalog: &Catalog, name: &Name) -> Vec<Contribution> {
        let mut all = self.flat.get(name).cloned().unwrap_or_default();
        let Some(view) = catalog.default_view() else { return all };
        if let Some(declared) = self.declared.home(name).and_then(|apex| self.declared.get(apex)) {
            let own = self.zone_records(view, &declared.apex, name, false);
            all.extend(own.into_iter().map(|rrset| Contribution { source: declared.source.clone(), rrset }));
        }
        all
    }

    /// For each name at which several sources have something: all of it.
    pub fn contested(&self) -> impl Iterator<Item = Vec<Contribution>> {
        self.flat.iter().filter_map(|(name, contributions)| {
            let masked = self.masked.get(name).map_or(&[][..], |masked| masked);
            if contributions.len() + masked.len() < 2 {
                return None;
            }
            let mut all = contributions.clone();
            if let Some(declared) = self.declared.home(name).and_then(|apex| self.declared.get(apex)) {
                let own = masked
                    .iter()
                    .map(|rrset| Contribution { source: declared.source.clone(), rrset: rrset.clone() });
                all.extend(own);
            }
            Some(all)
        })
    }

    /// Names at or below an ancestor that have flat records.
    pub fn flat_below(&self, ancestor: &Name) -> impl Iterator<Item = (&Name, &Vec<Contribution>)> {
        self.flat.range(ancestor.clone()..).take_while(move |(name, _)| name.is_at_or_below(ancestor))
    }

    /// Owners outside declared zones decide which derived zones there are.
    fn change_candidates(&self, transaction: &Transaction, work: &mut Work) {
        for (name, new) in &transaction.names {
            let asks = |contributions: &[Contribution], declared: &DeclaredZones| {
                let is_flat = !contributions.is_empty() && declared.home(name).is_none();
                is_flat.then(|| Candidates::of(name, has_cname(contributions)))
            };
            let before = self.flat.get(name).and_then(|old| asks(old, &self.declared));
            let after = asks(new, &work.declared);
            if before == after {
                continue;
            }
            if let Some(candidate) = &after
                && work.candidates.add(candidate)
            {
                work.roots.insert(candidate.clone());
            }
            if let Some(candidate) = &before
                && work.candidates.remove(candidate)
            {
                work.roots.insert(candidate.clone());
            }
        }
    }

    /// Sets each name in the zone that it belongs to, and takes it out of the one that it belonged to.
    fn edit_names(&mut self, transaction: &Transaction, source: &Source, work: &mut Work) {
        for (name, contributions) in &transaction.names {
            let home = work.declared.home(name).cloned();
            let old_home = self.declared.home(name).cloned();
            if let Some(old) =
                old_home.filter(|old| Some(old) != home.as_ref() && !transaction.zones.contains_key(old))
            {
                let rrsets = self.zone_records(&work.view, &old, name, false);
                let rrsets: Vec<_> = rrsets.iter().map(|rrset| (rrset, TAG_ZONE)).collect();
                work.set(&old, name, &rrsets);
                work.masked.push((name.clone(), None));
            }
            if let Some(apex) = home {
                self.edit_declared(transaction, source, &apex, name, contributions, work);
            } else if let Some(apex) = work.candidates.apex_of(name) {
                // What lies at or below a root is put together anew anyway.
                if !work.roots.iter().any(|root| apex.is_at_or_below(root)) {
                    let rrsets = self.derived_records(&apex, name, contributions, None);
                    let rrsets: Vec<_> = rrsets.iter().map(|(rrset, tag)| (rrset, *tag)).collect();
                    work.set(&apex, name, &rrsets);
                }
            }
        }
    }

    fn edit_declared(
        &mut self,
        transaction: &Transaction,
        source: &Source,
        apex: &Name,
        name: &Name,
        contributions: &[Contribution],
        work: &mut Work,
    ) {
        let Some(zone) = work.view.zone(apex).and_then(ZoneEntry::zone) else { return };
        let is_new = transaction.zones.contains_key(apex);
        if *zone.signing() != Signing::Unsigned {
            if !is_new && contributions.iter().any(|contribution| contribution.source == *source) {
                work.reasons.push(Reason::Signed { owner: name.clone(), apex: apex.clone() });
            }
            return;
        }
        let own = self.zone_records(&work.view, apex, name, is_new);
        if contributions.is_empty() && !self.masked.contains_key(name) && !self.flat.contains_key(name) {
            return;
        }
        let Some(zone_source) = work.declared.get(apex).map(|declared| declared.source.clone()) else {
            return;
        };
        let mut all: Vec<Contribution> = contributions.to_vec();
        all.extend(
            own.iter().map(|rrset| Contribution { source: zone_source.clone(), rrset: rrset.clone() }),
        );
        if *name == *apex
            && all.iter().any(|contribution| {
                contribution.source == *source && contribution.rrset.rtype() == RecordType::CNAME
            })
        {
            work.reasons.push(Reason::CnameConflict { owner: name.clone(), other: RecordType::SOA });
            return;
        }

        let winners = served(&all, &self.options);
        let tagged: Vec<_> = winners
            .iter()
            .map(|winner| {
                (
                    &winner.rrset,
                    if winner.source == zone_source { TAG_ZONE } else { self.tag(&winner.source) },
                )
            })
            .collect();
        if !contributions.is_empty() {
            work.foreign.insert(apex.clone());
        }
        work.masked.push((name.clone(), (!own.is_empty() && !contributions.is_empty()).then_some(own)));
        work.set(apex, name, &tagged);
    }

    /// What the source of a zone has at a name, whether it is served or not. `is_new`: the zone has just come.
    fn zone_records(&self, view: &View, apex: &Name, name: &Name, is_new: bool) -> Vec<Rrset> {
        if let Some(masked) = self.masked.get(name).filter(|_| !is_new) {
            return masked.clone();
        }
        let Some(zone) = view.zone(apex).and_then(ZoneEntry::zone) else { return Vec::new() };
        let Some(node) = zone.node_of(name) else { return Vec::new() };
        rrsets_of(zone, &node)
            .into_iter()
            .filter(|(_, tag)| *tag == TAG_ZONE)
            .map(|(rrset, _)| rrset)
            .collect()
    }

    /// What is served at a name of a derived zone; at its apex with the records that every zone must have.
    fn derived_records(
        &mut self,
        apex: &Name,
        name: &Name,
        contributions: &[Contribution],
        serial: Option<u32>,
    ) -> Vec<(Rrset, SourceTag)> {
        let winners = served(contributions, &self.options);
        let mut rrsets: Vec<_> =
            winners.into_iter().map(|winner| (winner.rrset, self.tag(&winner.source))).collect();
        if name == apex {
            let made_up = self.options.derived.records(apex, serial.unwrap_or(self.serial));
            for rrset in made_up.into_iter().flatten() {
                if !rrsets.iter().any(|(other, _)| other.rtype() == rrset.rtype()) {
                    rrsets.push((rrset, TAG_SYNTHESISED));
                }
            }
        }
        rrsets
    }

    /// Ends the edits: each changed zone gets a new serial.
    fn finish_edits(transaction: &Transaction, serial: u32, work: &mut Work) {
        for (apex, mut edit) in std::mem::take(&mut work.edits) {
            let zone = edit.zone();
            let is_derived = work.view.zone(&apex).is_some_and(|entry| entry.derived);
            let old_serial = zone.serial();
            let new_serial = match transaction.zones.get(&apex) {
                _ if is_derived => serial,
                // The file alone says which version this is, as long as nobody adds to it.
                Some(_) if !work.foreign.contains(&apex) => old_serial,
                Some(ZoneChange::Put { previous_serial: Some(previous), .. }) => {
                    later(old_serial, previous.wrapping_add(1))
                }
                _ => old_serial.wrapping_add(1).max(1),
            };
            if let Err(kind) = set_serial(&mut edit, &apex, new_serial) {
                work.reasons.push(kind.into());
                continue;
            }
            match edit.finish() {
                Ok(zone) => work.replace(&apex, zone),
                Err(kind) => work.reasons.push(kind.into()),
            }
        }
    }

    /// Puts the derived zones at and below a name together anew.
    fn rebuild_derived(&mut self, root: &Name, transaction: &Transaction, serial: u32, work: &mut Work) {
        let old_apexes: BTreeSet<Name> = self
            .flat_below(root)
            .filter(|(name, _)| self.declared.home(name).is_none())
            .filter_map(|(name, _)| self.candidates.apex_of(name))
            .collect();
        for apex in &old_apexes {
            if work.view.zone(apex).is_some_and(|entry| entry.derived) {
                work.view.remove(apex);
            }
        }
        let mut zones: BTreeMap<Name, Vec<(Name, Vec<Contribution>)>> = BTreeMap::new();
        let below = |map: &BTreeMap<Name, Vec<Contribution>>| {
            let range = map.range(root.clone()..).take_while(|(name, _)| name.is_at_or_below(root));
            range
                .map(|(name, contributions)| (name.clone(), contributions.clone()))
                .collect::<BTreeMap<_, _>>()
        };
        let mut names = below(&self.flat);
        names.extend(below(&transaction.names));
        for (name, contributions) in names {
            if contributions.is_empty() || work.declared.home(&name).is_some() {
                continue;
            }
            if let Some(apex) = work.candidates.apex_of(&name) {
                zones.entry(apex).or_default().push((name, contributions));
            }
        }
        for (apex, names) in zones {
            let mut builder = ZoneBuilder::new(apex.clone()).with_synthesised_apex();
            let has_apex = names.iter().any(|(name, _)| *name == apex);
            let apex_alone = (!has_apex).then(|| (apex.clone(), Vec::new()));
            for (name, contributions) in names.into_iter().chain(apex_alone) {
                for (rrset, tag) in self.derived_records(&apex, &name, &contributions, Some(serial)) {
                    for rdata in rrset.rdatas() {
                        builder.add(name.as_wire(), rrset.rtype(), rrset.ttl(), rdata, tag, Place::default());
                    }
                }
            }
            match builder.finish() {
                Ok(built) => {
                    work.view.put(ZoneEntry {
                        apex,
                        state: ZoneState::Serving(built.zone),
                        fallthrough: self.options.derived_fallthrough,
                        derived: true,
                    });
                }
                Err(faults) => work.reasons.extend(faults.into_iter().map(|fault| Reason::Zone(fault.kind))),
            }
        }
    }
}

/// What clients see otherwise than before, at the names of the transaction.
fn difference(old: &View, new: &View, transaction: &Transaction, source: &Source, version: u64) -> Changed {
    let mut changed = Changed {
        version,
        source: source.clone(),
        added: Vec::new(),
        updated: Vec::new(),
        deleted: Vec::new(),
    };
    for name in transaction.names.keys() {
        let mut before = visible(old, name);
        for rrset in visible(new, name) {
            match before.iter().position(|old| old.rtype() == rrset.rtype()) {
                Some(at) => {
                    let old = before.swap_remove(at);
                    if old != rrset {
                        changed.updated.push((old, rrset));
                    }
                }
                None => changed.added.push(rrset),
            }
        }
        changed.deleted.append(&mut before);
    }
    changed
}

/// A transaction while it is worked out.
struct Work {
    view: View,
    declared: DeclaredZones,
    candidates: Candidates,
    edits: BTreeMap<Name, ZoneEdit>,
    /// Names at and below which derived zones are put together anew.
    roots: BTreeSet<Name>,
    masked: Vec<(Name, Option<Vec<Rrset>>)>,
    /// Declared zones in which somebody else than their own source has something.
    foreign: BTreeSet<Name>,
    reasons: Vec<Reason>,
}

impl Work {
    fn change_zones(&mut self, changes: &BTreeMap<Name, ZoneChange>) {
        for (apex, change) in changes {
            match change {
                ZoneChange::Put { zone, declared, .. } => {
                    self.declared.insert(declared.clone());
                    self.put(apex, ZoneState::Serving(zone.clone()), declared.options.fallthrough);
                }
                ZoneChange::Fail { why, declared } => {
                    self.declared.insert(declared.clone());
                    self.put(apex, ZoneState::Failed(why.as_str().into()), declared.options.fallthrough);
                }
                ZoneChange::Drop => {
                    self.declared.remove(apex);
                    self.view.remove(apex);
                }
            }
        }
    }

    fn put(&mut self, apex: &Name, state: ZoneState, fallthrough: bool) {
        self.view.put(ZoneEntry { apex: apex.clone(), state, fallthrough, derived: false });
    }

    fn set(&mut self, apex: &Name, name: &Name, rrsets: &[(&Rrset, SourceTag)]) {
        if !self.edits.contains_key(apex) {
            let Some(zone) = self.view.zone(apex).and_then(ZoneEntry::zone) else { return };
            self.edits.insert(apex.clone(), zone.edit());
        }
        if let Some(Err(kind)) = self.edits.get_mut(apex).map(|edit| edit.set(name, rrsets)) {
            self.reasons.push(kind.into());
        }
    }

    fn replace(&mut self, apex: &Name, zone: Zone) {
        if let Some(entry) = self.view.zone(apex) {
            let entry = ZoneEntry { state: ZoneState::Serving(zone), ..entry.clone() };
            self.view.put(entry);
        }
    }
}

fn has_cname(contributions: &[Contribution]) -> bool {
    contributions.iter().any(|contribution| contribution.rrset.rtype() == RecordType::CNAME)
}

/// What is served at a name, made-up records left out.
fn visible(view: &View, name: &Name) -> Vec<Rrset> {
    let Some(zone) = view.zone_of(name).and_then(ZoneEntry::zone) else { return Vec::new() };
    let Some(node) = zone.node_of(name) else { return Vec::new() };
    rrsets_of(zone, &node)
        .into_iter()
        .filter(|(_, tag)| *tag != TAG_SYNTHESISED)
        .map(|(rrset, _)| rrset)
        .collect()
}

/// Gives the zone another serial, whoever its SOA record comes from.
fn set_serial(edit: &mut ZoneEdit, apex: &Name, serial: u32) -> Result<(), dns_core::zone::ZoneFaultKind> {
    let zone = edit.zone();
    let mut rrsets = rrsets_of(zone, &zone.apex_node());
    for (rrset, _) in &mut rrsets {
        if rrset.rtype() == RecordType::SOA {
            let values = rrset.rdatas().map(|rdata| {
                let mut rdata = rdata.to_vec();
                // SERIAL is the first of the five numbers that end the RDATA.
                if let Some(at) = rdata.len().checked_sub(20) {
                    rdata[at..at + 4].copy_from_slice(&serial.to_be_bytes());
                }
                rdata
            });
            if let Ok(soa) = Rrset::new(apex.clone(), RecordType::SOA, rrset.ttl(), values) {
                *rrset = soa;
            }
        }
    }
    let rrsets: Vec<_> = rrsets.iter().map(|(rrset, tag)| (rrset, *tag)).collect();
    edit.set(apex, &rrsets)
}

/// The later of two serials ([RFC 1982, section 3.2](https://www.rfc-editor.org/rfc/rfc1982#section-3.2)).
fn later(left: u32, right: u32) -> u32 {
    if right.wrapping_sub(left) < 0x8000_0000 { right } else { left }
}
