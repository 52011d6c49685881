//! What is shown, and in which order.

use fastrand::Rng;

use super::Breaks::{Anchor, Both, Neither};
use super::fields::reissue;
use super::{Mutation, Mutations};
use crate::oracle::base::crowd;
use crate::oracle::certificate::{Certificate, Damage};
use crate::oracle::draw::{key, one_of, serial};
use crate::oracle::extension::{Content, Extension, Known};
use crate::oracle::keys::Algorithm;
use crate::oracle::plan::{Form, Plan};
use crate::oracle::subject::Subject;

pub(super) const ALL: Mutations = Mutations(&[
    Mutation {
        name: "shown: in another order",
        breaks: Neither,
        apply: crowd::shuffle,
    },
    Mutation {
        name: "shown: backwards",
        breaks: Neither,
        apply: |_, plan| {
            let before = plan.shown.clone();
            plan.shown[1..].reverse();
            plan.shown != before
        },
    },
    Mutation {
        name: "shown: something twice",
        breaks: Neither,
        apply: crowd::duplicate,
    },
    Mutation {
        name: "shown: strays beside",
        breaks: Neither,
        apply: crowd::add_strays,
    },
    Mutation {
        name: "shown: a hundred certificates",
        breaks: Neither,
        // Rare: it takes as long as twenty others.
        apply: |rng, plan| rng.u8(..8) == 0 && crowd::fill(rng, plan),
    },
    Mutation {
        name: "shown: without an issuer that is needed",
        breaks: Anchor,
        apply: |rng, plan| {
            let last = match plan.story.form {
                Form::EndEntity => return false,
                Form::Shown => plan.story.depth,
                Form::FullRecord | Form::BareKey => plan.story.depth - 1,
            };
            last > 0 && hide(plan, rng.usize(1..=last))
        },
    },
    Mutation {
        name: "shown: without what is above the anchor",
        breaks: Neither,
        apply: |_, plan| {
            let top = plan.story.path.len() - 1;
            top > plan.story.depth && hide(plan, top)
        },
    },
    Mutation {
        name: "shown: the leaf alone",
        breaks: Neither,
        apply: |_, plan| {
            let several = plan.shown.len() > 1;
            plan.shown.truncate(1);
            several
        },
    },
    Mutation {
        name: "shown: an issuer first",
        breaks: Both,
        apply: |rng, plan| {
            if plan.shown.len() < 2 {
                return false;
            }
            let other = rng.usize(1..plan.shown.len());
            let differs = plan.shown[0] != plan.shown[other];
            plan.shown.swap(0, other);
            differs
        },
    },
    Mutation {
        name: "shown: another authority of an issuer's name",
        breaks: Neither,
        apply: |rng, plan| {
            let other = key(rng, Algorithm::P256, &plan.certificates);
            twin(rng, plan, |one, _| one.key = other)
        },
    },
    Mutation {
        name: "shown: an issuer also with an older certificate",
        breaks: Neither,
        apply: |rng, plan| {
            let by = rng.i64(1..100_000_000);
            twin(rng, plan, |one, now| one.not_after = now - by)
        },
    },
    Mutation {
        name: "shown: an issuer also under another root",
        breaks: Neither,
        apply: |rng, plan| {
            let by = key(rng, Algorithm::P256, &plan.certificates);
            twin(rng, plan, |one, _| {
                one.signed_by = by;
                one.digest = by.algorithm.usual_digest();
                one.issuer = Subject::authority("Others", "Cross root");
                one.take(Known::AuthorityKeyIdentifier);
            })
        },
    },
    Mutation {
        name: "shown: an issuer also without the right to issue",
        breaks: Neither,
        apply: |rng, plan| {
            twin(rng, plan, |one, _| {
                one.put(Extension::critical(Content::BasicConstraints {
                    authority: false,
                    path_length: None,
                }));
            })
        },
    },
    Mutation {
        name: "shown: an issuer also issued anew",
        breaks: Neither,
        apply: |rng, plan| {
            let number = serial(rng);
            twin(rng, plan, |one, _| one.serial = number)
        },
    },
    Mutation {
        name: "shown: an issuer issues its own issuer",
        breaks: Neither,
        apply: circle,
    },
    Mutation {
        name: "shown: something that is no certificate",
        breaks: Neither,
        apply: |rng, plan| {
            let mut noise = crowd::stray(0);
            noise.damage = Some(one_of(rng, &[Damage::Noise, Damage::Truncated]));
            let place = plan.add(noise);
            let at = rng.usize(1..=plan.shown.len());
            plan.shown.insert(at, place);
            true
        },
    },
]);

/// Shows a certificate of the path no more; false where it was not shown.
fn hide(plan: &mut Plan, depth: usize) -> bool {
    let place = plan.story.path[depth];
    let before = plan.shown.len();
    plan.shown.retain(|shown| *shown != place);
    plan.shown.len() < before
}

/// A certificate of the same name and for the same hosts, made by an attacker for himself, before the
/// genuine issuers (CM-10).
pub(super) fn attacker(rng: &mut Rng, plan: &mut Plan) -> bool {
    let own = key(rng, Algorithm::P256, &plan.certificates);
    reissue(plan, 0, |leaf, _| {
        leaf.key = own;
        leaf.signed_by = own;
        leaf.digest = own.algorithm.usual_digest();
        leaf.issuer = leaf.subject.clone();
        leaf.take(Known::AuthorityKeyIdentifier);
    })
}

/// Shows a changed copy of an issuer beside it, before or behind.
fn twin(rng: &mut Rng, plan: &mut Plan, change: impl FnOnce(&mut Certificate, i64)) -> bool {
    let issuers = plan.issuers();
    if issuers.is_empty() {
        return false;
    }
    let depth = rng.usize(issuers);
    let mut twin = plan.at(depth).clone();
    change(&mut twin, plan.now);
    if twin.is_self_issued() {
        twin.signed_by = twin.key;
        twin.digest = twin.key.algorithm.usual_digest();
    }
    let place = plan.add(twin);
    let at = rng.usize(1..=plan.shown.len());
    plan.shown.insert(at, place);
    true
}

/// The topmost issuer is issued by the first one, and both are shown.
fn circle(rng: &mut Rng, plan: &mut Plan) -> bool {
    let issuers = plan.issuers();
    if issuers.len() < 2 {
        return false;
    }
    let first = plan.at(1).clone();
    let mut back = plan.at(issuers.end - 1).clone();
    back.issuer = first.subject;
    back.signed_by = first.key;
    back.digest = first.key.algorithm.usual_digest();
    back.take(Known::AuthorityKeyIdentifier);
    let place = plan.add(back);
    let at = rng.usize(1..=plan.shown.len());
    plan.shown.insert(at, place);
    true
}
