//! `hoplock report list`: what the running daemon sent, is about to send, and was sent.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{answer, failed};
use crate::cli::control::{Daemon, Ended, percent_encoded};
use crate::cli::query::pretty;
use crate::cli::table::table;
use crate::cli::{ConfigFile, end, exit};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Only reports of this day, such as 2026-11-26.
    #[arg(long, value_name = "DAY")]
    day: Option<String>,
    /// At most so many of each kind, the latest.
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
    let mut target = format!("/api/v1/report?limit={}", arguments.limit);
    if let Some(day) = &arguments.day {
        target.push_str(&format!("&day={}", percent_encoded(day)));
    }
    let value = answer(
        &Daemon::of(&arguments.file)
            .and_then(|daemon| daemon.get(&target))
            .map_err(failed)?,
    )?;
    let text = if arguments.json {
        pretty(&value)
    } else {
        page(&value)
    };
    Ok((text, exit::FINE))
}

fn page(value: &Value) -> String {
    let rows = |key: &str| value.get(key).and_then(Value::as_array).cloned();
    let text = |row: &Value, key: &str| match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let counted = rows("counted").unwrap_or_default();
    let counted: Vec<&str> = counted.iter().filter_map(Value::as_str).collect();
    let mut page = match counted.as_slice() {
        [] => "no session is counted\n".to_owned(),
        days => format!("sessions are counted of {}\n", days.join(", ")),
    };
    let sent = rows("sent").unwrap_or_default();
    if sent.is_empty() {
        page.push_str("\nno report was made\n");
    } else {
        let head = [
            "day", "domain", "good", "failed", "standing", "to", "attempts", "",
        ];
        let mut all = vec![head.map(str::to_owned).to_vec()];
        for row in &sent {
            let deliveries = row.get("deliveries").and_then(Value::as_array);
            for (at, own) in deliveries.into_iter().flatten().enumerate() {
                let first = |key| {
                    if at == 0 {
                        text(row, key)
                    } else {
                        String::new()
                    }
                };
                all.push(vec![
                    first("day"),
                    first("domain"),
                    first("successful"),
                    first("failed"),
                    text(own, "state"),
                    text(own, "target"),
                    text(own, "attempts"),
                    text(own, "last"),
                ]);
            }
        }
        page.push('\n');
        page.push_str(&table(&all));
    }
    let received = rows("received").unwrap_or_default();
    if !received.is_empty() {
        let head = [
            "received",
            "from",
            "covers until",
            "good",
            "failed",
            "report-id",
        ];
        let mut all = vec![head.map(str::to_owned).to_vec()];
        let keys = [
            "at",
            "organization",
            "ends",
            "successful",
            "failed",
            "report_id",
        ];
        all.extend(
            received
                .iter()
                .map(|row| keys.map(|key| text(row, key)).to_vec()),
        );
        page.push('\n');
        page.push_str(&table(&all));
    }
    page
}
