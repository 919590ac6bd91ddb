//! Which certificates of servers are believed.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::ClientError;

/// What `webpki` calls a certificate for signing others (CA:TRUE) that a server shows as its own.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Believes the certificates that were given, and what those of them have signed that are for signing others.
///
/// `webpki` alone believes whatever any of them has signed, and not always the certificate itself: it refuses a server that
/// shows one for signing others, as a plain `openssl req -x509` makes it, even if it is the very one that was given.
#[derive(Debug)]
pub(super) struct Trust {
    given: Vec<Given>,
    /// Believes what was signed by those that are for it and valid; `None` if there are none.
    signed: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Given {
    certificate: CertificateDer<'static>,
    /// Believes what this one has signed.
    alone: Arc<WebPkiServerVerifier>,
}

impl Given {
    /// It is for signing others (CA:TRUE), and valid now.
    fn is_signer(&self) -> bool {
        // Shown as a server's own, it would be refused for that, and for its time before that, whatever the server's name.
        let name = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
        let verdict = self.alone.verify_server_cert(&self.certificate, &[], &name, &[], UnixTime::now());
        matches!(verdict, Err(Error::InvalidCertificate(error)) if is_about_signing(&error))
    }
}

impl Trust {
    /// Trust in the certificates of a PEM file.
    pub fn new(pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Self, ClientError> {
        let fault = |error: &dyn std::fmt::Display| ClientError::Ca(error.to_string());
        let verifier = |certificates: &[CertificateDer<'static>]| {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate.clone()).map_err(|error| fault(&error))?;
            }
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            built.map_err(|error| fault(&error))
        };
        let mut given = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| fault(&error))?;
            let alone = verifier(std::slice::from_ref(&certificate))?;
            given.push(Given { certificate, alone });
        }
        if given.is_empty() {
            return Err(ClientError::Ca("there is no certificate in it".to_owned()));
        }
        let signers = given.iter().filter(|given| given.is_signer());
        let signers: Vec<_> = signers.map(|given| given.certificate.clone()).collect();
        let signed = if signers.is_empty() { None } else { Some(verifier(&signers)?) };
        Ok(Self { given, signed, algorithms: provider.signature_verification_algorithms })
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
        let Some(given) = self.given.iter().find(|given| given.certificate == *end_entity) else {
            let Some(signed) = &self.signed else { return Err(CertificateError::UnknownIssuer.into()) };
            return signed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        };
        // Nobody has to speak for what was given, so neither what else was given nor what else the server sends matters.
        match given.alone.verify_server_cert(end_entity, &[], server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(error)) if is_about_signing(&error) || is_about_signer(&error) => {
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
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

// What follows is looked at once the time has been found right, so these errors tell that it is; the name has not been looked
// at yet.

/// Whether all that is wrong is that a certificate is for signing others. What else it is for has not been looked at then.
fn is_about_signing(error: &CertificateError) -> bool {
    // Its type is that of a crate that `rustls` does not show. Under another name it would be an error like any other.
    matches!(error, CertificateError::Other(error) if error.to_string() == CA_AS_SERVER)
}

/// Whether all that is wrong is who has signed a certificate, or how.
fn is_about_signer(error: &CertificateError) -> bool {
    use CertificateError as E;
    matches!(
        error,
        E::UnknownIssuer
            | E::BadSignature
            | E::UnsupportedSignatureAlgorithmContext { .. }
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
    )
}
