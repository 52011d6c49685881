//! Findings by next hop: bounded, expiry told by `now`, failures kept briefly (CA-01 to CA-06).
//!
//! Destinations that demand something and those that demand nothing are kept apart, so that a flood
//! of unknown names evicts no destination with a policy. Not done here: single flight (see
//! [`crate::answer`]) and policies themselves (see [`crate::world::Store`]).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hoplock_policy::findings::{Findings, Validation};
use hoplock_policy::moment::Moment;
use hoplock_policy::next_hop::NextHop;
use hoplock_policy::reason::Reason;
use quick_cache::sync::Cache;

/// The findings of many destinations, with answers of type `A` made from them.
pub struct FindingsCache<A> {
    demanding: Cache<NextHop, Arc<Entry<A>>>,
    free: Cache<NextHop, Arc<Entry<A>>>,
}

/// One destination.
pub struct Entry<A> {
    /// The evidence.
    pub findings: Arc<Findings>,
    /// What was known of the resolver while it was gathered.
    pub under: Validation,
    /// The evidence before it, where there was any that demanded something.
    pub earlier: Option<Earlier>,
    /// Failed gatherings in a row; decides how long this failure is kept.
    failures: u32,
    /// How long from its gathering the entry may be used.
    lifetime: Duration,
    /// Answers made from it, one for each profile and generation of settings.
    answers: Mutex<Vec<(AnswerKey, Arc<A>)>>,
    /// What the log said last of this destination.
    told: Mutex<Option<Told>>,
    /// Queries answered from it so far.
    hits: AtomicU32,
}

/// Evidence that newer evidence has followed: sessions are judged by what was in force when they happened
/// (SV-04).
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The evidence.
    pub findings: Arc<Findings>,
    /// What was known of the resolver while it was gathered.
    pub under: Validation,
}

impl Earlier {
    /// True where an answer of that time, on the clock that never jumps, could rest on it.
    #[must_use]
    pub fn was_in_force(&self, at: Duration) -> bool {
        let age = at.checked_sub(self.findings.gathered.uptime);
        age.is_some_and(|age| age < self.findings.lifetime)
    }
}

/// What the log said of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The verdict's word.
    pub word: &'static str,
    /// The verdict's reason.
    pub reason: Reason,
    /// Whether mail waits.
    pub waits: bool,
    /// When.
    pub at: Moment,
}

/// What an answer depends on beside the findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerKey {
    /// The profile's name.
    pub profile: String,
    /// Counts changes of rules and profiles, and of what is known of the resolver.
    pub generation: u64,
}

impl<A> FindingsCache<A> {
    /// A cache for at most `entries` destinations of each kind.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self {
            demanding: Cache::new(entries),
            free: Cache::new(entries),
        }
    }

    /// The entry of a next hop, if it may still be used.
    #[must_use]
    pub fn fresh(&self, next_hop: &NextHop, now: Moment) -> Option<Arc<Entry<A>>> {
        self.entry(next_hop)
            .filter(|entry| !entry.remaining(now).is_zero())
    }

    /// The entry of a next hop, fresh or not.
    #[must_use]
    pub fn entry(&self, next_hop: &NextHop) -> Option<Arc<Entry<A>>> {
        self.demanding
            .get(next_hop)
            .or_else(|| self.free.get(next_hop))
    }

    /// The same for somebody who must not change what is kept and what leaves first.
    #[must_use]
    pub fn peek_fresh(&self, next_hop: &NextHop, now: Moment) -> Option<Arc<Entry<A>>> {
        let demanding = self.demanding.peek(next_hop);
        demanding
            .or_else(|| self.free.peek(next_hop))
            .filter(|entry| !entry.remaining(now).is_zero())
    }

    /// Keeps findings. A failure is kept for seconds, longer each time it repeats (RFC 9520, 3).
    pub fn keep(
        &self,
        mut findings: Findings,
        under: Validation,
        demanding: bool,
    ) -> Arc<Entry<A>> {
        let next_hop = findings.next_hop.clone();
        let previous = self.entry(&next_hop);
        let told = Mutex::new(previous.as_ref().and_then(|previous| previous.told()));
        let earlier = previous
            .as_ref()
            .filter(|_| demanding || self.demanding.peek(&next_hop).is_some())
            .map(|previous| Earlier {
                findings: Arc::clone(&previous.findings),
                under: previous.under,
            });
        let failures = match previous {
            _ if !findings.has_failure() => 0,
            Some(previous) => previous.failures.saturating_add(1),
            None => 1,
        };
        let lifetime = match failures {
            0 => findings.lifetime,
            _ => findings.lifetime.min(failure_lifetime(failures)),
        };
        findings.lifetime = lifetime;
        let entry = Arc::new(Entry {
            earlier,
            failures,
            told,
            ..Entry::apart(findings, under)
        });
        let (into, from) = if demanding {
            (&self.demanding, &self.free)
        } else {
            (&self.free, &self.demanding)
        };
        into.insert(next_hop.clone(), Arc::clone(&entry));
        from.remove(&next_hop);
        entry
    }

    /// Forgets one next hop.
    pub fn forget(&self, next_hop: &NextHop) {
        self.demanding.remove(next_hop);
        self.free.remove(next_hop);
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.demanding.clear();
        self.free.clear();
    }

    /// All entries, fresh or not, in no order.
    #[must_use]
    pub fn entries(&self) -> Vec<Arc<Entry<A>>> {
        let both = self.demanding.iter().chain(self.free.iter());
        both.map(|(_, entry)| entry).collect()
    }

    /// How many destinations are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.demanding.len() + self.free.len()
    }

    /// True where nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<A> Entry<A> {
    /// Findings that are kept nowhere.
    #[must_use]
    pub fn apart(findings: Findings, under: Validation) -> Self {
        let lifetime = findings.lifetime;
        Self {
            findings: Arc::new(findings),
            under,
            earlier: None,
            failures: 0,
            lifetime,
            answers: Mutex::new(Vec::new()),
            told: Mutex::new(None),
            hits: AtomicU32::new(0),
        }
    }

    /// What is left of the entry's life.
    #[must_use]
    pub fn remaining(&self, now: Moment) -> Duration {
        let age = now.uptime.saturating_sub(self.findings.gathered.uptime);
        self.lifetime.saturating_sub(age)
    }

    /// The answer made earlier under the same profile and settings; the caller knows whether it
    /// still holds.
    #[must_use]
    pub fn answer(&self, key: &AnswerKey) -> Option<Arc<A>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, answered) = answers.iter().find(|(own, _)| own == key)?;
        Some(Arc::clone(answered))
    }

    /// Counts a query answered from it; how many there were with this one.
    pub fn hit(&self) -> u32 {
        self.hits.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Queries answered from it so far.
    #[must_use]
    pub fn hits(&self) -> u32 {
        self.hits.load(Ordering::Relaxed)
    }

    /// How long from its gathering it may be used.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn told(&self) -> Option<Told> {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what is to be told, and whether it is news: another answer than last time, or mail that
    /// has been waiting for another minute.
    #[must_use]
    pub fn tells(&self, now: Told) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.is_none_or(|before| {
            let same = before.word == now.word && before.reason == now.reason;
            let age = now.at.uptime.saturating_sub(before.at.uptime);
            !same || now.waits && age >= TELL_AGAIN
        });
        if is_news {
            *told = Some(now);
        }
        is_news
    }

    /// The answers made from it so far.
    #[must_use]
    pub fn answers(&self) -> Vec<Arc<A>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers
            .iter()
            .map(|(_, answered)| Arc::clone(answered))
            .collect()
    }

    /// Forgets the answers; the findings go on.
    pub fn forget_answers(&self) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.clear();
    }

    /// Keeps an answer beside the findings that it was made from.
    pub fn keep_answer(&self, key: AnswerKey, answered: Arc<A>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|(own, _)| own.profile != key.profile);
        answers.push((key, answered));
    }
}

/// Five seconds, doubled with every failure, at most five minutes (CA-03).
fn failure_lifetime(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(MOST_DOUBLINGS);
    (FIRST_FAILURE * 2_u32.pow(doublings)).min(LONGEST_FAILURE)
}

/// A destination whose mail waits is told of once a minute, not once a query.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// RFC 9520, 3.2: failures are kept for at least a second and at most five minutes.
const FIRST_FAILURE: Duration = Duration::from_secs(5);
/// RFC 2308, 7.1: no longer than five minutes.
const LONGEST_FAILURE: Duration = Duration::from_secs(300);
/// Enough to pass [`LONGEST_FAILURE`], few enough not to overflow.
const MOST_DOUBLINGS: u32 = 6;
