//! Sessions counted for TLS reports (RFC 8460, 4.2 and 4.3): each once, by the collector that owns it
//! (RP-16).
//!
//! * [`Tally`]: the one place where sessions are handed in.
//! * `datagram`: what a mail server itself tells of a session, in libtlsrpt's words.
//! * `session`: what a judged session comes to under each policy of its destination.
//! * `variety`: a bound on how many different things are counted of one domain.
//! * `texts`: what hosts say, made short and safe.
//!
//! Not done here: keeping the counters (`store`), making reports of them (`post`).

mod datagram;
mod result_type;
mod session;
mod texts;
mod variety;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hoplock_policy::findings::Findings;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::DomainName;
use hoplock_policy::tlsrpt::Day;
use hoplock_policy::verify::{Session, SessionVerdict};
use hoplock_wire::tlsrpt::TlsrptReport;

pub use self::result_type::{result_type, sts_result_type};
use self::variety::Variety;
use crate::world::SessionSource;
use crate::world::reports::Reports;
use crate::world::reports::tally::Counts;

/// What the configuration says of counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collecting {
    /// Sessions are counted here, and reported. Off where reports are, or where the mail server sends its
    /// own (`collector = "mta"`).
    pub enabled: bool,
    /// Postfix tells of its sessions by datagrams: then its log tells of the same ones once more.
    pub by_datagrams: bool,
}

/// Takes sessions and counts them.
pub struct Tally {
    reports: Arc<dyn Reports>,
    collecting: ArcSwap<Collecting>,
    variety: Mutex<Variety>,
}

impl Tally {
    /// A tally whose counters `reports` keeps.
    #[must_use]
    pub fn new(reports: Arc<dyn Reports>, collecting: Collecting) -> Self {
        Self {
            reports,
            collecting: ArcSwap::from_pointee(collecting),
            variety: Mutex::default(),
        }
    }

    /// Counts by other settings from now on.
    pub fn reload(&self, collecting: Collecting) {
        self.collecting.store(Arc::new(collecting));
    }

    /// The settings in force.
    #[must_use]
    pub fn collecting(&self) -> Collecting {
        **self.collecting.load()
    }

    /// Where the counters are kept.
    #[must_use]
    pub fn reports(&self) -> &Arc<dyn Reports> {
        &self.reports
    }

    /// Counts what a mail server tells of a session. Never waits.
    pub fn datagram(&self, report: &TlsrptReport, now: Moment) {
        if !self.collecting.load().enabled {
            return;
        }
        // A report goes by the A-labels of its domain (ID-03); what is no domain has no record either.
        if let Ok(domain) = DomainName::parse(&report.domain) {
            self.count(&domain, now.wall, datagram::counts(report), now);
        }
    }

    /// Counts a judged session under the policies that its destination's `findings` hold. Never waits.
    ///
    /// Of sessions that datagrams tell of only that is added which their mail server cannot know: what
    /// went wrong on the way to an MTA-STS policy (RP-05).
    pub fn session(
        &self,
        session: &Session,
        verdict: &SessionVerdict,
        findings: &Findings,
        (time, source): (Timestamp, SessionSource),
        now: Moment,
    ) {
        let collecting = self.collecting.load();
        let Some(domain) = findings.next_hop.name().filter(|_| collecting.enabled) else {
            return;
        };
        let counts = match source {
            SessionSource::Tlsrpt => session::sts_trouble(findings, session, now),
            // RP-16: the datagrams own the sessions of Postfix.
            SessionSource::PostfixLog if collecting.by_datagrams => return,
            // Ours, and no mail.
            SessionSource::Probe => return,
            SessionSource::PostfixLog
            | SessionSource::SessionJson
            | SessionSource::Exim
            | SessionSource::Sendmail => session::counts(session, verdict, findings, now),
        };
        self.count(domain, time, counts, now);
    }

    /// Has what was counted written; to be called every second.
    pub fn second(&self) {
        self.reports.flush();
    }

    fn count(&self, domain: &DomainName, time: Timestamp, counts: Counts, now: Moment) {
        if counts.is_empty() {
            return;
        }
        let day = day_of(time, now.wall);
        let variety = self.variety.lock();
        let counts = variety
            .unwrap_or_else(PoisonError::into_inner)
            .bounded(day, domain, counts);
        self.reports.count(day, domain, counts);
    }
}

/// The day that a session counts for: its own, or, where that is closed already, the one that goes on.
fn day_of(time: Timestamp, now: Timestamp) -> Day {
    let (own, today) = (Day::of(time), Day::of(now));
    let is_open = own.over_for(now).is_none_or(|over| over < CLOSES_AFTER);
    if own <= today && is_open { own } else { today }
}

/// How long after midnight sessions of the day before still count for it: a log is read within seconds,
/// and a session is judged within a minute.
pub const CLOSES_AFTER: std::time::Duration = std::time::Duration::from_secs(120);

#[cfg(test)]
impl Tally {
    /// One that counts nothing.
    pub(crate) fn idle() -> Arc<Self> {
        use crate::store::sqlite::{SqliteReports, SqliteStore};
        #[allow(clippy::unwrap_used, reason = "tests")]
        let store = SqliteStore::in_memory(Moment::default()).unwrap();
        let reports = Arc::new(SqliteReports::of(Arc::new(store)));
        Arc::new(Self::new(reports, Collecting::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RP-10: what comes late counts for the day that goes on; no day grows after it was closed.
    #[test]
    fn days_close() {
        let day = Day::numbered(20_000);
        let end = day.is_over_at().0;
        let at = |millis: u64| Timestamp(millis);
        for (time, now, expected) in [
            (end - 1, end - 1, day),
            (end - 1, end + 119_999, day),
            (end - 1, end + 120_000, Day::numbered(20_001)),
            (end, end, Day::numbered(20_001)),
            // A clock ahead of ours.
            (end + 5, end - 1, day),
            (0, end - 1, day),
        ] {
            assert_eq!(day_of(at(time), at(now)), expected, "{time} {now}");
        }
    }
}
