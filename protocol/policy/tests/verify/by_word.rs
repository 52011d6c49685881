//! Sessions of which no certificate is reported, judged by the mail server's own word.

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    MtaWord, PolicyKind, Presented, SessionOutcome, SessionVerdict, Starttls, TlsVersion, Warning,
    verify_by_word,
};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert, prop_oneof, proptest};
use proptest::sample::select;

use crate::forge::Party;
use crate::pool::scenes;
use crate::rdata;
use crate::scene::Scene;

use SessionOutcome::{AuthenticatedDane, Encrypted, Failed, Indeterminate};

fn judged(scene: &Scene, word: &MtaWord) -> SessionVerdict {
    let owed = scene.owed();
    verify_by_word(&scene.session, &owed, scene.now, &scene.options, word)
}

fn refused() -> MtaWord {
    MtaWord::Refused {
        reason: Reason::TlsaNoMatch,
        detail: String::new(),
    }
}

/// Every kind of word.
fn words() -> impl Strategy<Value = MtaWord> {
    let kinds = select(vec![
        None,
        Some(PolicyKind::Dane),
        Some(PolicyKind::Sts),
        Some(PolicyKind::Pins),
    ]);
    prop_oneof![
        4 => kinds.prop_map(MtaWord::Authenticated),
        1 => Just(MtaWord::Encrypted),
        1 => Just(refused()),
        1 => Just(MtaWord::Nothing),
    ]
}

/// SV-01: where the report says nothing that could be checked, the mail server's word counts for
/// the kind of policy that it speaks of, and it is told that no more is known.
#[test]
fn the_word_counts_for_its_own_policy() {
    let unseen = |scene: Scene| scene.but(|session| session.presented = Presented::Unknown);
    let dane = MtaWord::Authenticated(Some(PolicyKind::Dane));
    let sts = MtaWord::Authenticated(Some(PolicyKind::Sts));
    let some = MtaWord::Authenticated(None);
    for (scene, outcome) in Scene::authenticated() {
        let scene = unseen(scene);
        let own = match outcome {
            AuthenticatedDane => (&dane, Some(&sts)),
            SessionOutcome::AuthenticatedSts => (&sts, Some(&dane)),
            _ => (&some, None),
        };
        for (word, expected) in [
            (own.0, outcome),
            (&some, outcome),
            (own.1.unwrap_or(&MtaWord::Encrypted), Failed),
            (&MtaWord::Encrypted, Failed),
            (&refused(), Failed),
        ] {
            let verdict = judged(&scene, word);
            assert_eq!(verdict.outcome, expected, "{word:?}");
            assert_eq!(verdict.warnings, [Warning::MtaWord]);
            assert_eq!(verdict.matched, None);
        }
        assert_eq!(judged(&scene, &MtaWord::Nothing).outcome, Indeterminate);
    }
}

/// SV-02, PD-13: what can be checked stands above any word; where the two differ, that is told.
#[test]
fn what_can_be_checked_stands_above_a_word() {
    let some = MtaWord::Authenticated(None);
    let good = Scene::dane();
    let wrong = good
        .clone()
        .records(vec![rdata(3, 1, 1, &Party::new("other").spki())]);
    let told = vec![Warning::MtaDisagrees];
    for (scene, word, outcome, warnings) in [
        (&good, &some, AuthenticatedDane, vec![]),
        (&good, &refused(), AuthenticatedDane, told.clone()),
        (&wrong, &some, Failed, told),
        (&wrong, &refused(), Failed, vec![]),
    ] {
        let verdict = judged(scene, word);
        assert_eq!((verdict.outcome, verdict.warnings), (outcome, warnings));
    }
}

/// MX-22: a mail server's word about a host behind an insecure MX set makes nobody authenticated.
#[test]
fn a_word_about_an_insecure_mx_set() {
    let scene = Scene::dane().behind(SecurityStatus::Insecure);
    let scene = scene.but(|session| session.cipher = None);
    for duty in [Duty::Free, Duty::Dane] {
        let word = MtaWord::Authenticated(Some(PolicyKind::Dane));
        let verdict = judged(&scene.clone().owing(duty), &word);
        assert_eq!(verdict.outcome, Encrypted, "{duty:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// SV-03, RQ-01, PD-13: no word makes a session good that had no TLS, or an old version, or
    /// that should not have been.
    #[test]
    fn no_word_makes_up_for_what_is_known(scene in scenes(), word in words(), kind in 0..5) {
        let scene = match kind {
            0 => scene.but(|session| session.starttls = Some(Starttls::NotOffered)),
            1 => scene.but(|session| session.starttls = Some(Starttls::Refused)),
            2 => scene.but(|session| session.starttls = Some(Starttls::Failed)),
            3 => scene.owing(Duty::Refuse),
            _ => scene.but(|session| {
                session.starttls = Some(Starttls::Used);
                session.tls_version = Some(TlsVersion::Tls11);
                session.presented = Presented::RawKey(Vec::new());
            }),
        };
        let verdict = judged(&scene, &word);
        let basics = scene.session.mx_host.is_some();
        prop_assert!(!verdict.outcome.is_authenticated() || !basics, "{:?}", verdict);
    }
}
