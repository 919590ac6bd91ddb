//! Orders of addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use dns_core::{Network, NetworkMap};

use super::Turn;
use super::index::enclosing;
use super::place::Places;
use super::turn::Ranked;

/// Addresses of one answer whose places are looked up; further ones count as having none.
const PLACED_MAX: usize = 128;

/// How addresses are ordered; see [`AddressOrder`](crate::guard::AddressOrder).
pub(super) enum Order {
    /// By the smallest number of a network that has the address.
    Fixed(NetworkMap<u64>),
    Rotate,
    Random,
    NearestPrefix,
    NearestPlace(Arc<Places>),
}

impl Order {
    /// Those of the first network first, then those of the second, and so on.
    pub(super) fn fixed(networks: &[Network]) -> Self {
        let mut first = HashMap::new();
        for (number, network) in networks.iter().enumerate() {
            first.entry(*network).or_insert(number as u64);
        }
        // The closest network is what an address finds; it must know the first one of all those around it.
        let first_around = |network: Network| {
            enclosing(network).chain([network]).filter_map(|around| first.get(&around).copied()).min()
        };
        Self::Fixed(
            first
                .keys()
                .filter_map(|network| first_around(*network).map(|number| (*network, number)))
                .collect(),
        )
    }

    /// Orders the addresses of one RRset; `rotation` is where this answer begins.
    pub(super) fn apply(&self, addresses: &mut [Ranked], client: IpAddr, rotation: usize, turn: &mut Turn) {
        match self {
            Self::Rotate => {
                let by = rotation % addresses.len().max(1);
                addresses.rotate_left(by);
                return;
            }
            Self::Random => {
                for at in (1..addresses.len()).rev() {
                    // A number below `at + 1`, from the upper half of a product.
                    let product = u128::from(turn.next_random()) * (at as u128 + 1);
                    addresses.swap(at, (product >> 64) as usize);
                }
                return;
            }
            Self::Fixed(networks) => {
                for ranked in &mut *addresses {
                    ranked.key = networks.get(ranked.address).copied().unwrap_or(u64::MAX);
                }
            }
            Self::NearestPrefix => {
                for ranked in &mut *addresses {
                    ranked.key = u64::from(128 - common_bits(client, ranked.address));
                }
            }
            Self::NearestPlace(places) => {
                let Some(client) = places.place(client) else { return };
                for (at, ranked) in addresses.iter_mut().enumerate() {
                    let place = if at < PLACED_MAX { places.place(ranked.address) } else { None };
                    ranked.key = place.map_or(u64::MAX, |place| client.distance_key(place));
                }
            }
        }
        addresses.sort_unstable_by_key(|ranked| (ranked.key, ranked.place));
    }
}

/// How many bits two addresses have in common from the left on; none across families.
fn common_bits(left: IpAddr, right: IpAddr) -> u32 {
    match (left.to_canonical(), right.to_canonical()) {
        (IpAddr::V4(left), IpAddr::V4(right)) => (left.to_bits() ^ right.to_bits()).leading_zeros(),
        (IpAddr::V6(left), IpAddr::V6(right)) => (left.to_bits() ^ right.to_bits()).leading_zeros(),
        _ => 0,
    }
}
