//! The comment on the line before a block: how it is run, or why not.
//!
//! ```text
//! <!-- run: in=PLACE status=N until="WORDS" -->   commands; each word may be left out
//! <!-- not run: REASON -->                       commands; one of three reasons
//! <!-- output -->                                what the commands before print
//! <!-- configuration: WORDS -->                  where a piece of configuration belongs
//! <!-- not checked: WORDS -->                    configuration for a version that nobody here has
//! ```

use super::block::{Block, Info};

/// What stands before a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    Run(Run),
    NotRun(NotRun),
    Output,
    /// Where the piece belongs; the lab knows the words.
    Configuration(String),
    NotChecked(String),
}

/// How commands are run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The machine of the lab; none is the one with Postfix.
    pub place: Option<String>,
    /// With what they must end.
    pub status: i32,
    /// They do not end by themselves: once this was printed they are ended.
    pub until: Option<String>,
}

/// Why commands are not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRun {
    Internet,
    Systemd,
    Destroys,
}

impl Mark {
    /// Reads a line; `None` where it is no comment of ours.
    pub(super) fn read(line: &str) -> Result<Option<Self>, String> {
        let inner = line
            .trim()
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->"));
        let Some(inner) = inner else { return Ok(None) };
        let (word, rest) = inner.split_once(": ").unwrap_or((inner, ""));
        Ok(Some(match (word, rest) {
            ("run", words) => Self::Run(run(words)?),
            ("not run", "needs the Internet") => Self::NotRun(NotRun::Internet),
            ("not run", "needs systemd") => Self::NotRun(NotRun::Systemd),
            ("not run", "destroys data") => Self::NotRun(NotRun::Destroys),
            ("not run", other) => {
                return Err(format!("no reason to leave commands out: {other:?}"));
            }
            ("output", "") => Self::Output,
            ("configuration", words) if !words.is_empty() => Self::Configuration(words.to_owned()),
            ("not checked", words) if !words.is_empty() => Self::NotChecked(words.to_owned()),
            (word, _) if WORDS.iter().any(|own| word.starts_with(own)) => {
                return Err(format!("a comment that cannot be read: {inner:?}"));
            }
            _ => return Ok(None),
        }))
    }

    /// Whether it may stand before such a block; `before` are the last commands.
    pub(super) fn fits(&self, info: Info, before: Option<&Block>) -> Result<(), String> {
        let good = match self {
            Self::Run(_) | Self::NotRun(_) => info.is_run(),
            Self::Output => {
                let is_shown = matches!(info, Info::Text | Info::Json);
                let is_run =
                    before.is_some_and(|block| !matches!(block.mark, Some(Self::NotRun(_))));
                is_shown && is_run
            }
            Self::Configuration(_) | Self::NotChecked(_) => matches!(info, Info::Configuration(_)),
        };
        if good {
            Ok(())
        } else {
            Err(format!("{self:?} cannot stand before this block"))
        }
    }
}

/// `in=PLACE`, `status=N`, `until="WORDS"`, in any order; the last takes the rest of the line.
fn run(mut words: &str) -> Result<Run, String> {
    let mut run = Run::default();
    while !words.is_empty() {
        let (key, rest) = words
            .split_once('=')
            .ok_or_else(|| format!("{words:?} has no ="))?;
        if key == "until" {
            let quoted = rest
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .filter(|words| !words.is_empty());
            let quoted = quoted.ok_or_else(|| format!("until={rest}: put the words in quotes"))?;
            run.until = Some(quoted.to_owned());
            return Ok(run);
        }
        let (value, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match key {
            "in" if PLACES.contains(&value) => run.place = Some(value.to_owned()),
            "status" => {
                run.status = value
                    .parse()
                    .map_err(|_| format!("status={value} is no number"))?;
            }
            _ => return Err(format!("{key}={value} is not known")),
        }
        words = rest;
    }
    Ok(run)
}

/// How our comments begin.
const WORDS: [&str; 6] = [
    "run",
    "not run",
    "not-run",
    "output",
    "configuration",
    "not checked",
];

/// The machine that stage `package` makes: it runs the blocks of docs/install.md itself.
pub const FRESH: &str = "fresh";

/// The machines of the lab.
pub const PLACES: [&str; 7] = [
    FRESH,
    "demo",
    "postfix",
    "postfix310",
    "exim",
    "sendmail",
    "source",
];
