//! The client by TLS.

use std::fs;

use dns_api::client::{Client, ClientError};
use dns_api::{Tls, TlsFiles};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::server::{Server, rrset, within};

/// A certificate for `localhost` that signs itself, and its key, as PEM.
fn identity() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn certificates_are_those_that_were_given_and_no_others() {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = identity();
    let files = TlsFiles { chain: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
    fs::write(&files.chain, &certificate).unwrap();
    fs::write(&files.key, key).unwrap();
    let server = Server::with_tls(Tls::load(files).unwrap());
    let grants = serde_json::from_str(r#"[{"access":"read"}]"#).unwrap();
    let (_, secret) = server.authenticator.create("test", grants, None).unwrap();
    let url = format!("https://localhost:{}", server.address.port());

    let client = Client::with_ca(&url, secret.reveal(), certificate.as_bytes()).unwrap();
    assert_eq!(within(client.own_token()).await.unwrap().name, "test");
    let mut events = within(client.events(None::<u64>)).await.unwrap();
    let version =
        server.store.create(&dns_store::Source::Api, rrset("www.example.org. A 192.0.2.1"), None).unwrap();
    assert_eq!(within(events.next()).await.unwrap().event.version, version);

    let stranger = Client::with_ca(&url, secret.reveal(), identity().0.as_bytes()).unwrap();
    assert!(matches!(within(stranger.own_token()).await, Err(ClientError::Connect { .. })));
    // The name counts, too.
    let elsewhere = format!("https://127.0.0.1:{}", server.address.port());
    let elsewhere = Client::with_ca(&elsewhere, secret.reveal(), certificate.as_bytes()).unwrap();
    assert!(matches!(within(elsewhere.own_token()).await, Err(ClientError::Connect { .. })));
}
