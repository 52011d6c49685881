//! The store of a scenario: the real one in a folder of its own, with faults by order.
//!
//! The runtime's clock is paused and moves on whenever nothing is left to do; while the store's own
//! thread works, something is, so each call holds the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hoplock::store::sqlite::SqliteStore;
use hoplock::world::{
    DaneMemory, Gone, KeptPolicy, Lasts, Store, StoreFailure, StoredRule, Waiting,
};
use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;
use tempfile::TempDir;

/// What fails.
#[derive(Default)]
pub(super) struct Faults {
    reads: AtomicBool,
    writes: AtomicBool,
}

impl Faults {
    pub(super) fn order(&self, words: &str) -> Result<(), String> {
        let (reads, writes) = match words {
            "reads fail" => (true, false),
            "writes fail" => (false, true),
            "well" => (false, false),
            _ => return Err(format!("unknown words {words:?}")),
        };
        self.reads.store(reads, Ordering::Relaxed);
        self.writes.store(writes, Ordering::Relaxed);
        Ok(())
    }

    fn check(&self, which: &AtomicBool) -> Result<(), StoreFailure> {
        if which.load(Ordering::Relaxed) {
            return Err(StoreFailure("says the script".to_owned()));
        }
        Ok(())
    }
}

/// The store.
pub(super) struct StagedStore {
    inner: SqliteStore,
    faults: Arc<Faults>,
}

impl StagedStore {
    pub(super) fn open(
        folder: &TempDir,
        entries: usize,
        now: Moment,
        faults: &Arc<Faults>,
    ) -> Arc<Self> {
        let path = folder.path().join("state.db");
        Arc::new(Self {
            inner: SqliteStore::open(&path, entries, now).unwrap(),
            faults: Arc::clone(faults),
        })
    }
}

/// Holds the paused clock until `work` is done.
pub(crate) fn held<'a, T: Send + 'a>(work: Waiting<'a, T>) -> Waiting<'a, T> {
    Box::pin(async move {
        let (held, until) = std::sync::mpsc::channel::<()>();
        let guard = tokio::task::spawn_blocking(move || {
            let _ = until.recv();
        });
        let done = work.await;
        drop(held);
        let _ = guard.await;
        done
    })
}

impl Store for StagedStore {
    fn policy(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        match self.faults.check(&self.faults.reads) {
            Err(failure) => Box::pin(async move { Err(failure) }),
            Ok(()) => held(self.inner.policy(domain)),
        }
    }

    fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>> {
        self.inner.policy_at_hand(domain)
    }

    fn sweep(&self, now: Moment) {
        self.inner.sweep(now);
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        match self.faults.check(&self.faults.writes) {
            Err(failure) => Box::pin(async move { Err(failure) }),
            Ok(()) => held(self.inner.remember_policy(domain, policy)),
        }
    }

    fn policy_used(&self, domain: &PolicyDomain, now: Moment) {
        self.inner.policy_used(domain, now);
    }

    fn forget_policy(&self, domain: PolicyDomain) -> Waiting<'_, Result<(), StoreFailure>> {
        held(self.inner.forget_policy(domain))
    }

    fn policies(&self) -> Vec<KeptPolicy> {
        self.inner.policies()
    }

    fn dane(&self, destination: NextHop) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>> {
        match self.faults.check(&self.faults.reads) {
            Err(failure) => Box::pin(async move { Err(failure) }),
            Ok(()) => held(self.inner.dane(destination)),
        }
    }

    fn remember_dane(&self, destination: NextHop, memory: DaneMemory) {
        self.inner.remember_dane(destination, memory);
    }

    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(NextHop, Gone)>, StoreFailure>> {
        held(self.inner.dane_gone())
    }

    fn rules(&self) -> Waiting<'_, Result<Vec<StoredRule>, StoreFailure>> {
        held(self.inner.rules())
    }

    fn keep_rule(&self, rule: StoredRule) -> Waiting<'_, Result<(), StoreFailure>> {
        held(self.inner.keep_rule(rule))
    }

    fn drop_rule(&self, pattern: String) -> Waiting<'_, Result<bool, StoreFailure>> {
        held(self.inner.drop_rule(pattern))
    }

    fn lasts(&self) -> Lasts {
        self.inner.lasts()
    }
}
