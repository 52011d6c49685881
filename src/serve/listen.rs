//! Listening sockets: TCP, unix, or handed over by systemd; accepting never ends the daemon.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// A bound socket.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix; the path is removed when the listener is dropped.
    Unix(UnixListener, Option<OwnedPath>),
}

/// A socket file of ours.
pub struct OwnedPath(PathBuf);

/// A connection of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    /// Its address, where it is one of TCP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Takes the next connection; waits out errors, which are counted by the caller's log.
    ///
    /// Running out of descriptors must not end the service: the kernel keeps clients waiting, and
    /// the next attempt may succeed.
    pub async fn accept(&self, closing: &CancellationToken) -> Option<Box<dyn Stream>> {
        loop {
            let accepted: io::Result<Box<dyn Stream>> = tokio::select! {
                () = closing.cancelled() => return None,
                accepted = self.accept_once() => accepted,
            };
            match accepted {
                Ok(stream) => return Some(stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted; trying again");
                    tokio::select! {
                        () = closing.cancelled() => return None,
                        () = sleep(AFTER_AN_ERROR) => {}
                    }
                }
            }
        }
    }

    async fn accept_once(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok(Box::new(stream))
            }
        }
    }
}

impl OwnedPath {
    /// A socket file that is removed when this is dropped.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Drop for OwnedPath {
    #[allow(clippy::disallowed_methods, reason = "serve owns its sockets")]
    fn drop(&mut self) {
        // Already gone is as good as removed.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Long enough for a descriptor to become free, short enough that nobody notices.
const AFTER_AN_ERROR: Duration = Duration::from_millis(100);
