//! MTA-STS policies: remembered ones, fetches under way, failures not repeated (RFC 8461, 3.3).
//!
//! A fetch is never waited for twice: who comes while it is under way shares it, who comes after it
//! failed is answered from the failure, and retries happen behind everybody's back (ST-12).
//!
//! * [`desk`]: what is known of the last fetch.
//! * [`fetch`]: one fetch, and what the log says of it.
//! * `figures`: how the remembered ones stand, for people.
//! * [`fleet`]: what other hosts have fetched, or fetch just now.
//! * [`refresh`]: ahead of expiry.

mod again;
mod desk;
mod fetch;
mod figures;
mod fleet;
mod refresh;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hoplock_policy::findings::{
    PolicySource, RememberedPolicy, StsFailure, StsFailureKind, StsFinding,
};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use quick_cache::sync::Cache;

use self::desk::{Desk, Fetched, demands, wait};
use self::fetch::Kept;
pub use self::figures::PolicyFigures;
use self::refresh::{Places, Timetable};
use super::record::Record;
use crate::world::{Patience, StoreFailure, World};

/// What is known of policies beyond the store.
pub struct Policies {
    world: World,
    desks: Arc<Cache<PolicyDomain, Desk>>,
    /// Numbers the fetches.
    fetches: AtomicU64,
    places: Places,
    timetable: Mutex<Timetable>,
    counters: Arc<RefreshCounters>,
}

/// What the refreshing did so far.
#[derive(Debug, Default)]
pub struct RefreshCounters {
    /// Policies fetched ahead of expiry.
    pub refreshed: AtomicU64,
    /// Refreshes that failed.
    pub failed: AtomicU64,
    /// Policies taken over from other hosts of the fleet, in place of a fetch.
    pub taken_over: AtomicU64,
}

impl Policies {
    pub(super) fn new(world: World, entries: usize) -> Self {
        Self {
            world,
            desks: Arc::new(Cache::new(entries)),
            fetches: AtomicU64::new(0),
            places: Places::default(),
            timetable: Mutex::default(),
            counters: Arc::default(),
        }
    }

    /// The policy to go by, given what the record says.
    pub(super) async fn find(
        self: &Arc<Self>,
        domain: &PolicyDomain,
        record: Record,
        patience: Patience,
    ) -> StsFinding {
        let now = self.world.clock.now();
        let stored = match patience.wait(self.world.store.policy(domain.clone())).await {
            Some(Ok(stored)) => stored,
            // A memory that cannot be read may hold anything: not an absence.
            Some(Err(failure)) => return StsFinding::Failed(unreadable(&failure)),
            None => return StsFinding::Failed(unreadable(&slow())),
        };
        let mut alive = stored.filter(|policy| !policy.remaining(now).is_zero());
        if alive.is_none() {
            let elsewhere = self.world.store.policy_elsewhere(domain.clone());
            alive = match patience.wait(elsewhere).await {
                Some(Ok(found)) => found,
                // ST-28: what it demands is known, and nothing can rest on it.
                Some(Err(failure)) => return StsFinding::Failed(unreadable(&failure)),
                None => None,
            };
        }
        if alive.is_some() {
            self.world.store.policy_used(domain, now);
        }
        let (kind, detail) = match record {
            Record::Announces(id) => {
                // RFC 8461, 3.1: the same id means the same policy; nothing is fetched.
                if let Some(policy) = alive.as_ref().filter(|policy| policy.id == id) {
                    if policy.remaining(now) <= ENDING.min(policy.policy.max_age / 2) {
                        self.fetch_ahead(domain, policy, now);
                    }
                    return cached(Arc::clone(policy), None);
                }
                return match self.announced(domain, &id, &alive, now, patience).await {
                    Ok(fetched) => fetched_now(fetched),
                    // What cannot be kept demands something: one that demands nothing is no way out.
                    Err(failure) if failure.kind == StsFailureKind::Store => {
                        fall_back(alive.filter(|policy| demands(policy)), failure)
                    }
                    Err(failure) => fall_back(alive, failure),
                };
            }
            // RFC 8461, 3.1: a bad or missing record does not end a living policy.
            Record::None(why) if alive.is_none() => return StsFinding::Absent(why),
            Record::Invalid(why) if alive.is_none() => return StsFinding::Absent(why),
            Record::None(why) | Record::Invalid(why) => (StsFailureKind::RecordInvalid, why),
            Record::Failed(why) => (StsFailureKind::Record, why),
        };
        fall_back(alive, StsFailure { kind, detail })
    }

    /// Starts to fetch a policy that is about to end, and holds nobody.
    fn fetch_ahead(
        self: &Arc<Self>,
        domain: &PolicyDomain,
        policy: &Arc<RememberedPolicy>,
        now: Moment,
    ) {
        let tries = match self.desks.get(domain) {
            None => 0,
            Some(Desk::Elsewhere { tries, .. }) => tries,
            Some(Desk::Failed { last, tries, .. }) if is_time_to_retry(last, tries, now) => tries,
            Some(_) => return,
        };
        let known = Some(Arc::clone(policy));
        drop(self.start(domain, &policy.id, known, now, tries, None));
    }

    /// True where another policy is remembered by now than the one that these findings rest on: they
    /// should be gathered anew; otherwise the policy is used once more. Never waits.
    #[must_use]
    pub fn overtake(&self, domain: &PolicyDomain, findings: &StsFinding, now: Moment) -> bool {
        let Some(stored) = self.world.store.policy_at_hand(domain) else {
            return false;
        };
        match findings {
            StsFinding::Policy { remembered, .. } => {
                self.world.store.policy_used(domain, now);
                stored.fetched.uptime > remembered.fetched.uptime
            }
            // It is remembered, and something newer cannot be.
            StsFinding::Failed(failure) if failure.kind == StsFailureKind::Store => false,
            StsFinding::NotApplicable => false,
            StsFinding::Failed(_) | StsFinding::Absent(_) => !stored.remaining(now).is_zero(),
        }
    }

    /// Forgets that fetching policies failed: the next answers that need them try again.
    pub fn forget_failures(&self) {
        let failed = self.desks.iter();
        let failed = failed.filter(|(_, desk)| matches!(desk, Desk::Failed { .. }));
        for (domain, _) in failed.collect::<Vec<_>>() {
            self.desks.remove(&domain);
        }
    }

    /// The same for one domain.
    pub fn forget_failure(&self, domain: &PolicyDomain) {
        if matches!(self.desks.get(domain), Some(Desk::Failed { .. })) {
            self.desks.remove(domain);
        }
    }

    /// What the refreshing did so far.
    #[must_use]
    pub fn counters(&self) -> &RefreshCounters {
        &self.counters
    }

    /// Fetches the policy with this id, or says why it cannot be had within `patience`.
    async fn announced(
        self: &Arc<Self>,
        domain: &PolicyDomain,
        announced: &str,
        alive: &Option<Arc<RememberedPolicy>>,
        now: Moment,
        patience: Patience,
    ) -> Fetched {
        let desk = self.desks.get(domain);
        let under_way = desk.as_ref().is_some_and(Desk::is_under_way);
        match desk {
            Some(Desk::UnderWay {
                id,
                since,
                worth_waiting,
                progress,
                ..
            }) if id == announced && under_way => {
                // ST-11: a fetch that others have waited for long enough holds nobody else.
                let waited = now.uptime.saturating_sub(since.uptime) > worth_waiting;
                let patience = if waited { patience.over() } else { patience };
                wait(progress, patience).await
            }
            Some(Desk::Unkept { id, policy })
                if id == announced && !policy.remaining(now).is_zero() =>
            {
                let demanded = demands(&policy) || alive.as_deref().is_some_and(demands);
                let kept = self.keep_again(domain, Arc::clone(&policy), alive.as_deref());
                match patience.wait(kept).await {
                    Some(outcome) => outcome,
                    None if demanded => Err(unreadable(&slow())),
                    None => Ok(policy),
                }
            }
            Some(Desk::Failed {
                id,
                last,
                tries,
                failure,
            }) if id == announced => {
                // RFC 8461, 3.3: no retry within five minutes, and nobody waits for one (ST-12).
                if is_time_to_retry(last, tries, now) {
                    drop(self.start(domain, announced, alive.clone(), now, tries, None));
                }
                Err(failure)
            }
            _ => {
                wait(
                    self.start(domain, announced, alive.clone(), now, 0, None),
                    patience,
                )
                .await
            }
        }
    }

    /// Tries once more to keep a policy that was fetched.
    async fn keep_again(
        &self,
        domain: &PolicyDomain,
        policy: Arc<RememberedPolicy>,
        known: Option<&RememberedPolicy>,
    ) -> Fetched {
        match self.keep(domain, policy, known).await {
            Kept::Durably(policy) => {
                if let Some(Desk::Unkept { .. }) = self.desks.get(domain) {
                    self.desks.remove(domain);
                }
                tracing::info!(%domain, "MTA-STS policy is kept at last");
                Ok(policy)
            }
            Kept::Not(outcome, _) => outcome,
            Kept::NotForgotten(policy) => Ok(policy),
        }
    }
}

fn slow() -> StoreFailure {
    StoreFailure("the disk does not answer in time".to_owned())
}

fn unreadable(failure: &StoreFailure) -> StsFailure {
    StsFailure {
        kind: StsFailureKind::Store,
        detail: failure.to_string(),
    }
}

fn fall_back(alive: Option<Arc<RememberedPolicy>>, failure: StsFailure) -> StsFinding {
    match alive {
        // RFC 8461, 3.3: an unexpired policy goes on, whatever happens to its refresh.
        Some(policy) => cached(policy, Some(failure)),
        None => StsFinding::Failed(failure),
    }
}

fn cached(remembered: Arc<RememberedPolicy>, trouble: Option<StsFailure>) -> StsFinding {
    StsFinding::Policy {
        remembered,
        source: PolicySource::Cache,
        trouble,
    }
}

fn fetched_now(remembered: Arc<RememberedPolicy>) -> StsFinding {
    StsFinding::Policy {
        remembered,
        source: PolicySource::Fetched,
        trouble: None,
    }
}

/// RFC 8461, 3.3: at least five minutes; doubled with every failure, up to an hour.
fn is_time_to_retry(last: Moment, tries: u32, now: Moment) -> bool {
    now.uptime.saturating_sub(last.uptime) >= retry_interval(tries)
}

fn retry_interval(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(MOST_DOUBLINGS);
    (RETRY * 2_u32.pow(doublings)).min(LONGEST_RETRY)
}

/// RFC 8461, 3.3 suggests five minutes between attempts.
const RETRY: Duration = Duration::from_secs(300);
/// A policy host that has been down for long is asked once an hour.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);
/// Enough to pass [`LONGEST_RETRY`], few enough not to overflow.
const MOST_DOUBLINGS: u32 = 4;
/// A policy that may end while these findings are still being gathered is fetched ahead: else the
/// answer would find it expired, though it is announced.
const ENDING: Duration = Duration::from_secs(30);
/// A first fetch younger than this is worth sharing the wait for.
const SHARED_WAIT: Duration = Duration::from_secs(12);
/// One that was begun while a policy was alive had time enough: a refresh that hangs holds no answer
/// up when the policy ends meanwhile.
const AHEAD_WAIT: Duration = Duration::from_secs(3);
