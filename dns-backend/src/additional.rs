//! Addresses that save the client a question.

use dns_core::RecordType;
use dns_core::name::{HashedName, NAME_OCTETS_MAX, is_at_or_below};
use dns_core::rdata;
use dns_core::zone::{Node, PackedRrset, RECORD_HEADER_OCTETS};

use crate::answer::{Answerer, Place};
use crate::query::skip_name;
use crate::reply::{Full, Owner, Reply, Section, read_name};

/// Hosts that get addresses without need, and hosts that are told apart, in one reply.
const HOSTS_MAX: usize = 32;

/// Adds the addresses of the hosts that an RRset of the answer names, as far as there is room.
#[inline]
pub(crate) fn add_targets(
    answerer: &Answerer<'_>,
    place: Place<'_>,
    rrset: &PackedRrset<'_>,
    copy_at: usize,
    mentioned: &mut HashedName,
    reply: &mut Reply<'_>,
) {
    if !names_hosts(rrset.rtype) {
        return;
    }
    let mut hosts = Hosts::new(answerer, place, rrset, copy_at, mentioned);
    if hosts.add(reply, |_| true, Standing::Ours).is_err() {
        return;
    }
    // Addresses below a cut are glue: good for NS records of the apex, no authority for anything else.
    if rrset.rtype == RecordType::NS && place.zone.redirect_depths() != 0 {
        // What does not fit is left out: it is not required.
        let _ = hosts.add(reply, |_| true, Standing::Glue);
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
    mentioned: &mut HashedName,
    reply: &mut Reply<'_>,
) {
    let is_in_domain = |name: &[u8]| is_at_or_below(name, cut.name());
    let mut hosts = Hosts::new(answerer, place, ns, copy_at, mentioned);
    hosts.required = true;
    if hosts.add(reply, is_in_domain, Standing::Glue).is_err() {
        return reply.mark_truncated();
    }
    hosts.required = false;
    // With minimal responses, sibling glue stays: without it the servers may not be found.
    if hosts.add(reply, |name| !is_in_domain(name), Standing::Glue).is_ok()
        && !answerer.policy.minimal_responses
    {
        let _ = hosts.add(reply, |_| true, Standing::Ours);
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

/// How the zone stands to a name in it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Standing {
    /// It answers for the name.
    Ours,
    /// The name lies at or below a cut.
    Glue,
}

/// The hosts that the records of one RRset name, which has been copied into the reply.
struct Hosts<'a, 'z> {
    answerer: &'a Answerer<'a>,
    place: Place<'z>,
    rtype: RecordType,
    records: u16,
    /// Where the RRset stands in the message, as [`Reply::put`] tells.
    copy_at: usize,
    mentioned: &'a mut HashedName,
    /// Where the nodes of hosts stand that have their addresses already.
    seen: [usize; HOSTS_MAX],
    count: usize,
    /// All hosts must have their addresses, not just the first ones.
    required: bool,
}

impl<'a, 'z> Hosts<'a, 'z> {
    #[inline]
    fn new(
        answerer: &'a Answerer<'a>,
        place: Place<'z>,
        rrset: &PackedRrset<'_>,
        copy_at: usize,
        mentioned: &'a mut HashedName,
    ) -> Self {
        Self {
            answerer,
            place,
            rtype: rrset.rtype,
            records: rrset.count,
            copy_at,
            mentioned,
            seen: [0; HOSTS_MAX],
            count: 0,
            required: false,
        }
    }

    /// Adds the addresses of the hosts whose names pass `wanted` and to which the zone stands so.
    ///
    /// The records are read where they stand in the message: there, names may have been compressed or not.
    fn add(
        &mut self,
        reply: &mut Reply<'_>,
        wanted: impl Fn(&[u8]) -> bool,
        standing: Standing,
    ) -> Result<(), Full> {
        let mut record_at = self.copy_at;
        for _ in 0..self.records {
            let message = reply.written();
            let Some(rdlength) = message.get(record_at + 10..record_at + RECORD_HEADER_OCTETS) else {
                return Ok(());
            };
            let rdata_at = record_at + RECORD_HEADER_OCTETS;
            let rdata_end = rdata_at + usize::from(u16::from_be_bytes([rdlength[0], rdlength[1]]));
            let host_at = self.host_at(message, record_at, rdata_end);
            if let Some(host_at) = host_at {
                self.add_host(reply, host_at, &wanted, standing)?;
            }
            // The owner of the next record: a pointer, or in full where pointers do not reach.
            let Some(after_owner) = reply.written().get(rdata_end..).and_then(skip_name) else {
                return Ok(());
            };
            record_at = reply.written().len() - after_owner.len() - 2;
        }
        Ok(())
    }

    /// Where in the message the host stands that a record names.
    fn host_at(&self, message: &[u8], record_at: usize, rdata_end: usize) -> Option<usize> {
        let rdata_at = record_at + RECORD_HEADER_OCTETS;
        match self.rtype {
            // These may be compressed, which the RDATA table does not expect.
            RecordType::NS => Some(rdata_at),
            RecordType::MX => Some(rdata_at + 2),
            // A service, as opposed to an alias, whose target is the root means its owner (RFC 9460, section 2.5.2). The
            // owner is a pointer but in the rare message where pointers do not reach.
            RecordType::SVCB | RecordType::HTTPS if matches!(message.get(rdata_at..rdata_at + 3), Some([high, low, 0]) if high | low != 0) => {
                (message[record_at] >= 0xc0).then_some(record_at)
            }
            rtype => rdata::embedded_names(rtype, message.get(rdata_at..rdata_end)?)
                .find(|name| name.additional)
                .map(|name| rdata_at + name.range.start),
        }
    }

    fn add_host(
        &mut self,
        reply: &mut Reply<'_>,
        host_at: usize,
        wanted: impl Fn(&[u8]) -> bool,
        standing: Standing,
    ) -> Result<(), Full> {
        let mut wire = [0u8; NAME_OCTETS_MAX];
        let Some(name) = read_name(reply.written(), host_at, &mut wire) else { return Ok(()) };
        // The root is no host: an SRV record (RFC 2782), and an alias by SVCB, say with it that there is none.
        if name.len() == 1 || !is_at_or_below(name, self.place.origin.apex) || !wanted(name) {
            return Ok(());
        }
        let Some((node, _)) = self.find(name).filter(|(_, found)| *found == standing) else {
            return Ok(());
        };
        let identity = node.name().as_ptr() as usize;
        if self.seen[..self.count].contains(&identity) {
            return Ok(());
        }
        match self.seen.get_mut(self.count) {
            Some(free) => *free = identity,
            None if self.required => {}
            None => return Ok(()),
        }
        self.count = (self.count + 1).min(HOSTS_MAX);
        let signatures = self.answerer.dnssec_ok && standing == Standing::Ours;
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(addresses) = node.rrset(rtype) {
                reply.put(
                    Section::Additional,
                    &addresses,
                    Owner::At(host_at),
                    self.place.origin,
                    signatures,
                )?;
            }
        }
        Ok(())
    }

    /// The node of a host, unless a DNAME record hides it ([RFC 6672, section 2.4]).
    ///
    /// [RFC 6672, section 2.4]: https://www.rfc-editor.org/rfc/rfc6672#section-2.4
    fn find(&mut self, name: &[u8]) -> Option<(Node<'z>, Standing)> {
        let zone = self.place.zone;
        self.mentioned.read(name).ok()?;
        let host = &*self.mentioned;
        let node = zone.node(host.hash(host.labels()), host.wire())?;
        let mut above = zone.redirect_depths() & !(u128::MAX << host.labels());
        while above != 0 {
            let depth = above.trailing_zeros() as usize;
            above &= above - 1;
            match zone.node(host.hash(depth), host.suffix(depth)) {
                Some(ancestor) if ancestor.is_zone_cut() => return Some((node, Standing::Glue)),
                Some(ancestor) if ancestor.has_dname() => return None,
                _ => {}
            }
        }
        Some((node, if node.is_zone_cut() { Standing::Glue } else { Standing::Ours }))
    }
}
