//! MTA-STS: the record, the policy, and which policy is in force.

use crate::{Answer, Data, Name, Question, Type, World};

plain_data! {
    /// A valid policy: what it wants done, its `mx` values as written, its life in seconds.
    pub struct Policy { pub mode: Mode, pub patterns: Vec<Name>, pub max_age: u64 }
    /// What a policy wants done (RFC 8461, 5).
    #[derive(Copy)] pub enum Mode { Enforce, Testing, None }
}

/// The white space of the grammars (RFC 5234, B.1).
const WSP: [char; 2] = [' ', '\t'];

/// The policy in force: the live one, else the unexpired one from earlier (RFC 8461, 3.3, 5.1).
pub(crate) fn in_force(world: &World, domain: &str, question: &Question) -> Option<Policy> {
    let (old, old_id) = (question.remembered.as_ref(), question.remembered_id.as_ref());
    let live = match published_id(world, domain) {
        Some(id) if old.is_some() && old_id == Some(&id) => None, // ST-05: the same policy
        Some(_) => fetch(world, domain), // ST-13: a failed fetch is no policy, never a delay
        None => None,                    // ST-04, ST-14: evicts nothing and delays nothing
    };
    live.or_else(|| old.cloned()) // ST-24: a live `none` or `testing` replaces an old `enforce`
}

fn published_id(world: &World, domain: &str) -> Option<String> {
    let owner = format!("_mta-sts.{domain}"); // RFC 8461, 3.1, 3.4; ST-01, ST-26
    let Answer::Records { data, .. } = world.lookup(&owner, Type::Txt) else { return None };
    let mut records = data.iter().filter_map(|data| {
        let Data::Txt(strings) = data else { return None };
        // RFC 8461, 3.1; ST-02: joined as they are; "begins with `v=STSv1;`", blanks as in ABNF
        let text = String::from_utf8_lossy(&strings.concat()).into_owned();
        let rest = text.strip_prefix("v=STSv1")?.trim_start_matches(WSP);
        rest.strip_prefix(';').map(str::to_owned)
    });
    let only = records.next()?;
    if records.next().is_none() { record_id(&only) } else { None }
}

/// The `id`, where the fields follow the grammar of RFC 8461, 3.1 to the letter (ST-03).
fn record_id(fields: &str) -> Option<String> {
    let ended = fields.trim_end_matches(WSP).strip_suffix(';'); // one delimiter may end it
    let fields = ended.map_or(fields, |fields| fields.trim_end_matches(WSP));
    let mut id = None;
    for field in fields.split(';') {
        let (name, value) = field.trim_matches(WSP).split_once('=')?;
        let is_value = |byte| matches!(byte, 0x21..=0x3a | 0x3c | 0x3e..=0x7e);
        if !is_field_name(name) || value.is_empty() || !value.bytes().all(is_value) {
            return None;
        }
        id = id.or((name == "id").then_some(value)); // RFC 8461, 3.2: the first of a kind counts
    }
    let is_id = |id: &&str| id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    id.filter(|id| is_id(id) && !fields.ends_with(WSP)).map(str::to_owned)
}

fn is_field_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let starts = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    starts && name.len() <= 32 && name.bytes().all(is_part)
}

fn fetch(world: &World, domain: &str) -> Option<Policy> {
    let host = world.policy_hosts.iter().find(|host| host.domain == domain)?;
    let media_type = host.media_type.split(';').next()?.trim_matches(WSP);
    let valid = host.certificate_valid // RFC 8461, 3.3; ST-07
        && host.status == 200 // RFC 8461, 3.3; ST-08: no redirect either
        && media_type.eq_ignore_ascii_case("text/plain") // RFC 8461, 3.2; ST-10
        && host.body.len() <= 64 * 1024; // RFC 8461, 3.3; ST-11
    if valid { parse_policy(&host.body) } else { None }
}

/// A policy that follows the grammar of RFC 8461, 3.2 to the letter (ST-15 to ST-19).
pub fn parse_policy(body: &[u8]) -> Option<Policy> {
    let text = std::str::from_utf8(body).ok()?.replace("\r\n", "\n");
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        let (name, value) = line.split_once(':')?;
        let value = value.trim_matches(WSP);
        let is_value = |part| matches!(part, ' '..='\u{7e}' | '\u{80}'..);
        if !is_field_name(name) || value.is_empty() || !value.chars().all(is_value) {
            return None;
        }
        fields.push((name, value));
    }
    let all = |wanted| fields.iter().filter(move |field| field.0 == wanted).map(|field| field.1);
    let first = |wanted| all(wanted).next(); // ST-15: of a repeated field the first counts
    let mode = match first("mode")? {
        "enforce" => Mode::Enforce,
        "testing" => Mode::Testing,
        "none" => Mode::None,
        _ => return None, // ST-17
    };
    let age = first("max_age").filter(|age| age.len() <= 10 && !age.starts_with('+'))?;
    let max_age = age.parse::<u64>().ok()?.min(31_557_600); // RFC 8461, 3.2; ST-18: cut to a year
    let patterns: Vec<Name> = all("mx").map(str::to_owned).collect();
    let mut domains = all("mx").map(|value| value.strip_prefix("*.").unwrap_or(value));
    let is_address = |domain: &str| domain.parse::<std::net::Ipv4Addr>().is_ok();
    let named = domains.all(|domain| is_domain(domain) && !is_address(domain)) // ST-19
        && (mode == Mode::None || !patterns.is_empty()); // ST-16
    (first("version")? == "STSv1" && named).then_some(Policy { mode, patterns, max_age })
}

/// `Domain` of RFC 5321, 4.1.2, within the lengths of RFC 1035, 2.3.4.
pub(crate) fn is_domain(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let fits = |label: &str| (1..=63).contains(&label.len()) && label.trim_matches('-') == label;
    name.len() <= 253 && name.bytes().all(is_part) && name.split('.').all(fits)
}

/// RFC 8461, 4.1; ST-20: equal, or a wildcard that stands for exactly the first label.
pub fn covers(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix("*.") {
        Some(top) => host.split_once('.').is_some_and(|(_, rest)| rest == top),
        None => pattern == host,
    }
}
