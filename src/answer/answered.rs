//! One answer, and the settings that it was made under.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::Findings;
use hoplock_policy::law::{Answer, LawOptions, Verdict};
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::profile::{Family, Profile};
use hoplock_policy::render::{Rendered, View, render};
use hoplock_policy::rules::Rules;

use super::today::Counted;
use crate::cache::Told;

/// What the operator ordered: may change at run time.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rules for single destinations.
    pub rules: Rules,
    /// Switches of the law.
    pub law: LawOptions,
    /// Profiles that the configuration made or changed; others are built in.
    pub profiles: HashMap<String, Arc<Profile>>,
}

/// One answer with its evidence.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The next hop that the key was read as.
    pub next_hop: NextHop,
    /// The decision.
    pub verdict: Verdict,
    /// The evidence, where any was needed.
    pub findings: Option<Arc<Findings>>,
    /// The words for the MTA.
    pub rendered: Rendered,
    /// The profile's name.
    pub profile: String,
    /// The family of its MTA.
    pub family: Family,
    /// When it was made.
    pub made: Moment,
    /// When it was counted last.
    pub counted: Counted,
}

/// Where the evidence of an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// There is none: a rule decides by itself, the key is no destination, or there are too many lookups.
    None,
    /// It was at hand.
    Kept,
    /// It was waited for, also in vain.
    Gathered,
}

impl Evidence {
    /// All of them, for metrics.
    pub const ALL: [Self; 3] = [Self::None, Self::Kept, Self::Gathered];

    /// The stable word, a label of metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kept => "kept",
            Self::Gathered => "gathered",
        }
    }
}

impl Answered {
    /// The answer for the renderers that speak to people; `asked` as it was typed.
    #[must_use]
    pub fn view<'a>(&'a self, asked: &'a str, profile: &'a str, rules: &'a Rules) -> View<'a> {
        View {
            asked,
            next_hop: &self.next_hop,
            profile,
            family: self.family,
            verdict: &self.verdict,
            findings: self.findings.as_deref(),
            rendered: &self.rendered,
            rules,
            now: self.made,
        }
    }

    /// True while it may be given again, by both clocks: rules end by the wall clock, and where that is
    /// stepped, one may have ended, or be in force again (OP-05). Then it is judged anew.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        let lifetime = self.verdict.expires_in;
        let by_wall = now.wall.0.checked_sub(self.made.wall.0);
        now.uptime.saturating_sub(self.made.uptime) < lifetime
            && by_wall.is_some_and(|passed| Duration::from_millis(passed) < lifetime)
    }
}

pub(super) fn made(
    next_hop: NextHop,
    verdict: Verdict,
    findings: Option<Arc<Findings>>,
    profile: &Profile,
    now: Moment,
) -> Answered {
    let rendered = render(&verdict, profile);
    Answered {
        next_hop,
        verdict,
        findings,
        rendered,
        profile: profile.name.clone(),
        family: profile.family,
        made: now,
        counted: Counted::default(),
    }
}

/// One line when an answer is first computed or changes, and once a minute while mail waits; the
/// rest is counted.
pub(super) fn tell(answered: &Answered, profile: &Profile, is_news: bool) {
    let verdict = &answered.verdict;
    let (next_hop, profile) = (&answered.next_hop, &profile.name);
    let (word, reason, row) = (
        verdict.answer.word(),
        verdict.reason.word(),
        verdict.row.id(),
    );
    let detail = &verdict.detail;
    if let Some(reason) = verdict.would_fail.filter(|_| is_news) {
        // OP-03, DT-21: the event that audit owes.
        let would = reason.word();
        tracing::warn!(%next_hop, profile, would, detail, "only observed");
    }
    match (is_news, &verdict.answer) {
        (true, Answer::Temp) => {
            tracing::warn!(%next_hop, profile, verdict = word, reason, row, detail, "mail waits");
        }
        (true, _) => tracing::info!(%next_hop, profile, verdict = word, reason, row, "answered"),
        (false, _) => tracing::debug!(%next_hop, profile, verdict = word, reason, row, "answered"),
    }
}

impl Told {
    /// What the log says of this answer.
    pub(super) fn of(answered: &Answered, now: Moment) -> Self {
        let verdict = &answered.verdict;
        let waits = verdict.answer == Answer::Temp;
        Self {
            word: verdict.answer.word(),
            // Under `audit` the reason is always that; what changes is what would have been.
            reason: verdict.would_fail.unwrap_or(verdict.reason),
            waits,
            at: now,
        }
    }
}
