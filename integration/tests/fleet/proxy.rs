//! A way to the server that can be made slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Listens, and hands each byte on after so many milliseconds.
pub(crate) async fn slow(server: u16) -> (u16, Arc<AtomicU64>) {
    let delay = Arc::new(AtomicU64::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = Arc::clone(&delay);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let there = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let (from, to) = stream.into_split();
            let (back_from, back_to) = there.into_split();
            tokio::spawn(carry(from, back_to, Arc::new(AtomicU64::new(0))));
            tokio::spawn(carry(back_from, to, Arc::clone(&own)));
        }
    });
    (port, delay)
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(delay.load(Ordering::Relaxed))).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}
