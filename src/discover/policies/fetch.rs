//! One fetch of a policy: over HTTPS, into the store, and one line in the log when things change.

use std::sync::Arc;

use hoplock_policy::findings::{RememberedPolicy, StsFailure, StsFailureKind};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::sts::{PolicyResponseFault, StsMode, read_response};
use tokio::sync::watch;

use super::{Desk, Policies};
use crate::world::{FetchFailure, FetchFailureKind, World};

/// What came of a fetch.
pub(super) type Fetched = Result<Arc<RememberedPolicy>, StsFailure>;

impl Policies {
    /// Starts a fetch that goes on whatever becomes of who asked for it; `tries` failed before it,
    /// and `known` is the policy that is alive meanwhile.
    pub(super) fn start(
        &self,
        domain: &PolicyDomain,
        id: &str,
        known: Option<Arc<RememberedPolicy>>,
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
            let now = world.clock.now();
            tell(&domain, known.as_deref(), &outcome, tries, now);
            match &outcome {
                Ok(_) => {
                    desks.remove(&domain);
                }
                // The policy was there: it is fetched again as soon as it can be kept.
                Err(failure) if failure.kind == StsFailureKind::Store => {
                    desks.remove(&domain);
                }
                Err(failure) => {
                    let failed = Desk::Failed {
                        id,
                        last: now,
                        tries: tries.saturating_add(1),
                        failure: failure.clone(),
                    };
                    desks.insert(domain, failed);
                }
            }
            done_sender.send_replace(Some(outcome));
        });
        done
    }
}

/// One line for each change of state: a policy that changes, that cannot be had any more, that can
/// be had again. A policy in mode none is missed by nobody (RFC 8461, 3.3).
fn tell(
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

async fn fetch(world: &World, domain: &PolicyDomain, id: &str) -> Fetched {
    let response = world.policy_fetcher.fetch(domain.clone()).await;
    let response = response.map_err(not_fetched)?;
    let read = read_response(
        response.status,
        response.media_type.as_deref(),
        &response.body,
    );
    let policy = read.map_err(|fault| not_a_policy(&fault))?;
    let remembered = Arc::new(RememberedPolicy {
        policy,
        id: id.to_owned(),
        fetched: world.clock.now(),
    });
    if !remembered.policy.max_age.is_zero() {
        let (domain, policy) = (domain.clone(), Arc::clone(&remembered));
        let kept = world.store.remember_policy(domain, policy).await;
        // ST-28: an answer must not rest on a policy that a restart would forget.
        kept.map_err(|failure| StsFailure {
            kind: StsFailureKind::Store,
            detail: failure.to_string(),
        })?;
    }
    Ok(remembered)
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
