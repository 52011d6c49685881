//! A rule in a few words, the same for `explain`, lists and the log.

use super::json::{level_word, mode_word};
use crate::rules::{Fallback, Mode, Rule};

/// All that a rule says, without its pattern and its end.
#[must_use]
pub fn says(rule: &Rule) -> String {
    let mut words = match rule.answer {
        Some(level) => format!("answer {}", level_word(level)),
        None => format!("mode {}", mode_word(rule.mode)),
    };
    if !rule.sts && rule.mode != Mode::Off {
        words.push_str(", MTA-STS does not count");
    }
    if rule.fallback != Fallback::Defer {
        words.push_str(&format!(", fallback {}", fallback_word(rule.fallback)));
        if rule.fallback_on_insecure {
            words.push_str(" behind insecure MX records too");
        }
    }
    if !rule.names.is_empty() {
        let names: Vec<String> = rule.names.iter().map(ToString::to_string).collect();
        words.push_str(&format!(", names {}", names.join(" ")));
    }
    if let Some(file) = rule.authorities() {
        words.push_str(&format!(", authorities of {file}"));
    }
    if !rule.fingerprints.is_empty() {
        words.push_str(&format!(", fingerprints {}", rule.fingerprints.join(" ")));
    }
    words
}

fn fallback_word(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::Defer => "defer",
        Fallback::Fingerprint => "fingerprint",
        Fallback::Secure => "secure",
        Fallback::Encrypt => "encrypt",
    }
}
