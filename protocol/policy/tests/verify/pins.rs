//! Pins of the operator: digests of a certificate or of its key, as Postfix compares fingerprints.

use hoplock_policy::reason::Reason;
use hoplock_policy::verify::{
    Certificate, Demand, LeafDigests, Matched, Presented, SessionOutcome,
};
use sha2::{Digest as _, Sha256, Sha512};

use crate::HOST;
use crate::forge::Party;
use crate::scene::{Scene, pin};

use SessionOutcome::{AuthenticatedPinned, Failed, Indeterminate};

const NO_MATCH: (SessionOutcome, Reason) = (Failed, Reason::PinNoMatch);
const MATCH: (SessionOutcome, Reason) = (AuthenticatedPinned, Reason::PinMatch);

fn leaf(scene: &Scene) -> Certificate {
    match &scene.session.presented {
        Presented::Chain(chain) => chain[0].clone(),
        other => panic!("a chain, not {other:?}"),
    }
}

fn pinned(scene: &Scene, pins: &[String]) -> Scene {
    scene.clone().demanding(Demand::Pins(pins.to_vec()))
}

fn both(data: &[u8]) -> [Vec<u8>; 2] {
    [Sha256::digest(data).to_vec(), Sha512::digest(data).to_vec()]
}

/// SV-02: a pin is a digest of the certificate or of its key, by SHA-256 or SHA-512, in capitals or
/// not, with colons or without; it matches no more once a bit is turned round.
#[test]
fn pins_match() {
    let scene = Scene::pinned();
    for part in [leaf(&scene).der().to_vec(), scene.host.spki()] {
        for digest in both(&part) {
            let written = pin(&digest);
            for text in [
                written.clone(),
                written.to_lowercase(),
                written.replace(':', ""),
            ] {
                let verdict = pinned(&scene, std::slice::from_ref(&text)).verdict();
                assert_eq!((verdict.outcome, verdict.reason), MATCH);
                assert_eq!(verdict.matched, Some(Matched::Pin(text)));
            }
            let mut wrong = digest.clone();
            wrong[7] ^= 1;
            let wrong = pin(&wrong);
            assert_eq!(
                pinned(&scene, std::slice::from_ref(&wrong)).said(),
                NO_MATCH
            );
            let beside = [wrong, written];
            assert_eq!(pinned(&scene, &beside).said(), MATCH);
        }
    }
}

/// SV-02: only the leaf is pinned, and nothing but its octets counts: neither names nor dates nor
/// who has signed it.
#[test]
fn pins_are_of_the_leaf_alone() {
    let scene = Scene::pinned();
    let authority = scene.authority.root();
    for part in [authority.der().to_vec(), scene.authority.spki()] {
        let of_issuer = both(&part).map(|digest| pin(&digest));
        assert_eq!(pinned(&scene, &of_issuer).said(), NO_MATCH);
    }
    let stranger = Party::new("stranger");
    for draft in [
        scene.host.leaf(&["elsewhere.test"]),
        scene.host.leaf(&[]),
        scene.host.leaf(&[HOST]).expired(),
        scene.host.leaf(&[HOST]).not_yet_valid(),
    ] {
        let leaf = draft.signed_by(&stranger);
        assert_eq!(scene.clone().showing(vec![leaf]).said(), MATCH);
    }
    let odd = Certificate::from_der(*b"no certificate");
    let own = pin(&both(b"no certificate")[0]);
    assert_eq!(pinned(&scene.showing(vec![odd]), &[own]).said(), MATCH);
}

/// SV-02: what is no digest matches nothing, and no list is no permission.
#[test]
fn what_is_no_pin_matches_nothing() {
    let scene = Scene::pinned();
    let right = pin(&both(&scene.host.spki())[0]);
    for text in [
        String::new(),
        right[..right.len() - 3].to_owned(),
        format!("{right}:00"),
        format!("{right}0"),
        format!("x{right}"),
        right.replace(':', " "),
        "*".to_owned(),
    ] {
        assert_eq!(pinned(&scene, &[text]).said(), NO_MATCH);
    }
    assert_eq!(pinned(&scene, &[]).said(), NO_MATCH);
}

/// SV-02, CM-08: a bare key is pinned by the digest of the key.
#[test]
fn bare_keys_are_pinned() {
    let scene = Scene::pinned();
    let certificate = leaf(&scene);
    let bare = scene.clone().but(|session| {
        session.presented = Presented::RawKey(scene.host.spki());
    });
    for digest in both(&scene.host.spki()) {
        assert_eq!(pinned(&bare, &[pin(&digest)]).said(), MATCH);
    }
    for digest in both(certificate.der()) {
        assert_eq!(pinned(&bare, &[pin(&digest)]).said(), NO_MATCH);
    }
}

/// SV-01, SV-02: digests from a log are compared with pins of their kind; pins of another kind
/// leave the question open.
#[test]
fn digests_from_a_log() {
    let scene = Scene::pinned();
    let (whole, key) = (both(leaf(&scene).der()), both(&scene.host.spki()));
    let other = both(b"somebody else");
    let open = (Indeterminate, Reason::ReportIncomplete);
    for (own, foreign) in [(0, 1), (1, 0)] {
        let digests = LeafDigests {
            certificate: whole[own].clone(),
            key: key[own].clone(),
        };
        let logged = scene
            .clone()
            .but(|session| session.presented = Presented::Digests(digests));
        for (pins, expected) in [
            (vec![&whole[own]], MATCH),
            (vec![&key[own]], MATCH),
            (vec![&other[own], &key[own]], MATCH),
            (vec![&other[foreign], &key[own]], MATCH),
            (vec![&other[own]], NO_MATCH),
            (vec![&key[foreign]], open),
            (vec![&other[own], &other[foreign]], open),
        ] {
            let pins: Vec<String> = pins.into_iter().map(|digest| pin(digest)).collect();
            assert_eq!(pinned(&logged, &pins).said(), expected, "{pins:?}");
        }
    }
}

/// PD-13: pins stand above what the destination published, for better and for worse.
#[test]
fn pins_stand_above_the_rest() {
    let wrong = Demand::Pins(vec![pin(&both(b"somebody else")[0])]);
    let right = Scene::pinned().demand;
    let dane = Scene::dane().policy("enforce", &[HOST]);
    assert_eq!(dane.clone().demanding(wrong).said(), NO_MATCH);
    let own = vec![pin(&both(&dane.host.spki())[0])];
    let elsewhere = dane.policy("enforce", &["other.test"]);
    assert_eq!(pinned(&elsewhere, &own).said(), MATCH);
    assert_eq!(
        elsewhere.demanding(right).said(),
        NO_MATCH,
        "of another host"
    );
}
