//! From a question to the sections of a reply, in the order of [RFC 1034, section 4.3.2].
//!
//! [RFC 1034, section 4.3.2]: https://www.rfc-editor.org/rfc/rfc1034#section-4.3.2

use std::net::IpAddr;

use dns_core::name::{HashedName, NAME_OCTETS_MAX};
use dns_core::zone::{Node, PackedRrset, RECORD_HEADER_OCTETS, Signing, SourceTag, Zone};
use dns_core::{AnswerPolicy, AnyPolicy, RecordType, ResponseCode, Scope, ZoneEntry, ZoneState};

use crate::Transport;
use crate::additional;
use crate::denial;
use crate::lookup::{Lookup, Outcome, lookup};
use crate::query::HEADER_OCTETS;
use crate::reply::{ExtendedError, Full, Origin, Owner, Reply, Section, find_suffix, read_name};

/// What answering one question needs to know, apart from the question.
#[derive(Clone, Copy)]
pub(crate) struct Answerer<'c> {
    pub policy: &'c AnswerPolicy,
    pub scope: Scope<'c>,
    pub transport: Transport,
    pub qtype: RecordType,
    pub dnssec_ok: bool,
    /// Who asks: zones may be closed to some.
    pub client: IpAddr,
}

/// Names that are read on the way; kept from query to query, as they are too large to be made anew each time.
#[derive(Default)]
pub(crate) struct Scratch {
    /// The name that aliases have led to.
    target: HashedName,
    /// A name that records tell of: a host, a zone cut.
    mentioned: HashedName,
}

/// The name that is being looked up: the question's, or what aliases have led to.
#[derive(Clone, Copy)]
struct Current<'n> {
    name: &'n HashedName,
    /// Where it stands in the message.
    at: usize,
    /// It is the question's.
    is_first: bool,
}

/// What looking one name up has come to.
enum Step<'c> {
    /// The reply is complete.
    Done,
    /// The name is an alias: nothing but answer records has been written, and more may come.
    Alias {
        /// Where the target stands in the message.
        target_at: usize,
        owed: Option<Owed<'c>>,
    },
}

/// A name on the way was made from a wildcard. Why nothing matches it better is to be proven in the authority section,
/// which begins only after the last answer record.
#[derive(Clone, Copy)]
struct Owed<'c> {
    place: Place<'c>,
    /// Where the name stands in the message.
    at: usize,
    encloser_labels: usize,
}

/// A zone with its place in the message.
#[derive(Clone, Copy)]
pub(crate) struct Place<'z> {
    pub zone: &'z Zone,
    pub origin: Origin<'z>,
}

impl<'c> Answerer<'c> {
    /// Answers a question of class IN; `entry` is the zone that has the longest suffix of the name, if there is one.
    #[inline]
    pub fn answer(
        &self,
        qname: &HashedName,
        entry: Option<&'c ZoneEntry>,
        scratch: &mut Scratch,
        reply: &mut Reply<'_>,
    ) {
        let Some(zone) = self.zone_for(entry, reply) else { return };
        let apex_at = HEADER_OCTETS + qname.offset(zone.apex().label_count());
        let origin = Origin { apex: zone.apex().as_wire(), apex_at: Some(apex_at as u16) };
        let current = Current { name: qname, at: HEADER_OCTETS, is_first: true };
        self.begin(entry, Place { zone, origin }, current, scratch, reply);
    }

    /// Answers under the name of the question as if it had been another one. Signatures and proofs are left out: they are
    /// good for that name only.
    #[cold]
    pub fn answer_under(
        self,
        name: &HashedName,
        entry: Option<&'c ZoneEntry>,
        scratch: &mut Scratch,
        reply: &mut Reply<'_>,
    ) {
        if entry.is_some_and(|entry| !entry.admits(self.client)) {
            return fail(reply, ResponseCode::REFUSED, ExtendedError::Prohibited);
        }
        let answerer = Self { dnssec_ok: false, ..self };
        let Some(zone) = answerer.zone_for(entry, reply) else { return };
        let apex_at = find_suffix(reply.written(), HEADER_OCTETS, name, zone.apex().label_count());
        let origin = Origin { apex: zone.apex().as_wire(), apex_at };
        let current = Current { name, at: HEADER_OCTETS, is_first: false };
        answerer.begin(entry, Place { zone, origin }, current, scratch, reply);
    }

    /// Says that there is nothing, whatever there is. Proofs are left out: what is there cannot be proven not to be.
    #[cold]
    pub fn deny(
        &self,
        qname: &HashedName,
        entry: Option<&'c ZoneEntry>,
        rcode: ResponseCode,
        reply: &mut Reply<'_>,
    ) {
        reply.set_rcode(rcode);
        let Some(zone) = entry.and_then(ZoneEntry::zone) else { return };
        reply.set_authoritative(true);
        let apex_at = HEADER_OCTETS + qname.offset(zone.apex().label_count());
        let origin = Origin { apex: zone.apex().as_wire(), apex_at: Some(apex_at as u16) };
        if let Some(soa) = zone.negative_soa()
            && reply.put(Section::Authority, &soa, Owner::At(apex_at), origin, self.dnssec_ok).is_err()
        {
            reply.truncate();
        }
    }

    /// Says that there is nothing where the aliases of the answer lead.
    #[cold]
    pub fn end_chain(&self, scratch: &Scratch, reply: &mut Reply<'_>) {
        let end =
            find_zone(self.scope, &scratch.target, self.qtype).filter(|entry| entry.admits(self.client));
        let Some(zone) = end.and_then(ZoneEntry::zone) else { return };
        let origin = Origin { apex: zone.apex().as_wire(), apex_at: None };
        if let Some(soa) = zone.negative_soa() {
            let owner = Owner::Name(origin.apex);
            // Without it the answer is right, and only kept for less long.
            let _ = reply.put(Section::Authority, &soa, owner, origin, self.dnssec_ok);
        }
    }

    /// The zone to answer from, unless the reply is an error.
    #[inline]
    fn zone_for(&self, entry: Option<&'c ZoneEntry>, reply: &mut Reply<'_>) -> Option<&'c Zone> {
        let (rcode, why) = match entry.map(|entry| &entry.state) {
            Some(ZoneState::Serving(zone)) => match check_qtype(self.qtype) {
                Ok(()) => return Some(zone),
                Err(rcode) => (rcode, ExtendedError::NotSupported),
            },
            Some(ZoneState::Failed(_)) => (ResponseCode::SERVFAIL, ExtendedError::InvalidData),
            None => (ResponseCode::REFUSED, ExtendedError::NotAuthoritative),
        };
        fail(reply, rcode, why);
        None
    }

    #[inline]
    fn begin(
        &self,
        entry: Option<&'c ZoneEntry>,
        place: Place<'c>,
        current: Current<'_>,
        scratch: &mut Scratch,
        reply: &mut Reply<'_>,
    ) {
        reply.set_authoritative(true);
        let done = match self.step(place, current, &[], &mut scratch.mentioned, reply) {
            Ok(Step::Done) => Ok(()),
            Ok(Step::Alias { target_at, owed }) => {
                self.follow(entry, current.name, target_at, owed, scratch, reply)
            }
            Err(full) => Err(full),
        };
        if done == Err(Full) {
            reply.truncate();
        }
    }

    /// Follows aliases until they end, leave our zones, come back to where they were, or become too many.
    // Apart from the common answer, which needs none of this.
    #[inline(never)]
    fn follow(
        &self,
        mut entry: Option<&'c ZoneEntry>,
        qname: &HashedName,
        target_at: usize,
        owed: Option<Owed<'c>>,
        scratch: &mut Scratch,
        reply: &mut Reply<'_>,
    ) -> Result<(), Full> {
        const DEPTH_LIMIT: usize = AnswerPolicy::CNAME_DEPTH_LIMIT as usize;
        let Scratch { target, mentioned } = scratch;
        let mut visited = [0u64; DEPTH_LIMIT + 1];
        visited[0] = qname.hash(qname.labels());
        // Stays without an allocation, unless a signed alias was made from a wildcard.
        let mut all_owed = Vec::new();
        all_owed.extend(owed);
        let mut depth = usize::from(self.policy.max_cname_depth).min(DEPTH_LIMIT);
        if !self.policy.resolve_cname_chain {
            depth = 0;
        }
        let mut at = target_at;
        let mut wire = [0u8; NAME_OCTETS_MAX];
        for followed in 1..=depth {
            let is_name =
                read_name(reply.written(), at, &mut wire).is_some_and(|name| target.read(name).is_ok());
            if !is_name {
                break;
            }
            let hash = target.hash(target.labels());
            if visited[..followed].contains(&hash) {
                break;
            }
            visited[followed] = hash;
            entry = find_zone_from(entry, self.scope, target, self.qtype);
            // What the client may not ask for it is not told by a detour either.
            let zone = match entry.filter(|entry| entry.admits(self.client)).map(|entry| &entry.state) {
                None => break,
                Some(ZoneState::Failed(_)) => {
                    fail(reply, ResponseCode::SERVFAIL, ExtendedError::InvalidData);
                    break;
                }
                Some(ZoneState::Serving(zone)) => zone,
            };
            let apex_at = find_suffix(reply.written(), at, target, zone.apex().label_count());
            let origin = Origin { apex: zone.apex().as_wire(), apex_at };
            let current = Current { name: target, at, is_first: false };
            match self.step(Place { zone, origin }, current, &all_owed, mentioned, reply)? {
                Step::Done => return Ok(()),
                Step::Alias { target_at, owed } => {
                    at = target_at;
                    all_owed.extend(owed);
                }
            }
        }
        prove_syntheses(&all_owed, mentioned, reply)
    }

    /// Looks one name up and writes what comes of it. `owed` are the proofs for the names before it in the chain.
    #[inline]
    fn step(
        &self,
        place: Place<'c>,
        current: Current<'_>,
        owed: &[Owed<'c>],
        mentioned: &mut HashedName,
        reply: &mut Reply<'_>,
    ) -> Result<Step<'c>, Full> {
        let Place { zone, origin } = place;
        let found = lookup(zone, current.name, self.qtype);
        let owner = Owner::At(current.at);
        match found.outcome {
            Outcome::Answer(rrset) if is_repeated(&rrset, current, reply) => {
                prove_syntheses(owed, mentioned, reply)?;
            }
            Outcome::Answer(rrset) => {
                let copy_at = reply.put(Section::Answer, &rrset, owner, origin, self.dnssec_ok)?;
                prove_syntheses(owed, mentioned, reply)?;
                self.prove_synthesis(place, current, &found, reply)?;
                if !self.policy.minimal_responses {
                    additional::add_targets(self, place, &rrset, (current.at, copy_at), mentioned, reply);
                }
            }
            Outcome::Node(node) => {
                if self.qtype == RecordType::ANY && self.is_refused_any() {
                    return Err(Full);
                }
                self.whole_node(place, current, node, reply)?;
                prove_syntheses(owed, mentioned, reply)?;
                self.prove_synthesis(place, current, &found, reply)?;
            }
            Outcome::Alias(cname) => {
                let copy_at = reply.put(Section::Answer, &cname, owner, origin, self.dnssec_ok)?;
                let is_owed = found.wildcard.is_some() && self.has_proofs(zone);
                let owed =
                    is_owed.then_some(Owed { place, at: current.at, encloser_labels: found.encloser_labels });
                return Ok(Step::Alias { target_at: copy_at + RECORD_HEADER_OCTETS, owed });
            }
            Outcome::Redirect(node, dname) => {
                let owner = owner_of(node, &found, current, reply);
                if let Some(target_at) = self.redirect(place, current, node, owner, &dname, reply)? {
                    return Ok(Step::Alias { target_at, owed: None });
                }
                prove_syntheses(owed, mentioned, reply)?;
            }
            Outcome::NxDomain | Outcome::NoData => {
                if matches!(found.outcome, Outcome::NxDomain) {
                    reply.set_rcode(ResponseCode::NXDOMAIN);
                }
                prove_syntheses(owed, mentioned, reply)?;
                self.negative(place, current, &found, reply)?;
            }
            Outcome::Referral(cut) => {
                if current.at == HEADER_OCTETS {
                    reply.set_authoritative(false);
                }
                prove_syntheses(owed, mentioned, reply)?;
                let owner = owner_of(cut, &found, current, reply);
                self.refer(place, current, cut, owner, mentioned, reply)?;
            }
        }
        Ok(Step::Done)
    }

    /// ANY is not answered over UDP, so that nobody can have large answers sent to others
    /// ([RFC 8482, section 4.4](https://www.rfc-editor.org/rfc/rfc8482#section-4.4)).
    fn is_refused_any(&self) -> bool {
        self.policy.any == AnyPolicy::Tcp && self.transport == Transport::Udp
    }

    /// The client wants to know why things are not there, and the zone can tell.
    #[inline]
    fn has_proofs(&self, zone: &Zone) -> bool {
        self.dnssec_ok && *zone.signing() != Signing::Unsigned
    }

    /// The answer was made from a wildcard: proves that there was nothing closer.
    #[inline]
    fn prove_synthesis(
        &self,
        place: Place<'c>,
        current: Current<'_>,
        found: &Lookup<'c>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Full> {
        if found.wildcard.is_some() && self.has_proofs(place.zone) {
            denial::Proof::new(place, !current.is_first, reply)
                .wildcard_answer(current.name, found.encloser_labels)?;
        }
        Ok(())
    }

    /// SOA record, and why there is nothing.
    fn negative(
        &self,
        place: Place<'c>,
        current: Current<'_>,
        found: &Lookup<'c>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Full> {
        let is_nxdomain = matches!(found.outcome, Outcome::NxDomain);
        let with_soa = !is_nxdomain || self.policy.return_soa_on_nxdomain;
        if let Some(soa) = place.zone.negative_soa().filter(|_| with_soa) {
            let owner = match place.origin.apex_at {
                Some(apex_at) => Owner::At(usize::from(apex_at)),
                None => Owner::Name(place.origin.apex),
            };
            reply.put(Section::Authority, &soa, owner, place.origin, self.dnssec_ok)?;
        }
        if self.has_proofs(place.zone) {
            let mut proof = denial::Proof::new(place, !current.is_first, reply);
            if is_nxdomain || found.wildcard.is_some() {
                proof.no_name(current.name, found.encloser_labels)?;
            } else {
                proof.no_type(current.name)?;
            }
        }
        Ok(())
    }

    /// Answers with a DNAME record and the CNAME record it stands for ([RFC 6672, section 3.2]); tells where the target
    /// stands in the message, if it is to be followed.
    ///
    /// [RFC 6672, section 3.2]: https://www.rfc-editor.org/rfc/rfc6672#section-3.2
    fn redirect(
        &self,
        place: Place<'c>,
        current: Current<'_>,
        node: Node<'c>,
        owner: Owner<'_>,
        dname: &PackedRrset<'c>,
        reply: &mut Reply<'_>,
    ) -> Result<Option<usize>, Full> {
        // A chain may come by the same record twice; an RRset is a set (RFC 2181, section 5).
        if current.is_first || !reply.has(Section::Answer, node.name(), dname) {
            reply.put(Section::Answer, dname, owner, place.origin, self.dnssec_ok)?;
        }
        let name = current.name.wire();
        let prefix = &name[..name.len() - node.name().len()];
        let mut target = [0u8; NAME_OCTETS_MAX];
        let mut octets = Some(0);
        dname.for_each_rdata(place.origin.apex, |rdata| {
            let end = prefix.len() + rdata.len();
            octets = target.get_mut(..end).map(|target| {
                let prefix = as_received(reply.written(), &current, prefix.len()).unwrap_or(prefix);
                target[..prefix.len()].copy_from_slice(prefix);
                target[prefix.len()..].copy_from_slice(rdata);
                end
            });
        });
        let Some(octets) = octets else {
            reply.set_rcode(ResponseCode::YXDOMAIN);
            return Ok(None);
        };
        let target_at = reply.put_cname(current.at, dname.ttl(), &target[..octets])?;
        Ok((self.qtype != RecordType::CNAME).then_some(target_at))
    }

    /// Sends the client to the servers of a child zone.
    fn refer(
        &self,
        place: Place<'c>,
        current: Current<'_>,
        cut: Node<'c>,
        owner: Owner<'_>,
        mentioned: &mut HashedName,
        reply: &mut Reply<'_>,
    ) -> Result<(), Full> {
        let Some(ns) = cut.rrset(RecordType::NS) else { return Ok(()) };
        let copy_at = reply.put(Section::Authority, &ns, owner, place.origin, false)?;
        if self.has_proofs(place.zone) {
            if let Some(ds) = cut.rrset(RecordType::DS) {
                reply.put(Section::Authority, &ds, owner, place.origin, true)?;
            } else if mentioned.read(cut.name()).is_ok() {
                // It is the cut that has no DS records: what was asked for may lie below it.
                denial::Proof::new(place, !current.is_first, reply).no_type(mentioned)?;
            }
        }
        additional::add_glue(self, place, cut, &ns, copy_at, mentioned, reply);
        Ok(())
    }

    /// Answers ANY, or RRSIG, from all that stands at a name.
    #[cold]
    fn whole_node(
        &self,
        place: Place<'c>,
        current: Current<'_>,
        node: Node<'c>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Full> {
        let owner = Owner::At(current.at);
        for rrset in node.rrsets() {
            if is_repeated(&rrset, current, reply) && (self.dnssec_ok || self.qtype == RecordType::ANY) {
                continue;
            }
            if self.qtype == RecordType::RRSIG {
                let only = rrset.signatures_only();
                if !only.records.is_empty() {
                    reply.put(Section::Answer, &only, owner, place.origin, false)?;
                }
                continue;
            }
            reply.put(Section::Answer, &rrset, owner, place.origin, self.dnssec_ok)?;
            // RFC 8482, section 4.1: one RRset is enough.
            if self.policy.any == AnyPolicy::Minimal {
                break;
            }
        }
        Ok(())
    }
}

/// Proves what is owed for names on the way here.
#[inline]
fn prove_syntheses(owed: &[Owed<'_>], mentioned: &mut HashedName, reply: &mut Reply<'_>) -> Result<(), Full> {
    for owed in owed {
        let mut wire = [0u8; NAME_OCTETS_MAX];
        let name = read_name(reply.written(), owed.at, &mut wire);
        if name.is_some_and(|name| mentioned.read(name).is_ok()) {
            denial::Proof::new(owed.place, true, reply).wildcard_answer(mentioned, owed.encloser_labels)?;
        }
    }
    Ok(())
}

/// The RRset stands in the answer already: a DNAME record can lead to its own owner.
#[inline]
fn is_repeated(rrset: &PackedRrset<'_>, current: Current<'_>, reply: &Reply<'_>) -> bool {
    !current.is_first
        && rrset.rtype == RecordType::DNAME
        && reply.has(Section::Answer, current.name.wire(), rrset)
}

/// Types that no zone can answer for.
pub(crate) fn check_qtype(qtype: RecordType) -> Result<(), ResponseCode> {
    match qtype {
        // Transfers have their own way and nobody is allowed them here.
        RecordType::AXFR | RecordType::IXFR => Err(ResponseCode::REFUSED),
        RecordType::MAILA | RecordType::MAILB | RecordType::TKEY => Err(ResponseCode::NOTIMP),
        RecordType::ANY => Ok(()),
        // RFC 9824, section 3.5, for NXNAME; the rest are no types of questions.
        qtype if qtype.is_meta() || qtype.0 == 0 => Err(ResponseCode::FORMERR),
        _ => Ok(()),
    }
}

/// As [`find_zone`], beginning with a zone of the same view, which mostly is the one: that of the question before, or of the
/// alias.
#[inline]
pub(crate) fn find_zone_from<'c>(
    last: Option<&'c ZoneEntry>,
    scope: Scope<'c>,
    name: &HashedName,
    qtype: RecordType,
) -> Option<&'c ZoneEntry> {
    match last {
        Some(last) if qtype != RecordType::DS && scope.is_plainly_in(last, name, name.labels()) => Some(last),
        _ => find_zone(scope, name, qtype),
    }
}

/// The zone that answers for a name and type: the one with the longest suffix, but for DS at its apex its parent, if we
/// have that ([RFC 4035, section 3.1.4.1]).
///
/// [RFC 4035, section 3.1.4.1]: https://www.rfc-editor.org/rfc/rfc4035#section-3.1.4.1
#[inline]
pub(crate) fn find_zone<'c>(scope: Scope<'c>, name: &HashedName, qtype: RecordType) -> Option<&'c ZoneEntry> {
    let entry = scope.find(name, name.labels())?;
    if qtype == RecordType::DS && entry.apex.label_count() == name.labels() && name.labels() > 0 {
        return Some(scope.find(name, name.labels() - 1).unwrap_or(entry));
    }
    if entry.derived && scope.shared.is_some() && lacks(entry, name) {
        return Some(scope.behind(entry, name, name.labels()).unwrap_or(entry));
    }
    Some(entry)
}

/// A zone that nobody declared has nothing of its own at the name: what was made up for its apex does not count, nor do
/// names that only stand above others.
#[cold]
fn lacks(entry: &ZoneEntry, name: &HashedName) -> bool {
    let Some(zone) = entry.zone() else { return false };
    match lookup(zone, name, RecordType::ANY).outcome {
        Outcome::NxDomain | Outcome::NoData => true,
        Outcome::Node(node) => node.rrsets().all(|rrset| rrset.source == SourceTag::SYNTHESISED),
        _ => false,
    }
}

/// Ends a reply that has no records.
#[cold]
fn fail(reply: &mut Reply<'_>, rcode: ResponseCode, why: ExtendedError) {
    reply.set_rcode(rcode);
    reply.set_error(why);
}

/// How a cut, or the owner of a DNAME record, is written: it is an ancestor-or-self of the name that was looked up, so
/// that it mostly stands in the message already.
fn owner_of<'z>(node: Node<'z>, found: &Lookup<'_>, current: Current<'_>, reply: &Reply<'_>) -> Owner<'z> {
    find_suffix(reply.written(), current.at, current.name, found.encloser_labels)
        .map_or(Owner::Name(node.name()), |at| Owner::At(usize::from(at)))
}

/// The first octets of the current name as they stand in the message, in the client's letter case.
fn as_received<'m>(message: &'m [u8], current: &Current<'_>, octets: usize) -> Option<&'m [u8]> {
    let received = message.get(current.at..current.at + octets)?;
    received.eq_ignore_ascii_case(&current.name.wire()[..octets]).then_some(received)
}
