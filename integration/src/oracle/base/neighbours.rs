//! Records beside the one that matches: old and future ones, ones that cannot be used, other usages.

use fastrand::Rng;

use crate::oracle::draw::{chance, one_of};
use crate::oracle::plan::{Plan, Record, Spoiled};

/// Adds one to three that change nothing.
pub(super) fn add_harmless(rng: &mut Rng, plan: &mut Plan) {
    for _ in 0..rng.usize(1..4) {
        let neighbour = match rng.u8(..4) {
            0 | 1 => stale(rng, plan),
            2 => unusable(rng, plan),
            _ => other_usage(rng, plan),
        };
        insert(rng, plan, neighbour);
    }
}

/// Puts a record among the others.
pub fn insert(rng: &mut Rng, plan: &mut Plan, record: Record) {
    let at = rng.usize(..=plan.records.len());
    plan.records.insert(at, record);
    if at <= plan.story.record {
        plan.story.record += 1;
    }
}

/// One for a certificate that is no longer or not yet there (CM-09). No stronger digest than the
/// matching record has, since that would silence it (CM-22).
pub fn stale(rng: &mut Rng, plan: &Plan) -> Record {
    let record = plan.record();
    let selector = rng.u8(..2);
    let matching = if selector == record.selector && record.matching == 1 {
        1
    } else {
        rng.u8(1..3)
    };
    Record::noise(record.usage, selector, matching, rng.u8(..))
}

/// One for the other usage, of nothing.
pub fn other_usage(rng: &mut Rng, plan: &Plan) -> Record {
    let usage = 5 - plan.record().usage.clamp(2, 3);
    Record::noise(usage, rng.u8(..2), rng.u8(1..3), rng.u8(..))
}

/// One that is not usable for SMTP, or malformed (RFC 7672, 3.1; RFC 6698, 4.1). It may be of a
/// stronger digest: it must not silence anything (CM-24).
pub fn unusable(rng: &mut Rng, plan: &Plan) -> Record {
    let good = plan.record().clone();
    let mut bad = Record::noise(good.usage, good.selector, rng.u8(1..3), rng.u8(..));
    match rng.u8(..8) {
        0 => bad.usage = rng.u8(..2),
        1 => bad.usage = rng.u8(4..),
        2 => bad.selector = rng.u8(2..),
        3 => bad.matching = rng.u8(3..),
        4 => bad.matching = 0,
        // The right data under usage 0 or 1.
        5 => {
            bad = good;
            bad.usage = bad.usage.saturating_sub(2);
        }
        _ => {
            let how = [Spoiled::Short, Spoiled::Long, Spoiled::Empty];
            bad.data.spoiled = Some(one_of(rng, &how));
        }
    }
    if chance(rng, 20) {
        bad.data.spoiled = Some(Spoiled::Empty);
    }
    bad
}
