//! The store as one would write it without caring what anything costs: everything is worked out anew each time.

use std::collections::{BTreeMap, BTreeSet};

use dns_core::zone::{Built, Place, SourceTag, ZoneBuilder};
use dns_core::{Name, RecordType, Rrset};
use dns_store::{Source, SourceKind, StoreOptions};

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// What a zone file has, SOA and NS records included.
#[derive(Clone, Debug)]
pub struct File {
    pub records: Vec<Rrset>,
    pub serial: u32,
    pub signed: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub flat: BTreeMap<(Name, Source, RecordType), Rrset>,
    /// `None`: it failed to load.
    pub zones: BTreeMap<Name, (Source, Option<File>)>,
    pub options: StoreOptions,
}

/// A zone as it ought to be served; serials are set to 0.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServedZone {
    pub derived: bool,
    pub failed: bool,
    pub fallthrough: bool,
    pub records: BTreeMap<(Name, RecordType), Rrset>,
}

/// An RRset with who has it, and whether it is hidden.
pub type Listed = (Name, RecordType, bool, Source, Content);

/// The same, with the zone that it belongs to.
pub type Placed = (Listed, Option<Name>);

/// TTL and values.
pub type Content = (u32, BTreeSet<Vec<u8>>);

pub fn content(rrset: &Rrset) -> Content {
    (rrset.ttl(), rrset.rdatas().map(<[u8]>::to_vec).collect())
}

impl Model {
    pub fn declared(&self, name: &Name) -> Option<Name> {
        let holding = self.zones.keys().filter(|apex| name.is_at_or_below(apex));
        holding.max_by_key(|apex| apex.label_count()).cloned()
    }

    fn names(&self) -> BTreeSet<Name> {
        self.flat.keys().map(|(name, ..)| name.clone()).collect()
    }

    fn has_cname(&self, name: &Name) -> bool {
        self.flat.keys().any(|(owner, _, rtype)| owner == name && *rtype == RecordType::CNAME)
    }

    /// The apex of the derived zone that a name is in.
    pub fn derived(&self, name: &Name) -> Option<Name> {
        let free = self.names().into_iter().filter(|owner| self.declared(owner).is_none());
        let candidates = free.filter_map(|owner| asked_apex(&owner, self.has_cname(&owner)));
        candidates.filter(|apex| name.is_at_or_below(apex)).min_by_key(Name::label_count)
    }

    /// All zones, and all records with who has them and the zone that they belong to. Occluded records of zones are listed, as
    /// they are in the zone.
    pub fn serve(&self) -> (BTreeMap<Name, ServedZone>, Vec<Placed>) {
        let mut zones: BTreeMap<Name, ServedZone> = BTreeMap::new();
        let mut listed = Vec::new();
        for (apex, (_, file)) in &self.zones {
            let zone = ServedZone { failed: file.is_none(), ..ServedZone::default() };
            zones.insert(apex.clone(), zone);
        }
        let mut names: BTreeSet<(Name, Option<Name>)> = BTreeSet::new();
        for name in self.names() {
            let home = self.declared(&name).or_else(|| self.derived(&name));
            if let Some(home) = home.clone().filter(|home| !self.zones.contains_key(home)) {
                let apex = zones.entry(home.clone()).or_default();
                (apex.derived, apex.fallthrough) = (true, self.options.derived_fallthrough);
                names.insert((home.clone(), Some(home)));
            }
            names.insert((name, home));
        }
        for (apex, (_, file)) in &self.zones {
            for rrset in file.iter().flat_map(|file| &file.records) {
                names.insert((rrset.owner().clone(), Some(apex.clone())));
            }
        }
        for (name, home) in names {
            let (served, hidden) = self.at(&name, home.as_ref());
            for (source, rrset) in served {
                if let Some(source) = source {
                    let one = (name.clone(), rrset.rtype(), false, source, content(&rrset));
                    listed.push((one, home.clone()));
                }
                let zone = zones.get_mut(home.as_ref().unwrap()).unwrap();
                zone.records.insert((name.clone(), rrset.rtype()), rrset);
            }
            for (source, rrset) in hidden {
                let one = (name.clone(), rrset.rtype(), true, source, content(&soa_without_serial(rrset)));
                listed.push((one, home.clone()));
            }
        }
        listed.sort();
        (zones, listed)
    }

    /// What a zone serves at a name, and what it hides.
    #[allow(clippy::type_complexity)]
    fn at(&self, name: &Name, home: Option<&Name>) -> (Vec<(Option<Source>, Rrset)>, Vec<(Source, Rrset)>) {
        let declared = home.and_then(|home| self.zones.get(home));
        let file = declared.and_then(|(_, file)| file.as_ref());
        let is_apex = home == Some(name);
        // Records given without a zone belong to the deepest zone only.
        let lives_here = self.declared(name).or_else(|| self.derived(name)).as_ref() == home;
        let flat: Vec<(Source, Rrset)> = self
            .flat
            .iter()
            .filter(|((owner, ..), _)| owner == name && lives_here)
            .map(|((_, source, _), rrset)| (source.clone(), rrset.clone()))
            .collect();
        let own: Vec<Rrset> = file
            .iter()
            .flat_map(|file| &file.records)
            .filter(|rrset| rrset.owner() == name)
            .map(|rrset| soa_without_serial(rrset.clone()))
            .collect();
        if home.is_none() || declared.is_some_and(|(_, file)| file.as_ref().is_none_or(|file| file.signed)) {
            let source = |rrset| (declared.map(|(source, _)| source.clone()), rrset);
            return (own.into_iter().map(source).collect(), flat);
        }
        let (mut hidden, mut rest) = (Vec::new(), Vec::new());
        for (source, rrset) in flat {
            let out_of_place = rrset.rtype() == RecordType::SOA && !is_apex
                || rrset.rtype() == RecordType::CNAME && is_apex && declared.is_some();
            if out_of_place { hidden.push((source, rrset)) } else { rest.push((source, false, rrset)) }
        }
        rest.extend(own.into_iter().map(|rrset| (declared.unwrap().0.clone(), true, rrset)));
        rest.sort_by_key(|(source, of_zone, rrset)| {
            (rank(&self.options, source.kind()), source.clone(), *of_zone, rrset.rtype())
        });
        let is_alias = rest.first().is_some_and(|(_, _, rrset)| rrset.rtype() == RecordType::CNAME);
        let mut served: Vec<(Option<Source>, Rrset)> = Vec::new();
        let is_challenge =
            |source: &Source, rrset: &Rrset| *source == Source::Acme && rrset.rtype() == RecordType::TXT;
        for challenges in [false, true] {
            for (source, _, rrset) in &rest {
                if is_challenge(source, rrset) != challenges {
                    continue;
                }
                let fits = (rrset.rtype() == RecordType::CNAME) == is_alias;
                let there = served.iter_mut().find(|(_, other)| other.rtype() == rrset.rtype());
                match there {
                    _ if !fits => hidden.push((source.clone(), rrset.clone())),
                    None => served.push((Some(source.clone()), rrset.clone())),
                    Some(there) if challenges => {
                        let values: Vec<&[u8]> = there.1.rdatas().chain(rrset.rdatas()).collect();
                        let ttl = there.1.ttl().min(rrset.ttl());
                        there.1 = Rrset::new(name.clone(), RecordType::TXT, ttl, values).unwrap();
                    }
                    Some(_) => hidden.push((source.clone(), rrset.clone())),
                }
            }
        }
        if is_apex && declared.is_none() {
            for rrset in made_up(name, &self.options) {
                if !served.iter().any(|(_, other)| other.rtype() == rrset.rtype()) {
                    served.push((None, rrset));
                }
            }
        }
        let served = served.into_iter().map(|(source, rrset)| (source, soa_without_serial(rrset)));
        (served.collect(), hidden)
    }

    /// Whether a source may go from `before` to this.
    pub fn refuses(&self, before: &Self, source: &Source) -> bool {
        let fresh =
            self.flat.iter().filter(|(key, rrset)| key.1 == *source && before.flat.get(key) != Some(rrset));
        for ((owner, ..), rrset) in fresh {
            let at_name = || self.flat.keys().filter(|(other, by, _)| other == owner && by == source);
            let rtype = rrset.rtype();
            let home = self.declared(owner).or_else(|| self.derived(owner));
            let file = home.as_ref().and_then(|home| self.zones.get(home)).map(|(_, file)| file);
            let is_apex = home.as_ref() == Some(owner);
            let has_cname = at_name().any(|(.., rtype)| *rtype == RecordType::CNAME);
            if home.is_none()
                || has_cname && at_name().count() > 1
                || rtype == RecordType::CNAME && (rrset.len() > 1 || is_apex && file.is_some())
                || rtype == RecordType::SOA && !is_apex
                || file.is_some_and(|file| file.as_ref().is_some_and(|file| file.signed))
            {
                return true;
            }
        }
        false
    }
}

fn rank(options: &StoreOptions, kind: SourceKind) -> usize {
    options.precedence.iter().position(|group| group.contains(&kind)).unwrap_or(usize::MAX)
}

/// The rule of flat records, written from its description.
fn asked_apex(owner: &Name, has_cname: bool) -> Option<Name> {
    let labels: Vec<Vec<u8>> = owner.labels().map(<[u8]>::to_vec).collect();
    let mut skipped = 0;
    while skipped < labels.len() {
        let goes_up =
            skipped == 0 && has_cname || labels[skipped].starts_with(b"_") || labels[skipped] == b"*";
        if goes_up && labels.len() - skipped > 2 {
            skipped += 1;
        } else if labels[skipped] == b"*" {
            return None;
        } else {
            return Some(owner.suffix(labels.len() - skipped));
        }
    }
    None
}

fn made_up(apex: &Name, options: &StoreOptions) -> [Rrset; 2] {
    let derived = &options.derived;
    let ns = derived.mname.clone().unwrap_or_else(|| apex.child(b"ns").unwrap());
    let times = [derived.refresh, derived.retry, derived.expire, derived.minimum];
    let soa = soa_rdata(&ns, &apex.child(b"hostmaster").unwrap(), 0, times);
    [
        Rrset::new(apex.clone(), RecordType::SOA, derived.ttl, [soa]).unwrap(),
        Rrset::new(apex.clone(), RecordType::NS, derived.ttl, [ns.as_wire()]).unwrap(),
    ]
}

pub fn soa_rdata(mname: &Name, rname: &Name, serial: u32, times: [u32; 4]) -> Vec<u8> {
    let mut rdata = [mname.as_wire(), rname.as_wire()].concat();
    for field in [&[serial], &times[..]].concat() {
        rdata.extend_from_slice(&field.to_be_bytes());
    }
    rdata
}

pub fn soa_without_serial(rrset: Rrset) -> Rrset {
    if rrset.rtype() != RecordType::SOA {
        return rrset;
    }
    let mut rdata = rrset.rdatas().next().unwrap().to_vec();
    let at = rdata.len() - 20;
    rdata[at..at + 4].fill(0);
    Rrset::new(rrset.owner().clone(), RecordType::SOA, rrset.ttl(), [rdata]).unwrap()
}

impl File {
    pub fn build(&self, apex: &Name) -> Built {
        let mut builder = ZoneBuilder::new(apex.clone());
        let mut add = |owner: &Name, rtype, ttl, rdata: &[u8]| {
            builder.add(owner.as_wire(), rtype, ttl, rdata, SourceTag::default(), Place::default());
        };
        for rrset in &self.records {
            for rdata in rrset.rdatas() {
                add(rrset.owner(), rrset.rtype(), rrset.ttl(), rdata);
            }
        }
        if self.signed {
            // Covers the SOA record; the store does not look at signatures any closer.
            let mut rrsig = [0u8; 24];
            rrsig[1] = RecordType::SOA.0 as u8;
            add(apex, RecordType::RRSIG, 3600, &rrsig);
        }
        builder.finish().map_err(|faults| format!("{faults:?}")).unwrap()
    }
}
