//! `hoplock report read`: a report that somebody sent, in words or as JSON.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::page::page;
use crate::cli::certificates::open;
use crate::cli::query::pretty;
use crate::cli::{complain, exit, print};
use crate::report::read::{INPUT_LIMIT, read};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The report: JSON, gzip, or a whole mail with either in it; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the report as JSON, in the form of RFC 8460 whatever its sender wrote.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let name = arguments.file.display();
    let report = octets(&arguments.file)
        .and_then(|octets| read(&octets).map_err(|why| format!("{name}: {why}")));
    match report {
        Ok(report) if arguments.json => print(&pretty(&report.document)),
        Ok(report) => print(&page(&report.document)),
        Err(why) => {
            complain(&why);
            return exit::failed();
        }
    }
    exit::FINE
}

fn octets(path: &Path) -> Result<Vec<u8>, String> {
    // One more tells that there are too many.
    let limit = u64::try_from(INPUT_LIMIT).unwrap_or(u64::MAX);
    let mut octets = Vec::new();
    let read = open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut octets);
    read.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(octets)
}
