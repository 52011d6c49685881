//! MTA-STS policies: remembered ones, fetches under way, failures not repeated (RFC 8461, 3.3).
//!
//! A fetch is never waited for twice: who comes while it is under way shares it, who comes after it
//! failed is answered from the failure, and retries happen behind everybody's back (ST-12).
//!
//! * [`fetch`]: one fetch, and what the log says of it.
//! * [`refresh`]: ahead of expiry.

mod fetch;
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
use tokio::sync::{Semaphore, watch};

use self::fetch::Fetched;
use crate::world::{Patience, StoreFailure, World};

/// What is known of policies beyond the store.
pub struct Policies {
    world: World,
    desks: Arc<Cache<PolicyDomain, Desk>>,
    /// Places for refreshes; those beyond wait for the next round.
    places: Arc<Semaphore>,
    /// When the store is looked through again.
    next_look: Mutex<Option<Moment>>,
    counters: Arc<RefreshCounters>,
}

/// What the refreshing did so far.
#[derive(Debug, Default)]
pub struct RefreshCounters {
    /// Policies fetched ahead of expiry.
    pub refreshed: AtomicU64,
    /// Refreshes that failed.
    pub failed: AtomicU64,
}

/// What the record at `_mta-sts` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// Exactly one valid record with this id.
    Announces(String),
    /// There is none.
    None(String),
    /// There is something, and it is not exactly one valid record.
    Invalid(String),
    /// Nobody knows.
    Failed(String),
}

/// The last fetch for a domain.
#[derive(Clone)]
enum Desk {
    UnderWay {
        id: String,
        since: Moment,
        done: watch::Receiver<Option<Fetched>>,
    },
    Failed {
        id: String,
        last: Moment,
        tries: u32,
        failure: StsFailure,
    },
}

impl Policies {
    pub(super) fn new(world: World, entries: usize) -> Self {
        Self {
            world,
            desks: Arc::new(Cache::new(entries)),
            places: Arc::new(Semaphore::new(refresh::AT_ONCE)),
            next_look: Mutex::new(None),
            counters: Arc::default(),
        }
    }

    /// The policy to go by, given what the record says.
    pub(super) async fn find(
        &self,
        domain: &PolicyDomain,
        record: Record,
        patience: Patience,
    ) -> StsFinding {
        let now = self.world.clock.now();
        let stored = match self.world.store.policy(domain.clone()).await {
            Ok(stored) => stored,
            // A memory that cannot be read may hold anything: not an absence.
            Err(failure) => return StsFinding::Failed(unreadable(&failure)),
        };
        let alive = stored.filter(|policy| !policy.remaining(now).is_zero());
        if alive.is_some() {
            self.world.store.policy_used(domain, now);
        }
        let (kind, detail) = match record {
            Record::Announces(id) => {
                // RFC 8461, 3.1: the same id means the same policy; nothing is fetched.
                if let Some(policy) = alive.as_ref().filter(|policy| policy.id == id) {
                    return cached(Arc::clone(policy), None);
                }
                return match self.announced(domain, &id, &alive, now, patience).await {
                    Ok(fetched) => fetched_now(fetched),
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

    /// True where a policy was fetched after these findings: they should be gathered anew.
    pub async fn newer_than(&self, domain: &PolicyDomain, gathered: Moment) -> bool {
        let stored = self.world.store.policy(domain.clone()).await;
        let stored = stored.ok().flatten();
        stored.is_some_and(|policy| policy.fetched.uptime > gathered.uptime)
    }

    /// Forgets that fetching a policy failed: the next answer that needs it tries again.
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
        &self,
        domain: &PolicyDomain,
        id: &str,
        alive: &Option<Arc<RememberedPolicy>>,
        now: Moment,
        patience: Patience,
    ) -> Fetched {
        match self.desks.get(domain) {
            // A fetch whose task broke will never be done: it is started anew.
            Some(Desk::UnderWay {
                id: other,
                since,
                done,
            }) if other == id && done.has_changed().is_ok() => {
                // ST-11: a fetch that others have waited for long enough holds nobody else.
                if now.uptime.saturating_sub(since.uptime) > SHARED_WAIT {
                    return Err(pending());
                }
                wait(done, patience).await
            }
            Some(Desk::Failed {
                id: other,
                last,
                tries,
                failure,
            }) if other == id => {
                // RFC 8461, 3.3: no retry within five minutes, and nobody waits for one (ST-12).
                if is_time_to_retry(last, tries, now) {
                    drop(self.start(domain, id, alive.clone(), now, tries));
                }
                Err(failure)
            }
            _ => wait(self.start(domain, id, alive.clone(), now, 0), patience).await,
        }
    }
}

async fn wait(mut done: watch::Receiver<Option<Fetched>>, patience: Patience) -> Fetched {
    let finished = patience.wait(done.wait_for(Option::is_some)).await;
    match finished {
        Some(Ok(outcome)) => outcome.clone().unwrap_or_else(|| Err(pending())),
        // The fetch itself broke: as good as not finished.
        Some(Err(_)) | None => Err(pending()),
    }
}

fn pending() -> StsFailure {
    let detail = "the policy host is slow; the fetch goes on in the background".to_owned();
    StsFailure {
        kind: StsFailureKind::Pending,
        detail,
    }
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
    let doublings = tries.saturating_sub(1).min(MOST_DOUBLINGS);
    let after = (RETRY * 2_u32.pow(doublings)).min(LONGEST_RETRY);
    now.uptime.saturating_sub(last.uptime) >= after
}

/// RFC 8461, 3.3 suggests five minutes between attempts.
const RETRY: Duration = Duration::from_secs(300);
/// A policy host that has been down for long is asked once an hour.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);
/// Enough to pass [`LONGEST_RETRY`], few enough not to overflow.
const MOST_DOUBLINGS: u32 = 4;
/// A fetch younger than this is worth sharing the wait for.
const SHARED_WAIT: Duration = Duration::from_secs(12);
