//! TTLs of records that are given without one.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use dns_core::{Name, RecordType};

use crate::model::RecordSpec;

/// What TTLs the records of a set of changes have by the time that each change is made.
pub(super) struct Ttls<'b, F> {
    default: u32,
    bounds: &'b RangeInclusive<u32>,
    present: F,
    /// By owner, for those that the set names.
    known: HashMap<Name, HashMap<RecordType, u32>>,
}

impl<'b, F: Fn(&Name) -> Vec<(RecordType, u32)>> Ttls<'b, F> {
    /// `present` tells what there is at a name before the set, `default` what is for all else; `bounds` is what they may be.
    pub fn new(default: u32, bounds: &'b RangeInclusive<u32>, present: F) -> Self {
        Self { default, bounds, present, known: HashMap::new() }
    }

    /// The TTL for records to be added: the one given, or the present one, so that one more value changes nothing of the others.
    pub fn of(&mut self, record: &RecordSpec) -> u32 {
        let default = self.default;
        let (None, Ok(owner), Ok(rtype)) = (record.ttl, record.name.parse(), record.rtype.parse()) else {
            return record.ttl.unwrap_or(default);
        };
        self.at(&owner).get(&rtype).copied().unwrap_or(default)
    }

    /// What TTLs may be.
    pub fn bounds(&self) -> &'b RangeInclusive<u32> {
        self.bounds
    }

    /// The TTL of records that replace others.
    pub fn default(&self) -> u32 {
        self.default
    }

    /// Records have this TTL from now on.
    pub fn set(&mut self, owner: &Name, rtype: RecordType, ttl: u32) {
        self.at(owner).insert(rtype, ttl);
    }

    /// Records are gone: those of a type, or all.
    pub fn forget(&mut self, owner: &Name, rtype: Option<RecordType>) {
        let at = self.at(owner);
        match rtype {
            Some(rtype) => drop(at.remove(&rtype)),
            None => at.clear(),
        }
    }

    fn at(&mut self, owner: &Name) -> &mut HashMap<RecordType, u32> {
        let present = &self.present;
        self.known.entry(owner.clone()).or_insert_with_key(|owner| present(owner).into_iter().collect())
    }
}
