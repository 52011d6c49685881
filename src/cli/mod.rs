//! The commands, one file each. A command prints and returns an exit status; it never panics on a
//! closed pipe, and is plain where it does not speak to a terminal.

mod cache;
mod certificates;
mod check;
mod completions;
mod config;
mod control;
mod demo;
mod doctor;
mod engine;
mod man;
mod page;
mod query;
mod report;
mod rule;
mod serve;
mod sessions;
mod socketmap;
mod status;
mod survey;
mod table;
mod tlsa;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

/// Tells mail servers how each destination must be reached over TLS, and checks that it was.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the daemon.
    Serve(serve::Arguments),
    /// The answer for one next hop.
    Query(query::Arguments),
    /// The answer with all its evidence, and what the MTA will do.
    Explain(query::Arguments),
    /// Speak to every host of a destination now, and say whether it keeps what it owes.
    Check(check::Arguments),
    /// Judge sessions: a chain of certificates, session reports, a log of Postfix.
    Verify(verify::Arguments),
    /// The TLSA records for a certificate, ready for a zone file.
    Tlsa(tlsa::Arguments),
    /// What a list of domains, or the recipients of a mail log, would be answered.
    Survey(survey::Arguments),
    /// How the running daemon is, and its alarms.
    Status(status::Arguments),
    /// What became of TLS sessions, from the journal of the running daemon.
    Sessions(sessions::Arguments),
    /// TLS reports: read what others report of your domains, and see who wants yours.
    #[command(subcommand)]
    Report(report::Command),
    /// What the running daemon keeps.
    #[command(subcommand)]
    Cache(cache::Command),
    /// Rules at run time: exceptions with a reason and an end.
    #[command(subcommand)]
    Rule(rule::Command),
    /// Check resolver, roots, sockets, state, clock and Postfix; each finding with its cure.
    Doctor(doctor::Arguments),
    /// Check or print the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Run the daemon over a built-in world of good and broken domains, on loopback and without a network,
    /// and show what each is answered.
    Demo(demo::Arguments),
    /// Write man pages into a folder: one for the program and one for each command.
    Man(man::Arguments),
    /// Print completions for a shell.
    Completions(completions::Arguments),
}

/// Where the configuration stands.
#[derive(Args, Clone, Debug)]
struct ConfigFile {
    /// Configuration file; without it /etc/hoplock/hoplock.toml where that exists, else the
    /// defaults.
    #[arg(long, value_name = "FILE", env = "HOPLOCK_CONFIG")]
    config: Option<PathBuf>,
}

/// Runs the command that the arguments name.
#[must_use]
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Query(arguments) => query::run(&arguments, query::Depth::Answer),
        Command::Explain(arguments) => query::run(&arguments, query::Depth::Evidence),
        Command::Check(arguments) => check::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Tlsa(arguments) => tlsa::run(&arguments),
        Command::Survey(arguments) => survey::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Sessions(arguments) => sessions::run(&arguments),
        Command::Report(command) => report::run(&command),
        Command::Cache(command) => cache::run(&command),
        Command::Rule(command) => rule::run(&command),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Config(command) => config::run(&command),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Man(arguments) => man::run(&arguments, Arguments::command()),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
    }
}

/// Exit statuses that several commands share.
mod exit {
    use std::process::ExitCode;

    /// All is well.
    pub(super) const FINE: ExitCode = ExitCode::SUCCESS;
    /// The answer is a temporary failure, or the daemon failed.
    pub(super) fn failed() -> ExitCode {
        ExitCode::from(1)
    }
    /// The input cannot be read.
    pub(super) fn bad_input() -> ExitCode {
        ExitCode::from(2)
    }
    /// The daemon cannot be reached.
    pub(super) fn not_reachable() -> ExitCode {
        ExitCode::from(3)
    }
    /// Nothing can be said for certain, or nobody was reached.
    pub(super) fn inconclusive() -> ExitCode {
        ExitCode::from(4)
    }
}

/// Prints to standard output; a reader that went away is no error of ours.
fn print(text: &str) {
    let _ = is_read(text);
}

/// The same, and whether anybody still reads.
fn is_read(text: &str) -> bool {
    use std::io::Write as _;
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.is_ok()
}

/// Ends a command: its text and status, or why it failed.
fn end(outcome: Result<(String, ExitCode), control::Ended>) -> ExitCode {
    match outcome {
        Ok((text, status)) => {
            print(&text);
            status
        }
        Err((why, status)) => {
            complain(&why);
            status
        }
    }
}

/// Prints to standard error, likewise.
fn complain(text: &str) {
    use std::io::Write as _;
    let mut out = anstream::stderr().lock();
    let _ = writeln!(out, "hoplock: {text}");
}
