//! A judged session as counters: what it comes to under each policy of its destination (RFC 8460, 4.2).

use hoplock_policy::findings::{DaneFinding, Findings, HostFinding, StsFailure, StsFinding};
use hoplock_policy::moment::Moment;
use hoplock_policy::reason::Reason;
use hoplock_policy::sts::{StsMode, StsPolicy};
use hoplock_policy::tlsa::{TlsaOptions, TlsaRecord, TlsaSet};
use hoplock_policy::verify::{PolicyKind, Session, SessionOutcome, SessionVerdict};
use hoplock_wire::tlsrpt::{PolicyType, ResultType};

use super::texts::short;
use super::{result_type, sts_result_type};
use crate::world::reports::tally::{Counter, Counts, TalliedFailure, TalliedPolicy};

/// What a session adds. Nothing where it is not known what it comes to, or where a host could not be
/// reached at all (RP-09: trouble of the network that passes need not be listed).
pub(super) fn counts(
    session: &Session,
    verdict: &SessionVerdict,
    findings: &Findings,
    now: Moment,
) -> Counts {
    if verdict.outcome == SessionOutcome::Indeterminate || is_no_session(verdict.reason) {
        return Counts::new();
    }
    let mut counts = sts_trouble(findings, session, now);
    let mut add = |counter| *counts.entry(counter).or_default() += 1;
    let mut is_under_none = !matches!(sts_failed(findings), Some((_, None)));
    for (kind, policy, unusable) in policies(session, findings, now) {
        is_under_none = false;
        let detail = |result| Counter::Detail(policy.clone(), failure(result, None, session));
        match result(kind, unusable, verdict) {
            Some(Came::Kept) if unusable => {
                // RFC 7672, 2.2: delivered all the same, and its owner should know.
                add(detail(ResultType::TlsaInvalid));
                add(Counter::Successful(policy));
            }
            Some(Came::Kept) => add(Counter::Successful(policy)),
            Some(Came::Broken(reason)) => {
                let own = failure(result_type(reason), Some(reason.word()), session);
                add(Counter::Detail(policy.clone(), own));
                add(Counter::Failed(policy));
            }
            None => {}
        }
    }
    if let Some(domain) = findings.next_hop.name().filter(|_| is_under_none) {
        let policy = TalliedPolicy {
            kind: PolicyType::NoPolicyFound,
            domain: domain.to_string(),
            strings: Vec::new(),
            mx_hosts: Vec::new(),
        };
        match verdict.outcome {
            SessionOutcome::Failed | SessionOutcome::Cleartext => {
                let reason = match verdict.outcome {
                    SessionOutcome::Cleartext => Reason::StarttlsNotOffered,
                    _ => verdict.reason,
                };
                let own = failure(result_type(reason), Some(reason.word()), session);
                add(Counter::Detail(policy.clone(), own));
                add(Counter::Failed(policy));
            }
            _ => add(Counter::Successful(policy)),
        }
    }
    counts
}

/// What went wrong on the way to the MTA-STS policy when this session was made, also where a policy that
/// is remembered covered it (RP-05). Where there is none, the session was under a policy that nobody could
/// read.
pub(super) fn sts_trouble(findings: &Findings, session: &Session, now: Moment) -> Counts {
    let mut counts = Counts::new();
    let (Some((trouble, known)), Some(domain)) = (sts_failed(findings), findings.next_hop.name())
    else {
        return counts;
    };
    let Some(result) = sts_result_type(trouble.kind) else {
        return counts;
    };
    let alive = known.filter(|known| !known.remaining(now).is_zero());
    let policy = sts_policy(domain.as_str(), alive.map(|known| &known.policy));
    let own = TalliedFailure {
        additional: short(&trouble.detail),
        reason: Some(trouble.kind.word().to_owned()),
        ..failure(result, None, session)
    };
    counts.insert(Counter::Detail(policy.clone(), own), 1);
    if alive.is_none() {
        counts.insert(Counter::Failed(policy), 1);
    }
    counts
}

type Known<'a> = Option<&'a std::sync::Arc<hoplock_policy::findings::RememberedPolicy>>;

fn sts_failed(findings: &Findings) -> Option<(&StsFailure, Known<'_>)> {
    match &findings.sts {
        StsFinding::Failed(failure) => Some((failure, None)),
        StsFinding::Policy {
            trouble: Some(trouble),
            remembered,
            ..
        } => Some((trouble, Some(remembered))),
        StsFinding::Policy { trouble: None, .. }
        | StsFinding::NotApplicable
        | StsFinding::Absent(_) => None,
    }
    .filter(|(failure, _)| sts_result_type(failure.kind).is_some())
}

/// The policies that the session was under, and whether DANE's is one of which no record can be used.
fn policies(
    session: &Session,
    findings: &Findings,
    now: Moment,
) -> Vec<(PolicyKind, TalliedPolicy, bool)> {
    let mut all = Vec::new();
    let host = session.mx_host.as_ref();
    let host = host.and_then(|host| findings.host_named(&host.0));
    if let Some((policy, is_unusable)) = host.and_then(tlsa_policy) {
        all.push((PolicyKind::Dane, policy, is_unusable));
    }
    if let (StsFinding::Policy { remembered, .. }, Some(domain)) =
        (&findings.sts, findings.next_hop.name())
        && !remembered.remaining(now).is_zero()
        && remembered.policy.mode != StsMode::None
    {
        let policy = sts_policy(domain.as_str(), Some(&remembered.policy));
        all.push((PolicyKind::Sts, policy, false));
    }
    all
}

/// RP-06: the policy domain is the TLSA base domain.
fn tlsa_policy(host: &HostFinding) -> Option<(TalliedPolicy, bool)> {
    let policy = |domain: String, strings| TalliedPolicy {
        kind: PolicyType::Tlsa,
        domain,
        strings,
        mx_hosts: Vec::new(),
    };
    match &host.dane {
        DaneFinding::Records { base, rdata } => {
            let records: Vec<TlsaRecord> = rdata
                .iter()
                .filter_map(|rdata| TlsaRecord::from_rdata(rdata).ok())
                .collect();
            let octets = rdata.iter().map(Vec::as_slice);
            let is_unusable = !TlsaSet::read(octets, &TlsaOptions::default()).is_usable();
            let mut strings: Vec<String> = records.iter().map(ToString::to_string).collect();
            strings.sort_unstable();
            strings.dedup();
            Some((policy(base.0.to_string(), strings), is_unusable))
        }
        // There may be records, and nobody can see them.
        DaneFinding::Failed(_) => Some((policy(host.host.to_string(), Vec::new()), false)),
        DaneFinding::NoneSecure | DaneFinding::NoneInsecure | DaneFinding::NotAsked => None,
    }
}

/// RP-07: the policy's lines, and its patterns once more.
fn sts_policy(domain: &str, known: Option<&StsPolicy>) -> TalliedPolicy {
    let lines = known.into_iter().flat_map(|policy| policy.text.lines());
    let patterns = known.into_iter().flat_map(|policy| &policy.mx);
    TalliedPolicy {
        kind: PolicyType::Sts,
        domain: domain.to_owned(),
        strings: lines.filter_map(short).take(MOST_LINES).collect(),
        mx_hosts: patterns.map(ToString::to_string).take(MOST_LINES).collect(),
    }
}

/// What a session came to under one policy.
enum Came {
    Kept,
    Broken(Reason),
}

/// `None` where the policy was not what the session was judged by: an operator's rule stood before it.
fn result(kind: PolicyKind, unusable: bool, verdict: &SessionVerdict) -> Option<Came> {
    if let Some(own) = verdict.results.iter().find(|own| own.policy == kind) {
        return match own.outcome {
            SessionOutcome::Failed => Some(Came::Broken(own.reason)),
            SessionOutcome::Indeterminate => None,
            _ => Some(Came::Kept),
        };
    }
    match (verdict.outcome, kind) {
        (SessionOutcome::Failed, _) => Some(Came::Broken(verdict.reason)),
        (SessionOutcome::AuthenticatedDane, PolicyKind::Dane)
        | (SessionOutcome::AuthenticatedSts, PolicyKind::Sts) => Some(Came::Kept),
        // Records of which none can be used demand no more.
        (SessionOutcome::Encrypted, PolicyKind::Dane) if unusable => Some(Came::Kept),
        _ => None,
    }
}

fn failure(result: ResultType, reason: Option<&str>, session: &Session) -> TalliedFailure {
    TalliedFailure {
        mx_host: session.mx_host.as_ref().map(ToString::to_string),
        receiving_ip: session.address,
        reason: reason.map(str::to_owned),
        ..TalliedFailure::of(result)
    }
}

/// No TLS was tried: the host was not reached, or said no to everything.
fn is_no_session(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::HostNotReached
            | Reason::HostNotReady
            | Reason::HostRefused
            | Reason::Internal
            | Reason::Deadline
            | Reason::Busy
    )
}

/// As for what mail servers hand over.
const MOST_LINES: usize = 40;

#[cfg(test)]
mod tests;
