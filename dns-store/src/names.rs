//! Names in canonical order; a version of the set costs only what differs from the one before.

use std::sync::Arc;

use dns_core::Name;
use dns_core::name::canonical_cmp;

/// Names in one leaf, at most. Few in tests, so that their trees are high.
const LEAF_MAX: usize = if cfg!(test) { 8 } else { 64 };
/// Children of one branch, at most. A change copies the branches on its path, and counts each child once more; a leaf is
/// copied in one go.
const BRANCH_MAX: usize = if cfg!(test) { 8 } else { 16 };

/// A set of names in canonical order ([RFC 4034, section 6.1]): a B+ tree whose clones share all their nodes, and in which a
/// change copies only those on its path (or none, when nobody else holds them).
///
/// [RFC 4034, section 6.1]: https://www.rfc-editor.org/rfc/rfc4034#section-6.1
#[derive(Clone, Debug, Default)]
pub(crate) struct NameSet {
    root: Option<Arc<Node>>,
}

/// A leaf has names; a branch has as many children, all of one height, and for each of them a name that is not after any of
/// the child's, and after all of those before.
#[derive(Clone, Debug, Default)]
struct Node {
    names: Packed,
    children: Vec<Arc<Node>>,
}

/// Names one after the other as they go on the wire, in lower case: copying many costs little more than copying one.
#[derive(Clone, Debug, Default)]
struct Packed {
    octets: Vec<u8>,
    /// Where each name ends. 16 bits do, since no node has more than 65 names of 255 octets.
    ends: Vec<u16>,
}

impl NameSet {
    /// These names as they go on the wire, which come in canonical order, each once.
    pub fn from_sorted(names: &[&[u8]]) -> Self {
        let leaf = |names: &[&[u8]]| Arc::new(Node { names: Packed::of(names), children: Vec::new() });
        let mut level: Vec<Arc<Node>> = names.chunks(LEAF_MAX).map(leaf).collect();
        while level.len() > 1 {
            let branch = |children: &[Arc<Node>]| {
                let firsts: Vec<&[u8]> =
                    children.iter().map(|child| child.names.get(0).unwrap_or_default()).collect();
                Arc::new(Node { names: Packed::of(&firsts), children: children.to_vec() })
            };
            level = level.chunks(BRANCH_MAX).map(branch).collect();
        }
        Self { root: level.pop() }
    }

    /// Enters a name, unless it is there.
    pub fn insert(&mut self, name: &Name) {
        let root = Arc::make_mut(self.root.get_or_insert_default());
        let Some(right) = root.insert(name.as_wire(), true) else { return };
        let left = std::mem::take(root);
        for node in [left, right] {
            root.names.insert(root.names.len(), node.names.get(0).unwrap_or_default());
            root.children.push(Arc::new(node));
        }
    }

    /// Takes a name out, if it is there.
    pub fn remove(&mut self, name: &Name) {
        let Some(root) = &mut self.root else { return };
        Arc::make_mut(root).remove(name.as_wire());
        while let [only] = &root.children[..] {
            *root = only.clone();
        }
        if root.names.len() == 0 {
            self.root = None;
        }
    }

    /// The names at and after this one, as they go on the wire.
    pub fn from(&self, name: &[u8]) -> Iter<'_> {
        let mut stack = Vec::new();
        let mut next = self.root.as_deref();
        while let Some(node) = next {
            let at = if node.is_leaf() { node.names.first_from(name) } else { node.child_for(name) };
            next = node.children.get(at).map(|child| &**child);
            stack.push((node, at + usize::from(!node.is_leaf())));
        }
        Iter { stack }
    }
}

/// See [`NameSet::from`].
pub(crate) struct Iter<'s> {
    /// From the root down, each node with the place of the name or child that comes next.
    stack: Vec<(&'s Node, usize)>,
}

impl<'s> Iterator for Iter<'s> {
    type Item = &'s [u8];

    fn next(&mut self) -> Option<&'s [u8]> {
        loop {
            let (node, next) = self.stack.last_mut()?;
            let at = *next;
            *next += 1;
            if node.is_leaf() {
                if let Some(name) = node.names.get(at) {
                    return Some(name);
                }
                self.stack.pop();
            } else if let Some(child) = node.children.get(at) {
                self.stack.push((child, 0));
            } else {
                self.stack.pop();
            }
        }
    }
}

impl Node {
    fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    fn max(&self) -> usize {
        if self.is_leaf() { LEAF_MAX } else { BRANCH_MAX }
    }

    /// The child that has the name, or should have it.
    fn child_for(&self, name: &[u8]) -> usize {
        let first = self.names.first_from(name);
        let is_it = self.names.get(first).is_some_and(|found| found == name);
        if is_it { first } else { first.saturating_sub(1) }
    }

    /// Enters a name. What no longer fits comes back, to stand right after this node, which `is_last` of its level.
    fn insert(&mut self, name: &[u8], is_last: bool) -> Option<Self> {
        let at = if self.is_leaf() {
            let at = self.names.first_from(name);
            if self.names.get(at).is_some_and(|found| found == name) {
                return None;
            }
            self.names.insert(at, name);
            at
        } else {
            let at = self.child_for(name);
            if at == 0 && self.names.first_from(name) == 0 {
                self.names.remove(0);
                self.names.insert(0, name);
            }
            let is_last = is_last && at + 1 == self.children.len();
            let right = Arc::make_mut(&mut self.children[at]).insert(name, is_last)?;
            self.names.insert(at + 1, right.names.get(0).unwrap_or_default());
            self.children.insert(at + 1, Arc::new(right));
            at + 1
        };
        let len = self.names.len();
        if len <= self.max() {
            return None;
        }
        // Names that come in order fill their nodes.
        let half = if is_last && at + 1 == len { at } else { len / 2 };
        let children = if self.is_leaf() { Vec::new() } else { self.children.split_off(half) };
        Some(Self { names: self.names.split_off(half), children })
    }

    fn remove(&mut self, name: &[u8]) {
        if self.is_leaf() {
            let at = self.names.first_from(name);
            if self.names.get(at).is_some_and(|found| found == name) {
                self.names.remove(at);
            }
            return;
        }
        let at = self.child_for(name);
        let child = Arc::make_mut(&mut self.children[at]);
        child.remove(name);
        if child.names.len() == 0 {
            self.names.remove(at);
            self.children.remove(at);
        } else if child.names.len() < child.max() / 4 {
            self.join(at.saturating_sub(1));
        }
    }

    /// Makes one of a child and the one after it, if that one leaves room for more.
    fn join(&mut self, left: usize) {
        let [first, second] = [left, left + 1].map(|at| self.children.get(at).map(|child| child.names.len()));
        let is_small = |names: usize| names <= self.children[left].max() * 3 / 4;
        if !first.zip(second).is_some_and(|(first, second)| is_small(first + second)) {
            return;
        }
        let right = self.children.remove(left + 1);
        self.names.remove(left + 1);
        let left = Arc::make_mut(&mut self.children[left]);
        left.names.append(&right.names);
        left.children.extend_from_slice(&right.children);
    }
}

impl Packed {
    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where a name begins, or the next one would.
    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| usize::from(self.ends[before]))
    }

    fn get(&self, at: usize) -> Option<&[u8]> {
        let end = usize::from(*self.ends.get(at)?);
        Some(&self.octets[self.start(at)..end])
    }

    /// How many names come before this one.
    fn first_from(&self, name: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle) {
                Some(found) if canonical_cmp(found, name).is_lt() => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    fn of(names: &[&[u8]]) -> Self {
        let mut end = 0;
        let ends = names.iter().map(|name| {
            end += name.len() as u16;
            end
        });
        Self { ends: ends.collect(), octets: names.concat() }
    }

    fn insert(&mut self, at: usize, name: &[u8]) {
        let start = self.start(at);
        self.octets.splice(start..start, name.iter().copied());
        self.ends.insert(at, start as u16);
        for end in &mut self.ends[at..] {
            *end += name.len() as u16;
        }
    }

    fn remove(&mut self, at: usize) {
        let (start, end) = (self.start(at), self.start(at + 1));
        self.octets.drain(start..end);
        self.ends.remove(at);
        for later in &mut self.ends[at..] {
            *later -= (end - start) as u16;
        }
    }

    fn split_off(&mut self, at: usize) -> Self {
        let start = self.start(at);
        let octets = self.octets.split_off(start);
        let ends = self.ends.split_off(at).into_iter().map(|end| end - start as u16).collect();
        Self { octets, ends }
    }

    fn append(&mut self, other: &Self) {
        let start = self.octets.len() as u16;
        self.octets.extend_from_slice(&other.octets);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn name(number: u32) -> Name {
        // Some stand below others, and some are long.
        let below = format!("n{}.{}", number / 7, "x".repeat(number as usize % 50 + 1));
        if number.is_multiple_of(3) { below } else { format!("a{number}.{below}") }.parse().unwrap()
    }

    /// Each node but the root is of use, and all leaves are equally far from the root.
    fn height(node: &Node, is_root: bool) -> usize {
        assert!((1..=node.max()).contains(&node.names.len()), "{} names", node.names.len());
        let names = (0..node.names.len()).map(|at| Name::from_wire(node.names.get(at).unwrap()).unwrap());
        assert!(names.is_sorted());
        if node.is_leaf() {
            return 1;
        }
        assert_eq!(node.names.len(), node.children.len());
        assert!(!is_root || node.children.len() > 1);
        let heights: BTreeSet<usize> = node.children.iter().map(|child| height(child, false)).collect();
        assert_eq!(heights.len(), 1);
        1 + heights.first().unwrap()
    }

    fn check(set: &NameSet, model: &BTreeSet<Name>) {
        assert_eq!(set.root.is_none(), model.is_empty());
        set.root.as_ref().map(|root| height(root, true));
        assert!(set.from(&[0]).eq(model.iter().map(Name::as_wire)), "it has other names");
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_and_versions_do_not_mix(
            // Ranges of numbers come and go, so that the tree grows and shrinks on many paths.
            steps in prop::collection::vec((any::<bool>(), 0u32..400, 1u32..300, 1u32..5), 1..8),
            starts in prop::collection::vec(0u32..800, 8),
        ) {
            let (mut set, mut model) = (NameSet::default(), BTreeSet::new());
            let mut versions = Vec::new();
            for (put, first, count, stride) in steps {
                for number in (first..first + count).step_by(stride as usize) {
                    if put {
                        set.insert(&name(number));
                        model.insert(name(number));
                    } else {
                        set.remove(&name(number));
                        model.remove(&name(number));
                    }
                }
                versions.push((set.clone(), model.clone()));
            }
            for (set, model) in &versions {
                check(set, model);
                for start in starts.iter().copied().map(name) {
                    let expected = model.range(start.clone()..).next().map(Name::as_wire);
                    prop_assert_eq!(set.from(start.as_wire()).next(), expected);
                }
            }
        }
    }

    #[test]
    fn names_that_come_in_order_fill_their_leaves() {
        let names: BTreeSet<Name> = (0..1000).map(name).collect();
        let mut set = NameSet::default();
        for name in &names {
            set.insert(name);
        }
        check(&set, &names);
        for len in
            [0, 1, LEAF_MAX, LEAF_MAX + 1, LEAF_MAX * BRANCH_MAX, LEAF_MAX * BRANCH_MAX + 1, names.len()]
        {
            let first: BTreeSet<Name> = names.iter().take(len).cloned().collect();
            let wires: Vec<&[u8]> = first.iter().map(Name::as_wire).collect();
            check(&NameSet::from_sorted(&wires), &first);
        }
        let (mut leaves, mut nodes) = (0, vec![set.root.unwrap()]);
        while let Some(node) = nodes.pop() {
            leaves += usize::from(node.is_leaf());
            nodes.extend(node.children.iter().cloned());
        }
        assert_eq!(leaves, names.len().div_ceil(LEAF_MAX));
    }
}
