//! Where records lie until they are packed: blocks that are filled one after the other and never move.

use super::super::region::Region;

/// Records of one part, in the order they came.
#[derive(Default)]
pub(super) struct Buffer {
    blocks: Vec<Block>,
    /// Octets that the first block begins with.
    first_octets: usize,
    /// Records that name their owner: the most nodes that there can be.
    pub owners: usize,
}

/// A run of octets of which the first are in use.
struct Block {
    octets: Region,
    used: usize,
}

/// Where something stands in a [`Buffer`]: the number of its block above, the offset in the block below.
pub(super) struct Ref;

impl Ref {
    /// Nowhere: so near to its end no block has anything.
    pub const NONE: u32 = u32::MAX;

    fn to(block: usize, at: usize) -> u32 {
        (block << BLOCK_BITS | at) as u32 // there are at most `BLOCKS_MAX`
    }
}

/// The longest record, with the longest name, fits.
const BLOCK_BITS: u32 = 18;
const BLOCK_OCTETS: usize = 1 << BLOCK_BITS;
/// As many as a [`Ref`] can tell apart.
const BLOCKS_MAX: usize = 1 << (u32::BITS - BLOCK_BITS);
/// What a block of a small zone begins with.
const BLOCK_OCTETS_MIN: usize = 512;

impl Buffer {
    /// A buffer for about so many octets; any number may come.
    pub fn expecting(octets: usize) -> Self {
        // What is not written costs nothing in a large block, so only small ones need to be weighed.
        let first_octets =
            if octets > BLOCK_OCTETS / 4 { BLOCK_OCTETS } else { octets.max(BLOCK_OCTETS_MIN) };
        Self { blocks: Vec::new(), first_octets, owners: 0 }
    }

    /// Room for so many octets, at most a record with the longest name and RDATA, and whether it begins a block; `None` if
    /// there are too many blocks. What is used of it must be [committed](Self::commit).
    pub fn room(&mut self, octets: usize) -> Option<(&mut [u8], bool)> {
        let is_new = match self.blocks.last_mut() {
            Some(block) if block.octets.len() - block.used >= octets => false,
            Some(block) if block.used + octets <= BLOCK_OCTETS => {
                block.grow(block.used + octets);
                false
            }
            last => {
                // The first of several blocks is full, so the next one will be large, too.
                let begin_with = if last.is_some() { BLOCK_OCTETS } else { self.first_octets }.max(octets);
                if self.blocks.len() == BLOCKS_MAX {
                    return None;
                }
                self.blocks.push(Block { octets: Region::zeroed(begin_with), used: 0 });
                true
            }
        };
        let block = self.blocks.last_mut()?;
        Some((&mut block.octets[block.used..block.used + octets], is_new))
    }

    /// Keeps the first octets of the room that was given last: a record that names its owner, or does not.
    pub fn commit(&mut self, octets: usize, names_owner: bool) {
        if let Some(block) = self.blocks.last_mut() {
            block.used += octets;
        }
        self.owners += usize::from(names_owner);
    }

    /// Keeps a name, its length first, that no record has; `None` if there are too many blocks.
    pub fn push_name(&mut self, name: &[u8]) -> Option<u32> {
        let (room, _) = self.room(1 + name.len())?;
        room[0] = name.len() as u8;
        room[1..].copy_from_slice(name);
        self.commit(1 + name.len(), false);
        let block = self.blocks.len() - 1;
        Some(Ref::to(block, self.blocks[block].used - 1 - name.len()))
    }

    /// Adds what came later; `false` if that are too many blocks, and it was left out.
    pub fn append(&mut self, later: Self) -> bool {
        if self.blocks.len() + later.blocks.len() > BLOCKS_MAX {
            return false;
        }
        if self.blocks.is_empty() {
            *self = later;
            return true;
        }
        self.blocks.extend(later.blocks);
        self.owners += later.owners;
        true
    }

    /// How many blocks there are, to be walked through by [`block_octets`](Self::block_octets).
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// How many octets of a block are in use.
    pub fn block_octets(&self, block: usize) -> usize {
        self.blocks[block].used
    }

    /// What stands at a place and behind it in the same block.
    #[inline]
    pub fn at(&self, block: usize, at: usize) -> (u32, &[u8]) {
        (Ref::to(block, at), &self.blocks[block].octets[at..])
    }

    /// What a reference leads to.
    #[inline]
    pub fn get(&self, reference: u32) -> &[u8] {
        &self.blocks[reference as usize >> BLOCK_BITS].octets[reference as usize & (BLOCK_OCTETS - 1)..]
    }

    /// The name, without its length, that a reference leads to.
    #[inline]
    pub fn name(&self, reference: u32) -> &[u8] {
        let octets = self.get(reference);
        &octets[1..=usize::from(octets[0])]
    }

    /// Writes a reference at the place that another one leads to.
    pub fn set_ref(&mut self, at: u32, reference: u32) {
        let block = &mut self.blocks[at as usize >> BLOCK_BITS];
        let at = at as usize & (BLOCK_OCTETS - 1);
        block.octets[at..at + 4].copy_from_slice(&reference.to_le_bytes());
    }
}

impl Block {
    /// Makes room for so many octets in all.
    fn grow(&mut self, octets: usize) {
        let wanted = (self.octets.len() * 2).clamp(octets, BLOCK_OCTETS.max(octets));
        let mut grown = Region::zeroed(wanted);
        grown[..self.used].copy_from_slice(&self.octets[..self.used]);
        self.octets = grown;
    }
}

#[inline]
pub(super) fn read_u16(octets: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([octets[at], octets[at + 1]])
}

#[inline]
pub(super) fn read_u32(octets: &[u8], at: usize) -> u32 {
    u32::from(read_u16(octets, at)) | u32::from(read_u16(octets, at + 2)) << 16
}
