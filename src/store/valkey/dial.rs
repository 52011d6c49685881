//! Connects to the fleet's store: TCP, TLS by rustls, or a socket on this machine.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::address::{FleetAddress, Place};

/// Makes connections.
pub(super) struct Dialer {
    address: FleetAddress,
    tls: Option<Arc<ClientConfig>>,
}

/// Why the fleet's store cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The file of roots.
    #[error("the fleet's store: the certificates in {0} cannot be read: {1}")]
    Roots(PathBuf, String),
    /// No roots at all.
    #[error("the fleet's store: this system has no root certificates; name a file of them")]
    NoRoots,
    /// TLS cannot be set up.
    #[error("the fleet's store: TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Dialer {
    /// Reads the roots, where they are needed.
    pub(super) fn new(address: FleetAddress, roots: Option<&Path>) -> Result<Self, FleetError> {
        let tls = match address.place {
            Place::Tls { .. } => Some(Arc::new(tls(roots)?)),
            Place::Tcp { .. } | Place::Unix(_) => None,
        };
        Ok(Self { address, tls })
    }

    pub(super) fn address(&self) -> &FleetAddress {
        &self.address
    }

    /// One connection, logged in; what drives it ends with it.
    pub(super) async fn dial(
        &self,
    ) -> Result<(MultiplexedConnection, AbortOnDropHandle<()>), String> {
        let stream = self.stream().await?;
        let login: &RedisConnectionInfo = &self.address.login;
        // Each command has its own limit of time, by whom it is for.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (line, driver) = MultiplexedConnection::new_with_config(login, stream, config)
            .await
            .map_err(|error| error.to_string())?;
        Ok((line, AbortOnDropHandle::new(tokio::spawn(driver))))
    }

    #[expect(clippy::disallowed_methods, reason = "the store's own way out")]
    async fn stream(&self) -> Result<Pin<Box<dyn Stream>>, String> {
        let words = |error: std::io::Error| error.to_string();
        match &self.address.place {
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(words)?;
                Ok(Box::pin(stream))
            }
            Place::Tcp { host, port } | Place::Tls { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(words)?;
                stream.set_nodelay(true).map_err(words)?;
                let Some(tls) = &self.tls else {
                    return Ok(Box::pin(stream));
                };
                let name = ServerName::try_from(host.clone()).map_err(|why| why.to_string())?;
                let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
                Ok(Box::pin(stream.await.map_err(words)?))
            }
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

fn tls(roots: Option<&Path>) -> Result<ClientConfig, FleetError> {
    let mut store = RootCertStore::empty();
    match roots {
        // Who has an authority of his own for this trusts no other with it.
        Some(path) => {
            let bad = |why: String| FleetError::Roots(path.to_owned(), why);
            let found = CertificateDer::pem_file_iter(path).map_err(|why| bad(why.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|why| bad(why.to_string()))?;
                store.add(certificate).map_err(|why| bad(why.to_string()))?;
            }
            if store.is_empty() {
                return Err(bad("there is none in it".to_owned()));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            let _ = store.add_parsable_certificates(found);
            if store.is_empty() {
                return Err(FleetError::NoRoots);
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}
