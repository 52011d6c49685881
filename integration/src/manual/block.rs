//! Fenced blocks of a page.

use super::mark::Mark;

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of its first fence, counted from one.
    pub line: usize,
    pub info: Info,
    pub text: String,
    pub mark: Option<Mark>,
}

/// What a block is, by the word behind its first fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Info {
    /// `sh`: commands.
    Commands,
    /// `http`: requests to the HTTP interface, a line each.
    Requests,
    /// `text`: output, and whatever nothing checks.
    Text,
    /// `json`
    Json,
    /// Configuration of this program.
    Configuration(Program),
}

/// Whose configuration a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `toml`: hoplock's own.
    Hoplock,
    /// `main.cf`
    PostfixMain,
    /// `master.cf`
    PostfixMaster,
    /// `exim`
    Exim,
    /// `mc`: Sendmail's, before m4.
    Sendmail,
    /// `unbound`
    Unbound,
    /// `redis`: of Valkey too.
    Redis,
    /// `yaml`: scrape configuration or alerting rules of Prometheus.
    Prometheus,
    /// `ini`: a unit of systemd, or a part of one.
    Systemd,
}

impl Info {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "sh" => Self::Commands,
            "http" => Self::Requests,
            "text" => Self::Text,
            "json" => Self::Json,
            "toml" => Self::Configuration(Program::Hoplock),
            "main.cf" => Self::Configuration(Program::PostfixMain),
            "master.cf" => Self::Configuration(Program::PostfixMaster),
            "exim" => Self::Configuration(Program::Exim),
            "mc" => Self::Configuration(Program::Sendmail),
            "unbound" => Self::Configuration(Program::Unbound),
            "redis" => Self::Configuration(Program::Redis),
            "yaml" => Self::Configuration(Program::Prometheus),
            "ini" => Self::Configuration(Program::Systemd),
            _ => return None,
        })
    }

    /// It counts where commands that are not run are counted.
    #[must_use]
    pub fn is_run(self) -> bool {
        matches!(self, Self::Commands | Self::Requests)
    }
}

/// The blocks of a page, in order; the error begins with the line.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut all: Vec<Block> = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut mark = None;
    while let Some((at, line)) = lines.next() {
        let Some(word) = line.trim_start().strip_prefix("```") else {
            if let Some((line, unused)) = mark.take() {
                return Err(format!("{line}: no block follows {unused:?}"));
            }
            mark = Mark::read(line)
                .map_err(|words| format!("{}: {words}", at + 1))?
                .map(|mark| (at + 1, mark));
            continue;
        };
        let info = Info::of(word)
            .ok_or_else(|| format!("{}: a block of an unknown kind, {word:?}", at + 1))?;
        let indent = line.len() - line.trim_start().len();
        let mut text = String::new();
        loop {
            let Some((_, line)) = lines.next() else {
                return Err(format!("{}: a block without an end", at + 1));
            };
            if line.trim() == "```" {
                break;
            }
            let blank = line.len() - line.trim_start().len();
            text.push_str(&line[indent.min(blank)..]);
            text.push('\n');
        }
        let mark = mark.take().map(|(_, mark)| mark);
        if let Some(mark) = &mark {
            let before = all.iter().rev().find(|block| block.info.is_run());
            mark.fits(info, before)
                .map_err(|words| format!("{}: {words}", at + 1))?;
        }
        all.push(Block {
            line: at + 1,
            info,
            text,
            mark,
        });
    }
    match mark {
        Some((line, unused)) => Err(format!("{line}: no block follows {unused:?}")),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manual::mark::{NotRun, Run};

    #[test]
    fn blocks_are_found_with_what_stands_before_them() {
        let text = "# Page\n\n<!-- run: in=exim -->\n```sh\nls\n```\n* item\n  ```text\n  a\n    b\n  ```\n";
        let found = blocks(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].mark,
            Some(Mark::Run(Run {
                place: Some("exim".to_owned()),
                ..Run::default()
            }))
        );
        assert_eq!((found[0].line, found[1].text.as_str()), (4, "a\n  b\n"));
    }

    #[test]
    fn what_nobody_understands_is_an_error() {
        for (text, words) in [
            ("```\nls\n```\n", "1: a block of an unknown kind"),
            ("```bash\nls\n```\n", "1: a block of an unknown kind"),
            ("```sh\nls\n", "1: a block without an end"),
            ("<!-- run: in=exim -->\n\n```sh\nls\n```\n", "1: no block"),
            ("<!-- not run: tedious -->\n```sh\nls\n```\n", "1: "),
            ("<!-- run: nothing -->\n```sh\nls\n```\n", "1: "),
            (
                "<!-- not run: needs the Internet -->\n```toml\n```\n",
                "2: ",
            ),
            ("<!-- output -->\n```text\na\n```\n", "2: "),
            (
                "<!-- not run: needs systemd -->\n```sh\nls\n```\n<!-- output -->\n```text\na\n```\n",
                "6: ",
            ),
            ("<!-- output -->\n", "1: no block"),
        ] {
            let error = blocks(text).unwrap_err();
            assert!(error.starts_with(words), "{text}: {error}");
        }
    }

    #[test]
    fn only_three_reasons_excuse_a_block() {
        let of = |words: &str| {
            let text = format!("<!-- not run: {words} -->\n```sh\nls\n```\n");
            blocks(&text).map(|blocks| blocks[0].mark.clone())
        };
        for (words, reason) in [
            ("needs the Internet", NotRun::Internet),
            ("needs systemd", NotRun::Systemd),
            ("destroys data", NotRun::Destroys),
        ] {
            assert_eq!(of(words).unwrap(), Some(Mark::NotRun(reason)));
        }
        assert!(of("needs time").is_err());
    }
}
