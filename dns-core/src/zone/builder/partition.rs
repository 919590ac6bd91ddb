//! Records of one part of a zone, put together by owner.

use super::super::base::part_of;
use super::super::node::{Flags, packed_name_octets_max, packed_record_octets_max};
use super::batch::{RawHead, RawOwner, RawRecord};
use super::store::{Buffer, Ref};
use crate::Name;
use crate::name::{HashedName, Labels, NAME_OCTETS_MAX};

/// The names whose hashes belong to one part, with their records.
///
/// Parents belong to other parts than their children. A name that comes into being therefore leaves a note for the part of
/// its parent, to be [received](Self::receive) there; names directly below the apex, by far the most, are only counted.
pub(super) struct Partition {
    pub buffer: Buffer,
    pub nodes: Vec<ProtoNode>,
    /// Open addressing over `nodes`; 0: free, else the index plus 1.
    table: Vec<u32>,
    /// Notes for each other part, one after the other; see [`Note`].
    outbox: Vec<Vec<u8>>,
    /// How many names stand directly below the apex.
    pub below_apex: u32,
    pub wildcard_below_apex: bool,
    /// The most octets that its nodes take when they are packed.
    pub packed_octets_max: usize,
    /// Some name found no room.
    pub is_overfull: bool,
}

/// A name on its way to a node.
pub(super) struct ProtoNode {
    pub hash: u64,
    /// Where its name is, without the apex.
    pub name: u32,
    pub children: u32,
    /// Its records as a list through the buffer.
    first: u32,
    last: u32,
    pub labels: u8,
    pub flags: Flags,
    /// It is the owner of NSEC3 records, and as such no name of the zone.
    pub nsec3: bool,
}

/// What all parts share.
#[derive(Clone, Copy)]
pub(super) struct Whole<'a> {
    pub apex: &'a Name,
    /// There are 2^`bits` parts.
    pub bits: u32,
}

/// Room to put names together in, one for each thread.
#[derive(Default)]
pub(super) struct Scratch {
    hashed: HashedName,
}

/// A child that has come into being: hash of the parent (u64), whether the child is a wildcard (u8), octets (u8) and the
/// name of the parent without the apex.
struct Note;

impl Partition {
    /// Puts the records of the part with this number together by owner.
    pub fn new(whole: Whole<'_>, scratch: &mut Scratch, number: usize, buffer: Buffer) -> Self {
        // Some names above the owners come on top; what is not needed of a large allocation is never written.
        let names = buffer.owners + buffer.owners / 8 + 1;
        let mut partition = Self {
            buffer,
            nodes: Vec::with_capacity(names),
            table: free_slots((names * 3 / 2).next_power_of_two()),
            outbox: vec![Vec::new(); 1 << whole.bits],
            below_apex: 0,
            wildcard_below_apex: false,
            packed_octets_max: 0,
            is_overfull: false,
        };
        for block in 0..partition.buffer.block_count() {
            let (mut at, mut node) = (0, None);
            while at < partition.buffer.block_octets(block) {
                let (reference, octets) = partition.buffer.at(block, at);
                let head = RawHead::read(octets);
                if let Some(RawOwner { hash, name_at, nsec3 }) = head.owner {
                    let name = reference + name_at as u32;
                    node = Some(match partition.find(hash, nsec3, partition.buffer.name(name)) {
                        Ok(node) => node,
                        Err(slot) => partition.insert(whole, scratch, slot, hash, nsec3, name),
                    });
                }
                if let Some(node) = node {
                    partition.link(node, reference);
                }
                partition.packed_octets_max += packed_record_octets_max(head.rdata_octets);
                at += head.octets;
            }
        }
        let apex = whole.apex.hash64();
        if part_of(apex, whole.bits) == number {
            partition.ensure(whole, scratch, apex, &[]);
        }
        partition
    }

    /// Notes for other parts, by their number; leaves none.
    pub fn take_outbox(&mut self) -> Vec<Vec<u8>> {
        self.outbox.iter_mut().map(std::mem::take).collect()
    }

    /// Counts children whose parents are here; parents that were not there before come into being as empty non-terminals.
    pub fn receive(&mut self, whole: Whole<'_>, scratch: &mut Scratch, notes: &[u8]) {
        let mut rest = notes;
        while let Some((hash, is_wildcard, name, behind)) = Note::split(rest) {
            rest = behind;
            let Some(node) = self.ensure(whole, scratch, hash, name) else { return };
            let node = &mut self.nodes[node as usize];
            node.children += 1;
            if is_wildcard {
                node.flags.set(Flags::WILDCARD, true);
            }
        }
    }

    /// The apex, if this is its part.
    pub fn apex(&self, whole: Whole<'_>) -> Option<&ProtoNode> {
        let index = self.find(whole.apex.hash64(), false, &[]).ok()?;
        self.nodes.get(index as usize)
    }

    /// As [`apex`](Self::apex), to be changed.
    pub fn apex_mut(&mut self, whole: Whole<'_>) -> Option<&mut ProtoNode> {
        let index = self.find(whole.apex.hash64(), false, &[]).ok()?;
        self.nodes.get_mut(index as usize)
    }

    /// The records of a node by type, signatures by the type they cover; those of one type in the order they came.
    pub fn collect<'b>(&'b self, node: &ProtoNode, records: &mut Vec<RawRecord<'b>>) {
        records.clear();
        let mut next = node.first;
        while next != Ref::NONE {
            let (record, behind) = RawRecord::read(self.buffer.get(next));
            next = behind;
            records.push(record);
        }
        if records.len() > 1 {
            records.sort_by_key(|record| (record.effective_type(), record.rtype == crate::RecordType::RRSIG));
        }
    }

    /// The node of a name that need not be there yet; `None` if there is no room for it.
    fn ensure(&mut self, whole: Whole<'_>, scratch: &mut Scratch, hash: u64, name: &[u8]) -> Option<u32> {
        match self.find(hash, false, name) {
            Ok(node) => Some(node),
            Err(slot) => {
                let Some(name) = self.buffer.push_name(name) else {
                    self.is_overfull = true;
                    return None;
                };
                Some(self.insert(whole, scratch, slot, hash, false, name))
            }
        }
    }

    /// The node of a name, or the free slot where it belongs.
    fn find(&self, hash: u64, nsec3: bool, name: &[u8]) -> Result<u32, usize> {
        let mask = self.table.len() - 1;
        let mut slot = slot_of(hash, mask);
        while self.table[slot] != 0 {
            let index = self.table[slot] - 1;
            let node = &self.nodes[index as usize];
            if node.hash == hash && node.nsec3 == nsec3 && self.buffer.name(node.name) == name {
                return Ok(index);
            }
            slot = (slot + 1) & mask;
        }
        Err(slot)
    }

    /// Makes a node in a free slot, and leaves a note for its parent.
    fn insert(
        &mut self,
        whole: Whole<'_>,
        scratch: &mut Scratch,
        slot: usize,
        hash: u64,
        nsec3: bool,
        name: u32,
    ) -> u32 {
        let index = self.nodes.len() as u32;
        self.table[slot] = index + 1;
        let relative = self.buffer.name(name);
        // It has no root label; the walk over labels ends with the octets.
        let labels_below = Labels::of_wire(relative).count();
        self.packed_octets_max += packed_name_octets_max(relative.len() + whole.apex.as_wire().len());
        if !nsec3 && labels_below > 0 {
            let is_wildcard = relative.starts_with(b"\x01*");
            if labels_below == 1 {
                self.below_apex += 1;
                self.wildcard_below_apex |= is_wildcard;
            } else {
                let parent = &relative[1 + usize::from(relative[0])..];
                let hash = scratch.hash(whole.apex, parent);
                Note::push(hash, is_wildcard, parent, &mut self.outbox[part_of(hash, whole.bits)]);
            }
        }
        self.nodes.push(ProtoNode {
            hash,
            name,
            children: 0,
            first: Ref::NONE,
            last: Ref::NONE,
            labels: (whole.apex.label_count() + labels_below) as u8,
            flags: Flags::default(),
            nsec3,
        });
        if self.nodes.len() * 4 > self.table.len() * 3 {
            self.grow();
        }
        index
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        self.table = free_slots(mask + 1);
        for (index, node) in self.nodes.iter().enumerate() {
            let mut slot = slot_of(node.hash, mask);
            while self.table[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.table[slot] = index as u32 + 1;
        }
    }

    fn link(&mut self, node: u32, record: u32) {
        let node = &mut self.nodes[node as usize];
        if node.last == Ref::NONE {
            node.first = record;
        } else {
            self.buffer.set_ref(node.last, record);
        }
        node.last = record;
    }
}

/// The lower bits of the hash choose the part, beginning with the highest of them; all names here have those in common.
fn slot_of(hash: u64, mask: usize) -> usize {
    (hash >> 32) as usize & mask
}

/// So many zeros that have been written.
///
/// Zeros that the system gives are pages that all share until somebody writes to them: as slots are read first, each page
/// would be mapped twice, and each time the second one interrupts the cores of the other threads.
fn free_slots(slots: usize) -> Vec<u32> {
    std::iter::repeat_n(0, slots).collect()
}

impl Scratch {
    /// Hash of a name that is given without the apex.
    fn hash(&mut self, apex: &Name, relative: &[u8]) -> u64 {
        let mut wire = [0; NAME_OCTETS_MAX];
        let octets = relative.len() + apex.as_wire().len();
        wire[..relative.len()].copy_from_slice(relative);
        wire[relative.len()..octets].copy_from_slice(apex.as_wire());
        // The end of a valid name is one.
        let _ = self.hashed.read(&wire[..octets]);
        self.hashed.hash(self.hashed.labels())
    }
}

impl Note {
    const NAME_AT: usize = 10;

    fn push(hash: u64, is_wildcard: bool, name: &[u8], notes: &mut Vec<u8>) {
        notes.extend_from_slice(&hash.to_le_bytes());
        notes.extend_from_slice(&[u8::from(is_wildcard), name.len() as u8]);
        notes.extend_from_slice(name);
    }

    /// The first note, and those behind it.
    fn split(notes: &[u8]) -> Option<(u64, bool, &[u8], &[u8])> {
        let (hash, rest) = notes.split_first_chunk()?;
        let [is_wildcard, octets, ..] = *rest else { return None };
        let (name, behind) = notes[Self::NAME_AT..].split_at(usize::from(octets));
        Some((u64::from_le_bytes(*hash), is_wildcard != 0, name, behind))
    }
}
