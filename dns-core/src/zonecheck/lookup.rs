//! Finding the names that records name.

use crate::name::{HashedName, suffix_hash};
use crate::zone::{Node, Zone};

/// What a zone has at a name.
pub(super) enum Found<'z> {
    /// The name, or the wildcard that stands for it; authoritative.
    Node(Node<'z>),
    /// A name at or below a zone cut, with its node if it has one.
    Delegated { cut: Node<'z>, glue: Option<Node<'z>> },
    /// A name below a DNAME record.
    Redirected,
    /// Nothing.
    Missing,
}

/// The topmost zone cut or DNAME above `name`; the name itself counts as a zone cut if `at_name` says so.
pub(super) fn redirect<'z>(zone: &'z Zone, name: &HashedName, at_name: bool) -> Option<Node<'z>> {
    let depths = zone.redirect_depths();
    if depths == 0 {
        return None;
    }
    let labels = name.labels();
    (zone.apex().label_count()..=labels)
        .filter(|depth| depths >> depth & 1 == 1)
        .filter_map(|depth| Some((depth, zone.node(name.hash(depth), name.suffix(depth))?)))
        .find(|(depth, node)| {
            if *depth == labels {
                at_name && node.is_zone_cut()
            } else {
                node.is_zone_cut() || node.has_dname()
            }
        })
        .map(|(_, node)| node)
}

/// What the zone has at a name at or below its apex.
pub(super) fn find<'z>(zone: &'z Zone, name: &HashedName) -> Found<'z> {
    let labels = name.labels();
    let node = zone.node(name.hash(labels), name.wire());
    match redirect(zone, name, true) {
        Some(cut) if cut.is_zone_cut() => return Found::Delegated { cut, glue: node },
        Some(_) => return Found::Redirected,
        None => {}
    }
    if let Some(node) = node {
        return Found::Node(node);
    }
    let closest_encloser = (zone.apex().label_count()..labels)
        .rev()
        .find_map(|depth| Some((depth, zone.node(name.hash(depth), name.suffix(depth))?)));
    match closest_encloser {
        Some((depth, encloser)) if encloser.has_wildcard_child() => {
            let wildcard = [b"\x01*", name.suffix(depth)].concat();
            zone.node(suffix_hash(name.hash(depth), b"*"), &wildcard).map_or(Found::Missing, Found::Node)
        }
        _ => Found::Missing,
    }
}
