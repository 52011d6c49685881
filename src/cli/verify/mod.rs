//! `hoplock verify`: sessions judged after the fact, without the daemon.

mod chain;
mod jsonl;
mod postfix_log;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

pub(super) use self::chain::day;
use super::{ConfigFile, exit};

#[derive(Args)]
pub(super) struct Arguments {
    /// The certificates that a host showed, its own first, in PEM or DER form.
    #[arg(long, value_name = "FILE.pem", required_unless_present_any = ["jsonl", "postfix_log"])]
    chain: Option<PathBuf>,
    /// A TLSA record of the host; without any the certificate is judged by web PKI, as MTA-STS does.
    #[arg(long, value_name = "\"U S M HEX\"", requires = "chain")]
    tlsa: Vec<String>,
    /// A name that the host may have: for DANE-TA its TLSA base domain and the mail domain, for
    /// MTA-STS the MX host.
    #[arg(long, value_name = "N", requires = "chain")]
    name: Vec<String>,
    /// The time to judge at, instead of now.
    #[arg(long, value_name = "RFC3339", requires = "chain")]
    at: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Sessions, one JSON object on each line; one verdict comes out for each line, in order.
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["chain", "postfix_log"])]
    jsonl: Option<PathBuf>,
    /// A log of Postfix, whose sessions are judged.
    #[arg(long, value_name = "FILE|-", conflicts_with = "chain")]
    postfix_log: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let inputs = (&arguments.chain, &arguments.jsonl, &arguments.postfix_log);
    match inputs {
        (Some(path), _, _) => chain::run(arguments, path),
        (_, Some(path), _) => jsonl::run(arguments, path),
        (_, _, Some(path)) => postfix_log::run(arguments, path),
        (None, None, None) => exit::bad_input(),
    }
}
