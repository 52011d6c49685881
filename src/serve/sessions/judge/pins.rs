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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use hoplock_policy::profile::Profile;
    use hoplock_policy::tlsa::TlsaRecord;
    use hoplock_policy::verify::Certificate;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::super::tests::{case, certificate, judge, record, world};
    use super::*;

    /// DT-19: a session that fits the trust anchor and none of the records that pins are made of turns the
    /// answers for a mail server without DANE to the anchor; one that fits both, or shows no certificate, does
    /// not.
    #[tokio::test(start_paused = true)]
    async fn a_session_by_the_anchor_alone_turns_pins_to_it() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["mx.e.test".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let read = |der: &[u8]| Certificate::from_der(der.to_vec());
        let (leaf, authority) = (read(leaf.der()), read(authority.der()));
        let anchor = TlsaRecord::naming(&authority, 2, 0, 0);
        let anchor = anchor.unwrap().rdata();
        let mut pins = Profile::built_in("pins").unwrap();
        pins.anchor_directory = "/anchors".to_owned();
        for (pinned, shown, expected) in [
            (
                certificate("mx.e.test"),
                vec![leaf.clone(), authority.clone()],
                "secure",
            ),
            (
                leaf.clone(),
                vec![leaf.clone(), authority.clone()],
                "fingerprint",
            ),
            (certificate("mx.e.test"), Vec::new(), "fingerprint"),
        ] {
            let world = world(&[record(&pinned), anchor.clone()]);
            let judge = judge(&world);
            let before = judge.answerer.answer("e.test", &pins).await;
            assert_eq!(before.verdict.answer.word(), "fingerprint");
            let mut own = case(&world, "mx.e.test", &leaf);
            own.session.presented = if shown.is_empty() {
                Presented::Unknown
            } else {
                Presented::Chain(shown)
            };
            judge.judge(&own).await;
            let after = judge.answerer.answer("e.test", &pins).await;
            assert_eq!(after.verdict.answer.word(), expected);
        }
    }
}
