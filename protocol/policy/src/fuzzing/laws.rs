//! What must hold for every verdict, whatever it was made of.

use std::time::Duration;

use super::permitted::{Case, State};
use crate::findings::{
    Findings, MxFinding, PolicySource, RememberedPolicy, StsFinding, Validation,
};
use crate::law::outcome::Outcome;
use crate::law::{Answer, Conditions, LawOptions, MatchName, Verdict};
use crate::profile::{Family, Floor, OwnDane, Profile};
use crate::reason::Reason;
use crate::rules::{Fallback, Mode, PinnedLevel, Rule, RulePattern, Rules};
use crate::sts::StsMode;

/// A verdict and all that it was made of.
pub(super) struct Ruling<'a> {
    pub(super) findings: &'a Findings,
    pub(super) rules: &'a Rules,
    /// As it was seen.
    pub(super) profile: &'a Profile,
    pub(super) options: &'a LawOptions,
    pub(super) conditions: Conditions,
    pub(super) verdict: &'a Verdict,
}

/// Panics where a verdict breaks the law.
pub(super) fn laws(ruling: &Ruling<'_>) {
    let rule = ruling.rule();
    lifetime(ruling, rule);
    only_by_order(ruling, rule);
    each_host_once(ruling);
    let verdict = ruling.verdict;
    if let Some(rule) = rule {
        let named = verdict.rule.as_deref();
        let unnamed = rule.answer.is_none() && verdict.rule.is_none();
        assert!(
            named == Some(rule) || unnamed,
            "PD-15: {named:?} for {rule:?}"
        );
        if rule.answer.is_some() || matches!(rule.mode, Mode::Off | Mode::Audit) {
            return hands_off(ruling, rule);
        }
    }
    let case = ruling.case(rule);
    what_failed_waits(ruling, &case, rule);
    if verdict.reason == Reason::RuleFallback {
        return fallback(&case, rule, verdict);
    }
    for judged in &verdict.hosts {
        let Some(host) = ruling.findings.hosts.get(judged.index) else {
            continue;
        };
        let listed = ruling
            .policy(rule)
            .is_some_and(|sts| sts.policy.permits(&host.host.0));
        assert!(
            case.permits(host, listed, judged.outcome),
            "{:?} to {host:?} ({judged:?}) under {:?}",
            judged.outcome,
            verdict.answer
        );
        // PD-16, PD-18: nothing is weaker for the words, either.
        let real = case.does(&verdict.answer, host);
        assert!(
            case.permits(host, listed, real),
            "Postfix does {real:?} to {host:?} under {:?}",
            verdict.answer
        );
        assert_eq!(real, judged.outcome, "{host:?} under {:?}", verdict.answer);
        if ruling.profile.strict {
            // DT-13a: nor for a host that resolves for Postfix and did not for us.
            let real = case.does_once_resolved(&verdict.answer, host);
            assert!(
                case.permits(host, listed, real),
                "Postfix could do {real:?} to {host:?} under {:?}",
                verdict.answer
            );
        }
        let owed_nothing = real == Outcome::Skip;
        assert!(owed_nothing || case.state(host) != State::Gone, "{host:?}");
    }
    under_the_floor(&case, verdict);
    names(ruling, rule);
    mandatory(&case, verdict);
}

impl Ruling<'_> {
    fn rule(&self) -> Option<&Rule> {
        let (name, now) = (self.findings.next_hop.name()?, self.conditions.now.wall);
        let live = |rule: &&Rule| rule.expires.is_none_or(|end| end > now);
        let covering = self.rules.iter().filter(|rule| rule.pattern.covers(name));
        // The longest pattern says most: an exact one is longer than any suffix that covers it.
        covering.filter(live).max_by_key(|rule| {
            (
                rule.pattern != RulePattern::Any,
                rule.pattern.to_string().len(),
            )
        })
    }

    /// The policy that is enforced now, by RFC 8461, 5.
    fn policy(&self, rule: Option<&Rule>) -> Option<&RememberedPolicy> {
        let counts = self.options.sts && rule.is_none_or(|rule| rule.sts);
        let StsFinding::Policy {
            remembered, source, ..
        } = &self.findings.sts
        else {
            return None;
        };
        let enforced = match remembered.policy.mode {
            StsMode::Enforce => true,
            StsMode::Testing => self.options.testing_as_enforce,
            StsMode::None => false,
        };
        let once = remembered.policy.max_age.is_zero() && *source == PolicySource::Fetched;
        let alive = !remembered.remaining(self.conditions.now).is_zero();
        (counts && enforced && (once || alive)).then_some(remembered)
    }

    fn case(&self, rule: Option<&Rule>) -> Case<'_> {
        Case {
            findings: self.findings,
            profile: self.profile,
            options: self.options,
            conditions: self.conditions,
            enforce: self.policy(rule).is_some(),
            mandatory: rule.is_some_and(|rule| rule.mode == Mode::Mandatory),
        }
    }
}

/// CA-01, CA-08, OP-05: an answer ends with what it rests on.
fn lifetime(ruling: &Ruling<'_>, rule: Option<&Rule>) {
    let (now, verdict) = (ruling.conditions.now, ruling.verdict);
    let since = now.uptime.saturating_sub(ruling.findings.gathered.uptime);
    let mut longest = ruling.findings.lifetime.saturating_sub(since);
    if let Some(end) = rule.and_then(|rule| rule.expires) {
        longest = longest.min(Duration::from_millis(end.0.saturating_sub(now.wall.0)));
    }
    if let Some(policy) = ruling
        .policy(rule)
        .filter(|own| !own.policy.max_age.is_zero())
    {
        longest = longest.min(policy.remaining(now));
    }
    let expires = verdict.expires_in;
    assert!(
        expires <= longest,
        "kept for {expires:?}, and {longest:?} are left"
    );
}

/// PD-11, PD-12: what only the operator may say, and what this MTA cannot do.
fn only_by_order(ruling: &Ruling<'_>, rule: Option<&Rule>) {
    let verdict = ruling.verdict;
    let pinned = rule.is_some_and(|rule| rule.answer.is_some());
    let fallback = verdict.reason == Reason::RuleFallback;
    match &verdict.answer {
        Answer::None | Answer::Verify(_) => assert!(pinned, "{:?}", verdict.answer),
        Answer::Fingerprint(list) => {
            let by_law = ruling.profile.family == Family::Pins && ruling.options.dane;
            assert!(pinned || fallback || by_law);
            assert!(!list.is_empty(), "PF-10");
        }
        Answer::May => {
            let floor = ruling.profile.floor == Floor::Dane;
            let hands_off = verdict.hands_off();
            let switched_off = !ruling.options.half_dane && verdict.reason == Reason::NoPolicy;
            assert!(
                pinned || floor && (hands_off || switched_off),
                "{verdict:?}"
            );
        }
        Answer::Dane | Answer::DaneOnly => {
            let able = ruling.profile.own_dane != OwnDane::No;
            let counts = ruling.options.dane;
            assert!(pinned || able && counts, "{verdict:?}");
        }
        Answer::Secure(list) => assert!(!list.is_empty(), "PD-17"),
        Answer::Anchored { names, anchors } => {
            assert!(!names.is_empty() && !anchors.is_empty(), "{verdict:?}");
        }
        Answer::NotFound | Answer::Temp | Answer::Encrypt => {}
    }
    let rests_on_policy = verdict.reason == Reason::StsEnforce;
    if let Some(basis) = &verdict.sts {
        assert!(rests_on_policy && matches!(verdict.answer, Answer::Secure(_)));
        assert_eq!(ruling.findings.next_hop.name(), Some(&basis.domain));
    }
}

/// PD-15: no host is told of twice, and none is left out where hosts were judged.
fn each_host_once(ruling: &Ruling<'_>) {
    let mut places: Vec<usize> = ruling.verdict.hosts.iter().map(|host| host.index).collect();
    places.sort_unstable();
    let all: Vec<usize> = (0..ruling.findings.hosts.len()).collect();
    assert!(places.is_empty() || places == all, "{places:?}");
}

/// OP-03, PD-01: what a rule says is said, whatever was found.
fn hands_off(ruling: &Ruling<'_>, rule: &Rule) {
    let answer = &ruling.verdict.answer;
    if let Some(level) = rule.answer {
        if told_otherwise(ruling.profile, rule, level) {
            assert_eq!(*answer, Answer::Temp, "OP-05");
            assert_eq!(ruling.verdict.reason, Reason::MtaCannotAuthenticate);
        } else {
            assert_eq!(ruling.verdict.reason, Reason::Rule);
        }
        return;
    }
    let expected = match ruling.profile.floor {
        Floor::Dane => Answer::May,
        Floor::Encrypt => Answer::Encrypt,
        Floor::May | Floor::Secure => Answer::NotFound,
    };
    assert_eq!(*answer, expected, "OP-03");
}

/// OP-05, PD-11: a level that this mail server would take for another one.
fn told_otherwise(profile: &Profile, rule: &Rule, level: PinnedLevel) -> bool {
    let own_authorities = rule.authorities().is_some() && !rule.names.is_empty();
    match level {
        PinnedLevel::Dane | PinnedLevel::DaneOnly => profile.family == Family::Pins,
        PinnedLevel::Verify | PinnedLevel::Secure => {
            own_authorities && matches!(profile.family, Family::Exim | Family::Sendmail)
        }
        _ => false,
    }
}

/// FT-01, MX-03, MX-17: failed lookups and lost validation delay.
fn what_failed_waits(ruling: &Ruling<'_>, case: &Case<'_>, rule: Option<&Rule>) {
    let verdict = ruling.verdict;
    let waits = verdict.answer == Answer::Temp;
    assert_eq!(waits, verdict.answer.word() == "defer");
    if matches!(ruling.findings.mx, MxFinding::Failed(_)) {
        assert!(waits, "MX-03: {verdict:?}");
    }
    let lost = ruling.conditions.validation == Validation::NotValidating && ruling.options.dane;
    if lost && (ruling.conditions.remembered_dane || case.mandatory) {
        assert!(waits, "MX-17: {verdict:?}");
    }
    let unknown = |host| case.state(host) == State::Unknown;
    let hosts = &ruling.findings.hosts;
    if case.is_secure() && !hosts.is_empty() && hosts.iter().all(unknown) {
        assert!(waits, "MX-13: {verdict:?}");
    }
    let _ = rule;
}

/// PD-09, PD-10: only an absence that is established opens the way to the operator's strategy.
fn fallback(case: &Case<'_>, rule: Option<&Rule>, verdict: &Verdict) {
    let Some(rule) = rule else {
        return assert!(rule.is_some(), "a fallback without a rule");
    };
    assert!(case.mandatory && rule.fallback != Fallback::Defer);
    let hosts = &case.findings.hosts;
    let state = |wanted: State| {
        hosts
            .iter()
            .filter(|host| case.state(host) == wanted)
            .count()
    };
    assert_eq!(state(State::Unknown), 0, "PD-10: {verdict:?}");
    assert!(state(State::Bare) + state(State::Unusable) + state(State::Usable) > 0);
    if case.is_secure() {
        assert_eq!(state(State::Usable), 0, "DANE is there: {verdict:?}");
    } else {
        assert!(rule.fallback_on_insecure, "PD-08: {verdict:?}");
    }
    let own: Vec<MatchName> = rule.names.iter().cloned().map(MatchName::Host).collect();
    let by_strategy = match (&verdict.answer, rule.fallback) {
        (Answer::Encrypt, Fallback::Encrypt) => true,
        (Answer::Fingerprint(list), Fallback::Fingerprint) => *list == rule.fingerprints,
        (Answer::Secure(names), Fallback::Secure) => names.iter().all(|name| own.contains(name)),
        _ => false,
    };
    assert!(by_strategy, "{verdict:?} by {rule:?}");
}

/// PD-16: no answer is weaker than the MTA's own level.
fn under_the_floor(case: &Case<'_>, verdict: &Verdict) {
    let weak = match case.profile.floor {
        Floor::May => false,
        Floor::Dane => matches!(verdict.answer, Answer::None),
        Floor::Encrypt => matches!(verdict.answer, Answer::None | Answer::May),
        Floor::Secure => matches!(
            verdict.answer,
            Answer::None | Answer::May | Answer::Encrypt | Answer::Dane
        ),
    };
    // `dane` where each host that counts has records lets nobody fall to clear text.
    let hosts = &case.findings.hosts;
    let harmless = verdict.answer == Answer::Dane
        && hosts.iter().all(|host| {
            matches!(
                case.state(host),
                State::Usable | State::Unknown | State::Gone
            )
        });
    assert!(
        !weak || harmless,
        "{:?} under {:?}",
        verdict.answer,
        case.profile.floor
    );
}

/// PF-12: exactly hosts of the destination that the policy permits.
fn names(ruling: &Ruling<'_>, rule: Option<&Rule>) {
    let Answer::Secure(names) = &ruling.verdict.answer else {
        return;
    };
    let policy = ruling.policy(rule);
    assert!(
        policy.is_some(),
        "`secure` without a policy: {:?}",
        ruling.verdict
    );
    let Some(policy) = policy else { return };
    for name in names {
        match name {
            MatchName::Host(name) => {
                let is_host = ruling
                    .findings
                    .hosts
                    .iter()
                    .any(|host| host.host.0 == *name);
                let permitted = policy.policy.permits(name);
                let no_host = ruling.verdict.reason == Reason::StsEnforce
                    && ruling.verdict.row == crate::law::rows::Row::Dt01s;
                assert!(permitted && (is_host || no_host), "{name}");
            }
            MatchName::Below(_) => {
                assert_eq!(ruling.verdict.row, crate::law::rows::Row::Dt01s, "PF-12");
            }
        }
    }
}

/// PD-08: where DANE is demanded, there is DANE or a delay.
fn mandatory(case: &Case<'_>, verdict: &Verdict) {
    if !case.mandatory {
        return;
    }
    let good = match verdict.answer {
        Answer::Temp => true,
        Answer::DaneOnly | Answer::Dane => case.is_secure(),
        Answer::Fingerprint(_) | Answer::Anchored { .. } => case.is_secure(),
        _ => false,
    };
    assert!(good, "{verdict:?}");
}
