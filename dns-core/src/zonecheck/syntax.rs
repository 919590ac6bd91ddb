//! Questions that a name alone answers.

use std::net::Ipv6Addr;
use std::str;

use crate::name::{Labels, is_at_or_below};

/// The name ends in the apex twice. `doubled` is the apex in front of itself.
pub(super) fn repeats_apex(name: &[u8], doubled: Option<&[u8]>) -> bool {
    doubled.is_some_and(|doubled| is_at_or_below(name, doubled))
}

/// The apex in front of itself; `None` for the root, and where it would be too long for a name.
pub(super) fn doubled(apex: &[u8]) -> Option<Vec<u8>> {
    let relative = &apex[..apex.len() - 1];
    let doubled = [relative, apex].concat();
    (!relative.is_empty() && doubled.len() <= crate::name::NAME_OCTETS_MAX).then_some(doubled)
}

/// The name is an address, by itself or in front of the apex.
pub(super) fn is_address(name: &[u8], apex: &[u8]) -> bool {
    let Some(&first) = name.first() else { return false };
    // Almost every name is done with here.
    if first == 0 || !name[1].is_ascii_hexdigit() && name[1] != b':' {
        return false;
    }
    let ends_here = |rest: &[u8]| rest == [0] || rest.eq_ignore_ascii_case(apex);
    let label = &name[1..=usize::from(first)];
    if label.contains(&b':') {
        let address = str::from_utf8(label).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.is_some() && ends_here(&name[1 + usize::from(first)..]);
    }
    let mut octets = 0;
    for label in Labels::of_wire(name).take(4) {
        let number = str::from_utf8(label).ok().and_then(|text| text.parse::<u8>().ok());
        if number.is_none() || !label.iter().all(u8::is_ascii_digit) {
            return false;
        }
        octets += 1 + label.len();
    }
    Labels::of_wire(name).count() >= 4 && ends_here(&name[octets..])
}

/// Letters, digits and hyphens, no hyphen at either end of a label.
pub(super) fn is_host_name(name: &[u8]) -> bool {
    Labels::of_wire(name).all(|label| {
        let inner = label.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-');
        inner && label.first() != Some(&b'-') && label.last() != Some(&b'-')
    })
}

/// What may own the address of a host: a host name, a wildcard, or what Active Directory has its global catalogs under.
pub(super) fn is_host_owner(name: &[u8]) -> bool {
    is_host_name(name)
        || name.strip_prefix(b"\x01*").is_some_and(is_host_name)
        || name.strip_prefix(b"\x02gc\x06_msdcs").is_some_and(is_host_name)
}

/// The zone maps addresses to names ([RFC 1035, section 3.5](https://www.rfc-editor.org/rfc/rfc1035#section-3.5)).
pub(super) fn is_reverse(apex: &[u8]) -> bool {
    is_at_or_below(apex, b"\x07in-addr\x04arpa\0") || is_at_or_below(apex, b"\x03ip6\x04arpa\0")
}
