//! The packed part of a zone: all nodes in one allocation, found through one table.

use super::node::Node;
use crate::name::canonical_cmp;

/// Nodes begin at multiples of this, so that a table slot reaches 16 GiB with 32 bits.
const ALIGNMENT: usize = 4;

/// Octets of an NSEC3 hash with SHA-1, the only algorithm there is.
pub const NSEC3_HASH_OCTETS: usize = 20;

/// Nodes one after the other, an open-addressed table over them, and the orders that denial of existence needs.
#[derive(Default)]
pub(super) struct Base {
    arena: Vec<u8>,
    /// Upper half: upper half of the hash; lower half: where the node stands in units of [`ALIGNMENT`]; 0: free.
    table: Vec<u64>,
    names: usize,
    /// Where the nodes with NSEC records stand, in canonical order of their names.
    nsec: Vec<u32>,
    /// The NSEC3 records of the chain in use, by hash. Their owners are no names of the zone, so the table does not have them.
    nsec3: Vec<([u8; NSEC3_HASH_OCTETS], u32)>,
    /// NSEC3 records of other chains: part of the zone, but of no answer.
    nsec3_unused: Vec<u32>,
    /// A node stands where 32 bits do not reach; it was not linked.
    is_overfull: bool,
}

impl Base {
    /// A base with room for so many names and octets.
    pub(super) fn with_capacity(names: usize, octets: usize) -> Self {
        let slots = (names + names / 2).next_power_of_two().max(8);
        let mut arena = Vec::with_capacity(octets + ALIGNMENT);
        // Nothing begins at 0, which marks a free slot.
        arena.resize(ALIGNMENT, 0);
        Self { arena, table: vec![0; slots], ..Self::default() }
    }

    /// Where the next node will stand; pack it there and then [`link`](Self::link) it.
    pub(super) fn arena(&mut self) -> &mut Vec<u8> {
        let aligned = self.arena.len().next_multiple_of(ALIGNMENT);
        self.arena.resize(aligned, 0);
        &mut self.arena
    }

    /// Enters the node at `offset` into the table. The name must be new, and no more may come than the base was made for.
    pub(super) fn link(&mut self, hash: u64, offset: usize) {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        while self.table[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        let Some(place) = place(offset) else {
            self.is_overfull = true;
            return;
        };
        self.table[slot] = hash >> 32 << 32 | u64::from(place);
        self.names += 1;
    }

    /// Some node could not be linked because too many octets stand before it; the base is of no use.
    pub(super) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// How many records the node at `offset` has.
    pub(super) fn record_count_at(&self, offset: usize) -> usize {
        Node::new(&self.arena[offset..]).record_count()
    }

    /// Enters the node at `offset` into the order of NSEC3 hashes instead.
    pub(super) fn link_nsec3(&mut self, hash: [u8; NSEC3_HASH_OCTETS], offset: usize) {
        match place(offset) {
            Some(place) => self.nsec3.push((hash, place)),
            None => self.is_overfull = true,
        }
    }

    /// Keeps the node at `offset` with NSEC3 records that prove nothing, as they belong to another chain than the one in use.
    pub(super) fn link_unused_nsec3(&mut self, offset: usize) {
        match place(offset) {
            Some(place) => self.nsec3_unused.push(place),
            None => self.is_overfull = true,
        }
    }

    /// Makes the orders once all nodes are there; `nsec` are the offsets of those with NSEC records.
    pub(super) fn seal(&mut self, nsec: Vec<usize>) {
        let mut nsec: Vec<u32> = nsec.into_iter().filter_map(place).collect();
        nsec.sort_by(|&left, &right| canonical_cmp(self.node(left).name(), self.node(right).name()));
        self.nsec = nsec;
        self.nsec3.sort_unstable();
        self.arena.shrink_to_fit();
        self.nsec3.shrink_to_fit();
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, name: &[u8]) -> Option<Node<'_>> {
        let mask = self.table.len().wrapping_sub(1);
        let mut slot = hash as usize & mask;
        loop {
            let entry = *self.table.get(slot)?;
            if entry == 0 {
                return None;
            }
            if entry >> 32 == hash >> 32 {
                let node = self.node(entry as u32);
                if node.name() == name {
                    return Some(node);
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Asks for the table slot of the hash to be fetched.
    #[inline]
    pub(super) fn prefetch_slot(&self, hash: u64) {
        crate::sys::prefetch(&self.table, hash as usize & self.table.len().wrapping_sub(1));
    }

    /// Asks for the node of the hash to be fetched.
    #[inline]
    pub(super) fn prefetch_node(&self, hash: u64) {
        let mask = self.table.len().wrapping_sub(1);
        let mut slot = hash as usize & mask;
        // Nearly half of all nodes are not in the slot of their hash, so the tag is looked for as when finding them.
        while let Some(&entry) = self.table.get(slot).filter(|&&entry| entry != 0) {
            if entry >> 32 == hash >> 32 {
                let at = (entry as u32 as usize) * ALIGNMENT;
                crate::sys::prefetch(&self.arena, at);
                crate::sys::prefetch(&self.arena, at + 64);
                return;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline]
    fn node(&self, place: u32) -> Node<'_> {
        Node::new(&self.arena[place as usize * ALIGNMENT..])
    }

    pub(super) fn names(&self) -> usize {
        self.names
    }

    /// Octets that the base occupies.
    pub(super) fn octets(&self) -> usize {
        self.arena.capacity()
            + self.table.len() * 8
            + (self.nsec.len() + self.nsec3_unused.len()) * 4
            + self.nsec3.len() * 24
    }

    /// All nodes but those of NSEC3 records, in the order of the table, which is that of their hashes: it means nothing.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.table.iter().filter(|&&entry| entry != 0).map(|&entry| self.node(entry as u32))
    }

    /// The nodes that hold NSEC3 records: those of the chain in use by hash, then those of other chains.
    pub(super) fn nsec3_nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.nsec3.iter().map(|&(_, place)| self.node(place)).chain(self.unused_nsec3_nodes())
    }

    /// The nodes that hold NSEC3 records of other chains than the one in use.
    pub(super) fn unused_nsec3_nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.nsec3_unused.iter().map(|&place| self.node(place))
    }

    /// The NSEC3 records of the chain in use with their hashes, by hash.
    pub(super) fn nsec3_entries(&self) -> impl Iterator<Item = ([u8; NSEC3_HASH_OCTETS], Node<'_>)> {
        self.nsec3.iter().map(|&(hash, place)| (hash, self.node(place)))
    }

    /// The node with the last NSEC record at or before `name` in canonical order.
    pub(super) fn nsec_at_or_before(&self, name: &[u8]) -> Option<Node<'_>> {
        let after = self.nsec.partition_point(|&place| canonical_cmp(self.node(place).name(), name).is_le());
        // The first name of the order is the apex, and nothing in the zone sorts before it.
        self.nsec.get(after.checked_sub(1)?).map(|&place| self.node(place))
    }

    /// The node with the NSEC3 record of this hash, or else the one that covers it.
    pub(super) fn nsec3(&self, hash: &[u8; NSEC3_HASH_OCTETS]) -> Nsec3Match<'_> {
        match self.nsec3.binary_search_by(|(found, _)| found.cmp(hash)) {
            Ok(at) => Nsec3Match::Matching(self.node(self.nsec3[at].1)),
            // Before the first hash means after the last: the chain is a ring.
            Err(after) => match self.nsec3.get(after.wrapping_sub(1)).or(self.nsec3.last()) {
                Some(&(_, place)) => Nsec3Match::Covering(self.node(place)),
                None => Nsec3Match::None,
            },
        }
    }
}

/// The offset of a node in units of [`ALIGNMENT`]; `None` beyond what 32 bits can say.
fn place(offset: usize) -> Option<u32> {
    u32::try_from(offset / ALIGNMENT).ok()
}

/// What the NSEC3 chain has for a hash.
#[derive(Clone, Copy, Debug)]
pub enum Nsec3Match<'z> {
    /// A record with this very hash: the name exists.
    Matching(Node<'z>),
    /// The record whose interval the hash falls into.
    Covering(Node<'z>),
    /// There is no chain.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_32_bits_do_not_reach_is_not_linked() {
        let last = u32::MAX as usize * ALIGNMENT;
        assert_eq!((place(last), place(last + ALIGNMENT)), (Some(u32::MAX), None));
        let mut base = Base::with_capacity(2, 0);
        base.link(7, last);
        assert!(!base.is_overfull());
        base.link(7, last + ALIGNMENT);
        assert_eq!((base.names(), base.is_overfull()), (1, true));
        let mut base = Base::with_capacity(1, 0);
        base.link_nsec3([0; NSEC3_HASH_OCTETS], last + ALIGNMENT);
        assert!(base.is_overfull());
    }
}
