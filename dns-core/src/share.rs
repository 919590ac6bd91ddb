//! The same work on many items, by several threads.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

/// Does something with each item, on at most so many threads, and returns what comes of it in the order of the items.
///
/// Each thread makes itself one `state`, for buffers that serve all its items. A thread that the system does not grant is
/// done without. A panic of one of them goes on here.
pub(crate) fn share<T: Send, S, R: Send>(
    threads: NonZeroUsize,
    items: Vec<T>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.get().min(items.len());
    if threads < 2 {
        let mut state = state();
        return items.into_iter().map(|item| work(&mut state, item)).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    // Taken one by one: a core that others use as well does less, and nobody waits for it.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        let (mut state, mut done) = (state(), Vec::new());
        while let Some((index, item)) = next() {
            done.push((index, work(&mut state, item)));
        }
        done
    };
    let mut done = scope(|scope| {
        let others: Vec<_> =
            (1..threads).filter_map(|_| Builder::new().spawn_scoped(scope, run).ok()).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_and_the_order_stays() {
        for threads in [1, 2, 5] {
            for count in [0, 1, 2, 100] {
                let items: Vec<usize> = (0..count).collect();
                let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
                let threads = NonZeroUsize::new(threads).unwrap();
                assert_eq!(share(threads, items, || (), |(), item| item * 2), doubled);
            }
        }
    }
}
