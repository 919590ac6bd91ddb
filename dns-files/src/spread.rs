//! The same work on many items, by all cores.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::{Scope, ScopedJoinHandle, available_parallelism, scope};

/// Does something with each item and returns what comes of it, in the order of the items.
pub(crate) fn spread<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if items.len() < WORTH_A_THREAD {
        return items.into_iter().map(work).collect();
    }
    scope(|scope| Spreading::begin(scope, items, &work).finish())
}

/// Work that others are doing meanwhile.
pub(crate) struct Spreading<'s, R>(Vec<ScopedJoinHandle<'s, Vec<R>>>);

impl<'s, R: Send + 's> Spreading<'s, R> {
    /// Has threads begin with it.
    pub fn begin<T: Send + 's>(
        scope: &'s Scope<'s, '_>,
        mut items: Vec<T>,
        work: &'s (impl Fn(T) -> R + Sync),
    ) -> Self {
        let threads = cores().get();
        let share = items.len().div_ceil(threads).max(WORTH_A_THREAD);
        let mut parts = Vec::with_capacity(threads);
        while !items.is_empty() {
            let rest = items.split_off(share.min(items.len()));
            let part = std::mem::replace(&mut items, rest);
            parts.push(scope.spawn(move || part.into_iter().map(work).collect()));
        }
        Self(parts)
    }

    /// Waits for it. A panic of theirs goes on here.
    pub fn finish(self) -> Vec<R> {
        self.0.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    }
}

/// How many threads this process can run at once.
pub(crate) fn cores() -> NonZeroUsize {
    available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// How many threads each of so many items may have to itself while they are worked on, so that no core has two.
pub(crate) fn cores_for_each(items: usize) -> NonZeroUsize {
    let at_once = items.div_ceil(WORTH_A_THREAD).max(1);
    NonZeroUsize::new(cores().get() / at_once).unwrap_or(NonZeroUsize::MIN)
}

/// Items that a thread has to be given for it to be worth starting: reading so many small files takes a millisecond.
const WORTH_A_THREAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_the_order_stays() {
        for count in [0, 1, 63, 64, 65, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(spread(items, |item| item * 2), doubled, "{count}");
        }
    }
}
