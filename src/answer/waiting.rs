//! Destinations whose mail waits by our answer, and since when: a long TEMP is a slow bounce (D14).

use std::time::Duration;

use hoplock_policy::law::Answer;
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;

use super::Answered;
use super::by_destination::{ByDestination, Noted};

/// All of them.
pub struct WaitingMail(ByDestination<WaitingSince>);

impl Default for WaitingMail {
    fn default() -> Self {
        Self(ByDestination::new(NOT_ASKED))
    }
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

impl Noted for WaitingSince {
    fn last(&self) -> Moment {
        self.last
    }
}

impl WaitingMail {
    /// Takes over what was answered.
    pub(super) fn note(&self, answered: &Answered, now: Moment) {
        let verdict = &answered.verdict;
        if verdict.answer != Answer::Temp {
            self.0.forget(answered);
            return;
        }
        let waiting = WaitingSince {
            since: now,
            last: now,
            reason: verdict.reason,
            detail: verdict.detail.clone(),
        };
        self.0
            .note(answered, waiting, now, |known, new| WaitingSince {
                since: known.since,
                ..new
            });
    }

    /// How many destinations there are, each once for each profile.
    #[must_use]
    pub fn count(&self, now: Moment) -> usize {
        self.0.count(now)
    }

    /// The destinations that mail has waited for, for at least `long`, longest first. One that
    /// nobody has asked about for a day is no longer waited for.
    #[must_use]
    pub fn longer_than(&self, long: Duration, now: Moment) -> Vec<(NextHop, WaitingSince)> {
        let all = self.0.all(now).into_iter();
        let mut waiting: Vec<(NextHop, WaitingSince)> = all
            .filter(|(_, _, own)| own.last.uptime.saturating_sub(own.since.uptime) >= long)
            .map(|(next_hop, _, own)| (next_hop, own))
            .collect();
        waiting.sort_by_key(|(_, known)| known.since.uptime);
        waiting
    }
}

/// Postfix tries deferred mail at least every 4000 s; after a day without a question there is none.
const NOT_ASKED: Duration = Duration::from_secs(86_400);
