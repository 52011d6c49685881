//! TLS reports (RFC 8460) between sessions and mail: what is counted, and what leaves.
//!
//! * [`tally`]: sessions as counters, which add up over sessions, seconds and hosts.
//! * [`outgoing`]: a report that leaves, from its claim to its last delivery.
//! * [`received`]: reports that others sent us.
//! * [`Reports`]: keeps all of them; a file on one host, a shared store for a fleet.
//! * [`local`]: the half of the latter that stays on each host.
//!
//! Not done here: counting, making and sending reports (`report`).

pub mod local;
pub mod outgoing;
pub mod received;
pub mod tally;

use std::collections::BTreeMap;

use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;

use self::outgoing::{Outgoing, ReportKey};
use self::received::Received;
use self::tally::{Counter, Counts};
use super::{StoreFailure, Waiting};

/// Keeps what is counted, what leaves, and what came.
///
/// What is counted survives the process within a second of being counted. All the rest is durable when
/// the call returns well.
pub trait Reports: Send + Sync {
    /// Adds to what this host has counted. Never waits and never fails: what can be neither written nor
    /// held any longer is counted in [`ReportFigures`].
    fn count(&self, day: Day, domain: &DomainName, counts: Counts);

    /// Has what was counted written; to be called every second. Never waits.
    fn flush(&self);

    /// All that was counted so far is durable, or the failure says why not; at the end of the process.
    fn settle(&self) -> Waiting<'_, Result<(), StoreFailure>>;

    /// Says that this host will count nothing more for this day or any before it.
    fn close(&self, day: Day) -> Waiting<'_, Result<(), StoreFailure>>;

    /// Whether every host has closed this day and handed in what it counted; where not, which are
    /// waited for.
    fn missing(&self, day: Day) -> Waiting<'_, Result<Vec<String>, StoreFailure>>;

    /// The days of which something is counted, by any host.
    fn days(&self) -> Waiting<'_, Result<Vec<Day>, StoreFailure>>;

    /// The domains counted on a day by any host that come after `after` in some order that stays the
    /// same, at most `limit`.
    fn domains(
        &self,
        day: Day,
        after: Option<DomainName>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<DomainName>, StoreFailure>>;

    /// What all hosts together counted of a domain on a day.
    fn counts(
        &self,
        day: Day,
        domain: DomainName,
    ) -> Waiting<'_, Result<BTreeMap<Counter, u64>, StoreFailure>>;

    /// Whether this host is the one that sends, now and for the next half minute at least. Where there is
    /// but one, it is.
    fn elect(&self) -> Waiting<'_, Result<bool, StoreFailure>>;

    /// Gives back what [`Self::elect`] gave, where it was this host's.
    fn resign(&self) -> Waiting<'_, Result<Resigned, StoreFailure>>;

    /// Claims a report: keeps it as what will leave for that day and domain, unless one is kept already,
    /// which nothing replaces. Comes back with the one that stands: what was claimed and not confirmed is
    /// sent again as it was.
    fn claim(&self, report: Outgoing) -> Waiting<'_, Result<Outgoing, StoreFailure>>;

    /// The report of that day and domain, where one was claimed.
    fn report(&self, key: ReportKey) -> Waiting<'_, Result<Option<Outgoing>, StoreFailure>>;

    /// Keeps how far a claimed report has come.
    fn progress(&self, report: Outgoing) -> Waiting<'_, Result<(), StoreFailure>>;

    /// The claimed reports with a delivery due at this time, the longest due first, at most `limit`.
    fn due(&self, now: Timestamp, limit: usize)
    -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>>;

    /// Claimed reports for people: those of a day, or the latest days first.
    fn list(
        &self,
        day: Option<Day>,
        limit: usize,
    ) -> Waiting<'_, Result<Vec<Outgoing>, StoreFailure>>;

    /// How many report mails were handed over on a day for addresses in this domain: their sessions are
    /// no news to anybody.
    fn mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<u64, StoreFailure>>;

    /// Notes that a report mail was handed over for an address in this domain.
    fn note_mailed(&self, day: Day, domain: DomainName) -> Waiting<'_, Result<(), StoreFailure>>;

    /// Keeps a report that somebody sent us; false where it is kept already.
    fn receive(&self, report: Received) -> Waiting<'_, Result<bool, StoreFailure>>;

    /// Reports that others sent us, the latest first, at most `limit`.
    fn received(&self, limit: usize) -> Waiting<'_, Result<Vec<Received>, StoreFailure>>;

    /// The name that report-ids of this installation carry: random, made once, the same on all hosts of a
    /// fleet.
    fn installation(&self) -> Waiting<'_, Result<String, StoreFailure>>;

    /// Takes out what is older than it is kept. Never waits.
    fn drop_old(&self, now: Moment);

    /// What could not be kept, and how things stand. Never waits.
    fn figures(&self) -> ReportFigures;
}

/// To whom the sending is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resigned {
    /// To whichever host stands for it: this one should not, for a while.
    ToOthers,
    /// There is no other host: go on.
    Alone,
}

/// How counting stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportFigures {
    /// Sessions counted since the start.
    pub counted: u64,
    /// Sessions counted whose rows could not be written and are held no longer.
    pub lost: u64,
    /// Rows that wait to be handed to the fleet's store.
    pub not_handed_over: u64,
    /// The fleet's store; `None` where there is none.
    pub fleet: Option<FleetState>,
}

/// The fleet's store, as this host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetState {
    /// It answers.
    Reached,
    /// It does not, in these words: this host goes on alone, and hands over when it is back.
    NotReached(String),
}
