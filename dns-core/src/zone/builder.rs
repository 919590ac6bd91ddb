//! From a heap of records to a zone.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::base::{Base, NSEC3_HASH_OCTETS};
use super::fault::{Faults, Place, ZoneFault, ZoneFaultKind};
use super::node::{Flags, NodePacker, SourceTag};
use super::{Shape, Signing, Zone};
use crate::name::{HashedName, LABELS_MAX, NAME_OCTETS_MAX, write_wire};
use crate::{Name, RecordType, TTL_MAX, rdata};

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
    /// Records one after the other: [`RawRecord`] and its RDATA.
    raw: Vec<u8>,
    nodes: Vec<ProtoNode>,
    names: Vec<u8>,
    /// Open addressing over `nodes`; 0: free, else the index plus 1.
    table: Vec<u32>,
    hashed: HashedName,
    last: Option<u32>,
    faults: Faults,
    /// Octets of `raw` or `names` above which nothing more is taken.
    octets_max: usize,
    is_full: bool,
}

/// A name on its way to a node.
struct ProtoNode {
    hash: u64,
    name_at: u32,
    children: u32,
    /// Its records as a list through `raw`; offsets plus 1, 0: none.
    first: u32,
    last: u32,
    labels: u8,
    flags: Flags,
    nsec3: bool,
}

/// A record on its way; offsets into `ZoneBuilder::raw`.
#[derive(Clone, Copy)]
struct RawRecord {
    /// Where the next record of the same owner stands, plus 1; 0: none.
    next: u32,
    ttl: u32,
    rtype: RecordType,
    source: SourceTag,
    place: Place,
    rdata_at: usize,
    rdata_end: usize,
}

const RAW_HEADER_OCTETS: usize = 20;
/// Offsets have 32 bits. The next name, with all its ancestors, must still find room behind this.
const OCTETS_MAX: usize = u32::MAX as usize - LABELS_MAX * (1 + NAME_OCTETS_MAX) - 1;
/// Told apart from the hash of the same name as an ordinary owner.
const NSEC3_KEY: u64 = 0x9e37_79b9_7f4a_7c15;

impl ZoneBuilder {
    /// A zone without records.
    pub fn new(apex: Name) -> Self {
        let mut builder = Self {
            apex,
            synthesised_apex: false,
            raw: Vec::new(),
            nodes: Vec::new(),
            names: Vec::new(),
            table: vec![0; 64],
            hashed: HashedName::default(),
            last: None,
            faults: Faults::default(),
            octets_max: OCTETS_MAX,
            is_full: false,
        };
        // The name was valid, so reading it cannot fail.
        let _ = builder.hashed.read(builder.apex.as_wire());
        builder.intern(builder.apex.label_count());
        builder
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
    /// [`TTL_MAX`] counts as 0 ([RFC 2181, section 8](https://www.rfc-editor.org/rfc/rfc2181#section-8)).
    pub fn add(
        &mut self,
        owner: &[u8],
        rtype: RecordType,
        ttl: u32,
        rdata: &[u8],
        source: SourceTag,
        place: Place,
    ) {
        if !self.has_room(place) {
            return;
        }
        let node = match self.last {
            Some(last)
                if self.name(last) == owner
                    && !is_nsec3(rtype, rdata)
                    && !self.nodes[last as usize].nsec3 =>
            {
                last
            }
            _ => match self.find_owner(owner, rtype, rdata, place) {
                Some(node) => node,
                None => return,
            },
        };
        self.last = Some(node);
        if rtype.is_meta() {
            let owner = self.owner(node);
            return self.fault(place, ZoneFaultKind::MetaType { owner, rtype });
        }
        let at = self.raw.len() as u32 + 1;
        let proto = &mut self.nodes[node as usize];
        if proto.last == 0 {
            proto.first = at;
        } else {
            let last = proto.last as usize - 1;
            self.raw[last..last + 4].copy_from_slice(&at.to_le_bytes());
        }
        proto.last = at;
        let mut header = [0u8; RAW_HEADER_OCTETS];
        let ttl = if ttl > TTL_MAX { 0 } else { ttl };
        header[4..8].copy_from_slice(&ttl.to_le_bytes());
        header[8..10].copy_from_slice(&rtype.0.to_le_bytes());
        header[10..12].copy_from_slice(&source.0.to_le_bytes());
        header[12..16].copy_from_slice(&place.line.to_le_bytes());
        header[16..18].copy_from_slice(&place.file.to_le_bytes());
        header[18..20].copy_from_slice(&(rdata.len() as u16).to_le_bytes());
        self.raw.extend_from_slice(&header);
        self.raw.extend_from_slice(rdata);
    }

    /// Packs the zone.
    ///
    /// # Errors
    /// The faults that keep the records from being a zone, warnings among them, in the order of their places: 1,000 of
    /// each, and the number of the others at the end ([`ZoneFaultKind::MoreErrors`], [`ZoneFaultKind::MoreWarnings`]).
    pub fn finish(mut self) -> Result<Built, Vec<ZoneFault>> {
        let mut base = Base::with_capacity(self.nodes.len(), self.raw.len() + self.names.len());
        let mut packer = NodePacker::new(&self.apex);
        let mut shape = Shape::default();
        let mut records = Vec::new();
        let mut nsec = Vec::new();
        let nodes = std::mem::take(&mut self.nodes);
        let mut chain = None;
        for proto in &nodes {
            let name_at = proto.name_at as usize;
            self.collect(proto, &mut records);
            let is_apex = usize::from(proto.labels) == self.apex.label_count();
            let mut flags = proto.flags;
            if is_apex {
                // The first node of all: the name was interned before there were records.
                chain = self.rdatas_of(&records, RecordType::NSEC3PARAM).find_map(Signing::from_nsec3param);
            }
            let types = self.check_node(name_at, is_apex, &records);
            flags.set(Flags::CUT, types.ns && !is_apex);
            self.pack_node(name_at, &records, &mut packer);
            let hash = proto.hash;
            let arena = base.arena();
            let offset = arena.len();
            packer.finish(stored_name(&self.names, name_at), flags, proto.children, arena);
            if proto.nsec3 {
                let in_chain = |rdata: &[u8]| chain.as_ref().is_some_and(|chain| chain.has_nsec3(rdata));
                let is_used = self.rdatas_of(&records, RecordType::NSEC3).any(in_chain);
                match nsec3_owner_hash(stored_name(&self.names, name_at)).filter(|_| is_used) {
                    Some(hash) => base.link_nsec3(hash, offset),
                    None => base.link_unused_nsec3(offset),
                }
                continue;
            }
            base.link(hash, offset);
            if types.nsec {
                nsec.push(offset);
            }
            if flags.has(Flags::CUT) || types.dname {
                shape.add_redirect(usize::from(proto.labels));
            }
            shape.records += base.record_count_at(offset);
            shape.depth_max = shape.depth_max.max(usize::from(proto.labels));
        }
        base.seal(nsec);
        if base.is_overfull() {
            self.fault(Place::default(), ZoneFaultKind::ZoneTooLarge(self.apex.clone()));
        }
        if self.faults.has_errors() {
            return Err(self.faults.into_sorted());
        }
        match Zone::from_base(self.apex, base, shape) {
            Ok(zone) => Ok(Built { zone, warnings: self.faults.into_sorted() }),
            Err(kind) => {
                self.faults.push(Place::default(), kind);
                Err(self.faults.into_sorted())
            }
        }
    }

    fn find_owner(&mut self, owner: &[u8], rtype: RecordType, rdata: &[u8], place: Place) -> Option<u32> {
        // Owners are valid names; one that is not belongs to no zone.
        let in_zone = self.hashed.read(owner).is_ok() && {
            let apex_labels = self.apex.label_count();
            self.hashed.labels() >= apex_labels && self.hashed.suffix(apex_labels) == self.apex.as_wire()
        };
        if !in_zone {
            let owner = Name::from_wire(owner).unwrap_or_else(|_| Name::root());
            let apex = self.apex.clone();
            self.fault(place, ZoneFaultKind::OutOfZone { owner, apex });
            return None;
        }
        let labels = self.hashed.labels();
        // Owners of NSEC3 records are no names of the zone ([RFC 5155, section 7.2.8]), unless something else is there.
        if is_nsec3(rtype, rdata)
            && labels == self.apex.label_count() + 1
            && nsec3_owner_hash(self.hashed.wire()).is_some()
        {
            return Some(self.intern_as(labels, true));
        }
        Some(self.intern(labels))
    }

    /// The node of the last `labels` labels of the name that was read last; its ancestors come into being with it.
    fn intern(&mut self, labels: usize) -> u32 {
        self.intern_as(labels, false)
    }

    fn intern_as(&mut self, labels: usize, nsec3: bool) -> u32 {
        let hash = self.hashed.hash(labels) ^ if nsec3 { NSEC3_KEY } else { 0 };
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        while self.table[slot] != 0 {
            let index = self.table[slot] - 1;
            let proto = &self.nodes[index as usize];
            if proto.hash == hash && proto.nsec3 == nsec3 && self.name(index) == self.hashed.suffix(labels) {
                return index;
            }
            slot = (slot + 1) & mask;
        }
        let index = self.nodes.len() as u32;
        self.table[slot] = index + 1;
        let name = self.hashed.suffix(labels);
        let is_wildcard = name.starts_with(b"\x01*");
        let name_at = self.names.len() as u32;
        self.names.push(name.len() as u8);
        self.names.extend_from_slice(name);
        self.nodes.push(ProtoNode {
            hash,
            name_at,
            children: 0,
            first: 0,
            last: 0,
            labels: labels as u8,
            flags: Flags::default(),
            nsec3,
        });
        if self.nodes.len() * 2 > self.table.len() {
            self.grow();
        }
        if labels > self.apex.label_count() && !nsec3 {
            let parent = self.intern(labels - 1);
            let parent = &mut self.nodes[parent as usize];
            parent.children += 1;
            if is_wildcard {
                parent.flags.set(Flags::WILDCARD, true);
            }
        }
        index
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 4 - 1;
        self.table = vec![0; mask + 1];
        for (index, proto) in self.nodes.iter().enumerate() {
            let mut slot = proto.hash as usize & mask;
            while self.table[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.table[slot] = index as u32 + 1;
        }
    }

    fn name(&self, node: u32) -> &[u8] {
        stored_name(&self.names, self.nodes[node as usize].name_at as usize)
    }

    fn owner(&self, node: u32) -> Name {
        Name::from_wire(self.name(node)).unwrap_or_else(|_| Name::root())
    }

    fn fault(&mut self, place: Place, kind: ZoneFaultKind) {
        self.faults.push(place, kind);
    }

    /// Whether 32-bit offsets reach one more record; the first that they do not reach is a fault.
    fn has_room(&mut self, place: Place) -> bool {
        let is_full = self.raw.len().max(self.names.len()) > self.octets_max;
        if is_full && !self.is_full {
            self.is_full = true;
            self.fault(place, ZoneFaultKind::ZoneTooLarge(self.apex.clone()));
        }
        !is_full
    }

    /// The records of a node by type, signatures by the type they cover; those of one type in the order they came.
    fn collect(&self, proto: &ProtoNode, records: &mut Vec<RawRecord>) {
        records.clear();
        let mut next = proto.first;
        while next != 0 {
            let record = RawRecord::read(&self.raw, next as usize - 1);
            next = record.next;
            records.push(record);
        }
        if records.len() > 1 {
            records.sort_by_key(|record| (self.effective_type(record), record.rtype == RecordType::RRSIG));
        }
    }

    /// The RDATA of the records of one type.
    fn rdatas_of<'a>(
        &'a self,
        records: &'a [RawRecord],
        rtype: RecordType,
    ) -> impl Iterator<Item = &'a [u8]> {
        let records = records.iter().filter(move |record| record.rtype == rtype);
        records.map(|record| &self.raw[record.rdata_at..record.rdata_end])
    }

    /// The type of the RRset that a record is packed with.
    fn effective_type(&self, record: &RawRecord) -> RecordType {
        match (record.rtype, self.raw[record.rdata_at..record.rdata_end].first_chunk()) {
            (RecordType::RRSIG, Some(covered)) => RecordType(u16::from_be_bytes(*covered)),
            (rtype, _) => rtype,
        }
    }

    fn check_node(&mut self, name_at: usize, is_apex: bool, records: &[RawRecord]) -> NodeTypes {
        let mut types = NodeTypes::default();
        let (mut cname, mut dname, mut soa, mut other) = (0, 0, 0, None);
        let mut place = Place::default();
        let mut previous: Option<&RawRecord> = None;
        for record in records {
            // The same record twice is one record, here as in the packed node.
            let repeated = previous.is_some_and(|previous| {
                previous.rtype == record.rtype
                    && rdata::is_same(
                        record.rtype,
                        &self.raw[previous.rdata_at..previous.rdata_end],
                        &self.raw[record.rdata_at..record.rdata_end],
                    )
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
                RecordType::RRSIG
                | RecordType::KEY
                | RecordType::SIG
                | RecordType::NXT
                | RecordType::NSEC3 => {}
                rtype => {
                    types.ns |= rtype == RecordType::NS;
                    other = other.or(Some(rtype));
                }
            }
        }
        let owner = || Name::from_wire(stored_name(&self.names, name_at)).unwrap_or_else(|_| Name::root());
        let mut kinds = Vec::new();
        if cname > 0 {
            if let Some(other) = other.filter(|_| !(is_apex && self.synthesised_apex)) {
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
            self.fault(place, kind);
        }
        types
    }

    fn pack_node(&mut self, name_at: usize, records: &[RawRecord], packer: &mut NodePacker) {
        let mut faults = Vec::new();
        for group in records.chunk_by(|left, right| self.effective_type(left) == self.effective_type(right)) {
            let first = group[0];
            let rtype = self.effective_type(&first);
            if first.rtype == RecordType::RRSIG {
                faults.push((first, Fault::Orphan(rtype)));
                continue;
            }
            let mut seen = Seen::for_records(group.len());
            for record in group {
                let rdata = &self.raw[record.rdata_at..record.rdata_end];
                if group.len() > 1 && !seen.insert(record.rtype, rdata) {
                    faults.push((*record, Fault::Duplicate));
                    continue;
                }
                if record.rtype == RecordType::RRSIG {
                    packer.signature(record.ttl, rdata);
                    continue;
                }
                if record.ttl != first.ttl {
                    faults.push((*record, Fault::Ttl(first.ttl)));
                }
                packer.record(rtype, first.ttl, rdata);
            }
            if let Err(octets) = packer.end_rrset(rtype, first.source) {
                faults.push((first, Fault::Large(octets)));
                packer.reset();
                break;
            }
        }
        for (record, fault) in faults {
            let owner = Name::from_wire(stored_name(&self.names, name_at)).unwrap_or_else(|_| Name::root());
            let rtype = record.rtype;
            let kind = match fault {
                Fault::Orphan(covered) => ZoneFaultKind::OrphanSignature { owner, covered },
                Fault::Duplicate => ZoneFaultKind::Duplicate { owner, rtype },
                Fault::Ttl(ttl) => ZoneFaultKind::TtlDiffers { owner, rtype, ttl, other: record.ttl },
                Fault::Large(octets) => ZoneFaultKind::TooLarge { owner, rtype, octets },
            };
            self.fault(record.place, kind);
        }
    }
}

impl fmt::Debug for ZoneBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zone ")?;
        write_wire(self.apex.as_wire(), f)?;
        write!(f, " being built of {} names", self.nodes.len())
    }
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
    Few(Vec<(RecordType, Cow<'r, [u8]>)>),
    Many(HashSet<(RecordType, Cow<'r, [u8]>)>),
}

impl<'r> Seen<'r> {
    /// Above this, hashing wins.
    const FEW: usize = 32;

    fn for_records(count: usize) -> Self {
        if count <= Self::FEW { Self::Few(Vec::new()) } else { Self::Many(HashSet::with_capacity(count)) }
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

impl RawRecord {
    fn read(raw: &[u8], at: usize) -> Self {
        let u16_at = |offset: usize| u16::from_le_bytes([raw[at + offset], raw[at + offset + 1]]);
        let u32_at = |offset: usize| u32::from(u16_at(offset)) | u32::from(u16_at(offset + 2)) << 16;
        let rdata_at = at + RAW_HEADER_OCTETS;
        Self {
            next: u32_at(0),
            ttl: u32_at(4),
            rtype: RecordType(u16_at(8)),
            source: SourceTag(u16_at(10)),
            place: Place { line: u32_at(12), file: u16_at(16) },
            rdata_at,
            rdata_end: rdata_at + usize::from(u16_at(18)),
        }
    }
}

/// The name at `at`, behind an octet that tells its length.
fn stored_name(names: &[u8], at: usize) -> &[u8] {
    &names[at + 1..=at + usize::from(names[at])]
}

/// NSEC3 records, and signatures over them.
fn is_nsec3(rtype: RecordType, rdata: &[u8]) -> bool {
    rtype == RecordType::NSEC3
        || rtype == RecordType::RRSIG && rdata.starts_with(&RecordType::NSEC3.0.to_be_bytes())
}

/// The hash that the first label of an NSEC3 owner spells in base32hex; `None` if it spells none.
fn nsec3_owner_hash(owner: &[u8]) -> Option<[u8; NSEC3_HASH_OCTETS]> {
    let label = owner.get(1..1 + usize::from(*owner.first()?))?;
    let mut upper = [0u8; 32];
    upper.get_mut(..label.len()).filter(|upper| upper.len() == 32)?.copy_from_slice(label);
    upper.make_ascii_uppercase();
    let mut hash = [0; NSEC3_HASH_OCTETS];
    data_encoding::BASE32HEX_NOPAD.decode_mut(&upper, &mut hash).ok()?;
    Some(hash)
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
mod tests {
    use super::*;

    /// With the limit lowered, since nobody wants to fill 4 GiB: the zone is refused, and told so once.
    #[test]
    fn a_zone_beyond_32_bit_offsets_is_refused() {
        let apex: Name = "example.org".parse().unwrap();
        let mut builder = ZoneBuilder::new(apex.clone());
        builder.octets_max = 100;
        for line in 1..=50 {
            let place = Place { file: 0, line };
            let rdata = [192, 0, 2, line as u8];
            builder.add(apex.as_wire(), RecordType::A, 300, &rdata, SourceTag::default(), place);
        }
        let faults = builder.finish().err().unwrap();
        let too_large: Vec<_> =
            faults.iter().filter(|fault| matches!(fault.kind, ZoneFaultKind::ZoneTooLarge(_))).collect();
        assert_eq!(too_large.len(), 1);
        // Four records of 24 octets fit, and the one that reaches over the limit.
        assert_eq!(too_large[0].place.line, 6);
    }

    #[test]
    fn the_last_record_taken_has_an_offset_of_32_bits() {
        let names_of_one_owner = LABELS_MAX * (1 + NAME_OCTETS_MAX);
        assert!(u32::try_from(OCTETS_MAX + 1 + names_of_one_owner).is_ok());
    }
}
