//! The table: the fields of every type.

use super::field::{Field, Kind, Layout, Mnemonics, NameUse};
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
        RecordType::WKS => &WKS,
        RecordType::HINFO => &HINFO,
        RecordType::MINFO => &MINFO,
        RecordType::RP => &RP,
        RecordType::AFSDB => &AFSDB,
        RecordType::X25 => &X25,
        RecordType::ISDN => &ISDN,
        RecordType::RT => &RT,
        RecordType::NSAP => &NSAP,
        RecordType::NSAP_PTR => &NSAP_PTR,
        RecordType::SIG | RecordType::RRSIG => &RRSIG,
        RecordType::KEY | RecordType::RKEY => &KEY,
        RecordType::PX => &PX,
        RecordType::GPOS => &GPOS,
        RecordType::LOC => &LOC,
        RecordType::NXT => &NXT,
        RecordType::EID | RecordType::NIMLOC => &NIMROD,
        RecordType::ATMA => &ATMA,
        RecordType::NAPTR => &NAPTR,
        RecordType::KX => &KX,
        RecordType::CERT => &CERT,
        RecordType::A6 => &A6,
        RecordType::DNAME => &DNAME,
        RecordType::SINK => &SINK,
        RecordType::APL => &APL,
        RecordType::DS | RecordType::CDS | RecordType::TA | RecordType::DLV => &DS,
        RecordType::SSHFP => &SSHFP,
        RecordType::IPSECKEY => &IPSECKEY,
        RecordType::NSEC => &NSEC,
        RecordType::DNSKEY | RecordType::CDNSKEY => &DNSKEY,
        RecordType::DHCID => &DHCID,
        RecordType::NSEC3 => &NSEC3,
        RecordType::NSEC3PARAM => &NSEC3PARAM,
        RecordType::TLSA | RecordType::SMIMEA => &TLSA,
        RecordType::HIP => &HIP,
        RecordType::NINFO | RecordType::AVC | RecordType::RESINFO | RecordType::WALLET | RecordType::CLA => {
            &TXT
        }
        RecordType::TALINK => &TALINK,
        RecordType::OPENPGPKEY => &OPENPGPKEY,
        RecordType::CSYNC => &CSYNC,
        RecordType::ZONEMD => &ZONEMD,
        RecordType::SVCB | RecordType::HTTPS => &SVCB,
        RecordType::DSYNC => &DSYNC,
        RecordType::HHIT | RecordType::BRID => &CBOR,
        RecordType::NID => &NID,
        RecordType::L32 => &L32,
        RecordType::L64 => &L64,
        RecordType::LP => &LP,
        RecordType::EUI48 => &EUI48,
        RecordType::EUI64 => &EUI64,
        RecordType::URI => &URI,
        RecordType::CAA => &CAA,
        RecordType::DOA => &DOA,
        RecordType::AMTRELAY => &AMTRELAY,
        RecordType::IPN => &IPN,
        // NULL, UINFO, UID, GID and UNSPEC have no text format, and the meta types are never stored.
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

/// A name of a newer type, which is left as it is.
const PLAIN: NameUse = NameUse { compressible: false, additional: false, lower: false };
/// The same for a host whose addresses are wanted.
const PLAIN_HOST: NameUse = NameUse { additional: true, ..PLAIN };

/// Algorithms of DNSSEC, read by mnemonic as well ([RFC 4034, appendix A.1]).
///
/// [RFC 4034, appendix A.1]: https://www.rfc-editor.org/rfc/rfc4034#appendix-A.1
static ALGORITHMS: Mnemonics = Mnemonics {
    octets: 1,
    expected: "an algorithm: a number from 0 to 255, or a mnemonic such as ECDSAP256SHA256",
    written: false,
    names: &[
        (1, "RSAMD5"),
        (2, "DH"),
        (3, "DSA"),
        (4, "ECC"),
        (5, "RSASHA1"),
        (6, "DSA-NSEC3-SHA1"),
        (7, "RSASHA1-NSEC3-SHA1"),
        (8, "RSASHA256"),
        (10, "RSASHA512"),
        (12, "ECC-GOST"),
        (13, "ECDSAP256SHA256"),
        (14, "ECDSAP384SHA384"),
        (15, "ED25519"),
        (16, "ED448"),
        (17, "SM2SM3"),
        (23, "ECC-GOST12"),
        (252, "INDIRECT"),
        (253, "PRIVATEDNS"),
        (254, "PRIVATEOID"),
    ],
};
/// Kinds of certificates ([RFC 4398, section 2.1](https://www.rfc-editor.org/rfc/rfc4398#section-2.1)).
static CERTIFICATES: Mnemonics = Mnemonics {
    octets: 2,
    expected: "a certificate type: a number from 0 to 65535, or a mnemonic such as PKIX",
    written: true,
    names: &[
        (1, "PKIX"),
        (2, "SPKI"),
        (3, "PGP"),
        (4, "IPKIX"),
        (5, "ISPKI"),
        (6, "IPGP"),
        (7, "ACPKIX"),
        (8, "IACPKIX"),
        (253, "URI"),
        (254, "OID"),
    ],
};
/// How to reach who wants to be notified ([RFC 9859, section 2.1](https://www.rfc-editor.org/rfc/rfc9859#section-2.1)).
static SCHEMES: Mnemonics = Mnemonics {
    octets: 1,
    expected: "a scheme: a number from 0 to 255, or NOTIFY",
    written: true,
    names: &[(1, "NOTIFY")],
};
/// Protocols of well-known services.
static PROTOCOLS: Mnemonics = Mnemonics {
    octets: 1,
    expected: "a protocol: a number from 0 to 255, TCP or UDP",
    written: true,
    names: &[(6, "TCP"), (17, "UDP")],
};

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
static WKS: Layout = Layout::new(&[
    f("address", Kind::Ipv4),
    f("protocol", Kind::Mnemonic(&PROTOCOLS)),
    f("services", Kind::Services),
]);
static HINFO: Layout = Layout::new(&[f("CPU", Kind::Text), f("OS", Kind::Text)]);
static MINFO: Layout =
    Layout::new(&[f("responsible mailbox", Kind::Name(CLASSIC)), f("error mailbox", Kind::Name(CLASSIC))]);
static RP: Layout = Layout::new(&[f("mailbox", Kind::Name(LOWERED)), f("text name", Kind::Name(LOWERED))]);
static AFSDB: Layout = Layout::new(&[f("subtype", Kind::U16), f("host", Kind::Name(LOWERED_HOST))]);
static X25: Layout = Layout::new(&[f("PSDN address", Kind::Text)]);
static ISDN: Layout = Layout::new(&[f("ISDN address", Kind::Text), f("subaddress", Kind::OptionalText)]);
static RT: Layout =
    Layout::new(&[f("preference", Kind::U16), f("intermediate host", Kind::Name(LOWERED_HOST))]);
static NSAP: Layout = Layout::new(&[f("NSAP address", Kind::Nsap)]);
static NSAP_PTR: Layout = Layout::new(&[f("owner", Kind::Name(PLAIN))]);
static RRSIG: Layout = Layout::new(&[
    f("type covered", Kind::RecordType),
    f("algorithm", Kind::Mnemonic(&ALGORITHMS)),
    f("labels", Kind::U8),
    f("original TTL", Kind::Seconds),
    f("expiration", Kind::Time),
    f("inception", Kind::Time),
    f("key tag", Kind::U16),
    f("signer", Kind::Name(LOWERED)),
    f("signature", Kind::Base64(1)),
]);
// A key may be missing, when the flags of an old KEY say so.
static KEY: Layout = Layout::new(&[
    f("flags", Kind::U16),
    f("protocol", Kind::U8),
    f("algorithm", Kind::Mnemonic(&ALGORITHMS)),
    f("public key", Kind::Base64(0)),
]);
static PX: Layout = Layout::new(&[
    f("preference", Kind::U16),
    f("RFC 822 domain", Kind::Name(LOWERED)),
    f("X.400 domain", Kind::Name(LOWERED)),
]);
static GPOS: Layout =
    Layout::new(&[f("longitude", Kind::Text), f("latitude", Kind::Text), f("altitude", Kind::Text)]);
static LOC: Layout = Layout::new(&[f("location", Kind::Loc)]);
static NXT: Layout = Layout::new(&[f("next name", Kind::Name(LOWERED)), f("types", Kind::NxtTypes)]);
static NIMROD: Layout = Layout::new(&[f("identifier", Kind::Hex(1))]);
static ATMA: Layout = Layout::new(&[f("ATM address", Kind::Atma)]);
static NAPTR: Layout = Layout::new(&[
    f("order", Kind::U16),
    f("preference", Kind::U16),
    f("flags", Kind::Text),
    f("services", Kind::Text),
    f("regular expression", Kind::Text),
    f("replacement", Kind::Name(LOWERED_HOST)),
]);
static KX: Layout = Layout::new(&[f("preference", Kind::U16), f("exchanger", Kind::Name(LOWERED_HOST))]);
static CERT: Layout = Layout::new(&[
    f("certificate type", Kind::Mnemonic(&CERTIFICATES)),
    f("key tag", Kind::U16),
    f("algorithm", Kind::Mnemonic(&ALGORITHMS)),
    f("certificate", Kind::Base64(1)),
]);
static A6: Layout =
    Layout::new(&[f("address suffix", Kind::Suffix), f("prefix name", Kind::PrefixName(LOWERED))]);
static DNAME: Layout = Layout::new(&[f("target", Kind::Name(LOWERED))]);
static SINK: Layout = Layout::new(&[
    f("meaning", Kind::U8),
    f("coding", Kind::U8),
    f("subcoding", Kind::U8),
    f("data", Kind::Base64(0)),
]);
static APL: Layout = Layout::new(&[f("address prefixes", Kind::Prefixes)]);
static DS: Layout = Layout::new(&[
    f("key tag", Kind::U16),
    f("algorithm", Kind::Mnemonic(&ALGORITHMS)),
    f("digest type", Kind::U8),
    f("digest", Kind::Hex(1)),
]);
static SSHFP: Layout =
    Layout::new(&[f("algorithm", Kind::U8), f("fingerprint type", Kind::U8), f("fingerprint", Kind::Hex(1))]);
static IPSECKEY: Layout = Layout::new(&[
    f("precedence", Kind::U8),
    f("gateway type", Kind::U8),
    f("algorithm", Kind::U8),
    f("gateway", Kind::Gateway(0xff, PLAIN)),
    f("public key", Kind::Base64(0)),
]);
static NSEC: Layout = Layout::new(&[f("next name", Kind::Name(PLAIN)), f("types", Kind::Types)]);
static DNSKEY: Layout = Layout::new(&[
    f("flags", Kind::U16),
    f("protocol", Kind::U8),
    f("algorithm", Kind::Mnemonic(&ALGORITHMS)),
    f("public key", Kind::Base64(1)),
]);
static DHCID: Layout = Layout::new(&[f("digest", Kind::Base64(1))]);
static NSEC3: Layout = Layout::new(&[
    f("hash algorithm", Kind::U8),
    f("flags", Kind::U8),
    f("iterations", Kind::U16),
    f("salt", Kind::Salt),
    f("next hashed owner", Kind::Hash),
    f("types", Kind::Types),
]);
static NSEC3PARAM: Layout = Layout::new(&[
    f("hash algorithm", Kind::U8),
    f("flags", Kind::U8),
    f("iterations", Kind::U16),
    f("salt", Kind::Salt),
]);
static TLSA: Layout = Layout::new(&[
    f("usage", Kind::U8),
    f("selector", Kind::U8),
    f("matching type", Kind::U8),
    f("certificate data", Kind::Hex(1)),
]);
static HIP: Layout =
    Layout::new(&[f("host identity", Kind::Hip), f("rendezvous servers", Kind::Names(PLAIN))]);
static TALINK: Layout =
    Layout::new(&[f("previous name", Kind::Name(PLAIN)), f("next name", Kind::Name(PLAIN))]);
static OPENPGPKEY: Layout = Layout::new(&[f("public key", Kind::Base64(1))]);
static CSYNC: Layout = Layout::new(&[f("serial", Kind::U32), f("flags", Kind::U16), f("types", Kind::Types)]);
// Digests of fewer than 12 octets are refused by RFC 8976, section 2.2.4.
static ZONEMD: Layout = Layout::new(&[
    f("serial", Kind::U32),
    f("scheme", Kind::U8),
    f("hash algorithm", Kind::U8),
    f("digest", Kind::Hex(12)),
]);
static SVCB: Layout = Layout::new(&[
    f("priority", Kind::U16),
    f("target", Kind::Name(PLAIN_HOST)),
    f("parameters", Kind::SvcParams),
]);
static DSYNC: Layout = Layout::new(&[
    f("type", Kind::RecordType),
    f("scheme", Kind::Mnemonic(&SCHEMES)),
    f("port", Kind::U16),
    f("target", Kind::Name(PLAIN)),
]);
static CBOR: Layout = Layout::new(&[f("data", Kind::Base64(1))]);
static NID: Layout = Layout::new(&[f("preference", Kind::U16), f("node identifier", Kind::Groups)]);
static L32: Layout = Layout::new(&[f("preference", Kind::U16), f("locator", Kind::Ipv4)]);
static L64: Layout = Layout::new(&[f("preference", Kind::U16), f("locator", Kind::Groups)]);
static LP: Layout = Layout::new(&[f("preference", Kind::U16), f("name", Kind::Name(PLAIN))]);
static EUI48: Layout = Layout::new(&[f("identifier", Kind::Eui(6))]);
static EUI64: Layout = Layout::new(&[f("identifier", Kind::Eui(8))]);
static URI: Layout =
    Layout::new(&[f("priority", Kind::U16), f("weight", Kind::U16), f("target", Kind::LongText)]);
static CAA: Layout = Layout::new(&[f("flags", Kind::U8), f("tag", Kind::Tag), f("value", Kind::LongText)]);
static DOA: Layout = Layout::new(&[
    f("enterprise", Kind::U32),
    f("type", Kind::U32),
    f("location", Kind::U8),
    f("media type", Kind::Text),
    f("data", Kind::Base64OrDash),
]);
static AMTRELAY: Layout = Layout::new(&[
    f("precedence", Kind::U8),
    f("relay type", Kind::RelayType),
    f("relay", Kind::Gateway(0x7f, PLAIN)),
]);
static IPN: Layout = Layout::new(&[f("node number", Kind::U64)]);
