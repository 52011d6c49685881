//! Destinations for which a rule of mode `audit` kept something from being done: what the policy would
//! have been, and how often (OP-03, DT-21).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;

use super::Answered;
use super::by_destination::{ByDestination, Noted};

/// All of them.
pub struct Observed {
    destinations: ByDestination<Observation>,
    /// Answers that were noted, those of destinations beyond the bound included.
    answers: AtomicU64,
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            destinations: ByDestination::new(TOLD_FOR),
            answers: AtomicU64::new(0),
        }
    }
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The first of the answers.
    pub first: Moment,
    /// The last one.
    pub last: Moment,
    /// How many there were.
    pub answers: u64,
    /// Why the policy would have been what it would have been.
    pub reason: Reason,
    /// In words, with the policy.
    pub detail: String,
    /// The rule.
    pub rule: String,
}

impl Noted for Observation {
    fn last(&self) -> Moment {
        self.last
    }
}

impl Observed {
    /// Takes over what was answered.
    pub(super) fn note(&self, answered: &Answered, now: Moment) {
        let verdict = &answered.verdict;
        let Some(reason) = verdict.would_fail else {
            return;
        };
        self.answers.fetch_add(1, Ordering::Relaxed);
        let rule = verdict.rule.as_ref();
        let new = Observation {
            first: now,
            last: now,
            answers: 1,
            reason,
            detail: verdict.detail.clone(),
            rule: rule.map_or_else(String::new, |rule| rule.pattern.to_string()),
        };
        self.destinations
            .note(answered, new, now, |known, new| Observation {
                first: known.first,
                answers: known.answers.saturating_add(1),
                ..new
            });
    }

    /// All of the last week with their profiles, those with the most answers first.
    #[must_use]
    pub fn all(&self, now: Moment) -> Vec<(NextHop, String, Observation)> {
        let mut all = self.destinations.all(now);
        all.sort_by_key(|(next_hop, profile, own)| {
            let often = std::cmp::Reverse(own.answers);
            (often, next_hop.to_string(), profile.clone())
        });
        all
    }

    /// Answers that were noted since the start.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// How many destinations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.destinations.len()
    }

    /// True where nothing was kept from being done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Long enough to see a week's mail.
const TOLD_FOR: Duration = Duration::from_secs(7 * 86_400);
