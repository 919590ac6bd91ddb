//! What to serve and where: plain values, filled by hand or read from a file.

mod guard;
mod manage;
mod sample;
mod zone;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use dns_backend::guard::{Identity, RateLimitSpec, Rule};
use dns_core::{AnswerPolicy, Name, Rrset};
use dns_store::DerivedAuthority;
/// A kind of place that records come from.
pub use dns_store::SourceKind;

pub use self::{
    guard::{Access, Cookies, QueryLog, QueryLogFormat, QueryLogTarget},
    manage::{Api, StoreConfig, Tls},
    zone::{View, Zone, ZoneContent},
};

/// Everything a server needs to know before it starts.
///
/// [`Default`] serves nothing on port 53 of all addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Where to listen.
    pub listen: Listen,
    /// UDP worker threads; `None` for one per core.
    pub workers: Option<NonZeroUsize>,
    /// What to log, and how.
    pub log: Log,
    /// Zones by name.
    pub zones: Vec<Zone>,
    /// A folder of which every `*.zone` file is served.
    pub zones_dir: Option<PathBuf>,
    /// Records that need no zone: each joins the zone above it, or a derived one.
    pub records: Vec<Rrset>,
    /// TTLs that records outside zone files may have, in seconds; both ends included.
    pub records_ttl: TtlBounds,
    /// Which source is served where two claim one name and type: the earlier one. Every source is listed once.
    pub precedence: Vec<SourceKind>,
    /// How queries are answered.
    pub backend: Backend,
    /// Limits for TCP connections.
    pub tcp: Tcp,
    /// What some clients get in place of the zones and records above.
    pub views: Vec<View>,
    /// Who may ask; see [`access_at`](Self::access_at).
    pub access: Vec<Access>,
    /// What becomes of some questions, in the order in which they are tried.
    pub rules: Vec<Rule>,
    /// How many responses a client network gets; `None` for as many as it asks for.
    pub rate_limit: Option<RateLimitSpec>,
    /// Whether clients may prove their address.
    pub cookies: Cookies,
    /// What the server tells of itself.
    pub identity: Identity,
    /// What is written down of queries; nothing by default.
    pub query_log: Option<QueryLog>,
    /// Where changes are kept that come from elsewhere than files.
    pub store: StoreConfig,
    /// How records are managed over HTTP.
    pub api: Api,
    /// The user to run as, and the group after a colon: what root becomes before it reads any zone; `None` for the one that started it.
    pub user: Option<String>,
    /// Files that were read beside the configuration file or are read for it later, zone files apart: what it includes,
    /// lists of zones, secrets, databases. Whoever fills this by hand leaves it empty.
    pub files: Vec<PathBuf>,
    /// Folders in which further files to include may appear.
    pub folders: Vec<PathBuf>,
    /// Refuse to start when a zone fails to load, instead of answering SERVFAIL for its names; off by default.
    ///
    /// Whoever starts the server decides this, so it is no key of the file.
    pub strict: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            workers: None,
            log: Log::default(),
            zones: Vec::new(),
            zones_dir: None,
            records: Vec::new(),
            records_ttl: TtlBounds::default(),
            precedence: SourceKind::ALL.to_vec(),
            backend: Backend::default(),
            tcp: Tcp::default(),
            views: Vec::new(),
            access: Vec::new(),
            rules: Vec::new(),
            rate_limit: Some(RateLimitSpec::default()),
            cookies: Cookies::default(),
            identity: Identity::default(),
            query_log: None,
            store: StoreConfig::default(),
            api: Api::default(),
            user: None,
            files: Vec::new(),
            folders: Vec::new(),
            strict: false,
        }
    }
}

impl Config {
    /// The keys that differ and count only from the next start on; all others can change while the server runs.
    pub fn restart_keys(old: &Self, new: &Self) -> Vec<&'static str> {
        [
            ("listen.dns", old.listen.dns != new.listen.dns),
            ("listen.http", old.listen.http != new.listen.http),
            ("workers", old.workers != new.workers),
            ("log_level", old.log.level != new.log.level),
            ("log_format", old.log.format != new.log.format),
            ("tcp", old.tcp != new.tcp),
            ("query_log", old.query_log != new.query_log),
            ("store", old.store != new.store),
            ("api", old.api != new.api),
            ("user", old.user != new.user),
        ]
        .into_iter()
        .filter_map(|(key, changed)| changed.then_some(key))
        .collect()
    }
}

/// Where to listen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// DNS over UDP and TCP.
    pub dns: Vec<Listener>,
    /// HTTP: metrics, probes and the API; off when empty.
    pub http: Vec<Listener>,
}

impl Default for Listen {
    fn default() -> Self {
        Self { dns: Listener::all_addresses(53), http: Vec::new() }
    }
}

/// One address to listen on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Listener {
    /// The address; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// The system may lack this address (no IPv6, say): then it is left out, as long as another one remains.
    pub optional: bool,
}

impl Listener {
    /// An address that must be there.
    pub fn required(address: SocketAddr) -> Self {
        Self { address, optional: false }
    }

    /// All addresses of IPv4, and of IPv6 where the system has it.
    pub fn all_addresses(port: u16) -> Vec<Self> {
        Self::both(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED, port)
    }

    /// The loopback address of IPv4, and of IPv6 where the system has it.
    pub fn loopback(port: u16) -> Vec<Self> {
        Self::both(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST, port)
    }

    fn both(ipv4: Ipv4Addr, ipv6: Ipv6Addr, port: u16) -> Vec<Self> {
        vec![Self::required((ipv4, port).into()), Self { address: (ipv6, port).into(), optional: true }]
    }
}

/// What to log, and how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Log {
    /// The least important messages that are still written.
    pub level: LogLevel,
    /// Their form.
    pub format: LogFormat,
}

/// How important a message is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum LogLevel {
    /// Nothing is logged.
    Off,
    /// What failed.
    Error,
    /// What looks wrong.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// How it happened.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word in configuration and flags.
    pub fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object per line.
    Json,
}

/// TTLs that are accepted, in seconds; both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TtlBounds {
    /// The smallest; 60 by default.
    pub min: u32,
    /// The largest; 86400, a day, by default.
    pub max: u32,
}

impl Default for TtlBounds {
    fn default() -> Self {
        Self { min: 60, max: 86_400 }
    }
}

impl TtlBounds {
    /// The TTL is accepted.
    pub fn contain(self, ttl: u32) -> bool {
        (self.min..=self.max).contains(&ttl)
    }
}

/// What is served, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backend {
    /// TTL of records that give none, in seconds; 300 by default.
    pub default_ttl: u32,
    /// How answers are made from zones, as far as it is a matter of choice. Its `tcp_keepalive` does not count: clients are
    /// told the time-out that connections have.
    pub answers: AnswerPolicy,
    /// Values for the SOA of derived zones.
    pub soa: SoaTemplate,
    /// Name servers of derived zones; empty for one made up below each apex.
    pub ns: Vec<Name>,
    /// Where to ask for names that are not served.
    pub upstream: Upstream,
}

impl Default for Backend {
    fn default() -> Self {
        Self {
            default_ttl: 300,
            answers: AnswerPolicy::default(),
            soa: SoaTemplate::default(),
            ns: Vec::new(),
            upstream: Upstream::default(),
        }
    }
}

/// Values for the SOA of derived zones ([RFC 1035, section 3.3.13]); times in seconds.
///
/// [RFC 1035, section 3.3.13]: https://www.rfc-editor.org/rfc/rfc1035#section-3.3.13
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SoaTemplate {
    /// The primary name server; `None` for the first one of the zone.
    pub mname: Option<Name>,
    /// The mailbox of the person in charge, as a name; `None` for `hostmaster` below the apex.
    pub rname: Option<Name>,
    /// How often secondaries ask for changes; 3600 by default.
    pub refresh: u32,
    /// How soon they ask again after a failure; 600 by default.
    pub retry: u32,
    /// How long they serve without having reached the primary; 604800 by default.
    pub expire: u32,
    /// How long resolvers may remember that a name does not exist; 300 by default.
    pub minimum: u32,
}

impl Default for SoaTemplate {
    fn default() -> Self {
        // A store that is told nothing makes the same records.
        let DerivedAuthority { mname, rname, refresh, retry, expire, minimum, .. } =
            DerivedAuthority::default();
        Self { mname, rname, refresh, retry, expire, minimum }
    }
}

/// Servers that are asked for names outside the served zones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    /// Ask them; off by default.
    pub enabled: bool,
    /// The servers in the order in which they are tried.
    pub servers: Vec<SocketAddr>,
    /// How long to wait for each; 5 seconds by default.
    pub timeout: Duration,
}

impl Default for Upstream {
    fn default() -> Self {
        Self { enabled: false, servers: Vec::new(), timeout: Duration::from_secs(5) }
    }
}

/// Limits for TCP connections ([RFC 7766, section 6.2](https://www.rfc-editor.org/rfc/rfc7766#section-6.2)).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tcp {
    /// Connections in all; 1024 by default.
    pub max_connections: usize,
    /// Connections of one client address; 64 by default.
    pub max_connections_per_client: usize,
    /// How long a connection may stay without a question; 10 seconds by default.
    pub idle_timeout: Duration,
    /// How long a begun message may take to arrive; 5 seconds by default.
    pub read_timeout: Duration,
    /// How long an answer may wait for a client that does not read; 5 seconds by default.
    pub write_timeout: Duration,
}

impl Default for Tcp {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_connections_per_client: 64,
            idle_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(5),
        }
    }
}

impl Tcp {
    /// The idle time-out as clients are told it, in units of 100 ms ([RFC 7828, section 3.1]).
    ///
    /// [RFC 7828, section 3.1]: https://www.rfc-editor.org/rfc/rfc7828#section-3.1
    pub fn keepalive(&self) -> u16 {
        u16::try_from(self.idle_timeout.as_millis() / 100).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_zones_look_the_same_with_and_without_a_configuration() {
        let template = SoaTemplate::default();
        assert_eq!((template.refresh, template.retry), (3600, 600));
        assert_eq!((template.expire, template.minimum), (604_800, 300));
        let store = DerivedAuthority::default();
        assert_eq!((template.expire, template.minimum), (store.expire, store.minimum));
    }

    #[test]
    fn only_what_cannot_change_while_running_asks_for_a_restart() {
        let old = Config::default();
        let mut new = old.clone();
        new.records_ttl.min = 1;
        new.zones_dir = Some("zones".into());
        new.backend.default_ttl = 60;
        new.backend.answers.minimal_responses = true;
        new.precedence.reverse();
        new.rate_limit = None;
        new.cookies.enabled = false;
        new.identity.version = Some("1".to_owned());
        new.access.push(Access::default());
        assert_eq!(Config::restart_keys(&old, &new), Vec::<&str>::new());

        new.listen.http = Listener::loopback(8080);
        new.workers = NonZeroUsize::new(2);
        new.log.format = LogFormat::Json;
        new.tcp.max_connections = 1;
        new.user = Some("dns".to_owned());
        assert_eq!(Config::restart_keys(&old, &new), ["listen.http", "workers", "log_format", "tcp", "user"]);
    }
}
