//! Answers as JSON: `query`, and `explain` with all its evidence (PD-15).
//!
//! Words are stable: programs rely on them. Texts that came from the network are escaped (ID-04).
//! Not done here: text for people.

use serde::Serialize;

use super::host::{addresses, presentation, trouble};
use super::safe;
use super::view::View;
use crate::findings::{
    DaneFinding, Findings, MxFinding, PolicySource, RememberedPolicy, StsFailure, StsFinding,
    Validation,
};
use crate::guard::{Capability, capability};
use crate::law::{Answer, JudgedHost, Loser};
use crate::moment::Moment;
use crate::next_hop::NextHop;
use crate::rules::{Mode, PinnedLevel, Rule};
use crate::sts::StsMode;

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Query {
    next_hop: String,
    domain: Option<String>,
    profile: String,
    verdict: &'static str,
    reply: String,
    row: &'static str,
    reason: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_fail: Option<&'static str>,
    /// RQ-04: a message with REQUIRETLS can go there.
    requiretls_ok: bool,
    expires_in: u64,
    mx: Mx,
    sts: Sts,
}

/// The answer and everything that led to it.
#[derive(Clone, Debug, Serialize)]
pub struct Explain {
    #[serde(flatten)]
    query: Query,
    lookups: Vec<Lookup>,
    rules: Vec<RuleView>,
    lost: Vec<Lost>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Mx {
    status: &'static str,
    hosts: Vec<Host>,
}

#[derive(Clone, Debug, Serialize)]
struct Host {
    host: String,
    preference: u16,
    addresses: &'static str,
    tlsa_base: Option<String>,
    state: &'static str,
    tlsa: Vec<String>,
    duty: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Sts {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mx: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Lookup {
    name: String,
    #[serde(rename = "type")]
    record_type: String,
    status: &'static str,
    rcode: &'static str,
    ttl: Option<u64>,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct RuleView {
    pattern: String,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'static str>,
    comment: String,
    /// Seconds; none left where the rule is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    applied: bool,
}

#[derive(Clone, Debug, Serialize)]
struct Lost {
    answer: &'static str,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
}

/// The answer.
#[must_use]
pub fn query(view: &View<'_>) -> Query {
    let verdict = view.verdict;
    // ID-04: what is no name is not echoed raw.
    let asked = match view.next_hop {
        NextHop::NotADomain(_) => safe(view.asked),
        _ => view.asked.to_owned(),
    };
    Query {
        next_hop: asked,
        domain: view.next_hop.name().map(ToString::to_string),
        profile: view.profile.to_owned(),
        // An answer that has no form for the MTA became a delay.
        verdict: if view.rendered.waits() {
            Answer::Temp.word()
        } else {
            verdict.answer.word()
        },
        reply: view.rendered.to_string(),
        row: verdict.row.id(),
        reason: verdict.reason.word(),
        detail: safe(&verdict.detail),
        rule: verdict.rule.as_ref().map(|rule| rule.pattern.to_string()),
        would_fail: verdict.would_fail.map(crate::reason::Reason::word),
        // Who can is shown by what was found, whatever becomes of the resolver.
        requiretls_ok: capability(verdict, view.findings, Validation::Unknown)
            == Capability::Capable,
        expires_in: verdict.expires_in.as_secs(),
        mx: Mx {
            status: mx_status(view.findings),
            hosts: view
                .findings
                .map(|findings| {
                    let hosts = verdict.hosts.iter();
                    hosts.filter_map(|judged| host(judged, findings)).collect()
                })
                .unwrap_or_default(),
        },
        sts: sts(view.findings, view.now),
    }
}

/// The answer and everything that led to it.
#[must_use]
pub fn explain(view: &View<'_>) -> Explain {
    let lookups = view
        .findings
        .map(|findings| findings.lookups.as_slice())
        .unwrap_or_default();
    let warnings = view
        .findings
        .map(|findings| findings.warnings.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|words| safe(words))
        .collect();
    Explain {
        query: query(view),
        lookups: lookups
            .iter()
            .map(|reply| Lookup {
                name: reply.question.name.to_string(),
                record_type: reply.question.record_type.to_string(),
                status: reply.answer.status().word(),
                rcode: reply.answer.rcode(),
                ttl: reply.answer.ttl().map(|ttl| ttl.as_secs()),
                ms: u64::try_from(reply.took.as_millis()).unwrap_or(u64::MAX),
                detail: match &reply.answer {
                    crate::dns::Answer::Failed(failure) => Some(safe(&failure.detail)),
                    _ => None,
                },
            })
            .collect(),
        rules: rules(view),
        lost: view.verdict.losers.iter().map(lost).collect(),
        warnings,
    }
}

fn rules(view: &View<'_>) -> Vec<RuleView> {
    let left = |rule: &Rule| {
        let until = rule.expires?.0;
        Some(until.saturating_sub(view.now.wall.0) / 1000)
    };
    rules_for(view)
        .into_iter()
        .map(|(rule, applied)| RuleView {
            pattern: rule.pattern.to_string(),
            mode: mode_word(rule.mode),
            answer: rule.answer.map(level_word),
            comment: rule.comment.clone(),
            expires_in: left(rule),
            applied,
        })
        .collect()
}

/// The rules that are meant for the destination, best match first, and whether each took part.
pub(super) fn rules_for<'a>(view: &View<'a>) -> Vec<(&'a Rule, bool)> {
    let name = view.next_hop.name();
    let applied = |rule: &Rule| view.verdict.rule.as_deref() == Some(rule);
    view.rules
        .iter()
        .map(|rule| (rule, applied(rule)))
        .filter(|(rule, applied)| *applied || name.is_some_and(|name| rule.pattern.covers(name)))
        .collect()
}

/// The word of a mode, as in the configuration.
#[must_use]
pub fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off",
        Mode::Audit => "audit",
        Mode::Opportunistic => "opportunistic",
        Mode::Mandatory => "mandatory",
    }
}

/// The word of a level, as in the configuration.
#[must_use]
pub fn level_word(level: PinnedLevel) -> &'static str {
    match level {
        PinnedLevel::None => "none",
        PinnedLevel::May => "may",
        PinnedLevel::Encrypt => "encrypt",
        PinnedLevel::Dane => "dane",
        PinnedLevel::DaneOnly => "dane-only",
        PinnedLevel::Fingerprint => "fingerprint",
        PinnedLevel::Verify => "verify",
        PinnedLevel::Secure => "secure",
        PinnedLevel::Defer => "defer",
    }
}

fn lost(loser: &Loser) -> Lost {
    Lost {
        answer: loser.answer.word(),
        why: loser.why.to_string(),
        host: loser.host.as_ref().map(ToString::to_string),
    }
}

fn mx_status(findings: Option<&Findings>) -> &'static str {
    match findings.map(|findings| &findings.mx) {
        None => "not-asked",
        Some(MxFinding::Hosts(selection)) => selection.status().word(),
        Some(MxFinding::NoHosts { status, .. }) => status.word(),
        Some(MxFinding::Failed(_)) => "failed",
    }
}

fn host(judged: &JudgedHost, findings: &Findings) -> Option<Host> {
    let finding = findings.hosts.get(judged.index)?;
    let (tlsa_base, tlsa) = match &finding.dane {
        DaneFinding::Records { base, rdata } => (
            Some(base.to_string()),
            rdata.iter().map(|rdata| presentation(rdata)).collect(),
        ),
        _ => (None, Vec::new()),
    };
    Some(Host {
        host: finding.host.to_string(),
        preference: finding.preference,
        addresses: addresses(finding),
        tlsa_base,
        state: judged.state.word(),
        tlsa,
        duty: judged.duty.word(),
        outcome: judged.outcome.word(),
        trouble: trouble(judged, finding, findings).map(|words| safe(&words)),
    })
}

fn sts(findings: Option<&Findings>, now: Moment) -> Sts {
    let empty = |state, trouble| Sts {
        state,
        id: None,
        mx: None,
        max_age: None,
        expires_in: None,
        source: None,
        trouble,
    };
    match findings.map(|findings| &findings.sts) {
        None | Some(StsFinding::NotApplicable) => empty("absent", None),
        Some(StsFinding::Absent(why)) => {
            let why = Some(safe(why));
            empty("absent", why.filter(|why| !why.is_empty()))
        }
        Some(StsFinding::Failed(failure)) => empty("failed", Some(safe(&words(failure)))),
        Some(StsFinding::Policy {
            remembered,
            source,
            trouble,
        }) => policy(remembered, *source, trouble.as_ref(), now),
    }
}

fn policy(
    remembered: &RememberedPolicy,
    source: PolicySource,
    trouble: Option<&StsFailure>,
    now: Moment,
) -> Sts {
    let policy = &remembered.policy;
    Sts {
        state: match policy.mode {
            StsMode::Enforce => "enforce",
            StsMode::Testing => "testing",
            StsMode::None => "none",
        },
        id: Some(remembered.id.clone()),
        mx: Some(policy.mx.iter().map(ToString::to_string).collect()),
        max_age: Some(policy.max_age.as_secs()),
        expires_in: Some(remembered.remaining(now).as_secs()),
        source: Some(match source {
            PolicySource::Fetched => "fetched",
            PolicySource::Cache => "cache",
        }),
        trouble: trouble.map(|failure| safe(&words(failure))),
    }
}

pub(super) fn words(failure: &StsFailure) -> String {
    format!("{}: {}", failure.kind.word(), failure.detail)
}
