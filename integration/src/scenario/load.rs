//! Reading of scenario files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Step, WallStep};

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it stands.
    pub file: PathBuf,
    /// What must happen, in one sentence.
    pub sentence: String,
    /// Requirements, at most three.
    pub ids: Vec<String>,
    /// What happens, with line numbers.
    pub steps: Vec<(usize, Step)>,
}

/// A file that does not load: place and fault.
#[derive(Debug)]
pub struct Malformed(pub String);

/// All scenarios of a folder, and how many files there are.
pub fn load(folder: &Path) -> (Vec<Scenario>, usize, Vec<Malformed>) {
    let (mut scenarios, mut faults, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "scenario") {
                files.push(path);
            }
        }
    }
    files.sort();
    for file in &files {
        match read(file) {
            Ok(scenario) => scenarios.push(scenario),
            Err(fault) => faults.push(fault),
        }
    }
    (scenarios, files.len(), faults)
}

fn read(file: &Path) -> Result<Scenario, Malformed> {
    let text = fs::read_to_string(file).unwrap();
    let at = |line: usize, words: &str| Malformed(format!("{}:{line}: {words}", file.display()));
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_end()));
    let (_, first) = lines.next().ok_or_else(|| at(1, "empty"))?;
    let sentence = first
        .strip_prefix("# ")
        .ok_or_else(|| at(1, "begin with \"# sentence\""))?;
    let (_, second) = lines.next().ok_or_else(|| at(2, "no ids"))?;
    let ids = second
        .strip_prefix("ids: ")
        .ok_or_else(|| at(2, "second line: \"ids: …\""))?;
    let ids: Vec<String> = ids.split_whitespace().map(ToOwned::to_owned).collect();
    if ids.is_empty() || ids.len() > 3 {
        return Err(at(2, "one to three ids"));
    }
    let mut section = String::new();
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (number, line) in lines {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            if !SECTIONS.contains(&name) {
                // An address literal may stand in brackets under [ask].
                let is_rule = section == "rules" && name.starts_with("rules.");
                if section != "ask" && !is_rule {
                    return Err(at(number, &format!("unknown section [{name}]")));
                }
            } else {
                name.clone_into(&mut section);
                continue;
            }
        }
        let step = step(&section, line).map_err(|words| at(number, &words))?;
        steps.push((number, step));
    }
    if !steps
        .iter()
        .any(|(_, step)| matches!(step, Step::Expect(_)))
    {
        return Err(at(1, "expects nothing"));
    }
    Ok(Scenario {
        file: file.to_path_buf(),
        sentence: sentence.to_owned(),
        ids,
        steps,
    })
}

fn step(section: &str, line: &str) -> Result<Step, String> {
    let pair = || {
        let (name, value) = line.split_once('=').ok_or("write name = value")?;
        Ok::<_, String>((name.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(match section {
        "options" => {
            let (name, value) = pair()?;
            Step::Option(name, value)
        }
        "profile" => {
            let (name, value) = pair()?;
            Step::Profile(name, value)
        }
        "rules" => Step::Rule(line.to_owned()),
        "resolver" => Step::Resolver(line.to_owned()),
        "dns" => Step::Dns(line.to_owned()),
        "https" => Step::Https(line.to_owned()),
        "clock" => clock(line)?,
        "background" => background(line)?,
        "restart" => match line {
            "now" => Step::Restart,
            _ => return Err("write now".to_owned()),
        },
        "store" => Step::Store(line.to_owned()),
        "ask" => ask(line)?,
        "expect" => Step::Expect(line.to_owned()),
        "" => return Err("a line before the first section".to_owned()),
        other => return Err(format!("unknown section [{other}]")),
    })
}

/// `+300s`, `wall = 1970`, `wall +10d`, `wall -1h`.
fn clock(line: &str) -> Result<Step, String> {
    if let Some(by) = line.strip_prefix('+') {
        return Ok(Step::Pass(duration(by)?));
    }
    let rest = line
        .strip_prefix("wall ")
        .ok_or("write +300s, wall = 1970 or wall -1h")?;
    if rest == "= 1970" {
        return Ok(Step::Wall(WallStep::To(0)));
    }
    let (sign, by) = rest.split_at(1);
    let millis = i64::try_from(duration(by)?.as_millis()).unwrap();
    match sign {
        "+" => Ok(Step::Wall(WallStep::By(millis))),
        "-" => Ok(Step::Wall(WallStep::By(-millis))),
        _ => Err("write wall = 1970, wall +10d or wall -1h".to_owned()),
    }
}

/// `round`, `for 2d every 60s`.
fn background(line: &str) -> Result<Step, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["round"] => Ok(Step::Round),
        ["for", whole, "every", step] => Ok(Step::Rounds(duration(whole)?, duration(step)?)),
        _ => Err("write round, or for 2d every 60s".to_owned()),
    }
}

/// `KEY`, `KEY as PROFILE`, `100x KEY`.
fn ask(line: &str) -> Result<Step, String> {
    let (times, rest) = match line.split_once("x ") {
        Some((count, rest)) if count.bytes().all(|byte| byte.is_ascii_digit()) => {
            (count.parse().map_err(|_| "a bad count")?, rest)
        }
        _ => (1, line),
    };
    let (key, profile) = rest.split_once(" as ").unwrap_or((rest, "postfix"));
    Ok(Step::Ask(key.to_owned(), profile.to_owned(), times))
}

/// `90s`, `5m`, `2h`, `10d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = text.split_at(text.len().saturating_sub(1));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(format!("{text:?} is no duration")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is no duration"))?;
    Ok(Duration::from_secs(number * unit))
}

const SECTIONS: [&str; 12] = [
    "options",
    "profile",
    "rules",
    "resolver",
    "dns",
    "https",
    "store",
    "clock",
    "background",
    "restart",
    "ask",
    "expect",
];
