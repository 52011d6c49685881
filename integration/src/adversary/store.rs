//! The store of a run: the real one in a file, or the one in memory, with a journal of what became
//! durable and a place to die before and after each write.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hoplock::store::memory::MemoryStore;
use hoplock::store::sqlite::SqliteStore;
use hoplock::world::{
    DaneMemory, Gone, KeptPolicy, Lasts, Proof, Store, StoreFailure, StoredRule, Waiting,
};
use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;

use super::history::{History, Remembered};
use super::life::Life;
use crate::scenario;

/// The store.
pub(super) struct JournaledStore {
    inner: Arc<dyn Store>,
    /// It has a thread of its own, while which works the paused clock must stand.
    is_file: bool,
    life: Arc<Life>,
    history: Arc<Mutex<History>>,
}

impl JournaledStore {
    pub(super) fn open(
        file: Option<PathBuf>,
        life: &Arc<Life>,
        history: &Arc<Mutex<History>>,
    ) -> Arc<Self> {
        let now = hoplock::world::Clock::now(&**life);
        let is_file = file.is_some();
        let inner: Arc<dyn Store> = match file {
            Some(path) => Arc::new(SqliteStore::open(&path, 1000, now).unwrap()),
            None => Arc::new(MemoryStore::new(1000)),
        };
        Arc::new(Self {
            inner,
            is_file,
            life: Arc::clone(life),
            history: Arc::clone(history),
        })
    }

    fn held<'a, T: Send + 'a>(&self, work: Waiting<'a, T>) -> Waiting<'a, T> {
        if self.is_file {
            scenario::held(work)
        } else {
            work
        }
    }

    fn note(&self, domain: &PolicyDomain, policy: Option<&RememberedPolicy>) {
        let remembered = Remembered {
            at: self.life.now(),
            domain: domain.0.as_str().to_owned(),
            policy: policy.map(|policy| {
                let fetched = self.life.at(policy.fetched.uptime);
                (policy.policy.text.clone(), policy.id.clone(), fetched)
            }),
        };
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.memory.push(remembered);
    }
}

impl Store for JournaledStore {
    fn policy(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        Box::pin(async move {
            self.life.step().await;
            self.held(self.inner.policy(domain)).await
        })
    }

    fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>> {
        self.inner.policy_at_hand(domain)
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.life.step().await;
            self.held(
                self.inner
                    .remember_policy(domain.clone(), Arc::clone(&policy)),
            )
            .await?;
            self.note(&domain, Some(&policy));
            self.life.step().await;
            Ok(())
        })
    }

    fn policy_used(&self, domain: &PolicyDomain, now: Moment) {
        self.inner.policy_used(domain, now);
    }

    fn forget_policy(&self, domain: PolicyDomain) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.life.step().await;
            self.note(&domain, None);
            self.held(self.inner.forget_policy(domain)).await
        })
    }

    fn sweep(&self, now: Moment) {
        self.inner.sweep(now);
    }

    fn policies(&self) -> Vec<KeptPolicy> {
        self.inner.policies()
    }

    fn dane(&self, destination: NextHop) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>> {
        self.held(self.inner.dane(destination))
    }

    fn remember_dane(&self, destination: NextHop, memory: DaneMemory) {
        let proved_gone = memory.gone.is_some_and(|gone| gone.proof == Proof::Proved);
        if memory.gone.is_none() || proved_gone {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            let noted = (self.life.now(), destination.to_string(), !proved_gone);
            history.seen_with_dane.push(noted);
        }
        self.inner.remember_dane(destination, memory);
    }

    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(NextHop, Gone)>, StoreFailure>> {
        self.held(self.inner.dane_gone())
    }

    fn rules(&self) -> Waiting<'_, Result<Vec<StoredRule>, StoreFailure>> {
        self.held(self.inner.rules())
    }

    fn keep_rule(&self, rule: StoredRule) -> Waiting<'_, Result<(), StoreFailure>> {
        self.held(self.inner.keep_rule(rule))
    }

    fn drop_rule(&self, pattern: String) -> Waiting<'_, Result<bool, StoreFailure>> {
        self.held(self.inner.drop_rule(pattern))
    }

    fn lasts(&self) -> Lasts {
        self.inner.lasts()
    }
}
