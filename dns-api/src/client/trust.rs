//! Which certificates of servers are believed.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::ClientError;

/// What `webpki` calls a certificate for signing others (CA:TRUE) that a server shows as its own.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Believes the certificates that were given, and those that they have signed.
///
/// `webpki` alone believes only the latter: it refuses a server that shows a certificate for signing others, as a plain
/// `openssl req -x509` makes one, even if it is the very one that was given.
#[derive(Debug)]
pub(super) struct Trust {
    given: Vec<CertificateDer<'static>>,
    webpki: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Trust in the certificates of a PEM file.
    pub fn new(pem: &[u8], provider: Arc<rustls::crypto::CryptoProvider>) -> Result<Self, ClientError> {
        let given: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let given = given.map_err(|error| ClientError::Ca(error.to_string()))?;
        if given.is_empty() {
            return Err(ClientError::Ca("there is no certificate in it".to_owned()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &given {
            roots.add(certificate.clone()).map_err(|error| ClientError::Ca(error.to_string()))?;
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self { given, webpki: webpki.map_err(|error| ClientError::Ca(error.to_string()))? })
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.given.contains(end_entity) {
            let webpki = &self.webpki;
            return webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        }
        // Nobody has to speak for what was given, so what else the server sends must not be what an error is about.
        match self.webpki.verify_server_cert(end_entity, &[], server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(error)) if is_beside_the_point(&error) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Whether an error is about what a certificate is for, or who has signed it, which does not matter where it was given itself.
///
/// Both are looked at once the time has been found right, so these errors tell that it is; the name has not been looked at yet.
fn is_beside_the_point(error: &CertificateError) -> bool {
    match error {
        CertificateError::UnknownIssuer => true,
        // Its type is that of a crate that `rustls` does not show. Under another name it would be an error like any other.
        CertificateError::Other(error) => error.to_string() == CA_AS_SERVER,
        _ => false,
    }
}
