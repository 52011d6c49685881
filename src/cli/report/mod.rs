//! `hoplock report`: TLS reports (RFC 8460), one file for each command.

mod lookup;
mod page;
mod read;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Whether a domain wants reports, and where; asked of the DNS in this process.
    Lookup(lookup::Arguments),
    /// A report that somebody sent you, in words: JSON, gzip, or the whole mail.
    Read(read::Arguments),
}

pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Lookup(arguments) => lookup::run(arguments),
        Command::Read(arguments) => read::run(arguments),
    }
}
