//! Sections of man pages, in the language of troff.

use super::words::Words;

/// EXIT STATUS and EXAMPLES of one command.
pub(super) fn told(words: &Words) -> String {
    let mut page = String::from(".SH EXIT STATUS\n");
    for (status, meaning) in words.statuses {
        page.push_str(&format!(".TP\n{}\n{}\n", bold(status), text(meaning)));
    }
    if !words.statuses.iter().any(|(status, _)| *status == "2") {
        page.push_str(&format!(
            ".TP\n{}\nthe arguments cannot be read\n",
            bold("2")
        ));
    }
    if !words.examples.is_empty() {
        page.push_str(".SH EXAMPLES\n");
    }
    for (about, line) in words.examples {
        page.push_str(&format!(
            ".PP\n{}:\n.PP\n.RS 4\n.EX\n{}\n.EE\n.RE\n",
            text(about),
            text(line)
        ));
    }
    page
}

/// FILES, the same for all.
pub(super) fn files() -> String {
    let mut page = String::from(".SH FILES\n");
    for (file, meaning) in FILES {
        page.push_str(&format!(".TP\n.I {}\n{}\n", text(file), text(meaning)));
    }
    page
}

/// SEE ALSO.
pub(super) fn see_also(pages: &[String]) -> String {
    let pages: Vec<String> = pages
        .iter()
        .filter_map(|page| page.rsplit_once('.'))
        .map(|(name, section)| format!(".BR {} ({section})", text(name)))
        .collect();
    format!(".SH SEE ALSO\n{}\n", pages.join(" ,\n"))
}

/// The first sentence, without its stop: what stands in NAME.
pub(super) fn sentence(about: &str) -> &str {
    let first = about.split_once(". ").map_or(about, |(first, _)| first);
    first.trim_end_matches('.')
}

pub(super) fn bold(words: &str) -> String {
    format!("\\fB{}\\fR", text(words))
}

/// Plain text: nothing in it is a command of troff.
pub(super) fn text(words: &str) -> String {
    let escaped = words
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('`', "\\(ga")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti");
    if escaped.starts_with('.') {
        format!("\\&{escaped}")
    } else {
        escaped
    }
}

const FILES: &[(&str, &str)] = &[
    (
        "/etc/hoplock/hoplock.toml",
        "the configuration, hoplock.toml(5)",
    ),
    (
        "/etc/hoplock/rules.d/*.toml",
        "rules for single destinations",
    ),
    (
        "/var/lib/hoplock/hoplock.db",
        "what is remembered over restarts",
    ),
    (
        "/run/hoplock/control.sock",
        "the control socket, for root and the group hoplock",
    ),
];
