//! The table: the fields of every type.

use super::field::{Field, Kind, Layout, NameUse};
use crate::RecordType;

/// The fields of a type; `None` if it has no text format.
pub(super) fn layout(rtype: RecordType) -> Option<&'static Layout> {
    Some(match rtype {
        RecordType::A => &A,
        RecordType::AAAA => &AAAA,
        RecordType::NS => &NS,
        RecordType::MD | RecordType::MF | RecordType::MB => &MAIL_HOST,
        RecordType::CNAME | RecordType::PTR | RecordType::MG | RecordType::MR => &POINTER,
        RecordType::SOA => &SOA,
        RecordType::MX => &MX,
        RecordType::TXT | RecordType::SPF => &TXT,
        RecordType::SRV => &SRV,
        _ => return None,
    })
}

const fn f(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// A name of a type of RFC 1035.
const CLASSIC: NameUse = NameUse { compressible: true, additional: false, lower: true };
/// The same for a host whose addresses are wanted.
const CLASSIC_HOST: NameUse = NameUse { additional: true, ..CLASSIC };
/// A name of a type that came later and is still lowered in canonical form.
const LOWERED: NameUse = NameUse { compressible: false, additional: false, lower: true };
/// The same for a host whose addresses are wanted.
const LOWERED_HOST: NameUse = NameUse { additional: true, ..LOWERED };

static A: Layout = Layout::new(&[f("address", Kind::Ipv4)]);
static AAAA: Layout = Layout::new(&[f("address", Kind::Ipv6)]);
static NS: Layout = Layout::new(&[f("name server", Kind::Name(CLASSIC_HOST))]);
static MAIL_HOST: Layout = Layout::new(&[f("mail host", Kind::Name(CLASSIC_HOST))]);
static POINTER: Layout = Layout::new(&[f("target", Kind::Name(CLASSIC))]);
static SOA: Layout = Layout::new(&[
    f("primary name server", Kind::Name(CLASSIC)),
    f("mailbox", Kind::Name(CLASSIC)),
    f("serial", Kind::U32),
    f("refresh", Kind::Seconds),
    f("retry", Kind::Seconds),
    f("expire", Kind::Seconds),
    f("minimum", Kind::Seconds),
]);
static MX: Layout = Layout::new(&[f("preference", Kind::U16), f("mail exchange", Kind::Name(CLASSIC_HOST))]);
static TXT: Layout = Layout::new(&[f("text", Kind::Texts)]);
static SRV: Layout = Layout::new(&[
    f("priority", Kind::U16),
    f("weight", Kind::U16),
    f("port", Kind::U16),
    f("target", Kind::Name(LOWERED_HOST)),
]);
