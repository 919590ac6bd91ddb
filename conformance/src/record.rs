//! Records as plain values, and the layout of the RDATA that hold names.

use std::fmt;

use dns_core::{Name, RecordType};

/// One record of class IN: owner, type, TTL in seconds, and uncompressed RDATA.
///
/// Names inside the RDATA of the types that [RFC 4034, section 6.2] lists are in lower case, so that two records which
/// differ in letter case alone are equal.
///
/// [RFC 4034, section 6.2]: https://www.rfc-editor.org/rfc/rfc4034#section-6.2
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub struct Record {
    /// The name it stands at.
    pub owner: Name,
    /// Its type.
    pub rtype: RecordType,
    /// Time to live in seconds.
    pub ttl: u32,
    /// The value as it goes on the wire, uncompressed.
    pub rdata: Vec<u8>,
}

impl Record {
    /// The same record at another name, as a wildcard makes it.
    #[must_use]
    pub fn at(&self, owner: &Name) -> Self {
        Self { owner: owner.clone(), ..self.clone() }
    }

    /// The same record with another TTL.
    #[must_use]
    pub fn with_ttl(&self, ttl: u32) -> Self {
        Self { ttl, ..self.clone() }
    }

    /// The name that the RDATA points at, for types where it is the target of an alias or of additional data.
    pub fn target(&self) -> Option<Name> {
        let (before, _) = match self.rtype {
            RecordType::NAPTR => {
                let mut at = 4;
                for _ in 0..3 {
                    at += 1 + usize::from(*self.rdata.get(at)?);
                }
                (at, 1)
            }
            RecordType::SVCB | RecordType::HTTPS => (2, 1),
            RecordType::NS
            | RecordType::CNAME
            | RecordType::DNAME
            | RecordType::PTR
            | RecordType::MX
            | RecordType::SRV
            | RecordType::AFSDB
            | RecordType::RT
            | RecordType::KX => names_in(self.rtype)?,
            _ => return None,
        };
        Some(Name::split_from_wire(self.rdata.get(before..)?).ok()?.0)
    }

    /// The type that an RRSIG covers.
    pub fn covered(&self) -> Option<RecordType> {
        (self.rtype == RecordType::RRSIG && self.rdata.len() > 18)
            .then(|| RecordType(u16::from_be_bytes([self.rdata[0], self.rdata[1]])))
    }
}

/// Octets before the first name, and how many names follow one another, in RDATA that may hold names in either case.
///
/// NAPTR is left out as its names stand behind strings; the comparison takes its letters as they are.
pub fn names_in(rtype: RecordType) -> Option<(usize, usize)> {
    match rtype {
        RecordType::NS
        | RecordType::MD
        | RecordType::MF
        | RecordType::CNAME
        | RecordType::MB
        | RecordType::MG
        | RecordType::MR
        | RecordType::PTR
        | RecordType::DNAME
        | RecordType::NSAP_PTR
        | RecordType::NSEC => Some((0, 1)),
        RecordType::SOA | RecordType::MINFO | RecordType::RP => Some((0, 2)),
        RecordType::MX | RecordType::AFSDB | RecordType::RT | RecordType::KX => Some((2, 1)),
        RecordType::PX => Some((2, 2)),
        RecordType::SRV => Some((6, 1)),
        RecordType::RRSIG => Some((18, 1)),
        _ => None,
    }
}

/// Lower-cases the names in uncompressed RDATA; leaves octets that do not hold what the type says as they are.
pub fn fold_names(rtype: RecordType, rdata: &mut [u8]) {
    let Some((mut at, names)) = names_in(rtype) else {
        return;
    };
    for _ in 0..names {
        let Some(octets) = rdata.get(at..).and_then(|rest| dns_core::name::wire_octets(rest).ok()) else {
            return;
        };
        rdata[at..at + octets].make_ascii_lowercase(); // length octets are below 64 and so never letters
        at += octets;
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.owner, self.ttl, self.rtype)?;
        if let Some(covered) = self.covered() {
            return write!(f, " {covered}");
        }
        match (self.target(), self.rtype) {
            (Some(target), _) => write!(f, " {target}"),
            (None, RecordType::A) if self.rdata.len() == 4 => {
                let r = &self.rdata;
                write!(f, " {}.{}.{}.{}", r[0], r[1], r[2], r[3])
            }
            (None, RecordType::NSEC) => match Name::split_from_wire(&self.rdata) {
                Ok((next, _)) => write!(f, " {next}"),
                Err(_) => write!(f, " (damaged)"),
            },
            (None, _) => {
                write!(f, " ")?;
                for octet in self.rdata.iter().take(24) {
                    match octet {
                        0x21..=0x7e => write!(f, "{}", char::from(*octet))?,
                        _ => write!(f, "\\{octet:03}")?,
                    }
                }
                if self.rdata.len() > 24 {
                    write!(f, "... ({} octets)", self.rdata.len())?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
