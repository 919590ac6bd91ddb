//! From a heap of records to a zone.
//!
//! Names fall into parts by their hashes. Records are sorted by part as they come in (`batch`), by several threads at once
//! where somebody reads a large file; those of a part are put together by owner, parents included (`partition`), checked
//! and packed (`pack`). A part owns a range of the zone's table, so all this happens without one part waiting for another.
//! The zone is the same however many parts and threads there are, but for the order in which its nodes lie in memory.

mod batch;
mod pack;
mod partition;
mod store;

use std::fmt;
use std::num::NonZeroUsize;

pub use self::batch::RecordBatch;
use self::pack::{PackedPart, Packing, Plan, Space};
use self::partition::{Partition, Scratch, Whole};
use self::store::Buffer;
use super::base::{Base, Orders, Table};
use super::fault::{Place, ZoneFault, ZoneFaultKind};
use super::node::{Flags, SourceTag};
use super::{Shape, Signing, Zone};
use crate::name::write_wire;
use crate::share::share;
use crate::{Name, RecordType};

/// A zone as it was built, with what was noticed.
pub struct Built {
    /// The zone.
    pub zone: Zone,
    /// Faults that do not keep it from being served; at most 1,000, and then how many more there are.
    pub warnings: Vec<ZoneFault>,
}

/// Collects records in any order, and makes a [`Zone`] of them.
pub struct ZoneBuilder {
    apex: Name,
    synthesised_apex: bool,
    /// There are 2^`bits` parts.
    bits: u32,
    records: RecordBatch,
}

/// Octets that records may take in all; those of one part have offsets of 32 bits.
const OCTETS_MAX: usize = u32::MAX as usize;
/// Octets of zone file from which on a zone is given one more part: the names of one then stay in a core's cache.
const PART_OCTETS: usize = 2 << 20;
/// More parts than this cost more than they save.
const BITS_MAX: u32 = 8;

impl ZoneBuilder {
    /// A zone without records.
    pub fn new(apex: Name) -> Self {
        let records = RecordBatch::new(apex.clone(), 0, 0, OCTETS_MAX);
        Self { apex, synthesised_apex: false, bits: 0, records }
    }

    /// A zone without records, prepared for what a zone file of so many octets may hold: large zones are built in parts.
    pub fn for_file_of(apex: Name, octets: usize) -> Self {
        let bits = (octets / PART_OCTETS).next_power_of_two().ilog2().min(BITS_MAX);
        Self::in_parts(apex, bits)
    }

    fn in_parts(apex: Name, bits: u32) -> Self {
        Self { bits, records: RecordBatch::new(apex.clone(), bits, 0, OCTETS_MAX), ..Self::new(apex) }
    }

    /// Lets a CNAME stand at the apex, beside the SOA and NS records that were made up for it.
    #[must_use]
    pub fn with_synthesised_apex(mut self) -> Self {
        self.synthesised_apex = true;
        self
    }

    /// Apex of the zone.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// Adds a record; what is wrong with it is kept for [`finish`](Self::finish).
    ///
    /// `owner` is an uncompressed name in any letter case, `rdata` valid for the type and uncompressed. A TTL above
    /// [`TTL_MAX`](crate::TTL_MAX) counts as 0 ([RFC 2181, section 8](https://www.rfc-editor.org/rfc/rfc2181#section-8)).
    pub fn add(
        &mut self,
        owner: &[u8],
        rtype: RecordType,
        ttl: u32,
        rdata: &[u8],
        source: SourceTag,
        place: Place,
    ) {
        self.records.add(owner, rtype, ttl, rdata, source, place);
    }

    /// A batch for this zone, for the records of about so many octets of zone file, to be filled on another thread.
    pub fn batch(&self, octets: usize) -> RecordBatch {
        // Records take somewhat more than their text: a name, then, stands before most of them.
        RecordBatch::new(self.apex.clone(), self.bits, (octets * 3 / 2) >> self.bits, self.records.octets_max)
    }

    /// Adds the records of a batch of this builder. The order in which batches are appended is that of their records.
    ///
    /// # Panics
    /// If the batch was made for another zone, or by a builder that expected a file of another size.
    pub fn append(&mut self, batch: RecordBatch) {
        assert!(self.records.is_alike(&batch), "a batch of another builder");
        if !self.records.append(batch) {
            self.records.faults.push(Place::default(), ZoneFaultKind::ZoneTooLarge(self.apex.clone()));
        }
    }

    /// Packs the zone on this thread; see [`finish_on`](Self::finish_on).
    ///
    /// # Errors
    /// As there.
    pub fn finish(self) -> Result<Built, Vec<ZoneFault>> {
        self.finish_on(NonZeroUsize::MIN)
    }

    /// Packs the zone on this thread and others, so many in all.
    ///
    /// # Errors
    /// The faults that keep the records from being a zone, warnings among them, in the order of their places: 1,000 of
    /// each, and the number of the others at the end ([`ZoneFaultKind::MoreErrors`], [`ZoneFaultKind::MoreWarnings`]).
    pub fn finish_on(self, threads: NonZeroUsize) -> Result<Built, Vec<ZoneFault>> {
        let Self { apex, synthesised_apex, bits, records } = self;
        let RecordBatch { parts, mut faults, .. } = records;
        let whole = Whole { apex: &apex, bits };
        let partitions = put_together(whole, threads, parts);
        let chain = find_chain(whole, &partitions);
        let plan = Plan { apex: &apex, synthesised_apex, chain: chain.as_ref() };

        let names = partitions.iter().map(|partition| partition.nodes.len()).sum();
        let octets = partitions.iter().map(|partition| partition.packed_octets_max).sum();
        let (mut arena, first) = Base::arena_for(octets);
        let mut table = Table::for_names(names, bits);
        let space = Space::new(&mut arena, first);
        let work = partitions.into_iter().zip(table.parts(bits)).collect();
        let packed = share(
            threads,
            work,
            || Packing::new(&apex),
            |packing, (partition, table)| packing.run(plan, partition, &space, table),
        );
        let used = space.into_used();

        let (mut names, mut is_overfull) = (0, false);
        let (mut shape, mut orders) = (Shape::default(), Orders::default());
        for PackedPart {
            names: more,
            shape: of_part,
            faults: more_faults,
            orders: more_orders,
            beyond,
            is_overfull: too_large,
        } in packed
        {
            names += more;
            shape.merge(&of_part);
            faults.merge(more_faults);
            orders.merge(more_orders);
            is_overfull |= too_large;
            for (hash, place) in beyond {
                table.link(hash, place);
            }
        }
        if is_overfull {
            faults.push(Place::default(), ZoneFaultKind::ZoneTooLarge(apex.clone()));
        }
        if faults.has_errors() {
            return Err(faults.into_sorted());
        }
        let base = Base::new(&apex, arena, used, table, names, orders);
        match Zone::from_base(apex, base, shape) {
            Ok(zone) => Ok(Built { zone, warnings: faults.into_sorted() }),
            Err(kind) => {
                faults.push(Place::default(), kind);
                Err(faults.into_sorted())
            }
        }
    }
}

/// Puts the records of all parts together by owner, with all names between them and the apex.
fn put_together(whole: Whole<'_>, threads: NonZeroUsize, parts: Vec<Buffer>) -> Vec<Partition> {
    let parts = parts.into_iter().enumerate().collect();
    let mut partitions = share(threads, parts, Scratch::default, |scratch, (number, buffer)| {
        Partition::new(whole, scratch, number, buffer)
    });
    // Each round concerns names one label shorter, so there are no more rounds than labels.
    loop {
        let mut outboxes: Vec<_> = partitions.iter_mut().map(Partition::take_outbox).collect();
        if outboxes.iter().flatten().all(Vec::is_empty) {
            break;
        }
        let mut inbox_of = |number: usize| -> Vec<Vec<u8>> {
            outboxes.iter_mut().map(|outbox| std::mem::take(&mut outbox[number])).collect()
        };
        let work =
            partitions.into_iter().enumerate().map(|(number, partition)| (inbox_of(number), partition));
        partitions = share(threads, work.collect(), Scratch::default, |scratch, (inbox, mut partition)| {
            for notes in inbox {
                partition.receive(whole, scratch, &notes);
            }
            partition
        });
    }
    let below_apex = partitions.iter().map(|partition| partition.below_apex).sum();
    let has_wildcard = partitions.iter().any(|partition| partition.wildcard_below_apex);
    if let Some(apex) = partitions.iter_mut().find_map(|partition| partition.apex_mut(whole)) {
        apex.children = below_apex;
        apex.flags.set(Flags::WILDCARD, has_wildcard);
    }
    partitions
}

/// The NSEC3 chain in use, as the apex tells it.
fn find_chain(whole: Whole<'_>, partitions: &[Partition]) -> Option<Signing> {
    let (partition, apex) =
        partitions.iter().find_map(|partition| Some((partition, partition.apex(whole)?)))?;
    let mut records = Vec::new();
    partition.collect(apex, &mut records);
    let parameters = records.iter().filter(|record| record.rtype == RecordType::NSEC3PARAM);
    parameters.map(|record| record.rdata).find_map(Signing::from_nsec3param)
}

impl fmt::Debug for ZoneBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zone ")?;
        write_wire(self.apex.as_wire(), f)?;
        write!(f, " being built of {} octets of records", self.records.octets())
    }
}

impl Signing {
    /// What the RDATA of an NSEC3PARAM record says; with unknown flags it says nothing to servers
    /// ([RFC 5155, section 4.1.2](https://www.rfc-editor.org/rfc/rfc5155#section-4.1.2)).
    pub(super) fn from_nsec3param(rdata: &[u8]) -> Option<Self> {
        let [1, 0, iterations_high, iterations_low, salt_octets, salt @ ..] = rdata else {
            return None;
        };
        (salt.len() == usize::from(*salt_octets)).then(|| Self::Nsec3 {
            iterations: u16::from_be_bytes([*iterations_high, *iterations_low]),
            salt: salt.into(),
        })
    }

    /// Whether this NSEC3 RDATA belongs to the chain. A zone has several while its parameters change
    /// ([RFC 5155, section 7.3](https://www.rfc-editor.org/rfc/rfc5155#section-7.3)).
    fn has_nsec3(&self, rdata: &[u8]) -> bool {
        // Unlike the other parameters, the flags are those of the record.
        let (
            [1, _, iterations_high, iterations_low, salt_octets, rest @ ..],
            Self::Nsec3 { iterations, salt },
        ) = (rdata, self)
        else {
            return false;
        };
        u16::from_be_bytes([*iterations_high, *iterations_low]) == *iterations
            && usize::from(*salt_octets) == salt.len()
            && rest.starts_with(salt)
    }
}

#[cfg(test)]
mod tests;
