//! Names in canonical order, which the proofs of NSEC records are found by.

use crate::name::canonical_cmp;

/// Places of nodes in canonical order of their names ([RFC 4034, section 6.1]), all of them in one zone.
///
/// Names of a zone differ first in the label below its apex. The first octets of that label stand in an array of their own, so
/// that a search seldom looks at a name.
///
/// [RFC 4034, section 6.1]: https://www.rfc-editor.org/rfc/rfc4034#section-6.1
#[derive(Default)]
pub(super) struct CanonicalOrder {
    apex_octets: usize,
    keys: Vec<u64>,
    places: Vec<u32>,
}

impl CanonicalOrder {
    /// Octets that each name takes.
    pub const ENTRY_OCTETS: usize = size_of::<u64>() + size_of::<u32>();

    /// The order of these nodes; `name` tells the name of each.
    pub fn new<'n>(apex_octets: usize, places: &[u32], name: impl Fn(u32) -> &'n [u8]) -> Self {
        let (keys, places) = sorted(apex_octets, places.iter().copied(), name).into_iter().unzip();
        Self { apex_octets, keys, places }
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The last one at or before `wanted`, which is a name of the zone.
    pub fn at_or_before<'n>(&self, wanted: &[u8], name: impl Fn(u32) -> &'n [u8]) -> Option<u32> {
        let wanted_key = key(wanted, self.apex_octets);
        let first = self.keys.partition_point(|&key| key < wanted_key);
        // Those that begin alike: often one or none, but all names where hosts are numbered behind one long word.
        let alike = self.keys[first..].partition_point(|&key| key == wanted_key);
        let alike = &self.places[first..first + alike];
        let after = first + alike.partition_point(|&place| canonical_cmp(name(place), wanted).is_le());
        // The first name of the order is the apex, and nothing in the zone sorts before it.
        self.places.get(after.checked_sub(1)?).copied()
    }
}

/// These nodes in canonical order, each behind the first octets of the label below the apex.
pub(super) fn sorted<'n>(
    apex_octets: usize,
    places: impl Iterator<Item = u32>,
    name: impl Fn(u32) -> &'n [u8],
) -> Vec<(u64, u32)> {
    let mut entries: Vec<(u64, u32)> = places.map(|place| (key(name(place), apex_octets), place)).collect();
    entries.sort_unstable_by(|(left_key, left), (right_key, right)| {
        left_key.cmp(right_key).then_with(|| canonical_cmp(name(*left), name(*right)))
    });
    entries
}

/// The first octets of the label below the apex, 0 for the apex: of names whose keys differ, the one with the lower key comes
/// first.
fn key(name: &[u8], apex_octets: usize) -> u64 {
    let below = name.len().saturating_sub(apex_octets);
    let (mut at, mut label) = (0, &name[..0]);
    while at < below {
        let end = at + 1 + usize::from(name[at]);
        label = &name[at + 1..end];
        at = end;
    }
    // A label that ends early is filled up with zeros: it sorts before those that go on, or with those that go on with zeros.
    let mut octets = [0; 8];
    for (octet, from) in octets.iter_mut().zip(label) {
        *octet = from.to_ascii_lowercase();
    }
    u64::from_be_bytes(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Name;

    /// Labels that share their beginnings, have zeros, and stand above one another.
    fn names() -> Vec<Name> {
        let labels = [
            "a",
            "b",
            "ab",
            "a\\000",
            "a\\000b",
            "longlabel",
            "longlabels",
            "longlab",
            "\\255",
            "*",
            "z.a",
            "a.z.a",
        ];
        let below = labels.iter().map(|label| format!("{label}.example.org."));
        let names = below.chain(["example.org.".to_owned()]).map(|name| name.parse().unwrap());
        names.collect()
    }

    #[test]
    fn any_name_finds_what_comparing_all_of_them_finds() {
        let names = names();
        let name = |place: u32| names[place as usize].as_wire();
        let apex_octets = names[names.len() - 1].as_wire().len();
        // Every other name is in the order; all of them are asked for.
        let places: Vec<u32> = (0..names.len() as u32).filter(|place| place % 2 == 0).collect();
        let order = CanonicalOrder::new(apex_octets, &places, name);
        assert_eq!(order.len(), places.len());
        for wanted in &names {
            let expected = places
                .iter()
                .copied()
                .filter(|&place| canonical_cmp(name(place), wanted.as_wire()).is_le())
                .max_by(|&left, &right| canonical_cmp(name(left), name(right)));
            assert_eq!(order.at_or_before(wanted.as_wire(), name), expected, "{wanted}");
        }
        assert_eq!(CanonicalOrder::default().at_or_before(names[0].as_wire(), name), None);
    }
}
