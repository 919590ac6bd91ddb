//! Addresses that save the client a question.

use dns_core::RecordType;
use dns_core::name::{HashedName, NAME_OCTETS_MAX};
use dns_core::rdata;
use dns_core::zone::{Node, PackedRrset, RECORD_HEADER_OCTETS};

use crate::answer::{Answerer, Place};
use crate::query::skip_name;
use crate::reply::{Full, Owner, Reply, Section, read_name};

/// Hosts that get addresses without need, and hosts that are told apart, in one reply.
const HOSTS_MAX: usize = 32;

/// Adds the addresses of the hosts that an RRset of the answer names, as far as there is room. It stands at `copy_at` in the
/// message, and its owner at `owner_at`.
#[inline]
pub(crate) fn add_targets(
    answerer: &Answerer<'_>,
    place: Place<'_>,
    rrset: &PackedRrset<'_>,
    (owner_at, copy_at): (usize, usize),
    mentioned: &mut HashedName,
    reply: &mut Reply<'_>,
) {
    if !names_hosts(rrset.rtype) {
        return;
    }
    let mut hosts = Hosts::new(answerer, place, rrset, copy_at, mentioned);
    hosts.owner_at = Some(owner_at);
    // Addresses below a cut are glue: good for NS records of the apex, no authority for anything else.
    hosts.others_wanted = rrset.rtype == RecordType::NS;
    // What does not fit is left out: it is not required.
    let _ = hosts
        .read(None, reply)
        .and_then(|()| hosts.add(Standing::Ours, reply))
        .and_then(|()| hosts.add(Standing::Glue, reply));
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
    let mut hosts = Hosts::new(answerer, place, ns, copy_at, mentioned);
    hosts.first = Standing::Glue;
    // With minimal responses, sibling glue stays: without it the servers may not be found.
    hosts.others_wanted = !answerer.policy.minimal_responses;
    if hosts.read(Some(cut), reply).is_err() {
        return reply.mark_truncated();
    }
    let _ = hosts.add(Standing::Glue, reply).and_then(|()| hosts.add(Standing::Ours, reply));
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
    /// Where in the message the owner of the RRset stands, if it can be a host itself.
    owner_at: Option<usize>,
    /// Which hosts come first.
    first: Standing,
    /// Addresses of the other ones are of use, too.
    others_wanted: bool,
    /// Hosts that the zone has, each once, in the order of the records.
    known: [Option<Host<'z>>; HOSTS_MAX],
    count: usize,
}

/// A host that the zone has.
#[derive(Clone, Copy)]
struct Host<'z> {
    node: Node<'z>,
    standing: Standing,
    /// Where its name stands in the message.
    at: usize,
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
            owner_at: None,
            first: Standing::Ours,
            others_wanted: false,
            known: [None; HOSTS_MAX],
            count: 0,
        }
    }

    /// Finds the hosts. The addresses of those in the child zone that begins at `cut` are written at once, as they come first and
    /// all of them are required.
    ///
    /// The records are read where they stand in the message: there, names may have been compressed or not.
    fn read(&mut self, cut: Option<Node<'_>>, reply: &mut Reply<'_>) -> Result<(), Full> {
        let cut = cut.map(|cut| (cut.name(), labels_of(cut.name())));
        let mut wire = [0u8; NAME_OCTETS_MAX];
        let mut record_at = self.copy_at;
        for _ in 0..self.records {
            let message = reply.written();
            let Some(rdlength) = message.get(record_at + 10..record_at + RECORD_HEADER_OCTETS) else {
                return Ok(());
            };
            let rdata_at = record_at + RECORD_HEADER_OCTETS;
            let rdata_end = rdata_at + usize::from(u16::from_be_bytes([rdlength[0], rdlength[1]]));
            if let Some(host_at) = self.host_at(message, rdata_at, rdata_end)
                && let Some(host) = self.find(host_at, message, &mut wire)
            {
                if cut.is_some_and(|(cut, labels)| self.is_mentioned_below(cut, labels)) {
                    self.put(host, reply)?;
                } else if !self.knows(&host) {
                    self.note(host);
                }
            }
            // The owner of the next record: a pointer, or in full where pointers do not reach.
            let Some(after_owner) = reply.written().get(rdata_end..).and_then(skip_name) else {
                return Ok(());
            };
            record_at = reply.written().len() - after_owner.len() - 2;
        }
        Ok(())
    }

    /// The name that was read last is at or below this one, which has so many labels.
    #[inline]
    fn is_mentioned_below(&self, ancestor: &[u8], labels: usize) -> bool {
        self.mentioned.labels() >= labels && self.mentioned.suffix(labels) == ancestor
    }

    /// Keeps a host. When there are too many, those that come first keep their places.
    fn note(&mut self, host: Host<'z>) {
        let displaced = |known: &Option<Host<'_>>| known.is_some_and(|known| known.standing != self.first);
        if let Some(free) = self.known.get_mut(self.count) {
            *free = Some(host);
            self.count += 1;
        } else if host.standing == self.first
            && let Some(place) = self.known.iter().rposition(displaced)
        {
            self.known[place] = Some(host);
        }
    }

    fn knows(&self, host: &Host<'_>) -> bool {
        let mut known = self.known[..self.count].iter().flatten();
        known.any(|known| std::ptr::eq(known.node.name(), host.node.name()))
    }

    /// Adds the addresses of the hosts found to which the zone stands so.
    fn add(&self, standing: Standing, reply: &mut Reply<'_>) -> Result<(), Full> {
        let mut hosts = self.known[..self.count].iter().flatten();
        hosts.try_for_each(|host| if host.standing == standing { self.put(*host, reply) } else { Ok(()) })
    }

    fn put(&self, host: Host<'_>, reply: &mut Reply<'_>) -> Result<(), Full> {
        let signatures = self.answerer.dnssec_ok && host.standing == Standing::Ours;
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(addresses) = host.node.rrset(rtype) {
                let owner = Owner::At(host.at);
                reply.put(Section::Additional, &addresses, owner, self.place.origin, signatures)?;
            }
        }
        Ok(())
    }

    /// Where in the message the host stands that a record names.
    fn host_at(&self, message: &[u8], rdata_at: usize, rdata_end: usize) -> Option<usize> {
        match self.rtype {
            // These may be compressed, which the RDATA table does not expect.
            RecordType::NS => Some(rdata_at),
            RecordType::MX => Some(rdata_at + 2),
            // A service, as opposed to an alias, whose target is the root means its owner (RFC 9460, section 2.5.2).
            RecordType::SVCB | RecordType::HTTPS if is_service_of_its_owner(message.get(rdata_at..)) => {
                self.owner_at
            }
            rtype => rdata::embedded_names(rtype, message.get(rdata_at..rdata_end)?)
                .find(|name| name.additional)
                .map(|name| rdata_at + name.range.start),
        }
    }

    /// The host whose name stands at `at` in the message, unless a DNAME record hides it ([RFC 6672, section 2.4]).
    ///
    /// [RFC 6672, section 2.4]: https://www.rfc-editor.org/rfc/rfc6672#section-2.4
    fn find(&mut self, at: usize, message: &[u8], wire: &mut [u8; NAME_OCTETS_MAX]) -> Option<Host<'z>> {
        let name = read_name(message, at, wire)?;
        // The root is no host: an SRV record (RFC 2782), and an alias by SVCB, say with it that there is none.
        if name.len() == 1 {
            return None;
        }
        self.mentioned.read(name).ok()?;
        let zone = self.place.zone;
        if !self.is_mentioned_below(zone.apex().as_wire(), zone.apex().label_count()) {
            return None;
        }
        let host = &*self.mentioned;
        let node = zone.node(host.hash(host.labels()), host.wire())?;
        let mut standing = if node.is_zone_cut() { Standing::Glue } else { Standing::Ours };
        let mut above = zone.redirect_depths() & !(u128::MAX << host.labels());
        while above != 0 {
            let depth = above.trailing_zeros() as usize;
            above &= above - 1;
            match zone.node(host.hash(depth), host.suffix(depth)) {
                Some(ancestor) if ancestor.is_zone_cut() => {
                    standing = Standing::Glue;
                    break;
                }
                Some(ancestor) if ancestor.has_dname() => return None,
                _ => {}
            }
        }
        (standing == self.first || self.others_wanted).then_some(Host { node, standing, at })
    }
}

/// A priority other than 0, and the root as target.
fn is_service_of_its_owner(rdata: Option<&[u8]>) -> bool {
    matches!(rdata, Some([high, low, 0, ..]) if high | low != 0)
}

/// How many labels a name has, the root not counted.
fn labels_of(name: &[u8]) -> usize {
    let (mut at, mut labels) = (0, 0);
    while name[at] != 0 {
        at += 1 + usize::from(name[at]);
        labels += 1;
    }
    labels
}
