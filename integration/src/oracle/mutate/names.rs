//! Who is asked for, and when.

use fastrand::Rng;

use super::Breaks::{Anchor, Neither};
use super::{Mutation, Mutations};
use crate::oracle::draw::{one_of, word};
use crate::oracle::plan::Plan;

pub(super) const ALL: Mutations = Mutations(&[
    Mutation {
        name: "names: another host is asked for",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.names = vec![format!("{}.{}.invalid", word(rng), word(rng))];
            true
        },
    },
    Mutation {
        name: "names: a host below is asked for",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.names = vec![format!("{}.{}", word(rng), plan.names[0])];
            true
        },
    },
    Mutation {
        name: "names: only one of them is asked for",
        breaks: Neither,
        apply: |rng, plan| {
            let several = plan.names.len() > 1;
            plan.names = vec![one_of(rng, &plan.names)];
            several
        },
    },
    Mutation {
        name: "names: the domain above is asked for",
        breaks: Neither,
        apply: |_, plan| match plan.names[0].split_once('.') {
            Some((_, parent)) => {
                plan.names = vec![parent.to_owned()];
                true
            }
            None => false,
        },
    },
    Mutation {
        name: "names: in another order",
        breaks: Neither,
        apply: |_, plan| {
            plan.names.reverse();
            plan.names.len() > 1
        },
    },
    Mutation {
        name: "time: after the leaf has ended",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.now = plan.leaf().not_after + rng.i64(1..100_000);
            true
        },
    },
    Mutation {
        name: "time: before the leaf begins",
        breaks: Anchor,
        apply: |rng, plan| {
            plan.now = plan.leaf().not_before - rng.i64(1..100_000);
            true
        },
    },
    Mutation {
        name: "time: at the edge of a certificate's",
        breaks: Neither,
        apply: edge,
    },
]);

/// The last second of something, the first, or the one beside it.
fn edge(rng: &mut Rng, plan: &mut Plan) -> bool {
    let one = plan.at(rng.usize(..plan.story.path.len()));
    let edges = [
        one.not_before - 1,
        one.not_before,
        one.not_before + 1,
        one.not_after - 1,
        one.not_after,
        one.not_after + 1,
    ];
    plan.now = one_of(rng, &edges);
    true
}
