//! Writes a reply where it will be sent from.

use dns_core::name::{HashedName, NAME_OCTETS_MAX};
use dns_core::zone::{PackedRrset, RECORD_HEADER_OCTETS, Records};
use dns_core::{Class, RecordType, ResponseCode};

use crate::guard::rules::{Answers, Transformed};
use crate::query::{
    Edns, HEADER_OCTETS, OPTION_COOKIE, OPTION_EDE, OPTION_NSID, OPTION_TCP_KEEPALIVE, skip_name,
};

/// Offsets from here on are out of a compression pointer's reach.
const POINTER_REACH: usize = 0x4000;
/// The two octets of a pointer; the rest is the offset.
const POINTER: u16 = 0xc000;
/// In the third octet of the header ([RFC 1035, section 4.1.1](https://www.rfc-editor.org/rfc/rfc1035#section-4.1.1)).
const QR: u8 = 0x80;
const AA: u8 = 0x04;
const TC: u8 = 0x02;
/// Octets of an OPT record without options.
const OPT_OCTETS: usize = 11;
/// Octets of an option's code and length.
const OPTION_HEAD_OCTETS: usize = 4;
/// Octets of a client cookie and a server cookie together.
const COOKIE_OCTETS: usize = 24;

/// The sections that records are put into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who is responsible, or why there is nothing.
    Authority,
    /// What may save the client a question.
    Additional,
}

/// Why, in more detail than a response code has ([RFC 8914, section 4](https://www.rfc-editor.org/rfc/rfc8914#section-4)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum ExtendedError {
    /// Records were put in the place of others by the operator's will.
    ForgedAnswer = 4,
    /// A rule of the operator stands against it.
    Blocked = 15,
    /// The client is not allowed to ask.
    Prohibited = 18,
    /// No zone of ours has the name.
    NotAuthoritative = 20,
    /// Such requests are not answered here.
    NotSupported = 21,
    /// The zone is ours but could not be loaded.
    InvalidData = 24,
}

/// The records do not fit into the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

/// What stands at the front of each record.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// A name that stands in the message already, at this offset.
    At(usize),
    /// A name that is written out, as far as the apex does not cover it; lower case.
    Name(&'a [u8]),
}

/// The zone that records come from, as the message knows it.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The apex, lower case.
    pub apex: &'a [u8],
    /// Where it stands in the message in one piece, if it does, and within a pointer's reach.
    pub apex_at: Option<u16>,
}

/// A reply in the making. Records that do not fit leave no trace.
pub struct Reply<'b> {
    buffer: &'b mut [u8],
    /// Where the next record goes.
    at: usize,
    /// Where records must end, so that the OPT record still fits.
    limit: usize,
    question_end: usize,
    /// The third and fourth octet of the header, but for the response code.
    flags: [u8; 2],
    counts: [u16; 3],
    rcode: ResponseCode,
    edns: Option<Edns>,
    options: Options<'b>,
    udp_octets: u16,
}

/// EDNS options that go with the reply.
#[derive(Clone, Copy, Debug, Default)]
struct Options<'b> {
    /// There is any.
    any: bool,
    keepalive: Option<u16>,
    nsid: Option<&'b [u8]>,
    cookie: Option<[u8; COOKIE_OCTETS]>,
    error: Option<u16>,
}

impl<'b> Reply<'b> {
    /// Begins a reply with the header and the question of the request.
    ///
    /// The question ends at `question_end`, which is [`HEADER_OCTETS`] if it is not to be repeated; the reply gets no
    /// longer than `octets_max` and the buffer. `udp_octets` is what we announce to take ourselves.
    ///
    /// # Panics
    /// If the buffer or the request is shorter than the question, or than a header.
    #[inline]
    pub fn new(
        buffer: &'b mut [u8],
        request: &[u8],
        question_end: usize,
        octets_max: usize,
        edns: Option<Edns>,
        udp_octets: u16,
    ) -> Self {
        buffer[..question_end].copy_from_slice(&request[..question_end]);
        // Opcode and RD stay; QR goes on, AA, TC, RA, Z and AD off; CD stays.
        let flags = [QR | request[2] & 0x79, request[3] & 0x10];
        let octets_max = octets_max.min(buffer.len());
        let limit = if edns.is_some() { octets_max.saturating_sub(OPT_OCTETS) } else { octets_max };
        Self {
            buffer,
            at: question_end,
            limit,
            question_end,
            flags,
            counts: [0; 3],
            rcode: ResponseCode::NOERROR,
            edns,
            options: Options::default(),
            udp_octets,
        }
    }

    /// Tells the client how long its connection is kept, in units of 100 ms.
    pub fn set_keepalive(&mut self, timeout: u16) {
        if self.options.keepalive.is_none() && self.reserve(size_of_val(&timeout)) {
            self.options.keepalive = Some(timeout);
        }
    }

    /// Tells the client who answers.
    pub fn set_nsid(&mut self, nsid: &'b [u8]) {
        if self.options.nsid.is_none() && self.reserve(nsid.len()) {
            self.options.nsid = Some(nsid);
        }
    }

    /// Gives the client a cookie for its own.
    pub fn set_cookie(&mut self, client: [u8; 8], server: [u8; 16]) {
        if self.options.cookie.is_none() && self.reserve(COOKIE_OCTETS) {
            let mut cookie = [0; COOKIE_OCTETS];
            cookie[..8].copy_from_slice(&client);
            cookie[8..].copy_from_slice(&server);
            self.options.cookie = Some(cookie);
        }
    }

    /// Tells the client why, by a number of the registry of extended errors ([RFC 8914, section 4]); the first one counts.
    /// Left out where the client does not speak EDNS.
    ///
    /// [RFC 8914, section 4]: https://www.rfc-editor.org/rfc/rfc8914#section-4
    pub fn set_error(&mut self, code: ExtendedError) {
        if self.options.error.is_none() && self.reserve(size_of::<u16>()) {
            self.options.error = Some(code as u16);
        }
    }

    /// Keeps room for an option; says whether it will be sent.
    fn reserve(&mut self, octets: usize) -> bool {
        let Some(limit) =
            self.limit.checked_sub(OPTION_HEAD_OCTETS + octets).filter(|limit| *limit >= self.at)
        else {
            return false;
        };
        if self.edns.is_none() {
            return false;
        }
        self.limit = limit;
        self.options.any = true;
        true
    }

    /// Sets the response code.
    #[inline]
    pub fn set_rcode(&mut self, rcode: ResponseCode) {
        self.rcode = rcode;
    }

    /// The response code so far.
    #[inline]
    pub fn rcode(&self) -> ResponseCode {
        self.rcode
    }

    /// Says whether the answer is authoritative.
    #[inline]
    pub fn set_authoritative(&mut self, on: bool) {
        self.flags[0] = self.flags[0] & !AA | if on { AA } else { 0 };
    }

    /// Says that something did not fit, and takes all records back: clients ask again over TCP and must not use
    /// them ([RFC 2181, section 9](https://www.rfc-editor.org/rfc/rfc2181#section-9)).
    pub fn truncate(&mut self) {
        self.flags[0] |= TC;
        self.remove_records();
    }

    /// Takes all records back.
    pub fn remove_records(&mut self) {
        self.at = self.question_end;
        self.counts = [0; 3];
    }

    /// Leaves out what the client has asked for in options, but for the cookie.
    pub fn keep_cookie_only(&mut self) {
        let cookie = self.options.cookie;
        self.options = Options { any: cookie.is_some(), cookie, ..Options::default() };
    }

    /// It says that there is nothing: neither an answer nor a referral, nor an error.
    pub fn is_negative(&self) -> bool {
        let is_success = matches!(self.rcode, ResponseCode::NOERROR | ResponseCode::NXDOMAIN);
        is_success && !self.is_truncated() && self.has_no_answers() && !self.is_referral()
    }

    /// Says that required glue did not fit; the referral itself stays
    /// ([RFC 9471, section 3.1](https://www.rfc-editor.org/rfc/rfc9471#section-3.1)).
    pub fn mark_truncated(&mut self) {
        self.flags[0] |= TC;
    }

    /// TC is set.
    #[inline]
    pub fn is_truncated(&self) -> bool {
        self.flags[0] & TC != 0
    }

    /// The message as far as it is written.
    #[inline]
    pub fn written(&self) -> &[u8] {
        &self.buffer[..self.at]
    }

    /// The RRset, which has no names that are compressed, stands in the section under this owner already. Walks the
    /// message: for chains of aliases, which can come by the same records twice.
    #[cold]
    pub fn has(&self, section: Section, owner: &[u8], rrset: &PackedRrset<'_>) -> bool {
        let Some(wanted) = Records::new(rrset.records).next() else { return false };
        let count_of = |sections: &[u16]| sections.iter().copied().map(usize::from).sum::<usize>();
        let first = count_of(&self.counts[..section as usize]);
        let mut rest = &self.written()[self.question_end..];
        for index in 0..count_of(&self.counts[..=section as usize]) {
            let owner_at = self.at - rest.len();
            let Some(after_owner) = skip_name(rest) else { return false };
            let mut name = [0u8; NAME_OCTETS_MAX];
            if index >= first
                && after_owner.starts_with(&wanted[2..])
                && read_name(self.written(), owner_at, &mut name)
                    .is_some_and(|name| name.eq_ignore_ascii_case(owner))
            {
                return true;
            }
            let Some(rdlength) = after_owner.get(8..10) else { return false };
            let octets = 10 + usize::from(u16::from_be_bytes([rdlength[0], rdlength[1]]));
            let Some(next) = after_owner.get(octets..) else { return false };
            rest = next;
        }
        false
    }

    /// Writes an RRset, with its signatures if asked; tells where in the message its first record would begin if its
    /// owner took two octets, which is what offsets into `rrset.records` count from.
    ///
    /// # Errors
    /// It does not fit, or is out of a pointer's reach in a message that is too long for that; nothing is written.
    #[inline]
    pub fn put(
        &mut self,
        section: Section,
        rrset: &PackedRrset<'_>,
        owner: Owner<'_>,
        origin: Origin<'_>,
        signatures: bool,
    ) -> Result<usize, Full> {
        let records = rrset.records;
        let start = self.at;
        if matches!(owner, Owner::At(HEADER_OCTETS))
            && !rrset.has_patches()
            && (!signatures || rrset.signatures.is_empty())
        {
            // Most answers: ready as they stand.
            self.put_ready(section, records, rrset.count)?;
            return Ok(start);
        }
        let with_signatures = if signatures { rrset.signatures } else { &[] };
        let owner_octets = match owner {
            Owner::At(_) => 2,
            Owner::Name(name) => self.put_name(name, origin)?,
        };
        let copy_at = start + owner_octets - 2;
        let middle = copy_at + records.len();
        let end = middle + with_signatures.len();
        if end > self.limit {
            return Err(Full);
        }
        // The first two octets of the first record are its owner, which is there already if it was written out.
        self.buffer[copy_at + 2..middle].copy_from_slice(&records[2..]);
        if !with_signatures.is_empty() {
            self.buffer[middle..end].copy_from_slice(with_signatures);
        }
        let (owner_at, mut at) = match owner {
            Owner::At(at) => (self.pointer_target(at), copy_at),
            Owner::Name(_) => {
                (self.pointer_target(start), copy_at + Records::new(records).next().map_or(0, <[u8]>::len))
            }
        };
        if owner_at >= POINTER_REACH {
            return self.put_expanded(section, rrset, owner, origin, signatures);
        }
        let pointer = (POINTER | owner_at as u16).to_be_bytes();
        let written = &mut self.buffer[..end];
        while let Some(header) = written[at..].first_chunk_mut::<RECORD_HEADER_OCTETS>() {
            header[..2].copy_from_slice(&pointer);
            at += RECORD_HEADER_OCTETS + usize::from(u16::from_be_bytes([header[10], header[11]]));
        }
        if rrset.has_patches() {
            let patched = origin
                .apex_at
                .is_some_and(|apex_at| rrset.patch(&mut self.buffer[copy_at..middle], apex_at, copy_at));
            if !patched {
                return self.put_expanded(section, rrset, owner, origin, signatures);
            }
        }
        self.at = end;
        let signature_count = if with_signatures.is_empty() { 0 } else { rrset.signature_count() };
        self.counts[section as usize] += rrset.count + signature_count;
        Ok(copy_at)
    }

    /// As [`put`](Self::put) without any compression in RDATA, for the rare message in which pointers have nothing to
    /// point to or do not reach.
    #[cold]
    fn put_expanded(
        &mut self,
        section: Section,
        rrset: &PackedRrset<'_>,
        owner: Owner<'_>,
        origin: Origin<'_>,
        signatures: bool,
    ) -> Result<usize, Full> {
        let start = self.at;
        let mut name = [0u8; NAME_OCTETS_MAX];
        let owner: &[u8] = match owner {
            Owner::Name(owner) => owner,
            Owner::At(at) => read_name(&self.buffer[..start], at, &mut name).ok_or(Full)?,
        };
        let mut full = false;
        let mut put_record = |reply: &mut Self, header: &[u8], rdata: &[u8]| {
            let octets = owner.len() + 10 + rdata.len();
            if full || reply.at + octets > reply.limit {
                full = true;
                return;
            }
            let record = &mut reply.buffer[reply.at..reply.at + octets];
            record[..owner.len()].copy_from_slice(owner);
            record[owner.len()..owner.len() + 8].copy_from_slice(&header[2..10]);
            record[owner.len() + 8..owner.len() + 10].copy_from_slice(&(rdata.len() as u16).to_be_bytes());
            record[owner.len() + 10..].copy_from_slice(rdata);
            reply.at += octets;
        };
        rrset.for_each_rdata(origin.apex, |rdata| put_record(self, rrset.records, rdata));
        if signatures {
            for signature in Records::new(rrset.signatures) {
                put_record(self, signature, &signature[RECORD_HEADER_OCTETS..]);
            }
        }
        if full {
            self.at = start;
            return Err(Full);
        }
        self.counts[section as usize] += rrset.count + if signatures { rrset.signature_count() } else { 0 };
        Ok(start + owner.len() - 2)
    }

    /// Writes the CNAME record that a DNAME record stands for; its owner stands at `owner_at`. Tells where its target stands.
    pub fn put_cname(&mut self, owner_at: usize, ttl: u32, target: &[u8]) -> Result<usize, Full> {
        self.put_record(owner_at, RecordType::CNAME, Class::IN, ttl, target)
    }

    /// Writes a record into the answer section; its owner stands at `owner_at`. Tells where its RDATA stands.
    fn put_record(
        &mut self,
        owner_at: usize,
        rtype: RecordType,
        class: Class,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<usize, Full> {
        let pointer_to = self.pointer_target(owner_at);
        let mut name = [0u8; NAME_OCTETS_MAX];
        let pointer = (POINTER | pointer_to as u16).to_be_bytes();
        let owner = if pointer_to < POINTER_REACH {
            &pointer[..]
        } else {
            read_name(self.written(), owner_at, &mut name).ok_or(Full)?
        };
        let [rtype, class] = [rtype.0, class.0].map(u16::to_be_bytes);
        let rdlength = (rdata.len() as u16).to_be_bytes();
        let parts = [owner, &rtype, &class, &ttl.to_be_bytes(), &rdlength, rdata];
        let end = self.at + parts.iter().map(|part| part.len()).sum::<usize>();
        if end > self.limit {
            return Err(Full);
        }
        for part in parts {
            self.buffer[self.at..self.at + part.len()].copy_from_slice(part);
            self.at += part.len();
        }
        self.counts[Section::Answer as usize] += 1;
        Ok(end - rdata.len())
    }

    /// Records of the authority section stand alone, and we are not the authority.
    #[inline]
    pub fn is_referral(&self) -> bool {
        self.counts[Section::Answer as usize] == 0
            && self.counts[Section::Authority as usize] > 0
            && self.flags[0] & AA == 0
    }

    /// Writes a TXT record for the name of the question, which nobody is to keep.
    pub fn put_text(&mut self, class: Class, rdata: &[u8]) -> Result<(), Full> {
        self.put_record(HEADER_OCTETS, RecordType::TXT, class, 0, rdata).map(drop)
    }

    /// Writes records of the name of the question that are ready to be copied, with pointers to it as their owners.
    #[inline]
    pub fn put_ready(&mut self, section: Section, records: &[u8], count: u16) -> Result<(), Full> {
        let end = self.at + records.len();
        if end > self.limit {
            return Err(Full);
        }
        self.buffer[self.at..end].copy_from_slice(records);
        self.at = end;
        self.counts[section as usize] += count;
        Ok(())
    }

    /// The answer section has no records.
    pub fn has_no_answers(&self) -> bool {
        self.counts[Section::Answer as usize] == 0
    }

    /// Has the answer section changed; says whether nothing is left of it but aliases, if that.
    pub fn transform(&mut self, change: impl FnOnce(Answers<'_>) -> Transformed) -> bool {
        let count = &mut self.counts[Section::Answer as usize];
        if *count == 0 {
            return false;
        }
        let message = &mut self.buffer[..self.at];
        let transformed = change(Answers { message, answers_at: self.question_end, count });
        self.at = transformed.end;
        transformed.emptied
    }

    /// Ends the reply: header and OPT record. Tells its length.
    #[inline]
    pub fn finish(&mut self) -> usize {
        let (buffer, mut at, mut counts) = (&mut *self.buffer, self.at, self.counts);
        if let Some(edns) = self.edns {
            let [[rtype_0, rtype_1], [octets_0, octets_1]] =
                [RecordType::OPT.0, self.udp_octets].map(u16::to_be_bytes);
            let (rcode, dnssec_ok) = ((self.rcode.0 >> 4) as u8, u8::from(edns.dnssec_ok) << 7);
            let opt = [0, rtype_0, rtype_1, octets_0, octets_1, rcode, 0, dnssec_ok, 0, 0, 0];
            buffer[at..at + OPT_OCTETS].copy_from_slice(&opt);
            at += OPT_OCTETS;
            if self.options.any {
                let end = self.options.put(buffer, at);
                buffer[at - 2..at].copy_from_slice(&((end - at) as u16).to_be_bytes());
                at = end;
            }
            counts[Section::Additional as usize] += 1;
        }
        let [flags, more_flags] = self.flags;
        let questions = u8::from(self.question_end > HEADER_OCTETS);
        let [[a0, a1], [n0, n1], [d0, d1]] = counts.map(u16::to_be_bytes);
        // Behind the id, which is the request's.
        let header = [flags, more_flags | self.rcode.0 as u8 & 0x0f, 0, questions, a0, a1, n0, n1, d0, d1];
        buffer[2..HEADER_OCTETS].copy_from_slice(&header);
        at
    }

    /// Writes an owner name, the apex as a pointer where there is one; tells how many octets it takes.
    fn put_name(&mut self, name: &[u8], origin: Origin<'_>) -> Result<usize, Full> {
        let apex_octets = origin.apex.len();
        let (labels, pointer) = match origin.apex_at {
            Some(apex_at) if apex_octets > 1 && name.ends_with(origin.apex) => {
                (&name[..name.len() - apex_octets], Some(apex_at))
            }
            _ => (name, None),
        };
        let octets = labels.len() + if pointer.is_some() { 2 } else { 0 };
        if self.at + octets > self.limit {
            return Err(Full);
        }
        self.buffer[self.at..self.at + labels.len()].copy_from_slice(labels);
        if let Some(pointer) = pointer {
            self.buffer[self.at + labels.len()..self.at + octets]
                .copy_from_slice(&(POINTER | pointer).to_be_bytes());
        }
        Ok(octets)
    }

    /// Where a pointer to the name at `at` should lead: past pointers that stand there themselves.
    fn pointer_target(&self, mut at: usize) -> usize {
        // Pointers lead backwards, so this ends.
        while let [high @ 0xc0..=0xff, low] = self.buffer[at..at + 2] {
            at = usize::from(u16::from_be_bytes([high & 0x3f, low]));
        }
        at
    }
}

impl Options<'_> {
    /// Writes the options; there is room for them. Tells where they end.
    #[cold]
    fn put(&self, buffer: &mut [u8], mut at: usize) -> usize {
        let mut put = |code: u16, value: &[u8]| {
            let end = at + OPTION_HEAD_OCTETS + value.len();
            buffer[at..at + 2].copy_from_slice(&code.to_be_bytes());
            buffer[at + 2..at + 4].copy_from_slice(&(value.len() as u16).to_be_bytes());
            buffer[at + 4..end].copy_from_slice(value);
            at = end;
        };
        if let Some(nsid) = self.nsid {
            put(OPTION_NSID, nsid);
        }
        if let Some(cookie) = &self.cookie {
            put(OPTION_COOKIE, cookie);
        }
        if let Some(timeout) = self.keepalive {
            put(OPTION_TCP_KEEPALIVE, &timeout.to_be_bytes());
        }
        if let Some(error) = self.error {
            put(OPTION_EDE, &error.to_be_bytes());
        }
        at
    }
}

/// Reads the name at `at` in a message of our own making into `name`, following pointers; `None` if it is none.
pub(crate) fn read_name<'n>(
    message: &[u8],
    at: usize,
    name: &'n mut [u8; NAME_OCTETS_MAX],
) -> Option<&'n [u8]> {
    let (mut start, mut octets) = (at, 0);
    // Labels are copied in runs: from one pointer to the next.
    loop {
        let mut end = start;
        let last = loop {
            match *message.get(end)? {
                label @ 1..=63 => end += 1 + usize::from(label),
                last => break last,
            }
        };
        // The root label ends the name and belongs to it.
        let run = message.get(start..end + usize::from(last == 0))?;
        name.get_mut(octets..octets + run.len())?.copy_from_slice(run);
        octets += run.len();
        if last == 0 {
            return Some(&name[..octets]);
        }
        let target = usize::from(u16::from_be_bytes([last & 0x3f, *message.get(end + 1)?]));
        if last < 0xc0 || target >= start {
            return None;
        }
        start = target;
    }
}

/// Where the last `labels` labels of the name at `at` stand in the message, if they do so in one piece and in reach.
pub(crate) fn find_suffix(message: &[u8], at: usize, name: &HashedName, labels: usize) -> Option<u16> {
    let (mut at, mut skip) = (at, name.labels().checked_sub(labels)?);
    loop {
        match *message.get(at)? {
            octets @ 0..=63 => {
                if skip == 0 {
                    break;
                }
                skip -= 1;
                at += 1 + usize::from(octets);
            }
            high => at = usize::from(u16::from_be_bytes([high & 0x3f, *message.get(at + 1)?])),
        }
    }
    let suffix = name.suffix(labels);
    let in_one_piece = message.get(at..at + suffix.len())?.eq_ignore_ascii_case(suffix);
    (in_one_piece && at < POINTER_REACH).then_some(at as u16)
}
