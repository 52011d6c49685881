//! `[guard]` and `[[guard.rules]]`: what is done with messages when they are handed in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::guard::{Guard, GuardRule, Protection, SenderPattern};
use hoplock_policy::name::DomainName;
use hoplock_policy::profile::Profile;
use hoplock_policy::rules::RulePattern;
use hoplock_wire::delegation::Filter;
use hoplock_wire::header_field::HeaderField;
use toml::de::DeValue;

use super::keys::{GUARD_RULE_KEYS, Key};
use super::reader::{Reader, Section, Value};
use super::rules::pattern;
use super::types::Listen;
use super::words;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardConfig {
    /// The profile by whose answers a destination is judged.
    pub profile: String,
    /// The longest wait for one recipient.
    pub deadline: Duration,
    /// What is done where nothing is known in time.
    pub on_trouble: OnTrouble,
    /// When a milter decides.
    pub decide_at: DecideAt,
    /// The name of the header field that records the expected protection; none: no such field.
    pub header: Option<String>,
    /// The next hop is judged that a milter's client names, and not the recipient's domain.
    pub by_next_hop: bool,
    /// Recipients whose mail does not leave: they are let go.
    pub own_domains: Vec<RulePattern>,
    /// The rules, and what REQUIRETLS asks for.
    pub guard: Guard<Order>,
}

/// What is done where hoplock does not know in time, or cannot read what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTrouble {
    /// Let go: what the destination owes is seen to when the mail leaves.
    Dunno,
    /// Refuse for now.
    Defer,
}

/// When a milter decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecideAt {
    /// At each recipient, before the message is seen.
    Rcpt,
    /// At the end of the message, for all its recipients.
    End,
}

/// What a rule has done. Empty words stand for those that are made of what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Let go.
    Dunno,
    /// Refuse for now, in these words.
    Defer(String),
    /// Refuse for good, in these words.
    Reject(String),
    /// Let wait until somebody releases it, for this cause.
    Hold(String),
    /// Let go, with these words in the mail server's log.
    Warn(String),
    /// Let go that way.
    Filter(Filter),
    /// Let go, with this field.
    Prepend(HeaderField),
}

impl Order {
    /// The word of the key `action`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Dunno => "dunno",
            Self::Defer(_) => "defer",
            Self::Reject(_) => "reject",
            Self::Hold(_) => "hold",
            Self::Warn(_) => "warn",
            Self::Filter(_) => "filter",
            Self::Prepend(_) => "prepend",
        }
    }

    /// The value of the key `text`.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Dunno => String::new(),
            Self::Defer(words) | Self::Reject(words) | Self::Hold(words) | Self::Warn(words) => {
                words.clone()
            }
            Self::Filter(way) => way.to_string(),
            Self::Prepend(field) => field.to_string(),
        }
    }
}

/// Reads the section.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    listen: &Listen,
    profiles: &HashMap<String, Arc<Profile>>,
) -> GuardConfig {
    let config = GuardConfig {
        profile: profile(reader, section, profiles),
        deadline: deadline(reader, section),
        on_trouble: reader
            .choice(section, "on_trouble", words::ON_TROUBLE)
            .unwrap_or(OnTrouble::Dunno),
        decide_at: reader
            .choice(section, "decide_at", words::DECIDE_AT)
            .unwrap_or(DecideAt::Rcpt),
        header: header(reader, section),
        by_next_hop: reader.boolean(section, "by_next_hop").unwrap_or(false),
        own_domains: listed(reader, section, "own_domains", |text| {
            pattern(text).map_err(|why| format!("is no domain: {why}"))
        }),
        guard: Guard {
            rules: rules(reader, section),
            requiretls: reader
                .choice(section, "requiretls", words::ON_REQUIRE_TLS)
                .unwrap_or_default(),
        },
    };
    let listens = !listen.policy.is_empty() || !listen.milter.is_empty();
    let judging = profiles.get(&config.profile);
    if listens && judging.is_some_and(|profile| profile.bypass) {
        let words = format!(
            "[guard] profile = {:?} is for messages that do without protection, and judges all others like \
             them; write the one by which those are sent",
            config.profile
        );
        let at = reader.at(section, "profile");
        reader.warn(at, words);
    }
    let is_filter = |rule: &GuardRule<Order>| matches!(rule.action, Order::Filter(_));
    if !listen.milter.is_empty() && config.guard.rules.iter().any(is_filter) {
        let at = reader.at(section, "rules");
        let words = "[guard] rules: action = \"filter\" cannot be said to a milter's client; leave \
                     [listen] milter empty and use [listen] policy, or use another action";
        reader.error(at, words);
    }
    config
}

fn profile(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    profiles: &HashMap<String, Arc<Profile>>,
) -> String {
    let Some((name, at)) = reader.text(section, "profile") else {
        return PROFILE.to_owned();
    };
    if !profiles.contains_key(&name) {
        // A name that is no name is told elsewhere, and may hold anything.
        let is_plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_graphic());
        let names = profiles.keys().map(String::as_str);
        let mut known: Vec<&str> = names.filter(is_plain).collect();
        known.sort_unstable();
        let words = format!(
            "[guard] profile = {name:?}: there is no such profile; there are {}",
            known.join(", ")
        );
        reader.error(at, words);
    }
    name
}

/// Sendmail waits for ten seconds, and nobody at a screen for much longer.
fn deadline(reader: &mut Reader<'_>, section: &Section<'_>) -> Duration {
    let Some(deadline) = reader.duration(section, "deadline") else {
        return DEADLINE;
    };
    if deadline > LONGEST_DEADLINE {
        let words = format!(
            "[guard] deadline: mail servers do not wait that long; write \"{}s\" or less",
            LONGEST_DEADLINE.as_secs()
        );
        let at = reader.at(section, "deadline");
        reader.error(at, words);
    }
    deadline
}

fn header(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    let (name, at) = reader.text(section, "header")?;
    if name.is_empty() {
        return None;
    }
    if HeaderField::new(&name, "x").is_err() {
        let words = format!(
            "[guard] header = {name:?} is no name of a header field; write \"Hoplock-Protection\", or \
             \"\" for none"
        );
        reader.error(at, words);
    }
    Some(name)
}

fn rules(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<GuardRule<Order>> {
    let Some(value) = reader.value(section, "rules") else {
        return Vec::new();
    };
    let at = value.span().start;
    let DeValue::Array(array) = value.get_ref() else {
        reader.error(
            at,
            "[guard] rules: begin each with [[guard.rules]] on a line of its own",
        );
        return Vec::new();
    };
    let known: Vec<&Key<GuardRule<Order>>> = GUARD_RULE_KEYS.iter().collect();
    let mut rules = Vec::new();
    for item in array {
        let at = item.span().start;
        let DeValue::Table(table) = item.get_ref() else {
            reader.error(
                at,
                "[guard] rules: begin each with [[guard.rules]] on a line of its own",
            );
            continue;
        };
        let section = Section {
            name: "[guard.rules]".to_owned(),
            table: Some(table),
        };
        reader.check_keys(&section, "guard", &known);
        rules.extend(rule(reader, &section, at));
    }
    rules
}

fn rule(reader: &mut Reader<'_>, section: &Section<'_>, at: usize) -> Option<GuardRule<Order>> {
    let recipients = each(reader, section, "recipient", |text| {
        pattern(text).map_err(|why| format!("is no recipient's domain: {why}"))
    });
    let senders = each(reader, section, "sender", sender);
    let users = each(reader, section, "user", |text| match text {
        "" => Err("is no user; leave the key out for all".to_owned()),
        _ => Ok(text.to_owned()),
    });
    let protection = each(reader, section, "protection", |text| {
        let words = || Protection::ALL.map(Protection::word).join(", ");
        let found = Protection::ALL.into_iter().find(|own| own.word() == text);
        found.ok_or_else(|| format!("is not one of {}", words()))
    });
    let action = action(reader, section, at)?;
    // FT-01: a lookup that failed may succeed a minute later.
    if matches!(action, Order::Reject(_)) && protection.contains(&Protection::Unknown) {
        let words = format!(
            "[{}] protection: what is unknown now may be known soon, and is not refused for good; write \
             action = \"defer\" in a rule of its own",
            section.name
        );
        let at = reader.at(section, "protection");
        reader.error(at, words);
    }
    Some(GuardRule {
        recipients,
        senders,
        users,
        protection,
        action,
    })
}

/// The values of a condition, each read by itself.
fn each<T>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let is_empty = |value: Value<'_>| match value.get_ref() {
        DeValue::Array(array) => array.is_empty(),
        _ => false,
    };
    if reader.value(section, key).is_some_and(is_empty) {
        // An empty list could be meant for nobody, and would be for everybody.
        let at = reader.at(section, key);
        reader.error(
            at,
            format!("[{}] {key} is empty; leave it out for all", section.name),
        );
    }
    listed(reader, section, key, read)
}

fn listed<T>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let mut values = Vec::new();
    for (text, at) in reader.texts(section, key).unwrap_or_default() {
        match read(&text) {
            Ok(value) => values.push(value),
            Err(why) => reader.error(at, format!("[{}] {key}: {text:?} {why}", section.name)),
        }
    }
    values
}

fn sender(text: &str) -> Result<SenderPattern, String> {
    let name = |text: &str| {
        DomainName::parse(text).map_err(|why| {
            format!(
                "is no sender: {why}; write \"boss@example.com\", \"example.com\", \".example.com\" or \
                 \"<>\""
            )
        })
    };
    if text == "<>" {
        return Ok(SenderPattern::Null);
    }
    match text.rsplit_once('@') {
        Some(("", domain)) => name(domain).map(SenderPattern::Domain),
        Some((local_part, domain)) => {
            name(domain).map(|domain| SenderPattern::Mailbox(local_part.to_lowercase(), domain))
        }
        None => match text.strip_prefix('.') {
            Some(domain) => name(domain).map(SenderPattern::Below),
            None => name(text).map(SenderPattern::Domain),
        },
    }
}

fn action(reader: &mut Reader<'_>, section: &Section<'_>, at: usize) -> Option<Order> {
    let name = &section.name;
    let text = reader.text(section, "text");
    let (words, text_at) = text.unwrap_or_default();
    if reader.value(section, "action").is_none() {
        reader.error(
            at,
            format!("[{name}] has no action; write action = \"reject\" or another"),
        );
        return None;
    }
    let order = match reader.choice(section, "action", words::GUARD_ACTIONS)? {
        "dunno" => {
            if !words.is_empty() {
                let why = "is told to nobody; leave it out, or use action = \"warn\"";
                reader.error(text_at, format!("[{name}] text of dunno {why}"));
            }
            Order::Dunno
        }
        "defer" => Order::Defer(words),
        "reject" => Order::Reject(words),
        "hold" => Order::Hold(words),
        "warn" => Order::Warn(words),
        "filter" => match Filter::parse(&words) {
            Ok(way) => Order::Filter(way),
            Err(why) => {
                let cure = "write text = \"smtp:[gateway.example]:25\"";
                reader.error(
                    text_at.max(at),
                    format!("[{name}] text of filter: {why}; {cure}"),
                );
                return None;
            }
        },
        _ => match field(&words) {
            Ok(field) => Order::Prepend(field),
            Err(why) => {
                let cure = "write text = \"Name: value\"";
                reader.error(
                    text_at.max(at),
                    format!("[{name}] text of prepend: {why}; {cure}"),
                );
                return None;
            }
        },
    };
    Some(order)
}

fn field(text: &str) -> Result<HeaderField, String> {
    let (name, value) = text.split_once(':').unwrap_or((text, ""));
    HeaderField::new(name.trim(), value).map_err(|why| why.to_string())
}

/// How most of those send who ask at submission.
const PROFILE: &str = "postfix";
/// Below the ten seconds of Sendmail.
const DEADLINE: Duration = Duration::from_secs(8);
/// Postfix waits for 100 s for a policy service, and for 30 s for a milter; what is in hand when the daemon
/// ends must be answered by then.
const LONGEST_DEADLINE: Duration = Duration::from_secs(20);
