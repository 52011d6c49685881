//! Room for the journal: where entries wait to be written, and the journal that lasts as long as the
//! process.
//!
//! Sessions that failed and the others have bounds of their own, so that a flood of one kind takes no
//! room from the other. Not done here: the file (see `sqlite`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::verify::SessionOutcome;

use crate::world::{
    Journal, JournalBounds, JournalEntry, JournalFigures, JournalQuery, StoreFailure, Waiting,
};

/// The journal in memory: the newest entries, and no more than a process should hold.
pub struct MemoryJournal {
    lanes: Mutex<Lanes>,
    bounds: JournalBounds,
}

#[derive(Default)]
struct Lanes {
    alarms: VecDeque<Kept>,
    others: VecDeque<Kept>,
    last: u64,
}

struct Kept {
    number: u64,
    entry: JournalEntry,
    /// Uptime at which it came in.
    noted: Duration,
}

impl MemoryJournal {
    /// An empty one. More than [`MOST_IN_MEMORY`] entries it keeps for nobody.
    #[must_use]
    pub fn new(bounds: JournalBounds) -> Self {
        Self {
            lanes: Mutex::default(),
            bounds: JournalBounds {
                entries: bounds.entries.min(MOST_IN_MEMORY),
                ..bounds
            },
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// Everything, newest first.
    fn newest_first(&self) -> Vec<&Kept> {
        let mut all: Vec<&Kept> = self.alarms.iter().chain(&self.others).collect();
        all.sort_unstable_by_key(|kept| std::cmp::Reverse(kept.number));
        all
    }
}

impl Journal for MemoryJournal {
    fn note(&self, entry: JournalEntry, now: Moment) {
        let mut lanes = self.lanes();
        lanes.last += 1;
        let (number, alarm) = (lanes.last, entry.is_alarm());
        let (lane, most) = if alarm {
            (&mut lanes.alarms, self.bounds.alarms())
        } else {
            (&mut lanes.others, self.bounds.others())
        };
        lane.push_back(Kept {
            number,
            entry,
            noted: now.uptime,
        });
        while lane.len() > most {
            lane.pop_front();
        }
    }

    fn flush(&self) {}

    fn drop_old(&self, now: Moment) {
        let old = |kept: &Kept| now.uptime.saturating_sub(kept.noted) >= self.bounds.age;
        let lanes = &mut *self.lanes();
        for lane in [&mut lanes.alarms, &mut lanes.others] {
            while lane.front().is_some_and(old) {
                lane.pop_front();
            }
        }
    }

    fn read(
        &self,
        query: JournalQuery,
    ) -> Waiting<'_, Result<Vec<(u64, JournalEntry)>, StoreFailure>> {
        Box::pin(async move {
            let lanes = self.lanes();
            let fits = |kept: &&Kept| {
                let before = query.before.is_none_or(|before| kept.number < before);
                before && query.fits(&kept.entry)
            };
            let found = lanes.newest_first().into_iter().filter(fits);
            Ok(found
                .take(query.limit)
                .map(|kept| (kept.number, kept.entry.clone()))
                .collect())
        })
    }

    fn counts(
        &self,
        since: Timestamp,
    ) -> Waiting<'_, Result<BTreeMap<SessionOutcome, u64>, StoreFailure>> {
        Box::pin(async move {
            let mut counts = BTreeMap::new();
            for kept in self.lanes().newest_first() {
                if kept.entry.time >= since {
                    *counts.entry(kept.entry.outcome).or_default() += 1;
                }
            }
            Ok(counts)
        })
    }

    fn figures(&self) -> JournalFigures {
        let lanes = self.lanes();
        JournalFigures {
            alarms: lanes.alarms.len(),
            others: lanes.others.len(),
            ..JournalFigures::default()
        }
    }
}

/// An entry with the uptime at which it came in.
pub(super) type Noted = (JournalEntry, Duration);

/// Where entries wait to be written. They are fetched once a second, so the number of places is also
/// the number that is kept of each second; and a disk that hangs costs no more memory than this.
#[derive(Default)]
pub(super) struct WaitingRoom {
    places: Mutex<Places>,
    turned_away: AtomicU64,
}

#[derive(Default)]
struct Places {
    taken: Vec<Noted>,
    alarms: usize,
    others: usize,
}

impl WaitingRoom {
    /// Takes an entry in, where there is a place for its kind.
    pub(super) fn take_in(&self, entry: JournalEntry, now: Moment) {
        let places = &mut *self.places();
        let of_its_kind = if entry.is_alarm() {
            &mut places.alarms
        } else {
            &mut places.others
        };
        if *of_its_kind >= MOST_IN_A_SECOND {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        } else {
            *of_its_kind += 1;
            places.taken.push((entry, now.uptime));
        }
    }

    /// Everybody out, in the order in which they came.
    pub(super) fn take_out(&self) -> Vec<Noted> {
        std::mem::take(&mut *self.places()).taken
    }

    /// True where nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.places().taken.is_empty()
    }

    /// How many found no place.
    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sessions of each kind that are kept of one second: more than a large site has, and a commit of so
/// many holds back a policy that is to be written for some hundredths of a second.
pub(super) const MOST_IN_A_SECOND: usize = 500;
/// Some ten megabytes.
pub const MOST_IN_MEMORY: usize = 10_000;

#[cfg(test)]
pub(super) mod tests {
    use hoplock_policy::next_hop::NextHop;
    use hoplock_policy::reason::Reason;
    use hoplock_policy::verify::{Session, SessionVerdict};

    use super::*;
    use crate::world::{Judged, SessionSource, Timing};

    pub(crate) const NOW: Moment = Moment {
        wall: Timestamp(1_795_478_400_000),
        uptime: Duration::from_secs(40 * 86_400),
    };

    /// A session with that destination, as far after [`NOW`].
    pub(crate) fn entry(next_hop: &str, outcome: SessionOutcome, seconds: u64) -> JournalEntry {
        let session = Session {
            next_hop: Some(NextHop::parse(next_hop)),
            ..Session::unknown()
        };
        let verdict = SessionVerdict {
            outcome,
            reason: Reason::DaneAllHosts,
            detail: "in words".to_owned(),
            matched: None,
            warnings: Vec::new(),
            results: Vec::new(),
        };
        let judged = Judged {
            time: later(seconds).wall,
            source: SessionSource::PostfixLog,
            timing: Timing::AfterDelivery,
            second_look: false,
        };
        JournalEntry::of(&session, verdict, judged)
    }

    pub(crate) fn later(seconds: u64) -> Moment {
        NOW.later(Duration::from_secs(seconds))
    }

    /// What any journal must do, whatever it keeps things in.
    pub(crate) async fn keeps_what_it_should(journal: &dyn Journal) {
        let (good, failed) = (SessionOutcome::Encrypted, SessionOutcome::Failed);
        journal.note(entry("a.test", good, 0), later(0));
        journal.note(entry("b.test", failed, 10), later(10));
        journal.note(entry("a.test", failed, 5), later(20));
        let read = async |query: JournalQuery| {
            let found = journal.read(query).await.unwrap();
            let times = found.iter().map(|(_, entry)| entry.time.0 - NOW.wall.0);
            times.map(|millis| millis / 1_000).collect::<Vec<u64>>()
        };
        let all = JournalQuery::default();
        assert_eq!(read(all.clone()).await, [5, 10, 0], "newest first");
        let found = journal.read(all.clone()).await.unwrap();
        assert_eq!(found[2].1, entry("a.test", good, 0), "as it was");
        assert!(found[0].0 > found[1].0 && found[1].0 > found[2].0);
        let page = |before: usize| JournalQuery {
            before: Some(found[before].0),
            limit: 1,
            ..all.clone()
        };
        assert_eq!(read(page(0)).await, [10], "pages");
        assert_eq!(read(page(2)).await, [] as [u64; 0]);
        let only_alarms = true;
        let alarms = JournalQuery {
            only_alarms,
            ..all.clone()
        };
        assert_eq!(read(alarms).await, [5, 10]);
        let next_hop = Some(NextHop::parse("a.test"));
        let destination = JournalQuery {
            next_hop,
            ..all.clone()
        };
        assert_eq!(read(destination).await, [5, 0]);
        let outcome = Some(good);
        let outcome = JournalQuery {
            outcome,
            ..all.clone()
        };
        assert_eq!(read(outcome).await, [0]);
        let since = Some(later(5).wall);
        assert_eq!(read(JournalQuery { since, ..all }).await, [5, 10]);
        let counts = journal.counts(NOW.wall).await.unwrap();
        assert_eq!(counts, BTreeMap::from([(good, 1), (failed, 2)]));
        let counts = journal.counts(later(6).wall).await.unwrap();
        assert_eq!(counts, BTreeMap::from([(failed, 1)]));
        let figures = journal.figures();
        assert_eq!((figures.alarms, figures.others), (2, 1));
    }

    /// Bounds in age and in number, those that failed apart from the others.
    pub(crate) async fn keeps_no_more(journal: &dyn Journal, bounds: JournalBounds) {
        let (good, failed) = (SessionOutcome::Encrypted, SessionOutcome::Failed);
        journal.note(entry("first.test", failed, 0), later(0));
        for second in 0..4 {
            for _ in 0..bounds.entries {
                journal.note(entry("a.test", good, second), later(second));
            }
            journal.flush();
            // Behind what was ordered.
            journal.counts(NOW.wall).await.unwrap();
        }
        let found = journal.read(JournalQuery::default()).await.unwrap();
        assert_eq!(found.len(), bounds.others() + 1);
        assert_eq!(found[0].1.time, later(3).wall);
        let last = &found[bounds.others()].1;
        assert_eq!(last.next_hop, Some(NextHop::parse("first.test")));
        let counts = journal.counts(later(3).wall).await.unwrap();
        assert_eq!(counts[&good], bounds.others() as u64, "the newest stay");
        for second in 0..bounds.entries as u64 {
            journal.note(entry("b.test", failed, second), later(4));
        }
        journal.flush();
        let found = journal.read(JournalQuery::default()).await.unwrap();
        assert_eq!(found.len(), bounds.entries);
        // Age is counted from when it came in.
        let day = 86_400;
        for (seconds, left) in [
            (day + 2, bounds.entries),
            (day + 3, bounds.alarms()),
            (day + 4, 0),
        ] {
            journal.drop_old(later(seconds));
            let found = journal.read(JournalQuery::default()).await.unwrap();
            assert_eq!(found.len(), left, "{seconds}");
        }
        let figures = journal.figures();
        assert_eq!((figures.alarms, figures.others), (0, 0));
    }

    pub(crate) const BOUNDS: JournalBounds = JournalBounds {
        age: Duration::from_secs(86_400),
        entries: 16,
    };

    /// SV-02: the memory of a process keeps what a file would.
    #[tokio::test]
    async fn in_memory() {
        keeps_what_it_should(&MemoryJournal::new(BOUNDS)).await;
        keeps_no_more(&MemoryJournal::new(BOUNDS), BOUNDS).await;
        let none = MemoryJournal::new(JournalBounds {
            entries: 0,
            ..BOUNDS
        });
        none.note(entry("a.test", SessionOutcome::Failed, 0), NOW);
        assert_eq!(none.figures(), JournalFigures::default());
        let much = MemoryJournal::new(JournalBounds::default());
        for _ in 0..MOST_IN_MEMORY {
            much.note(entry("a.test", SessionOutcome::Encrypted, 0), NOW);
        }
        assert_eq!(much.figures().others, MOST_IN_MEMORY / 4 * 3);
    }

    /// SV-11: a flood fills the places of its own kind, the rest is counted, and there is room again
    /// when they were fetched.
    #[test]
    fn a_flood_is_counted() {
        let room = WaitingRoom::default();
        for _ in 0..MOST_IN_A_SECOND + 7 {
            room.take_in(entry("a.test", SessionOutcome::Encrypted, 0), NOW);
        }
        assert_eq!(room.turned_away(), 7);
        room.take_in(entry("b.test", SessionOutcome::Failed, 0), NOW);
        let out = room.take_out();
        assert_eq!(out.len(), MOST_IN_A_SECOND + 1);
        assert!(out[MOST_IN_A_SECOND].0.is_alarm());
        room.take_in(entry("a.test", SessionOutcome::Encrypted, 0), NOW);
        assert_eq!((room.take_out().len(), room.turned_away()), (1, 7));
    }
}
