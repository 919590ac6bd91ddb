//! The few instructions that safe Rust has no words for.
#![allow(
    unsafe_code,
    reason = "prefetching takes a raw pointer, though it never reads through it, and the allocator speaks C"
)]

/// Gives the system back what this process has freed and keeps for later. Worth its time, some tenths of a second for each gigabyte,
/// after work that takes much more memory than what is left of it. Who allocates meanwhile may have to wait.
///
/// Does nothing with allocators other than that of the GNU C library.
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time by any thread, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Asks the processor to fetch the cache line at `index`; does nothing where `index` is out of bounds.
#[inline]
pub fn prefetch<T>(items: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(index) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint that never faults, and the pointer comes from a live reference.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, index);
}

/// Asks the processor to fetch all cache lines of a value.
#[inline]
pub fn prefetch_whole<T>(value: &T) {
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for offset in (0..size_of::<T>()).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = std::ptr::from_ref(value).cast::<i8>().wrapping_add(offset);
        // SAFETY: a prefetch is a hint that never faults, and the pointer lies within the value.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (value, LINE);
}
