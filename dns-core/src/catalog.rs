//! All views and zones at one version.

use std::sync::Arc;

use crate::Name;
use crate::name::HashedName;
use crate::trie::{self, Trie};
use crate::zone::Zone;

/// Everything that is served, at one moment. Published whole; the next version shares what has not changed.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    version: u64,
    policy: Arc<AnswerPolicy>,
    views: Vec<Arc<View>>,
}

impl Catalog {
    /// A catalog with one empty view, `default`.
    pub fn new() -> Self {
        Self { version: 0, policy: Arc::default(), views: vec![Arc::new(View::new("default"))] }
    }

    /// Counts the changes since the start.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The views, the default one first.
    pub fn views(&self) -> &[Arc<View>] {
        &self.views
    }

    /// The view that serves everybody for whom no other is meant.
    #[inline]
    pub fn default_view(&self) -> Option<&View> {
        self.views.first().map(|view| &**view)
    }

    /// The view of a name.
    pub fn view(&self, name: &str) -> Option<&View> {
        self.views.iter().map(|view| &**view).find(|view| view.name() == name)
    }

    /// How answers are made.
    #[inline]
    pub fn policy(&self) -> &AnswerPolicy {
        &self.policy
    }

    /// The catalog with answers made another way.
    #[must_use]
    pub fn with_policy(mut self, policy: AnswerPolicy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// The catalog with one view replaced, or added behind the others.
    #[must_use]
    pub fn with_view(mut self, view: View) -> Self {
        match self.views.iter_mut().find(|old| old.name == view.name) {
            Some(old) => *old = Arc::new(view),
            None => self.views.push(Arc::new(view)),
        }
        self
    }

    /// The catalog under another version number.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }
}

/// How answers are made, as far as operators may choose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnswerPolicy {
    /// Follow CNAMEs and answer with what they lead to; otherwise the client has to ask again.
    pub resolve_cname_chain: bool,
    /// CNAMEs followed per answer; 1 to [`CNAME_DEPTH_LIMIT`](Self::CNAME_DEPTH_LIMIT).
    pub max_cname_depth: u8,
    /// Negative answers for names that do not exist carry the zone's SOA record, so that resolvers can remember them
    /// ([RFC 2308, section 3](https://www.rfc-editor.org/rfc/rfc2308#section-3)).
    pub return_soa_on_nxdomain: bool,
    /// What a question for all types gets.
    pub any: AnyPolicy,
    /// Leave out additional data that the client can do without; glue is never left out.
    pub minimal_responses: bool,
    /// Largest UDP message sent or announced, in octets
    /// ([RFC 9715](https://www.rfc-editor.org/rfc/rfc9715): what passes without fragments); 512 to 4096.
    pub udp_octets_max: u16,
    /// How long an idle TCP connection is kept, in units of 100 ms, as told to clients that ask
    /// ([RFC 7828](https://www.rfc-editor.org/rfc/rfc7828)).
    pub tcp_keepalive: u16,
}

impl AnswerPolicy {
    /// No chain is followed further than this, whatever is configured.
    pub const CNAME_DEPTH_LIMIT: u8 = 32;
}

impl Default for AnswerPolicy {
    fn default() -> Self {
        Self {
            resolve_cname_chain: true,
            max_cname_depth: 10,
            return_soa_on_nxdomain: true,
            any: AnyPolicy::Tcp,
            minimal_responses: false,
            udp_octets_max: 1232,
            tcp_keepalive: 100,
        }
    }
}

/// What a question for all types gets ([RFC 8482](https://www.rfc-editor.org/rfc/rfc8482)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnyPolicy {
    /// All records over TCP; over UDP the client is told to come back by TCP.
    Tcp,
    /// All records.
    Full,
    /// One RRset.
    Minimal,
}

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
    /// The zone, unless it failed to load.
    pub fn zone(&self) -> Option<&Zone> {
        match &self.state {
            ZoneState::Serving(zone) => Some(zone),
            ZoneState::Failed(_) => None,
        }
    }
}

impl View {
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
        let mut depths = self.depth_bits & (u128::MAX >> (127 - labels.min(127)));
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
