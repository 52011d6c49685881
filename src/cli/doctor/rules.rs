//! Rules of the operator: whether they would ever count, and whether the mail server can be told what they
//! say (OP-05).

use std::path::Path;

use hoplock_policy::law::{LawOptions, decide_without_lookup};
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{OwnDaneSeen, Profile};
use hoplock_policy::render::render;
use hoplock_policy::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern, Rules};
use serde_json::Value;

use super::super::status::{list, observing, text};
use super::Findings;
use super::files::holds_certificates;
use crate::config::Config;

/// Rules of the configuration, for the mail servers of these profiles.
pub(super) fn of_configuration(
    findings: &mut Findings,
    config: &Config,
    profiles: &[&str],
    now: Timestamp,
) {
    let live = || config.rules.iter().filter(|rule| !rule.is_expired(now));
    let before = findings.0.len();
    for rule in live() {
        never(findings, rule);
        bare_name(findings, rule, &config.rules);
        authorities(findings, rule);
        for name in profiles {
            let built_in = Profile::built_in(name);
            let own = config.profiles.get(*name).map(|own| Profile::clone(own));
            if let Some(profile) = own.or(built_in) {
                unsaid(findings, rule, &profile, now);
            }
        }
    }
    let count = live().count();
    if count > 0 && findings.0.len() == before {
        let rules = if count == 1 { "rule" } else { "rules" };
        findings.fine("rules", format!("{count} {rules}, each for somebody"));
    }
}

/// What the running daemon makes of them.
pub(super) fn of_daemon(findings: &mut Findings, status: &Value) {
    if let Some(words) = observing(status) {
        findings.advice(
            "observing",
            words,
            "`hoplock rule list` shows the rule; when enough was seen, remove it",
        );
    }
    for rule in list(status, "/rules") {
        if text(rule, "/standing") == "overlaid" {
            findings.advice(
                "rule-overlaid",
                format!(
                    "rule {:?} of the configuration does not count: one added at run time stands in its \
                     place",
                    text(rule, "/pattern")
                ),
                format!("hoplock rule remove '{}' ends that", text(rule, "/pattern")),
            );
        }
    }
}

/// A name that no query has.
fn never(findings: &mut Findings, rule: &Rule) {
    let RulePattern::Exact(name) = &rule.pattern else {
        return;
    };
    // NX-03: local names are never asked about.
    if let NextHop::NotADomain(_) = NextHop::parse(name.as_str()) {
        findings.advice(
            "rule-never-counts",
            format!("rule \"{name}\" is for no destination: {name} is no mail domain"),
            format!("write a whole domain, or \".{name}\" for all below it"),
        );
    }
}

/// `.example.com` is for what is below it, and people mean it for example.com as well.
fn bare_name(findings: &mut Findings, rule: &Rule, rules: &Rules) {
    let RulePattern::Suffix(name) = &rule.pattern else {
        return;
    };
    let is_domain = matches!(NextHop::parse(name.as_str()), NextHop::Domain { .. });
    let has_own = rules
        .iter()
        .any(|own| own.pattern == RulePattern::Exact(name.clone()));
    if is_domain && !has_own {
        findings.advice(
            "rule-suffix",
            format!("rule \".{name}\" is for names below {name}, and not for {name} itself"),
            format!("write [rules.\"{name}\"] too, where it is meant"),
        );
    }
}

/// OP-05: without its file a level that rests on it makes mail wait.
fn authorities(findings: &mut Findings, rule: &Rule) {
    const CHECK: &str = "rule-ca-file";
    let Some(file) = rule.authorities() else {
        return;
    };
    let cure = "name a PEM file that Postfix can read, inside its chroot where smtp(8) has one";
    match holds_certificates(Path::new(file)) {
        Ok(true) => {}
        Ok(false) => findings.problem(CHECK, format!("{file} holds no certificate"), cure),
        Err(error) => findings.problem(CHECK, format!("{file} cannot be read: {error}"), cure),
    }
}

/// PD-11: a level that the mail server cannot be told makes its mail wait.
fn unsaid(findings: &mut Findings, rule: &Rule, profile: &Profile, now: Timestamp) {
    let fallback = match (rule.mode, rule.fallback) {
        (Mode::Mandatory, Fallback::Fingerprint) => Some(PinnedLevel::Fingerprint),
        (Mode::Mandatory, Fallback::Secure) => Some(PinnedLevel::Secure),
        (Mode::Mandatory, Fallback::Encrypt) => Some(PinnedLevel::Encrypt),
        _ => None,
    };
    let (level, said) = match (rule.answer, fallback) {
        (Some(PinnedLevel::Defer), _) | (None, None) => return,
        (Some(level), _) => (level, "its answer"),
        (None, Some(level)) => (level, "its fallback"),
    };
    // The rule alone, for a name that it covers.
    let rule_alone = Rule {
        pattern: RulePattern::Any,
        answer: Some(level),
        ..rule.clone()
    };
    let rules = Rules::new(vec![rule_alone]);
    let now = Moment {
        wall: now,
        ..Moment::default()
    };
    let next_hop = NextHop::parse("example.com");
    let options = LawOptions::default();
    // Whether its own DANE works is looked at, and told, elsewhere.
    let seen = OwnDaneSeen::Works;
    let verdict = decide_without_lookup(&next_hop, &rules, profile, &options, seen, now);
    let Some(rendered) = verdict.map(|verdict| render(&verdict, profile)) else {
        return;
    };
    if rendered.waits() {
        let why = rendered.to_string();
        let why = why.split_once(": ").map_or("", |(_, words)| words);
        findings.problem(
            "rule-unsayable",
            format!(
                "rule \"{}\": {} cannot be said to {} ({why}): its mail waits",
                rule.pattern,
                said,
                profile.family.mta()
            ),
            format!("give a level that profile {} can express", profile.name),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn said(text: &str, profiles: &[&str]) -> Vec<(&'static str, State)> {
        let config = Config::parse(text, &[]).0.unwrap();
        let mut findings = Findings::default();
        of_configuration(
            &mut findings,
            &config,
            profiles,
            Timestamp(1_793_491_200_000),
        );
        let found = findings.0.into_iter();
        found.map(|own| (own.check, own.state)).collect()
    }

    /// OP-05, PD-11: what never counts, what people mean otherwise, and what a mail server cannot be told.
    #[test]
    fn rules_that_do_not_do_what_they_say() {
        let digest = "ab".repeat(64);
        let long = format!(
            "[rules.\"e.test\"]\nanswer = \"fingerprint\"\nfingerprints = [\"{digest}\"]\n"
        );
        let secure = "answer = \"secure\"\nnames = [\"mx.e.test\"]\n";
        let file = "ca_file = \"/nowhere/ca.pem\"\n";
        for (text, profiles, expected) in [
            (String::new(), &["postfix"][..], &[][..]),
            (
                "[rules.\"e.test\"]\nanswer = \"encrypt\"\n".to_owned(),
                &["postfix"],
                &[("rules", State::Fine)],
            ),
            (
                "[rules.\"e.test\"]\nanswer = \"encrypt\"\n".to_owned(),
                &["sendmail"],
                &[("rule-unsayable", State::Problem)],
            ),
            (
                "[rules.\"e.test\"]\nmode = \"mandatory\"\nfallback = \"encrypt\"\n".to_owned(),
                &["sendmail"],
                &[("rule-unsayable", State::Problem)],
            ),
            (
                "[rules.\"localhost\"]\nanswer = \"encrypt\"\n".to_owned(),
                &["postfix"],
                &[("rule-never-counts", State::Advice)],
            ),
            (
                "[rules.\".e.test\"]\nanswer = \"encrypt\"\n".to_owned(),
                &["postfix"],
                &[("rule-suffix", State::Advice)],
            ),
            (
                "[rules.\".e.test\"]\nmode = \"off\"\n[rules.\"e.test\"]\nmode = \"off\"\n"
                    .to_owned(),
                &["postfix"],
                &[("rules", State::Fine)],
            ),
            // A rule that is over is told by the configuration's own check.
            (
                "[rules.\"localhost\"]\nmode = \"off\"\nexpires = \"2020-01-01T00:00:00Z\"\n"
                    .to_owned(),
                &["postfix"],
                &[],
            ),
            (
                format!("[rules.\"e.test\"]\n{secure}{file}"),
                &["postfix", "exim"],
                &[
                    ("rule-ca-file", State::Problem),
                    ("rule-unsayable", State::Problem),
                ],
            ),
            // SHA-512, and Postfix compares SHA-256.
            (long, &["postfix"], &[("rule-unsayable", State::Problem)]),
        ] {
            assert_eq!(said(&text, profiles), expected, "{text}");
        }
    }
}
