//! `hoplock config`: complaints with their lines, or the effective configuration.

use std::process::ExitCode;

use clap::Subcommand;

use super::engine::load;
use super::{ConfigFile, complain, exit, print};
use crate::config::Severity;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print every complaint with its line.
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// Warnings count as errors.
        #[arg(long)]
        strict: bool,
    },
    /// Print the effective configuration: each key with its default and requirement.
    Print {
        #[command(flatten)]
        file: ConfigFile,
        /// Warnings count as errors.
        #[arg(long)]
        strict: bool,
    },
}

pub(super) fn run(command: &Command) -> ExitCode {
    let (Command::Check { file, strict } | Command::Print { file, strict }) = command;
    let loaded = match load(file) {
        Ok(loaded) => loaded,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    for complaint in &loaded.complaints {
        complain(&complaint.to_string());
    }
    let fatal = |severity| severity == Severity::Error || *strict;
    if loaded
        .complaints
        .iter()
        .any(|complaint| fatal(complaint.severity))
    {
        return exit::bad_input();
    }
    match (command, &loaded.config) {
        (_, None) => return exit::bad_input(),
        (Command::Print { .. }, Some(config)) => print(&config.print()),
        (Command::Check { .. }, Some(_)) => print(&format!("{}: no errors\n", loaded.source)),
    }
    exit::FINE
}
