//! One fetch of a policy: over HTTPS, into the store, and one line in the log when things change. What
//! another host of the fleet has fetched already takes its place.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hoplock_policy::findings::{RememberedPolicy, StsFailure, StsFailureKind};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::{PolicyResponseFault, StsMode, read_response};
use tokio::sync::watch;

use super::desk::{Desk, Fetched, Progress, demands};
use super::fleet::Leave;
use super::{AHEAD_WAIT, Policies, SHARED_WAIT};
use crate::world::{FetchFailure, FetchFailureKind, FetchLease, World};

impl Policies {
    /// Starts a fetch that goes on whatever becomes of who asked for it; `tries` failed before it,
    /// and `known` is the policy that is alive meanwhile. Who comes with a lease has seen to it already that
    /// no other host of the fleet has what is fetched.
    pub(super) fn start(
        self: &Arc<Self>,
        domain: &PolicyDomain,
        id: &str,
        known: Option<Arc<RememberedPolicy>>,
        now: Moment,
        tries: u32,
        lease: Option<FetchLease>,
    ) -> watch::Receiver<Progress> {
        let (teller, progress) = watch::channel(Progress::Asking);
        let number = self.fetches.fetch_add(1, Ordering::Relaxed);
        let under_way = Desk::UnderWay {
            number,
            id: id.to_owned(),
            since: now,
            worth_waiting: match known {
                Some(_) => AHEAD_WAIT,
                None => SHARED_WAIT,
            },
            progress: progress.clone(),
        };
        self.desks.insert(domain.clone(), under_way);
        let (own, domain, id) = (Arc::clone(self), domain.clone(), id.to_owned());
        tokio::spawn(async move {
            let leave = match lease {
                Some(lease) => Leave::Fetch(Some(lease)),
                None => own.ask_the_fleet(&domain, &id, now).await,
            };
            let (outcome, desk) = match leave {
                Leave::TakeOver(policy) => (Ok(policy), None),
                Leave::Fetch(lease) => {
                    let fetched = fetch(&own.world, &domain, &id, now).await;
                    if let Ok(policy) = &fetched {
                        teller.send_replace(Progress::Learnt(Arc::clone(policy)));
                    }
                    let outcome = own.settle(&domain, id, fetched, known.as_deref(), tries);
                    let outcome = outcome.await;
                    drop(lease);
                    outcome
                }
            };
            tell(
                &domain,
                known.as_deref(),
                &outcome,
                tries,
                own.world.clock.now(),
            );
            own.finish(&domain, number, desk);
            teller.send_replace(Progress::Done(outcome));
        });
        progress
    }

    /// What comes of a fetch, and what stays on the desk.
    async fn settle(
        &self,
        domain: &PolicyDomain,
        id: String,
        fetched: Fetched,
        known: Option<&RememberedPolicy>,
        tries: u32,
    ) -> (Fetched, Option<Desk>) {
        let failed = |id, failure| Desk::Failed {
            id,
            last: self.world.clock.now(),
            tries: tries.saturating_add(1),
            failure,
        };
        match fetched {
            Ok(policy) => match self.keep(domain, policy, known).await {
                Kept::Durably(policy) => (Ok(policy), None),
                Kept::NotForgotten(policy) => (Ok(policy), Some(failed(id, not_forgotten()))),
                Kept::Not(outcome, policy) => (outcome, Some(Desk::Unkept { id, policy })),
            },
            Err(failure) => (Err(failure.clone()), Some(failed(id, failure))),
        }
    }

    /// Keeps a policy that was fetched.
    pub(super) async fn keep(
        &self,
        domain: &PolicyDomain,
        policy: Arc<RememberedPolicy>,
        known: Option<&RememberedPolicy>,
    ) -> Kept {
        let store = &self.world.store;
        if policy.policy.max_age.is_zero() {
            // ST-18, ST-24: what was remembered is over, and this one serves the answer at hand.
            let later =
                |known: &Arc<RememberedPolicy>| known.fetched.uptime > policy.fetched.uptime;
            if let Some(latest) = store.policy_at_hand(domain).filter(later) {
                return Kept::Durably(latest);
            }
            return match store.policy_ended(domain.clone(), policy.fetched).await {
                Ok(()) => Kept::Durably(policy),
                Err(_) => Kept::NotForgotten(policy),
            };
        }
        let kept = store.remember_policy(domain.clone(), Arc::clone(&policy));
        let Err(failure) = kept.await else {
            // Another fetch may have begun later and been quicker.
            let latest = store.policy_at_hand(domain);
            return Kept::Durably(latest.unwrap_or(policy));
        };
        // ST-28: an answer must not rest on a policy that a restart would forget, nor on none where
        // one demands something. A policy that demands nothing holds nobody.
        let outcome = if demands(&policy) || known.is_some_and(demands) {
            Err(StsFailure {
                kind: StsFailureKind::Store,
                detail: failure.to_string(),
            })
        } else {
            Ok(Arc::clone(&policy))
        };
        Kept::Not(outcome, policy)
    }
}

/// Whether a policy could be kept.
pub(super) enum Kept {
    /// It is as durable as the store can make it; the policy to go by.
    Durably(Arc<RememberedPolicy>),
    /// It ends what is remembered, which cannot be forgotten and goes on.
    NotForgotten(Arc<RememberedPolicy>),
    /// It is not: what to answer with, and the policy whose keeping is to be tried again.
    Not(Fetched, Arc<RememberedPolicy>),
}

/// One line for each change of state: a policy that changes, that cannot be had any more, that can
/// be had again. A policy in mode none is missed by nobody (RFC 8461, 3.3).
pub(super) fn tell(
    domain: &PolicyDomain,
    before: Option<&RememberedPolicy>,
    outcome: &Fetched,
    tries: u32,
    now: Moment,
) {
    let known = before.filter(|policy| !policy.remaining(now).is_zero());
    match outcome {
        Ok(new) => {
            let changed = known.is_none_or(|old| old.policy.text != new.policy.text);
            let (mode, id) = (new.policy.mode.word(), &new.id);
            if changed && known.is_some() {
                tracing::info!(%domain, mode, id, "MTA-STS policy changed");
            } else if changed {
                tracing::info!(%domain, mode, id, "MTA-STS policy learnt");
            } else if tries > 0 {
                tracing::info!(%domain, mode, id, "MTA-STS policy can be had again");
            } else {
                tracing::debug!(%domain, mode, id, "MTA-STS policy refreshed");
            }
        }
        Err(failure) => {
            let (reason, detail) = (failure.kind.word(), &failure.detail);
            match known {
                _ if tries > 0 => {
                    tracing::debug!(%domain, reason, detail, "MTA-STS policy still cannot be had");
                }
                Some(old) if old.policy.mode == StsMode::None => {
                    tracing::debug!(%domain, reason, detail, "MTA-STS policy could not be had");
                }
                Some(old) => {
                    let hours = old.remaining(now).as_secs() / 3600;
                    tracing::warn!(%domain, reason, detail, hours,
                        "MTA-STS policy cannot be refreshed; the remembered one goes on until it expires");
                }
                None => {
                    tracing::info!(%domain, reason, detail, "MTA-STS policy could not be had");
                }
            }
        }
    }
}

/// Asks the policy host; `begun` is when, which its `max_age` counts from (RFC 8461, 3.2).
async fn fetch(world: &World, domain: &PolicyDomain, id: &str, begun: Moment) -> Fetched {
    let response = world.policy_fetcher.fetch(domain.clone()).await;
    let response = response.map_err(not_fetched)?;
    let read = read_response(
        response.status,
        response.media_type.as_deref(),
        &response.body,
    );
    let policy = read.map_err(|fault| not_a_policy(&fault))?;
    Ok(Arc::new(RememberedPolicy {
        policy,
        id: id.to_owned(),
        fetched: begun,
    }))
}

fn not_forgotten() -> StsFailure {
    StsFailure {
        kind: StsFailureKind::Store,
        detail: "the policy has ended, and cannot be taken off the disk".to_owned(),
    }
}

fn not_fetched(failure: FetchFailure) -> StsFailure {
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
}

fn not_a_policy(fault: &PolicyResponseFault) -> StsFailure {
    let kind = match fault {
        PolicyResponseFault::Malformed(_) => StsFailureKind::Invalid,
        _ => StsFailureKind::Fetch,
    };
    StsFailure {
        kind,
        detail: fault.to_string(),
    }
}
