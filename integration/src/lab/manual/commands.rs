//! Blocks that are run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::lab::stage::Lab;
use crate::manual::block::Info;
use crate::manual::mark::{Mark, Run};
use crate::manual::{Page, root};

use super::machine::until_printed;
use super::world::World;

/// Runs commands where their comment says; `None` where that is not in a machine.
pub(super) fn run(
    world: &World,
    text: &str,
    mark: Option<&Mark>,
) -> Option<Result<String, String>> {
    let default = Run::default();
    let run = match mark {
        Some(Mark::Run(run)) => run,
        _ => &default,
    };
    let machine = world.machine(run.place.as_deref().unwrap_or("postfix"))?;
    if let Some(words) = &run.until {
        return Some(machine.shell_until(text, words));
    }
    let output = machine.shell(text);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("postqueue -f") {
        // What a page sets going has come about before the next block, as with people.
        std::thread::sleep(Duration::from_secs(2));
    }
    if output.status.code() == Some(run.status) {
        return Some(Ok(printed));
    }
    Some(Err(format!(
        "ended with {}:\n{text}--- printed\n{printed}--- complained\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )))
}

/// Blocks that need the sources and no machine around them, before any daemon of ours runs.
pub(super) fn of_the_source(lab: &mut Lab<'_>, pages: &[Page]) {
    for page in pages {
        for block in &page.blocks {
            let (Info::Commands, Some(Mark::Run(run))) = (block.info, &block.mark) else {
                continue;
            };
            if run.place.as_deref() != Some("source") {
                continue;
            }
            let mut text = block.text.clone();
            if lab
                .hoplock
                .binary()
                .components()
                .any(|part| part.as_os_str() == "debug")
            {
                // Built already, as the lab of one's own was asked for.
                text = text.replace(" --release", "");
            }
            let state = lab.folder.join("source-state");
            let mut command = Command::new("bash");
            command
                .args(["-euo", "pipefail", "-c", &text])
                .current_dir(root())
                .env("XDG_STATE_HOME", &state);
            let outcome = match &run.until {
                Some(words) => until_printed(&mut command, words, Duration::from_secs(300)),
                None => {
                    let output = command.output().unwrap();
                    if output.status.code() == Some(run.status) {
                        Ok(String::new())
                    } else {
                        Err(String::from_utf8_lossy(&output.stderr).into_owned())
                    }
                }
            };
            let words = outcome.err();
            lab.report.check(words.is_none(), || {
                format!(
                    "{}:{}: {}",
                    page.name,
                    block.line,
                    words.unwrap_or_default()
                )
            });
        }
    }
}

/// Puts requests to the HTTP interface; each must be answered with 200.
pub(super) fn request(world: &World, text: &str) -> Result<String, String> {
    let mut bodies = String::new();
    for line in text.lines() {
        let mut stream = TcpStream::connect(world.http()).map_err(|error| error.to_string())?;
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        if !reply.starts_with("HTTP/1.1 200 ") {
            return Err(format!("{line}: {reply}"));
        }
        bodies.push_str(reply.split_once("\r\n\r\n").unwrap().1);
    }
    Ok(bodies)
}

/// Whether a page shows what was printed: line by line, `…` standing for anything in a line, and a line of
/// `…` alone for any lines. How much blank there is does not count.
pub(super) fn compare(shown: &str, printed: &str) -> Result<(), String> {
    let shown: Vec<String> = shown
        .lines()
        .map(narrow)
        .filter(|line| !line.is_empty())
        .collect();
    let printed: Vec<String> = printed
        .lines()
        .map(narrow)
        .filter(|line| !line.is_empty())
        .collect();
    if fits(&shown, &printed) {
        return Ok(());
    }
    Err(format!(
        "the page shows\n{}\n--- and it printed\n{}",
        shown.join("\n"),
        printed.join("\n")
    ))
}

fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(own, others)| same(line, own) && fits(rest, others)),
    }
}

/// A line with `…` in place of anything.
fn same(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut left) = printed.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = left.find(part) else {
            return false;
        };
        left = &left[at + part.len()..];
        last = Some(part);
    }
    match last {
        None => left.is_empty(),
        Some(part) => part.is_empty() || left.is_empty() || printed.ends_with(part),
    }
}

fn narrow(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_compared() {
        let printed = "a  1 s\n\nb 2 s\nc 3 s\nend\n";
        for good in ["a 1 s\nb … s\n…\nend\n", "…\nend\n", "…\n", "…1…\n…"] {
            assert_eq!(compare(good, printed), Ok(()), "{good}");
        }
        for bad in [
            "a 1 s\n",
            "a 1 s\nc … s\n…\n",
            "a 2 s\n…\n",
            "",
            "…\nb …\nend\n",
        ] {
            assert!(compare(bad, printed).is_err(), "{bad}");
        }
    }
}
