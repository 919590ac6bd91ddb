//! The packed part of a zone: all nodes in one allocation, found through one table.

use std::sync::OnceLock;

use super::node::Node;
use super::order::{CanonicalOrder, sorted};
use super::region::Region;
use crate::name::canonical_cmp;
use crate::{Name, RecordType};

/// Nodes begin at multiples of this, so that a table slot reaches 16 GiB with 32 bits.
pub(super) const ALIGNMENT: usize = 4;

/// Octets of an NSEC3 hash with SHA-1, the only algorithm there is.
pub const NSEC3_HASH_OCTETS: usize = 20;

/// Slots for each three names: two probes find a name on average, and the table stays below 16 octets for each.
const SLOTS_FOR_THREE_NAMES: usize = 5;

/// Nodes one after the other, an open-addressed table over them, and the orders that denial of existence needs.
#[derive(Default)]
pub(super) struct Base {
    arena: Region,
    /// Octets of the arena that are in use.
    arena_used: usize,
    table: Table,
    names: usize,
    /// Where the nodes with NSEC records stand.
    nsec: CanonicalOrder,
    /// The NSEC3 records of the chain in use, by hash. Their owners are no names of the zone, so the table does not have them.
    nsec3: Vec<([u8; NSEC3_HASH_OCTETS], u32)>,
    /// NSEC3 records of other chains: part of the zone, but of no answer.
    nsec3_unused: Vec<u32>,
    /// All names in canonical order, from when somebody first lists them: no answer needs it. Boxed to keep short what each
    /// look-up fetches.
    listed: OnceLock<Box<[u32]>>,
}

/// Slots of eight octets, little-endian. Upper half: upper half of the hash; lower half: where the node stands ([`place`]); 0: free.
#[derive(Default)]
pub(super) struct Table(Region);

/// Slots of a table that one thread fills: those for one part of all hashes.
pub(super) struct TablePart<'t> {
    slots: &'t mut [[u8; SLOT_OCTETS]],
    first: usize,
    /// Slots of the whole table.
    of: usize,
}

const SLOT_OCTETS: usize = 8;

/// Where a name with this hash belongs among so many slots.
///
/// The lower half of the hash is scaled, so that any number of slots will do, and slots are in the order of those halves:
/// whoever has all names of a range of hashes can fill a range of slots alone. The upper half is what slots note.
#[inline]
fn home(hash: u64, slots: usize) -> usize {
    ((u64::from(hash as u32) * slots as u64) >> 32) as usize
}

/// Which of 2^`bits` parts of all hashes this one belongs to.
#[inline]
pub(super) fn part_of(hash: u64, bits: u32) -> usize {
    home(hash, 1 << bits)
}

impl Table {
    /// A table for so many names, to be filled in 2^`bits` parts.
    pub(super) fn for_names(names: usize, bits: u32) -> Self {
        // Parts of one size begin where their first hash belongs, with nothing to be rounded.
        let slots = (names * SLOTS_FOR_THREE_NAMES / 3 + 1).max(8).next_multiple_of(1 << bits);
        Self(Region::zeroed(slots * SLOT_OCTETS))
    }

    /// The 2^`bits` parts, in the order of their hashes.
    pub(super) fn parts(&mut self, bits: u32) -> impl Iterator<Item = TablePart<'_>> {
        let slots = self.0.as_chunks_mut().0;
        let (of, share) = (slots.len(), slots.len() >> bits);
        slots.chunks_exact_mut(share).enumerate().map(move |(index, slots)| TablePart {
            slots,
            first: index * share,
            of,
        })
    }

    /// Enters a node. The name must be new, and no more may come than the table was made for.
    pub(super) fn link(&mut self, hash: u64, place: u32) {
        let slots: &mut [[u8; SLOT_OCTETS]] = self.0.as_chunks_mut().0;
        let mut slot = home(hash, slots.len());
        while slots[slot] != FREE {
            slot = if slot + 1 == slots.len() { 0 } else { slot + 1 };
        }
        slots[slot] = entry(hash, place);
    }

    #[inline]
    fn slots(&self) -> &[[u8; SLOT_OCTETS]] {
        self.0.as_chunks().0
    }
}

const FREE: [u8; SLOT_OCTETS] = [0; SLOT_OCTETS];

fn entry(hash: u64, place: u32) -> [u8; SLOT_OCTETS] {
    (hash >> 32 << 32 | u64::from(place)).to_le_bytes()
}

impl TablePart<'_> {
    /// Writes the zeros that are there already, so that the thread that fills the part gets memory of its own at once
    /// instead of with the first write to each page that it has read.
    pub(super) fn touch(&mut self) {
        self.slots.fill(FREE);
    }

    /// Enters a node, unless all slots from its own to the end of the part are taken: it must then be
    /// [linked](Table::link) when all parts are filled.
    pub(super) fn link(&mut self, hash: u64, place: u32) -> bool {
        let home = home(hash, self.of) - self.first;
        match self.slots[home..].iter_mut().find(|slot| **slot == FREE) {
            Some(slot) => {
                *slot = entry(hash, place);
                true
            }
            None => false,
        }
    }
}

/// What nodes are found by besides the table.
#[derive(Default)]
pub(super) struct Orders {
    /// Nodes with NSEC records.
    pub nsec: Vec<u32>,
    /// Nodes with NSEC3 records of the chain in use.
    pub nsec3: Vec<([u8; NSEC3_HASH_OCTETS], u32)>,
    /// Nodes with NSEC3 records of other chains.
    pub nsec3_unused: Vec<u32>,
}

impl Orders {
    /// Takes what another part has.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.nsec.append(&mut other.nsec);
        self.nsec3.append(&mut other.nsec3);
        self.nsec3_unused.append(&mut other.nsec3_unused);
    }
}

impl Base {
    /// An arena in which nothing stands yet, with room for so many octets, and the offset of its first node.
    pub(super) fn arena_for(octets: usize) -> (Region, usize) {
        // Nothing begins at 0, which marks a free slot.
        (Region::zeroed(octets + ALIGNMENT), ALIGNMENT)
    }

    /// A base of nodes that stand in the arena and are linked in the table.
    pub(super) fn new(
        apex: &Name,
        arena: Region,
        arena_used: usize,
        table: Table,
        names: usize,
        orders: Orders,
    ) -> Self {
        let arena = arena.shrunk_to(arena_used);
        let Orders { nsec, mut nsec3, nsec3_unused } = orders;
        nsec3.sort_unstable();
        nsec3.shrink_to_fit();
        let nsec = CanonicalOrder::new(apex.as_wire().len(), &nsec, |place| node_in(&arena, place).name());
        Self { arena, arena_used, table, names, nsec, nsec3, nsec3_unused, listed: OnceLock::new() }
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, name: &[u8]) -> Option<Node<'_>> {
        let (slots, arena) = (self.table.slots(), &*self.arena);
        let mut slot = home(hash, slots.len());
        loop {
            let entry = u64::from_le_bytes(*slots.get(slot)?);
            if entry == 0 {
                return None;
            }
            if entry >> 32 == hash >> 32 {
                let node = Node::new(&arena[entry as u32 as usize * ALIGNMENT..]);
                if node.name() == name {
                    return Some(node);
                }
            }
            slot += 1;
            if slot == slots.len() {
                slot = 0;
            }
        }
    }

    /// Asks for the table slot of the hash to be fetched.
    #[inline]
    pub(super) fn prefetch_slot(&self, hash: u64) {
        let slots = self.table.slots();
        crate::sys::prefetch(slots, home(hash, slots.len()));
    }

    /// Asks for the node of the hash to be fetched.
    #[inline]
    pub(super) fn prefetch_node(&self, hash: u64) {
        let (slots, arena) = (self.table.slots(), &*self.arena);
        let mut slot = home(hash, slots.len());
        // Nearly half of all nodes are not in the slot of their hash, so the tag is looked for as when finding them.
        while let Some(entry) =
            slots.get(slot).map(|slot| u64::from_le_bytes(*slot)).filter(|&entry| entry != 0)
        {
            if entry >> 32 == hash >> 32 {
                let at = (entry as u32 as usize) * ALIGNMENT;
                crate::sys::prefetch(arena, at);
                crate::sys::prefetch(arena, at + 64);
                return;
            }
            slot += 1;
        }
    }

    #[inline]
    fn node(&self, place: u32) -> Node<'_> {
        node_in(&self.arena, place)
    }

    pub(super) fn names(&self) -> usize {
        self.names
    }

    /// Octets of the arena that are in use.
    pub(super) fn arena_octets(&self) -> usize {
        self.arena_used
    }

    /// Octets that the base occupies.
    pub(super) fn octets(&self) -> usize {
        self.arena_used
            + self.table.0.len()
            + self.nsec.len() * CanonicalOrder::ENTRY_OCTETS
            + self.nsec3_unused.len() * 4
            + self.nsec3.len() * 24
            + self.listed.get().map_or(0, |places| size_of_val(&**places))
    }

    /// All nodes but those of NSEC3 records, in the order of the table, which is that of their hashes: it means nothing.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.places().map(|place| self.node(place))
    }

    fn places(&self) -> impl Iterator<Item = u32> {
        let entries = self.table.slots().iter().filter(|entry| **entry != FREE);
        entries.map(|entry| u64::from_le_bytes(*entry) as u32)
    }

    /// Those of [`nodes`](Self::nodes) at and after a name in canonical order, which is worked out the first time.
    pub(super) fn nodes_from<'b>(
        &'b self,
        apex: &Name,
        from: &[u8],
    ) -> impl Iterator<Item = Node<'b>> + use<'b> {
        let places = self.listed.get_or_init(|| {
            let entries = sorted(apex.as_wire().len(), self.places(), |place| self.node(place).name());
            entries.into_iter().map(|(_, place)| place).collect()
        });
        let first = places.partition_point(|&place| canonical_cmp(self.node(place).name(), from).is_lt());
        places[first..].iter().map(|&place| self.node(place))
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
        self.nsec.at_or_before(name, |place| self.node(place).name()).map(|place| self.node(place))
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

/// A base in the making by one thread, of nodes that are packed already.
pub(super) struct BaseWriter {
    arena: Region,
    used: usize,
    table: Table,
    names: usize,
    orders: Orders,
    is_overfull: bool,
}

impl BaseWriter {
    /// Room for so many names, and for nodes of so many octets each of them rounded up to [`ALIGNMENT`].
    pub(super) fn with_room(names: usize, octets: usize) -> Self {
        let (arena, used) = Base::arena_for(octets);
        let table = Table::for_names(names, 0);
        Self { arena, used, table, names: 0, orders: Orders::default(), is_overfull: false }
    }

    /// Takes the node of a name.
    pub(super) fn name(&mut self, hash: u64, node: &Node<'_>) {
        let Some(place) = self.push(node) else { return };
        self.table.link(hash, place);
        self.names += 1;
        if node.rrset(RecordType::NSEC).is_some() {
            self.orders.nsec.push(place);
        }
    }

    /// Takes a node with NSEC3 records of the chain in use.
    pub(super) fn nsec3(&mut self, hash: [u8; NSEC3_HASH_OCTETS], node: &Node<'_>) {
        let place = self.push(node);
        self.orders.nsec3.extend(place.map(|place| (hash, place)));
    }

    /// Takes a node with NSEC3 records of another chain.
    pub(super) fn unused_nsec3(&mut self, node: &Node<'_>) {
        let place = self.push(node);
        self.orders.nsec3_unused.extend(place);
    }

    /// The base; `None` if it would be larger than 32 bits can reach.
    pub(super) fn finish(self, apex: &Name) -> Option<Base> {
        let base = || Base::new(apex, self.arena, self.used, self.table, self.names, self.orders);
        (!self.is_overfull).then(base)
    }

    fn push(&mut self, node: &Node<'_>) -> Option<u32> {
        let octets = node.packed();
        let at = self.used;
        let room = self.arena.get_mut(at..at + octets.len());
        let (Some(place), Some(room)) = (place(at), room) else {
            self.is_overfull = true;
            return None;
        };
        room.copy_from_slice(octets);
        self.used = (at + octets.len()).next_multiple_of(ALIGNMENT);
        Some(place)
    }
}

#[inline]
fn node_in(arena: &[u8], place: u32) -> Node<'_> {
    Node::new(&arena[place as usize * ALIGNMENT..])
}

/// The offset of a node in units of [`ALIGNMENT`]; `None` beyond what 32 bits can say.
pub(super) fn place(offset: usize) -> Option<u32> {
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
    fn what_32_bits_do_not_reach_has_no_place() {
        let last = u32::MAX as usize * ALIGNMENT;
        assert_eq!((place(last), place(last + ALIGNMENT)), (Some(u32::MAX), None));
    }

    /// Hashes that crowd at the ends of parts, the last one of all too, so that some belong beyond and some around.
    #[test]
    fn parts_make_the_table_that_one_thread_would() {
        const BITS: u32 = 2;
        let ends = [0x3fff_ffffu64, 0x7fff_ffff, 0xffff_ffff];
        let hashes: Vec<u64> = (1..=10).flat_map(|high| ends.map(|end| high << 32 | end)).collect();
        let mut table = Table::for_names(hashes.len(), BITS);
        let mut beyond = Vec::new();
        for (index, mut part) in table.parts(BITS).enumerate() {
            let of_part = hashes.iter().filter(|hash| part_of(**hash, BITS) == index);
            beyond.extend(of_part.copied().filter(|&hash| !part.link(hash, 1)));
        }
        assert!(beyond.len() >= 27, "one slot is all that lies between such a hash and the end");
        for hash in beyond {
            table.link(hash, 1);
        }
        for &hash in &hashes {
            let slots = table.slots();
            let probes = slots[home(hash, slots.len())..].iter().chain(slots);
            assert!(probes.take_while(|slot| **slot != FREE).any(|slot| *slot == entry(hash, 1)));
        }
    }
}
