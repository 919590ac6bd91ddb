//! Changes to records, and the difference between two states.

use std::collections::BTreeMap;

use crate::{Name, RecordType, Rrset};

/// One change at one name and type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The source has exactly this RRset here, whatever it had before.
    Put(Rrset),
    /// The source has nothing of this type here; of any type if none is given.
    Delete {
        /// Name of the records.
        owner: Name,
        /// Their type.
        rtype: Option<RecordType>,
    },
    /// The source has these values besides what it had; the TTL becomes that of the RRset given.
    Add(Rrset),
    /// The source no longer has these values; the last one takes the RRset with it. Values it does not have are no error.
    Remove(Rrset),
}

impl Change {
    /// The name that changes.
    pub fn owner(&self) -> &Name {
        match self {
            Self::Put(rrset) | Self::Add(rrset) | Self::Remove(rrset) => rrset.owner(),
            Self::Delete { owner, .. } => owner,
        }
    }
}

/// What must hold for a change set to be applied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Precondition {
    /// The source has records of this type here; of any type if none is given.
    Exists(Name, Option<RecordType>),
    /// The source has no records of this type here; of no type if none is given.
    Absent(Name, Option<RecordType>),
    /// The source has exactly this RRset here.
    Equals(Rrset),
    /// Nothing that anybody has at this name has changed since it had this version.
    Unchanged(Name, u64),
    /// Nothing at all has changed since this version of the catalog.
    Version(u64),
}

/// Changes that are made all together or not at all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ChangeSet {
    /// In this order.
    pub changes: Vec<Change>,
    /// If all of these hold.
    pub preconditions: Vec<Precondition>,
}

impl ChangeSet {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// There is nothing to do; preconditions may still fail.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// With one more change.
    #[must_use]
    pub fn and(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// If this holds, too.
    #[must_use]
    pub fn when(mut self, precondition: Precondition) -> Self {
        self.preconditions.push(precondition);
        self
    }
}

impl FromIterator<Change> for ChangeSet {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        Self { changes: changes.into_iter().collect(), preconditions: Vec::new() }
    }
}

/// The changes that lead from one set of RRsets to another: `apply(current, plan(current, desired)) == desired`.
///
/// Deletions come first, so that a CNAME can take the place of other records. Of two RRsets of one name and type on
/// the same side the later one counts.
pub fn plan<'a>(
    current: impl IntoIterator<Item = &'a Rrset>,
    desired: impl IntoIterator<Item = &'a Rrset>,
) -> ChangeSet {
    fn key(rrset: &Rrset) -> ((&Name, RecordType), &Rrset) {
        ((rrset.owner(), rrset.rtype()), rrset)
    }
    let mut current: BTreeMap<_, _> = current.into_iter().map(key).collect();
    let desired: BTreeMap<_, _> = desired.into_iter().map(key).collect();
    let mut puts = Vec::new();
    for (key, rrset) in desired {
        if current.remove(&key).is_none_or(|old| old != rrset) {
            puts.push(Change::Put(rrset.clone()));
        }
    }
    let deletes =
        current.into_keys().map(|(owner, rtype)| Change::Delete { owner: owner.clone(), rtype: Some(rtype) });
    deletes.chain(puts).collect()
}
