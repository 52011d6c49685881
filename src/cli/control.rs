//! Asks the running daemon over its control socket: the HTTP interface, guarded by file permissions.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// What the daemon answered.
pub(super) struct Response {
    /// HTTP status.
    pub(super) status: u16,
    /// Body.
    pub(super) body: String,
}

/// Why there is no answer, in words with the way out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    /// Nobody listens there.
    #[error("no daemon listens at {path}: is `hoplock serve` running? `--direct` asks without it")]
    NotRunning { path: String },
    /// The socket is not for this user.
    #[error("{path} is not open to this user: use its group, or sudo, or `--direct`")]
    Forbidden { path: String },
    /// Something else.
    #[error("the daemon at {path} did not answer: {error}; `--direct` asks without it")]
    Broken { path: String, error: String },
}

/// One GET.
pub(super) async fn get(socket: &Path, target: &str) -> Result<Response, Unreachable> {
    let path = socket.display().to_string();
    match timeout(PATIENCE, exchange(socket, target)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(Failure::Connect(error))) => Err(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                Unreachable::NotRunning { path }
            }
            io::ErrorKind::PermissionDenied => Unreachable::Forbidden { path },
            _ => Unreachable::Broken {
                path,
                error: error.to_string(),
            },
        }),
        Ok(Err(Failure::Exchange(error))) => Err(Unreachable::Broken { path, error }),
        Err(_) => Err(Unreachable::Broken {
            path,
            error: "no answer in time".to_owned(),
        }),
    }
}

enum Failure {
    Connect(io::Error),
    Exchange(String),
}

async fn exchange(socket: &Path, target: &str) -> Result<Response, Failure> {
    #[allow(
        clippy::disallowed_methods,
        reason = "the control socket is this room's"
    )]
    let stream = UnixStream::connect(socket)
        .await
        .map_err(Failure::Connect)?;
    let broken = |error: &dyn std::fmt::Display| Failure::Exchange(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    tokio::spawn(connection);
    let request = Request::get(target)
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(&error))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| broken(&error))?;
    let status = response.status().as_u16();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| broken(&error))?
        .to_bytes();
    Ok(Response {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// A value for the query part of a target.
pub(super) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

/// Longer than any profile's deadline.
const PATIENCE: Duration = Duration::from_secs(40);
