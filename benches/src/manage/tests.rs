//! The clients against a server of ours in this process.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use dns_server::Running;

use super::*;
use crate::zone::ZonePlan;

const ZONE: ZonePlan = ZonePlan { names: 100 };

/// A server that keeps its changes in this folder, and how to reach it.
async fn start(folder: &Path) -> (Running, Server, SocketAddr) {
    let any = "127.0.0.1:0".parse().unwrap();
    let server = dns_server::Server::builder().listen(any).listen_http(any);
    let folder = folder.join("data");
    let data = folder.clone();
    let server = server.configure(move |config| config.store.data_dir = Some(data)).build().await.unwrap();
    let running = server.start().unwrap();
    let secret = fs::read_to_string(folder.join("admin-token")).unwrap().trim().to_owned();
    let (http, dns) = (running.http_addresses()[0], running.dns_addresses()[0]);
    (running, Server { http, dialect: Dialect::Ours, secret }, dns)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (running, server, dns) = start(folder.path()).await;
    let filled = fill(&server, dns, ZONE, How::Import, None).await.unwrap();
    assert_eq!(filled.names, 100);
    for (work, first) in [(Work::Changes, 0), (Work::Mixed, 100_000), (Work::Changes, 200_000)] {
        let time = Duration::from_millis(50);
        let plan =
            Load { server: server.clone(), dns, clients: 5, at_once: 2, time, work, zone: ZONE, first };
        let report = load(plan).await.unwrap();
        assert!(report.latency.changes >= 5 && report.checked > 0, "{report:?}");
        assert_eq!((report.errors, report.error), (0, None));
    }
    let latency = seen(&server, dns, ZONE, Duration::from_millis(50)).await.unwrap();
    assert!(latency.changes > 0 && latency.median_micros <= latency.max_micros);
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_changes_fill_a_zone_and_what_fails_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (running, server, dns) = start(folder.path()).await;
    let zone = ZonePlan { names: 1100 };
    fill(&server, dns, zone, How::Sets, None).await.unwrap();
    // The zone is there by now.
    let error = fill(&server, dns, zone, How::Sets, None).await.unwrap_err().to_string();
    assert!(error.starts_with("status 409"), "{error}");

    let stranger = Server { secret: "nobody".into(), ..server.clone() };
    let time = Duration::from_millis(10);
    let plan =
        Load { server: stranger, dns, clients: 2, at_once: 2, time, work: Work::Changes, zone, first: 0 };
    let error = format!("{:#}", load(plan).await.unwrap_err());
    // After some failed logins the answer is to wait.
    assert!(
        ["401", "429"].iter().any(|status| error.contains(&format!("nothing worked: status {status}"))),
        "{error}"
    );
    running.shutdown().await;
}
