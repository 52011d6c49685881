//! A verifier that takes any certificate and writes down what it sees. What it does check is that the
//! host signs the handshake with the key of the leaf (RFC 8446, 4.4.3; RFC 5246, 7.4.3).

use std::sync::{Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::signature::{self, Dialect};
use crate::world::probe::Signature;

/// Records one handshake.
#[derive(Debug)]
pub(super) struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    recorded: Mutex<Recorded>,
}

/// What one handshake showed.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    /// Leaf first, as sent.
    pub(super) chain: Vec<Vec<u8>>,
    /// Whether the key was proved, where it came to that.
    pub(super) signature: Option<Signature>,
}

impl Recorder {
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            algorithms,
            recorded: Mutex::default(),
        }
    }

    pub(super) fn recorded(&self) -> Recorded {
        self.with(|recorded| recorded.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recorded) -> T) -> T {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut recorded)
    }

    fn signed(
        &self,
        dialect: Dialect,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let outcome = signature::check(dialect, message, leaf, signed, &self.algorithms)?;
        self.with(|recorded| recorded.signature = Some(outcome));
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.to_vec()).collect();
        self.with(|recorded| recorded.chain = chain);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(Dialect::Tls12, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(Dialect::Tls13, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signature::schemes(&self.algorithms)
    }
}
