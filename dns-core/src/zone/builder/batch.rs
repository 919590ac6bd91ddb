//! Records on their way into a zone, sorted by the part of the zone that their owners belong to.

use super::super::base::{NSEC3_HASH_OCTETS, part_of};
use super::super::fault::{Faults, Place, ZoneFaultKind};
use super::super::node::SourceTag;
use super::store::{Buffer, Ref, read_u16, read_u32};
use crate::name::HashedName;
use crate::{Name, RecordType, TTL_MAX, rdata};

/// Records that one thread collects for a [`ZoneBuilder`](super::ZoneBuilder); several are filled at once, and then
/// [appended](super::ZoneBuilder::append) one after the other.
pub struct RecordBatch {
    apex: Name,
    /// There are 2^`bits` parts.
    bits: u32,
    pub(super) parts: Vec<Buffer>,
    pub(super) faults: Faults,
    hashed: HashedName,
    /// The owner of the last record as it was given.
    last_owner: Vec<u8>,
    /// The part that record went to, and whether it was one of an NSEC3 chain.
    last: Option<(usize, bool)>,
    /// Octets that all records take.
    octets: usize,
    pub(super) octets_max: usize,
    is_full: bool,
}

/// A record as it lies in a [`Buffer`]:
///
/// ```text
/// where the next record of the same owner is  u32, NONE: nowhere; set when owners are put together
/// TTL                                         u32
/// line                                        u32
/// type, source, file, octets of the RDATA     u16 each
/// kind                                        u8
/// unless it has the owner of the record before: hash of the owner u64, octets u8, the owner without the apex
/// RDATA
/// ```
#[derive(Clone, Copy)]
pub(super) struct RawRecord<'b> {
    pub ttl: u32,
    pub rtype: RecordType,
    pub source: SourceTag,
    pub place: Place,
    pub rdata: &'b [u8],
}

/// What the pass that puts owners together wants to know of a record.
pub(super) struct RawHead {
    /// `None` if it is that of the record before.
    pub owner: Option<RawOwner>,
    pub rdata_octets: usize,
    /// Octets of the whole record.
    pub octets: usize,
}

/// An owner as it is first named.
pub(super) struct RawOwner {
    pub hash: u64,
    /// Where its name stands, from the beginning of the record on.
    pub name_at: usize,
    /// It is the owner of NSEC3 records, and as such no name of the zone.
    pub nsec3: bool,
}

const HEADER_OCTETS: usize = 21;
/// Where the name begins in a record that has one, its length first.
const NAME_AT: usize = HEADER_OCTETS + 8;
const KIND_AT: usize = 20;
const SAME_OWNER: u8 = 0;
const OWNER: u8 = 1;
const NSEC3_OWNER: u8 = 2;

impl RecordBatch {
    /// `octets_max` is how many octets the records may take, `part_octets` how many in each part are likely.
    pub(super) fn new(apex: Name, bits: u32, part_octets: usize, octets_max: usize) -> Self {
        Self {
            apex,
            bits,
            parts: (0..1 << bits).map(|_| Buffer::expecting(part_octets)).collect(),
            faults: Faults::default(),
            hashed: HashedName::default(),
            last_owner: Vec::new(),
            last: None,
            octets: 0,
            octets_max,
            is_full: false,
        }
    }

    /// Both are of one zone, in as many parts.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        self.apex == other.apex && self.bits == other.bits
    }

    /// Adds what another batch has; `false` if some of it had to be left out because there is too much.
    pub(super) fn append(&mut self, later: Self) -> bool {
        let mut has_room = self.octets + later.octets <= self.octets_max;
        if has_room {
            self.octets += later.octets;
            for (part, later) in self.parts.iter_mut().zip(later.parts) {
                has_room &= part.append(later);
            }
        }
        self.faults.merge(later.faults);
        // What stands last now is not what was added here last.
        self.last = None;
        has_room
    }

    /// Octets that the records take so far.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Adds a record, as [`ZoneBuilder::add`](super::ZoneBuilder::add) does.
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
        // Valid RDATA are no longer than a record says.
        let rdata = &rdata[..rdata.len().min(rdata::RDATA_OCTETS_MAX)];
        let of_nsec3 = is_nsec3(rtype, rdata);
        let (part, nsec3, mut is_same) = match self.last {
            Some((part, false)) if !of_nsec3 && self.last_owner == owner => (part, false, true),
            _ => match self.find_part(owner, of_nsec3, place) {
                Some((part, nsec3)) => (part, nsec3, false),
                None => return,
            },
        };
        if rtype.is_meta() {
            let owner = Name::from_wire(owner).unwrap_or_else(|_| Name::root());
            return self.faults.push(place, ZoneFaultKind::MetaType { owner, rtype });
        }
        let wire = self.hashed.wire();
        let relative = &wire[..wire.len() - self.apex.as_wire().len()];
        let octets_max = NAME_AT + 1 + relative.len() + rdata.len();
        let Some((room, is_new_block)) = self.parts[part].room(octets_max) else {
            self.fail_full(place);
            return;
        };
        // A block is read without those before it.
        is_same &= !is_new_block;
        let ttl = if ttl > TTL_MAX { 0 } else { ttl };
        room[..4].copy_from_slice(&Ref::NONE.to_le_bytes());
        room[4..8].copy_from_slice(&ttl.to_le_bytes());
        room[8..12].copy_from_slice(&place.line.to_le_bytes());
        room[12..14].copy_from_slice(&rtype.0.to_le_bytes());
        room[14..16].copy_from_slice(&source.0.to_le_bytes());
        room[16..18].copy_from_slice(&place.file.to_le_bytes());
        room[18..20].copy_from_slice(&(rdata.len() as u16).to_le_bytes());
        let mut end = HEADER_OCTETS;
        if is_same {
            room[KIND_AT] = SAME_OWNER;
        } else {
            room[KIND_AT] = if nsec3 { NSEC3_OWNER } else { OWNER };
            room[HEADER_OCTETS..NAME_AT]
                .copy_from_slice(&self.hashed.hash(self.hashed.labels()).to_le_bytes());
            room[NAME_AT] = relative.len() as u8;
            end = NAME_AT + 1 + relative.len();
            room[NAME_AT + 1..end].copy_from_slice(relative);
        }
        room[end..end + rdata.len()].copy_from_slice(rdata);
        end += rdata.len();
        self.parts[part].commit(end, !is_same);
        self.octets += end;
        self.last = Some((part, nsec3));
        if !is_same {
            self.last_owner.clear();
            self.last_owner.extend_from_slice(owner);
        }
    }

    /// Hashes the owner and tells which part it belongs to, and whether it is the owner of NSEC3 records alone.
    fn find_part(&mut self, owner: &[u8], of_nsec3: bool, place: Place) -> Option<(usize, bool)> {
        self.last = None;
        let apex_labels = self.apex.label_count();
        // Owners are valid names; one that is not belongs to no zone.
        let in_zone = self.hashed.read(owner).is_ok_and(|octets| octets == owner.len())
            && self.hashed.labels() >= apex_labels
            && self.hashed.suffix(apex_labels) == self.apex.as_wire();
        if !in_zone {
            let owner = Name::from_wire(owner).unwrap_or_else(|_| Name::root());
            let apex = self.apex.clone();
            self.faults.push(place, ZoneFaultKind::OutOfZone { owner, apex });
            return None;
        }
        let labels = self.hashed.labels();
        // Owners of NSEC3 records are no names of the zone ([RFC 5155, section 7.2.8]), unless something else is there.
        let nsec3 = of_nsec3 && labels == apex_labels + 1 && nsec3_owner_hash(self.hashed.wire()).is_some();
        Some((part_of(self.hashed.hash(labels), self.bits), nsec3))
    }

    fn has_room(&mut self, place: Place) -> bool {
        if self.octets > self.octets_max {
            self.fail_full(place);
        }
        !self.is_full
    }

    /// The first record that finds no room is a fault.
    fn fail_full(&mut self, place: Place) {
        if !std::mem::replace(&mut self.is_full, true) {
            self.faults.push(place, ZoneFaultKind::ZoneTooLarge(self.apex.clone()));
        }
    }
}

impl<'b> RawRecord<'b> {
    /// Reads the record at the front of the octets; tells as well where the next one of its owner is.
    pub(super) fn read(octets: &'b [u8]) -> (Self, u32) {
        let head = RawHead::read(octets);
        let record = Self {
            ttl: read_u32(octets, 4),
            rtype: RecordType(read_u16(octets, 12)),
            source: SourceTag(read_u16(octets, 14)),
            place: Place { line: read_u32(octets, 8), file: read_u16(octets, 16) },
            rdata: &octets[head.octets - head.rdata_octets..head.octets],
        };
        (record, read_u32(octets, 0))
    }

    /// The type of the RRset that the record is packed with.
    pub(super) fn effective_type(&self) -> RecordType {
        match (self.rtype, self.rdata.first_chunk()) {
            (RecordType::RRSIG, Some(covered)) => RecordType(u16::from_be_bytes(*covered)),
            (rtype, _) => rtype,
        }
    }
}

impl RawHead {
    #[inline]
    pub(super) fn read(octets: &[u8]) -> Self {
        let rdata_octets = usize::from(read_u16(octets, 18));
        let kind = octets[KIND_AT];
        if kind == SAME_OWNER {
            return Self { owner: None, rdata_octets, octets: HEADER_OCTETS + rdata_octets };
        }
        let hash =
            u64::from(read_u32(octets, HEADER_OCTETS)) | u64::from(read_u32(octets, HEADER_OCTETS + 4)) << 32;
        let name_octets = usize::from(octets[NAME_AT]);
        let owner = RawOwner { hash, name_at: NAME_AT, nsec3: kind == NSEC3_OWNER };
        Self { owner: Some(owner), rdata_octets, octets: NAME_AT + 1 + name_octets + rdata_octets }
    }
}

/// NSEC3 records, and signatures over them.
fn is_nsec3(rtype: RecordType, rdata: &[u8]) -> bool {
    rtype == RecordType::NSEC3
        || rtype == RecordType::RRSIG && rdata.starts_with(&RecordType::NSEC3.0.to_be_bytes())
}

/// The hash that the first label of an NSEC3 owner spells in base32hex; `None` if it spells none.
pub(super) fn nsec3_owner_hash(owner: &[u8]) -> Option<[u8; NSEC3_HASH_OCTETS]> {
    let label = owner.get(1..1 + usize::from(*owner.first()?))?;
    let mut upper = [0u8; 32];
    upper.get_mut(..label.len()).filter(|upper| upper.len() == 32)?.copy_from_slice(label);
    upper.make_ascii_uppercase();
    let mut hash = [0; NSEC3_HASH_OCTETS];
    data_encoding::BASE32HEX_NOPAD.decode_mut(&upper, &mut hash).ok()?;
    Some(hash)
}
