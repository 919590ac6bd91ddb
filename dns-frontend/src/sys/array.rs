//! Memory that the kernel and the worker take turns with.

use std::{ptr::NonNull, slice};

/// A heap array that never moves and is reached through one pointer only.
///
/// Message headers keep pointers into such arrays for as long as the worker lives; a `Vec` or `Box` would forbid
/// that, since every use of it as a reference invalidates the pointers taken before.
pub(super) struct Array<T> {
    first: NonNull<T>,
    len: usize,
}

impl<T: Copy> Array<T> {
    pub(super) fn new(value: T, len: usize) -> Self {
        let first = Box::leak(vec![value; len].into_boxed_slice());
        Self { first: NonNull::from(first).cast(), len }
    }

    /// Where an element lies; valid for reading and writing while the array lives.
    pub(super) fn pointer(&self, index: usize) -> *mut T {
        assert!(index < self.len, "index {index} is beyond {}", self.len);
        // SAFETY: the index lies inside the allocation, as just checked.
        unsafe { self.first.as_ptr().add(index) }
    }

    pub(super) fn get(&self, index: usize) -> T {
        // SAFETY: `pointer` gives an initialised element, and no `&mut` to it exists while `self` is borrowed.
        unsafe { *self.pointer(index) }
    }

    pub(super) fn set(&mut self, index: usize, value: T) {
        // SAFETY: `pointer` gives an element, and `self` is borrowed by nobody else.
        unsafe { *self.pointer(index) = value }
    }

    pub(super) fn slice(&self, start: usize, len: usize) -> &[T] {
        assert!(start + len <= self.len, "{len} elements from {start} reach beyond {}", self.len);
        // SAFETY: the range lies inside the initialised allocation, as just checked; `self` stays borrowed.
        unsafe { slice::from_raw_parts(self.first.as_ptr().add(start), len) }
    }

    pub(super) fn slice_mut(&mut self, start: usize, len: usize) -> &mut [T] {
        assert!(start + len <= self.len, "{len} elements from {start} reach beyond {}", self.len);
        // SAFETY: the range lies inside the initialised allocation, as just checked; `self` stays borrowed
        // mutably.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr().add(start), len) }
    }
}

impl<T> Drop for Array<T> {
    fn drop(&mut self) {
        let all = NonNull::slice_from_raw_parts(self.first, self.len);
        // SAFETY: `new` leaked exactly this slice from a box, and nobody else frees it.
        drop(unsafe { Box::from_raw(all.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_and_slices_see_the_same_memory() {
        let mut array = Array::new(0u8, 8);
        let pointer = array.pointer(3);
        array.slice_mut(2, 4).copy_from_slice(&[1, 2, 3, 4]);
        // SAFETY: the array lives and is not borrowed.
        assert_eq!(unsafe { *pointer }, 2);
        array.set(3, 9);
        assert_eq!(array.slice(2, 3), [1, 9, 3]);
        assert_eq!(array.get(5), 4);
    }

    #[test]
    #[should_panic(expected = "reach beyond 8")]
    fn slices_are_checked() {
        Array::new(0u8, 8).slice(5, 4);
    }
}
