//! Sendmail: how it asks us, and where its configuration would let mail go unprotected.
//!
//! * `answers`: what is seen only by asking.

mod answers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use hoplock_policy::profile::{OwnDane, Profile};

pub(super) use self::answers::answers;
use super::Findings;
use super::table::{Ours, is_wildcard, ours_of};
use crate::adapters::sendmail::{Abilities, Map, Rule, Settings};
use crate::config::{Config, Endpoint};

/// Everything that its settings show; false where Sendmail does not ask hoplock.
pub(super) fn settings(
    findings: &mut Findings,
    settings: &Settings,
    abilities: &Abilities,
    config: &Config,
) -> bool {
    let before = findings.0.len();
    if !compiled(findings, abilities) {
        return false;
    }
    let Some(sts) = settings.map_named(STS) else {
        findings.problem(
            "sendmail",
            "Sendmail does not ask hoplock",
            format!(
                "in sendmail.mc, as in docs/sendmail.md: FEATURE(`sts', `socket -d5 -T<TMPF> {}')dnl",
                place_to_ask(config)
            ),
        );
        return false;
    };
    map(findings, STS, sts, config);
    if let Some(verifier) = settings.map_named(VERIFIER) {
        map(findings, VERIFIER, verifier, config);
    }
    options(findings, settings);
    let is_checked = session_check(findings, settings);
    if let Some(profile) = config.profiles.get("sendmail") {
        abilities_as_told(findings, settings, abilities, profile, is_checked);
    }
    if !settings.smart_host.is_empty() {
        findings.advice(
            "sendmail-smart-host",
            format!(
                "all mail goes to {}, and hoplock is asked about the domain of the recipient",
                settings.smart_host
            ),
            "demand TLS of the relay in the access map (TLS_Srv:), and give it a rule of its own",
        );
    }
    if findings.0.len() == before {
        findings.fine(
            "sendmail",
            "Sendmail asks hoplock, and nothing goes around its answers",
        );
    }
    true
}

/// What it must have been built with.
fn compiled(findings: &mut Findings, abilities: &Abilities) -> bool {
    let needed = ["SOCKETMAP", "STARTTLS", "_FFR_MTA_STS"];
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|feature| !abilities.has(feature))
        .collect();
    if !missing.is_empty() {
        findings.problem(
            "sendmail-features",
            format!("this Sendmail is built without {}", missing.join(", ")),
            "use one of Debian 12 or later, or build it with them",
        );
    }
    missing.is_empty()
}

/// A map must be asked where hoplock listens, and must not take trouble for "not found".
fn map(findings: &mut Findings, name: &str, map: &Map, config: &Config) {
    let line = format!("socket -d5 -T<TMPF> {}", place_to_ask(config));
    let cure = if name == STS {
        format!("in sendmail.mc: FEATURE(`sts', `{line}')dnl")
    } else {
        format!("in sendmail.mc: K{name} {line}")
    };
    let asked = map.endpoint().and_then(|place| Endpoint::parse(&place));
    let ours = asked.map_or(Ours::No, |asked| ours_of(&asked, &config.listen.socketmap));
    if map.class != "socket" || ours == Ours::No {
        findings.problem(
            "sendmail-socket",
            format!(
                "the map {name} is asked at {} {}, where hoplock does not listen for it",
                map.class, map.place
            ),
            &cure,
        );
    }
    if map.flag('T') != Some("<TMPF>") {
        findings.problem(
            "sendmail-tempfail",
            format!(
                "the map {name} has no -T<TMPF>: trouble looks like \"not found\", and mail goes out \
                 unprotected"
            ),
            &cure,
        );
    }
    let patience = map.flag('d').map(|seconds| seconds.trim_end_matches('s'));
    match patience.and_then(|seconds| seconds.parse::<u32>().ok()) {
        Some(seconds) if seconds >= PATIENCE => {}
        Some(seconds) => findings.problem(
            "sendmail-timeout",
            format!(
                "the map {name} gives hoplock {seconds} seconds, which takes up to 4 where much must be \
                 looked up: mail waits"
            ),
            &cure,
        ),
        None => findings.problem(
            "sendmail-timeout",
            format!("the map {name} has no -d5: a daemon that hangs holds Sendmail up"),
            &cure,
        ),
    }
    let known = ['T', 'd', 'f', 'q'];
    let others: BTreeSet<char> = map.flags.iter().map(|(flag, _)| *flag).collect();
    let others: Vec<String> = others
        .into_iter()
        .filter(|flag| !known.contains(flag))
        .map(|flag| format!("-{flag}"))
        .collect();
    if !others.is_empty() {
        findings.problem(
            "sendmail-map-flags",
            format!(
                "the map {name} has {}: its answers are changed, or (-o) missing ones pass for \"not \
                 found\"",
                others.join(" ")
            ),
            &cure,
        );
    }
}

/// Where a map should be asked.
fn place_to_ask(config: &Config) -> String {
    let mut listening = config.listen.socketmap.iter();
    let place = listening.find_map(|endpoint| match endpoint {
        Endpoint::Unix(path) => Some(format!("unix:{}", path.display())),
        Endpoint::Inet(address) => {
            let (host, port) = address.rsplit_once(':')?;
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            Some(match (is_wildcard(host), bare.contains(':')) {
                (true, _) => format!("inet:{port}@127.0.0.1"),
                (false, true) => format!("inet6:{port}@{bare}"),
                (false, false) => format!("inet:{port}@{bare}"),
            })
        }
        Endpoint::Systemd(_) => None,
    });
    place.unwrap_or_else(|| "inet:8425@127.0.0.1".to_owned())
}

/// Options that an answer rests on.
fn options(findings: &mut Findings, settings: &Settings) {
    for (name, effect) in [
        (
            "StrictTransportSecurity",
            "Sendmail does not obey what hoplock answers",
        ),
        (
            "SetCertAltnames",
            "no certificate has a name, and destinations with MTA-STS wait",
        ),
    ] {
        if !settings.is_on(name) {
            findings.problem(
                name,
                format!("{name} is not set: {effect}"),
                "FEATURE(`sts', …) in sendmail.mc sets it",
            );
        }
    }
    if settings.is_on("TLSFallbacktoClear") {
        findings.problem(
            "TLSFallbacktoClear",
            "a handshake that failed is tried again in clear text",
            "in sendmail.mc: remove confTLS_FALLBACK_TO_CLEAR",
        );
    }
    if settings.get("CACertFile").is_empty() && settings.get("CACertPath").is_empty() {
        findings.problem(
            "CACertFile",
            "no authority is trusted: destinations with MTA-STS in mode enforce will wait",
            "in sendmail.mc: define(`confCACERT', `/etc/ssl/certs/ca-certificates.crt')dnl",
        );
    }
}

/// Whether each session is asked about; and whether anything but the whole good answer refuses it.
fn session_check(findings: &mut Findings, settings: &Settings) -> bool {
    let rules = settings.ruleset(RULESET);
    let Some(asking) = rules
        .iter()
        .position(|rule| rule.right.contains("$(verifier "))
    else {
        return false;
    };
    if settings.map_named(VERIFIER).is_none() {
        findings.problem(
            "sendmail-verifier",
            format!("{RULESET} asks a map verifier that is not there"),
            "Kverifier as in docs/sendmail.md",
        );
    }
    if let Some(why) = not_closed(rules, asking) {
        findings.problem(
            "sendmail-ruleset",
            format!("{RULESET} {why}"),
            "its lines as in docs/sendmail.md",
        );
    }
    for name in GREETED {
        if !greets(settings, name) {
            findings.problem(
                "sendmail-greeting",
                format!(
                    "{name} does not greet hoplock (`verifier hello`): where something else answers at \
                     its port, Sendmail gives mail back before RCPT"
                ),
                "its lines as in docs/sendmail.md",
            );
        }
    }
    if !settings
        .get("CertFingerprintAlgorithm")
        .eq_ignore_ascii_case("sha256")
    {
        findings.problem(
            "CertFingerprintAlgorithm",
            "the digest of a certificate is not SHA-256, and no session with DANE can be judged",
            "in sendmail.mc: define(`confCERT_FINGERPRINT_ALGORITHM', `sha256')dnl",
        );
    }
    true
}

/// Whether a ruleset asks for the greeting, itself or by the one that it calls.
fn greets(settings: &Settings, name: &str) -> bool {
    let says = |rules: &[Rule]| rules.iter().any(|rule| rule.right.contains(GREETING));
    let rules = settings.ruleset(name);
    let called = rules
        .iter()
        .filter_map(|rule| rule.right.split_once("$>"))
        .filter_map(|(_, called)| called.split_ascii_whitespace().next());
    says(rules) || called.map(|name| settings.ruleset(name)).any(says)
}

/// Why a ruleset would let a session pass that hoplock did not answer `ok` for.
fn not_closed(rules: &[Rule], asking: usize) -> Option<&'static str> {
    let (before, after) = rules.split_at_checked(asking)?;
    let (asks, after) = after.split_first()?;
    let ends = |rule: &&Rule| rule.right.starts_with("$@");
    if before.iter().any(|rule| ends(&rule)) || asks.left != "$*" {
        return Some("lets sessions pass before it asks");
    }
    let not_found = asks.right.rsplit_once("$:").map(|(_, rest)| rest);
    let not_found = not_found.and_then(|rest| rest.trim().strip_suffix("$)"));
    if not_found.is_none_or(|word| word.trim().eq_ignore_ascii_case("ok")) {
        return Some("takes an answer that is not there for a good one");
    }
    if after
        .iter()
        .filter(ends)
        .any(|rule| !rule.left.eq_ignore_ascii_case("ok"))
    {
        return Some("lets sessions pass for more than the whole answer \"ok\"");
    }
    let refuses = |rule: &Rule| rule.left == "$*" && rule.right.starts_with("$#error");
    if !after.last().is_some_and(refuses) {
        return Some("does not refuse what is left over");
    }
    let bounces = after
        .iter()
        .any(|rule| rule.right.starts_with("$#error $@ 5") || rule.right.contains("\"5"));
    bounces.then_some("bounces what it refuses")
}

/// What the profile says of this Sendmail must be true: it is relied on.
fn abilities_as_told(
    findings: &mut Findings,
    settings: &Settings,
    abilities: &Abilities,
    profile: &Profile,
    is_checked: bool,
) {
    let name = &profile.name;
    let option = settings.get("DANE");
    let does_dane = abilities.has("DANE") && (settings.is_on("DANE") || option == "always");
    match (profile.verifier, is_checked) {
        (true, false) => findings.problem(
            "sendmail-session-check",
            format!(
                "[profile.{name}] verifier = true, and Sendmail asks about no session: destinations that \
                 owe more than MTA-STS go unprotected"
            ),
            format!("the session check of docs/sendmail.md; or [profile.{name}] verifier = false"),
        ),
        (false, true) => findings.advice(
            "sendmail-session-check",
            format!(
                "Sendmail asks about each session, and [profile.{name}] does not say so: mail waits that \
                 need not"
            ),
            format!("[profile.{name}] verifier = true"),
        ),
        _ => {}
    }
    match (profile.own_dane, does_dane) {
        (OwnDane::Yes, false) => findings.problem(
            "sendmail-dane",
            format!(
                "[profile.{name}] own_dane = \"yes\", and this Sendmail does no DANE ({}): destinations \
                 with DANE are left to it, and go unprotected",
                if abilities.has("DANE") {
                    "O DANE is not set"
                } else {
                    "it is built without"
                }
            ),
            if abilities.has("DANE") {
                "in sendmail.mc: define(`confDANE', `true')dnl".to_owned()
            } else {
                format!(
                    "[profile.{name}] own_dane = \"no\", and the session check of docs/sendmail.md with \
                     verifier = true"
                )
            },
        ),
        (OwnDane::Auto | OwnDane::No, true) if !profile.verifier => findings.advice(
            "sendmail-dane",
            format!(
                "this Sendmail does DANE, and [profile.{name}] does not say so: destinations with DANE wait"
            ),
            format!("[profile.{name}] own_dane = \"yes\", once its resolver validates"),
        ),
        (OwnDane::Auto | OwnDane::No, false) if !profile.verifier && !is_checked => findings.advice(
            "sendmail-dane",
            "without DANE of its own and without the session check, destinations with DANE wait",
            format!(
                "the session check of docs/sendmail.md, with [profile.{name}] verifier = true"
            ),
        ),
        _ => {}
    }
}

/// The name that FEATURE(`sts') gives its map.
pub(super) const STS: &str = "sts";
const VERIFIER: &str = "verifier";
const RULESET: &str = "Local_tls_rcpt";
/// Rulesets of every session, with TLS or without, before there is a recipient to give back.
const GREETED: [&str; 2] = ["Local_try_tls", "Local_tls_server"];
const GREETING: &str = "$(verifier hello ";
/// Seconds that a map must have: hoplock answers within four.
const PATIENCE: u32 = 5;
