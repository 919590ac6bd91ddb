//! The next version of a zone: changes in the overlay, and folding the overlay into a new base.

use std::sync::Arc;

use super::base::{ALIGNMENT, Base, BaseWriter};
use super::node::{Flags, Node, NodePacker, SourceTag};
use super::{Authority, Packed, Zone, ZoneFaultKind, hash_of, put_serial};
use crate::trie::Trie;
use crate::{Name, RecordType, Rrset};

/// A zone that is being changed; costs by the number of names that change, not by the size of the zone.
pub struct ZoneEdit {
    zone: Zone,
    apex_changed: bool,
    packer: NodePacker,
}

impl ZoneEdit {
    pub(super) fn new(zone: Zone) -> Self {
        let packer = NodePacker::new(&zone.apex);
        Self { zone, apex_changed: false, packer }
    }

    /// The zone with the changes made so far; its SOA record may be out of step until [`finish`](Self::finish).
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Gives a name exactly these RRsets, each with its source; without any the name goes, unless others stand below.
    ///
    /// # Errors
    /// The name is outside the zone, or an RRset fits no message. The edit is then of no more use.
    pub fn set(&mut self, owner: &Name, rrsets: &[(&Rrset, SourceTag)]) -> Result<(), ZoneFaultKind> {
        if !owner.is_at_or_below(&self.zone.apex) {
            return Err(ZoneFaultKind::OutOfZone { owner: owner.clone(), apex: self.zone.apex.clone() });
        }
        let old = self.zone.node_of(owner);
        let (mut flags, children, old_redirect, old_records, existed) = match old {
            Some(node) => (node.flags(), node.children(), redirects(&node), node.record_count(), true),
            None => (Flags::default(), 0, false, 0, false),
        };
        let is_apex = *owner == self.zone.apex;
        let mut sorted: Vec<_> = rrsets.to_vec();
        sorted.sort_by_key(|(rrset, _)| rrset.rtype());
        let mut records = 0;
        let mut types = sorted.iter().map(|(rrset, _)| rrset.rtype());
        let has_ns = types.clone().any(|rtype| rtype == RecordType::NS);
        let has_dname = types.any(|rtype| rtype == RecordType::DNAME);
        for (rrset, source) in &sorted {
            let rtype = rrset.rtype();
            for rdata in rrset.rdatas() {
                self.packer.record(rtype, rrset.ttl(), rdata);
            }
            records += rrset.len();
            if let Err(octets) = self.packer.end_rrset(rtype, *source) {
                self.packer.reset();
                return Err(ZoneFaultKind::TooLarge { owner: owner.clone(), rtype, octets });
            }
        }
        flags.set(Flags::CUT, has_ns && !is_apex);
        flags.set(Flags::CNAME, false);
        flags.set(Flags::DNAME, false);
        self.apex_changed |= is_apex;
        if sorted.is_empty() && children == 0 && !is_apex {
            self.packer.reset();
            if existed {
                self.remove_node(owner);
            }
        } else {
            let mut octets = Vec::new();
            self.packer.finish(owner.as_wire(), flags, children, &mut octets);
            self.put(owner.hash64(), octets.into());
            if !existed {
                self.add_to_parent(owner);
            }
        }
        let shape = Arc::make_mut(&mut self.zone.shape);
        shape.records = shape.records + records - old_records;
        shape.depth_max = shape.depth_max.max(owner.label_count());
        match (old_redirect, (has_ns && !is_apex) || has_dname) {
            (false, true) => shape.add_redirect(owner.label_count()),
            (true, false) => shape.remove_redirect(owner.label_count()),
            _ => {}
        }
        Ok(())
    }

    /// Gives the zone another serial and leaves everything else as it is, without packing the apex anew.
    pub fn set_serial(&mut self, serial: u32) {
        let mut octets = self.zone.apex_node().packed().to_vec();
        if put_serial(&mut octets, serial) {
            self.put(self.zone.apex.hash64(), octets.into());
            if !self.apex_changed {
                self.zone.authority = Arc::new(self.zone.authority.with_serial(serial));
            }
        }
    }

    /// The changed zone.
    ///
    /// # Errors
    /// The apex has lost its SOA or NS records, or has too many.
    pub fn finish(mut self) -> Result<Zone, ZoneFaultKind> {
        if self.apex_changed {
            let authority = Authority::read(&self.zone.apex, self.zone.node_of(&self.zone.apex))?;
            self.zone.authority = Arc::new(authority);
        }
        Ok(self.zone)
    }

    fn put(&mut self, hash: u64, octets: Packed) {
        let name = octets.clone();
        let name = Node::new(&name).name();
        self.zone.overlay.insert(hash, octets, |old| Node::new(old).name() == name);
    }

    /// A name has come into being: its parent, if need be as an empty non-terminal, has one more child.
    fn add_to_parent(&mut self, owner: &Name) {
        Arc::make_mut(&mut self.zone.shape).names_beyond_base += 1;
        let Some(parent) = owner.parent().filter(|_| *owner != self.zone.apex) else {
            return;
        };
        let existed = self.zone.node_of(&parent).is_some();
        self.update_parent(&parent, 1, owner.is_wildcard().then_some(true));
        if !existed {
            self.add_to_parent(&parent);
        }
    }

    /// A name without records and children goes, and with it the empty non-terminals that stood there for its sake.
    fn remove_node(&mut self, owner: &Name) {
        Arc::make_mut(&mut self.zone.shape).names_beyond_base -= 1;
        let (hash, name) = (owner.hash64(), owner.as_wire());
        let below = self.zone.folding.get(hash, |octets| Node::new(octets).name() == name).is_some()
            || self.zone.base.find(hash, name).is_some();
        if below {
            let mut flags = Flags::default();
            flags.set(Flags::GONE, true);
            let mut octets = Vec::new();
            self.packer.finish(name, flags, 0, &mut octets);
            self.put(hash, octets.into());
        } else {
            self.zone.overlay.remove(hash, |octets| Node::new(octets).name() == name);
        }
        let Some(parent) = owner.parent() else { return };
        self.update_parent(&parent, -1, owner.is_wildcard().then_some(false));
        let node = self.zone.node_of(&parent);
        let is_needless = node.is_some_and(|node| node.children() == 0 && node.is_empty_non_terminal());
        if is_needless && parent != self.zone.apex {
            self.remove_node(&parent);
        }
    }

    /// Changes only the header of a node; makes an empty one where there is none.
    fn update_parent(&mut self, parent: &Name, children: i32, wildcard: Option<bool>) {
        let mut octets = Vec::new();
        if let Some(node) = self.zone.node_of(parent) {
            octets.extend_from_slice(node.packed());
        } else {
            self.packer.finish(parent.as_wire(), Flags::default(), 0, &mut octets);
        }
        let mut flags = Node::new(&octets).flags();
        if let Some(wildcard) = wildcard {
            flags.set(Flags::WILDCARD, wildcard);
        }
        let children = Node::new(&octets).children().saturating_add_signed(children);
        Node::set_header(&mut octets, flags, children);
        self.put(parent.hash64(), octets.into());
    }
}

fn redirects(node: &Node<'_>) -> bool {
    node.is_zone_cut() || node.has_dname()
}

/// A new base in the making, away from the writers' path.
pub struct Fold {
    zone: Zone,
}

/// A base into which an overlay has been folded.
pub struct Folded {
    base: Base,
    /// The base that the new one replaces.
    old: Arc<Base>,
    /// The changes that were folded into it: the same base may be folded again with others.
    changes: Trie<Packed>,
}

impl Zone {
    /// Sets the overlay aside for folding. The first value is the zone to serve meanwhile: it starts a fresh overlay.
    ///
    /// `None` if there is nothing to fold, or a fold is under way already.
    pub fn begin_fold(&self) -> Option<(Zone, Fold)> {
        if self.overlay.is_empty() || self.is_folding() {
            return None;
        }
        let mut zone = self.clone();
        zone.folding = std::mem::take(&mut zone.overlay);
        let fold = Fold { zone: zone.clone() };
        Some((zone, fold))
    }

    /// Puts the new base under the changes made since the fold began.
    ///
    /// `None` if this zone is not the one the fold began with, or a later version of it.
    pub fn finish_fold(&self, folded: Folded) -> Option<Zone> {
        let is_this_one = Arc::ptr_eq(&self.base, &folded.old) && self.folding.is_same(&folded.changes);
        if !self.is_folding() || !is_this_one {
            return None;
        }
        let mut zone = self.clone();
        let names = self.name_count();
        zone.folding = Trie::default();
        let shape = Arc::make_mut(&mut zone.shape);
        shape.names_beyond_base = names as isize - folded.base.names() as isize;
        zone.base = Arc::new(folded.base);
        Some(zone)
    }
}

impl Fold {
    /// Packs the new base; takes time in proportion to the zone.
    ///
    /// `None` if the zone has outgrown the 16 GiB that one base can have; it is right without being folded.
    pub fn run(self) -> Option<Folded> {
        let zone = &self.zone;
        // Untouched memory costs nothing, so that the old base and all changes have room side by side.
        let changes = zone.folding.iter().map(|octets| octets.len().next_multiple_of(ALIGNMENT));
        let octets = zone.base.arena_octets() + changes.sum::<usize>();
        let mut base = BaseWriter::with_room(zone.name_count(), octets);
        for node in zone.nodes() {
            base.name(hash_of(node.name()), &node);
        }
        for (hash, node) in zone.base.nsec3_entries() {
            base.nsec3(hash, &node);
        }
        for node in zone.base.unused_nsec3_nodes() {
            base.unused_nsec3(&node);
        }
        let base = base.finish(zone.apex())?;
        Some(Folded { base, old: self.zone.base, changes: self.zone.folding })
    }
}
