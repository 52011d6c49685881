//! What was counted and is not written yet: fetched once a second, and held when the disk is at fault.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use rusqlite::Connection;

use super::rows;
use crate::world::reports::tally::{Counter, Counts};

/// What both sides see: who counts, and the thread that owns the file.
#[derive(Default)]
pub(in crate::store::sqlite) struct Counting {
    waiting: Mutex<Waiting>,
    /// The thread is told already that something waits.
    pub(super) ordered: AtomicBool,
    pub(super) counted: AtomicU64,
    pub(super) lost: AtomicU64,
    /// The log was told that it cannot be written.
    told: AtomicBool,
}

/// By day and domain, and how many rows that is.
#[derive(Default)]
struct Waiting {
    counts: BTreeMap<(Day, DomainName), Counts>,
    rows: usize,
}

impl Counting {
    /// Takes counts in, as far as there is room.
    pub(super) fn take_in(&self, day: Day, domain: &DomainName, counts: Counts) {
        let sessions = sessions(&counts);
        self.counted.fetch_add(sessions, Ordering::Relaxed);
        let lost = self.waiting().add(day, domain, counts);
        self.lost.fetch_add(lost, Ordering::Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting().counts.is_empty()
    }

    /// Writes all that waits, in one commit; what cannot be written waits on.
    pub(super) fn write(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        // Before it is fetched: who comes later orders anew.
        self.ordered.store(false, Ordering::Release);
        let taken = std::mem::take(&mut *self.waiting());
        if taken.counts.is_empty() {
            return Ok(());
        }
        let written = rows::add(connection, &taken.counts);
        match &written {
            Ok(()) if self.told.swap(false, Ordering::Relaxed) => {
                tracing::info!("counts for TLS reports can be written again; nothing is missing");
            }
            Ok(()) => {}
            Err(error) => {
                let mut lost = 0;
                for ((day, domain), counts) in taken.counts {
                    lost += self.waiting().add(day, &domain, counts);
                }
                self.lost.fetch_add(lost, Ordering::Relaxed);
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "counts for TLS reports cannot be written: {error}; they are held in memory \
                         meanwhile"
                    );
                }
            }
        }
        written
    }

    /// Hands the work to the thread, unless it has it already.
    pub(super) fn order(self: &Arc<Self>, hand: impl FnOnce(Arc<Self>)) {
        if !self.is_empty() && !self.ordered.swap(true, Ordering::AcqRel) {
            hand(Arc::clone(self));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Adds, and says how many sessions found no room.
    fn add(&mut self, day: Day, domain: &DomainName, counts: Counts) -> u64 {
        let key = (day, domain.clone());
        let is_full = self.rows >= MOST_HELD;
        if is_full && !self.counts.contains_key(&key) {
            return sessions(&counts);
        }
        let held = self.counts.entry(key).or_default();
        let mut lost: u64 = 0;
        for (counter, count) in counts {
            if let Some(own) = held.get_mut(&counter) {
                *own = own.saturating_add(count);
            } else if self.rows < MOST_HELD {
                self.rows += 1;
                held.insert(counter, count);
            } else {
                lost = lost.saturating_add(sessions(&Counts::from([(counter, count)])));
            }
        }
        lost
    }
}

fn sessions(counts: &Counts) -> u64 {
    let of = |(counter, count): (&Counter, &u64)| match counter {
        Counter::Successful(_) | Counter::Failed(_) => *count,
        Counter::Detail(..) | Counter::Record(_) => 0,
    };
    counts.iter().map(of).sum()
}

/// Rows held while the disk is at fault: some hundred bytes each, and those of a large site's day.
const MOST_HELD: usize = 200_000;
