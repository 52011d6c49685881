//! One GET: connect, TLS, request, bounded body.
#![allow(clippy::disallowed_methods, reason = "this room asks the network")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use hoplock_policy::name::DomainName;
use hoplock_policy::sts::POLICY_LIMIT;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
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

/// Fetches the policy from one of the host's addresses.
pub(super) async fn get(
    tls: &Arc<ClientConfig>,
    host: &DomainName,
    addresses: &[SocketAddr],
) -> Result<PolicyResponse, FetchFailure> {
    let stream = connect(addresses, host).await?;
    let stream = secure(tls, host, stream).await?;
    over(stream, host).await
}

/// One request and its response over a connection.
pub(super) async fn over<S>(stream: S, host: &DomainName) -> Result<PolicyResponse, FetchFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| {
        let kind = if error.is_parse() {
            FetchFailureKind::Protocol
        } else {
            FetchFailureKind::Connection
        };
        failure(kind, &format!("policy host {host}: {error}"))
    };
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS).max_buf_size(HEADER_BYTES);
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let connection = tokio::spawn(connection);
    // RFC 8461, 3.3: no conditional request, no cache, no content coding to unpack.
    let request = Request::get("/.well-known/mta-sts.txt")
        .header(header::HOST, host.as_str())
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, "text/plain")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failure(FetchFailureKind::Protocol, &error.to_string()))?;
    let outcome = exchange(&mut sender, request, host).await;
    connection.abort();
    outcome
}

async fn exchange(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
    host: &DomainName,
) -> Result<PolicyResponse, FetchFailure> {
    let response = sender.send_request(request).await.map_err(|error| {
        let kind = if error.is_parse() || error.is_parse_too_large() {
            FetchFailureKind::Protocol
        } else {
            FetchFailureKind::Connection
        };
        failure(kind, &format!("policy host {host}: {error}"))
    })?;
    let status = response.status().as_u16();
    let field = response.headers().get(header::CONTENT_TYPE);
    let media_type = field
        .and_then(|value| value.to_str().ok())
        .map(ToOwned::to_owned);
    // Counted as it comes; what Content-Length claims is of no interest.
    let body = Limited::new(response.into_body(), POLICY_LIMIT)
        .collect()
        .await;
    let body = body.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            failure(
                FetchFailureKind::TooLarge,
                &format!("policy host {host}: over 64 KiB"),
            )
        } else {
            failure(
                FetchFailureKind::Connection,
                &format!("policy host {host}: {error}"),
            )
        }
    })?;
    Ok(PolicyResponse {
        status,
        media_type,
        body: body.to_bytes().to_vec(),
    })
}

/// Connects to the first address that answers; the next one is tried beside a silent one.
async fn connect(addresses: &[SocketAddr], host: &DomainName) -> Result<TcpStream, FetchFailure> {
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
                let words = format!("policy host {host}: {last}");
                return Err(failure(FetchFailureKind::Connection, &words));
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
    host: &DomainName,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, FetchFailure> {
    let name = ServerName::try_from(host.as_str().to_owned())
        .map_err(|error| failure(FetchFailureKind::Lookup, &error.to_string()))?;
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
            Err(failure(kind, &format!("policy host {host}: {error}")))
        }
        Err(_) => {
            let words = format!("policy host {host}: no TLS handshake in time");
            Err(failure(FetchFailureKind::Timeout, &words))
        }
    }
}

const AGENT: &str = concat!("hoplock/", env!("CARGO_PKG_VERSION"));
/// A connection that takes longer will not carry a policy within a minute.
const CONNECT: Duration = Duration::from_secs(10);
/// RFC 8305, 5 recommends a quarter of a second between attempts.
const STAGGER: Duration = Duration::from_millis(250);
/// As for [`CONNECT`].
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A policy host has no reason to send more header fields.
const HEADERS: usize = 64;
/// All header fields together; hyper's smallest bound is 8 KiB.
const HEADER_BYTES: usize = 16 * 1024;
