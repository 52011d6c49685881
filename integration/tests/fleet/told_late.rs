//! Another host that has just refreshed a policy: it tells of it, and only then gives its lease back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplock::discover::{DiscoverOptions, Discoverer};
use hoplock::store::memory::MemoryStore;
use hoplock::world::scripted::ScriptedWorld;
use hoplock::world::{
    Clock as _, DaneMemory, FetchLease, Gone, KeptPolicy, Lasts, Store, StoreFailure, StoredRule,
    Waiting,
};
use hoplock_policy::findings::{RememberedPolicy, StsFinding};
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::sts::StsPolicy;

use crate::fetching::{publishes, text};

/// The store of a host, behind which another one works.
struct Behind {
    local: MemoryStore,
    /// What the other one has fetched. It tells of it just before a lease is asked for, at the last moment
    /// at which that one is still its own.
    fetched: Mutex<Option<Arc<RememberedPolicy>>>,
    told: Mutex<Option<Arc<RememberedPolicy>>>,
}

impl Store for Behind {
    fn shared_policy(
        &self,
        domain: PolicyDomain,
        id: String,
    ) -> Waiting<'_, Option<Arc<RememberedPolicy>>> {
        Box::pin(async move {
            let told = self.told.lock().unwrap().take();
            let told = told.filter(|policy| policy.id == id)?;
            let kept = self.local.remember_policy(domain, Arc::clone(&told));
            kept.await.ok().map(|()| told)
        })
    }

    fn lease_fetch(&self, _: PolicyDomain) -> Waiting<'_, Option<FetchLease>> {
        *self.told.lock().unwrap() = self.fetched.lock().unwrap().take();
        Box::pin(async { Some(FetchLease::alone()) })
    }

    fn policy(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        self.local.policy(domain)
    }

    fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>> {
        self.local.policy_at_hand(domain)
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        self.local.remember_policy(domain, policy)
    }

    fn policy_used(&self, domain: &PolicyDomain, now: Moment) {
        self.local.policy_used(domain, now);
    }

    fn forget_policy(&self, domain: PolicyDomain) -> Waiting<'_, Result<(), StoreFailure>> {
        self.local.forget_policy(domain)
    }

    fn sweep(&self, now: Moment) {
        self.local.sweep(now);
    }

    fn policies(&self) -> Vec<KeptPolicy> {
        self.local.policies()
    }

    fn dane(&self, destination: NextHop) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>> {
        self.local.dane(destination)
    }

    fn remember_dane(&self, destination: NextHop, memory: DaneMemory) {
        self.local.remember_dane(destination, memory);
    }

    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(NextHop, Gone)>, StoreFailure>> {
        self.local.dane_gone()
    }

    fn rules(&self) -> Waiting<'_, Result<Vec<StoredRule>, StoreFailure>> {
        self.local.rules()
    }

    fn keep_rule(&self, rule: StoredRule) -> Waiting<'_, Result<(), StoreFailure>> {
        self.local.keep_rule(rule)
    }

    fn drop_rule(&self, pattern: String) -> Waiting<'_, Result<bool, StoreFailure>> {
        self.local.drop_rule(pattern)
    }

    fn lasts(&self) -> Lasts {
        self.local.lasts()
    }
}

/// ST-27: what was told just before the lease came free is not fetched once more.
#[tokio::test]
async fn a_refresh_looks_under_the_lease() {
    let world = ScriptedWorld::new();
    publishes(&world, "1", "enforce");
    let store = Arc::new(Behind {
        local: MemoryStore::new(100),
        fetched: Mutex::default(),
        told: Mutex::default(),
    });
    let discoverer = Discoverer::new(world.world(store.clone()), DiscoverOptions::default());
    let next_hop = NextHop::parse("a.test");
    let findings = discoverer.discover(&next_hop, Duration::from_secs(20));
    assert!(matches!(findings.await.sts, StsFinding::Policy { .. }));
    assert_eq!(world.take_fetched().len(), 1);
    world.pass(Duration::from_secs(86_400));
    *store.fetched.lock().unwrap() = Some(Arc::new(RememberedPolicy {
        policy: StsPolicy::parse(text("enforce").as_bytes()).unwrap(),
        id: "1".to_owned(),
        fetched: world.now(),
    }));
    for work in discoverer.policies().refresh() {
        work.await.unwrap();
    }
    assert!(store.fetched.lock().unwrap().is_none(), "it was due");
    assert_eq!(world.take_fetched().len(), 0);
}
