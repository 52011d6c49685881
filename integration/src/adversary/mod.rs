//! The adversary: a simulated outside with an attacker in it, and a model that says what he must not
//! reach.
//!
//! A [`plan`] says everything that happens; [`generate`] makes one from a number. [`run`] plays it
//! against the real answerer, cache, store, discovery, DNS stub and judge of sessions, over a simulated
//! network and a paused clock, and lets the independent model (`hoplock-model`) judge every answer, and
//! every verdict on a session ([`session`]). A plan that shows a fault is cut down ([`shrink`]) and
//! written as the beginning of a scenario ([`draft`]).

use std::sync::Arc;

mod attacker;
mod calm;
mod compare;
pub mod draft;
mod exceptions;
pub mod generate;
mod hidden;
pub mod history;
mod https;
mod internet;
pub mod judge;
mod life;
mod memory;
mod mta;
mod orders;
mod pins;
pub mod plan;
mod probes;
mod process;
mod reached;
mod records;
pub mod session;
mod settings;
pub mod shrink;
pub mod site;
mod store;
pub mod violation;
mod wire;

use self::plan::Plan;
use self::violation::Violation;

/// Plays a plan; every promise that was broken, in order.
#[must_use]
pub fn run(plan: &Arc<Plan>) -> Vec<Violation> {
    judge::judge(plan, &process::play(plan))
}

/// What came of a run, for people.
#[must_use]
pub fn play(plan: &Arc<Plan>) -> history::History {
    process::play(plan)
}
