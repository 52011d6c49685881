//! `hoplock report send`: a report leaves now, and not at its time.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{Which, answer, failed};
use crate::cli::control::{Daemon, Ended};
use crate::cli::query::pretty;
use crate::cli::{end, exit};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    end(send(arguments))
}

fn send(arguments: &Arguments) -> Result<(String, ExitCode), Ended> {
    let which = &arguments.which;
    let target = which.target("/api/v1/report/send");
    let value = answer(
        &Daemon::of(&which.file)
            .and_then(|daemon| daemon.post(&target, String::new()))
            .map_err(failed)?,
    )?;
    let deliveries = value.get("deliveries").and_then(Value::as_array);
    let deliveries = deliveries.map(Vec::as_slice).unwrap_or_default();
    let text = |own: &Value, key: &str| {
        let text = own.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let is_sent = deliveries
        .iter()
        .all(|own| text(own, "state") == "delivered");
    let status = if is_sent { exit::FINE } else { exit::failed() };
    if arguments.json {
        return Ok((pretty(&value), status));
    }
    let lines = deliveries.iter().map(|own| {
        let (target, state, last) = (text(own, "target"), text(own, "state"), text(own, "last"));
        format!("{target}: {state} ({last})\n")
    });
    Ok((lines.collect(), status))
}
