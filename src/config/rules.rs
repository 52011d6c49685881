//! `[rules."PATTERN"]`: what the operator orders for single destinations.

use std::collections::BTreeMap;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern};
use toml::de::{DeTable, DeValue};

use super::keys::{Key, RULE_KEYS};
use super::reader::{Reader, Section};
use super::words;

/// All rules of a text; `places` holds where earlier patterns stand.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &DeTable<'_>,
    places: &mut BTreeMap<RulePattern, String>,
) -> Vec<Rule> {
    let known: Vec<&Key<Rule>> = RULE_KEYS.iter().collect();
    let group = Section::of(root, "rules", reader);
    let mut rules = Vec::new();
    for (key, value) in group.table.into_iter().flatten() {
        let (name, at) = (key.get_ref().to_string(), key.span().start);
        let DeValue::Table(table) = value.get_ref() else {
            reader.error(at, format!("write [rules.{name:?}] on a line of its own"));
            continue;
        };
        let section = Section {
            name: format!("rules.{name:?}"),
            table: Some(table),
        };
        reader.check_keys(&section, "rules", &known);
        let pattern = match pattern(&name) {
            Ok(pattern) => pattern,
            Err(why) => {
                reader.error(at, format!("[rules.{name:?}] is for no destination: {why}"));
                // Its keys are read all the same, for their complaints.
                let _: Rule = rule(reader, &section, RulePattern::Any, at);
                continue;
            }
        };
        let place = reader.place(at);
        if let Some(first) = places.insert(pattern.clone(), place) {
            let words = format!(
                "[rules.{name:?}] is for the same destinations as the rule at {first}; keep one"
            );
            reader.error(at, words);
        }
        rules.push(rule(reader, &section, pattern, at));
    }
    rules
}

/// The destinations that a text is for; else why it is for none.
pub(super) fn pattern(text: &str) -> Result<RulePattern, String> {
    if text == "*" {
        return Ok(RulePattern::Any);
    }
    if let Some(rest) = text.strip_prefix("*.") {
        let rest = rest.escape_debug();
        return Err(format!("for all names below {rest} write \".{rest}\""));
    }
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let inside = inside.unwrap_or(text);
    // RFC 5321, 4.1.3: the tag stands before IPv6 addresses.
    let tagged = inside
        .get(..5)
        .filter(|tag| tag.eq_ignore_ascii_case("ipv6:"));
    let address = tagged
        .and_then(|tag| inside.strip_prefix(tag))
        .unwrap_or(inside);
    if let Ok(address) = address.parse() {
        return Ok(RulePattern::Address(address));
    }
    let read = match text.strip_prefix('.') {
        Some(suffix) => DomainName::parse(suffix).map(RulePattern::Suffix),
        None => DomainName::parse(text).map(|name| match name.as_str().parse() {
            // With a dot at its end, or in digits of another script, as in keys.
            Ok(address) => RulePattern::Address(address),
            Err(_) => RulePattern::Exact(name),
        }),
    };
    read.map_err(|why| {
        format!("{why}; write \"example.com\", \".example.com\", an address, or \"*\"")
    })
}

fn rule(reader: &mut Reader<'_>, section: &Section<'_>, pattern: RulePattern, at: usize) -> Rule {
    let rule = Rule {
        pattern,
        mode: reader
            .choice(section, "mode", words::MODES)
            .unwrap_or(Mode::Opportunistic),
        sts: reader.boolean(section, "sts").unwrap_or(true),
        answer: reader.choice(section, "answer", words::ANSWERS).flatten(),
        fingerprints: fingerprints(reader, section),
        names: names(reader, section),
        ca_file: ca_file(reader, section),
        fallback: reader
            .choice(section, "fallback", words::FALLBACKS)
            .unwrap_or(Fallback::Defer),
        fallback_on_insecure: reader
            .boolean(section, "fallback_on_insecure")
            .unwrap_or(false),
        comment: reader
            .text(section, "comment")
            .map(|(text, _)| text)
            .unwrap_or_default(),
        expires: expires(reader, section),
        since: None,
    };
    check_lists(reader, section, &rule, at);
    check_authorities(reader, section, &rule);
    check_fallback(reader, section, &rule);
    check_expiry(reader, section, &rule);
    rule
}

/// PF-10, PD-17: a list that is empty would mean another list; one that nothing uses is a mistake.
fn check_lists(reader: &mut Reader<'_>, section: &Section<'_>, rule: &Rule, at: usize) {
    let pins =
        rule.answer == Some(PinnedLevel::Fingerprint) || rule.fallback == Fallback::Fingerprint;
    let named = matches!(rule.answer, Some(PinnedLevel::Secure | PinnedLevel::Verify))
        || rule.fallback == Fallback::Secure;
    let lists = [
        (
            pins,
            "fingerprints",
            "fingerprint",
            "\"<SHA-256 in hexadecimal>\"",
        ),
        (named, "names", "secure or verify", "\"mx.example.com\""),
    ];
    for (asked, key, words, example) in lists {
        let items = match reader.value(section, key).map(|value| value.get_ref()) {
            Some(DeValue::Array(items)) => items.len(),
            // A value of another type has its own complaint.
            Some(_) => 1,
            None => 0,
        };
        let name = &section.name;
        if asked && items == 0 {
            let words =
                format!("[{name}] asks for {words} and lists none; write {key} = [{example}]");
            reader.error(at, words);
        } else if !asked && items > 0 {
            let words =
                format!("[{name}] {key} has no effect: neither answer nor fallback uses it");
            let at = reader.at(section, key);
            reader.warn(at, words);
        }
    }
}

/// OP-05: authorities count only where names do.
fn check_authorities(reader: &mut Reader<'_>, section: &Section<'_>, rule: &Rule) {
    let by_names = matches!(rule.answer, Some(PinnedLevel::Secure | PinnedLevel::Verify))
        || rule.fallback == Fallback::Secure;
    if rule.ca_file.is_some() && !by_names {
        let words = format!(
            "[{}] ca_file has no effect: neither answer nor fallback is secure or verify",
            section.name
        );
        let at = reader.at(section, "ca_file");
        reader.warn(at, words);
    }
}

/// What the fallback waits for in vain.
fn check_fallback(reader: &mut Reader<'_>, section: &Section<'_>, rule: &Rule) {
    let name = &section.name;
    if rule.answer.is_some() && rule.mode != Mode::Opportunistic {
        let words = format!("[{name}] mode has no effect beside an answer; keep one of the two");
        let at = reader.at(section, "mode");
        reader.warn(at, words);
    } else if rule.fallback != Fallback::Defer && rule.mode != Mode::Mandatory {
        let words = format!("[{name}] fallback has no effect without mode = \"mandatory\"");
        let at = reader.at(section, "fallback");
        reader.warn(at, words);
    }
    if rule.fallback_on_insecure && rule.fallback == Fallback::Defer {
        let words = format!(
            "[{name}] fallback_on_insecure has no effect while fallback is \"defer\"; name another"
        );
        let at = reader.at(section, "fallback_on_insecure");
        reader.warn(at, words);
    }
}

/// OP-05: what no longer counts is told.
fn check_expiry(reader: &mut Reader<'_>, section: &Section<'_>, rule: &Rule) {
    if reader.now.is_some_and(|now| rule.is_expired(now)) {
        let words = format!(
            "[{}] has expired and no longer counts; remove it or give it a later time",
            section.name
        );
        let at = reader.at(section, "expires");
        reader.warn(at, words);
    }
}

fn fingerprints(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<String> {
    let mut good = Vec::new();
    for (text, at) in reader.texts(section, "fingerprints").unwrap_or_default() {
        let digits: String = text.chars().filter(|letter| *letter != ':').collect();
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex && matches!(digits.len(), SHA_256 | SHA_512) {
            good.push(text);
        } else {
            let words = format!(
                "[{}] fingerprints: {text:?} is no digest; write SHA-256 (64 digits) or SHA-512 \
                 (128 digits) in hexadecimal",
                section.name
            );
            reader.error(at, words);
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
                let words = format!(
                    "[{}] names: {text:?}: {why}; write \"mx.example.com\"",
                    section.name
                );
                reader.error(at, words);
            }
        }
    }
    good
}

/// A path as a policy of Postfix can hold it: what separates attributes there cannot be quoted.
fn ca_file(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    let (text, at) = reader
        .text(section, "ca_file")
        .filter(|(text, _)| !text.is_empty())?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if text.starts_with('/') && text.chars().all(is_plain) {
        return Some(text);
    }
    let words = format!(
        "[{}] ca_file = {text:?} cannot stand in a policy; write a whole path of letters, digits and \
         / . _ - + @, such as \"/etc/postfix/partner-ca.pem\"",
        section.name
    );
    reader.error(at, words);
    None
}

fn expires(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Timestamp> {
    let (text, at) = reader
        .text(section, "expires")
        .filter(|(text, _)| !text.is_empty())?;
    let read: Option<jiff::Timestamp> = text.parse().ok();
    let millis = read.and_then(|time| u64::try_from(time.as_millisecond()).ok());
    if millis.is_none() {
        let words = format!(
            "[{}] expires = {text:?} is no time; write \"2030-12-31T23:59:59Z\"",
            section.name
        );
        reader.error(at, words);
    }
    millis.map(Timestamp)
}

/// Digits of a SHA-256 digest.
const SHA_256: usize = 64;
/// Digits of a SHA-512 digest.
const SHA_512: usize = 128;
