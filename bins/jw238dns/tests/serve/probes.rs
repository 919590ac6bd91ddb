//! Metrics and probes.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::support::{PATIENCE, Process, ask, ask_tcp, folder, get, zone};

/// Sums of all samples by name, and by name with labels.
fn figures(metrics: &str) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        figures.insert(name.to_owned(), value);
        if let Some((name, _)) = name.split_once('{') {
            *figures.entry(name.to_owned()).or_default() += value;
        }
    }
    figures
}

#[test]
fn counts_agree_with_what_was_asked() {
    let config = "listen: {http: '127.0.0.1:0'}\nzones: [{name: example.org, file: a.zone}]\n";
    let folder = folder(&[("config.yaml", config), ("a.zone", &zone("192.0.2.1"))]);
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    let (dns, http) = (server.dns(), server.http());
    for _ in 0..7 {
        ask(dns, "www.example.org. A");
    }
    for _ in 0..3 {
        ask(dns, "none.example.org. AAAA");
        ask_tcp(dns, "www.example.org. TXT");
    }
    for _ in 0..2 {
        ask_tcp(dns, "www.example.net. MX");
    }
    let deadline = Instant::now() + PATIENCE;
    // A worker counts an answer when it has left, so that the last one may be on its way to us still.
    let metrics = loop {
        let (status, metrics) = get(http, "/metrics");
        assert_eq!(status, 200);
        let figures = figures(&metrics);
        let sent = |transport| {
            figures[&format!("dns_frontend_events_total{{transport=\"{transport}\",event=\"sent\"}}")]
        };
        if sent("udp") + sent("tcp") >= 15.0 {
            break metrics;
        }
        assert!(Instant::now() < deadline, "{metrics}");
    };
    let figures = figures(&metrics);
    let queries = |transport: &str, qtype: &str, rcode: &str| {
        let name = format!(
            "dns_backend_queries_total{{transport=\"{transport}\",type=\"{qtype}\",rcode=\"{rcode}\"}}"
        );
        figures.get(&name).copied()
    };
    assert_eq!(queries("udp", "A", "noerror"), Some(7.0), "{metrics}");
    assert_eq!(queries("udp", "AAAA", "nxdomain"), Some(3.0));
    assert_eq!(queries("tcp", "TXT", "noerror"), Some(3.0));
    assert_eq!(queries("tcp", "MX", "refused"), Some(2.0));
    let figure = |name: &str| figures.get(name).copied();
    assert_eq!(figure("dns_backend_queries_total"), Some(15.0));
    assert_eq!(figure("dns_frontend_events_total{transport=\"udp\",event=\"received\"}"), Some(10.0));
    assert_eq!(figure("dns_frontend_events_total{transport=\"tcp\",event=\"accepted\"}"), Some(5.0));
    assert_eq!(figure("dns_frontend_dropped_total{transport=\"udp\",reason=\"port_zero\"}"), Some(0.0));
    assert_eq!(figure("dns_store_zones{state=\"serving\"}"), Some(1.0));
    assert_eq!(figure("dns_store_zones{state=\"failed\"}"), Some(0.0));
    assert_eq!(figure("dns_store_records"), Some(4.0));
    assert!(figure("dns_store_version").unwrap() >= 1.0);
    assert_eq!(figure("dns_server_reloads_total{outcome=\"success\"}"), Some(0.0));
    assert!(figure("dns_server_last_reload_seconds").unwrap() > 1.7e9);
    // The first batch of each worker is timed, and no query takes a minute.
    for transport in ["udp", "tcp"] {
        let part =
            |part: &str| figures[&format!("dns_frontend_answer_seconds_{part}{{transport=\"{transport}\"}}")];
        assert!((1.0..=10.0).contains(&part("count")), "{metrics}");
        assert!((1e-9..60.0).contains(&part("sum")), "{metrics}");
        let all = format!("dns_frontend_answer_seconds_bucket{{le=\"+Inf\",transport=\"{transport}\"}}");
        assert_eq!(figure(&all), Some(part("count")), "{metrics}");
    }
    assert_eq!(dns_api::misnamed(&metrics), Vec::<String>::new());

    server.signal("HUP");
    server.wait_for("reloaded");
    let deadline = Instant::now() + PATIENCE;
    let reloads = "dns_server_reloads_total{outcome=\"success\"} 1";
    while !get(http, "/metrics").1.contains(reloads) {
        assert!(Instant::now() < deadline);
    }
    server.stop();
}

#[test]
fn readiness_names_what_is_missing() {
    let config = "listen: {http: '127.0.0.1:0'}\nzones: [{name: example.org, file: a.zone}, {name: example.net, \
                  file: b.zone}]\nzones_dir: absent\nviews: [{name: inside, clients: private, zones: [{name: \
                  example.net, file: b.zone}]}]\n";
    let folder = folder(&[("config.yaml", config), ("a.zone", &zone("192.0.2.1")), ("b.zone", "@ A x\n")]);
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    let http = server.http();
    assert_eq!(get(http, "/health"), (200, "ok\n".to_owned()));
    let (status, reasons) = get(http, "/ready");
    assert_eq!(status, 503);
    let reasons: Vec<&str> = reasons.lines().collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].starts_with("view inside: zone example.net.: b.zone:1:"), "{reasons:?}");
    assert!(reasons[1].starts_with("zone example.net.: b.zone:1:"), "{reasons:?}");
    assert!(reasons[2].starts_with("zones_dir: absent: cannot be read"), "{reasons:?}");
    let metrics = get(http, "/metrics").1;
    for view in ["default", "inside"] {
        let failed = format!("dns_store_failed_zone_info{{view=\"{view}\",zone=\"example.net.\"}} 1");
        assert!(metrics.contains(&failed), "{metrics}");
    }
    assert!(metrics.contains("dns_store_zones{state=\"failed\"} 2"), "{metrics}");
    assert_eq!(dns_api::misnamed(&metrics), Vec::<String>::new());
    assert_eq!(get(http, "/").0, 401, "all else needs a token");
}
