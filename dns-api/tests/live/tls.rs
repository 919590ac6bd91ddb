//! The client by TLS.

use std::fs;
use std::sync::Arc;

use dns_api::client::{Client, ClientError};
use dns_api::{Tls, TlsFiles, with_causes};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, rrset, within};

/// What a certificate for `localhost` has that is to be changed.
type Change = fn(&mut CertificateParams);

/// A certificate for `localhost` that signs itself, and its key, as PEM.
fn identity(change: Change) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (params(change).self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn params(change: Change) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut params);
    params
}

/// As a plain `openssl req -x509` makes them.
fn signer(params: &mut CertificateParams) {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
}

/// A server with a certificate and a key, and the secret of a token for it.
fn server((certificate, key): &(String, String)) -> (Server, String) {
    let folder = TempDir::new().unwrap();
    let files = TlsFiles { chain: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
    fs::write(&files.chain, certificate).unwrap();
    fs::write(&files.key, key).unwrap();
    let server = Server::with_tls(Tls::load(files).unwrap());
    let grants = serde_json::from_str(r#"[{"access":"read"}]"#).unwrap();
    let (_, secret) = server.authenticator.create("test", grants, None).unwrap();
    (server, secret.reveal().to_owned())
}

/// Asks as a client that was given these certificates: for the name of its token, or why it did not get that far.
async fn ask(host: &str, port: u16, secret: &str, given: &str) -> Result<String, String> {
    let client = Client::with_ca(&format!("https://{host}:{port}"), secret, given.as_bytes()).unwrap();
    match within(client.own_token()).await {
        Ok(token) => Ok(token.name),
        Err(error @ ClientError::Connect { .. }) => Err(with_causes(&error).to_string()),
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn refused(answer: Result<String, String>, why: &str) {
    let error = answer.unwrap_err();
    assert!(error.contains(why), "{error}: {why}");
}

#[tokio::test]
async fn certificates_are_those_that_were_given_and_no_others() {
    let own = identity(|_| {});
    let (server, secret) = server(&own);
    let port = server.address.port();
    let client = Client::with_ca(&format!("https://localhost:{port}"), &secret, own.0.as_bytes()).unwrap();
    assert_eq!(within(client.own_token()).await.unwrap().name, "test");
    let mut events = within(client.events(None::<u64>)).await.unwrap();
    let version =
        server.store.create(&dns_store::Source::Api, rrset("www.example.org. A 192.0.2.1"), None).unwrap();
    assert_eq!(within(events.next()).await.unwrap().event.version, version);

    let other = identity(|_| {}).0;
    assert_eq!(ask("localhost", port, &secret, &format!("{other}{}", own.0)).await.unwrap(), "test");
    refused(ask("localhost", port, &secret, &other).await, "UnknownIssuer");
    // The name counts, too.
    refused(ask("127.0.0.1", port, &secret, &own.0).await, "not valid for name");
}

#[tokio::test]
async fn a_certificate_for_signing_others_is_good_enough_if_it_was_given() {
    let own = identity(signer);
    let (server, secret) = server(&own);
    let port = server.address.port();
    assert_eq!(ask("localhost", port, &secret, &own.0).await.unwrap(), "test");
    refused(ask("localhost", port, &secret, &identity(signer).0).await, "CaUsedAsEndEntity");
    refused(ask("127.0.0.1", port, &secret, &own.0).await, "not valid for name");
}

#[tokio::test]
async fn those_that_were_given_count_as_long_as_they_are_valid() {
    let expired: Change = |params| {
        signer(params);
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    };
    let early: Change = |params| {
        signer(params);
        (params.not_before, params.not_after) = (date_time_ymd(4000, 1, 1), date_time_ymd(4001, 1, 1));
    };
    for (change, why) in [(expired, "certificate expired"), (early, "certificate not valid yet")] {
        let own = identity(change);
        let (server, secret) = server(&own);
        refused(ask("localhost", server.address.port(), &secret, &own.0).await, why);
    }
}

#[tokio::test]
async fn who_has_signed_counts_only_for_those_that_were_not_given() {
    let signer_key = KeyPair::generate().unwrap();
    let signer_params = params(signer);
    let signed_by = signer_params.self_signed(&signer_key).unwrap().pem();
    let issuer = Issuer::new(signer_params, signer_key);
    let key = KeyPair::generate().unwrap();
    let own = params(|params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "the server");
    });
    let own = (own.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem());
    let (server, secret) = server(&own);
    let port = server.address.port();
    for given in [&signed_by, &own.0] {
        assert_eq!(ask("localhost", port, &secret, given).await.unwrap(), "test");
    }
    refused(ask("localhost", port, &secret, &identity(signer).0).await, "BadSignature");
}

/// The key of one server must not be as good as that of all.
#[tokio::test]
async fn who_is_not_for_signing_or_no_longer_valid_signs_nobody() {
    let server_only: Change = |_| {};
    let expired: Change = |params| {
        signer(params);
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    };
    for change in [server_only, expired] {
        let key = KeyPair::generate().unwrap();
        let given = params(change).self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params(change), key);
        let key = KeyPair::generate().unwrap();
        let own = params(|_| {}).signed_by(&key, &issuer).unwrap().pem();
        let (server, secret) = server(&(own, key.serialize_pem()));
        refused(ask("localhost", server.address.port(), &secret, &given).await, "UnknownIssuer");
    }
}

/// A signer may have been renewed under its old name, with another key.
#[tokio::test]
async fn a_certificate_that_was_given_does_not_suffer_from_others() {
    let issuer = Issuer::new(params(signer), KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    let own = params(|_| {}).signed_by(&key, &issuer).unwrap().pem();
    let (server, secret) = server(&(own.clone(), key.serialize_pem()));
    let given = format!("{}{own}", identity(signer).0);
    assert_eq!(ask("localhost", server.address.port(), &secret, &given).await.unwrap(), "test");
}

/// A certificate with the key of another one.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesServerCert for Thief {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[tokio::test]
async fn whoever_shows_a_certificate_needs_its_key() {
    let (own, other) = (identity(signer), identity(signer));
    let chain = vec![CertificateDer::from_pem_slice(own.0.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(other.1.as_bytes()).unwrap();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let thief = Arc::new(Thief(Arc::new(CertifiedKey::new(chain, key))));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(thief.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            drop(TlsAcceptor::from(Arc::new(config)).accept(stream).await);
        });
        refused(ask("localhost", port, "", &own.0).await, "BadSignature");
    }
}
