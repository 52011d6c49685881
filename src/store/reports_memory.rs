//! Counting and reports in this process alone: for trials, and for hosts without a state file.
//!
//! Bounded: what finds no place is counted as lost. Not done: anything that survives a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use crate::world::reports::local::{LocalTally, TallyRow};
use crate::world::reports::outgoing::{Outgoing, ReportKey};
use crate::world::reports::received::Received;
use crate::world::reports::tally::{Counter, Counts};
use crate::world::reports::{ReportFigures, Reports};
use crate::world::{StoreFailure, Waiting};

/// The reports in memory.
pub struct MemoryReports {
    kept: Mutex<Kept>,
    node: String,
}

struct Kept {
    rows: BTreeMap<(Day, DomainName), BTreeMap<String, u64>>,
    count: usize,
    /// Rows that grew since they were handed over.
    dirty: BTreeSet<(Day, DomainName, String)>,
    closed: Option<Day>,
    reports: BTreeMap<ReportKey, Outgoing>,
    mailed: BTreeMap<(Day, DomainName), u64>,
    received: Vec<Received>,
    installation: String,
    counted: u64,
    lost: u64,
}

impl MemoryReports {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let name = || format!("{:016x}", rand::random::<u64>());
        let kept = Kept {
            rows: BTreeMap::new(),
            count: 0,
            dirty: BTreeSet::new(),
            closed: None,
            reports: BTreeMap::new(),
            mailed: BTreeMap::new(),
            received: Vec::new(),
            installation: name(),
            counted: 0,
            lost: 0,
        };
        Self {
            kept: Mutex::new(kept),
            node: name(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryReports {
    fn default() -> Self {
        Self::new()
    }
}

/// At once.
fn now<'a, T: Send + 'a>(value: T) -> Waiting<'a, Result<T, StoreFailure>> {
    Box::pin(std::future::ready(Ok(value)))
}

/// How many sessions these counters tell of.
fn sessions(counts: &Counts) -> u64 {
    let sessions = counts.iter().map(|(counter, count)| match counter {
        Counter::Successful(_) | Counter::Failed(_) => *count,
        Counter::Detail(..) | Counter::Record(_) => 0,
    });
    sessions.fold(0, u64::saturating_add)
}

impl Reports for MemoryReports {
    fn count(&self, day: Day, domain: &DomainName, counts: Counts) {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let sessions = sessions(&counts);
        kept.counted = kept.counted.saturating_add(sessions);
        let rows = kept.rows.entry((day, domain.clone())).or_default();
        let mut is_lost = false;
        for (counter, count) in counts {
            let key = counter.key();
            if !rows.contains_key(&key) {
                if kept.count >= MOST_ROWS {
                    is_lost = true;
                    continue;
                }
                kept.count += 1;
            }
            let row = rows.entry(key.clone()).or_default();
            *row = row.saturating_add(count);
            kept.dirty.insert((day, domain.clone(), key));
        }
        if rows.is_empty() {
            kept.rows.remove(&(day, domain.clone()));
        }
        if is_lost {
            kept.lost = kept.lost.saturating_add(sessions);
        }
    }

    fn flush(&self) {}

    fn settle(&self) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self, day: Day) -> Waiting<'_, Result<(), StoreFailure>> {
        let mut kept = self.kept();
        kept.closed = kept.closed.max(Some(day));
        now(())
    }

    fn missing(&self, day: Day) -> Waiting<'_, Result<Vec<String>, StoreFailure>> {
        let is_open = self.kept().closed < Some(day);
        now(if is_open {
            vec![self.node.clone()]
        } else {
            Vec::new()
        })
    }

    fn days(&self) -> Waiting<'_, Result<Vec<Day>, StoreFailure>> {
        let days: BTreeSet<Day> = self.kept().rows.keys().map(|(day, _)| *day).collect();
        now(days.into_iter().collect())
    }

    fn domains(
        &self,
        day: Day,
        after: Option<DomainName>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<DomainName>, StoreFailure>> {
        let kept = self.kept();
        let of_day = kept.rows.keys().filter(|(own, _)| *own == day);
        let domains = of_day.map(|(_, domain)| domain);
        let behind = domains.filter(|domain| after.as_ref().is_none_or(|after| *domain > after));
        now(behind.take(limit).cloned().collect())
    }

    fn counts(
        &self,
        day: Day,
        domain: DomainName,
    ) -> Waiting<'_, Result<BTreeMap<Counter, u64>, StoreFailure>> {
        let kept = self.kept();
        let rows = kept.rows.get(&(day, domain));
        let rows = rows.into_iter().flatten();
        now(rows
            .filter_map(|(key, row)| Some((Counter::parse(key)?, *row)))
            .collect())
    }

    fn elect(&self) -> Waiting<'_, Result<bool, StoreFailure>> {
        now(true)
    }

    fn claim(&self, report: Outgoing) -> Waiting<'_, Result<Outgoing, StoreFailure>> {
        let mut kept = self.kept();
        now(kept
            .reports
            .entry(report.key.clone())
            .or_insert(report)
            .clone())
    }

    fn report(&self, key: ReportKey) -> Waiting<'_, Result<Option<Outgoing>, StoreFailure>> {
        now(self.kept().reports.get(&key).cloned())
    }

    fn progress(&self, report: Outgoing) -> Waiting<'_, Result<(), StoreFailure>> {
        self.kept().reports.insert(report.key.clone(), report);
        now(())
    }

    fn due(&self, at: Timestamp, limit: usize) -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>> {
        let kept = self.kept();
        let dated = kept.reports.values();
        let dated = dated.filter_map(|report| Some((report.due()?, report)));
        let mut due: Vec<_> = dated.filter(|(due, _)| *due <= at).collect();
        due.sort_by_key(|(due, _)| *due);
        let due = due.into_iter().take(limit);
        now(due.map(|(_, report)| report.clone()).collect())
    }

    fn list(
        &self,
        day: Option<Day>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>> {
        let kept = self.kept();
        let reports = kept.reports.values().rev();
        let wanted = reports.filter(|report| day.is_none_or(|day| report.key.day == day));
        now(wanted.take(limit).cloned().collect())
    }

    fn mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<u64, StoreFailure>> {
        let kept = self.kept();
        now(kept.mailed.get(&(day, domain)).copied().unwrap_or(0))
    }

    fn note_mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<(), StoreFailure>> {
        let mut kept = self.kept();
        let count = kept.mailed.entry((day, domain)).or_default();
        *count = count.saturating_add(1);
        now(())
    }

    fn receive(&self, report: Received) -> Waiting<'_, Result<bool, StoreFailure>> {
        let mut kept = self.kept();
        let is_same = |kept: &Received| {
            kept.organization == report.organization && kept.report_id == report.report_id
        };
        let is_new = !kept.received.iter().any(is_same);
        if is_new {
            kept.received.push(report);
            kept.received
                .sort_by_key(|report| std::cmp::Reverse(report.at));
            kept.received.truncate(MOST_RECEIVED);
        }
        now(is_new)
    }

    fn received(&self, limit: usize) -> Waiting<'_, Result<Vec<Received>, StoreFailure>> {
        now(self.kept().received.iter().take(limit).cloned().collect())
    }

    fn installation(&self) -> Waiting<'_, Result<String, StoreFailure>> {
        now(self.kept().installation.clone())
    }

    fn drop_old(&self, at: Moment) {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let first = Day::numbered(Day::of(at.wall).number().saturating_sub(DAYS_KEPT));
        kept.rows.retain(|(day, _), _| *day >= first);
        kept.dirty.retain(|(day, ..)| *day >= first);
        kept.count = kept.rows.values().map(BTreeMap::len).sum();
        kept.reports.retain(|key, _| key.day >= first);
        kept.mailed.retain(|(day, _), _| *day >= first);
    }

    fn figures(&self) -> ReportFigures {
        let kept = self.kept();
        ReportFigures {
            counted: kept.counted,
            lost: kept.lost,
            not_handed_over: 0,
            fleet: None,
        }
    }
}

impl LocalTally for MemoryReports {
    fn node(&self) -> Waiting<'_, Result<String, StoreFailure>> {
        now(self.node.clone())
    }

    fn dirty(&self, limit: usize) -> Waiting<'_, Result<Vec<TallyRow>, StoreFailure>> {
        let kept = self.kept();
        let rows = kept.dirty.iter().filter_map(|(day, domain, key)| {
            let rows = kept.rows.get(&(*day, domain.clone()))?;
            Some(TallyRow {
                day: *day,
                domain: domain.clone(),
                key: key.clone(),
                count: *rows.get(key)?,
            })
        });
        now(rows.take(limit).collect())
    }

    fn handed_over(&self, rows: Vec<TallyRow>) -> Waiting<'_, Result<(), StoreFailure>> {
        let mut kept = self.kept();
        for row in rows {
            let known = kept.rows.get(&(row.day, row.domain.clone()));
            let known = known.and_then(|rows| rows.get(&row.key));
            // One that has grown meanwhile stays.
            if known.is_none_or(|count| *count == row.count) {
                kept.dirty.remove(&(row.day, row.domain, row.key));
            }
        }
        now(())
    }

    fn all_dirty(&self, since: Day) -> Waiting<'_, Result<(), StoreFailure>> {
        let mut kept = self.kept();
        let kept = &mut *kept;
        let days = kept.rows.iter().filter(|((day, _), _)| *day >= since);
        for ((day, domain), rows) in days {
            let keys = rows.keys();
            kept.dirty
                .extend(keys.map(|key| (*day, domain.clone(), key.clone())));
        }
        now(())
    }

    fn closed(&self) -> Waiting<'_, Result<Option<Day>, StoreFailure>> {
        now(self.kept().closed)
    }

    fn adopt_installation(&self, name: String) -> Waiting<'_, Result<(), StoreFailure>> {
        self.kept().installation = name;
        now(())
    }
}

/// Counters of a day are a handful for each destination: some ten megabytes.
const MOST_ROWS: usize = 100_000;
const MOST_RECEIVED: usize = 1_000;
const DAYS_KEPT: u32 = 14;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::store::reports_checks as checks;

    /// RP-09: what any store of reports does.
    #[tokio::test]
    async fn in_memory() {
        let reports = MemoryReports::new();
        checks::counts_what_it_should(&reports).await.unwrap();
        checks::claims_once(&reports).await.unwrap();
        checks::keeps_what_came(&reports).await.unwrap();
        let reports = MemoryReports::new();
        checks::hands_over(&reports).await.unwrap();
    }
}
