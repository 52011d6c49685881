//! Scenarios: readable files that say what the world is, what is asked, and what must come of it.
//!
//! A file is a sentence, its ids, and sections in the order in which things happen:
//! `[options] [profile] [rules] [resolver] [dns] [https] [store] [clock] [background] [restart] [ask]
//! [expect]`. Unknown words do not
//! load, and neither does a file that expects nothing. `integration/scenarios/README.md` has the words.

mod expect;
mod load;
mod log;
mod run;
mod store;
pub(crate) use self::store::held;
mod words;

pub use self::load::{Malformed, Scenario, load};
pub use self::run::run;

use std::time::Duration;

/// One line of a scenario, ready to be done.
#[derive(Clone, Debug)]
pub enum Step {
    /// `[options]`
    Option(String, String),
    /// `[profile]`
    Profile(String, String),
    /// `[rules]`: TOML of one rule.
    Rule(String),
    /// `[resolver]`
    Resolver(String),
    /// `[dns]`
    Dns(String),
    /// `[https]`
    Https(String),
    /// `[clock]`
    Pass(Duration),
    /// `[clock] wall …`, in milliseconds.
    Wall(WallStep),
    /// `[background]`: once.
    Round,
    /// `[background] for D every D`: time passes, with a round at each step.
    Rounds(Duration, Duration),
    /// `[restart]`: the process ends and starts again over the same store.
    Restart,
    /// `[store]`: what fails.
    Store(String),
    /// `[ask]`: key, profile, how many at once.
    Ask(String, String, usize),
    /// `[expect]`
    Expect(String),
}

/// A step of the wall clock alone.
#[derive(Clone, Copy, Debug)]
pub enum WallStep {
    /// To this moment.
    To(i64),
    /// By so much.
    By(i64),
}
