//! `hoplock report read`: a report that somebody sent, in words or as JSON.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::page::page;
use crate::cli::certificates::open;
use crate::cli::control::Daemon;
use crate::cli::query::pretty;
use crate::cli::{ConfigFile, complain, exit, print};
use crate::report::read::{INPUT_LIMIT, ReadReport, read};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// The report: JSON, gzip, or a whole mail with either in it; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the report as JSON, in the form of RFC 8460 whatever its sender wrote.
    #[arg(long)]
    json: bool,
    /// It must be kept: fail where no running daemon keeps it, for `report list` and the page. Without
    /// this option it is kept where one can be reached.
    #[arg(long, conflicts_with = "no_keep")]
    keep: bool,
    /// Do not have it kept.
    #[arg(long)]
    no_keep: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let name = arguments.file.display();
    let report = octets(&arguments.file)
        .and_then(|octets| read(&octets).map_err(|why| format!("{name}: {why}")));
    let report = match report {
        Ok(report) => report,
        Err(why) => {
            complain(&why);
            return exit::failed();
        }
    };
    if arguments.json {
        print(&pretty(&report.document));
    } else {
        print(&page(&report.document));
    }
    if let Err(why) = kept(arguments, &report) {
        complain(&format!("not kept: {why}"));
        if arguments.keep {
            return exit::failed();
        }
    }
    exit::FINE
}

fn kept(arguments: &Arguments, report: &ReadReport) -> Result<(), String> {
    if arguments.no_keep {
        return Ok(());
    }
    let json = String::from_utf8(report.json.clone());
    let json = json.or_else(|_| String::from_utf8(report.document.encode()));
    let json = json.map_err(|error| error.to_string())?;
    let daemon = Daemon::of(&arguments.config).map_err(|(words, _)| words)?;
    let kept = daemon.post("/api/v1/report/received", json);
    kept.map(|_| ()).map_err(|(words, _)| words)
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
