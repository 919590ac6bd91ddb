//! Addresses that save the client a question.

use dns_core::RecordType;
use dns_core::name::{HashedName, NAME_OCTETS_MAX, is_at_or_below};
use dns_core::rdata;
use dns_core::zone::{Node, PackedRrset, RECORD_HEADER_OCTETS, Records};

use crate::answer::{Answerer, Place};
use crate::reply::{Owner, Reply, Section, read_name};

/// Names that get addresses in one reply; more would not fit anyway.
const TARGETS_MAX: usize = 32;

/// Adds the addresses of the hosts that an RRset of the answer names, as far as there is room.
#[inline]
pub(crate) fn add_targets(
    answerer: &Answerer<'_>,
    place: Place<'_>,
    rrset: &PackedRrset<'_>,
    copy_at: usize,
    reply: &mut Reply<'_>,
) {
    if !names_hosts(rrset.rtype) {
        return;
    }
    let mut targets = Targets::default();
    targets.collect(place, rrset, copy_at, reply);
    for target in targets.found() {
        if !target.is_below_cut && target.put(answerer, place, reply).is_err() {
            return;
        }
    }
    // Addresses below a cut are glue: good for NS records of the apex, no authority for anything else.
    for target in targets.found() {
        if target.is_below_cut && rrset.rtype == RecordType::NS && target.put(answerer, place, reply).is_err()
        {
            return;
        }
    }
}

/// Adds the addresses of the servers of a child zone. Those that cannot be found otherwise, because they lie in the child
/// zone itself, are required; the others are added as far as there is room ([RFC 9471, section 3]).
///
/// [RFC 9471, section 3]: https://www.rfc-editor.org/rfc/rfc9471#section-3
pub(crate) fn add_glue(
    answerer: &Answerer<'_>,
    place: Place<'_>,
    cut: Node<'_>,
    ns: &PackedRrset<'_>,
    copy_at: usize,
    reply: &mut Reply<'_>,
) {
    let mut targets = Targets::default();
    targets.collect(place, ns, copy_at, reply);
    for target in targets.found() {
        if is_at_or_below(target.node.name(), cut.name()) && target.put(answerer, place, reply).is_err() {
            return reply.mark_truncated();
        }
    }
    for target in targets.found() {
        // With minimal responses, sibling glue stays: without it the servers may not be found.
        let is_optional = !target.is_below_cut && answerer.policy.minimal_responses;
        if !is_at_or_below(target.node.name(), cut.name())
            && !is_optional
            && target.put(answerer, place, reply).is_err()
        {
            return;
        }
    }
}

/// Records of the type name hosts whose addresses the client will want next.
#[inline]
fn names_hosts(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::NS
            | RecordType::MX
            | RecordType::SRV
            | RecordType::NAPTR
            | RecordType::SVCB
            | RecordType::HTTPS
            | RecordType::AFSDB
            | RecordType::RT
            | RecordType::KX
    )
}

/// A host of the zone that records name.
#[derive(Clone, Copy)]
struct Target<'z> {
    node: Node<'z>,
    /// Where its name stands in the message.
    at: usize,
    is_below_cut: bool,
}

impl Target<'_> {
    fn put(
        &self,
        answerer: &Answerer<'_>,
        place: Place<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), crate::reply::Full> {
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(addresses) = self.node.rrset(rtype) {
                let signatures = answerer.dnssec_ok && !self.is_below_cut;
                reply.put(Section::Additional, &addresses, Owner::At(self.at), place.origin, signatures)?;
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Targets<'z> {
    found: [Option<Target<'z>>; TARGETS_MAX],
    count: usize,
}

impl<'z> Targets<'z> {
    fn found(&self) -> impl Iterator<Item = &Target<'z>> {
        self.found[..self.count].iter().flatten()
    }

    /// Finds the names in the records, which have been copied to `copy_at`.
    fn collect(&mut self, place: Place<'z>, rrset: &PackedRrset<'_>, copy_at: usize, reply: &Reply<'_>) {
        let mut hashed = HashedName::default();
        let mut record_at = copy_at;
        for record in Records::new(rrset.records) {
            let rdata_at = record_at + RECORD_HEADER_OCTETS;
            record_at += record.len();
            match rrset.rtype {
                // These are compressed, so they are read from the message.
                RecordType::NS => self.add(place, reply, rdata_at, &mut hashed),
                RecordType::MX => self.add(place, reply, rdata_at + 2, &mut hashed),
                rtype => {
                    for name in rdata::embedded_names(rtype, &record[RECORD_HEADER_OCTETS..]) {
                        if name.additional {
                            self.add(place, reply, rdata_at + name.range.start, &mut hashed);
                        }
                    }
                }
            }
        }
    }

    fn add(&mut self, place: Place<'z>, reply: &Reply<'_>, at: usize, hashed: &mut HashedName) {
        let mut wire = [0u8; NAME_OCTETS_MAX];
        let Some(name) = read_name(reply.written(), at, &mut wire) else { return };
        if self.count == TARGETS_MAX || !is_at_or_below(name, place.origin.apex) || hashed.read(name).is_err()
        {
            return;
        }
        let Some(node) = place.zone.node(hashed.hash(hashed.labels()), hashed.wire()) else { return };
        if self.found().any(|target| target.node.name() == node.name()) {
            return;
        }
        let mut is_below_cut = node.is_zone_cut();
        let mut above = place.zone.redirect_depths() & !(u128::MAX << hashed.labels());
        while above != 0 {
            let depth = above.trailing_zeros() as usize;
            above &= above - 1;
            is_below_cut |= place
                .zone
                .node(hashed.hash(depth), hashed.suffix(depth))
                .is_some_and(|node| node.is_zone_cut());
        }
        self.found[self.count] = Some(Target { node, at, is_below_cut });
        self.count += 1;
    }
}
