//! Sessions that resume others, in which nothing is shown (RFC 8446, 2.2; SV-05).

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::law::MatchName;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::name::MxHost;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    Demand, Original, Presented, ReferenceNames, SessionOutcome, Sni, Starttls, TlsVersion,
};

use crate::forge::Party;
use crate::judge::PARTS;
use crate::scene::Scene;
use crate::{HOST, name, rdata};

use SessionOutcome::{Failed, Indeterminate};

const UNKNOWN: (SessionOutcome, Reason) = (Indeterminate, Reason::ResumedUnknown);

/// The scene as it was judged, for others to resume.
fn original(scene: &Scene) -> Original {
    Original {
        host: name(HOST),
        generation: scene.owed().generation(),
        verdict: scene.verdict(),
    }
}

/// The same session resumed.
fn resuming(scene: &Scene) -> Scene {
    scene.clone().but(|session| {
        session.resumed = true;
        session.presented = Presented::Unknown;
    })
}

fn said(scene: &Scene, original: Option<&Original>) -> (SessionOutcome, Reason) {
    let verdict = scene.resumed(original);
    (verdict.outcome, verdict.reason)
}

/// SV-05: a resumed session has the verdict of the one that it resumed, good or bad, where host and
/// policy are the same.
#[test]
fn the_same_host_under_the_same_policy() {
    for (scene, outcome) in Scene::authenticated() {
        let first = original(&scene);
        let verdict = resuming(&scene).resumed(Some(&first));
        assert_eq!(verdict.outcome, outcome);
        assert_eq!(verdict.reason, Reason::Resumed);
        assert_eq!(verdict.matched, first.verdict.matched);
        assert_eq!(said(&resuming(&scene), None), UNKNOWN);
        assert_eq!(resuming(&scene).said(), UNKNOWN);
    }
    let wrong = vec![rdata(3, 1, 1, &Party::new("other").spki())];
    let failed = Scene::dane().records(wrong);
    let again = said(&resuming(&failed), Some(&original(&failed)));
    assert_eq!(again, (Failed, Reason::TlsaNoMatch));
}

/// SV-05: another host is not the one that was judged.
#[test]
fn another_host() {
    for (scene, _) in Scene::authenticated() {
        let first = original(&scene);
        let other = Original {
            host: name("mx2.e.test"),
            ..first.clone()
        };
        assert_eq!(said(&resuming(&scene), Some(&other)), UNKNOWN);
        let elsewhere = resuming(&scene).but(|session| {
            session.mx_host = Some(MxHost(name("mx2.e.test")));
        });
        let (outcome, _) = said(&elsewhere, Some(&first));
        assert!(!outcome.is_authenticated(), "{outcome:?}");
    }
}

/// SV-05: any change of what is owed ends the inheritance: records, names, policy, pins.
#[test]
fn another_policy() {
    let dane = Scene::dane_by_anchor();
    let rolled = rdata(2, 1, 1, &Party::new("next").spki());
    let both = [dane.rdata.clone().unwrap(), vec![rolled.clone()]].concat();
    let mut renamed = dane.clone();
    renamed.names = ReferenceNames::exactly([name(HOST), name("second.test")]);
    let pins = Demand::Pins(vec!["00".repeat(32)]);
    let names = |text| Demand::Names(vec![MatchName::Below(name(text))]);
    for (first, then) in [
        (dane.clone(), dane.clone().records(vec![rolled])),
        (dane.clone(), dane.clone().records(both)),
        (dane.clone(), dane.clone().records(Vec::new())),
        (dane.clone(), renamed),
        (dane.clone(), dane.clone().owing(Duty::WebPki)),
        (dane.clone(), dane.clone().demanding(pins.clone())),
        (dane.clone(), dane.policy("enforce", &["other.test"])),
        (Scene::sts(), Scene::sts().policy("enforce", &["*.e.test"])),
        (Scene::sts(), Scene::sts().policy("testing", &[HOST])),
        (Scene::pinned(), Scene::pinned().demanding(pins)),
        (
            Scene::named().demanding(names("test")),
            Scene::named().demanding(names("e.test")),
        ),
    ] {
        let before = original(&first);
        assert_ne!(then.owed().generation(), before.generation);
        assert_eq!(said(&resuming(&then), Some(&before)), UNKNOWN);
    }
}

/// SV-05, MX-22: records that have come to stand behind an insecure MX set bind nothing any more.
#[test]
fn the_mx_set_has_become_insecure() {
    let scene = Scene::dane();
    let first = original(&scene);
    let then = resuming(&scene).behind(SecurityStatus::Insecure);
    assert!(!then.resumed(Some(&first)).outcome.is_authenticated());
}

/// SV-05: the same policy written down again is the same policy.
#[test]
fn the_same_policy_again() {
    let scene = Scene::dane();
    let own = scene.rdata.clone().unwrap();
    let other = rdata(3, 1, 1, &Party::new("next").spki());
    let one_way = scene
        .clone()
        .records([own.clone(), vec![other.clone()]].concat());
    let other_way = scene.records([vec![other], own.clone(), own].concat());
    let first = original(&one_way);
    let verdict = resuming(&other_way).resumed(Some(&first));
    assert_eq!(verdict.outcome, SessionOutcome::AuthenticatedDane);
}

/// SV-01, SV-05: whatever is missing from the report of a resumed session, it inherits nothing
/// good; the server name alone does not matter.
#[test]
fn a_resumed_session_needs_its_own_report() {
    for (scene, outcome) in Scene::authenticated() {
        let first = original(&scene);
        for (part, leave_out) in PARTS {
            let scene = resuming(&scene).but(leave_out);
            let inherits = matches!(part, "chain" | "sni");
            let expected = if inherits { outcome } else { Indeterminate };
            assert_eq!(said(&scene, Some(&first)).0, expected, "{part}");
        }
    }
}

/// SV-05, SV-09, RQ-01: a resumed session is under the floor like any other.
#[test]
fn a_resumed_session_is_under_the_floor() {
    for (scene, _) in Scene::authenticated() {
        let first = original(&scene);
        let scene = resuming(&scene);
        for (scene, reason) in [
            (
                scene
                    .clone()
                    .but(|session| session.tls_version = Some(TlsVersion::Tls11)),
                Reason::TlsVersionTooOld,
            ),
            (
                scene
                    .clone()
                    .but(|session| session.cipher = Some("AECDH-NULL-SHA".to_owned())),
                Reason::CipherUnauthenticated,
            ),
            (
                scene.but(|session| session.starttls = Some(Starttls::Failed)),
                Reason::HandshakeFailed,
            ),
        ] {
            assert_eq!(said(&scene, Some(&first)), (Failed, reason));
        }
    }
}

/// SV-05: what was shown is judged by itself, though the session is said to have resumed another;
/// and what was not shown is not inherited where nothing was resumed.
#[test]
fn only_what_was_not_shown_is_inherited() {
    let scene = Scene::dane();
    let first = original(&scene);
    let impostor = Party::new("impostor");
    let leaf = impostor.leaf(&[HOST]).signed_by(&impostor);
    let shown = resuming(&scene).showing(vec![leaf]);
    assert_eq!(said(&shown, Some(&first)), (Failed, Reason::TlsaNoMatch));
    let hidden = resuming(&scene).but(|session| session.resumed = false);
    let incomplete = (Indeterminate, Reason::ReportIncomplete);
    assert_eq!(said(&hidden, Some(&first)), incomplete);
    let empty = resuming(&scene).showing(Vec::new());
    assert_eq!(said(&empty, Some(&first)).1, Reason::Resumed);
}

/// SV-05: where nobody must be authenticated, a resumed session is encrypted like any other.
#[test]
fn where_nobody_must_be_authenticated() {
    for scene in [Scene::free(), Scene::encrypt()] {
        let verdict = resuming(&scene).but(|session| session.sni = Sni::NotSent);
        assert_eq!(verdict.resumed(None).outcome, SessionOutcome::Encrypted);
    }
}
