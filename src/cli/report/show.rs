//! `hoplock report show`: a report as it will leave, or left.

use std::process::ExitCode;

use clap::Args;
use hoplock_wire::tlsrpt::decode_document;
use serde_json::Value;

use super::page::page;
use super::{Which, answer, failed};
use crate::cli::control::{Daemon, Ended};
use crate::cli::query::pretty;
use crate::cli::{end, exit};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Print the JSON of RFC 8460 as it will leave, and what the daemon knows of its delivery.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    end(show(arguments))
}

fn show(arguments: &Arguments) -> Result<(String, ExitCode), Ended> {
    let which = &arguments.which;
    let target = which.target("/api/v1/report/show");
    let value = answer(
        &Daemon::of(&which.file)
            .and_then(|daemon| daemon.get(&target))
            .map_err(failed)?,
    )?;
    if arguments.json {
        return Ok((pretty(&value), exit::FINE));
    }
    let document = value.get("document").map(ToString::to_string);
    let document = document.unwrap_or_default();
    let mut text = match decode_document(document.as_bytes()) {
        Ok(document) => page(&document),
        Err(error) => format!("the report cannot be read: {error}\n"),
    };
    text.push('\n');
    text.push_str(&standing(&value));
    Ok((text, exit::FINE))
}

fn standing(value: &Value) -> String {
    let claimed = value.get("claimed");
    let deliveries = claimed.and_then(|own| own.get("deliveries"));
    let mut lines = String::new();
    for own in deliveries.and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| own.get(key).and_then(Value::as_str).unwrap_or_default();
        let (target, state, at, last) = (text("target"), text("state"), text("at"), text("last"));
        lines.push_str(&format!("{target}: {state}, {at}"));
        if !last.is_empty() {
            lines.push_str(&format!(" ({last})"));
        }
        lines.push('\n');
    }
    if !lines.is_empty() {
        return lines;
    }
    match value.get("not_sent").and_then(Value::as_str) {
        Some(why) => format!("it will not leave: {why}\n"),
        None => {
            let targets = value.get("targets").and_then(Value::as_array);
            let targets = targets.into_iter().flatten().filter_map(Value::as_str);
            let targets = targets.collect::<Vec<_>>().join(", ");
            format!("it will leave after the day is over, to {targets}\n")
        }
    }
}
