//! Nodes of one part of a zone, checked and packed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

use super::super::base::{ALIGNMENT, NSEC3_HASH_OCTETS, Orders, TablePart, place};
use super::super::fault::{Faults, Place, ZoneFaultKind};
use super::super::node::{Flags, Node, NodePacker};
use super::super::{Shape, Signing};
use super::batch::{RawRecord, nsec3_owner_hash};
use super::partition::{Partition, ProtoNode};
use crate::name::NAME_OCTETS_MAX;
use crate::{Name, RecordType, rdata};

/// What packing needs to know of the whole zone.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub apex: &'a Name,
    /// A CNAME may stand at the apex, beside records that were made up.
    pub synthesised_apex: bool,
    /// The NSEC3 chain in use.
    pub chain: Option<&'a Signing>,
}

/// What was found in one part.
#[derive(Default)]
pub(super) struct PackedPart {
    pub names: usize,
    pub shape: Shape,
    pub faults: Faults,
    pub orders: Orders,
    /// Hashes and places of nodes for which the part of the table had no slot.
    pub beyond: Vec<(u64, u32)>,
    /// A node stands where 32 bits do not reach; it was not linked.
    pub is_overfull: bool,
}

/// The part of the arena in which nothing stands yet; threads take from it what they need.
pub(super) struct Space<'a>(Mutex<Rest<'a>>);

struct Rest<'a> {
    octets: &'a mut [u8],
    at: usize,
}

impl<'a> Space<'a> {
    /// All of the arena from `at` on.
    pub fn new(arena: &'a mut [u8], at: usize) -> Self {
        Self(Mutex::new(Rest { octets: &mut arena[at..], at }))
    }

    /// Where the space that is left begins.
    pub fn into_used(self) -> usize {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).at
    }

    /// The next octets and their offset in the arena; `None` if there are not so many.
    fn take(&self, octets: usize) -> Option<(&'a mut [u8], usize)> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, left) = std::mem::take(&mut rest.octets).split_at_mut_checked(octets)?;
        rest.octets = left;
        let at = rest.at;
        rest.at += octets;
        Some((taken, at))
    }
}

/// Checks and packs nodes; keeps its buffers from part to part.
pub(super) struct Packing {
    packer: NodePacker,
    /// Nodes that have been packed, each at a multiple of [`ALIGNMENT`], until there are enough for the arena.
    octets: Vec<u8>,
    /// Those nodes, by their offset in `octets`.
    nodes: Vec<(usize, Link)>,
}

/// What leads to a node.
enum Link {
    Name { hash: u64, nsec: bool },
    Nsec3([u8; NSEC3_HASH_OCTETS]),
    UnusedNsec3,
}

/// Octets that are packed before they go to the arena: some milliseconds of work, and little enough to stay in a cache.
const FLUSH_OCTETS: usize = 512 << 10;

impl Packing {
    pub fn new(apex: &Name) -> Self {
        Self { packer: NodePacker::new(apex), octets: Vec::new(), nodes: Vec::new() }
    }

    /// Packs a part and gives back the memory that its records took.
    pub fn run(
        &mut self,
        plan: Plan<'_>,
        partition: Partition,
        space: &Space<'_>,
        mut table: TablePart<'_>,
    ) -> PackedPart {
        let mut part = PackedPart { is_overfull: partition.is_overfull, ..PackedPart::default() };
        table.touch();
        let mut records = Vec::new();
        for node in &partition.nodes {
            partition.collect(node, &mut records);
            self.node(plan, &partition, node, &records, &mut part);
            if self.octets.len() >= FLUSH_OCTETS {
                self.flush(space, &mut table, &mut part);
            }
        }
        // The records go before the next part comes.
        drop(partition);
        self.flush(space, &mut table, &mut part);
        part
    }

    fn node(
        &mut self,
        plan: Plan<'_>,
        partition: &Partition,
        node: &ProtoNode,
        records: &[RawRecord<'_>],
        part: &mut PackedPart,
    ) {
        let relative = partition.buffer.name(node.name);
        let mut wire = [0; NAME_OCTETS_MAX];
        let (apex, octets) = (plan.apex.as_wire(), relative.len() + plan.apex.as_wire().len());
        wire[..relative.len()].copy_from_slice(relative);
        wire[relative.len()..octets].copy_from_slice(apex);
        let name = &wire[..octets];
        let is_apex = relative.is_empty();

        let types = check_node(plan, name, is_apex, records, &mut part.faults);
        let mut flags = node.flags;
        flags.set(Flags::CUT, types.ns && !is_apex);
        pack_records(&mut self.packer, name, records, &mut part.faults);
        let at = self.octets.len();
        self.packer.finish(name, flags, node.children, &mut self.octets);
        let link = if node.nsec3 {
            let in_chain = |record: &RawRecord<'_>| {
                record.rtype == RecordType::NSEC3
                    && plan.chain.is_some_and(|chain| chain.has_nsec3(record.rdata))
            };
            let is_used = records.iter().any(in_chain);
            nsec3_owner_hash(name).filter(|_| is_used).map_or(Link::UnusedNsec3, Link::Nsec3)
        } else {
            if flags.has(Flags::CUT) || types.dname {
                part.shape.add_redirect(usize::from(node.labels));
            }
            part.shape.records += Node::new(&self.octets[at..]).record_count();
            part.shape.depth_max = part.shape.depth_max.max(usize::from(node.labels));
            Link::Name { hash: node.hash, nsec: types.nsec }
        };
        self.octets.resize(self.octets.len().next_multiple_of(ALIGNMENT), 0);
        self.nodes.push((at, link));
    }

    /// Moves what has been packed to the arena, and enters it into the table.
    fn flush(&mut self, space: &Space<'_>, table: &mut TablePart<'_>, part: &mut PackedPart) {
        // There is room: the arena was made for the most that the records can take.
        let begin = space.take(self.octets.len()).map(|(taken, begin)| {
            taken.copy_from_slice(&self.octets);
            begin
        });
        for (at, link) in self.nodes.drain(..) {
            let Some(place) = begin.and_then(|begin| place(begin + at)) else {
                part.is_overfull = true;
                continue;
            };
            match link {
                Link::Name { hash, nsec } => {
                    if !table.link(hash, place) {
                        part.beyond.push((hash, place));
                    }
                    part.names += 1;
                    part.orders.nsec.extend(nsec.then_some(place));
                }
                Link::Nsec3(hash) => part.orders.nsec3.push((hash, place)),
                Link::UnusedNsec3 => part.orders.nsec3_unused.push(place),
            }
        }
        self.octets.clear();
    }
}

/// Notes what must not stand at a name, and tells what does.
fn check_node(
    plan: Plan<'_>,
    name: &[u8],
    is_apex: bool,
    records: &[RawRecord<'_>],
    faults: &mut Faults,
) -> NodeTypes {
    let mut types = NodeTypes::default();
    let (mut cname, mut dname, mut soa, mut other) = (0, 0, 0, None);
    let mut place = Place::default();
    let mut previous: Option<&RawRecord<'_>> = None;
    for record in records {
        // The same record twice is one record, here as in the packed node.
        let repeated = previous.is_some_and(|previous| {
            previous.rtype == record.rtype && rdata::is_same(record.rtype, previous.rdata, record.rdata)
        });
        previous = Some(record);
        if repeated {
            continue;
        }
        match record.rtype {
            RecordType::NSEC => types.nsec = true,
            RecordType::CNAME => {
                cname += 1;
                place = record.place;
            }
            RecordType::DNAME => {
                dname += 1;
                types.dname = true;
                other = Some(record.rtype);
            }
            RecordType::SOA => {
                soa += 1;
                if soa > 1 || !is_apex {
                    place = record.place;
                }
                other = other.or(Some(record.rtype));
            }
            // What may stand beside a CNAME: RFC 4034, section 2.5 of RFC 4035, and RFC 2535 before them.
            RecordType::RRSIG | RecordType::KEY | RecordType::SIG | RecordType::NXT | RecordType::NSEC3 => {}
            rtype => {
                types.ns |= rtype == RecordType::NS;
                other = other.or(Some(rtype));
            }
        }
    }
    let owner = || owner_of(name);
    let mut kinds = Vec::new();
    if cname > 0 {
        if let Some(other) = other.filter(|_| !(is_apex && plan.synthesised_apex)) {
            kinds.push(ZoneFaultKind::CnameAndOther { owner: owner(), other });
        }
        if cname > 1 {
            kinds.push(ZoneFaultKind::ManyAliases { owner: owner(), rtype: RecordType::CNAME });
        }
    }
    if dname > 1 {
        kinds.push(ZoneFaultKind::ManyAliases { owner: owner(), rtype: RecordType::DNAME });
    }
    if is_apex {
        match soa {
            0 => kinds.push(ZoneFaultKind::NoSoa(owner())),
            1 => {}
            _ => kinds.push(ZoneFaultKind::ManySoas(owner())),
        }
        if !types.ns {
            kinds.push(ZoneFaultKind::NoApexNs(owner()));
        }
    } else if soa > 0 {
        kinds.push(ZoneFaultKind::SoaBelowApex(owner()));
    }
    for kind in kinds {
        faults.push(place, kind);
    }
    types
}

/// Hands the records of a name to the packer, RRset by RRset.
fn pack_records(packer: &mut NodePacker, name: &[u8], records: &[RawRecord<'_>], faults: &mut Faults) {
    let mut found = Vec::new();
    for group in records.chunk_by(|left, right| left.effective_type() == right.effective_type()) {
        let first = group[0];
        let rtype = first.effective_type();
        if first.rtype == RecordType::RRSIG {
            found.push((first, Fault::Orphan(rtype)));
            continue;
        }
        let mut seen = Seen::for_records(group.len());
        for record in group {
            if group.len() > 1 && !seen.insert(record.rtype, record.rdata) {
                found.push((*record, Fault::Duplicate));
                continue;
            }
            if record.rtype == RecordType::RRSIG {
                packer.signature(record.ttl, record.rdata);
                continue;
            }
            if record.ttl != first.ttl {
                found.push((*record, Fault::Ttl(first.ttl)));
            }
            packer.record(rtype, first.ttl, record.rdata);
        }
        if let Err(octets) = packer.end_rrset(rtype, first.source) {
            found.push((first, Fault::Large(octets)));
            packer.reset();
            break;
        }
    }
    for (record, fault) in found {
        let owner = owner_of(name);
        let rtype = record.rtype;
        let kind = match fault {
            Fault::Orphan(covered) => ZoneFaultKind::OrphanSignature { owner, covered },
            Fault::Duplicate => ZoneFaultKind::Duplicate { owner, rtype },
            Fault::Ttl(ttl) => ZoneFaultKind::TtlDiffers { owner, rtype, ttl, other: record.ttl },
            Fault::Large(octets) => ZoneFaultKind::TooLarge { owner, rtype, octets },
        };
        faults.push(record.place, kind);
    }
}

fn owner_of(name: &[u8]) -> Name {
    // The names of a zone are valid.
    Name::from_wire(name).unwrap_or_else(|_| Name::root())
}

/// What the records of a node have among them.
#[derive(Default)]
struct NodeTypes {
    ns: bool,
    dname: bool,
    nsec: bool,
}

/// The records of an RRset so far, their names in lower case: comparing all of them is quickest for the usual few, and would take forever for many.
enum Seen<'r> {
    Few(SmallVec<[(RecordType, Cow<'r, [u8]>); 4]>),
    Many(HashSet<(RecordType, Cow<'r, [u8]>)>),
}

impl<'r> Seen<'r> {
    /// Above this, hashing wins.
    const FEW: usize = 32;

    fn for_records(count: usize) -> Self {
        if count <= Self::FEW {
            Self::Few(SmallVec::new())
        } else {
            Self::Many(HashSet::with_capacity(count))
        }
    }

    /// Tells whether the record is new.
    fn insert(&mut self, rtype: RecordType, rdata: &'r [u8]) -> bool {
        let record = (rtype, rdata::with_lower_names(rtype, rdata));
        match self {
            Self::Few(seen) => {
                let is_new = !seen.contains(&record);
                if is_new {
                    seen.push(record);
                }
                is_new
            }
            Self::Many(seen) => seen.insert(record),
        }
    }
}

enum Fault {
    Orphan(RecordType),
    Duplicate,
    Ttl(u32),
    Large(usize),
}
