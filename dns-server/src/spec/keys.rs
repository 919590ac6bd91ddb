//! The keys of the configuration file: the one place that names them.
//!
//! Reading, environment overrides, JSON Schema and the key table all follow from these declarations.

mod guard;
mod manage;
mod zones;

use std::net::SocketAddr;
use std::time::Duration;

use dns_core::AnyPolicy;

use super::reader::{Located, mapping};
use super::value::{
    AbsoluteName, Account, FilePattern, FolderPath, Mailbox, Number, OneOrMany, Seconds, choice,
};
use crate::config::{LogFormat, LogLevel, SourceKind};

pub(super) use self::{
    guard::{
        AccessSpec, ActionWord, AddressesSpec, ClampSpec, ConditionSpec, CookiesSpec, IdentitySpec,
        NetworksSpec, OrderSpec, OrderWord, QueryLogSpec, RateLimitSpecification, ReplacementSpec,
        RewriteSpec, RuleSpec,
    },
    manage::{ApiSpec, HistorySpec, StoreSpec, TlsSpec},
    zones::{RecordSpec, ViewSpec, ZoneSpec, ZoneTemplateSpec},
};

type Port = Number<1, 65535>;

mapping! {
    /// The file as it is written.
    Spec {
        /// Version of the file's form; there is only one.
        "version" => version: Number<1, 1> [default "1"],
        /// Files that are read as if they stood here; `*`, `?` and `[...]` stand for several, in the order of their names.
        "include" => include: OneOrMany<FilePattern>,
        /// Short form of `listen.dns`: this port on all addresses.
        "dns_port" => dns_port: Port [default "53"],
        /// Short form of `listen.http`: this port on all addresses.
        "http_port" => http_port: Port,
        /// Addresses to listen on.
        "listen" => listen: ListenSpec,
        /// UDP worker threads; one per core if absent.
        "workers" => workers: Number<1, 1024>,
        /// The least important messages that are still logged.
        "log_level" => log_level: LogLevel [default "info"],
        /// Form of the log: lines for people, or a JSON object per line.
        "log_format" => log_format: LogFormat [default "text"],
        /// The user to run as, and the group after a colon: what root becomes before it reads any zone.
        "user" => user: Account,
        /// Groups of networks, by name.
        "networks" => networks: Vec<Located<NetworksSpec>>,
        /// Zones by name.
        "zones" => zones: Vec<Located<ZoneSpec>>,
        /// A folder of which every `*.zone` file is served; a zone's name is the owner of its SOA record.
        "zones_dir" => zones_dir: FolderPath,
        /// Zones that are all served alike.
        "zone_templates" => zone_templates: Vec<Located<ZoneTemplateSpec>>,
        /// Records that need no zone: each joins the declared zone above it, or a zone derived from the names given.
        "records" => records: Vec<Located<RecordSpec>>,
        /// TTLs that records outside zone files may have.
        "records_ttl" => records_ttl: TtlBoundsSpec,
        /// Which source is served where several claim one name and type: the one named first. Kinds that are left out follow in their usual order.
        "precedence" => precedence: Vec<Located<SourceKind>> [default "[acme, api, update, file, transfer, config, configmap, kubernetes]"],
        /// How answers are made.
        "backend" => backend: BackendSpec,
        /// Limits for TCP connections.
        "tcp" => tcp: TcpSpec,
        /// What some clients are served in place of the zones and records above.
        "views" => views: Vec<Located<ViewSpec>>,
        /// Who may ask; an entry for each listener, or one for all.
        "access" => access: Vec<Located<AccessSpec>>,
        /// What becomes of some questions. The first rule counts that decides one; those that change TTLs and addresses add up.
        "rules" => rules: Vec<Located<RuleSpec>>,
        /// How many responses a client network gets per second, by kind; 0 for no limit. Each worker counts its own.
        "rate_limit" => rate_limit: RateLimitSpecification,
        /// DNS cookies: clients that send a valid one are not limited.
        "cookies" => cookies: CookiesSpec,
        /// What the server tells of itself; nothing that is not given.
        "identity" => identity: IdentitySpec,
        /// What is written down of queries.
        "query_log" => query_log: QueryLogSpec,
        /// Where changes are kept that come from elsewhere than files.
        "store" => store: StoreSpec,
        /// How records are managed over HTTP.
        "api" => api: ApiSpec,
    }
}

mapping! {
    /// Addresses to listen on; `0.0.0.0` and `[::]` stand for all, port 0 for one that the system chooses.
    ListenSpec {
        /// DNS over UDP and TCP; port 53 on all addresses if absent.
        "dns" => dns: OneOrMany<SocketAddr>,
        /// HTTP: metrics, probes and the API; off if absent.
        "http" => http: OneOrMany<SocketAddr>,
    }
}

mapping! {
    /// TTLs that records outside zone files may have, both ends included.
    TtlBoundsSpec {
        /// The smallest.
        "min" => min: Seconds [default "60"],
        /// The largest.
        "max" => max: Seconds [default "86400"],
    }
}

mapping! {
    /// How answers are made.
    BackendSpec {
        /// TTL of records that give none.
        "default_ttl" => default_ttl: Seconds [default "300"],
        /// Follow CNAMEs inside the served zones and answer with the whole chain.
        "resolve_cname_chain" => resolve_cname_chain: bool [default "true"],
        /// Longest chain of CNAMEs that is followed.
        "max_cname_depth" => max_cname_depth: Number<1, 32> [default "10"],
        /// Negative answers carry the SOA that lets resolvers cache them.
        "return_soa_on_nxdomain" => return_soa_on_nxdomain: bool [default "true"],
        /// What a question for ANY gets: all records over TCP only (`tcp`), everywhere (`full`), or one RRset (`minimal`).
        "any" => any: AnyPolicy [default "tcp"],
        /// Leave out optional authority and additional records.
        "minimal_responses" => minimal_responses: bool [default "false"],
        /// The SOA of derived zones.
        "soa" => soa: SoaSpec,
        /// Name servers of derived zones; one below each apex is made up if absent.
        "ns" => ns: OneOrMany<AbsoluteName>,
        /// Largest UDP answer, in octets.
        "edns_udp_size" => edns_udp_size: Number<512, 4096> [default "1232"],
        /// Servers to ask for names outside the served zones. Not part of this build: accepted, with a warning when enabled.
        "upstream" => upstream: UpstreamSpec,
    }
}

mapping! {
    /// The SOA of derived zones.
    SoaSpec {
        /// The primary name server; the zone's first one if absent.
        "mname" => mname: AbsoluteName,
        /// The mailbox of the person in charge, as a name; `hostmaster` below the apex if absent.
        "rname" => rname: Mailbox,
        /// How often secondaries ask for changes.
        "refresh" => refresh: Seconds [default "3600"],
        /// How soon they ask again after a failure.
        "retry" => retry: Seconds [default "600"],
        /// How long they serve without having reached the primary.
        "expire" => expire: Seconds [default "604800"],
        /// How long resolvers may remember that a name does not exist.
        "minimum" => minimum: Seconds [default "300"],
    }
}

mapping! {
    /// Servers to ask for names outside the served zones.
    UpstreamSpec {
        /// Ask them.
        "enabled" => enabled: bool [default "false"],
        /// Their addresses, in the order in which they are tried.
        "servers" => servers: OneOrMany<SocketAddr>,
        /// How long to wait for each.
        "timeout" => timeout: Duration [default "5s"],
    }
}

mapping! {
    /// Limits for TCP connections.
    TcpSpec {
        /// Connections in all.
        "max_connections" => max_connections: Number<1, 1_000_000> [default "1024"],
        /// Connections of one client address.
        "max_connections_per_client" => max_connections_per_client: Number<1, 1_000_000> [default "64"],
        /// How long a connection may stay without a question.
        "idle_timeout" => idle_timeout: Duration [default "10s"],
        /// How long a begun message may take to arrive.
        "read_timeout" => read_timeout: Duration [default "5s"],
        /// How long an answer may wait for a client that does not read.
        "write_timeout" => write_timeout: Duration [default "5s"],
    }
}

choice!(LogLevel {
    "off" => Off,
    "error" => Error,
    "warn" => Warn,
    "info" => Info,
    "debug" => Debug,
    "trace" => Trace,
});

choice!(LogFormat {
    "text" => Text,
    "json" => Json,
});

choice!(AnyPolicy {
    "tcp" => Tcp,
    "full" => Full,
    "minimal" => Minimal,
});

choice!(SourceKind {
    "acme" => Acme,
    "api" => Api,
    "update" => Update,
    "file" => File,
    "transfer" => Transfer,
    "config" => Config,
    "configmap" => ConfigMap,
    "kubernetes" => Kubernetes,
});
