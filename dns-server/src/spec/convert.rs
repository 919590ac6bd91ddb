//! From the file as written to the values that the program uses, with the checks that look at several keys.

mod guard;
mod manage;
mod networks;
mod records;
mod rules;
mod zones;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use dns_core::AnswerPolicy;

use self::networks::Networks;
use super::keys::{BackendSpec, ListenSpec, SoaSpec, Spec, TcpSpec, TtlBoundsSpec, UpstreamSpec};
use super::reader::{Located, Reader};
use super::sources::Sources;
use super::value::{Number, OneOrMany, Seconds};
use crate::config::{
    Backend, Config, Listen, Listener, Log, SoaTemplate, SourceKind, Tcp, TtlBounds, Upstream,
};

/// Makes the configuration; what cannot be used is reported to `reader` and left at its default.
///
/// `sample` fills in the built-in sample where nothing is said.
pub(super) fn config(spec: Spec, mut sources: Sources<'_>, sample: bool, reader: &mut Reader) -> Config {
    let defaults = Config::default();
    let mut listen = listen(&spec, reader);
    if sample && listen.dns.is_none() {
        listen.dns = Some(Config::sample_listeners());
    }
    if sample && listen.http.is_none() {
        listen.http = Some(Config::sample_http_listeners());
    }
    let listen =
        Listen { dns: listen.dns.unwrap_or(defaults.listen.dns), http: listen.http.unwrap_or_default() };
    let addresses: Vec<SocketAddr> = listen.dns.iter().map(|listener| listener.address).collect();
    let records_ttl = ttl_bounds(spec.records_ttl, reader);
    let tcp = tcp(&value(spec.tcp).unwrap_or_default(), reader);
    let backend = backend(value(spec.backend).unwrap_or_default(), records_ttl, &tcp, reader);
    let records = spec.records.as_ref();
    let records = records
        .map(|records| records::rrsets(&records.value, &backend, records_ttl, reader))
        .unwrap_or_default();
    let serves_nothing = spec.zones.is_none()
        && spec.zone_templates.is_none()
        && spec.zones_dir.is_none()
        && spec.records.is_none()
        && spec.views.is_none();
    let networks = Networks::new(spec.networks, reader);
    let context = &mut Context { sources: &mut sources, networks, reader };
    let zones = if sample && serves_nothing {
        Config::sample_zones()
    } else {
        zones::zones(spec.zones, spec.zone_templates, context)
    };
    let views = zones::views(spec.views, &addresses, &backend, records_ttl, context);
    let access = guard::access(spec.access, &addresses, context);
    let rules = rules::rules(spec.rules, &views, &backend, context);
    let rate_limit = guard::rate_limit(spec.rate_limit, context);
    let cookies = guard::cookies(spec.cookies, context);
    let query_log = guard::query_log(spec.query_log, context);
    let store = manage::store(spec.store, context);
    let api = manage::api(spec.api, context);
    Config {
        listen,
        workers: spec.workers.and_then(|workers| NonZeroUsize::new(workers.value.0 as usize)),
        log: Log {
            level: value(spec.log_level).unwrap_or_default(),
            format: value(spec.log_format).unwrap_or_default(),
        },
        zones,
        zones_dir: spec.zones_dir.map(|path| context.path(&path.place, &path.value.0)),
        records,
        records_ttl,
        precedence: precedence(spec.precedence, context.reader),
        backend,
        tcp,
        views,
        access,
        rules,
        rate_limit,
        cookies,
        identity: guard::identity(spec.identity),
        query_log,
        store,
        api,
        user: spec.user.map(|user| user.value.0),
        files: sources.named,
        folders: sources.folders,
        strict: defaults.strict,
    }
}

/// What the parts of a configuration are made with.
struct Context<'c, 's> {
    sources: &'c mut Sources<'s>,
    networks: Networks,
    reader: &'c mut Reader,
}

fn value<V>(located: Option<Located<V>>) -> Option<V> {
    located.map(|located| located.value)
}

fn values<V>(list: Option<Located<OneOrMany<V>>>) -> Option<Vec<V>> {
    list.map(|list| list.value.0.into_iter().map(|item| item.value).collect())
}

fn number<T: TryFrom<u64>, const MIN: u64, const MAX: u64>(
    located: Option<&Located<Number<MIN, MAX>>>,
    default: T,
) -> T {
    // The bounds of each key fit its type, so that the default is for absent keys alone.
    located.and_then(|located| T::try_from(located.value.0).ok()).unwrap_or(default)
}

fn seconds(located: Option<&Located<Seconds>>, default: u32) -> u32 {
    located.map_or(default, |located| located.value.0)
}

#[derive(Default)]
struct Listeners {
    dns: Option<Vec<Listener>>,
    http: Option<Vec<Listener>>,
}

fn listen(spec: &Spec, reader: &mut Reader) -> Listeners {
    let ListenSpec { dns, http } = spec.listen.clone().map(|listen| listen.value).unwrap_or_default();
    Listeners {
        dns: listeners(spec.dns_port.as_ref(), dns, "dns_port", reader),
        http: listeners(spec.http_port.as_ref(), http, "http_port", reader),
    }
}

fn listeners<const MIN: u64, const MAX: u64>(
    port: Option<&Located<Number<MIN, MAX>>>,
    long: Option<Located<OneOrMany<SocketAddr>>>,
    short_key: &str,
    reader: &mut Reader,
) -> Option<Vec<Listener>> {
    let Some(long) = long else {
        return port.map(|port| Listener::all_addresses(port.value.0 as u16));
    };
    if let Some(port) = port {
        let problem = format!("'{short_key}' at {} says the same in short, give one of the two", port.place);
        reader.object(&long, problem);
    }
    let addresses = long.value.0;
    // Port 0 gives another port each time, so that it may be asked for twice.
    let fixed: Vec<_> = addresses.iter().filter(|address| address.value.port() != 0).collect();
    distinct(fixed.iter().map(|address| (address.value, *address)), reader);
    if addresses.is_empty() && short_key == "dns_port" && !reader.has_faults_below(&long.key) {
        reader.fault_at(&long.place, &long.key, "the list is empty, but DNS has to listen somewhere");
    }
    Some(addresses.iter().map(|address| Listener::required(address.value)).collect())
}

/// Reports each value that is given a second time.
fn distinct<'a, K: Eq + Hash, V: 'a>(items: impl Iterator<Item = (K, &'a Located<V>)>, reader: &mut Reader) {
    let mut first = HashMap::new();
    for (key, item) in items {
        if let Some(place) = first.get(&key) {
            reader.object(item, format!("is already given at {place}"));
        } else {
            first.insert(key, &item.place);
        }
    }
}

fn ttl_bounds(spec: Option<Located<TtlBoundsSpec>>, reader: &mut Reader) -> TtlBounds {
    let defaults = TtlBounds::default();
    let Some(spec) = spec else {
        return defaults;
    };
    let bounds = TtlBounds {
        min: seconds(spec.value.min.as_ref(), defaults.min),
        max: seconds(spec.value.max.as_ref(), defaults.max),
    };
    if bounds.min > bounds.max {
        reader.object(&spec, format!("min {} is more than max {}", bounds.min, bounds.max));
        return defaults;
    }
    bounds
}

fn precedence(list: Option<Located<Vec<Located<SourceKind>>>>, reader: &mut Reader) -> Vec<SourceKind> {
    let listed = value(list).unwrap_or_default();
    distinct(listed.iter().map(|kind| (kind.value, kind)), reader);
    let mut order: Vec<_> = listed.into_iter().map(|kind| kind.value).collect();
    for kind in SourceKind::ALL {
        if !order.contains(&kind) {
            order.push(kind);
        }
    }
    order
}

fn backend(spec: BackendSpec, bounds: TtlBounds, tcp: &Tcp, reader: &mut Reader) -> Backend {
    let defaults = Backend::default();
    if let Some(ttl) = &spec.default_ttl
        && !bounds.contain(ttl.value.0)
    {
        reader.object(ttl, records::out_of_bounds(ttl.value.0, bounds));
    }
    Backend {
        default_ttl: seconds(spec.default_ttl.as_ref(), defaults.default_ttl),
        answers: AnswerPolicy {
            resolve_cname_chain: value(spec.resolve_cname_chain)
                .unwrap_or(defaults.answers.resolve_cname_chain),
            max_cname_depth: number(spec.max_cname_depth.as_ref(), defaults.answers.max_cname_depth),
            return_soa_on_nxdomain: value(spec.return_soa_on_nxdomain)
                .unwrap_or(defaults.answers.return_soa_on_nxdomain),
            any: value(spec.any).unwrap_or(defaults.answers.any),
            minimal_responses: value(spec.minimal_responses).unwrap_or(defaults.answers.minimal_responses),
            udp_octets_max: number(spec.edns_udp_size.as_ref(), defaults.answers.udp_octets_max),
            tcp_keepalive: tcp.keepalive(),
        },
        soa: soa(value(spec.soa).unwrap_or_default()),
        ns: spec.ns.map_or_else(Vec::new, |ns| {
            distinct(ns.value.0.iter().map(|name| (name.value.0.clone(), name)), reader);
            ns.value.0.into_iter().map(|name| name.value.0).collect()
        }),
        upstream: upstream(value(spec.upstream).unwrap_or_default(), reader),
    }
}

fn soa(spec: SoaSpec) -> SoaTemplate {
    let defaults = SoaTemplate::default();
    SoaTemplate {
        mname: spec.mname.map(|name| name.value.0),
        rname: spec.rname.map(|name| name.value.0),
        refresh: seconds(spec.refresh.as_ref(), defaults.refresh),
        retry: seconds(spec.retry.as_ref(), defaults.retry),
        expire: seconds(spec.expire.as_ref(), defaults.expire),
        minimum: seconds(spec.minimum.as_ref(), defaults.minimum),
    }
}

fn upstream(spec: UpstreamSpec, reader: &mut Reader) -> Upstream {
    let enabled = spec.enabled.as_ref().is_some_and(|enabled| enabled.value);
    if let Some(key) = spec.enabled.as_ref().filter(|_| enabled) {
        reader.warn(key, "forwarding is not part of this build: names outside the served zones are refused");
        if spec.servers.as_ref().is_none_or(|servers| servers.value.0.is_empty()) {
            reader.object(key, "'servers' names none, so there is nobody to ask");
        }
    }
    let timeout = positive(spec.timeout.as_ref(), Upstream::default().timeout, reader);
    Upstream { enabled, servers: values(spec.servers).unwrap_or_default(), timeout }
}

fn tcp(spec: &TcpSpec, reader: &mut Reader) -> Tcp {
    let defaults = Tcp::default();
    Tcp {
        max_connections: number(spec.max_connections.as_ref(), defaults.max_connections),
        max_connections_per_client: number(
            spec.max_connections_per_client.as_ref(),
            defaults.max_connections_per_client,
        ),
        idle_timeout: positive(spec.idle_timeout.as_ref(), defaults.idle_timeout, reader),
        read_timeout: positive(spec.read_timeout.as_ref(), defaults.read_timeout, reader),
        write_timeout: positive(spec.write_timeout.as_ref(), defaults.write_timeout, reader),
    }
}

/// A time-out: some time at least, since none would mean that nothing is ever in time, and an hour at most.
fn positive(located: Option<&Located<Duration>>, default: Duration, reader: &mut Reader) -> Duration {
    const LONGEST: Duration = Duration::from_hours(1);
    let Some(located) = located else {
        return default;
    };
    if located.value.is_zero() || located.value > LONGEST {
        reader.object(located, "a time-out is more than 0 and at most 1h");
        return default;
    }
    located.value
}
