//! Destinations whose mail waits by our answer, and since when: a long TEMP is a slow bounce (D14).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use hoplock_policy::law::Answer;
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;

use super::Answered;

/// All of them.
#[derive(Default)]
pub struct WaitingMail {
    /// By profile too: another mail server may be answered otherwise.
    destinations: DashMap<(NextHop, String), WaitingSince>,
    /// Seconds of uptime at which the old ones were dropped last.
    dropped: AtomicU64,
}

/// One destination whose mail waits.
#[derive(Clone, Debug)]
pub struct WaitingSince {
    /// The first of the answers that said so, without another between.
    pub since: Moment,
    /// The last one.
    pub last: Moment,
    /// Its reason.
    pub reason: Reason,
    /// In words.
    pub detail: String,
}

impl WaitingMail {
    /// Takes over what was answered.
    pub(super) fn note(&self, answered: &Answered, now: Moment) {
        let verdict = &answered.verdict;
        let key = (answered.next_hop.clone(), answered.profile.clone());
        if verdict.answer != Answer::Temp {
            self.destinations.remove(&key);
            return;
        }
        let waiting = WaitingSince {
            since: now,
            last: now,
            reason: verdict.reason,
            detail: verdict.detail.clone(),
        };
        if let Some(mut known) = self.destinations.get_mut(&key) {
            let since = known.since;
            *known = WaitingSince { since, ..waiting };
            return;
        }
        if self.destinations.len() >= MOST && self.is_time_to_drop(now) {
            self.drop_old(now);
        }
        if self.destinations.len() < MOST {
            self.destinations.insert(key, waiting);
        }
    }

    /// The destinations that mail has waited for, for at least `long`, longest first. One that
    /// nobody has asked about for a day is no longer waited for.
    #[must_use]
    pub fn longer_than(&self, long: Duration, now: Moment) -> Vec<(NextHop, WaitingSince)> {
        self.drop_old(now);
        let mut waiting: Vec<(NextHop, WaitingSince)> = self
            .destinations
            .iter()
            .filter(|known| known.last.uptime.saturating_sub(known.since.uptime) >= long)
            .map(|known| (known.key().0.clone(), known.value().clone()))
            .collect();
        waiting.sort_by_key(|(_, known)| known.since.uptime);
        waiting
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
            .retain(|_, known| now.uptime.saturating_sub(known.last.uptime) < NOT_ASKED);
    }
}

/// Postfix tries deferred mail at least every 4000 s; after a day without a question there is none.
const NOT_ASKED: Duration = Duration::from_secs(86_400);
/// A flood of names that cannot be resolved must not hold memory without end.
const MOST: usize = 10_000;
/// Seconds.
const BETWEEN_DROPS: u64 = 60;
