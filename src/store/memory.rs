//! A store that lasts as long as the process; the other stores use it as the shelf in front of them.
//!
//! Bounded: enforced policies are evicted only by other enforced policies (RFC 8461, 10.2; CA-06).
//! Not done: anything that survives a restart.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::{DomainName, PolicyDomain};
use hoplock_policy::sts::StsMode;
use quick_cache::sync::Cache;

use crate::world::{DaneMemory, Gone, KeptPolicy, Lasts, Store, StoreFailure, StoredRule, Waiting};

/// The store in memory.
pub struct MemoryStore {
    enforced: Cache<PolicyDomain, Arc<Shelved>>,
    others: Cache<PolicyDomain, Arc<Shelved>>,
    dane: Cache<DomainName, DaneMemory>,
    rules: Mutex<BTreeMap<String, StoredRule>>,
}

/// A policy on the shelf.
struct Shelved {
    policy: Arc<RememberedPolicy>,
    /// Milliseconds of the wall clock.
    used: AtomicU64,
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
            rules: Mutex::default(),
        }
    }

    /// The policy at hand.
    pub(super) fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>> {
        self.shelved(domain)
            .map(|shelved| Arc::clone(&shelved.policy))
    }

    /// Puts a policy on the shelf.
    pub(super) fn shelve(
        &self,
        domain: &PolicyDomain,
        policy: Arc<RememberedPolicy>,
        used: Timestamp,
    ) {
        // RFC 8461, 8.3: a fetched "none" replaces an enforced policy at once.
        let (into, from) = match policy.policy.mode {
            StsMode::Enforce => (&self.enforced, &self.others),
            StsMode::Testing | StsMode::None => (&self.others, &self.enforced),
        };
        let used = AtomicU64::new(used.0);
        into.insert(domain.clone(), Arc::new(Shelved { policy, used }));
        from.remove(domain);
    }

    /// Takes a policy off the shelf.
    pub(super) fn unshelve(&self, domain: &PolicyDomain) {
        self.enforced.remove(domain);
        self.others.remove(domain);
    }

    /// Notes a use; the time of the one before.
    pub(super) fn note_use(&self, domain: &PolicyDomain, now: Moment) -> Option<Timestamp> {
        let shelved = self.shelved(domain)?;
        Some(Timestamp(shelved.used.swap(now.wall.0, Ordering::Relaxed)))
    }

    /// Notes what was seen of a destination; what was noted before.
    pub(super) fn note_dane(
        &self,
        destination: DomainName,
        memory: DaneMemory,
    ) -> Option<DaneMemory> {
        let before = self.dane.get(&destination);
        self.dane.insert(destination, memory);
        before
    }

    /// What is noted of a destination.
    pub(super) fn dane_at_hand(&self, destination: &DomainName) -> Option<DaneMemory> {
        self.dane.get(destination)
    }

    /// True where something may have been evicted, so that not finding it says nothing.
    pub(super) fn is_full(&self) -> bool {
        // The cache evicts a little before it is full.
        let full = |len: usize, capacity: u64| {
            u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(10) >= capacity.saturating_mul(9)
        };
        full(self.enforced.len(), self.enforced.capacity())
            || full(self.others.len(), self.others.capacity())
            || full(self.dane.len(), self.dane.capacity())
    }

    pub(super) fn rules_at_hand(&self) -> MutexGuard<'_, BTreeMap<String, StoredRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelved(&self, domain: &PolicyDomain) -> Option<Arc<Shelved>> {
        self.enforced
            .get(domain)
            .or_else(|| self.others.get(domain))
    }
}

impl Store for MemoryStore {
    fn policy(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        Box::pin(async move { Ok(self.policy_at_hand(&domain)) })
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            let used = self.note_use(&domain, policy.fetched);
            let used = used.unwrap_or(policy.fetched.wall);
            self.shelve(&domain, policy, used);
            Ok(())
        })
    }

    fn policy_used(&self, domain: &PolicyDomain, now: Moment) {
        let _ = self.note_use(domain, now);
    }

    fn forget_policy(&self, domain: PolicyDomain) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.unshelve(&domain);
            Ok(())
        })
    }

    fn policies(&self) -> Vec<KeptPolicy> {
        let both = self.enforced.iter().chain(self.others.iter());
        both.map(|(domain, shelved)| KeptPolicy {
            domain,
            policy: Arc::clone(&shelved.policy),
            used: Timestamp(shelved.used.load(Ordering::Relaxed)),
        })
        .collect()
    }

    fn dane(
        &self,
        destination: DomainName,
    ) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>> {
        Box::pin(async move { Ok(self.dane_at_hand(&destination)) })
    }

    fn remember_dane(&self, destination: DomainName, memory: DaneMemory) {
        let _ = self.note_dane(destination, memory);
    }

    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(DomainName, Gone)>, StoreFailure>> {
        Box::pin(async move {
            let known = self.dane.iter();
            Ok(known
                .filter_map(|(name, memory)| Some((name, memory.gone?)))
                .collect())
        })
    }

    fn rules(&self) -> Waiting<'_, Result<Vec<StoredRule>, StoreFailure>> {
        Box::pin(async move { Ok(self.rules_at_hand().values().cloned().collect()) })
    }

    fn keep_rule(&self, rule: StoredRule) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.rules_at_hand().insert(rule.pattern.clone(), rule);
            Ok(())
        })
    }

    fn drop_rule(&self, pattern: String) -> Waiting<'_, Result<bool, StoreFailure>> {
        Box::pin(async move { Ok(self.rules_at_hand().remove(&pattern).is_some()) })
    }

    fn lasts(&self) -> Lasts {
        Lasts::Process
    }
}
