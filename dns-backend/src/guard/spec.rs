//! The guard as an operator writes it: plain values.

use std::path::PathBuf;

use dns_core::{Name, Network, RecordType};

/// Limits, rules and what the server tells of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GuardSpec {
    /// By the number of the listener; those that are missing here are open to all.
    pub listeners: Vec<ListenerSpec>,
    /// In the order in which they are tried.
    pub rules: Vec<Rule>,
    /// `None` switches rate limiting off.
    pub rate_limit: Option<RateLimitSpec>,
    /// `None` switches cookies off.
    pub cookies: Option<CookieSpec>,
    /// What the server tells of itself.
    pub identity: Identity,
}

/// Who may ask at one listener.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListenerSpec {
    /// See [`Access::new`](dns_core::Access::new).
    pub allow: Vec<Network>,
    /// See [`Access::new`](dns_core::Access::new).
    pub deny: Vec<Network>,
}

/// What becomes of questions that meet a condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// What counters and explanations call it; unique.
    pub name: String,
    /// Which questions it is for.
    pub when: Condition,
    /// What happens to them.
    pub action: Action,
}

/// Questions that a rule is for: all parts that are not empty have to match.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Condition {
    /// One of these patterns.
    pub names: Vec<NamePattern>,
    /// One of these types; ANY stands for the question for all types only.
    pub types: Vec<RecordType>,
    /// A client of one of these networks.
    pub clients: Vec<Network>,
    /// One of these views, by name.
    pub views: Vec<String>,
}

/// Names that a rule is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NamePattern {
    /// This name alone.
    Exact(Name),
    /// This name and all below it.
    Suffix(Name),
    /// All names below this one, at any depth, but not the name itself; written `*.` and the name.
    Below(Name),
    /// Names of which the text, in lower case and without the dot at the end, matches this expression somewhere. Classes
    /// such as `\w` are those of ASCII, as the text is.
    Regex(String),
}

/// What happens to a question that a rule is for.
///
/// The first group, up to [`Rewrite`](Self::Rewrite), decides: the first such rule that matches counts, and no rule behind it is
/// looked at. The second group changes the addresses and TTLs of the answer section; those rules add up, in their order,
/// at most [`Transforms::MAX`](super::rules::Transforms::MAX) for one question. A rewrite leaves the answer to the zones, so
/// that rules of the second group behind it still count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// REFUSED.
    Refuse,
    /// NXDOMAIN, with the zone's SOA record if the name lies in a zone.
    NxDomain,
    /// NOERROR without records, with the zone's SOA record if the name lies in a zone.
    NoData,
    /// No reply.
    Drop,
    /// These records of the type that was asked for, under the name that was asked for, instead of what the zone has.
    Replace(Vec<Replacement>),
    /// The answer of another name, under the name that was asked for: the suffix `from` becomes `to`. A rewritten name is
    /// not rewritten again. Without name patterns the rule is for all names with the suffix.
    Rewrite {
        /// A suffix of the name; names that lack it pass the rule by.
        from: Name,
        /// What takes its place.
        to: Name,
    },
    /// Brings TTLs into bounds, in seconds.
    ClampTtl {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// Leaves addresses out of A and AAAA answers, and with them the signatures that no longer fit. Where none is left, the
    /// answer is that of a name without addresses.
    FilterAddresses {
        /// Only addresses in these, unless it is empty.
        keep: Vec<Network>,
        /// No addresses in these.
        remove: Vec<Network>,
    },
    /// Orders the addresses of A and AAAA answers.
    OrderAddresses(AddressOrder),
}

/// Records that are served in place of others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replacement {
    /// Their type. A CNAME answers every type and is not followed.
    pub rtype: RecordType,
    /// In seconds.
    pub ttl: u32,
    /// RDATA of each, as on the wire, without compression.
    pub rdatas: Vec<Vec<u8>>,
}

/// In which order a client gets the addresses of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AddressOrder {
    /// Those first that lie in the first of these networks, then those of the second, and so on.
    Fixed(Vec<Network>),
    /// Each answer begins one further.
    Rotate,
    /// Shuffled.
    Random,
    /// Those first that share the most leading bits with the client's address.
    NearestPrefix,
    /// Those first that lie closest to the client on the globe, by this database in MaxMind's format (city, with
    /// coordinates). Addresses without coordinates come last, and so do those behind the first 128 of a name. Clients without
    /// coordinates get the addresses as they stand.
    NearestPlace(PathBuf),
}

/// How many responses one client network gets, by kind, per second. Each worker counts its own.
///
/// A rate of 0 leaves its kind without a limit. Values beyond the bounds named here count as the nearest bound.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RateLimitSpec {
    /// Answers, and NODATA.
    pub answers: u32,
    /// NXDOMAIN.
    pub nxdomains: u32,
    /// Referrals.
    pub referrals: u32,
    /// REFUSED, SERVFAIL, FORMERR and the like.
    pub errors: u32,
    /// Seconds of the rate that a network that was silent may use at once; 1 to 60.
    pub burst: u32,
    /// Every so many responses above the limit leave with TC and without records, so that real clients come back by TCP; 0
    /// for none, 1 for all.
    pub slip: u8,
    /// Bits of an IPv4 address that make a network; 1 to 32.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that make a network; 1 to 128.
    pub ipv6_prefix: u8,
    /// Networks times kinds that a worker tells apart, rounded up to a power of two; 4 to 2^28, of 16 octets each. Where
    /// there are more, some share a limit.
    pub table_size: u32,
    /// Clients that are never limited.
    pub exempt: Vec<Network>,
}

impl Default for RateLimitSpec {
    fn default() -> Self {
        Self {
            answers: 500,
            nxdomains: 250,
            referrals: 250,
            errors: 100,
            burst: 2,
            slip: 2,
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            table_size: 65_536,
            exempt: Network::loopback().to_vec(),
        }
    }
}

/// DNS cookies ([RFC 7873](https://www.rfc-editor.org/rfc/rfc7873), [RFC 9018](https://www.rfc-editor.org/rfc/rfc9018)).
///
/// A secret is 16 octets from the system's source of randomness, drawn by whoever makes the spec: who knows it can claim any
/// address. To replace one while clients hold its cookies ([RFC 9018, section 5]), enter the new one as the second
/// everywhere, then make it the first everywhere, and an hour later, when no cookie of the old one is accepted any more,
/// take that away.
///
/// [RFC 9018, section 5]: https://www.rfc-editor.org/rfc/rfc9018#section-5
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CookieSpec {
    /// The first one signs, all of them verify; at least one. Servers behind one address share them.
    pub secrets: Vec<[u8; 16]>,
}

/// What the server tells of itself to those who ask; nothing unless it is set.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// Answer to NSID ([RFC 5001](https://www.rfc-editor.org/rfc/rfc5001)), at most 255 octets.
    pub nsid: Option<Vec<u8>>,
    /// TXT of `version.bind` and `version.server` in class CH.
    pub version: Option<String>,
    /// TXT of `hostname.bind` in class CH.
    pub hostname: Option<String>,
    /// TXT of `id.server` in class CH ([RFC 4892](https://www.rfc-editor.org/rfc/rfc4892)).
    pub id: Option<String>,
}

impl Default for GuardSpec {
    /// Rate limits as they are by default; no cookies, as they need a secret; no rules.
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            rules: Vec::new(),
            rate_limit: Some(RateLimitSpec::default()),
            cookies: None,
            identity: Identity::default(),
        }
    }
}
