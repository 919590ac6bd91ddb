//! All views and zones at one version.

mod view;

use std::net::IpAddr;
use std::sync::Arc;

use self::view::Choice;
pub use self::view::{Scope, View, ViewSpec, ZoneEntry, ZoneState, Zones};

/// Everything that is served, at one moment. Published whole; the next version shares what has not changed.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    version: u64,
    policy: Arc<AnswerPolicy>,
    /// The default one first, then those of `specs`.
    views: Vec<Arc<View>>,
    specs: Arc<[ViewSpec]>,
    choice: Arc<Choice>,
    /// See [`zone_reads`](Self::zone_reads).
    zone_reads: u32,
}

impl Catalog {
    /// A catalog with one empty view, `default`.
    pub fn new() -> Self {
        let views = vec![Arc::new(View::new(View::DEFAULT))];
        Self { views, ..Self::default() }
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

    /// The view at this place.
    #[inline]
    pub fn view_in(&self, place: usize) -> Option<&View> {
        self.views.get(place).map(|view| &**view)
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

    /// The catalog with one view replaced. A view that the catalog does not have is left out.
    #[must_use]
    pub fn with_view(mut self, view: View) -> Self {
        if let Some(old) = self.views.iter_mut().find(|old| old.name() == view.name()) {
            *old = Arc::new(view);
        }
        self.weigh()
    }

    /// The catalog with these views besides the default one. Those of the same name keep their zones; of several with one name,
    /// the first counts.
    #[must_use]
    pub fn with_views(mut self, specs: &[ViewSpec]) -> Self {
        let mut kept: Vec<ViewSpec> = Vec::new();
        for spec in specs {
            if &*spec.name != View::DEFAULT && kept.iter().all(|known| known.name != spec.name) {
                kept.push(spec.clone());
            }
        }
        let old = self.views.split_off(1.min(self.views.len()));
        let view = |spec: &ViewSpec| {
            let known = old.iter().find(|view| view.name() == &*spec.name);
            known.cloned().unwrap_or_else(|| Arc::new(View::new(&spec.name)))
        };
        self.views.extend(kept.iter().map(view));
        self.choice = Arc::new(Choice::new(&kept));
        self.specs = kept.into();
        self.weigh()
    }

    /// Finds out once for all queries how many reads from memory finding a zone can take.
    fn weigh(mut self) -> Self {
        let large = self.views.iter().filter(|view| view.is_large());
        self.zone_reads = large.map(|view| view.reads()).max().unwrap_or(0);
        self
    }

    /// Reads from memory that finding a zone takes in the largest view; 0 where no view has so many zones that they count. If they
    /// do, look-ups of a batch had better be [announced](View::prefetch).
    #[inline]
    pub fn zone_reads(&self) -> u32 {
        self.zone_reads
    }

    /// Who gets to see which view, in the order of the views from the second one on.
    pub fn view_specs(&self) -> &[ViewSpec] {
        &self.specs
    }

    /// Place of the view of a client that asks at the listener of this number; the client is asked for only if it matters.
    #[inline]
    pub fn view_at(&self, listener: usize, client: impl FnOnce() -> IpAddr) -> usize {
        if self.choice.is_empty() { 0 } else { self.choice.find(listener, client()) }
    }

    /// What the clients of a view can be answered from.
    pub fn scope_of(&self, view: &str) -> Option<Scope<'_>> {
        self.scope_at(self.views.iter().position(|known| known.name() == view)?)
    }

    /// What the clients of the view at this place can be answered from.
    #[inline]
    pub fn scope_at(&self, place: usize) -> Option<Scope<'_>> {
        let is_shared = place > 0 && self.specs.get(place - 1).is_some_and(|spec| spec.shared);
        let shared = if is_shared { self.default_view() } else { None };
        Some(Scope { view: self.views.get(place)?, shared })
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
