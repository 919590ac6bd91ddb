//! Walks over wire octets, field by field.

use super::{
    RdataFault, apl, bitmap,
    field::{Field, Kind, Layout, NameUse},
    historic, host, loc, svcb,
};
use crate::name::wire_octets;

/// What stands at the place of a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
    /// Octets up to here.
    Octets(usize),
    /// Octets up to here that are well-formed, but that no text can say.
    Opaque(usize),
    /// A domain name.
    Name(NameUse),
    /// Domain names up to the end.
    Names(NameUse),
}

/// Whether well-formed RDATA can be written in the text format of its type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writable {
    Text,
    GenericOnly,
}

/// Checks uncompressed RDATA from its first octet to its last.
pub(super) fn check(layout: &Layout, rdata: &[u8]) -> Result<Writable, RdataFault> {
    walk(layout, rdata, |field, at| {
        wire_octets(&rdata[at..])
            .map(|octets| at + octets)
            .map_err(|error| RdataFault::WireName { field: field.name, error })
    })
}

/// Goes over all fields; `name` says where the name at an offset ends.
pub(super) fn walk(
    layout: &Layout,
    rdata: &[u8],
    mut name: impl FnMut(&Field, usize) -> Result<usize, RdataFault>,
) -> Result<Writable, RdataFault> {
    let mut at = 0;
    let mut writable = Writable::Text;
    for field in layout.fields {
        match shape(field, rdata, at)? {
            Shape::Octets(end) => at = end,
            Shape::Opaque(end) => {
                at = end;
                writable = Writable::GenericOnly;
            }
            Shape::Name(_) => at = name(field, at)?,
            Shape::Names(_) => {
                while at < rdata.len() {
                    at = name(field, at)?;
                }
            }
        }
    }
    match rdata.len() - at {
        0 => Ok(writable),
        octets => Err(RdataFault::Trailing(octets)),
    }
}

/// Tells what stands at `at`, which is within the octets or at their end, and checks it unless it is a name.
pub(super) fn shape(field: &Field, rdata: &[u8], at: usize) -> Result<Shape, RdataFault> {
    let rest = &rdata[at..];
    let octets = match field.kind {
        Kind::U8 | Kind::RelayType => 1,
        Kind::U16 | Kind::RecordType => 2,
        Kind::U32 | Kind::Seconds | Kind::Time | Kind::Ipv4 => 4,
        Kind::U64 | Kind::Groups => 8,
        Kind::Ipv6 => 16,
        Kind::Eui(octets) => octets,
        Kind::Mnemonic(mnemonics) => mnemonics.octets,
        // The address suffix before it has an octet at least.
        Kind::PrefixName(_) if rdata[0] == 0 => 0,
        Kind::Name(name) | Kind::PrefixName(name) => return Ok(Shape::Name(name)),
        Kind::Names(name) => return Ok(Shape::Names(name)),
        Kind::OptionalText if rest.is_empty() => 0,
        Kind::Text | Kind::OptionalText | Kind::Salt => counted(field, rest)?,
        Kind::Hash => match counted(field, rest)? {
            1 => return Err(RdataFault::Malformed(field.name)),
            octets => octets,
        },
        Kind::Tag => {
            let octets = counted(field, rest)?;
            if octets == 1 || !rest[1..octets].iter().all(u8::is_ascii_alphanumeric) {
                return Err(RdataFault::Malformed(field.name));
            }
            octets
        }
        Kind::Texts => {
            let mut octets = counted(field, rest)?;
            while octets < rest.len() {
                octets += counted(field, &rest[octets..])?;
            }
            octets
        }
        Kind::Base64(octets_min) | Kind::Hex(octets_min) if rest.len() < octets_min => {
            return Err(RdataFault::Truncated(field.name));
        }
        Kind::Nsap if rest.is_empty() => 1,
        Kind::LongText | Kind::Nsap | Kind::Base64(_) | Kind::Base64OrDash | Kind::Hex(_) => rest.len(),
        Kind::Types => {
            bitmap::check(field.name, rest)?;
            rest.len()
        }
        Kind::Loc => return loc::shape(field.name, rest, at),
        Kind::Prefixes => return apl::shape(field.name, rest, at),
        Kind::SvcParams => {
            svcb::check(field.name, rest)?;
            rest.len()
        }
        Kind::Gateway(mask, name) => return host::gateway_shape(field.name, mask, name, rdata, at),
        Kind::Hip => host::hip_octets(field.name, rest)?,
        Kind::Suffix => historic::suffix_octets(field.name, rest)?,
        Kind::Services => return historic::services_shape(field.name, rest, at),
        Kind::NxtTypes => return historic::nxt_shape(field.name, rest, at),
        Kind::Atma => return historic::atma_shape(field.name, rest, at),
    };
    if octets > rest.len() {
        return Err(RdataFault::Truncated(field.name));
    }
    Ok(Shape::Octets(at + octets))
}

/// Octets of a length octet and what it counts.
fn counted(field: &Field, rest: &[u8]) -> Result<usize, RdataFault> {
    match rest.first() {
        Some(&octets) if usize::from(octets) < rest.len() => Ok(1 + usize::from(octets)),
        _ => Err(RdataFault::Truncated(field.name)),
    }
}
