//! What Postfix does under an answer, how strictly it reads one, and which safe one is best.

use crate::sts::is_domain;
use crate::{Floor, Host, Outcome, Permitted, Pins, Profile, State, Truth, candidates, pushed};

plain_data! {
    /// A reply over the socketmap protocol: no policy, so that the mail server's own level acts
    /// (PD-12); delay, with the reason; or a policy, with the elements of every `match=`.
    pub enum Reply { NotFound, Temp(String),
        Level { level: Level, matches: Vec<String>, attributes: Vec<(String, String)> } }
    /// Postfix's levels that a policy service may name; `none` is not among them.
    #[derive(Copy, PartialOrd)]
    pub enum Level { May, Encrypt, Dane, DaneOnly, Fingerprint, Verify, Secure }
    /// A host as the mail server itself sees it, by its own lookups.
    pub struct Seen<'a> { pub name: &'a str, pub mx_secure: bool, pub state: State }
}

/// Reads a reply's payload as strictly as Postfix; what it would defer on is an error.
pub fn parse_reply(payload: &str) -> Result<Reply, String> {
    let reply = match payload.split_once(' ').unwrap_or((payload, "")) {
        _ if payload.len() > 100_000 => None, // PF-02
        ("NOTFOUND", _) => Some(Reply::NotFound),
        ("TEMP", reason) => Some(Reply::Temp(reason.to_owned())),
        ("OK", policy) => parse_level(policy),
        _ => None, // PF-01: PERM, TIMEOUT and every other word
    };
    reply.ok_or_else(|| format!("Postfix defers on {payload:?}"))
}

fn parse_level(policy: &str) -> Option<Reply> {
    let mut depth = 0; // blanks and commas separate, but not within braces
    let words = policy.split(|part| {
        depth += i32::from(part == '{') - i32::from(part == '}');
        depth == 0 && ", \t\r\n".contains(part)
    });
    let mut words = words.filter(|word| !word.is_empty());
    let level = match words.next()?.to_ascii_lowercase().as_str() {
        "may" => Level::May,
        "encrypt" => Level::Encrypt,
        "dane" => Level::Dane,
        "dane-only" => Level::DaneOnly,
        "fingerprint" => Level::Fingerprint,
        "verify" => Level::Verify,
        "secure" => Level::Secure,
        _ => return None,
    };
    let typed = policy.contains("policy_type"); // PF-14: what the rest of that family needs
    let (mut matches, mut attributes) = (Vec::new(), Vec::<(String, String)>::new());
    for word in words {
        // Also, since 3.10: `{ name = value with blanks }`
        let inner = word.strip_prefix('{').map_or(Some(word), |rest| rest.strip_suffix('}'))?;
        let (name, value) = inner.split_once('=')?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
        let is_host = is_domain(&value.replace('_', "x")); // Postfix allows the underscore
        // PF-13, PF-14: whether it is valid at this level, and whether it may stand again. Postfix
        // also takes `policy_ttl` and `policy_failure`, which no answer may have (PF-13, PF-15)
        let (valid, again) = match name.as_str() {
            "match" => (level >= Level::Fingerprint, true),
            "tafile" => (level >= Level::Verify, true),
            "policy_string" | "mx_host_pattern" => (typed, true),
            "connection_reuse" | "enable_rpk" => (one_of(&["yes", "no"]), true),
            "ciphers" | "protocols" | "exclude" => (true, false),
            "policy_type" => (one_of(&["sts", "no-policy-found"]), false),
            "servername" => (is_host, false),
            "policy_domain" => (is_host && typed, false),
            _ => return None,
        };
        let balanced = word.matches('{').count() == word.matches('}').count();
        let repeated = !again && attributes.iter().any(|(earlier, _)| *earlier == name);
        if !valid || value.is_empty() || !balanced || repeated {
            return None;
        } else if name == "match" {
            let parts = value.split(if level == Level::Fingerprint { '|' } else { ':' });
            matches.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
        } else {
            attributes.push((name, value.to_owned()));
        }
    }
    // PF-10, PD-17: no list would mean a global one, or the names of the next hop
    let matching = !matches.is_empty() || level < Level::Fingerprint;
    matching.then_some(Reply::Level { level, matches, attributes })
}

/// What Postfix does with a host under a reply.
pub fn outcome(reply: &Reply, floor: Floor, seen: &Seen<'_>) -> Outcome {
    let next_hop = vec!["nexthop".to_owned()]; // as in smtp_tls_secure_cert_match
    let (level, matches) = match (reply, floor) {
        (Reply::Temp(_), _) => return Outcome::Skip,
        (Reply::NotFound, Floor::May) => (Level::May, &next_hop),
        (Reply::NotFound, Floor::Dane) => (Level::Dane, &next_hop),
        (Reply::NotFound, Floor::Encrypt) => (Level::Encrypt, &next_hop),
        (Reply::NotFound, Floor::Secure) => (Level::Secure, &next_hop),
        (Reply::Level { level, matches, .. }, _) => (*level, matches),
    };
    match (level, &seen.state) {
        (_, State::Unreachable | State::AddressFailed) => Outcome::Skip, // nowhere to connect to
        (Level::May, _) => Outcome::Clear,
        (Level::Encrypt, _) => Outcome::Encrypt,
        (Level::Dane, State::Usable(_)) => Outcome::Dane, // smtp_tls_dane_insecure_mx_policy = dane
        (Level::Dane, State::Unusable) => Outcome::Encrypt,
        (Level::Dane, State::NoneSecure | State::NoneInsecure) => Outcome::Clear,
        (Level::DaneOnly, State::Usable(_)) if seen.mx_secure => Outcome::Dane, // PF-07
        (Level::Dane | Level::DaneOnly, _) => Outcome::Skip,
        (Level::Fingerprint, state) => by_pins(matches, state),
        (Level::Verify | Level::Secure, _) => by_names(matches, seen.name),
    }
}

/// Under `fingerprint` a certificate passes that has any of the SHA-256 digests (PF-09).
fn by_pins(pins: &[String], state: &State) -> Outcome {
    let State::Usable(records) = state else { return Outcome::Skip };
    let pins: Vec<_> = pins.iter().map(|pin| pin.replace(':', "").to_ascii_lowercase()).collect();
    let hex = |data: &[u8]| data.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let pinned = records.iter().any(|at| (at.0, at.2) == (3, 1) && pins.contains(&hex(&at.3)));
    if pinned { Outcome::Dane } else { Outcome::Skip }
}

/// Under `secure` and `verify` a certificate passes that has any of the names.
pub(crate) fn by_names(matches: &[String], host: &str) -> Outcome {
    let names = |part: &String| {
        let below = part.starts_with('.') && host.ends_with(part.as_str()); // any depth (PF-12)
        below || part == "hostname" || part.eq_ignore_ascii_case(host)
    };
    match matches.iter().any(names) {
        _ if matches.iter().any(|part| part.ends_with("nexthop")) => Outcome::OwnNames, // PD-17
        true => Outcome::WebPki,
        false => Outcome::Skip,
    }
}

/// Whether no host of the set comes out weaker than its duty. A failed address lookup proves
/// nothing, and the mail server's own may fare better: such a host counts as failed (MX-13).
pub fn is_safe(truth: &Truth, reply: &Reply) -> bool {
    truth.hosts.iter().all(|host| {
        let state = Some(&host.state).filter(|state| **state != State::AddressFailed);
        truth.permits(&host.name, outcome_at(truth, reply, host, state.unwrap_or(&State::Failed)))
    })
}

/// The lowest preference that a reply delivers to, where the mail server sees the truth.
pub fn delivers_to(truth: &Truth, reply: &Reply) -> Option<u16> {
    delivered(truth, reply).map(|(host, _)| host.preference).min()
}

/// The hosts that a reply delivers to, and how.
pub(crate) fn delivered<'a>(
    truth: &'a Truth,
    reply: &'a Reply,
) -> impl Iterator<Item = (&'a Host, Outcome)> {
    let outcome = |host: &'a Host| (host, outcome_at(truth, reply, host, &host.state));
    truth.hosts.iter().map(outcome).filter(|(_, outcome)| *outcome != Outcome::Skip)
}

fn outcome_at(truth: &Truth, reply: &Reply, host: &Host, state: &State) -> Outcome {
    let seen = Seen { name: &host.name, mx_secure: truth.mx_secure(), state: state.clone() };
    match truth.site.profile {
        Profile::OwnDane => outcome(reply, truth.settings.floor, &seen),
        // DT-13a: whoever is `strict` counts with a mail server that resolves what we could not
        Profile::Pins(Pins { strict: true, .. }) => {
            pushed(truth, reply, &Host { state: state.clone(), ..host.clone() })
        }
        Profile::Pins(_) => pushed(truth, reply, host),
    }
}

/// The best tier that a safe answer can reach (the law, choice a and c); none: TEMP is right.
pub fn best_tier(truth: &Truth) -> Option<u16> {
    let replies: Vec<Reply> = candidates(truth).iter().map(Permitted::reply).collect();
    let safe = replies.iter().filter(|reply| is_safe(truth, reply));
    safe.filter_map(|reply| delivers_to(truth, reply)).min()
}
