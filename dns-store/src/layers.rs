//! Who has what at a name, and what of that is served.

use dns_core::rdata;
use dns_core::{Change, RecordType, Rrset};

use crate::options::StoreOptions;
use crate::{Reason, Source, SourceKind};

/// One RRset as one source has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Contribution {
    pub source: Source,
    pub rrset: Rrset,
}

/// What of the contributions at a name is served, each RRset with the source that it is counted to.
///
/// Does not depend on the order of the contributions.
pub(crate) fn served(contributions: &[Contribution], options: &StoreOptions) -> Vec<Contribution> {
    let mut sorted: Vec<&Contribution> = contributions.iter().collect();
    sorted.sort_by_key(|contribution| (options.rank(contribution.source.kind()), &contribution.source));
    let mut winners: Vec<Contribution> = Vec::new();
    for contribution in &sorted {
        let rtype = contribution.rrset.rtype();
        if !is_additive(contribution) && !winners.iter().any(|winner| winner.rrset.rtype() == rtype) {
            winners.push((*contribution).clone());
        }
    }
    // The one that comes first in precedence decides between an alias and other data.
    if winners.len() > 1
        && let Some(cname) = winners.iter().position(|winner| winner.rrset.rtype() == RecordType::CNAME)
    {
        if cname == 0 {
            winners.truncate(1);
        } else {
            winners.remove(cname);
        }
    }
    for contribution in sorted.into_iter().filter(|contribution| is_additive(contribution)) {
        if let Some(winner) =
            winners.iter_mut().find(|winner| winner.rrset.rtype() == contribution.rrset.rtype())
        {
            if let Some(union) = union(&winner.rrset, &contribution.rrset) {
                winner.rrset = union;
            }
        } else {
            // Where there is an alias, a challenge is more urgent: it is there for minutes, and somebody waits for it.
            winners.retain(|winner| winner.rrset.rtype() != RecordType::CNAME);
            winners.push(contribution.clone());
        }
    }
    winners.sort_by_key(|winner| winner.rrset.rtype());
    winners
}

/// TXT values of ACME challenges stand beside those of others instead of hiding them.
fn is_additive(contribution: &Contribution) -> bool {
    contribution.source.kind() == SourceKind::Acme && contribution.rrset.rtype() == RecordType::TXT
}

/// The values of both, with the smaller TTL.
fn union(left: &Rrset, right: &Rrset) -> Option<Rrset> {
    let values = left.rdatas().chain(right.rdatas());
    Rrset::new(left.owner().clone(), left.rtype(), left.ttl().min(right.ttl()), values).ok()
}

/// Makes one change to what a source has at a name.
pub(crate) fn apply(contributions: &mut Vec<Contribution>, source: &Source, change: &Change) {
    let position = |contributions: &[Contribution], rtype| {
        contributions.iter().position(|other| other.source == *source && other.rrset.rtype() == rtype)
    };
    match change {
        Change::Put(rrset) => match position(contributions, rrset.rtype()) {
            Some(at) => contributions[at].rrset = rrset.clone(),
            None => contributions.push(Contribution { source: source.clone(), rrset: rrset.clone() }),
        },
        Change::Delete { rtype, .. } => contributions.retain(|contribution| {
            contribution.source != *source || rtype.is_some_and(|rtype| rtype != contribution.rrset.rtype())
        }),
        Change::Add(rrset) => match position(contributions, rrset.rtype()) {
            Some(at) => {
                if let Some(both) = union(&contributions[at].rrset, rrset) {
                    contributions[at].rrset = both.with_ttl(rrset.ttl());
                }
            }
            None => contributions.push(Contribution { source: source.clone(), rrset: rrset.clone() }),
        },
        Change::Remove(rrset) => {
            if let Some(at) = position(contributions, rrset.rtype()) {
                let old = &contributions[at].rrset;
                let left = old.rdatas().filter(|value| !rrset.rdatas().any(|gone| gone == *value));
                match Rrset::new(old.owner().clone(), old.rtype(), old.ttl(), left) {
                    Ok(left) => contributions[at].rrset = left,
                    Err(_) => drop(contributions.remove(at)),
                }
            }
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
        if let Some(other) = own().find(|rrset| rrset.rtype() != RecordType::CNAME) {
            reasons.push(Reason::CnameConflict { owner: cname.owner().clone(), other: other.rtype() });
        } else if cname.len() > 1 {
            reasons.push(Reason::CnameConflict { owner: cname.owner().clone(), other: RecordType::CNAME });
        }
    }
    for rrset in own().filter(|rrset| rrset.rtype() == RecordType::DNAME && rrset.len() > 1) {
        let (owner, rtype) = (rrset.owner().clone(), rrset.rtype());
        reasons.push(dns_core::zone::ZoneFaultKind::ManyAliases { owner, rtype }.into());
    }
}
