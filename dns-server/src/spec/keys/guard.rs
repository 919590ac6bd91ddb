//! Who may ask, how much, what becomes of some questions, and what is told and written down.

use std::net::SocketAddr;

use dns_core::RecordType;

use super::super::reader::{Located, mapping};
use super::super::value::{
    AbsoluteName, FilePath, NetworkWord, Nsid, Number, OneOrMany, Pattern, QuestionType, RecordValue,
    Seconds, Secret, ShortText, Word, choice,
};
use crate::config::QueryLogFormat;

mapping! {
    /// Networks under one name.
    NetworksSpec {
        /// The word that stands for them wherever networks are expected; `any`, `loopback` and `private` are there from the start.
        "name" => name: Word [required],
        /// Networks, addresses, and groups that stand before this one.
        "members" => members: OneOrMany<NetworkWord> [required],
    }
}

mapping! {
    /// Who may ask.
    AccessSpec {
        /// The listener, as `listen.dns` names it; all that have no entry of their own if absent.
        "listener" => listener: SocketAddr,
        /// Clients that are let in; all if absent. A client that both lists name counts where the prefix is longer.
        "allow" => allow: OneOrMany<NetworkWord>,
        /// Clients that are kept out.
        "deny" => deny: OneOrMany<NetworkWord>,
    }
}

mapping! {
    /// What becomes of some questions.
    RuleSpec {
        /// What metrics and explanations call it.
        "name" => name: Word [required],
        /// Questions that it is for; all if absent.
        "match" => when: ConditionSpec,
        /// What happens to them.
        "action" => action: ActionWord [required],
        /// For `replace`: the records that are served, under the name that was asked for.
        "replace" => replace: Vec<Located<ReplacementSpec>>,
        /// For `rewrite`: the name whose answer is given.
        "rewrite" => rewrite: RewriteSpec,
        /// For `clamp_ttl`: bounds of the TTLs.
        "ttl" => ttl: ClampSpec,
        /// For `filter_addresses`: which A and AAAA records stay in the answer section.
        "addresses" => addresses: AddressesSpec,
        /// For `order_addresses`: which addresses come first.
        "order" => order: OrderSpec,
    }
}

mapping! {
    /// Questions that all the lists fit.
    ConditionSpec {
        /// One of these: `www.example.com.` is that name, `.example.com.` that name and all below it, `*.example.com.` all below it, `/expression/` each name that the regular expression fits somewhere.
        "names" => names: OneOrMany<Pattern>,
        /// One of these types; `ANY` is the question for all types.
        "types" => types: OneOrMany<QuestionType>,
        /// A client in one of these networks.
        "clients" => clients: OneOrMany<NetworkWord>,
        /// One of these views; `default` stands for what is served outside views.
        "views" => views: OneOrMany<Word>,
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::spec) enum ActionWord {
    Refuse,
    NxDomain,
    NoData,
    Drop,
    Replace,
    Rewrite,
    ClampTtl,
    FilterAddresses,
    OrderAddresses,
}

choice!(ActionWord {
    "refuse" => Refuse,
    "nxdomain" => NxDomain,
    "nodata" => NoData,
    "drop" => Drop,
    "replace" => Replace,
    "rewrite" => Rewrite,
    "clamp_ttl" => ClampTtl,
    "filter_addresses" => FilterAddresses,
    "order_addresses" => OrderAddresses,
});

mapping! {
    /// Records of one type.
    ReplacementSpec {
        /// The type. A CNAME answers all types.
        "type" => rtype: RecordType [required],
        /// How long resolvers may keep it; `backend.default_ttl` if absent.
        "ttl" => ttl: Seconds,
        /// One value per record, as a zone file writes it, names with the dot at their end.
        "value" => value: OneOrMany<RecordValue> [required],
    }
}

mapping! {
    /// One suffix for another.
    RewriteSpec {
        /// The end of the name that was asked for.
        "from" => from: AbsoluteName [required],
        /// What takes its place.
        "to" => to: AbsoluteName [required],
    }
}

mapping! {
    /// Bounds of TTLs; at least one.
    ClampSpec {
        /// The smallest.
        "min" => min: Seconds [default "0"],
        /// The largest.
        "max" => max: Seconds [default "2147483647"],
    }
}

mapping! {
    /// Addresses that stay; at least one of the two.
    AddressesSpec {
        /// Only addresses in these; all if absent.
        "keep" => keep: OneOrMany<NetworkWord>,
        /// No addresses in these.
        "remove" => remove: OneOrMany<NetworkWord>,
    }
}

mapping! {
    /// Which addresses come first.
    OrderSpec {
        /// Those in the order of `networks`; each answer one further; shuffled; those that share the longest prefix with the client; those nearest to it by `database`.
        "by" => by: OrderWord [required],
        /// For `fixed`: addresses in the first of these come first.
        "networks" => networks: OneOrMany<NetworkWord>,
        /// For `place`: a file in MaxMind's format that has coordinates.
        "database" => database: FilePath,
    }
}

/// How addresses are ordered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::spec) enum OrderWord {
    Fixed,
    Rotate,
    Random,
    Prefix,
    Place,
}

choice!(OrderWord {
    "fixed" => Fixed,
    "rotate" => Rotate,
    "random" => Random,
    "prefix" => Prefix,
    "place" => Place,
});

/// Responses per second; 0 is no limit. Nobody counts further.
type Rate = Number<0, 10_000_000>;

mapping! {
    /// How many responses a client network gets per second, by kind; 0 for no limit. Each worker counts its own.
    RateLimitSpecification {
        /// Limit them.
        "enabled" => enabled: bool [default "true"],
        /// Answers, those without records included.
        "answers" => answers: Rate [default "500"],
        /// Answers that a name does not exist.
        "nxdomains" => nxdomains: Rate [default "250"],
        /// Referrals to the servers of other zones.
        "referrals" => referrals: Rate [default "250"],
        /// Errors, such as REFUSED and SERVFAIL.
        "errors" => errors: Rate [default "100"],
        /// Seconds of the rate that a network which was silent may use at once.
        "burst" => burst: Number<1, 60> [default "2"],
        /// Every so many responses above the limit leave truncated, so that real clients come back over TCP; 0 for none, 1 for all.
        "slip" => slip: Number<0, 100> [default "2"],
        /// Bits of an IPv4 address that make a client network.
        "ipv4_prefix" => ipv4_prefix: Number<1, 32> [default "24"],
        /// Bits of an IPv6 address that make a client network.
        "ipv6_prefix" => ipv6_prefix: Number<1, 128> [default "56"],
        /// Networks times kinds that a worker tells apart, 16 octets each, rounded up to a power of two.
        "table_size" => table_size: Number<1024, 16_777_216> [default "65536"],
        /// Clients that are never limited.
        "exempt" => exempt: OneOrMany<NetworkWord> [default "loopback"],
    }
}

mapping! {
    /// DNS cookies: clients that send a valid one are not limited.
    CookiesSpec {
        /// Give and check them.
        "enabled" => enabled: bool [default "true"],
        /// 32 hexadecimal digits each: the first one signs, all are accepted. Servers behind one address share them; if absent, one is drawn at each start and each day.
        "secrets" => secrets: OneOrMany<Secret>,
        /// A file with the secrets, one per line, in place of `secrets`; what follows a `#` is a remark.
        "secrets_file" => secrets_file: FilePath,
    }
}

mapping! {
    /// What the server tells of itself; nothing that is not given.
    IdentitySpec {
        /// Answer to the EDNS option NSID: a text, or octets such as `0x6e7331`.
        "nsid" => nsid: Nsid,
        /// TXT of `version.bind` and `version.server` in class CH.
        "version" => version: ShortText,
        /// TXT of `hostname.bind` in class CH.
        "hostname" => hostname: ShortText,
        /// TXT of `id.server` in class CH.
        "id" => id: ShortText,
    }
}

mapping! {
    /// What is written down of queries.
    QueryLogSpec {
        /// Write queries down.
        "enabled" => enabled: bool [default "false"],
        /// Every so many queries are written.
        "sample" => sample: Number<1, 1_000_000_000> [default "1"],
        /// Their form.
        "format" => format: QueryLogFormat [default "json"],
        /// For `json` and `text`: a file that is appended to; standard output if absent.
        "file" => file: FilePath,
        /// For `dnstap`: the Unix socket on which the collector reads.
        "socket" => socket: FilePath,
    }
}

choice!(QueryLogFormat {
    "json" => Json,
    "text" => Text,
    "dnstap" => Dnstap,
});
