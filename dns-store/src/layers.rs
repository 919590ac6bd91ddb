//! Who has what at a name, and what of that is served.

use dns_core::rdata;
use dns_core::zone::ZoneFaultKind;
use dns_core::{Change, RecordType, Rrset};

use crate::options::StoreOptions;
use crate::{Reason, Source, SourceKind};

/// One RRset as one source has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Contribution {
    pub source: Source,
    pub rrset: Rrset,
}

impl Contribution {
    /// What those of one name are in the order of; there is one of each.
    pub fn key(&self) -> (&Source, RecordType) {
        (&self.source, self.rrset.rtype())
    }
}

/// A contribution that may be served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub source: &'a Source,
    pub rrset: &'a Rrset,
    /// It came with the zone as a whole. Of one and the same source, what was said of the name alone comes first.
    pub of_zone: bool,
}

/// What of the claims at a name is served.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// The RRsets, each with the place of the claim that it is counted to.
    pub rrsets: Vec<(Rrset, usize)>,
    /// Per claim: it is served, if only as a part of an RRset.
    pub is_served: Vec<bool>,
}

/// Decides between claims at one name, whatever the order in which they stand.
///
/// The first one by precedence decides whether the name is an alias or has data; then the first one of each type is
/// served. TXT values of ACME challenges stand beside those of others instead of hiding them.
pub(crate) fn decide(claims: &[Claim<'_>], options: &StoreOptions) -> Served {
    // Most names have one RRset from one source.
    if let [only] = claims {
        return Served { rrsets: vec![(only.rrset.clone(), 0)], is_served: vec![true] };
    }
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|&at| {
        let claim = &claims[at];
        (options.rank(claim.source.kind()), claim.source, claim.of_zone, claim.rrset.rtype())
    });
    let first = order.iter().map(|&at| claims[at].rrset.rtype()).find(|&rtype| !stands_beside_alias(rtype));
    let is_alias = first == Some(RecordType::CNAME);
    order.retain(|&at| {
        let rtype = claims[at].rrset.rtype();
        stands_beside_alias(rtype) || (rtype == RecordType::CNAME) == is_alias
    });
    let mut served = Served { rrsets: Vec::new(), is_served: vec![false; claims.len()] };
    let (additive, exclusive): (Vec<usize>, Vec<usize>) =
        order.into_iter().partition(|&at| is_additive(&claims[at]));
    for at in exclusive {
        if !served.rrsets.iter().any(|(other, _)| other.rtype() == claims[at].rrset.rtype()) {
            served.rrsets.push((claims[at].rrset.clone(), at));
            served.is_served[at] = true;
        }
    }
    for at in additive {
        let rrset = claims[at].rrset;
        match served.rrsets.iter_mut().find(|(other, _)| other.rtype() == rrset.rtype()) {
            Some((other, _)) => match union(other, rrset) {
                Some(both) => *other = both,
                // Together they would fit into no message; the claim shows up as not served.
                None => continue,
            },
            None => served.rrsets.push((rrset.clone(), at)),
        }
        served.is_served[at] = true;
    }
    served.rrsets.sort_by_key(|(rrset, _)| rrset.rtype());
    served
}

/// What may stand beside a CNAME ([RFC 4035, section 2.5](https://www.rfc-editor.org/rfc/rfc4035#section-2.5), and
/// RFC 2535 before it).
fn stands_beside_alias(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::RRSIG
            | RecordType::NSEC
            | RecordType::NSEC3
            | RecordType::KEY
            | RecordType::SIG
            | RecordType::NXT
    )
}

fn is_additive(claim: &Claim<'_>) -> bool {
    claim.source.kind() == SourceKind::Acme && claim.rrset.rtype() == RecordType::TXT
}

/// The values of both, with the smaller TTL; `None` if they fit into no message.
fn union(left: &Rrset, right: &Rrset) -> Option<Rrset> {
    let values = left.rdatas().chain(right.rdatas());
    Rrset::new(left.owner().clone(), left.rtype(), left.ttl().min(right.ttl()), values).ok()
}

/// Makes one change to what a source has at a name. Contributions stay in the order of their sources and types.
pub(crate) fn apply(
    contributions: &mut Vec<Contribution>,
    source: &Source,
    change: &Change,
) -> Result<(), Reason> {
    let place = |contributions: &[Contribution], rtype| {
        contributions.binary_search_by(|other| other.key().cmp(&(source, rtype)))
    };
    match change {
        Change::Put(rrset) => put(contributions, place(contributions, rrset.rtype()), source, rrset.clone()),
        Change::Delete { rtype, .. } => contributions.retain(|contribution| {
            contribution.source != *source || rtype.is_some_and(|rtype| rtype != contribution.rrset.rtype())
        }),
        Change::Add(rrset) => {
            let place = place(contributions, rrset.rtype());
            let rrset = match place {
                Ok(at) => {
                    let old = &contributions[at].rrset;
                    let values = old.rdatas().chain(rrset.rdatas());
                    Rrset::new(old.owner().clone(), old.rtype(), rrset.ttl(), values)?
                }
                Err(_) => rrset.clone(),
            };
            put(contributions, place, source, rrset);
        }
        Change::Remove(rrset) => {
            if let Ok(at) = place(contributions, rrset.rtype()) {
                let old = &contributions[at].rrset;
                let is_gone =
                    |value: &&[u8]| rrset.rdatas().any(|gone| rdata::is_same(rrset.rtype(), gone, value));
                let left: Vec<_> = old.rdatas().filter(|value| !is_gone(value)).collect();
                if left.is_empty() {
                    contributions.remove(at);
                } else {
                    contributions[at].rrset = Rrset::new(old.owner().clone(), old.rtype(), old.ttl(), left)?;
                }
            }
        }
    }
    Ok(())
}

fn put(contributions: &mut Vec<Contribution>, place: Result<usize, usize>, source: &Source, rrset: Rrset) {
    match place {
        Ok(at) => contributions[at].rrset = rrset,
        Err(at) => {
            // Few names ever have a second one, and a transaction may concern millions of names.
            contributions.reserve_exact(1);
            contributions.insert(at, Contribution { source: source.clone(), rrset });
        }
    }
}

/// Whether a source may write this RRset at all.
pub(crate) fn check_rrset(source: &Source, rrset: &Rrset, options: &StoreOptions, reasons: &mut Vec<Reason>) {
    let (owner, rtype) = (rrset.owner(), rrset.rtype());
    // Signatures and chains come with a whole signed zone, or not at all.
    if matches!(rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3) {
        reasons.push(Reason::InvalidType { owner: owner.clone(), rtype });
    }
    let (min, max) = (*options.ttl_bounds.start(), *options.ttl_bounds.end());
    if !source.kind().takes_any_ttl() && !options.ttl_bounds.contains(&rrset.ttl()) {
        reasons.push(Reason::InvalidTtl { owner: owner.clone(), rtype, ttl: rrset.ttl(), min, max });
    }
    for value in rrset.rdatas() {
        if let Err(error) = rdata::validate(rtype, value) {
            reasons.push(Reason::InvalidValue { owner: owner.clone(), rtype, error });
        }
    }
}

/// Whether what one source has at a name can stand together.
pub(crate) fn check_name(contributions: &[Contribution], source: &Source, reasons: &mut Vec<Reason>) {
    let own =
        || contributions.iter().filter(|contribution| contribution.source == *source).map(|own| &own.rrset);
    if let Some(cname) = own().find(|rrset| rrset.rtype() == RecordType::CNAME) {
        let is_other = |rtype| rtype != RecordType::CNAME && !stands_beside_alias(rtype);
        if let Some(other) = own().find(|rrset| is_other(rrset.rtype())) {
            reasons.push(Reason::CnameConflict { owner: cname.owner().clone(), other: other.rtype() });
        }
    }
    for rrset in own().filter(|rrset| rrset.len() > 1) {
        let owner = rrset.owner().clone();
        match rrset.rtype() {
            RecordType::CNAME | RecordType::DNAME => {
                reasons.push(ZoneFaultKind::ManyAliases { owner, rtype: rrset.rtype() }.into());
            }
            RecordType::SOA => reasons.push(ZoneFaultKind::ManySoas(owner).into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_removed_whatever_the_case_of_their_names() {
        let ns = |values: &[&[u8]]| {
            Rrset::new("example.org".parse().unwrap(), RecordType::NS, 300, values).unwrap()
        };
        let source = Source::File("zone".into());
        let rrset = ns(&[b"\x02ns\x03org\0", b"\x02nt\x03org\0"]);
        let mut contributions = vec![Contribution { source: source.clone(), rrset }];
        let change = Change::Remove(ns(&[b"\x02NS\x03Org\0"]));
        apply(&mut contributions, &source, &change).unwrap();
        assert_eq!(contributions[0].rrset, ns(&[b"\x02nt\x03org\0"]));
    }
}
