//! A receiver of reports by HTTPS (RFC 8460, 5.4).

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::clock::HandClock;

/// A POST as it came.
#[derive(Clone, Debug)]
pub(super) struct Posted {
    /// By the clock that is set by hand.
    pub(super) at: i64,
    pub(super) path: String,
    pub(super) media_type: String,
    pub(super) body: Vec<u8>,
    /// Who reports.
    pub(super) organization: String,
}

/// All that came, in its order.
#[derive(Clone, Default)]
pub(super) struct Posts(Arc<Mutex<Vec<Posted>>>);

impl Posts {
    /// What came from this organization and was taken.
    pub(super) fn of(&self, organization: &str) -> Vec<Posted> {
        let posts = self.0.lock().unwrap();
        let own = posts
            .iter()
            .filter(|own| own.organization == organization && own.path != REFUSED);
        own.cloned().collect()
    }

    /// When somebody was refused.
    pub(super) fn refused(&self) -> Vec<i64> {
        let posts = self.0.lock().unwrap();
        posts
            .iter()
            .filter(|own| own.path == REFUSED)
            .map(|own| own.at)
            .collect()
    }
}

/// Where everybody gets 503.
const REFUSED: &str = "/refused";

/// Serves until the lab ends.
pub(super) async fn serve(
    address: SocketAddr,
    tls: Arc<ServerConfig>,
    posts: Posts,
    clock: Arc<HandClock>,
) {
    let listener = TcpListener::bind(address)
        .await
        .expect("the receiver's address is free");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let acceptor = TlsAcceptor::from(Arc::clone(&tls));
        let (posts, clock) = (posts.clone(), Arc::clone(&clock));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut stream = BufReader::new(stream);
            if let Some(mut posted) = read(&mut stream).await {
                posted.at = clock.now();
                let reply: &[u8] = if posted.path == REFUSED {
                    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                } else {
                    b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                };
                posts.0.lock().unwrap().push(posted);
                let _ = stream.write_all(reply).await;
                let _ = stream.shutdown().await;
            }
        });
    }
}

async fn read<S>(stream: &mut BufReader<S>) -> Option<Posted>
where
    S: tokio::io::AsyncRead + Unpin,
{
    let mut posted = Posted {
        at: 0,
        path: String::new(),
        media_type: String::new(),
        body: Vec::new(),
        organization: String::new(),
    };
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if let Some(rest) = line.strip_prefix("POST ") {
            posted.path = rest.split(' ').next()?.to_owned();
        } else if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "content-type" => posted.media_type = value.trim().to_owned(),
            _ => {}
        }
    }
    posted.body = vec![0; length];
    stream.read_exact(&mut posted.body).await.ok()?;
    posted.organization = organization(&posted.body).unwrap_or_default();
    Some(posted)
}

fn organization(body: &[u8]) -> Option<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(body)
        .read_to_string(&mut text)
        .ok()?;
    let report: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(report["organization-name"].as_str()?.to_owned())
}
