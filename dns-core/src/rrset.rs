//! Records of one owner and type, kept together.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use thiserror::Error;

use crate::{Name, RecordType, rdata};

/// Largest TTL: 31 bits ([RFC 2181, section 8](https://www.rfc-editor.org/rfc/rfc2181#section-8)).
pub const TTL_MAX: u32 = i32::MAX as u32;

/// Most RRsets have no more octets, and are put together on the stack.
pub(crate) const USUAL_OCTETS: usize = 128;

/// All records of one owner, class IN and type: they share a TTL and have at least one RDATA
/// ([RFC 2181, section 5](https://www.rfc-editor.org/rfc/rfc2181#section-5)).
///
/// The RDATA are uncompressed wire form with the letter case they came in, in the order they were given, no value twice.
/// Two RRsets are equal when they hold the same values, whatever the order.
#[derive(Clone)]
pub struct Rrset {
    owner: Name,
    rtype: RecordType,
    ttl: u32,
    count: u16,
    /// Each RDATA behind its length as two octets, big-endian. Shared: one and the same RRset stands in changes, in the
    /// history and among the records of its source.
    octets: Arc<[u8]>,
}

/// Why values make no RRset.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum RrsetError {
    /// There is no value.
    #[error("{owner} {rtype} has no value")]
    Empty {
        /// Owner of the RRset.
        owner: Name,
        /// Its type.
        rtype: RecordType,
    },
    /// The type exists in messages only.
    #[error("{0} records cannot be stored")]
    MetaType(RecordType),
    /// One value is longer than the 65,535 octets that RDLENGTH can say.
    #[error("a value of {0} octets is longer than RDATA can be")]
    TooLong(usize),
    /// The whole does not fit into any message.
    #[error("{owner} {rtype} has {octets} octets, more than fit into a message")]
    TooLarge {
        /// Owner of the RRset.
        owner: Name,
        /// Its type.
        rtype: RecordType,
        /// Size of all its records.
        octets: usize,
    },
    /// TTLs have 31 bits.
    #[error("TTL {0} is larger than {TTL_MAX}")]
    Ttl(u32),
}

impl Rrset {
    /// Most octets that all records together may take: a message less its header, a question and an OPT record.
    pub const OCTETS_MAX: usize = 65_535 - 12 - 260 - 64;

    /// Puts values together; each one is valid RDATA of the type. Of those that differ in nothing but the letter case of
    /// their names, the first one stays.
    pub fn new<I>(owner: Name, rtype: RecordType, ttl: u32, values: I) -> Result<Self, RrsetError>
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        if rtype.is_meta() {
            return Err(RrsetError::MetaType(rtype));
        }
        if ttl > TTL_MAX {
            return Err(RrsetError::Ttl(ttl));
        }
        let mut seen = std::collections::HashSet::new();
        let key = |value: &[u8]| rdata::with_lower_names(rtype, value).into_owned();
        let mut octets = SmallVec::<[u8; USUAL_OCTETS]>::new();
        let mut count = 0usize;
        for value in values {
            let value = value.as_ref();
            let length = u16::try_from(value.len()).map_err(|_| RrsetError::TooLong(value.len()))?;
            // A set pays off only where there are many values.
            let repeated = if count < 16 {
                Rdatas { rest: &octets }.any(|other| rdata::is_same(rtype, other, value))
            } else {
                if count == 16 {
                    seen.extend(Rdatas { rest: &octets }.map(key));
                }
                !seen.insert(key(value))
            };
            if !repeated {
                octets.extend_from_slice(&length.to_be_bytes());
                octets.extend_from_slice(value);
                count += 1;
            }
        }
        if count == 0 {
            return Err(RrsetError::Empty { owner, rtype });
        }
        let size = octets.len() + 10 * count;
        if size > Self::OCTETS_MAX {
            return Err(RrsetError::TooLarge { owner, rtype, octets: size });
        }
        Ok(Self { owner, rtype, ttl, count: count as u16, octets: Arc::from(&octets[..]) })
    }

    /// `octets` are `count` values, none of them twice, each behind its length.
    pub(crate) fn from_checked(owner: Name, rtype: RecordType, ttl: u32, count: u16, octets: &[u8]) -> Self {
        Self { owner, rtype, ttl, count, octets: octets.into() }
    }

    /// The name the records stand at.
    pub fn owner(&self) -> &Name {
        &self.owner
    }

    /// Their type.
    pub fn rtype(&self) -> RecordType {
        self.rtype
    }

    /// Their TTL in seconds.
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// How many records there are; never 0.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Each RDATA in uncompressed wire form.
    pub fn rdatas(&self) -> Rdatas<'_> {
        Rdatas { rest: &self.octets }
    }

    /// The same values with another TTL; at most 31 bits of it.
    #[must_use]
    pub fn with_ttl(mut self, ttl: u32) -> Self {
        self.ttl = ttl.min(TTL_MAX);
        self
    }

    /// The same values in any order.
    pub fn same_values(&self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.octets, &other.octets) || self.octets == other.octets {
            return true;
        }
        if self.count != other.count || self.octets.len() != other.octets.len() || self.count == 1 {
            return false;
        }
        let [mut left, mut right] = [self, other].map(|rrset| rrset.rdatas().collect::<Vec<_>>());
        left.sort_unstable();
        right.sort_unstable();
        left == right
    }
}

impl PartialEq for Rrset {
    fn eq(&self, other: &Self) -> bool {
        self.rtype == other.rtype
            && self.ttl == other.ttl
            && self.owner == other.owner
            && self.same_values(other)
    }
}

impl Eq for Rrset {}

impl fmt::Debug for Rrset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} [", self.owner, self.ttl, self.rtype)?;
        for rdata in self.rdatas() {
            write!(f, " {rdata:02x?}")?;
        }
        write!(f, " ]")
    }
}

/// The values of an RRset; see [`Rrset::rdatas`].
#[derive(Clone, Debug)]
pub struct Rdatas<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Rdatas<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<2>()?;
        let (rdata, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        self.rest = rest;
        Some(rdata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_in_the_case_of_a_name_are_one() {
        let owner: Name = "example.org".parse().unwrap();
        let ns = |values: &[&[u8]]| Rrset::new(owner.clone(), RecordType::NS, 300, values).unwrap();
        let rrset = ns(&[b"\x02ns\x03Org\0", b"\x02NS\x03org\0", b"\x02nt\x03org\0"]);
        assert_eq!(rrset.rdatas().collect::<Vec<_>>(), [b"\x02ns\x03Org\0", b"\x02nt\x03org\0"]);
        let values: Vec<[u8; 4]> = (0..40).map(|at| [2, b"aA"[at / 20], b'a' + (at % 20) as u8, 0]).collect();
        assert_eq!(ns(&values.iter().map(|value| &value[..]).collect::<Vec<_>>()).len(), 20);
        let txt = Rrset::new(owner, RecordType::TXT, 300, [b"\x02ns", b"\x02NS"]).unwrap();
        assert_eq!(txt.len(), 2, "text is not a name");
    }

    #[test]
    fn values_are_a_set() {
        let owner: Name = "www.example.org".parse().unwrap();
        let one =
            Rrset::new(owner.clone(), RecordType::A, 300, [[192, 0, 2, 1], [192, 0, 2, 2], [192, 0, 2, 1]])
                .unwrap();
        assert_eq!(one.len(), 2);
        let other = Rrset::new(owner.clone(), RecordType::A, 300, [[192, 0, 2, 2], [192, 0, 2, 1]]).unwrap();
        assert_eq!(one, other);
        let many = (0..100u8).chain(0..100).map(|last| [192, 0, 2, last]);
        assert_eq!(Rrset::new(owner.clone(), RecordType::A, 300, many).unwrap().len(), 100);
        assert!(Rrset::new(owner.clone(), RecordType::A, 300, [[0u8; 0]; 0]).is_err());
        assert!(Rrset::new(owner.clone(), RecordType::ANY, 300, [[0u8; 4]]).is_err());
        assert!(Rrset::new(owner, RecordType::TXT, 300, [vec![0u8; 65_500]]).is_err());
    }
}
