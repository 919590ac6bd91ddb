//! From a question to the few rules that may be for it.

use std::collections::BTreeMap;

use dns_core::{Name, Network, NetworkMap, RecordType};

use super::Question;

/// Numbers of rules, in ascending order.
type Numbers = Box<[u32]>;

/// Every rule without regular expressions, listed where a question for it must come by: at its names; else at its
/// networks; else at its types; else at its views; else among those that are for all.
#[derive(Default)]
pub(super) struct Index {
    names: Names,
    clients: Clients,
    /// In the order of the types.
    types: Box<[(RecordType, Numbers)]>,
    /// Servers have few views.
    views: Box<[(Box<str>, Numbers)]>,
    others: Numbers,
}

/// Collects what an [`Index`] is made of; numbers come in ascending order.
#[derive(Default)]
pub(super) struct IndexBuilder {
    names: BTreeMap<Name, Listed>,
    clients: BTreeMap<Network, Vec<u32>>,
    types: BTreeMap<RecordType, Vec<u32>>,
    views: BTreeMap<Box<str>, Vec<u32>>,
    others: Vec<u32>,
}

/// Rules by a name that they name.
#[derive(Default)]
struct Listed {
    /// For the name itself.
    at: Vec<u32>,
    /// For names below it.
    below: Vec<u32>,
}

impl IndexBuilder {
    pub(super) fn name(&mut self, name: &Name, at: bool, below: bool, rule: u32) {
        let listed = self.names.entry(name.clone()).or_default();
        if at {
            push(&mut listed.at, rule);
        }
        if below {
            push(&mut listed.below, rule);
        }
    }

    pub(super) fn client(&mut self, network: Network, rule: u32) {
        push(self.clients.entry(network).or_default(), rule);
    }

    pub(super) fn rtype(&mut self, rtype: RecordType, rule: u32) {
        push(self.types.entry(rtype).or_default(), rule);
    }

    pub(super) fn view(&mut self, view: &str, rule: u32) {
        push(self.views.entry(view.into()).or_default(), rule);
    }

    pub(super) fn other(&mut self, rule: u32) {
        push(&mut self.others, rule);
    }

    pub(super) fn finish(self) -> Index {
        Index {
            names: Names::new(self.names),
            clients: Clients::new(self.clients),
            types: self.types.into_iter().map(|(rtype, rules)| (rtype, rules.into())).collect(),
            views: self.views.into_iter().map(|(view, rules)| (view, rules.into())).collect(),
            others: self.others.into(),
        }
    }
}

/// A rule that names the same thing twice is listed once.
fn push(rules: &mut Vec<u32>, rule: u32) {
    if rules.last() != Some(&rule) {
        rules.push(rule);
    }
}

impl Index {
    /// Goes over the lists that the question comes by; a rule may stand in several.
    #[inline]
    pub(super) fn for_each_list(&self, question: &Question<'_>, mut each: impl FnMut(&[u32])) {
        if !self.others.is_empty() {
            each(&self.others);
        }
        self.names.for_each_list(question, &mut each);
        self.clients.for_each_list(question, &mut each);
        if let Ok(at) = self.types.binary_search_by_key(&question.qtype, |(rtype, _)| *rtype) {
            each(&self.types[at].1);
        }
        for (view, rules) in &self.views {
            if **view == *question.view {
                each(rules);
            }
        }
    }
}

/// Rules by the names that they name: an open-addressed table over hashes of suffixes, probed once for each depth at
/// which it has a name that could match.
#[derive(Default)]
struct Names {
    /// The upper half of the hash above one more than the place in `listed`; 0 is free. At least half of them are free.
    slots: Box<[u64]>,
    listed: Box<[(Name, Listed)]>,
    /// How many labels the names have that are looked for as a whole.
    at_depths: u128,
    /// How many labels the names have that others stand below.
    below_depths: u128,
}

const UPPER_HALF: u64 = !0 << 32;

impl Names {
    fn new(names: BTreeMap<Name, Listed>) -> Self {
        if names.is_empty() {
            return Self::default();
        }
        let mut slots = vec![0; (2 * names.len()).next_power_of_two()].into_boxed_slice();
        let (mut at_depths, mut below_depths) = (0, 0);
        for (place, (name, listed)) in names.iter().enumerate() {
            let mask = slots.len() - 1;
            let mut slot = name.hash64() as usize & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = name.hash64() & UPPER_HALF | (place as u64 + 1);
            at_depths |= u128::from(!listed.at.is_empty()) << name.label_count();
            below_depths |= u128::from(!listed.below.is_empty()) << name.label_count();
        }
        Self { slots, listed: names.into_iter().collect(), at_depths, below_depths }
    }

    #[inline]
    fn for_each_list(&self, question: &Question<'_>, each: &mut impl FnMut(&[u32])) {
        let labels = question.name.labels();
        let whole = 1u128 << labels;
        let mut depths = self.at_depths & whole | self.below_depths & (whole - 1);
        while depths != 0 {
            let depth = depths.trailing_zeros() as usize;
            depths &= depths - 1;
            if let Some(listed) = self.get(question.name.hash(depth), question.name.suffix(depth)) {
                each(if depth == labels { &listed.at } else { &listed.below });
            }
        }
    }

    #[inline]
    fn get(&self, hash: u64, suffix: &[u8]) -> Option<&Listed> {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                return None;
            }
            if (entry ^ hash) & UPPER_HALF == 0 {
                let (name, listed) = &self.listed[(entry & !UPPER_HALF) as usize - 1];
                if name.as_wire() == suffix {
                    return Some(listed);
                }
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Rules by the networks of clients: the closest network of a client leads to those around it.
#[derive(Default)]
struct Clients {
    closest: NetworkMap<u32>,
    lists: Box<[ClientList]>,
}

struct ClientList {
    rules: Numbers,
    /// The list of the closest network around this one.
    around: Option<u32>,
}

impl Clients {
    fn new(networks: BTreeMap<Network, Vec<u32>>) -> Self {
        let places: BTreeMap<Network, u32> =
            networks.keys().enumerate().map(|(place, network)| (*network, place as u32)).collect();
        let around = |network| enclosing(network).find_map(|network| places.get(&network).copied());
        Self {
            lists: networks
                .into_iter()
                .map(|(network, rules)| ClientList { rules: rules.into(), around: around(network) })
                .collect(),
            closest: places.into_iter().collect(),
        }
    }

    #[inline]
    fn for_each_list(&self, question: &Question<'_>, each: &mut impl FnMut(&[u32])) {
        if self.lists.is_empty() {
            return;
        }
        let mut place = self.closest.get(question.client).copied();
        while let Some(at) = place {
            let list = &self.lists[at as usize];
            each(&list.rules);
            place = list.around;
        }
    }
}

/// All networks around a network, the closest first.
pub(super) fn enclosing(network: Network) -> impl Iterator<Item = Network> {
    (0..network.prefix_length()).rev().map(move |length| Network::new(network.address(), length))
}
