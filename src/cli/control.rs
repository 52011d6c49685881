//! Asks the running daemon over its control socket: the HTTP interface, guarded by file permissions.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::engine::{Loaded, load, state_folder};
use super::{ConfigFile, exit};
use crate::config::Endpoint;
pub(super) use crate::serve::target::percent_encoded;

/// The running daemon, as a command finds it.
pub(super) struct Daemon {
    socket: PathBuf,
}

/// Why a command ends, and with which status.
pub(super) type Ended = (String, ExitCode);

impl Daemon {
    /// The daemon of a configuration.
    pub(super) fn of(file: &ConfigFile) -> Result<Self, Ended> {
        let config = load(file)
            .and_then(Loaded::usable)
            .map_err(|why| (why, exit::bad_input()))?;
        match config.control(&state_folder()) {
            Endpoint::Unix(socket) => Ok(Self { socket }),
            _ => {
                let words = "[listen] control is no unix socket: commands cannot reach the daemon";
                Err((words.to_owned(), exit::not_reachable()))
            }
        }
    }

    /// Where it is asked.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Reads something: JSON, or words of refusal.
    pub(super) fn get(&self, target: &str) -> Result<String, Ended> {
        self.exchange(Method::GET, target, String::new())
    }

    /// Orders something.
    pub(super) fn post(&self, target: &str, body: String) -> Result<String, Ended> {
        self.exchange(Method::POST, target, body)
    }

    /// Takes something away.
    pub(super) fn delete(&self, target: &str) -> Result<String, Ended> {
        self.exchange(Method::DELETE, target, String::new())
    }

    fn exchange(&self, method: Method, target: &str, body: String) -> Result<String, Ended> {
        let runtime =
            tokio::runtime::Runtime::new().map_err(|error| (error.to_string(), exit::failed()))?;
        let response = runtime
            .block_on(request(&self.socket, method, target, body))
            .map_err(|error| (error.to_string(), exit::not_reachable()))?;
        match response.status {
            200..=299 => Ok(response.body),
            400..=499 => Err((response.body.trim_end().to_owned(), exit::bad_input())),
            _ => Err((response.body.trim_end().to_owned(), exit::failed())),
        }
    }
}

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
    #[error("no daemon listens at {path}: is `hoplock serve` running?")]
    NotRunning { path: String },
    /// The socket is not for this user.
    #[error("{path} is not open to this user: use its group, or sudo")]
    Forbidden { path: String },
    /// Something else.
    #[error("the daemon at {path} did not answer: {error}")]
    Broken { path: String, error: String },
}

/// One GET.
pub(super) async fn get(socket: &Path, target: &str) -> Result<Response, Unreachable> {
    request(socket, Method::GET, target, String::new()).await
}

/// One POST.
pub(super) async fn post(
    socket: &Path,
    target: &str,
    body: String,
) -> Result<Response, Unreachable> {
    request(socket, Method::POST, target, body).await
}

async fn request(
    socket: &Path,
    method: Method,
    target: &str,
    body: String,
) -> Result<Response, Unreachable> {
    let path = socket.display().to_string();
    match timeout(PATIENCE, exchange(socket, method, target, body)).await {
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

async fn exchange(
    socket: &Path,
    method: Method,
    target: &str,
    body: String,
) -> Result<Response, Failure> {
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
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
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

/// Longer than any profile's deadline.
const PATIENCE: Duration = Duration::from_secs(40);
