//! The words for single pieces of evidence, for every page that shows them to people.

use std::time::Duration;

use crate::dns::SecurityStatus;
use crate::findings::{Findings, HostFinding, MxFinding, NoHosts, Selection};
use crate::law::JudgedHost;
use crate::law::duty::Duty;
use crate::law::outcome::Outcome;
use crate::law::situation::HostState;
use crate::next_hop::{NextHop, escaped};
use crate::render::host::{self, presentation};
use crate::render::{View, safe};
use crate::tlsa::TlsaRecord;

/// What becomes of mail to the destination, in one sentence with its name in front.
#[must_use]
pub fn sentence(view: &View<'_>) -> String {
    format!(
        "{}: {}",
        super::destination(view),
        super::headline::sentence(view)
    )
}

/// By which records the hosts were found.
#[must_use]
pub fn records(findings: &Findings) -> &'static str {
    match findings.next_hop {
        NextHop::Service { .. } => "SRV records",
        _ => "MX records",
    }
}

/// How the hosts were found, and whether that is proved.
#[must_use]
pub fn selection(findings: &Findings) -> String {
    match &findings.mx {
        MxFinding::Hosts(Selection::Named) => {
            format!("not asked for, {} names the host itself", findings.next_hop)
        }
        MxFinding::Hosts(Selection::Implicit(status)) => {
            format!(
                "none ({}), so the domain is its own mail host",
                status.word()
            )
        }
        MxFinding::Hosts(
            Selection::Mx(SecurityStatus::Secure) | Selection::Srv(SecurityStatus::Secure),
        ) => "secure (proved by DNSSEC)".to_owned(),
        MxFinding::Hosts(Selection::Mx(status) | Selection::Srv(status)) => {
            format!("{} (not proved by DNSSEC)", status.word())
        }
        MxFinding::NoHosts { why, status } => {
            let why = match why {
                NoHosts::NxDomain => "the domain does not exist",
                NoHosts::NullMx => "the domain takes no mail (null MX)",
                NoHosts::NoUsableExchange => "no record names a host",
                NoHosts::NoService => "the domain offers no such service",
            };
            format!("{why} ({})", status.word())
        }
        MxFinding::Failed(failure) => format!(
            "FAILED: {}, {}",
            failure.kind.word(),
            escaped(&failure.detail)
        ),
    }
}

/// A length of time in the largest unit that still has two digits or so.
#[must_use]
pub fn span(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// Whether a host's addresses are proved.
#[must_use]
pub fn addresses(finding: &HostFinding) -> &'static str {
    host::addresses(finding)
}

/// What keeps a host from being used, where it is a lookup or a probe.
#[must_use]
pub fn trouble(judged: &JudgedHost, finding: &HostFinding, findings: &Findings) -> Option<String> {
    host::trouble(judged, finding, findings).map(|words| safe(&words))
}

/// What is known of a host's TLSA records.
#[must_use]
pub fn state(state: HostState) -> &'static str {
    match state {
        HostState::UsableEndEntity => "usable",
        HostState::UsableTrustAnchor => "usable (issuer)",
        HostState::Unusable => "UNUSABLE",
        HostState::NoneSecure => "none (proved)",
        HostState::NoneInsecure => "none (unsigned)",
        HostState::Failed => "FAILED",
        HostState::AddressFailed => "not known",
        HostState::Unreachable => "not asked",
    }
}

/// What a host owes.
#[must_use]
pub fn duty(duty: Duty) -> &'static str {
    match duty {
        Duty::Free => "nothing",
        Duty::Encrypt => "TLS",
        Duty::WebPki | Duty::OwnWebPki => "certificate",
        Duty::Dane => "DANE",
        Duty::Refuse => "no session",
    }
}

/// What the mail server will do with a host.
#[must_use]
pub fn deed(judged: &JudgedHost) -> &'static str {
    match (judged.outcome, judged.state) {
        (Outcome::Skip, HostState::Unreachable) => "skip it, it has no address",
        (Outcome::Skip, _) => "not use it",
        (Outcome::Clear, _) => "use it, over TLS where offered",
        (Outcome::Encrypt, _) => "use it over TLS only",
        (Outcome::WebPki, _) => "use it if its certificate is valid",
        (Outcome::OwnWebPki, _) => "use it if its certificate fits the names",
        (Outcome::Dane, _) => "use it if its TLSA records match",
    }
}

/// A TLSA record as people write it; whole certificates only by their beginning.
#[must_use]
pub fn record(rdata: &[u8]) -> String {
    match TlsaRecord::from_rdata(rdata) {
        Ok(record) if record.data.len() > LONGEST_DIGEST => {
            let text: String = record.to_string().chars().take(SHOWN).collect();
            format!("{text}... ({} octets)", record.data.len())
        }
        _ => presentation(rdata).chars().take(LONGEST_RECORD).collect(),
    }
}

/// The longest digest that is shown whole.
const LONGEST_DIGEST: usize = 64;
/// Characters shown of longer data.
const SHOWN: usize = 40;
/// Three numbers and the longest digest in hexadecimal.
const LONGEST_RECORD: usize = 140;
