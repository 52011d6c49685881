//! The destinations that mail servers asked about in the last day, by what protects their mail.
//!
//! In memory, since the start. A destination counts once in each slot of ten minutes, however often it is
//! asked about, and stands there under the last answer. Names are kept as hashes only: the figures need no
//! more. Not done here: drawing them (`serve::page`).

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use hoplock_policy::law::Answer;
use hoplock_policy::moment::{Moment, Timestamp};
use hoplock_policy::reason::Reason;

use super::Answered;

/// What protects mail to a destination, by the answer that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// DANE: at least one of its hosts must match TLSA records.
    Dane,
    /// An enforced MTA-STS policy, or names that a rule demands of a certificate.
    MtaSts,
    /// Keys or authorities that are pinned.
    Pinned,
    /// TLS without authentication.
    Encrypted,
    /// Nothing is demanded: TLS where it is offered.
    Clear,
    /// Nothing leaves: mail waits.
    Waiting,
}

impl Protection {
    /// All of them, the strongest first.
    pub const ALL: [Self; KINDS] = [
        Self::Dane,
        Self::MtaSts,
        Self::Pinned,
        Self::Encrypted,
        Self::Clear,
        Self::Waiting,
    ];

    /// What protects mail under this answer.
    #[must_use]
    pub fn of(answered: &Answered) -> Self {
        // What has no form for the mail server became a delay.
        if answered.rendered.waits() {
            return Self::Waiting;
        }
        let verdict = &answered.verdict;
        match &verdict.answer {
            Answer::Temp => Self::Waiting,
            Answer::Dane | Answer::DaneOnly => Self::Dane,
            Answer::Secure(_) | Answer::Verify(_) => Self::MtaSts,
            Answer::Fingerprint(_) | Answer::Anchored { .. } => Self::Pinned,
            Answer::Encrypt => Self::Encrypted,
            Answer::May | Answer::None => Self::Clear,
            // A mail server that is told nothing may hold hosts to what they owe by itself, as Exim does.
            Answer::NotFound => match verdict.reason {
                Reason::DaneAllHosts | Reason::DaneSomeHosts | Reason::HalfDane => Self::Dane,
                Reason::StsEnforce => Self::MtaSts,
                Reason::TlsaUnusable => Self::Encrypted,
                _ => Self::Clear,
            },
        }
    }

    /// A stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::MtaSts => "mta-sts",
            Self::Pinned => "pinned",
            Self::Encrypted => "encrypted",
            Self::Clear => "clear",
            Self::Waiting => "waiting",
        }
    }

    /// The one of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.word() == word)
    }
}

/// Destinations by protection, in the order of [`Protection::ALL`].
pub type Counts = [u64; KINDS];

/// The last day, as it is counted.
pub struct Today {
    hasher: RandomState,
    seen: DashMap<u64, Mark>,
    /// How many that are: asking the table itself would take each of its locks.
    known: AtomicUsize,
    /// The slot that time is in; slots are counted from 1.
    slot: AtomicU32,
    counts: [AtomicU64; KINDS],
    past: Mutex<VecDeque<Counts>>,
    begun: Mutex<Option<Moment>>,
}

/// Where a destination was counted last.
#[derive(Clone, Copy)]
struct Mark {
    slot: u32,
    protection: Protection,
}

/// The slot in which an answer was counted last, kept beside it so that the next query costs no look-up.
#[derive(Debug, Default)]
pub struct Counted(AtomicU32);

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The last day, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Ten minutes each, oldest first, the current ones last; each with the time of its begin.
    pub slots: Vec<(Timestamp, Counts)>,
    /// Different destinations in all, each by its last answer.
    pub totals: Counts,
    /// True where there were more than are counted.
    pub is_cut: bool,
}

impl Default for Today {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            seen: DashMap::new(),
            known: AtomicUsize::new(0),
            slot: AtomicU32::new(1),
            counts: Default::default(),
            past: Mutex::default(),
            begun: Mutex::default(),
        }
    }
}

impl Today {
    /// Counts an answer that a mail server was given.
    pub fn note(&self, answered: &Answered) {
        let slot = self.slot.load(Ordering::Relaxed);
        // Answers are kept beside their findings: most queries end here.
        if answered.counted.0.load(Ordering::Relaxed) == slot {
            return;
        }
        answered.counted.0.store(slot, Ordering::Relaxed);
        // What names no destination is none.
        let Some(name) = answered.next_hop.name() else {
            return;
        };
        let protection = Protection::of(answered);
        self.count(self.hasher.hash_one(name), Mark { slot, protection });
    }

    fn count(&self, destination: u64, mark: Mark) {
        match self.seen.entry(destination) {
            Entry::Occupied(mut known) => {
                let before = known.insert(mark);
                if before.slot == mark.slot {
                    if before.protection == mark.protection {
                        return;
                    }
                    // It stands under the last answer.
                    // The slot may have ended in between, and with it what was counted there.
                    let less = |count: u64| count.checked_sub(1);
                    let counted = self.of(before.protection);
                    let _ = counted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                }
            }
            Entry::Vacant(_) if self.known.load(Ordering::Relaxed) >= MOST => return,
            Entry::Vacant(new) => {
                new.insert(mark);
                self.known.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.of(mark.protection).fetch_add(1, Ordering::Relaxed);
    }

    /// Time goes on; to be called every minute or so.
    pub fn minute(&self, now: Moment) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = begun.get_or_insert(now);
        let passed = now.uptime.saturating_sub(begun.uptime).as_secs() / SLOT.as_secs();
        let current = u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1);
        let slot = self.slot.load(Ordering::Relaxed);
        if current <= slot {
            return;
        }
        let counts = self.counts.each_ref();
        let counts = counts.map(|count| count.swap(0, Ordering::Relaxed));
        self.slot.store(current, Ordering::Relaxed);
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.push_back(counts);
        // Slots in which nobody looked at the clock.
        let missed = usize::try_from(current - slot - 1).unwrap_or(usize::MAX);
        past.extend(std::iter::repeat_n(Counts::default(), missed.min(SLOTS)));
        while past.len() >= SLOTS {
            past.pop_front();
        }
        let oldest = current.saturating_sub(past.len().try_into().unwrap_or(u32::MAX));
        self.seen.retain(|_, mark| mark.slot >= oldest);
        self.known.store(self.seen.len(), Ordering::Relaxed);
    }

    /// What is counted of the last day.
    #[must_use]
    pub fn day(&self, now: Moment) -> Day {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let uptime = begun.unwrap_or(now).uptime;
        let current = self.slot.load(Ordering::Relaxed);
        let first = u64::from(current).saturating_sub(past.len() as u64 + 1);
        let counts = self.counts.each_ref();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let all = past.iter().copied().chain([counts]);
        let slots = all.enumerate().map(|(index, counts)| {
            let passed = SLOT.as_secs().saturating_mul(first + index as u64);
            let ago = now
                .uptime
                .saturating_sub(uptime.saturating_add(Duration::from_secs(passed)));
            let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
            (Timestamp(now.wall.0.saturating_sub(ago)), counts)
        });
        let mut totals = Counts::default();
        for mark in &self.seen {
            if let Some(total) = totals.get_mut(mark.protection as usize) {
                *total += 1;
            }
        }
        Day {
            slots: slots.collect(),
            totals,
            is_cut: self.seen.len() >= MOST,
        }
    }

    #[expect(clippy::indexing_slicing, reason = "an element for each variant")]
    fn of(&self, protection: Protection) -> &AtomicU64 {
        &self.counts[protection as usize]
    }
}

const KINDS: usize = 6;
/// Fine enough to see an outage, coarse enough for a phone.
const SLOT: Duration = Duration::from_secs(600);
/// A day of them.
const SLOTS: usize = 144;
/// Some 30 MB of hashes; a site that asks about more knows it.
const MOST: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Moment {
        Moment {
            wall: Timestamp(1_800_000_000_000 + minutes * 60_000),
            uptime: Duration::from_secs(1000 + minutes * 60),
        }
    }

    fn counts(of: &[(Protection, u64)]) -> Counts {
        let mut counts = Counts::default();
        for (protection, count) in of {
            counts[*protection as usize] = *count;
        }
        counts
    }

    fn note(today: &Today, destination: u64, protection: Protection) {
        let slot = today.slot.load(Ordering::Relaxed);
        today.count(destination, Mark { slot, protection });
    }

    /// Once in each slot, under the last answer; once in the total.
    #[test]
    fn a_destination_counts_once_in_a_slot() {
        let today = Today::default();
        today.minute(at(0));
        note(&today, 1, Protection::Dane);
        note(&today, 1, Protection::Dane);
        note(&today, 2, Protection::Clear);
        note(&today, 2, Protection::Waiting);
        let first = counts(&[(Protection::Dane, 1), (Protection::Waiting, 1)]);
        assert_eq!(today.day(at(1)).slots, [(at(0).wall, first)]);
        today.minute(at(9));
        assert_eq!(today.day(at(9)).slots.len(), 1);
        today.minute(at(10));
        note(&today, 2, Protection::Clear);
        let second = counts(&[(Protection::Clear, 1)]);
        let day = today.day(at(12));
        assert_eq!(day.slots, [(at(0).wall, first), (at(10).wall, second)]);
        let totals = counts(&[(Protection::Dane, 1), (Protection::Clear, 1)]);
        assert_eq!(day.totals, totals);
        assert!(!day.is_cut);
    }

    /// An answer that was read before a slot ended and is counted after it takes nothing from the new slot.
    #[test]
    fn a_slot_that_ends_meanwhile() {
        let today = Today::default();
        today.minute(at(0));
        note(&today, 1, Protection::Dane);
        today.minute(at(10));
        let protection = Protection::Waiting;
        today.count(
            1,
            Mark {
                slot: 1,
                protection,
            },
        );
        let day = today.day(at(10));
        let slots: Vec<Counts> = day.slots.iter().map(|(_, counts)| *counts).collect();
        let (then, now) = (counts(&[(Protection::Dane, 1)]), counts(&[(protection, 1)]));
        assert_eq!(slots, [then, now]);
    }

    /// A day is 144 slots, and a destination of yesterday is none of today's.
    #[test]
    fn a_day_is_a_day() {
        let today = Today::default();
        today.minute(at(0));
        note(&today, 1, Protection::Dane);
        for minute in 1..1440 {
            today.minute(at(minute));
        }
        let day = today.day(at(1439));
        assert_eq!(day.slots.len(), 144);
        assert_eq!(day.slots[0].0, at(0).wall);
        assert_eq!(day.totals, counts(&[(Protection::Dane, 1)]));
        today.minute(at(1440));
        let day = today.day(at(1440));
        assert_eq!((day.slots.len(), day.slots[0].0), (144, at(10).wall));
        assert_eq!(day.totals, Counts::default());
    }

    /// A suspended machine leaves a gap, not a shift.
    #[test]
    fn slots_that_nobody_saw_are_empty() {
        let today = Today::default();
        today.minute(at(0));
        note(&today, 1, Protection::Dane);
        today.minute(at(35));
        let day = today.day(at(35));
        let times: Vec<Timestamp> = day.slots.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [0, 10, 20, 30].map(|minute| at(minute).wall));
        assert_eq!(day.slots[0].1, counts(&[(Protection::Dane, 1)]));
        today.minute(at(10_000));
        let day = today.day(at(10_000));
        assert_eq!((day.slots.len(), day.totals), (144, Counts::default()));
    }
}
