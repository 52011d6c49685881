//! `hoplock sessions`: what became of TLS sessions, from the journal of the running daemon.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::control::{Daemon, Ended, percent_encoded};
use super::query::pretty;
use super::table::table;
use super::{ConfigFile, end, exit};

#[derive(Args)]
pub(super) struct Arguments {
    /// Only sessions for this destination.
    #[arg(value_name = "NEXTHOP")]
    next_hop: Option<String>,
    /// Only sessions below their policy.
    #[arg(long)]
    failed: bool,
    /// Only sessions since then.
    #[arg(long, value_name = "RFC3339")]
    since: Option<String>,
    /// At most so many, the newest.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    end(list(arguments))
}

fn list(arguments: &Arguments) -> Result<(String, ExitCode), Ended> {
    let mut target = format!("/api/v1/sessions?limit={}", arguments.limit);
    let mut add = |key: &str, value: &str| {
        target.push_str(&format!("&{key}={}", percent_encoded(value)));
    };
    if let Some(next_hop) = &arguments.next_hop {
        add("next_hop", next_hop);
    }
    if arguments.failed {
        add("outcome", "failed");
    }
    if let Some(since) = &arguments.since {
        add("since", since);
    }
    let body = Daemon::of(&arguments.file)?.get(&target)?;
    let value: Value = serde_json::from_str(&body).map_err(|error| {
        let words = format!("the daemon's answer is no JSON: {error}");
        (words, exit::failed())
    })?;
    let text = if arguments.json {
        pretty(&value)
    } else {
        page(value.as_array().map(Vec::as_slice).unwrap_or_default())
    };
    Ok((text, exit::FINE))
}

fn page(sessions: &[Value]) -> String {
    if sessions.is_empty() {
        return "no sessions\n".to_owned();
    }
    let head = ["time", "next hop", "host", "verdict", "reason", "by", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for session in sessions {
        let text = |key: &str| {
            let value = session.get(key).and_then(Value::as_str);
            value.unwrap_or("?").to_owned()
        };
        let address = session.get("address").and_then(Value::as_str);
        let host = match address {
            Some(address) => format!("{}[{address}]", text("mx_host")),
            None => text("mx_host"),
        };
        rows.push(vec![
            text("time"),
            text("next_hop"),
            host,
            text("verdict"),
            text("reason"),
            text("source"),
            session
                .get("detail")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        ]);
    }
    table(&rows)
}
