//! Whether the sockets for mail servers answer.

use std::io::ErrorKind;
use std::path::Path;

use hoplock_wire::socketmap::{Received, Request, decode_reply};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::Findings;
use super::ours::AS_ROOT;
use crate::cli::socketmap;
use crate::config::{Config, Endpoint};

/// How a socket is asked.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// By socketmap, as Postfix and Sendmail do.
    Map,
    /// By one line, as Exim does.
    Line,
}

/// Whether each socket for mail servers answers.
pub(super) async fn sockets(findings: &mut Findings, config: &Config) {
    let (socketmap, readsocket) = (&config.listen.socketmap, &config.listen.readsocket);
    if socketmap.is_empty() && readsocket.is_empty() {
        findings.problem(
            "sockets",
            "no socket for mail servers is configured",
            "[listen] socketmap = [\"inet:127.0.0.1:8425\"]",
        );
    }
    let maps = socketmap.iter().map(|endpoint| (endpoint, Kind::Map));
    let lines = readsocket.iter().map(|endpoint| (endpoint, Kind::Line));
    for (endpoint, kind) in maps.chain(lines) {
        match asked(endpoint, kind).await {
            Ok(()) => findings.fine("sockets", format!("{endpoint} answers")),
            Err(Unanswered::Forbidden) => findings.advice(
                "sockets",
                format!("{endpoint} is not open to this user"),
                AS_ROOT,
            ),
            Err(Unanswered::NoFolder) => findings.advice(
                "sockets",
                format!("{endpoint} is left out: its folder is not there"),
                "take it out of [listen]; or make the folder, and systemctl restart hoplock",
            ),
            Err(Unanswered::Other(why)) => findings.problem(
                "sockets",
                format!("{endpoint} does not answer: {why}"),
                "is the daemon running with this configuration? systemctl restart hoplock",
            ),
        }
    }
}

/// Why a socket does not answer.
#[derive(Debug, PartialEq, Eq)]
enum Unanswered {
    /// It is for others.
    Forbidden,
    /// The daemon leaves a socket out whose folder is not there.
    NoFolder,
    Other(String),
}

#[allow(clippy::disallowed_methods, reason = "asks as a mail server would")]
async fn asked(endpoint: &Endpoint, kind: Kind) -> Result<(), Unanswered> {
    let other = |error: std::io::Error| Unanswered::Other(error.to_string());
    let asking = async {
        match endpoint {
            Endpoint::Inet(address) => {
                let stream = tokio::net::TcpStream::connect(address.as_str()).await;
                exchange(stream.map_err(other)?, kind).await
            }
            Endpoint::Unix(path) => match tokio::net::UnixStream::connect(path).await {
                Ok(stream) => exchange(stream, kind).await,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Err(Unanswered::Forbidden);
                }
                Err(_) if path.parent().is_some_and(is_missing) => {
                    return Err(Unanswered::NoFolder);
                }
                Err(error) => return Err(other(error)),
            },
            // systemd holds it; the mail server's own map is asked below.
            Endpoint::Systemd(_) => Ok(()),
        }
        .map_err(Unanswered::Other)
    };
    let asked = timeout(PATIENCE, asking).await;
    asked.unwrap_or_else(|_| Err(Unanswered::Other("no answer in time".to_owned())))
}

/// Surely not there: what cannot be looked at may be.
fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// A destination that is none: answered without a lookup.
async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin, kind: Kind) -> Result<(), String> {
    match kind {
        Kind::Map => map(stream).await,
        Kind::Line => line(stream).await,
    }
}

async fn map(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
    let request = Request {
        map: "postfix",
        key: "localhost",
    };
    let reply = socketmap::ask(&mut stream, request).await?;
    match decode_reply(&reply) {
        Ok(Received::NotFound) => Ok(()),
        other => Err(format!("it says {other:?} of localhost")),
    }
}

async fn line(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
    let words = |error: std::io::Error| error.to_string();
    stream.write_all(LEVEL.as_bytes()).await.map_err(words)?;
    let mut received = Vec::new();
    let mut limited = stream.take(ANSWER_LIMIT);
    limited.read_to_end(&mut received).await.map_err(words)?;
    let said = String::from_utf8_lossy(&received);
    if is_answer(&said) {
        Ok(())
    } else {
        Err(format!("it says {said:?} of localhost"))
    }
}

/// Whether that is an answer of hoplock about a destination, however busy it is.
pub(super) fn is_answer(said: &str) -> bool {
    matches!(said, "may" | "enforce" | "busy") || said.starts_with("defer ")
}

/// What is asked by one line.
const LEVEL: &str = "hoplock1 level localhost\n";
/// The longest answer is far shorter.
const ANSWER_LIMIT: u64 = 4_096;
/// A daemon that is well answers at once.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
