//! The handshake by rustls, and what a failure of it means.

use std::io;
use std::sync::Arc;

use hoplock_policy::verify::{Certificate, TlsVersion};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, InvalidMessage,
    PeerMisbehaved, ProtocolVersion,
};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::HANDSHAKE;
use super::recorder::Recorder;
use crate::adapters::clock::Stopwatch;
use crate::world::Patience;
use crate::world::probe::{HandshakeFailure, Probed, Stage, TlsSeen};

/// Shakes hands over `stream`; `None` where that fails, and `seen` says why.
pub(super) async fn handshake(
    seen: &mut Probed,
    stream: TcpStream,
    provider: &Arc<CryptoProvider>,
    patience: Patience,
) -> Option<TlsStream<TcpStream>> {
    let recorder = Arc::new(Recorder::new(provider.signature_verification_algorithms));
    let config = match config(provider, &recorder) {
        Ok(config) => config,
        Err(error) => {
            let detail = format!("TLS cannot be set up: {error}");
            seen.stage = Stage::EngineFailed { detail };
            return None;
        }
    };
    // A name that TLS cannot carry (RFC 6066, 3) does not go out; nothing else depends on it.
    let name = seen.target.server_name.as_str().to_owned();
    let name = ServerName::try_from(name)
        .unwrap_or_else(|_| ServerName::IpAddress(seen.target.address.ip().into()));
    if matches!(name, ServerName::DnsName(_)) {
        seen.server_name_sent = Some(seen.target.server_name.clone());
    }
    let watch = Stopwatch::start();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let outcome = patience.wait(timeout(HANDSHAKE, connecting)).await;
    seen.took.handshake = Some(watch.elapsed());
    let recorded = recorder.recorded();
    seen.chain = recorded
        .chain
        .into_iter()
        .map(Certificate::from_der)
        .collect();
    let (kind, detail) = match (outcome, recorded.signature) {
        (Some(Ok(Ok(stream))), Some(signature)) => {
            let (_, connection) = stream.get_ref();
            seen.tls = Some(TlsSeen {
                version: connection.protocol_version().and_then(version),
                cipher: cipher(connection),
                group: group(connection),
                signature,
            });
            seen.stage = Stage::Established;
            return Some(stream);
        }
        // rustls does not come to an end without asking the recorder; if it did, nothing were proved.
        (Some(Ok(Ok(_))), None) => (HandshakeFailure::BadSignature, "no signature".to_owned()),
        (Some(Ok(Err(error))), _) => blame(&error, seen.chain.is_empty()),
        (Some(Err(_)) | None, _) => (HandshakeFailure::Timeout, "the host fell silent".to_owned()),
    };
    seen.stage = Stage::HandshakeFailed { kind, detail };
    None
}

/// Made anew for each probe, since the verifier keeps what it sees.
fn config(provider: &Arc<CryptoProvider>, recorder: &Arc<Recorder>) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(recorder) as Arc<_>)
        .with_no_client_auth();
    // A session that resumes another shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn blame(error: &io::Error, showed_nothing: bool) -> (HandshakeFailure, String) {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let kind = tls.map_or(HandshakeFailure::Closed, |error| {
        kind(error, showed_nothing)
    });
    (kind, error.to_string())
}

fn kind(error: &Error, showed_nothing: bool) -> HandshakeFailure {
    match error {
        // The recorder alone says so.
        Error::InvalidCertificate(CertificateError::BadSignature) => HandshakeFailure::BadSignature,
        // RFC 8446, 6.2: nothing of what was offered suits the host. Once it has shown a certificate it
        // has chosen, and the words mean something else.
        Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity,
        ) if showed_nothing => HandshakeFailure::PeerTooOld,
        Error::AlertReceived(_) => HandshakeFailure::Alert,
        // rustls says so of what it lacks.
        Error::PeerIncompatible(_) => HandshakeFailure::PeerTooOld,
        // Also of a host so old that it chooses without having looked.
        Error::PeerMisbehaved(
            PeerMisbehaved::SelectedUnofferedCipherSuite
            | PeerMisbehaved::SelectedUnofferedKxGroup
            | PeerMisbehaved::SelectedUnusableCipherSuiteForVersion,
        )
        | Error::InvalidMessage(
            InvalidMessage::UnsupportedCurveType
            | InvalidMessage::UnsupportedKeyExchangeAlgorithm(_),
        ) => HandshakeFailure::PeerTooOld,
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::InvalidEmptyPayload
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::UnknownProtocolVersion,
        ) if showed_nothing => HandshakeFailure::NotTls,
        _ => HandshakeFailure::Misbehaved,
    }
}

fn version(version: ProtocolVersion) -> Option<TlsVersion> {
    version.as_str().and_then(TlsVersion::parse)
}

/// In the registry's words; rustls puts a number into the names of TLS 1.3.
fn cipher(connection: &ClientConnection) -> String {
    let suite = connection
        .negotiated_cipher_suite()
        .map(|suite| suite.suite());
    let name = suite.and_then(|suite| suite.as_str());
    name.unwrap_or("unknown").replace("TLS13_", "TLS_")
}

fn group(connection: &ClientConnection) -> Option<String> {
    let group = connection.negotiated_key_exchange_group()?;
    Some(format!("{:?}", group.name()))
}
