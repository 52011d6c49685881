//! Certificates judged while the handshake waits, before any mail (SV-10, EX-06).

use hoplock_policy::law::duty::Duty;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{Presented, Session, SessionOutcome, TlsVersion};

use crate::forge::Party;
use crate::judge::PARTS;
use crate::scene::Scene;
use crate::{HOST, rdata};

/// As it is when the host shows its certificates: nothing is agreed on.
fn begun(session: &mut Session) {
    session.tls_version = None;
    session.cipher = None;
}

/// SV-10, EX-06: version and cipher come later, and keep nobody from being authenticated; after the
/// session they do (SV-01).
#[test]
fn version_and_cipher_are_not_known_yet() {
    for (scene, outcome) in Scene::authenticated() {
        let scene = scene.but(begun);
        let early = scene.in_handshake();
        assert_eq!(early.outcome, outcome);
        assert!(early.outcome.keeps() && early.matched.is_some());
        let late = scene.verdict();
        assert_eq!(late.outcome, SessionOutcome::Indeterminate);
        assert!(!late.outcome.keeps());
    }
    for (scene, reason) in [
        (Scene::free(), Reason::OpportunisticTls),
        (Scene::encrypt(), Reason::EncryptedAsOwed),
    ] {
        let early = scene.but(begun).in_handshake();
        let said = (early.outcome, early.reason);
        assert_eq!(said, (SessionOutcome::Encrypted, reason));
        assert!(early.outcome.keeps());
    }
}

/// SV-01: whatever else is missing is missed here too.
#[test]
fn all_other_parts_are_needed() {
    for (scene, _) in Scene::authenticated() {
        for (part, leave_out) in PARTS {
            if matches!(part, "tls_version" | "cipher" | "sni") {
                continue;
            }
            let early = scene.clone().but(begun).but(leave_out).in_handshake();
            assert_eq!(early.outcome, SessionOutcome::Indeterminate, "{part}");
            assert!(!early.outcome.keeps(), "{part}");
        }
    }
}

/// EX-06: another certificate is refused, whatever was owed that a certificate can keep.
#[test]
fn another_certificate_is_refused() {
    for (scene, _) in Scene::authenticated() {
        let other = Party::new("other");
        let chain = vec![other.leaf(&[HOST]).signed_by(&other), other.root()];
        let early = scene
            .but(|session| session.presented = Presented::Chain(chain.clone()))
            .but(begun)
            .in_handshake();
        assert_eq!(early.outcome, SessionOutcome::Failed);
        assert!(!early.outcome.keeps());
    }
    let refused = Scene::free().owing(Duty::Refuse).but(begun).in_handshake();
    assert_eq!(refused.reason, Reason::HostRefused);
    assert!(!refused.outcome.keeps());
}

/// SV-09, RQ-01: a version or a cipher that is known by then, and authenticates nobody, still does not.
#[test]
fn what_is_known_counts() {
    let old = Scene::dane().but(|session| session.tls_version = Some(TlsVersion::Tls11));
    assert_eq!(old.in_handshake().reason, Reason::TlsVersionTooOld);
    let anonymous = Scene::dane().but(|session| session.cipher = Some("ADH-AES256-SHA".to_owned()));
    let early = anonymous.in_handshake();
    assert_eq!(early.reason, Reason::CipherUnauthenticated);
}

/// CM-09, CM-20: a certificate that a record needs and that was not shown is a refusal, not a doubt that
/// lets mail pass.
#[test]
fn a_missing_issuer_is_a_refusal() {
    let mut scene = Scene::dane_by_anchor();
    assert!(scene.clone().but(begun).in_handshake().outcome.keeps());
    let Presented::Chain(chain) = scene.session.presented.clone() else {
        unreachable!("a chain");
    };
    scene.session.presented = Presented::Chain(chain[..1].to_vec());
    let early = scene.clone().but(begun).in_handshake();
    assert_eq!(early.reason, Reason::AnchorNotInChain);
    // The leaf alone is enough where the record names it.
    let leaf = rdata(3, 1, 1, &scene.host.spki());
    let early = scene.records(vec![leaf]).but(begun).in_handshake();
    assert_eq!(early.outcome, SessionOutcome::AuthenticatedDane);
}
