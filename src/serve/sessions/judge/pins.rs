//! What a session tells of the pins of its host (DT-19).

use hoplock_policy::findings::{DaneFinding, Findings};
use hoplock_policy::tlsa::{TlsaOptions, TlsaSet, TlsaUsage};
use hoplock_policy::verify::{Matched, Presented, Session, SessionVerdict};

/// True where a host has records that can be pinned, and was authenticated by another one: its certificate
/// was compared with both.
pub(super) fn are_passed_by(
    session: &Session,
    verdict: &SessionVerdict,
    findings: Option<&Findings>,
    options: &TlsaOptions,
) -> bool {
    // SV-05: a resumed session shows nothing.
    if !matches!(session.presented, Presented::Chain(_)) || !verdict.outcome.is_authenticated() {
        return false;
    }
    let Some(Matched::Tlsa { record, .. }) = &verdict.matched else {
        return false;
    };
    let host = session
        .mx_host
        .as_ref()
        .zip(findings)
        .and_then(|(host, findings)| findings.host_named(&host.0));
    let Some(DaneFinding::Records { rdata, .. }) = host.map(|host| &host.dane) else {
        return false;
    };
    let set = TlsaSet::read(rdata.iter().map(Vec::as_slice), options);
    let by = set.usable.iter().find(|own| own.record.data == record.data);
    by.is_some_and(|own| own.usage == TlsaUsage::TrustAnchor) && set.has_end_entity()
}
