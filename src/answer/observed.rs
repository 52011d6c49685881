//! Destinations for which a rule of mode `audit` kept something from being done: what the policy would
//! have been, and how often (OP-03, DT-21).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;

use super::Answered;

/// All of them.
#[derive(Default)]
pub struct Observed {
    /// By profile too: another mail server may be answered otherwise.
    destinations: DashMap<(NextHop, String), Observation>,
    /// Answers that were noted, those of destinations beyond the bound included.
    answers: AtomicU64,
    /// Seconds of uptime at which the old ones were dropped last.
    dropped: AtomicU64,
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

impl Observed {
    /// Takes over what was answered.
    pub(super) fn note(&self, answered: &Answered, now: Moment) {
        let verdict = &answered.verdict;
        let Some(reason) = verdict.would_fail else {
            return;
        };
        self.answers.fetch_add(1, Ordering::Relaxed);
        let key = (answered.next_hop.clone(), answered.profile.clone());
        let rule = verdict.rule.as_ref();
        let mut new = Observation {
            first: now,
            last: now,
            answers: 1,
            reason,
            detail: verdict.detail.clone(),
            rule: rule.map_or_else(String::new, |rule| rule.pattern.to_string()),
        };
        if let Some(mut known) = self.destinations.get_mut(&key) {
            new.first = known.first;
            new.answers = known.answers.saturating_add(1);
            *known = new;
            return;
        }
        if self.destinations.len() >= MOST && self.is_time_to_drop(now) {
            self.drop_old(now);
        }
        if self.destinations.len() < MOST {
            self.destinations.insert(key, new);
        }
    }

    /// All of the last week with their profiles, those with the most answers first.
    #[must_use]
    pub fn all(&self, now: Moment) -> Vec<(NextHop, String, Observation)> {
        self.drop_old(now);
        let mut all: Vec<_> = self
            .destinations
            .iter()
            .map(|own| {
                let (next_hop, profile) = own.key();
                (next_hop.clone(), profile.clone(), own.value().clone())
            })
            .collect();
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

    /// Looking through all of them is not for every answer.
    fn is_time_to_drop(&self, now: Moment) -> bool {
        let (now, last) = (now.uptime.as_secs(), self.dropped.load(Ordering::Relaxed));
        let due = now.saturating_sub(last) >= BETWEEN_DROPS;
        if due {
            self.dropped.store(now, Ordering::Relaxed);
        }
        due
    }

    fn drop_old(&self, now: Moment) {
        self.destinations
            .retain(|_, own| now.uptime.saturating_sub(own.last.uptime) < TOLD_FOR);
    }
}

/// Long enough to see a week's mail.
const TOLD_FOR: Duration = Duration::from_secs(7 * 86_400);
/// A flood of names must not hold memory without end.
const MOST: usize = 10_000;
/// Seconds.
const BETWEEN_DROPS: u64 = 60;
