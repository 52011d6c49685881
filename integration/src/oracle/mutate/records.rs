//! What is published.

use fastrand::Rng;

use super::Breaks::{Both, Neither};
use super::{Mutation, Mutations};
use crate::oracle::base::neighbours::{insert, other_usage, stale, unusable};
use crate::oracle::draw::one_of;
use crate::oracle::plan::{Of, Plan, Record, Spoiled};

pub(super) const ALL: Mutations = Mutations(&[
    Mutation {
        name: "record: one bit is another",
        breaks: Both,
        apply: |rng, plan| spoil(plan, Spoiled::Bit(rng.usize(..4096))),
    },
    Mutation {
        name: "record: an octet too few",
        breaks: Both,
        apply: |_, plan| spoil(plan, Spoiled::Short),
    },
    Mutation {
        name: "record: an octet too many",
        breaks: Both,
        apply: |_, plan| spoil(plan, Spoiled::Long),
    },
    Mutation {
        name: "record: without data",
        breaks: Both,
        apply: |_, plan| spoil(plan, Spoiled::Empty),
    },
    Mutation {
        name: "record: claims the other selector",
        breaks: Both,
        apply: |_, plan| claim(plan, |record| record.selector ^= 1),
    },
    Mutation {
        name: "record: claims another matching type",
        breaks: Both,
        apply: |rng, plan| {
            let add = rng.u8(1..3);
            claim(plan, |record| {
                record.matching = (record.matching % 3 + add) % 3
            })
        },
    },
    Mutation {
        name: "record: claims the other usage",
        breaks: Both,
        apply: |_, plan| {
            claim(plan, |record| {
                record.usage = if record.usage == 3 { 2 } else { 3 }
            })
        },
    },
    Mutation {
        name: "record: claims a usage that is not for SMTP",
        breaks: Both,
        apply: |rng, plan| {
            let usage = one_of(rng, &[0, 1, 4, 255]);
            claim(plan, |record| record.usage = usage)
        },
    },
    Mutation {
        name: "record: claims the private matching type",
        breaks: Both,
        apply: |_, plan| claim(plan, |record| record.matching = 255),
    },
    Mutation {
        name: "record: is that of another certificate",
        breaks: Both,
        apply: of_another,
    },
    Mutation {
        name: "record: withdrawn",
        breaks: Both,
        apply: |_, plan| {
            let place = plan.story.record;
            plan.records.remove(place);
            plan.story.record = 0;
            true
        },
    },
    Mutation {
        name: "records: a stronger digest beside, of nothing",
        breaks: Both,
        apply: |rng, plan| stronger(rng, plan, |record| record.selector),
    },
    Mutation {
        name: "records: a stronger digest beside, of nothing, for the other selector",
        breaks: Neither,
        apply: |rng, plan| stronger(rng, plan, |record| record.selector ^ 1),
    },
    Mutation {
        name: "records: a weaker digest beside, of nothing",
        breaks: Neither,
        apply: |rng, plan| {
            let good = plan.record().clone();
            let weak = Record::noise(good.usage, good.selector, 1, rng.u8(..));
            insert(rng, plan, weak);
            good.matching != 1
        },
    },
    Mutation {
        name: "records: a malformed stronger digest beside",
        breaks: Neither,
        apply: |rng, plan| {
            let good = plan.record().clone();
            let mut strong = Record::noise(good.usage, good.selector, 2, rng.u8(..));
            strong.data.spoiled = Some(one_of(rng, &[Spoiled::Short, Spoiled::Long]));
            insert(rng, plan, strong);
            true
        },
    },
    Mutation {
        name: "records: one beside that cannot be used",
        breaks: Neither,
        apply: |rng, plan| {
            let bad = unusable(rng, plan);
            insert(rng, plan, bad);
            true
        },
    },
    Mutation {
        name: "records: an old one beside",
        breaks: Neither,
        apply: |rng, plan| {
            let old = stale(rng, plan);
            insert(rng, plan, old);
            true
        },
    },
    Mutation {
        name: "records: one of the other usage beside",
        breaks: Neither,
        apply: |rng, plan| {
            let other = other_usage(rng, plan);
            insert(rng, plan, other);
            true
        },
    },
    Mutation {
        name: "records: a second that matches, elsewhere on the path",
        breaks: Neither,
        apply: second_match,
    },
]);

fn spoil(plan: &mut Plan, how: Spoiled) -> bool {
    plan.record_mut().data.spoiled = Some(how);
    true
}

fn claim(plan: &mut Plan, change: impl FnOnce(&mut Record)) -> bool {
    change(plan.record_mut());
    true
}

/// For the leaf's record that of an issuer (CM-01), for an issuer's that of the leaf (CM-11) or of
/// somebody who has no part in it.
fn of_another(rng: &mut Rng, plan: &mut Plan) -> bool {
    let path = plan.story.path.clone();
    let of = if plan.is_by_anchor() {
        let noise = Of::Noise(rng.u8(..));
        one_of(rng, &[Of::Certificate(path[0]), noise])
    } else if let Some(issuer) = path.get(1) {
        Of::Certificate(*issuer)
    } else {
        Of::Noise(rng.u8(..))
    };
    plan.record_mut().data.of = of;
    true
}

fn stronger(rng: &mut Rng, plan: &mut Plan, selector: fn(&Record) -> u8) -> bool {
    let good = plan.record().clone();
    let strong = Record::noise(good.usage, selector(&good), 2, rng.u8(..));
    insert(rng, plan, strong);
    good.matching == 1
}

fn second_match(rng: &mut Rng, plan: &mut Plan) -> bool {
    let depth = rng.usize(..plan.story.path.len());
    let good = plan.record().clone();
    let selector = rng.u8(..2);
    let matching = if selector == good.selector && good.matching == 1 {
        1
    } else {
        rng.u8(..3)
    };
    let usage = if depth == 0 { 3 } else { 2 };
    let second = Record::of(plan.story.path[depth], usage, selector, matching);
    insert(rng, plan, second);
    true
}
