//! Policies are fetched again ahead of their expiry, in the background (ST-27; RFC 8461, 10.2).
//!
//! About daily, spread out, a few at once. Only a fetch over HTTPS prolongs a policy: what the DNS
//! says is not authenticated and extends nothing. A refresh that fails changes no answer: the policy
//! goes on until its `max_age` is over.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hoplock_policy::findings::{StsFailure, StsFailureKind};
use hoplock_policy::moment::Moment;
use hoplock_policy::sts::StsMode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::desk::{Desk, Progress};
use super::{Policies, is_time_to_retry};
use crate::discover::record::{Record, record_of};
use crate::world::KeptPolicy;

/// Places for refreshes; those beyond wait for the next round.
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// Of these, what policies of short life may take: whoever publishes many of them, on a slow
    /// host, holds up no policy that lives for days.
    short: Arc<Semaphore>,
}

/// When what is done next, on the clock that never jumps.
#[derive(Default)]
pub(super) struct Timetable {
    look: Duration,
    /// None yet: the clock may still be set right after the start.
    sweep: Option<Duration>,
}

impl Policies {
    /// Starts the refreshes that are due, as many as there are places for; to be called every
    /// second or so. The handles may be dropped.
    pub fn refresh(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        let now = self.world.clock.now();
        if !self.is_time_to_look(now) {
            return Vec::new();
        }
        let mut due = Vec::new();
        let mut next = now.uptime.saturating_add(LONGEST_UNLOOKED);
        for kept in self.world.store.policies() {
            match self.due(&kept, now) {
                Due::Now => due.push(kept),
                Due::At(uptime) => next = next.min(uptime),
                Due::Never => {}
            }
        }
        // The one with the least share of its life left goes first.
        due.sort_by_key(|kept| share_left(kept, now));
        let mut started = Vec::new();
        for kept in due {
            let Some(place) = self.places.take(&kept) else {
                next = now.uptime;
                continue;
            };
            let own = Arc::clone(self);
            started.push(tokio::spawn(async move {
                own.refresh_one(kept).await;
                drop(place);
            }));
        }
        let (again, look) = self.try_again(now);
        started.extend(again);
        self.timetable(|timetable| timetable.look = next.min(look));
        started
    }

    /// Sweeps the store where it is time; true where policies are to be looked through.
    fn is_time_to_look(&self, now: Moment) -> bool {
        let (look, sweep) = self.timetable(|timetable| {
            let due = timetable.sweep;
            let sweep = due.is_some_and(|due| due <= now.uptime);
            if sweep || due.is_none() {
                timetable.sweep = Some(now.uptime.saturating_add(BETWEEN_SWEEPS));
            }
            (timetable.look <= now.uptime, sweep)
        });
        if sweep {
            self.world.store.sweep(now);
        }
        look
    }

    fn timetable<T>(&self, work: impl FnOnce(&mut Timetable) -> T) -> T {
        let guard = self.timetable.lock();
        work(&mut guard.unwrap_or_else(PoisonError::into_inner))
    }

    fn due(&self, kept: &KeptPolicy, now: Moment) -> Due {
        let left = kept.policy.remaining(now);
        // ST-27: what nobody has used for long is kept to its end and not prolonged.
        let unused = now.uptime.saturating_sub(kept.used);
        if left.is_zero() || unused > UNUSED {
            return Due::Never;
        }
        // One of short life is fetched when needed; ahead of that only where somebody needed it
        // since the last fetch.
        if is_short(kept) && kept.used <= kept.policy.fetched.uptime {
            return Due::Never;
        }
        match self.desks.get(&kept.domain) {
            Some(Desk::Unkept { .. }) => return Due::Now,
            Some(desk @ Desk::UnderWay { .. }) if desk.is_under_way() => return Due::Never,
            Some(Desk::Failed { last, tries, .. }) if !is_time_to_retry(last, tries, now) => {
                return Due::Never;
            }
            Some(Desk::Elsewhere { until, .. }) if now.uptime < until => return Due::At(until),
            _ => {}
        }
        let age = now.uptime.saturating_sub(kept.policy.fetched.uptime);
        let after = interval(kept, self.world.store.host_number());
        if age >= after {
            Due::Now
        } else {
            Due::At(now.uptime.saturating_add(after.saturating_sub(age)))
        }
    }

    async fn refresh_one(self: &Arc<Self>, kept: KeptPolicy) {
        if let Some(Desk::Unkept { policy, .. }) = self.desks.get(&kept.domain)
            && !policy.remaining(self.world.clock.now()).is_zero()
        {
            let _ = self
                .keep_again(&kept.domain, policy, Some(&kept.policy))
                .await;
            return;
        }
        let record = record_of(&self.world, &kept.domain).await;
        let now = self.world.clock.now();
        let tries = match self.desks.get(&kept.domain) {
            Some(Desk::Failed { tries, .. } | Desk::Elsewhere { tries, .. }) => tries,
            Some(desk) if desk.is_under_way() => return,
            _ => 0,
        };
        let id = match record {
            Record::Announces(id) => id,
            // Nobody knows the id now; the policy host is asked all the same, since it is
            // authenticated, and a newer id is seen when the record can be read again.
            Record::Failed(_) => kept.policy.id.clone(),
            // RFC 8461, 3.1: without exactly one record there is no policy to be fetched.
            Record::None(why) | Record::Invalid(why) => {
                self.not_announced(&kept, why, tries, now);
                return;
            }
        };
        let Some(lease) = self.lease_refresh(&kept, &id, tries).await else {
            return;
        };
        let (known, lease) = (Some(kept.policy), Some(lease));
        let mut progress = self.start(&kept.domain, &id, known, now, tries, lease);
        let done = progress
            .wait_for(|far| matches!(far, Progress::Done(_)))
            .await;
        let refreshed = done.is_ok_and(|far| matches!(*far, Progress::Done(Ok(_))));
        let counter = if refreshed {
            &self.counters.refreshed
        } else {
            &self.counters.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Looked for again as after a failed fetch, told of once.
    fn not_announced(&self, kept: &KeptPolicy, why: String, tries: u32, now: Moment) {
        let domain = &kept.domain;
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        if tries == 0 && kept.policy.policy.mode != StsMode::None {
            let hours = kept.policy.remaining(now).as_secs() / 3600;
            tracing::warn!(%domain, why, hours,
                "MTA-STS policy is no longer announced; the remembered one goes on until it expires");
        }
        let failed = Desk::Failed {
            // No id: the record that comes back is tried at once.
            id: String::new(),
            last: now,
            tries: tries.saturating_add(1),
            failure: StsFailure {
                kind: StsFailureKind::RecordInvalid,
                detail: why,
            },
        };
        self.desks.insert(domain.clone(), failed);
    }
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            short: Arc::new(Semaphore::new(SHORT_AT_ONCE)),
        }
    }
}

impl Places {
    fn take(&self, kept: &KeptPolicy) -> Option<Place> {
        if is_short(kept) {
            return self.take_short();
        }
        Some(vec![Arc::clone(&self.all).try_acquire_owned().ok()?])
    }

    /// A place for what may be slow, or not there at all.
    pub(super) fn take_short(&self) -> Option<Place> {
        let short = Arc::clone(&self.short).try_acquire_owned().ok()?;
        Some(vec![short, Arc::clone(&self.all).try_acquire_owned().ok()?])
    }
}

/// A place taken; free again when dropped.
pub(super) type Place = Vec<OwnedSemaphorePermit>;

/// When a policy is to be fetched again.
enum Due {
    Now,
    /// At this uptime.
    At(Duration),
    /// Not as things stand: looked at again with the next round.
    Never,
}

/// True where it is fetched ahead of its expiry whether or not somebody asks for it.
pub(super) fn is_kept_fresh(kept: &KeptPolicy, now: Moment) -> bool {
    !is_short(kept) && now.uptime.saturating_sub(kept.used) <= UNUSED
}

/// A policy that asks to be fetched more often than daily.
fn is_short(kept: &KeptPolicy) -> bool {
    kept.policy.policy.max_age < ABOUT_DAILY
}

/// What is left of a policy's life, in thousandths.
fn share_left(kept: &KeptPolicy, now: Moment) -> u128 {
    let whole = kept.policy.policy.max_age.as_millis().max(1);
    kept.policy.remaining(now).as_millis().saturating_mul(1000) / whole
}

/// Daily, or at half of a shorter `max_age`; up to a quarter earlier, by the name and the last
/// fetch, so that policies learnt together are not fetched together; by the host, too, so that the first
/// one refreshes and the others find it done.
fn interval(kept: &KeptPolicy, host: u64) -> Duration {
    let mut hasher = DefaultHasher::new();
    (kept.domain.0.as_str(), kept.policy.fetched.wall).hash(&mut hasher);
    if host != 0 {
        host.hash(&mut hasher);
    }
    let share = u32::try_from(hasher.finish() % 1000).unwrap_or(0);
    let longest = ABOUT_DAILY.min(kept.policy.policy.max_age / 2);
    longest - longest / 4 * share / 1000
}

/// RFC 8461, 3.3 suggests a daily refresh.
const ABOUT_DAILY: Duration = Duration::from_secs(86_400);
/// Policies that no findings rested on for so long are not refreshed any more: nobody writes there.
const UNUSED: Duration = Duration::from_secs(30 * 86_400);
/// The store is looked through at least so often: new policies may live for seconds only.
const LONGEST_UNLOOKED: Duration = Duration::from_secs(10);
/// Refreshes side by side: enough for a million policies a day at a second each.
const AT_ONCE: usize = 16;
/// Half of them.
const SHORT_AT_ONCE: usize = 8;
/// What has expired does no harm but to take room.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(86_400);
