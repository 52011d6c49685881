//! The journal between the daemon, which never waits for it, and the thread that owns the file.
//!
//! Each of its commits stands alone: whatever becomes of one, nothing else is lost with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::journal::{self, Table};
use super::rows::Opened;
use crate::store::journal::{Noted, WaitingRoom};
use crate::world::{JournalBounds, JournalFigures};

/// What both sides see.
#[derive(Default)]
pub(super) struct Shared {
    /// Where entries wait.
    pub(super) room: WaitingRoom,
    /// The thread is told already that there are some.
    pub(super) ordered: AtomicBool,
    alarms: AtomicUsize,
    others: AtomicUsize,
    not_written: AtomicU64,
    damage_told: AtomicBool,
}

impl Shared {
    /// How full the journal is, and what was left out.
    pub(super) fn figures(&self) -> JournalFigures {
        JournalFigures {
            alarms: self.alarms.load(Ordering::Relaxed),
            others: self.others.load(Ordering::Relaxed),
            too_many: self.room.turned_away(),
            not_written: self.not_written.load(Ordering::Relaxed),
        }
    }

    /// Says, once, that entries are damaged.
    pub(super) fn tell_damage(&self, damaged: usize) {
        if damaged > 0 && !self.damage_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                damaged,
                "entries of the journal are not what was written, and are left out; policies and \
                 rules are not touched by that"
            );
        }
    }
}

/// What the thread is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Write what waits.
    Write,
    /// Take out a part of what is too old at this uptime.
    Sweep(Duration),
}

/// The thread's side.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    bounds: JournalBounds,
    opened: Opened,
    last: i64,
    alarms: usize,
    others: usize,
    /// The log was told that it cannot be written.
    told: bool,
}

impl Keeper {
    /// Looks how full the journal is.
    pub(super) fn new(
        connection: &Connection,
        opened: Opened,
        bounds: JournalBounds,
        shared: Arc<Shared>,
    ) -> rusqlite::Result<Self> {
        let keeper = Self {
            shared,
            bounds,
            opened,
            last: journal::last(connection)?,
            alarms: journal::count(connection, Table::Alarms)?,
            others: journal::count(connection, Table::Others)?,
            told: false,
        };
        keeper.publish();
        Ok(keeper)
    }

    pub(super) fn work(&mut self, connection: &mut Connection, task: Task) {
        let (lost, outcome) = match task {
            Task::Write => {
                // Before they are fetched: who comes later orders anew.
                self.shared.ordered.store(false, Ordering::Release);
                let entries = self.shared.room.take_out();
                if entries.is_empty() {
                    return;
                }
                (entries.len(), self.write(connection, entries))
            }
            Task::Sweep(now) => (0, self.sweep(connection, now)),
        };
        match outcome {
            Ok(()) if self.told => {
                self.told = false;
                tracing::info!("the journal can be written again");
            }
            Ok(()) => {}
            Err(error) => {
                let lost = u64::try_from(lost).unwrap_or(u64::MAX);
                self.shared.not_written.fetch_add(lost, Ordering::Relaxed);
                if !self.told {
                    self.told = true;
                    tracing::error!(
                        "the journal cannot be written: {error}; sessions are judged and counted as \
                         before, and not kept"
                    );
                }
            }
        }
        self.publish();
    }

    fn write(&mut self, connection: &mut Connection, entries: Vec<Noted>) -> rusqlite::Result<()> {
        let total = entries.len();
        let alarms = entries.iter().filter(|(entry, _)| entry.is_alarm()).count();
        let dated = entries
            .into_iter()
            .map(|(entry, noted)| (self.opened.date(noted), entry));
        let after = (self.alarms + alarms, self.others + (total - alarms));
        // What is taken in pushes as much out, and some more where the bound was made smaller.
        let step = total + self.step();
        let transaction = connection.transaction()?;
        journal::put(&transaction, self.last + 1, dated)?;
        let mut left = [0; 2];
        let tables = [
            (Table::Alarms, after.0, self.bounds.alarms()),
            (Table::Others, after.1, self.bounds.others()),
        ];
        for (left, (table, count, most)) in left.iter_mut().zip(tables) {
            let excess = count.saturating_sub(most).min(step);
            let dropped = match excess {
                0 => 0,
                excess => journal::drop_oldest(&transaction, table, excess)?,
            };
            *left = count.saturating_sub(dropped);
        }
        transaction.commit()?;
        [self.alarms, self.others] = left;
        self.last = self
            .last
            .saturating_add(i64::try_from(total).unwrap_or(i64::MAX));
        Ok(())
    }

    fn sweep(&mut self, connection: &mut Connection, now: Duration) -> rusqlite::Result<()> {
        let date = self.opened.date(now.saturating_sub(self.bounds.age));
        let step = self.step();
        let transaction = connection.transaction()?;
        let mut left = [self.alarms, self.others];
        let tables = [
            (Table::Alarms, self.bounds.alarms()),
            (Table::Others, self.bounds.others()),
        ];
        for (left, (table, most)) in left.iter_mut().zip(tables) {
            let old = journal::drop_old(&transaction, table, step, date)?;
            *left = left.saturating_sub(old);
            let excess = left.saturating_sub(most).min(step);
            if excess > 0 {
                *left = left.saturating_sub(journal::drop_oldest(&transaction, table, excess)?);
            }
        }
        transaction.commit()?;
        [self.alarms, self.others] = left;
        Ok(())
    }

    /// How many rows are taken out at one go: few, and a full journal within a day of such minutes.
    fn step(&self) -> usize {
        (self.bounds.entries / MINUTES_OF_A_DAY).max(SMALLEST_STEP)
    }

    fn publish(&self) {
        self.shared.alarms.store(self.alarms, Ordering::Relaxed);
        self.shared.others.store(self.others, Ordering::Relaxed);
    }
}

const MINUTES_OF_A_DAY: usize = 1_440;
/// Some thousandths of a second.
const SMALLEST_STEP: usize = 1_000;
