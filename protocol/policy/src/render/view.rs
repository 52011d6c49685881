//! What the renderers for people are given.

use crate::findings::Findings;
use crate::law::Verdict;
use crate::moment::Moment;
use crate::next_hop::NextHop;
use crate::profile::Family;
use crate::render::Rendered;
use crate::rules::Rules;

/// One answer with all its evidence.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What was asked, as typed.
    pub asked: &'a str,
    /// What it was read as.
    pub next_hop: &'a NextHop,
    /// The profile's name.
    pub profile: &'a str,
    /// Whose words the answer is in.
    pub family: Family,
    /// The decision.
    pub verdict: &'a Verdict,
    /// The evidence, where any was needed.
    pub findings: Option<&'a Findings>,
    /// The words for the MTA.
    pub rendered: &'a Rendered,
    /// All rules in force.
    pub rules: &'a Rules,
    /// The time.
    pub now: Moment,
}
