//! The certificate of the API, which may change while it is used.

mod certificate;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};

use crate::causes::with_causes;

/// Protocols that clients are offered. HTTP/2 would save connections, which clients of an API have few of.
const ALPN: &[&[u8]] = &[b"http/1.1"];
/// Octets of a file; chains and keys are a few thousand.
const FILE_OCTETS_MAX: u64 = 1 << 20;

/// Where certificate and key stand, both as PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The server's certificate, and behind it those that lead to one that clients know.
    pub chain: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// A certificate and its key as they were read last. Connections under way keep what they began with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    /// The files that were looked at last, whether they were any good or not.
    seen: Mutex<Option<[Stamp; 2]>>,
}

/// Why there is no TLS, or no new certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Certificates and keys are much smaller.
    #[error("{} has more than {FILE_OCTETS_MAX} octets", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// What is there is no PEM.
    #[error("{} is not PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else may be in it.
    #[error("there is no certificate in {}", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Something else may be in it.
    #[error("there is no private key in {}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Nobody is there to type the password.
    #[error("the private key in {} is encrypted", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is of another certificate.
    #[error("the private key in {} does not fit the certificate in {}", files.key.display(), files.chain.display())]
    Mismatch {
        /// Both files.
        files: TlsFiles,
    },
    /// A certificate or key of a kind that nobody can use.
    #[error("the certificate in {} with the key in {} cannot be used", files.chain.display(), files.key.display())]
    Unusable {
        /// Both files.
        files: TlsFiles,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// What is worth a word, though it works.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub enum TlsWarning {
    /// Clients that look at the time refuse it.
    #[error("the certificate in {} has expired", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
    },
    /// Whoever has the key can pretend to be this server.
    #[error("every user of this machine can read the private key in {}; chmod o= helps", path.display())]
    ReadableKey {
        /// The file.
        path: PathBuf,
    },
}

impl Tls {
    /// Reads both files. What is worth a warning is logged.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = stamps(&files);
        let config = usable(&files)?;
        Ok(Self { files, config: ArcSwap::from(config), seen: Mutex::new(seen) })
    }

    /// Reads both files again, for connections from now on. What is worth a warning is logged.
    ///
    /// # Errors
    /// As [`load`](Self::load); the former certificate stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before they are read: what changes meanwhile is found next time.
        *seen = stamps(&self.files);
        self.config.store(usable(&self.files)?);
        Ok(())
    }

    /// Reads them again if they are other files than last time, or have been written since. Returns whether they were.
    ///
    /// # Errors
    /// As [`reload`](Self::reload); told once for each state of the files, so that a half replaced pair is no stream of
    /// errors.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let now = stamps(&self.files);
        if now.is_none() || now == *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// Looks after the files for ever, in steps of `every`; what it finds is logged. Certificates are renewed days before they
    /// expire, so a minute is often enough.
    pub async fn follow(self: Arc<Self>, every: Duration) {
        let mut steps = interval(every);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            let tls = self.clone();
            // Files may lie on a disk that sleeps, or on a network.
            let looked = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
            match looked {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => {
                    tracing::info!(chain = %self.files.chain.display(), "certificate was read again");
                }
                Ok(Err(error)) => {
                    tracing::error!(error = %with_causes(&error), "certificate was not read again");
                }
                Err(error) => tracing::error!(%error, "certificate was not looked at"),
            }
        }
    }

    /// What a handshake begins with.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

/// What tells a file from the one that stood there before, links followed: ConfigMaps and Secrets change by way of a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    octets: u64,
    modified: (i64, i64),
}

fn stamps(files: &TlsFiles) -> Option<[Stamp; 2]> {
    let stamp = |path: &Path| {
        let metadata = path.metadata().ok()?;
        Some(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            octets: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    };
    Some([stamp(&files.chain)?, stamp(&files.key)?])
}

fn usable(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let (config, warnings) = read(files, SystemTime::now())?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

fn read(files: &TlsFiles, now: SystemTime) -> Result<(Arc<ServerConfig>, Vec<TlsWarning>), TlsError> {
    let mut warnings = Vec::new();
    let chain = chain(&files.chain)?;
    let is_expired = chain.first().and_then(|own| certificate::not_after(own)).is_some_and(|end| end < now);
    if is_expired {
        warnings.push(TlsWarning::Expired { path: files.chain.clone() });
    }
    let (key, mode) = key(&files.key)?;
    if mode & 0o007 != 0 {
        warnings.push(TlsWarning::ReadableKey { path: files.key.clone() });
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unusable = |source| match source {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { files: files.clone() },
        source => TlsError::Unusable { files: files.clone(), source },
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = ALPN.iter().map(|protocol| protocol.to_vec()).collect();
    Ok((Arc::new(config), warnings))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (octets, _) = contents(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
    let certificates = certificates.map_err(|error| bad_pem(path, &error))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// The key, and the mode of its file.
fn key(path: &Path) -> Result<(PrivateKeyDer<'static>, u32), TlsError> {
    const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let (octets, mode) = contents(path)?;
    match PrivateKeyDer::from_pem_slice(&octets) {
        Ok(key) => Ok((key, mode)),
        Err(_) if octets.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) => {
            Err(TlsError::EncryptedKey { path: path.to_owned() })
        }
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { path: path.to_owned() }),
        Err(error) => Err(bad_pem(path, &error)),
    }
}

fn bad_pem(path: &Path, error: &pem::Error) -> TlsError {
    TlsError::Pem { path: path.to_owned(), reason: error.to_string() }
}

fn contents(path: &Path) -> Result<(Vec<u8>, u32), TlsError> {
    let read = || {
        let file = File::open(path)?;
        let mode = file.metadata()?.mode();
        let mut octets = Vec::new();
        file.take(FILE_OCTETS_MAX + 1).read_to_end(&mut octets)?;
        Ok((octets, mode))
    };
    let (octets, mode) = read().map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    if octets.len() as u64 > FILE_OCTETS_MAX {
        return Err(TlsError::TooLong { path: path.to_owned() });
    }
    Ok((octets, mode))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    /// A certificate and its key, as PEM.
    fn made(not_after: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(not_after, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn write(folder: &TempDir, chain: &str, key: &str) -> TlsFiles {
        let files = TlsFiles { chain: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
        fs::write(&files.chain, chain).unwrap();
        fs::write(&files.key, key).unwrap();
        fs::set_permissions(&files.key, Permissions::from_mode(0o640)).unwrap();
        files
    }

    #[test]
    fn faults_name_the_file() {
        let folder = TempDir::new().unwrap();
        let (chain, key) = made(4000);
        let (_, other) = made(4000);
        let damaged = chain.replacen("MII", "M\u{1}I", 1);
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (chain, key, expected) in [
            (
                chain.as_str(),
                other.as_str(),
                "the private key in key.pem does not fit the certificate in chain.pem",
            ),
            ("", &key, "there is no certificate in chain.pem"),
            (&key, &key, "there is no certificate in chain.pem"),
            (&chain, "", "there is no private key in key.pem"),
            (&chain, &chain, "there is no private key in key.pem"),
            (&chain, encrypted, "the private key in key.pem is encrypted"),
            (&damaged, &key, "chain.pem is not PEM: "),
            (&"x".repeat(FILE_OCTETS_MAX as usize + 1), &key, "chain.pem has more than 1048576 octets"),
        ] {
            let files = write(&folder, chain, key);
            let error = Tls::load(files).unwrap_err().to_string();
            let error = error.replace(&format!("{}/", folder.path().display()), "");
            assert!(error.starts_with(expected), "{error}: {expected}");
        }
        let files = write(&folder, &chain, &key);
        fs::remove_file(&files.key).unwrap();
        let error = Tls::load(files.clone()).unwrap_err();
        assert_eq!(
            with_causes(&error).to_string().split(": ").nth(1),
            Some("No such file or directory (os error 2)")
        );
    }

    #[test]
    fn old_certificates_and_open_keys_are_worth_a_warning() {
        let folder = TempDir::new().unwrap();
        let (chain, key) = made(2001);
        let files = write(&folder, &chain, &key);
        let (_, warnings) = read(&files, SystemTime::now()).unwrap();
        assert_eq!(warnings, [TlsWarning::Expired { path: files.chain.clone() }]);
        let (chain, key) = made(4000);
        write(&folder, &chain, &key);
        fs::set_permissions(&files.key, Permissions::from_mode(0o644)).unwrap();
        let (_, warnings) = read(&files, SystemTime::now()).unwrap();
        assert_eq!(warnings, [TlsWarning::ReadableKey { path: files.key.clone() }]);
    }

    #[test]
    fn files_are_read_again_when_they_change() {
        let folder = TempDir::new().unwrap();
        let (first, second) = (made(4000), made(4000));
        let files = write(&folder, &first.0, &first.1);
        let tls = Tls::load(files.clone()).unwrap();
        let before = tls.config();
        assert!(!tls.reload_if_changed().unwrap());

        // The chain is new and the key is not, yet: one error, and what was there stays.
        let replace = |path: &Path, text: &str| {
            let fresh = path.with_extension("new");
            fs::write(&fresh, text).unwrap();
            fs::rename(&fresh, path).unwrap();
        };
        replace(&files.chain, &second.0);
        assert!(matches!(tls.reload_if_changed(), Err(TlsError::Mismatch { .. })));
        assert!(!tls.reload_if_changed().unwrap());
        assert!(Arc::ptr_eq(&before, &tls.config()));

        replace(&files.key, &second.1);
        assert!(tls.reload_if_changed().unwrap());
        assert!(!Arc::ptr_eq(&before, &tls.config()));
        fs::remove_file(&files.key).unwrap();
        assert!(!tls.reload_if_changed().unwrap(), "a file that is away is being replaced");
    }
}
