//! What is known of a watched domain, for page and programs. The JSON of `/api/v1/watch` and of
//! `hoplock check --watch --json` is these values; keys are stable, and always there.

use std::net::IpAddr;

use hoplock_policy::moment::Timestamp;
use hoplock_policy::name::DomainName;
use hoplock_policy::sts::{StsPolicy, StsRecordFinding};
use hoplock_policy::verify::{CertificateFacts, Matched};
use serde::Serialize;

use super::finding::{Finding, Severity};
use super::judge::{Records, short};
use super::look::Seen;

/// One domain, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedDomain {
    /// The domain.
    pub domain: String,
    /// When it was looked at last, RFC 3339; none: not yet.
    pub looked: Option<String>,
    /// `alarm`, `inconclusive`, `well` or `not-looked-at`; alarms win over doubts.
    pub result: &'static str,
    /// The worst first. Findings of earlier looks stand here too, where the last one could not see whether
    /// they are mended.
    pub findings: Vec<WatchedFinding>,
    /// Its mail hosts, best preference first.
    pub hosts: Vec<WatchedHost>,
    /// Its MTA-STS policy, where it has one that can be read.
    pub policy: Option<WatchedPolicy>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedFinding {
    /// A stable word (docs/watch.md).
    pub kind: &'static str,
    /// `alarm`, `warning` or `note`.
    pub severity: &'static str,
    /// The mail host; none: the domain.
    pub host: Option<String>,
    /// The address of it; none: all of the host.
    pub address: Option<IpAddr>,
    /// What is the matter.
    pub what: String,
    /// Why, or what comes of it.
    pub cause: String,
    /// What helps.
    pub cure: String,
    /// When it was seen first, RFC 3339, as far as this process has looked.
    pub since: String,
    /// False where the last look could not see whether it is mended.
    pub seen: bool,
}

/// One mail host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedHost {
    /// The name in the MX record.
    pub host: String,
    /// The preference there.
    pub preference: u16,
    /// `secure`, `insecure`, `absent` or `unknown`.
    pub tlsa_status: &'static str,
    /// The records that senders can use, as a zone has them.
    pub tlsa: Vec<String>,
    /// What it showed.
    pub addresses: Vec<WatchedAddress>,
}

/// One address of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedAddress {
    /// The address.
    pub address: IpAddr,
    /// How far the session went, for people.
    pub stage: String,
    /// The leaf that it showed.
    pub certificate: Option<WatchedCertificate>,
    /// The TLSA record that matched.
    pub matched: Option<String>,
    /// Why none did.
    pub refused: Option<String>,
    /// `valid` for the host by web PKI, or the reason why not; none: no certificate was seen.
    pub web_pki: Option<String>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedCertificate {
    /// Whose it is, as RFC 4514 writes it.
    pub subject: String,
    /// Who issued it, likewise.
    pub issuer: String,
    /// The names in it.
    pub names: Vec<String>,
    /// Valid from, RFC 3339.
    pub not_before: String,
    /// Valid until, RFC 3339.
    pub not_after: String,
    /// The same in seconds since 1970.
    pub not_after_seconds: i64,
}

/// An MTA-STS policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedPolicy {
    /// The id of its record.
    pub id: String,
    /// `enforce`, `testing` or `none`.
    pub mode: &'static str,
    /// Its patterns.
    pub mx: Vec<String>,
    /// How long senders keep it, in seconds.
    pub max_age: u64,
    /// Until when the certificate of the policy host is valid, RFC 3339.
    pub certificate_not_after: Option<String>,
}

impl WatchedFinding {
    pub(super) fn of(finding: &Finding, since: Timestamp, seen: bool) -> Self {
        Self {
            kind: finding.kind.word(),
            severity: finding.severity.word(),
            host: finding.host.as_ref().map(ToString::to_string),
            address: finding.address,
            what: finding.what.clone(),
            cause: finding.cause.clone(),
            cure: finding.cure.clone(),
            since: rfc3339(since),
            seen,
        }
    }

    /// True for an alarm.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.severity == Severity::Alarm.word()
    }
}

impl WatchedHost {
    pub(super) fn new(host: &DomainName, preference: u16, records: &Records) -> Self {
        let (tlsa_status, tlsa) = match records {
            Records::Secure { set, .. } => (
                "secure",
                set.usable.iter().map(|own| short(&own.record)).collect(),
            ),
            Records::Insecure(_) => ("insecure", Vec::new()),
            Records::Absent => ("absent", Vec::new()),
            Records::Unknown => ("unknown", Vec::new()),
        };
        Self {
            host: host.to_string(),
            preference,
            tlsa_status,
            tlsa,
            addresses: Vec::new(),
        }
    }

    /// The first end of a certificate that it showed, in seconds since 1970.
    #[must_use]
    pub fn first_end(&self) -> Option<i64> {
        let shown = self
            .addresses
            .iter()
            .filter_map(|own| own.certificate.as_ref());
        shown.map(|own| own.not_after_seconds).min()
    }
}

impl WatchedAddress {
    pub(super) fn new(address: IpAddr, stage: String) -> Self {
        Self {
            address,
            stage,
            certificate: None,
            matched: None,
            refused: None,
            web_pki: None,
        }
    }

    pub(super) fn matched_by(&mut self, matched: &Matched) {
        self.matched = match matched {
            Matched::Tlsa { record, .. } => Some(short(record)),
            Matched::Pin(text) | Matched::Name(text) => Some(text.clone()),
        };
    }
}

impl WatchedCertificate {
    pub(super) fn of(facts: &CertificateFacts) -> Self {
        Self {
            subject: facts.subject.clone(),
            issuer: facts.issuer.clone(),
            names: facts.names.clone(),
            not_before: at(facts.not_before),
            not_after: at(facts.not_after),
            not_after_seconds: facts.not_after,
        }
    }
}

impl WatchedPolicy {
    pub(super) fn of(seen: &Seen, policy: &StsPolicy) -> Self {
        let certificate = match &seen.policy {
            Some(Ok(response)) => response.certificate.as_ref(),
            _ => None,
        };
        let facts = certificate.and_then(CertificateFacts::of);
        Self {
            id: match &seen.sts_record {
                Ok(StsRecordFinding::One(record)) => record.id.clone(),
                _ => String::new(),
            },
            mode: policy.mode.word(),
            mx: policy.mx.iter().map(ToString::to_string).collect(),
            max_age: policy.max_age.as_secs(),
            certificate_not_after: facts.map(|facts| at(facts.not_after)),
        }
    }
}

/// To the second.
pub(super) fn rfc3339(time: Timestamp) -> String {
    at(i64::try_from(time.0 / 1000).unwrap_or(i64::MAX))
}

fn at(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds);
    time.map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
