//! From what was seen to findings. Pure: the time is an argument, and nothing waits.
//!
//! Everything is judged as senders see it that keep the standards to the letter, whatever this machine's own
//! configuration makes of the records of others.
//!
//! * `mx`: MX records and addresses.
//! * `tlsa`: TLSA records, and the records against what hosts show.
//! * `sessions`: STARTTLS and certificates.
//! * `rollover`: whether the next certificate will match them.
//! * `sts`: record, policy and hosts of MTA-STS; `fetch`: why a policy cannot be had.
//! * `tlsrpt`: the record by which senders tell of failures.

mod fetch;
mod mx;
mod rollover;
mod sessions;
mod sts;
#[cfg(test)]
mod tests;
mod tlsa;
mod tlsrpt;

use std::time::Duration;

use hoplock_policy::dns::{FailureKind, LookupFailure};
use hoplock_policy::findings::{HostFinding, Validation};
use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::sts::{StsMode, StsPolicy};
use rustls_pki_types::TrustAnchor;

pub use self::sts::PolicyMemory;
pub(super) use self::tlsa::{Records, short};
use super::finding::{Basis, Doubt, Finding, Kind, Severity};
use super::look::{HostSessions, Seen};
use super::shown::{WatchedHost, WatchedPolicy};

/// By what it is judged.
#[derive(Clone, Copy)]
pub struct Bar<'a> {
    /// Who vouches for certificates under MTA-STS.
    pub authorities: &'a [TrustAnchor<'static>],
    /// How long before its end a certificate is told of.
    pub before: Duration,
}

/// What a look comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub doubts: Vec<Doubt>,
    /// The hosts, best preference first.
    pub hosts: Vec<WatchedHost>,
    /// The MTA-STS policy, where there is one.
    pub policy: Option<WatchedPolicy>,
    pub(super) memory: Option<PolicyMemory>,
}

/// Judges one look; `memory` is what an earlier one knew of the policy.
#[must_use]
pub fn judge(seen: &Seen, bar: &Bar<'_>, memory: Option<&PolicyMemory>) -> Judged {
    let mut notes = Notes::default();
    let policy = sts::policy(seen);
    let hosts: Vec<HostView<'_>> = views(seen, policy.as_ref());
    mx::judge(&mut notes, seen);
    let unsigned_is_proved = seen.validation == Validation::Validating;
    if !unsigned_is_proved {
        notes.doubt(Doubt::on(&[Basis::Tlsa, Basis::Dane]));
        notes.find(Finding::new(
            Kind::ResolverNotValidating,
            Severity::Note,
            "nothing is said of DNSSEC and DANE",
            "the resolver of this machine was not seen to validate DNSSEC",
            "hoplock doctor",
        ));
    }
    tlsa::judge(&mut notes, seen, &hosts, unsigned_is_proved);
    let judged = sessions::judge(&mut notes, seen, &hosts, bar);
    let memory = sts::judge(&mut notes, seen, policy.as_ref(), bar, memory);
    let publishes = !matches!(
        seen.sts_record,
        Ok(hoplock_policy::sts::StsRecordFinding::Absent)
    ) || hosts.iter().any(|host| host.records.is_secure());
    tlsrpt::judge(&mut notes, seen, publishes);
    let Notes {
        mut findings,
        doubts,
    } = notes;
    findings.sort_by(|a, b| {
        let key = |own: &Finding| (own.kind, own.host.clone(), own.address);
        b.severity
            .cmp(&a.severity)
            .then_with(|| key(a).cmp(&key(b)))
    });
    Judged {
        findings,
        doubts,
        hosts: judged,
        policy: policy
            .as_ref()
            .map(|policy| WatchedPolicy::of(seen, policy)),
        memory,
    }
}

/// What a judgement writes down.
#[derive(Default)]
struct Notes {
    findings: Vec<Finding>,
    doubts: Vec<Doubt>,
}

impl Notes {
    fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn doubt(&mut self, doubt: Doubt) {
        self.doubts.push(doubt);
    }

    /// A lookup that had no answer: it says nothing against anybody.
    fn unanswered(&mut self, what: &str, failure: &LookupFailure, doubt: Doubt) {
        let mut finding = Finding::new(
            Kind::LookupUnanswered,
            Severity::Note,
            format!("{what} could not be looked up"),
            told(failure),
            "look again; if it stays, see whether the name servers of the domain answer",
        );
        finding.host.clone_from(&doubt.host);
        self.doubts.push(doubt);
        self.findings.push(finding);
    }
}

/// One host with everything that is known of it.
struct HostView<'a> {
    name: &'a DomainName,
    finding: &'a HostFinding,
    records: Records,
    sessions: Option<&'a HostSessions>,
    /// The mode of an MTA-STS policy that permits it.
    mode: Option<StsMode>,
}

impl HostView<'_> {
    /// True where mail must not go to it without TLS (RFC 7672, 2.2; RFC 8461, 5): unusable records oblige too.
    fn owes_tls(&self) -> bool {
        self.records.is_secure() || self.mode == Some(StsMode::Enforce)
    }
}

fn views<'a>(seen: &'a Seen, policy: Option<&StsPolicy>) -> Vec<HostView<'a>> {
    let mut hosts: Vec<&HostFinding> = Vec::new();
    for host in &seen.findings.hosts {
        // A host that is listed twice is one host, used at its better preference.
        match hosts.iter_mut().find(|own| own.host == host.host) {
            Some(own) if own.preference > host.preference => *own = host,
            Some(_) => {}
            None => hosts.push(host),
        }
    }
    hosts.sort_by(|a, b| (a.preference, &a.host).cmp(&(b.preference, &b.host)));
    let view = |finding: &'a HostFinding| {
        let name = &finding.host.0;
        let sessions = seen.sessions.as_deref().unwrap_or_default();
        HostView {
            name,
            finding,
            records: Records::of(finding, &seen.findings),
            sessions: sessions.iter().find(|own| own.host == *name),
            mode: policy.filter(|own| own.permits(name)).map(|own| own.mode),
        }
    };
    hosts.into_iter().map(view).collect()
}

/// Nobody answered: the trouble may be this machine's.
fn is_unanswered(failure: &LookupFailure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Timeout | FailureKind::Unreachable | FailureKind::NotExamined
    )
}

fn told(failure: &LookupFailure) -> String {
    let detail = &failure.detail;
    match failure.kind {
        FailureKind::Bogus => format!("DNSSEC validation fails: {detail}"),
        kind => format!("{}: {detail}", kind.word()),
    }
}

/// What helps where an answer is wrong.
fn mend_dns(failure: &LookupFailure, name: &str, record_type: &str) -> String {
    match failure.kind {
        FailureKind::Bogus => format!(
            "sign the zone anew, and compare the DS records of its parent with its keys: \
             dig +dnssec {record_type} {name}; the same with +cd"
        ),
        _ => format!(
            "see the name servers of {name}; some refuse record types that they do not know: \
             dig +dnssec {record_type} {name}"
        ),
    }
}

/// The day, as RFC 3339 writes it.
fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds);
    let text = time.map_or_else(|_| seconds.to_string(), |time| time.to_string());
    text.split('T').next().unwrap_or_default().to_owned()
}

fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.0 / 1000).unwrap_or(i64::MAX)
}

/// A span for people, in the unit that fits.
fn span(length: i64) -> String {
    match length.max(0) {
        hours if hours < 2 * 86_400 => format!("{} h", hours / 3_600),
        days => format!("{} days", days / 86_400),
    }
}
