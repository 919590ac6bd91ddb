//! The API by TLS.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dns_api::{Limits, Tls, TlsFiles};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::server::{Ask, READ, Server, Setup, exchange, within};

/// A certificate for `localhost` that signs itself, written where a server finds it.
struct Identity {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let certificate = renew(folder.path());
        Self { folder, certificate }
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { chain: self.folder.path().join("chain.pem"), key: self.folder.path().join("key.pem") }
    }
}

fn renew(folder: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

/// A client that trusts this certificate and no other.
async fn connect(
    server: &Server,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let stream = server.connect().await;
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

fn start(identity: &Identity, limits: Limits) -> (Server, Arc<Tls>) {
    let tls = Arc::new(Tls::load(identity.files()).unwrap());
    (Server::start(Setup { tls: Some(tls.clone()), limits, ..Setup::default() }), tls)
}

#[tokio::test]
async fn requests_travel_by_tls() {
    let identity = Identity::new();
    let (server, _) = start(&identity, Limits::for_api());
    let token = server.token(READ);
    let mut stream = connect(&server, &identity.certificate).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    let answer = exchange(&mut stream, &Ask::get("/api/v1/tokens/self").by(&token).text()).await;
    assert_eq!(answer.status, 200);
    // Who does not speak TLS gets no answer, and the token that was sent in the clear is none the server has looked at.
    let mut plain = server.connect().await;
    plain.write_all(Ask::get("/health").text().as_bytes()).await.unwrap();
    let mut octets = Vec::new();
    let _ = within(plain.read_to_end(&mut octets)).await;
    assert!(!octets.starts_with(b"HTTP"), "{octets:?}");
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_dropping_connections() {
    let identity = Identity::new();
    let (server, tls) = start(&identity, Limits::for_api());
    let mut before = connect(&server, &identity.certificate).await.unwrap();
    let keep = Ask::get("/health").text().replace("Connection: close\r\n", "");
    before.write_all(keep.as_bytes()).await.unwrap();
    let mut octets = [0; 1024];
    let read = within(before.read(&mut octets)).await.unwrap();
    assert!(octets[..read].starts_with(b"HTTP/1.1 200"));

    let renewed = renew(identity.folder.path());
    tls.reload().unwrap();
    let mut after = connect(&server, &renewed).await.unwrap();
    assert_eq!(exchange(&mut after, &Ask::get("/health").text()).await.status, 200);
    let error = connect(&server, &identity.certificate).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    // The old connection goes on.
    assert_eq!(exchange(&mut before, &Ask::get("/health").text()).await.status, 200);

    // A certificate that cannot be used changes nothing.
    fs::write(identity.files().chain, "nonsense").unwrap();
    tls.reload().unwrap_err();
    connect(&server, &renewed).await.unwrap();
}

#[tokio::test]
async fn files_are_followed() {
    let identity = Identity::new();
    let (server, tls) = start(&identity, Limits::for_api());
    let follower = tokio::spawn(tls.follow(Duration::from_millis(5)));
    let renewed = renew(identity.folder.path());
    within(async {
        while connect(&server, &renewed).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    follower.abort();
}

#[tokio::test]
async fn handshakes_that_stall_are_cut_off_and_hold_up_no_stop() {
    let identity = Identity::new();
    let limits = Limits { handshake_timeout: Duration::from_millis(50), ..Limits::for_api() };
    let (server, _) = start(&identity, limits);
    let mut silent = server.connect().await;
    assert_eq!(within(silent.read(&mut [0; 16])).await.unwrap_or(0), 0);

    let limits = Limits {
        handshake_timeout: Duration::from_hours(1),
        drain_timeout: Duration::from_hours(1),
        ..Limits::for_api()
    };
    let (server, _) = start(&identity, limits);
    let mut silent = server.connect().await;
    // The first one to be answered was accepted after the silent one.
    let mut other = connect(&server, &identity.certificate).await.unwrap();
    assert_eq!(exchange(&mut other, &Ask::get("/health").text()).await.status, 200);
    server.stop().await;
    assert_eq!(within(silent.read(&mut [0; 16])).await.unwrap_or(0), 0);
}
