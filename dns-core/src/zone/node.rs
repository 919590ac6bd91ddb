//! One name of a zone with all its RRsets, packed into a run of octets that is ready to be copied into replies.
//!
//! ```text
//! octets of the name  u8   \
//! flags               u8    | header
//! number of RRsets    u16   |
//! number of children  u32  /
//! the name, lower case
//! directory, per RRset: type, source, records, octets of the records, octets of the signatures, patches (u16 each)
//! data, per RRset: its records; the RRSIG records over them; where to patch (u16 each)
//! ```
//!
//! Each record stands there as in a message: an owner (a pointer to offset 12, where the question begins), type, class,
//! TTL, RDLENGTH, RDATA. Names in RDATA of the types that may be compressed ([RFC 3597, section 4]) are compressed
//! already, against the apex of the zone and against names in the same RRset. As nobody knows yet where those will
//! stand in a message, the two octets of such a pointer hold a distance, to be *patched* with a base when the records
//! have been copied: from the apex (`0b11` on top), or from the first octet of the RRset (`0b10`).
//!
//! [RFC 3597, section 4]: https://www.rfc-editor.org/rfc/rfc3597#section-4

use std::ops::Range;

use smallvec::SmallVec;

use crate::rdata;
use crate::rrset::USUAL_OCTETS;
use crate::{Class, Name, RecordType, Rrset};

/// Octets before the name.
const HEADER_OCTETS: usize = 8;
/// Octets of an RRset's entry in the directory.
const ENTRY_OCTETS: usize = 12;
/// Octets of a record before its RDATA: owner pointer, type, class, TTL, RDLENGTH.
pub const RECORD_HEADER_OCTETS: usize = 12;
/// Names of one RRset that later ones are compared with; bounds the work for large RRsets.
const SUFFIXES_MAX: usize = 48;
/// The two octets of a pointer into the message; the rest is the offset.
const POINTER: u16 = 0xc000;
/// A distance from the first octet of the RRset.
const FROM_RRSET: u16 = 0x8000;

/// The most octets that a node takes besides its records, with what rounding up to a multiple of four adds.
pub(super) fn packed_name_octets_max(name_octets: usize) -> usize {
    HEADER_OCTETS + name_octets + 3
}

/// The most octets that a record adds to a node: an RRset of its own, and its RDATA, of which two names at most are
/// compressed. A pointer with its patch takes the place of three octets or more.
pub(super) fn packed_record_octets_max(rdata_octets: usize) -> usize {
    ENTRY_OCTETS + RECORD_HEADER_OCTETS + rdata_octets + 2
}

/// What a node is, beyond its RRsets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flags(pub(super) u8);

impl Flags {
    /// It has NS records and is not the apex.
    pub(super) const CUT: u8 = 1;
    /// A child named `*` exists.
    pub(super) const WILDCARD: u8 = 2;
    /// It has a DNAME record.
    pub(super) const DNAME: u8 = 4;
    /// It has a CNAME record.
    pub(super) const CNAME: u8 = 8;
    /// There is no such name any more; hides what lies below in the overlay.
    pub(super) const GONE: u8 = 16;

    pub(super) fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    pub(super) fn set(&mut self, flag: u8, on: bool) {
        if on { self.0 |= flag } else { self.0 &= !flag }
    }
}

/// A name that exists in a zone, empty non-terminals included.
#[derive(Clone, Copy)]
pub struct Node<'z> {
    octets: &'z [u8],
}

impl<'z> Node<'z> {
    /// `octets` begin with a packed node; more may follow.
    #[inline]
    pub(super) fn new(octets: &'z [u8]) -> Self {
        Self { octets }
    }

    /// The owner name on the wire, lower case.
    #[inline]
    pub fn name(&self) -> &'z [u8] {
        &self.octets[HEADER_OCTETS..HEADER_OCTETS + usize::from(self.octets[0])]
    }

    #[inline]
    pub(super) fn flags(&self) -> Flags {
        Flags(self.octets[1])
    }

    /// The name is delegated: it has NS records and is not the apex.
    #[inline]
    pub fn is_zone_cut(&self) -> bool {
        self.flags().has(Flags::CUT)
    }

    /// The name has a DNAME record, so names below it are aliases.
    #[inline]
    pub fn has_dname(&self) -> bool {
        self.flags().has(Flags::DNAME)
    }

    /// The name has a CNAME record.
    #[inline]
    pub fn has_cname(&self) -> bool {
        self.flags().has(Flags::CNAME)
    }

    /// There is a wildcard directly below the name.
    #[inline]
    pub fn has_wildcard_child(&self) -> bool {
        self.flags().has(Flags::WILDCARD)
    }

    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        self.flags().has(Flags::GONE)
    }

    /// The name has no records and exists for the sake of names below it.
    #[inline]
    pub fn is_empty_non_terminal(&self) -> bool {
        self.rrset_count() == 0
    }

    /// How many RRsets stand at the name.
    #[inline]
    pub fn rrset_count(&self) -> usize {
        usize::from(read_u16(self.octets, 2))
    }

    /// How many names exist directly below.
    pub(super) fn children(&self) -> u32 {
        u32::from_le_bytes([self.octets[4], self.octets[5], self.octets[6], self.octets[7]])
    }

    /// The records of one type.
    #[inline]
    pub fn rrset(&self, rtype: RecordType) -> Option<PackedRrset<'z>> {
        let mut rrsets = self.rrsets();
        while let Some(entry) = rrsets.next_entry() {
            if entry.rtype() == rtype {
                return Some(entry.rrset(&self.octets[rrsets.data..]));
            }
            rrsets.data += entry.octets();
        }
        None
    }

    /// All RRsets, by type in ascending order.
    #[inline]
    pub fn rrsets(&self) -> Rrsets<'z> {
        let directory = HEADER_OCTETS + usize::from(self.octets[0]);
        let data = directory + ENTRY_OCTETS * self.rrset_count();
        Rrsets { octets: self.octets, entry: directory, directory_end: data, data }
    }

    /// Where among the octets of the node the records of one type stand.
    pub(super) fn records_range(&self, rtype: RecordType) -> Option<std::ops::Range<usize>> {
        let mut rrsets = self.rrsets();
        loop {
            let start = rrsets.data;
            let rrset = rrsets.next()?;
            if rrset.rtype == rtype {
                return Some(start..start + rrset.records.len());
            }
        }
    }

    /// The octets of the node, without what follows them.
    pub(super) fn packed(&self) -> &'z [u8] {
        let mut rrsets = self.rrsets();
        while rrsets.next().is_some() {}
        &self.octets[..rrsets.data]
    }

    /// Overwrites flags and number of children of a packed node.
    pub(super) fn set_header(octets: &mut [u8], flags: Flags, children: u32) {
        octets[1] = flags.0;
        octets[4..8].copy_from_slice(&children.to_le_bytes());
    }

    /// How many records stand at the name, signatures not counted.
    pub fn record_count(&self) -> usize {
        self.rrsets().map(|rrset| usize::from(rrset.count)).sum()
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        crate::name::write_wire(self.name(), f)?;
        f.debug_list().entries(self.rrsets().map(|rrset| rrset.rtype)).finish()
    }
}

/// The RRsets of a node; see [`Node::rrsets`].
#[derive(Clone, Debug)]
pub struct Rrsets<'z> {
    octets: &'z [u8],
    entry: usize,
    directory_end: usize,
    data: usize,
}

impl<'z> Rrsets<'z> {
    /// The entry of the next RRset, whose data are still to be passed.
    #[inline]
    fn next_entry(&mut self) -> Option<Entry<'z>> {
        let (entry, _) = self.octets[self.entry..self.directory_end].split_first_chunk()?;
        self.entry += ENTRY_OCTETS;
        Some(Entry(entry))
    }
}

impl<'z> Iterator for Rrsets<'z> {
    type Item = PackedRrset<'z>;

    #[inline]
    fn next(&mut self) -> Option<PackedRrset<'z>> {
        let entry = self.next_entry()?;
        let rrset = entry.rrset(&self.octets[self.data..]);
        self.data += entry.octets();
        Some(rrset)
    }
}

/// What the directory of a node says of one RRset.
#[derive(Clone, Copy)]
struct Entry<'z>(&'z [u8; ENTRY_OCTETS]);

impl<'z> Entry<'z> {
    #[inline]
    fn rtype(self) -> RecordType {
        RecordType(read_u16(self.0, 0))
    }

    /// Octets of its data.
    #[inline]
    fn octets(self) -> usize {
        usize::from(read_u16(self.0, 6))
            + usize::from(read_u16(self.0, 8))
            + 2 * usize::from(read_u16(self.0, 10))
    }

    /// The RRset, whose data begin there.
    #[inline]
    fn rrset(self, data: &'z [u8]) -> PackedRrset<'z> {
        let (records, rest) = data.split_at(usize::from(read_u16(self.0, 6)));
        let (signatures, rest) = rest.split_at(usize::from(read_u16(self.0, 8)));
        let patches = &rest[..2 * usize::from(read_u16(self.0, 10))];
        let source = SourceTag(read_u16(self.0, 2));
        PackedRrset { rtype: self.rtype(), source, count: read_u16(self.0, 4), records, signatures, patches }
    }
}

/// Which source an RRset came from, as the store numbers them; 0 is the one that feeds the whole zone.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SourceTag(pub u16);

impl SourceTag {
    /// SOA and NS records that were made up for a zone that nobody declared: they say nothing of their name.
    pub const SYNTHESISED: Self = Self(1);
}

/// An RRset as it stands in a node: ready to be copied.
#[derive(Clone, Copy, Debug)]
pub struct PackedRrset<'z> {
    /// Type of the records.
    pub rtype: RecordType,
    /// Where they came from.
    pub source: SourceTag,
    /// How many there are, signatures not counted.
    pub count: u16,
    /// The records, each with `C0 0C` as its owner and with pointers still to be patched.
    pub records: &'z [u8],
    /// The RRSIG records over them, in the same form.
    pub signatures: &'z [u8],
    patches: &'z [u8],
}

impl<'z> PackedRrset<'z> {
    /// TTL in seconds.
    #[inline]
    pub fn ttl(&self) -> u32 {
        u32::from_be_bytes([self.records[6], self.records[7], self.records[8], self.records[9]])
    }

    /// The records need patching once they are copied.
    #[inline]
    pub fn has_patches(&self) -> bool {
        !self.patches.is_empty()
    }

    /// Turns the distances in `copy`, a copy of `records`, into pointers.
    ///
    /// `apex_at` is where in the message the apex stands, uncompressed; `copy_at` where the copy begins. Tells whether
    /// all pointers reach their targets; if not, the copy is of no use.
    #[inline]
    pub fn patch(&self, copy: &mut [u8], apex_at: u16, copy_at: usize) -> bool {
        for patch in self.patches.as_chunks::<2>().0 {
            let at = usize::from(u16::from_le_bytes(*patch));
            let distance = u16::from_be_bytes([copy[at], copy[at + 1]]);
            let base = if distance & POINTER == POINTER { usize::from(apex_at) } else { copy_at };
            let target = base + usize::from(distance & !POINTER);
            if target >= usize::from(!POINTER) {
                return false;
            }
            copy[at..at + 2].copy_from_slice(&(POINTER | target as u16).to_be_bytes());
        }
        true
    }

    /// The signatures alone, as an RRset of their own.
    #[must_use]
    pub fn signatures_only(&self) -> PackedRrset<'z> {
        PackedRrset {
            rtype: RecordType::RRSIG,
            source: self.source,
            count: self.signature_count(),
            records: self.signatures,
            signatures: &[],
            patches: &[],
        }
    }

    /// How many RRSIG records there are.
    pub fn signature_count(&self) -> u16 {
        Records { rest: self.signatures }.count() as u16
    }

    /// The RDATA of each RRSIG.
    pub fn signature_rdatas(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        Records { rest: self.signatures }.map(|record| &record[RECORD_HEADER_OCTETS..])
    }

    /// The RDATA of each record, uncompressed, one after the other into `each`.
    pub fn for_each_rdata(&self, apex: &[u8], mut each: impl FnMut(&[u8])) {
        if self.patches.is_empty() {
            for record in (Records { rest: self.records }) {
                each(&record[RECORD_HEADER_OCTETS..]);
            }
            return;
        }
        let mut patches = self
            .patches
            .as_chunks::<2>()
            .0
            .iter()
            .map(|patch| usize::from(u16::from_le_bytes(*patch)))
            .peekable();
        let (mut rdata, mut at) = (Vec::new(), 0);
        for record in (Records { rest: self.records }) {
            let end = at + record.len();
            at += RECORD_HEADER_OCTETS;
            rdata.clear();
            while let Some(patch) = patches.next_if(|&patch| patch < end) {
                rdata.extend_from_slice(&self.records[at..patch]);
                self.expand(apex, patch, &mut rdata);
                at = patch + 2;
            }
            rdata.extend_from_slice(&self.records[at..end]);
            each(&rdata);
            at = end;
        }
    }

    /// Appends the part of a name that the distance at `at` stands for. Targets always lie further ahead, so this ends.
    fn expand(&self, apex: &[u8], at: usize, out: &mut Vec<u8>) {
        let distance = read_be_u16(self.records, at);
        let target = usize::from(distance & !POINTER);
        if distance & POINTER == POINTER {
            out.extend_from_slice(&apex[target..]);
            return;
        }
        let mut at = target;
        loop {
            match self.records[at] {
                0 => return out.push(0),
                octets @ 1..=63 => {
                    let end = at + 1 + usize::from(octets);
                    out.extend_from_slice(&self.records[at..end]);
                    at = end;
                }
                _ => return self.expand(apex, at, out),
            }
        }
    }

    /// The RRset as a value of its own. `owner` is the node's name.
    pub fn to_rrset(&self, owner: Name, apex: &[u8]) -> Rrset {
        // What was packed makes an RRset: packing has the same limits of size and TTL, and packs no value twice.
        let mut octets = SmallVec::<[u8; USUAL_OCTETS]>::new();
        let mut count = 0;
        self.for_each_rdata(apex, |rdata| {
            octets.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
            octets.extend_from_slice(rdata);
            count += 1;
        });
        Rrset::from_checked(owner, self.rtype, self.ttl(), count, &octets)
    }
}

/// Records one after the other, in the form in which nodes keep them.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records of [`PackedRrset::records`] or [`PackedRrset::signatures`], or a copy of them.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let octets = RECORD_HEADER_OCTETS + usize::from(read_be_u16(self.rest, 10));
        let (record, rest) = self.rest.split_at(octets);
        self.rest = rest;
        Some(record)
    }
}

/// Packs nodes of one zone; keeps its buffers from node to node.
pub(super) struct NodePacker {
    apex: Box<[u8]>,
    directory: Vec<u8>,
    data: Vec<u8>,
    /// Where the RRset that is being written begins in `data`.
    rrset_at: usize,
    records: u16,
    /// What records and signatures would take without compression.
    plain_octets: usize,
    signatures_at: Option<usize>,
    patches: Vec<u16>,
    /// Names and their ends that stand in this RRset uncompressed: offset from its first octet, and where in `names` it is.
    suffixes: Vec<(u16, Range<usize>)>,
    /// Names that later ones of the RRset may end with.
    names: Vec<u8>,
    flags: Flags,
}

impl NodePacker {
    pub(super) fn new(apex: &Name) -> Self {
        Self {
            apex: apex.as_wire().into(),
            directory: Vec::new(),
            data: Vec::new(),
            rrset_at: 0,
            records: 0,
            plain_octets: 0,
            signatures_at: None,
            patches: Vec::new(),
            suffixes: Vec::new(),
            names: Vec::new(),
            flags: Flags::default(),
        }
    }

    /// Adds one record; all records of an RRset come one after the other, then its signatures, then [`end_rrset`](Self::end_rrset).
    pub(super) fn record(&mut self, rtype: RecordType, ttl: u32, rdata: &[u8]) {
        debug_assert!(self.signatures_at.is_none(), "records come before signatures");
        // Too many records are too many octets, too: `end_rrset` tells.
        self.records = self.records.saturating_add(1);
        self.plain_octets += RECORD_HEADER_OCTETS + rdata.len();
        let start = self.header(rtype, ttl);
        let mut copied = 0;
        for name in rdata::embedded_names(rtype, rdata) {
            if name.compressible {
                self.data.extend_from_slice(&rdata[copied..name.range.start]);
                self.compressed_name(&rdata[name.range.clone()]);
                copied = name.range.end;
            }
        }
        self.data.extend_from_slice(&rdata[copied..]);
        self.set_rdlength(start);
    }

    /// Adds one RRSIG over the records before it.
    pub(super) fn signature(&mut self, ttl: u32, rdata: &[u8]) {
        self.signatures_at.get_or_insert(self.data.len());
        self.plain_octets += RECORD_HEADER_OCTETS + rdata.len();
        let start = self.header(RecordType::RRSIG, ttl);
        self.data.extend_from_slice(rdata);
        self.set_rdlength(start);
    }

    /// Closes the RRset. On an error (uncompressed it fits no message) the node must be given up; the octets are returned.
    pub(super) fn end_rrset(&mut self, rtype: RecordType, source: SourceTag) -> Result<(), usize> {
        let signatures_at = self.signatures_at.take().unwrap_or(self.data.len());
        let records_octets = signatures_at - self.rrset_at;
        let signatures_octets = self.data.len() - signatures_at;
        // The limit that `Rrset` has as well, so that what is packed can always be unpacked; compressed it is no longer.
        let plain_octets = std::mem::take(&mut self.plain_octets);
        if plain_octets > Rrset::OCTETS_MAX {
            return Err(plain_octets);
        }
        for field in [
            rtype.0,
            source.0,
            self.records,
            records_octets as u16,
            signatures_octets as u16,
            self.patches.len() as u16,
        ] {
            self.directory.extend_from_slice(&field.to_le_bytes());
        }
        for patch in self.patches.drain(..) {
            self.data.extend_from_slice(&patch.to_le_bytes());
        }
        match rtype {
            RecordType::CNAME => self.flags.set(Flags::CNAME, true),
            RecordType::DNAME => self.flags.set(Flags::DNAME, true),
            _ => {}
        }
        self.forget_names();
        self.records = 0;
        self.rrset_at = self.data.len();
        Ok(())
    }

    /// Appends the node to `out` and makes ready for the next.
    pub(super) fn finish(&mut self, name: &[u8], mut flags: Flags, children: u32, out: &mut Vec<u8>) {
        flags.0 |= self.flags.0;
        out.push(name.len() as u8);
        out.push(flags.0);
        out.extend_from_slice(&((self.directory.len() / ENTRY_OCTETS) as u16).to_le_bytes());
        out.extend_from_slice(&children.to_le_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(&self.directory);
        out.extend_from_slice(&self.data);
        self.reset();
    }

    /// Forgets a node that has been begun.
    pub(super) fn reset(&mut self) {
        self.directory.clear();
        self.data.clear();
        self.patches.clear();
        self.forget_names();
        (self.rrset_at, self.records, self.plain_octets, self.signatures_at) = (0, 0, 0, None);
        self.flags = Flags::default();
    }

    fn header(&mut self, rtype: RecordType, ttl: u32) -> usize {
        let start = self.data.len();
        let mut header = [0u8; RECORD_HEADER_OCTETS];
        header[..2].copy_from_slice(&[0xc0, 12]);
        header[2..4].copy_from_slice(&rtype.0.to_be_bytes());
        header[4..6].copy_from_slice(&Class::IN.0.to_be_bytes());
        header[6..10].copy_from_slice(&ttl.to_be_bytes());
        self.data.extend_from_slice(&header);
        start
    }

    fn set_rdlength(&mut self, start: usize) {
        let octets = (self.data.len() - start - RECORD_HEADER_OCTETS) as u16;
        self.data[start + 10..start + 12].copy_from_slice(&octets.to_be_bytes());
    }

    fn compressed_name(&mut self, wire: &[u8]) {
        let mut at = 0;
        while wire[at] != 0 {
            if let Some(distance) = self.find_suffix(&wire[at..]) {
                self.remember(wire, at);
                self.data.extend_from_slice(&wire[..at]);
                self.patches.push((self.data.len() - self.rrset_at) as u16);
                self.data.extend_from_slice(&distance.to_be_bytes());
                return;
            }
            at += 1 + usize::from(wire[at]);
        }
        self.remember(wire, at);
        self.data.extend_from_slice(wire);
    }

    /// The distance to a name that already stands in the apex or in this RRset.
    fn find_suffix(&self, wire: &[u8]) -> Option<u16> {
        if crate::name::is_at_or_below(&self.apex, wire) {
            return Some(POINTER | (self.apex.len() - wire.len()) as u16);
        }
        let is_same = |known: &Range<usize>| self.names[known.clone()].eq_ignore_ascii_case(wire);
        let known = self.suffixes.iter().find(|(_, known)| is_same(known));
        known.map(|(offset, _)| FROM_RRSET | offset)
    }

    fn forget_names(&mut self) {
        self.suffixes.clear();
        self.names.clear();
    }

    /// Notes the name and its ends down to `end`, which are about to be written.
    fn remember(&mut self, wire: &[u8], end: usize) {
        if end == 0 || self.suffixes.len() == SUFFIXES_MAX {
            return;
        }
        let name_at = self.names.len();
        self.names.extend_from_slice(wire);
        let mut at = 0;
        while at < end {
            let offset = self.data.len() - self.rrset_at + at;
            if offset < usize::from(!POINTER) && self.suffixes.len() < SUFFIXES_MAX {
                self.suffixes.push((offset as u16, name_at + at..self.names.len()));
            }
            at += 1 + usize::from(wire[at]);
        }
    }
}

#[inline]
fn read_u16(octets: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([octets[at], octets[at + 1]])
}

#[inline]
fn read_be_u16(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}
