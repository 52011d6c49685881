//! Findings of busy destinations are gathered anew before they expire, behind everybody's back.
//!
//! Nothing outlives its TTL by this (CA-04): what is gathered counts from its own records. A resolver
//! that still has the old records gives what is left of their TTL; so there is a second gathering
//! right after the expiry, ahead of the next query.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use tokio::task::JoinHandle;

use super::gather::Purpose;
use super::{Answered, Answerer, MOST_FLIGHTS};
use crate::cache::Entry;

/// What is to be gathered anew, by the time at which it is due.
#[derive(Default)]
pub(super) struct Renewals {
    due: Mutex<BTreeMap<(Duration, u64), Renewal>>,
    next: AtomicU64,
}

struct Renewal {
    next_hop: NextHop,
    deadline: Duration,
    /// When the findings at hand expire, on the clock that never jumps.
    expires: Duration,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Shortly before the expiry.
    Ahead,
    /// Right after it.
    Behind,
}

impl Renewals {
    fn add(&self, at: Duration, renewal: Renewal) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        // A renewal is a courtesy: where too many wait, this destination is asked when needed.
        if due.len() < MOST_RENEWALS {
            due.insert((at, number), renewal);
        }
    }

    fn take(&self, now: Duration) -> Vec<Renewal> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let later = due.split_off(&(now, u64::MAX));
        std::mem::replace(&mut *due, later).into_values().collect()
    }
}

impl Answerer {
    /// Notes that a query was answered from what is kept; a destination asked about often enough is
    /// renewed.
    pub(super) fn note_hit(&self, entry: &Arc<Entry<Answered>>, deadline: Duration) {
        if entry.hit() != BUSY || entry.findings.has_failure() || entry.lifetime() < SHORTEST {
            return;
        }
        let gathered = entry.findings.gathered.uptime;
        let expires = gathered.saturating_add(entry.lifetime());
        let ahead = (entry.lifetime() / AHEAD).max(LEAST_AHEAD);
        let renewal = Renewal {
            next_hop: entry.findings.next_hop.clone(),
            deadline,
            expires,
            stage: Stage::Ahead,
        };
        self.renewals.add(expires.saturating_sub(ahead), renewal);
    }

    /// Starts the renewals that are due; to be called every second or so. The handles may be
    /// dropped.
    pub fn renew(&self) -> Vec<JoinHandle<()>> {
        let now = self.world.clock.now();
        let mut started = Vec::new();
        for renewal in self.renewals.take(now.uptime) {
            if self.flights.len() >= MOST_FLIGHTS / 2 || !self.needs(&renewal, now) {
                continue;
            }
            self.counters.renewed.fetch_add(1, Ordering::Relaxed);
            let flight = self.flight(&renewal.next_hop, renewal.deadline, Purpose::Renewal);
            started.push(tokio::spawn(async move { drop(flight.await) }));
            if renewal.stage == Stage::Ahead {
                let at = renewal.expires.saturating_add(JUST_BEHIND);
                let stage = Stage::Behind;
                self.renewals.add(at, Renewal { stage, ..renewal });
            }
        }
        started
    }

    /// False where somebody was faster.
    fn needs(&self, renewal: &Renewal, now: Moment) -> bool {
        let Some(entry) = self.cache.entry(&renewal.next_hop) else {
            return false;
        };
        let gathered = entry.findings.gathered.uptime;
        let expires = gathered.saturating_add(entry.lifetime());
        match renewal.stage {
            Stage::Ahead => expires <= renewal.expires.saturating_add(JUST_BEHIND),
            Stage::Behind => expires <= now.uptime,
        }
    }
}

/// Queries within one life of the findings that make a destination busy.
const BUSY: u32 = 2;
/// Renewed when a tenth of the life is left: then resolvers that fetch ahead do so too.
const AHEAD: u32 = 10;
/// Time for a gathering that has to wait for slow name servers.
const LEAST_AHEAD: Duration = Duration::from_secs(2);
/// Findings that live shorter are not worth the lookups.
const SHORTEST: Duration = Duration::from_secs(5);
/// TTLs are whole seconds: a resolver's copy may live on for a part of one.
const JUST_BEHIND: Duration = Duration::from_secs(1);
/// Each is a few hundred bytes.
const MOST_RENEWALS: usize = 100_000;
