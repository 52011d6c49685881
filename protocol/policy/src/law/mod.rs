//! The law of the answer: duty, outcome, choice (RFC 7672, 2.2; RFC 8461, 5).
//!
//! 1. [`duty`]: what a destination has proved demands of a session with each host.
//! 2. [`outcome`]: what this MTA does to each host under each answer.
//! 3. [`choice`]: the admissible answer that serves mail best.
//!
//! [`decide`] puts findings, rules and profile into that order; [`rows`] names the golden row.
//! The same findings give the same verdict on every machine, on every day.

mod by_rule;
pub mod choice;
mod decide;
pub mod duty;
pub mod golden;
mod judged;
mod options;
pub mod outcome;
mod pinned;
pub mod rows;
pub mod situation;
mod verdict;
mod words;

pub use self::decide::{Conditions, decide, decide_without_lookup, without_findings};
pub use self::options::{FirstContact, LawOptions};
pub use self::verdict::{Answer, JudgedHost, Loser, MatchName, StsBasis, Verdict, Why};
