//! The state file: SQLite, one writer, everything at hand in memory.
//!
//! What is asked for is read from the shelf, so that no fault of the disk delays an answer; what is
//! to be remembered is on the disk before it is put on the shelf (ST-28). Only where the shelf had to
//! drop something is the file asked too. Not done here: sharing between hosts.

#[doc(hidden)]
pub mod fuzzing;
mod fuzzing_journal;
mod journal;
mod keeper;
mod open;
mod reports;
mod rescue;
mod rows;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hoplock_policy::findings::RememberedPolicy;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::PolicyDomain;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::verify::SessionOutcome;

use self::keeper::{Keeper, Shared, Task};
pub use self::open::{Inspected, OpenError, inspect};
use self::reports::Counting;
pub use self::reports::SqliteReports;
use self::rows::Loaded;
use self::writer::{Order, Writer};
use super::memory::MemoryStore;
use crate::world::{
    DaneMemory, Gone, Journal, JournalBounds, JournalEntry, JournalFigures, JournalQuery,
    KeptPolicy, Lasts, Store, StoreFailure, StoredRule, Waiting,
};

/// The store in a file.
pub struct SqliteStore {
    shelf: MemoryStore,
    writer: Writer,
    /// Where the file stands in time.
    opened: rows::Opened,
    journal: Arc<Shared>,
    bounds: JournalBounds,
    counting: Arc<Counting>,
}

impl Drop for SqliteStore {
    /// What was counted in the last second is written before the process goes.
    fn drop(&mut self) {
        self.write_counted();
    }
}

impl SqliteStore {
    /// Opens the file, or makes it, with a journal of the usual size; `now` places what it holds in
    /// time.
    ///
    /// # Errors
    /// [`OpenError`] with the cure: the service must not start as if nothing were remembered.
    pub fn open(path: &Path, entries: usize, now: Moment) -> Result<Self, OpenError> {
        Self::open_with(path, entries, JournalBounds::default(), now)
    }

    /// As [`SqliteStore::open`], with a journal of this size. What the file holds beyond it goes in
    /// small steps.
    ///
    /// # Errors
    /// As above.
    pub fn open_with(
        path: &Path,
        entries: usize,
        bounds: JournalBounds,
        now: Moment,
    ) -> Result<Self, OpenError> {
        Self::over(open::open(path)?, path, entries, bounds, now)
    }

    /// One without a file: for counts and reports that need not outlive the process.
    ///
    /// # Errors
    /// [`OpenError`] where there is no memory for it.
    pub fn in_memory(now: Moment) -> Result<Self, OpenError> {
        let none = JournalBounds {
            entries: 0,
            ..JournalBounds::default()
        };
        Self::over(open::in_memory()?, Path::new(":memory:"), 1, none, now)
    }

    fn over(
        connection: rusqlite::Connection,
        path: &Path,
        entries: usize,
        bounds: JournalBounds,
        now: Moment,
    ) -> Result<Self, OpenError> {
        let shelf = MemoryStore::new(entries);
        let Loaded { opened, warnings } = rows::load(&connection, &shelf, now)
            .map_err(|error| OpenError::damaged(path, &error))?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let journal = Arc::<Shared>::default();
        let keeper = Keeper::new(&connection, opened, bounds, Arc::clone(&journal))
            .map_err(|error| OpenError::damaged(path, &error))?;
        Ok(Self {
            shelf,
            writer: Writer::start(connection, opened, keeper)
                .map_err(|error| OpenError::unusable(path, &error))?,
            opened,
            journal,
            bounds,
            counting: Arc::default(),
        })
    }

    /// Hands over what fits the question, newest first. Page by page: a policy that is to be written
    /// waits for one page at most.
    async fn each(
        &self,
        query: JournalQuery,
        mut take: impl FnMut(u64, JournalEntry) + Send,
    ) -> Result<(), StoreFailure> {
        self.flush();
        let mut left = query.limit;
        let before = query
            .before
            .map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
        let mut next = Some(before);
        while let Some(before) = next.filter(|_| left > 0) {
            let asked = query.clone();
            let read = move |connection: &_| Ok(journal::page(connection, &asked, before, left)?);
            let page = self.writer.read(read).await?;
            self.journal.tell_damage(page.damaged);
            left = left.saturating_sub(page.found.len());
            for (number, entry) in page.found {
                take(number, entry);
            }
            next = page.next;
        }
        Ok(())
    }
}

impl Journal for SqliteStore {
    fn note(&self, entry: JournalEntry, now: Moment) {
        if self.bounds.entries > 0 {
            self.journal.room.take_in(entry, now);
        }
    }

    fn flush(&self) {
        let waits = !self.journal.room.is_empty();
        if waits && !self.journal.ordered.swap(true, Ordering::AcqRel) {
            self.writer.journal(Task::Write);
        }
    }

    fn drop_old(&self, now: Moment) {
        self.writer.journal(Task::Sweep(now.uptime));
    }

    fn read(
        &self,
        query: JournalQuery,
    ) -> Waiting<'_, Result<Vec<(u64, JournalEntry)>, StoreFailure>> {
        Box::pin(async move {
            let mut found = Vec::new();
            self.each(query, |number, entry| found.push((number, entry)))
                .await?;
            Ok(found)
        })
    }

    fn counts(
        &self,
        since: Timestamp,
    ) -> Waiting<'_, Result<BTreeMap<SessionOutcome, u64>, StoreFailure>> {
        let query = JournalQuery {
            since: Some(since),
            limit: usize::MAX,
            ..JournalQuery::default()
        };
        Box::pin(async move {
            let mut counts = BTreeMap::new();
            self.each(query, |_, entry| {
                *counts.entry(entry.outcome).or_default() += 1;
            })
            .await?;
            Ok(counts)
        })
    }

    fn figures(&self) -> JournalFigures {
        self.journal.figures()
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

    fn can_be_written(&self) -> bool {
        !self.writer.fails()
    }
}

/// Uses and sightings are written once a day for each name: they decide over weeks.
fn is_same_day(left: Duration, right: Duration) -> bool {
    left.as_secs() / DAY == right.as_secs() / DAY
}

const DAY: u64 = 86_400;

#[cfg(test)]
mod tests;
