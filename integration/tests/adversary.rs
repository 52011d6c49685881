//! A short search with the adversary: known seeds, a death at every call to the outside,
//! and a crowd, with sessions beside the answers. `integration/adversary.sh` searches for longer.
#![allow(clippy::panic, missing_docs, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use hoplock_integration::adversary::plan::Plan;
use hoplock_integration::adversary::{generate, play, run};
use hoplock_policy::verify::SessionOutcome;

/// Plays the plans; the first breach stops the test and names the seed.
fn holds(what: &str, plans: impl IntoIterator<Item = Plan>) {
    for plan in plans {
        let plan = Arc::new(plan);
        if let Some(violation) = run(&plan).into_iter().next() {
            panic!("{what}, seed {}: {violation:#?}", plan.seed);
        }
    }
}

/// PD-04, PD-12, PD-16, SV-01, SV-04: without an attacker every answer is as strong as the truth and strands
/// nobody, and every session that keeps its duty is called so.
#[test]
fn honest_worlds_are_answered_by_the_truth() {
    let seeds = (0..60).chain(FURTHER..FURTHER + 60);
    holds("honest", seeds.map(|seed| generate::honest(seed, 50)));
}

/// FT-01, FT-05, PD-10, ST-04, ST-28, MX-17: under attack no answer is weaker than the truth, and mail
/// goes out again when the attack is over. SV-03, SV-05, SV-06, SV-09, PD-02: no session below its duty is
/// called authenticated, nor good enough.
#[test]
fn no_attack_brings_an_answer_weaker_than_the_truth() {
    let seeds = (0..400).chain(FURTHER..FURTHER + 400);
    holds("attacked", seeds.map(generate::attacked));
}

/// ST-28: a process that is killed at any call to its outside comes back no weaker.
#[test]
fn a_death_at_every_call_leaves_nothing_weaker() {
    for seed in [3, 29, 112, 640] {
        holds("killed", (1..=48).map(|call| generate::killed(seed, call)));
    }
}

/// SV-02: the sessions of a search come to every verdict there is: one that met nothing would show nothing.
#[test]
fn sessions_come_to_every_verdict() {
    let mut met: BTreeSet<SessionOutcome> = BTreeSet::new();
    for seed in 0..120 {
        let history = play(&Arc::new(generate::attacked(seed)));
        met.extend(history.sessions.iter().map(|judged| judged.outcome));
    }
    assert_eq!(met.len(), SessionOutcome::ALL.len(), "{met:?}");
}

/// CA-05, FT-03: a crowd is answered as one is.
#[test]
fn thousands_who_ask_at_once_are_answered_alike() {
    holds("crowd", (0..6).map(generate::crowd));
}

/// Where the second half of the seeds begins. Fresh ones are for the long search: a test says the same of
/// the same program each time.
const FURTHER: u64 = 1 << 21;
