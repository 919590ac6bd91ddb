//! Changes in the answer section of a message that is written already.
//!
//! Addresses of an RRset all have the same size, so they are moved from record to record and the records stay where they
//! are: an owner that is written out stays in front of the pointers that lead to it. Only what is left over behind the
//! last address that stays is cut out, with the signatures, which no longer fit; pointers behind it are put right.

use std::net::IpAddr;

use dns_core::{Class, Network, NetworkMap, RecordType, rdata};

use super::Turn;
use super::order::Order;
use super::turn::Ranked;
use crate::query::skip_name;

/// Octets of type, class, TTL and RDLENGTH.
const FIXED_OCTETS: usize = 10;
/// The two octets of a pointer; the rest is the offset.
const POINTER: u16 = 0xc000;

/// The answer section of a message.
#[derive(Debug)]
pub struct Answers<'a> {
    /// The message from its header to the end of what is written; nothing but records follows the section.
    pub message: &'a mut [u8],
    /// Where the section begins.
    pub answers_at: usize,
    /// How many records it has; less once addresses are left out. What the header says is not looked at.
    pub count: &'a mut u16,
}

/// What became of an answer section.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transformed {
    /// Where the message ends now.
    pub end: usize,
    /// All addresses were left out, and nothing remains but aliases on the way to them: this is NODATA now and wants the
    /// zone's SOA record.
    pub emptied: bool,
}

/// Which addresses are left in.
pub(super) struct AddressFilter {
    /// Only these, if there are any.
    pub keep: Option<NetworkMap<()>>,
    /// Not these.
    pub remove: NetworkMap<()>,
}

impl AddressFilter {
    pub(super) fn new(keep: &[Network], remove: &[Network]) -> Self {
        let map = |networks: &[Network]| networks.iter().map(|network| (*network, ())).collect();
        Self { keep: (!keep.is_empty()).then(|| map(keep)), remove: map(remove) }
    }

    fn admits(&self, address: IpAddr) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep.get(address).is_some())
            && self.remove.get(address).is_none()
    }
}

/// Where the parts of a record stand.
#[derive(Clone, Copy)]
struct RecordAt {
    owner: usize,
    /// Its type, class, TTL and RDLENGTH.
    fixed: usize,
    rdata: usize,
    end: usize,
    rtype: RecordType,
}

/// Addresses of one owner and family, one after the other.
struct Run {
    rtype: RecordType,
    start: usize,
    end: usize,
    count: u16,
}

impl Answers<'_> {
    /// Looks at no more than the first `end` octets from now on.
    pub(super) fn shorten(&mut self, end: usize) {
        let message = std::mem::take(&mut self.message);
        let end = end.min(message.len());
        self.message = &mut message[..end];
    }

    pub(super) fn clamp_ttls(&mut self, min: u32, max: u32) {
        if self.section_end().is_none() {
            return;
        }
        let mut at = self.answers_at;
        for _ in 0..*self.count {
            let Some(record) = record_at(self.message, at) else { return };
            if let Some(ttl) =
                self.message[record.fixed..].get_mut(4..8).and_then(|ttl| ttl.first_chunk_mut())
            {
                *ttl = u32::from_be_bytes(*ttl).clamp(min, max).to_be_bytes();
            }
            at = record.end;
        }
    }

    pub(super) fn order(&mut self, order: &Order, client: IpAddr, turn: &mut Turn) {
        if self.section_end().is_none() {
            return;
        }
        let rotation = if matches!(order, Order::Rotate) { turn.next_rotation() } else { 0 };
        let mut addresses = std::mem::take(&mut turn.addresses);
        let (mut at, mut left) = (self.answers_at, *self.count);
        while left > 0 {
            let Some(run) = run_at(self.message, at, left) else {
                let Some(record) = record_at(self.message, at) else { break };
                at = record.end;
                left -= 1;
                continue;
            };
            if run.count > 1 {
                addresses.clear();
                each_address(self.message, &run, |rdata| {
                    let place = addresses.len();
                    addresses.push(Ranked { key: 0, place, address: address(rdata) });
                });
                order.apply(&mut addresses, client, rotation, turn);
                let mut ordered = addresses.iter();
                each_address(self.message, &run, |rdata| {
                    if let Some(ranked) = ordered.next() {
                        put_address(ranked.address, rdata);
                    }
                });
            }
            at = run.end;
            left -= run.count;
        }
        turn.addresses = addresses;
    }

    pub(super) fn filter(&mut self, filter: &AddressFilter) -> Transformed {
        let mut end = self.message.len();
        let mut emptied = false;
        let Some(following) = self.following() else { return Transformed { end, emptied } };
        let (mut at, mut done) = (self.answers_at, 0);
        while done < *self.count {
            let Some(run) = run_at(&self.message[..end], at, *self.count - done) else {
                let Some(record) = record_at(&self.message[..end], at) else { break };
                at = record.end;
                done += 1;
                continue;
            };
            let kept = pack_kept(self.message, &run, filter);
            at = skip_records(self.message, run.start, kept).unwrap_or(run.start);
            if kept == run.count {
                done += kept;
                continue;
            }
            let (signatures, gone_end) =
                signatures_of(&self.message[..end], &run, *self.count - done - run.count);
            let gone = at..gone_end;
            let removed = run.count - kept + signatures;
            let behind = usize::from(*self.count - done - kept - removed) + following;
            if each_pointer(&mut self.message[..end], gone.end, behind, |target| !gone.contains(target)) {
                self.message.copy_within(gone.end..end, gone.start);
                end -= gone.len();
                each_pointer(&mut self.message[..end], gone.start, behind, |target| {
                    if *target >= gone.end {
                        *target -= gone.len();
                    }
                    true
                });
                *self.count -= removed;
                done += kept;
                emptied |= kept == 0;
            } else {
                // Something behind needs a name that would go. Replies of ours are not made so; still no address gets out.
                let rest = Run { start: at, count: run.count - kept, ..run };
                each_address(self.message, &rest, |rdata| rdata.fill(0));
                done += run.count;
                at = run.end;
            }
        }
        let emptied = emptied && self.has_aliases_only(end);
        Transformed { end, emptied }
    }

    /// How many records stand behind the section; `None` if not all octets up to the end of the message are records.
    fn following(&self) -> Option<usize> {
        let mut at = self.section_end()?;
        let mut count = 0;
        while at < self.message.len() {
            at = record_at(self.message, at)?.end;
            count += 1;
        }
        Some(count)
    }

    /// Where the section ends; `None` if it cannot be read.
    fn section_end(&self) -> Option<usize> {
        skip_records(self.message, self.answers_at, *self.count)
    }

    /// No record in the section is more than a step towards an answer.
    fn has_aliases_only(&self, end: usize) -> bool {
        let mut at = self.answers_at;
        for _ in 0..*self.count {
            match record_at(&self.message[..end], at) {
                Some(RecordAt {
                    rtype: RecordType::CNAME | RecordType::DNAME | RecordType::RRSIG,
                    end,
                    ..
                }) => at = end,
                _ => return false,
            }
        }
        true
    }
}

/// Where compressed names may stand in RDATA: behind so many octets, and how many of them, one after the other.
fn compressed_names(rtype: RecordType) -> (usize, usize) {
    // With the root for every name, they begin where the fields of fixed size before them end.
    let mut names = rdata::embedded_names(rtype, &[0; 8]).filter(|name| name.compressible);
    names.next().map_or((0, 0), |first| (first.range.start, 1 + names.count()))
}

/// Lets `each` see, and change, where the compressed names of so many records lead. False if it says so of one of them, or if a
/// record cannot be read; those behind are then not looked at.
fn each_pointer(
    message: &mut [u8],
    mut at: usize,
    count: usize,
    mut each: impl FnMut(&mut usize) -> bool,
) -> bool {
    for _ in 0..count {
        let Some(record) = record_at(message, at) else { return false };
        let (skipped, names) = compressed_names(record.rtype);
        let mut name_at = record.owner;
        for number in 0..=names {
            // The owner, then those in the RDATA
            if number == 1 {
                name_at = record.rdata + skipped;
            }
            let Some((pointer_at, name_end)) = name_end(&message[..record.end], name_at) else {
                return false;
            };
            if let Some(pointer) =
                pointer_at.and_then(|at| message.get_mut(at..)).and_then(<[u8]>::first_chunk_mut)
            {
                let mut target = usize::from(u16::from_be_bytes(*pointer) & !POINTER);
                if !each(&mut target) {
                    return false;
                }
                *pointer = (POINTER | target as u16).to_be_bytes();
            }
            name_at = name_end;
        }
        at = record.end;
    }
    true
}

/// Where the pointer stands that a name ends with, if it ends with one, and where the name ends.
fn name_end(message: &[u8], mut at: usize) -> Option<(Option<usize>, usize)> {
    loop {
        match *message.get(at)? {
            0 => return Some((None, at + 1)),
            octets @ 1..=63 => at += 1 + usize::from(octets),
            0xc0.. => {
                message.get(at + 1)?;
                return Some((Some(at), at + 2));
            }
            _ => return None,
        }
    }
}

/// Moves the addresses that stay to the front of the run; tells how many there are.
fn pack_kept(message: &mut [u8], run: &Run, filter: &AddressFilter) -> u16 {
    let mut kept = 0;
    let (mut from, mut to) = (run.start, run.start);
    for _ in 0..run.count {
        let (Some(source), Some(target)) = (record_at(message, from), record_at(message, to)) else { break };
        if filter.admits(address(&message[source.rdata..source.end])) {
            message.copy_within(source.rdata..source.end, target.rdata);
            to = target.end;
            kept += 1;
        }
        from = source.end;
    }
    kept
}

/// How many signatures of the run follow it, of so many records at most, and where they end.
fn signatures_of(message: &[u8], run: &Run, left: u16) -> (u16, usize) {
    let (mut count, mut end) = (0, run.end);
    while count < left
        && let Some(record) = record_at(message, end)
        && record.rtype == RecordType::RRSIG
        && message[record.rdata..record.end].starts_with(&run.rtype.0.to_be_bytes())
        && same_name(message, run.start, record.owner)
    {
        count += 1;
        end = record.end;
    }
    (count, end)
}

/// The addresses that begin with the record at `at`, of so many records at most; `None` if that is no address.
fn run_at(message: &[u8], at: usize, left: u16) -> Option<Run> {
    let first = record_at(message, at).filter(|record| is_address(message, record))?;
    let mut run = Run { rtype: first.rtype, start: at, end: first.end, count: 1 };
    while run.count < left
        && let Some(record) = record_at(message, run.end)
        && record.rtype == first.rtype
        && is_address(message, &record)
        && same_name(message, first.owner, record.owner)
    {
        run.count += 1;
        run.end = record.end;
    }
    Some(run)
}

fn is_address(message: &[u8], record: &RecordAt) -> bool {
    let octets = match record.rtype {
        RecordType::A => 4,
        RecordType::AAAA => 16,
        _ => return false,
    };
    record.end - record.rdata == octets && message[record.fixed + 2..].starts_with(&Class::IN.0.to_be_bytes())
}

/// Hands out the RDATA of each record of a run.
fn each_address(message: &mut [u8], run: &Run, mut each: impl FnMut(&mut [u8])) {
    let mut at = run.start;
    for _ in 0..run.count {
        let Some(record) = record_at(message, at) else { return };
        each(&mut message[record.rdata..record.end]);
        at = record.end;
    }
}

/// The address in RDATA of an A or AAAA record.
fn address(rdata: &[u8]) -> IpAddr {
    match <[u8; 4]>::try_from(rdata) {
        Ok(octets) => octets.into(),
        // The length was asked for when the run was found.
        Err(_) => <[u8; 16]>::try_from(rdata).unwrap_or_default().into(),
    }
}

fn put_address(address: IpAddr, rdata: &mut [u8]) {
    match address {
        IpAddr::V4(address) => rdata.copy_from_slice(&address.octets()),
        IpAddr::V6(address) => rdata.copy_from_slice(&address.octets()),
    }
}

/// Where so many records end.
fn skip_records(message: &[u8], mut at: usize, count: u16) -> Option<usize> {
    for _ in 0..count {
        at = record_at(message, at)?.end;
    }
    Some(at)
}

fn record_at(message: &[u8], at: usize) -> Option<RecordAt> {
    let fixed = message.len() - skip_name(message.get(at..)?)?.len();
    let octets = message[fixed..].first_chunk::<FIXED_OCTETS>()?;
    let rdata = fixed + FIXED_OCTETS;
    let end = rdata + usize::from(u16::from_be_bytes([octets[8], octets[9]]));
    let rtype = RecordType(u16::from_be_bytes([octets[0], octets[1]]));
    (end <= message.len()).then_some(RecordAt { owner: at, fixed, rdata, end, rtype })
}

/// Two names in a message are the same, whatever their letter case. Most often both lead to the same octets.
fn same_name(message: &[u8], left: usize, right: usize) -> bool {
    let (mut left, mut right) = (left, right);
    loop {
        let (Some(left_at), Some(right_at)) = (label_at(message, left), label_at(message, right)) else {
            return false;
        };
        if left_at == right_at {
            return true;
        }
        let octets = usize::from(message[left_at]);
        let (left_label, right_label) =
            (message.get(left_at..=left_at + octets), message.get(right_at..=right_at + octets));
        match (left_label, right_label) {
            (Some(left), Some(right)) if left.eq_ignore_ascii_case(right) => {}
            _ => return false,
        }
        if octets == 0 {
            return true;
        }
        (left, right) = (left_at + 1 + octets, right_at + 1 + octets);
    }
}

/// Where the next label of the name at `at` stands, past pointers, which lead backwards.
fn label_at(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0..=63 => return Some(at),
            high @ 0xc0.. => {
                let target = usize::from(u16::from_be_bytes([high & 0x3f, *message.get(at + 1)?]));
                if target >= at {
                    return None;
                }
                at = target;
            }
            _ => return None,
        }
    }
}
