//! `[rules."PATTERN"]`: what the operator orders for single destinations.

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern};
use toml::de::{DeTable, DeValue};

use super::complaint::Severity;
use super::keys::RULE_KEYS;
use super::reader::{Reader, Section};

/// All rules of a text.
pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Vec<Rule> {
    let group = Section::of(root, "rules", reader);
    let mut rules = Vec::new();
    for (key, value) in group.table.into_iter().flatten() {
        let (name, at) = (key.get_ref().to_string(), key.span().start);
        let DeValue::Table(table) = value.get_ref() else {
            let words = format!("write [rules.{name:?}] on a line of its own");
            reader.complain(Severity::Error, at, words);
            continue;
        };
        let section = Section {
            name: format!("rules.{name:?}"),
            table: Some(table),
        };
        reader.check_keys(&section, "rules", RULE_KEYS);
        let Some(pattern) = pattern(&name) else {
            let words = format!(
                "rule {name:?} is for no destination; write \"example.com\", \".example.com\", an \
                 address, or \"*\"; put names with dots in quotes"
            );
            reader.complain(Severity::Error, at, words);
            continue;
        };
        rules.push(rule(reader, &section, pattern, at));
    }
    rules
}

fn pattern(text: &str) -> Option<RulePattern> {
    if text == "*" {
        return Some(RulePattern::Any);
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse() {
        return Some(RulePattern::Address(address));
    }
    match text.strip_prefix('.') {
        Some(suffix) => DomainName::parse(suffix).ok().map(RulePattern::Suffix),
        None => DomainName::parse(text).ok().map(RulePattern::Exact),
    }
}

fn rule(reader: &mut Reader<'_>, section: &Section<'_>, pattern: RulePattern, at: usize) -> Rule {
    let modes = [
        ("off", Mode::Off),
        ("audit", Mode::Audit),
        ("opportunistic", Mode::Opportunistic),
        ("mandatory", Mode::Mandatory),
    ];
    let fallbacks = [
        ("defer", Fallback::Defer),
        ("fingerprint", Fallback::Fingerprint),
        ("secure", Fallback::Secure),
        ("encrypt", Fallback::Encrypt),
    ];
    let rule = Rule {
        pattern,
        mode: reader
            .choice(section, "mode", &modes)
            .unwrap_or(Mode::Opportunistic),
        sts: reader.boolean(section, "sts").unwrap_or(true),
        answer: reader.choice(section, "answer", &ANSWERS).flatten(),
        fingerprints: fingerprints(reader, section),
        names: names(reader, section),
        fallback: reader
            .choice(section, "fallback", &fallbacks)
            .unwrap_or(Fallback::Defer),
        fallback_on_insecure: reader
            .boolean(section, "fallback_on_insecure")
            .unwrap_or(false),
        comment: reader
            .text(section, "comment")
            .map(|(text, _)| text)
            .unwrap_or_default(),
        expires: expires(reader, section),
    };
    check(reader, section, &rule, at);
    rule
}

/// PF-10, PD-17: a list that is empty would mean another list.
fn check(reader: &mut Reader<'_>, section: &Section<'_>, rule: &Rule, at: usize) {
    let name = &section.name;
    let pins =
        rule.answer == Some(PinnedLevel::Fingerprint) || rule.fallback == Fallback::Fingerprint;
    if pins && rule.fingerprints.is_empty() {
        let words = format!("[{name}] asks for fingerprint and lists no fingerprints = [\"…\"]");
        reader.complain(Severity::Error, at, words);
    }
    let named = matches!(rule.answer, Some(PinnedLevel::Secure | PinnedLevel::Verify))
        || rule.fallback == Fallback::Secure;
    if named && rule.names.is_empty() {
        let words = format!("[{name}] asks for secure or verify and lists no names = [\"…\"]");
        reader.complain(Severity::Error, at, words);
    }
    if rule.answer.is_some() && rule.mode == Mode::Mandatory {
        let words = format!("[{name}] gives an answer, so mode = \"mandatory\" has no effect");
        reader.complain(Severity::Warning, at, words);
    }
}

fn fingerprints(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<String> {
    let mut good = Vec::new();
    for (text, at) in reader.texts(section, "fingerprints").unwrap_or_default() {
        let digits: String = text.chars().filter(|letter| *letter != ':').collect();
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex && matches!(digits.len(), 64 | 128) {
            good.push(text);
        } else {
            let words = format!(
                "[{}] fingerprints: {text:?} is no SHA-256 or SHA-512 digest in hexadecimal",
                section.name
            );
            reader.complain(Severity::Error, at, words);
        }
    }
    good
}

fn names(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<DomainName> {
    let mut good = Vec::new();
    for (text, at) in reader.texts(section, "names").unwrap_or_default() {
        match DomainName::parse(&text) {
            Ok(name) => good.push(name),
            Err(why) => {
                let words = format!("[{}] names: {text:?}: {why}", section.name);
                reader.complain(Severity::Error, at, words);
            }
        }
    }
    good
}

fn expires(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Timestamp> {
    let (text, at) = reader
        .text(section, "expires")
        .filter(|(text, _)| !text.is_empty())?;
    let read: Result<jiff::Timestamp, _> = text.parse();
    match read
        .ok()
        .and_then(|time| u64::try_from(time.as_millisecond()).ok())
    {
        Some(millis) => Some(Timestamp(millis)),
        None => {
            let words = format!(
                "[{}] expires = {text:?} is no time; write \"2026-12-31T23:59:59Z\"",
                section.name
            );
            reader.complain(Severity::Error, at, words);
            None
        }
    }
}

const ANSWERS: [(&str, Option<PinnedLevel>); 10] = [
    ("", None),
    ("encrypt", Some(PinnedLevel::Encrypt)),
    ("may", Some(PinnedLevel::May)),
    ("none", Some(PinnedLevel::None)),
    ("dane", Some(PinnedLevel::Dane)),
    ("dane-only", Some(PinnedLevel::DaneOnly)),
    ("fingerprint", Some(PinnedLevel::Fingerprint)),
    ("verify", Some(PinnedLevel::Verify)),
    ("secure", Some(PinnedLevel::Secure)),
    ("defer", Some(PinnedLevel::Defer)),
];
