//! A short search with the adversary: known seeds, fresh seeds, a death at every call to the outside,
//! and a crowd. `integration/adversary.sh` searches for longer.
#![allow(clippy::panic, missing_docs, reason = "tests")]

use std::sync::Arc;

use hoplock_integration::adversary::plan::Plan;
use hoplock_integration::adversary::violation::{About, Violation};
use hoplock_integration::adversary::{generate, run};

/// Plays the plans; the first breach stops the test and names the seed.
fn holds(what: &str, counts: fn(&Violation) -> bool, plans: impl IntoIterator<Item = Plan>) {
    for plan in plans {
        let plan = Arc::new(plan);
        if let Some(violation) = run(&plan).into_iter().find(counts) {
            panic!("{what}, seed {}: {violation:#?}", plan.seed);
        }
    }
}

/// All promises.
fn all(_: &Violation) -> bool {
    true
}

/// What is promised of answers. Sessions under attack are searched for by hand until that search is clean
/// (`integration/adversary.sh`).
fn of_answers(violation: &Violation) -> bool {
    matches!(violation.about, About::Answer(_))
}

/// PD-04, PD-12, PD-16: without an attacker every answer is as strong as the truth and strands nobody.
#[test]
fn honest_worlds_are_answered_by_the_truth() {
    let fresh = fastrand::u64(1 << 20..1 << 40);
    let plan = |seed| generate::honest(seed, 50);
    holds("honest", all, (0..60).map(plan));
    holds("honest", of_answers, (fresh..fresh + 60).map(plan));
}

/// FT-01, FT-05, PD-10, ST-04, ST-28, MX-17: under attack no answer is weaker than the truth, and mail
/// goes out again when the attack is over.
#[test]
fn no_attack_brings_an_answer_weaker_than_the_truth() {
    let fresh = fastrand::u64(1 << 20..1 << 40);
    let seeds = (0..400).chain(fresh..fresh + 400);
    holds("attacked", of_answers, seeds.map(generate::attacked));
}

/// ST-28: a process that is killed at any call to its outside comes back no weaker.
#[test]
fn a_death_at_every_call_leaves_nothing_weaker() {
    for seed in [3, 29, 112, 640] {
        holds(
            "killed",
            of_answers,
            (1..=48).map(|call| generate::killed(seed, call)),
        );
    }
}

/// CA-05, FT-03: a crowd is answered as one is.
#[test]
fn thousands_who_ask_at_once_are_answered_alike() {
    holds("crowd", of_answers, (0..6).map(generate::crowd));
}
