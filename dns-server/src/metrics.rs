//! Figures of the whole server, gathered when somebody asks for them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use dns_backend::{Authoritative, Transport};
use dns_core::ZoneState;
use dns_frontend::{AnswerTimes, Counters};
use dns_querylog::QueryLog;
use dns_store::{SourceKind, Store};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// Reloads by outcome.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Seconds since 1970 of the last one that succeeded, the loading at the start included; 0 if there was none.
    last: AtomicU64,
}

impl Reloads {
    /// Takes note of the content with which the server starts; `complete` if all of it could be loaded.
    pub fn begin(complete: bool) -> Self {
        let reloads = Self::default();
        if complete {
            reloads.stamp();
        }
        reloads
    }

    /// Counts a reload.
    pub fn count(&self, succeeded: bool) {
        let counter = if succeeded { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Relaxed);
        if succeeded {
            self.stamp();
        }
    }

    fn stamp(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.last.store(now, Relaxed);
    }
}

/// All figures of a server. Clones show the same ones.
#[derive(Clone)]
pub(crate) struct Figures {
    pub authoritative: Arc<Authoritative<Store>>,
    pub counters: Counters,
    pub store: Store,
    pub reloads: Arc<Reloads>,
    pub shadowed: Arc<ShadowedCounts>,
    pub query_log: Option<Arc<QueryLog>>,
}

/// How much is not served, by kind of source: counted once per version of the store, since it takes a look at all records.
#[derive(Default)]
pub(crate) struct ShadowedCounts(Mutex<Option<(u64, BTreeMap<SourceKind, usize>)>>);

impl ShadowedCounts {
    /// Counts of the kinds that have any; that of the configuration is always there, for alerts to rest on.
    fn counts(&self, store: &Store) -> BTreeMap<SourceKind, usize> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at first: should another version come in between, that one is counted again the next time.
        let version = store.version();
        match &*known {
            Some((counted, counts)) if *counted == version => counts.clone(),
            _ => {
                let mut counts = store.shadowed(SourceKind::Config, 0).counts;
                counts.entry(SourceKind::Config).or_default();
                *known = Some((version, counts.clone()));
                counts
            }
        }
    }
}

impl Figures {
    /// What shows them.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        registry
    }

    /// All of them in OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Only a collector can fail here, and ours does not: writing to a string always works.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry());
        text
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("figures of a server")
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_answers(&mut encoder)?;
        self.encode_sockets(&mut encoder)?;
        self.encode_store(&mut encoder)?;
        if let Some(log) = &self.query_log {
            let entries = [("written", log.written()), ("dropped", log.dropped())];
            let entries = entries.map(|(outcome, count)| ([("outcome", outcome.to_owned())], count));
            counters(&mut encoder, "dns_querylog_entries", "Entries of the query log", entries)?;
        }
        let outcomes = [("success", &self.reloads.succeeded), ("failure", &self.reloads.failed)];
        let outcomes =
            outcomes.map(|(outcome, count)| ([("outcome", outcome.to_owned())], count.load(Relaxed)));
        counters(&mut encoder, "dns_server_reloads", "Reloads of configuration and zones", outcomes)?;
        let last = [([], self.reloads.last.load(Relaxed))];
        gauges::<0>(
            &mut encoder,
            "dns_server_last_reload_seconds",
            "Time of the last load or reload that succeeded, in seconds since 1970",
            last,
        )
    }
}

impl Figures {
    fn encode_answers(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let mut replies: BTreeMap<(&str, String, &str), u64> = BTreeMap::new();
        let (mut dropped, mut truncated, mut prohibited) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut limited: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let mut cookies: BTreeMap<&str, u64> = BTreeMap::new();
        self.authoritative.for_each_counters(|transport, worker| {
            let transport = label(transport);
            for reply in worker.replies() {
                let qtype = reply.qtype.map_or_else(|| "other".to_owned(), |qtype| qtype.to_string());
                *replies.entry((transport, qtype, reply.rcode)).or_default() += reply.count;
            }
            *dropped.entry(transport).or_default() += worker.dropped();
            *prohibited.entry(transport).or_default() += worker.prohibited();
            for (kind, slipped, silent) in worker.limited() {
                *limited.entry((kind, "slip")).or_default() += slipped;
                *limited.entry((kind, "drop")).or_default() += silent;
            }
            for (state, count) in worker.cookies() {
                *cookies.entry(state).or_default() += count;
            }
            *truncated.entry(transport).or_default() += worker.truncated();
        });
        let replies = replies.into_iter().map(|((transport, qtype, rcode), count)| {
            ([("transport", transport.to_owned()), ("type", qtype), ("rcode", rcode.to_owned())], count)
        });
        counters(encoder, "dns_backend_queries", "Queries that were answered", replies)?;
        let by_transport = |counts: BTreeMap<&str, u64>| {
            counts
                .into_iter()
                .map(|(transport, count)| ([("transport", transport.to_owned())], count))
                .collect::<Vec<_>>()
        };
        counters(encoder, "dns_backend_truncated", "Replies that said TC", by_transport(truncated))?;
        counters(
            encoder,
            "dns_backend_dropped",
            "Requests without an answer: fragments of headers, responses, and what limits and rules kept back",
            by_transport(dropped),
        )?;
        counters(
            encoder,
            "dns_backend_prohibited",
            "Queries of clients that may not ask",
            by_transport(prohibited),
        )?;
        let limited = limited.into_iter().map(|((kind, action), count)| {
            ([("kind", kind.to_owned()), ("action", action.to_owned())], count)
        });
        counters(
            encoder,
            "dns_backend_limited",
            "Responses over the limits of their client networks",
            limited,
        )?;
        let cookies = cookies.into_iter().map(|(state, count)| ([("state", state.to_owned())], count));
        counters(encoder, "dns_backend_cookies", "Queries with cookies, by what those were", cookies)?;
        let rules = self.authoritative.rule_hits().into_iter().map(|(rule, count)| ([("rule", rule)], count));
        counters(encoder, "dns_backend_rule_matches", "Queries that rules had an effect on", rules)
    }

    fn encode_sockets(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let totals = self.counters.totals();
        let transports = [("udp", totals.udp.figures()), ("tcp", totals.tcp.figures())];
        let mut events = Vec::new();
        let mut drops = Vec::new();
        for (transport, figures) in transports {
            let labelled = |label, name: &str, count| {
                ([("transport", transport.to_owned()), (label, name.to_owned())], count)
            };
            for (name, count) in figures {
                match name.strip_prefix("dropped_") {
                    Some(reason) => drops.push(labelled("reason", reason, count)),
                    None if STATES.contains(&name) => {}
                    None => events.push(labelled("event", name, count)),
                }
            }
        }
        counters(
            encoder,
            "dns_frontend_events",
            "What became of datagrams, connections and their messages",
            events,
        )?;
        counters(encoder, "dns_frontend_dropped", "Datagrams that were dropped", drops)?;
        encode_times(encoder, &[("udp", totals.udp_times), ("tcp", totals.tcp_times)])?;
        gauges(encoder, "dns_frontend_tcp_connections", "Connections open now", [([], totals.tcp.open)])?;
        let octets = [([], totals.tcp.buffered_octets)];
        gauges(
            encoder,
            "dns_frontend_tcp_buffered_octets",
            "Octets of buffers held by connections now",
            octets,
        )
    }

    fn encode_store(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let catalog = self.store.snapshot();
        let (mut serving, mut failed, mut records) = (0, Vec::new(), 0);
        let entries = catalog.views().iter().flat_map(|view| view.zones().map(move |entry| (view, entry)));
        for (view, entry) in entries {
            match &entry.state {
                ZoneState::Serving(_) => serving += 1,
                ZoneState::Failed(_) => {
                    failed.push(([("view", view.name().to_owned()), ("zone", entry.apex.to_string())], 1));
                }
            }
            records += entry.zone().map_or(0, dns_core::zone::Zone::record_count) as u64;
        }
        gauges(encoder, "dns_store_version", "Version of the catalog", [([], catalog.version())])?;
        counters(
            encoder,
            "dns_store_journal_failures",
            "Batches of changes that could not be kept, and so were not made",
            [([], self.store.journal_failures())],
        )?;
        let states = [("serving", serving), ("failed", failed.len() as u64)];
        gauges(
            encoder,
            "dns_store_zones",
            "Zones by state",
            states.map(|(state, count)| ([("state", state.to_owned())], count)),
        )?;
        gauges(
            encoder,
            "dns_store_failed_zone_info",
            "Zones that could not be loaded; their names get SERVFAIL",
            failed,
        )?;
        gauges(encoder, "dns_store_records", "Records in all zones", [([], records)])?;
        let shadowed = self.shadowed.counts(&self.store);
        gauges(
            encoder,
            "dns_store_shadowed_rrsets",
            "RRsets by kind of source that are not served, as others come before them",
            shadowed.into_iter().map(|(kind, count)| ([("source", kind.label().to_owned())], count as u64)),
        )
    }
}

/// Times to answer, as a histogram per transport.
fn encode_times(encoder: &mut DescriptorEncoder, transports: &[(&str, AnswerTimes)]) -> fmt::Result {
    let mut histogram = encoder.encode_descriptor(
        "dns_frontend_answer_seconds",
        "Time to answer a query, sampled; without the time that the system takes to receive and to send",
        None,
        MetricType::Histogram,
    )?;
    for (transport, times) in transports {
        let buckets: Vec<(f64, u64)> = times.buckets().collect();
        let count = times.counts.iter().sum();
        let seconds = times.nanoseconds as f64 / 1e9;
        let labels = [("transport", *transport)];
        histogram.encode_family(&labels)?.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
    }
    Ok(())
}

/// Figures of connections that go up and down, and so are no counters.
const STATES: [&str; 2] = ["open", "buffered_octets"];

fn label(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

type Labelled<const N: usize> = ([(&'static str, String); N], u64);

fn counters<const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = Labelled<N>>,
) -> fmt::Result {
    encode(encoder, name, help, values, ConstCounter::new)
}

fn gauges<const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = Labelled<N>>,
) -> fmt::Result {
    encode(encoder, name, help, values, |value| ConstGauge::new(value as i64))
}

fn encode<const N: usize, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = Labelled<N>>,
    metric: impl Fn(u64) -> M,
) -> fmt::Result {
    let mut values = values.into_iter().peekable();
    let Some(&(_, first)) = values.peek() else { return Ok(()) };
    let kind = metric(first).metric_type();
    let mut descriptor = encoder.encode_descriptor(name, help, None, kind)?;
    if N == 0 {
        // Without labels there is one value, and no braces.
        return metric(first).encode(descriptor);
    }
    for (labels, value) in values {
        let labels: Vec<(&str, String)> = labels.into();
        metric(value).encode(descriptor.encode_family(&labels)?)?;
    }
    Ok(())
}
