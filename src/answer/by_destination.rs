//! What is noted of destinations for people: by profile too, since another mail server may be answered
//! otherwise; bounded, and forgotten when nobody has asked for long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;

use super::Answered;

/// Notes of one kind.
pub(super) struct ByDestination<T> {
    notes: DashMap<(NextHop, String), T>,
    /// How long a note lives that is not renewed.
    lifetime: Duration,
    /// Seconds of uptime at which the old ones were dropped last.
    dropped: AtomicU64,
}

/// When a note was renewed last.
pub(super) trait Noted {
    fn last(&self) -> Moment;
}

impl<T: Noted + Clone> ByDestination<T> {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            notes: DashMap::new(),
            lifetime,
            dropped: AtomicU64::new(0),
        }
    }

    /// Notes `new` of this answer's destination, or what `renewed` makes of it and what was known. Beyond
    /// the bound nothing more is noted.
    pub(super) fn note(
        &self,
        answered: &Answered,
        new: T,
        now: Moment,
        renewed: impl FnOnce(&T, T) -> T,
    ) {
        let key = (answered.next_hop.clone(), answered.profile.clone());
        if let Some(mut known) = self.notes.get_mut(&key) {
            let renewed = renewed(&known, new);
            *known = renewed;
            return;
        }
        if self.notes.len() >= MOST && self.is_time_to_drop(now) {
            self.drop_old(now);
        }
        if self.notes.len() < MOST {
            self.notes.insert(key, new);
        }
    }

    /// Takes the note of this answer's destination away.
    pub(super) fn forget(&self, answered: &Answered) {
        let key = (answered.next_hop.clone(), answered.profile.clone());
        self.notes.remove(&key);
    }

    /// All that live, in no order.
    pub(super) fn all(&self, now: Moment) -> Vec<(NextHop, String, T)> {
        self.drop_old(now);
        self.notes
            .iter()
            .map(|own| {
                let (next_hop, profile) = own.key();
                (next_hop.clone(), profile.clone(), own.value().clone())
            })
            .collect()
    }

    /// How many live.
    pub(super) fn count(&self, now: Moment) -> usize {
        self.drop_old(now);
        self.notes.len()
    }

    pub(super) fn len(&self) -> usize {
        self.notes.len()
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
        self.notes
            .retain(|_, own| now.uptime.saturating_sub(own.last().uptime) < self.lifetime);
    }
}

/// A flood of names must not hold memory without end.
const MOST: usize = 10_000;
/// Seconds.
const BETWEEN_DROPS: u64 = 60;
