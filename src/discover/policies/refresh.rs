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
use tokio::task::JoinHandle;

use super::{Desk, Policies, Record, is_time_to_retry};
use crate::discover::sts;
use crate::world::KeptPolicy;

impl Policies {
    /// Starts the refreshes that are due, as many as there are places for; to be called every
    /// second or so. The handles may be dropped.
    pub async fn refresh(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        let now = self.world.clock.now();
        if !self.is_time_to_look(now) {
            return Vec::new();
        }
        let (mut due, mut gone) = (Vec::new(), Vec::new());
        let mut next = now.uptime.saturating_add(LONGEST_UNLOOKED);
        for kept in self.world.store.policies() {
            if kept.policy.remaining(now).is_zero() {
                gone.push(kept.domain);
                continue;
            }
            match self.due(&kept, now) {
                Due::Now => due.push(kept),
                Due::At(uptime) => next = next.min(uptime),
                Due::Never => {}
            }
        }
        for domain in gone.into_iter().take(FORGOTTEN_AT_ONCE) {
            // What cannot be forgotten now is tried with the next round.
            let _ = self.world.store.forget_policy(domain).await;
        }
        // The one that expires first goes first.
        due.sort_by_key(|kept| kept.policy.remaining(now));
        let mut started = Vec::new();
        for kept in due {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                next = now.uptime;
                break;
            };
            let own = Arc::clone(self);
            started.push(tokio::spawn(async move {
                own.refresh_one(kept).await;
                drop(place);
            }));
        }
        let next = Moment {
            uptime: next,
            ..now
        };
        *self
            .next_look
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(next);
        started
    }

    fn is_time_to_look(&self, now: Moment) -> bool {
        let next = self
            .next_look
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        next.is_none_or(|next| next.uptime <= now.uptime)
    }

    fn due(&self, kept: &KeptPolicy, now: Moment) -> Due {
        // ST-27: what nobody has used for long is kept to its end and not prolonged.
        let unused = Duration::from_millis(now.wall.0.saturating_sub(kept.used.0));
        if unused > UNUSED {
            return Due::Never;
        }
        match self.desks.get(&kept.domain) {
            Some(Desk::UnderWay { .. }) => return Due::Never,
            Some(Desk::Failed { last, tries, .. }) if !is_time_to_retry(last, tries, now) => {
                return Due::Never;
            }
            _ => {}
        }
        let max_age = kept.policy.policy.max_age;
        let age = max_age.saturating_sub(kept.policy.remaining(now));
        let after = interval(kept);
        if age >= after {
            Due::Now
        } else {
            Due::At(now.uptime.saturating_add(after.saturating_sub(age)))
        }
    }

    async fn refresh_one(&self, kept: KeptPolicy) {
        let record = sts::record_of(&self.world, &kept.domain).await;
        let now = self.world.clock.now();
        let tries = match self.desks.get(&kept.domain) {
            Some(Desk::Failed { tries, .. }) => tries,
            Some(Desk::UnderWay { .. }) => return,
            None => 0,
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
        let mut done = self.start(&kept.domain, &id, Some(kept.policy), now, tries);
        let outcome = done.wait_for(Option::is_some).await;
        let refreshed = outcome.is_ok_and(|outcome| matches!(*outcome, Some(Ok(_))));
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

/// When a policy is to be fetched again.
enum Due {
    Now,
    /// At this uptime.
    At(Duration),
    /// Not as things stand: looked at again with the next round.
    Never,
}

/// Daily, or at half of a shorter `max_age`; up to a quarter earlier, by the name and the last
/// fetch, so that policies learnt together are not fetched together.
fn interval(kept: &KeptPolicy) -> Duration {
    let mut hasher = DefaultHasher::new();
    (kept.domain.0.as_str(), kept.policy.fetched.wall).hash(&mut hasher);
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
pub(super) const AT_ONCE: usize = 16;
/// Expired policies taken out in one round, so that a round stays short.
const FORGOTTEN_AT_ONCE: usize = 1_000;
