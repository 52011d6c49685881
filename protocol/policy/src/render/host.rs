//! What is told of one host, to programs and to people alike.

use crate::dns::SecurityStatus;
use crate::findings::{AddressFinding, DaneFinding, Findings, HostFinding};
use crate::law::JudgedHost;
use crate::law::duty::Duty;
use crate::law::outcome::Outcome;
use crate::law::situation::HostState;
use crate::tlsa::TlsaRecord;

/// RDATA as people write it; what is no record at all stands as unknown data (RFC 3597, 5).
pub(super) fn presentation(rdata: &[u8]) -> String {
    match TlsaRecord::from_rdata(rdata) {
        Ok(record) => record.to_string(),
        Err(_) => {
            let hex: String = rdata.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\\# {} {hex}", rdata.len())
        }
    }
}

/// Whether the addresses are proved.
pub(super) fn addresses(finding: &HostFinding) -> &'static str {
    let status = |finding: &AddressFinding| match finding {
        AddressFinding::Present { status, .. } => Some(*status),
        AddressFinding::Absent { .. } | AddressFinding::Failed(_) => None,
    };
    match (status(&finding.ipv4), status(&finding.ipv6)) {
        (Some(SecurityStatus::Secure), _) | (_, Some(SecurityStatus::Secure)) => "secure",
        (Some(_), _) | (_, Some(_)) => "insecure",
        (None, None) => match (&finding.ipv4, &finding.ipv6) {
            (AddressFinding::Absent { .. }, AddressFinding::Absent { .. }) => "none",
            _ => "failed",
        },
    }
}

/// What keeps the host from being used, where it is a lookup or a probe.
pub(super) fn trouble(
    judged: &JudgedHost,
    finding: &HostFinding,
    findings: &Findings,
) -> Option<String> {
    match (judged.state, &finding.dane) {
        (HostState::Failed, DaneFinding::Failed(failure)) => {
            Some(format!("{}: {}", failure.kind.word(), failure.detail))
        }
        (HostState::AddressFailed, _) => {
            [&finding.ipv4, &finding.ipv6]
                .into_iter()
                .find_map(|finding| match finding {
                    AddressFinding::Failed(failure) => {
                        Some(format!("{}: {}", failure.kind.word(), failure.detail))
                    }
                    _ => None,
                })
        }
        _ => lacks_anchor(judged, finding, findings),
    }
}

/// DT-16: why no trust anchor of a host that needs one is known.
fn lacks_anchor(judged: &JudgedHost, finding: &HostFinding, findings: &Findings) -> Option<String> {
    let is_passed_over = judged.duty == Duty::Dane && judged.outcome != Outcome::Dane;
    let mut failures = findings.anchor_failures.iter();
    let (_, why) = failures.find(|(host, _)| is_passed_over && *host == finding.host)?;
    Some(format!("no trust anchor was brought by a probe: {why}"))
}
