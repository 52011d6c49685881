//! Which authorities vouch for policy hosts and receivers of reports: the system's, and those that the operator adds.
#![allow(clippy::disallowed_methods, reason = "this room reads the roots")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};

/// A file of roots that cannot be used; the daemon does not start without what it was told to use.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// It cannot be read.
    #[error("[sts] roots: {path} cannot be read: {error}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        error: String,
    },
    /// It holds no certificate.
    #[error("[sts] roots: {0} holds no certificate in PEM form")]
    Empty(String),
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Who vouches for certificates by web PKI: the system's authorities, and those of these files.
///
/// # Errors
/// [`RootsError`] names a file that cannot be read or holds none.
pub fn authorities(files: &[PathBuf]) -> Result<Vec<TrustAnchor<'static>>, RootsError> {
    Ok(store(files)?.roots)
}

fn store(files: &[PathBuf]) -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "some of the system's root certificates cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    for file in files {
        let certificates = read(file)?;
        roots.add_parsable_certificates(certificates);
    }
    Ok(roots)
}

/// The client side of TLS, and how many roots it has.
pub(in crate::adapters) fn client(
    files: &[PathBuf],
) -> Result<(Arc<ClientConfig>, usize), RootsError> {
    let roots = store(files)?;
    let count = roots.len();
    let config = builder()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((speaking_http(config), count))
}

/// The client side of TLS with a verifier of our own.
pub(in crate::adapters) fn client_that_trusts(
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<Arc<ClientConfig>, RootsError> {
    let config = builder()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(speaking_http(config))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, RootsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    // RFC 8461, 3.3 with RFC 9325, 3.1.1: TLS 1.2 at least, which is all that rustls speaks.
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RootsError::Tls(error.to_string()))
}

fn speaking_http(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let path = file.display().to_string();
    let unreadable = |error: &dyn std::fmt::Display| RootsError::Unreadable {
        path: path.clone(),
        error: error.to_string(),
    };
    let text = std::fs::read(file).map_err(|error| unreadable(&error))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(&error))?;
    if certificates.is_empty() {
        Err(RootsError::Empty(path))
    } else {
        Ok(certificates)
    }
}
