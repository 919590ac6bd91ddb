//! Where on the globe addresses are, by a database in MaxMind's format.

use std::net::IpAddr;

use maxminddb::{Reader, WithinOptions};
use serde::Deserialize;

/// Networks of a database that are looked at for coordinates before it counts as one without.
const SAMPLED_MAX: usize = 10_000;

/// A database with coordinates, in memory.
pub(super) struct Places(Reader<Vec<u8>>);

/// Why octets are no database with coordinates.
#[derive(Debug)]
pub(super) enum PlacesFault {
    Format(String),
    NoCoordinates(String),
}

/// A point on the unit sphere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place([f64; 3]);

/// A network's entry, as far as it matters. MaxMind nests the coordinates; others write them flat.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    location: Option<Location>,
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
}

#[derive(Deserialize)]
struct Location {
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
}

impl Places {
    pub(super) fn read(octets: Vec<u8>) -> Result<Self, PlacesFault> {
        let reader = Reader::from_source(octets).map_err(|error| PlacesFault::Format(error.to_string()))?;
        let mut has_coordinates = false;
        {
            let networks = reader
                .networks(WithinOptions::default())
                .map_err(|error| PlacesFault::Format(error.to_string()))?;
            for network in networks.take(SAMPLED_MAX) {
                let network = network.map_err(|error| PlacesFault::Format(error.to_string()))?;
                // Entries of another shape have no coordinates that we could read.
                if let Ok(Some(entry)) = network.decode::<Entry>()
                    && entry.place().is_some()
                {
                    has_coordinates = true;
                    break;
                }
            }
        }
        if !has_coordinates {
            return Err(PlacesFault::NoCoordinates(reader.metadata().database_type.clone()));
        }
        Ok(Self(reader))
    }

    /// Where an address is, if that is known.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        // Asked here, since an error of the reader is a string on the heap.
        if address.is_ipv6() && self.0.metadata().ip_version == 4 {
            return None;
        }
        self.0.lookup(address).ok()?.decode::<Entry>().ok()??.place()
    }
}

impl Entry {
    fn place(&self) -> Option<Place> {
        match &self.location {
            Some(location) => Place::new(location.latitude?, location.longitude?),
            None => Place::new(self.latitude?, self.longitude?),
        }
    }
}

impl Place {
    /// A place by its degrees; `None` if they lie on no globe.
    pub(super) fn new(latitude: f64, longitude: f64) -> Option<Self> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return None;
        }
        let (latitude_sin, latitude_cos) = latitude.to_radians().sin_cos();
        let (longitude_sin, longitude_cos) = longitude.to_radians().sin_cos();
        Some(Self([latitude_cos * longitude_cos, latitude_cos * longitude_sin, latitude_sin]))
    }

    /// A number that grows with the great-circle distance: of the square of the straight line through the globe, whose
    /// bits are ordered as it is, as it is never negative.
    pub(super) fn distance_key(self, other: Self) -> u64 {
        let square: f64 =
            self.0.iter().zip(other.0).map(|(left, right)| (left - right) * (left - right)).sum();
        square.to_bits()
    }
}
