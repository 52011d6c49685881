//! Answers by verdict over the last hour, for `hoplock status`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::WORDS;

/// Totals now, and at the end of each minute of the last hour.
#[derive(Default)]
pub(super) struct Lately {
    totals: [AtomicU64; WORDS.len()],
    /// Oldest first.
    minutes: Mutex<VecDeque<[u64; WORDS.len()]>>,
}

impl Lately {
    /// Counts one answer of the verdict at this place of [`WORDS`].
    pub(super) fn count(&self, place: usize) {
        if let Some(total) = self.totals.get(place) {
            total.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A minute is over.
    pub(super) fn minute(&self) {
        let totals = self.totals();
        let mut minutes = self.minutes();
        minutes.push_back(totals);
        if minutes.len() > HOUR {
            minutes.pop_front();
        }
    }

    /// Verdicts without any answer left out.
    pub(super) fn last_hour(&self) -> BTreeMap<&'static str, u64> {
        let now = self.totals();
        let minutes = self.minutes();
        let then = match minutes.front() {
            Some(then) if minutes.len() >= HOUR => *then,
            _ => [0; WORDS.len()],
        };
        let counts = WORDS.iter().zip(now.iter().zip(then));
        counts
            .map(|(word, (now, then))| (*word, now.saturating_sub(then)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn totals(&self) -> [u64; WORDS.len()] {
        let loaded = self.totals.each_ref();
        loaded.map(|total| total.load(Ordering::Relaxed))
    }

    fn minutes(&self) -> MutexGuard<'_, VecDeque<[u64; WORDS.len()]>> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Minutes.
const HOUR: usize = 60;
