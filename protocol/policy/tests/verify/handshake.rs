//! Certificates judged while the handshake waits, before any mail (SV-10, EX-06).

use hoplock_policy::law::duty::Duty;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    LeafDigests, MtaWord, PolicyKind, Presented, Session, SessionOutcome, SessionVerdict, Starttls,
    TlsVersion, Warning, verify_handshake_by_word,
};

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

/// What Sendmail tells: the digest of the certificate, and of its key nothing.
fn by_digest(scene: Scene) -> Scene {
    let leaf = match &scene.session.presented {
        Presented::Chain(chain) => rdata(3, 0, 1, chain[0].der())[3..].to_vec(),
        other => unreachable!("{other:?}"),
    };
    let digests = LeafDigests {
        certificate: leaf,
        key: Vec::new(),
    };
    scene
        .but(begun)
        .but(|session| session.presented = Presented::Digests(digests))
}

fn by_word(scene: &Scene, word: &MtaWord) -> SessionVerdict {
    let owed = scene.owed();
    verify_handshake_by_word(&scene.session, &owed, scene.now, &scene.options, word)
}

/// SV-10: the certificate's digest settles what 3 0 1 records say, both ways; of a record of the key it
/// says nothing, whatever that holds.
#[test]
fn the_digest_of_the_certificate_alone() {
    let scene = Scene::dane();
    let Presented::Chain(chain) = scene.session.presented.clone() else {
        unreachable!("a chain");
    };
    let leaf = chain[0].der().to_vec();
    let other = rdata(3, 0, 1, b"another");
    for (records, outcome) in [
        (
            vec![rdata(3, 0, 1, &leaf)],
            SessionOutcome::AuthenticatedDane,
        ),
        (vec![other.clone()], SessionOutcome::Failed),
        (
            vec![other.clone(), rdata(3, 0, 1, &leaf)],
            SessionOutcome::AuthenticatedDane,
        ),
        (
            vec![other, rdata(3, 1, 1, &scene.host.spki())],
            SessionOutcome::Indeterminate,
        ),
        (vec![rdata(3, 1, 1, b"")], SessionOutcome::Indeterminate),
        (vec![rdata(3, 1, 1, &leaf)], SessionOutcome::Indeterminate),
        (vec![rdata(3, 0, 2, &leaf)], SessionOutcome::Indeterminate),
        (vec![rdata(2, 0, 1, &leaf)], SessionOutcome::Indeterminate),
    ] {
        let early = by_digest(scene.clone().records(records.clone())).in_handshake();
        assert_eq!(early.outcome, outcome, "{records:02x?}");
    }
    for scene in [Scene::pinned(), Scene::named(), Scene::sts()] {
        let early = by_digest(scene).in_handshake();
        assert_eq!(early.outcome, SessionOutcome::Indeterminate);
    }
}

/// SV-10: the mail server's word counts for the policy that it is about, and for nothing that the
/// operator demands.
#[test]
fn a_word_stands_in_for_its_own_proof_alone() {
    let dane = MtaWord::Authenticated(Some(PolicyKind::Dane));
    let sts = MtaWord::Authenticated(Some(PolicyKind::Sts));
    let refused = MtaWord::Refused {
        reason: Reason::CertificateNotTrusted,
        detail: String::new(),
    };
    let all = [
        &dane,
        &sts,
        &refused,
        &MtaWord::Authenticated(None),
        &MtaWord::Encrypted,
        &MtaWord::Nothing,
    ];
    for (scene, outcome) in Scene::authenticated() {
        let scene = by_digest(scene);
        for word in all {
            let verdict = by_word(&scene, word);
            let counts = match outcome {
                SessionOutcome::AuthenticatedDane => *word == dane,
                SessionOutcome::AuthenticatedSts => *word == sts,
                _ => false,
            };
            let fails = outcome == SessionOutcome::AuthenticatedSts && *word == refused;
            let expected = match (counts, fails) {
                (true, _) => outcome,
                (_, true) => SessionOutcome::Failed,
                _ => SessionOutcome::Indeterminate,
            };
            assert_eq!(verdict.outcome, expected, "{word:?} {outcome:?}");
            let is_told = verdict.warnings.contains(&Warning::MtaWord);
            assert_eq!(is_told, counts || fails, "{word:?} {outcome:?}");
        }
    }
}

/// SV-10, SV-07, RQ-01: no word makes good what is known: a host that the policy does not permit, a
/// version that authenticates nobody, another certificate, no TLS, an unknown host.
#[test]
fn no_word_makes_good_what_is_known() {
    let dane = MtaWord::Authenticated(Some(PolicyKind::Dane));
    let sts = MtaWord::Authenticated(Some(PolicyKind::Sts));
    let old = |session: &mut Session| session.tls_version = Some(TlsVersion::Tls11);
    let clear = |session: &mut Session| session.starttls = Some(Starttls::NotOffered);
    let unknown = |session: &mut Session| session.mx_host = None;
    let nowhere = |session: &mut Session| session.address = None;
    let elsewhere = by_digest(Scene::sts().policy("enforce", &["mx.other.test"]));
    assert_eq!(by_word(&elsewhere, &sts).reason, Reason::StsHostNotListed);
    let other = by_digest(Scene::dane().records(vec![rdata(3, 0, 1, b"another")]));
    assert_eq!(by_word(&other, &dane).reason, Reason::TlsaNoMatch);
    for (scene, word) in [(Scene::sts(), &sts), (Scene::dane(), &dane)] {
        let scene = by_digest(scene);
        assert!(by_word(&scene, word).outcome.keeps());
        let early = by_word(&scene.clone().but(old), word);
        assert_eq!(early.reason, Reason::TlsVersionTooOld);
        assert!(!by_word(&scene.clone().but(clear), word).outcome.keeps());
        assert!(!by_word(&scene.clone().but(unknown), word).outcome.keeps());
        assert!(!by_word(&scene.but(nowhere), word).outcome.keeps());
    }
    let refused = by_digest(Scene::free().owing(Duty::Refuse));
    assert!(!by_word(&refused, &dane).outcome.keeps());
}
