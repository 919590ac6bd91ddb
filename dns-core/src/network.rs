//! Groups of addresses: what views, access lists, rules and limits tell clients apart by.

use std::cmp::Reverse;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Addresses that begin with the same bits, written `192.0.2.0/24`; a lone address is a network of one.
///
/// IPv4 addresses in IPv6 form (`::ffff:192.0.2.1`) count as what they stand for.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Network {
    family: Family,
    /// At the top of the number; bits behind the prefix are 0.
    bits: u128,
    length: u8,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Family {
    V4,
    V6,
}

/// Why a text is not a network.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NetworkError {
    /// The address cannot be read.
    #[error("'{0}' is not an address such as 192.0.2.1 or 2001:db8::1")]
    Address(String),
    /// The length of the prefix is not a number, or too large for the family.
    #[error("'{0}' is not the length of a prefix of this family: 0 to {1}")]
    Length(String, u8),
    /// The prefix ends before the IPv4 address within an IPv6 address begins ([RFC 4291, section 2.5.5.2]), so that it stands
    /// for no network of either family.
    ///
    /// [RFC 4291, section 2.5.5.2]: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
    #[error("a prefix of {0} bits ends before the IPv4 address in ::ffff:0:0/96 begins: 96 to 128")]
    Mapped(u8),
    /// The address has bits behind the prefix, so one of the two is probably wrong.
    #[error("the address has bits behind the prefix; the network is {0}")]
    HostBits(Network),
}

impl Network {
    /// The network of an address under a prefix of so many bits; bits behind it are dropped. Longer prefixes than the family
    /// has count as the whole address.
    pub fn new(address: IpAddr, length: u8) -> Self {
        let (family, bits) = number(address);
        let length = length.min(family.bits());
        Self { family, bits: bits & mask(length), length }
    }

    /// This address alone.
    pub fn host(address: IpAddr) -> Self {
        Self::new(address, 128)
    }

    /// The loopback addresses of both families.
    pub fn loopback() -> [Self; 2] {
        [Self::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8), Self::host(Ipv6Addr::LOCALHOST.into())]
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        match self.family {
            Family::V4 => Ipv4Addr::from((self.bits >> 96) as u32).into(),
            Family::V6 => Ipv6Addr::from(self.bits).into(),
        }
    }

    /// Bits that all addresses have in common.
    pub fn prefix_length(&self) -> u8 {
        self.length
    }

    /// The address belongs to the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (family, bits) = number(address);
        family == self.family && bits & mask(self.length) == self.bits
    }
}

impl Family {
    fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// An address as a number whose first bit is the address's first bit.
fn number(address: IpAddr) -> (Family, u128) {
    match address.to_canonical() {
        IpAddr::V4(address) => (Family::V4, u128::from(address.to_bits()) << 96),
        IpAddr::V6(address) => (Family::V6, address.to_bits()),
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == self.family.bits() {
            return self.address().fmt(f);
        }
        write!(f, "{}/{}", self.address(), self.length)
    }
}

impl fmt::Debug for Network {
    /// As text: nobody reads the bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({self})")
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) =
            text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address(address.to_owned()))?;
        let Some(length) = length else { return Ok(Self::host(address)) };
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let is_plain = !length.is_empty() && length.bytes().all(|octet| octet.is_ascii_digit());
        let number = length.parse::<u8>().ok().filter(|number| is_plain && *number <= bits);
        let number = number.ok_or_else(|| NetworkError::Length(length.to_owned(), bits))?;
        // A mapped address is IPv4 under a prefix that is 96 bits longer.
        let is_mapped = address.is_ipv6() && address.to_canonical().is_ipv4();
        let length =
            if is_mapped { number.checked_sub(96).ok_or(NetworkError::Mapped(number))? } else { number };
        let network = Self::new(address, length);
        if network.address() == address.to_canonical() {
            Ok(network)
        } else {
            Err(NetworkError::HostBits(network))
        }
    }
}

/// Values by network; an address finds the one with the longest prefix that it has.
///
/// One binary search per length of prefix that occurs, longest first: tables have few lengths, whatever their size. Many
/// networks at once are best collected, which sorts them once; [`insert`](Self::insert) moves those behind each new one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkMap<T> {
    /// By family, each with the longest prefixes first.
    lengths: [Vec<Length<T>>; 2],
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Length<T> {
    length: u8,
    /// In the order of their bits.
    networks: Vec<(u128, T)>,
}

impl<T> Default for NetworkMap<T> {
    fn default() -> Self {
        Self { lengths: [Vec::new(), Vec::new()] }
    }
}

impl<T> NetworkMap<T> {
    /// Enters a value; returns the one that the network had.
    pub fn insert(&mut self, network: Network, value: T) -> Option<T> {
        let lengths = &mut self.lengths[network.family as usize];
        let at =
            match lengths.binary_search_by_key(&(u8::MAX - network.length), |known| u8::MAX - known.length) {
                Ok(at) => at,
                Err(at) => {
                    lengths.insert(at, Length { length: network.length, networks: Vec::new() });
                    at
                }
            };
        let networks = &mut lengths[at].networks;
        match networks.binary_search_by_key(&network.bits, |(bits, _)| *bits) {
            Ok(at) => Some(std::mem::replace(&mut networks[at].1, value)),
            Err(at) => {
                networks.insert(at, (network.bits, value));
                None
            }
        }
    }

    /// The value of the longest prefix that the address has.
    pub fn get(&self, address: IpAddr) -> Option<&T> {
        let (family, bits) = number(address);
        self.lengths[family as usize].iter().find_map(|Length { length, networks }| {
            let prefix = bits & mask(*length);
            let at = networks.binary_search_by_key(&prefix, |(bits, _)| *bits).ok()?;
            Some(&networks[at].1)
        })
    }

    /// The value of this very network.
    pub fn get_exact(&self, network: Network) -> Option<&T> {
        let lengths = &self.lengths[network.family as usize];
        let found = lengths.iter().find(|known| known.length == network.length)?;
        let at = found.networks.binary_search_by_key(&network.bits, |(bits, _)| *bits).ok()?;
        Some(&found.networks[at].1)
    }

    /// There is no network.
    pub fn is_empty(&self) -> bool {
        self.lengths.iter().all(Vec::is_empty)
    }
}

impl<T> FromIterator<(Network, T)> for NetworkMap<T> {
    /// Of values for the same network, the last counts.
    fn from_iter<I: IntoIterator<Item = (Network, T)>>(networks: I) -> Self {
        let mut entries: Vec<(Network, T)> = networks.into_iter().collect();
        // One after the other, each would move all that are larger. The sort is stable: equals stay in the order they came in.
        entries.sort_by_key(|(network, _)| (network.family, Reverse(network.length), network.bits));
        entries.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                std::mem::swap(later, kept);
            }
            is_same
        });
        let mut map = Self::default();
        for (network, value) in entries {
            let lengths = &mut map.lengths[network.family as usize];
            match lengths.last_mut() {
                Some(known) if known.length == network.length => known.networks.push((network.bits, value)),
                _ => lengths.push(Length { length: network.length, networks: vec![(network.bits, value)] }),
            }
        }
        map
    }
}

/// Which clients are let in: the longest prefix decides, whether it was allowed or denied.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    networks: NetworkMap<bool>,
    /// What those get whom no prefix matches.
    others: bool,
}

impl Access {
    /// Lets in whom `allow` names, or everybody if it names nobody, but for those whom `deny` names more closely. A network
    /// that stands in both is denied.
    pub fn new(allow: &[Network], deny: &[Network]) -> Self {
        let allowed = allow.iter().map(|network| (*network, true));
        let denied = deny.iter().map(|network| (*network, false));
        Self { networks: allowed.chain(denied).collect(), others: allow.is_empty() }
    }

    /// The client is let in.
    pub fn admits(&self, client: IpAddr) -> bool {
        self.networks.get(client).copied().unwrap_or(self.others)
    }

    /// Everybody is let in.
    pub fn is_open(&self) -> bool {
        self.networks.is_empty() && self.others
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_read_and_written() {
        for text in ["192.0.2.0/24", "192.0.2.1", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0"] {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("192.0.2.1/32").to_string(), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.0/120"), network("192.0.2.0/24"));
        assert_eq!(network("::ffff:0:0/96"), network("0.0.0.0/0"));
    }

    #[test]
    fn what_is_no_network_is_told_why() {
        let error = |text: &str| text.parse::<Network>().unwrap_err().to_string();
        assert_eq!(error("192.0.2/24"), "'192.0.2' is not an address such as 192.0.2.1 or 2001:db8::1");
        assert_eq!(error("192.0.2.0/33"), "'33' is not the length of a prefix of this family: 0 to 32");
        assert_eq!(error("2001:db8::/+3"), "'+3' is not the length of a prefix of this family: 0 to 128");
        assert_eq!(
            error("::ffff:0:0/90"),
            "a prefix of 90 bits ends before the IPv4 address in ::ffff:0:0/96 begins: 96 to 128"
        );
        assert_eq!("::ffff:192.0.2.0/95".parse::<Network>(), Err(NetworkError::Mapped(95)));
        assert_eq!(error("192.0.2.0/"), "'' is not the length of a prefix of this family: 0 to 32");
        assert_eq!(
            error("192.0.2.1/24"),
            "the address has bits behind the prefix; the network is 192.0.2.0/24"
        );
    }

    #[test]
    fn the_longest_prefix_decides() {
        let map: NetworkMap<&str> =
            [("0.0.0.0/0", "any"), ("10.0.0.0/8", "ten"), ("10.1.0.0/16", "ten one"), ("10.1.2.3", "host")]
                .map(|(text, value)| (network(text), value))
                .into_iter()
                .collect();
        for (client, expected) in [
            ("192.0.2.1", Some("any")),
            ("10.2.0.1", Some("ten")),
            ("10.1.9.9", Some("ten one")),
            ("10.1.2.3", Some("host")),
            ("::ffff:10.1.2.3", Some("host")),
            ("2001:db8::1", None),
        ] {
            assert_eq!(map.get(address(client)).copied(), expected, "{client}");
        }
    }

    #[test]
    fn of_equal_networks_the_last_one_counts() {
        let entries = ["10.0.0.0/8", "192.0.2.1", "10.0.0.0/8", "::/0", "10.0.0.0/8"];
        let map: NetworkMap<usize> = entries.map(network).into_iter().zip(0..).collect();
        assert_eq!(map.get_exact(network("10.0.0.0/8")), Some(&4));
        assert_eq!(map.get_exact(network("192.0.2.1")), Some(&1));
        assert_eq!(map.get_exact(network("::/0")), Some(&3));
        assert_eq!(map.get_exact(network("0.0.0.0/0")), None);
        assert!(NetworkMap::<u8>::from_iter([]).is_empty());
    }

    /// Addresses that lie close together, so that prefixes of every length contain some of them.
    fn close_addresses() -> impl Strategy<Value = IpAddr> {
        let high_and_low = |bits: u128| (bits & 3) << 126 | bits >> 2 & 3;
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits & 0xc000_0003))),
            any::<u128>().prop_map(move |bits| IpAddr::from(Ipv6Addr::from(high_and_low(bits)))),
            any::<u32>().prop_map(|bits| Ipv4Addr::from(bits & 0xc000_0003).to_ipv6_mapped().into()),
        ]
    }

    fn close_networks() -> impl Strategy<Value = Network> {
        let length = prop_oneof![0..4_u8, 29..34_u8, 125..=128_u8];
        (close_addresses(), length).prop_map(|(address, length)| Network::new(address, length))
    }

    proptest! {
        #[test]
        fn a_map_is_a_list_searched_from_end_to_end(
            networks in proptest::collection::vec(close_networks(), 0..60),
            clients in proptest::collection::vec(close_addresses(), 1..20),
        ) {
            let entries = networks.iter().copied().zip(0_usize..);
            let collected: NetworkMap<usize> = entries.clone().collect();
            let mut inserted = NetworkMap::default();
            for (network, number) in entries.clone() {
                let known = entries.clone().take(number).filter(|entry| entry.0 == network).last();
                prop_assert_eq!(inserted.insert(network, number), known.map(|(_, number)| number));
            }
            prop_assert_eq!(&collected, &inserted);
            for client in clients {
                // Of the longest ones, the last.
                let around = entries.clone().filter(|(network, _)| network.contains(client));
                let expected = around.max_by_key(|(network, _)| network.prefix_length());
                prop_assert_eq!(collected.get(client).copied(), expected.map(|(_, number)| number));
            }
            for (network, _) in entries.clone() {
                let expected = entries.clone().filter(|entry| entry.0 == network).last();
                prop_assert_eq!(collected.get_exact(network).copied(), expected.map(|(_, number)| number));
            }
        }
    }

    #[test]
    fn access_follows_the_closest_network() {
        let access = Access::new(&[network("10.0.0.0/8")], &[network("10.1.0.0/16")]);
        assert!(access.admits(address("10.2.0.1")));
        assert!(!access.admits(address("10.1.0.1")));
        assert!(!access.admits(address("192.0.2.1")));
        let all_but_one = Access::new(&[], &[network("192.0.2.1")]);
        assert!(all_but_one.admits(address("192.0.2.2")) && !all_but_one.admits(address("192.0.2.1")));
        assert!(Access::new(&[], &[]).is_open() && !all_but_one.is_open());
    }
}
