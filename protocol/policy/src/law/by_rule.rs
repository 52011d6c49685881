//! What a rule of the operator makes of a verdict: it stands above all findings (PD-01).

use super::duty::Duty;
use super::outcome::Outcome;
use super::rows::Row;
use super::situation::HostState;
use super::verdict::{Answer, JudgedHost, MatchName, Verdict};
use crate::profile::{Family, Floor, Profile};
use crate::reason::Reason;
use crate::rules::{Fallback, Mode, PinnedLevel, Rule};

/// The verdict under a rule that does not pin a level.
pub(super) fn by_rule(rule: &Rule, verdict: Verdict, profile: &Profile) -> Verdict {
    if let Some(mut given) = pinned(rule, profile) {
        given.hosts = verdict.hosts;
        return given;
    }
    let mut verdict = match rule.mode {
        Mode::Off => hands_off(Reason::RuleOff, verdict, profile),
        Mode::Audit => hands_off(Reason::RuleAudit, verdict, profile),
        Mode::Opportunistic => verdict,
        Mode::Mandatory => fallback(rule, verdict),
    };
    if verdict.reason == Reason::RuleFallback {
        verdict = sayable(rule, verdict, profile);
    }
    verdict.rule = Some(Box::new(rule.clone()));
    verdict
}

/// The level that a rule gives whatever the findings say; `None` where it gives none.
pub(super) fn pinned(rule: &Rule, profile: &Profile) -> Option<Verdict> {
    let answer = match rule.answer? {
        PinnedLevel::None => Answer::None,
        PinnedLevel::May => Answer::May,
        PinnedLevel::Encrypt => Answer::Encrypt,
        PinnedLevel::Dane => Answer::Dane,
        PinnedLevel::DaneOnly => Answer::DaneOnly,
        PinnedLevel::Fingerprint => Answer::Fingerprint(rule.fingerprints.clone()),
        PinnedLevel::Verify => Answer::Verify(names(rule)),
        PinnedLevel::Secure => Answer::Secure(names(rule)),
        PinnedLevel::Defer => Answer::Temp,
    };
    let words = format!(
        "rule {:?} gives the level{}",
        rule.pattern.to_string(),
        comment(rule)
    );
    // PF-10, PD-17: a list that is empty would mean another list. Such a rule delays.
    let answer = match answer {
        Answer::Fingerprint(list) if list.is_empty() => Answer::Temp,
        Answer::Verify(list) | Answer::Secure(list) if list.is_empty() => Answer::Temp,
        answer => answer,
    };
    let verdict = Verdict::plain(answer, Row::Rule, Reason::Rule, words);
    let mut verdict = sayable(rule, verdict, profile);
    verdict.rule = Some(Box::new(rule.clone()));
    verdict.expires_in = PINNED_LIFETIME;
    Some(verdict)
}

/// OP-05, PD-11: what the mail server cannot be told as it is meant is a delay.
fn sayable(rule: &Rule, verdict: Verdict, profile: &Profile) -> Verdict {
    let own_authorities = rule.authorities().is_some();
    let pattern = rule.pattern.to_string();
    let words = match (&verdict.answer, profile.family) {
        // Without DANE of its own, Postfix would take `dane` for `may`.
        (Answer::Dane | Answer::DaneOnly, Family::Pins) => format!(
            "{}; {} is nothing to a mail server without DANE of its own: give fingerprint, secure or \
             mode = \"mandatory\" instead",
            verdict.detail,
            verdict.answer.word()
        ),
        // Other mail servers than Postfix would take authorities of their own for them.
        (Answer::Secure(_) | Answer::Verify(_), Family::Exim | Family::Sendmail)
            if own_authorities =>
        {
            format!(
                "rule {pattern:?} names authorities of its own (ca_file), which this mail server cannot be \
                 told"
            )
        }
        _ => return verdict,
    };
    let mut hosts = verdict.hosts;
    for host in &mut hosts {
        (host.duty, host.outcome) = (Duty::Refuse, Outcome::Skip);
    }
    let reason = Reason::MtaCannotAuthenticate;
    Verdict {
        hosts,
        ..Verdict::plain(Answer::Temp, verdict.row, reason, words)
    }
}

/// The verdict of a rule that says `off`: nothing is looked up for it.
pub(super) fn off(rule: &Rule, profile: &Profile) -> Verdict {
    let nothing = Verdict::plain(Answer::NotFound, Row::Dt21, Reason::RuleOff, String::new());
    let mut verdict = hands_off(Reason::RuleOff, nothing, profile);
    verdict.rule = Some(Box::new(rule.clone()));
    verdict.expires_in = PINNED_LIFETIME;
    verdict
}

/// OP-03: the MTA's own default acts; where that would be DANE or more, it is told otherwise.
fn hands_off(reason: Reason, verdict: Verdict, profile: &Profile) -> Verdict {
    let (answer, outcome) = match profile.floor {
        Floor::Dane => (Answer::May, Outcome::Clear),
        Floor::Encrypt => (Answer::Encrypt, Outcome::Encrypt),
        Floor::May => (Answer::NotFound, Outcome::Clear),
        Floor::Secure => (Answer::NotFound, Outcome::OwnWebPki),
    };
    // What cannot be looked up has no hosts to show, and would wait all the same.
    let demands =
        verdict.answer == Answer::Temp || verdict.hosts.iter().any(|host| host.duty != Duty::Free);
    let would_fail = (reason == Reason::RuleAudit && demands).then_some(verdict.reason);
    let words = match would_fail {
        Some(reason) => format!(
            "told only; the policy would be {} ({reason})",
            verdict.answer.word()
        ),
        None => "a rule keeps hoplock's hands off this destination".to_owned(),
    };
    let mut hosts = verdict.hosts;
    for host in &mut hosts {
        host.outcome = outcome;
    }
    Verdict {
        hosts,
        would_fail,
        ..Verdict::plain(answer, Row::Dt21, reason, words)
    }
}

/// PD-09, PD-10: only established absence opens the way to the operator's strategy.
fn fallback(rule: &Rule, verdict: Verdict) -> Verdict {
    let established = match verdict.row {
        // A host in unsigned space has proved nothing (NX-04): the operator must allow that too.
        Row::Dt23 => {
            verdict.reason == Reason::DaneRequired
                && !verdict.hosts.is_empty()
                && (rule.fallback_on_insecure || verdict.hosts.iter().all(is_proved))
        }
        Row::Dt24 => {
            verdict.reason == Reason::MxInsecure
                && rule.fallback_on_insecure
                && verdict
                    .hosts
                    .iter()
                    .all(|host| host.state.class() != Some(super::situation::StateClass::Failed))
        }
        _ => false,
    };
    if !established {
        return verdict;
    }
    let answer = match rule.fallback {
        Fallback::Defer => return verdict,
        Fallback::Fingerprint if rule.fingerprints.is_empty() => return verdict,
        Fallback::Fingerprint => Answer::Fingerprint(rule.fingerprints.clone()),
        Fallback::Secure if rule.names.is_empty() => return verdict,
        Fallback::Secure => Answer::Secure(names(rule)),
        Fallback::Encrypt => Answer::Encrypt,
    };
    let outcome = match rule.fallback {
        Fallback::Encrypt => Outcome::Encrypt,
        _ => Outcome::OwnWebPki,
    };
    let words = format!("DANE is demanded and absent; fallback {}", answer.word());
    let mut hosts = verdict.hosts;
    for host in &mut hosts {
        host.outcome = outcome;
    }
    Verdict {
        hosts,
        ..Verdict::plain(answer, verdict.row, Reason::RuleFallback, words)
    }
}

fn is_proved(host: &JudgedHost) -> bool {
    host.state != HostState::NoneInsecure
}

fn names(rule: &Rule) -> Vec<MatchName> {
    let mut names: Vec<MatchName> = rule.names.iter().cloned().map(MatchName::Host).collect();
    names.sort();
    names.dedup();
    names
}

fn comment(rule: &Rule) -> String {
    if rule.comment.is_empty() {
        String::new()
    } else {
        format!(": {}", rule.comment)
    }
}

/// A pinned level rests on no lookup; kept so long, a removed rule is still noticed soon.
const PINNED_LIFETIME: std::time::Duration = std::time::Duration::from_secs(60);
