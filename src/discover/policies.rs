//! MTA-STS policies: remembered ones, fetches under way, failures not repeated (RFC 8461, 3.3).
//!
//! A fetch is never waited for twice: who comes while it is under way shares it, who comes after it
//! failed is answered from the failure, and retries happen behind everybody's back (ST-12). Not done
//! here: refreshing ahead of expiry.

use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::{
    PolicySource, RememberedPolicy, StsFailure, StsFailureKind, StsFinding,
};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::{PolicyResponseFault, read_response};
use quick_cache::sync::Cache;
use tokio::sync::watch;

use crate::world::{FetchFailureKind, Patience, World};

/// What is known of policies beyond the store.
pub struct Policies {
    world: World,
    desks: Arc<Cache<PolicyDomain, Desk>>,
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

type Fetched = Result<Arc<RememberedPolicy>, StsFailure>;

impl Policies {
    pub(super) fn new(world: World, entries: usize) -> Self {
        Self {
            world,
            desks: Arc::new(Cache::new(entries)),
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
        let stored = self.world.store.policy(domain.clone()).await;
        let alive = stored.filter(|policy| !policy.remaining(now).is_zero());
        let (kind, detail) = match record {
            Record::Announces(id) => {
                // RFC 8461, 3.1: the same id means the same policy; nothing is fetched.
                if let Some(policy) = alive.as_ref().filter(|policy| policy.id == id) {
                    return cached(Arc::clone(policy), None);
                }
                return match self.announced(domain, &id, now, patience).await {
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
        stored.is_some_and(|policy| policy.fetched.uptime > gathered.uptime)
    }

    /// Fetches the policy with this id, or says why it cannot be had within `patience`.
    async fn announced(
        &self,
        domain: &PolicyDomain,
        id: &str,
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
                if now.uptime.saturating_sub(last.uptime) >= retry_after(tries) {
                    drop(self.start(domain, id, now, tries));
                }
                Err(failure)
            }
            _ => wait(self.start(domain, id, now, 0), patience).await,
        }
    }

    /// Starts a fetch that goes on whatever becomes of who asked for it.
    fn start(
        &self,
        domain: &PolicyDomain,
        id: &str,
        now: Moment,
        tries: u32,
    ) -> watch::Receiver<Option<Fetched>> {
        let (done_sender, done) = watch::channel(None);
        let under_way = Desk::UnderWay {
            id: id.to_owned(),
            since: now,
            done: done.clone(),
        };
        self.desks.insert(domain.clone(), under_way);
        let (world, desks) = (self.world.clone(), Arc::clone(&self.desks));
        let (domain, id) = (domain.clone(), id.to_owned());
        tokio::spawn(async move {
            let outcome = fetch(&world, &domain, &id).await;
            match &outcome {
                Ok(_) => {
                    desks.remove(&domain);
                }
                Err(failure) => {
                    let (last, tries) = (world.clock.now(), tries.saturating_add(1));
                    let failure = failure.clone();
                    tracing::info!(%domain, reason = failure.kind.word(), detail = failure.detail,
                        "MTA-STS policy could not be had");
                    desks.insert(
                        domain,
                        Desk::Failed {
                            id,
                            last,
                            tries,
                            failure,
                        },
                    );
                }
            }
            done_sender.send_replace(Some(outcome));
        });
        done
    }
}

async fn fetch(world: &World, domain: &PolicyDomain, id: &str) -> Fetched {
    let response = world
        .policy_fetcher
        .fetch(domain.clone())
        .await
        .map_err(|failure| {
            let kind = match failure.kind {
                FetchFailureKind::WebPki => StsFailureKind::WebPki,
                FetchFailureKind::Lookup
                | FetchFailureKind::Connection
                | FetchFailureKind::TooLarge
                | FetchFailureKind::Timeout
                | FetchFailureKind::Protocol
                | FetchFailureKind::Refused => StsFailureKind::Fetch,
            };
            StsFailure {
                kind,
                detail: failure.detail,
            }
        })?;
    let read = read_response(
        response.status,
        response.media_type.as_deref(),
        &response.body,
    );
    let policy = read.map_err(|fault| {
        let kind = match fault {
            PolicyResponseFault::Malformed(_) => StsFailureKind::Invalid,
            _ => StsFailureKind::Fetch,
        };
        StsFailure {
            kind,
            detail: fault.to_string(),
        }
    })?;
    let fetched = world.clock.now();
    let remembered = Arc::new(RememberedPolicy {
        policy,
        id: id.to_owned(),
        fetched,
    });
    if !remembered.policy.max_age.is_zero() {
        let kept = world
            .store
            .remember_policy(domain.clone(), Arc::clone(&remembered))
            .await;
        // ST-28: an answer must not rest on a policy that a restart would forget.
        kept.map_err(|failure| StsFailure {
            kind: StsFailureKind::Fetch,
            detail: failure.to_string(),
        })?;
    }
    Ok(remembered)
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
fn retry_after(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(MOST_DOUBLINGS);
    (RETRY * 2_u32.pow(doublings)).min(LONGEST_RETRY)
}

/// RFC 8461, 3.3 suggests five minutes between attempts.
const RETRY: Duration = Duration::from_secs(300);
/// A policy host that has been down for long is asked once an hour.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);
/// Enough to pass [`LONGEST_RETRY`], few enough not to overflow.
const MOST_DOUBLINGS: u32 = 4;
/// A fetch younger than this is worth sharing the wait for.
const SHARED_WAIT: Duration = Duration::from_secs(12);
