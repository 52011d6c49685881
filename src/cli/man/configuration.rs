//! hoplock.toml(5), from the table of keys that `config print` shows too.

use super::sections::{bold, see_also, text};
use crate::config::{GUARD_RULE_KEYS, KEYS, Key, PROFILE_KEYS, RULE_KEYS};

/// The page.
pub(super) fn page(version: &str) -> String {
    let mut page = format!(
        ".TH HOPLOCK.TOML 5 \"\" \"hoplock {version}\" \"File Formats Manual\"\n\
         .SH NAME\nhoplock.toml \\- configuration of hoplock\n\
         .SH DESCRIPTION\n"
    );
    for paragraph in DESCRIPTION {
        page.push_str(&format!("{}\n.PP\n", text(paragraph)));
    }
    let mut section = None;
    for key in KEYS {
        if section != Some(key.section) {
            section = Some(key.section);
            let (name, about) = heading(key.section);
            page.push_str(&format!(".SH {name}\n"));
            if !about.is_empty() {
                page.push_str(&format!("{}\n", text(about)));
            }
        }
        page.push_str(&entry(key));
    }
    all(&mut page, "[[guard.rules]]", GUARD, GUARD_RULE_KEYS);
    all(&mut page, "[profile.NAME]", PROFILE, PROFILE_KEYS);
    all(&mut page, "[rules.\"PATTERN\"]", RULES, RULE_KEYS);
    page.push_str(EXAMPLE);
    let others = [
        "hoplock.8",
        "hoplock-config-check.8",
        "hoplock-config-print.8",
        "hoplock-rule-add.8",
    ];
    page.push_str(&see_also(&others.map(str::to_owned)));
    page
}

fn all<T>(page: &mut String, heading: &str, about: &str, keys: &[Key<T>]) {
    page.push_str(&format!(".SH {}\n{}\n", text(heading), text(about)));
    for key in keys {
        page.push_str(&entry(key));
    }
}

/// Name, default, meaning and requirement of one key.
fn entry<T>(key: &Key<T>) -> String {
    let mut meaning = key.meaning.to_owned();
    if !key.requirement.is_empty() {
        meaning.push_str(&format!(" ({})", key.requirement));
    }
    let default = text(key.default);
    format!(".TP\n{} = {default}\n{}\n", bold(key.name), text(&meaning))
}

/// How a section is called, and what it is for.
fn heading(section: &str) -> (String, &'static str) {
    match section {
        "" => ("AT THE TOP".to_owned(), "Before the first section."),
        name => (text(&format!("[{name}]")), ""),
    }
}

const DESCRIPTION: &[&str] = &[
    "The file is TOML. An empty one is valid: every key has the default that is shown. Durations are texts such \
     as \"90s\", \"5m\", \"1d\"; sockets are \"unix:/PATH\", \"inet:HOST:PORT\" or \"systemd:NAME\".",
    "A key that is not known is an error in the sections where a slip of the pen would change protection \
     (rules, profile, guard, dane, sts, dns), and a warning elsewhere. hoplock config check tells all \
     complaints with their lines; hoplock config print shows what is in effect.",
    "After a change, reload the daemon. Sockets, resolver, limits, log and the state file are taken at the \
     start only.",
    "What stands in brackets behind a meaning is the requirement that the key serves, as the manual lists them.",
];
const GUARD: &str =
    "What is done with messages when they are handed in, rule by rule; the first that fits counts.";
const PROFILE: &str = "What one mail server can do. Built in are postfix, postfix310, pins, exim and sendmail; a section of that \
     name changes single keys. The name of a profile is the name of a map. Defaults are those of postfix.";
const RULES: &str = "An order for destinations: an exact name, \".example.com\" for all below it, or \"*\". The exact name \
     counts before a suffix, a longer suffix before a shorter one.";
const EXAMPLE: &str = ".SH EXAMPLE\n.EX\n\
[listen]\n\
socketmap = [\"inet:127.0.0.1:8425\"]\n\
\n\
[profile.postfix]\n\
floor = \"encrypt\"\n\
\n\
[rules.\"example.com\"]\n\
answer  = \"encrypt\"\n\
comment = \"their TLSA is broken\"\n\
expires = \"2027\\-01\\-31T00:00:00Z\"\n\
.EE\n";
