//! Certificates that public authorities vouch for: what MTA-STS asks (RFC 8461, 4.2), and what an
//! operator may ask.

use hoplock_policy::law::MatchName;
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    Certificate, Demand, LeafDigests, Presented, SessionOutcome, Warning,
};

use crate::disorder::issued_behind;
use crate::forge::{CLIENT_AUTH, Draft, Party, distinguished, with_false_signature};
use crate::old::old;
use crate::scene::Scene;
use crate::{HOST, name};

use SessionOutcome::{AuthenticatedPinned, AuthenticatedSts, Failed, Indeterminate};

const GOOD: (SessionOutcome, Reason) = (AuthenticatedSts, Reason::StsMatch);

fn bad(reason: Reason) -> (SessionOutcome, Reason) {
    (Failed, reason)
}

/// Under a policy that permits every host of the domain, with this leaf.
fn under_policy(scene: &Scene, leaf: &Draft) -> Scene {
    let leaf = leaf.signed_by(&scene.authority);
    let scene = scene.clone().policy("enforce", &["*.e.test"]);
    scene.showing(vec![leaf])
}

/// ST-21: the certificate must be for the MX host itself: neither for another permitted host, nor
/// for the domain or the pattern, nor in the subject alone.
#[test]
fn the_name_of_the_mx_host() {
    let scene = Scene::sts();
    let mismatch = bad(Reason::CertificateNameMismatch);
    for (names, expected) in [
        (&[HOST][..], GOOD),
        (&["x.test", "MX.e.test."], GOOD),
        (&["*.e.test"], GOOD),
        (&["mx2.e.test"], mismatch),
        (&["e.test"], mismatch),
        (&["*.test"], mismatch),
        (&["*.mx.e.test"], mismatch),
        (&["mx.e.test.x.test"], mismatch),
    ] {
        let said = under_policy(&scene, &scene.host.leaf(names)).said();
        assert_eq!(said, expected, "{names:?}");
    }
    let in_subject = scene.host.leaf(&[]).subject(distinguished(&[HOST]));
    assert_eq!(under_policy(&scene, &in_subject).said(), mismatch);
    let beside = scene.host.leaf(&["x.test"]).subject(distinguished(&[HOST]));
    assert_eq!(under_policy(&scene, &beside).said(), mismatch);
}

/// CM-28, CM-29: what an option permits under DANE is not permitted under MTA-STS.
#[test]
fn options_are_for_dane() {
    let mut scene = Scene::sts();
    scene.options.common_name = true;
    scene.options.multi_label_wildcards = true;
    let in_subject = scene.host.leaf(&[]).subject(distinguished(&[HOST]));
    for draft in [in_subject, scene.host.leaf(&["*.test"])] {
        let said = under_policy(&scene, &draft).said();
        assert_eq!(said, bad(Reason::CertificateNameMismatch));
    }
}

/// ST-21: an authority that is trusted here must have signed the way to the leaf.
#[test]
fn a_trusted_authority() {
    let scene = Scene::sts();
    let (issuer, stranger) = (Party::new("issuer"), Party::new("stranger"));
    let leaf = scene.host.leaf(&[HOST]);
    let intermediate = issuer.authority().signed_by(&scene.authority);
    let direct = leaf.signed_by(&scene.authority);
    let below = leaf.signed_by(&issuer);
    let not_trusted = bad(Reason::CertificateNotTrusted);
    for (chain, expected) in [
        (vec![direct.clone()], GOOD),
        (vec![direct.clone(), scene.authority.root()], GOOD),
        (vec![below.clone(), intermediate.clone()], GOOD),
        (
            vec![below.clone(), stranger.root(), direct.clone(), intermediate],
            GOOD,
        ),
        (vec![below], not_trusted),
        (vec![leaf.signed_by(&scene.host)], not_trusted),
        (
            vec![leaf.signed_by(&stranger), stranger.root()],
            not_trusted,
        ),
        (
            vec![leaf.signed_by(&scene.authority.namesake())],
            bad(Reason::SignatureInvalid),
        ),
        (
            vec![with_false_signature(&direct), scene.authority.root()],
            bad(Reason::SignatureInvalid),
        ),
        (
            vec![Certificate::from_der(*b"no certificate"), direct],
            bad(Reason::CertificateUnreadable),
        ),
    ] {
        assert_eq!(scene.clone().showing(chain.clone()).said(), expected);
        let alone = Scene {
            authorities: Vec::new(),
            ..scene.clone().showing(chain)
        };
        assert!(!alone.verdict().outcome.is_authenticated());
    }
}

/// ST-21: leaf and intermediates must be valid now; the dates of an authority that is trusted
/// anyhow are not looked at.
#[test]
fn dates_under_web_pki() {
    let scene = Scene::sts();
    let issuer = Party::new("issuer");
    let (leaf, own) = (scene.host.leaf(&[HOST]), issuer.authority());
    let expired = bad(Reason::CertificateExpired);
    for (leaf, intermediate, expected) in [
        (leaf.clone(), own.clone(), GOOD),
        (leaf.clone().expired(), own.clone(), expired),
        (
            leaf.clone().not_yet_valid(),
            own.clone(),
            bad(Reason::CertificateNotYetValid),
        ),
        (leaf.clone(), own.expired(), expired),
    ] {
        let chain = vec![
            leaf.signed_by(&issuer),
            intermediate.signed_by(&scene.authority),
        ];
        assert_eq!(scene.clone().showing(chain).said(), expected);
    }
    let old_root = scene.authority.authority().expired();
    let chain = vec![
        leaf.signed_by(&scene.authority),
        old_root.signed_by(&scene.authority),
    ];
    assert_eq!(scene.showing(chain).said(), GOOD);
}

/// CM-19, ST-21: purposes and old signatures are judged as under DANE-TA.
#[test]
fn purposes_and_old_signatures_under_web_pki() {
    let mut scene = Scene::sts();
    let clients = scene.host.leaf(&[HOST]).purposes(&[CLIENT_AUTH]);
    let said = under_policy(&scene, &clients).said();
    assert_eq!(said, bad(Reason::PurposeMismatch));
    let old = old();
    let der = old.root.der().to_vec().into();
    let anchor = webpki::anchor_from_trusted_cert(&der).unwrap().to_owned();
    scene.authorities.push(anchor);
    let weak = bad(Reason::SignatureWeak);
    for (chain, expected) in [
        (vec![old.sha256], GOOD),
        (vec![old.sha1], weak),
        (vec![old.md5], weak),
        (vec![old.below, old.intermediate], weak),
    ] {
        assert_eq!(scene.clone().showing(chain).said(), expected);
    }
}

/// CM-20: order, doubles and strays change nothing under web PKI either.
#[test]
fn disorder_under_web_pki() {
    let scene = Scene::sts();
    let issuer = Party::new("issuer");
    let leaf = scene.host.leaf(&[HOST]).signed_by(&issuer);
    let expired = issuer.authority().expired().signed_by(&scene.authority);
    let namesake = issuer.namesake().authority().signed_by(&scene.authority);
    for stray in [expired, namesake] {
        let good = issued_behind(&stray, || issuer.authority().signed_by(&scene.authority));
        let others = [vec![stray; 60], vec![good, scene.authority.root()]].concat();
        for turn in 0..2 {
            let mut chain = vec![leaf.clone()];
            chain.extend(others.clone());
            if turn == 1 {
                chain[1..].reverse();
            }
            assert_eq!(scene.clone().showing(chain).said(), GOOD);
        }
    }
}

/// SV-01, ST-21: a bare key is nothing that anybody vouches for, and fails; digests leave the
/// question open.
#[test]
fn what_is_no_chain() {
    let digests = || LeafDigests {
        certificate: vec![7; 32],
        key: vec![7; 32],
    };
    for scene in [Scene::sts(), Scene::named()] {
        let key = Presented::RawKey(scene.host.spki());
        let bare = scene.clone().but(|session| session.presented = key);
        assert_eq!(bare.said(), bad(Reason::RawKeyNotUsable));
        let open = scene.but(|session| session.presented = Presented::Digests(digests()));
        assert_eq!(open.said(), (Indeterminate, Reason::ReportIncomplete));
    }
}

/// SV-02, PD-13: names that the operator demands: hosts, and everything below a name; found in the
/// subject too where they stand nowhere else, as Postfix has it.
#[test]
fn names_that_the_operator_demands() {
    let scene = Scene::named();
    let host = |text| MatchName::Host(name(text));
    let below = |text| MatchName::Below(name(text));
    let san = |names: &[&str]| scene.host.leaf(names);
    let subject = |text: &str| scene.host.leaf(&[]).subject(distinguished(&[text]));
    for (draft, demanded, is_good, warnings) in [
        (san(&["own.test"]), vec![host("own.test")], true, vec![]),
        (
            san(&["x.test", "own.test"]),
            vec![host("other.test"), host("own.test")],
            true,
            vec![],
        ),
        (san(&[HOST]), vec![host("own.test")], false, vec![]),
        (san(&["*.own.test"]), vec![host("a.own.test")], true, vec![]),
        (
            san(&["*.own.test"]),
            vec![host("a.b.own.test")],
            false,
            vec![],
        ),
        (san(&["a.own.test"]), vec![below("own.test")], true, vec![]),
        (
            san(&["a.b.own.test"]),
            vec![below("own.test")],
            true,
            vec![],
        ),
        (san(&["*.own.test"]), vec![below("own.test")], true, vec![]),
        (san(&["own.test"]), vec![below("own.test")], false, vec![]),
        (
            san(&["notown.test"]),
            vec![below("own.test")],
            false,
            vec![],
        ),
        (
            san(&["a\0.own.test"]),
            vec![below("own.test")],
            false,
            vec![],
        ),
        (san(&["own.test"]), vec![], false, vec![]),
        (
            subject("own.test"),
            vec![host("own.test")],
            true,
            vec![Warning::CommonName],
        ),
        (
            san(&["x.test"]).subject(distinguished(&["own.test"])),
            vec![host("own.test")],
            false,
            vec![],
        ),
    ] {
        let told = format!("{demanded:?}");
        let leaf = draft.signed_by(&scene.authority);
        let scene = scene.clone().demanding(Demand::Names(demanded));
        let verdict = scene.showing(vec![leaf]).verdict();
        if is_good {
            assert_eq!(verdict.outcome, AuthenticatedPinned, "{told}");
            assert_eq!(verdict.warnings, warnings, "{told}");
        } else {
            let said = (verdict.outcome, verdict.reason);
            assert_eq!(said, bad(Reason::CertificateNameMismatch), "{told}");
        }
    }
}

/// CM-18: an authority for other names vouches for no name that stands in the subject alone.
#[test]
fn constraints_reach_the_subject() {
    let scene = Scene::named();
    let issuer = Party::new("issuer");
    let names = [
        scene.host.leaf(&[]).subject(distinguished(&[HOST])),
        scene.host.leaf(&[HOST]),
    ];
    for draft in names {
        for (permitted, expected) in [
            ("e.test", (AuthenticatedPinned, Reason::NameMatch)),
            ("other.test", bad(Reason::NameNotPermitted)),
        ] {
            let limited = issuer.authority().only_names(&[permitted], &[]);
            let limited = limited.signed_by(&scene.authority);
            let chain = vec![draft.signed_by(&issuer), limited];
            assert_eq!(scene.clone().showing(chain).said(), expected);
        }
    }
    // A trusted authority that is limited itself.
    let limited = scene.authority.authority().only_names(&["other.test"], &[]);
    let der = limited.signed_by(&scene.authority).der().to_vec().into();
    let anchor = webpki::anchor_from_trusted_cert(&der).unwrap().to_owned();
    for draft in [
        scene.host.leaf(&[]).subject(distinguished(&[HOST])),
        scene.host.leaf(&[HOST]),
    ] {
        let mut scene = scene.clone();
        scene.authorities = vec![anchor.clone()];
        let chain = vec![draft.signed_by(&scene.authority)];
        assert_eq!(scene.showing(chain).said(), bad(Reason::NameNotPermitted));
    }
}

/// CM-30: the refusal names what the certificate is for, for people.
#[test]
fn the_refusal_names_the_certificate() {
    let scene = Scene::sts();
    let verdict = under_policy(&scene, &scene.host.leaf(&["elsewhere.test"])).verdict();
    assert!(
        verdict.detail.contains("elsewhere.test"),
        "{}",
        verdict.detail
    );
}
