//! Runs of octets, small ones from the allocator and large ones from the system.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Octets, at first all zero.
///
/// A large one is a map of its own: what is never written takes no memory, so it may be made for the most that can come,
/// and all of it goes back to the system when it is dropped, whatever the allocator would rather keep. A small one is a
/// plain box, as a map takes a page at least and a system has only so many.
pub(super) enum Region {
    Heap(Box<[u8]>),
    Map(MmapMut),
}

impl Region {
    /// From this size on a region is a map.
    pub const MAP_OCTETS_MIN: usize = 256 << 10;
    /// From this size on it asks for huge pages: few entries of the processor's address cache then reach all of it.
    const HUGE_OCTETS_MIN: usize = 4 << 20;

    pub fn zeroed(octets: usize) -> Self {
        if octets >= Self::MAP_OCTETS_MIN
            // Where the system has no more maps to give, the allocator may still have memory.
            && let Ok(map) = MmapMut::map_anon(octets)
        {
            #[cfg(target_os = "linux")]
            if octets >= Self::HUGE_OCTETS_MIN {
                // Merely a wish: kernels without huge pages refuse it.
                let _ = map.advise(memmap2::Advice::HugePage);
            }
            return Self::Map(map);
        }
        Self::Heap(vec![0; octets].into())
    }

    /// Gives back what lies behind so many octets, where that is not free of cost already.
    #[must_use]
    pub fn shrunk_to(self, octets: usize) -> Self {
        match self {
            Self::Heap(heap) => {
                let mut heap = heap.into_vec();
                heap.truncate(octets);
                Self::Heap(heap.into())
            }
            map @ Self::Map(_) => map,
        }
    }
}

impl Default for Region {
    fn default() -> Self {
        Self::Heap(Box::default())
    }
}

impl Deref for Region {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(heap) => heap,
            Self::Map(map) => map,
        }
    }
}

impl DerefMut for Region {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(heap) => heap,
            Self::Map(map) => map,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_every_size_are_zero_and_writable() {
        for octets in [0, 1, Region::MAP_OCTETS_MIN - 1, Region::MAP_OCTETS_MIN, Region::HUGE_OCTETS_MIN + 1]
        {
            let mut region = Region::zeroed(octets);
            assert_eq!(region.len(), octets);
            assert!(region.iter().all(|&octet| octet == 0));
            if let Some(last) = region.last_mut() {
                *last = 7;
            }
            assert_eq!(matches!(region, Region::Map(_)), octets >= Region::MAP_OCTETS_MIN);
            assert_eq!(region.last().copied().unwrap_or(7), 7);
        }
    }

    #[test]
    fn a_small_region_gives_back_its_end() {
        assert_eq!(Region::zeroed(100).shrunk_to(10).len(), 10);
        assert_eq!(Region::zeroed(10).shrunk_to(100).len(), 10);
    }
}
