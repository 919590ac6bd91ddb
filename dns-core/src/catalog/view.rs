//! The zones that one group of clients sees.

use std::net::IpAddr;
use std::sync::Arc;

use crate::Name;
use crate::name::HashedName;
use crate::network::{Access, Network, NetworkMap};
use crate::trie::{self, Trie};
use crate::zone::Zone;

/// The zones that one group of clients sees.
#[derive(Clone, Debug)]
pub struct View {
    name: Arc<str>,
    zones: Trie<Arc<ZoneEntry>>,
    /// How many zones have an apex of so many labels.
    depths: Vec<u32>,
    /// The depths at which there are any.
    depth_bits: u128,
}

/// A zone as it stands in a catalog.
#[derive(Clone, Debug)]
pub struct ZoneEntry {
    /// Name of the zone.
    pub apex: Name,
    /// What is served.
    pub state: ZoneState,
    /// Names that the zone does not have are asked upstream.
    pub fallthrough: bool,
    /// Nobody declared the zone: it holds records that were given without one.
    pub derived: bool,
    /// Which clients get answers from it; all of them if absent.
    pub access: Option<Arc<Access>>,
}

/// Whether a zone can be served.
#[derive(Clone, Debug)]
pub enum ZoneState {
    /// It is answered from.
    Serving(Zone),
    /// It could not be loaded, so its names get SERVFAIL; tells why.
    Failed(Arc<str>),
}

impl ZoneEntry {
    /// The client gets answers from it.
    #[inline]
    pub fn admits(&self, client: IpAddr) -> bool {
        self.access.as_ref().is_none_or(|access| access.admits(client))
    }

    /// The zone, unless it failed to load.
    pub fn zone(&self) -> Option<&Zone> {
        match &self.state {
            ZoneState::Serving(zone) => Some(zone),
            ZoneState::Failed(_) => None,
        }
    }
}

impl View {
    /// Name of the view that serves everybody for whom no other is meant.
    pub const DEFAULT: &str = "default";

    /// A view without zones.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), zones: Trie::default(), depths: Vec::new(), depth_bits: 0 }
    }

    /// Name of the view.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone whose apex is the longest suffix of the last `labels` labels of the name.
    #[inline]
    pub fn find(&self, name: &HashedName, labels: usize) -> Option<&ZoneEntry> {
        let mut depths = self.depths_up_to(labels);
        while depths != 0 {
            let depth = 127 - depths.leading_zeros() as usize;
            let apex = name.suffix(depth);
            if let Some(entry) = self.zones.get(name.hash(depth), |entry| entry.apex.as_wire() == apex) {
                return Some(entry);
            }
            depths &= !(1 << depth);
        }
        None
    }

    /// The depths at which there are zones, one bit each, down to that of names with so many labels.
    #[inline]
    fn depths_up_to(&self, labels: usize) -> u128 {
        self.depth_bits & (u128::MAX >> (127 - labels.min(127)))
    }

    /// So many zones that finding one waits for memory.
    pub(super) fn is_large(&self) -> bool {
        self.zones.len() > 1000
    }

    /// Asks for what [`find`](Self::find) reads in its `step`-th read from memory, of as many as
    /// [`zone_reads`](super::Catalog::zone_reads) tells; the steps are to be asked for in order.
    #[inline]
    pub fn prefetch(&self, name: &HashedName, step: u32) {
        let depths = self.depths_up_to(name.labels());
        if depths != 0 {
            let depth = 127 - depths.leading_zeros() as usize;
            self.zones.prefetch(name.hash(depth), step, |entry| crate::sys::prefetch_whole(&**entry));
        }
    }

    /// Reads of a look-up from memory.
    pub(super) fn reads(&self) -> u32 {
        self.zones.reads()
    }

    /// The zone of this very name.
    pub fn zone(&self, apex: &Name) -> Option<&ZoneEntry> {
        self.zones.get(apex.hash64(), |entry| entry.apex == *apex).map(|entry| &**entry)
    }

    /// The zone that a name belongs to.
    pub fn zone_of(&self, name: &Name) -> Option<&ZoneEntry> {
        let mut hashed = HashedName::default();
        hashed.read(name.as_wire()).ok()?;
        self.find(&hashed, hashed.labels())
    }

    /// All zones, in an order that means nothing.
    pub fn zones(&self) -> Zones<'_> {
        Zones { entries: self.zones.iter() }
    }

    /// How many zones there are.
    pub fn len(&self) -> usize {
        self.zones.len()
    }

    /// There is no zone.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// Puts a zone in place of the one of the same name, or adds it.
    pub fn put(&mut self, entry: ZoneEntry) {
        let apex = entry.apex.clone();
        let labels = apex.label_count();
        if self.zones.insert(apex.hash64(), Arc::new(entry), |old| old.apex == apex).is_none() {
            if self.depths.len() <= labels {
                self.depths.resize(labels + 1, 0);
            }
            self.depths[labels] += 1;
            self.depth_bits |= 1 << labels;
        }
    }

    /// Takes a zone out.
    pub fn remove(&mut self, apex: &Name) -> Option<Arc<ZoneEntry>> {
        let removed = self.zones.remove(apex.hash64(), |old| old.apex == *apex)?;
        let labels = apex.label_count();
        self.depths[labels] -= 1;
        if self.depths[labels] == 0 {
            self.depth_bits &= !(1 << labels);
        }
        Some(removed)
    }
}

/// See [`View::zones`].
#[derive(Debug)]
pub struct Zones<'a> {
    entries: trie::Iter<'a, Arc<ZoneEntry>>,
}

impl<'a> Iterator for Zones<'a> {
    type Item = &'a ZoneEntry;

    fn next(&mut self) -> Option<&'a ZoneEntry> {
        self.entries.next().map(|entry| &**entry)
    }
}

/// Who gets to see a view.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ViewSpec {
    /// Name of the view; unique, and not `default`.
    pub name: Arc<str>,
    /// Clients of these networks. Of several views that have one, that with the longest prefix is meant.
    pub clients: Vec<Network>,
    /// Clients that ask at these listeners, by their numbers; at any if empty. Without `clients`, all who ask there.
    pub listeners: Vec<usize>,
    /// Names that the view has nothing for are answered from the default view.
    pub shared: bool,
}

/// Finds the view that is meant for a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// For listeners that views name, by number.
    at_listener: Vec<NetworkMap<u16>>,
    /// For all others.
    elsewhere: NetworkMap<u16>,
}

impl Choice {
    /// The views stand at places 1, 2 and so on.
    pub fn new(views: &[ViewSpec]) -> Self {
        let listeners = views.iter().flat_map(|view| &view.listeners).max().map_or(0, |last| last + 1);
        let everybody = [[0; 4].into(), [0u16; 8].into()].map(|address: IpAddr| Network::new(address, 0));
        let networks = |(place, view): (usize, &ViewSpec)| {
            let networks = if view.clients.is_empty() { &everybody[..] } else { &view.clients };
            networks.iter().map(move |network| (*network, place as u16 + 1)).collect::<Vec<_>>()
        };
        let choose = |listener: Option<usize>| -> NetworkMap<u16> {
            let is_here = |view: &ViewSpec| listener.is_some_and(|number| view.listeners.contains(&number));
            let is_anywhere = |view: &ViewSpec| view.listeners.is_empty() && !view.clients.is_empty();
            // Views that name the listener come before those for all listeners.
            let here = views.iter().enumerate().filter(|(_, view)| is_here(view));
            let anywhere = views.iter().enumerate().filter(|(_, view)| is_anywhere(view));
            let entries: Vec<_> = here.chain(anywhere).flat_map(networks).collect();
            // The first view that names a network has it, and a map keeps the last.
            entries.into_iter().rev().collect()
        };
        Self {
            at_listener: (0..listeners).map(|listener| choose(Some(listener))).collect(),
            elsewhere: choose(None),
        }
    }

    /// Place of the view; 0, the default one, if no other is meant for the client.
    #[inline]
    pub fn find(&self, listener: usize, client: IpAddr) -> usize {
        self.at_listener
            .get(listener)
            .unwrap_or(&self.elsewhere)
            .get(client)
            .map_or(0, |place| usize::from(*place))
    }

    /// All clients see the default view.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.elsewhere.is_empty() && self.at_listener.is_empty()
    }
}

/// What a client can be answered from: its view, and the default one behind it if that is shared.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'c> {
    /// The client's view.
    pub view: &'c View,
    /// Where names are looked for that the view has nothing for.
    pub shared: Option<&'c View>,
}

impl<'c> Scope<'c> {
    /// The zone whose apex is the longest suffix of the last `labels` labels of the name; of two with the same apex, that of
    /// the view itself. A derived zone of the view may still lack the name: see [`behind`](Self::behind).
    #[inline]
    pub fn find(&self, name: &HashedName, labels: usize) -> Option<&'c ZoneEntry> {
        let own = self.view.find(name, labels);
        match self.shared {
            None => own,
            Some(shared) => longer(own, shared.find(name, labels)),
        }
    }

    /// The zone of the view, which has an apex at the deepest level at which the view has any that could be meant, is that of the
    /// name; nothing is looked up. Never for views that are backed by another one.
    #[inline]
    pub fn is_plainly_in(&self, entry: &ZoneEntry, name: &HashedName, labels: usize) -> bool {
        let depth = entry.apex.label_count();
        self.shared.is_none()
            && self.view.depths_up_to(labels) >> depth == 1
            && entry.apex.hash64() == name.hash(depth)
            && entry.apex.as_wire() == name.suffix(depth)
    }

    /// The zone behind a derived one, where that lacks the name: in the default view, if it is shared.
    pub fn behind(&self, entry: &ZoneEntry, name: &HashedName, labels: usize) -> Option<&'c ZoneEntry> {
        let shared = self.shared?.find(name, labels)?;
        (entry.derived && !std::ptr::eq(entry, shared)).then_some(shared)
    }
}

/// The zone with the longer name; of equals the first.
fn longer<'c>(first: Option<&'c ZoneEntry>, second: Option<&'c ZoneEntry>) -> Option<&'c ZoneEntry> {
    match (first, second) {
        (Some(first), Some(second)) if second.apex.label_count() > first.apex.label_count() => Some(second),
        (None, second) => second,
        (first, _) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_view_that_names_a_network_has_it() {
        let view = |name: &str, clients: &[&str], listeners: &[usize]| ViewSpec {
            name: name.into(),
            clients: clients.iter().map(|text| text.parse().unwrap()).collect(),
            listeners: listeners.to_vec(),
            shared: false,
        };
        let choice = Choice::new(&[
            view("first", &["10.0.0.0/8", "192.0.2.1"], &[]),
            view("second", &["10.0.0.0/8", "10.1.0.0/16"], &[]),
            view("at one", &["10.0.0.0/8"], &[1]),
            view("all at one", &[], &[1]),
        ]);
        let find = |listener, client: &str| choice.find(listener, client.parse().unwrap());
        assert_eq!([find(0, "10.2.0.1"), find(0, "10.1.0.1"), find(0, "192.0.2.1")], [1, 2, 1]);
        assert_eq!(find(0, "192.0.2.2"), 0);
        // Those that name the listener come before all others.
        assert_eq!([find(1, "10.2.0.1"), find(1, "10.1.0.1"), find(1, "192.0.2.2")], [3, 2, 4]);
        assert_eq!(find(1, "2001:db8::1"), 4);
    }
}
