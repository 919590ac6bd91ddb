//! Zones that nobody declared: where flat records live.

use dns_core::Name;
use dns_core::trie::Trie;

/// The names that may be the apex of a derived zone, each with the number of owners that ask for it.
///
/// The apex for an owner is the shortest of them that is an ancestor of the owner, or the owner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    counts: Trie<(Name, usize)>,
}

impl Candidates {
    /// The apex that an owner asks for: itself; its parent, if it has a CNAME, is a wildcard or begins with `_`.
    ///
    /// Never fewer than two labels, so that no derived zone takes in a whole top-level domain; an owner of one label asks
    /// for itself.
    pub(crate) fn of(owner: &Name, has_cname: bool) -> Name {
        let mut candidate = owner.clone();
        let mut goes_up = has_cname;
        loop {
            let first = candidate.labels().next().unwrap_or_default();
            goes_up |= first.starts_with(b"_") || candidate.is_wildcard();
            match candidate.parent() {
                Some(parent) if goes_up && parent.label_count() >= 2 => candidate = parent,
                _ => return candidate,
            }
            goes_up = false;
        }
    }

    /// One more owner asks for this apex. Tells whether zones have to be put together anew at or below it.
    pub(crate) fn add(&mut self, candidate: &Name) -> bool {
        let count = self.count(candidate) + 1;
        self.set(candidate, count);
        count == 1 && self.is_shortest(candidate)
    }

    /// One owner less asks for this apex. Tells whether zones have to be put together anew at or below it.
    pub(crate) fn remove(&mut self, candidate: &Name) -> bool {
        let was_shortest = self.is_shortest(candidate);
        match self.count(candidate) {
            0 => false,
            1 => {
                self.counts.remove(candidate.hash64(), |(name, _)| name == candidate);
                was_shortest
            }
            count => {
                self.set(candidate, count - 1);
                false
            }
        }
    }

    /// Apex of the derived zone that an owner belongs to.
    pub(crate) fn apex_of(&self, owner: &Name) -> Option<Name> {
        (1..=owner.label_count()).map(|labels| owner.suffix(labels)).find(|name| self.count(name) > 0)
    }

    fn count(&self, candidate: &Name) -> usize {
        self.counts.get(candidate.hash64(), |(name, _)| name == candidate).map_or(0, |(_, count)| *count)
    }

    fn set(&mut self, candidate: &Name, count: usize) {
        self.counts.insert(candidate.hash64(), (candidate.clone(), count), |(name, _)| name == candidate);
    }

    fn is_shortest(&self, candidate: &Name) -> bool {
        self.apex_of(candidate).as_ref() == Some(candidate)
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
            ("www.example.net", false, "www.example.net"),
            ("www.example.net", true, "example.net"),
            ("*.example.net", false, "example.net"),
            ("_acme-challenge.example.net", false, "example.net"),
            ("_sip._tcp.example.net", false, "example.net"),
            ("_acme-challenge.example", false, "_acme-challenge.example"),
            ("example.net", true, "example.net"),
            ("localhost", false, "localhost"),
        ] {
            assert_eq!(Candidates::of(&name(owner), has_cname), name(expected), "{owner}");
        }
    }

    #[test]
    fn the_shortest_ancestor_is_the_apex() {
        let mut candidates = Candidates::default();
        assert!(candidates.add(&name("www.example.net")));
        assert_eq!(candidates.apex_of(&name("a.www.example.net")), Some(name("www.example.net")));
        assert!(candidates.add(&name("example.net")), "it takes the other zone in");
        assert!(!candidates.add(&name("mail.example.net")));
        assert_eq!(candidates.apex_of(&name("www.example.net")), Some(name("example.net")));
        assert!(!candidates.remove(&name("mail.example.net")));
        assert!(candidates.remove(&name("example.net")), "it falls apart again");
        assert_eq!(candidates.apex_of(&name("www.example.net")), Some(name("www.example.net")));
        assert_eq!(candidates.apex_of(&name("example.net")), None);
    }
}
