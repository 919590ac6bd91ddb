//! What threads share, behind one door, so that tests can run every turn they may take.
//!
//! With `--cfg shuttle` all of it comes from `shuttle`, which chooses at each access which thread runs next.

#[cfg(not(shuttle))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError, mpsc};
#[cfg(not(shuttle))]
pub(crate) use std::thread;

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, mpsc},
    thread,
};
#[cfg(shuttle)]
pub(crate) use std::sync::{PoisonError, TryLockError};

#[cfg(not(shuttle))]
pub(crate) use self::swapped::{Latest, Published};
#[cfg(shuttle)]
pub(crate) use self::watched::{Latest, Published};

#[cfg(not(shuttle))]
mod swapped {
    use std::sync::Arc;

    use arc_swap::{ArcSwap, Cache};

    /// A value that is replaced as a whole while others read it. Nobody waits for anybody.
    pub(crate) struct Published<T>(Arc<ArcSwap<T>>);

    impl<T> Published<T> {
        pub fn new(value: Arc<T>) -> Self {
            Self(Arc::new(ArcSwap::new(value)))
        }

        pub fn load(&self) -> Arc<T> {
            self.0.load_full()
        }

        pub fn store(&self, value: Arc<T>) {
            self.0.store(value);
        }

        pub fn latest(&self) -> Latest<T> {
            Latest(Cache::new(self.0.clone()))
        }
    }

    /// One thread's access; a look costs one load while nothing has changed.
    pub(crate) struct Latest<T>(Cache<Arc<ArcSwap<T>>, Arc<T>>);

    impl<T> Latest<T> {
        #[inline]
        pub fn get(&mut self) -> &T {
            self.0.load()
        }
    }
}

#[cfg(shuttle)]
mod watched {
    use std::sync::Arc;

    use shuttle::sync::RwLock;

    /// Stands in for the swap: as atomic as that, and each access is a place where another thread may come first.
    pub(crate) struct Published<T>(Arc<RwLock<Arc<T>>>);

    impl<T> Published<T> {
        pub fn new(value: Arc<T>) -> Self {
            Self(Arc::new(RwLock::new(value)))
        }

        pub fn load(&self) -> Arc<T> {
            self.0.read().expect("no thread panics while it holds the lock").clone()
        }

        pub fn store(&self, value: Arc<T>) {
            *self.0.write().expect("no thread panics while it holds the lock") = value;
        }

        pub fn latest(&self) -> Latest<T> {
            Latest { shared: Self(self.0.clone()), seen: self.load() }
        }
    }

    /// Stands in for the cache of one thread.
    pub(crate) struct Latest<T> {
        shared: Published<T>,
        seen: Arc<T>,
    }

    impl<T> Latest<T> {
        pub fn get(&mut self) -> &T {
            self.seen = self.shared.load();
            &self.seen
        }
    }
}
