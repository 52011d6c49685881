//! `hoplock man`: man pages, written from the same definitions as `--help`.
#![allow(
    clippy::disallowed_methods,
    reason = "commands write the files that they are told of"
)]

mod configuration;
mod sections;
mod words;

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
    let mut all = pages(program)?;
    let page = configuration::page(env!("CARGO_PKG_VERSION"));
    all.push((CONFIGURATION.to_owned(), page.into_bytes()));
    for (file, page) in all {
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
    let mut all = vec![(man.get_filename(), page(command, &man)?)];
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        all.extend(pages(below)?);
    }
    Ok(all)
}

/// One page, with what `--help` has no room for.
fn page(command: &clap::Command, man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    let name = sections::text(command.get_display_name().unwrap_or(command.get_name()));
    let short = sections::text(sections::sentence(&about));
    // NAME is one sentence: whatis(1) shows it.
    page.extend(format!(".SH NAME\n{name} \\- {short}\n").into_bytes());
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let typed = command.get_bin_name().unwrap_or(command.get_name());
    let words = words::of(typed);
    for paragraph in words.map(|own| own.more).unwrap_or_default() {
        page.extend(format!(".PP\n{}\n", sections::text(paragraph)).into_bytes());
    }
    if command.get_arguments().any(|own| !own.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(words) = words {
        page.extend(sections::told(words).into_bytes());
    }
    page.extend(sections::files().into_bytes());
    page.extend(sections::see_also(&beside(command)).into_bytes());
    Ok(page)
}

/// The pages to read on at: those above and below, and the configuration's.
fn beside(command: &clap::Command) -> Vec<String> {
    let own = command.get_display_name().unwrap_or(command.get_name());
    let mut all = Vec::new();
    if let Some((above, _)) = own.rsplit_once('-') {
        all.push(format!("{above}.{SECTION}"));
    }
    let shown = command.get_subcommands().filter(|own| !own.is_hide_set());
    all.extend(shown.map(|below| format!("{own}-{}.{SECTION}", below.get_name())));
    all.push(CONFIGURATION.to_owned());
    all
}

/// The page of the configuration.
const CONFIGURATION: &str = "hoplock.toml.5";
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
            for section in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXIT STATUS",
                "SEE ALSO",
            ] {
                let heading = format!("\n.SH {section}\n");
                assert_eq!(
                    page.matches(&heading).count(),
                    1,
                    "{name} {section}: {page}"
                );
            }
            let (_, named) = page.split_once(".SH NAME\n").unwrap();
            let named = named.lines().next().unwrap();
            assert!(
                named.len() < 160 && !named.ends_with('.'),
                "{name}: {named}"
            );
        }
    }

    /// The page of the configuration has every key, once in its section.
    #[test]
    fn each_key_is_on_its_page() {
        let page = configuration::page("0");
        let keys: usize = [
            crate::config::KEYS.len(),
            crate::config::PROFILE_KEYS.len(),
            crate::config::RULE_KEYS.len(),
            crate::config::GUARD_RULE_KEYS.len(),
        ]
        .iter()
        .sum();
        assert_eq!(page.matches("\n.TP\n").count(), keys);
        for key in crate::config::KEYS {
            let entry = format!("\n.TP\n\\fB{}\\fR = ", sections::text(key.name));
            assert!(page.contains(&entry), "{}", key.name);
            assert!(page.contains(&sections::text(key.meaning)), "{}", key.name);
        }
        // Nothing in a text is taken for a command.
        assert_eq!(
            sections::text(".x 'y' a-b \\"),
            "\\&.x \\(aqy\\(aq a\\-b \\e"
        );
    }

    /// Nobody is left without an exit status because a command is new.
    #[test]
    fn each_command_has_words() {
        fn look(command: &clap::Command) {
            let typed = command.get_bin_name().unwrap_or(command.get_name());
            assert!(
                words::of(typed).is_some(),
                "man/words.rs has nothing of {typed:?}"
            );
            for below in command.get_subcommands().filter(|own| !own.is_hide_set()) {
                look(below);
            }
        }
        let mut program = super::super::Arguments::command().disable_help_subcommand(true);
        program.build();
        look(&program);
    }
}
