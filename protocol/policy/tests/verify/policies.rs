//! Sessions under more than one policy: DANE beside MTA-STS, enforced and tested (RFC 8461, 2 and
//! 5).

use hoplock_policy::dns::SecurityStatus;
use hoplock_policy::law::duty::Duty;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    PolicyKind, Presented, SessionOutcome, SessionVerdict, Starttls, TlsVersion, Warning,
};

use crate::forge::Party;
use crate::rdata;
use crate::scene::Scene;

use SessionOutcome::{AuthenticatedDane, AuthenticatedSts, Encrypted, Failed, Indeterminate};

/// What each policy has found, in a short form.
fn results(scene: &Scene) -> Vec<(PolicyKind, SessionOutcome, Reason)> {
    let results = scene.verdict().results;
    results
        .iter()
        .map(|result| (result.policy, result.outcome, result.reason))
        .collect()
}

fn wrong_record() -> Vec<Vec<u8>> {
    vec![rdata(3, 1, 1, &Party::new("other").spki())]
}

/// The host shows a certificate that nobody vouches for.
fn by_itself(scene: Scene) -> Scene {
    let leaf = scene.host.leaf(&[crate::HOST]).signed_by(&scene.host);
    scene.showing(vec![leaf])
}

/// SV-08: where DANE and MTA-STS both apply, one session has two results, each by itself, in
/// whatever mode the policy is; the verdict is that of DANE.
#[test]
fn two_policies_have_two_results() {
    let both = |mode: &str| Scene::dane().policy(mode, &["mx.e.test"]);
    let dane_good = (PolicyKind::Dane, AuthenticatedDane, Reason::TlsaMatch);
    let dane_bad = (PolicyKind::Dane, Failed, Reason::TlsaNoMatch);
    let sts_good = (PolicyKind::Sts, AuthenticatedSts, Reason::StsMatch);
    let sts_bad = (PolicyKind::Sts, Failed, Reason::CertificateNotTrusted);
    for mode in ["enforce", "testing"] {
        for (scene, outcome, expected) in [
            (both(mode), AuthenticatedDane, [dane_good, sts_good]),
            (
                by_itself(both(mode)),
                AuthenticatedDane,
                [dane_good, sts_bad],
            ),
            (
                both(mode).records(wrong_record()),
                Failed,
                [dane_bad, sts_good],
            ),
            (
                by_itself(both(mode).records(wrong_record())),
                Failed,
                [dane_bad, sts_bad],
            ),
        ] {
            assert_eq!(scene.verdict().outcome, outcome);
            assert_eq!(results(&scene), expected);
        }
    }
}

/// SV-08: no result is better than the report permits.
#[test]
fn both_results_are_under_the_floor() {
    let both = Scene::dane().policy("enforce", &["mx.e.test"]);
    let of = |outcome, reason| {
        let kinds = [PolicyKind::Dane, PolicyKind::Sts];
        kinds.map(|kind| (kind, outcome, reason)).to_vec()
    };
    let changed =
        |change: fn(&mut hoplock_policy::verify::Session)| results(&both.clone().but(change));
    for (found, expected) in [
        (
            changed(|session| session.starttls = Some(Starttls::NotOffered)),
            of(Failed, Reason::StarttlsNotOffered),
        ),
        (
            changed(|session| session.starttls = Some(Starttls::Refused)),
            of(Failed, Reason::StarttlsRefused),
        ),
        (
            changed(|session| session.starttls = Some(Starttls::Failed)),
            of(Failed, Reason::HandshakeFailed),
        ),
        (
            changed(|session| session.starttls = None),
            of(Indeterminate, Reason::ReportIncomplete),
        ),
        (
            changed(|session| session.tls_version = Some(TlsVersion::Tls11)),
            of(Failed, Reason::TlsVersionTooOld),
        ),
        (
            changed(|session| session.tls_version = None),
            of(Indeterminate, Reason::ReportIncomplete),
        ),
        (
            changed(|session| session.cipher = Some("ADH-AES256-SHA".to_owned())),
            of(Failed, Reason::CipherUnauthenticated),
        ),
        (
            changed(|session| session.cipher = None),
            of(Indeterminate, Reason::ReportIncomplete),
        ),
        (
            changed(|session| session.presented = Presented::Unknown),
            of(Indeterminate, Reason::ReportIncomplete),
        ),
    ] {
        assert_eq!(found, expected);
    }
}

/// SV-08: where only one of the two applies, there is nothing to list beside the verdict.
#[test]
fn one_policy_has_no_list() {
    let policy = ["mx.e.test"];
    for scene in [
        Scene::dane(),
        Scene::sts(),
        Scene::dane().policy("none", &policy),
        Scene::sts()
            .records(wrong_record())
            .behind(SecurityStatus::Insecure),
        Scene::encrypt()
            .owing(Duty::WebPki)
            .policy("enforce", &policy),
        Scene::free(),
    ] {
        assert_eq!(results(&scene), []);
    }
}

/// PD-02: a session that MTA-STS would have let pass fails where DANE does, for whatever reason.
#[test]
fn mta_sts_rescues_nobody() {
    for mode in ["enforce", "testing"] {
        let scene = Scene::dane().policy(mode, &["*.e.test"]);
        let elsewhere = rdata(2, 1, 1, &Party::new("other").spki());
        let namesake = scene.authority.namesake().root();
        for (records, reason) in [
            (wrong_record(), Reason::TlsaNoMatch),
            (vec![elsewhere], Reason::AnchorNotInChain),
            (
                vec![rdata(2, 0, 0, namesake.der())],
                Reason::SignatureInvalid,
            ),
        ] {
            let failed = scene.clone().records(records);
            assert_eq!(failed.said(), (Failed, reason), "{mode}");
            let [_, sts] = results(&failed)[..] else {
                panic!("two results");
            };
            assert_eq!(sts.1, AuthenticatedSts);
        }
    }
}

/// PD-06: behind an insecure MX set an enforced policy decides; records that disagree are told,
/// those that agree or cannot be used are not.
#[test]
fn mta_sts_decides_behind_an_insecure_mx_set() {
    let told = |verdict: SessionVerdict| (verdict.outcome, verdict.reason, verdict.warnings);
    let scene = Scene::sts().behind(SecurityStatus::Insecure);
    let own = scene.host.spki();
    for (records, warnings) in [
        (vec![rdata(3, 1, 1, &own)], vec![]),
        (wrong_record(), vec![Warning::DaneDisagrees]),
        (vec![rdata(1, 1, 1, &own)], vec![]),
        (vec![rdata(1, 1, 1, &Party::new("other").spki())], vec![]),
        (
            [wrong_record(), vec![rdata(3, 1, 1, &own)]].concat(),
            vec![],
        ),
    ] {
        let scene = scene.clone().records(records.clone());
        let good = (AuthenticatedSts, Reason::StsMatch, warnings);
        assert_eq!(told(scene.verdict()), good);
        let failed = by_itself(scene.clone());
        assert_eq!(failed.said(), (Failed, Reason::CertificateNotTrusted));
    }
}

/// SV-07: whom the policy does not permit has failed before his certificate is looked at, however
/// good or bad that is.
#[test]
fn the_host_comes_before_its_certificate() {
    for (patterns, is_permitted) in [
        (&["mx.e.test"][..], true),
        (&["*.e.test"], true),
        (&["other.test", "*.e.test"], true),
        (&["other.test"], false),
        (&["e.test"], false),
        (&["*.test"], false),
        (&["*.mx.e.test"], false),
    ] {
        let scene = Scene::sts().policy("enforce", patterns);
        for (scene, reason) in [
            (scene.clone(), Reason::StsMatch),
            (by_itself(scene.clone()), Reason::CertificateNotTrusted),
            (
                scene.but(|session| session.tls_version = Some(TlsVersion::Tls10)),
                Reason::TlsVersionTooOld,
            ),
        ] {
            let (outcome, said) = scene.said();
            if is_permitted {
                assert_eq!(said, reason, "{patterns:?}");
            } else {
                let unlisted = (Failed, Reason::StsHostNotListed);
                assert_eq!((outcome, said), unlisted, "{patterns:?}");
            }
        }
    }
}

/// ST-23: under a policy in testing mode the session is judged as if there were none, and what
/// would have failed is told all the same.
#[test]
fn testing_is_told_and_not_enforced() {
    let testing = |patterns: &[&str]| Scene::free().policy("testing", patterns);
    let good = testing(&["mx.e.test"]);
    let clear = good
        .clone()
        .but(|session| session.starttls = Some(Starttls::NotOffered));
    for (scene, said, outcome, reason) in [
        (good.clone(), Encrypted, AuthenticatedSts, Reason::StsMatch),
        (
            by_itself(good),
            Encrypted,
            Failed,
            Reason::CertificateNotTrusted,
        ),
        (
            testing(&["other.test"]),
            Encrypted,
            Failed,
            Reason::StsHostNotListed,
        ),
        (
            clear,
            SessionOutcome::Cleartext,
            Failed,
            Reason::StarttlsNotOffered,
        ),
    ] {
        assert_eq!(scene.verdict().outcome, said);
        assert_eq!(results(&scene), [(PolicyKind::Sts, outcome, reason)]);
    }
    let nothing = Scene::free().policy("none", &["other.test"]);
    assert_eq!(
        results(&nothing),
        [],
        "a policy that says none says nothing"
    );
}

/// MX-22, PD-06: what matches behind an insecure MX set is told, and is nobody's authentication;
/// what does not match there is told too.
#[test]
fn behind_an_insecure_mx_set_nobody_is_authenticated() {
    let told = |verdict: SessionVerdict| (verdict.outcome, verdict.warnings);
    for scene in [Scene::dane(), Scene::dane_by_anchor()] {
        for duty in [Duty::Free, Duty::Encrypt, Duty::Dane] {
            let insecure = scene.clone().owing(duty).behind(SecurityStatus::Insecure);
            let verdict = insecure.verdict();
            assert!(verdict.matched.is_some());
            assert_eq!(told(verdict), (Encrypted, vec![Warning::MxInsecure]));
            let other = vec![rdata(3, 1, 1, &Party::new("other").spki())];
            let verdict = insecure.records(other).verdict();
            assert_eq!(verdict.matched, None);
            assert_eq!(told(verdict), (Encrypted, vec![Warning::DaneDisagrees]));
        }
    }
}
