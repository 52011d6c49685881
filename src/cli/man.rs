//! `hoplock man`: man pages, written from the same definitions as `--help`.
#![allow(
    clippy::disallowed_methods,
    reason = "commands write the files that they are told of"
)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap_mangen::Man;

use super::{complain, exit};

#[derive(Args)]
pub(super) struct Arguments {
    /// Folder for the pages; made where it does not exist.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments, program: clap::Command) -> ExitCode {
    // `help` is no command of its own in the pages: each of its pages would say another one again.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    match write_all(&program, &arguments.folder) {
        Ok(()) => exit::FINE,
        Err(error) => {
            complain(&format!("{}: {error}", arguments.folder.display()));
            exit::failed()
        }
    }
}

fn write_all(program: &clap::Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (file, page) in pages(program)? {
        std::fs::write(folder.join(file), page)?;
    }
    Ok(())
}

/// File names and texts: the page of this command, then those of the commands below it.
fn pages(command: &clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let man = Man::new(command.clone())
        .section(SECTION)
        .source(concat!("hoplock ", env!("CARGO_PKG_VERSION")))
        .manual("System Manager's Manual");
    let mut page = Vec::new();
    man.render(&mut page)?;
    let mut all = vec![(man.get_filename(), page)];
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        all.extend(pages(below)?);
    }
    Ok(all)
}

/// Commands for administrators, as man(1) numbers them.
const SECTION: &str = "8";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn each_command_has_a_page() {
        let mut program = super::super::Arguments::command().disable_help_subcommand(true);
        program.build();
        let all = pages(&program).unwrap();
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "hoplock.8",
                "hoplock-serve.8",
                "hoplock-query.8",
                "hoplock-explain.8",
                "hoplock-check.8",
                "hoplock-verify.8",
                "hoplock-tlsa.8",
                "hoplock-survey.8",
                "hoplock-status.8",
                "hoplock-sessions.8",
                "hoplock-report.8",
                "hoplock-report-list.8",
                "hoplock-report-show.8",
                "hoplock-report-send.8",
                "hoplock-report-lookup.8",
                "hoplock-report-read.8",
                "hoplock-cache.8",
                "hoplock-cache-list.8",
                "hoplock-cache-show.8",
                "hoplock-cache-purge.8",
                "hoplock-cache-export.8",
                "hoplock-rule.8",
                "hoplock-rule-add.8",
                "hoplock-rule-list.8",
                "hoplock-rule-observed.8",
                "hoplock-rule-remove.8",
                "hoplock-doctor.8",
                "hoplock-config.8",
                "hoplock-config-check.8",
                "hoplock-config-print.8",
                "hoplock-demo.8",
                "hoplock-man.8",
                "hoplock-completions.8",
            ]
        );
        for (name, page) in &all {
            let page = String::from_utf8_lossy(page);
            let title = name.trim_end_matches(".8");
            assert!(page.contains(&format!(".TH {title} 8")), "{name}: {page}");
        }
    }
}
