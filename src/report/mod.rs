//! Sessions that were judged: kept, counted, told of. Whatever judges one hands it in here.
//!
//! * [`Sessions::note`]: the one way in.
//! * `alarms`: destinations whose sessions stay below their policy.
//! * `hour`: how often in the last hour.
//! * [`dkim`]: signs mails with reports.
//! * [`logged`]: what a mail log tells.
//! * [`post`]: TLS reports made and sent.
//! * [`read`]: TLS reports that others sent us.
//! * [`mail`]: a report as a mail.
//! * [`tally`]: sessions counted for TLS reports.
//! * [`record`]: whether a domain wants TLS reports, and where.
//! * [`reported`]: reports, from the words of their reporters to what is judged.
//!
//! Not done here: taking reports in and judging them (`serve`, hoplock-policy), keeping the journal
//! (`store`).

mod alarms;
pub mod dkim;
mod hour;
pub mod logged;
pub mod mail;
pub mod post;
pub mod read;
pub mod record;
pub mod reported;
pub mod tally;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::reason::Reason;
use hoplock_policy::verify::SessionOutcome;

pub use self::alarms::{LastFailure, SessionAlarm, SessionAlarms};
use self::hour::Hour;
pub use self::tally::{result_type, sts_result_type};
use crate::world::{Journal, JournalEntry, JournalQuery, StoreFailure};

/// Takes judged sessions.
pub struct Sessions {
    journal: Arc<dyn Journal>,
    alarms: SessionAlarms,
    totals: DashMap<(SessionOutcome, Reason), u64>,
    lately: Mutex<BTreeMap<SessionOutcome, Hour>>,
    malformed: AtomicU64,
    overload: AtomicU64,
}

/// Why nothing, or less than all, was made of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// It cannot be read, or is larger than any that is meant (SV-11): no session was counted.
    Malformed,
    /// More came at once than are judged: no session was counted.
    Overload,
    /// More came in one second than the journal takes: counted, and not kept.
    JournalFull,
    /// The journal could not be written: counted, and not kept.
    JournalFailed,
}

impl Dropped {
    /// The stable word, a label of metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Overload => "overload",
            Self::JournalFull => "journal-full",
            Self::JournalFailed => "journal-failed",
        }
    }
}

impl Sessions {
    /// Nothing was noted yet; what is noted goes to this journal.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            alarms: SessionAlarms::default(),
            totals: DashMap::new(),
            lately: Mutex::default(),
            malformed: AtomicU64::new(0),
            overload: AtomicU64::new(0),
        }
    }

    /// Takes over from the journal what still stands of the time before the start: alarms of the last
    /// hour. Says what the journal holds of the last day, by outcome.
    ///
    /// # Errors
    /// [`StoreFailure`] where the journal cannot be read: then alarms begin with the next session.
    pub async fn begin(&self, now: Moment) -> Result<BTreeMap<SessionOutcome, u64>, StoreFailure> {
        let before = |span: Duration| {
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            Timestamp(now.wall.0.saturating_sub(millis))
        };
        let query = JournalQuery {
            since: Some(before(alarms::STANDS)),
            only_alarms: true,
            limit: MOST_RESTORED,
            ..JournalQuery::default()
        };
        for (_, entry) in self.journal.read(query).await? {
            let age = Duration::from_millis(now.wall.0.saturating_sub(entry.time.0));
            let noted = Moment {
                wall: entry.time,
                uptime: now.uptime.saturating_sub(age),
            };
            self.alarms.restore(&entry, noted);
        }
        self.journal.counts(before(DAY)).await
    }

    /// Takes a judged session: it is counted, kept in the journal, told of in the log where it is worth
    /// that, and raises an alarm where it stayed below its policy. Never waits.
    ///
    /// The entry may hold whatever a report says: it is cut to size here (SV-11).
    pub fn note(&self, entry: JournalEntry, now: Moment) {
        let entry = entry.bounded(now);
        *self
            .totals
            .entry((entry.outcome, entry.reason))
            .or_default() += 1;
        self.lately()
            .entry(entry.outcome)
            .or_default()
            .add(now.uptime);
        if entry.is_alarm() {
            if let Some(more) = self.alarms.raise(&entry, now) {
                tell(&entry, more);
            }
        } else {
            let (outcome, reason) = (entry.outcome.word(), entry.reason.word());
            let (next_hop, mx_host) = names(&entry);
            let source = entry.source.word();
            // MX-22: also what matched behind an insecure MX set, which is no secure delivery.
            let notes: Vec<&str> = entry.warnings.iter().map(|own| own.word()).collect();
            let notes = notes.join(" ");
            tracing::debug!(next_hop, mx_host, outcome, reason, notes, source, "session");
        }
        self.journal.note(entry, now);
    }

    /// Counts a report of which no session was made, since it cannot be read or is larger than any that
    /// is meant (SV-11).
    pub fn malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a report of which no session was made, since more came at once than are judged.
    pub fn overload(&self) {
        self.overload.fetch_add(1, Ordering::Relaxed);
    }

    /// A second went by: what was noted is written.
    pub fn second(&self) {
        self.journal.flush();
    }

    /// A minute went by: old entries go, and the log gets the lines that it is still owed.
    pub fn minute(&self, now: Moment) {
        self.journal.drop_old(now);
        for owed in self.alarms.owed(now) {
            let next_hop = owed.next_hop.map(|next_hop| next_hop.to_string());
            let (reason, more) = (owed.reason.word(), owed.more);
            tracing::warn!(
                next_hop,
                reason,
                more,
                "more sessions were below their policy"
            );
        }
    }

    /// The journal, for reading.
    #[must_use]
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// Destinations whose sessions stay below their policy.
    #[must_use]
    pub fn alarms(&self) -> &SessionAlarms {
        &self.alarms
    }

    /// Sessions by outcome and reason since the start, those without any left out.
    #[must_use]
    pub fn totals(&self) -> BTreeMap<(SessionOutcome, Reason), u64> {
        let totals = self.totals.iter();
        totals.map(|total| (*total.key(), *total.value())).collect()
    }

    /// Sessions by outcome that were noted in the last hour, outcomes without any left out.
    #[must_use]
    pub fn last_hour(&self, now: Moment) -> BTreeMap<&'static str, u64> {
        let lately = self.lately();
        let counts = lately
            .iter()
            .map(|(outcome, hour)| (outcome.word(), hour.count(now.uptime)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// What was dropped since the start, by cause.
    #[must_use]
    pub fn dropped(&self) -> [(Dropped, u64); 4] {
        let journal = self.journal.figures();
        [
            (Dropped::Malformed, self.malformed.load(Ordering::Relaxed)),
            (Dropped::Overload, self.overload.load(Ordering::Relaxed)),
            (Dropped::JournalFull, journal.too_many),
            (Dropped::JournalFailed, journal.not_written),
        ]
    }

    fn lately(&self) -> MutexGuard<'_, BTreeMap<SessionOutcome, Hour>> {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line for an alarm.
fn tell(entry: &JournalEntry, more: u64) {
    let (next_hop, mx_host) = names(entry);
    let address = entry.address.map(|address| address.to_string());
    let (reason, detail) = (entry.reason.word(), &entry.detail);
    let (source, judged) = (entry.source.word(), entry.timing.word());
    tracing::warn!(
        next_hop,
        mx_host,
        address,
        reason,
        detail,
        source,
        judged,
        more,
        "a session was below its policy"
    );
}

fn names(entry: &JournalEntry) -> (Option<String>, Option<String>) {
    let next_hop = entry.next_hop.as_ref().map(ToString::to_string);
    (next_hop, entry.mx_host.as_ref().map(ToString::to_string))
}

const DAY: Duration = Duration::from_secs(86_400);
/// Sessions, the latest first: they name the destinations, however many more there are.
const MOST_RESTORED: usize = 10_000;

#[cfg(test)]
mod tests {
    use hoplock_policy::next_hop::NextHop;
    use hoplock_policy::verify::{Session, SessionVerdict};

    use super::*;
    use crate::store::journal::MemoryJournal;
    use crate::world::{JournalBounds, Judged, SessionSource, Timing};

    pub(super) const NOW: Moment = Moment {
        wall: Timestamp(1_795_478_400_000),
        uptime: Duration::from_secs(40 * 86_400),
    };

    pub(super) fn later(seconds: u64) -> Moment {
        NOW.later(Duration::from_secs(seconds))
    }

    fn session(name: &str, outcome: SessionOutcome, reason: Reason, at: Moment) -> JournalEntry {
        let session = Session {
            next_hop: Some(NextHop::parse(name)),
            ..Session::unknown()
        };
        let verdict = SessionVerdict {
            outcome,
            reason,
            detail: format!("{name} is not as it should be"),
            matched: None,
            warnings: Vec::new(),
            results: Vec::new(),
        };
        let judged = Judged {
            time: at.wall,
            source: SessionSource::Tlsrpt,
            timing: Timing::AfterDelivery,
            second_look: true,
        };
        JournalEntry::of(&session, verdict, judged)
    }

    pub(super) fn failed(name: &str, reason: Reason) -> JournalEntry {
        session(name, SessionOutcome::Failed, reason, NOW)
    }

    fn sessions() -> Sessions {
        Sessions::new(Arc::new(MemoryJournal::new(JournalBounds::default())))
    }

    /// SV-02, SV-10: what is noted is counted by outcome and reason, kept as it was judged, and an alarm
    /// where it failed.
    #[tokio::test]
    async fn what_is_noted_is_counted_and_kept() {
        let sessions = sessions();
        let good = SessionOutcome::AuthenticatedDane;
        for seconds in [0, 10, 4_000] {
            let entry = session("a.test", good, Reason::DaneAllHosts, later(seconds));
            sessions.note(entry, later(seconds));
        }
        let bad = session(
            "b.test",
            SessionOutcome::Failed,
            Reason::HalfDane,
            later(4_000),
        );
        sessions.note(bad.clone(), later(4_000));
        let expected = [
            ((good, Reason::DaneAllHosts), 3),
            ((SessionOutcome::Failed, Reason::HalfDane), 1),
        ];
        assert_eq!(sessions.totals(), BTreeMap::from(expected));
        let hour = sessions.last_hour(later(4_000));
        assert_eq!(
            hour,
            BTreeMap::from([("authenticated-dane", 1), ("failed", 1)])
        );
        assert!(sessions.last_hour(later(9_000)).is_empty());
        let kept = sessions
            .journal()
            .read(JournalQuery::default())
            .await
            .unwrap();
        assert_eq!(kept.len(), 4);
        assert_eq!(kept[0].1, bad);
        let standing = sessions.alarms().standing(later(4_000));
        let expected = SessionAlarm {
            next_hop: bad.next_hop.clone(),
            in_last_hour: 1,
            last: LastFailure {
                time: bad.time,
                mx_host: None,
                reason: bad.reason,
                detail: bad.detail,
                timing: Timing::AfterDelivery,
            },
        };
        assert_eq!(standing, [expected]);
        sessions.malformed();
        let dropped = sessions.dropped();
        assert_eq!(dropped[0], (Dropped::Malformed, 1));
        assert_eq!(dropped.map(|(_, count)| count), [1, 0, 0, 0]);
    }

    /// An alarm outlives a restart, as long as it would have stood anyway.
    #[tokio::test]
    async fn alarms_outlive_a_restart() {
        let before = sessions();
        for seconds in [0, 3_000, 3_100] {
            let entry = session(
                "a.test",
                SessionOutcome::Failed,
                Reason::NoPolicy,
                later(seconds),
            );
            before.note(entry, later(seconds));
        }
        let after = Sessions::new(Arc::clone(before.journal()));
        let counts = after.begin(later(3_700)).await.unwrap();
        assert_eq!(counts, BTreeMap::from([(SessionOutcome::Failed, 3)]));
        let standing = after.alarms().standing(later(3_700));
        assert_eq!(standing.len(), 1);
        assert_eq!(standing[0].in_last_hour, 2);
        assert_eq!(standing[0].last.time, later(3_100).wall);
        assert_eq!(after.alarms().count(later(3_100 + 3_599)), 1);
        assert_eq!(after.alarms().count(later(3_100 + 3_600)), 0);
        assert!(after.totals().is_empty(), "counters begin anew");
    }
}
