//! What is asked of the daemon and reported to it, through its own sockets.
#![allow(
    clippy::disallowed_methods,
    reason = "asks as mail servers and commands would"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::moment::Timestamp;
use hoplock_wire::socketmap::Request;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{earlier, time};
use crate::cli::control::{self, Response, Unreachable, percent_encoded};
use crate::cli::socketmap;
use crate::demo::{DOMAINS, DemoDomain, reports, world};
use crate::world::scripted::ScriptedWorld;

/// Where the daemon is reached.
pub(super) struct Sockets {
    pub(super) map: PathBuf,
    pub(super) sessions: PathBuf,
    pub(super) control: PathBuf,
}

/// One answer.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) domain: &'static DemoDomain,
    /// The payload of the socketmap reply.
    pub(super) reply: String,
    /// The row of the table of answers.
    pub(super) row: String,
}

/// What is done with a daemon that has just begun to answer.
pub(super) struct Tour<'a> {
    pub(super) sockets: &'a Sockets,
    pub(super) world: &'a Arc<ScriptedWorld>,
    pub(super) now: Timestamp,
}

impl Tour<'_> {
    /// All of it; the answers for all destinations.
    pub(super) async fn take(&self) -> Result<Vec<Row>, String> {
        timeout(PATIENCE, self.at_leisure())
            .await
            .unwrap_or_else(|_| Err("the daemon did not answer in time".to_owned()))
    }

    async fn at_leisure(&self) -> Result<Vec<Row>, String> {
        let connected = UnixStream::connect(&self.sockets.map).await;
        let mut mail_server = connected.map_err(|error| format!("the map: {error}"))?;
        for domain in world::changing() {
            ask(&mut mail_server, domain).await?;
        }
        world::time_passes(self.world);
        for domain in world::changing() {
            let name = percent_encoded(domain.name);
            let target = format!("/api/v1/cache/purge?next_hop={name}");
            self.order(&target, String::new()).await?;
        }
        let tomorrow = Timestamp(self.now.0.saturating_add(DAY_MILLIS));
        let rule = json!({ "text": reports::rule(&time(tomorrow)), "by": "demo" });
        self.order("/api/v1/rules", rule.to_string()).await?;
        let mut rows = Vec::new();
        for domain in DOMAINS {
            let reply = ask(&mut mail_server, domain).await?;
            let row = self.row(domain, &reply).await?;
            rows.push(Row { domain, reply, row });
        }
        self.report().await?;
        Ok(rows)
    }

    /// Which row it was, by the interface that `hoplock query` asks; both must have said the same.
    async fn row(&self, domain: &DemoDomain, reply: &str) -> Result<String, String> {
        let (name, map) = (percent_encoded(domain.name), domain.map);
        let target = format!("/api/v1/query?next_hop={name}&profile={map}");
        let response = done(control::get(&self.sockets.control, &target).await)?;
        let answer: Value = serde_json::from_str(&response.body)
            .map_err(|error| format!("the daemon's answer is no JSON: {error}"))?;
        let field = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        if field("reply") != reply {
            let other = field("reply");
            let name = domain.name;
            return Err(format!(
                "of {name} the map says {reply:?}, and HTTP {other:?}"
            ));
        }
        Ok(field("row").to_owned())
    }

    /// Sessions of a mail server, and the TLS report of another site.
    async fn report(&self) -> Result<(), String> {
        let words = |error: std::io::Error| format!("the sessions socket: {error}");
        let stream = UnixStream::connect(&self.sockets.sessions).await;
        let mut stream = BufReader::new(stream.map_err(words)?);
        for session in reports::sessions() {
            let line = format!("{session}\n");
            stream.write_all(line.as_bytes()).await.map_err(words)?;
            let mut verdict = String::new();
            stream.read_line(&mut verdict).await.map_err(words)?;
            tracing::debug!(verdict = verdict.trim_end(), "a session was judged");
        }
        let (yesterday, today) = (earlier(self.now, DAY), self.now);
        let report = reports::tls_report(&time(yesterday), &time(today));
        self.order("/api/v1/report/received", report.to_string())
            .await
    }

    async fn order(&self, target: &str, body: String) -> Result<(), String> {
        done(control::post(&self.sockets.control, target, body).await).map(drop)
    }
}

/// Asks as Postfix does.
async fn ask(stream: &mut UnixStream, domain: &DemoDomain) -> Result<String, String> {
    let request = Request {
        map: domain.map,
        key: domain.name,
    };
    let reply = socketmap::ask(stream, request).await?;
    String::from_utf8(reply).map_err(|error| error.to_string())
}

fn done(response: Result<Response, Unreachable>) -> Result<Response, String> {
    let response = response.map_err(|error| error.to_string())?;
    match response.status {
        200..=299 => Ok(response),
        status => Err(format!("the daemon answered {status}: {}", response.body)),
    }
}

/// The world is in this process: what takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);
const DAY_MILLIS: u64 = 86_400_000;
