//! Destinations whose sessions stay below their policy: since when, how often, and what the log says.
//!
//! An alarm ends by itself, an hour after the last such session of its destination. Bounded: beyond a
//! number of destinations the others are one alarm together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::one::RefMut;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::name::MxHost;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;

use super::hour::Hour;
use crate::world::{JournalEntry, Timing};

/// All of them.
#[derive(Default)]
pub struct SessionAlarms {
    /// None: reports that name no destination, and destinations beyond the bound.
    destinations: DashMap<Option<NextHop>, Failing>,
    /// Seconds of uptime at which the old ones were dropped last.
    dropped: AtomicU64,
}

/// One destination, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAlarm {
    /// Which; none: several, which are not told apart.
    pub next_hop: Option<NextHop>,
    /// Sessions that were noted in the last hour.
    pub in_last_hour: u64,
    /// The last one.
    pub last: LastFailure,
}

/// The last session of a destination that stayed below what was owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    /// When it was, by the report.
    pub time: Timestamp,
    /// With which host.
    pub mx_host: Option<MxHost>,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub detail: String,
    /// Whether the verdict came before the mail or after it (SV-10).
    pub timing: Timing,
}

/// A line that the log owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) next_hop: Option<NextHop>,
    pub(super) reason: Reason,
    /// Sessions since the last line.
    pub(super) more: u64,
}

struct Failing {
    /// Uptime at which the last one came in.
    noted: Duration,
    last: LastFailure,
    hour: Hour,
    lines: Vec<Line>,
}

/// What the log was told of one reason.
struct Line {
    reason: Reason,
    /// Uptime.
    told: Duration,
    /// Sessions since then.
    more: u64,
}

impl SessionAlarms {
    /// Takes over a session that failed. Where it is worth a line in the log, which is once a minute for
    /// each destination and reason: how many there were since the last line.
    pub(super) fn raise(&self, entry: &JournalEntry, now: Moment) -> Option<u64> {
        let mut failing = self.failing(entry, now);
        let mut lines = failing.lines.iter_mut();
        match lines.find(|line| line.reason == entry.reason) {
            Some(line) if line.is_due(now) => Some(line.tell(now)),
            Some(line) => {
                line.more += 1;
                None
            }
            None => {
                failing.lines.push(Line {
                    reason: entry.reason,
                    told: now.uptime,
                    more: 0,
                });
                Some(0)
            }
        }
    }

    /// Takes over what the journal knows of the time before the start, of which the log was told.
    pub(super) fn restore(&self, entry: &JournalEntry, noted: Moment) {
        drop(self.failing(entry, noted));
    }

    /// The lines that became due without another session.
    pub(super) fn owed(&self, now: Moment) -> Vec<Owed> {
        let mut owed = Vec::new();
        for mut failing in self.destinations.iter_mut() {
            let next_hop = failing.key().clone();
            let due = |line: &&mut Line| line.more > 0 && line.is_due(now);
            for line in failing.lines.iter_mut().filter(due) {
                owed.push(Owed {
                    next_hop: next_hop.clone(),
                    reason: line.reason,
                    more: line.tell(now),
                });
            }
        }
        owed
    }

    /// Those that stand, the latest first. One ends an hour after its last session.
    #[must_use]
    pub fn standing(&self, now: Moment) -> Vec<SessionAlarm> {
        self.drop_old(now);
        let mut standing: Vec<(Duration, SessionAlarm)> = self
            .destinations
            .iter()
            .map(|failing| {
                let alarm = SessionAlarm {
                    next_hop: failing.key().clone(),
                    in_last_hour: failing.hour.count(now.uptime),
                    last: failing.last.clone(),
                };
                (failing.noted, alarm)
            })
            .collect();
        standing.sort_by_key(|(noted, _)| std::cmp::Reverse(*noted));
        standing.into_iter().map(|(_, alarm)| alarm).collect()
    }

    /// How many destinations have one.
    #[must_use]
    pub fn count(&self, now: Moment) -> usize {
        let stands = |noted: Duration| now.uptime.saturating_sub(noted) < STANDS;
        let standing = self.destinations.iter();
        standing.filter(|failing| stands(failing.noted)).count()
    }

    /// The destination of a session, with the session counted in.
    fn failing(&self, entry: &JournalEntry, noted: Moment) -> RefMut<'_, Option<NextHop>, Failing> {
        let known = self.destinations.contains_key(&entry.next_hop);
        if !known && self.destinations.len() >= MOST && self.is_time_to_drop(noted) {
            self.drop_old(noted);
        }
        let room = known || self.destinations.len() < MOST;
        let key = entry.next_hop.clone().filter(|_| room);
        let mut failing = self.destinations.entry(key).or_insert_with(|| Failing {
            noted: noted.uptime,
            last: LastFailure::of(entry),
            hour: Hour::default(),
            lines: Vec::new(),
        });
        failing.hour.add(noted.uptime);
        if noted.uptime >= failing.noted {
            failing.noted = noted.uptime;
            failing.last = LastFailure::of(entry);
        }
        failing
    }

    /// Looking through all of them is not for every session.
    fn is_time_to_drop(&self, now: Moment) -> bool {
        let (now, last) = (now.uptime.as_secs(), self.dropped.load(Ordering::Relaxed));
        let due = now.saturating_sub(last) >= BETWEEN_LINES.as_secs();
        if due {
            self.dropped.store(now, Ordering::Relaxed);
        }
        due
    }

    fn drop_old(&self, now: Moment) {
        self.destinations
            .retain(|_, failing| now.uptime.saturating_sub(failing.noted) < STANDS);
    }
}

impl LastFailure {
    fn of(entry: &JournalEntry) -> Self {
        Self {
            time: entry.time,
            mx_host: entry.mx_host.clone(),
            reason: entry.reason,
            detail: entry.detail.clone(),
            timing: entry.timing,
        }
    }
}

impl Line {
    fn is_due(&self, now: Moment) -> bool {
        now.uptime.saturating_sub(self.told) >= BETWEEN_LINES
    }

    fn tell(&mut self, now: Moment) -> u64 {
        self.told = now.uptime;
        std::mem::take(&mut self.more)
    }
}

/// How long an alarm stands after the last session: mail that waits is tried again within that time, so
/// where nothing more comes there is no mail, or it is well again.
pub(super) const STANDS: Duration = Duration::from_secs(3_600);
/// A line a minute says all that more lines would say.
const BETWEEN_LINES: Duration = Duration::from_secs(60);
/// A flood of reports must not hold memory without end.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, failed, later};
    use super::*;

    fn named(alarms: &SessionAlarms, seconds: u64) -> Vec<(String, u64)> {
        let standing = alarms.standing(later(seconds));
        let named = standing.iter().map(|alarm| {
            let name = alarm.next_hop.as_ref().map(ToString::to_string);
            (name.unwrap_or_default(), alarm.in_last_hour)
        });
        named.collect()
    }

    /// An alarm counts its last hour, tells of the last session, and ends an hour after that.
    #[test]
    fn an_alarm_ends_by_itself() {
        let alarms = SessionAlarms::default();
        for seconds in [0, 60, 1_800] {
            let _ = alarms.raise(&failed("a.test", Reason::NoPolicy), later(seconds));
        }
        let _ = alarms.raise(&failed("b.test", Reason::HalfDane), later(1_900));
        let all = [("b.test".to_owned(), 1), ("a.test".to_owned(), 3)];
        assert_eq!(named(&alarms, 1_900), all);
        assert_eq!(alarms.count(later(1_900)), 2);
        assert_eq!(named(&alarms, 4_000)[1].1, 1);
        assert_eq!(named(&alarms, 1_799 + 3_600).len(), 2);
        assert_eq!(named(&alarms, 1_800 + 3_600).len(), 1);
        assert_eq!(alarms.count(later(1_900 + 3_600)), 0);
        assert!(named(&alarms, 1_900 + 3_600).is_empty());
    }

    /// One line a minute for each destination and reason; the next one says how many there were.
    #[test]
    fn lines_are_few() {
        let alarms = SessionAlarms::default();
        let raise =
            |name: &str, reason, seconds| alarms.raise(&failed(name, reason), later(seconds));
        assert_eq!(raise("a.test", Reason::NoPolicy, 0), Some(0));
        assert_eq!(raise("a.test", Reason::NoPolicy, 1), None);
        assert_eq!(
            raise("a.test", Reason::HalfDane, 2),
            Some(0),
            "another reason"
        );
        assert_eq!(
            raise("b.test", Reason::NoPolicy, 3),
            Some(0),
            "another destination"
        );
        assert_eq!(raise("a.test", Reason::NoPolicy, 59), None);
        assert_eq!(alarms.owed(later(59)), []);
        assert_eq!(raise("a.test", Reason::NoPolicy, 60), Some(2));
        assert_eq!(raise("a.test", Reason::NoPolicy, 61), None);
        // Nothing more came: told all the same, once.
        let owed = Owed {
            next_hop: Some(NextHop::parse("a.test")),
            reason: Reason::NoPolicy,
            more: 1,
        };
        assert_eq!(alarms.owed(later(119)), []);
        assert_eq!(alarms.owed(later(120)), [owed]);
        assert_eq!(alarms.owed(later(500)), []);
        assert_eq!(raise("a.test", Reason::NoPolicy, 121), None);
    }

    /// SV-11: beyond the bound destinations are one alarm together, until there is room again.
    #[test]
    fn destinations_are_bounded() {
        let alarms = SessionAlarms::default();
        for number in 0..MOST + 100 {
            let name = format!("d{number}.test");
            let _ = alarms.raise(&failed(&name, Reason::NoPolicy), NOW);
        }
        let standing = alarms.standing(NOW);
        assert_eq!(standing.len(), MOST + 1);
        let others = standing.iter().find(|alarm| alarm.next_hop.is_none());
        assert_eq!(others.unwrap().in_last_hour, 100);
        let _ = alarms.raise(&failed("new.test", Reason::NoPolicy), later(4_000));
        assert_eq!(named(&alarms, 4_000), [("new.test".to_owned(), 1)]);
    }
}
