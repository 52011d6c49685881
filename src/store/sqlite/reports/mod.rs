//! TLS reports in the state file: what this host counted, what leaves, what came.
//!
//! * [`counting`]: what waits to be written.
//! * [`rows`]: the tables.

mod counting;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

pub(super) use self::counting::Counting;
use super::SqliteStore;
use crate::world::reports::local::{LocalTally, TallyRow};
use crate::world::reports::outgoing::{Outgoing, ReportKey};
use crate::world::reports::received::Received;
use crate::world::reports::tally::{Counter, Counts};
use crate::world::reports::{ReportFigures, Reports, Resigned};
use crate::world::{StoreFailure, Waiting};

impl SqliteStore {
    /// Has what was counted written some time.
    pub(super) fn write_counted(&self) {
        self.counting.order(|counting| {
            self.writer.run_some_time(move |connection| {
                // Told of by itself, and tried again in a second.
                let _ = counting.write(connection);
            });
        });
    }
}

/// The reports of a state file; cheap to clone.
#[derive(Clone)]
pub struct SqliteReports {
    store: Arc<SqliteStore>,
}

impl SqliteReports {
    /// Those in this file.
    #[must_use]
    pub fn of(store: Arc<SqliteStore>) -> Self {
        Self { store }
    }

    /// What was counted is on the disk, or the failure says why not.
    async fn written(&self) -> Result<(), StoreFailure> {
        let counting = Arc::clone(&self.store.counting);
        self.store
            .writer
            .run(move |connection| Ok(counting.write(connection)?))
            .await
    }
}

impl Reports for SqliteReports {
    fn count(&self, day: Day, domain: &DomainName, counts: Counts) {
        self.store.counting.take_in(day, domain, counts);
    }

    fn flush(&self) {
        self.store.write_counted();
    }

    fn settle(&self) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(self.written())
    }

    fn close(&self, day: Day) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            self.written().await?;
            self.store
                .writer
                .run(move |connection| Ok(rows::close(connection, day)?))
                .await
        })
    }

    fn missing(&self, day: Day) -> Waiting<'_, Result<Vec<String>, StoreFailure>> {
        Box::pin(async move {
            let closed = self.closed().await?;
            let is_closed = closed.is_some_and(|closed| closed >= day);
            Ok(if is_closed {
                Vec::new()
            } else {
                vec!["this host".to_owned()]
            })
        })
    }

    fn days(&self) -> Waiting<'_, Result<Vec<Day>, StoreFailure>> {
        Box::pin(async move {
            self.written().await?;
            self.store
                .writer
                .read(|connection| Ok(rows::days(connection)?))
                .await
        })
    }

    fn domains(
        &self,
        day: Day,
        after: Option<DomainName>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<DomainName>, StoreFailure>> {
        Box::pin(async move {
            self.written().await?;
            let read =
                move |connection: &_| Ok(rows::domains(connection, day, after.as_ref(), limit)?);
            self.store.writer.read(read).await
        })
    }

    fn counts(
        &self,
        day: Day,
        domain: DomainName,
    ) -> Waiting<'_, Result<BTreeMap<Counter, u64>, StoreFailure>> {
        Box::pin(async move {
            self.written().await?;
            self.store
                .writer
                .read(move |connection| Ok(rows::counts(connection, day, &domain)?))
                .await
        })
    }

    fn elect(&self) -> Waiting<'_, Result<bool, StoreFailure>> {
        // The file has one owner.
        Box::pin(async { Ok(true) })
    }

    fn resign(&self) -> Waiting<'_, Result<Resigned, StoreFailure>> {
        Box::pin(async { Ok(Resigned::Alone) })
    }

    fn claim(&self, report: Outgoing) -> Waiting<'_, Result<Outgoing, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(move |connection| rows::claim(connection, report)),
        )
    }

    fn report(&self, key: ReportKey) -> Waiting<'_, Result<Option<Outgoing>, StoreFailure>> {
        Box::pin(self.store.writer.read(move |connection| {
            let text = rows::outgoing(connection, &key)?;
            text.map(|text| rows::read(&text)).transpose()
        }))
    }

    fn progress(&self, report: Outgoing) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(move |connection| Ok(rows::progress(connection, &report)?)),
        )
    }

    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .read(move |connection| Ok(rows::readable(&rows::due(connection, now, limit)?))),
        )
    }

    fn list(
        &self,
        day: Option<Day>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .read(move |connection| Ok(rows::readable(&rows::list(connection, day, limit)?))),
        )
    }

    fn mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<u64, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .read(move |connection| Ok(rows::mailed(connection, day, &domain)?)),
        )
    }

    fn note_mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(move |connection| Ok(rows::note_mailed(connection, day, &domain)?)),
        )
    }

    fn receive(&self, report: Received) -> Waiting<'_, Result<bool, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(move |connection| Ok(rows::receive(connection, &report)?)),
        )
    }

    fn received(&self, limit: usize) -> Waiting<'_, Result<Vec<Received>, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .read(move |connection| Ok(rows::received(connection, limit)?)),
        )
    }

    fn installation(&self) -> Waiting<'_, Result<String, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(|connection| Ok(rows::identity(connection, INSTALLATION)?)),
        )
    }

    fn drop_old(&self, now: Moment) {
        let today = Day::of(now.wall);
        self.store.writer.run_some_time(move |connection| {
            if let Err(error) = rows::drop_old(connection, today) {
                tracing::warn!(%error, "old counts and reports could not be taken out");
            }
        });
    }

    fn figures(&self) -> ReportFigures {
        ReportFigures {
            counted: self.store.counting.counted.load(Ordering::Relaxed),
            lost: self.store.counting.lost.load(Ordering::Relaxed),
            ..ReportFigures::default()
        }
    }
}

impl LocalTally for SqliteReports {
    fn node(&self) -> Waiting<'_, Result<String, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(|connection| Ok(rows::identity(connection, NODE)?)),
        )
    }

    fn dirty(&self, limit: usize) -> Waiting<'_, Result<Vec<TallyRow>, StoreFailure>> {
        Box::pin(async move {
            self.written().await?;
            self.store
                .writer
                .read(move |connection| Ok(rows::dirty(connection, limit)?))
                .await
        })
    }

    fn handed_over(&self, rows: Vec<TallyRow>) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(move |connection| Ok(rows::handed_over(connection, &rows)?)),
        )
    }

    fn all_dirty(&self, since: Day) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(async move {
            let step = move |connection: &mut _| Ok(rows::make_dirty(connection, since)?);
            while self.store.writer.run(step).await? {}
            Ok(())
        })
    }

    fn closed(&self) -> Waiting<'_, Result<Option<Day>, StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .read(|connection| Ok(rows::closed(connection)?)),
        )
    }

    fn adopt_installation(&self, name: String) -> Waiting<'_, Result<(), StoreFailure>> {
        Box::pin(
            self.store
                .writer
                .run(move |connection| Ok(rows::set_identity(connection, INSTALLATION, &name)?)),
        )
    }
}

/// The name of the installation that report-ids carry.
const INSTALLATION: &str = "installation";
/// The name by which a fleet knows this file.
const NODE: &str = "node";

#[cfg(test)]
mod tests;
