//! The policy fetch against a real HTTPS server on loopback that can misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoplock::adapters::https::{FetchOptions, HttpsFetcher};
use hoplock::store::memory::MemoryStore;
use hoplock::world::scripted::ScriptedWorld;
use hoplock::world::{FetchFailure, FetchFailureKind, PolicyFetcher as _, PolicyResponse};
use hoplock_integration::lab::certificates::{Authority, Flaw};
use hoplock_policy::dns::{RecordData, SecurityStatus};
use hoplock_policy::name::{DomainName, PolicyDomain};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.e.test\nmax_age: 86400\n";

/// A policy host for `mta-sts.e.test` with this flaw and these bytes for an answer; what it saw.
struct Host {
    fetcher: HttpsFetcher,
    seen: tokio::sync::mpsc::UnboundedReceiver<(Option<String>, String)>,
    _roots: TempDir,
}

/// How a host answers: bytes, then whether it goes on for ever.
#[derive(Clone)]
enum Manner {
    Says(String),
    Hangs,
    Endless,
    Drips,
}

async fn host(flaw: Flaw, manner: Manner) -> Host {
    host_with(flaw, manner, false, Duration::from_secs(3)).await
}

async fn host_with(flaw: Flaw, manner: Manner, private: bool, timeout: Duration) -> Host {
    let authority = Authority::new();
    let roots = tempfile::tempdir().unwrap();
    let pem = roots.path().join("ca.pem");
    std::fs::write(&pem, authority.pem()).unwrap();
    let identity = authority.issue("mta-sts.e.test", flaw);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (sender, seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(Arc::clone(&identity.tls));
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let sni = stream.get_ref().1.server_name().map(ToOwned::to_owned);
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let _ = sender.send((
                sni,
                String::from_utf8_lossy(&request[..length]).into_owned(),
            ));
            match &manner {
                Manner::Says(text) => {
                    let _ = stream.write_all(text.as_bytes()).await;
                }
                Manner::Hangs => tokio::time::sleep(Duration::from_secs(60)).await,
                Manner::Endless => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
                    let _ = stream.write_all(head.as_bytes()).await;
                    while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
                }
                Manner::Drips => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
                                Transfer-Encoding: chunked\r\n\r\n";
                    let _ = stream.write_all(head.as_bytes()).await;
                    while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
                        let _ = stream.flush().await;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
            let _ = stream.shutdown().await;
        }
    });
    let world = ScriptedWorld::new();
    let name = DomainName::parse("mta-sts.e.test").unwrap();
    let record = RecordData::A("127.0.0.1".parse().unwrap());
    world.add(
        name,
        SecurityStatus::Insecure,
        Duration::from_secs(60),
        record,
    );
    let outside = world.world(Arc::new(MemoryStore::new(8)));
    let options = FetchOptions {
        port: address.port(),
        roots: vec![pem],
        timeout,
        refuse_private_addresses: private,
    };
    let fetcher = HttpsFetcher::new(outside.resolver, options).unwrap();
    Host {
        fetcher,
        seen,
        _roots: roots,
    }
}

async fn fetch(host: &Host) -> Result<PolicyResponse, FetchFailure> {
    host.fetcher
        .fetch(PolicyDomain(DomainName::parse("e.test").unwrap()))
        .await
}

fn says(status: &str, more: &str, body: &str) -> Manner {
    let length = body.len();
    Manner::Says(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    ))
}

/// ST-06, ST-09: the fixed path, Host and SNI of the policy host, no validators, no coding; what a
/// cache would read in the answer changes nothing.
#[tokio::test]
async fn the_request_is_the_one_of_the_rfc() {
    let fields =
        "Content-Type: text/plain\r\nCache-Control: max-age=9, immutable\r\nETag: \"x\"\r\n";
    let mut host = host(Flaw::None, says("200 OK", fields, POLICY)).await;
    for _ in 0..2 {
        let response = fetch(&host).await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.media_type.as_deref(), Some("text/plain"));
        assert_eq!(response.body, POLICY.as_bytes());
        let (sni, request) = host.seen.recv().await.unwrap();
        assert_eq!(sni.as_deref(), Some("mta-sts.e.test"));
        assert!(
            request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"),
            "{request}"
        );
        let lower = request.to_ascii_lowercase();
        assert!(lower.contains("host: mta-sts.e.test\r\n"), "{request}");
        for field in [
            "if-none-match",
            "if-modified-since",
            "accept-encoding",
            "cookie",
        ] {
            assert!(!lower.contains(field), "{request}");
        }
    }
}

/// ST-07: the certificate must chain to a root, be in date and carry the policy host's name.
#[tokio::test]
async fn certificates_are_checked() {
    for flaw in [Flaw::SelfSigned, Flaw::Expired, Flaw::WrongName] {
        let host = host(flaw, says("200 OK", "Content-Type: text/plain\r\n", POLICY)).await;
        let failure = fetch(&host).await.unwrap_err();
        assert_eq!(
            failure.kind,
            FetchFailureKind::WebPki,
            "{flaw:?}: {failure:?}"
        );
    }
}

/// ST-08: a redirect is an answer like any other, and nobody follows it.
#[tokio::test]
async fn redirects_are_not_followed() {
    let fields = "Location: https://mta-sts.e.test/copy\r\n";
    let mut host = host(Flaw::None, says("301 Moved", fields, "")).await;
    assert_eq!(fetch(&host).await.unwrap().status, 301);
    host.seen.recv().await.unwrap();
    assert!(host.seen.try_recv().is_err(), "one request, no more");
}

/// ST-11: bounded in time and size, whatever Content-Length says.
#[tokio::test]
async fn time_and_size_are_bounded() {
    let endless = host(Flaw::None, Manner::Endless).await;
    assert_eq!(
        fetch(&endless).await.unwrap_err().kind,
        FetchFailureKind::TooLarge
    );
    let claims = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n{}",
        "x".repeat(70_000)
    );
    let small = host(Flaw::None, Manner::Says(claims)).await;
    assert!(
        fetch(&small)
            .await
            .map_or(true, |response| response.body.len() <= 10)
    );
    for manner in [Manner::Hangs, Manner::Drips] {
        let slow = host_with(Flaw::None, manner, false, Duration::from_secs(1)).await;
        assert_eq!(
            fetch(&slow).await.unwrap_err().kind,
            FetchFailureKind::Timeout
        );
    }
}

/// ST-29: with the option on, a policy host at a loopback address is not connected to.
#[tokio::test]
async fn private_addresses_can_be_refused() {
    let manner = says("200 OK", "Content-Type: text/plain\r\n", POLICY);
    let mut host = host_with(Flaw::None, manner, true, Duration::from_secs(1)).await;
    assert_eq!(
        fetch(&host).await.unwrap_err().kind,
        FetchFailureKind::Refused
    );
    assert!(host.seen.try_recv().is_err());
}

/// Bytes that are no HTTP, and a policy host without address or listener, are failures with a kind.
#[tokio::test]
async fn other_trouble_has_its_kind() {
    let garbage = host(Flaw::None, Manner::Says("this is no HTTP\r\n\r\n".into())).await;
    assert_eq!(
        fetch(&garbage).await.unwrap_err().kind,
        FetchFailureKind::Protocol
    );
    let other = PolicyDomain(DomainName::parse("other.test").unwrap());
    let failure = garbage.fetcher.fetch(other).await.unwrap_err();
    assert_eq!(failure.kind, FetchFailureKind::Lookup);
}
