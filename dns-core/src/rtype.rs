//! Numbers of the DNS registries: types, classes, opcodes and response codes.

use std::fmt;
use std::str::FromStr;

macro_rules! record_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal $text:literal),* $(,)?) => {
        impl RecordType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Every type of IANA's registry that has a mnemonic, by number.
            pub const ALL: &'static [Self] = &[$(Self($number)),*];

            /// The registered mnemonic, such as `AAAA`; `None` for numbers that have none.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }

            fn from_mnemonic(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self($number)),)*
                    _ => None,
                }
            }
        }
    };
}

/// Type of a record or of a question ([IANA's registry]).
///
/// [IANA's registry]: https://www.iana.org/assignments/dns-parameters
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordType(pub u16);

record_types! {
    /// IPv4 address.
    A = 1 "A",
    /// Authoritative name server.
    NS = 2 "NS",
    /// Mail destination (obsolete).
    MD = 3 "MD",
    /// Mail forwarder (obsolete).
    MF = 4 "MF",
    /// Canonical name for an alias.
    CNAME = 5 "CNAME",
    /// Start of authority.
    SOA = 6 "SOA",
    /// Mailbox (experimental).
    MB = 7 "MB",
    /// Mail group member (experimental).
    MG = 8 "MG",
    /// Mail rename (experimental).
    MR = 9 "MR",
    /// Anything (experimental).
    NULL = 10 "NULL",
    /// Well-known services.
    WKS = 11 "WKS",
    /// Domain name pointer.
    PTR = 12 "PTR",
    /// Host information.
    HINFO = 13 "HINFO",
    /// Mailbox information.
    MINFO = 14 "MINFO",
    /// Mail exchange.
    MX = 15 "MX",
    /// Text strings.
    TXT = 16 "TXT",
    /// Responsible person.
    RP = 17 "RP",
    /// AFS database.
    AFSDB = 18 "AFSDB",
    /// X.25 address.
    X25 = 19 "X25",
    /// ISDN address.
    ISDN = 20 "ISDN",
    /// Route through.
    RT = 21 "RT",
    /// NSAP address.
    NSAP = 22 "NSAP",
    /// NSAP pointer.
    NSAP_PTR = 23 "NSAP-PTR",
    /// Security signature.
    SIG = 24 "SIG",
    /// Security key.
    KEY = 25 "KEY",
    /// X.400 mapping.
    PX = 26 "PX",
    /// Geographical position.
    GPOS = 27 "GPOS",
    /// IPv6 address.
    AAAA = 28 "AAAA",
    /// Location.
    LOC = 29 "LOC",
    /// Next domain (obsolete).
    NXT = 30 "NXT",
    /// Endpoint identifier.
    EID = 31 "EID",
    /// Nimrod locator.
    NIMLOC = 32 "NIMLOC",
    /// Service location.
    SRV = 33 "SRV",
    /// ATM address.
    ATMA = 34 "ATMA",
    /// Naming authority pointer.
    NAPTR = 35 "NAPTR",
    /// Key exchanger.
    KX = 36 "KX",
    /// Certificate.
    CERT = 37 "CERT",
    /// IPv6 address with chain (obsolete).
    A6 = 38 "A6",
    /// Alias of a subtree.
    DNAME = 39 "DNAME",
    /// Kitchen sink.
    SINK = 40 "SINK",
    /// EDNS options.
    OPT = 41 "OPT",
    /// Address prefix list.
    APL = 42 "APL",
    /// Delegation signer.
    DS = 43 "DS",
    /// SSH key fingerprint.
    SSHFP = 44 "SSHFP",
    /// IPsec key.
    IPSECKEY = 45 "IPSECKEY",
    /// Signature over an RRset.
    RRSIG = 46 "RRSIG",
    /// Next owner name and its types.
    NSEC = 47 "NSEC",
    /// Zone signing key.
    DNSKEY = 48 "DNSKEY",
    /// DHCP identifier.
    DHCID = 49 "DHCID",
    /// Next hashed owner name and its types.
    NSEC3 = 50 "NSEC3",
    /// NSEC3 parameters.
    NSEC3PARAM = 51 "NSEC3PARAM",
    /// TLS certificate association.
    TLSA = 52 "TLSA",
    /// S/MIME certificate association.
    SMIMEA = 53 "SMIMEA",
    /// Host identity.
    HIP = 55 "HIP",
    /// Zone status.
    NINFO = 56 "NINFO",
    /// Encryption key.
    RKEY = 57 "RKEY",
    /// Trust anchor link.
    TALINK = 58 "TALINK",
    /// DS as the child wants it.
    CDS = 59 "CDS",
    /// DNSKEY as the child wants it.
    CDNSKEY = 60 "CDNSKEY",
    /// OpenPGP key.
    OPENPGPKEY = 61 "OPENPGPKEY",
    /// Child-to-parent synchronisation.
    CSYNC = 62 "CSYNC",
    /// Digest over zone data.
    ZONEMD = 63 "ZONEMD",
    /// Service binding.
    SVCB = 64 "SVCB",
    /// Service binding for HTTPS.
    HTTPS = 65 "HTTPS",
    /// Endpoint for generalised notifications.
    DSYNC = 66 "DSYNC",
    /// Hierarchical host identity tag.
    HHIT = 67 "HHIT",
    /// Broadcast remote identifier.
    BRID = 68 "BRID",
    /// Sender policy (obsolete).
    SPF = 99 "SPF",
    /// User information.
    UINFO = 100 "UINFO",
    /// User identifier.
    UID = 101 "UID",
    /// Group identifier.
    GID = 102 "GID",
    /// Unspecified.
    UNSPEC = 103 "UNSPEC",
    /// Node identifier.
    NID = 104 "NID",
    /// 32-bit locator.
    L32 = 105 "L32",
    /// 64-bit locator.
    L64 = 106 "L64",
    /// Locator pointer.
    LP = 107 "LP",
    /// 48-bit extended unique identifier.
    EUI48 = 108 "EUI48",
    /// 64-bit extended unique identifier.
    EUI64 = 109 "EUI64",
    /// Marks a name that does not exist in compact denial.
    NXNAME = 128 "NXNAME",
    /// Transaction key.
    TKEY = 249 "TKEY",
    /// Transaction signature.
    TSIG = 250 "TSIG",
    /// Incremental transfer.
    IXFR = 251 "IXFR",
    /// Transfer of a whole zone.
    AXFR = 252 "AXFR",
    /// Mailbox types.
    MAILB = 253 "MAILB",
    /// Mail agent types.
    MAILA = 254 "MAILA",
    /// All types.
    ANY = 255 "ANY",
    /// Uniform resource identifier.
    URI = 256 "URI",
    /// Certification authority authorisation.
    CAA = 257 "CAA",
    /// Application visibility and control.
    AVC = 258 "AVC",
    /// Digital object architecture.
    DOA = 259 "DOA",
    /// Automatic multicast tunneling relay.
    AMTRELAY = 260 "AMTRELAY",
    /// Resolver information.
    RESINFO = 261 "RESINFO",
    /// Public wallet address.
    WALLET = 262 "WALLET",
    /// BP convergence layer adapter.
    CLA = 263 "CLA",
    /// BP node number.
    IPN = 264 "IPN",
    /// Trust anchor.
    TA = 32768 "TA",
    /// Lookaside validation.
    DLV = 32769 "DLV",
}

impl RecordType {
    /// The type may be asked for but never stored: OPT, TKEY, TSIG and the QTYPEs of [RFC 6895, section 3.1].
    ///
    /// [RFC 6895, section 3.1]: https://www.rfc-editor.org/rfc/rfc6895#section-3.1
    pub fn is_meta(self) -> bool {
        self == Self::OPT || (128..=255).contains(&self.0)
    }
}

impl fmt::Display for RecordType {
    /// Writes the mnemonic, or `TYPE` and the number ([RFC 3597, section 5]).
    ///
    /// [RFC 3597, section 5]: https://www.rfc-editor.org/rfc/rfc3597#section-5
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(text) => f.pad(text),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no record type.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is not a record type")]
pub struct UnknownRecordType(pub String);

impl FromStr for RecordType {
    type Err = UnknownRecordType;

    /// Reads a mnemonic in any letter case, `*` for ANY, or `TYPE` and a number.
    fn from_str(text: &str) -> Result<Self, UnknownRecordType> {
        // Mnemonics are short; what is longer than this is certainly none.
        let mut upper = [0u8; 16];
        let unknown = || UnknownRecordType(text.to_owned());
        let upper = upper.get_mut(..text.len()).ok_or_else(unknown)?;
        upper.copy_from_slice(text.as_bytes());
        upper.make_ascii_uppercase();
        let upper = std::str::from_utf8(upper).map_err(|_| unknown())?;
        if let Some(rtype) = Self::from_mnemonic(upper) {
            return Ok(rtype);
        }
        if upper == "*" {
            return Ok(Self::ANY);
        }
        match upper.strip_prefix("TYPE") {
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
                digits.parse().map(Self).map_err(|_| unknown())
            }
            _ => Err(unknown()),
        }
    }
}

/// Class of a record or of a question.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Class(pub u16);

impl Class {
    /// The Internet.
    pub const IN: Self = Self(1);
    /// Chaosnet; today it carries questions about the server itself.
    pub const CH: Self = Self(3);
    /// Hesiod.
    pub const HS: Self = Self(4);
    /// No class, in updates ([RFC 2136, section 2.4](https://www.rfc-editor.org/rfc/rfc2136#section-2.4)).
    pub const NONE: Self = Self(254);
    /// Any class, in questions.
    pub const ANY: Self = Self(255);
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IN => f.pad("IN"),
            Self::CH => f.pad("CH"),
            Self::HS => f.pad("HS"),
            Self::NONE => f.pad("NONE"),
            Self::ANY => f.pad("ANY"),
            Self(number) => f.pad(&format!("CLASS{number}")),
        }
    }
}

/// Kind of a message ([RFC 6895, section 2.2](https://www.rfc-editor.org/rfc/rfc6895#section-2.2)).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A standard query.
    pub const QUERY: Self = Self(0);
    /// A zone has changed ([RFC 1996](https://www.rfc-editor.org/rfc/rfc1996)).
    pub const NOTIFY: Self = Self(4);
    /// A dynamic update ([RFC 2136](https://www.rfc-editor.org/rfc/rfc2136)).
    pub const UPDATE: Self = Self(5);
}

/// What became of a request ([RFC 6895, section 2.3](https://www.rfc-editor.org/rfc/rfc6895#section-2.3)).
///
/// Values over 15 need the OPT record for their upper bits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ResponseCode(pub u16);

impl ResponseCode {
    /// No error.
    pub const NOERROR: Self = Self(0);
    /// The server could not read the request.
    pub const FORMERR: Self = Self(1);
    /// The server failed.
    pub const SERVFAIL: Self = Self(2);
    /// The name does not exist.
    pub const NXDOMAIN: Self = Self(3);
    /// The server does not do this kind of request.
    pub const NOTIMP: Self = Self(4);
    /// The server does not want to.
    pub const REFUSED: Self = Self(5);
    /// A synthesised name is too long ([RFC 6672, section 2.2](https://www.rfc-editor.org/rfc/rfc6672#section-2.2)).
    pub const YXDOMAIN: Self = Self(6);
    /// The server is not authoritative for the zone.
    pub const NOTAUTH: Self = Self(9);
    /// The EDNS version is not known ([RFC 6891, section 6.1.3](https://www.rfc-editor.org/rfc/rfc6891#section-6.1.3)).
    pub const BADVERS: Self = Self(16);
    /// The cookie is not one of the server's ([RFC 7873, section 8](https://www.rfc-editor.org/rfc/rfc7873#section-8)).
    pub const BADCOOKIE: Self = Self(23);

    /// The mnemonic in lower case, as metrics label it.
    pub fn label(self) -> &'static str {
        match self.0 {
            0 => "noerror",
            1 => "formerr",
            2 => "servfail",
            3 => "nxdomain",
            4 => "notimp",
            5 => "refused",
            6 => "yxdomain",
            9 => "notauth",
            16 => "badvers",
            23 => "badcookie",
            _ => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mnemonic_reads_back() {
        for &rtype in RecordType::ALL {
            assert_eq!(rtype.to_string().to_lowercase().parse(), Ok(rtype));
        }
        assert_eq!("TYPE65280".parse(), Ok(RecordType(65280)));
        assert_eq!(RecordType(65280).to_string(), "TYPE65280");
        for wrong in ["", "TYPE", "TYPE65536", "TYPE+1", "AAAAA", "A ", "a-very-long-word-that-is-no-type"] {
            assert!(wrong.parse::<RecordType>().is_err(), "{wrong}");
        }
    }
}
