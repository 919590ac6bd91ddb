//! A persistent map from 64-bit hashes to values: a version costs only what differs from the one before.

use std::sync::Arc;

/// Bits of the hash that choose the branch at each level.
const LEVEL_BITS: u32 = 5;

/// A hash array mapped trie. Clones share all their nodes, and a change copies only the few nodes on its path (or none,
/// when nobody else holds them).
///
/// Keys live inside the values; callers bring the hash and a test for equality. Hashes are expected to be well mixed:
/// values whose hashes agree in all 64 bits are kept in a list.
#[derive(Clone, Debug)]
pub struct Trie<V> {
    root: Option<Arc<Branch<V>>>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Branch<V> {
    /// One bit per child that is there; the children stand in the order of their bits.
    bitmap: u32,
    children: Vec<Child<V>>,
}

#[derive(Clone, Debug)]
enum Child<V> {
    Branch(Arc<Branch<V>>),
    Leaf(u64, V),
    /// Boxed, as there are hardly any, and each child takes as much room as the largest kind.
    Bucket(Box<Bucket<V>>),
}

/// Two or more values of one hash.
#[derive(Clone, Debug)]
struct Bucket<V> {
    hash: u64,
    values: Vec<V>,
}

/// What to sort hashes by before many values are put in, or looked up: those that follow one another then go nearly the same way
/// through the trie, and the processor has it at hand.
pub fn path_order(hash: u64) -> u64 {
    // The lowest bits choose the first branch.
    hash.reverse_bits()
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<V> Trie<V> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// There is none; looking anything up is one comparison.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Both are one and the same version; tells by address, so equal contents alone do not count.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(left), Some(right)) => Arc::ptr_eq(left, right),
            (None, None) => true,
            _ => false,
        }
    }

    /// The value with this hash that `matches`.
    #[inline]
    pub fn get(&self, hash: u64, matches: impl Fn(&V) -> bool) -> Option<&V> {
        let mut branch = self.root.as_deref()?;
        let mut rest = hash;
        loop {
            let (bit, index) = branch.place(rest);
            if branch.bitmap & bit == 0 {
                return None;
            }
            match &branch.children[index] {
                Child::Branch(next) => branch = next,
                Child::Leaf(found, value) => return (*found == hash && matches(value)).then_some(value),
                Child::Bucket(bucket) => {
                    let mut values = bucket.values.iter();
                    return values.find(|value| bucket.hash == hash && matches(value));
                }
            }
            rest >>= LEVEL_BITS;
        }
    }

    /// Asks for what looking this hash up reads in its `step`-th read from memory, given that it has been asked for those before;
    /// hands `arrived` a value that has been reached. Whoever has many hashes to look up asks for the first read of all of them,
    /// then for the second: that way they wait for memory together.
    #[inline]
    pub fn prefetch(&self, hash: u64, step: u32, arrived: impl Fn(&V)) {
        let Some(mut branch) = self.root.as_deref() else { return };
        let mut rest = hash;
        for _ in 0..step / 2 {
            let (bit, index) = branch.place(rest);
            if branch.bitmap & bit == 0 {
                return;
            }
            match &branch.children[index] {
                Child::Branch(next) => branch = next,
                Child::Leaf(_, value) => return arrived(value),
                Child::Bucket(_) => return,
            }
            rest >>= LEVEL_BITS;
        }
        if step.is_multiple_of(2) {
            crate::sys::prefetch(std::slice::from_ref(branch), 0);
        } else {
            crate::sys::prefetch(&branch.children, branch.place(rest).1);
        }
    }

    /// Reads from memory that most look-ups take: two at each level, and the value. Some lie a level deeper.
    pub fn reads(&self) -> u32 {
        2 * self.len.max(1).ilog2().div_ceil(LEVEL_BITS) + 1
    }

    /// All values, in an order that means nothing.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter {
            stack: self.root.as_deref().map(|root| root.children.iter()).into_iter().collect(),
            bucket: [].iter(),
        }
    }
}

impl<V: Clone> Trie<V> {
    /// Puts a value in place of the one that `matches`, or beside the others; returns the one replaced.
    pub fn insert(&mut self, hash: u64, value: V, matches: impl Fn(&V) -> bool) -> Option<V> {
        let root = self.root.get_or_insert_with(|| Arc::new(Branch { bitmap: 0, children: Vec::new() }));
        let replaced = Arc::make_mut(root).insert(hash, 0, value, &matches);
        self.len += usize::from(replaced.is_none());
        replaced
    }

    /// Takes out the value that `matches`.
    pub fn remove(&mut self, hash: u64, matches: impl Fn(&V) -> bool) -> Option<V> {
        // Looked up first, so that a miss copies nothing.
        self.get(hash, &matches)?;
        let root = Arc::make_mut(self.root.as_mut()?);
        let removed = root.remove(hash, 0, &matches);
        self.len -= usize::from(removed.is_some());
        if root.bitmap == 0 {
            self.root = None;
        }
        removed
    }
}

impl<V> Branch<V> {
    /// The bit of the child that the lowest bits of `rest` choose, and where that child stands.
    #[inline]
    fn place(&self, rest: u64) -> (u32, usize) {
        let bit = 1u32 << (rest & ((1 << LEVEL_BITS) - 1));
        (bit, (self.bitmap & (bit - 1)).count_ones() as usize)
    }
}

impl<V: Clone> Branch<V> {
    fn insert(&mut self, hash: u64, shift: u32, value: V, matches: &impl Fn(&V) -> bool) -> Option<V> {
        let (bit, index) = self.place(hash >> shift);
        if self.bitmap & bit == 0 {
            self.bitmap |= bit;
            // Most branches near the leaves stay small, and there are many of them.
            self.children.reserve_exact(1);
            self.children.insert(index, Child::Leaf(hash, value));
            return None;
        }
        let child = &mut self.children[index];
        match child {
            Child::Branch(next) => Arc::make_mut(next).insert(hash, shift + LEVEL_BITS, value, matches),
            Child::Leaf(found, old) if *found == hash => {
                if matches(old) {
                    return Some(std::mem::replace(old, value));
                }
                *child = Child::Bucket(Box::new(Bucket { hash, values: vec![old.clone(), value] }));
                None
            }
            Child::Bucket(bucket) if bucket.hash == hash => {
                if let Some(old) = bucket.values.iter_mut().find(|old| matches(old)) {
                    return Some(std::mem::replace(old, value));
                }
                bucket.values.push(value);
                None
            }
            Child::Leaf(found, _) => {
                let found = *found;
                *child = child.beside(found, hash, shift + LEVEL_BITS, value, matches);
                None
            }
            Child::Bucket(bucket) => {
                let found = bucket.hash;
                *child = child.beside(found, hash, shift + LEVEL_BITS, value, matches);
                None
            }
        }
    }

    fn remove(&mut self, hash: u64, shift: u32, matches: &impl Fn(&V) -> bool) -> Option<V> {
        let (bit, index) = self.place(hash >> shift);
        if self.bitmap & bit == 0 {
            return None;
        }
        let (removed, now_empty) = match &mut self.children[index] {
            Child::Branch(next) => {
                let next = Arc::make_mut(next);
                let removed = next.remove(hash, shift + LEVEL_BITS, matches);
                match &next.children[..] {
                    [] => (removed, true),
                    // A lone leaf moves up, so that equal contents have equal shape.
                    [Child::Leaf(..) | Child::Bucket(_)] => {
                        if let Some(only) = next.children.pop() {
                            self.children[index] = only;
                        }
                        (removed, false)
                    }
                    _ => (removed, false),
                }
            }
            Child::Leaf(found, value) if *found == hash && matches(value) => (Some(value.clone()), true),
            Child::Bucket(bucket) if bucket.hash == hash => {
                let values = &mut bucket.values;
                let removed = values.iter().position(matches).map(|at| values.swap_remove(at));
                if let [last] = &values[..] {
                    self.children[index] = Child::Leaf(hash, last.clone());
                }
                (removed, false)
            }
            Child::Leaf(..) | Child::Bucket(_) => (None, false),
        };
        if now_empty {
            self.bitmap &= !bit;
            self.children.remove(index);
        }
        removed
    }
}

impl<V: Clone> Child<V> {
    /// A branch that has this child, whose hash is `found`, and a value with another hash. They part there or further below.
    fn beside(&self, found: u64, hash: u64, shift: u32, value: V, matches: &impl Fn(&V) -> bool) -> Self {
        let bitmap = 1 << ((found >> shift) & ((1 << LEVEL_BITS) - 1));
        let mut branch = Branch { bitmap, children: vec![self.clone()] };
        branch.insert(hash, shift, value, matches);
        Self::Branch(Arc::new(branch))
    }
}

/// See [`Trie::iter`].
#[derive(Debug)]
pub struct Iter<'a, V> {
    stack: Vec<std::slice::Iter<'a, Child<V>>>,
    bucket: std::slice::Iter<'a, V>,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = &'a V;

    fn next(&mut self) -> Option<&'a V> {
        loop {
            if let Some(value) = self.bucket.next() {
                return Some(value);
            }
            match self.stack.last_mut()?.next() {
                None => {
                    self.stack.pop();
                }
                Some(Child::Branch(next)) => self.stack.push(next.children.iter()),
                Some(Child::Leaf(_, value)) => return Some(value),
                Some(Child::Bucket(bucket)) => self.bucket = bucket.values.iter(),
            }
        }
    }
}

impl<'a, V> IntoIterator for &'a Trie<V> {
    type Item = &'a V;
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Iter<'a, V> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Few distinct hashes, so that paths are shared and buckets fill.
    fn hash(key: u16) -> u64 {
        u64::from(key % 37) << 59 | u64::from(key % 5) << 10 | u64::from(key % 3)
    }

    proptest! {
        #[test]
        fn behaves_as_a_map_and_versions_do_not_mix(steps in prop::collection::vec((any::<bool>(), 0u16..200, any::<u8>()), 0..400)) {
            let mut trie = Trie::default();
            let mut model = BTreeMap::new();
            let mut versions = Vec::new();
            for (put, key, value) in steps {
                let matches = |&(found, _): &(u16, u8)| found == key;
                if put {
                    prop_assert_eq!(trie.insert(hash(key), (key, value), matches).map(|old| old.1), model.insert(key, value));
                } else {
                    prop_assert_eq!(trie.remove(hash(key), matches).map(|old| old.1), model.remove(&key));
                }
                prop_assert_eq!(trie.len(), model.len());
                prop_assert_eq!(trie.is_empty(), model.is_empty());
                if versions.len() < 20 {
                    versions.push((trie.clone(), model.clone()));
                }
            }
            versions.push((trie, model));
            for (trie, model) in versions {
                for key in 0..200 {
                    prop_assert_eq!(trie.get(hash(key), |&(found, _)| found == key).map(|found| found.1), model.get(&key).copied());
                }
                prop_assert_eq!(trie.iter().copied().collect::<BTreeMap<_, _>>(), model);
            }
        }
    }
}
