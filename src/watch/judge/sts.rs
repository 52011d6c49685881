//! MTA-STS: the record, the policy, and whom it permits (RFC 8461).

use std::time::Duration;

use hoplock_policy::findings::MxFinding;
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::sts::{
    PolicyResponseFault, StsMode, StsPolicy, StsRecordFinding, read_response,
};
use hoplock_policy::verify::CertificateFacts;

use super::{
    Bar, Doubt, Finding, Kind, Notes, Seen, Severity, day, fetch, is_unanswered, seconds, span,
    told,
};
use crate::watch::finding::Basis;
use crate::world::PolicyResponse;

/// What is remembered of a policy from look to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyMemory {
    id: String,
    /// As it was when this id was seen first.
    policy: StsPolicy,
    /// Since when its mode is seen.
    mode_since: Timestamp,
    /// The id before, where nothing but the id has changed, and when that was seen.
    renamed: Option<(String, Timestamp)>,
}

/// The policy, where one was fetched and can be read.
pub(super) fn policy(seen: &Seen) -> Option<StsPolicy> {
    match &seen.policy {
        Some(Ok(response)) => read(response).ok(),
        _ => None,
    }
}

pub(super) fn read(response: &PolicyResponse) -> Result<StsPolicy, PolicyResponseFault> {
    read_response(
        response.status,
        response.media_type.as_deref(),
        &response.body,
    )
}

/// Judges it, and says what to remember.
pub(super) fn judge(
    notes: &mut Notes,
    seen: &Seen,
    policy: Option<&StsPolicy>,
    bar: &Bar<'_>,
    memory: Option<&PolicyMemory>,
) -> Option<PolicyMemory> {
    let known = memory.cloned();
    let record = match &seen.sts_record {
        Ok(StsRecordFinding::One(record)) => record,
        other => {
            without_record(notes, seen, other, memory);
            return known;
        }
    };
    let Some(policy) = policy else {
        fetch::judge(notes, seen);
        return known;
    };
    let memory = remember(memory, &record.id, policy, seen.time);
    changes(notes, seen, &memory, policy);
    text(notes, seen, policy, &memory);
    hosts(notes, seen, policy);
    policy_host(notes, seen, bar);
    Some(memory)
}

fn without_record(
    notes: &mut Notes,
    seen: &Seen,
    record: &Result<StsRecordFinding, hoplock_policy::dns::LookupFailure>,
    memory: Option<&PolicyMemory>,
) {
    let domain = &seen.domain;
    let owner = format!("_mta-sts.{domain}");
    let form =
        "exactly one TXT record of the form \"v=STSv1; id=20260101T000000;\" (RFC 8461, 3.1)";
    let invalid = |why: String| {
        Finding::new(
            Kind::StsRecordInvalid,
            Severity::Warning,
            format!("{owner} is not exactly one valid record: senders see no MTA-STS"),
            why,
            format!("publish {form}"),
        )
    };
    match record {
        Err(failure) if is_unanswered(failure) => {
            let doubt = Doubt::on(OF_RECORD);
            notes.unanswered("the MTA-STS record", failure, doubt);
        }
        Err(failure) => {
            notes.doubt(Doubt {
                weighs: false,
                ..Doubt::on(OF_POLICY)
            });
            notes.find(Finding::new(
                Kind::StsRecordLookupFailed,
                Severity::Warning,
                format!("{owner} cannot be looked up: new senders see no MTA-STS"),
                told(failure),
                super::mend_dns(failure, &owner, "TXT"),
            ));
        }
        Ok(StsRecordFinding::Several) => {
            notes.find(invalid("there is more than one MTA-STS record".to_owned()));
        }
        Ok(StsRecordFinding::Malformed(why)) => notes.find(invalid(why.to_string())),
        Ok(StsRecordFinding::Absent) => {
            let gone = memory.filter(|own| own.policy.mode != StsMode::None);
            notes.findings.extend(gone.map(|own| {
                let length = i64::try_from(own.policy.max_age.as_secs()).unwrap_or(i64::MAX);
                Finding::new(
                    Kind::StsRecordGone,
                    Severity::Warning,
                    format!("{owner} is gone"),
                    format!(
                        "senders that know the policy ({}) go on with it for up to {}",
                        own.policy.mode.word(),
                        span(length)
                    ),
                    "publish the record again; to leave MTA-STS, serve mode: none under a new id first \
                     (RFC 8461, 8.3)",
                )
            }));
        }
        Ok(StsRecordFinding::One(_)) => {}
    }
}

fn says_the_same(a: &StsPolicy, b: &StsPolicy) -> bool {
    (a.mode, a.max_age, &a.mx) == (b.mode, b.max_age, &b.mx)
}

fn remember(
    memory: Option<&PolicyMemory>,
    id: &str,
    policy: &StsPolicy,
    now: Timestamp,
) -> PolicyMemory {
    let mode_since = memory
        .filter(|own| own.policy.mode == policy.mode)
        .map_or(now, |own| own.mode_since);
    match memory {
        Some(own) if own.id == id => PolicyMemory {
            mode_since,
            ..own.clone()
        },
        _ => PolicyMemory {
            id: id.to_owned(),
            policy: policy.clone(),
            mode_since,
            renamed: memory
                .filter(|own| says_the_same(&own.policy, policy))
                .map(|own| (own.id.clone(), now)),
        },
    }
}

fn changes(notes: &mut Notes, seen: &Seen, memory: &PolicyMemory, policy: &StsPolicy) {
    if !says_the_same(&memory.policy, policy) {
        notes.find(Finding::new(
            Kind::StsIdUnchanged,
            Severity::Warning,
            format!("the policy has changed, and its id is still {}", memory.id),
            "senders fetch a policy anew when its id changes; until then they go on with the old one",
            "publish the record at _mta-sts with a new id (RFC 8461, 3.1)",
        ));
    }
    let is_new = |at: Timestamp| seconds(seen.time).saturating_sub(seconds(at)) < TOLD;
    if let Some((before, _)) = memory.renamed.as_ref().filter(|(_, at)| is_new(*at)) {
        notes.find(Finding::new(
            Kind::StsPolicyUnchanged,
            Severity::Note,
            format!(
                "the id changed from {before} to {}, and the policy did not",
                memory.id
            ),
            "either nothing was to change, or the policy host does not serve the new text yet",
            "compare what it serves with what should stand there",
        ));
    }
}

fn text(notes: &mut Notes, seen: &Seen, policy: &StsPolicy, memory: &PolicyMemory) {
    if policy.mode != StsMode::Enforce {
        let since = match memory.mode_since < seen.time {
            true => format!(", seen so since {}", day(seconds(memory.mode_since))),
            false => String::new(),
        };
        let cause = match policy.mode {
            StsMode::Testing => "mail goes out whatever hosts show; failures are only reported",
            StsMode::None | StsMode::Enforce => "it asks nobody for anything",
        };
        notes.find(Finding::new(
            Kind::StsNotEnforced,
            Severity::Note,
            format!(
                "the MTA-STS policy is of mode {}{since}",
                policy.mode.word()
            ),
            cause,
            "when reports show no failures for some weeks: mode: enforce, under a new id",
        ));
    }
    let weak = match policy.max_age {
        short if short < DAY => Severity::Warning,
        short if short < 7 * DAY => Severity::Note,
        _ => return,
    };
    if policy.mode != StsMode::None {
        notes.find(Finding::new(
            Kind::StsMaxAgeShort,
            weak,
            format!("max_age of the policy is {} s", policy.max_age.as_secs()),
            "whoever keeps senders from fetching the policy for that long has it forgotten",
            "raise it to weeks, as RFC 8461, 3.2 expects: max_age: 1209600 or more",
        ));
    }
}

fn hosts(notes: &mut Notes, seen: &Seen, policy: &StsPolicy) {
    if policy.mode == StsMode::None || !matches!(seen.findings.mx, MxFinding::Hosts(_)) {
        return;
    }
    let hosts: Vec<&DomainName> = seen.findings.hosts.iter().map(|own| &own.host.0).collect();
    for host in hosts.iter().filter(|host| !policy.permits(host)) {
        let (severity, comes) = match policy.mode {
            StsMode::Enforce => (
                Severity::Alarm,
                "senders that keep MTA-STS deliver no mail to it (RFC 8461, 4.1)",
            ),
            StsMode::Testing | StsMode::None => (
                Severity::Warning,
                "under mode: enforce senders would deliver no mail to it",
            ),
        };
        let finding = Finding::new(
            Kind::StsHostNotListed,
            severity,
            format!("the MTA-STS policy does not permit {host}"),
            comes,
            format!("add the line \"mx: {host}\" under a new id; or take its MX record out"),
        );
        notes.find(finding.of(host));
    }
    let unused: Vec<String> = policy
        .mx
        .iter()
        .filter(|pattern| !hosts.iter().any(|host| pattern.matches(host)))
        .map(ToString::to_string)
        .collect();
    if !unused.is_empty() {
        notes.find(Finding::new(
            Kind::StsPatternUnused,
            Severity::Note,
            format!(
                "the policy lists {}, and no MX record does",
                unused.join(", ")
            ),
            "it is normal before and after a change of MX hosts",
            "take it out of the policy, under a new id, once nobody needs it",
        ));
    }
}

fn policy_host(notes: &mut Notes, seen: &Seen, bar: &Bar<'_>) {
    let Some(Ok(PolicyResponse {
        certificate: Some(certificate),
        ..
    })) = &seen.policy
    else {
        return;
    };
    let Some(facts) = CertificateFacts::of(certificate) else {
        return;
    };
    let left = facts.not_after.saturating_sub(seconds(seen.time));
    let before = i64::try_from(bar.before.as_secs()).unwrap_or(i64::MAX);
    if left < before {
        notes.find(Finding::new(
            Kind::StsPolicyHostExpires,
            Severity::Warning,
            format!(
                "the certificate of mta-sts.{} ends in {}, on {}",
                seen.domain,
                span(left),
                day(facts.not_after)
            ),
            "from then on nobody can fetch the policy",
            "renew it; see whether what should have done so by itself still runs",
        ));
    }
}

/// What rests on the record.
const OF_RECORD: &[Basis] = &[
    Basis::StsRecord,
    Basis::Policy,
    Basis::PolicyHosts,
    Basis::WebPki,
];
/// What rests on the policy.
pub(super) const OF_POLICY: &[Basis] = &[Basis::Policy, Basis::PolicyHosts, Basis::WebPki];
const DAY: Duration = Duration::from_secs(86_400);
/// Seconds for which a new id without a new policy is told of.
const TOLD: i64 = 86_400;
