//! The half of a fleet's counting that stays on each host: it counts and writes as if alone, and hands
//! over what it has to a store that the fleet shares.
//!
//! Counts are absolute: what this host counted of a domain on a day, all in all. So handing over the same
//! row twice changes nothing, and a shared store that lost its memory gets all of it anew.

use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use super::Reports;
use crate::world::{StoreFailure, Waiting};

/// Counts on this host, and remembers which rows the fleet's store has.
pub trait LocalTally: Reports {
    /// The name by which the fleet knows what this host counted: random, made once for each state file.
    fn node(&self) -> Waiting<'_, Result<String, StoreFailure>>;

    /// Rows that grew since they were handed over, the oldest days first, at most `limit`. What was
    /// counted before the last [`Reports::flush`] is among them.
    fn dirty(&self, limit: usize) -> Waiting<'_, Result<Vec<TallyRow>, StoreFailure>>;

    /// The fleet's store has these rows with these counts. One that has grown meanwhile stays dirty; a
    /// row that is gone is no failure.
    fn handed_over(&self, rows: Vec<TallyRow>) -> Waiting<'_, Result<(), StoreFailure>>;

    /// The fleet's store may have lost what it was given: all rows of this day and later ones are to be
    /// handed over anew.
    fn all_dirty(&self, since: Day) -> Waiting<'_, Result<(), StoreFailure>>;

    /// The latest day that was closed here, over restarts too.
    fn closed(&self) -> Waiting<'_, Result<Option<Day>, StoreFailure>>;

    /// The fleet goes by this name: [`Reports::installation`] gives it from now on, over restarts too.
    fn adopt_installation(&self, name: String) -> Waiting<'_, Result<(), StoreFailure>>;
}

/// What a host counted under one key of one domain on one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TallyRow {
    /// The day.
    pub day: Day,
    /// The domain.
    pub domain: DomainName,
    /// The text of the [`super::tally::Counter`].
    pub key: String,
    /// All that this host counted so far.
    pub count: u64,
}
