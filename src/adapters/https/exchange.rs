//! One request over HTTPS: connect, TLS, request, bounded body. Redirects are answers like any other.
#![allow(clippy::disallowed_methods, reason = "this room asks the network")]

use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use hoplock_policy::sts::POLICY_LIMIT;
use hoplock_policy::verify::Certificate;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure;
use crate::world::{FetchFailure, FetchFailureKind, PolicyResponse};

/// Whom we speak to: in words such as `policy host mta-sts.e.test`.
#[derive(Clone, Copy, Debug)]
pub(in crate::adapters) struct Peer<'a> {
    /// What it is to us.
    pub(in crate::adapters) role: &'static str,
    /// Its name, or the text of its address.
    pub(in crate::adapters) host: &'a str,
}

impl Peer<'_> {
    pub(in crate::adapters) fn failure(
        self,
        kind: FetchFailureKind,
        words: impl Display,
    ) -> FetchFailure {
        failure(kind, &format!("{self}: {words}"))
    }
}

impl Display for Peer<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.host)
    }
}

/// What to do with a body that is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::adapters) enum TooLong {
    /// The whole answer is worth nothing.
    Refused,
    /// The status says all; the body is of no interest, whatever it is.
    Ignored,
}

/// Asks one of these addresses.
pub(in crate::adapters) async fn ask(
    tls: &Arc<ClientConfig>,
    peer: Peer<'_>,
    addresses: &[SocketAddr],
    request: Request<Full<Bytes>>,
    too_long: TooLong,
) -> Result<PolicyResponse, FetchFailure> {
    let stream = connect(addresses, peer).await?;
    let stream = secure(tls, peer, stream).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let leaf = shown.and_then(|chain| chain.first());
    let certificate = leaf.map(|leaf| Certificate::from_der(leaf.as_ref()));
    let response = over(stream, peer, request, too_long).await?;
    Ok(PolicyResponse {
        certificate,
        ..response
    })
}

/// One request and its response over a connection.
pub(super) async fn over<S>(
    stream: S,
    peer: Peer<'_>,
    request: Request<Full<Bytes>>,
    too_long: TooLong,
) -> Result<PolicyResponse, FetchFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| {
        let kind = if error.is_parse() || error.is_parse_too_large() {
            FetchFailureKind::Protocol
        } else {
            FetchFailureKind::Connection
        };
        peer.failure(kind, error)
    };
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS).max_buf_size(HEADER_BYTES);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let connection = Connection(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(broken)?;
    let outcome = taken_in(response, peer, too_long).await;
    drop(connection);
    outcome
}

/// The task that moves the octets; it ends with the exchange, however that ends.
struct Connection(tokio::task::JoinHandle<Result<(), hyper::Error>>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn taken_in(
    response: Response<hyper::body::Incoming>,
    peer: Peer<'_>,
    too_long: TooLong,
) -> Result<PolicyResponse, FetchFailure> {
    let status = response.status().as_u16();
    let field = response.headers().get(header::CONTENT_TYPE);
    let media_type = field
        .and_then(|value| value.to_str().ok())
        .map(ToOwned::to_owned);
    // Counted as it comes; what Content-Length claims is of no interest.
    let body = Limited::new(response.into_body(), BODY).collect().await;
    let body = match body {
        Ok(body) => body.to_bytes().to_vec(),
        Err(_) if too_long == TooLong::Ignored => Vec::new(),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            return Err(peer.failure(FetchFailureKind::TooLarge, "over 64 KiB"));
        }
        Err(error) => return Err(peer.failure(FetchFailureKind::Connection, error)),
    };
    Ok(PolicyResponse {
        status,
        media_type,
        body,
        certificate: None,
    })
}

/// Connects to the first address that answers; the next one is tried beside a silent one.
async fn connect(addresses: &[SocketAddr], peer: Peer<'_>) -> Result<TcpStream, FetchFailure> {
    let mut waiting = addresses.iter();
    let mut running = FuturesUnordered::new();
    let mut last = String::from("no address");
    loop {
        match waiting.next() {
            Some(address) => running.push(async move {
                let attempt = timeout(CONNECT, TcpStream::connect(address)).await;
                (
                    address,
                    attempt.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                )
            }),
            None if running.is_empty() => {
                return Err(peer.failure(FetchFailureKind::Connection, last));
            }
            None => {}
        }
        let patience = if waiting.len() == 0 { CONNECT } else { STAGGER };
        let Ok(Some(outcome)) = timeout(patience, running.next()).await else {
            continue;
        };
        match outcome {
            (_, Ok(stream)) => return Ok(stream),
            (address, Err(error)) => last = format!("{address}: {error}"),
        }
    }
}

async fn secure(
    tls: &Arc<ClientConfig>,
    peer: Peer<'_>,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, FetchFailure> {
    let name = ServerName::try_from(peer.host.to_owned())
        .map_err(|error| peer.failure(FetchFailureKind::Lookup, error))?;
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    match timeout(HANDSHAKE, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            let certificate = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref())
                .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)));
            let kind = if certificate {
                FetchFailureKind::WebPki
            } else {
                FetchFailureKind::Connection
            };
            Err(peer.failure(kind, error))
        }
        Err(_) => Err(peer.failure(FetchFailureKind::Timeout, "no TLS handshake in time")),
    }
}

/// Who asks, for the logs of others.
pub(in crate::adapters) const AGENT: &str = concat!("hoplock/", env!("CARGO_PKG_VERSION"));
/// A connection that takes longer will not carry anything within a minute.
const CONNECT: Duration = Duration::from_secs(10);
/// RFC 8305, 5 recommends a quarter of a second between attempts.
const STAGGER: Duration = Duration::from_millis(250);
/// As for [`CONNECT`].
const HANDSHAKE: Duration = Duration::from_secs(10);
/// No host that we ask has a reason to send more header fields.
const HEADERS: usize = 64;
/// All header fields together; hyper's smallest bound is 8 KiB.
const HEADER_BYTES: usize = 16 * 1024;
/// A policy is no longer (RFC 8461, 3.3), and nothing else is read.
const BODY: usize = POLICY_LIMIT;
