//! All that the store knows at one version, shared with the version before as far as it is the same.

use std::sync::Arc;

use dns_core::trie::{self, Trie};
use dns_core::zone::{Signing, SourceTag, Zone};
use dns_core::{Catalog, Name, RecordType, Rrset, View};
use smallvec::SmallVec;

use crate::Source;
use crate::derived::Candidates;
use crate::layers::{Claim, Contribution, decide};
use crate::names::{self, NameSet};
use crate::options::StoreOptions;
use crate::zones::{Declared, DeclaredZones};

/// Records that came with the zone as a whole.
pub(crate) const TAG_ZONE: SourceTag = SourceTag(0);
/// SOA and NS records that were made up for a derived zone.
pub(crate) const TAG_SYNTHESISED: SourceTag = SourceTag::SYNTHESISED;
/// Records that a source has given for their name alone. Which source it is follows from what all have at the name.
pub(crate) const TAG_FLAT: SourceTag = SourceTag(2);

/// From so many names on, it pays to put them into an order that suits the trie first.
const BULK_MIN: usize = 256;

/// A version. Immutable once published, so whoever holds it needs no lock.
#[derive(Clone)]
pub(crate) struct State {
    /// The view that all of this is about.
    pub view_name: Arc<str>,
    /// Of the other views, what there was when this one was last written.
    pub catalog: Arc<Catalog>,
    pub options: Arc<StoreOptions>,
    pub declared: DeclaredZones,
    pub flat: FlatRecords,
    pub candidates: Candidates,
    pub serials: Serials,
}

/// Where the records of a name are served from.
#[derive(Clone, Debug)]
pub(crate) enum Home {
    /// A zone that somebody declared.
    Declared(Arc<Declared>),
    /// The derived zone with this apex.
    Derived(Name),
    /// Nowhere: there is no zone that could have it.
    Nowhere,
}

/// What is served at a name, and what is not.
#[derive(Debug, Default)]
pub(crate) struct AtName {
    pub served: Vec<ServedRrset>,
    pub shadowed: Vec<Contribution>,
}

#[derive(Debug)]
pub(crate) struct ServedRrset {
    pub rrset: Rrset,
    pub tag: SourceTag,
    /// `None` if it was made up.
    pub source: Option<Source>,
}

impl State {
    pub fn new(options: StoreOptions) -> Self {
        let catalog = Catalog::new().with_policy(options.policy.clone());
        Self::of_view(View::DEFAULT, Arc::new(catalog), Arc::new(options))
    }

    /// A view without records.
    pub fn of_view(name: &str, catalog: Arc<Catalog>, options: Arc<StoreOptions>) -> Self {
        let serials = Serials { derived: options.first_serial, last: Trie::default() };
        Self {
            view_name: name.into(),
            catalog,
            options,
            declared: DeclaredZones::default(),
            flat: FlatRecords::default(),
            candidates: Candidates::default(),
            serials,
        }
    }

    /// The view that is written to.
    pub fn view(&self) -> Option<&View> {
        self.catalog.view(&self.view_name)
    }

    pub fn home(&self, name: &Name) -> Home {
        match self.declared.home(name) {
            Some(zone) => Home::Declared(zone.clone()),
            None => self.candidates.apex_of(name).map_or(Home::Nowhere, Home::Derived),
        }
    }

    /// What is served at a name where sources have these records besides what a zone brings.
    pub fn at(&self, name: &Name, contributions: &[Contribution]) -> AtName {
        self.at_home(&self.home(name), name, contributions)
    }

    pub fn at_home(&self, home: &Home, name: &Name, contributions: &[Contribution]) -> AtName {
        match home {
            Home::Declared(declared) => {
                let own = declared.rrsets(name);
                if declared.takes_others() {
                    let is_apex = declared.apex == *name;
                    self.decide(name, contributions, Some((&declared.source, &own)), is_apex)
                } else {
                    let serve =
                        |rrset| ServedRrset { rrset, tag: TAG_ZONE, source: Some(declared.source.clone()) };
                    AtName { served: own.into_iter().map(serve).collect(), shadowed: contributions.to_vec() }
                }
            }
            Home::Derived(apex) => {
                let mut at = self.decide(name, contributions, None, apex == name);
                if apex == name {
                    self.complete_apex(apex, &mut at);
                }
                at
            }
            Home::Nowhere => AtName { served: Vec::new(), shadowed: contributions.to_vec() },
        }
    }

    fn decide(
        &self,
        name: &Name,
        contributions: &[Contribution],
        zone: Option<(&Source, &[Rrset])>,
        is_apex: bool,
    ) -> AtName {
        debug_assert!(contributions.iter().all(|contribution| contribution.rrset.owner() == name));
        let may_stand = |contribution: &&Contribution| match contribution.rrset.rtype() {
            RecordType::SOA => is_apex,
            RecordType::CNAME => !(is_apex && zone.is_some()),
            _ => true,
        };
        // What stands alone is served, whatever it is.
        if let [only] = contributions
            && may_stand(&only)
            && zone.is_none_or(|(_, own)| own.is_empty())
        {
            let (rrset, source) = (only.rrset.clone(), Some(only.source.clone()));
            return AtName {
                served: vec![ServedRrset { rrset, tag: TAG_FLAT, source }],
                shadowed: Vec::new(),
            };
        }
        let flat = contributions.iter().filter(may_stand).map(|contribution| Claim {
            source: &contribution.source,
            rrset: &contribution.rrset,
            of_zone: false,
        });
        let own = zone.into_iter().flat_map(|(source, rrsets)| {
            rrsets.iter().map(move |rrset| Claim { source, rrset, of_zone: true })
        });
        let claims: Vec<Claim<'_>> = flat.chain(own).collect();
        let decided = decide(&claims, &self.options);
        let contribution =
            |claim: &Claim<'_>| Contribution { source: claim.source.clone(), rrset: claim.rrset.clone() };
        let mut shadowed: Vec<Contribution> =
            contributions.iter().filter(|contribution| !may_stand(contribution)).cloned().collect();
        let losers = claims.iter().zip(&decided.is_served).filter(|(_, is_served)| !**is_served);
        shadowed.extend(losers.map(|(claim, _)| contribution(claim)));
        let served = decided.rrsets.into_iter().map(|(rrset, at)| ServedRrset {
            rrset,
            tag: if claims[at].of_zone { TAG_ZONE } else { TAG_FLAT },
            source: Some(claims[at].source.clone()),
        });
        AtName { served: served.collect(), shadowed }
    }

    /// Makes up what the apex of a derived zone lacks.
    fn complete_apex(&self, apex: &Name, at: &mut AtName) {
        let made_up = self.options.derived.records(apex, self.serials.derived);
        for rrset in made_up.into_iter().flatten() {
            if !at.served.iter().any(|served| served.rrset.rtype() == rrset.rtype()) {
                at.served.push(ServedRrset { rrset, tag: TAG_SYNTHESISED, source: None });
            }
        }
        at.served.sort_by_key(|served| served.rrset.rtype());
    }

    /// Who has records of a name, and of a type if one is given, whether they are served or not. Those that came with a
    /// zone are `of_zone`.
    pub fn holders(&self, owner: &Name, rtype: Option<RecordType>) -> Vec<Holder> {
        let flat = self.flat.get(owner).iter().map(|contribution| {
            (Holder { source: contribution.source.clone(), of_zone: false }, contribution.rrset.rtype())
        });
        let mut holders: Vec<(Holder, RecordType)> = flat.collect();
        if let Some(zone) = self.declared.home(owner) {
            let holder = Holder { source: zone.source.clone(), of_zone: true };
            holders.extend(zone.rrsets(owner).iter().map(|rrset| (holder.clone(), rrset.rtype())));
        }
        let matching = holders.into_iter().filter(|(_, found)| rtype.is_none_or(|rtype| rtype == *found));
        matching.map(|(holder, _)| holder).collect()
    }

    /// Somebody has records of a name and type, whether they are served or not.
    pub fn is_held(&self, owner: &Name, rtype: RecordType) -> bool {
        let is_flat = self.flat.get(owner).iter().any(|contribution| contribution.rrset.rtype() == rtype);
        is_flat || self.declared.home(owner).is_some_and(|zone| zone.has(owner, rtype))
    }

    /// The version that has changed what anybody has at a name.
    pub fn name_version(&self, name: &Name) -> u64 {
        let of_zone = self.declared.home(name).map_or(0, |declared| declared.version);
        self.flat.version(name).max(of_zone)
    }

    /// A declared zone belongs to a source that a journal keeps.
    pub fn is_durable(&self, apex: &Name) -> bool {
        self.declared.get(apex).is_some_and(|declared| declared.source.kind().is_durable())
    }

    /// The serial of a declared zone that is served with other records than before, or than those it was put with. One that
    /// comes whole from a durable source keeps the serial it has been given.
    pub fn serial_after(&self, apex: &Name, serial: u32, is_put: bool) -> u32 {
        match self.serials.last(apex) {
            last if is_put && self.is_durable(apex) && last.is_none_or(|last| is_later(serial, last)) => {
                serial
            }
            Some(last) if is_later(last, serial) => next_serial(last),
            _ => next_serial(serial),
        }
    }
}

/// Who has records.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub source: Source,
    /// They came with the zone as a whole.
    pub of_zone: bool,
}

/// Records that sources have given for names alone, by name. Clones share what they have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlatRecords {
    names: Trie<Arc<FlatName>>,
    /// The same names.
    order: NameSet,
}

/// What sources have at one name.
#[derive(Clone, Debug)]
pub(crate) struct FlatName {
    /// At least one, in the order of their sources and types. Most names have no more, and there may be millions of names: it
    /// stands right here, and the name nowhere but in its owner.
    contributions: SmallVec<[Contribution; 1]>,
    /// The one that has changed them last.
    version: u64,
}

impl FlatName {
    /// With what one source has, of no version yet.
    pub fn new(contribution: Contribution) -> Self {
        Self { contributions: SmallVec::from_buf([contribution]), version: 0 }
    }

    /// The same, changed last by this version.
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    pub fn name(&self) -> &Name {
        self.contributions[0].rrset.owner()
    }

    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// Enters what a source has, in place of what it had of that type.
    pub fn put(&mut self, contribution: Contribution) {
        match self.contributions.binary_search_by(|other| other.key().cmp(&contribution.key())) {
            Ok(at) => self.contributions[at] = contribution,
            Err(at) => self.contributions.insert(at, contribution),
        }
    }
}

impl FlatRecords {
    /// All of these names, which come in canonical order, each once.
    pub fn from_sorted(names: Vec<Arc<FlatName>>) -> Self {
        let wires: Vec<&[u8]> = names.iter().map(|flat| flat.name().as_wire()).collect();
        let order = NameSet::from_sorted(&wires);
        let mut by_path: Vec<(u64, Arc<FlatName>)> =
            names.into_iter().map(|flat| (flat.name().hash64(), flat)).collect();
        // What comes one after the other goes the same way through the trie.
        by_path.sort_unstable_by_key(|(hash, _)| trie::path_order(*hash));
        let mut names = Trie::default();
        for (hash, flat) in by_path {
            names.insert(hash, flat, |_| false);
        }
        Self { names, order }
    }

    fn flat(&self, name: &Name) -> Option<&FlatName> {
        self.names.get(name.hash64(), |flat| flat.name() == name).map(|flat| &**flat)
    }

    pub fn get(&self, name: &Name) -> &[Contribution] {
        self.flat(name).map_or(&[], |flat| &flat.contributions)
    }

    /// The version that has changed what there is at a name; 0 if there is nothing.
    pub fn version(&self, name: &Name) -> u64 {
        self.flat(name).map_or(0, |flat| flat.version)
    }

    /// Gives names, which come in canonical order, exactly these contributions.
    pub fn set_all(&mut self, changes: &[(&Name, &[Contribution])], version: u64) {
        if changes.len() < BULK_MIN {
            for (name, contributions) in changes {
                if self.set_in_trie(name, contributions, version) {
                    self.set_in_order(name, contributions);
                }
            }
            return;
        }
        // Each of the two in an order that suits it.
        let mut by_path: Vec<(u64, usize)> =
            changes.iter().enumerate().map(|(at, (name, _))| (trie::path_order(name.hash64()), at)).collect();
        by_path.sort_unstable();
        let mut comes_or_goes = vec![false; changes.len()];
        for (_, at) in by_path {
            let (name, contributions) = changes[at];
            comes_or_goes[at] = self.set_in_trie(name, contributions, version);
        }
        for ((name, contributions), _) in changes.iter().zip(comes_or_goes).filter(|(_, does)| *does) {
            self.set_in_order(name, contributions);
        }
    }

    /// Returns whether the name is new, or no longer there.
    fn set_in_trie(&mut self, name: &Name, contributions: &[Contribution], version: u64) -> bool {
        let is_it = |flat: &Arc<FlatName>| flat.name() == name;
        if contributions.is_empty() {
            self.names.remove(name.hash64(), is_it).is_some()
        } else {
            let flat = FlatName { contributions: contributions.iter().cloned().collect(), version };
            self.names.insert(name.hash64(), Arc::new(flat), is_it).is_none()
        }
    }

    fn set_in_order(&mut self, name: &Name, contributions: &[Contribution]) {
        if contributions.is_empty() {
            self.order.remove(name);
        } else {
            self.order.insert(name);
        }
    }

    /// The names at and after this one in canonical order, as they go on the wire.
    pub fn names_from(&self, name: &[u8]) -> names::Iter<'_> {
        self.order.from(name)
    }

    /// The names at or below an ancestor, in canonical order.
    pub fn names_below<'s>(&'s self, ancestor: &'s Name) -> impl Iterator<Item = &'s Name> {
        // All of them are valid, and have records.
        let names = self.names_from(ancestor.as_wire()).map_while(|wire| {
            let name = Name::from_wire(wire).ok()?;
            self.flat(&name).map(FlatName::name)
        });
        names.take_while(move |name| name.is_at_or_below(ancestor))
    }

    pub fn iter(&self) -> impl Iterator<Item = &FlatName> {
        self.names.iter().map(|flat| &**flat)
    }
}

/// What keeps serials from going back.
#[derive(Clone, Debug)]
pub(crate) struct Serials {
    /// Of derived zones; grows with each transaction.
    pub derived: u32,
    /// The last serial of declared zones; kept when they go.
    last: Trie<Arc<LastSerial>>,
}

#[derive(Debug)]
struct LastSerial {
    apex: Name,
    serial: u32,
    /// The zone has left the serials of its file behind.
    is_ours: bool,
}

impl Serials {
    fn last_of(&self, apex: &Name) -> Option<&LastSerial> {
        self.last.get(apex.hash64(), |last| last.apex == *apex).map(|last| &**last)
    }

    /// The last serial of a zone.
    pub fn last(&self, apex: &Name) -> Option<u32> {
        self.last_of(apex).map(|last| last.serial)
    }

    /// The last serial of a zone that has left the serials of its file behind.
    pub fn floor(&self, apex: &Name) -> Option<u32> {
        self.last_of(apex).filter(|last| last.is_ours).map(|last| last.serial)
    }

    pub fn set(&mut self, apex: &Name, serial: u32, is_ours: bool) {
        let last = LastSerial { apex: apex.clone(), serial, is_ours };
        self.last.insert(apex.hash64(), Arc::new(last), |last| last.apex == *apex);
    }
}

/// The serial after this one; never 0, which some take for "none".
pub(crate) fn next_serial(serial: u32) -> u32 {
    serial.wrapping_add(1).max(1)
}

/// `left` comes after `right` ([RFC 1982, section 3.2](https://www.rfc-editor.org/rfc/rfc1982#section-3.2)).
pub(crate) fn is_later(left: u32, right: u32) -> bool {
    (1..0x8000_0000).contains(&left.wrapping_sub(right))
}

/// The zone was signed before it came here: any change would break its signatures.
pub(crate) fn is_signed(zone: &Zone) -> bool {
    let soa = zone.apex_node().rrset(RecordType::SOA);
    *zone.signing() != Signing::Unsigned || soa.is_some_and(|soa| !soa.signatures.is_empty())
}

/// Both are the same SOA record, whatever its serial: that one is the store's business.
pub(crate) fn is_same_soa_but_serial(left: &Rrset, right: &Rrset) -> bool {
    let without_serial = |rrset: &Rrset| {
        let mut rdata = rrset.rdatas().next().unwrap_or_default().to_vec();
        if let Some(at) = rdata.len().checked_sub(20) {
            rdata.drain(at..at + 4);
        }
        rdata
    };
    left.rtype() == RecordType::SOA
        && right.rtype() == RecordType::SOA
        && left.ttl() == right.ttl()
        && (left.len(), right.len()) == (1, 1)
        && without_serial(left) == without_serial(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_at_once_are_as_many_one_by_one() {
        let name = |number: usize| -> Name { format!("n{number}.example.org").parse().unwrap() };
        let a = |name: &Name, last: u8| {
            let rrset = Rrset::new(name.clone(), RecordType::A, 300, [[192, 0, 2, last]]).unwrap();
            vec![Contribution { source: Source::Api, rrset }]
        };
        let mut names: Vec<Name> = (0..3 * BULK_MIN).map(name).collect();
        names.sort();
        // Some come, some become others, some go, and some were never there.
        let before: Vec<Vec<Contribution>> =
            (0..names.len()).map(|at| if at % 3 == 0 { Vec::new() } else { a(&names[at], 1) }).collect();
        let after: Vec<Vec<Contribution>> =
            (0..names.len()).map(|at| if at % 4 == 0 { Vec::new() } else { a(&names[at], 2) }).collect();
        let (mut at_once, mut one_by_one) = (FlatRecords::default(), FlatRecords::default());
        for (version, all) in [(7, &before), (8, &after)] {
            let all: Vec<(&Name, &[Contribution])> =
                names.iter().zip(all).map(|(name, contributions)| (name, &contributions[..])).collect();
            at_once.set_all(&all, version);
            all.chunks(1).for_each(|one| one_by_one.set_all(one, version));
        }
        let there =
            |flat: &FlatRecords| -> Vec<Vec<u8>> { flat.names_from(&[0]).map(<[u8]>::to_vec).collect() };
        let expected: Vec<&Name> = (0..names.len()).filter(|at| at % 4 != 0).map(|at| &names[at]).collect();
        assert!(there(&at_once).iter().eq(expected.iter().map(|name| name.as_wire())));
        assert_eq!(there(&at_once), there(&one_by_one));
        for (name, after) in names.iter().zip(&after) {
            assert_eq!(at_once.get(name), &after[..]);
            assert_eq!(at_once.version(name), if after.is_empty() { 0 } else { 8 });
        }
        assert_eq!(at_once.iter().count(), expected.len());
        let restored: Vec<Arc<FlatName>> = expected
            .iter()
            .map(|name| Arc::new(FlatName::new(a(name, 2).remove(0)).with_version(8)))
            .collect();
        let restored = FlatRecords::from_sorted(restored);
        assert_eq!(there(&restored), there(&at_once));
        assert!(expected.iter().all(|name| restored.get(name) == at_once.get(name)));
    }
}
