//! From findings, rules and a profile to a verdict. No clock, no socket, no `await`.

use std::net::IpAddr;

use std::time::Duration;

use super::by_rule::{by_rule, off, pinned};
use super::duty::Duty;
use super::judged::{Judged, with_hosts};
use super::options::{FirstContact, LawOptions};
use super::outcome::Outcome;
use super::rows::Row;
use super::situation::{HostState, MxSecurity, Situation};
use super::verdict::{Answer, JudgedHost, MatchName, StsBasis, Verdict};
use crate::dns::RecordType;
use crate::findings::{
    Findings, MxFinding, PolicySource, RememberedPolicy, StsFailureKind, StsFinding, Validation,
};
use crate::moment::Moment;
use crate::next_hop::NextHop;
use crate::profile::{Family, Floor, OwnDane, OwnDaneSeen, Profile};
use crate::reason::Reason;
use crate::rules::{Mode, Rule, Rules};
use crate::sts::{MxPattern, StsMode};

/// What is known beside the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// What the self-test found out about the resolver (MX-17).
    pub validation: Validation,
    /// The destination was seen with usable TLSA records within the last 30 days.
    pub remembered_dane: bool,
    /// What was seen of the MTA's own DANE, where the profile leaves that open (PD-11).
    pub own_dane: OwnDaneSeen,
    /// The time.
    pub now: Moment,
}

/// Decides how the MTA of `profile` must reach a destination.
#[must_use]
pub fn decide(
    findings: &Findings,
    rules: &Rules,
    profile: &Profile,
    options: &LawOptions,
    conditions: Conditions,
) -> Verdict {
    let now = conditions.now;
    let asked_to_find_out = profile.own_dane == OwnDane::Auto;
    let rule = findings
        .next_hop
        .name()
        .and_then(|name| rules.for_name(name, now.wall));
    let sts = in_force(findings, rule, options, now);
    let mut lifetime = findings.remaining(now);
    if let Some(policy) = sts
        && !policy.policy.max_age.is_zero()
    {
        lifetime = lifetime.min(policy.remaining(now));
    }
    let profile = &profile.as_seen(conditions.own_dane);
    if let Some(verdict) = opted_out(&findings.next_hop, rule, profile) {
        return verdict;
    }
    let mut verdict = by_findings(findings, rule, sts, profile, options, conditions);
    // PD-11, D4: pins stand in for a DANE of the MTA's own that does not work, and people are told why.
    let stands_in = profile.family == Family::Pins
        && verdict.answer != Answer::Temp
        && verdict.hosts.iter().any(|host| host.duty == Duty::Dane);
    if asked_to_find_out && (stands_in || verdict.reason == Reason::MtaCannotAuthenticate) {
        verdict.detail = {
            let words = profile.words_of(conditions.own_dane);
            format!("{}; {words}", verdict.detail)
        };
    }
    let mut verdict = match rule {
        Some(rule) => by_rule(rule, verdict, profile),
        None => verdict,
    };
    // OP-05: an answer does not outlive the rule that it rests on.
    let until = rule
        .and_then(|rule| rule.expires)
        .map(|until| until.0.saturating_sub(now.wall.0));
    verdict.expires_in = until.map_or(lifetime, |left| lifetime.min(Duration::from_millis(left)));
    if let (Answer::Secure(_), Some(policy)) = (&verdict.answer, sts)
        && verdict.reason == Reason::StsEnforce
    {
        verdict.sts = basis(findings, policy);
    }
    verdict
}

/// Decides what needs no lookup: keys that are no destination, and rules written for them, for an MTA
/// whose own DANE was seen like that (PD-11). `None` where findings are needed.
#[must_use]
pub fn decide_without_lookup(
    next_hop: &NextHop,
    rules: &Rules,
    profile: &Profile,
    options: &LawOptions,
    own_dane: OwnDaneSeen,
    now: Moment,
) -> Option<Verdict> {
    let profile = &profile.as_seen(own_dane);
    let (rule, reason) = match next_hop {
        NextHop::Domain { .. } | NextHop::Host { .. } | NextHop::Service { .. } => {
            let rule = next_hop
                .name()
                .and_then(|name| rules.for_name(name, now.wall));
            // A level given whatever the findings say needs no findings, and waits for none.
            let ordered = rule.and_then(|rule| match rule.mode {
                Mode::Off if rule.answer.is_none() => Some(off(rule, profile)),
                _ => pinned(rule, profile),
            });
            let ordered = ordered.or_else(|| opted_out(next_hop, rule, profile));
            let is_refused = matches!(next_hop, NextHop::Service { .. }) && !options.srv_submission;
            return ordered.or_else(|| is_refused.then(srv_is_off));
        }
        NextHop::Parent(suffix) => (rules.for_suffix(suffix, now.wall), Reason::ParentKey),
        NextHop::NotADomain(what) => {
            let address: Option<IpAddr> = what.address();
            (
                address.and_then(|ip| rules.for_address(ip, now.wall)),
                Reason::NotADomain,
            )
        }
    };
    // NX-03, PF-06: only a rule written for such a key gives it an answer.
    Some(
        rule.and_then(|rule| pinned(rule, profile))
            .unwrap_or_else(|| Verdict::plain(Answer::NotFound, Row::Law, reason, String::new())),
    )
}

/// RFC 8689, 4.2.2; RQ-03: a message that opts out goes as the MTA sends by default, TLS where it is offered.
/// What the operator demands is no policy of the recipient's, and is kept to: his rules, and his own level.
fn opted_out(next_hop: &NextHop, rule: Option<&Rule>, profile: &Profile) -> Option<Verdict> {
    let is_ordered = rule.is_some_and(|rule| {
        rule.answer.is_some() || matches!(rule.mode, Mode::Off | Mode::Mandatory)
    });
    if !profile.bypass || is_ordered {
        return None;
    }
    let begins_with_tls = profile.wrapper || next_hop.begins_with_tls();
    let answer = match profile.floor {
        Floor::Encrypt | Floor::Secure => Answer::NotFound,
        // SB-05: it is what the operator has switched on.
        Floor::May | Floor::Dane if begins_with_tls => Answer::Encrypt,
        Floor::May | Floor::Dane => Answer::May,
    };
    let words = "the message does without what the destination publishes (TLS-Required: No)";
    let mut verdict = Verdict::plain(answer, Row::Law, Reason::TlsRequiredNo, words.to_owned());
    verdict.rule = rule.cloned().map(Box::new);
    verdict.expires_in = OPTED_OUT_LIFETIME;
    Some(verdict)
}

/// SB-02: where SRV records lead is asked only where the operator says so.
fn srv_is_off() -> Verdict {
    let words = "hosts of this service are found by SRV records, which are not followed; say [dane] \
                 srv_submission = true, or ask for [host]:port";
    Verdict::temp(Row::Law, Reason::SrvOff, words)
}

/// A verdict that rests on no findings (the lookups took too long, or broke), under the rules: where
/// the operator wants to be told only, nothing waits for lookups.
#[must_use]
pub fn without_findings(
    verdict: Verdict,
    next_hop: &NextHop,
    rules: &Rules,
    profile: &Profile,
    now: Moment,
) -> Verdict {
    let rule = next_hop
        .name()
        .and_then(|name| rules.for_name(name, now.wall));
    match rule.filter(|rule| rule.mode == Mode::Audit) {
        Some(rule) => by_rule(rule, verdict, profile),
        None => verdict,
    }
}

/// The policy that must be enforced now, if there is one.
fn in_force<'a>(
    findings: &'a Findings,
    rule: Option<&Rule>,
    options: &LawOptions,
    now: Moment,
) -> Option<&'a RememberedPolicy> {
    if !options.sts || rule.is_some_and(|rule| !rule.sts) {
        return None;
    }
    let StsFinding::Policy {
        remembered, source, ..
    } = &findings.sts
    else {
        return None;
    };
    let enforced = match remembered.policy.mode {
        StsMode::Enforce => true,
        // RFC 8461, 5: failures in testing mode are told, not enforced.
        StsMode::Testing => options.testing_as_enforce,
        StsMode::None => false,
    };
    // ST-18: a lifetime of zero serves the message for which it was fetched.
    let for_this_message = remembered.policy.max_age.is_zero() && *source == PolicySource::Fetched;
    let alive = for_this_message || !remembered.remaining(now).is_zero();
    (enforced && alive).then_some(remembered)
}

fn by_findings(
    findings: &Findings,
    rule: Option<&Rule>,
    sts: Option<&RememberedPolicy>,
    profile: &Profile,
    options: &LawOptions,
    conditions: Conditions,
) -> Verdict {
    let mandatory = rule.is_some_and(|rule| rule.mode == Mode::Mandatory);
    let distrusted = conditions.validation == Validation::NotValidating;
    if distrusted && options.dane && (mandatory || conditions.remembered_dane) {
        // MX-17: what must be or was authenticated is not given up because the resolver changed.
        let words = "the resolver does not validate DNSSEC, so nothing about this destination can \
                     be proved; see `hoplock explain` and use a validating resolver on loopback";
        return Verdict::temp(Row::Law, Reason::ResolverNotValidating, words);
    }
    let selection = match &findings.mx {
        MxFinding::Failed(failure) => {
            let words = format!(
                "{} lookup failed ({}): {}",
                selecting(&findings.next_hop),
                failure.kind.word(),
                failure.detail
            );
            return Verdict::temp(Row::Dt02, Reason::MxLookupFailed, words);
        }
        MxFinding::NoHosts { .. } => None,
        MxFinding::Hosts(selection) => Some(*selection),
    };
    let mx = selection.map_or(MxSecurity::Insecure, |selection| selection.status().into());
    let dane = options.dane && !distrusted;
    let judged = Judged::of(findings, sts, profile, options, dane);
    let situation = Situation {
        mx: if dane { mx } else { MxSecurity::Insecure },
        hosts: judged.reachable(),
        enforce: sts.is_some(),
        mandatory,
        half_dane: options.half_dane && dane,
        // SB-05: by what the MTA does on every connection, or by the service that was asked for.
        implicit_tls: profile.wrapper || findings.next_hop.begins_with_tls(),
    };
    let verdict = if situation.hosts.is_empty() {
        without_hosts(findings, sts, mandatory, situation.implicit_tls)
    } else {
        with_hosts(findings, &judged, &situation, profile, options)
    };
    let sts_counts = options.sts && rule.is_none_or(|rule| rule.sts);
    if sts_counts {
        first_contact(verdict, findings, options)
    } else {
        verdict
    }
}

/// The records that lead to the hosts.
fn selecting(next_hop: &NextHop) -> RecordType {
    match next_hop {
        NextHop::Service { .. } => RecordType::Srv,
        _ => RecordType::Mx,
    }
}

/// DT-01 and DT-01s: no host. Postfix asks only after its own MX lookup succeeded, so where the two
/// disagree somebody may be lying, and a remembered policy still binds (MX-06).
fn without_hosts(
    findings: &Findings,
    sts: Option<&RememberedPolicy>,
    mandatory: bool,
    implicit_tls: bool,
) -> Verdict {
    if mandatory {
        let words = "the destination has no host, and the rule demands DANE";
        return Verdict::temp(Row::Dt23, Reason::DaneRequired, words);
    }
    let Some(remembered) = sts else {
        let words = "the destination has no host that could be reached";
        let answer = if implicit_tls {
            Answer::Encrypt
        } else {
            Answer::NotFound
        };
        let mut verdict = Verdict::plain(answer, Row::Dt01, Reason::NoHosts, words.into());
        verdict.hosts = unreachable_hosts(findings);
        return verdict;
    };
    let mut names: Vec<MatchName> = remembered
        .policy
        .mx
        .iter()
        .map(|pattern| match pattern {
            MxPattern::Exact(name) => MatchName::Host(name.clone()),
            MxPattern::Wildcard(name) => MatchName::Below(name.clone()),
        })
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        let words = "the enforced MTA-STS policy names no host";
        return Verdict::temp(Row::Dt26, Reason::StsNoMxMatches, words);
    }
    let words = "no host is known here; the enforced MTA-STS policy names who may be reached";
    let mut verdict = Verdict::plain(
        Answer::Secure(names),
        Row::Dt01s,
        Reason::StsEnforce,
        words.into(),
    );
    verdict.hosts = unreachable_hosts(findings);
    verdict
}

fn unreachable_hosts(findings: &Findings) -> Vec<JudgedHost> {
    (0..findings.hosts.len())
        .map(|index| JudgedHost {
            index,
            state: HostState::Unreachable,
            duty: Duty::Free,
            outcome: Outcome::Skip,
            listed: false,
        })
        .collect()
}

/// ST-13, ST-14: by default a policy that was never seen binds nobody; the operator may wait for it.
fn first_contact(verdict: Verdict, findings: &Findings, options: &LawOptions) -> Verdict {
    let StsFinding::Failed(failure) = &findings.sts else {
        return verdict;
    };
    let protected = match verdict.answer {
        Answer::Temp
        | Answer::DaneOnly
        | Answer::Secure(_)
        | Answer::Fingerprint(_)
        | Answer::Anchored { .. } => true,
        // Sendmail authenticates by its own DANE, and is told nothing.
        Answer::NotFound => verdict.reason == Reason::DaneAllHosts,
        _ => false,
    };
    let reason = match (failure.kind, options.first_contact) {
        _ if protected => return verdict,
        // ST-28: what may be remembered binds, whether or not it can be read.
        (StsFailureKind::Store, _) => Reason::StoreFailed,
        (_, FirstContact::Defer) => Reason::StsFirstContact,
        (_, FirstContact::Ignore) => return verdict,
    };
    let mut deferred = Verdict::temp(verdict.row, reason, failure.words());
    deferred.hosts = verdict.hosts;
    for host in &mut deferred.hosts {
        host.outcome = Outcome::Skip;
    }
    deferred
}

fn basis(findings: &Findings, remembered: &RememberedPolicy) -> Option<StsBasis> {
    let policy = &remembered.policy;
    let mut patterns: Vec<String> = policy.mx.iter().map(ToString::to_string).collect();
    patterns.sort();
    patterns.dedup();
    Some(StsBasis {
        domain: findings.next_hop.name()?.clone(),
        patterns,
        mode: policy.mode.word(),
        max_age: policy.max_age.as_secs(),
    })
}

/// It rests on no lookup; kept so long, a rule that is added is still noticed soon.
const OPTED_OUT_LIFETIME: Duration = Duration::from_secs(60);
