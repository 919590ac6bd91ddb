//! Zones that nobody declared: where flat records live.

use std::sync::Arc;

use dns_core::Name;
use dns_core::name::HashedName;
use dns_core::trie::Trie;

/// The names that may be the apex of a derived zone, each with the number of owners that ask for it. Clones share what
/// they have in common.
///
/// The apex for an owner is the shortest of them that is an ancestor of the owner, or the owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    counts: Trie<Arc<(Name, usize)>>,
}

impl Candidates {
    /// The apex that an owner asks for: itself; its parent, if it has a CNAME, is a wildcard or begins with `_`.
    ///
    /// Never fewer than two labels, so that no derived zone takes in a whole top-level domain; an owner of one label asks
    /// for itself. The root, and a wildcard with nothing to go up to, ask for nothing: they need a zone that is declared.
    pub(crate) fn of(owner: &Name, has_cname: bool) -> Option<Name> {
        let mut candidate = owner.clone();
        let mut goes_up = has_cname;
        loop {
            let first = candidate.labels().next()?;
            goes_up |= first.starts_with(b"_") || candidate.is_wildcard();
            match candidate.parent() {
                Some(parent) if goes_up && parent.label_count() >= 2 => candidate = parent,
                // As the apex of a zone it would match its own literal name only.
                _ if candidate.is_wildcard() => return None,
                _ => return Some(candidate),
            }
            goes_up = false;
        }
    }

    /// So many more owners ask for this apex, or fewer. Tells whether it has come or gone.
    pub(crate) fn add(&mut self, candidate: &Name, owners: isize) -> bool {
        let before = self.count(candidate);
        let after = before.saturating_add_signed(owners);
        let (hash, matches) = (candidate.hash64(), |entry: &Arc<(Name, usize)>| entry.0 == *candidate);
        if after == 0 {
            self.counts.remove(hash, matches);
        } else if after != before {
            self.counts.insert(hash, Arc::new((candidate.clone(), after)), matches);
        }
        (before == 0) != (after == 0)
    }

    /// Apex of the derived zone that an owner belongs to, if it is in one.
    pub(crate) fn apex_of(&self, owner: &Name) -> Option<Name> {
        let mut hashed = HashedName::default();
        hashed.read(owner.as_wire()).ok()?;
        (1..=hashed.labels()).find_map(|labels| {
            let suffix = hashed.suffix(labels);
            let entry = self.counts.get(hashed.hash(labels), |entry| entry.0.as_wire() == suffix)?;
            Some(entry.0.clone())
        })
    }

    /// It is the apex of a zone, not only of one inside a larger one.
    pub(crate) fn is_apex(&self, name: &Name) -> bool {
        self.apex_of(name).as_ref() == Some(name)
    }

    fn count(&self, candidate: &Name) -> usize {
        self.counts.get(candidate.hash64(), |entry| entry.0 == *candidate).map_or(0, |entry| entry.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn owners_ask_for_themselves_or_their_parents() {
        for (owner, has_cname, expected) in [
            ("www.example.net", false, Some("www.example.net")),
            ("www.example.net", true, Some("example.net")),
            ("*.example.net", false, Some("example.net")),
            ("_acme-challenge.example.net", false, Some("example.net")),
            ("_sip._tcp.example.net", false, Some("example.net")),
            ("*._tcp.example.net", false, Some("example.net")),
            ("a.*.example.net", false, Some("a.*.example.net")),
            ("_acme-challenge.example", false, Some("_acme-challenge.example")),
            ("example.net", true, Some("example.net")),
            ("localhost", false, Some("localhost")),
            ("localhost", true, Some("localhost")),
            ("*.example", false, None),
            ("*", false, None),
            (".", false, None),
        ] {
            assert_eq!(Candidates::of(&name(owner), has_cname), expected.map(name), "{owner}");
        }
    }

    #[test]
    fn the_shortest_ancestor_is_the_apex() {
        let mut candidates = Candidates::default();
        assert!(candidates.add(&name("www.example.net"), 1));
        assert_eq!(candidates.apex_of(&name("a.www.example.net")), Some(name("www.example.net")));
        assert!(candidates.add(&name("example.net"), 1));
        assert!(!candidates.add(&name("example.net"), 1), "it was there already");
        assert!(!candidates.is_apex(&name("www.example.net")), "the larger zone has taken it in");
        assert_eq!(candidates.apex_of(&name("www.example.net")), Some(name("example.net")));
        assert!(candidates.add(&name("example.net"), -2));
        assert_eq!(candidates.apex_of(&name("www.example.net")), Some(name("www.example.net")));
        assert_eq!(candidates.apex_of(&name("example.net")), None);
        assert_eq!(candidates.apex_of(&Name::root()), None);
    }
}
