//! A slow, obvious answer to every question: RFC 1034, section 4.3.2, step by step, over plain lists of records.
//!
//! What later RFCs added stands where it belongs: DNAME (6672), wildcards (4592), empty non-terminals (8020), negative
//! answers (2308), the RCODE of chains (6604), ANY (8482), glue (9471), and what signed zones add (4035, 5155). Nothing
//! here is indexed, cached or shared with the server: it is the second reading of the same pages.

pub mod denial;
pub mod expected;
pub mod nsec3;

use dns_core::name::NAME_OCTETS_MAX;
use dns_core::{Name, RecordType, ResponseCode};

use self::denial::{Denied, closest_encloser, proof};
pub use self::expected::{Expected, Section};
use crate::record::Record;
use crate::zone::ZoneData;

/// What is asked, class IN.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Question {
    /// The name.
    pub qname: Name,
    /// The type; ANY and RRSIG among them, transfers and other meta types not.
    pub qtype: RecordType,
    /// The DO bit: DNSSEC records are wanted.
    pub dnssec_ok: bool,
    /// It came over TCP.
    pub tcp: bool,
}

/// What QTYPE ANY gets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AnyMode {
    /// TC over UDP, everything over TCP.
    #[default]
    Tcp,
    /// Everything.
    Full,
    /// One RRset, or a made-up HINFO ([RFC 8482, section 4](https://www.rfc-editor.org/rfc/rfc8482#section-4)).
    Minimal,
}

/// What becomes of an alias whose target is in another of our zones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AcrossZones {
    /// It is followed: step 3a says to go back to step 1, which chooses a zone.
    #[default]
    Follow,
    /// The chain ends there.
    Stop,
    /// The first zone alone is asked, even for names that a zone below it has.
    Stay,
}

/// Settings of the server that change what is right.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Options {
    /// Follow aliases; otherwise the first one is the whole answer.
    pub resolve_cname_chain: bool,
    /// Most aliases that are followed in one answer.
    pub max_cname_depth: usize,
    /// What ANY gets.
    pub any: AnyMode,
    /// Leave out everything that is optional.
    pub minimal_responses: bool,
    /// NXDOMAIN comes with the SOA record.
    pub soa_on_nxdomain: bool,
    /// What becomes of aliases into our other zones.
    pub across_zones: AcrossZones,
    /// A CNAME is followed when RRSIG or NSEC is asked for and not there; otherwise that is NODATA.
    pub follow_for_dnssec_types: bool,
    /// Asked for ANY, a CNAME made from a DNAME is followed; otherwise it is one of "any".
    pub any_follows_dname: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            resolve_cname_chain: true,
            max_cname_depth: 10,
            any: AnyMode::Tcp,
            minimal_responses: false,
            soa_on_nxdomain: true,
            across_zones: AcrossZones::Follow,
            follow_for_dnssec_types: true,
            any_follows_dname: true,
        }
    }
}

/// The right answer to `question` from a server that has `zones`.
pub fn answer(zones: &[ZoneData], question: &Question, options: &Options) -> Expected {
    let mut walk = Walk {
        zones,
        question,
        options,
        expected: Expected::default(),
        visited: Vec::new(),
        first_zone: None,
    };
    walk.run(question.qname.clone());
    let mut expected = walk.expected;
    if options.minimal_responses {
        expected.authority.optional.clear();
        expected.additional.optional.clear();
    }
    expected.tidy();
    expected
}

/// The RRSIG records over the given RRsets, at the owners that these have in the zone.
pub fn signatures(zone: &ZoneData, records: &[Record]) -> Vec<Record> {
    zone.records
        .iter()
        .filter(|signature| {
            signature.covered().is_some_and(|covered| {
                records.iter().any(|record| record.rtype == covered && record.owner == signature.owner)
            })
        })
        .cloned()
        .collect()
}

/// Step 2: the zone that is the nearest ancestor of the name.
///
/// DS of a zone's apex belongs to the zone above, if that is here ([RFC 4035, section 3.1.4.1]).
///
/// [RFC 4035, section 3.1.4.1]: https://www.rfc-editor.org/rfc/rfc4035#section-3.1.4.1
fn find_zone<'z>(zones: &'z [ZoneData], qname: &Name, qtype: RecordType) -> Option<&'z ZoneData> {
    let nearest = |skip_apex: bool| {
        zones
            .iter()
            .filter(|zone| qname.is_at_or_below(&zone.apex) && !(skip_apex && zone.apex == *qname))
            .max_by_key(|zone| zone.apex.label_count())
    };
    if qtype == RecordType::DS { nearest(true).or_else(|| nearest(false)) } else { nearest(false) }
}

struct Walk<'a> {
    zones: &'a [ZoneData],
    question: &'a Question,
    options: &'a Options,
    expected: Expected,
    /// Names looked up so far, to notice loops.
    visited: Vec<Name>,
    /// Apex of the zone in which the walk began.
    first_zone: Option<Name>,
}

/// What a step came to.
enum Next {
    Done,
    /// Step 3a and 3c: start again at step 1 with this name.
    Restart(Name),
}

impl Walk<'_> {
    fn run(&mut self, qname: Name) {
        let mut qname = qname;
        loop {
            self.visited.push(qname.clone());
            match self.step(&qname) {
                Next::Done => return,
                Next::Restart(target) => {
                    let aliases = self.visited.len();
                    if !self.options.resolve_cname_chain {
                        return;
                    }
                    if self.visited.contains(&target) {
                        self.expected.looped = true;
                        return;
                    }
                    if aliases >= self.options.max_cname_depth {
                        self.stop_at_depth(&target);
                        return;
                    }
                    qname = target;
                }
            }
        }
    }

    /// Enough aliases have been followed: whether the last target's own records are still added is left open.
    fn stop_at_depth(&mut self, target: &Name) {
        let mut further = Walk {
            zones: self.zones,
            question: self.question,
            options: self.options,
            expected: Expected::default(),
            visited: Vec::new(),
            first_zone: self.first_zone.clone(),
        };
        let _ = further.step(target);
        self.expected.depth_reached = true;
        let Expected { rcode, answer, answer_optional, authority, additional, .. } = further.expected;
        self.expected.rcode_at_depth = Some(rcode);
        self.expected.answer_optional.extend(answer.into_iter().chain(answer_optional));
        for (into, from) in
            [(&mut self.expected.authority, authority), (&mut self.expected.additional, additional)]
        {
            into.optional.extend(from.required.into_iter().chain(from.optional));
        }
    }

    /// Steps 2 and 3 for one name.
    fn step(&mut self, qname: &Name) -> Next {
        let first = self.expected.answer.is_empty();
        let qtype = self.question.qtype;
        let nearest = find_zone(self.zones, qname, qtype);
        let zone = match (&self.first_zone, self.options.across_zones) {
            (None, _) | (_, AcrossZones::Follow) => nearest,
            (Some(apex), AcrossZones::Stop) => nearest.filter(|zone| zone.apex == *apex),
            (Some(apex), AcrossZones::Stay) => {
                self.zones.iter().find(|zone| zone.apex == *apex && qname.is_at_or_below(apex))
            }
        };
        let Some(zone) = zone else {
            if first {
                self.expected.rcode = ResponseCode::REFUSED;
            }
            // The target of an alias that leaves our zones: the answer so far is all we know.
            return Next::Done;
        };
        self.first_zone.get_or_insert_with(|| zone.apex.clone());
        // AA tells about the first owner in the answer, RFC 1035, section 4.1.1.
        if first {
            self.expected.authoritative = true;
        }
        // Step 3: match down, label by label.
        for labels in zone.apex.label_count()..=qname.label_count() {
            let name = qname.suffix(labels);
            let at_apex = name == zone.apex;
            // 3b: NS below the apex end our authority; only DS at the cut is still ours.
            if !at_apex && zone.has(&name, RecordType::NS) && !(qtype == RecordType::DS && name == *qname) {
                if first {
                    self.expected.authoritative = false;
                }
                self.refer(zone, &name);
                return Next::Done;
            }
            // RFC 6672, section 2.3: names below the owner, and never the owner itself.
            if name != *qname && zone.has(&name, RecordType::DNAME) {
                return self.redirect(zone, &name, qname);
            }
            // 3c: the label does not exist; RFC 4592: the closest encloser's own `*` alone can stand in.
            if !zone.exists(&name) {
                let wildcard = closest_encloser(zone, qname).child(b"*").ok();
                if let Some(wildcard) = wildcard.filter(|wildcard| zone.exists(wildcard)) {
                    return self.take(zone, &wildcard, qname);
                }
                self.expected.rcode = ResponseCode::NXDOMAIN;
                self.deny(zone, qname, Denied::Name);
                return Next::Done;
            }
        }
        // 3a: all of the name is matched.
        self.take(zone, qname, qname)
    }

    /// Takes what is asked for at `node`, which is `qname` or the wildcard standing in for it.
    fn take(&mut self, zone: &ZoneData, node: &Name, qname: &Name) -> Next {
        let expanded = node != qname;
        let qtype = self.question.qtype;
        if qtype == RecordType::ANY {
            self.take_any(zone, node, qname);
            return Next::Done;
        }
        let found = zone.rrset(node, qtype);
        let alias = zone.rrset(node, RecordType::CNAME);
        // RFC 2181, section 10.1, and RFC 4035, section 2.5: these stand beside a CNAME, so asking for them may mean them.
        let asks_alias_itself =
            !self.options.follow_for_dnssec_types && matches!(qtype, RecordType::RRSIG | RecordType::NSEC);
        if let (true, false, Some(alias)) = (found.is_empty(), asks_alias_itself, alias.first()) {
            let target = alias.target();
            self.add_answer(zone, vec![alias.clone()], qname);
            if expanded {
                self.prove(zone, qname, Denied::NameUnderWildcard);
            }
            return target.map_or(Next::Done, Next::Restart);
        }
        if found.is_empty() {
            let denied = match (expanded, qtype) {
                (true, _) => Denied::WildcardType,
                (false, RecordType::DS) => Denied::Ds,
                (false, _) => Denied::Type,
            };
            self.deny(zone, qname, denied);
            return Next::Done;
        }
        self.add_answer(zone, found, qname);
        if expanded {
            self.prove(zone, qname, Denied::NameUnderWildcard);
        }
        self.add_apex_servers(zone);
        Next::Done
    }

    /// QTYPE ANY: all RRsets of the node, whatever they are.
    fn take_any(&mut self, zone: &ZoneData, node: &Name, qname: &Name) {
        let expanded = node != qname;
        let all: Vec<Record> = zone
            .records
            .iter()
            .filter(|record| record.owner == *node && !denial_of_hash(record))
            .map(|record| record.at(qname))
            .collect();
        if all.is_empty() {
            self.deny(zone, qname, if expanded { Denied::WildcardType } else { Denied::Type });
            return;
        }
        // Aliases on the way there are answered by the server that is asked again.
        self.expected.truncated = self.options.any == AnyMode::Tcp && !self.question.tcp;
        self.expected.minimal_any = self.options.any == AnyMode::Minimal;
        for record in all {
            self.add_additional_for(zone, &record);
            // RFC 3225, section 3: without DO no signatures; but ANY asks for all there is, so they may come.
            if record.rtype == RecordType::RRSIG && !self.question.dnssec_ok {
                self.expected.answer_optional.push(record);
            } else {
                self.expected.answer.push(record);
            }
        }
        if expanded {
            self.prove(zone, qname, Denied::NameUnderWildcard);
        }
        self.add_apex_servers(zone);
    }

    /// RFC 6672, section 3.2, step 3c: the DNAME, and a CNAME made from it.
    fn redirect(&mut self, zone: &ZoneData, owner: &Name, qname: &Name) -> Next {
        let dname = zone.rrset(owner, RecordType::DNAME);
        let Some((ttl, target)) = dname.first().and_then(|dname| Some((dname.ttl, dname.target()?))) else {
            return Next::Done;
        };
        self.add_answer(zone, dname, owner);
        let prefix = &qname.as_wire()[..qname.as_wire().len() - owner.as_wire().len()];
        if prefix.len() + target.as_wire().len() > NAME_OCTETS_MAX {
            // RFC 6672, section 2.2: the name would be too long.
            self.expected.rcode = ResponseCode::YXDOMAIN;
            return Next::Done;
        }
        let new_name = [prefix, target.as_wire()].concat();
        let Ok(new_name) = Name::from_wire(&new_name) else {
            return Next::Done;
        };
        // Section 3.1: the TTL is that of the DNAME; the CNAME is not signed.
        let synthesised = Record {
            owner: qname.clone(),
            rtype: RecordType::CNAME,
            ttl,
            rdata: new_name.as_wire().to_vec(),
        };
        self.expected.answer.push(synthesised);
        // Section 2.3 and 3.2: asked for CNAME, the synthesised one is the answer.
        let qtype = self.question.qtype;
        if qtype == RecordType::CNAME || (qtype == RecordType::ANY && !self.options.any_follows_dname) {
            self.add_apex_servers(zone);
            return Next::Done;
        }
        Next::Restart(new_name)
    }

    /// Step 3b: a referral to the servers of `cut`.
    fn refer(&mut self, zone: &ZoneData, cut: &Name) {
        let servers = zone.rrset(cut, RecordType::NS);
        for target in servers.iter().filter_map(Record::target) {
            let glue = addresses(zone, &target);
            // RFC 9471, section 3.1: in-domain glue must be there; sibling glue may be missing, section 3.2.
            if target.is_at_or_below(cut) {
                self.expected.additional.required.extend(glue);
            } else {
                self.expected.additional.optional.extend(glue);
            }
            self.add_addresses(zone, &target);
        }
        self.expected.authority.required.extend(servers);
        // RFC 4035, section 3.1.4: DS, or the proof that there is none.
        if self.question.dnssec_ok && zone.is_signed() {
            let ds = zone.rrset(cut, RecordType::DS);
            if ds.is_empty() {
                self.prove(zone, cut, Denied::Ds);
            } else {
                let with_signatures = signatures(zone, &ds);
                self.expected.authority.required.extend(ds);
                self.expected.authority.required.extend(with_signatures);
            }
        }
    }

    /// Puts an RRset into the answer under the name that was asked, with its signatures if wanted.
    fn add_answer(&mut self, zone: &ZoneData, records: Vec<Record>, owner: &Name) {
        // Asked for RRSIG, the records are signatures already.
        let signatures = if self.question.dnssec_ok { signatures(zone, &records) } else { Vec::new() };
        for record in &records {
            self.add_additional_for(zone, record);
        }
        for record in records.into_iter().chain(signatures) {
            let record = record.at(owner);
            // A DNAME that is met twice in one chain is given once.
            if !self.expected.answer.contains(&record) {
                self.expected.answer.push(record);
            }
        }
    }

    /// A negative answer: SOA in authority with the TTL of RFC 2308, section 3, and the proof if wanted.
    fn deny(&mut self, zone: &ZoneData, qname: &Name, denied: Denied) {
        if denied != Denied::Name || self.options.soa_on_nxdomain {
            let soa = zone.rrset(&zone.apex, RecordType::SOA);
            let ttl = soa.first().map_or(0, |soa| soa.ttl.min(soa_minimum(soa)));
            let mut records = soa.clone();
            if self.question.dnssec_ok {
                records.extend(signatures(zone, &soa));
            }
            // RFC 4034, section 3: the TTL of a signature is that of what it covers.
            let records = records.iter().map(|record| record.with_ttl(ttl));
            self.expected.authority.required.extend(records);
        }
        self.prove(zone, qname, denied);
    }

    fn prove(&mut self, zone: &ZoneData, qname: &Name, denied: Denied) {
        if self.question.dnssec_ok {
            let proof = proof(zone, qname, denied);
            self.expected.authority.required.extend(proof.required);
            self.expected.authority.optional.extend(proof.optional);
        }
    }

    /// Servers of the zone beside a positive answer: RFC 1034 shows them in section 6.2, nothing asks for them.
    fn add_apex_servers(&mut self, zone: &ZoneData) {
        let servers = zone.rrset(&zone.apex, RecordType::NS);
        for target in servers.iter().filter_map(Record::target) {
            self.add_addresses(zone, &target);
        }
        let signatures = signatures(zone, &servers);
        self.expected.authority.optional.extend(servers);
        self.expected.authority.optional.extend(signatures);
    }

    /// Step 6: addresses (and for SVCB the records, RFC 9460, section 4.2) of what the RDATA names; all optional.
    fn add_additional_for(&mut self, zone: &ZoneData, record: &Record) {
        let Some(target) = record.target() else { return };
        let target = match record.rtype {
            RecordType::CNAME | RecordType::DNAME => return,
            RecordType::SVCB | RecordType::HTTPS if target.is_root() => record.owner.clone(),
            _ => target,
        };
        self.add_addresses(zone, &target);
        let further: &[RecordType] = match record.rtype {
            RecordType::SVCB | RecordType::HTTPS => &[RecordType::SVCB, RecordType::HTTPS, RecordType::CNAME],
            RecordType::NAPTR => &[RecordType::SRV, RecordType::NAPTR],
            _ => return,
        };
        for &rtype in further {
            let found = zone.rrset(&target, rtype);
            let signatures = signatures(zone, &found);
            // What SRV and SVCB records name in turn may come along.
            for address in found.iter().filter_map(Record::target) {
                self.add_addresses(zone, &address);
            }
            self.expected.additional.optional.extend(found.into_iter().chain(signatures));
        }
    }

    /// Every address record for the name that any of our zones has, by itself or by a wildcard.
    fn add_addresses(&mut self, zone: &ZoneData, target: &Name) {
        for zone in self.zones.iter().chain([zone]).filter(|zone| target.is_at_or_below(&zone.apex)) {
            let mut found = addresses(zone, target);
            found.extend(signatures(zone, &found));
            if let Ok(wildcard) = closest_encloser(zone, target).child(b"*")
                && !zone.exists(target)
            {
                let expanded = addresses(zone, &wildcard);
                let signatures = signatures(zone, &expanded);
                found.extend(expanded.iter().chain(&signatures).map(|record| record.at(target)));
            }
            self.expected.additional.optional.extend(found);
        }
    }
}

fn addresses(zone: &ZoneData, name: &Name) -> Vec<Record> {
    let mut found = zone.rrset(name, RecordType::A);
    found.extend(zone.rrset(name, RecordType::AAAA));
    found
}

fn soa_minimum(soa: &Record) -> u32 {
    soa.rdata.last_chunk::<4>().map_or(0, |minimum| u32::from_be_bytes(*minimum))
}

/// NSEC3 records are no data of the name they happen to stand at.
fn denial_of_hash(record: &Record) -> bool {
    crate::zone::is_of_nsec3(record)
}
