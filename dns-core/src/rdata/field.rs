//! The vocabulary of the table: what a field of RDATA can be.

/// One field: how errors call it, and its kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub kind: Kind,
}

/// How a field looks, on the wire and as text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// One octet; a decimal number.
    U8,
    /// Two octets; a decimal number.
    U16,
    /// Four octets; a decimal number.
    U32,
    /// Eight octets; a decimal number.
    U64,
    /// Four octets; seconds, read with units as well (`1h30m`).
    Seconds,
    /// Four octets; `YYYYMMDDHHmmSS`, or seconds since 1970 ([RFC 4034, section 3.2]).
    ///
    /// [RFC 4034, section 3.2]: https://www.rfc-editor.org/rfc/rfc4034#section-3.2
    Time,
    /// A number for which names may be written.
    Mnemonic(&'static Mnemonics),
    /// Two octets; the mnemonic of a record type.
    RecordType,
    /// Four octets; an IPv4 address.
    Ipv4,
    /// Sixteen octets; an IPv6 address.
    Ipv6,
    /// An uncompressed domain name.
    Name(NameUse),
    /// Domain names up to the end, maybe none.
    Names(NameUse),
    /// One character-string.
    Text,
    /// One character-string or nothing.
    OptionalText,
    /// One or more character-strings up to the end.
    Texts,
    /// A length octet and so many letters and digits, unquoted: the tag of a CAA record.
    Tag,
    /// One quoted string without a length, up to the end.
    LongText,
    /// Octets up to the end as base64, at least so many.
    Base64(usize),
    /// Octets up to the end as base64, `-` for none.
    Base64OrDash,
    /// Octets up to the end as hexadecimal digits, at least so many.
    Hex(usize),
    /// A length octet and so many octets as hexadecimal digits in one word, `-` for none.
    Salt,
    /// A length octet and so many octets as base32hex without padding, in one word.
    Hash,
    /// The types at a name, in windows ([RFC 4034, section 4.1.2]).
    ///
    /// [RFC 4034, section 4.1.2]: https://www.rfc-editor.org/rfc/rfc4034#section-4.1.2
    Types,
    /// So many octets, pairs of hexadecimal digits with hyphens between them.
    Eui(usize),
    /// Eight octets, four groups of hexadecimal digits with colons between them.
    Groups,
    /// Place, altitude and precisions of LOC.
    Loc,
    /// Address prefixes of APL, up to the end.
    Prefixes,
    /// Parameters of SVCB and HTTPS, up to the end.
    SvcParams,
    /// Nothing, an address or a name, as the second octet of the RDATA says under this mask.
    Gateway(u8, NameUse),
    /// Discovery bit and relay type of AMTRELAY, in one octet.
    RelayType,
    /// Algorithm, tag and key of HIP with their lengths.
    Hip,
    /// Prefix length and address suffix of A6.
    Suffix,
    /// The name of A6, which is there unless the prefix length, the first octet of the RDATA, is 0.
    PrefixName(NameUse),
    /// Ports of WKS, up to the end.
    Services,
    /// Types of NXT, up to the end.
    NxtTypes,
    /// The address of NSAP.
    Nsap,
    /// The address of ATMA.
    Atma,
}

/// Names of some numbers.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Mnemonics {
    /// Size of the field, 1 or 2.
    pub octets: usize,
    /// What an error says a word should be.
    pub expected: &'static str,
    /// The number is written as its name where it has one, not only read.
    pub written: bool,
    pub names: &'static [(u16, &'static str)],
}

/// What is done with a name besides reading and writing it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NameUse {
    /// May be compressed in messages: types of RFC 1035 only.
    pub compressible: bool,
    /// Its addresses belong in the additional section.
    pub additional: bool,
    /// Lowered in canonical form.
    pub lower: bool,
}

/// All fields of a type.
pub(super) struct Layout {
    pub fields: &'static [Field],
    /// How many fields there are up to the last that can hold a name; 0 for types without names.
    pub named: usize,
}

impl Layout {
    pub(super) const fn new(fields: &'static [Field]) -> Self {
        let mut named = 0;
        let mut at = 0;
        while at < fields.len() {
            at += 1;
            if fields[at - 1].kind.name_use().is_some() {
                named = at;
            }
        }
        Self { fields, named }
    }
}

impl Kind {
    /// How its names are used, for kinds that can hold one.
    pub(super) const fn name_use(self) -> Option<NameUse> {
        match self {
            Self::Name(name) | Self::Names(name) | Self::Gateway(_, name) | Self::PrefixName(name) => {
                Some(name)
            }
            _ => None,
        }
    }
}
