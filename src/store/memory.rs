//! A store that lasts as long as the process.
//!
//! Bounded: enforced policies are evicted only by other enforced policies (RFC 8461, 10.2; CA-06).
//! Not done: anything that survives a restart.

use std::sync::Arc;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::{DomainName, PolicyDomain};
use hoplock_policy::sts::StsMode;
use quick_cache::sync::Cache;

use crate::world::{Store, StoreFailure, Waiting};

/// The store in memory.
pub struct MemoryStore {
    enforced: Cache<PolicyDomain, Arc<RememberedPolicy>>,
    others: Cache<PolicyDomain, Arc<RememberedPolicy>>,
    dane: Cache<DomainName, Moment>,
}

impl MemoryStore {
    /// A store that keeps at most `entries` enforced policies, as many others, and as many
    /// destinations seen with DANE.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self {
            enforced: Cache::new(entries),
            others: Cache::new(entries),
            dane: Cache::new(entries),
        }
    }
}

impl Store for MemoryStore {
    fn policy(&self, domain: PolicyDomain) -> Waiting<'_, Option<Arc<RememberedPolicy>>> {
        Box::pin(async move {
            self.enforced
                .get(&domain)
                .or_else(|| self.others.get(&domain))
        })
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            // RFC 8461, 8.3: a fetched "none" replaces an enforced policy at once.
            let (into, from) = match policy.policy.mode {
                StsMode::Enforce => (&self.enforced, &self.others),
                StsMode::Testing | StsMode::None => (&self.others, &self.enforced),
            };
            into.insert(domain.clone(), policy);
            from.remove(&domain);
            Ok(())
        })
    }

    fn dane_seen(&self, destination: DomainName) -> Waiting<'_, Option<Moment>> {
        Box::pin(async move { self.dane.get(&destination) })
    }

    fn remember_dane(&self, destination: DomainName, seen: Moment) -> Waiting<'_, ()> {
        Box::pin(async move { self.dane.insert(destination, seen) })
    }
}
