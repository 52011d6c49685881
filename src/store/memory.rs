//! A store that lasts as long as the process; the other stores use it as the shelf in front of them.
//!
//! Bounded in number and, since a policy's text may be long, in bytes: enforced policies are evicted
//! only by other enforced policies (RFC 8461, 10.2; CA-06). Not done: anything that survives a restart.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::StsMode;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, Weighter};

use crate::world::{DaneMemory, Gone, KeptPolicy, Lasts, Store, StoreFailure, StoredRule, Waiting};

/// The store in memory.
pub struct MemoryStore {
    enforced: Policies,
    others: Policies,
    dane: Cache<NextHop, DaneMemory, UnitWeighter, DefaultHashBuilder, Evictions>,
    /// A policy was evicted, so that not finding one says nothing.
    policies_evicted: Evictions,
    /// The same of destinations seen with DANE.
    dane_evicted: Evictions,
    rules: Mutex<BTreeMap<String, StoredRule>>,
}

type Policies = Cache<PolicyDomain, Arc<Shelved>, ByText, DefaultHashBuilder, Evictions>;

/// A policy on the shelf.
struct Shelved {
    policy: Arc<RememberedPolicy>,
    /// Milliseconds of the clock that never jumps.
    used: AtomicU64,
}

/// A policy weighs by its text, one at least.
#[derive(Clone)]
struct ByText;

impl Weighter<PolicyDomain, Arc<Shelved>> for ByText {
    fn weight(&self, _: &PolicyDomain, shelved: &Arc<Shelved>) -> u64 {
        let length = shelved.policy.policy.text.len() / USUAL_TEXT;
        u64::try_from(length).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Notices that something had to go to make room; what is replaced or removed did not.
#[derive(Clone, Default)]
struct Evictions(Arc<AtomicBool>);

impl<Key, Value> Lifecycle<Key, Value> for Evictions {
    type RequestState = ();

    fn before_evict(&self, (): &mut (), _: &Key, _: &mut Value) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl MemoryStore {
    /// A store that keeps at most `entries` enforced policies, as many others, and as many
    /// destinations seen with DANE.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        let (policies_evicted, dane_evicted) = (Evictions::default(), Evictions::default());
        let weight = u64::try_from(entries).unwrap_or(u64::MAX);
        let policies = || {
            let hasher = DefaultHashBuilder::default();
            Cache::with(entries, weight, ByText, hasher, policies_evicted.clone())
        };
        let hasher = DefaultHashBuilder::default();
        Self {
            enforced: policies(),
            others: policies(),
            dane: Cache::with(entries, weight, UnitWeighter, hasher, dane_evicted.clone()),
            policies_evicted,
            dane_evicted,
            rules: Mutex::default(),
        }
    }

    /// Puts a policy on the shelf, unless one stands there whose fetch began later.
    pub(super) fn shelve(
        &self,
        domain: &PolicyDomain,
        policy: Arc<RememberedPolicy>,
        used: Duration,
    ) {
        let later = |known: &Shelved| known.policy.fetched.uptime > policy.fetched.uptime;
        if self.shelved(domain).is_some_and(|known| later(&known)) {
            return;
        }
        // RFC 8461, 8.3: a fetched "none" replaces an enforced policy at once.
        let (into, from) = match policy.policy.mode {
            StsMode::Enforce => (&self.enforced, &self.others),
            StsMode::Testing | StsMode::None => (&self.others, &self.enforced),
        };
        let used = AtomicU64::new(millis(used));
        into.insert(domain.clone(), Arc::new(Shelved { policy, used }));
        from.remove(domain);
        // One that is too heavy for the shelf was never on it.
        if into.peek(domain).is_none() {
            self.policies_evicted.0.store(true, Ordering::Relaxed);
        }
    }

    /// Takes a policy off the shelf.
    pub(super) fn unshelve(&self, domain: &PolicyDomain) {
        self.enforced.remove(domain);
        self.others.remove(domain);
    }

    /// Notes a use; the time of the one before.
    pub(super) fn note_use(&self, domain: &PolicyDomain, now: Moment) -> Option<Duration> {
        let shelved = self.shelved(domain)?;
        let before = shelved.used.swap(millis(now.uptime), Ordering::Relaxed);
        Some(Duration::from_millis(before))
    }

    /// Notes what was seen of a destination; what was noted before.
    pub(super) fn note_dane(&self, destination: NextHop, memory: DaneMemory) -> Option<DaneMemory> {
        let before = self.dane.get(&destination);
        self.dane.insert(destination, memory);
        before
    }

    /// What is noted of a destination.
    pub(super) fn dane_at_hand(&self, destination: &NextHop) -> Option<DaneMemory> {
        self.dane.get(destination)
    }

    /// When findings last rested on a policy.
    pub(super) fn use_of(&self, domain: &PolicyDomain) -> Option<Duration> {
        let used = self.shelved(domain)?.used.load(Ordering::Relaxed);
        Some(Duration::from_millis(used))
    }

    /// True where a policy was evicted, so that not finding one says nothing.
    pub(super) fn has_evicted_policies(&self) -> bool {
        self.policies_evicted.0.load(Ordering::Relaxed)
    }

    /// The same of destinations seen with DANE.
    pub(super) fn has_evicted_dane(&self) -> bool {
        self.dane_evicted.0.load(Ordering::Relaxed)
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

    fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>> {
        self.shelved(domain)
            .map(|shelved| Arc::clone(&shelved.policy))
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            let used = self.use_of(&domain).unwrap_or(policy.fetched.uptime);
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

    fn sweep(&self, now: Moment) {
        let gone = |shelved: &Arc<Shelved>| {
            let policy = &shelved.policy;
            let kept = policy.policy.max_age.saturating_add(KEPT_BEYOND);
            policy.fetched.remaining(kept, now).is_zero()
        };
        // Each is looked at again as it is taken out: a new one may stand in its place by then.
        self.enforced.retain(|_, shelved| !gone(shelved));
        self.others.retain(|_, shelved| !gone(shelved));
        self.dane
            .retain(|_, memory| !memory.seen.remaining(DANE_KEPT, now).is_zero());
    }

    fn policies(&self) -> Vec<KeptPolicy> {
        let both = self.enforced.iter().chain(self.others.iter());
        both.map(|(domain, shelved)| KeptPolicy {
            domain,
            policy: Arc::clone(&shelved.policy),
            used: Duration::from_millis(shelved.used.load(Ordering::Relaxed)),
        })
        .collect()
    }

    fn dane(&self, destination: NextHop) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>> {
        Box::pin(async move { Ok(self.dane_at_hand(&destination)) })
    }

    fn remember_dane(&self, destination: NextHop, memory: DaneMemory) {
        let _ = self.note_dane(destination, memory);
    }

    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(NextHop, Gone)>, StoreFailure>> {
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

fn millis(uptime: Duration) -> u64 {
    u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX)
}

/// What is expired stays for a week: a clock that was wrong may be set right.
pub(super) const KEPT_BEYOND: Duration = Duration::from_secs(7 * 86_400);
/// Longer than a destination with DANE is remembered (MX-17: 30 days).
pub(super) const DANE_KEPT: Duration = Duration::from_secs(40 * 86_400);
/// Bytes of a policy's text that count as one entry: most are shorter.
const USUAL_TEXT: usize = 512;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use hoplock_policy::moment::{Moment, Timestamp};
    use hoplock_policy::next_hop::NextHop;

    use super::MemoryStore;
    use crate::world::DaneMemory;

    /// ST-28: only what had to make room sends questions to the file; what is seen again does not.
    #[test]
    fn replacing_is_no_eviction() {
        let store = MemoryStore::new(64);
        let seen = |seconds| DaneMemory {
            seen: Moment {
                wall: Timestamp(0),
                uptime: Duration::from_secs(seconds),
            },
            gone: None,
        };
        for second in 0..10 {
            let _ = store.note_dane(NextHop::parse("d.test"), seen(second));
        }
        assert!(!store.has_evicted_dane());
        for number in 0..1_000 {
            let name = format!("d{number}.test");
            let _ = store.note_dane(NextHop::parse(&name), seen(0));
        }
        assert!(store.has_evicted_dane() && !store.has_evicted_policies());
    }
}
