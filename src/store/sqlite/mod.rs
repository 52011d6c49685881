//! The state file: SQLite, one writer, everything at hand in memory.
//!
//! What is asked for is read from the shelf, so that no fault of the disk delays an answer; what is
//! to be remembered is on the disk before it is put on the shelf (ST-28). Only where the shelf had to
//! drop something is the file asked too. Not done here: sharing between hosts.

#[doc(hidden)]
pub mod fuzzing;
mod open;
mod rows;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::Moment;
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;

pub use self::open::{Inspected, OpenError, inspect};
use self::rows::Loaded;
use self::writer::{Order, Writer};
use super::memory::MemoryStore;
use crate::world::{DaneMemory, Gone, KeptPolicy, Lasts, Store, StoreFailure, StoredRule, Waiting};

/// The store in a file.
pub struct SqliteStore {
    shelf: MemoryStore,
    writer: Writer,
    /// Where the file stands in time.
    opened: rows::Opened,
}

impl SqliteStore {
    /// Opens the file, or makes it; `now` places what it holds in time.
    ///
    /// # Errors
    /// [`OpenError`] with the cure: the service must not start as if nothing were remembered.
    pub fn open(path: &Path, entries: usize, now: Moment) -> Result<Self, OpenError> {
        let connection = open::open(path)?;
        let shelf = MemoryStore::new(entries);
        let Loaded { opened, warnings } = rows::load(&connection, &shelf, now)
            .map_err(|error| OpenError::damaged(path, &error))?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            shelf,
            writer: Writer::start(connection, opened)
                .map_err(|error| OpenError::unusable(path, &error))?,
            opened,
        })
    }
}

impl Store for SqliteStore {
    fn policy(
        &self,
        domain: PolicyDomain,
    ) -> Waiting<'_, Result<Option<Arc<RememberedPolicy>>, StoreFailure>> {
        Box::pin(async move {
            if let Some(policy) = self.shelf.policy_at_hand(&domain) {
                return Ok(Some(policy));
            }
            if !self.shelf.has_evicted_policies() {
                return Ok(None);
            }
            let opened = self.opened;
            let wanted = domain.clone();
            let found = self
                .writer
                .read(move |connection| rows::policy(connection, &wanted, opened))
                .await?;
            Ok(found.map(|(policy, used)| {
                self.shelf.shelve(&domain, Arc::clone(&policy), used);
                policy
            }))
        })
    }

    fn policy_at_hand(&self, domain: &PolicyDomain) -> Option<Arc<RememberedPolicy>> {
        self.shelf.policy_at_hand(domain)
    }

    fn remember_policy(
        &self,
        domain: PolicyDomain,
        policy: Arc<RememberedPolicy>,
    ) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            let used = self.shelf.use_of(&domain);
            let used = used.unwrap_or(policy.fetched.uptime);
            let order = Order::Policy {
                domain: domain.clone(),
                policy: Arc::clone(&policy),
                used,
            };
            self.writer.write(order).await?;
            self.shelf.shelve(&domain, policy, used);
            Ok(())
        })
    }

    fn policy_used(&self, domain: &PolicyDomain, now: Moment) {
        let before = self.shelf.note_use(domain, now);
        let stale = before.is_some_and(|before| !is_same_day(before, now.uptime));
        if stale {
            self.writer.note(Order::Used(domain.clone(), now.uptime));
        }
    }

    fn forget_policy(&self, domain: PolicyDomain) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.writer.write(Order::Forget(domain.clone())).await?;
            self.shelf.unshelve(&domain);
            Ok(())
        })
    }

    fn sweep(&self, now: Moment) {
        self.shelf.sweep(now);
        self.writer.note(Order::Sweep(now.uptime));
    }

    fn policies(&self) -> Vec<KeptPolicy> {
        self.shelf.policies()
    }

    fn dane(&self, destination: NextHop) -> Waiting<'_, Result<Option<DaneMemory>, StoreFailure>> {
        Box::pin(async move {
            if let Some(memory) = self.shelf.dane_at_hand(&destination) {
                return Ok(Some(memory));
            }
            if !self.shelf.has_evicted_dane() {
                return Ok(None);
            }
            let opened = self.opened;
            self.writer
                .read(move |connection| rows::dane(connection, &destination, opened))
                .await
        })
    }

    fn remember_dane(&self, destination: NextHop, memory: DaneMemory) {
        let before = self.shelf.note_dane(destination.clone(), memory);
        let fresh = before.is_some_and(|before| {
            before.gone == memory.gone && is_same_day(before.seen.uptime, memory.seen.uptime)
        });
        if !fresh {
            self.writer.note(Order::Dane(destination, memory));
        }
    }

    fn dane_gone(&self) -> Waiting<'_, Result<Vec<(NextHop, Gone)>, StoreFailure>> {
        self.shelf.dane_gone()
    }

    fn rules(&self) -> Waiting<'_, Result<Vec<StoredRule>, StoreFailure>> {
        self.shelf.rules()
    }

    fn keep_rule(&self, rule: StoredRule) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.writer.write(Order::KeepRule(rule.clone())).await?;
            self.shelf.keep_rule(rule).await
        })
    }

    fn drop_rule(&self, pattern: String) -> Waiting<'_, Result<bool, StoreFailure>> {
        Box::pin(async move {
            self.writer.write(Order::DropRule(pattern.clone())).await?;
            self.shelf.drop_rule(pattern).await
        })
    }

    fn lasts(&self) -> Lasts {
        Lasts::Disk
    }
}

/// Uses and sightings are written once a day for each name: they decide over weeks.
fn is_same_day(left: Duration, right: Duration) -> bool {
    left.as_secs() / DAY == right.as_secs() / DAY
}

const DAY: u64 = 86_400;
