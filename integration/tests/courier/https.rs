//! RP-14: one POST to a real HTTPS server on loopback that can misbehave.

use std::sync::Arc;
use std::time::Duration;

use hoplock::adapters::courier::ReportCourier;
use hoplock::report::mail::{MEDIA_TYPE, gzip};
use hoplock::world::courier::{Courier as _, Undelivered, UndeliveredKind};
use hoplock_integration::lab::certificates::{Authority, Flaw};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use super::{courier_with, kind};

/// A receiver, and the requests that it saw: the name in SNI, the head, the body.
struct Receiver {
    port: u16,
    seen: UnboundedReceiver<(Option<String>, String, Vec<u8>)>,
    roots: TempDir,
}

/// How a receiver answers.
#[derive(Clone, Copy)]
enum Manner {
    Says(&'static str),
    /// A status and then octets without end.
    Endless(&'static str),
    Hangs,
    Closes,
}

async fn receiver(flaw: Flaw, manner: Manner) -> Receiver {
    let authority = Authority::new();
    let tls = authority.issue("receiver.test", flaw).tls;
    receiver_with(&authority, tls, manner).await
}

async fn receiver_with(authority: &Authority, tls: Arc<ServerConfig>, manner: Manner) -> Receiver {
    let roots = tempfile::tempdir().unwrap();
    std::fs::write(roots.path().join("ca.pem"), authority.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, seen) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = TlsAcceptor::from(Arc::clone(&tls));
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let sni = stream.get_ref().1.server_name().map(ToOwned::to_owned);
            let mut request = Vec::new();
            let body = loop {
                let length = stream.read_buf(&mut request).await.unwrap_or(0);
                if let Some(body) = whole(&request) {
                    break body;
                }
                if length == 0 {
                    break Vec::new();
                }
            };
            let head = String::from_utf8_lossy(&request);
            let head = head.split("\r\n\r\n").next().unwrap().to_owned();
            let _ = sender.send((sni, head, body));
            match manner {
                Manner::Says(text) => {
                    let _ = stream.write_all(text.as_bytes()).await;
                }
                Manner::Endless(status) => {
                    let head = format!("HTTP/1.1 {status}\r\n\r\n");
                    let _ = stream.write_all(head.as_bytes()).await;
                    while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
                }
                Manner::Hangs => tokio::time::sleep(Duration::from_secs(60)).await,
                Manner::Closes => {}
            }
            let _ = stream.shutdown().await;
        }
    });
    Receiver { port, seen, roots }
}

/// The body, once all of it has come.
fn whole(request: &[u8]) -> Option<Vec<u8>> {
    let end = request.windows(4).position(|own| own == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ")?;
    let length: usize = length.lines().next()?.parse().ok()?;
    request[end..].get(..length).map(ToOwned::to_owned)
}

fn strict(receiver: &Receiver) -> ReportCourier {
    courier_with(|options| options.roots = vec![receiver.roots.path().join("ca.pem")])
}

async fn post(courier: &ReportCourier, url: &str) -> Result<(), Undelivered> {
    let body = gzip(b"{}").unwrap();
    courier.post(url.to_owned(), MEDIA_TYPE, body).await
}

fn url(receiver: &Receiver) -> String {
    format!("https://receiver.test:{}/v1/tlsrpt?x=1", receiver.port)
}

/// RP-14: method, target, type and body of the RFC, once.
#[tokio::test]
async fn the_post_of_the_rfc() {
    let manner = Manner::Says("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
    let mut receiver = receiver(Flaw::None, manner).await;
    let courier = strict(&receiver);
    assert_eq!(post(&courier, &url(&receiver)).await, Ok(()));
    let (sni, head, body) = receiver.seen.recv().await.unwrap();
    assert_eq!(sni.as_deref(), Some("receiver.test"));
    assert_eq!(body, gzip(b"{}").unwrap());
    assert!(
        head.starts_with("POST /v1/tlsrpt?x=1 HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    let mut names: Vec<&str> = head
        .lines()
        .skip(1)
        .map(|line| line.split(':').next().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "connection",
            "content-length",
            "content-type",
            "host",
            "user-agent"
        ]
    );
    assert!(
        head.contains("\r\ncontent-type: application/tlsrpt+gzip\r\n"),
        "{head}"
    );
    let host = format!("\r\nhost: receiver.test:{}\r\n", receiver.port);
    assert!(head.contains(&host), "{head}");
    assert!(receiver.seen.try_recv().is_err(), "asked once");
}

/// RP-14: what is success, what passes, and what does not. A redirect goes nowhere.
#[tokio::test]
async fn answers() {
    use UndeliveredKind::{Refused, Temporary};
    for (manner, wanted, words) in [
        (Manner::Says("HTTP/1.1 200 OK\r\n\r\n"), None, ""),
        (Manner::Says("HTTP/1.1 201 Created\r\n\r\n"), None, ""),
        (Manner::Says("HTTP/1.1 204 No Content\r\n\r\n"), None, ""),
        (Manner::Endless("200 OK"), None, ""),
        (
            Manner::Says("HTTP/1.1 500 x\r\n\r\n"),
            Some(Temporary),
            "answered 500",
        ),
        (
            Manner::Says("HTTP/1.1 503 x\r\n\r\n"),
            Some(Temporary),
            "answered 503",
        ),
        (
            Manner::Says("HTTP/1.1 429 x\r\n\r\n"),
            Some(Temporary),
            "answered 429",
        ),
        (Manner::Endless("502 x"), Some(Temporary), "answered 502"),
        (
            Manner::Says("HTTP/1.1 404 x\r\n\r\n"),
            Some(Refused),
            "answered 404",
        ),
        (
            Manner::Says("HTTP/1.1 400 x\r\n\r\n"),
            Some(Refused),
            "answered 400",
        ),
        (
            Manner::Says("HTTP/1.1 307 x\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"),
            Some(Refused),
            "answered 307, and redirects are not followed",
        ),
        (
            Manner::Says("HTTP/1.1 301 x\r\nLocation: https://receiver.test/\r\n\r\n"),
            Some(Refused),
            "answered 301, and redirects are not followed",
        ),
        (Manner::Says("220 mx ESMTP\r\n"), Some(Refused), ""),
        (Manner::Hangs, Some(Temporary), "is too slow"),
        (Manner::Closes, Some(Temporary), ""),
    ] {
        let mut receiver = receiver(Flaw::None, manner).await;
        let courier = strict(&receiver);
        let outcome = post(&courier, &url(&receiver)).await;
        assert_eq!(kind(&outcome), wanted, "{outcome:?}");
        if let Err(undelivered) = outcome {
            let said = undelivered.words;
            assert!(said.starts_with("report receiver receiver.test"), "{said}");
            assert!(said.contains(words), "{said}");
        }
        assert!(receiver.seen.recv().await.is_some());
        assert!(receiver.seen.try_recv().is_err(), "asked once");
    }
}

/// RP-14: a bad certificate is refused, unless the operator lets it pass.
#[tokio::test]
async fn bad_certificates() {
    for flaw in [Flaw::Expired, Flaw::WrongName, Flaw::SelfSigned] {
        let mut receiver = receiver(flaw, Manner::Says("HTTP/1.1 200 OK\r\n\r\n")).await;
        let outcome = post(&strict(&receiver), &url(&receiver)).await;
        assert_eq!(kind(&outcome), Some(UndeliveredKind::Refused), "{flaw:?}");
        assert!(receiver.seen.try_recv().is_err(), "nothing was sent");
        let careless = courier_with(|options| options.ignore_certificate = true);
        assert_eq!(post(&careless, &url(&receiver)).await, Ok(()), "{flaw:?}");
        assert!(receiver.seen.recv().await.is_some());
    }
    // Nobody vouches for a stranger's authority.
    let receiver = receiver(Flaw::None, Manner::Says("HTTP/1.1 200 OK\r\n\r\n")).await;
    let outcome = post(&courier_with(|_| ()), &url(&receiver)).await;
    assert_eq!(kind(&outcome), Some(UndeliveredKind::Refused));
}

/// RP-14: even then the other side holds the key of what it shows.
#[tokio::test]
async fn a_stolen_certificate_is_no_bad_one() {
    let authority = Authority::new();
    let shown = authority.issue("receiver.test", Flaw::None).certificate;
    let key = rcgen::KeyPair::generate().unwrap().serialize_der();
    let key = any_supported_type(&PrivatePkcs8KeyDer::from(key).into()).unwrap();
    let stolen = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![shown], key)));
    for version in [&TLS12, &TLS13] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(stolen.clone());
        let manner = Manner::Says("HTTP/1.1 200 OK\r\n\r\n");
        let mut receiver = receiver_with(&authority, Arc::new(tls), manner).await;
        let careless = courier_with(|options| options.ignore_certificate = true);
        let outcome = post(&careless, &url(&receiver)).await;
        assert_eq!(
            kind(&outcome),
            Some(UndeliveredKind::Refused),
            "{version:?}"
        );
        assert!(receiver.seen.try_recv().is_err(), "nothing was sent");
    }
}

/// ST-29: a URL is anybody's, and leads to no private address where the operator says so; whether by name
/// or written as an address.
#[tokio::test]
async fn private_addresses_are_refused() {
    let mut receiver = receiver(Flaw::None, Manner::Says("HTTP/1.1 200 OK\r\n\r\n")).await;
    let courier = courier_with(|options| {
        options.ignore_certificate = true;
        options.refuse_private_addresses = true;
    });
    let port = receiver.port;
    for host in ["receiver.test", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
        let outcome = post(&courier, &format!("https://{host}:{port}/")).await;
        assert_eq!(kind(&outcome), Some(UndeliveredKind::Refused), "{host}");
        let said = outcome.unwrap_err().words;
        assert!(said.contains("private addresses only"), "{said}");
    }
    assert!(receiver.seen.try_recv().is_err());
    let careless = courier_with(|options| options.ignore_certificate = true);
    let by_address = format!("https://127.0.0.1:{port}/");
    assert_eq!(post(&careless, &by_address).await, Ok(()));
    assert_eq!(receiver.seen.recv().await.unwrap().0, None, "no SNI");
}

#[tokio::test]
async fn nobody_is_there() {
    use UndeliveredKind::{Refused, Temporary};
    let courier = courier_with(|_| ());
    for (url, wanted) in [
        ("https://nowhere.test/", Temporary),
        ("https://127.0.0.1:1/", Temporary),
        ("http://receiver.test/", Refused),
        ("receiver.test", Refused),
    ] {
        assert_eq!(kind(&post(&courier, url).await), Some(wanted), "{url}");
    }
}
