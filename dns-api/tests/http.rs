//! The listener over real sockets, asked by a client that sends what it is told to.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::routing::get as get_by;
use dns_api::prometheus_client::collector::Collector;
use dns_api::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use dns_api::prometheus_client::metrics::gauge::ConstGauge;
use dns_api::prometheus_client::registry::Registry;
use dns_api::{Limits, Listener, Router, Status, misnamed, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than anything here takes; only a defect gets that far.
const PATIENCE: Duration = Duration::from_secs(20);

struct Failed(&'static [&'static str]);

impl Status for Failed {
    fn ready(&self) -> Result<(), Vec<String>> {
        match self.0 {
            [] => Ok(()),
            reasons => Err(reasons.iter().map(|reason| (*reason).to_owned()).collect()),
        }
    }
}

#[derive(Debug)]
struct Zones(i64);

impl Collector for Zones {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(self.0);
        let metric =
            encoder.encode_descriptor("dns_store_zones", "Zones served", None, gauge.metric_type())?;
        gauge.encode(metric)
    }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn start(status: Failed, limits: Limits) -> Running {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Zones(7)));
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        listener.serve(router(status, registry), limits, stopped).await;
    });
    Running { address, stop, task }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes far too long")
}

/// Sends octets and reads until the server closes the connection.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    within(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that refuses what it has read so far may close before all is sent.
        let _ = stream.write_all(request).await;
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response).await;
        String::from_utf8(response).unwrap()
    })
    .await
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    let response = exchange(address, request.as_bytes()).await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, body.to_owned())
}

#[tokio::test]
async fn probes_tell_alive_from_ready() {
    let server = start(Failed(&[]), Limits::default());
    assert_eq!(get(server.address, "/health").await, (200, "ok\n".to_owned()));
    assert_eq!(get(server.address, "/ready").await, (200, "ready\n".to_owned()));
    let (code, text) = get(server.address, "/api").await;
    assert_eq!((code, text.contains("/metrics")), (404, true));

    let failed = start(
        Failed(&["zone a.example. failed to load", "zone b.example. failed to load"]),
        Limits::default(),
    );
    assert_eq!(get(failed.address, "/health").await.0, 200);
    assert_eq!(
        get(failed.address, "/ready").await,
        (503, "zone a.example. failed to load\nzone b.example. failed to load\n".to_owned())
    );
}

#[tokio::test]
async fn metrics_hold_the_collectors_and_the_requests() {
    let server = start(Failed(&[]), Limits::default());
    for path in ["/health", "/made/up", "/made/up/too"] {
        get(server.address, path).await;
    }
    let request = b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    let response = exchange(server.address, request).await;
    assert!(
        response.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"),
        "{response}"
    );
    for line in [
        "dns_store_zones 7\n",
        "dns_api_requests_total{path=\"/health\",code=\"200\"} 1\n",
        "dns_api_requests_total{path=\"other\",code=\"404\"} 2\n",
        "# EOF\n",
    ] {
        assert!(response.contains(line), "{line} in {response}");
    }
    assert_eq!(misnamed(&response), Vec::<String>::new());
}

#[tokio::test]
async fn other_methods_are_refused() {
    let server = start(Failed(&[]), Limits::default());
    let request = b"POST /ready HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let response = exchange(server.address, request).await;
    assert!(response.starts_with("HTTP/1.1 405 "), "{response}");
}

#[tokio::test]
async fn malformed_and_oversized_requests_end_the_connection_only() {
    let server = start(Failed(&[]), Limits::default());
    let long = format!("GET /health HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    let many = format!("GET /health HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200));
    for request in [b"\x00\x01\x02\r\n\r\n".as_slice(), b"GET\r\n\r\n", long.as_bytes(), many.as_bytes()] {
        let response = exchange(server.address, request).await;
        // The reset of a connection that was closed with octets unread may overtake the answer.
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 4"), "{response}");
    }
    assert_eq!(get(server.address, "/health").await.0, 200);
}

#[tokio::test]
async fn clients_that_send_slowly_are_cut_off() {
    let limits = Limits { head_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = start(Failed(&[]), limits);
    // Neither silence, nor half a head, nor a connection kept without a second request is waited for.
    for (request, answered) in [
        (b"".as_slice(), false),
        (b"GET /health HT", false),
        (b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n", true),
    ] {
        let response = exchange(server.address, request).await;
        assert_eq!(response.contains("200 OK"), answered, "{response}");
    }
}

/// So many connections, and idle ones are never closed for being so.
fn patient(connections_max: usize) -> Limits {
    Limits { connections_max, head_timeout: Duration::from_hours(1), ..Limits::default() }
}

/// A connection from one of the many loopback addresses.
async fn connect_from(client: &str, server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(client.parse().unwrap(), 0)).unwrap();
    within(socket.connect(server)).await.unwrap()
}

/// Asks by a connection that is kept.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let mut octets = [0; 256];
    // What was closed may fail at once, or end.
    let _ = stream.write_all(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let read = within(stream.read(&mut octets)).await.unwrap_or(0);
    octets[..read].starts_with(b"HTTP/1.1 200 OK")
}

#[tokio::test]
async fn idle_clients_do_not_shut_others_out() {
    let server = start(Failed(&[]), patient(4));
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(within(TcpStream::connect(server.address)).await.unwrap());
    }
    // Neither those who say nothing, nor those who stop within a head, nor those who keep what they have used.
    for stream in &mut idle[8..16] {
        let _ = stream.write_all(b"GET /health HT").await;
    }
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(get(server.address, path).await.0, 200, "{path}");
    }
    let mut kept = Vec::new();
    for _ in 0..8 {
        let mut stream = within(TcpStream::connect(server.address)).await.unwrap();
        assert!(is_answered(&mut stream).await);
        kept.push(stream);
    }
    // The newest ones have pushed out the others.
    let mut octets = [0; 1];
    for (at, stream) in kept.iter_mut().enumerate() {
        if at < 4 {
            assert_eq!(within(stream.read(&mut octets)).await.unwrap_or(0), 0, "{at} was closed");
        } else {
            assert!(is_answered(stream).await, "{at}");
        }
    }
}

#[tokio::test]
async fn who_has_most_connections_loses_one() {
    let server = start(Failed(&[]), patient(4));
    // The one that has been idle for longest is the only one of its client.
    let mut other = connect_from("127.0.0.2", server.address).await;
    assert!(is_answered(&mut other).await);
    let mut many = Vec::new();
    for _ in 0..12 {
        let mut stream = connect_from("127.0.0.3", server.address).await;
        assert!(is_answered(&mut stream).await);
        many.push(stream);
    }
    assert!(is_answered(&mut other).await);
    for (at, stream) in many.iter_mut().enumerate().rev().take(5) {
        assert_eq!(is_answered(stream).await, at >= 9, "{at}");
    }
}

#[tokio::test]
async fn who_is_being_answered_keeps_the_connection() {
    let (go_on, wait) = watch::channel(false);
    let (begun, mut begins) = watch::channel(0);
    let slow = move || {
        begun.send_modify(|count| *count += 1);
        let mut wait = wait.clone();
        async move {
            drop(wait.wait_for(|go_on| *go_on).await);
            "done"
        }
    };
    let router = Router::new().route("/slow", get_by(slow)).route("/health", get_by("ok"));
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    tokio::spawn(listener.serve(router, patient(2), std::future::pending()));

    let mut first = within(TcpStream::connect(address)).await.unwrap();
    first.write_all(b"GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
    within(begins.wait_for(|count| *count == 1)).await.unwrap();
    for _ in 0..5 {
        let mut stream = within(TcpStream::connect(address)).await.unwrap();
        assert!(is_answered(&mut stream).await);
    }
    let mut second = within(TcpStream::connect(address)).await.unwrap();
    second.write_all(b"GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
    within(begins.wait_for(|count| *count == 2)).await.unwrap();
    // Nobody is idle, so this one has to wait.
    let mut third = within(TcpStream::connect(address)).await.unwrap();
    third.write_all(b"GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
    go_on.send(true).unwrap();
    for stream in [&mut first, &mut second, &mut third] {
        let mut octets = Vec::new();
        within(stream.read_to_end(&mut octets)).await.unwrap();
        assert!(octets.starts_with(b"HTTP/1.1 200 OK"), "{:?}", String::from_utf8_lossy(&octets));
    }
}

#[tokio::test]
async fn stopping_waits_for_nobody_idle_and_frees_the_port() {
    let server = start(Failed(&[]), Limits::default());
    let mut idle = within(TcpStream::connect(server.address)).await.unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    let mut octets = [0; 256];
    assert!(within(idle.read(&mut octets)).await.unwrap() > 0);
    server.stop.send(()).unwrap();
    timeout(Duration::from_secs(4), server.task)
        .await
        .expect("an idle connection does not hold up the drain")
        .unwrap();
    assert_eq!(within(idle.read(&mut octets)).await.unwrap_or(0), 0);
    Listener::bind(server.address).unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = Listener::bind(taken.address()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {} for HTTP", taken.address()));
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn all_addresses_of_both_families_are_two_listeners() {
    let ipv4 = Listener::bind("0.0.0.0:0".parse().unwrap()).unwrap();
    let ipv6 = SocketAddr::new("::".parse().unwrap(), ipv4.address().port());
    match Listener::bind(ipv6) {
        Ok(ipv6) => assert_eq!(ipv6.address().port(), ipv4.address().port()),
        // A machine without IPv6 has nothing to show here; that the port is taken would be wrong on any.
        Err(error) => assert_ne!(error.source.kind(), std::io::ErrorKind::AddrInUse, "{error}"),
    }
}
