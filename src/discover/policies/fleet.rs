//! Other hosts of the fleet: what they have fetched is not fetched again, and one refreshes for all.
//!
//! All of it saves fetches and nothing else. Where the fleet's store does not answer, or another host takes
//! its time, each fetches for himself; an answer waits a quarter of a second for all of it together.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use tokio::time::sleep;

use super::Policies;
use super::desk::Desk;
use super::fetch::tell;
use crate::world::{FetchLease, KeptPolicy, Patience};

/// What the fleet leaves to be done.
pub(super) enum Leave {
    /// Nothing: another host has fetched it.
    TakeOver(Arc<RememberedPolicy>),
    /// A fetch of our own, with the lease where it could be had.
    Fetch(Option<FetchLease>),
}

impl Policies {
    /// Looks what other hosts have, for a fetch that somebody may wait for since `begun`.
    pub(super) async fn ask_the_fleet(
        &self,
        domain: &PolicyDomain,
        id: &str,
        begun: Moment,
    ) -> Leave {
        let store = &self.world.store;
        let waited = self.world.clock.now().uptime.saturating_sub(begun.uptime);
        let patience = Patience::of(LONGEST_WAIT.saturating_sub(waited));
        let look = async {
            loop {
                // In this order: who had the lease before has told what he fetched.
                let lease = store.lease_fetch(domain.clone()).await;
                if let Some(policy) = self.look_for(domain, id).await {
                    return Leave::TakeOver(policy);
                }
                if lease.is_some() {
                    return Leave::Fetch(lease);
                }
                // Another host fetches it just now.
                sleep(BETWEEN_LOOKS).await;
            }
        };
        patience.wait(look).await.unwrap_or(Leave::Fetch(None))
    }

    /// The lease to refresh a policy that is due, after so many failures; none where another host has
    /// refreshed it, which counts, or is about to, which is looked after a little later.
    pub(super) async fn lease_refresh(
        &self,
        kept: &KeptPolicy,
        id: &str,
        tries: u32,
    ) -> Option<FetchLease> {
        let (domain, policy) = (&kept.domain, &kept.policy);
        // In this order too: what another host tells and gives its lease back for between a look and the lease
        // would be fetched once more.
        let lease = self.world.store.lease_fetch(domain.clone()).await;
        let found = self.look_for(domain, id).await;
        let now = self.world.clock.now();
        // Somebody asked meanwhile, and his fetch is under way.
        let desk = self.desks.get(domain);
        if desk.is_some_and(|desk| desk.is_under_way()) {
            return None;
        }
        if let Some(found) = found {
            self.counters.refreshed.fetch_add(1, Ordering::Relaxed);
            self.desks.remove(domain);
            tell(domain, Some(policy), &Ok(found), tries, now);
            return None;
        }
        // What is about to end is fetched by everybody who needs it.
        let is_urgent = policy.remaining(now) < URGENT;
        if lease.is_none() && is_urgent {
            return Some(FetchLease::alone());
        }
        if lease.is_none() {
            let until = now.uptime.saturating_add(LOOK_LATER);
            let elsewhere = Desk::Elsewhere { until, tries };
            self.desks.insert(domain.clone(), elsewhere);
        }
        lease
    }

    /// What another host fetched under this id, later than what is kept here.
    async fn look_for(&self, domain: &PolicyDomain, id: &str) -> Option<Arc<RememberedPolicy>> {
        let found = self
            .world
            .store
            .shared_policy(domain.clone(), id.to_owned());
        let found = found.await?;
        self.counters.taken_over.fetch_add(1, Ordering::Relaxed);
        Some(found)
    }
}

/// What an answer may lose by looking at the fleet first.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// A policy host answers within some tenths of a second.
const BETWEEN_LOOKS: Duration = Duration::from_millis(60);
/// Another host has fetched it by then, mostly.
const LOOK_LATER: Duration = Duration::from_secs(10);
const URGENT: Duration = Duration::from_secs(60);
