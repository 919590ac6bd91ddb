//! What a zone knows about a name and type ([RFC 1034, section 4.3.2]); no message exists yet.
//!
//! [RFC 1034, section 4.3.2]: https://www.rfc-editor.org/rfc/rfc1034#section-4.3.2

use dns_core::RecordType;
use dns_core::name::{HashedName, NAME_OCTETS_MAX, suffix_hash};
use dns_core::zone::{Node, PackedRrset, Zone};

/// The answer of a zone to one name and type.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'z> {
    /// What was found.
    pub outcome: Outcome<'z>,
    /// Labels of the closest encloser: the longest ancestor-or-self of the name that exists.
    pub encloser_labels: usize,
    /// The source of synthesis, where a wildcard matched ([RFC 4592, section 3.3.1](https://www.rfc-editor.org/rfc/rfc4592#section-3.3.1)).
    pub wildcard: Option<Node<'z>>,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'z> {
    /// The RRset is here.
    Answer(PackedRrset<'z>),
    /// The name is here, and all of it was asked for (ANY), or all signatures (RRSIG).
    Node(Node<'z>),
    /// The name is an alias by its CNAME record.
    Alias(PackedRrset<'z>),
    /// The name lies below a DNAME record, which stands at this node.
    Redirect(Node<'z>, PackedRrset<'z>),
    /// The name lies at or below a zone cut.
    Referral(Node<'z>),
    /// The name exists, empty non-terminals included, but not with this type.
    NoData,
    /// The name does not exist.
    NxDomain,
}

/// Looks a name up that is at or below the apex of the zone.
#[inline]
pub fn lookup<'z>(zone: &'z Zone, name: &HashedName, qtype: RecordType) -> Lookup<'z> {
    let labels = name.labels();
    let apex_labels = zone.apex().label_count();
    let found = |outcome| Lookup { outcome, encloser_labels: labels, wildcard: None };
    let node = if labels <= zone.depth_max() { zone.node(name.hash(labels), name.wire()) } else { None };
    // Cuts and DNAMEs strictly above the name, from the apex down: the first one decides.
    let mut above = zone.redirect_depths() & !(u128::MAX << labels);
    while above != 0 {
        let depth = above.trailing_zeros() as usize;
        above &= above - 1;
        let Some(node) = zone.node(name.hash(depth), name.suffix(depth)) else { continue };
        if node.is_zone_cut() {
            return Lookup { outcome: Outcome::Referral(node), encloser_labels: depth, wildcard: None };
        }
        if let Some(dname) = node.rrset(RecordType::DNAME) {
            return Lookup {
                outcome: Outcome::Redirect(node, dname),
                encloser_labels: depth,
                wildcard: None,
            };
        }
    }
    if let Some(node) = node {
        // The parent side of a cut knows its DS records (RFC 4035, section 3.1.4.1); the rest is the child's.
        if node.is_zone_cut() && qtype != RecordType::DS {
            return found(Outcome::Referral(node));
        }
        return found(at_node(node, qtype));
    }
    let encloser_labels = closest_encloser(zone, name, apex_labels);
    let encloser = zone.node(name.hash(encloser_labels), name.suffix(encloser_labels));
    let wildcard =
        encloser.filter(Node::has_wildcard_child).and_then(|_| wildcard_child(zone, name, encloser_labels));
    let outcome = match wildcard {
        Some(wildcard) => at_node(wildcard, qtype),
        None => Outcome::NxDomain,
    };
    Lookup { outcome, encloser_labels, wildcard }
}

#[inline]
fn at_node(node: Node<'_>, qtype: RecordType) -> Outcome<'_> {
    if let Some(rrset) = node.rrset(qtype) {
        return Outcome::Answer(rrset);
    }
    match qtype {
        RecordType::ANY if !node.is_empty_non_terminal() => Outcome::Node(node),
        RecordType::RRSIG if node.rrsets().any(|rrset| !rrset.signatures.is_empty()) => Outcome::Node(node),
        _ => match node.has_cname().then(|| node.rrset(RecordType::CNAME)).flatten() {
            Some(cname) => Outcome::Alias(cname),
            None => Outcome::NoData,
        },
    }
}

/// Labels of the longest proper ancestor of the name that exists. All ancestors of a name that exists exist, too, so
/// halving finds it: a name of 127 labels costs seven probes.
fn closest_encloser(zone: &Zone, name: &HashedName, apex_labels: usize) -> usize {
    let (mut exists, mut missing) = (apex_labels, name.labels().min(zone.depth_max() + 1));
    while missing - exists > 1 {
        let middle = exists + (missing - exists) / 2;
        if zone.node(name.hash(middle), name.suffix(middle)).is_some() {
            exists = middle;
        } else {
            missing = middle;
        }
    }
    exists
}

/// The wildcard directly below an ancestor of the name.
fn wildcard_child<'z>(zone: &'z Zone, name: &HashedName, encloser_labels: usize) -> Option<Node<'z>> {
    let encloser = name.suffix(encloser_labels);
    let mut wildcard = [0u8; NAME_OCTETS_MAX];
    wildcard[..2].copy_from_slice(b"\x01*");
    let wildcard = wildcard.get_mut(..2 + encloser.len())?;
    wildcard[2..].copy_from_slice(encloser);
    zone.node(suffix_hash(name.hash(encloser_labels), b"*"), wildcard)
}
