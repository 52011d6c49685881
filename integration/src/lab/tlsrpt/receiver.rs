//! A receiver of reports by HTTPS (RFC 8460, 5.4).

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
}

/// All that came, in its order.
pub(super) type Posts = Arc<Mutex<Vec<Posted>>>;

/// Serves until the lab ends. Whoever posts to `/refused` gets 503.
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
        let (posts, clock) = (Arc::clone(&posts), Arc::clone(&clock));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut stream = BufReader::new(stream);
            if let Some(mut posted) = read(&mut stream).await {
                posted.at = clock.now();
                let reply: &[u8] = if posted.path == "/refused" {
                    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                } else {
                    b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                };
                posts.lock().unwrap().push(posted);
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
    Some(posted)
}
