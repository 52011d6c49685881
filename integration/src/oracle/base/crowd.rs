//! What hosts show beside the path, or in another order (CM-20).

use fastrand::Rng;

use crate::oracle::certificate::{Certificate, Maker, Version};
use crate::oracle::draw::{between, chance, one_of, serial};
use crate::oracle::extension::{AlternativeName, Content, Extension, KEY_CERT_SIGN};
use crate::oracle::keys::{Algorithm, Key, STRAY_KEYS};
use crate::oracle::plan::Plan;
use crate::oracle::subject::Subject;

/// Does one or two things that change nothing.
pub(super) fn add_harmless(rng: &mut Rng, plan: &mut Plan) {
    for _ in 0..rng.usize(1..3) {
        let all = [shuffle, duplicate, add_strays];
        one_of(rng, &all)(rng, plan);
    }
}

/// Everything behind the leaf in another order.
pub fn shuffle(rng: &mut Rng, plan: &mut Plan) -> bool {
    let before = plan.shown.clone();
    rng.shuffle(&mut plan.shown[1..]);
    plan.shown != before
}

/// Something once more.
pub fn duplicate(rng: &mut Rng, plan: &mut Plan) -> bool {
    let again = one_of(rng, &plan.shown);
    let at = rng.usize(1..=plan.shown.len());
    plan.shown.insert(at, again);
    true
}

/// A few that have nothing to do with the path.
pub fn add_strays(rng: &mut Rng, plan: &mut Plan) -> bool {
    for _ in 0..rng.usize(1..5) {
        add_stray(rng, plan);
    }
    true
}

/// So many that a hundred certificates are shown; among them authorities that issue one another in a
/// circle.
pub fn fill(rng: &mut Rng, plan: &mut Plan) -> bool {
    while plan.shown.len() < 100 {
        add_stray(rng, plan);
    }
    true
}

fn add_stray(rng: &mut Rng, plan: &mut Plan) {
    let stray = stray(rng.usize(..STRAYS));
    let place = plan.add(stray);
    let at = rng.usize(1..=plan.shown.len());
    plan.shown.insert(at, place);
}

/// A pool of certificates that are no part of any path: the same ones in every case of a run, so that
/// they are made once. The issuer of each is the next one; the last is issued by the first.
pub fn stray(number: usize) -> Certificate {
    let name = |number: usize| Subject::authority("Strays", &format!("Stray {number}"));
    let key = |number: usize| Key {
        algorithm: Algorithm::Ed25519,
        number: Algorithm::Ed25519.drawn() + small(number % usize::from(STRAY_KEYS)),
    };
    let issuer = (number + 1) % STRAYS;
    let mut rng = Rng::with_seed(number as u64);
    let mut stray = Certificate {
        version: Version::Three,
        serial: serial(&mut rng),
        subject: name(number),
        issuer: name(issuer),
        key: key(number),
        signed_by: key(issuer),
        digest: Algorithm::Ed25519.usual_digest(),
        not_before: between(&mut rng, 0, 900_000_000),
        not_after: between(&mut rng, 3_300_000_000, 4_000_000_000),
        extensions: Vec::new(),
        damage: None,
        maker: Maker::Ourselves,
    };
    if chance(&mut rng, 80) {
        stray.put(Extension::critical(Content::BasicConstraints {
            authority: true,
            path_length: None,
        }));
        stray.put(Extension::critical(Content::KeyUsage(KEY_CERT_SIGN)));
    } else {
        stray.put(Extension::plain(Content::AlternativeNames(vec![
            AlternativeName::dns("stray.example"),
        ])));
    }
    stray
}

fn small(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

/// How many strays there are.
pub const STRAYS: usize = 120;
