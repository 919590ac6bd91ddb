//! Zones as they are served: immutable, packed, changed by making the next version.
//!
//! A [`Zone`] is a packed base under a small overlay of changed names; its next version shares all that has not
//! changed ([`Zone::edit`]). Once the overlay has grown, it is folded into a new base ([`Zone::begin_fold`]).
//! [`ZoneBuilder`] makes the first version.

mod base;
mod builder;
mod edit;
mod fault;
mod node;
mod order;
mod region;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base::Base;
use node::{Flags, NodePacker};

pub use self::base::{NSEC3_HASH_OCTETS, Nsec3Match};
pub use self::builder::{Built, RecordBatch, ZoneBuilder};
pub use self::edit::{Fold, Folded, ZoneEdit};
pub use self::fault::{Place, ZoneFault, ZoneFaultKind};
pub use self::node::{Node, PackedRrset, RECORD_HEADER_OCTETS, Records, Rrsets, SourceTag};

use crate::name::{LABELS_MAX, canonical_cmp};
use crate::trie::Trie;
use crate::{Name, RecordType};

/// An immutable zone of class IN: it has exactly one SOA record and NS records at its apex.
///
/// Cloning shares everything.
#[derive(Clone)]
pub struct Zone {
    apex: Name,
    base: Arc<Base>,
    /// Changes that are being folded into a new base; empty at other times.
    folding: Trie<Packed>,
    /// Changes since.
    overlay: Trie<Packed>,
    shape: Arc<Shape>,
    authority: Arc<Authority>,
}

/// A node that is not in a base.
type Packed = Arc<[u8]>;

/// What look-ups want to know of the whole zone.
#[derive(Clone, Default)]
struct Shape {
    /// How many zone cuts and DNAMEs stand at each number of labels.
    redirects: Vec<u32>,
    /// The depths at which there are any.
    redirect_depths: u128,
    /// No name has more labels.
    depth_max: usize,
    /// Names that were added since the base was made less those that went.
    names_beyond_base: isize,
    /// Records, signatures not counted.
    records: usize,
}

/// What the apex says.
struct Authority {
    serial: u32,
    /// The SOA record with the TTL of negative answers ([RFC 2308, section 3]), in a node of its own.
    ///
    /// [RFC 2308, section 3]: https://www.rfc-editor.org/rfc/rfc2308#section-3
    negative: Packed,
    signing: Signing,
}

/// How the zone was signed before it came here, as far as denial of existence is concerned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Signing {
    /// There is no chain: names that do not exist cannot be proven not to.
    Unsigned,
    /// With NSEC records ([RFC 4034, section 4](https://www.rfc-editor.org/rfc/rfc4034#section-4)).
    Nsec,
    /// With NSEC3 records ([RFC 5155](https://www.rfc-editor.org/rfc/rfc5155)).
    Nsec3 {
        /// How often the hash is hashed again.
        iterations: u16,
        /// What is appended before each hashing.
        salt: Box<[u8]>,
    },
}

impl Zone {
    fn from_base(apex: Name, base: Base, shape: Shape) -> Result<Self, ZoneFaultKind> {
        let authority = Authority::read(&apex, base.find(apex.hash64(), apex.as_wire()))?;
        Ok(Self {
            apex,
            base: Arc::new(base),
            folding: Trie::default(),
            overlay: Trie::default(),
            shape: Arc::new(shape),
            authority: Arc::new(authority),
        })
    }

    /// Name of the zone.
    #[inline]
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The node of a name that is in the zone, given in lower case with its hash.
    #[inline]
    pub fn node(&self, hash: u64, name: &[u8]) -> Option<Node<'_>> {
        for overlay in [&self.overlay, &self.folding] {
            if !overlay.is_empty()
                && let Some(octets) = overlay.get(hash, |octets| Node::new(octets).name() == name)
            {
                let node = Node::new(octets);
                return (!node.is_gone()).then_some(node);
            }
        }
        self.base.find(hash, name)
    }

    /// The node of a name.
    pub fn node_of(&self, name: &Name) -> Option<Node<'_>> {
        self.node(name.hash64(), name.as_wire())
    }

    /// The RRsets of a name as values of their own, signatures left out; none if there is no such name.
    pub fn rrsets_at(&self, name: &Name) -> Vec<(crate::Rrset, SourceTag)> {
        self.node_of(name).map(|node| rrsets_of_owner(self, &node, name)).unwrap_or_default()
    }

    /// The node of the apex.
    pub fn apex_node(&self) -> Node<'_> {
        // By construction it is there; the node with the SOA record alone stands in for it all the same.
        self.node_of(&self.apex).unwrap_or_else(|| Node::new(&self.authority.negative))
    }

    /// Asks the processor to fetch what every look-up reads before anything else.
    #[inline]
    pub fn prefetch_base(&self) {
        crate::sys::prefetch_whole(&*self.base);
        crate::sys::prefetch_whole(&*self.shape);
    }

    /// Asks the processor to fetch what a look-up of this hash reads first.
    #[inline]
    pub fn prefetch_slot(&self, hash: u64) {
        self.base.prefetch_slot(hash);
    }

    /// Asks the processor to fetch the node of this hash; the slot should have arrived by now.
    #[inline]
    pub fn prefetch_node(&self, hash: u64) {
        self.base.prefetch_node(hash);
    }

    /// Bit *n* is set if some name of *n* labels is a zone cut or has a DNAME record: only there can a name below be
    /// led elsewhere.
    #[inline]
    pub fn redirect_depths(&self) -> u128 {
        self.shape.redirect_depths
    }

    /// No name of the zone has more labels than this.
    #[inline]
    pub fn depth_max(&self) -> usize {
        self.shape.depth_max
    }

    /// Version of the zone, from its SOA record.
    pub fn serial(&self) -> u32 {
        self.authority.serial
    }

    /// The SOA record with the TTL that negative answers have ([RFC 2308, section 3](https://www.rfc-editor.org/rfc/rfc2308#section-3)).
    #[inline]
    pub fn negative_soa(&self) -> Option<PackedRrset<'_>> {
        Node::new(&self.authority.negative).rrset(RecordType::SOA)
    }

    /// How the zone was signed.
    #[inline]
    pub fn signing(&self) -> &Signing {
        &self.authority.signing
    }

    /// How many names exist, empty non-terminals included.
    pub fn name_count(&self) -> usize {
        self.base.names().saturating_add_signed(self.shape.names_beyond_base)
    }

    /// How many records there are, signatures and NSEC3 records not counted.
    pub fn record_count(&self) -> usize {
        self.shape.records
    }

    /// How many names have changed since the base was packed.
    pub fn overlay_len(&self) -> usize {
        self.overlay.len()
    }

    /// A fold has begun and not yet ended.
    pub fn is_folding(&self) -> bool {
        !self.folding.is_empty()
    }

    /// Octets of memory that the packed base takes.
    pub fn base_octets(&self) -> usize {
        self.base.octets()
    }

    /// All names, empty non-terminals included, in an order that means nothing; NSEC3 records are not among them.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let changed = !self.overlay.is_empty() || !self.folding.is_empty();
        let base = self.base.nodes().filter(move |node| !changed || !self.is_hidden(node, true));
        let folding =
            self.folding.iter().map(|octets| Node::new(octets)).filter(|node| !self.is_hidden(node, false));
        let overlay = self.overlay.iter().map(|octets| Node::new(octets));
        base.chain(folding).chain(overlay).filter(|node| !node.is_gone())
    }

    /// Those of [`nodes`](Self::nodes) at and after `from` in canonical order ([RFC 4034, section 6.1]).
    ///
    /// The first call sorts the names that were packed with the zone, and keeps their order in four octets for each; it is
    /// found again by later versions, until they are packed anew. Each call sorts the names that have changed since.
    ///
    /// [RFC 4034, section 6.1]: https://www.rfc-editor.org/rfc/rfc4034#section-6.1
    pub fn nodes_from<'z>(&'z self, from: &Name) -> impl Iterator<Item = Node<'z>> + use<'z> {
        let is_from = |node: &Node<'z>| canonical_cmp(node.name(), from.as_wire()).is_ge();
        let folding = self.folding.iter().map(|octets| Node::new(octets));
        let folding = folding.filter(|node| is_from(node) && !self.is_hidden(node, false));
        let overlay = self.overlay.iter().map(|octets| Node::new(octets)).filter(is_from);
        let mut changed: Vec<Node<'z>> = folding.chain(overlay).collect();
        changed.sort_unstable_by(|left, right| canonical_cmp(left.name(), right.name()));
        let has_changed = !self.overlay.is_empty() || !self.folding.is_empty();
        let base = self.base.nodes_from(&self.apex, from.as_wire());
        let mut base = base.filter(move |node| !has_changed || !self.is_hidden(node, true)).peekable();
        let mut changed = changed.into_iter().peekable();
        let merged = std::iter::from_fn(move || match (base.peek(), changed.peek()) {
            (Some(old), Some(new)) if canonical_cmp(old.name(), new.name()).is_lt() => base.next(),
            (_, Some(_)) => changed.next(),
            _ => base.next(),
        });
        merged.filter(|node| !node.is_gone())
    }

    /// The owners of NSEC3 records: those of the chain in use by hash, then those of other chains.
    pub fn nsec3_nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.base.nsec3_nodes()
    }

    /// The node with the last NSEC record at or before `name` in canonical order; `name` is in the zone.
    pub fn nsec_at_or_before(&self, name: &[u8]) -> Option<Node<'_>> {
        self.base.nsec_at_or_before(name)
    }

    /// The NSEC3 record for a hash, of the chain that [`signing`](Self::signing) tells of.
    pub fn nsec3(&self, hash: &[u8; NSEC3_HASH_OCTETS]) -> Nsec3Match<'_> {
        self.base.nsec3(hash)
    }

    /// The next version, to be changed.
    pub fn edit(&self) -> ZoneEdit {
        ZoneEdit::new(self.clone())
    }

    /// A newer node of the same name hides this one.
    fn is_hidden(&self, node: &Node<'_>, in_base: bool) -> bool {
        let name = node.name();
        let hash = hash_of(name);
        let newer = |overlay: &Trie<Packed>| {
            !overlay.is_empty() && overlay.get(hash, |octets| Node::new(octets).name() == name).is_some()
        };
        newer(&self.overlay) || in_base && newer(&self.folding)
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "zone {} with serial {} and {} names", self.apex, self.serial(), self.name_count())
    }
}

impl Shape {
    fn add_redirect(&mut self, labels: usize) {
        if self.redirects.len() <= labels {
            self.redirects.resize(labels + 1, 0);
        }
        self.redirects[labels] += 1;
        self.redirect_depths |= 1 << labels.min(LABELS_MAX);
    }

    /// Takes what was found in another part of the zone.
    fn merge(&mut self, other: &Self) {
        self.redirects.resize(self.redirects.len().max(other.redirects.len()), 0);
        for (count, more) in self.redirects.iter_mut().zip(&other.redirects) {
            *count += more;
        }
        self.redirect_depths |= other.redirect_depths;
        self.depth_max = self.depth_max.max(other.depth_max);
        self.names_beyond_base += other.names_beyond_base;
        self.records += other.records;
    }

    fn remove_redirect(&mut self, labels: usize) {
        self.redirects[labels] -= 1;
        if self.redirects[labels] == 0 {
            self.redirect_depths &= !(1 << labels);
        }
    }
}

impl Authority {
    fn read(apex: &Name, node: Option<Node<'_>>) -> Result<Self, ZoneFaultKind> {
        let node = node.ok_or_else(|| ZoneFaultKind::NoSoa(apex.clone()))?;
        let soa = node.rrset(RecordType::SOA).ok_or_else(|| ZoneFaultKind::NoSoa(apex.clone()))?;
        if soa.count != 1 {
            return Err(ZoneFaultKind::ManySoas(apex.clone()));
        }
        if node.rrset(RecordType::NS).is_none() {
            return Err(ZoneFaultKind::NoApexNs(apex.clone()));
        }
        let (mut serial, mut minimum) = (None, 0);
        let mut packer = NodePacker::new(apex);
        soa.for_each_rdata(apex.as_wire(), |rdata| {
            // SERIAL REFRESH RETRY EXPIRE MINIMUM, four octets each, end the RDATA (RFC 1035, section 3.3.13).
            let Some([s0, s1, s2, s3, .., m0, m1, m2, m3]) = rdata.last_chunk::<20>() else {
                return;
            };
            serial = Some(u32::from_be_bytes([*s0, *s1, *s2, *s3]));
            minimum = u32::from_be_bytes([*m0, *m1, *m2, *m3]);
            packer.record(RecordType::SOA, soa.ttl().min(minimum), rdata);
        });
        let serial = serial.ok_or_else(|| ZoneFaultKind::MalformedSoa(apex.clone()))?;
        for rdata in soa.signature_rdatas() {
            // The signature says the original TTL itself; its own is that of the record it goes with.
            packer.signature(soa.ttl().min(minimum), rdata);
        }
        let mut negative = Vec::new();
        packer.end_rrset(RecordType::SOA, SourceTag::default()).map_err(|octets| {
            ZoneFaultKind::TooLarge { owner: apex.clone(), rtype: RecordType::SOA, octets }
        })?;
        packer.finish(apex.as_wire(), Flags::default(), 0, &mut negative);
        Ok(Self { serial, negative: negative.into(), signing: signing(&node, &soa) })
    }
}

impl Authority {
    /// The same with another serial.
    fn with_serial(&self, serial: u32) -> Self {
        let mut negative = self.negative.to_vec();
        put_serial(&mut negative, serial);
        Self { serial, negative: negative.into(), signing: self.signing.clone() }
    }
}

/// Gives the SOA record of a packed node another serial. Tells whether it has one.
fn put_serial(octets: &mut [u8], serial: u32) -> bool {
    // SERIAL is the first of the five numbers that end the RDATA (RFC 1035, section 3.3.13).
    let serial_at = Node::new(octets).records_range(RecordType::SOA).map(|records| records.end - 20);
    if let Some(at) = serial_at {
        octets[at..at + 4].copy_from_slice(&serial.to_be_bytes());
    }
    serial_at.is_some()
}

fn signing(apex: &Node<'_>, soa: &PackedRrset<'_>) -> Signing {
    if soa.signatures.is_empty() {
        return Signing::Unsigned;
    }
    if let Some(parameters) = apex.rrset(RecordType::NSEC3PARAM) {
        let chain = Records::new(parameters.records)
            .find_map(|record| Signing::from_nsec3param(&record[RECORD_HEADER_OCTETS..]));
        if let Some(chain) = chain {
            return chain;
        }
    }
    if apex.rrset(RecordType::NSEC).is_some() { Signing::Nsec } else { Signing::Unsigned }
}

/// Hash of a valid lower-case name.
fn hash_of(name: &[u8]) -> u64 {
    let mut hashed = crate::name::HashedName::default();
    let _ = hashed.read(name);
    hashed.hash(hashed.labels())
}

/// A zone name as it is known to be valid.
fn name_of(node: &Node<'_>) -> Name {
    Name::from_wire(node.name()).unwrap_or_else(|_| Name::root())
}

/// The RRsets of a node as values of their own, signatures left out.
pub fn rrsets_of(zone: &Zone, node: &Node<'_>) -> Vec<(crate::Rrset, SourceTag)> {
    rrsets_of_owner(zone, node, &name_of(node))
}

fn rrsets_of_owner(zone: &Zone, node: &Node<'_>, owner: &Name) -> Vec<(crate::Rrset, SourceTag)> {
    node.rrsets().map(|rrset| (rrset.to_rrset(owner.clone(), zone.apex.as_wire()), rrset.source)).collect()
}
