//! `hoplock report`: TLS reports (RFC 8460), one file for each command.

mod list;
mod lookup;
mod page;
mod read;
mod send;
mod show;
mod words;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::control::{Ended, percent_encoded};
use super::{ConfigFile, exit};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Reports that left or are about to, and reports that others sent you.
    List(list::Arguments),
    /// A report as it will leave, or left; today's as far as it is counted.
    Show(show::Arguments),
    /// Send a report now, and not at its time: of a day that is over.
    Send(send::Arguments),
    /// Whether a domain wants reports, and where; asked of the DNS in this process.
    Lookup(lookup::Arguments),
    /// A report that somebody sent you, in words: JSON, gzip, or the whole mail.
    Read(read::Arguments),
}

/// A report of ours.
#[derive(Args)]
struct Which {
    /// The domain that it is about.
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// Its day, such as 2026-11-26; yesterday where it is left out.
    #[arg(long, value_name = "DAY")]
    day: Option<String>,
    #[command(flatten)]
    file: ConfigFile,
}

impl Which {
    fn target(&self, path: &str) -> String {
        let mut target = format!("{path}?domain={}", percent_encoded(&self.domain));
        if let Some(day) = &self.day {
            target.push_str(&format!("&day={}", percent_encoded(day)));
        }
        target
    }
}

pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Send(arguments) => send::run(arguments),
        Command::Lookup(arguments) => lookup::run(arguments),
        Command::Read(arguments) => read::run(arguments),
    }
}

/// Whatever went wrong, these commands end with one status.
fn failed((words, _): Ended) -> Ended {
    (words, exit::failed())
}

/// The JSON that the daemon answers.
fn answer(body: &str) -> Result<Value, Ended> {
    serde_json::from_str(body).map_err(|error| {
        let words = format!("the daemon's answer is no JSON: {error}");
        (words, exit::failed())
    })
}
